//! A process by its pidfd: signals reach this process or none, even after its id was reused.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::decide::ending::Signal;
use crate::model::socket::MasterPid;
use crate::mux::deadline::{Deadline, poll_timeout};

#[derive(Debug)]
pub(super) struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens the process that has this id now. ESRCH if there is none.
    pub(super) fn open(pid: MasterPid) -> nix::Result<Self> {
        let pid = Pid::from_raw(pid.0).ok_or(Errno::ESRCH)?;
        let opened = pidfd_open(pid, PidfdFlags::empty());
        opened.map(Self).map_err(to_nix)
    }

    pub(super) fn send(&self, signal: Signal) -> nix::Result<()> {
        let number = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Continue => rustix::process::Signal::CONT,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        match pidfd_send_signal(&self.0, number) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(to_nix(errno)),
        }
    }

    /// Waits for at most `limit`. Returns whether the process has ended; a zombie has.
    pub(super) fn has_ended(&self, limit: Duration) -> nix::Result<bool> {
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, poll_timeout(limit)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    pub(super) fn wait_ended(&self, until: Deadline) -> bool {
        loop {
            let left = until.remaining().unwrap_or_default();
            match self.has_ended(left) {
                Ok(false) if !left.is_zero() => {}
                result => return result == Ok(true),
            }
        }
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn to_nix(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}
