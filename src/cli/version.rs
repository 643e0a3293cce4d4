//! What `--version` tells of the build; `-V` has the number alone.

/// The version with everything that a report of a fault should say. A package's build without a repository has no
/// commit.
pub(super) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit:  ",
    env!("BUILD_COMMIT"),
    "\ntarget:  ",
    env!("BUILD_TARGET"),
    "\nrustc:   ",
    env!("BUILD_RUSTC"),
    "\nprofile: ",
    env!("BUILD_PROFILE"),
    "\nTLS:     rustls with aws-lc-rs",
);
