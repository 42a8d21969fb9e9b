//! Answers a message that ssh printed: its meaning, the present state of the path, host and port in it, and what to do.

mod values;

use core::net::IpAddr;
use std::iter;

use tr::tr;

pub use values::Situation;
use values::{Values, path_of};

use super::ssh_messages::{Recognised, SshMessage, Subject};
use crate::diagnose::port_holders;
use crate::model::control_path::{ControlPath, MAX_USABLE_BYTES};
use crate::model::finding::{Finding, FindingId};
use crate::model::port_holder::PortHolder;
use crate::model::socket::{Snapshot, Socket, State};
use crate::model::text::{self, translated};

/// The default of net.ipv4.ip_unprivileged_port_start.
const FIRST_PORT_OF_USERS: u16 = 1024;

/// The most masters that an answer lists.
const MAX_MASTERS: usize = 5;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The message, escaped.
    pub line: String,
    pub meaning: String,
    /// The present state, in sentences.
    pub now: Vec<String>,
    /// The present findings that can cause the message.
    pub findings: Vec<Finding>,
    /// The usual causes, unless the present state explains the message.
    pub causes: Vec<String>,
    /// The general remedies, unless a finding has a better one.
    pub remedies: Vec<String>,
}

impl Answer {
    pub fn is_wrong(&self) -> bool {
        has_problem(&self.findings)
    }
}

fn has_problem(findings: &[Finding]) -> bool {
    findings.iter().any(|it| it.severity.is_problem())
}

pub fn answer(recognised: &Recognised, situation: &Situation<'_>) -> Answer {
    let message = recognised.message;
    let line = text::line(&recognised.line);
    let values = Values::of(recognised, situation);
    // Without a TARGET these commands leave out the sockets of Ansible.
    let lacks_managed = |remedy: &str| {
        let mut ends = ["muxtray clean", "muxtray check"].into_iter();
        recognised.is_of_ansible && ends.any(|command| remedy.ends_with(command))
    };
    let filled = |texts: &[&'static str]| -> Vec<String> {
        let texts = texts.iter();
        let filled = texts.filter_map(|remedy| values.fill(&translated(remedy)));
        let filled = filled.map(|remedy| match lacks_managed(&remedy) {
            true => remedy + " --managed",
            false => remedy,
        });
        filled.collect()
    };
    if recognised.subject == Subject::Other {
        let parts = iter::once(translated(message.meaning)).chain(filled(message.remedies));
        let parts: Vec<String> = parts.collect();
        let meaning = tr!(
            "not about multiplexing or forwarding: {what}",
            what = parts.join("; ")
        );
        return Answer {
            line,
            meaning,
            ..Answer::default()
        };
    }
    let (mut now, findings) = state_now(recognised, situation);
    let (of_port, ways_to_free) = state_of_port(recognised, situation);
    now.extend(of_port);
    let mut causes_here = findings
        .iter()
        .filter(|it| message.findings.contains(&it.id));
    let is_explained = !ways_to_free.is_empty()
        || values.path.is_some() && causes_here.any(|it| it.severity.is_problem());
    let general = if recognised.is_of_ansible && !message.remedies_in_ansible.is_empty() {
        message.remedies_in_ansible
    } else {
        message.remedies
    };
    let remedies = if !ways_to_free.is_empty() {
        // The process is known, so nothing has to be searched.
        let is_search = |it: &str| it.contains("PORT") || it.contains("muxtray exit");
        let others: Vec<_> = general
            .iter()
            .copied()
            .filter(|it| !is_search(it))
            .collect();
        [ways_to_free, filled(&others)].concat()
    } else if is_explained || message.remedies.is_empty() && has_problem(&findings) {
        Vec::new()
    } else if message.remedies.is_empty() {
        vec![tr!("nothing to do")]
    } else {
        filled(general)
    };
    let causes = message.causes.iter().filter(|_| !is_explained);
    Answer {
        line,
        meaning: translated(message.meaning),
        now,
        findings,
        causes: causes.map(|cause| translated(cause)).collect(),
        remedies,
    }
}

/// Returns the listeners on the local port of the message, if one can be the cause, and the commands that free it.
fn state_of_port(recognised: &Recognised, situation: &Situation<'_>) -> (Vec<String>, Vec<String>) {
    let port = recognised.port.filter(|_| names_port(recognised.message));
    let Some((port, holders)) = port.and_then(|port| Some((port, situation.ports.get(&port)?)))
    else {
        return (Vec::new(), Vec::new());
    };
    let address = address_in(&recognised.line);
    let is_cause =
        |it: &&PortHolder| address.is_none_or(|address| can_take(it.address.ip(), address));
    let holders = port_holders::one_for_each_process(holders.iter().filter(is_cause));
    if holders.is_empty() {
        let now = if port < FIRST_PORT_OF_USERS {
            tr!(
                "nothing listens on port {port}, but ports below 1024 are for root",
                port
            )
        } else {
            tr!("nothing listens on port {port}: connect again", port)
        };
        return (vec![now], Vec::new());
    }
    let sockets = &situation.snapshot.sockets;
    let ways = holders
        .iter()
        .flat_map(|holder| port_holders::ways_to_free(holder, sockets));
    let held = holders
        .iter()
        .map(|holder| port_holders::held_by(holder, sockets));
    (held.collect(), ways.collect())
}

