//! The findings of the hosts in the ssh configuration, from the output of `ssh -G` for each. A setting that many hosts lack
//! is one finding.

use std::collections::BTreeMap;

use tr::tr;

use super::context::Context;
use super::suggest;
use crate::model::control_path::{ControlPath, MAX_USABLE_BYTES};
use crate::model::directory::Directory;
use crate::model::finding::{Finding, FindingId};
use crate::model::places::{Host, Persist};
use crate::model::socket::Filesystem;
use crate::model::text;

const NAMED: usize = 3;

pub(super) fn findings(context: Context<'_>) -> Vec<Finding> {
    let hosts: Vec<(&Host, &ControlPath)> = context.places.own_hosts().collect();
    let mut findings: Vec<Finding> = hosts
        .iter()
        .filter_map(|(host, path)| too_long(host, path, context))
        .collect();
    findings.extend(collisions(&hosts, context));
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

pub(super) fn about(
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
    let line = suggest::control_path(path.directory(), context.home);
    let finding = about(&[host], FindingId::PathTooLong, evidence, remedy, &line);
    Some(finding.with_paths([path.as_path()]))
}

/// Hosts with the same path and another destination: ssh to the second one would reach the first.
fn collisions<'a>(
    hosts: &[(&'a Host, &'a ControlPath)],
    context: Context<'a>,
) -> impl Iterator<Item = Finding> {
    let mut sharing: BTreeMap<&ControlPath, Vec<&Host>> = BTreeMap::new();
    for (host, path) in hosts {
        sharing.entry(path).or_default().push(host);
    }
    sharing.into_iter().filter_map(move |(path, hosts)| {
        let (first, rest) = hosts.split_first()?;
        let others: Vec<&&Host> = rest
            .iter()
            .filter(|host| !is_same_destination(first, host))
            .collect();
        let other = others.first()?;
        let evidence = tr!(
            "{host} leads to {destination}, {other_host} to {other_destination}",
            host = first.title(),
            destination = first.destination,
            other_host = other.title(),
            other_destination = other.destination
        );
        let evidence = match others.len() - 1 {
            0 => evidence,
            more => tr!(
                "{evidence}, and {n} more lead elsewhere"
                    | "{evidence}, and {n} more lead elsewhere" % more,
                evidence
            ),
        };
        let line = suggest::control_path(path.directory(), context.home);
        let finding = Finding::new(
            FindingId::PathCollision,
            context.tilde.path(path.as_path()),
            evidence,
            tr!(
                "put %C into ControlPath, which differs with user, host name and port: {line}",
                line
            ),
        );
        let finding = finding.with_paths([path.as_path()]);
        Some(finding.with_lines([heading(&hosts), format!("    {line}")]))
    })
}

/// Whether both lead to the same account. Host names are case-insensitive.
fn is_same_destination(a: &Host, b: &Host) -> bool {
    let (a, b) = (&a.destination, &b.destination);
    a.user == b.user && a.port == b.port && a.host.eq_ignore_ascii_case(&b.host)
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
    let line = suggest::control_path(path.directory(), context.home);
    let evidence = tr!(
        "{path} is on {filesystem} and the same on every machine: it contains none of %C, %l and %L",
        path = context.tilde.path(path.as_path()),
        filesystem = text::line(kind)
    );
    let remedy = |line: &str| tr!("put %C into ControlPath: {line}", line);
    let id = FindingId::PathNotPerMachine;
    Some(about(&named, id, evidence, remedy, &line))
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
        about(
            &no_persist,
            FindingId::NoControlPersist,
            tr!(
                "ControlMaster without ControlPersist: the first session is the master, and has to stay open until the \
                 others end"
            ),
            |line| tr!("keep the master in the background: {line}", line),
            "ControlPersist 10m",
        )
    });
    let keepalive = (!no_keepalive.is_empty()).then(|| {
        about(
            &no_keepalive,
            FindingId::NoKeepalive,
            tr!(
                "multiplexing with ServerAliveInterval 0: if the network fails, every session hangs until TCP gives up, \
                 after about 15 minutes"
            ),
            |line| tr!("make ssh notice it within a minute: {line}", line),
            "ServerAliveInterval 15",
        )
    });
    persist.into_iter().chain(keepalive)
}

#[cfg(test)]
mod tests;
