//! The plan and the result of `muxtray test HOST`.

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use tr::tr;
use unicode_width::UnicodeWidthStr as _;

use super::report::{SCHEMA, path_for_json};
use crate::decide::opening;
use crate::diagnose::control_master;
use crate::diagnose::obstacle::{self, Failure, Obstacle};
use crate::model::control_path::ControlPath;
use crate::model::finding::{Finding, FindingId};
use crate::model::places::Host;
use crate::model::socket::Snapshot;
use crate::model::text;

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Plan {
    /// A master runs: use it.
    Through(ControlPath),
    /// A plain ssh would start a master: start one for the test and end it afterwards.
    Start(ControlPath),
    Blocked(Obstacle),
}

/// `open` is the command that starts a master.
pub fn plan(typed: &str, host: &Host, snapshot: &Snapshot, open: &str) -> Plan {
    let Some(path) = host.control_path.clone() else {
        return Plan::Blocked(Obstacle::no_control_path(typed));
    };
    let known = obstacle::findings(typed, host, snapshot);
    let never_shares = |finding: &&&Finding| {
        matches!(
            finding.id,
            FindingId::ControlMasterYes | FindingId::ControlMasterAsk
        )
    };
    if let Some(finding) = known.iter().find(never_shares) {
        return Plan::Blocked(Obstacle::from(*finding));
    }
    if !host.control_master.shares() {
        let id = FindingId::ControlMasterYes;
        return Plan::Blocked(Obstacle {
            evidence: control_master::evidence(id, host.control_master),
            remedy: Some(control_master::remedy(id, "ControlMaster auto")),
        });
    }
    match obstacle::socket_at(&path, snapshot) {
        Some(socket) if socket.is_running() => {
            match obstacle::of_stranger(host, socket, snapshot) {
                Some(obstacle) => Plan::Blocked(obstacle),
                None => Plan::Through(path),
            }
        }
        Some(socket) => Plan::Blocked(Obstacle::at(socket)),
        None if host.control_master.starts_masters() => Plan::Start(path),
        None => Plan::Blocked(Obstacle {
            evidence: tr!(
                "ControlMaster is no for {host}, and no master runs at {path}",
                host = text::line(typed),
                path
            ),
            remedy: Some(opening::with_control_master(open)),
        }),
    }
}

/// Connections of one kind, up to the first failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    pub runs: Vec<Duration>,
    pub failure: Option<Failure>,
}

impl Series {
    /// Of an even number, the lower of the two in the middle.
    pub fn median(&self) -> Option<Duration> {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        runs.get(runs.len().checked_sub(1)? / 2).copied()
    }

    /// Whether there were runs and none failed.
    pub fn is_whole(&self) -> bool {
        self.failure.is_none() && !self.runs.is_empty()
    }
}

