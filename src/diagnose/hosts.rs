//! The findings of the hosts in the ssh configuration, from the output of `ssh -G` for each. A setting that many hosts lack
//! is one finding.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use tr::tr;

use super::context::Context;
use super::suggest::{self, Elsewhere};
use crate::model::control_path::{ConnectionTokens, ControlPath, Destination, MAX_USABLE_BYTES};
use crate::model::directory::Directory;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::place_difference::{Difference, place_difference};
use crate::model::places::{DefaultTemplate, Host, Persist};
use crate::model::socket::Filesystem;
use crate::model::text;

const NAMED: usize = 3;

/// A longer name makes the suggested ControlPath too long only where the directory is a long one.
const USUAL_NAME_BYTES: usize = 20;

/// The most hosts in one `Host` line.
const IN_ONE_LINE: usize = 10;

pub(super) fn findings(context: Context<'_>) -> Vec<Finding> {
    let hosts: Vec<(&Host, &ControlPath)> = context.places.own_hosts().collect();
    let mut findings: Vec<Finding> = hosts
        .iter()
        .filter_map(|(host, path)| too_long(host, path, context))
        .collect();
    findings.extend(collisions(&hosts, context));
    let is_reported = |path: &ControlPath| {
        let mut all = findings.iter();
        all.any(|it| it.id == FindingId::PathCollision && it.is_about(path))
    };
    let templates = context.places.default_templates.iter();
    let mut not_per_host: Vec<Finding> = templates
        .filter(|template| template.is_per_host || template.needs_name)
        .filter(|template| !is_reported(&template.path))
        .filter_map(|template| not_per_host(template, context))
        .collect();
    not_per_host.sort_by_key(|finding| Reverse(finding.severity));
    let mut places = HashSet::new();
    not_per_host.retain(|finding| places.insert(finding.subject.clone()));
    findings.extend(not_per_host);
    findings.extend(not_per_machine(&hosts, context));
    let multiplexing: Vec<&Host> = hosts
        .iter()
        .map(|(host, _)| *host)
        .filter(|host| host.control_master.starts_masters() && host.control_master.shares())
        .collect();
    findings.extend(lacking(&multiplexing));
    findings
}

/// Returns `host web`, `hosts web and db`, or `hosts web, db, build and 297 more`.
pub(super) fn title(hosts: &[&Host]) -> String {
    match hosts {
        [] => tr!("no host"),
        [host] => host.title(),
        _ => {
            let (named, others) = hosts.split_at(NAMED.min(hosts.len()));
            let mut names: Vec<String> = named.iter().map(|host| host.name()).collect();
            if others.is_empty() {
                let last = names.pop().unwrap_or_default();
                tr!("hosts {names} and {last}", names = text::list(names), last)
            } else {
                tr!(
                    "hosts {names} and {n} more" | "hosts {names} and {n} more" % others.len(),
                    names = text::list(names)
                )
            }
        }
    }
}

/// Returns the `Host` line for a setting of these hosts. `Host *` is for the end of the configuration, where it applies
/// only to hosts without the setting.
fn heading(hosts: &[&Host]) -> String {
    match hosts {
        [host] => host.heading(),
        _ => "Host *".to_owned(),
    }
}

/// Returns lines for the beginning of the configuration, where a setting prevails over every other, for these hosts
/// alone. After them, lines without a `Host` line apply to every host as before.
fn before_others(hosts: &[&Host], setting: &str) -> Vec<String> {
    let all = || "Host *".to_owned();
    let setting = format!("    {setting}");
    let is_short = hosts.len() <= IN_ONE_LINE;
    if !is_short || hosts.iter().any(|host| host.is_unnamed_host()) {
        return vec![all(), setting];
    }
    let names: Vec<String> = hosts.iter().map(|host| host.alias.to_string()).collect();
    vec![format!("Host {}", names.join(" ")), setting, all()]
}

/// Returns a finding about these hosts, with lines that have to come before all others of the configuration.
pub(super) fn about_first(
    hosts: &[&Host],
    id: FindingId,
    evidence: String,
    remedy: impl FnOnce(&str) -> String,
    line: &str,
) -> Finding {
    about(hosts, id, evidence, remedy, line).with_lines(before_others(hosts, line))
}

fn about(
    hosts: &[&Host],
    id: FindingId,
    evidence: String,
    remedy: impl FnOnce(&str) -> String,
    line: &str,
) -> Finding {
    let aliases = hosts.iter().map(|host| host.alias.clone());
    Finding::new(id, title(hosts), evidence, remedy(line))
        .with_hosts(aliases)
        .with_lines([heading(hosts), format!("    {line}")])
}

