//! Waiting for events, or for the time of the next look.
//!
//! calloop waits with a timerfd, which fires to the nanosecond. A look that may as well come a little later is waited
//! for with poll(2) under a timer slack (prctl(2), `PR_SET_TIMERSLACK`): the kernel then wakes this thread together
//! with something that wakes anyway.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;

/// A look that waits for no event may be late by this part of the time that it was due in.
const LATENESS: u32 = 10;

/// The time of the next look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    slack: Duration,
}

impl Due {
    /// At this time, no later.
    pub(super) const fn exactly(at: Instant) -> Self {
        Self {
            at,
            slack: Duration::ZERO,
        }
    }

    /// So long after `last`, or up to a tenth of that later.
    pub(super) fn about(last: Instant, interval: Duration) -> Self {
        Self {
            at: last + interval,
            slack: interval / LATENESS,
        }
    }
}

/// Waits until there are events, or until it is due; without a time, for events alone.
///
/// # Errors
/// The system call's own.
pub(super) fn until(due: Option<Due>, events: &impl AsFd) -> io::Result<()> {
    let mut events = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    let timeout = match due {
        None => PollTimeout::NONE,
        Some(due) => {
            // Rounded up: a millisecond early would be a turn for nothing.
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
    // Threads that are started from here inherit what is set, and their waits would be late by as much.
    if !slack.is_zero() {
        set_slack(Duration::ZERO);
    }
    match polled {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sets this thread's timer slack; zero is its default.
fn set_slack(slack: Duration) {
    let nanoseconds = slack.as_nanos().try_into().unwrap_or(u64::MAX);
    if let Err(error) = prctl::set_timerslack(nanoseconds) {
        tracing::debug!("no timer slack: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_a_rest_without_a_time() {
        let (mut writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        io::Write::write_all(&mut writer, b".").unwrap();
        until(None, &reader).unwrap();
    }

    #[test]
    fn a_rest_is_over_when_it_is_due_and_not_before() {
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
    fn only_the_rest_itself_may_be_late() {
        let (_writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        let usual = prctl::get_timerslack().unwrap();
        let past = Instant::now() - Duration::from_secs(100);
        until(Some(Due::about(past, Duration::from_secs(1))), &reader).unwrap();
        assert_eq!(prctl::get_timerslack().unwrap(), usual);
    }
}
