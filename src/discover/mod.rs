//! Discover: which paths can be control sockets.
//!
//! Reads the ssh configuration and what other programs are known to do, asks `ssh -G` about every named host, and
//! lists directories. It looks at no socket and judges none. In reading order:
//!
//! - [`Surroundings`], what has to be known of the process, the user and the machine;
//! - `ssh_config`, the files: ControlPath templates and host names; `trail`, how a change of them is noticed;
//! - `hosts`, `ssh -G`, run with a deadline (`child`) and remembered (`cache`);
//! - `managed`, other programs' places;
//! - [`candidates`], which paths to look at now (`sockets`, `walk`);
//! - [`interests`] and [`Identity::interests`], what on disk would change either.

mod bounded_command;
mod cache;
mod config_inputs;
mod environment;
mod file_stamp;
mod hosts;
mod list_directories;
mod other_programs;
mod sockets;
mod ssh_config;
mod watch_list;

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use cache::Identity;
pub use environment::Surroundings;
pub use hosts::{Progress, complaint};
pub use sockets::candidates;
pub use watch_list::interests;

use tr::tr;

use crate::model::control_path::{ControlPath, HostAlias, Pattern, TemplateError};
use crate::model::finding::{Finding, FindingId};
use crate::model::interest::Interest;
use crate::model::places::{Host, Place, Places, STAND_IN, WrittenBy, is_local_name};
use crate::model::text;
use cache::{Key, Record};
use hosts::{Answer, Asked, Expansion};
use ssh_config::{Configuration, Remark, Written};

/// What discovery is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which ssh, with which configuration.
    pub ssh: Ssh,
    /// Further places, as globs.
    pub extra_paths: Vec<String>,
    /// Places to leave alone, as globs over whole paths; `*` reaches over slashes there.
    pub ignored_paths: Vec<String>,
    /// The file in which the answers of ssh are kept; `None` keeps none.
    pub cache: Option<PathBuf>,
}

/// Which ssh, with which configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The program: a path, or a name that is looked up in `$PATH`.
    pub program: PathBuf,
    /// The file given with `-F`, read instead of the user's and the system's; "none" for no file at all.
    pub config: Option<PathBuf>,
}

impl Ssh {
    /// The program's file; `None` where `$PATH` has none.
    #[must_use]
    pub fn file(&self, surroundings: &Surroundings) -> Option<PathBuf> {
        if self.program.components().count() != 1 || self.program.is_absolute() {
            return self.program.exists().then(|| self.program.clone());
        }
        let path = surroundings.known.variable("PATH")?;
        std::env::split_paths(path)
            .map(|directory| directory.join(&self.program))
            .find(|file| {
                file.metadata()
                    .is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o111 != 0)
            })
    }

    /// What on disk would make it another program, or one at last.
    #[must_use]
    pub fn interests(&self, surroundings: &Surroundings) -> Vec<Interest> {
        let is_name = self.program.components().count() == 1 && !self.program.is_absolute();
        let places = || {
            let path = surroundings.known.variable("PATH").unwrap_or_default();
            let directories = std::env::split_paths(path);
            directories
                .filter(|directory| directory.is_absolute())
                .map(|directory| directory.join(&self.program))
        };
        let files = match self.file(surroundings) {
            Some(file) => vec![file],
            None if is_name => places().collect(),
            None => vec![self.program.clone()],
        };
        let absolute = |file: PathBuf| std::path::absolute(file).ok();
        let interest = |path| Interest::File {
            path,
            reading: false,
        };
        files
            .into_iter()
            .filter_map(absolute)
            .map(interest)
            .collect()
    }

    /// What ssh gets as `-F`, absolute so that it stays true wherever muxtray is.
    #[must_use]
    pub fn config_file(&self) -> Option<PathBuf> {
        let config = self.config.as_deref()?;
        Some(if config.as_os_str().eq_ignore_ascii_case("none") {
            config.to_path_buf()
        } else {
            std::path::absolute(config).unwrap_or_else(|_| config.to_path_buf())
        })
    }
}

/// What was discovered, and by what a change can be noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Where control sockets can be.
    pub places: Places,
    /// What it depends on. [`Identity::still_holds`] tells whether discovering again could say anything new, as long
    /// as the request stays the same.
    pub identity: Identity,
}

