//! `muxtray test HOST`: from runs that were measured to a verdict, and its words.
//!
//! First [`plan`]: what stands at the host's ControlPath decides whether sessions can go through it, whether a master
//! may be started for them, or what stands in the way. Then [`Trial`]: what came of the runs. It starts nothing itself.

mod words;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tr::tr;

use crate::diagnose::obstacle::{self, Failure, Obstacle};
use crate::model::control_path::ControlPath;
use crate::model::places::Host;
use crate::model::socket::Snapshot;
use crate::model::text;

/// What to do for a multiplexed session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Plan {
    /// A master runs there: open sessions through it.
    Through(ControlPath),
    /// None runs, and a plain ssh would make one: start one for the test, and end it.
    Start(ControlPath),
    /// Neither is possible.
    Blocked(Obstacle),
}

/// Decides how to get multiplexed sessions to a host, as `typed`.
pub fn plan(typed: &str, host: &Host, snapshot: &Snapshot) -> Plan {
    let Some(path) = host.control_path.clone() else {
        return Plan::Blocked(Obstacle::no_control_path(typed));
    };
    match obstacle::standing_at(&path, snapshot) {
        Some(socket) if socket.is_running() => Plan::Through(path),
        Some(socket) => Plan::Blocked(Obstacle::at(socket)),
        None if host.multiplexes => Plan::Start(path),
        None => Plan::Blocked(Obstacle {
            evidence: tr!(
                "ControlMaster is no for {host}, and no master runs at {path}",
                host = text::line(typed),
                path
            ),
            remedy: Some(tr!(
                "put ControlMaster auto into its Host block, or start one: {command}",
                command = "muxtray open"
            )),
        }),
    }
}

/// Runs of one kind, up to the first that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// How long each took that reached the other side.
    pub runs: Vec<Duration>,
    /// Why the next one did not.
    pub failure: Option<Failure>,
}

impl Series {
    /// The one in the middle; of an even number the lower.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        runs.get(runs.len().checked_sub(1)? / 2).copied()
    }

    /// Whether there were runs and all of them went well.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failure.is_none() && !self.runs.is_empty()
    }
}

/// What stood in the way of the multiplexed runs, the nearest first; nothing where they went well.
///
/// `blocked` is why they were not tried, `known` what [`obstacle::findings`] says, `missing` the ControlPath's directory where
/// that does not exist.
#[must_use]
pub fn hindrances(
    blocked: Option<Obstacle>,
    mut known: Vec<Obstacle>,
    missing: Option<&Path>,
    fresh: &Series,
    multiplexed: &Series,
) -> Vec<Obstacle> {
    if multiplexed.is_whole() {
        return Vec::new();
    }
    if let Some(directory) = missing {
        let shown = text::path(directory);
        if !known.iter().any(|known| known.evidence.starts_with(&shown)) {
            known.insert(
                0,
                Obstacle {
                    evidence: tr!(
                        "{path}: the directory of its ControlPath does not exist",
                        path = shown
                    ),
                    remedy: Some(format!(
                        "mkdir -m 700 -p {}",
                        text::shell_word(directory.as_os_str())
                    )),
                },
            );
        }
    }
    if fresh.failure.is_some() && multiplexed.failure.is_some() {
        known.push(Obstacle {
            evidence: tr!("a connection of its own fails, too"),
            remedy: Some(tr!(
                "look at that first: {command} says more",
                command = "ssh -v"
            )),
        });
    }
    blocked.into_iter().chain(known).collect()
}

/// The master that the multiplexed runs went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Master {
    /// There was none.
    None,
    /// One that ran before, and still does.
    Running,
    /// One that was started for the test and has ended again.
    Started,
    /// One that was started for the test and could not be ended: why. It ends by itself, a minute after its last
    /// session.
    Left(String),
}

/// Everything that came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The host, as it was typed.
    pub host: String,
    /// Its ControlPath.
    pub control_path: Option<ControlPath>,
    /// Connections of their own.
    pub fresh: Series,
    /// Sessions through a master.
    pub multiplexed: Series,
    /// Which master that was.
    pub master: Master,
    /// What stood in the way, the nearest first; empty where multiplexing works.
    pub obstacles: Vec<Obstacle>,
}

impl Trial {
    /// Whether sessions were multiplexed, all that were asked for.
    #[must_use]
    pub fn works(&self) -> bool {
        self.multiplexed.is_whole()
    }

    /// How many times as fast a multiplexed session is.
    #[must_use]
    pub fn factor(&self) -> Option<f64> {
        let (fresh, multiplexed) = (self.fresh.median()?, self.multiplexed.median()?);
        (!multiplexed.is_zero()).then(|| fresh.as_secs_f64() / multiplexed.as_secs_f64())
    }

    /// The verdict, for programs.
    #[must_use]
    pub fn report(&self) -> TrialReport {
        TrialReport {
            schema: super::report::SCHEMA,
            host: self.host.clone(),
            control_path: self.control_path.as_ref().map(|path| {
                let path = path.as_path();
                path.to_str()
                    .map_or_else(|| text::path(path), str::to_owned)
            }),
            works: self.works(),
            factor: self.factor().map(tenths),
            fresh: SeriesReport::from(&self.fresh),
            multiplexed: SeriesReport::from(&self.multiplexed),
            master: match self.master {
                Master::None => None,
                Master::Running => Some("running"),
                Master::Started => Some("started"),
                Master::Left(_) => Some("left"),
            },
            obstacles: self.obstacles.clone(),
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// What `test --json` prints. Unknown values are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialReport {
    /// [`super::report::SCHEMA`].
    pub schema: u32,
    /// The host, as it was typed.
    pub host: String,
    /// Its ControlPath.
    pub control_path: Option<String>,
    /// Whether multiplexing works.
    pub works: bool,
    /// How many times as fast a multiplexed session is.
    pub factor: Option<f64>,
    /// Connections of their own.
    pub fresh: SeriesReport,
    /// Sessions through a master.
    pub multiplexed: SeriesReport,
    /// `running` before the test; `started` for it and ended; `left` where that could not be ended.
    pub master: Option<&'static str>,
    /// What stood in the way.
    pub obstacles: Vec<Obstacle>,
}

/// Runs of one kind, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesReport {
    /// Each.
    pub runs_ms: Vec<f64>,
    /// The one in the middle.
    pub median_ms: Option<f64>,
    /// Why the next one failed.
    pub failure: Option<String>,
}

impl From<&Series> for SeriesReport {
    fn from(series: &Series) -> Self {
        let rounded = |run: Duration| tenths(millis(run));
        Self {
            runs_ms: series.runs.iter().copied().map(rounded).collect(),
            median_ms: series.median().map(rounded),
            failure: series.failure.as_ref().map(ToString::to_string),
        }
    }
}

#[cfg(test)]
mod tests;
