//! Runs `ssh -G` for each host; the only place that does.
//!
//! It takes some milliseconds a host and runs the `Match exec` commands of the configuration, so the answers are cached,
//! and no timer leads here.

use std::ffi::OsStr;
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::bounded_command::{self, Failure};
use super::host_answer::{HostAnswer, HostConfig, QueryFailure, Rejection};
use crate::model::places::is_local_name;
use crate::model::text;
use crate::transient_error::is_transient;
use crate::unconfined::{self, Lifetime};

/// The limit for one `ssh -G`; in tests, which run in parallel, it only has to be finite.
const DEADLINE: Duration = Duration::from_secs(if cfg!(test) { 30 } else { 2 });

/// The limit for all hosts together.
const DEADLINE_OF_ALL: Duration = Duration::from_secs(30);

/// After so many failures the remaining hosts are skipped: a `Match exec` or a name server that hangs for one host mostly
/// hangs for all.
const MAX_FAILURES: usize = 4;

const MAX_PARALLEL: usize = 8;

/// Called while ssh is asked, by several threads: the number of hosts with an answer, and of all hosts.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

#[derive(Debug, Clone, Copy)]
pub(super) struct SshQuery<'a> {
    program: &'a Path,
    /// The argument of `-F`.
    config: Option<&'a Path>,
    deadline: Duration,
}

impl<'a> SshQuery<'a> {
    pub(super) fn new(program: &'a Path, config: Option<&'a Path>) -> Self {
        Self {
            program,
            config,
            deadline: DEADLINE,
        }
    }

