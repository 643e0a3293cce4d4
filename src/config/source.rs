//! Where the configuration comes from: files and folders, and the files that it names.
//!
//! Only regular files are opened, and only so much of them is read: a named pipe
//! would wait for ever, and a wrong path may lead to a disk image.

use std::{
    borrow::Cow,
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use thiserror::Error;

use crate::config::mask;

/// The largest configuration file.
pub(super) const MAX_CONFIG_FILE: u64 = 4 << 20;

/// The largest file that a configuration names: a secret, a chain, a bundle of roots.
pub(super) const MAX_NAMED_FILE: u64 = 1 << 20;

/// One TOML text with its name.
pub(super) struct Source {
    name: Arc<str>,
    text: String,
    /// Where each line but the first begins, once somebody asks: every rule of ten thousand does.
    line_starts: OnceLock<Vec<usize>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may hold secrets.
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Source {
    /// A text under the name that messages give it.
    pub(super) fn new(name: impl Into<Arc<str>>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), line_starts: OnceLock::new() }
    }

    /// How messages call it: its path as it was given.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The text as it was read, secrets and all: for the parser only.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text as messages may show it; called on masked sources.
    pub(super) fn shown(&self) -> &str {
        &self.text
    }

    /// The same with every secret made unreadable, byte for byte in the same places.
    pub(super) fn masked(self) -> Self {
        Self { text: mask::secrets(&self.text), ..self }
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, index: usize) -> usize {
        let starts = self.line_starts.get_or_init(|| self.text.match_indices('\n').map(|(at, _)| at + 1).collect());
        starts.partition_point(|start| *start <= index) + 1
    }

    /// A path named in this text: relative ones start at its folder, wherever the process runs.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        Path::new(&*self.name).parent().unwrap_or(Path::new("")).join(path)
    }
}

/// Why a file was not read.
#[derive(Debug, Error)]
pub(super) enum FileError {
    /// The system refuses.
    #[error("{}", describe(.0))]
    Io(#[from] io::Error),
    /// A folder where a file is needed.
    #[error("it is a folder, and a file is needed")]
    Folder,
    /// A named pipe, a socket, a device.
    #[error("it is no regular file (a pipe, a socket or a device), and reading it could wait for ever")]
    Special,
    /// More than any such file has.
    #[error("it has more than {} KiB: surely another file is meant", .0 >> 10)]
    Size(u64),
    /// Not text.
    #[error("it is not UTF-8: the first bad byte is in line {0}")]
    Encoding(usize),
    /// A folder in which nothing is to be read.
    #[error("the folder has no file whose name ends in `.toml`")]
    Empty,
}

/// What people say, where the system says `os error 2`.
fn describe(error: &io::Error) -> Cow<'static, str> {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "this user may not read it".into(),
        _ => error.to_string().into(),
    }
}

/// The bytes of a regular file of at most `limit` bytes.
pub(super) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    // Before it is opened: opening a pipe waits for its writer.
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(FileError::Folder);
    }
    if !metadata.is_file() {
        return Err(FileError::Special);
    }
    if metadata.len() > limit {
        return Err(FileError::Size(limit));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    // It may have grown meanwhile, and files of /proc have no length at all.
    if bytes.len() as u64 > limit { Err(FileError::Size(limit)) } else { Ok(bytes) }
}

/// The text of a regular file of at most `limit` bytes.
pub(super) fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read_bytes(path, limit)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        FileError::Encoding(good.split(|byte| *byte == b'\n').count())
    })
}

/// The files that a path stands for: itself, or what a folder holds, in the order of the names.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        // Hidden ones are the unfinished files of editors, and Kubernetes' `..data`.
        let hidden = file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && file.extension().is_some_and(|extension| extension == "toml") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(FileError::Empty);
    }
    files.sort();
    Ok(files)
}
