//! Whether a directory takes what a starting master makes in it: a socket, and a hard link to it.
//!
//! Filesystems that have neither mostly say so by their type, but not all do, and nothing but a rehearsal shows a quota or
//! a security module. It is made under names of our own, which are of the form that a starting master's temporary
//! name has, so that no look takes them for a control socket; and they are removed again.

use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
use nix::sys::stat::{Mode, fchmod};

use super::held_directory::{Directory, LockedDirectory};
use crate::model::directory::{Refusal, Rehearsal, Step};
use crate::mux::deadline::Deadline;

const SOCKET: &str = ".muxtray-rehearsal.0000000000000000";
const LINK: &str = ".muxtray-rehearsal.0000000000000001";

/// How long to wait for another muxtray that is at work in the directory.
const LOCK_LIMIT: Duration = Duration::from_secs(1);

/// Tries it. `None` where nothing was tried: the directory cannot be opened or locked.
///
/// What an earlier rehearsal that was cut short left there is removed first.
#[must_use]
pub fn rehearse(directory: &Path) -> Option<Rehearsal> {
    let directory = Directory::open(directory).ok()?;
    let directory = directory.lock(Deadline::within(LOCK_LIMIT)).ok()?;
    remove(&directory);
    let outcome = make(&directory);
    remove(&directory);
    Some(match outcome {
        Ok(()) => Rehearsal::Passed,
        Err((step, errno)) => Rehearsal::Failed {
            step,
            refusal: refusal(errno),
            words: errno.desc().to_owned(),
        },
    })
}

fn make(directory: &LockedDirectory) -> Result<(), (Step, Errno)> {
    bind_in(directory).map_err(|errno| (Step::Socket, errno))?;
    directory
        .link(Path::new(SOCKET), Path::new(LINK))
        .map_err(|errno| (Step::HardLink, errno))
}

/// Through the link in /proc, so that it lands in this very directory and its path has any length.
fn bind_in(directory: &LockedDirectory) -> nix::Result<()> {
    let socket = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // bind(2) makes the file with the socket's own mode.
    fchmod(&socket, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let path = directory.descriptor_path().join(SOCKET);
    bind(socket.as_raw_fd(), &UnixAddr::new(&path)?)
}

/// Removes our names, as far as what stands there is a socket of ours.
fn remove(directory: &LockedDirectory) {
    for name in [LINK, SOCKET].map(Path::new) {
        if directory.hold(name).is_ok()
            && let Err(errno) = directory.unlink(name)
        {
            tracing::warn!("{}: cannot be removed: {errno}", name.display());
        }
    }
}

fn refusal(errno: Errno) -> Refusal {
    match errno {
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

    fn names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn an_ordinary_directory_passes_and_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(rehearse(directory.path()), Some(Rehearsal::Passed));
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[test]
    fn a_rehearsal_that_was_cut_short_is_cleared_away() {
        let directory = tempfile::tempdir().unwrap();
        drop(UnixListener::bind(directory.path().join(SOCKET)).unwrap());
        assert_eq!(rehearse(directory.path()), Some(Rehearsal::Passed));
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(SOCKET), "kept").unwrap();
        assert_eq!(
            rehearse(directory.path()),
            Some(Rehearsal::Failed {
                step: Step::Socket,
                refusal: Refusal::Other,
                words: Errno::EADDRINUSE.desc().to_owned(),
            })
        );
        assert_eq!(names(directory.path()), [SOCKET]);
    }

    #[test]
    fn a_path_of_any_length_will_do() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("x".repeat(120));
        fs::create_dir(&deep).unwrap();
        assert_eq!(rehearse(&deep), Some(Rehearsal::Passed));
    }

    #[test]
    fn a_filesystem_without_sockets_is_told() {
        // proc lets nobody make anything, whoever asks.
        let told = rehearse(Path::new("/proc/self"));
        assert!(
            matches!(
                told,
                None | Some(Rehearsal::Failed {
                    step: Step::Socket,
                    ..
                })
            ),
            "{told:?}"
        );
        assert_eq!(rehearse(Path::new("/nowhere/at/all")), None);
    }
}
