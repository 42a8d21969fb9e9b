use std::thread;
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;

/// A point in time, with the time limit that it was made from, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    at: Instant,
    pub(crate) limit: Duration,
}

impl Deadline {
    /// From now; a limit above one day counts as one day.
    pub(crate) fn within(limit: Duration) -> Self {
        let limit = limit.min(Duration::from_secs(24 * 60 * 60));
        let at = Instant::now() + limit;
        Self { at, limit }
    }

    /// `None` once it has passed.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let left = self.at.checked_duration_since(Instant::now());
        left.filter(|left| !left.is_zero())
    }

    /// Calls `probe` until it returns a value. The last call begins at the deadline, or after it if the one before was slow.
    pub(crate) fn poll<T>(
        &self,
        interval: Duration,
        mut probe: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        loop {
            let is_last = self.remaining().is_none();
            if let Some(value) = probe() {
                return Some(value);
            }
            if is_last {
                return None;
            }
            thread::sleep(self.remaining().unwrap_or_default().min(interval));
        }
    }
}

/// Rounded up to whole milliseconds: with a timeout of zero, poll(2) would spin during the last one.
pub(crate) fn poll_timeout(limit: Duration) -> PollTimeout {
    PollTimeout::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}
