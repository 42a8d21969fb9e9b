//! The last resort to find a listener: a non-blocking connect that closes at once.
//!
//! A connect that succeeds restarts the ControlPersist timer of a master (`set_control_persist_exit_time()` in
//! clientloop.c), so it is used only for sockets without a listener in the kernel's table. ECONNREFUSED then proves that
//! nobody listens: the table is limited to a network namespace, a connect to a path is not.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::Mode;
use tr::tr;

use super::filesystem;
use crate::files;
use crate::model::ids::SocketId;
use crate::model::observation::{Connect, File};

const FLAGS: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// Connects to the file of an `O_PATH` descriptor, even if its name belongs to another file now. Anything but a socket is
/// [`Connect::Failed`].
pub fn probe_held(file: &fs::File) -> Connect {
    match file.metadata().map(|metadata| filesystem::file(&metadata)) {
        Ok(File::Socket(_)) => connect_socket(file, None),
        // connect(2) gives ECONNREFUSED for these too, which proves nothing.
        Ok(File::Other(kind, _)) => Connect::Failed(tr!("it is {kind}", kind = kind.phrase())),
        Ok(File::Missing | File::Denied | File::Failed(_)) | Err(_) => {
            Connect::Failed(tr!("it cannot be examined"))
        }
    }
}

/// Connects to the socket at this path, which may have any length; symlinks are not followed. Returns `None` without a
/// connect if another file is there.
pub(super) fn probe_same(path: &Path, id: &SocketId) -> Option<Connect> {
    let file = match open(path, FLAGS, Mode::empty()) {
        Ok(file) => fs::File::from(file),
        Err(Errno::ENOENT | Errno::ENOTDIR) => return None,
        Err(errno) => return Some(answer(errno)),
    };
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return Some(Connect::Failed(filesystem::text_of(&error))),
    };
    let is_same = filesystem::file(&metadata)
        .socket()
        .is_some_and(|it| it.id == *id);
    is_same.then(|| connect_socket(&file, Some(path)))
}

#[cfg(test)]
pub(super) fn probe(path: &Path) -> Connect {
    match open(path, FLAGS, Mode::empty()) {
        Ok(file) => probe_held(&file.into()),
        Err(errno) => answer(errno),
    }
}

fn connect_socket(file: &fs::File, path: Option<&Path>) -> Connect {
    // The link in /proc leads to exactly this file, and is short enough for an address.
    let link = files::path_of(file);
    match (connect_now(&link), path) {
        // There is no /proc.
        (Err(Errno::ENOENT | Errno::ENOTDIR), Some(path)) => connect_now(path),
        (result, _) => result,
    }
    .map_or_else(answer, |_| Connect::Accepted)
}

/// Connects without blocking; EAGAIN if the backlog is full.
pub(crate) fn connect_now(path: &Path) -> nix::Result<OwnedFd> {
    let socket = stream_socket()?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket)
}

pub(crate) fn stream_socket() -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Unix, SockType::Stream, flags, None)
}

fn answer(errno: Errno) -> Connect {
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
    fn socket_accepts_is_full_or_refuses() {
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
        // Bound, not listening yet.
        assert_eq!(probe(&path), Connect::Refused);
        listen(&bound, Backlog::new(0).unwrap()).unwrap();
        assert_eq!(probe(&path), Connect::Accepted);
        // The closed connection still fills the backlog.
        assert_eq!(probe(&path), Connect::Full);
        drop(bound);
        assert_eq!(probe(&path), Connect::Refused);
    }

    #[test]
    fn path_too_long_for_an_address_is_reached() {
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
    }

    #[test]
    fn other_files_are_not_refused() {
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
    fn replaced_file_is_not_connected_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let id = || match filesystem::lstat(&path) {
            File::Socket(stat) => stat.id,
            other => panic!("not a socket: {other:?}"),
        };
        drop(UnixListener::bind(&path).unwrap());
        let old = id();
        assert_eq!(probe_same(&path, &old), Some(Connect::Refused));
        // A file that cannot be opened is not taken for a replaced one.
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
