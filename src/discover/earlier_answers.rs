//! The answers of ssh before a change of the configuration, which masters that were started then still have.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::config_inputs::ConfigInputs;
use super::file_stamp::Nanoseconds;
use super::host_answer::HostConfig;
use crate::model::control_path::HostAlias;
use crate::model::places::EarlierHost;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EarlierAnswers {
    /// When the configuration was read.
    pub(super) read_at: Nanoseconds,
    /// The last change of its files.
    pub(super) changed_at: Nanoseconds,
    /// For each answer of the record, the time from which it is known to have held.
    pub(super) held_from: Vec<Nanoseconds>,
    pub(super) by_alias: BTreeMap<String, Vec<EarlierAnswer>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EarlierAnswer {
    pub(super) from: Nanoseconds,
    pub(super) until: Nanoseconds,
    pub(super) config: HostConfig,
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
        let all = self.by_alias.into_iter().flat_map(|(alias, earlier)| {
            earlier.into_iter().map(move |answer| EarlierHost {
                from: time(answer.from),
                until: time(answer.until),
                host: answer.config.into_host(HostAlias(alias.clone()), None),
            })
        });
        all.collect()
    }
}

fn now() -> Nanoseconds {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = since_epoch.unwrap_or_default().as_nanos();
    Nanoseconds::try_from(nanoseconds).unwrap_or(Nanoseconds::MAX)
}
