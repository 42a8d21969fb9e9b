//! [`History`]: facts about listeners that a single look does not show.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::network::Memory;
use crate::model::network::{Facts, Verdict};
use crate::model::socket::{Cookie, Listener, Look, MasterPid};

/// The time after which waiting connections make a master unresponsive: the deadline of an alive check. A healthy master
/// accepts within milliseconds.
pub const STUCK_AFTER: Duration = Duration::from_secs(2);

/// The time without a connection after which a master is idle.
pub(crate) const IDLE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The facts about listeners that a single look does not show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    now: Option<Instant>,
    backlog_since: BTreeMap<Cookie, Instant>,
    timed_out: BTreeSet<Cookie>,
    used: BTreeMap<Cookie, Instant>,
    network: Memory,
}

impl History {
    /// Adds a look at `now`. Forgets listeners that are gone, and the time of a backlog that is empty.
    #[must_use]
    pub fn after(self, look: &Look, now: Instant) -> Self {
        let mut used = self.used;
        let busy = listeners(look).filter(|listener| listener.sessions > 0);
        used.extend(busy.filter_map(|listener| Some((listener.cookie?, now))));
        let listeners: BTreeMap<Cookie, u32> = listeners(look)
            .filter_map(|listener| listener.cookie.map(|cookie| (cookie, listener.backlog)))
            .collect();
        let backlog_since = listeners
            .iter()
            .filter(|(_, backlog)| **backlog > 0)
            .map(|(cookie, _)| {
                (
                    *cookie,
                    self.backlog_since.get(cookie).copied().unwrap_or(now),
                )
            })
            .collect();
        let timed_out = self
            .timed_out
            .into_iter()
            .filter(|cookie| listeners.contains_key(cookie))
            .collect();
        used.retain(|cookie, _| listeners.contains_key(cookie));
        Self {
            now: Some(now),
            backlog_since,
            timed_out,
            used,
            network: self.network,
        }
    }

    /// Adds the network connections of a look.
    #[must_use]
    pub fn after_network(mut self, facts: Facts, now: Instant) -> Self {
        self.network = self.network.after(facts, now);
        self
    }

    /// Returns the judgement on the network connection of a master, if the connection is known.
    pub(super) fn verdict(&self, master: MasterPid, limit: Duration) -> Option<Verdict> {
        self.network.verdict(master, limit)
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

    /// Returns the time at which the next backlog can become stuck.
    #[must_use]
    pub fn look_again_at(&self) -> Option<Instant> {
        let now = self.now?;
        self.backlog_since
            .values()
            .map(|since| *since + STUCK_AFTER)
            .filter(|due| *due > now)
            .min()
    }

    /// Whether a look found a session of the listener within [`IDLE_AFTER`].
    pub(super) fn was_used(&self, cookie: Option<Cookie>) -> bool {
        match (self.now, cookie.and_then(|cookie| self.used.get(&cookie))) {
            (Some(now), Some(used)) => now.duration_since(*used) < IDLE_AFTER,
            _ => false,
        }
    }

    pub(super) fn is_stuck(&self, cookie: Option<Cookie>) -> bool {
        match (
            self.now,
            cookie.and_then(|cookie| self.backlog_since.get(&cookie)),
        ) {
            (Some(now), Some(since)) => now.duration_since(*since) >= STUCK_AFTER,
            _ => false,
        }
    }

    pub(super) fn has_timed_out(&self, cookie: Option<Cookie>) -> bool {
        cookie.is_some_and(|cookie| self.timed_out.contains(&cookie))
    }
}

fn listeners(look: &Look) -> impl Iterator<Item = &Listener> {
    let observed = look
        .observations
        .iter()
        .filter_map(|observation| observation.listener.as_ref());
    observed.chain(look.orphans.iter().map(|orphan| &orphan.listener))
}
