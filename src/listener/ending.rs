//! When a connection is to end because the process does.
//!
//! hyper's own graceful shutdown closes every connection on which it has read nothing
//! yet, and every one that has rested and has begun to receive its next head. Their
//! visitors have been told that they are connected, and have sent a request or are
//! about to: it would be lost. So hyper is told only when that harms nobody:
//!
//! | the connection | hyper is told |
//! |---|---|
//! | answers a request | as soon as the process is leaving: the answer says `Connection: close` |
//! | rests between two requests | when nobody is accepted any more |
//! | is receiving a head | when it is complete, and its time is that of every head |
//! | is new | as soon as it is asked something, or when [`FIRST_WORD`] is over |

use std::{
    future::{pending, poll_fn},
    task::Poll,
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Activity, Doing};

/// How long a visitor who has been connected may still take to say something: a long way there and back.
const FIRST_WORD: Duration = Duration::from_secs(1);

/// The way to the end, as all connections go it.
#[derive(Clone, Debug)]
pub struct Endings {
    /// The process is not ready any more, and still accepts.
    pub leaving: CancellationToken,
    /// Nobody is accepted any more.
    pub stop: CancellationToken,
}

/// Resolves when hyper is to be told. Must be polled whenever its connection has been, since that is what makes
/// the connection do something else.
pub(super) async fn ending(endings: &Endings, activity: &Activity) {
    endings.leaving.cancelled().await;
    let answers = doing(activity, |doing| doing == Doing::Answering);
    tokio::select! {
        biased;
        () = answers => return,
        () = endings.stop.cancelled() => {}
    }
    let harmless = doing(activity, |doing| matches!(doing, Doing::Answering | Doing::Resting));
    let wordless = async {
        sleep(FIRST_WORD).await;
        if activity.doing() != Doing::Nothing {
            pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = harmless => {}
        () = wordless => {}
    }
}

/// Resolves when whoever has not said a word by then is not waited for any more.
pub(super) async fn too_late(endings: &Endings) {
    endings.stop.cancelled().await;
    sleep(FIRST_WORD).await;
}

async fn doing(activity: &Activity, is: impl Fn(Doing) -> bool) {
    poll_fn(|_| if is(activity.doing()) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;
    use crate::clock::instant;

    /// Whether hyper has been told: while it serves, once it leaves, and once it has stopped; and a long time after.
    async fn told(activity: &Activity) -> [bool; 4] {
        let endings = Endings { leaving: CancellationToken::new(), stop: CancellationToken::new() };
        let mut ending = pin!(ending(&endings, activity));
        let mut told = [false; 4];
        for (place, step) in
            [|_: &Endings| (), |e: &Endings| e.leaving.cancel(), |e: &Endings| e.stop.cancel()].iter().enumerate()
        {
            step(&endings);
            if poll!(ending.as_mut()).is_ready() {
                told[place] = true;
                return told;
            }
        }
        tokio::time::advance(FIRST_WORD * 2).await;
        told[3] = poll!(ending.as_mut()).is_ready();
        told
    }

    #[tokio::test(start_paused = true)]
    async fn hyper_is_told_when_it_harms_nobody() {
        let activity = Activity::new();
        assert_eq!(told(&activity).await, [false, false, false, true], "new");
        activity.received();
        assert_eq!(told(&activity).await, [false; 4], "a head has its own time");
        activity.busy();
        assert_eq!(told(&activity).await, [false, true, false, false], "an answer says so");
        activity.idle(instant());
        assert_eq!(told(&activity).await, [false, false, true, false], "at rest");
        activity.received();
        assert_eq!(told(&activity).await, [false; 4], "the next head");
    }

    #[tokio::test(start_paused = true)]
    async fn what_begins_while_it_waits_is_told_then() {
        let activity = Activity::new();
        let endings = Endings { leaving: CancellationToken::new(), stop: CancellationToken::new() };
        let mut ending = pin!(ending(&endings, &activity));
        endings.leaving.cancel();
        assert!(poll!(ending.as_mut()).is_pending());
        endings.stop.cancel();
        assert!(poll!(ending.as_mut()).is_pending());
        activity.received();
        activity.busy();
        assert!(poll!(ending.as_mut()).is_ready());
    }
}
