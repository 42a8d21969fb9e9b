use std::time::{Duration, Instant};

/// A point in time, with the time limit that it was made from, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// From now; a limit above one day counts as one day.
    #[must_use]
    pub fn within(limit: Duration) -> Self {
        let limit = limit.min(Duration::from_secs(24 * 60 * 60));
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    /// `None` once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.at
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }
}