fn too_long(host: &Host, path: &ControlPath, context: Context<'_>) -> Option<Finding> {
    let length = path.len_bytes();
    if length <= MAX_USABLE_BYTES {
        return None;
    }
    let evidence = tr!(
        "its ControlPath expands to {n} byte, the limit is {limit}: {path}"
            | "its ControlPath expands to {n} bytes, the limit is {limit}: {path}" % length,
        limit = MAX_USABLE_BYTES,
        path = context.tilde.path(path.as_path())
    );
    let remedy = |line: &str| {
        tr!(
            "set a shorter one before any other in the configuration: {line}",
            line
        )
    };
    let place = suggest::control_path(path.directory(), context);
    let line = &place.line;
    let finding = about_first(&[host], FindingId::PathTooLong, evidence, remedy, line);
    Some(place.add_command_to(finding.with_paths([path.as_path()])))
}

/// Hosts with the same path that are different places: ssh to the second one would reach the first.
fn collisions<'a>(
    hosts: &[(&'a Host, &'a ControlPath)],
    context: Context<'a>,
) -> impl Iterator<Item = Finding> {
    let mut sharing: BTreeMap<&ControlPath, Vec<&Host>> = BTreeMap::new();
    // The name and HostName of a host without a name are made up.
    for (host, path) in hosts.iter().filter(|(host, _)| !host.is_unnamed_host()) {
        sharing.entry(path).or_default().push(host);
    }
    sharing.into_iter().filter_map(move |(path, hosts)| {
        let (first, rest) = hosts.split_first()?;
        let differing = rest.iter().filter_map(|host| {
            let difference = place_difference(first, host, context.home)?;
            Some((*host, difference))
        });
        let others: Vec<(&Host, Difference)> = differing.collect();
        let (other, difference) = others.first()?;
        let evidence = tr!(
            "{host} has {one}, {other_host} has {other}",
            host = first.title(),
            one = difference.one,
            other_host = other.title(),
            other = difference.other
        );
        let evidence = match others.len() - 1 {
            0 => evidence,
            more => tr!(
                "{evidence}, and {n} more lead elsewhere"
                    | "{evidence}, and {n} more lead elsewhere" % more,
                evidence
            ),
        };
        let (place, remedy) = path_for_each(&hosts, path.directory(), context);
        let finding = Finding::new(
            FindingId::PathCollision,
            context.tilde.path(path.as_path()),
            evidence,
            remedy,
        );
        let finding = finding.with_paths([path.as_path()]);
        let finding = finding.with_lines([heading(&hosts), format!("    {}", place.line)]);
        Some(place.add_command_to(finding))
    })
}

/// Returns a ControlPath that differs between these hosts, and the remedy with it.
fn path_for_each(hosts: &[&Host], directory: &Path, context: Context<'_>) -> (Elsewhere, String) {
    if has_hash_for_each_place(hosts, context.home) {
        let place = suggest::control_path(directory, context);
        let remedy = put_hash(&place);
        return (place, remedy);
    }
    let names = hosts.iter().map(|host| host.alias.0.len());
    path_with_name(directory, names.max().unwrap_or(0), context)
}

fn path_with_name(
    directory: &Path,
    name_bytes: usize,
    context: Context<'_>,
) -> (Elsewhere, String) {
    let place = suggest::per_name(directory, name_bytes, context);
    let remedy = tr!(
        "put %n, the name as it is typed, into ControlPath, because %C is the same for these hosts: {line}",
        line = place.line
    );
    (place, remedy)
}

fn put_hash(place: &Elsewhere) -> String {
    tr!(
        "put %C into ControlPath, which differs with user, host name and port: {line}",
        line = place.line
    )
}

/// Whether `%C` differs wherever the place does. The jump host is only part of `%C` since OpenSSH 9.6, so only the
/// destination counts.
fn has_hash_for_each_place(hosts: &[&Host], home: &Path) -> bool {
    let mut first: BTreeMap<&Destination, &Host> = BTreeMap::new();
    hosts.iter().all(|host| {
        let first = first.entry(&host.destination).or_insert(host);
        place_difference(first, host, home).is_none()
    })
}

/// A template for every host without a name that lacks a part of the connection. A port or user that the configuration
/// fixes can still be another on the command line.
fn not_per_host(template: &DefaultTemplate, context: Context<'_>) -> Option<Finding> {
    let path = &template.path;
    let starts_master = |host: &Host| {
        host.control_master.starts_masters() && host.control_path.as_ref() == Some(path)
    };
    // Without a master of its own, such a host can still use that of a named one.
    let is_used = template.multiplexes || context.places.hosts.iter().any(starts_master);
    if !is_used || !context.places.is_own(path) {
        return None;
    }
    let (severity, evidence) = lacking_tokens(template)?;
    let has_tokens = template
        .text
        .rsplit_once('/')
        .is_some_and(|(directory, _)| directory.contains('%'));
    let (place, remedy) = if template.needs_name {
        path_with_name(path.directory(), USUAL_NAME_BYTES, context)
    } else {
        let place = if has_tokens {
            suggest::for_every_host(context)
        } else {
            suggest::control_path(path.directory(), context)
        };
        let remedy = put_hash(&place);
        (place, remedy)
    };
    let subject = template.place.clone();
    let finding = Finding::new(FindingId::PathNotPerHost, subject, evidence, remedy);
    let finding = finding.with_severity(severity).with_paths([path.as_path()]);
    Some(place.add_command_to(finding.with_lines(suggest::for_all_hosts(&place.line))))
}

