//! Applies a [`Fix`]: the safe remedies, without another user's rights and without guesses.
//!
//! Each proves the claim of its finding again, on a descriptor, and changes that very file: its path may lead to another
//! one meanwhile. Directories are opened component by component without following symlinks.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat, fstat, mkdirat};
use tr::tr;

use super::clean;
use super::error::ActionError;
use super::held_socket::{HeldSocket, HoldError};
use super::kernel::{LiveKernel, own_uid};
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::files;
use crate::model::directory::DirectoryId;
use crate::model::fix::Fix;
use crate::model::socket::{Target, UserId};
use crate::model::text;

pub fn fix(fix: &Fix) -> ActionReport {
    let path = match fix {
        Fix::MakeDirectory(path) | Fix::CloseDirectory { path, .. } => path,
        Fix::CloseSocket(target) | Fix::Clean(target) => target.path.as_path(),
    };
    let (outcome, message) = match apply(fix) {
        Ok(Some(message)) => (ActionOutcome::Done, message),
        Ok(None) => (ActionOutcome::Unchanged, tr!("nothing to fix any more")),
        Err(error) => (error.outcome(), error.to_string()),
    };
    let target = ReportTarget::File(path.to_owned());
    ActionReport::new(target, Action::Fix, outcome, message)
}

/// Returns the change; `None` if nothing was wrong any more. After an error nothing was changed, but for outer directories
/// if an inner one could not be created.
fn apply(fix: &Fix) -> Result<Option<String>, ActionError> {
    match fix {
        Fix::MakeDirectory(path) => create_directory(path),
        Fix::CloseDirectory { path, id } => close_directory(path, *id),
        Fix::CloseSocket(target) => close_socket(target),
        Fix::Clean(target) => match clean::clean(&LiveKernel, target, SystemTime::now()) {
            Ok(cleaned) => Ok(Some(cleaned.to_string())),
            Err(ActionError::Hold(HoldError::Missing)) => Ok(None),
            Err(error) => Err(error),
        },
    }
}

fn create_directory(path: &Path) -> Result<Option<String>, ActionError> {
    const PRIVATE: Mode = Mode::S_IRWXU;
    let mut at = PathBuf::from("/");
    let mut directory = root()?;
    let mut created = Vec::new();
    for name in component_names(path) {
        at.push(name);
        directory = match enter(&directory, name) {
            Err(Errno::ENOENT) => {
                match mkdirat(&directory, name, PRIVATE) {
                    Ok(()) => created.push(at.clone()),
                    // Another process has created it; its owner is checked next.
                    Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(failed(&tr!("create it"), errno)),
                }
                let inner = enter(&directory, name).map_err(open_error)?;
                let stat = fstat(&inner).map_err(|errno| failed(&tr!("look at it"), errno))?;
                check_owner(stat.st_uid)?;
                if created.last() == Some(&at) {
                    // The umask may also remove bits of the user.
                    set_mode(&inner, PRIVATE)?;
                }
                inner
            }
            entered => entered.map_err(open_error)?,
        };
    }
    let mode = "0700";
    Ok(created.split_last().map(|(_, parents)| {
        if parents.is_empty() {
            return tr!("created with mode {mode}", mode);
        }
        let parents = text::list(parents.iter().map(|path| text::path(path)));
        tr!(
            "created with mode {mode} (also created: {parents})",
            mode,
            parents
        )
    }))
}

fn close_directory(path: &Path, id: DirectoryId) -> Result<Option<String>, ActionError> {
    let mut directory = root()?;
    for name in component_names(path) {
        directory = enter(&directory, name).map_err(open_error)?;
    }
    let stat = fstat(&directory).map_err(|errno| failed(&tr!("look at it"), errno))?;
    if stat.st_dev != id.device || stat.st_ino != id.inode {
        return Err(ActionError::DirectoryChanged);
    }
    check_owner(stat.st_uid)?;
    let from = stat.st_mode & 0o7777;
    change_mode(&directory, from, from & !0o022)
}

fn close_socket(target: &Target) -> Result<Option<String>, ActionError> {
    let held = match HeldSocket::open(target) {
        Ok(held) => held,
        Err(HoldError::Missing) => return Ok(None),
        Err(unfit) => return Err(unfit.into()),
    };
    change_mode(&held.file, held.stat.permissions.mode, 0o600)
}

fn change_mode(file: &impl AsRawFd, from: u32, to: u32) -> Result<Option<String>, ActionError> {
    if from == to {
        return Ok(None);
    }
    set_mode(file, Mode::from_bits_truncate(to))?;
    let (old, new) = (format_args!("{from:04o}"), format_args!("{to:04o}"));
    Ok(Some(tr!("mode changed from {old} to {new}", old, new)))
}

const FLAGS: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

fn root() -> Result<OwnedFd, ActionError> {
    openat(AT_FDCWD, "/", FLAGS, Mode::empty()).map_err(open_error)
}

/// Opens a directory in another. With O_PATH if it may be searched but not read.
fn enter(directory: &OwnedFd, name: &Path) -> nix::Result<OwnedFd> {
    openat(directory, name, FLAGS, Mode::empty()).or_else(|errno| match errno {
        Errno::EACCES => openat(directory, name, FLAGS.union(OFlag::O_PATH), Mode::empty()),
        other => Err(other),
    })
}

fn component_names(path: &Path) -> impl Iterator<Item = &Path> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(Path::new(name)),
        Component::RootDir | Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
            None
        }
    })
}

fn check_owner(uid: u32) -> Result<(), HoldError> {
    if uid == own_uid().0 {
        Ok(())
    } else {
        Err(HoldError::NotOurs(UserId(uid)))
    }
}

fn open_error(errno: Errno) -> ActionError {
    match errno {
        // A symlink or another file instead of a directory.
        Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR => ActionError::DirectoryChanged,
        other => failed(&tr!("open it"), other),
    }
}

/// fchmod(2) fails for an O_PATH descriptor, but its link in /proc leads to the very file.
fn set_mode(file: &impl AsRawFd, mode: Mode) -> Result<(), ActionError> {
    let link = files::path_of(file);
    let changed = fchmodat(AT_FDCWD, &link, mode, FchmodatFlags::FollowSymlink);
    changed.map_err(|errno| failed(&tr!("set its mode"), errno))
}

fn failed(doing: &str, errno: Errno) -> ActionError {
    let cause = errno.desc();
    ActionError::Failed(tr!("cannot {doing}: {cause}", doing, cause))
}

#[cfg(test)]
mod tests;
