//! [`Stamp`]: whether a file is still the one that was read, by one stat.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a stat of a path said, links followed; the absence of a file is a state like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stamp {
    /// Nothing there.
    Missing,
    /// It may be there; the errno of the stat.
    Unknown(i32),
    /// Which file it is, and which contents and permissions it has.
    File {
        device: u64,
        inode: u64,
        size: u64,
        /// Seconds and nanoseconds.
        modified: (i64, i64),
        /// Moves with owner and mode too, which decide whether ssh reads the file at all.
        changed: (i64, i64),
    },
}

impl Stamp {
    /// The stamp of what is at the path now.
    pub(super) fn of(path: &Path) -> Self {
        Self::of_stat(fs::metadata(path).as_ref())
    }

    /// The stamp a stat makes.
    pub(super) fn of_stat(stat: Result<&fs::Metadata, &std::io::Error>) -> Self {
        match stat {
            Ok(stat) => Self::File {
                device: stat.dev(),
                inode: stat.ino(),
                size: stat.size(),
                modified: (stat.mtime(), stat.mtime_nsec()),
                changed: (stat.ctime(), stat.ctime_nsec()),
            },
            Err(error) => match error.raw_os_error() {
                Some(nix::libc::ENOENT | nix::libc::ENOTDIR) | None => Self::Missing,
                Some(errno) => Self::Unknown(errno),
            },
        }
    }
}
