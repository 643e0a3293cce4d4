//! What must hold for any bytes whatever, one function for each reader of bytes that visitors send.
//!
//! `fuzz/` gives them what libFuzzer thinks of; the test below gives them the seeds of
//! `fuzz/corpus` on every run, so that what was found once stays found. Each function
//! panics where a promise does not hold; that is its whole result.
//!
//! Here and not in `fuzz/`, because the promises are about values that the rest of the
//! crate cannot make or open either.

mod cookies;
mod heads;
mod request;
mod sealed;

/// A promise about bytes; it panics where it is broken.
pub type Promise = fn(&[u8]);

/// All of them; a name is that of a folder in `fuzz/corpus` and of a program in `fuzz/fuzz_targets`.
pub const TARGETS: [(&str, Promise); 10] = [
    ("attempt", sealed::attempt),
    ("cookie", cookies::cookie),
    ("forwarded", request::forwarded),
    ("framing", heads::framing),
    ("host", request::host),
    ("line_ends", heads::line_ends),
    ("proxy_header", heads::proxy_header),
    ("record", sealed::record),
    ("return_target", sealed::return_target),
    ("target", request::target),
];

/// Runs one by its name.
///
/// # Panics
/// Where the promise does not hold, or nothing has this name.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, promise) = target.unwrap_or_else(|| panic!("no fuzz target is called `{name}`"));
    promise(bytes);
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn names_in(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let stem = |path: &Path| path.file_stem().expect("an entry has a name").to_string_lossy().into_owned();
        entries.map(|entry| stem(&entry.expect("an entry").path())).collect()
    }

    #[test]
    fn every_seed_of_the_corpus_keeps_every_promise() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let known: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names_in(&fuzz.join("corpus")), known, "each target has its seeds");
        assert_eq!(names_in(&fuzz.join("fuzz_targets")), known, "each target has its program");
        for (name, promise) in TARGETS {
            let mut seeds = 0;
            for seed in fs::read_dir(fuzz.join("corpus").join(name)).expect("a folder of seeds") {
                let seed = fs::read(seed.expect("an entry").path()).expect("a seed");
                promise(&seed);
                // Cut and changed seeds are what a fuzzer tries first.
                for at in 0..seed.len() {
                    promise(&seed[..at]);
                    let mut changed = seed.clone();
                    changed[at] ^= 0x0d;
                    promise(&changed);
                }
                seeds += 1;
            }
            assert!(seeds >= 3, "{name} has {seeds} seeds");
        }
    }
}