/// Returns the evidence for the parts of the connection that a template lacks, if there are any.
fn lacking_tokens(template: &DefaultTemplate) -> Option<(Severity, String)> {
    let text = text::line(&template.text);
    let tokens = ConnectionTokens::of(&template.text);
    let host = tokens.host && !template.needs_name;
    Some(match (ConnectionTokens { host, ..tokens }) {
        ConnectionTokens { host: false, .. } => (
            Severity::Error,
            match &template.wildcard {
                Some(wildcard) => tr!(
                    "ControlPath {text} is the same for every host of {wildcard}: ssh to a second one runs on the first",
                    text,
                    wildcard = text::line(wildcard)
                ),
                None => tr!(
                    "ControlPath {text} is the same for every host that no Host line names: ssh to a second one runs on the first",
                    text
                ),
            },
        ),
        ConnectionTokens {
            port: false,
            user: false,
            ..
        } => (
            Severity::Warning,
            tr!(
                "ControlPath {text} has neither port nor user: ssh with another -p or -l uses the master of the first",
                text
            ),
        ),
        ConnectionTokens { port: false, .. } => (
            Severity::Warning,
            tr!(
                "ControlPath {text} has no port: ssh with another -p uses the master of the first",
                text
            ),
        ),
        ConnectionTokens { user: false, .. } => (
            Severity::Warning,
            tr!(
                "ControlPath {text} has no user: ssh with another -l uses the master of the first",
                text
            ),
        ),
        _ => return None,
    })
}

/// Paths on a shared filesystem that are the same on every machine: a machine cannot use, and may remove, the sockets of
/// another.
fn not_per_machine(hosts: &[(&Host, &ControlPath)], context: Context<'_>) -> Option<Finding> {
    let shared = |path: &ControlPath| {
        context
            .directories
            .iter()
            .find(|directory| directory.path() == path.directory())
            .and_then(network_filesystem)
    };
    let found: Vec<(&Host, &ControlPath, &str)> = hosts
        .iter()
        .filter_map(|(host, path)| Some((*host, *path, shared(path)?)))
        .filter(|(_, path, _)| context.places.is_per_machine(path) == Some(false))
        .collect();
    let (_, path, kind) = found.first()?;
    let named: Vec<&Host> = found.iter().map(|(host, ..)| *host).collect();
    let place = suggest::control_path(path.directory(), context);
    let evidence = tr!(
        "{path} is on {filesystem} and the same on every machine: it contains none of %C, %l and %L",
        path = context.tilde.path(path.as_path()),
        filesystem = text::line(kind)
    );
    let remedy = |line: &str| tr!("put %C into ControlPath: {line}", line);
    let id = FindingId::PathNotPerMachine;
    let finding = about(&named, id, evidence, remedy, &place.line);
    Some(place.add_command_to(finding))
}

pub(super) fn network_filesystem(directory: &Directory) -> Option<&str> {
    let (_, there) = directory.own()?;
    let volume = there.volume.as_ref()?;
    matches!(volume.filesystem, Filesystem::Network(_)).then_some(&volume.kind)
}

fn lacking(multiplexing: &[&Host]) -> impl Iterator<Item = Finding> {
    let all = |lacks: fn(&Host) -> bool| -> Vec<&Host> {
        let hosts = multiplexing.iter().copied();
        hosts.filter(|host| lacks(host)).collect()
    };
    let no_persist = all(|host| host.persist == Persist::No);
    let no_keepalive = all(|host| host.server_alive_interval == 0);
    let persist = (!no_persist.is_empty()).then(|| {
        about_first(
            &no_persist,
            FindingId::NoControlPersist,
            tr!(
                "ControlMaster without ControlPersist: the first session is the master, and has to stay open until the \
                 others end"
            ),
            |line| {
                tr!(
                    "keep the master in the background, by this line before any other ControlPersist: {line}",
                    line
                )
            },
            "ControlPersist 10m",
        )
    });
    let keepalive = (!no_keepalive.is_empty()).then(|| {
        about_first(
            &no_keepalive,
            FindingId::NoKeepalive,
            tr!(
                "multiplexing with ServerAliveInterval 0: if the network fails, every session hangs until TCP gives up, \
                 after about 15 minutes"
            ),
            |line| {
                tr!(
                    "make ssh notice it within a minute, by this line before any other ServerAliveInterval: {line}",
                    line
                )
            },
            "ServerAliveInterval 15",
        )
    });
    persist.into_iter().chain(keepalive)
}

#[cfg(test)]
mod tests;
