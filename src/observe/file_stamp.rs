use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The result of stat(2): equal stamps mean that a file is the one that was read, or is missing as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileStamp {
    Missing,
    /// The errno of a stat that failed otherwise.
    Unknown(i32),
    File {
        device: u64,
        inode: u64,
        size: u64,
        /// Seconds and nanoseconds.
        modified: (i64, i64),
        /// Also changes with owner and mode, which decide whether ssh accepts the file.
        changed: (i64, i64),
    },
}

/// Returns the time of the last change of the links in a path, and of those in their targets; 0 without a link.
pub(crate) fn links_changed(path: &Path, depth: usize) -> Nanoseconds {
    let of_links = path.ancestors().filter_map(|path| {
        let target = fs::read_link(path).ok()?;
        let own = FileStamp::from_stat(fs::symlink_metadata(path).as_ref());
        let target = path.parent()?.join(target);
        let below = depth
            .checked_sub(1)
            .map(|depth| links_changed(&target, depth));
        own.last_change().max(below)
    });
    of_links.max().unwrap_or(0)
}

/// Since the epoch.
pub(crate) type Nanoseconds = u64;

impl FileStamp {
    /// Returns the later of both times: a file that was moved to its place keeps its modification time.
    pub(crate) fn last_change(&self) -> Option<Nanoseconds> {
        let Self::File {
            modified, changed, ..
        } = self
        else {
            return None;
        };
        let (seconds, nanoseconds) = *modified.max(changed);
        let seconds = u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?;
        seconds.checked_add(u64::try_from(nanoseconds).ok()?)
    }

    pub fn read(path: &Path) -> Self {
        Self::from_stat(fs::metadata(path).as_ref())
    }

    pub(crate) fn from_stat(stat: Result<&fs::Metadata, &std::io::Error>) -> Self {
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
