//! What follows a protocol switch (RFC 9110 §7.8): bytes, both ways, until one side or the session ends.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

/// Joins the visitor's side and the upstream's until both have closed, or `over` resolves.
pub async fn tunnel(visitor: OnUpgrade, upstream: OnUpgrade, over: impl Future<Output = ()>) {
    let join = async {
        // Either side may be gone before the switch is complete; then nobody is left to tell.
        let (Ok(visitor), Ok(upstream)) = tokio::join!(visitor, upstream) else { return };
        let (mut visitor, mut upstream) = (TokioIo::new(visitor), TokioIo::new(upstream));
        if let Err(error) = tokio::io::copy_bidirectional(&mut visitor, &mut upstream).await {
            tracing::debug!(%error, "a tunnel broke");
        }
    };
    tokio::select! {
        () = join => {}
        () = over => {}
    }
}
