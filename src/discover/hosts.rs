//! What ssh makes of each host: `ssh -G alias`. The only place that runs it.
//!
//! It costs some milliseconds a host and runs the configuration's `Match exec` commands, so the answers are kept
//! (`cache`) until something they depend on changes. Nothing here is called by a timer.

mod refusal;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tr::tr;

use super::bounded_command::{self, Failure};
use super::ssh_config::Written;
use crate::model::control_path::{ControlPath, Destination, HostAlias};
use crate::model::finding::{Finding, FindingId};
use crate::model::places::{Host, Persist, STAND_IN, WrittenBy, is_local_name};
use crate::model::text;
use crate::transient_error::is_transient;
use crate::unconfined::{self, Lifetime};
pub(super) use refusal::{Refusal, Silence};

/// How long one `ssh -G` may take. Tests run beside others on a busy machine, and what they ask does answer.
const DEADLINE: Duration = Duration::from_secs(if cfg!(test) { 30 } else { 2 });

/// How long all of them together may take.
const DEADLINE_OF_ALL: Duration = Duration::from_secs(30);

/// After as many that did not answer the others are not asked: what makes one hang (a `Match exec`, a name server)
/// mostly makes all hang.
const MAX_UNANSWERED: usize = 4;

/// No more run at once, however many processors there are.
const MAX_PARALLEL: usize = 8;

/// After so long a host that did not answer is asked again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(300);

/// What ssh said of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The configuration it has.
    Expanded(Expansion),
    /// ssh ended with an error, and would again.
    Refused(Refusal),
    /// No answer; another time there may be one.
    Unanswered { why: Silence, at: u64 },
}

impl Answer {
    fn unanswered(why: Silence) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::Unanswered {
            why,
            at: now.map_or(0, |now| now.as_secs()),
        }
    }

    /// Whether it says nothing of ssh or its configuration: another muxtray may get an answer at once.
    pub(super) fn is_of_the_moment(&self) -> bool {
        match self {
            Self::Unanswered { why, .. } => matches!(why, Silence::NothingLeft(_)),
            Self::Expanded(_) | Self::Refused(_) => false,
        }
    }

    /// When it is worth asking again.
    pub(super) fn retry_at(&self) -> Option<SystemTime> {
        match self {
            Self::Expanded(_) | Self::Refused(_) => None,
            Self::Unanswered { at, .. } => {
                UNIX_EPOCH.checked_add(Duration::from_secs(*at).saturating_add(RETRY_AFTER))
            }
        }
    }
}

/// What `ssh -G` prints, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Expansion {
    control_path: Option<PathBuf>,
    user: String,
    host: String,
    port: Option<u16>,
    multiplexes: bool,
    asks: bool,
    has_connect_timeout: bool,
    /// As [`Persist::as_secs`].
    persist: Option<u32>,
    server_alive_interval: u32,
    server_alive_count_max: u32,
    is_by_systemd: bool,
}

impl Expansion {
    pub(super) fn control_path(&self) -> Option<ControlPath> {
        self.control_path.as_ref().and_then(ControlPath::new)
    }

    /// Reads the `keyword value` lines; bytes that are no text only matter in a path.
    pub(super) fn parse(output: &[u8]) -> Self {
        let lines = output.split(|byte| *byte == b'\n');
        let values: BTreeMap<&[u8], &[u8]> = lines
            .filter_map(|line| {
                let end = line.iter().position(|byte| *byte == b' ')?;
                Some((&line[..end], &line[end + 1..]))
            })
            .collect();
        let bytes = |keyword: &str| values.get(keyword.as_bytes()).copied();
        let value = |keyword: &str| String::from_utf8_lossy(bytes(keyword).unwrap_or_default());
        Self {
            control_path: bytes("controlpath").map(|path| PathBuf::from(OsStr::from_bytes(path))),
            user: value("user").into_owned(),
            host: value("hostname").into_owned(),
            port: value("port").parse().ok(),
            multiplexes: !matches!(&*value("controlmaster"), "" | "no" | "false"),
            asks: matches!(&*value("controlmaster"), "ask" | "autoask"),
            has_connect_timeout: !matches!(&*value("connecttimeout"), "" | "none"),
            persist: match &*value("controlpersist") {
                "" | "no" | "false" => None,
                "yes" | "true" => Some(0),
                seconds => seconds.parse().ok(),
            },
            server_alive_interval: value("serveraliveinterval").parse().unwrap_or(0),
            server_alive_count_max: value("serveralivecountmax").parse().unwrap_or(3),
            is_by_systemd: is_systemd_proxy(&value("proxycommand")),
        }
    }