/// Returns the obstacles to multiplexing, the most direct first; none if all multiplexed runs succeeded.
///
/// `verbose` is the command for the cause, `blocked` the reason why they were not tried; `known` comes from
/// [`obstacle::findings`].
pub fn obstacles(
    verbose: &str,
    blocked: Option<Obstacle>,
    known: Vec<Obstacle>,
    fresh: &Series,
    multiplexed: &Series,
) -> Vec<Obstacle> {
    if multiplexed.is_whole() {
        return Vec::new();
    }
    let both_fail = || Obstacle {
        evidence: tr!("connections without a master fail, too"),
        remedy: Some(tr!("find the cause with: {command}", command = verbose)),
    };
    let both_fail = (fresh.failure.is_some() && multiplexed.failure.is_some()).then(both_fail);
    let known = known.into_iter().filter(|it| Some(it) != blocked.as_ref());
    let known: Vec<Obstacle> = known.collect();
    blocked.into_iter().chain(known).chain(both_fail).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Master {
    None,
    /// It ran before the test.
    Running,
    /// It was started for the test and has ended.
    Started,
    /// It was started for the test and did not end, for this reason. It ends a minute after its last session.
    Left(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub host: String,
    pub control_path: Option<ControlPath>,
    /// Connections without a master.
    pub fresh: Series,
    /// Sessions through a master.
    pub multiplexed: Series,
    pub master: Master,
    /// The most direct first; empty if multiplexing works.
    pub obstacles: Vec<Obstacle>,
}

impl Trial {
    pub fn works(&self) -> bool {
        self.multiplexed.is_whole()
    }

    /// The time of a fresh connection divided by that of a multiplexed one.
    fn factor(&self) -> Option<f64> {
        let (fresh, multiplexed) = (self.fresh.median()?, self.multiplexed.median()?);
        (!multiplexed.is_zero()).then(|| fresh.as_secs_f64() / multiplexed.as_secs_f64())
    }

    /// Returns the result for the terminal.
    pub fn lines(&self) -> Vec<String> {
        let host = text::line(&self.host);
        // Translators: connections without a master, and sessions through one.
        let (fresh, multiplexed) = (tr!("fresh:"), tr!("multiplexed:"));
        let width = fresh.width().max(multiplexed.width());
        let row = |name: String, series: &Series| {
            let blanks = " ".repeat(width - name.width());
            format!("{name}{blanks}  {}", series_words(series))
        };
        let mut lines = vec![row(fresh, &self.fresh)];
        if self.multiplexed != Series::default() {
            lines.push(row(multiplexed, &self.multiplexed));
        }
        let shown = |factor: f64| text::number(format_args!("{factor:.1}"));
        lines.push(match self.factor() {
            _ if !self.works() => tr!("multiplexing does not work for {host}", host),
            Some(factor) if factor >= 1.0 => tr!(
                "multiplexing works for {host}: {factor} times as fast",
                host,
                factor = shown(factor)
            ),
            Some(factor) => tr!(
                "multiplexing works for {host}, but is not faster: {factor} times as fast",
                host,
                factor = shown(factor)
            ),
            None => tr!("multiplexing works for {host}", host),
        });
        for Obstacle { evidence, remedy } in &self.obstacles {
            lines.push(format!("    {evidence}"));
            lines.extend(remedy.iter().map(|it| format!("    {}", text::remedy(it))));
        }
        match &self.master {
            Master::None | Master::Running => {}
            Master::Started => lines.push(tr!(
                "no master was running; one was started for the test and has ended"
            )),
            Master::Left(why) => lines.push(tr!(
                "the master that was started for the test did not end: {why}; it ends a minute after its last session",
                why
            )),
        }
        lines
    }
}

/// Unknown values are null.
impl Serialize for Trial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let master = match self.master {
            Master::None => None,
            Master::Running => Some("running"),
            Master::Started => Some("started"),
            Master::Left(_) => Some("left"),
        };
        let path = self.control_path.as_ref().map(path_for_json);
        let mut report = serializer.serialize_struct("Trial", 9)?;
        report.serialize_field("schema", &SCHEMA)?;
        report.serialize_field("host", &self.host)?;
        report.serialize_field("control_path", &path)?;
        report.serialize_field("works", &self.works())?;
        report.serialize_field("factor", &self.factor().map(tenths))?;
        report.serialize_field("fresh", &self.fresh)?;
        report.serialize_field("multiplexed", &self.multiplexed)?;
        report.serialize_field("master", &master)?;
        report.serialize_field("obstacles", &self.obstacles)?;
        report.end()
    }
}

impl Serialize for Series {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = |run: &Duration| tenths(run.as_secs_f64() * 1000.0);
        let runs: Vec<f64> = self.runs.iter().map(millis).collect();
        let failure = self.failure.as_ref().map(ToString::to_string);
        let mut report = serializer.serialize_struct("Series", 3)?;
        report.serialize_field("runs_ms", &runs)?;
        report.serialize_field("median_ms", &self.median().as_ref().map(millis))?;
        report.serialize_field("failure", &failure)?;
        report.end()
    }
}

