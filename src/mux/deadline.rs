//! How long something may take. Reads the monotonic clock, nothing else.

use std::time::{Duration, Instant};

/// A moment until which something may take, and how long that was at first, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// So long from now; more than a day counts as a day.
    #[must_use]
    pub fn within(limit: Duration) -> Self {
        let limit = limit.min(Duration::from_secs(24 * 60 * 60));
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// What is left of it; `None` once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.at
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    /// How long it was.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }
}
