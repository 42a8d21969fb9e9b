//! [`History`]: facts about listeners and connections that a single scan does not show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use super::network::{ADDRESS_TOLERANCE, Elapsed, SLEPT, judge};
use crate::model::client::Clients;
use crate::model::network::{Address, Connection, Doubt, LoneSsh, NetworkFacts, Route, Verdict};
use crate::model::remembered::RememberedForwards;
use crate::model::seen::SeenMasters;
use crate::model::socket::{Cookie, Facts, Listener, MasterPid};

/// The time after which waiting connections make a master unresponsive: the deadline of an alive check. A healthy master
/// accepts within milliseconds.
pub const STUCK_AFTER: Duration = Duration::from_secs(2);

/// The time without a connection after which a master is idle.
pub(crate) const IDLE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a master may take to end after its ControlPersist time.
pub const ENDS_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The time of the last scan, by both clocks.
    now: Option<Instant>,
    at: Option<SystemTime>,
    backlog_since: BTreeMap<Cookie, Instant>,
    timed_out: BTreeSet<Cookie>,
    used: BTreeMap<Cookie, Instant>,
    /// The listeners whose use the last scan saw, and whether its end is an event: sessions of known processes.
    in_use: BTreeMap<Cookie, bool>,
    /// The times at which the last session of a listener was seen to end.
    idle_since: BTreeMap<Cookie, SystemTime>,
    /// The time of the last network facts, and how long the machine had been suspended by then.
    network_at: Option<(Instant, Duration)>,
    connections: BTreeMap<MasterPid, Known>,
    /// Also those of an earlier run.
    pub(crate) seen: SeenMasters,
    pub(crate) remembered: RememberedForwards,
    proxy_commands: BTreeMap<MasterPid, Vec<String>>,
    alone: Vec<LoneSsh>,
}

/// A connection with its facts of earlier scans: the start of a wait for an answer, and the changes since the last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    connection: Connection,
    unanswered_since: Option<Instant>,
    doubt: Option<(Doubt, Instant)>,
    gone_since: Option<Instant>,
}

impl History {
    /// Adds the facts at `now`. Forgets listeners that are gone, and the time of a backlog that is empty.
    #[must_use]
    pub fn after(mut self, facts: &Facts, now: Instant) -> Self {
        let observed = facts.observations.iter();
        let observed = observed.filter_map(|observation| observation.listener.as_ref());
        let all = observed.chain(facts.orphans.iter().map(|orphan| &orphan.listener));
        let listeners: BTreeMap<Cookie, &Listener> = all
            .filter_map(|listener| Some((listener.cookie?, listener)))
            .collect();
        let is_waiting = |cookie: &Cookie| {
            let listener = listeners.get(cookie);
            listener.is_some_and(|listener| listener.backlog > 0)
        };
        self.backlog_since.retain(|cookie, _| is_waiting(cookie));
        self.used.retain(|cookie, _| listeners.contains_key(cookie));
        self.timed_out
            .retain(|cookie| listeners.contains_key(cookie));
        self.idle_since
            .retain(|cookie, _| listeners.contains_key(cookie));
        // A clock that was set back: ssh counts the time of ControlPersist by another one.
        if self.at.is_some_and(|before| facts.at < before) {
            self.idle_since.clear();
        }
        let was_in_use = std::mem::take(&mut self.in_use);
        for (cookie, listener) in listeners {
            if listener.backlog > 0 {
                self.backlog_since.entry(cookie).or_insert(now);
            }
            if listener.sessions > 0 || listener.forwarded > Some(0) {
                self.used.insert(cookie, now);
            }
            if let Some(has_event) = use_of(listener) {
                self.in_use.insert(cookie, has_event);
                self.idle_since.remove(&cookie);
            } else if was_in_use.get(&cookie) == Some(&true) {
                self.idle_since.insert(cookie, facts.at);
            }
        }
        self.now = Some(now);
        self.at = Some(facts.at);
        self
    }

    #[must_use]
    pub fn after_network(mut self, facts: NetworkFacts, now: Instant) -> Self {
        let has_slept = self
            .network_at
            .is_some_and(|(_, before)| facts.asleep.saturating_sub(before) > SLEPT);
        let known = facts.connections.into_iter().map(|(pid, connection)| {
            let before = self.connections.remove(&pid);
            let before = before.filter(|before| before.connection.cookie == connection.cookie);
            let known = Known::after(before.as_ref(), connection, has_slept, now);
            (pid, known)
        });
        self.connections = known.collect();
        self.network_at = Some((now, facts.asleep));
        self.proxy_commands = facts.proxy_commands;
        self.alone = facts.alone;
        self
    }

    /// Adds the end of a connection of muxtray's own, which has restarted the time of ControlPersist. If the master is used,
    /// the next scan shows it.
    #[must_use]
    pub fn after_connection(mut self, cookie: Cookie, at: SystemTime) -> Self {
        self.idle_since.insert(cookie, at);
        self
    }

