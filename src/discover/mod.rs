//! Finds the paths that can be control sockets.
//!
//! Reads the ssh configuration, asks `ssh -G` about every host that it names, adds the places of other programs, and lists
//! directories. It does not look at the sockets.

mod askpass;
mod assemble;
mod cache;
mod candidates;
mod config_contents;
mod config_inputs;
mod directory_names;
mod earlier_answers;
mod environment;
mod host_answer;
mod host_findings;
mod list_directories;
mod other_programs;
mod rejected_file;
mod request;
mod ssh_config;
mod ssh_query;
mod watch_list;

use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use tr::tr;

use crate::model::control_path::{ConnectionTokens, ControlPath, HostAlias, Pattern};
use crate::model::finding::{Finding, FindingId};
use crate::model::place_difference::{expand, place_difference};
use crate::model::places::{DefaultTemplate, Host, Places, UNNAMED_HOST, WrittenBy, is_local_name};
use crate::model::text;
use cache::{CacheKey, CacheRecord};
use config_contents::{Located, SshConfig};
use earlier_answers::EarlierAnswers;
pub use host_answer::parse_host;
use host_answer::{HostAnswer, QueryFailure, RETRY_AFTER, Rejected};
use host_findings::Judge;
use ssh_query::SshQuery;

pub use cache::Fingerprint;
pub use candidates::{candidates, known_path};
pub use directory_names::unify_directories;
pub use environment::Environment;
pub use host_findings::NoHost;
pub use request::{Request, Ssh};
pub use ssh_query::{Progress, error_message};
pub use watch_list::interests;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    pub places: Places,
    /// Tells whether another discovery with the same request would have another result.
    pub fingerprint: Fingerprint,
}

/// Finds the places of control sockets.
///
/// With a valid cache this takes some stats and reads one file. Without one, it reads the ssh configuration and runs
/// `ssh -G` for every host that it names, which takes some milliseconds each and at most a minute in all.
pub fn discover(request: &Request, environment: &Environment) -> Discovered {
    discover_with_progress(request, environment, &mut |_| {}, &|_, _| {})
}

/// Like [`discover`], with reports while it asks ssh about the hosts. `preview` is called before: with the places that
/// are known from the ControlPaths of the configuration and the last answers for its hosts.
pub fn discover_with_progress(
    request: &Request,
    environment: &Environment,
    preview: &mut dyn FnMut(&Places),
    progress: Progress<'_>,
) -> Discovered {
    let mut preview = |config: &SshConfig, last: Option<&CacheRecord>| {
        let hosts = last.map_or_else(Vec::new, |last| last.hosts_in(config));
        let known = assemble::assemble(request, environment, config, hosts, None, Vec::new());
        preview(&known);
    };
    let (record, start_error) = current_record(request, environment, &mut preview, progress);
    places(record, start_error, request, environment)
}

/// Returns the record of the cache, or a new one if the configuration has changed or it is time to ask again; and why ssh
/// cannot be started. Stores a new record.
fn current_record(
    request: &Request,
    environment: &Environment,
    preview: &mut dyn FnMut(&SshConfig, Option<&CacheRecord>),
    progress: Progress<'_>,
) -> (CacheRecord, Option<String>) {
    let key = CacheKey::new(request, environment);
    let no_program = key.program.is_none();
    let mut start_error = no_program.then(|| tr!("there is no such program"));
    let cache = request.cache.as_deref();
    let last = cache
        .and_then(|path| CacheRecord::load(path, environment.known.uid))
        .filter(|record| record.fingerprint.key == key);
    let (record, is_complete) = match last {
        Some(record) if record.fingerprint.inputs.are_unchanged(environment) => {
            if !record.fingerprint.is_retry_due() {
                return (record, start_error);
            }
            preview(&record.config, Some(&record));
            (retry(record, &mut start_error, progress), true)
        }
        last => {
            let mut preview = |config: &SshConfig| preview(config, last.as_ref());
            let (mut record, is_complete) =
                read(key, environment, &mut start_error, &mut preview, progress);
            if let Some(before) = &last {
                let answered = (&*record.config.aliases, &*record.answers);
                let old = (&*before.config.aliases, &*before.answers);
                let inputs = &record.fingerprint.inputs;
                (record.earlier).remember(inputs, answered, &before.earlier, old);
            }
            (record, is_complete)
        }
    };
    // If the system ran out of something, another muxtray may get an answer at once.
    let lacks_resources =
        |answer: &HostAnswer| matches!(answer, HostAnswer::Failed(QueryFailure::NoResources(_)));
    if let Some(path) = cache
        && is_complete
        && !record
            .answers
            .iter()
            .chain(&record.unnamed_host)
            .any(lacks_resources)
        && let Err(error) = record.store(path)
    {
        let path = text::path(path);
        tracing::debug!("{path}: cannot cache the answers of ssh: {error}");
    }
    (record, start_error)
}