    /// Whether systemd connects it, and not the network.
    pub(super) const fn is_by_systemd(&self) -> bool {
        self.is_by_systemd
    }

    /// The host of the person's that it is.
    pub(super) fn into_host(self, alias: HostAlias, source: Option<(PathBuf, usize)>) -> Host {
        Host {
            alias,
            source,
            written_by: WrittenBy::Person,
            control_path: self.control_path(),
            destination: Destination {
                user: (!self.user.is_empty()).then_some(self.user),
                host: self.host,
                port: self.port,
            },
            multiplexes: self.multiplexes,
            asks: self.asks,
            has_connect_timeout: self.has_connect_timeout,
            persist: match self.persist {
                None => Persist::No,
                Some(0) => Persist::Forever,
                Some(seconds) => Persist::Seconds(seconds),
            },
            server_alive_interval: self.server_alive_interval,
            server_alive_count_max: self.server_alive_count_max,
        }
    }
}

/// Whether a ProxyCommand runs systemd-ssh-proxy, wherever that is installed. ssh hands the line to a shell.
fn is_systemd_proxy(command: &str) -> bool {
    let mut words = command.split_ascii_whitespace();
    let program = words.find(|word| *word != "exec").unwrap_or_default();
    let program = program.trim_matches(|quote| matches!(quote, '"' | '\''));
    program.rsplit('/').next() == Some("systemd-ssh-proxy")
}

/// Called while ssh is asked, by several threads: the number of hosts with an answer, and of all hosts.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// The ssh that is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The program's file.
    pub(super) program: &'a Path,
    /// What it gets as `-F`.
    pub(super) config: Option<&'a Path>,
    /// How long one answer may take.
    deadline: Duration,
}

impl<'a> Asked<'a> {
    pub(super) fn new(program: &'a Path, config: Option<&'a Path>) -> Self {
        Self {
            program,
            config,
            deadline: DEADLINE,
        }
    }

