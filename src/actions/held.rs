//! A socket file that is held while it is judged and acted on, and why a file is not fit for that.
//!
//! An `O_PATH` descriptor opens nothing and wakes nobody, but it keeps the inode from being given out again. So as
//! long as it is held, device and inode are an identity, and a connect through it reaches this file and no other.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use thiserror::Error;
use tr::tr;

use super::own_uid;
use crate::model::socket::{File, FileKind, Stat, Target, UserId};
use crate::observe::filesystem;

/// Why what stands at a path is not what the action was meant for. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Nothing stands there any more, or what was seen never had a file.
    #[error("{}", tr!("is gone"))]
    Missing,
    /// Another file, or the same with another name, mode or owner.
    #[error("{}", tr!("has changed since it was looked at; look again"))]
    Changed,
    /// It is no socket. Symlinks are not followed.
    #[error("{}", tr!("is {kind}, not a socket; it is left alone", kind = .0.phrase()))]
    NotASocket(FileKind),
    /// It belongs to another user.
    #[error("{}", tr!("belongs to another user (uid {uid}); it is left alone", uid = .0.0))]
    NotOurs(UserId),
    /// EACCES or EPERM on the way to it.
    #[error("{}", tr!("cannot be looked at: permission denied on a directory of its path"))]
    Denied,
    /// The system's words.
    #[error("{}", tr!("cannot be looked at: {cause}", cause = .0))]
    Failed(String),
}

/// A socket of the user's own, held.
#[derive(Debug)]
pub struct Held {
    file: fs::File,
    stat: Stat,
}

const FLAGS: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

impl Held {
    /// Holds the socket that the target names.
    ///
    /// # Errors
    /// [`Unfit`], where it is another than the target says, or no socket of the user's own.
    pub fn of(target: &Target) -> Result<Self, Unfit> {
        // Without an identity there was no file: an orphan, or a path that could not be looked at.
        let id = target.id.ok_or(Unfit::Missing)?;
        let held = Self::from(open(target.path.as_path(), FLAGS, Mode::empty()))?;
        if held.stat.id == id {
            Ok(held)
        } else {
            Err(Unfit::Changed)
        }
    }

    /// Holds the socket of this name in an open directory, whichever it is.
    ///
    /// # Errors
    /// [`Unfit`], where it is no socket of the user's own.
    pub fn at(directory: impl AsFd, name: &Path) -> Result<Self, Unfit> {
        Self::from(openat(directory, name, FLAGS, Mode::empty()))
    }

    fn from(opened: nix::Result<std::os::fd::OwnedFd>) -> Result<Self, Unfit> {
        let file = opened
            .map(fs::File::from)
            .map_err(std::io::Error::from)
            .and_then(|file| Ok((filesystem::file(&file.metadata()?), file)));
        let (seen, file) = match file {
            Ok(seen) => seen,
            Err(error) => {
                return Err(match filesystem::unseen(&error) {
                    File::Missing => Unfit::Missing,
                    File::Denied => Unfit::Denied,
                    File::Failed(text) => Unfit::Failed(text),
                    File::Socket(_) | File::Other(..) => Unfit::Failed(error.to_string()),
                });
            }
        };
        match seen {
            File::Socket(stat) if stat.uid == own_uid() => Ok(Self { file, stat }),
            File::Socket(stat) => Err(Unfit::NotOurs(stat.uid)),
            File::Other(kind, _) => Err(Unfit::NotASocket(kind)),
            File::Missing | File::Denied | File::Failed(_) => {
                Err(Unfit::Failed(tr!("fstat told nothing")))
            }
        }
    }

    /// What it was when it was taken hold of.
    #[must_use]
    pub const fn stat(&self) -> &Stat {
        &self.stat
    }

    /// Its descriptor, an `O_PATH` one.
    #[must_use]
    pub const fn file(&self) -> &fs::File {
        &self.file
    }

    /// Whether both hold the same file, whatever it is called by now.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.stat.id.same_file(&other.stat.id)
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::control_path::ControlPath;
    use crate::tests::skip;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    /// The target that a look at this path would make.
    pub(in super::super) fn target_of(path: &Path) -> Target {
        let id = match filesystem::lstat(path) {
            File::Socket(stat) | File::Other(_, stat) => Some(stat.id),
            File::Missing | File::Denied | File::Failed(_) => None,
        };
        Target {
            path: ControlPath::new(path).unwrap(),
            id,
            cookie: None,
        }
    }

    #[test]
    fn only_the_socket_that_was_meant_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("u@h-22");
        let _listener = UnixListener::bind(&path).unwrap();
        let target = target_of(&path);
        let held = Held::of(&target).unwrap();
        assert_eq!(Some(held.stat().id), target.id);

        // On some kernels a change time has a grain of milliseconds.
        let deadline = Instant::now() + Duration::from_secs(10);
        while target_of(&path).id == target.id {
            assert!(Instant::now() < deadline, "the change time stands still");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        assert_eq!(Held::of(&target).unwrap_err(), Unfit::Changed);
        fs::remove_file(&path).unwrap();
        assert_eq!(Held::of(&target).unwrap_err(), Unfit::Missing);
        let _successor = UnixListener::bind(&path).unwrap();
        assert_eq!(Held::of(&target).unwrap_err(), Unfit::Changed);
        assert!(!held.is_same(&Held::of(&target_of(&path)).unwrap()));
    }

    #[test]
    fn what_is_no_socket_is_not_held() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink(at("socket"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        fs::write(at("file"), "").unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        for (name, unfit) in [
            ("link", Unfit::NotASocket(FileKind::Symlink)),
            ("loop", Unfit::NotASocket(FileKind::Symlink)),
            ("directory", Unfit::NotASocket(FileKind::Directory)),
            ("file", Unfit::NotASocket(FileKind::Regular)),
            ("fifo", Unfit::NotASocket(FileKind::Fifo)),
            ("nothing", Unfit::Missing),
            ("file/below", Unfit::Missing),
        ] {
            assert_eq!(
                Held::of(&target_of(&at(name))).unwrap_err(),
                unfit,
                "{name}"
            );
        }
    }

    #[test]
    fn another_users_socket_is_not_held() {
        if !nix::unistd::geteuid().is_root() {
            return skip(
                "another_users_socket_is_not_held",
                "only root can give a file away",
            );
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("u@h-22");
        let _listener = UnixListener::bind(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        assert_eq!(
            Held::of(&target_of(&path)).unwrap_err(),
            Unfit::NotOurs(UserId(65534))
        );
    }
}
