//! Applies a [`Fix`]: the safe remedies, without another user's rights and without guesses.
//!
//! Each proves the claim of its finding again, on a descriptor, and changes that very file: its path may lead to another
//! one meanwhile. Directories are opened component by component without following symlinks.

use std::fmt;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstat, mkdirat};
use thiserror::Error;
use tr::tr;

use super::clean::{self, CleanError, Cleaned, Remnant};
use super::held_socket::{HeldSocket, HoldError};
use super::kernel::{LiveKernel, own_uid};
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::model::directory::DirectoryId;
use crate::model::fix::Fix;
use crate::model::socket::{Target, UserId};
use crate::model::text::{self, marked, translated};

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Fixed {
    /// These directories, outermost first.
    Created(Vec<PathBuf>),
    ModeChanged {
        from: u32,
        to: u32,
    },
    Cleaned(Cleaned),
    /// Nothing was wrong any more.
    Unneeded,
}

/// `mode changed from 0777 to 0755`
impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(paths) => {
                let mode = "0700";
                f.write_str(&match paths.split_last() {
                    Some((_, parents)) if !parents.is_empty() => tr!(
                        "created with mode {mode} (also created: {parents})",
                        mode,
                        parents = text::list(parents.iter().map(|path| text::path(path)))
                    ),
                    Some(_) | None => tr!("created with mode {mode}", mode),
                })
            }
            Self::ModeChanged { from, to } => f.write_str(&tr!(
                "mode changed from {old} to {new}",
                old = format_args!("{from:04o}"),
                new = format_args!("{to:04o}")
            )),
            Self::Cleaned(cleaned) => cleaned.fmt(f),
            Self::Unneeded => f.write_str(&tr!("nothing to fix any more")),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FixError {
    /// Another directory, or a symlink on the way to it.
    #[error("{}", tr!("changed since it was checked; try again"))]
    Changed,
    #[error("{}", tr!("left alone: owned by another user (uid {uid})", uid = .0.0))]
    NotOurs(UserId),
    #[error(transparent)]
    Hold(#[from] HoldError),
    #[error(transparent)]
    Clean(#[from] CleanError),
    #[error("{}", tr!("cannot {doing}: {cause}", doing = translated(.doing), cause = .errno.desc()))]
    Failed { doing: &'static str, errno: Errno },
}

impl FixError {
    #[must_use]
    pub const fn outcome(&self) -> ActionOutcome {
        match self {
            Self::Changed | Self::NotOurs(_) | Self::Hold(_) => ActionOutcome::REFUSED,
            Self::Clean(error) => error.outcome(),
            Self::Failed { .. } => ActionOutcome::Failed,
        }
    }
}

pub fn fix(fix: &Fix) -> ActionReport {
    let path = match fix {
        Fix::MakeDirectory(path) | Fix::CloseDirectory { path, .. } => path,
        Fix::CloseSocket(target) | Fix::Clean { target, .. } => target.path.as_path(),
    };
    let (outcome, message) = match apply(fix) {
        Ok(fixed @ Fixed::Unneeded) => (ActionOutcome::Unchanged, fixed.to_string()),
        Ok(fixed) => (ActionOutcome::Done, fixed.to_string()),
        Err(error) => (error.outcome(), error.to_string()),
    };
    ActionReport::new(
        ReportTarget::File(path.to_owned()),
        Action::Fix,
        outcome,
        message,
    )
}

/// # Errors
/// [`FixError`]. Nothing was changed then, but for outer directories if an inner one could not be created.
fn apply(fix: &Fix) -> Result<Fixed, FixError> {
    match fix {
        Fix::MakeDirectory(path) => create_directory(path),
        Fix::CloseDirectory { path, id } => close_directory(path, *id),
        Fix::CloseSocket(target) => close_socket(target),
        Fix::Clean {
            target,
            is_leftover,
        } => clean(target, *is_leftover),
    }
}

const PRIVATE: Mode = Mode::S_IRWXU;

fn create_directory(path: &Path) -> Result<Fixed, FixError> {
    let mut at = PathBuf::from("/");
    let mut directory = root()?;
    let mut created = Vec::new();
    for name in component_names(path) {
        at.push(name);
        directory = match enter(&directory, name) {
            Ok(inner) => inner,
            Err(Errno::ENOENT) => {
                match mkdirat(&directory, name, PRIVATE) {
                    Ok(()) => created.push(at.clone()),
                    // Another process has created it; its owner is checked next.
                    Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(failed(marked!("create it"), errno)),
                }
                let inner = enter(&directory, name).map_err(open_error)?;
                let owner = owner(&inner)?;
                if owner != own_uid() {
                    return Err(FixError::NotOurs(owner));
                }
                if created.last() == Some(&at) {
                    // The umask may also remove bits of the user.
                    fchmod(&inner, PRIVATE)
                        .map_err(|errno| failed(marked!("set its mode"), errno))?;
                }
                inner
            }
            Err(errno) => return Err(open_error(errno)),
        };
    }
    if created.is_empty() {
        Ok(Fixed::Unneeded)
    } else {
        Ok(Fixed::Created(created))
    }
}

fn close_directory(path: &Path, id: DirectoryId) -> Result<Fixed, FixError> {
    let mut directory = root()?;
    for name in component_names(path) {
        directory = enter(&directory, name).map_err(open_error)?;
    }
    let stat = fstat(&directory).map_err(|errno| failed(marked!("look at it"), errno))?;
    if stat.st_dev != id.device || stat.st_ino != id.inode {
        return Err(FixError::Changed);
    }
    if stat.st_uid != own_uid().0 {
        return Err(FixError::NotOurs(UserId(stat.st_uid)));
    }
    let from = stat.st_mode & 0o7777;
    let to = from & !0o022;
    if from == to {
        return Ok(Fixed::Unneeded);
    }
    fchmod(&directory, Mode::from_bits_truncate(to))
        .map_err(|errno| failed(marked!("set its mode"), errno))?;
    Ok(Fixed::ModeChanged { from, to })
}

fn close_socket(target: &Target) -> Result<Fixed, FixError> {
    const TO: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
    let held = match HeldSocket::open(target) {
        Ok(held) => held,
        Err(HoldError::Missing) => return Ok(Fixed::Unneeded),
        Err(unfit) => return Err(unfit.into()),
    };
    let from = held.stat().permissions.mode;
    if from == TO.bits() {
        return Ok(Fixed::Unneeded);
    }
    // fchmod(2) fails for an O_PATH descriptor, but its link in /proc leads to the very file.
    let link = format!("/proc/self/fd/{}", held.file().as_raw_fd());
    fchmodat(AT_FDCWD, link.as_str(), TO, FchmodatFlags::FollowSymlink)
        .map_err(|errno| failed(marked!("set its mode"), errno))?;
    Ok(Fixed::ModeChanged {
        from,
        to: TO.bits(),
    })
}

fn clean(target: &Target, is_leftover: bool) -> Result<Fixed, FixError> {
    let remnant = if is_leftover {
        Remnant::Leftover
    } else {
        Remnant::Stale
    };
    match clean::clean(&LiveKernel, target, remnant, SystemTime::now()) {
        Ok(cleaned) => Ok(Fixed::Cleaned(cleaned)),
        Err(CleanError::Hold(HoldError::Missing)) => Ok(Fixed::Unneeded),
        Err(error) => Err(error.into()),
    }
}

const FLAGS: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

fn root() -> Result<OwnedFd, FixError> {
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

fn owner(directory: &OwnedFd) -> Result<UserId, FixError> {
    fstat(directory)
        .map(|stat| UserId(stat.st_uid))
        .map_err(|errno| failed(marked!("look at it"), errno))
}

fn open_error(errno: Errno) -> FixError {
    match errno {
        // A symlink or another file instead of a directory.
        Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR => FixError::Changed,
        other => failed(marked!("open it"), other),
    }
}

fn failed(doing: &'static str, errno: Errno) -> FixError {
    FixError::Failed { doing, errno }
}

#[cfg(test)]
mod tests;