/// Returns the places of the hosts in the record, and of everything else in the request.
fn places(
    record: CacheRecord,
    start_error: Option<String>,
    request: &Request,
    environment: &Environment,
) -> Discovered {
    let CacheRecord {
        fingerprint,
        config,
        answers,
        unnamed_host,
        wildcard_hosts,
        is_unnamed_host_shown,
        earlier,
    } = record;
    let mut findings: Vec<Finding> = start_error
        .map(|error| ssh_missing(request, &error))
        .into_iter()
        .collect();
    let judge = Judge::new(request, environment);
    let is_refused = |answer: &HostAnswer| answer.rejected() == Some(Rejected::Host);
    let refuses_hosts = answers.iter().chain(&unnamed_host).any(is_refused);
    let (hosts, host_findings) = judge.judge(&config.aliases, answers);
    findings.extend(host_findings);
    let unnamed_host = match unnamed_host {
        Some(HostAnswer::Config(host)) => Some(*host),
        // Named hosts have the same finding.
        Some(answer) if !names_hosts(&config) => {
            findings.extend(judge.rejected_for_all(&answer));
            None
        }
        Some(HostAnswer::Rejected(_) | HostAnswer::Failed(_)) | None => None,
    };
    let others = unnamed_host.iter().map(|host| (None, host));
    let of_wildcards = wildcard_hosts.iter().map(|(name, host)| (Some(name), host));
    let default_templates = others
        .chain(of_wildcards)
        .filter_map(|(wildcard, host)| default_template(host, wildcard, &config, environment))
        .collect();
    let unnamed_host = unnamed_host.filter(|_| !is_unnamed_host_shown);
    let mut places =
        assemble::assemble(request, environment, &config, hosts, unnamed_host, findings);
    places.default_templates = default_templates;
    places.wildcard_hosts = wildcard_hosts
        .into_iter()
        .map(|(wildcard, host)| Host {
            alias: HostAlias(wildcard),
            ..host
        })
        .collect();
    places.refuses_hosts = refuses_hosts;
    places.earlier_hosts = earlier.into_hosts();
    Discovered {
        places,
        fingerprint,
    }
}

/// Reads the configuration and asks ssh about every host. Returns whether the record is complete.
fn read(
    key: CacheKey,
    environment: &Environment,
    start_error: &mut Option<String>,
    preview: &mut dyn FnMut(&SshConfig),
    progress: Progress<'_>,
) -> (CacheRecord, bool) {
    let ssh_config::ReadConfig {
        contents: config,
        inputs,
        is_worth_retrying,
    } = ssh_config::read(key.config.as_deref(), environment);
    let aliases: Vec<&str> = config
        .aliases
        .iter()
        .map(|alias| alias.text.as_str())
        .collect();
    preview(&config);
    let answers = ask_ssh(&key, &aliases, start_error, progress);
    // If the configuration names no host, nothing else shows whether ssh accepts it.
    let is_unchecked = !names_hosts(&config) && inputs.has_files();
    let is_unnamed_host_shown =
        !is_unchecked && !has_unshown_template(&config, &answers, environment);
    let multiplexes = |answer: &HostAnswer| matches!(answer, HostAnswer::Config(host) if host.control_master.starts_masters());
    // Without masters, a missing port or user has no effect; asking runs the commands of Match exec once more.
    let has_masters = answers.iter().any(multiplexes);
    let is_incomplete = |template: &Located<OsString>| {
        let text = template.text.to_string_lossy();
        let tokens = ConnectionTokens::of(&text);
        let matters = !tokens.host || (has_masters && !tokens.are_complete());
        matters && !text.eq_ignore_ascii_case("none")
    };
    let asks_for_templates = config.names_count || config.templates.iter().any(is_incomplete);
    let unnamed_host = if !is_unnamed_host_shown || asks_for_templates {
        ask_ssh(&key, &[UNNAMED_HOST], start_error, &|_, _| {}).pop()
    } else {
        None
    };
    // Only the answers show whether these have masters. If no other host has, they decide whether any has.
    let is_without_masters = !has_masters && !unnamed_host.as_ref().is_some_and(multiplexes);
    let lacks_tokens = |template: &Located<OsString>| {
        let text = template.text.to_string_lossy();
        !ConnectionTokens::of(&text).are_complete()
    };
    let asks_for_wildcards = config.names_count
        || config.wildcards_have_masters
        || config.templates.iter().any(lacks_tokens);
    let wildcard_hosts = if is_without_masters || asks_for_wildcards {
        wildcard_hosts(&config.wildcards, &key, start_error)
    } else {
        Vec::new()
    };
    let is_complete = !is_worth_retrying && answers.len() == aliases.len();
    // A program that is installed later is a change.
    let is_incomplete = !is_complete && key.program.is_some();
    let retry_at = retry_at(is_incomplete, &answers, unnamed_host.as_ref());
    let earlier = EarlierAnswers::none(&inputs, answers.len());
    let fingerprint = Fingerprint {
        key,
        inputs,
        retry_at,
    };
    let record = CacheRecord {
        fingerprint,
        config,
        answers,
        unnamed_host,
        wildcard_hosts,
        is_unnamed_host_shown,
        earlier,
    };
    (record, is_complete)
}

