//! Where the configuration comes from: files and folders, flags and variables, and the files that it names.
//!
//! Only regular files are opened, and only so much of them is read: a named pipe
//! would wait for ever, and a wrong path may lead to a disk image.

use std::{
    borrow::Cow,
    fmt, fs,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use rustix::{fs::OFlags, io::Errno};
use thiserror::Error;

use crate::config::mask;

/// The largest configuration file.
pub(super) const MAX_CONFIG_FILE: u64 = 4 << 20;

/// The largest file that a configuration names: a secret, a chain, a bundle of roots.
pub(super) const MAX_NAMED_FILE: u64 = 1 << 20;

/// One text with its name.
pub(super) struct Source {
    name: Arc<str>,
    text: String,
    /// Where each line but the first begins, once somebody asks: every rule of ten thousand does.
    line_starts: OnceLock<Vec<usize>>,
    kind: Kind,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// TOML: its name is a path, and its lines have numbers.
    File,
    /// One flag or variable with its value, as somebody typed it.
    Word,
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
        Self { name: name.into(), text: text.into(), line_starts: OnceLock::new(), kind: Kind::File }
    }

    /// A flag or a variable: what messages show of it is what stands before its value, and the value.
    pub(super) fn word(name: impl Into<Arc<str>>, before: impl Into<String>, value: &str) -> Self {
        Self { name: name.into(), text: before.into() + value, line_starts: OnceLock::new(), kind: Kind::Word }
    }

    /// What it is.
    pub(super) fn kind(&self) -> Kind {
        self.kind
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

    /// How messages name the place of a byte: a file with its line, or the flag or variable.
    pub(super) fn show_place(&self, index: usize) -> String {
        match self.kind {
            Kind::File => format!("{}:{}", self.name, self.line(index)),
            Kind::Word => self.name.to_string(),
        }
    }

    /// A path named in this text: relative ones start at the folder of a file, wherever the process runs; those of a
    /// flag or variable where it runs.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        match self.kind {
            Kind::File => Path::new(&*self.name).parent().unwrap_or(Path::new("")).join(path),
            Kind::Word => PathBuf::from(path),
        }
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
    /// What some editors save.
    #[error("it is UTF-16: save it as UTF-8")]
    Utf16,
    /// A folder in which nothing is to be read.
    #[error("the folder has no file whose name ends in `.toml`")]
    Empty,
}

/// What people say, where the system says `os error 2`.
fn describe(error: &io::Error) -> Cow<'static, str> {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "this user may not read it".into(),
        _ if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            "it is a symbolic link that leads back to itself".into()
        }
        _ => error.to_string().into(),
    }
}

/// The bytes of a regular file of at most `limit` bytes.
pub(super) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let check = |metadata: &fs::Metadata| {
        if metadata.is_dir() {
            Err(FileError::Folder)
        } else if !metadata.is_file() {
            Err(FileError::Special)
        } else if metadata.len() > limit {
            Err(FileError::Size(limit))
        } else {
            Ok(())
        }
    };
    // Before it is opened: opening a device can do something. And once more after, because it may be another file then;
    // opening a pipe must not wait for its writer.
    check(&fs::metadata(path)?)?;
    let file = fs::OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    check(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    // It may have grown meanwhile, and files of /proc have no length at all.
    if bytes.len() as u64 > limit { Err(FileError::Size(limit)) } else { Ok(bytes) }
}

/// The text that bytes are.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, FileError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(FileError::Utf16);
    }
    String::from_utf8(bytes).map_err(|error| {
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