    /// Adds a request to a master that may have connected: the end of the master is not known any more.
    #[must_use]
    pub fn after_failed_request(mut self, cookie: Cookie) -> Self {
        self.idle_since.remove(&cookie);
        self
    }

    /// Adds an alive check, which was `answered` in time or not.
    #[must_use]
    pub fn after_check(mut self, cookie: Cookie, answered: bool) -> Self {
        if answered {
            self.timed_out.remove(&cookie);
        } else {
            self.timed_out.insert(cookie);
        }
        self
    }

    /// Returns the judgement on the network connection of a master, if the connection is known. `limit` is the time without
    /// an answer after which it is dead.
    pub(super) fn verdict(&self, master: MasterPid, limit: Duration) -> Option<Verdict> {
        let (now, _) = self.network_at?;
        let known = self.connections.get(&master)?;
        let ago = |then: Instant| now.saturating_duration_since(then);
        let elapsed = Elapsed {
            unanswered: known.unanswered_since.map(ago),
            doubt: known.doubt.map(|(doubt, then)| (doubt, ago(then))),
            gone: known.gone_since.map(ago),
        };
        Some(judge(&known.connection, elapsed, limit))
    }

    pub(super) fn proxy_commands(&self, master: MasterPid) -> &[String] {
        self.proxy_commands.get(&master).map_or(&[], Vec::as_slice)
    }

    /// The ssh processes that connect to the server of a master.
    pub(super) fn alone(&self) -> &[LoneSsh] {
        &self.alone
    }

    pub fn look_again_at(&self) -> Option<Instant> {
        let now = self.now?;
        let due = self
            .backlog_since
            .values()
            .map(|since| *since + STUCK_AFTER);
        due.filter(|due| *due > now).min()
    }

    /// Whether a scan found a session or forwarded connection of the listener within [`IDLE_AFTER`].
    pub(super) fn was_used(&self, cookie: Option<Cookie>) -> bool {
        let age = self.age_in(&self.used, cookie);
        age.is_some_and(|age| age < IDLE_AFTER)
    }

    /// Returns when ControlPersist ends the master, if the end of its last session was seen.
    pub(super) fn ends_at(
        &self,
        cookie: Option<Cookie>,
        persist: Option<u32>,
    ) -> Option<SystemTime> {
        let persist = persist.filter(|seconds| *seconds > 0)?;
        let since = self.idle_since.get(&cookie?)?;
        let end = *since + Duration::from_secs(u64::from(persist));
        // If it lives longer, something has connected unseen.
        (self.at? <= end + ENDS_WITHIN).then_some(end)
    }

    pub(super) fn is_stuck(&self, cookie: Option<Cookie>) -> bool {
        let age = self.age_in(&self.backlog_since, cookie);
        age.is_some_and(|age| age >= STUCK_AFTER)
    }

    fn age_in(
        &self,
        times: &BTreeMap<Cookie, Instant>,
        cookie: Option<Cookie>,
    ) -> Option<Duration> {
        Some(self.now?.duration_since(*times.get(&cookie?)?))
    }

    pub(super) fn has_timed_out(&self, cookie: Option<Cookie>) -> bool {
        cookie.is_some_and(|cookie| self.timed_out.contains(&cookie))
    }
}

/// Returns how a master is in use, if it is: whether the end of this use is an event.
fn use_of(listener: &Listener) -> Option<bool> {
    let has_forwarded = listener.forwarded != Some(0);
    let is_used = listener.sessions > 0 || has_forwarded || listener.is_kept;
    let clients = listener.clients.as_ref();
    let are_known = clients.is_some_and(Clients::are_known);
    is_used.then_some(are_known && !has_forwarded && !listener.is_kept)
}

