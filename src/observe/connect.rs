//! The last resort: does anybody listen here? A non-blocking connect that closes at once.
//!
//! A connect that succeeds is not harmless: it cancels a master's ControlPersist timer, which starts afresh when the
//! connection closes (`set_control_persist_exit_time()` in OpenSSH's clientloop.c). So this is only asked where the
//! kernel shows no listener. Then ECONNREFUSED is proof that nobody listens: a path socket is reached across
//! network namespaces, which the kernel's table is not.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::Mode;
use tr::tr;

use super::filesystem;
use crate::model::socket::{Connect, File, SocketId};

/// Asks whether anybody listens on the socket at this path. Any length will do; a symlink is not followed, and
/// anything but a socket is [`Connect::Failed`].
#[must_use]
pub fn probe(path: &Path) -> Connect {
    match open(path, FLAGS, Mode::empty()) {
        Ok(held) => ask(&held.into(), Some(path)),
        Err(errno) => verdict(errno),
    }
}

/// Like [`probe`], for a name in an open directory.
#[must_use]
pub fn probe_at(directory: impl AsFd, name: &OsStr) -> Connect {
    match openat(directory, name, FLAGS, Mode::empty()) {
        Ok(held) => ask(&held.into(), None),
        Err(errno) => verdict(errno),
    }
}

/// Like [`probe`], for the file behind an `O_PATH` descriptor, whatever its name leads to by now.
#[must_use]
pub fn probe_held(held: &fs::File) -> Connect {
    ask(held, None)
}

/// Like [`probe`], but only where this very file is still there; otherwise `None`, and nothing was touched.
pub(super) fn probe_same(path: &Path, id: &SocketId) -> Option<Connect> {
    let held = match open(path, FLAGS, Mode::empty()) {
        Ok(held) => fs::File::from(held),
        Err(Errno::ENOENT | Errno::ENOTDIR) => return None,
        Err(errno) => return Some(verdict(errno)),
    };
    let metadata = match held.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return Some(Connect::Failed(filesystem::text_of(&error))),
    };
    match filesystem::file(&metadata) {
        File::Socket(stat) if stat.id == *id => Some(ask_socket(&held, Some(path))),
        File::Socket(_) | File::Other(..) | File::Missing | File::Denied | File::Failed(_) => None,
    }
}

const FLAGS: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

fn ask(held: &fs::File, path: Option<&Path>) -> Connect {
    match held.metadata().map(|metadata| filesystem::file(&metadata)) {
        Ok(File::Socket(_)) => ask_socket(held, path),
        // The kernel says ECONNREFUSED of these, too, which would prove nothing.
        Ok(File::Other(kind, _)) => Connect::Failed(tr!("it is {kind}", kind = kind.phrase())),
        Ok(File::Missing | File::Denied | File::Failed(_)) | Err(_) => {
            Connect::Failed(tr!("it cannot be looked at"))
        }
    }
}

/// Connects to the file that is held, whatever its name leads to by now.
fn ask_socket(held: &fs::File, path: Option<&Path>) -> Connect {
    // The link in /proc leads to the very file, is short, and cannot be swapped.
    let link = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    match (knock(&link), path) {
        // Only without a /proc: the name itself then, if it fits.
        (Err(Errno::ENOENT | Errno::ENOTDIR), Some(path)) => knock(path),
        (answer, _) => answer,
    }
    .map_or_else(verdict, |()| Connect::Accepted)
}

fn knock(path: &Path) -> nix::Result<()> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

fn verdict(errno: Errno) -> Connect {
    match errno {
        Errno::ECONNREFUSED => Connect::Refused,
        Errno::EAGAIN => Connect::Full,
        Errno::EACCES | Errno::EPERM => Connect::Denied,
        other => Connect::Failed(filesystem::text_of(&io::Error::from(other))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    use nix::sys::socket::{Backlog, bind, listen};

    use super::*;

    #[test]
    fn a_socket_accepts_is_full_or_refuses() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let bound = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::empty(),
            None,
        )
        .unwrap();
        bind(bound.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        // Bound but not listening yet: a start in progress.
        assert_eq!(probe(&path), Connect::Refused);
        listen(&bound, Backlog::new(0).unwrap()).unwrap();
        assert_eq!(probe(&path), Connect::Accepted);
        // The closed connection still waits to be accepted, and there is room for one.
        assert_eq!(probe(&path), Connect::Full);
        drop(bound);
        assert_eq!(probe(&path), Connect::Refused);
    }

    #[test]
    fn names_too_long_for_an_address_are_reached() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let short = directory.path().join("s");
        let bound = UnixListener::bind(&short).unwrap();
        let path = deep.join("s");
        fs::rename(&short, &path).unwrap();
        assert!(path.as_os_str().len() > 107);
        assert_eq!(probe(&path), Connect::Accepted);
        drop(bound);
        assert_eq!(probe(&path), Connect::Refused);
        let directory = fs::File::open(&deep).unwrap();
        assert_eq!(probe_at(&directory, OsStr::new("s")), Connect::Refused);
    }

    #[test]
    fn what_is_no_socket_proves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let _bound = UnixListener::bind(at("socket")).unwrap();
        let _datagrams = UnixDatagram::bind(at("datagrams")).unwrap();
        symlink(at("socket"), at("link")).unwrap();
        fs::write(at("file"), "").unwrap();
        for (name, cause) in [
            ("link", "it is a symbolic link"),
            ("file", "it is a regular file"),
            ("datagrams", "Protocol wrong type for socket"),
            ("nothing", "No such file or directory"),
        ] {
            assert_eq!(
                probe(&at(name)),
                Connect::Failed(cause.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn another_file_than_the_one_meant_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let id = || match filesystem::lstat(&path) {
            File::Socket(stat) => stat.id,
            other => panic!("not a socket: {other:?}"),
        };
        drop(UnixListener::bind(&path).unwrap());
        let old = id();
        assert_eq!(probe_same(&path, &old), Some(Connect::Refused));
        // What keeps it from being opened is told; it does not make it another file.
        let too_long = directory.path().join("x".repeat(300));
        assert_eq!(
            probe_same(&too_long, &old),
            Some(Connect::Failed("File name too long".to_owned()))
        );
        fs::rename(&path, directory.path().join("away")).unwrap();
        assert_eq!(probe_same(&path, &old), None);
        let bound = UnixListener::bind(&path).unwrap();
        bound.set_nonblocking(true).unwrap();
        assert_eq!(probe_same(&path, &old), None);
        assert_eq!(
            bound.accept().unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }
}