/// The address in `bind [127.0.0.1]:8080: Address already in use`.
fn address_in(line: &str) -> Option<IpAddr> {
    let (_, rest) = line.split_once('[')?;
    let (address, _) = rest.split_once("]:")?;
    address.parse().ok()
}

/// Whether a listener there takes the port of this address. One on every address of IPv6 may take that of IPv4, too.
fn can_take(listens: IpAddr, address: IpAddr) -> bool {
    let is_same_family = listens.is_ipv4() == address.is_ipv4();
    listens == address
        || (listens.is_unspecified() && (is_same_family || listens.is_ipv6()))
        || (address.is_unspecified() && is_same_family)
}

/// Whether the listener on the local port can be the cause.
fn names_port(message: &SshMessage) -> bool {
    message
        .remedies
        .iter()
        .any(|remedy| remedy.contains("sport = :PORT"))
}

/// Returns the state of the path or of all sockets, and the findings that can cause the message.
fn state_now(recognised: &Recognised, situation: &Situation<'_>) -> (Vec<String>, Vec<Finding>) {
    let (message, snapshot) = (recognised.message, situation.snapshot);
    let is_about_sessions = message.findings.contains(&FindingId::SessionsAtLimit);
    if let Some(path) = path_of(recognised, situation) {
        let exists = snapshot.sockets.iter().any(|socket| socket.path == path);
        let findings = findings_about(&path, message, snapshot);
        let is_in_message = recognised.path.is_some();
        let is_too_long = message.findings.contains(&FindingId::PathTooLong);
        // People shorten long paths before they show them.
        let is_shortened = is_too_long && !exists && path.len_bytes() <= MAX_USABLE_BYTES;
        let now = if is_in_message && !is_shortened || exists {
            vec![state_of_path(&path, is_too_long, &findings, snapshot)]
        } else {
            Vec::new()
        };
        return (now, findings);
    }
    let findings = findings_of(message.findings, snapshot);
    if message.findings.is_empty()
        || findings.is_empty() && recognised.subject == Subject::Forwarding && !is_about_sessions
    {
        return (Vec::new(), Vec::new());
    }
    let masters = masters(snapshot);
    let now = if is_about_sessions && !masters.is_empty() {
        masters
    } else {
        vec![match findings.len() {
            0 => tr!("the message names no path, and no such problem exists"),
            number => tr!("the message names no path; {n} such problem exists"
                | "the message names no path; {n} such problems exist" % number),
        }]
    };
    (now, findings)
}

/// Returns the running masters with sessions, those with the most first.
fn masters(snapshot: &Snapshot) -> Vec<String> {
    let sessions = |socket: &Socket| socket.carried().map_or(0, |carried| carried.sessions);
    let mut masters: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_running() && sessions(socket) > 0)
        .collect();
    masters.sort_by_key(|socket| std::cmp::Reverse(sessions(socket)));
    masters
        .into_iter()
        .take(MAX_MASTERS)
        .map(|socket| {
            tr!(
                "{name} is {state}",
                name = socket.title(),
                state = state_of_socket(socket)
            )
        })
        .collect()
}

/// Returns the problems of the socket, and the findings of its directory and hosts that can cause the message.
fn findings_about(path: &ControlPath, message: &SshMessage, snapshot: &Snapshot) -> Vec<Finding> {
    let is_about = |(finding, socket): &(&Finding, Option<&Socket>)| {
        let can_cause = message.findings.contains(&finding.id);
        match socket {
            Some(socket) => socket.path == *path && (can_cause || finding.severity.is_problem()),
            None => can_cause && finding.is_about(path),
        }
    };
    let all = snapshot.all_findings().filter(is_about);
    all.map(|(finding, _)| finding.clone()).collect()
}

fn findings_of(ids: &[FindingId], snapshot: &Snapshot) -> Vec<Finding> {
    let all = snapshot.all_findings().map(|(finding, _)| finding);
    all.filter(|it| ids.contains(&it.id)).cloned().collect()
}

fn state_of_path(
    path: &ControlPath,
    is_too_long: bool,
    findings: &[Finding],
    snapshot: &Snapshot,
) -> String {
    // An orphaned master and its successor have the same path.
    let states = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.path == *path)
        .map(state_of_socket)
        .reduce(|states, state| tr!("{states}, and {state}", states, state));
    match states {
        Some(state) => tr!("{path} is {state}", path, state),
        None if is_too_long => tr!(
            "{path} is {n} byte long, the limit is {limit}"
                | "{path} is {n} bytes long, the limit is {limit}" % path.len_bytes(),
            path,
            limit = MAX_USABLE_BYTES
        ),
        None if has_problem(findings) => tr!("{path} does not exist", path),
        None => tr!("{path} does not exist, and no problem is known", path),
    }
}

fn state_of_socket(socket: &Socket) -> String {
    match (&socket.state, socket.carried_text(), socket.pid) {
        (State::Running, Some(carried), Some(pid)) => {
            tr!("running (pid {pid}) with {carried}", pid = pid.0, carried)
        }
        (State::Running, Some(carried), None) => tr!("running with {carried}", carried),
        (state, ..) => state.word(),
    }
}

#[cfg(test)]
mod tests;
