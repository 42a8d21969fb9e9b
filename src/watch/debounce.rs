//! The time of the scan after an event. Pure; the time is an argument.

use std::time::{Duration, Instant};

use super::event::Event;

/// A burst of events ends after this long without one: starting or ending a master takes several steps.
const SETTLE_TIME: Duration = Duration::from_millis(50);

/// A change after a quiet time waits this long for the next one. Another program's socket refuses connections between
/// bind and listen, and masters that are killed together end within milliseconds and get one notification.
const FIRST_SETTLE_TIME: Duration = Duration::from_millis(5);

/// No burst delays a scan for longer.
const MAX_DELAY: Duration = Duration::from_millis(250);

/// The pause after a scan, in multiples of its duration: events that never stop cost a tenth of one processor.
const PAUSE_FACTOR: u32 = 9;

/// Makes one scan of a burst of events, and limits the load of events that never stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debounce {
    burst: Option<Burst>,
    /// From then on it is a quiet time.
    quiet_from: Option<Instant>,
    paused_until: Option<Instant>,
    /// When scans are likely to show the consequences of the last event that has any: an ssh that started has added a
    /// forwarding or connected, data lost by the network was retransmitted.
    consequences: [Option<Instant>; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Burst {
    first: Instant,
    last: Instant,
    has_change: bool,
    has_network_change: bool,
    /// Whether the burst is the first one of a quiet time.
    is_first: bool,
}

impl Burst {
    fn is_of_changes(self) -> bool {
        self.has_change || self.has_network_change
    }

    fn ends_at(&self) -> Instant {
        // An ssh that starts has not changed anything yet, and a new lease can remove an address and add it again.
        let settle_time = if self.is_first && self.has_change && !self.has_network_change {
            FIRST_SETTLE_TIME
        } else {
            SETTLE_TIME
        };
        (self.last + settle_time).min(self.first + MAX_DELAY)
    }
}

impl Debounce {
    pub fn note_event(&mut self, event: Event, now: Instant) {
        let before = self.burst.unwrap_or(Burst {
            first: now,
            last: now,
            has_change: false,
            has_network_change: false,
            is_first: self.quiet_from.is_none_or(|from| from <= now),
        });
        self.burst = Some(Burst {
            last: now,
            has_change: before.has_change || event == Event::Changed,
            has_network_change: before.has_network_change || event == Event::Network,
            ..before
        });
        let after = event.consequences_after();
        if after != [None; 2] {
            self.consequences = after.map(|after| Some(now + after?));
        }
    }

    /// The time of the next scan; `None` if there was no event since the last one, and none has consequences.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let of_burst = self.burst.map(|burst| {
            let due = burst.ends_at();
            self.paused_until.map_or(due, |until| due.max(until))
        });
        let consequences = self.consequences.into_iter().flatten();
        consequences.chain(of_burst).min()
    }

    /// A scan, for whatever reason, took from `began` to `now`.
    pub fn note_scan(&mut self, began: Instant, now: Instant) {
        // Only changes come in bursts; a scan at a regular time says nothing about the next change.
        if self.burst.take().is_some_and(Burst::is_of_changes) {
            self.quiet_from = Some(now + SETTLE_TIME);
        }
        self.consequences = self.consequences.map(|by| by.filter(|by| began < *by));
        self.paused_until = Some(now + now.duration_since(began) * PAUSE_FACTOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_is_due_after_burst_or_maximal_delay_or_pause() {
        use Event::{Changed, Network, SshStarting};
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let dense: Vec<_> = (0..100).map(|step| (4 * step, Changed)).collect();
        let steady: Vec<_> = (1..100).map(|step| (40 * step, Changed)).collect();
        for (scan, events, due) in [
            (None, &[][..], None),
            (None, &[(0, Changed)], Some(5)),
            (None, &[(0, Changed), (2, Changed)], Some(7)),
            (None, &dense, Some(250)),
            (None, &[(0, SshStarting)], Some(50)),
            (None, &[(0, SshStarting), (30, Changed)], Some(35)),
            (None, &[(0, Network)], Some(50)),
            (None, &[(0, Changed), (2, Network)], Some(52)),
            (Some((Some(Changed), 1)), &[], None),
            (Some((Some(Changed), 1)), &[(40, Changed)], Some(90)),
            (Some((Some(Network), 1)), &[(40, Changed)], Some(90)),
            (Some((Some(SshStarting), 1)), &[(40, Changed)], Some(45)),
            (Some((None, 1)), &[(40, Changed)], Some(45)),
            (
                Some((Some(Changed), 1)),
                &[(40, Changed), (80, Changed)],
                Some(130),
            ),
            (Some((Some(Changed), 1)), &steady, Some(290)),
            (Some((Some(Changed), 1)), &[(60, Changed)], Some(65)),
            (Some((None, 200)), &[(260, Changed)], Some(2000)),
        ] {
            let mut debounce = Debounce::default();
            if let Some((event, ended)) = scan {
                event
                    .into_iter()
                    .for_each(|event| debounce.note_event(event, start));
                debounce.note_scan(start, at(ended));
            }
            for (then, event) in events {
                debounce.note_event(*event, at(*then));
            }
            assert_eq!(debounce.due(), due.map(at), "{scan:?} {events:?}");
        }
    }

    #[test]
    fn a_second_of_events_causes_few_scans() {
        let start = Instant::now();
        // The early scan is one more than without it in the rows with 5.
        for (every, scans) in [(1, 4), (4, 4), (20, 5), (40, 5), (100, 11)] {
            let mut debounce = Debounce::default();
            let mut count = 0;
            for step in 0..1200 {
                let now = start + Duration::from_millis(step);
                if step <= 1000 && step % every == 0 {
                    debounce.note_event(Event::Changed, now);
                }
                if debounce.due().is_some_and(|due| due <= now) {
                    debounce.note_scan(now, now);
                    count += 1;
                }
            }
            assert_eq!(count, scans, "an event every {every} ms");
        }
    }

    #[test]
    fn consequences_are_due_until_a_scan_after_them() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut debounce = Debounce::default();
        debounce.note_event(Event::SshStarting, start);
        debounce.note_event(Event::Changed, at(100));
        for (began, due) in [(50, Some(500)), (500, Some(2000)), (2000, None)] {
            debounce.note_scan(at(began), at(began + 1));
            assert_eq!(debounce.due(), due.map(at), "{began}");
        }
        debounce.note_event(Event::SshStarting, start);
        debounce.note_event(Event::Network, at(100));
        debounce.note_scan(at(150), at(150));
        assert_eq!(debounce.due(), Some(at(5100)), "of the last one");
    }
}
