//! Waits for events or for the time of the next scan.
//!
//! calloop's timers (timerfd) are exact. A scan that may be a little late is waited for with poll(2) and a timer slack
//! (prctl(2), `PR_SET_TIMERSLACK`), so that the kernel can wake this thread together with another timer.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;

/// The part of the interval by which a regular scan may be late: a tenth.
const LATENESS: u32 = 10;

/// The time of the next scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    slack: Duration,
}

impl Due {
    pub(super) const fn exactly(at: Instant) -> Self {
        Self {
            at,
            slack: Duration::ZERO,
        }
    }

    /// An interval after `last`, or up to a tenth of it later.
    pub(super) fn about(last: Instant, interval: Duration) -> Self {
        Self {
            at: last + interval,
            slack: interval / LATENESS,
        }
    }
}

/// Without `due`, waits for events alone.
pub(super) fn until(due: Option<Due>, events: &impl AsFd) -> io::Result<()> {
    let mut events = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    let timeout = match due {
        None => PollTimeout::NONE,
        Some(due) => {
            // Rounded up: a wake-up before `due` would be wasted.
            let left = due.at.saturating_duration_since(Instant::now());
            let milliseconds = left.as_nanos().div_ceil(1_000_000);
            PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
        }
    };
    let slack = due.map_or(Duration::ZERO, |due| due.slack);
    if !slack.is_zero() {
        set_slack(slack);
    }
    let polled = poll(&mut events, timeout);
    // Threads started later inherit the slack, so it must not stay.
    if !slack.is_zero() {
        set_slack(Duration::ZERO);
    }
    match polled {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Of this thread; zero restores the default.
fn set_slack(slack: Duration) {
    let nanoseconds = slack.as_nanos().try_into().unwrap_or(u64::MAX);
    if let Err(error) = prctl::set_timerslack(nanoseconds) {
        tracing::debug!("timer slack not set: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ends_wait_without_due() {
        let (mut writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        io::Write::write_all(&mut writer, b".").unwrap();
        until(None, &reader).unwrap();
    }

    #[test]
    fn wait_ends_at_due_and_not_before() {
        let (_writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        let start = Instant::now();
        for due in [
            Due::exactly(start + Duration::from_millis(20)),
            Due::about(start, Duration::from_millis(40)),
        ] {
            until(Some(due), &reader).unwrap();
            assert!(Instant::now() >= due.at);
        }
    }

    #[test]
    fn wait_restores_timer_slack() {
        let (_writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        let usual = prctl::get_timerslack().unwrap();
        let past = Instant::now() - Duration::from_secs(100);
        until(Some(Due::about(past, Duration::from_secs(1))), &reader).unwrap();
        assert_eq!(prctl::get_timerslack().unwrap(), usual);
    }
}