/// Where control sockets can be. Like [`discover`], for those who look once.
#[must_use]
pub fn places(request: &Request, surroundings: &Surroundings) -> Places {
    discover(request, surroundings).places
}

/// Finds out where control sockets can be.
///
/// With a cache that still holds this takes some stats and reads one file. Without, it reads the ssh configuration and
/// runs `ssh -G` for every named host: some milliseconds each, at most 30 seconds in all. So call it from a thread that
/// may take its time.
#[must_use]
pub fn discover(request: &Request, surroundings: &Surroundings) -> Discovered {
    discover_telling(request, surroundings, &|_, _| {})
}

/// Like [`discover`], telling how it goes on with the hosts while it asks ssh.
#[must_use]
pub fn discover_telling(
    request: &Request,
    surroundings: &Surroundings,
    progress: Progress<'_>,
) -> Discovered {
    let mut findings = Vec::new();
    let key = Key::of(request, surroundings);
    if key.program.is_none() {
        findings.push(ssh_missing(request, &tr!("there is no such program")));
    }
    let remembered = request
        .cache
        .as_deref()
        .and_then(|path| Record::load(path, surroundings.known.uid))
        .filter(|record| record.identity.is_current(&key, surroundings));
    let (record, is_whole_news) = match remembered {
        Some(record) if record.identity.is_to_be_retried() => {
            (ask_again(record, request, &mut findings, progress), true)
        }
        Some(record) => (record, false),
        None => ask(key, request, surroundings, &mut findings, progress),
    };
    let is_of_the_moment = record.answers.iter().any(Answer::is_of_the_moment);
    if let Some(path) = request.cache.as_deref()
        && is_whole_news
        && !is_of_the_moment
        && let Err(error) = record.store(path)
    {
        tracing::debug!("{}: cannot keep what ssh said: {error}", text::path(path));
    }
    let Record {
        identity,
        mut configuration,
        answers,
        other,
    } = record;
    configuration.remarks.retain(|remark| {
        !remark.depends_on_ssh()
            || hosts::refuse_file(answers.iter().chain(&other), &remark.subject())
    });
    let names_hosts = names_hosts(&configuration);
    let mut places = assemble(request, surroundings, configuration, answers, findings);
    match other {
        Some(Answer::Expanded(expansion)) => {
            places.other = Some(expansion.into_host(HostAlias(STAND_IN.to_owned()), None));
        }
        // Where hosts are named, they have told the same complaint.
        Some(Answer::Refused(refusal)) if !names_hosts => {
            let config = request.ssh.config.as_deref();
            let finding = hosts::refused_for_all(&refusal.to_string(), config, &places.findings);
            places.findings.extend(finding);
        }
        Some(Answer::Refused(_) | Answer::Unanswered { .. }) | None => {}
    }
    Discovered { places, identity }
}

/// Reads the configuration and asks ssh about every host. Tells beside what came of it whether that is all there is to
/// know; otherwise it is worth trying again.
fn ask(
    key: Key,
    request: &Request,
    surroundings: &Surroundings,
    findings: &mut Vec<Finding>,
    progress: Progress<'_>,
) -> (Record, bool) {
    let (configuration, trail, is_read) = ssh_config::read(key.config.as_deref(), surroundings);
    let aliases: Vec<&str> = configuration
        .aliases
        .iter()
        .map(|alias| alias.text.as_str())
        .collect();
    let answers = run_ssh(&key, request, &aliases, findings, progress);
    let is_refused = answers
        .iter()
        .any(|answer| matches!(answer, Answer::Refused(_)));
    // With no host but the system's, nobody else would tell what ssh refuses altogether.
    let is_untold = !names_hosts(&configuration)
        && (is_refused || configuration.remarks.iter().any(Remark::depends_on_ssh));
    let other = if is_untold || has_unshown(&configuration, &answers, surroundings) {
        run_ssh(&key, request, &[STAND_IN], &mut Vec::new(), &|_, _| {}).pop()
    } else {
        None
    };
    let is_whole = is_read && answers.len() == aliases.len();
    // Without a program there is nothing to try again: that it comes is a change.
    let later = (!is_whole && key.program.is_some())
        .then(|| SystemTime::now().checked_add(hosts::RETRY_AFTER))
        .flatten();
    let retry_at = retry_at(answers.iter().chain(&other))
        .into_iter()
        .chain(later)
        .min();
    let record = Record {
        identity: Identity::new(key, trail, retry_at),
        configuration,
        answers,
        other,
    };
    (record, is_whole)
}

