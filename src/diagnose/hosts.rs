//! What is wrong with the hosts of the ssh configuration, by what `ssh -G` makes of each.
//!
//! A setting that many hosts lack is one finding, not one for each of them. It knows nothing of what is on the disk.

use std::collections::BTreeMap;

use tr::tr;

use super::context::Context;
use super::suggest;
use crate::model::control_path::{ControlPath, HostAlias, MAX_USABLE_BYTES};
use crate::model::directory::Directory;
use crate::model::finding::{Finding, FindingId};
use crate::model::places::{Host, Persist};
use crate::model::socket::Filesystem;
use crate::model::text;

/// So many hosts are named; the others are counted.
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
        .filter(|host| host.multiplexes)
        .collect();
    findings.extend(no_control_persist(&multiplexing));
    findings.extend(no_keepalive(&multiplexing));
    findings
}

/// `host web`, `hosts web and db`, `hosts web, db, build and 297 more`.
pub(super) fn called(hosts: &[&Host]) -> String {
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

fn aliases(hosts: &[&Host]) -> impl Iterator<Item = HostAlias> {
    hosts.iter().map(|host| host.alias.clone())
}

/// The `Host` line that a setting for all of these goes under: at the end of the configuration, where it only counts
/// for hosts that have none.
fn heading(hosts: &[&Host]) -> String {
    match hosts {
        [host] => host.heading(),
        _ => "Host *".to_owned(),
    }
}

fn too_long(host: &Host, path: &ControlPath, context: Context<'_>) -> Option<Finding> {
    let length = path.len_bytes();
    if length <= MAX_USABLE_BYTES {
        return None;
    }
    let line = suggest::control_path(path.directory(), context.home);
    let finding = Finding::new(
        FindingId::PathTooLong,
        host.title(),
        tr!(
            "its ControlPath expands to {n} byte, the limit is {limit}: {path}"
                | "its ControlPath expands to {n} bytes, the limit is {limit}: {path}" % length,
            limit = MAX_USABLE_BYTES,
            path
        ),
        tr!(
            "give it a shorter one, before any other in the configuration: {line}",
            line
        ),
    );
    let finding = finding.with_hosts([host.alias.clone()]);
    Some(finding.with_lines([host.heading(), format!("    {line}")]))
}

/// Hosts that share a path but not the place it leads to: whoever comes second gets the other's machine or account.
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
        let others: Vec<&&Host> = rest.iter().filter(|host| !is_same_place(first, host)).collect();
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
                "{evidence}, and {n} more lead elsewhere" | "{evidence}, and {n} more lead elsewhere"
                    % more,
                evidence
            ),
        };
        let line = suggest::control_path(path.directory(), context.home);
        let finding = Finding::new(
            FindingId::PathCollision,
            path.to_string(),
            evidence,
            tr!(
                "give each host a path of its own, such as by %C, which differs with user, host name and port: {line}",
                line
            ),
        );
        Some(finding.with_lines([heading(&hosts), format!("    {line}")]))
    })
}

/// Whether both lead to the same account: host names do not differ by case.
fn is_same_place(a: &Host, b: &Host) -> bool {
    let (a, b) = (&a.destination, &b.destination);
    a.user == b.user && a.port == b.port && a.host.eq_ignore_ascii_case(&b.host)
}

/// Paths on a shared home that are the same on every machine: each refuses, or takes down, the others' masters.
fn not_per_machine(hosts: &[(&Host, &ControlPath)], context: Context<'_>) -> Option<Finding> {
    let shared = |path: &ControlPath| {
        context
            .directories
            .iter()
            .find(|directory| directory.path() == path.directory())
            .and_then(network)
    };
    let found: Vec<(&Host, &ControlPath, &str)> = hosts
        .iter()
        .filter_map(|(host, path)| Some((*host, *path, shared(path)?)))
        .filter(|(_, path, _)| context.places.is_per_machine(path) == Some(false))
        .collect();
    let (_, path, kind) = found.first()?;
    let named: Vec<&Host> = found.iter().map(|(host, ..)| *host).collect();
    let line = suggest::control_path(path.directory(), context.home);
    let finding = Finding::new(
        FindingId::PathNotPerMachine,
        called(&named),
        tr!(
            "{path} is on {filesystem} and the same on every machine: it has neither %C nor %l nor %L",
            path,
            filesystem = text::line(kind)
        ),
        tr!("put %C into ControlPath: {line}", line),
    );
    let finding = finding.with_hosts(aliases(&named));
    Some(finding.with_lines([heading(&named), format!("    {line}")]))
}

/// The name of the network filesystem that a directory lies on.
pub(super) fn network(directory: &Directory) -> Option<&str> {
    let (_, there) = directory.own()?;
    let volume = there.volume.as_ref()?;
    matches!(volume.filesystem, Filesystem::Network(_)).then_some(&volume.kind)
}

fn no_control_persist(multiplexing: &[&Host]) -> Option<Finding> {
    let hosts: Vec<&Host> = multiplexing
        .iter()
        .copied()
        .filter(|host| host.persist == Persist::No)
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let finding = Finding::new(
        FindingId::NoControlPersist,
        called(&hosts),
        tr!(
            "ControlMaster without ControlPersist: the first session is the master, and stays open as long as others \
             use it"
        ),
        tr!(
            "let a process in the background be the master: {line}",
            line = "ControlPersist 10m"
        ),
    );
    let finding = finding.with_hosts(aliases(&hosts));
    Some(finding.with_lines([heading(&hosts), "    ControlPersist 10m".to_owned()]))
}

fn no_keepalive(multiplexing: &[&Host]) -> Option<Finding> {
    let hosts: Vec<&Host> = multiplexing
        .iter()
        .copied()
        .filter(|host| host.server_alive_interval == 0)
        .collect();
    if hosts.is_empty() {
        return None;
    }
    let finding = Finding::new(
        FindingId::NoKeepalive,
        called(&hosts),
        tr!(
            "multiplexing with ServerAliveInterval 0: over a dead network every session hangs until TCP gives up, \
             about 15 minutes"
        ),
        tr!(
            "let ssh notice it within a minute: {line}",
            line = "ServerAliveInterval 15"
        ),
    );
    let finding = finding.with_hosts(aliases(&hosts));
    Some(finding.with_lines([heading(&hosts), "    ServerAliveInterval 15".to_owned()]))
}

#[cfg(test)]
mod tests;
