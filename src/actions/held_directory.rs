//! The open directory of a socket. Everything goes through one descriptor, so a directory that is renamed or replaced
//! meanwhile makes no difference.

use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, linkat, unlinkat};

use super::held_socket::{HeldSocket, HoldError};
use crate::files;
use crate::mux::deadline::Deadline;

const LOCK_POLL: Duration = Duration::from_micros(200);

#[derive(Debug)]
pub(super) struct HeldDirectory(fs::File);

impl HeldDirectory {
    /// Opens the directory, through a symlink too, as ssh does (`~/.ssh` is often one): the sockets in it are
    /// identified by inode, not by path.
    pub(super) fn open(path: &Path) -> nix::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(AT_FDCWD, path, flags, Mode::empty()).map(|directory| Self(directory.into()))
    }

    pub(super) fn socket(&self, name: &Path) -> Result<HeldSocket, HoldError> {
        HeldSocket::open_in(&self.0, name)
    }

    pub(super) fn has(&self, name: &Path) -> bool {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        nix::sys::stat::fstatat(&self.0, name, flags) != Err(Errno::ENOENT)
    }

    pub(super) fn check_writable(&self) -> nix::Result<()> {
        let mode = AccessFlags::W_OK | AccessFlags::X_OK;
        faccessat(&self.0, ".", mode, AtFlags::AT_EACCESS)
    }

    /// Locks the directory against other muxtrays (flock(2)) until it is closed. They use the same temporary names, so
    /// without the lock one of them could remove a file that another has just put under a name it judged before.
    /// EWOULDBLOCK if another process holds the lock.
    pub(super) fn lock(&self, limit: Duration) -> nix::Result<()> {
        let locked = Deadline::within(limit).poll(LOCK_POLL, || match self.0.try_lock() {
            Ok(()) => Some(Ok(())),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => {
                Some(Err(Errno::try_from(error).unwrap_or(Errno::EIO)))
            }
        });
        locked.unwrap_or(Err(Errno::EWOULDBLOCK))
    }

    /// Renames a file. EEXIST if the new name is taken, EINVAL if the filesystem has no `RENAME_NOREPLACE`.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> nix::Result<()> {
        renameat2(&self.0, from, &self.0, to, RenameFlags::RENAME_NOREPLACE)
    }

    pub(super) fn hard_link(&self, from: &Path, to: &Path) -> nix::Result<()> {
        linkat(&self.0, from, &self.0, to, AtFlags::empty())
    }

    /// A short path to this very directory, valid while this exists.
    pub(super) fn descriptor_path(&self) -> PathBuf {
        files::path_of(&self.0)
    }

    pub(super) fn unlink(&self, name: &Path) -> nix::Result<()> {
        unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)
    }
}
