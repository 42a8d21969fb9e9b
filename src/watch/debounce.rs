//! The time of the scan after an event. Pure; the time is an argument.

use std::time::{Duration, Instant};

use super::event::Event;

/// A burst of events ends after this long without one: starting or ending a master takes several steps.
const SETTLE_TIME: Duration = Duration::from_millis(50);

/// No burst delays a scan for longer.
const MAX_DELAY: Duration = Duration::from_millis(250);

/// The pause after a scan, in multiples of its duration: events that never stop cost a tenth of one processor.
const PAUSE_FACTOR: u32 = 9;

/// Makes one scan of a burst of events, and limits the load of events that never stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debounce {
    burst: Option<Burst>,
    paused_until: Option<Instant>,
    /// When scans are likely to show the consequences of the last event that has any: an ssh that started has added a
    /// forwarding or connected, data lost by the network was retransmitted.
    consequences: [Option<Instant>; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl Debounce {
    pub fn note_event(&mut self, now: Instant) {
        let first = self.burst.map_or(now, |burst| burst.first);
        self.burst = Some(Burst { first, last: now });
    }

    pub fn note_consequences(&mut self, event: Event, now: Instant) {
        let after = event.consequences_after();
        if after != [None; 2] {
            self.consequences = after.map(|after| Some(now + after?));
        }
    }

    /// The time of the next scan; `None` if there was no event since the last one, and none has consequences.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let of_burst = self.burst.map(|burst| {
            let due = (burst.last + SETTLE_TIME).min(burst.first + MAX_DELAY);
            self.paused_until.map_or(due, |until| due.max(until))
        });
        let consequences = self.consequences.into_iter().flatten();
        consequences.chain(of_burst).min()
    }

    /// A scan, for whatever reason, took from `began` to `now`.
    pub fn note_scan(&mut self, began: Instant, now: Instant) {
        self.burst = None;
        self.consequences = self.consequences.map(|by| by.filter(|by| began < *by));
        self.paused_until = Some(now + now.duration_since(began) * PAUSE_FACTOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_is_due_after_burst_or_maximal_delay_or_pause() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let steady: Vec<u64> = (0..100).map(|step| 40 * step).collect();
        for (scan, events, due) in [
            (None, &[][..], None),
            (None, &[0], Some(50)),
            (None, &[0, 40, 80], Some(130)),
            (None, &steady, Some(250)),
            (Some((0, 200)), &[210], Some(2000)),
            (Some((0, 1)), &[], None),
        ] {
            let mut debounce = Debounce::default();
            if let Some((began, ended)) = scan {
                debounce.note_event(start);
                debounce.note_scan(at(began), at(ended));
            }
            for event in events {
                debounce.note_event(at(*event));
            }
            assert_eq!(debounce.due(), due.map(at), "{scan:?} {events:?}");
        }
    }

    #[test]
    fn consequences_are_due_until_a_scan_after_them() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut debounce = Debounce::default();
        debounce.note_consequences(Event::SshStarting, start);
        debounce.note_consequences(Event::Changed, at(100));
        for (began, due) in [(50, Some(500)), (500, Some(2000)), (2000, None)] {
            debounce.note_scan(at(began), at(began + 1));
            assert_eq!(debounce.due(), due.map(at), "{began}");
        }
        debounce.note_consequences(Event::SshStarting, start);
        debounce.note_consequences(Event::Network, at(100));
        assert_eq!(debounce.due(), Some(at(5100)), "of the last one");
    }
}
