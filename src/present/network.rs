//! The words of a verdict: what was seen, in numbers, and what to do about it.

use std::fmt;
use std::time::Duration;

use tr::tr;

use crate::model::network::{Cause, Connection, Doubt, Judgement, Numbers, Route, Timer, Verdict};
use crate::model::text;

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
                Some(since) => tr!(
                    "{ours} has been on no interface for {duration}, last heard {heard} ago",
                    ours,
                    duration = text::duration(since),
                    heard
                ),
                None => tr!(
                    "{ours} is on no interface, last heard {heard} ago",
                    ours,
                    heard
                ),
            },
            Judgement::Stranded(Cause::Unanswered) | Judgement::Suspect(Doubt::Unanswered) => tr!(
                "{attempts}, last heard {heard} ago",
                attempts = self.attempts(),
                heard
            ),
            Judgement::Suspect(Doubt::NoRoute) => tr!(
                "there is no route to {theirs}, last heard {heard} ago",
                theirs,
                heard
            ),
            Judgement::Suspect(Doubt::Resumed) => tr!(
                "the machine has slept since {theirs} was last heard, {heard} ago",
                theirs,
                heard
            ),
            Judgement::Suspect(Doubt::Rerouted) => tr!(
                "the route to {theirs} has changed since it was last heard, {heard} ago",
                theirs,
                heard
            ),
            Judgement::Suspect(Doubt::Readdressed) => tr!(
                "{ours} left its interface and came back since {theirs} was last heard, {heard} ago",
                ours,
                theirs,
                heard
            ),
        };
        Some(match proxy {
            Some(proxy) => tr!(
                "{evidence} (by its proxy, {proxy})",
                evidence,
                proxy = text::line(proxy)
            ),
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
        let bytes = text::byte_count(queued_bytes.into());
        let duration = text::duration(self.unanswered.unwrap_or(Duration::ZERO));
        if unacked > 0 {
            return tr!(
                "sent {bytes} to {theirs} {duration} ago, retransmitted {n} time"
                    | "sent {bytes} to {theirs} {duration} ago, retransmitted {n} times"
                        % retransmits,
                bytes,
                theirs,
                duration
            );
        }
        if timer == Timer::KeepAlive {
            return tr!(
                "{theirs} left {n} keep-alive probe unanswered"
                    | "{theirs} left {n} keep-alive probes unanswered" % probes,
                theirs
            );
        }
        match self.connection.route {
            Route::None => tr!(
                "{bytes} to {theirs} could not be sent for {duration}, tried {n} time, as there is no route"
                    | "{bytes} to {theirs} could not be sent for {duration}, tried {n} times, as there is no route"
                        % probes,
                bytes,
                theirs,
                duration
            ),
            Route::Via(_) | Route::Unknown => tr!(
                "{bytes} to {theirs} could not be sent for {duration}, tried {n} time"
                    | "{bytes} to {theirs} could not be sent for {duration}, tried {n} times"
                        % probes,
                bytes,
                theirs,
                duration
            ),
        }
    }

    /// What to do: `exit` is the command that ends the master, `reopen` the one that ends it and opens another, where its
    /// host is known.
    #[must_use]
    pub fn remedy(&self, exit: &str, reopen: Option<&str>) -> String {
        match (self.judgement, reopen) {
            (Judgement::Stranded(Cause::AddressGone), Some(reopen)) => tr!(
                "bring {address} back, such as by its VPN, or end the master and open another: {command}",
                address = self.connection.local.ip(),
                command = reopen
            ),
            (Judgement::Stranded(Cause::AddressGone), None) => tr!(
                "bring {address} back, such as by its VPN, or end the master: {command}",
                address = self.connection.local.ip(),
                command = exit
            ),
            (Judgement::Stranded(Cause::Unanswered), Some(reopen)) => tr!(
                "end the master and open another: {command}",
                command = reopen
            ),
            (Judgement::Stranded(Cause::Unanswered), None) => exit.to_owned(),
            (Judgement::Suspect(_) | Judgement::Well, _) => tr!(
                "the next answer settles it; if sessions hang: {command}",
                command = exit
            ),
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
        f.write_str(&tr!(
            "round trip {millis} ms, last heard {heard} ago",
            millis = text::millis(numbers.round_trip),
            heard = text::duration(numbers.last_heard())
        ))
    }
}

impl Judgement {
    /// The same in the language of the person.
    #[must_use]
    pub fn word(self) -> String {
        // Translators: what is said of the network behind a master.
        match self {
            Self::Well => tr!("network" => "well"),
            Self::Suspect(_) => tr!("network" => "suspect"),
            Self::Stranded(_) => tr!("network" => "stranded"),
        }
    }

    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Suspect(_) => "suspect",
            Self::Stranded(_) => "stranded",
        }
    }
}

#[cfg(test)]
mod tests;