/// Whether the configuration names a host, beside what systemd names in every system's.
fn names_hosts(configuration: &Configuration) -> bool {
    let aliases = &configuration.aliases;
    aliases.iter().any(|alias| !is_local_name(&alias.text))
}

/// Whether some ControlPath of the configuration is that of no named host. Then it is one for hosts that nobody has
/// named, mostly by `Host *`, and one of those has to be asked about; otherwise asking would tell nothing new.
///
/// Only hosts of the person's show a ControlPath of the person's: which other names there are on a machine changes
/// nothing for the hosts that the person goes to.
fn has_unshown(
    configuration: &Configuration,
    answers: &[Answer],
    surroundings: &Surroundings,
) -> bool {
    let shown: Vec<(ControlPath, WrittenBy)> = configuration
        .aliases
        .iter()
        .zip(answers)
        .filter_map(|(alias, answer)| match answer {
            Answer::Expanded(expansion) => {
                let written_by = hosts::written_by(alias, expansion);
                Some((expansion.control_path()?, written_by))
            }
            Answer::Refused(_) | Answer::Unanswered { .. } => None,
        })
        .collect();
    configuration.templates.iter().any(|template| {
        let shows = |written_by: WrittenBy| match template.by() {
            WrittenBy::Person => written_by == WrittenBy::Person,
            WrittenBy::Administrator | WrittenBy::System => written_by != WrittenBy::System,
        };
        Pattern::from_template(&template.text, &surroundings.known)
            .ok()
            .flatten()
            .is_some_and(|pattern| {
                !shown
                    .iter()
                    .any(|(path, written_by)| shows(*written_by) && pattern.matches(path))
            })
    })
}

/// Asks ssh again about the hosts for which it had no answer.
fn ask_again(
    record: Record,
    request: &Request,
    findings: &mut Vec<Finding>,
    progress: Progress<'_>,
) -> Record {
    let Record {
        identity,
        configuration,
        mut answers,
        mut other,
    } = record;
    let open: Vec<usize> = (0..answers.len())
        .filter(|index| answers[*index].retry_at().is_some())
        .collect();
    let aliases: Vec<&str> = open
        .iter()
        .map(|index| configuration.aliases[*index].text.as_str())
        .collect();
    let again = run_ssh(identity.key(), request, &aliases, findings, progress);
    for (index, answer) in open.into_iter().zip(again) {
        answers[index] = answer;
    }
    if other.as_ref().and_then(Answer::retry_at).is_some() {
        other = run_ssh(identity.key(), request, &[STAND_IN], findings, &|_, _| {}).pop();
    }
    Record {
        identity: identity.retried(retry_at(answers.iter().chain(&other))),
        configuration,
        answers,
        other,
    }
}

fn retry_at<'a>(answers: impl Iterator<Item = &'a Answer>) -> Option<SystemTime> {
    answers.filter_map(Answer::retry_at).min()
}

/// What ssh makes of one host that a person named, alias or not: `host`, `user@host` or `ssh://user@host:port`.
///
/// `None` where ssh has no answer within its deadline, or refuses the name.
#[must_use]
pub fn host(destination: &str, request: &Request, surroundings: &Surroundings) -> Option<Host> {
    let key = Key::of(request, surroundings);
    let asked = Asked::new(key.program.as_deref()?, key.config.as_deref());
    match asked.ask(&[destination], &|_, _| {}).ok()?.pop()? {
        Answer::Expanded(expansion) => {
            Some(expansion.into_host(HostAlias(destination.to_owned()), None))
        }
        Answer::Refused(_) | Answer::Unanswered { .. } => None,
    }
}

/// What ssh makes of a host, by what `ssh -G` printed. A line that is not understood leaves its value unknown.
#[must_use]
pub fn expanded(alias: HostAlias, output: &[u8]) -> Host {
    Expansion::parse(output).into_host(alias, None)
}

