//! Close to the limit and beyond: how much of a head, of a body and of our time one visitor gets (threats 116 to 124).
//!
//! Times are set small and waited for as events. What is refused is asked of the
//! upstream's record, and what is cut of the counters: each has its reason there.

use crate::harness::{
    RawClient, Request, Stage, patiently,
    upstream::Answer,
    wire::{Complete, Framing},
};

mod bodies;
mod heads;
mod load;
mod sign_ins;
mod slow;

/// Waits until a counter of this name and reason says so many.
async fn counted(stage: &Stage, line: &str) {
    patiently(line, async {
        while !stage.metrics().await.lines().any(|found| found == line) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
