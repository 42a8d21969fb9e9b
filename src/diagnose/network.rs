//! Whether the network connection of a master still works, judged by the kernel's numbers for it.
//!
//! A master answers alive checks while its connection is dead. TCP shows it: data that is retransmitted without an answer, or
//! a local address that no interface has any more. An idle connection shows nothing, so after a resume or a change of its
//! route it is suspect until something arrives.

use std::time::Duration;

use crate::model::network::{
    Address, Cause, Connection, Doubt, Judgement, Numbers, Recoveries, Route, Timer, Verdict,
};

/// The time without an answer after which a connection is dead, unless ssh has its own limit: ServerAliveInterval times
/// ServerAliveCountMax.
pub const LIMIT: Duration = Duration::from_secs(15);

/// The number of retransmissions that a dead connection has at least. On a slow path the limit may pass before the second.
const STRANDED_ATTEMPTS: u32 = 3;

/// The time without an answer after which a connection is suspect. A lossy link can lose two segments in a row.
pub const SUSPECT_AFTER: Duration = Duration::from_secs(3);

const SUSPECT_ATTEMPTS: u32 = 2;

/// A longer suspend of the machine makes every idle connection suspect.
pub const SLEPT: Duration = Duration::from_secs(2);

/// The least difference between the age of an address and of the last answer, which come from two clocks.
pub const ADDRESS_TOLERANCE: Duration = Duration::from_secs(1);

/// The first pause between scans of a suspect idle connection; later ones are half the time since the doubt began.
const DOUBT_PAUSE: Duration = Duration::from_secs(1);

/// After this time only the regular scans observe a suspect connection.
const DOUBT_WATCHED: Duration = Duration::from_secs(600);

/// The time that an answer may take beyond a round trip.
const ANSWER_SLACK: Duration = Duration::from_millis(100);

/// The pause of the kernel after a local device refused a segment (`TCP_RESOURCE_PROBE_INTERVAL`).
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) attempts: u32,
    /// The least time since the first transmission.
    pub(super) at_least: Duration,
}

impl Numbers {
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let waiting = if self.unacked > 0 && self.retransmits > 0 {
            Waiting {
                attempts: self.retransmits.into(),
                at_least: self.retransmitting_for(),
            }
        } else if self.unacked == 0 && self.probes > 0 {
            Waiting {
                attempts: self.probes.into(),
                at_least: self.probing_for(),
            }
        } else {
            return None;
        };
        // Data that arrived since is an answer, even if it acknowledges nothing.
        Some(Waiting {
            at_least: waiting.at_least.min(self.last_heard()),
            ..waiting
        })
    }

    /// Returns the time since the first transmission of the oldest segment, as the sum of its timeouts: each is twice the one
    /// before, and the last one is running (`tcp_retransmit_timer()` in tcp_timer.c).
    ///
    /// There can be more doublings than timeouts of this segment, because they are reset only by a segment that is
    /// acknowledged without retransmission; and fewer, because a segment that a local device refused is sent again without
    /// doubling.
    fn retransmitting_for(&self) -> Duration {
        let first = halved(self.rto, self.backoff);
        if let Some(Recoveries { count: 1, time }) = self.recoveries {
            return time + first;
        }
        let doubled = self.retransmits.min(self.backoff);
        let refused = u32::from(self.retransmits - doubled);
        let since = self.rto.saturating_sub(self.expires);
        self.rto.saturating_sub(halved(self.rto, doubled))
            + refused * REFUSED_PAUSE.min(self.rto)
            + since.min(self.last_data_sent)
    }

    /// Returns the same for probes. The kernel doubles their pause, not the timeout (`tcp_probe0_when()` in tcp.h), and does
    /// not report the pause of keep-alive probes.
    fn probing_for(&self) -> Duration {
        if self.timer != Timer::Probe {
            return Duration::ZERO;
        }
        let doublings = self.backoff.min(MAX_DOUBLINGS);
        let pause = (self.rto * (1 << doublings)).min(MAX_PAUSE);
        let since = pause.saturating_sub(self.expires);
        pause.saturating_sub(halved(pause, self.probes)) + since
    }
}

/// `TCP_RTO_MAX`, and the number of doublings of `TCP_RTO_MIN` to reach it.
const MAX_PAUSE: Duration = Duration::from_secs(120);
const MAX_DOUBLINGS: u8 = 10;

fn halved(duration: Duration, times: u8) -> Duration {
    duration / (1 << times.min(31))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Elapsed {
    pub(super) unanswered: Option<Duration>,
    pub(super) doubt: Option<(Doubt, Duration)>,
    pub(super) gone: Option<Duration>,
}

pub(super) fn judge(connection: &Connection, elapsed: Elapsed, limit: Duration) -> Verdict {
    let numbers = &connection.numbers;
    let waiting = numbers.waiting();
    let attempts = waiting.map_or(0, |waiting| waiting.attempts);
    let unanswered = waiting.and(elapsed.unanswered);
    let has_waited = |long| unanswered.is_some_and(|unanswered| unanswered >= long);
    let is_kept_alive = numbers.timer == Timer::KeepAlive;
    let (judgement, since) = if connection.address == Address::Gone {
        (Judgement::Stranded(Cause::AddressGone), elapsed.gone)
    } else if attempts >= STRANDED_ATTEMPTS && has_waited(limit) {
        (Judgement::Stranded(Cause::Unanswered), None)
    } else if attempts >= SUSPECT_ATTEMPTS && (is_kept_alive || has_waited(SUSPECT_AFTER)) {
        (Judgement::Suspect(Doubt::Unanswered), None)
    } else if connection.route == Route::None {
        (Judgement::Suspect(Doubt::NoRoute), None)
    } else if let Some((doubt, since)) = elapsed.doubt {
        (Judgement::Suspect(doubt), Some(since))
    } else {
        (Judgement::Well, None)
    };
    // Before the next retransmission and its answer, only the passing of the limit can change the judgement.
    let next_attempt = waiting.map(|_| numbers.expires + numbers.round_trip + ANSWER_SLACK);
    let look_again = match (judgement, next_attempt) {
        // That the address comes back is an event.
        (Judgement::Stranded(Cause::AddressGone), _) => None,
        (Judgement::Stranded(Cause::Unanswered), attempt) => {
            attempt.map(|attempt| attempt.max(DOUBT_PAUSE))
        }
        (_, Some(attempt)) => {
            let left = unanswered.and_then(|unanswered| limit.checked_sub(unanswered));
            let left = left.filter(|left| !left.is_zero());
            Some(
                left.map_or(attempt, |left| left.min(attempt))
                    .max(ANSWER_SLACK),
            )
        }
        (Judgement::Suspect(_), None) => since
            .filter(|since| *since < DOUBT_WATCHED)
            .map(|since| (since / 2).max(DOUBT_PAUSE)),
        (Judgement::Well, None) => None,
    };
    Verdict {
        judgement,
        connection: connection.clone(),
        unanswered,
        since,
        look_again,
    }
}

#[cfg(test)]
mod tests;
