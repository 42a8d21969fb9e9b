//! The network facts of earlier looks: the start of a wait for an answer, and the changes since the last answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::judge::{ADDRESS_TOLERANCE, Elapsed, SLEPT, judge};
use crate::model::network::{Address, Connection, Doubt, Facts, Route, Verdict};
use crate::model::socket::MasterPid;

/// The connections of the last look, with facts of earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The time of the look, and how long the machine had been suspended by then.
    last: Option<(Instant, Duration)>,
    known: BTreeMap<MasterPid, Known>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    connection: Connection,
    unanswered_since: Option<Instant>,
    doubt: Option<(Doubt, Instant)>,
    gone_since: Option<Instant>,
}

impl Memory {
    /// Adds a look at `now`.
    #[must_use]
    pub fn after(mut self, facts: Facts, now: Instant) -> Self {
        let has_slept = self
            .last
            .is_some_and(|(_, before)| facts.asleep.saturating_sub(before) > SLEPT);
        let known = facts.connections.into_iter().map(|(pid, connection)| {
            let before = self.known.remove(&pid);
            let before = before.filter(|before| before.connection.cookie == connection.cookie);
            (
                pid,
                Known::after(before.as_ref(), connection, has_slept, now),
            )
        });
        Self {
            known: known.collect(),
            last: Some((now, facts.asleep)),
        }
    }

    /// Returns the judgement on the connection of a master. `limit` is the time without an answer after which it is dead.
    #[must_use]
    pub fn verdict(&self, master: MasterPid, limit: Duration) -> Option<Verdict> {
        let (now, _) = self.last?;
        let known = self.known.get(&master)?;
        let ago = |then: Instant| now.saturating_duration_since(then);
        let elapsed = Elapsed {
            unanswered: known.unanswered_since.map(ago),
            doubt: known.doubt.map(|(doubt, then)| (doubt, ago(then))),
            gone: known.gone_since.map(ago),
        };
        Some(judge(&known.connection, elapsed, limit))
    }
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
        if before.is_some_and(|before| has_changed(before.connection.route, connection.route)) {
            doubt = Some((Doubt::Rerouted, now));
        }
        if has_slept && before.is_some() {
            doubt = Some((Doubt::Resumed, now));
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

/// A failed query is no change.
fn has_changed(before: Route, now: Route) -> bool {
    match (before, now) {
        (Route::Unknown, _) | (_, Route::Unknown) => false,
        (Route::None | Route::Via(_), Route::None | Route::Via(_)) => before != now,
    }
}
