//! A process held by a pidfd: it can be waited for and signalled, and is never another one.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use super::EndError;
use crate::decide::ending::Signal;
use crate::model::socket::MasterPid;
use crate::model::text::marked;

/// A process, held.
#[derive(Debug)]
pub(in crate::actions) struct Pidfd(OwnedFd);

impl Pidfd {
    /// Holds the process that has this id now.
    pub(in crate::actions) fn open(pid: MasterPid) -> Result<Self, EndError> {
        let number = Pid::from_raw(pid.0).ok_or(EndError::Gone)?;
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self(pidfd)),
            Err(rustix::io::Errno::SRCH) => Err(EndError::Gone),
            Err(errno) => Err(failed(marked!("open its pidfd"), errno)),
        }
    }

    /// Sends it a signal. One that has ended needs none.
    pub(in crate::actions) fn send(&self, signal: Signal) -> Result<(), EndError> {
        let number = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Continue => rustix::process::Signal::CONT,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        match pidfd_send_signal(&self.0, number) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(failed(marked!("signal it"), errno)),
        }
    }

    /// Whether it has ended, waited for so long at most. One that its parent has not waited for yet has.
    pub(in crate::actions) fn has_ended(&self, limit: Duration) -> Result<bool, EndError> {
        // The next whole millisecond, so that a wait is never none at all.
        let millis = limit.as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(EndError::Failed {
                doing: marked!("wait for it"),
                errno,
            }),
        }
    }
}

fn failed(doing: &'static str, errno: rustix::io::Errno) -> EndError {
    EndError::Failed {
        doing,
        errno: Errno::from_raw(errno.raw_os_error()),
    }
}
