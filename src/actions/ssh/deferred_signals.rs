//! Defers the signals that end the program until the processes it has started are ended.
//!
//! The signals are blocked and polled for, but never read: once unblocked they have their usual effect, so a parent
//! process sees which one ended the program. Children inherit the blocked signals, as they do those of the engine
//! (`engine::block_signals`), and are ended by SIGKILL; a child that may outlive the program must be started with the signals
//! unblocked (`with_signals_unblocked`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Blocks SIGINT, SIGTERM and SIGHUP while it exists. The program must have no other thread.
#[derive(Debug)]
pub struct DeferredSignals {
    pending: SignalFd,
    mask_before: SigSet,
}

impl DeferredSignals {
    pub fn block() -> io::Result<Self> {
        let set = SigSet::from_iter([SIGINT, SIGTERM, SIGHUP]);
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let pending = SignalFd::with_flags(&set, flags)?;
        let mask_before = SigSet::thread_get_mask()?;
        set.thread_block()?;
        Ok(Self {
            pending,
            mask_before,
        })
    }

    pub fn is_pending(&self) -> bool {
        let mut polled = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

/// Runs `work` with no signal blocked. A signal that is pending or arrives meanwhile has its usual effect: it ends the
/// program at once.
pub(in crate::actions) fn with_signals_unblocked<T>(
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let blocked = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let result = work();
    blocked.thread_set_mask()?;
    result
}

impl AsFd for DeferredSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pending.as_fd()
    }
}

impl Drop for DeferredSignals {
    fn drop(&mut self) {
        if let Err(errno) = self.mask_before.thread_set_mask() {
            tracing::error!("signals stay blocked: {errno}");
        }
    }
}
