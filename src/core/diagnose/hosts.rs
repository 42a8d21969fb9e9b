//! What is wrong with the hosts of the ssh configuration, by what `ssh -G` makes of each.
//!
//! A setting that many hosts lack is one finding, not one for each of them. It knows nothing of what is on the disk.

use std::collections::BTreeMap;

use super::{Context, suggest};
use crate::core::control_path::{ControlPath, MAX_USABLE_BYTES};
use crate::core::directory::Directory;
use crate::core::finding::{Finding, FindingId};
use crate::core::places::{Host, Persist};
use crate::core::socket::Filesystem;

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
    let [first, rest @ ..] = hosts else {
        return "no host".to_owned();
    };
    if rest.is_empty() {
        return first.title();
    }
    let plain = |host: &&Host| {
        let title = host.title();
        title
            .strip_prefix("host ")
            .map_or(title.clone(), str::to_owned)
    };
    let mut names: Vec<String> = hosts.iter().take(NAMED).map(plain).collect();
    let last = if hosts.len() > NAMED {
        format!("{} more", hosts.len() - NAMED)
    } else {
        names.pop().unwrap_or_default()
    };
    format!("hosts {} and {last}", names.join(", "))
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
        format!(
            "its ControlPath expands to {length} bytes, the limit is {MAX_USABLE_BYTES}: {path}"
        ),
        format!("give it a shorter one, before any other in the configuration: {line}"),
    );
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
        let more = match others.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more lead elsewhere"),
        };
        let line = suggest::control_path(path.directory(), context.home);
        let finding = Finding::new(
            FindingId::PathCollision,
            path.to_string(),
            format!(
                "{} leads to {}, {} to {}{more}",
                first.title(),
                first.destination,
                other.title(),
                other.destination
            ),
            format!(
                "give each host a path of its own, such as by %C, which differs with user, host name and port: {line}"
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
        format!(
            "{path} is on {kind} and the same on every machine: it has neither %C nor %l nor %L"
        ),
        format!("put %C into ControlPath: {line}"),
    );
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
        "ControlMaster without ControlPersist: the first session is the master, and stays open as long as others use it",
        "let a process in the background be the master: ControlPersist 10m",
    );
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
        "multiplexing with ServerAliveInterval 0: over a dead network every session hangs until TCP gives up, about \
         15 minutes",
        "let ssh notice it within a minute: ServerAliveInterval 15",
    );
    Some(finding.with_lines([heading(&hosts), "    ServerAliveInterval 15".to_owned()]))
}

#[cfg(test)]
mod tests;
