//! Runs `ssh -G` for each host; the only place that does.
//!
//! It takes some milliseconds a host and runs the `Match exec` commands of the configuration, so the answers are cached,
//! and no timer leads here.

use std::ffi::OsStr;
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::host_answer::{HostAnswer, QueryFailure, Rejection, parse_host};
use crate::bounded_command::{self, BoundedCommand, Failure, Output};
use crate::model::control_path::{HostAlias, ssh_arguments};
use crate::model::places::is_local_name;
use crate::model::text;
use crate::transient_error::is_transient;
use crate::unconfined::{self, Lifetime};

/// The limit for one `ssh -G`; in tests, which run in parallel, it only has to be finite.
const DEADLINE: Duration = Duration::from_secs(if cfg!(test) { 30 } else { 2 });

const DEADLINE_OF_ALL: Duration = Duration::from_secs(60);

/// After so many failures without an answer between them the remaining hosts are skipped: a `Match exec` or a name server
/// that hangs for so many hosts mostly hangs for all.
const MAX_FAILURES: usize = 64;

/// An `ssh -G` that takes longer waits for something, mostly for a `Match exec`, and does not hold up the others.
const SLOW: Duration = Duration::from_millis(200);

/// The limit for all that run at a time, also slow ones.
const MAX_RUNNING: usize = 32;

/// Called while ssh is asked: the number of hosts with an answer, and of all hosts.
pub type Progress<'a> = &'a dyn Fn(usize, usize);

#[derive(Debug, Clone, Copy)]
pub(super) struct SshQuery<'a> {
    program: &'a Path,
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
        // Two for each processor: one may wait for the disk, a name server or muxtray.
        let parallel = 2 * thread::available_parallelism().map_or(1, NonZero::get);
        let end = Instant::now() + DEADLINE_OF_ALL;
        let hosts = aliases.iter().filter(|alias| !is_local_name(alias)).count();
        let mut answered = 0;
        let mut failures = 0;
        let mut answers = vec![HostAnswer::Failed(QueryFailure::Skipped); aliases.len()];
        let mut note = |index: usize, answer: HostAnswer| {
            failures = match answer {
                HostAnswer::Config(_)
                | HostAnswer::Rejected(_)
                | HostAnswer::Failed(QueryFailure::NotResolved(_)) => 0,
                HostAnswer::Failed(_) => failures + 1,
            };
            answers[index] = answer;
            if !is_local_name(aliases[index]) {
                answered += 1;
                progress(answered, hosts);
            }
            failures < MAX_FAILURES
        };
        let mut queue = aliases.iter().enumerate().peekable();
        let mut running: Vec<(usize, BoundedCommand)> = Vec::new();
        let mut goes_on = true;
        loop {
            let fast = |running: &[(usize, BoundedCommand)]| {
                let ages = running.iter().map(|(_, command)| command.age());
                ages.filter(|age| *age < SLOW).count()
            };
            while goes_on
                && running.len() < MAX_RUNNING
                && fast(&running) < parallel
                && let Some((index, alias)) = queue.peek().copied()
            {
                match BoundedCommand::start(self.command(alias), self.deadline) {
                    Ok(command) => running.push((index, command)),
                    Err(Failure::NotStarted(error)) if !is_transient(&error) => {
                        return Err(text::line(&error.to_string()));
                    }
                    // Those that run may give back what has run out.
                    Err(_) if !running.is_empty() => break,
                    Err(failure) => goes_on = note(index, self.answer(alias, Err(failure))),
                }
                queue.next();
            }
            if running.is_empty() {
                return Ok(answers);
            }
            bounded_command::wait(running.iter().map(|(_, command)| command));
            running.retain_mut(|(index, command)| {
                let result = command.proceed();
                let has_ended = result.is_some();
                if let Some(result) = result {
                    goes_on = note(*index, self.answer(aliases[*index], result));
                }
                !has_ended
            });
            goes_on &= Instant::now() < end;
        }
    }

    fn command(&self, alias: &str) -> Command {
        let mut command = Command::new(self.program);
        if let Some(config) = self.config {
            command.arg("-F").arg(config);
        }
        command.arg("-G").args(ssh_arguments(alias));
        unconfined::command(command, Lifetime::Limited(self.deadline))
    }

    fn answer(&self, alias: &str, result: Result<Output, Failure>) -> HostAnswer {
        let failure = match result {
            Ok(output) if output.status.success() => {
                let host = parse_host(HostAlias(alias.to_owned()), &output.stdout);
                // Every answer of an ssh names the host.
                return if host.destination.host.is_empty() {
                    HostAnswer::Rejected(Rejection::NoConfiguration)
                } else {
                    HostAnswer::Config(Box::new(host))
                };
            }
            Ok(output) => {
                return match error_message(&output.stderr) {
                    // main() in ssh.c, with CanonicalizeFallbackLocal no.
                    Some(message) if message.contains("Could not resolve host \"") => {
                        HostAnswer::Failed(QueryFailure::NotResolved(message))
                    }
                    Some(message) => HostAnswer::Rejected(Rejection::Message(message)),
                    None => {
                        let status = output.status.to_string();
                        HostAnswer::Rejected(Rejection::NoMessage(status))
                    }
                };
            }
            Err(Failure::NotStarted(error) | Failure::Pipe(error)) => {
                QueryFailure::NoResources(text::line(&error.to_string()))
            }
            Err(Failure::TimedOut) => QueryFailure::TimedOut(self.deadline),
            Err(Failure::TooMuchOutput) => QueryFailure::TooMuchOutput,
        };
        HostAnswer::Failed(failure)
    }
}

