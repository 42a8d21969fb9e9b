//! The judgement on one sample of a connection, with what [`super::memory`] adds of earlier ones.

use std::time::Duration;

use crate::model::network::{
    Address, Cause, Connection, Doubt, Judgement, Numbers, Recoveries, Route, Timer, Verdict,
};

/// How long data may go unanswered before the connection counts as dead. ssh's own measure goes before it where it is
/// configured: ServerAliveInterval times ServerAliveCountMax.
pub const LIMIT: Duration = Duration::from_secs(15);

/// How often it must have been sent again by then. On a slow path the limit may pass before the second attempt.
pub const STRANDED_ATTEMPTS: u32 = 3;

/// How long data may go unanswered before a connection is doubtful. A lossy link loses two in a row now and then.
pub const SUSPECT_AFTER: Duration = Duration::from_secs(3);

/// How often it must have been sent again by then.
pub const SUSPECT_ATTEMPTS: u32 = 2;

/// A longer sleep of the machine makes every idle connection doubtful.
pub const SLEPT: Duration = Duration::from_secs(2);

/// By how much an address must be younger than the last answer to have come after it: two clocks are compared.
pub const ADDRESS_TOLERANCE: Duration = Duration::from_secs(1);

/// A doubtful idle connection is looked at again after this long at first, then after half the time it has been so.
pub const DOUBT_PAUSE: Duration = Duration::from_secs(1);

/// A doubt that has lasted this long is left to the regular looks.
pub const DOUBT_WATCHED: Duration = Duration::from_secs(600);

/// When an attempt is due, the answer may take a round trip and this long.
pub const ANSWER_SLACK: Duration = Duration::from_millis(100);

/// The kernel waits this long before it tries again to send what a device of this machine refused
/// (`TCP_RESOURCE_PROBE_INTERVAL`).
const REFUSED_PAUSE: Duration = Duration::from_millis(500);

/// Data, or a question, that has met no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// How often it was sent again.
    pub(super) attempts: u32,
    /// It has been waiting for this long, or longer.
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
        // What was heard since is an answer, though it may not have acknowledged anything.
        Some(Waiting {
            at_least: waiting.at_least.min(self.last_heard()),
            ..waiting
        })
    }

    /// The time from the first transmission of the oldest segment, by its timeouts: each doubled the one before, the
    /// last is running (`tcp_retransmit_timer()` in tcp_timer.c). The number of doublings may be more than the timeouts
    /// of this segment, for they end with the first segment that is acknowledged without being sent again. Less, where a
    /// device of this machine did not take a segment: then it was tried again without doubling.
    pub(super) fn retransmitting_for(&self) -> Duration {
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

    /// The same for probes. The timeout itself is not doubled (`tcp_probe0_when()` in tcp.h). The pause between probes
    /// that keep an idle connection alive is not told.
    pub(super) fn probing_for(&self) -> Duration {
        if self.timer != Timer::Probe {
            return Duration::ZERO;
        }
        let doublings = self.backoff.min(MAX_DOUBLINGS);
        let pause = (self.rto * (1 << doublings)).min(MAX_PAUSE);
        let since = pause.saturating_sub(self.expires);
        pause.saturating_sub(halved(pause, self.probes)) + since
    }
}

/// `TCP_RTO_MAX`, and how often `TCP_RTO_MIN` is doubled until it is reached.
const MAX_PAUSE: Duration = Duration::from_secs(120);
const MAX_DOUBLINGS: u8 = 10;

fn halved(duration: Duration, times: u8) -> Duration {
    duration / (1 << times.min(31))
}

/// How long ago each of these began, for what a single sample does not show.
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
    // Until the kernel tries again, and an answer can have come, nothing changes but that the limit passes.
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
