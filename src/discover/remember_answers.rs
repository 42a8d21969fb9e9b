use std::collections::HashMap;

use super::cache::CacheRecord;
use super::earlier_answers::EarlierAnswer;
use super::file_stamp::Nanoseconds;
use super::host_answer::HostAnswer;

/// For each host.
const MAX_EARLIER: usize = 8;

/// A master that is older is not compared.
const MAX_AGE: Nanoseconds = 30 * 24 * 60 * 60 * 1_000_000_000;

impl CacheRecord {
    /// Takes the answers that have changed from the record before this one.
    pub(super) fn remember(&mut self, before: &Self) {
        if self.fingerprint.key != before.fingerprint.key || self.answers.is_empty() {
            return;
        }
        let (old, new) = (&before.earlier, &mut self.earlier);
        let changes = self.fingerprint.inputs.changes();
        // Without a newer file (one was removed, or a variable changed) the time of the change is not known.
        let change = changes.filter(|change| *change > old.changed_at).min();
        let until = change.unwrap_or(old.read_at);
        let held_from = change.map_or(new.read_at, |_| new.changed_at);
        let aliases = before.config.aliases.iter().zip(&before.answers);
        let known: HashMap<&str, (&HostAnswer, Nanoseconds)> = aliases
            .zip(&old.held_from)
            .map(|((alias, answer), from)| (alias.text.as_str(), (answer, *from)))
            .collect();
        let oldest = new.read_at.saturating_sub(MAX_AGE);
        let aliases = self.config.aliases.iter().zip(&self.answers);
        for ((alias, answer), held) in aliases.zip(&mut new.held_from) {
            let Some((old_answer, from)) = known.get(alias.text.as_str()) else {
                continue;
            };
            let earlier = old.by_alias.get(&alias.text);
            let mut earlier = earlier.cloned().unwrap_or_default();
            if *old_answer == answer {
                *held = *from;
            } else {
                *held = held_from;
                if let HostAnswer::Config(config) = old_answer {
                    earlier.push(EarlierAnswer {
                        from: *from,
                        until,
                        config: config.clone(),
                    });
                }
            }
            earlier.retain(|answer| answer.until > oldest && answer.from < answer.until);
            let surplus = earlier.len().saturating_sub(MAX_EARLIER);
            earlier.drain(..surplus);
            if !earlier.is_empty() {
                new.by_alias.insert(alias.text.clone(), earlier);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::discover::discover;
    use crate::discover::test_home::Scratch;
    use crate::model::places::EarlierHost;

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
        // Older than the limit.
        let cache = request.cache.clone().unwrap();
        let mut record = CacheRecord::load(&cache, scratch.environment.known.uid).unwrap();
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
