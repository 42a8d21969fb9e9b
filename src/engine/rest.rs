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

/// The waiting of one thread.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The thread's timer slack as it was set; zero is the thread's default.
    slack: Duration,
}

impl Rest {
    /// Waits until there are events, or until it is due; without a time, for events alone.
    ///
    /// # Errors
    /// The system call's own.
    pub(super) fn until(&mut self, due: Option<Due>, events: &impl AsFd) -> io::Result<()> {
        let timeout = match due {
            None => PollTimeout::NONE,
            Some(due) => {
                self.set_slack(due.slack);
                // Rounded up: a millisecond early would be a turn for nothing.
                let left = due.at.saturating_duration_since(Instant::now());
                let milliseconds = left.as_nanos().div_ceil(1_000_000);
                PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut events = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
        match poll(&mut events, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn set_slack(&mut self, slack: Duration) {
        if self.slack == slack {
            return;
        }
        self.slack = slack;
        let nanoseconds = slack.as_nanos().try_into().unwrap_or(u64::MAX);
        if let Err(error) = prctl::set_timerslack(nanoseconds) {
            tracing::debug!("no timer slack: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_a_rest_without_a_time() {
        let (mut writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        io::Write::write_all(&mut writer, b".").unwrap();
        Rest::default().until(None, &reader).unwrap();
    }

    #[test]
    fn a_rest_is_over_when_it_is_due_and_not_before() {
        let (_writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut rest = Rest::default();
        let start = Instant::now();
        for due in [
            Due::exactly(start + Duration::from_millis(20)),
            Due::about(start, Duration::from_millis(40)),
        ] {
            rest.until(Some(due), &reader).unwrap();
            assert!(Instant::now() >= due.at);
        }
    }

    #[test]
    fn only_a_rest_that_may_be_late_has_slack() {
        let (_writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut rest = Rest::default();
        let usual = prctl::get_timerslack().unwrap();
        let past = Instant::now() - Duration::from_secs(100);
        rest.until(Some(Due::about(past, Duration::from_secs(1))), &reader)
            .unwrap();
        assert_eq!(prctl::get_timerslack().unwrap(), 100_000_000);
        rest.until(Some(Due::exactly(past)), &reader).unwrap();
        assert_eq!(prctl::get_timerslack().unwrap(), usual);
    }
}