    /// Runs ssh for every alias, some in parallel. Returns the answers in the order of the aliases.
    ///
    /// # Errors
    /// The system's message if ssh cannot be started.
    pub(super) fn ask(
        &self,
        aliases: &[&str],
        progress: Progress<'_>,
    ) -> Result<Vec<HostAnswer>, String> {
        let parallel = thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(MAX_PARALLEL)
            .min(aliases.len());
        let end = Instant::now() + DEADLINE_OF_ALL;
        let queue = Mutex::new(aliases.iter().enumerate());
        let next = || queue.lock().ok()?.next();
        let start_error = OnceLock::new();
        let failures = AtomicUsize::new(0);
        let answered = AtomicUsize::new(0);
        let hosts = aliases.iter().filter(|alias| !is_local_name(alias)).count();
        let answers = Mutex::new(Vec::with_capacity(aliases.len()));
        let work = || {
            while start_error.get().is_none()
                && let Some((index, alias)) = next()
            {
                let is_skipped =
                    failures.load(Ordering::Relaxed) >= MAX_FAILURES || Instant::now() >= end;
                let answer = if is_skipped {
                    HostAnswer::Failed(QueryFailure::Skipped)
                } else {
                    match self.ask_one(alias) {
                        Ok(answer) => answer,
                        Err(error) => return drop(start_error.set(error)),
                    }
                };
                if matches!(answer, HostAnswer::Failed(_)) {
                    failures.fetch_add(1, Ordering::Relaxed);
                }
                if let Ok(mut answers) = answers.lock() {
                    answers.push((index, answer));
                }
                if !is_local_name(alias) {
                    progress(answered.fetch_add(1, Ordering::Relaxed) + 1, hosts);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..parallel {
                // If the system has no more threads, this one does the work.
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        if let Some(error) = start_error.into_inner() {
            return Err(error);
        }
        let mut answers = answers.into_inner().unwrap_or_default();
        answers.sort_by_key(|(index, _)| *index);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    fn ask_one(&self, alias: &str) -> Result<HostAnswer, String> {
        let mut command = Command::new(self.program);
        if let Some(config) = self.config {
            command.arg("-F").arg(config);
        }
        command.arg("-G").arg("--").arg(alias);
        let command = unconfined::command(command, Lifetime::Limited(self.deadline));
        let failure = match bounded_command::run(command, self.deadline) {
            Ok(output) if output.status.success() => {
                return Ok(HostAnswer::Config(HostConfig::parse(&output.stdout)));
            }
            Ok(output) => {
                return Ok(HostAnswer::Rejected(match error_message(&output.stderr) {
                    Some(message) => Rejection::Message(message),
                    None => Rejection::NoMessage(output.status.to_string()),
                }));
            }
            Err(Failure::NotStarted(error)) if !is_transient(&error) => {
                return Err(text::line(&error.to_string()));
            }
            Err(Failure::NotStarted(error) | Failure::Pipe(error)) => {
                QueryFailure::NoResources(text::line(&error.to_string()))
            }
            Err(Failure::TimedOut) => QueryFailure::TimedOut(self.deadline),
            Err(Failure::TooMuchOutput) => QueryFailure::TooMuchOutput,
        };
        Ok(HostAnswer::Failed(failure))
    }
}

/// Returns the line of ssh's error output that names the cause, escaped: the last one that does not just follow from
/// another.
#[must_use]
pub fn error_message(stderr: &[u8]) -> Option<String> {
    const CONSEQUENCES: [&[u8]; 4] = [
        b"Pseudo-terminal will not be allocated",
        b"percent_dollar_expand: failed",
        b"invalid environment variable expansion",
        b": terminating, ",
    ];
    let lines = || {
        stderr
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .filter(|line| !line.trim_ascii().is_empty())
    };
    let is_cause = |line: &&[u8]| {
        !CONSEQUENCES
            .iter()
            .any(|text| line.windows(text.len()).any(|part| part == *text))
    };
    lines()
        .rfind(is_cause)
        .or_else(|| lines().next_back())
        .map(|line| text::os(OsStr::from_bytes(&line[..line.len().min(500)])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::test_home::Scratch;
    use crate::model::control_path::HostAlias;

    fn with_short_deadline(program: &Path) -> SshQuery<'_> {
        SshQuery {
            deadline: Duration::from_millis(50),
            ..SshQuery::new(program, None)
        }
    }

    #[test]
    fn finds_the_cause_in_error_output() {
        for (stderr, expected) in [
            (
                &b"Pseudo-terminal will not be allocated because stdin is not a terminal.\r\n\
                   f: line 3: Bad configuration option: x\nf: terminating, 1 bad configuration options\n"[..],
                Some("f: line 3: Bad configuration option: x"),
            ),
            (
                b"vdollar_percent_expand: unknown key %z\npercent_dollar_expand: failed\n",
                Some("vdollar_percent_expand: unknown key %z"),
            ),
            (
                b"percent_dollar_expand: failed\n",
                Some("percent_dollar_expand: failed"),
            ),
            (b"a\x1b[31m\n\n", Some("a\\u{1b}[31m")),
            (b"", None),
        ] {
            assert_eq!(error_message(stderr).as_deref(), expected);
        }
    }

    #[test]
    fn answers_are_in_the_order_of_the_hosts() {
        let scratch = Scratch::new();
        let config = scratch.write("config", "Host web\nHostname h.example.org\n");
        let answers = SshQuery::new(Path::new("ssh"), Some(&config))
            .ask(&["web", "plain", "web", "-x"], &|_, _| {})
            .unwrap();
        let hosts = [&answers[0], &answers[1]].map(|answer| match answer {
            HostAnswer::Config(config) => {
                let host = config.clone().into_host(HostAlias("x".to_owned()), None);
                host.destination.host
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(hosts, ["h.example.org", "plain"]);
        assert_eq!(answers[2], answers[0]);
        // ssh does not read the name as an option, whether or not it accepts it.
        assert!(!matches!(&answers[3], HostAnswer::Failed(_)));
    }

    #[test]
    fn skips_hosts_after_several_timeouts() {
        let scratch = Scratch::new();
        let program = scratch.program("ssh", "exec sleep 60");
        let started = Instant::now();
        let answers = with_short_deadline(&program)
            .ask(&["web"; 100], &|_, _| {})
            .unwrap();
        assert!(started.elapsed() < Duration::from_secs(30));
        let count = |failure| {
            let answer = HostAnswer::Failed(failure);
            answers.iter().filter(|seen| **seen == answer).count()
        };
        let asked = count(QueryFailure::TimedOut(Duration::from_millis(50)));
        assert_eq!(count(QueryFailure::Skipped) + asked, 100);
        assert!(
            (MAX_FAILURES..MAX_FAILURES + MAX_PARALLEL).contains(&asked),
            "{asked}"
        );
    }

    #[test]
    fn reports_a_program_that_cannot_be_started() {
        let scratch = Scratch::new();
        for program in [scratch.path("missing"), scratch.write("no-program", "x")] {
            let query = with_short_deadline(&program);
            assert!(query.ask(&["a", "b"], &|_, _| {}).is_err());
        }
        let query = with_short_deadline(Path::new("/nonexistent"));
        assert_eq!(query.ask(&[], &|_, _| {}), Ok(vec![]));
    }
}
