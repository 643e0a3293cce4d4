//! Where a rule was written, for whoever asks which rule it was: `explain`, and warnings at start.
//!
//! What is wrong has a [`Place`](super::fault::Place), which points into texts that are let go of once
//! the configuration stands. This is what stays of it.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A file and a line of it. No part of what a rule means: any two are equal, and none shows in `Debug`.
#[derive(Clone, Default)]
pub struct Written {
    file: Arc<str>,
    line: usize,
}

impl Written {
    /// A line, counted from 1, of a file under the name that messages give it.
    pub fn new(file: Arc<str>, line: usize) -> Self {
        Self { file, line }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}

impl Hash for Written {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
