//! Resume from sleep and a clock that was set, by a timer that both cancel: timerfd_create(2), `TFD_TIMER_CANCEL_ON_SET`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, SystemTime};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// The timer never expires; it is only cancelled.
const FAR: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Readable when the wall clock jumps, as at every resume.
#[derive(Debug)]
pub(super) struct Clock(TimerFd);

impl Clock {
    pub(super) fn start() -> io::Result<Self> {
        let timer = TimerFd::new(
            ClockId::CLOCK_REALTIME,
            TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK,
        )?;
        let clock = Self(timer);
        clock.set()?;
        Ok(clock)
    }

    /// Clears the cancellation and sets the timer again.
    pub(super) fn rearm(&self) {
        // Returns ECANCELED after a jump.
        let _ = self.0.wait();
        if let Err(error) = self.set() {
            tracing::warn!("the clock is no longer watched: {error}");
        }
    }

    fn set(&self) -> io::Result<()> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let flags =
            TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let far = Expiration::OneShot(TimeSpec::from_duration(now + FAR));
        self.0.set(far, flags).map_err(io::Error::from)
    }
}

impl AsFd for Clock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
