//! The texts of a verdict on a master's network.

use std::fmt;
use std::time::Duration;

use tr::tr;

use crate::model::network::{Cause, Doubt, Judgement, Route, Timer, Verdict};
use crate::model::text;

impl Verdict {
    /// Returns what was observed of a doubtful or dead connection, with numbers.
    pub fn problem(&self) -> Option<String> {
        let connection = &self.connection;
        let (ours, theirs) = (connection.local.ip(), connection.remote.ip());
        let heard = text::duration(connection.numbers.last_heard());
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
        let Some(proxy) = &connection.proxy else {
            return Some(evidence);
        };
        let proxy = text::line(proxy);
        Some(tr!("{evidence} (by its proxy, {proxy})", evidence, proxy))
    }

    /// "sent 52 bytes to 10.0.0.1 17 s ago, retransmitted 4 times"
    fn attempts(&self) -> String {
        let numbers = &self.connection.numbers;
        let theirs = self.connection.remote.ip();
        let bytes = text::byte_count(numbers.queued_bytes.into());
        let duration = text::duration(self.unanswered.unwrap_or(Duration::ZERO));
        if numbers.unacked > 0 {
            return tr!(
                "sent {bytes} to {theirs} {duration} ago, retransmitted {n} time"
                    | "sent {bytes} to {theirs} {duration} ago, retransmitted {n} times"
                        % numbers.retransmits,
                bytes,
                theirs,
                duration
            );
        }
        if numbers.timer == Timer::KeepAlive {
            return tr!(
                "{theirs} left {n} keep-alive probe unanswered"
                    | "{theirs} left {n} keep-alive probes unanswered" % numbers.probes,
                theirs
            );
        }
        match self.connection.route {
            Route::None => tr!(
                "{bytes} to {theirs} could not be sent for {duration}, tried {n} time, as there is no route"
                    | "{bytes} to {theirs} could not be sent for {duration}, tried {n} times, as there is no route"
                        % numbers.probes,
                bytes,
                theirs,
                duration
            ),
            Route::Via(_) | Route::Unknown => tr!(
                "{bytes} to {theirs} could not be sent for {duration}, tried {n} time"
                    | "{bytes} to {theirs} could not be sent for {duration}, tried {n} times"
                        % numbers.probes,
                bytes,
                theirs,
                duration
            ),
        }
    }

    /// `exit` is the command that ends the master; `reopen` replaces it, if its host is known.
    pub fn remedy(&self, exit: &str, reopen: Option<&str>) -> String {
        match (self.judgement, reopen) {
            (Judgement::Stranded(Cause::AddressGone), Some(reopen)) => tr!(
                "restore the address {address}, for example with its VPN, or replace the master: {command}",
                address = self.connection.local.ip(),
                command = reopen
            ),
            (Judgement::Stranded(Cause::AddressGone), None) => tr!(
                "restore the address {address}, for example with its VPN, or end the master: {command}",
                address = self.connection.local.ip(),
                command = exit
            ),
            (Judgement::Stranded(Cause::Unanswered), Some(reopen)) => {
                tr!("replace the master: {command}", command = reopen)
            }
            (Judgement::Stranded(Cause::Unanswered), None) => exit.to_owned(),
            (Judgement::Suspect(_) | Judgement::Well, _) => tr!(
                "wait for the next reply; if sessions hang: {command}",
                command = exit
            ),
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
    pub fn word(self) -> String {
        // Translators: the state of the network behind a master.
        match self {
            Self::Well => tr!("network" => "well"),
            Self::Suspect(_) => tr!("network" => "suspect"),
            Self::Stranded(_) => tr!("network" => "stranded"),
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Suspect(_) => "suspect",
            Self::Stranded(_) => "stranded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{connection, judgements};

    fn verdict(judgement: Judgement) -> Verdict {
        let mut connection = connection();
        connection.numbers.queued_bytes = 52;
        connection.numbers.unacked = 1;
        connection.numbers.retransmits = 4;
        connection.numbers.round_trip = Duration::from_micros(6_250);
        Verdict {
            judgement,
            connection,
            unanswered: Some(Duration::from_secs(17)),
            since: None,
            look_again: None,
        }
    }

    #[test]
    fn judgements_have_evidence_and_remedies() {
        let mut verdicts: Vec<Verdict> = judgements().into_iter().map(verdict).collect();
        verdicts.push(Verdict {
            since: Some(Duration::from_secs(40)),
            ..verdict(Judgement::Stranded(Cause::AddressGone))
        });
        let text = |verdict: &Verdict| {
            format!(
                "{}: {}\n    -> {}\n    -> {}",
                verdict.judgement.word(),
                verdict.problem().unwrap_or_else(|| verdict.to_string()),
                verdict.remedy("EXIT", Some("REOPEN")),
                verdict.remedy("EXIT", None),
            )
        };
        let texts: Vec<String> = verdicts.iter().map(text).collect();
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn problems_name_the_packets_without_reply() {
        let with = |timer, probes| {
            let mut verdict = verdict(Judgement::Suspect(Doubt::Unanswered));
            let numbers = &mut verdict.connection.numbers;
            (numbers.unacked, numbers.timer, numbers.probes) = (0, timer, probes);
            verdict
        };
        let mut by_proxy = verdict(Judgement::Suspect(Doubt::Unanswered));
        by_proxy.connection.proxy = Some("nc\n".to_owned());
        let mut no_route = with(Timer::Probe, 1);
        no_route.connection.route = Route::None;
        let verdicts = [
            by_proxy,
            with(Timer::KeepAlive, 1),
            with(Timer::Probe, 2),
            no_route,
        ];
        let problems = verdicts.map(|verdict| verdict.problem().unwrap());
        insta::assert_snapshot!(problems.join("\n"));
    }
}
