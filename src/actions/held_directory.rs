//! The open directory of a socket. Everything goes through one descriptor, so a directory that is renamed or replaced
//! meanwhile makes no difference.

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

use super::held_socket::{HeldSocket, HoldError};
use crate::mux::deadline::Deadline;

const LOCK_POLL: Duration = Duration::from_micros(200);

#[derive(Debug)]
pub(super) struct HeldDirectory(fs::File);

/// An open directory in which no other muxtray changes names while this exists.
#[derive(Debug)]
pub(super) struct LockedDirectory(HeldDirectory);

#[derive(Debug)]
pub(super) enum LockError {
    /// Another process held the lock until the deadline.
    Busy,
    Failed(Errno),
}

impl HeldDirectory {
    /// Opens the directory, through a symlink too, as ssh does (`~/.ssh` is often one): the sockets in it are
    /// identified by inode, not by path.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(AT_FDCWD, path, flags, Mode::empty()).map(|directory| Self(directory.into()))
    }

    pub(super) fn socket(&self, name: &Path) -> Result<HeldSocket, HoldError> {
        HeldSocket::open_in(&self.0, name)
    }

    /// Whether a file of this name exists, of any kind.
    pub(super) fn has(&self, name: &Path) -> bool {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        nix::sys::stat::fstatat(&self.0, name, flags) != Err(Errno::ENOENT)
    }

    pub(super) fn check_writable(&self) -> Result<(), Errno> {
        let mode = AccessFlags::W_OK | AccessFlags::X_OK;
        faccessat(&self.0, ".", mode, AtFlags::AT_EACCESS)
    }

    /// Locks the directory against other muxtrays (flock(2)). They use the same temporary names, so without the lock
    /// one of them could remove a file that another has just put under a name it judged before.
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
    type Target = HeldDirectory;

    fn deref(&self) -> &HeldDirectory {
        &self.0
    }
}

impl LockedDirectory {
    /// Renames a file. EEXIST if the new name is taken, EINVAL if the filesystem has no `RENAME_NOREPLACE`.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), Errno> {
        let directory = &self.0.0;
        let flags = RenameFlags::RENAME_NOREPLACE;
        renameat2(directory, from, directory, to, flags)
    }

    pub(super) fn hard_link(&self, from: &Path, to: &Path) -> Result<(), Errno> {
        let directory = &self.0.0;
        linkat(directory, from, directory, to, AtFlags::empty())
    }

    /// A short path to this very directory, valid while this exists.
    pub(super) fn descriptor_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.0.as_raw_fd()))
    }

    pub(super) fn unlink(&self, name: &Path) -> Result<(), Errno> {
        unlinkat(&self.0.0, name, UnlinkatFlags::NoRemoveDir)
    }
}
