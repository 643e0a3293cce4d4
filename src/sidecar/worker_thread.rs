//! A worker's thread: its runtime, its share of the sockets, its end.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::runtime;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::listener::{Acceptor, Bound};

/// How often what nobody uses any more is let go: connections, ended sessions, clients of the sign-in limit.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// A thread with a runtime of its own, accepting from all sockets.
pub(super) fn start(
    acceptor: Acceptor,
    bound: &[Bound],
    hurry: CancellationToken,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let listeners = {
        let _on_worker = runtime.enter();
        bound.iter().map(Bound::share).collect::<Result<Vec<_>, _>>().map_err(StartError::Runtime)?
    };
    let work = async move {
        let acceptor = Arc::new(acceptor);
        for listener in listeners {
            acceptor.tasks.spawn(Arc::clone(&acceptor).accept_from(listener));
        }
        let (current, mut tick) = (Arc::clone(&acceptor.current), acceptor.timers.interval(TIDY_EVERY));
        tokio::spawn(async move {
            loop {
                tick.tick().await;
                current.worker().tidy();
            }
        });
        acceptor.endings.stop.cancelled().await;
        acceptor.tasks.close();
        let drain_timeout = acceptor.current.worker().apps().server.drain_timeout;
        tokio::select! {
            () = acceptor.tasks.wait() => {}
            () = tokio::time::sleep(drain_timeout) => {
                tracing::warn!(connections = acceptor.tasks.len(), "the drain timeout is over: what is still under way is cut");
            }
            () = hurry.cancelled() => {}
        }
    };
    let work = move || {
        runtime.block_on(work);
        // What is left is cut, and a name that is still being looked up is not waited for.
        runtime.shutdown_background();
    };
    thread::Builder::new().name("worker".to_owned()).spawn(work).map_err(StartError::Runtime)
}