/// `3 runs, median 212.0 ms (208.1 to 230.9 ms)`
fn series_words(series: &Series) -> String {
    let Series { runs, failure } = series;
    let words = series.median().map(|median| {
        let time = |run: Option<&Duration>| text::millis(run.copied().unwrap_or_default());
        tr!(
            "{n} run, median {median} ms ({least} to {most} ms)"
                | "{n} runs, median {median} ms ({least} to {most} ms)" % runs.len(),
            median = text::millis(median),
            least = time(runs.iter().min()),
            most = time(runs.iter().max())
        )
    });
    match (words, failure) {
        (Some(runs), Some(failure)) => tr!("{runs}; then {failure}", runs, failure),
        (Some(words), None) => words,
        (None, Some(failure)) => failure.to_string(),
        (None, None) => String::new(),
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{Connect, Observation};
    use crate::model::places::ControlMaster;
    use crate::model::samples::{observation, path, places, running, seen};

    #[test]
    fn the_socket_at_the_control_path_decides_the_plan() {
        let stale = Observation {
            connect: Some(Connect::Refused),
            ..observation()
        };
        let host = |control_master, has_path: bool| Host {
            control_master,
            control_path: has_path.then(|| path("/s/u@h-22")),
            ..places().hosts.remove(0)
        };
        let shown = |plan| match plan {
            Plan::Through(path) => format!("through {path}"),
            Plan::Start(path) => format!("start {path}"),
            Plan::Blocked(obstacle) => obstacle.evidence,
        };
        let plans = [
            (ControlMaster::No, true, vec![running()]),
            (ControlMaster::Auto, true, vec![stale]),
            (ControlMaster::Auto, true, vec![]),
            (ControlMaster::No, true, vec![]),
            (ControlMaster::Auto, false, vec![running()]),
            (ControlMaster::Yes, true, vec![running()]),
        ]
        .map(|(kind, has_path, found)| {
            plan(
                "web",
                &host(kind, has_path),
                &seen(found),
                "muxtray open web",
            )
        });
        insta::assert_snapshot!(plans.map(shown).join("\n"));
    }

    fn series(millis: &[u64], failure: Option<Failure>) -> Series {
        Series {
            runs: millis.iter().copied().map(Duration::from_millis).collect(),
            failure,
        }
    }

    fn refused(millis: &[u64]) -> Series {
        series(millis, Some(Failure::Refused(None)))
    }

    fn trial(fresh: Series, multiplexed: Series, master: Master) -> Trial {
        let blocked = multiplexed.runs.is_empty();
        let blocked = blocked.then(|| Obstacle::no_control_path("web"));
        Trial {
            host: "web".to_owned(),
            control_path: Some(path("/s/u@h-22")),
            obstacles: obstacles("ssh -v web", blocked, Vec::new(), &fresh, &multiplexed),
            fresh,
            multiplexed,
            master,
        }
    }

    #[test]
    fn results_as_text() {
        let fast = || series(&[11, 10, 12], None);
        let slow = || series(&[208, 231, 212], None);
        let timed_out = Failure::TimedOut(Duration::from_secs(15), None);
        let texts = [
            trial(slow(), fast(), Master::Started),
            trial(series(&[9, 1], None), slow(), Master::Running),
            trial(refused(&[]), fast(), Master::Running),
            trial(slow(), series(&[0], None), Master::Running),
            trial(slow(), Series::default(), Master::None),
            trial(refused(&[]), refused(&[]), Master::None),
            trial(
                slow(),
                series(&[11], Some(timed_out)),
                Master::Left("it has 1 session open".to_owned()),
            ),
        ]
        .map(|trial| trial.lines().join("\n"));
        insta::assert_snapshot!(texts.join("\n\n"));
    }

    #[test]
    fn results_as_json() {
        let fresh = series(&[208, 231, 212], None);
        let trial = trial(fresh, refused(&[10]), Master::Started);
        insta::assert_snapshot!(serde_json::to_string_pretty(&trial).unwrap());
    }
}
