//! The events and times that start the next scan.

use std::time::{Duration, Instant};

use super::state::Engine;
use crate::discover;
use crate::model::finding::{Finding, FindingId};
use crate::model::interest::Interest;
use crate::model::socket::Snapshot;
use crate::scan;
use crate::watch::{Event, INTERVAL_WITHOUT_EVENTS, Watch, Watcher};

impl Engine {
    /// Watches everything that could change the result of the next scan.
    pub(super) fn update_watch(&mut self, snapshot: &Snapshot) {
        let Some((discovered, request)) = &self.discovered else {
            return;
        };
        let environment = self.scanner.environment();
        let mut interests = discover::interests(&discovered.places);
        interests.extend(discovered.fingerprint.interests(environment));
        interests.extend(request.ssh.interests(environment));
        interests.extend(scan::remembered_interest(environment));
        let own = self.options.config.clone();
        interests.extend(own.map(|path| Interest::File {
            path,
            reading: false,
        }));
        interests.extend(self.autostart.interest());
        let is_other = self.watch.follow(snapshot, interests);
        let now = Instant::now();
        self.debounce.note_scan(self.last_scan, now);
        if is_other {
            // A change between the scan and the watch has no event.
            self.debounce.note_event(Event::Changed, now);
        }
    }

    /// Returns the finding about files that cannot be watched, and logs it when it is new.
    pub(super) fn watch_shortage(&mut self) -> Option<Finding> {
        let secs = self.interval().as_secs();
        let finding = self.watch.limit().map(|limit| limit.finding(secs));
        let is_known = self.snapshot.as_ref().is_some_and(|last| {
            last.findings
                .iter()
                .any(|known| known.id == FindingId::WatchLimit)
        });
        if let (Some(finding), false) = (&finding, is_known) {
            tracing::warn!("{}; {}", finding.evidence, finding.remedy);
        }
        finding
    }

    /// Returns the time of the next scan; `None` to wait for an event.
    pub(super) fn due(&self) -> Option<Instant> {
        let quiet_until = self
            .snapshot
            .as_ref()
            .and_then(|_| self.memory.quiet_until());
        let is_needed = self.options.has_icon
            || self.watch.limit().is_some()
            || self.sockets().next().is_some()
            || !self
                .discovered
                .as_ref()
                .is_some_and(|(discovered, _)| discovered.fingerprint.is_settled());
        let times = [
            is_needed.then(|| self.last_scan + self.interval()),
            self.debounce.due(),
            self.scanner.next_scan_due(),
            quiet_until,
            self.memory.exits_at(),
            self.memory.announces_end_at(),
            self.next_keep_end(),
            self.memory.reopens_at(),
            self.discover_again,
        ];
        times.into_iter().flatten().min()
    }

    /// Returns the time between two scans without an event.
    fn interval(&self) -> Duration {
        let regular = self.settings.interval();
        let misses_ends = |snapshot: &Snapshot| self.watch.misses_ends(snapshot);
        if self.snapshot.as_ref().is_some_and(misses_ends) || self.watch.limit().is_some() {
            regular.min(INTERVAL_WITHOUT_EVENTS)
        } else {
            regular
        }
    }
}

impl Watcher for Engine {
    fn watch(&mut self) -> &mut Watch<Self> {
        &mut self.watch
    }

    fn on_event(&mut self, event: Event) {
        match event {
            // The ssh that starts is muxtray's own `ssh -G`.
            Event::SshStarting if self.is_discovering => {}
            _ => self.debounce.note_event(event, Instant::now()),
        }
    }
}
