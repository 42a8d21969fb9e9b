//! A process by its pidfd: signals reach this process or none, even after its id was reused.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::decide::ending::Signal;
use crate::model::socket::MasterPid;

#[derive(Debug)]
pub(super) struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens the process that has this id now. ESRCH if there is none.
    pub(super) fn open(pid: MasterPid) -> Result<Self, Errno> {
        let number = Pid::from_raw(pid.0).ok_or(Errno::ESRCH)?;
        pidfd_open(number, PidfdFlags::empty())
            .map(Self)
            .map_err(to_nix)
    }

    /// Succeeds if the process has ended.
    pub(super) fn send(&self, signal: Signal) -> Result<(), Errno> {
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
    pub(super) fn has_ended(&self, limit: Duration) -> Result<bool, Errno> {
        // Rounded up to whole milliseconds, so that a short wait is not none at all.
        let millis = limit.as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }
}

fn to_nix(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}
