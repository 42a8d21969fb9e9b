//! Resume from sleep and a clock that was set, by a timer that both cancel: timerfd_create(2), `TFD_TIMER_CANCEL_ON_SET`.

use std::io;
use std::time::{Duration, SystemTime};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// The timer never expires; it is only cancelled.
const FAR: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Returns a timer that is readable when the wall clock jumps, as at every resume.
pub(super) fn start() -> io::Result<TimerFd> {
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags)?;
    set(&timer)?;
    Ok(timer)
}

/// Clears the cancellation and sets the timer again.
pub(super) fn rearm(timer: &TimerFd) {
    // Returns ECANCELED after a jump.
    let _ = timer.wait();
    if let Err(error) = set(timer) {
        tracing::warn!("the clock is no longer watched: {error}");
    }
}

fn set(timer: &TimerFd) -> nix::Result<()> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    let far = Expiration::OneShot(TimeSpec::from_duration(now + FAR));
    timer.set(far, flags)
}
