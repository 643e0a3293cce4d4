//! The `vestibule` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule::cli::run()
}

/// Half of glibc's instructions for the pieces that a request is made of, and what a burst of visitors took is given
/// back. Only here: on other machines a build has to know the page size of the kernel that it will run on.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
