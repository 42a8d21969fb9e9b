//! The plan and the result of `muxtray test HOST`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tr::tr;
use unicode_width::UnicodeWidthStr as _;

use crate::diagnose::obstacle::{self, Failure, Obstacle};
use crate::model::control_path::ControlPath;
use crate::model::places::Host;
use crate::model::socket::Snapshot;
use crate::model::text;

/// The way to a multiplexed session.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Plan {
    /// A master runs: use it.
    Through(ControlPath),
    /// A plain ssh would start a master: start one for the test and end it afterwards.
    Start(ControlPath),
    Blocked(Obstacle),
}

/// Plans multiplexed sessions to a host that the user named as `typed`.
pub fn plan(typed: &str, host: &Host, snapshot: &Snapshot) -> Plan {
    let Some(path) = host.control_path.clone() else {
        return Plan::Blocked(Obstacle::no_control_path(typed));
    };
    match obstacle::socket_at(&path, snapshot) {
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

/// Connections of one kind, up to the first failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// The times of the successful ones.
    pub runs: Vec<Duration>,
    pub failure: Option<Failure>,
}

impl Series {
    /// Of an even number, the lower of the two in the middle.
    #[must_use]
    pub fn median(&self) -> Option<Duration> {
        let mut runs = self.runs.clone();
        runs.sort_unstable();
        runs.get(runs.len().checked_sub(1)? / 2).copied()
    }

    /// Whether there were runs and none failed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.failure.is_none() && !self.runs.is_empty()
    }
}

/// Returns the obstacles to multiplexing, the most direct first; none if all multiplexed runs succeeded.
///
/// `blocked` is the reason why they were not tried, `known` comes from [`obstacle::findings`], and `missing` is the
/// directory of the ControlPath if it does not exist.
#[must_use]
pub fn obstacles(
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
            evidence: tr!("connections without a master fail, too"),
            remedy: Some(tr!("find the cause with: {command}", command = "ssh -v")),
        });
    }
    blocked.into_iter().chain(known).collect()
}