impl Known {
    fn after(before: Option<&Self>, connection: Connection, has_slept: bool, now: Instant) -> Self {
        let heard = connection.numbers.last_heard();
        let is_silent_since = |then: &Instant| now.saturating_duration_since(*then) <= heard;
        let earlier = |ago| now.checked_sub(ago).unwrap_or(now);

        let unanswered_since = connection.numbers.waiting().map(|waiting| {
            let by_numbers = earlier(waiting.at_least);
            let seen = before
                .and_then(|before| before.unanswered_since)
                .filter(is_silent_since);
            seen.map_or(by_numbers, |seen| seen.min(by_numbers))
        });

        let was_present = before.is_some_and(|before| before.connection.address != Address::Gone);
        let gone_since = match connection.address {
            Address::Present(_) => None,
            Address::Gone if was_present => Some(now),
            Address::Gone => before.and_then(|before| before.gone_since),
        };

        let mut doubt = before.and_then(|before| before.doubt);
        if let Address::Present(Some(age)) = connection.address
            && age + ADDRESS_TOLERANCE < heard
        {
            let came = earlier(age);
            if doubt.is_none_or(|(_, then)| then + ADDRESS_TOLERANCE < came) {
                doubt = Some((Doubt::Readdressed, came));
            }
        }
        if let Some(before) = before {
            let (old, new) = (before.connection.route, connection.route);
            // A failed query is no change.
            if old != new && old != Route::Unknown && new != Route::Unknown {
                doubt = Some((Doubt::Rerouted, now));
            }
            if has_slept {
                doubt = Some((Doubt::Resumed, now));
            }
        }
        if connection.is_loopback() {
            doubt = None;
        }
        Self {
            unanswered_since,
            gone_since,
            doubt: doubt.filter(|(_, then)| is_silent_since(then)),
            connection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::UserId;
    use crate::model::observation::Holder;
    use crate::model::samples::{self, facts, listener, process, running};

    const COOKIE: Cookie = Cookie(99);

    /// One scan or request; the number is its second.
    enum Step {
        /// The listener has known clients, hidden ones, and forwarded connections.
        Scan(u64, [usize; 3]),
        /// `muxtray keep` holds a connection.
        Kept(u64),
        Request(u64, bool),
    }

    fn at(second: u64) -> SystemTime {
        samples::at() + Duration::from_secs(second)
    }

    fn ends_at(steps: &[Step], persist: Option<u32>) -> Option<u64> {
        let scan = |history: History, second, [known, hidden, forwarded]: [usize; 3], is_kept| {
            let client = |_| crate::model::client::Client {
                pid: MasterPid(5),
                program: "ssh".to_owned(),
                terminal: None,
                since: None,
            };
            let known = (0..known).map(client).map(Some);
            let clients: Clients = known.chain(vec![None; hidden]).collect();
            let listener = Listener {
                sessions: clients.0.len().try_into().unwrap(),
                clients: Some(clients),
                forwarded: forwarded.try_into().ok(),
                is_kept,
                uid: Some(UserId(1)),
                ..listener(Holder::Ssh(process("ssh")))
            };
            let mut observation = running();
            observation.listener = Some(listener);
            let mut facts = facts(vec![observation]);
            facts.at = at(second);
            history.after(&facts, Instant::now())
        };
        let history = steps
            .iter()
            .fold(History::default(), |history, step| match *step {
                Step::Scan(second, clients) => scan(history, second, clients, false),
                Step::Kept(second) => scan(history, second, [0; 3], true),
                Step::Request(second, true) => history.after_connection(COOKIE, at(second)),
                Step::Request(_, false) => history.after_failed_request(COOKIE),
            });
        let end = history.ends_at(Some(COOKIE), persist)?;
        Some(end.duration_since(at(0)).unwrap().as_secs())
    }

    #[test]
    fn end_is_known_after_a_seen_end_of_use() {
        use Step::{Kept, Request, Scan};
        let (used, idle) = ([1, 0, 0], [0, 0, 0]);
        for (steps, persist, expected) in [
            // Its start was not seen.
            (&[Scan(0, idle)][..], Some(60), None),
            (&[Scan(0, used)], Some(60), None),
            (&[Scan(0, used), Scan(9, idle)], Some(60), Some(69)),
            (
                &[Scan(0, used), Scan(9, idle), Scan(71, idle)],
                Some(60),
                Some(69),
            ),
            // It lives longer.
            (
                &[Scan(0, used), Scan(9, idle), Scan(72, idle)],
                Some(60),
                None,
            ),
            // The clock was set back.
            (
                &[Scan(0, used), Scan(9, idle), Scan(1, idle)],
                Some(60),
                None,
            ),
            (&[Scan(0, used), Scan(9, idle)], Some(0), None),
            (&[Scan(0, used), Scan(9, idle)], None, None),
            (
                &[Scan(0, used), Scan(9, idle), Scan(10, used)],
                Some(60),
                None,
            ),
            // These end without an event.
            (&[Scan(0, [0, 1, 0]), Scan(9, idle)], Some(60), None),
            (&[Scan(0, [1, 0, 1]), Scan(9, idle)], Some(60), None),
            (&[Kept(0), Scan(9, idle)], Some(60), None),
            // A connection of muxtray's own.
            (&[Scan(0, idle), Request(5, true)], Some(60), Some(65)),
            (
                &[Scan(0, idle), Request(5, true), Scan(6, idle)],
                Some(60),
                Some(65),
            ),
            (
                &[Scan(0, idle), Request(5, true), Scan(6, used)],
                Some(60),
                None,
            ),
            (
                &[Kept(0), Request(5, true), Scan(6, idle)],
                Some(60),
                Some(65),
            ),
            (
                &[Scan(0, used), Scan(1, idle), Request(5, false)],
                Some(60),
                None,
            ),
        ] {
            let number = steps.len();
            assert_eq!(ends_at(steps, persist), expected, "{number} steps");
        }
    }
}
