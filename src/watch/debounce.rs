//! When to look after an event. Pure; the time is an argument.

use std::time::{Duration, Instant};

/// A burst is over when nothing has happened for this long: what starts or ends takes several steps.
const SETTLES: Duration = Duration::from_millis(50);

/// No burst puts a look off for longer.
const LONGEST: Duration = Duration::from_millis(250);

/// After a look it rests so many times as long as the look took, whatever happens: events that never stop cost a
/// tenth of one processor at most.
const REST: u32 = 9;

/// Makes one look of a burst of events, and none too many of events that never stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    burst: Option<Burst>,
    rests_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl Pace {
    /// Something happened at `now`.
    pub fn heard(&mut self, now: Instant) {
        let first = self.burst.map_or(now, |burst| burst.first);
        self.burst = Some(Burst { first, last: now });
    }

    /// When to look because of what happened; `None` where nothing did.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let burst = self.burst?;
        let due = (burst.last + SETTLES).min(burst.first + LONGEST);
        Some(self.rests_until.map_or(due, |until| due.max(until)))
    }

    /// A look was taken, for whatever reason, from `began` to `now`.
    pub fn looked(&mut self, began: Instant, now: Instant) {
        self.burst = None;
        self.rests_until = Some(now + now.duration_since(began) * REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn one_event_is_one_look_soon() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.due(), None);
        pace.heard(start);
        assert_eq!(pace.due(), Some(start + SETTLES));
        pace.looked(start + SETTLES, start + SETTLES + ms(1));
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn a_burst_is_one_look_when_it_is_over() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.heard(start);
        pace.heard(start + ms(40));
        pace.heard(start + ms(80));
        assert_eq!(pace.due(), Some(start + ms(130)));
    }

    #[test]
    fn a_burst_that_does_not_end_is_looked_at_all_the_same() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for step in 0..100 {
            pace.heard(start + ms(40 * step));
        }
        assert_eq!(pace.due(), Some(start + LONGEST));
    }

    #[test]
    fn a_long_look_is_followed_by_a_rest() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.looked(start, start + ms(200));
        pace.heard(start + ms(210));
        assert_eq!(pace.due(), Some(start + ms(200 + 9 * 200)));
    }
}
