//! Randomness as an argument, so that tests can repeat it.
//!
//! Everything unguessable (session secrets, attempts, nonces) comes from here; a
//! lint bans other generators.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::digest;

/// Where random bytes come from: the operating system, or a seed in tests.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded { seed: u64, drawn: Arc<AtomicU64> },
}

impl Random {
    /// The cryptographic generator of the process.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A repeatable sequence, for tests only: anybody can predict it.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded { seed, drawn: Arc::default() })
    }

    /// `N` fresh bytes.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing that we could
    /// go on with would be safe then.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        match &self.0 {
            Source::System => aws_lc_rs::rand::fill(&mut out).expect("the operating system gives random bytes"),
            Source::Seeded { seed, drawn } => {
                for chunk in out.chunks_mut(digest::SHA256_OUTPUT_LEN) {
                    let mut input = [0; 16];
                    input[..8].copy_from_slice(&seed.to_le_bytes());
                    input[8..].copy_from_slice(&drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes());
                    chunk.copy_from_slice(&digest::digest(&digest::SHA256, &input).as_ref()[..chunk.len()]);
                }
            }
        }
        out
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Random(system)",
            Source::Seeded { .. } => "Random(seeded)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_never_a_value() {
        let (a, b) = (Random::seeded(7), Random::seeded(7));
        let first: [u8; 40] = a.bytes();
        assert_eq!(first, b.bytes());
        assert_ne!(first, a.bytes());
    }

    #[test]
    fn the_system_does_not_repeat() {
        let random = Random::system();
        assert_ne!(random.bytes::<32>(), random.bytes::<32>());
    }
}