/// The master of the multiplexed runs.
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

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// As the user typed it.
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
    #[must_use]
    pub fn works(&self) -> bool {
        self.multiplexed.is_whole()
    }

    /// The time of a fresh connection divided by that of a multiplexed one.
    #[must_use]
    pub fn factor(&self) -> Option<f64> {
        let (fresh, multiplexed) = (self.fresh.median()?, self.multiplexed.median()?);
        (!multiplexed.is_zero()).then(|| fresh.as_secs_f64() / multiplexed.as_secs_f64())
    }

    /// Returns the result for the terminal.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let host = text::line(&self.host);
        // Translators: connections without a master, and sessions through one.
        let names = [tr!("fresh:"), tr!("multiplexed:")];
        let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let row = |name: &str, series: &Series| {
            let blanks = " ".repeat(width - name.width());
            format!("{name}{blanks}  {}", series_words(series))
        };
        let [fresh, multiplexed] = &names;
        let mut lines = vec![row(fresh, &self.fresh)];
        if self.multiplexed != Series::default() {
            lines.push(row(multiplexed, &self.multiplexed));
        }
        lines.push(match self.factor() {
            Some(factor) if self.works() && factor >= 1.0 => {
                tr!(
                    "multiplexing works for {host}: {factor} times as fast",
                    host,
                    factor = text::number(format_args!("{factor:.1}"))
                )
            }
            Some(factor) if self.works() => tr!(
                "multiplexing works for {host}, but is not faster: {factor} times as fast",
                host,
                factor = text::number(format_args!("{factor:.1}"))
            ),
            None if self.works() => tr!("multiplexing works for {host}", host),
            Some(_) | None => tr!("multiplexing does not work for {host}", host),
        });
        for obstacle in &self.obstacles {
            lines.push(format!("    {}", obstacle.evidence));
            lines.extend(
                obstacle
                    .remedy
                    .iter()
                    .map(|remedy| format!("    \u{2192} {remedy}")),
            );
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

    /// Returns the result for JSON.
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

/// `3 runs, median 212.0 ms (208.1 to 230.9 ms)`
fn series_words(series: &Series) -> String {
    let least_and_most = series.runs.iter().min().zip(series.runs.iter().max());
    let runs = series
        .median()
        .zip(least_and_most)
        .map(|(median, (least, most))| {
            tr!(
                "{n} run, median {median} ms ({least} to {most} ms)"
                    | "{n} runs, median {median} ms ({least} to {most} ms)" % series.runs.len(),
                median = text::millis(median),
                least = text::millis(*least),
                most = text::millis(*most)
            )
        });
    match (runs, &series.failure) {
        (Some(runs), Some(failure)) => tr!("{runs}; then {failure}", runs, failure),
        (Some(words), None) => words,
        (None, failure) => failure
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// The JSON of `test`. Unknown values are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrialReport {
    pub schema: u32,
    pub host: String,
    pub control_path: Option<String>,
    pub works: bool,
    pub factor: Option<f64>,
    pub fresh: SeriesReport,
    pub multiplexed: SeriesReport,
    /// `running` before the test; `started` for it and ended; `left` if it did not end.
    pub master: Option<&'static str>,
    pub obstacles: Vec<Obstacle>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesReport {
    pub runs_ms: Vec<f64>,
    pub median_ms: Option<f64>,
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
mod tests {
    use super::*;
    use crate::model::observation::{Connect, Observation};
    use crate::model::samples::{observation, path, places, running, seen};

    fn host() -> Host {
        places().hosts.remove(0)
    }

    #[test]
    fn the_socket_at_the_control_path_decides_the_plan() {
        let stale = Observation {
            connect: Some(Connect::Refused),
            ..observation()
        };
        let not_multiplexed = Host {
            multiplexes: false,
            ..host()
        };
        let without_path = Host {
            control_path: None,
            ..host()
        };
        let shown = |plan| match plan {
            Plan::Through(path) => format!("through {path}"),
            Plan::Start(path) => format!("start {path}"),
            Plan::Blocked(obstacle) => obstacle.evidence,
        };
        for (host, observations, expected) in [
            (&not_multiplexed, vec![running()], "through /s/u@h-22"),
            (&host(), vec![stale], "/s/u@h-22 is stale: "),
            (&host(), vec![], "start /s/u@h-22"),
            (&not_multiplexed, vec![], "ControlMaster is no for web"),
            (
                &without_path,
                vec![running()],
                "ssh has no ControlPath for web",
            ),
        ] {
            let plan = shown(plan("web", host, &seen(observations)));
            assert!(plan.starts_with(expected), "{expected}: {plan}");
        }
    }

    fn series(millis: &[u64], failure: Option<Failure>) -> Series {
        Series {
            runs: millis.iter().copied().map(Duration::from_millis).collect(),
            failure,
        }
    }

    fn denied() -> Option<Failure> {
        let line = "Permission denied (publickey).".to_owned();
        Some(Failure::Refused(Some(line)))
    }

    fn trial(fresh: Series, multiplexed: Series, master: Master) -> Trial {
        let blocked = multiplexed.runs.is_empty().then(|| Obstacle {
            evidence: "ControlMaster is no".to_owned(),
            remedy: Some("put ControlMaster auto into its Host block".to_owned()),
        });
        Trial {
            host: "web".to_owned(),
            control_path: Some(path("/s/u@h-22")),
            obstacles: obstacles(blocked, Vec::new(), None, &fresh, &multiplexed),
            fresh,
            multiplexed,
            master,
        }
    }

    #[test]
    fn the_lower_median_counts() {
        for (millis, median) in [(&[][..], None), (&[9, 1], Some(1)), (&[9, 1, 5], Some(5))] {
            let median = median.map(Duration::from_millis);
            assert_eq!(series(millis, None).median(), median);
        }
    }

    #[test]
    fn a_series_is_whole_with_runs_and_without_failure() {
        for (series, is_whole) in [
            (series(&[], None), false),
            (series(&[1], None), true),
            (series(&[1], denied()), false),
        ] {
            assert_eq!(series.is_whole(), is_whole, "{series:?}");
        }
    }

    #[test]
    fn results_as_text() {
        let fast = || series(&[11, 10, 12], None);
        let slow = || series(&[208, 231, 212], None);
        let timed_out = Failure::TimedOut(Duration::from_secs(15), None);
        let texts = [
            trial(slow(), fast(), Master::Started),
            trial(fast(), slow(), Master::Running),
            trial(series(&[], denied()), fast(), Master::Running),
            trial(slow(), Series::default(), Master::None),
            trial(series(&[], denied()), series(&[], denied()), Master::None),
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
        let report = trial(fresh, series(&[10], denied()), Master::Started).report();
        insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
        for (fresh, multiplexed, factor) in [
            (&[200][..], &[30][..], Some(6.7)),
            (&[200], &[0], None),
            (&[], &[10], None),
        ] {
            let trial = trial(series(fresh, None), series(multiplexed, None), Master::None);
            assert_eq!(trial.report().factor, factor, "{fresh:?} {multiplexed:?}");
        }
    }

    #[test]
    fn obstacles_are_the_most_direct_first_and_each_once() {
        let obstacle = |evidence: &str| Obstacle {
            evidence: evidence.to_owned(),
            remedy: None,
        };
        let (whole, failed) = (series(&[1], None), series(&[], denied()));
        let missing = "/a b: the directory of its ControlPath does not exist";
        for (known, fresh, multiplexed, expected) in [
            (
                "/t: known",
                &whole,
                &failed,
                &["blocked", missing, "/t: known"][..],
            ),
            ("/a b: known", &whole, &failed, &["blocked", "/a b: known"]),
            (
                "/a b: known",
                &failed,
                &failed,
                &[
                    "blocked",
                    "/a b: known",
                    "connections without a master fail, too",
                ],
            ),
            ("/t: known", &whole, &whole, &[]),
        ] {
            let all = obstacles(
                Some(obstacle("blocked")),
                vec![obstacle(known)],
                Some(Path::new("/a b")),
                fresh,
                multiplexed,
            );
            let evidence: Vec<&str> = all.iter().map(|it| it.evidence.as_str()).collect();
            assert_eq!(evidence, expected);
        }
    }
}
