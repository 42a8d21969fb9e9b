//! The words of a verdict: what was seen, in numbers, and what to do about it.

use std::fmt;
use std::time::Duration;

use super::{Cause, Connection, Doubt, Judgement, Numbers, Route, Timer, Verdict};
use crate::core::text;

impl Verdict {
    /// What speaks against the connection, with its numbers; `None` where nothing does.
    #[must_use]
    pub fn evidence(&self) -> Option<String> {
        let Connection {
            local,
            remote,
            numbers,
            proxy,
            ..
        } = &self.connection;
        let (ours, theirs) = (local.ip(), remote.ip());
        let heard = text::duration(numbers.last_heard());
        let evidence = match self.judgement {
            Judgement::Well => return None,
            Judgement::Stranded(Cause::AddressGone) => match self.since {
                Some(since) => format!(
                    "{ours} has been on no interface for {}, last heard {heard} ago",
                    text::duration(since)
                ),
                None => format!("{ours} is on no interface, last heard {heard} ago"),
            },
            Judgement::Stranded(Cause::Unanswered) | Judgement::Suspect(Doubt::Unanswered) => {
                format!("{}, last heard {heard} ago", self.attempts())
            }
            Judgement::Suspect(Doubt::NoRoute) => {
                format!("there is no route to {theirs}, last heard {heard} ago")
            }
            Judgement::Suspect(Doubt::Resumed) => {
                format!("the machine has slept since {theirs} was last heard, {heard} ago")
            }
            Judgement::Suspect(Doubt::Rerouted) => {
                format!("the route to {theirs} has changed since it was last heard, {heard} ago")
            }
            Judgement::Suspect(Doubt::Readdressed) => format!(
                "{ours} left its interface and came back since {theirs} was last heard, {heard} ago"
            ),
        };
        Some(match proxy {
            Some(proxy) => format!("{evidence} (by its proxy, {})", text::line(proxy)),
            None => evidence,
        })
    }

    /// "sent 52 bytes to 10.0.0.1 17 s ago, retransmitted 4 times"
    fn attempts(&self) -> String {
        let Numbers {
            queued_bytes,
            unacked,
            retransmits,
            probes,
            timer,
            ..
        } = self.connection.numbers;
        let theirs = self.connection.remote.ip();
        let bytes = text::count(queued_bytes, "byte");
        let ago = text::duration(self.unanswered.unwrap_or(Duration::ZERO));
        if unacked > 0 {
            let times = text::count(retransmits, "time");
            format!("sent {bytes} to {theirs} {ago} ago, retransmitted {times}")
        } else if timer == Timer::KeepAlive {
            let probes = text::count(probes, "keep-alive probe");
            format!("{theirs} left {probes} unanswered")
        } else {
            let times = text::count(probes, "time");
            let route = match self.connection.route {
                Route::None => ", as there is no route",
                Route::Via(_) | Route::Unknown => "",
            };
            format!("{bytes} to {theirs} could not be sent for {ago}, tried {times}{route}")
        }
    }

    /// What to do: `exit` is the command that ends the master.
    #[must_use]
    pub fn remedy(&self, exit: &str) -> String {
        match self.judgement {
            Judgement::Stranded(Cause::AddressGone) => format!(
                "bring {} back, such as by its VPN, or end the master: {exit}",
                self.connection.local.ip()
            ),
            Judgement::Stranded(Cause::Unanswered) => exit.to_owned(),
            Judgement::Suspect(_) | Judgement::Well => {
                format!("the next answer settles it; if sessions hang: {exit}")
            }
        }
    }
}

impl Verdict {
    /// Whether what is said of it is another with every look.
    #[must_use]
    pub fn ages(&self) -> bool {
        match self.judgement {
            Judgement::Well => false,
            Judgement::Suspect(_) | Judgement::Stranded(_) => true,
        }
    }
}

/// "round trip 6.2 ms, last heard 31 s ago"
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = &self.connection.numbers;
        write!(
            f,
            "round trip {:.1} ms, last heard {} ago",
            numbers.round_trip.as_secs_f64() * 1000.0,
            text::duration(numbers.last_heard())
        )
    }
}

impl Judgement {
    /// Its name in JSON and texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Suspect(_) => "suspect",
            Self::Stranded(_) => "stranded",
        }
    }
}