/// Before the option, in a line of ssh's error output.
pub(super) const UNKNOWN_OPTION: &str = ": Bad configuration option: ";

/// The most unknown options that a message names.
const MAX_OPTIONS: usize = 8;

/// Returns the line of ssh's error output that names the cause, escaped: the last one that does not just follow from
/// another, with a line before it that names an unknown algorithm or condition. Unknown options are named together.
pub fn error_message(stderr: &[u8]) -> Option<String> {
    /// ssh goes on after these.
    const NOTES: [&[u8]; 2] = [
        b"Pseudo-terminal will not be allocated",
        b": Unsupported option \"",
    ];
    const CONSEQUENCES: [&[u8]; 3] = [
        b"percent_dollar_expand: failed",
        b"invalid environment variable expansion",
        b": terminating, ",
    ];
    const DETAIL: &[u8] = b"Unsupported ";
    let has = |line: &[u8], texts: &[&[u8]]| {
        let contains = |text: &&[u8]| line.windows(text.len()).any(|part| part == *text);
        texts.iter().any(contains)
    };
    let lines: Vec<&[u8]> = stderr
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .filter(|line| !line.trim_ascii().is_empty() && !has(line, &NOTES))
        .collect();
    let shown = |line: &[u8]| text::os(OsStr::from_bytes(&line[..line.len().min(500)]));
    let cause = lines.iter().rposition(|line| !has(line, &CONSEQUENCES));
    let cause = cause.or(lines.len().checked_sub(1))?;
    let message = shown(lines[cause]);
    if message.contains(UNKNOWN_OPTION) {
        let all = lines.iter().map(|line| shown(line));
        let unknown = all.filter(|line| line.contains(UNKNOWN_OPTION));
        return Some(unknown.take(MAX_OPTIONS).collect::<Vec<_>>().join(", "));
    }
    let before = cause.checked_sub(1).map(|before| lines[before]);
    Some(match before.filter(|line| line.starts_with(DETAIL)) {
        Some(detail) => format!("{message} ({})", shown(detail)),
        None => message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::test_home::Scratch;

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
                b"f: line 1: Bad configuration option: x\nf: line 2: Bad configuration option: y\nf: terminating, 2 bad\n",
                Some("f: line 1: Bad configuration option: x, f: line 2: Bad configuration option: y"),
            ),
            (
                b"vdollar_percent_expand: unknown key %z\npercent_dollar_expand: failed\n",
                Some("vdollar_percent_expand: unknown key %z"),
            ),
            (
                b"percent_dollar_expand: failed\n",
                Some("percent_dollar_expand: failed"),
            ),
            (
                b"Unsupported KEX algorithm \"x\"\nf line 1: Bad SSH2 KexAlgorithms 'x'.\nf: terminating, 1 bad\n",
                Some("f line 1: Bad SSH2 KexAlgorithms 'x'. (Unsupported KEX algorithm \"x\")"),
            ),
            // A build without GSSAPI ignores the option.
            (
                b"ssh: connect to host h port 22: No route to host\r\nf line 1: Unsupported option \"gssapiauthentication\"\r\n",
                Some("ssh: connect to host h port 22: No route to host"),
            ),
            (b"f line 1: Unsupported option \"gssapiauthentication\"\n", None),
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
            HostAnswer::Config(host) => &host.destination.host,
            other => panic!("{other:?}"),
        });
        assert_eq!(hosts, ["h.example.org", "plain"]);
        // ssh does not read the name as an option, whether or not it accepts it.
        assert!(!matches!(&answers[3], HostAnswer::Failed(_)));
    }

    #[test]
    fn skips_hosts_after_many_timeouts_in_a_row() {
        let scratch = Scratch::new();
        let program = scratch.program("ssh", "exec sleep 60");
        let started = Instant::now();
        let answers = with_short_deadline(&program)
            .ask(&["web"; 200], &|_, _| {})
            .unwrap();
        assert!(started.elapsed() < Duration::from_secs(30));
        let count = |failure| {
            let answer = HostAnswer::Failed(failure);
            answers.iter().filter(|seen| **seen == answer).count()
        };
        let asked = count(QueryFailure::TimedOut(Duration::from_millis(50)));
        assert_eq!(count(QueryFailure::Skipped) + asked, 200);
        assert!(
            (MAX_FAILURES..MAX_FAILURES + MAX_RUNNING).contains(&asked),
            "{asked}"
        );
    }

    /// More hosts hang than may run at a time, and all before the others.
    #[test]
    fn hosts_that_hang_or_fail_do_not_hold_up_the_others() {
        let scratch = Scratch::new();
        let script = "for last; do :; done; case $last in \
            hangs) exec sleep 60;; floods) exec yes;; fails) exit 1;; dies) kill -9 $$;; \
            other) echo Welcome;; none) exit 0;; \
            *) printf 'newkey a\\0\\377b\\n\\n \\nalone\\nhostname h\\ncontrolpath /s/h\\nproxycommand '; \
               head -c 1048576 /dev/zero | tr '\\0' x;; esac";
        let program = scratch.program("ssh", script);
        let query = SshQuery {
            deadline: Duration::from_secs(5),
            ..SshQuery::new(&program, None)
        };
        let aliases: Vec<&str> = std::iter::repeat_n("hangs", MAX_RUNNING + 2)
            .chain(["floods", "fails", "dies", "other", "none", "web"])
            .collect();
        let answers = query.ask(&aliases, &|_, _| {}).unwrap();
        let (hang, rest) = answers.split_at(MAX_RUNNING + 2);
        let timed_out = HostAnswer::Failed(QueryFailure::TimedOut(query.deadline));
        assert!(hang.iter().all(|answer| *answer == timed_out), "{hang:?}");
        let no_message = |status: &str| HostAnswer::Rejected(Rejection::NoMessage(status.into()));
        let no_configuration = HostAnswer::Rejected(Rejection::NoConfiguration);
        assert_eq!(
            rest[..5],
            [
                HostAnswer::Failed(QueryFailure::TooMuchOutput),
                no_message("exit status: 1"),
                no_message("signal: 9 (SIGKILL)"),
                no_configuration.clone(),
                no_configuration,
            ]
        );
        let HostAnswer::Config(host) = &rest[5] else {
            panic!("{:?}", rest[5])
        };
        let path = crate::model::control_path::ControlPath::new("/s/h");
        assert_eq!(host.control_path, path);
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
