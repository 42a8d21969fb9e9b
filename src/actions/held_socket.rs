//! A control socket kept open with `O_PATH` while it is judged and acted on.
//!
//! An `O_PATH` descriptor does not connect, but it keeps the inode from being reused. So while it is open, device and
//! inode identify the file, and a connect through it reaches this file and no other.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use thiserror::Error;
use tr::tr;

use super::kernel::own_uid;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, FileKind, Stat, Target, UserId};
use crate::observe::filesystem;

/// Why the file at a path is not the socket that the action is for. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HoldError {
    /// Also for a target that never had a file.
    #[error("{}", tr!("the socket no longer exists"))]
    Missing,
    /// Another file, or the same with another name, mode or owner.
    #[error("{}", tr!("the socket has changed since it was checked; try again"))]
    Changed,
    /// Symlinks are not followed.
    #[error("{}", tr!("left alone: not a socket, but {kind}", kind = .0.phrase()))]
    NotASocket(FileKind),
    #[error("{}", tr!("left alone: owned by another user (uid {uid})", uid = .0.0))]
    NotOurs(UserId),
    #[error("{}", tr!("permission denied on a directory of its path"))]
    Denied,
    #[error("{}", tr!("cannot open the socket: {cause}", cause = .0))]
    Failed(String),
}

/// A socket of the effective user.
#[derive(Debug)]
pub struct HeldSocket {
    /// An `O_PATH` descriptor.
    pub(super) file: fs::File,
    pub(super) stat: Stat,
}

const FLAGS: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

impl HeldSocket {
    /// Opens the socket of the target, if it is still the same file.
    pub(super) fn open(target: &Target) -> Result<Self, HoldError> {
        let id = target.id.ok_or(HoldError::Missing)?;
        let held = Self::from_opened(open(target.path.as_path(), FLAGS, Mode::empty()))?;
        if held.stat.id == id {
            Ok(held)
        } else {
            Err(HoldError::Changed)
        }
    }

    /// Opens the socket of this name in an open directory, whichever file it is.
    pub(super) fn open_in(directory: impl AsFd, name: &Path) -> Result<Self, HoldError> {
        Self::from_opened(openat(directory, name, FLAGS, Mode::empty()))
    }

    fn from_opened(opened: nix::Result<OwnedFd>) -> Result<Self, HoldError> {
        let opened = opened.map_err(io::Error::from).and_then(|descriptor| {
            let file = fs::File::from(descriptor);
            Ok((filesystem::file(&file.metadata()?), file))
        });
        let (seen, file) = match opened {
            Ok((seen, file)) => (seen, Some(file)),
            Err(error) => (filesystem::unseen(&error), None),
        };
        match (seen, file) {
            (File::Socket(stat), Some(file)) if stat.uid == own_uid() => Ok(Self { file, stat }),
            (File::Socket(stat), _) => Err(HoldError::NotOurs(stat.uid)),
            (File::Other(kind, _), _) => Err(HoldError::NotASocket(kind)),
            (File::Missing, _) => Err(HoldError::Missing),
            (File::Denied, _) => Err(HoldError::Denied),
            (File::Failed(text), _) => Err(HoldError::Failed(text)),
        }
    }
}

/// The target of the socket at this path now, without its cookie.
pub(super) fn target_at(path: &ControlPath) -> Option<Target> {
    let id = filesystem::lstat(path.as_path()).socket()?.id;
    Some(Target {
        path: path.clone(),
        id: Some(id),
        cookie: None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::control_path::ControlPath;
    use crate::tests::skip;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    /// The target of the file at this path, as a scan reports it.
    pub(in super::super) fn target_of(path: &Path) -> Target {
        Target {
            path: ControlPath::new(path).unwrap(),
            id: filesystem::lstat(path).stat().map(|stat| stat.id),
            cookie: None,
        }
    }

    #[test]
    fn opens_only_the_file_that_the_target_names() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("u@h-22");
        let _listener = UnixListener::bind(&path).unwrap();
        let target = target_of(&path);
        let open = || HeldSocket::open(&target);
        let held = open().unwrap();
        assert_eq!(Some(held.stat.id), target.id);

        // On some kernels the change time has a resolution of milliseconds.
        let deadline = Instant::now() + Duration::from_secs(10);
        while target_of(&path).id == target.id {
            assert!(Instant::now() < deadline, "the change time stays");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        assert_eq!(open().unwrap_err(), HoldError::Changed);
        fs::remove_file(&path).unwrap();
        assert_eq!(open().unwrap_err(), HoldError::Missing);
        let _successor = UnixListener::bind(&path).unwrap();
        assert_eq!(open().unwrap_err(), HoldError::Changed);
    }

    #[test]
    fn rejects_what_is_not_a_socket_of_the_user() {
        use HoldError::{Missing, NotASocket};
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink(at("socket"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        fs::write(at("file"), "").unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        let error = |name| HeldSocket::open(&target_of(&at(name))).unwrap_err();
        for (name, expected) in [
            ("link", NotASocket(FileKind::Symlink)),
            ("loop", NotASocket(FileKind::Symlink)),
            ("directory", NotASocket(FileKind::Directory)),
            ("file", NotASocket(FileKind::Regular)),
            ("fifo", NotASocket(FileKind::Fifo)),
            ("nothing", Missing),
            ("file/below", Missing),
        ] {
            assert_eq!(error(name), expected, "{name}");
        }
        if !nix::unistd::geteuid().is_root() {
            let test = "rejects_what_is_not_a_socket_of_the_user";
            return skip(test, "only root can change the owner of a file");
        }
        std::os::unix::fs::chown(at("socket"), Some(65534), None).unwrap();
        assert_eq!(error("socket"), HoldError::NotOurs(UserId(65534)));
    }
}
