//! What wakes the engine: everything that the next look could see otherwise, and the time after which it looks without
//! having heard anything.

use std::time::{Duration, Instant};

use super::Engine;
use super::wait::Due;
use crate::discover;
use crate::model::finding::{Finding, FindingId};
use crate::model::interest::Interest;
use crate::model::socket::Snapshot;
use crate::watch::{Event, Watch, Watcher};

/// The longest time between two looks where something can change without an event: sessions that close, and what
/// the kernel's limits leave unwatched.
const WITHOUT_EVENTS: Duration = Duration::from_secs(30);

/// How long an ssh that has read its configuration takes at most, usually, until its session is open: names are to be
/// resolved, and `Match exec` commands to be run.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// How long after a change of the network data that was under way seems lost, usually: it was sent again several times
/// by then ([`crate::diagnose::network::SUSPECT_AFTER`]).
const LOST_WITHIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Watches everything that the next look could see otherwise.
    pub(super) fn watch_what_was_seen(&mut self, snapshot: &Snapshot) {
        let Some((discovered, request)) = &self.discovered else {
            return;
        };
        let surroundings = self.scanner.surroundings();
        let mut interests = discover::interests(&discovered.places);
        interests.extend(discovered.identity.interests(surroundings));
        interests.extend(request.ssh.interests(surroundings));
        let own = self.options.config.clone();
        interests.extend(own.map(|path| Interest::File {
            path,
            reading: false,
        }));
        interests.extend(self.autostart.interest());
        let is_new = self.watch.follow(snapshot, interests);
        let now = Instant::now();
        self.debounce.note_scan(self.looked, now);
        if is_new {
            // It may have changed between the look and the watch.
            self.debounce.note_event(now);
        }
    }

    /// What cannot be watched, as a finding; said in the log when it begins.
    pub(super) fn shortage(&mut self) -> Option<Finding> {
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

    /// When to look next, whatever asks for it; `None` where nothing does.
    pub(super) fn due(&self) -> Option<Due> {
        let quiet_until = self
            .snapshot
            .as_ref()
            .and_then(|_| self.memory.quiet_until());
        let exact = [
            self.debounce.due(),
            self.shows_by,
            self.scanner.next_scan_due(),
            quiet_until,
            self.memory.exits_at(),
            self.discover_again,
        ];
        let exact = exact.into_iter().flatten().min().map(Due::exactly);
        let is_needed = self.options.has_icon
            || self.watch.limit().is_some()
            || self.sockets().next().is_some()
            || !self
                .discovered
                .as_ref()
                .is_some_and(|(discovered, _)| discovered.identity.is_settled());
        let net = is_needed.then(|| Due::about(self.looked, self.interval()));
        exact.into_iter().chain(net).min_by_key(|due| due.at)
    }

    /// How long nothing may be looked at without an event.
    fn interval(&self) -> Duration {
        let regular = self.settings.interval();
        let has_sessions = self.sockets().any(|socket| socket.sessions > Some(0));
        if has_sessions || self.watch.limit().is_some() {
            regular.min(WITHOUT_EVENTS)
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
            Event::Changed => self.debounce.note_event(Instant::now()),
            Event::Network => {
                let now = Instant::now();
                self.debounce.note_event(now);
                self.shows_by = Some(now + LOST_WITHIN);
            }
            // The one that starts is our own `ssh -G`.
            Event::SshStarting if self.discovering => {}
            Event::SshStarting => {
                let now = Instant::now();
                self.debounce.note_event(now);
                self.shows_by = Some(now + CONNECTS_WITHIN);
            }
        }
    }
}