/// One answer for each alias, or none at all where ssh cannot be started.
fn run_ssh(
    key: &Key,
    request: &Request,
    aliases: &[&str],
    findings: &mut Vec<Finding>,
    progress: Progress<'_>,
) -> Vec<Answer> {
    let Some(program) = &key.program else {
        return Vec::new();
    };
    Asked::new(program, key.config.as_deref())
        .ask(aliases, progress)
        .unwrap_or_else(|error| {
            findings.push(ssh_missing(request, &error));
            Vec::new()
        })
}

fn ssh_missing(request: &Request, error: &str) -> Finding {
    Finding::new(
        FindingId::SshMissing,
        text::path(&request.ssh.program),
        tr!("ssh cannot be started: {error}", error),
        tr!("install OpenSSH's client, or name the program in muxtray's configuration"),
    )
}

/// Puts the parts together: hosts, the user's patterns, other programs', and what is wrong.
fn assemble(
    request: &Request,
    surroundings: &Surroundings,
    configuration: Configuration,
    answers: Vec<Answer>,
    mut findings: Vec<Finding>,
) -> Places {
    let Configuration {
        templates,
        aliases,
        remarks,
    } = configuration;
    findings.extend(remarks.iter().map(Remark::finding));
    let config = request.ssh.config.as_deref();
    let hosts = hosts::judge(&aliases, answers, config, &mut findings);
    let mut patterns: Vec<Place> = Vec::new();
    let known = &surroundings.known;
    for template in &templates {
        match Pattern::from_template(&template.text, known) {
            Ok(Some(pattern)) => patterns.push(Place {
                written_by: template.by(),
                ..users(pattern)
            }),
            Ok(None) => {}
            Err(error) => findings.push(bad_template(template, &error)),
        }
    }
    for glob in &request.extra_paths {
        match Pattern::from_glob(OsStr::new(glob), known) {
            Ok(pattern) => patterns.push(users(pattern)),
            Err(error) => findings.push(bad_glob(
                tr!("extra path {glob}", glob = text::line(glob)),
                &error.to_string(),
            )),
        }
    }
    let mut seen = std::collections::HashSet::new();
    patterns.retain(|place| seen.insert(place.pattern.clone()));
    patterns.extend(other_programs::places(known));
    let mut ignored = Vec::new();
    for glob in &request.ignored_paths {
        match ignored_glob(glob, &known.home) {
            Ok(pattern) => ignored.push(pattern),
            Err(error) => findings.push(bad_glob(
                tr!("ignored path {glob}", glob = text::line(glob)),
                error.msg,
            )),
        }
    }
    Places {
        hosts,
        other: None,
        patterns,
        ignored,
        findings,
        has_other_config: request.ssh.config.is_some(),
    }
}

fn users(pattern: Pattern) -> Place {
    Place {
        pattern,
        managed_by: None,
        written_by: WrittenBy::Person,
    }
}

/// The glob with its `~` filled in; the home's own name is taken as it is.
fn ignored_glob(glob: &str, home: &Path) -> Result<glob::Pattern, glob::PatternError> {
    match glob.strip_prefix('~') {
        Some(below) if below.is_empty() || below.starts_with('/') => {
            let home = glob::Pattern::escape(&home.to_string_lossy());
            glob::Pattern::new(&format!("{home}{below}"))
        }
        _ => glob::Pattern::new(glob),
    }
}

fn bad_template(template: &Written<std::ffi::OsString>, error: &TemplateError) -> Finding {
    let remedy = match error {
        TemplateError::UnsetVariable(_) => {
            tr!(
                "set the variable for the whole session, or write the path out; until then muxtray does not look there"
            )
        }
        TemplateError::Relative | TemplateError::ParentDirectory => tr!(
            "write an absolute path, or one that begins with ~/; until then muxtray does not look there"
        ),
        TemplateError::UnknownToken(_)
        | TemplateError::LoneEscape
        | TemplateError::BadVariable
        | TemplateError::UnknownUser(_)
        | TemplateError::NoName => tr!("mend the line; until then muxtray does not look there"),
    };
    Finding::new(
        FindingId::SshConfigInvalid,
        ssh_config::place(&template.file, template.line),
        format!("ControlPath {}: {error}", text::os(&template.text)),
        remedy,
    )
}

fn bad_glob(subject: String, error: &str) -> Finding {
    Finding::new(
        FindingId::ConfigInvalid,
        subject,
        error,
        tr!("mend the glob in muxtray's configuration"),
    )
}

#[cfg(test)]
mod test_home;
#[cfg(test)]
mod tests;
