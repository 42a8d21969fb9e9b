//! The signals that end the program, put off until what was started has been ended.
//!
//! They are blocked and only looked at, never taken: once they are let through again they do what they always do, and
//! whoever waits for this program sees which one ended it. What is started meanwhile inherits them blocked, and is ended
//! by SIGKILL; what may live on must not, so for the moment of its start they come through ([`let_through`]).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// While this lives, SIGINT, SIGTERM and SIGHUP wait. It has to live on the program's only thread.
#[derive(Debug)]
pub struct Interrupt {
    pending: SignalFd,
    before: SigSet,
}

impl Interrupt {
    /// Puts them off from now on.
    ///
    /// # Errors
    /// The system calls' own.
    pub fn put_off() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            set.add(signal);
        }
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let pending = SignalFd::with_flags(&set, flags)?;
        let before = SigSet::thread_get_mask()?;
        set.thread_block()?;
        Ok(Self { pending, before })
    }

    /// Whether one of them waits.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        let mut polled = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

/// Does this with no signal blocked, and blocks those again that were. One that comes in this moment does what it always
/// does: it ends the program at once.
///
/// # Errors
/// The system calls' own, and those of `work`.
pub fn let_through<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let blocked = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let result = work();
    blocked.thread_set_mask()?;
    result
}

/// Readable once one of them waits.
impl AsFd for Interrupt {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pending.as_fd()
    }
}

/// Lets them through, those that wait at once.
impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Err(errno) = self.before.thread_set_mask() {
            tracing::error!("signals stay blocked: {errno}");
        }
    }
}
