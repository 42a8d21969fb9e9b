//! The directory of a socket, held open, and what `clean` and `rehearse` do to names in it. It judges nothing.
//!
//! Everything goes through one descriptor, so all of it happens in one directory, whatever its path comes to mean
//! meanwhile.

use std::fs::{self, TryLockError};
use std::ops::Deref;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, linkat, unlinkat};

use super::held::{Held, Unfit};
use crate::mux::deadline::Deadline;

const LOCK_POLL: Duration = Duration::from_micros(200);

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory(fs::File);

/// An open directory in which no other muxtray cleans as long as this lives.
#[derive(Debug)]
pub(super) struct LockedDirectory(Directory);

/// Why a directory could not be locked.
#[derive(Debug)]
pub(super) enum LockError {
    /// Somebody else held the lock until the deadline.
    Busy,
    /// The system's words.
    Failed(Errno),
}

impl Directory {
    /// Opens it. A symlink that stands for the directory is followed, as ssh follows it (`~/.ssh` is often kept
    /// elsewhere): what counts is the file found in it, and that is told by its identity.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(AT_FDCWD, path, flags, Mode::empty()).map(|directory| Self(directory.into()))
    }

    /// Holds the socket of this name in it.
    pub(super) fn hold(&self, name: &Path) -> Result<Held, Unfit> {
        Held::at(&self.0, name)
    }

    /// Whether something stands there under this name.
    pub(super) fn has(&self, name: &Path) -> bool {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        nix::sys::stat::fstatat(&self.0, name, flags) != Err(Errno::ENOENT)
    }

    /// Whether names in it may be changed.
    pub(super) fn check_writable(&self) -> Result<(), Errno> {
        let mode = AccessFlags::W_OK | AccessFlags::X_OK;
        faccessat(&self.0, ".", mode, AtFlags::AT_EACCESS)
    }

    /// Keeps other muxtrays out. Their names for what they took aside are the same as ours, so one that has just
    /// judged such a name must not find another file under it.
    pub(super) fn lock(self, deadline: Deadline) -> Result<LockedDirectory, LockError> {
        loop {
            match self.0.try_lock() {
                Ok(()) => return Ok(LockedDirectory(self)),
                Err(TryLockError::WouldBlock) => {
                    let left = deadline.remaining().ok_or(LockError::Busy)?;
                    thread::sleep(left.min(LOCK_POLL));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(LockError::Failed(Errno::from_raw(
                        error.raw_os_error().unwrap_or_default(),
                    )));
                }
            }
        }
    }
}

impl Deref for LockedDirectory {
    type Target = Directory;

    fn deref(&self) -> &Directory {
        &self.0
    }
}

impl LockedDirectory {
    /// Gives a file another name, never one that is taken: EEXIST then. EINVAL where the filesystem cannot.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), Errno> {
        let directory = &self.0.0;
        renameat2(
            directory,
            from,
            directory,
            to,
            RenameFlags::RENAME_NOREPLACE,
        )
    }

    /// Gives a file a second name.
    pub(super) fn link(&self, from: &Path, to: &Path) -> Result<(), Errno> {
        let directory = &self.0.0;
        linkat(directory, from, directory, to, AtFlags::empty())
    }

    /// The directory's link in /proc: a short way to this very directory, for as long as this lives.
    pub(super) fn descriptor_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.0.as_raw_fd()))
    }

    /// Removes a name.
    pub(super) fn unlink(&self, name: &Path) -> Result<(), Errno> {
        unlinkat(&self.0.0, name, UnlinkatFlags::NoRemoveDir)
    }
}
