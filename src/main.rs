//! The `vestibule` binary: arguments, start, exit code.

fn main() {}