    /// Asks about every alias, some at a time. The answers are in the order of the aliases.
    ///
    /// # Errors
    /// Where ssh cannot be started: the system's message.
    pub(super) fn ask(
        &self,
        aliases: &[&str],
        progress: Progress<'_>,
    ) -> Result<Vec<Answer>, String> {
        let parallel = thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(MAX_PARALLEL)
            .min(aliases.len());
        let end = Instant::now() + DEADLINE_OF_ALL;
        let next = AtomicUsize::new(0);
        let unanswered = AtomicUsize::new(0);
        let answered = AtomicUsize::new(0);
        let hosts = aliases.iter().filter(|alias| !is_local_name(alias)).count();
        let answers = Mutex::new(Vec::with_capacity(aliases.len()));
        let work = || {
            while let Some((index, alias)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                aliases.get(index).map(|alias| (index, alias))
            } {
                let hopeless = unanswered.load(Ordering::Relaxed) >= MAX_UNANSWERED;
                let answer = if hopeless || Instant::now() >= end {
                    Ok(Answer::unanswered(Silence::NotAsked))
                } else {
                    self.ask_one(alias)
                };
                if matches!(answer, Ok(Answer::Unanswered { .. })) {
                    unanswered.fetch_add(1, Ordering::Relaxed);
                }
                let failed = answer.is_err();
                if let Ok(mut answers) = answers.lock() {
                    answers.push((index, answer));
                }
                if !is_local_name(alias) {
                    progress(answered.fetch_add(1, Ordering::Relaxed) + 1, hosts);
                }
                if failed {
                    next.store(aliases.len(), Ordering::Relaxed);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..parallel {
                // Where the system has no thread left, this one does all of it.
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        let mut answers = answers.into_inner().unwrap_or_default();
        answers.sort_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    fn ask_one(&self, alias: &str) -> Result<Answer, String> {
        let mut command = Command::new(self.program);
        if let Some(config) = self.config {
            command.arg("-F").arg(config);
        }
        command.arg("-G").arg("--").arg(alias);
        let command = unconfined::command(command, Lifetime::Limited(self.deadline));
        match bounded_command::run(command, self.deadline) {
            Ok(output) if output.status.success() => {
                Ok(Answer::Expanded(Expansion::parse(&output.stdout)))
            }
            Ok(output) => Ok(Answer::Refused(
                complaint(&output.stderr)
                    .map_or_else(|| Refusal::Mute(output.status.to_string()), Refusal::Said),
            )),
            Err(Failure::NotStarted(error)) if is_transient(&error) => Ok(Answer::unanswered(
                Silence::NothingLeft(text::line(&error.to_string())),
            )),
            Err(Failure::NotStarted(error)) => Err(text::line(&error.to_string())),
            Err(Failure::TimedOut(limit)) => Ok(Answer::unanswered(Silence::TimedOut(limit))),
            Err(Failure::TooMuch) => Ok(Answer::unanswered(Silence::TooMuch)),
            Err(Failure::Pipe(error)) => Ok(Answer::unanswered(Silence::Broken(text::line(
                &error.to_string(),
            )))),
        }
    }
}

/// The line of ssh's error output that says what is wrong, escaped: the last one, leaving aside those that only
/// follow from another.
#[must_use]
pub fn complaint(stderr: &[u8]) -> Option<String> {
    const EMPTY: [&[u8]; 4] = [
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
    let says_something = |line: &&[u8]| {
        !EMPTY
            .iter()
            .any(|empty| line.windows(empty.len()).any(|part| part == *empty))
    };
    lines()
        .rfind(says_something)
        .or_else(|| lines().next_back())
        .map(|line| text::os(OsStr::from_bytes(&line[..line.len().min(500)])))
}

/// Where to look for what keeps ssh from telling about a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It refuses what is written there.
    Configuration,
    /// It was asked, and did not answer.
    Ssh,
    /// It could not be asked.
    System,
}

/// The hosts that ssh told about, and one finding for each different complaint, not counting files that another
/// finding names already. Names of the system's own are nobody's to mend.
pub(super) fn judge(
    aliases: &[Written<String>],
    answers: Vec<Answer>,
    config: Option<&Path>,
    findings: &mut Vec<Finding>,
) -> Vec<Host> {
    let mut hosts = Vec::new();
    let mut complaints: Vec<(String, Cause, Vec<&Written<String>>)> = Vec::new();
    for (alias, answer) in aliases.iter().zip(answers) {
        let (complaint, cause) = match answer {
            Answer::Expanded(expansion) => {
                let source = Some((alias.file.clone(), alias.line));
                let written_by = written_by(alias, &expansion);
                let host = expansion.into_host(HostAlias(alias.text.clone()), source);
                hosts.push(Host { written_by, ..host });
                continue;
            }
            _ if is_local_name(&alias.text) => continue,
            Answer::Refused(refusal) => (refusal.to_string(), Cause::Configuration),
            Answer::Unanswered { why, .. } => {
                let cause = match &why {
                    Silence::NothingLeft(_) => Cause::System,
                    Silence::NotAsked
                    | Silence::TimedOut(_)
                    | Silence::TooMuch
                    | Silence::Broken(_) => Cause::Ssh,
                };
                (why.to_string(), cause)
            }
        };
        match complaints.iter_mut().find(|known| known.0 == complaint) {
            Some((_, _, aliases)) => aliases.push(alias),
            None => complaints.push((complaint, cause, vec![alias])),
        }
    }
    let known = findings.len();
    for (complaint, cause, aliases) in complaints {
        if !is_told(&complaint, &findings[..known]) {
            findings.push(finding(&complaint, cause, &aliases, config));
        }
    }
    hosts
}

/// The author of a name, which for the system's is not the author of the file.
pub(super) fn written_by(alias: &Written<String>, expansion: &Expansion) -> WrittenBy {
    if is_local_name(&alias.text) || expansion.is_by_systemd() {
        WrittenBy::System
    } else {
        alias.by()
    }
}

/// Whether another finding names the file already that ssh complains of.
fn is_told(complaint: &str, findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| refuses_file(complaint, &finding.subject))
}

/// Whether ssh complains of the permissions of this file (`read_config_file_depth()` in readconf.c). As paths: ssh's
/// may have a slash more.
fn refuses_file(complaint: &str, file: &str) -> bool {
    let refused = complaint.strip_prefix("Bad owner or permissions on ");
    refused.is_some_and(|refused| Path::new(refused) == Path::new(file))
}

/// Whether one of the answers is that complaint.
pub(super) fn refuse_file<'a>(mut answers: impl Iterator<Item = &'a Answer>, file: &str) -> bool {
    answers.any(|answer| match answer {
        Answer::Refused(Refusal::Said(complaint)) => refuses_file(complaint, file),
        Answer::Refused(Refusal::Mute(_)) | Answer::Expanded(_) | Answer::Unanswered { .. } => {
            false
        }
    })
}

/// What ssh says of a host that nobody has named, where there is no other to say it of.
pub(super) fn refused_for_all(
    complaint: &str,
    config: Option<&Path>,
    findings: &[Finding],
) -> Option<Finding> {
    let is_news = !is_told(complaint, findings);
    let cause = Cause::Configuration;
    is_news.then(|| told(tr!("every host"), STAND_IN, complaint, cause, config))
}

fn finding(
    complaint: &str,
    cause: Cause,
    aliases: &[&Written<String>],
    config: Option<&Path>,
) -> Finding {
    let alias = &aliases[0].text;
    let shown = text::line(alias);
    let subject = match aliases.len() {
        1 => tr!("host {name}", name = shown),
        number => tr!(
            "host {name} and {n} more" | "host {name} and {n} more" % number - 1,
            name = shown
        ),
    };
    let hosts = aliases.iter().map(|alias| HostAlias(alias.text.clone()));
    told(subject, alias, complaint, cause, config).with_hosts(hosts)
}

fn told(
    subject: String,
    alias: &str,
    complaint: &str,
    cause: Cause,
    config: Option<&Path>,
) -> Finding {
    let command = match config {
        None => format!("ssh -G {}", text::shell_word(OsStr::new(alias))),
        Some(config) => format!(
            "ssh -F {} -G {}",
            text::shell_word(config.as_os_str()),
            text::shell_word(OsStr::new(alias))
        ),
    };
    let silent = || {
        tr!(
            "ssh did not tell its configuration: {cause}",
            cause = complaint
        )
    };
    let (evidence, remedy) = match cause {
        Cause::Configuration => (
            tr!("ssh refuses its configuration: {cause}", cause = complaint),
            tr!("mend the configuration until {command} prints it", command),
        ),
        Cause::Ssh => (
            silent(),
            tr!(
                "see what {command} waits for, such as a Match exec or a name server",
                command
            ),
        ),
        Cause::System => (
            silent(),
            tr!(
                "close programs or raise what is limited ({command}); muxtray asks ssh again after {minutes} minutes",
                command = "ulimit -a",
                minutes = RETRY_AFTER.as_secs() / 60
            ),
        ),
    };
    Finding::new(FindingId::SshConfigInvalid, subject, evidence, remedy).with_command(command)
}

#[cfg(test)]
mod tests;
