//! Carrying out a [`Fix`]: the safe remedies, and nothing that another user or a guess would be needed for.
//!
//! Each proves again what it was judged for, on a descriptor, and changes that very file: a path may mean another one
//! by then. Directories are reached part by part without following a symlink. What is as it should be already is left
//! as it is, and said so.

use std::fmt;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{FchmodatFlags, Mode, fchmod, fchmodat, fstat, mkdirat};
use thiserror::Error;
use tr::tr;

use super::clean::{self, CleanError, Cleaned, Kind};
use super::held::{Held, Unfit};
use super::{System, own_uid};
use crate::model::directory::DirectoryId;
use crate::model::fix::Fix;
use crate::model::socket::{Target, UserId};
use crate::model::text::{self, marked, translated};

/// What was done: a sentence by its [`fmt::Display`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Mended {
    /// These directories were made, the outermost first.
    Made(Vec<PathBuf>),
    /// A directory or socket has another mode.
    Closed {
        /// Which.
        path: PathBuf,
        /// The mode it had.
        from: u32,
        /// The mode it has.
        to: u32,
    },
    /// A socket was removed, or put back where a clean that broke off had taken it from.
    Cleaned(PathBuf, Cleaned),
    /// It is mended already, or gone.
    Nothing(PathBuf),
}

impl Mended {
    /// Whether anything was changed.
    #[must_use]
    pub fn is_change(&self) -> bool {
        match self {
            Self::Made(_) | Self::Closed { .. } | Self::Cleaned(..) => true,
            Self::Nothing(_) => false,
        }
    }
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(paths) => {
                let paths = paths
                    .iter()
                    .map(|path| text::path(path))
                    .reduce(|paths, path| tr!("{paths} and {path}", paths, path))
                    .unwrap_or_default();
                f.write_str(&tr!(
                    "made {directories}, mode {mode}",
                    directories = paths,
                    mode = "0700"
                ))
            }
            Self::Closed { path, from, to } => f.write_str(&tr!(
                "changed the mode of {path} from {old} to {new}",
                path = text::path(path),
                old = format_args!("{from:04o}"),
                new = format_args!("{to:04o}")
            )),
            Self::Cleaned(path, cleaned) => write!(f, "{}: {cleaned}", text::path(path)),
            Self::Nothing(path) => f.write_str(&tr!(
                "{path}: nothing to mend any more",
                path = text::path(path)
            )),
        }
    }
}

