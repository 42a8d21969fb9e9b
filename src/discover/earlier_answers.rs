//! The answers of ssh before a change of the configuration, which masters that were started then still have.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::config_contents::Located;
use super::config_inputs::ConfigInputs;
use super::host_answer::HostAnswer;
use crate::model::places::{EarlierHost, Host};
use crate::observe::file_stamp::Nanoseconds;

/// For each host.
const MAX_EARLIER: usize = 8;

/// A master that is older is not compared.
const MAX_AGE: Nanoseconds = 30 * 24 * 60 * 60 * 1_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EarlierAnswers {
    pub(super) read_at: Nanoseconds,
    pub(super) changed_at: Nanoseconds,
    /// For each answer of the record, the time from which it is known to have held.
    pub(super) held_from: Vec<Nanoseconds>,
    pub(super) by_alias: BTreeMap<String, Vec<EarlierAnswer>>,
}

/// The aliases of a configuration, with ssh's answers about them.
pub(super) type Answered<'a> = (&'a [Located<String>], &'a [HostAnswer]);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EarlierAnswer {
    pub(super) from: Nanoseconds,
    pub(super) until: Nanoseconds,
    pub(super) host: Host,
}

impl EarlierAnswers {
    /// For the first reading of a configuration.
    pub(super) fn none(inputs: &ConfigInputs, answers: usize) -> Self {
        let changed_at = inputs.changes().max().unwrap_or(0);
        Self {
            read_at: now(),
            changed_at,
            held_from: vec![changed_at; answers],
            by_alias: BTreeMap::new(),
        }
    }

    pub(super) fn into_hosts(self) -> Vec<EarlierHost> {
        let time = |since_epoch| SystemTime::UNIX_EPOCH + Duration::from_nanos(since_epoch);
        let all = self.by_alias.into_values().flatten();
        all.map(|answer| EarlierHost {
            from: time(answer.from),
            until: time(answer.until),
            host: answer.host,
        })
        .collect()
    }

    /// Takes the answers that have changed from the reading of the configuration before this one, and those about hosts that
    /// were removed.
    pub(super) fn remember(
        &mut self,
        inputs: &ConfigInputs,
        answered: Answered<'_>,
        old: &Self,
        old_answered: Answered<'_>,
    ) {
        let changes = inputs.changes();
        // Without a newer file (one was removed, or a variable changed) the time of the change is not known.
        let change = changes.filter(|change| *change > old.changed_at).min();
        let until = change.unwrap_or(old.read_at);
        let held_from = change.map_or(self.read_at, |_| self.changed_at);
        let aliases = old_answered.0.iter().zip(old_answered.1);
        let mut known: HashMap<&str, (&HostAnswer, Nanoseconds)> = aliases
            .zip(&old.held_from)
            .map(|((alias, answer), from)| (alias.text.as_str(), (answer, *from)))
            .collect();
        let aliases = answered.0.iter().zip(answered.1);
        for ((alias, answer), held) in aliases.zip(&mut self.held_from) {
            let alias = alias.text.as_str();
            match known.get(alias) {
                Some((old_answer, from)) if *old_answer == answer => {
                    *held = *from;
                    known.remove(alias);
                }
                Some(_) => *held = held_from,
                None => {}
            }
        }
        self.by_alias.clone_from(&old.by_alias);
        for (alias, (answer, from)) in known {
            if let HostAnswer::Config(host) = answer {
                let earlier = self.by_alias.entry(alias.to_owned()).or_default();
                earlier.push(EarlierAnswer {
                    from,
                    until,
                    host: Host::clone(host),
                });
            }
        }
        let oldest = self.read_at.saturating_sub(MAX_AGE);
        self.by_alias.retain(|_, earlier| {
            earlier.retain(|answer| answer.until > oldest && answer.from < answer.until);
            while earlier.len() > MAX_EARLIER {
                remove_shortest(earlier);
            }
            !earlier.is_empty()
        });
    }
}

/// Removes the answer that held for the shortest time. Somebody who tries settings makes many, and the master that they are
/// for is older.
fn remove_shortest(earlier: &mut Vec<EarlierAnswer>) {
    let answers = earlier.iter().enumerate();
    let shortest = answers.min_by_key(|(_, answer)| answer.until.saturating_sub(answer.from));
    if let Some((shortest, _)) = shortest {
        earlier.remove(shortest);
    }
}

fn now() -> Nanoseconds {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = since_epoch.unwrap_or_default().as_nanos();
    Nanoseconds::try_from(nanoseconds).unwrap_or(Nanoseconds::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::discover::cache::CacheRecord;
    use crate::discover::discover;
    use crate::discover::test_home::Scratch;

    #[test]
    fn answers_before_a_change_are_kept_with_their_time() {
        let scratch = Scratch::new();
        let ssh = scratch.counting_ssh();
        let config = scratch.path("config");
        let request = scratch.request(&ssh, Some(&config));
        let earlier = |lines: &str| {
            scratch.write("config", format!("Host web\n{lines}ControlPath /s/%C\n"));
            let discovered = discover(&request, &scratch.environment);
            let hosts = &discovered.places.earlier_hosts;
            assert!(hosts.iter().all(|it| it.from < it.until));
            let agent = |it: &EarlierHost| {
                let mut values = it.host.settings.values("forwardagent");
                values.next().unwrap_or_default().to_owned()
            };
            hosts.iter().map(agent).collect::<Vec<String>>().join(" ")
        };
        assert_eq!(earlier(""), "");
        assert_eq!(earlier("# a comment\n"), "");
        assert_eq!(earlier("ForwardAgent yes\n"), "no");
        assert_eq!(earlier("ForwardAgent yes\nRequestTTY no\n"), "no");
        assert_eq!(earlier(""), "no yes");
        for _ in 0..MAX_EARLIER {
            earlier("ForwardAgent yes\n");
            earlier("");
        }
        assert_eq!(earlier("").split(' ').count(), MAX_EARLIER);
        // The one that held for an hour is kept.
        let cache = request.cache.clone().unwrap();
        let load = || CacheRecord::load(&cache, scratch.environment.known.uid).unwrap();
        let mut record = load();
        let long = record.earlier.by_alias.values_mut().flatten().next();
        let from = long.map(|answer| {
            answer.from -= 3600 * 1_000_000_000;
            answer.from
        });
        record.store(&cache).unwrap();
        for _ in 0..MAX_EARLIER {
            earlier("ForwardAgent yes\n");
            earlier("");
        }
        let mut record = load();
        let mut known = record.earlier.by_alias.values().flatten();
        assert!(known.any(|answer| Some(answer.from) == from));
        // Older than the limit.
        for answer in record.earlier.by_alias.values_mut().flatten() {
            answer.until -= MAX_AGE;
            answer.from -= MAX_AGE;
        }
        record.store(&cache).unwrap();
        assert_eq!(earlier("ForwardAgent yes\n"), "no");
        fs::remove_file(&cache).unwrap();
        assert_eq!(earlier("ForwardAgent no\n"), "");
    }
}
