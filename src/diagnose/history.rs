//! [`History`]: what one look alone cannot tell of a listener, remembered from look to look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::network::Memory;
use crate::model::network::{Facts, Verdict};
use crate::model::socket::{Cookie, Listener, Look, MasterPid};

/// How long connections may wait unaccepted before a master counts as wedged. A healthy one accepts within
/// milliseconds; it is as long as the deadline of an alive check.
pub const STUCK_AFTER: Duration = Duration::from_secs(2);

/// After so long without a use a master counts as idle.
pub(crate) const IDLE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What one look alone cannot tell of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    now: Option<Instant>,
    backlog_since: BTreeMap<Cookie, Instant>,
    silent: BTreeSet<Cookie>,
    used: BTreeMap<Cookie, Instant>,
    network: Memory,
}

impl History {
    /// The history after a look taken at `now`: listeners that are gone are forgotten, and a backlog that was
    /// seen empty once begins anew.
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
        let silent = self
            .silent
            .into_iter()
            .filter(|cookie| listeners.contains_key(cookie))
            .collect();
        used.retain(|cookie, _| listeners.contains_key(cookie));
        Self {
            now: Some(now),
            backlog_since,
            silent,
            used,
            network: self.network,
        }
    }

    /// The history with what that look found of the networks behind the masters.
    #[must_use]
    pub fn after_network(mut self, facts: Facts, now: Instant) -> Self {
        self.network = self.network.after(facts, now);
        self
    }

    /// The judgement on the network behind a master, where its connection is known.
    pub(super) fn verdict(&self, master: MasterPid, limit: Duration) -> Option<Verdict> {
        self.network.verdict(master, limit)
    }

    /// The history after an alive check of this listener that was or was not answered in time.
    #[must_use]
    pub fn after_check(mut self, cookie: Cookie, answered: bool) -> Self {
        if answered {
            self.silent.remove(&cookie);
        } else {
            self.silent.insert(cookie);
        }
        self
    }

    /// When to look again because a backlog may turn out to be stuck; `None` when nothing waits that is not
    /// judged already.
    #[must_use]
    pub fn look_again_at(&self) -> Option<Instant> {
        let now = self.now?;
        self.backlog_since
            .values()
            .map(|since| *since + STUCK_AFTER)
            .filter(|due| *due > now)
            .min()
    }

    /// Whether a look saw a session of this listener within [`IDLE_AFTER`].
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

    pub(super) fn is_silent(&self, cookie: Option<Cookie>) -> bool {
        cookie.is_some_and(|cookie| self.silent.contains(&cookie))
    }
}

fn listeners(look: &Look) -> impl Iterator<Item = &Listener> {
    let observed = look
        .observations
        .iter()
        .filter_map(|observation| observation.listener.as_ref());
    observed.chain(look.orphans.iter().map(|orphan| &orphan.listener))
}
