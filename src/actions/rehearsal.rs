//! Tries whether a master could listen in a directory as ssh does: a socket, a hard link to it, and a connect through
//! that link. Some filesystems copy on link, so that the link refuses.
//!
//! The filesystem's type does not always tell, and it never shows a quota or a security module. The names have the form
//! of a starting master's temporary name, so that no scan takes them for a control socket.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{Backlog, UnixAddr, bind, listen};
use nix::sys::stat::{Mode, fchmod};

use super::held_directory::HeldDirectory;
use crate::model::directory::{Refusal, Rehearsal, Step};
use crate::observe::connect::{connect_now, stream_socket};

const SOCKET: &str = ".muxtray-rehearsal.0000000000000000";
const LINK: &str = ".muxtray-rehearsal.0000000000000001";

const LOCK_LIMIT: Duration = Duration::from_secs(1);

/// Creates the files and removes them. Returns `None` if the directory cannot be opened or locked. Files of an interrupted
/// rehearsal are removed first.
pub fn rehearse(directory: &Path) -> Option<Rehearsal> {
    let directory = HeldDirectory::open(directory).ok()?;
    directory.lock(LOCK_LIMIT).ok()?;
    remove(&directory);
    let created = create_socket(&directory)
        .map_err(|errno| (Step::Socket, errno))
        .and_then(|_listener| {
            let linked = directory.hard_link(Path::new(SOCKET), Path::new(LINK));
            linked.map_err(|errno| (Step::HardLink, errno))?;
            connect_through_link(&directory).map_err(|errno| (Step::Connect, errno))
        });
    remove(&directory);
    Some(match created {
        Ok(()) => Rehearsal::Passed,
        Err((step, errno)) => Rehearsal::Failed {
            step,
            refusal: refusal(step, errno),
            words: errno.desc().to_owned(),
        },
    })
}

/// Through the link in /proc, so that the directory cannot change meanwhile and its path may have any length.
fn create_socket(directory: &HeldDirectory) -> nix::Result<OwnedFd> {
    let socket = stream_socket()?;
    // bind(2) creates the file with the mode of the socket.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let path = directory.descriptor_path().join(SOCKET);
    bind(socket.as_raw_fd(), &UnixAddr::new(&path)?)?;
    listen(&socket, Backlog::new(1)?)?;
    Ok(socket)
}

fn connect_through_link(directory: &HeldDirectory) -> nix::Result<()> {
    connect_now(&directory.descriptor_path().join(LINK)).map(drop)
}

/// Removes both names, if they are sockets of the user.
fn remove(directory: &HeldDirectory) {
    for name in [LINK, SOCKET].map(Path::new) {
        if directory.socket(name).is_ok()
            && let Err(errno) = directory.unlink(name)
        {
            tracing::warn!("cannot remove {}: {errno}", name.display());
        }
    }
}

fn refusal(step: Step, errno: Errno) -> Refusal {
    match errno {
        Errno::ECONNREFUSED if step == Step::Connect => Refusal::Unsupported,
        Errno::ENOSPC | Errno::EDQUOT => Refusal::Full,
        Errno::EACCES | Errno::EROFS => Refusal::Denied,
        Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL | Errno::EMLINK => {
            Refusal::Unsupported
        }
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn directory_passes_and_is_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("x".repeat(120));
        fs::create_dir(&long).unwrap();
        for is_interrupted in [false, true] {
            if is_interrupted {
                drop(UnixListener::bind(directory.path().join(SOCKET)).unwrap());
            }
            assert_eq!(rehearse(directory.path()), Some(Rehearsal::Passed));
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
        assert_eq!(rehearse(&long), Some(Rehearsal::Passed));
    }

    #[test]
    fn leaves_regular_file_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(SOCKET), "kept").unwrap();
        let failed = Rehearsal::Failed {
            step: Step::Socket,
            refusal: Refusal::Other,
            words: Errno::EADDRINUSE.desc().to_owned(),
        };
        assert_eq!(rehearse(directory.path()), Some(failed));
        assert_eq!(fs::read(directory.path().join(SOCKET)).unwrap(), b"kept");
    }

    #[test]
    fn filesystem_without_sockets_fails() {
        // Not even root can create a file in proc.
        let result = rehearse(Path::new("/proc/self"));
        assert_ne!(result, Some(Rehearsal::Passed));
        assert_eq!(rehearse(Path::new("/nowhere/at/all")), None);
    }
}