/// Why nothing was mended. The messages stand behind the path: `PATH: ERROR`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MendError {
    /// Another directory stands there by now, or a symlink on the way to it.
    #[error("{}", tr!("it has changed since it was looked at; look again"))]
    Changed,
    /// It belongs to another user.
    #[error("{}", tr!("it belongs to another user (uid {uid}); it is left alone", uid = .0.0))]
    NotOurs(UserId),
    /// The socket is not what it was judged to be.
    #[error("{}", tr!("it {what}", what = .0))]
    Unfit(#[from] Unfit),
    /// The clean was refused.
    #[error("{}", tr!("it {what}", what = .0))]
    Clean(#[from] CleanError),
    /// The system's words.
    #[error("{}", tr!("cannot {doing}: {cause}", doing = translated(.doing), cause = .errno.desc()))]
    Failed {
        /// What was about to be done.
        doing: &'static str,
        /// Why not.
        errno: Errno,
    },
}

/// Carries it out, and says what that was.
///
/// # Errors
/// [`MendError`]. Nothing was changed then, but for outer directories that could be made before an inner could not.
pub fn mend(fix: &Fix) -> Result<Mended, MendError> {
    match fix {
        Fix::MakeDirectory(path) => make_directory(path),
        Fix::CloseDirectory { path, id } => close_directory(path, *id),
        Fix::CloseSocket(target) => close_socket(target),
        Fix::Clean {
            target,
            is_leftover,
        } => clean(target, *is_leftover),
    }
}

/// What a fix is about, to say with its error.
#[must_use]
pub fn subject(fix: &Fix) -> &Path {
    match fix {
        Fix::MakeDirectory(path) | Fix::CloseDirectory { path, .. } => path,
        Fix::CloseSocket(target) | Fix::Clean { target, .. } => target.path.as_path(),
    }
}

const PRIVATE: Mode = Mode::S_IRWXU;

fn make_directory(path: &Path) -> Result<Mended, MendError> {
    let mut at = PathBuf::from("/");
    let mut directory = root()?;
    let mut made = Vec::new();
    for name in names(path) {
        at.push(name);
        directory = match enter(&directory, name) {
            Ok(inner) => inner,
            Err(Errno::ENOENT) => {
                match mkdirat(&directory, name, PRIVATE) {
                    Ok(()) => made.push(at.clone()),
                    // Somebody was faster; whose it is is looked at next.
                    Err(Errno::EEXIST) => {}
                    Err(errno) => return Err(failed(marked!("make it"), errno)),
                }
                let inner = enter(&directory, name).map_err(on_the_way)?;
                let owner = owner(&inner)?;
                if owner != own_uid() {
                    return Err(MendError::NotOurs(owner));
                }
                if made.last() == Some(&at) {
                    // The umask may have taken more than others' bits.
                    fchmod(&inner, PRIVATE)
                        .map_err(|errno| failed(marked!("set its mode"), errno))?;
                }
                inner
            }
            Err(errno) => return Err(on_the_way(errno)),
        };
    }
    if made.is_empty() {
        Ok(Mended::Nothing(path.to_owned()))
    } else {
        Ok(Mended::Made(made))
    }
}

fn close_directory(path: &Path, id: DirectoryId) -> Result<Mended, MendError> {
    let mut directory = root()?;
    for name in names(path) {
        directory = enter(&directory, name).map_err(on_the_way)?;
    }
    let stat = fstat(&directory).map_err(|errno| failed(marked!("look at it"), errno))?;
    if stat.st_dev != id.device || stat.st_ino != id.inode {
        return Err(MendError::Changed);
    }
    if stat.st_uid != own_uid().0 {
        return Err(MendError::NotOurs(UserId(stat.st_uid)));
    }
    let from = stat.st_mode & 0o7777;
    let to = from & !0o022;
    if from == to {
        return Ok(Mended::Nothing(path.to_owned()));
    }
    fchmod(&directory, Mode::from_bits_truncate(to))
        .map_err(|errno| failed(marked!("set its mode"), errno))?;
    Ok(Mended::Closed {
        path: path.to_owned(),
        from,
        to,
    })
}

fn close_socket(target: &Target) -> Result<Mended, MendError> {
    const TO: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
    let path = target.path.as_path().to_owned();
    let held = match Held::of(target) {
        Ok(held) => held,
        Err(Unfit::Missing) => return Ok(Mended::Nothing(path)),
        Err(unfit) => return Err(unfit.into()),
    };
    let from = held.stat().mode;
    if from == TO.bits() {
        return Ok(Mended::Nothing(path));
    }
    // An O_PATH descriptor takes no fchmod, but its link in /proc leads to the very file.
    let link = format!("/proc/self/fd/{}", held.file().as_raw_fd());
    fchmodat(AT_FDCWD, link.as_str(), TO, FchmodatFlags::FollowSymlink)
        .map_err(|errno| failed(marked!("set its mode"), errno))?;
    Ok(Mended::Closed {
        path,
        from,
        to: TO.bits(),
    })
}

fn clean(target: &Target, is_leftover: bool) -> Result<Mended, MendError> {
    let kind = if is_leftover {
        Kind::Leftover
    } else {
        Kind::Stale
    };
    let path = target.path.as_path().to_owned();
    match clean::clean(&System, target, kind, SystemTime::now()) {
        Ok(cleaned) => Ok(Mended::Cleaned(path, cleaned)),
        Err(CleanError::Unfit(Unfit::Missing)) => Ok(Mended::Nothing(path)),
        Err(error) => Err(error.into()),
    }
}

const FLAGS: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

fn root() -> Result<OwnedFd, MendError> {
    openat(AT_FDCWD, "/", FLAGS, Mode::empty()).map_err(on_the_way)
}

/// The directory of this name in an open one. Opened for reading where that is allowed; where not, it can at least be
/// passed through.
fn enter(directory: &OwnedFd, name: &Path) -> nix::Result<OwnedFd> {
    openat(directory, name, FLAGS, Mode::empty()).or_else(|errno| match errno {
        Errno::EACCES => openat(directory, name, FLAGS.union(OFlag::O_PATH), Mode::empty()),
        other => Err(other),
    })
}

fn names(path: &Path) -> impl Iterator<Item = &Path> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(Path::new(name)),
        Component::RootDir | Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
            None
        }
    })
}

fn owner(directory: &OwnedFd) -> Result<UserId, MendError> {
    fstat(directory)
        .map(|stat| UserId(stat.st_uid))
        .map_err(|errno| failed(marked!("look at it"), errno))
}

fn on_the_way(errno: Errno) -> MendError {
    match errno {
        // A symlink or file where a directory was.
        Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR => MendError::Changed,
        other => failed(marked!("open it"), other),
    }
}

fn failed(doing: &'static str, errno: Errno) -> MendError {
    MendError::Failed { doing, errno }
}

#[cfg(test)]
mod tests;