/// Asks ssh about a host of each wildcard.
fn wildcard_hosts(
    wildcards: &[String],
    key: &CacheKey,
    start_error: &mut Option<String>,
) -> Vec<(String, Host)> {
    let names: Vec<String> = wildcards.iter().map(|it| name_with(it)).collect();
    let aliases: Vec<&str> = names.iter().map(String::as_str).collect();
    let answers = ask_ssh(key, &aliases, start_error, &|_, _| {});
    let hosts = wildcards.iter().zip(answers);
    hosts
        .filter_map(|(wildcard, answer)| match answer {
            HostAnswer::Config(host) => Some((wildcard.clone(), *host)),
            HostAnswer::Rejected(_) | HostAnswer::Failed(_) => None,
        })
        .collect()
}

/// Returns a name that the wildcard matches.
fn name_with(wildcard: &str) -> String {
    wildcard.replace('*', "unnamed-host").replace('?', "x")
}

/// Returns the template of the ControlPath of a host that the configuration does not name.
fn default_template(
    unnamed_host: &Host,
    wildcard: Option<&String>,
    config: &SshConfig,
    environment: &Environment,
) -> Option<DefaultTemplate> {
    let path = unnamed_host.control_path.clone()?;
    let known = &environment.known;
    let home = known.home.to_string_lossy();
    let template = config.templates.iter().find(|template| {
        let text = expand(&template.text.to_string_lossy(), unnamed_host, &home);
        let pattern = Pattern::from_template(OsStr::new(&text), known);
        pattern.ok().flatten().is_some_and(|it| it.matches(&path))
    })?;
    let text = template.text.to_string_lossy().into_owned();
    let name = &unnamed_host.alias.0;
    let host = unnamed_host.destination.host.to_ascii_lowercase();
    let is_per_host = host.contains(&name.to_ascii_lowercase());
    let other = Host {
        alias: HostAlias(format!("other-{name}")),
        ..unnamed_host.clone()
    };
    let needs_name = !is_per_host
        && expand(&text, unnamed_host, &home) == expand(&text, &other, &home)
        && place_difference(unnamed_host, &other, &known.home).is_some();
    Some(DefaultTemplate {
        text,
        place: template.place(),
        wildcard: wildcard.cloned(),
        is_per_host: is_per_host || wildcard.is_none(),
        needs_name,
        path,
        multiplexes: unnamed_host.control_master.starts_masters(),
    })
}

/// Whether the configuration names a host besides those that systemd names on every system.
fn names_hosts(config: &SshConfig) -> bool {
    let aliases = &config.aliases;
    aliases.iter().any(|alias| !is_local_name(&alias.text))
}

