//! Which files a configuration was made of, and whether they would make another one now.
//!
//! A configuration is read again when what it was read from has changed: the files
//! themselves, the names in its folders, and every file that it names. All of them are
//! told apart by content, so that it does not matter how a change came about: an
//! editor's rename, Kubernetes' swap of `..data`, a network volume whose server
//! changed it. What could not be read is remembered as well; a file that comes into
//! being is a change.
//!
//! Rejected: inotify. It does not see network volumes, and a swapped link only by
//! following every link and folder of each path; a second way of looking would be
//! needed beside it. Also rejected: times and sizes, which a file on a coarse clock
//! keeps while its content changes; and SHA-256, which makes every look at a thousand
//! routes as dear as thirty requests, to tell apart what nobody chose to be alike.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{BuildHasher, Hasher},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use foldhash::quality::RandomState;

use super::source::{self, FileError};

/// What was looked at, with a fingerprint of what was found.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FilesRead(BTreeMap<Asked, Found>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    /// The content of a file, up to a size.
    Content(PathBuf, u64),
    /// The files that a path of the command line stands for.
    Names(PathBuf),
}

#[derive(Clone, PartialEq, Eq)]
enum Found {
    Print(u64),
    /// It changed between two readings of one configuration: no later look finds the same.
    Torn,
}

impl FilesRead {
    /// Looks at all of it as it is now.
    #[must_use]
    pub fn look_again(&self) -> Self {
        let mut now = Self::default();
        for asked in self.0.keys() {
            match asked {
                Asked::Content(path, limit) => now.note_content(path, *limit, &source::read_bytes(path, *limit)),
                Asked::Names(path) => now.note_names(path, &source::files(path)),
            }
        }
        now
    }

    pub(super) fn note_content(&mut self, path: &Path, limit: u64, content: &Result<Vec<u8>, FileError>) {
        let found = print(content.as_ref().map(|content| [content.as_slice()]));
        self.note(Asked::Content(path.to_owned(), limit), found);
    }

    pub(super) fn note_names(&mut self, path: &Path, names: &Result<Vec<PathBuf>, FileError>) {
        let found = print(names.as_ref().map(|names| names.iter().map(|name| name.as_os_str().as_encoded_bytes())));
        self.note(Asked::Names(path.to_owned()), found);
    }

    fn note(&mut self, asked: Asked, found: u64) {
        let found = Found::Print(found);
        let before = self.0.entry(asked).or_insert_with(|| found.clone());
        if *before != found {
            *before = Found::Torn;
        }
    }
}

/// Says how many: no fingerprint of a secret belongs into a log.
impl fmt::Debug for FilesRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FilesRead({})", self.0.len())
    }
}

/// The same for the same pieces, or for the same reason why there are none, as long as this process lives.
fn print<'p>(pieces: Result<impl IntoIterator<Item = &'p [u8]>, &FileError>) -> u64 {
    static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    let mut hasher = KEYED.build_hasher();
    match pieces {
        Ok(pieces) => {
            hasher.write_u8(b'+');
            for piece in pieces {
                hasher.write_usize(piece.len());
                hasher.write(piece);
            }
        }
        Err(error) => {
            hasher.write_u8(b'-');
            hasher.write(error.to_string().as_bytes());
        }
    }
    hasher.finish()
}