/// Whether a ControlPath of the configuration is not that of any named host. Then it is for hosts that the configuration
/// does not name, mostly by `Host *`, and only the answer for such a host shows it.
///
/// A template of the user's counts as shown only by a host of the user's: names of the administrator's and of the system
/// show nothing about the hosts that the user connects to.
fn has_unshown_template(
    config: &SshConfig,
    answers: &[HostAnswer],
    environment: &Environment,
) -> bool {
    let shown: Vec<(ControlPath, WrittenBy)> = config
        .aliases
        .iter()
        .zip(answers)
        .filter_map(|(alias, answer)| match answer {
            HostAnswer::Config(host) => {
                let written_by = host_findings::written_by(alias, host);
                Some((host.control_path.clone()?, written_by))
            }
            HostAnswer::Rejected(_) | HostAnswer::Failed(_) => None,
        })
        .collect();
    config.templates.iter().any(|template| {
        let can_show = |written_by: WrittenBy| match template.written_by() {
            WrittenBy::Person => written_by == WrittenBy::Person,
            WrittenBy::Administrator | WrittenBy::System => written_by != WrittenBy::System,
        };
        Pattern::from_template(&template.text, &environment.known)
            .ok()
            .flatten()
            .is_some_and(|pattern| {
                !shown
                    .iter()
                    .any(|(path, written_by)| can_show(*written_by) && pattern.matches(path))
            })
    })
}

fn retry(
    mut record: CacheRecord,
    start_error: &mut Option<String>,
    progress: Progress<'_>,
) -> CacheRecord {
    let key = &record.fingerprint.key;
    let aliases = record.config.aliases.iter().zip(&mut record.answers);
    let (aliases, failed): (Vec<&str>, Vec<&mut HostAnswer>) = aliases
        .filter(|(_, answer)| matches!(answer, HostAnswer::Failed(_)))
        .map(|(alias, answer)| (alias.text.as_str(), answer))
        .unzip();
    let answers = ask_ssh(key, &aliases, start_error, progress);
    for (old, new) in failed.into_iter().zip(answers) {
        *old = new;
    }
    if matches!(record.unnamed_host, Some(HostAnswer::Failed(_))) {
        record.unnamed_host = ask_ssh(key, &[UNNAMED_HOST], start_error, &|_, _| {}).pop();
    }
    record.fingerprint.retry_at = retry_at(false, &record.answers, record.unnamed_host.as_ref());
    record
}

fn retry_at(
    is_incomplete: bool,
    answers: &[HostAnswer],
    unnamed_host: Option<&HostAnswer>,
) -> Option<SystemTime> {
    let mut answers = answers.iter().chain(unnamed_host);
    if is_incomplete || answers.any(|answer| matches!(answer, HostAnswer::Failed(_))) {
        SystemTime::now().checked_add(RETRY_AFTER)
    } else {
        None
    }
}

/// Asks ssh about one destination, an alias or not: `host`, `user@host` or `ssh://user@host:port`.
///
/// # Errors
/// ssh does not answer within its deadline, rejects the destination, or cannot be started.
pub fn host(
    destination: &str,
    request: &Request,
    environment: &Environment,
) -> Result<Host, NoHost> {
    let key = CacheKey::new(request, environment);
    let Some(program) = key.program.as_deref() else {
        return Err(NoHost::NoSsh);
    };
    let query = SshQuery::new(program, key.config.as_deref());
    let answers = query.ask(&[destination], &|_, _| {}).ok();
    match answers.and_then(|mut answers| answers.pop()) {
        Some(HostAnswer::Config(host)) => Ok(*host),
        Some(answer) => Err(Judge::new(request, environment).no_host(destination, &answer)),
        None => Err(NoHost::NoSsh),
    }
}

/// Returns one answer for each alias, or none at all if ssh cannot be started.
fn ask_ssh(
    key: &CacheKey,
    aliases: &[&str],
    start_error: &mut Option<String>,
    progress: Progress<'_>,
) -> Vec<HostAnswer> {
    let Some(program) = &key.program else {
        return Vec::new();
    };
    let query = SshQuery::new(program, key.config.as_deref());
    query.ask(aliases, progress).unwrap_or_else(|error| {
        *start_error = Some(error);
        Vec::new()
    })
}

fn ssh_missing(request: &Request, error: &str) -> Finding {
    Finding::new(
        FindingId::SshMissing,
        text::path(&request.ssh.program),
        tr!("ssh cannot be started: {error}", error),
        tr!("install the OpenSSH client, or set the program in muxtray's configuration"),
    )
}

#[cfg(test)]
mod test_home;
#[cfg(test)]
mod tests;
