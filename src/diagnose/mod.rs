//! The judgement: takes observations, returns states and findings. Pure.
//!
//! A refused connect proves that nobody listens only on a local filesystem, and only at a final name: between bind and link,
//! the temporary name of a starting master refuses too (`muxserver_listen()` in mux.c).

pub mod commands;
mod context;
pub mod control_master;
mod directories;
pub mod forwards;
mod history;
mod hosts;
mod names;
pub mod network;
mod not_multiplexed;
pub mod obstacle;
mod outdated;
mod place_owner;
pub mod port_holders;
mod remedy;
mod state;
mod suggest;
pub mod taken_ports;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::model::carried::Carried;
use crate::model::control_path::{ControlPath, Destination};
use crate::model::directory::Directory;
use crate::model::finding::{Finding, Severity};
use crate::model::network::Judgement;
use crate::model::places::{Host, Origin, Persist, Places, WrittenBy};
use crate::model::socket::{
    Facts, File, FileKind, Listener, MasterPid, Observation, Orphan, Snapshot, Socket, Stat, State,
    Target,
};
use crate::model::text;
use crate::model::zone::Zone;
pub use context::Context;
pub use history::{ENDS_WITHIN, History, STUCK_AFTER};
use place_owner::Traces;
use remedy::Extra;
pub use state::LEFTOVER_AFTER;

#[must_use]
pub fn snapshot(facts: &Facts, context: Context<'_>) -> Snapshot {
    let observed = facts
        .observations
        .iter()
        .filter_map(|observation| judge(observation, facts.at, context));
    let orphaned = facts
        .orphans
        .iter()
        .map(|orphan| judge_orphan(orphan, context));
    let mut sockets: Vec<Socket> = observed
        .chain(orphaned)
        .filter(|socket| !context.places.is_ignored(&socket.path))
        .collect();
    add_jumping(&mut sockets);
    sockets.sort_by_cached_key(|socket| {
        let rank = socket.worst().filter(|severity| *severity > Severity::Info);
        (
            std::cmp::Reverse(rank),
            socket.title(),
            socket.path.clone(),
            socket.cookie,
        )
    });
    let mut findings = context.places.findings.clone();
    findings.extend(hosts::findings(context));
    findings.extend(control_master::findings(context));
    findings.extend(directories::findings(context, &sockets));
    sort(&mut findings);
    let observations = facts.observations.iter();
    let asides = observations.filter_map(|observation| aside(observation, context));
    Snapshot {
        at: facts.at,
        zone: Zone::default(),
        sockets,
        findings,
        asides: asides.collect(),
    }
}

pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| (a.id, &a.subject).cmp(&(b.id, &b.subject)))
    });
}

fn add_jumping(sockets: &mut [Socket]) {
    let mut jumping: BTreeMap<MasterPid, Vec<String>> = BTreeMap::new();
    for socket in &*sockets {
        let verdict = socket.network.iter();
        for through in verdict.flat_map(|verdict| &verdict.connection.through) {
            jumping.entry(*through).or_default().push(socket.title());
        }
    }
    for socket in sockets {
        let masters = socket.pid.and_then(|pid| jumping.remove(&pid));
        socket.jumping = masters.unwrap_or_default();
    }
}

/// Returns the target of a socket that an interrupted `clean` has renamed, whether or not a process listens.
fn aside(observation: &Observation, context: Context<'_>) -> Option<Target> {
    match (&observation.origin, &observation.file) {
        (Origin::Aside, File::Socket(stat)) if stat.uid == context.uid => Some(Target {
            path: observation.path.clone(),
            id: Some(stat.id),
            cookie: observation.listener.as_ref().and_then(|it| it.cookie),
        }),
        _ => None,
    }
}

/// Returns the user's own directory whose mode forbids to look at this path.
fn closed_directory<'a>(path: &ControlPath, context: Context<'a>) -> Option<&'a Path> {
    let mut directories = context.directories.iter();
    let directory = directories.find(|it| it.path() == path.directory())?;
    let part = directory.closed()?;
    (part.uid == context.uid).then_some(&part.path)
}

/// Returns `None` if there is nothing to report: no file, a start in progress, another user's file in a shared directory, or
/// a file that only a vague pattern matches.
pub fn judge(observation: &Observation, at: SystemTime, context: Context<'_>) -> Option<Socket> {
    let state = state::state(observation, at, context)?;
    let stat = observation.file.stat();
    let listener = observation.listener.as_ref();
    let mut socket = socket(&observation.path, state, stat, listener, context);
    if let (State::Running, Some(verdict)) = (&socket.state, &socket.network) {
        socket.state = match verdict.judgement {
            Judgement::Well => State::Running,
            Judgement::Suspect(doubt) => State::Suspect(doubt),
            Judgement::Stranded(cause) => State::Stranded(cause),
        };
    }
    let unused_for = stat.and_then(|stat| unused_for(&socket, stat, at, context));
    let open_mode = stat.and_then(|stat| {
        let mode = format!("{:04o}", stat.permissions.mode);
        context.groups.with_writers(&stat.permissions, mode)
    });
    let elsewhere = match &socket.state {
        State::Misowned(_) if observation.shared_directory => {
            Some(suggest::elsewhere(socket.path.directory(), context))
        }
        State::NotASocket(kind) if has_to_stay(&socket.path, *kind, stat, context) => {
            Some(suggest::for_every_host(context))
        }
        _ => None,
    };
    let closed = matches!(socket.state, State::Denied(_))
        .then(|| closed_directory(&socket.path, context))
        .flatten();
    socket.findings = remedy::findings(
        &socket,
        Extra {
            tilde: context.tilde,
            open_mode: open_mode.as_deref(),
            is_listening: observation.listener.is_some(),
            elsewhere: elsewhere.as_ref(),
            closed,
            unused_for,
        },
    );
    let outdated = outdated::finding(&socket, context.places, context.home, context.tilde);
    socket.findings.extend(outdated);
    let alone = context.history.alone();
    let not_multiplexed = not_multiplexed::finding(&socket, alone, context.places, context.tilde);
    socket.findings.extend(not_multiplexed);
    socket
        .findings
        .extend(forwards::exposed(&socket, context.tilde));
    Some(socket)
}

/// Returns the time since the last connect to a master without sessions.
///
/// A connect updates the access time of the socket file (`unix_find_bsd()` in the kernel's af_unix.c). With `relatime` only
/// once a day, so an old access time can be a day too old.
fn unused_for(
    socket: &Socket,
    stat: &Stat,
    at: SystemTime,
    context: Context<'_>,
) -> Option<Duration> {
    if socket.carried() != Some(Carried::NONE) || context.history.was_used(socket.cookie) {
        return None;
    }
    at.duration_since(stat.modified.max(stat.accessed)).ok()
}

fn judge_orphan(orphan: &Orphan, context: Context<'_>) -> Socket {
    let state = State::Orphaned {
        successor: orphan.successor,
    };
    let mut socket = socket(&orphan.path, state, None, Some(&orphan.listener), context);
    socket.findings = remedy::findings(
        &socket,
        Extra {
            tilde: context.tilde,
            is_listening: true,
            ..Extra::default()
        },
    );
    socket
        .findings
        .extend(forwards::exposed(&socket, context.tilde));
    socket
}

/// Whether a file at a ControlPath has another use, so that the ControlPath is wrong: `/dev/null`, the directory of
/// other sockets, a file of ssh.
fn has_to_stay(
    path: &ControlPath,
    kind: FileKind,
    stat: Option<&Stat>,
    context: Context<'_>,
) -> bool {
    let path = path.as_path();
    let sockets = context.home.join(".ssh/s");
    let mut needed = context.directories.iter().map(Directory::path);
    // Only its owner can move a directory to another one.
    let is_own = stat.is_none_or(|stat| stat.uid == context.uid);
    match kind {
        FileKind::Device => true,
        FileKind::Directory => {
            !is_own || sockets.starts_with(path) || needed.any(|needed| needed.starts_with(path))
        }
        _ => path.parent() == sockets.parent() && path != sockets,
    }
}

fn socket(
    path: &ControlPath,
    state: State,
    stat: Option<&Stat>,
    listener: Option<&Listener>,
    context: Context<'_>,
) -> Socket {
    let (places, history) = (context.places, context.history);
    let control_path = original_path(path, &state);
    let hosts: Vec<_> = places.hosts_at(&control_path).collect();
    let process = listener.and_then(|listener| listener.holder.process());
    let limit = hosts.iter().find_map(|host| host.unanswered_limit());
    let network = process.and_then(|process| {
        let limit = limit.unwrap_or(network::LIMIT);
        history.verdict(process.pid, limit)
    });
    let traces = Traces {
        arguments: process.and_then(|process| process.arguments.as_ref()),
        connection: network.as_ref().map(|verdict| &verdict.connection),
        proxy_commands: process.map_or(&[], |it| history.proxy_commands(it.pid)),
    };
    let (mut hosts, mut strangers) = match listener {
        Some(_) => place_owner::divide(hosts, traces, context.home),
        None => (hosts, Vec::new()),
    };
    if let (Some(_), [], Some(template)) =
        (listener, &*strangers, places.shared_template(&control_path))
    {
        (hosts, strangers) = place_owner::divide_shared(
            hosts,
            template,
            &places.earlier_hosts,
            traces,
            context.home,
        );
    }
    let argument = argument(path, &state, &hosts, context);
    let persist_secs = hosts.first().and_then(|host| host.persist.as_secs());
    let typed = traces.arguments.and_then(|arguments| arguments.persist);
    let own_persist_secs = typed.map_or(persist_secs, Persist::as_secs);
    let mut destination = destination(&control_path, &hosts, places);
    let is_elsewhere = hosts.is_empty() && strangers.is_empty();
    if hosts.is_empty() {
        let (host, to) = names::name(&control_path, destination, traces, places);
        hosts.extend(host.filter(|_| is_elsewhere));
        destination = to;
    }
    let seen = stat.and_then(|stat| history.seen.at(&control_path, stat));
    let mut aliases: Vec<_> = hosts.iter().map(|host| host.alias.clone()).collect();
    if let (true, Some(seen)) = (aliases.is_empty() && process.is_none(), seen) {
        aliases.clone_from(&seen.hosts);
        destination = destination.or_else(|| seen.destination.clone());
    }
    let cookie = listener.and_then(|listener| listener.cookie);
    let starter = process.and_then(|process| process.starter.as_deref());
    let started_by = || places.started_by(&control_path, starter?);
    let mut socket = Socket {
        path: path.clone(),
        strangers,
        argument,
        ssh_option: places.ssh_option.clone(),
        state,
        id: stat.map(|stat| stat.id),
        cookie,
        refuses: false,
        is_elsewhere: is_elsewhere && !aliases.is_empty(),
        destination,
        ends_at: history.ends_at(cookie, own_persist_secs),
        persist_secs,
        own_persist_secs,
        hosts: aliases,
        pid: process.map(|process| process.pid),
        sessions: listener.map(|listener| listener.sessions),
        clients: listener.and_then(|listener| listener.clients.clone()),
        is_kept: listener.is_some_and(|listener| listener.is_kept),
        kept_until: None,
        own_session: process.is_some_and(|process| process.own_session),
        forwarded: listener.and_then(|listener| listener.forwarded),
        forwards: Vec::new(),
        remote_forwards: Vec::new(),
        earlier_forwards: Vec::new(),
        jumping: Vec::new(),
        owner: stat.map(|stat| context.owner(stat.uid)),
        mode: stat.map(|stat| stat.permissions.mode),
        since: match stat {
            Some(stat) => Some(stat.modified),
            None => process.and_then(|process| process.started),
        },
        managed_by: places.managed_by(&control_path).or_else(started_by),
        network,
        findings: Vec::new(),
    };
    let began_to_ask = || {
        let mut earlier = places.earlier_hosts.iter();
        let began = socket.since?;
        let is_its = |host: &Host| socket.hosts.contains(&host.alias);
        earlier.find(|it| it.held_at(began) && it.host.control_master.asks() && is_its(&it.host))
    };
    let asks = hosts.iter().any(|host| host.control_master.asks()) || began_to_ask().is_some();
    socket.refuses = places.nobody_confirms && asks;
    if let Some(listener) = listener {
        forwards::add(&mut socket, listener, &hosts, context);
    }
    socket
}

/// Returns [`Socket::argument`]. A leftover or orphan has its host in common with the socket at the path.
fn argument(path: &ControlPath, state: &State, hosts: &[&Host], context: Context<'_>) -> String {
    let is_remnant = matches!(state, State::Leftover | State::Orphaned { .. });
    let is_plain = |host: &&&Host| {
        let name = host.alias.0.as_str();
        host.written_by != WrittenBy::System
            && !name.starts_with('-')
            && !name.contains(['/', '@', ':'])
    };
    let host = hosts.iter().find(is_plain);
    match host.filter(|_| !is_remnant && !context.places.has_other_config) {
        Some(host) => text::shell_word(host.alias.0.as_ref()),
        None => context.tilde.shell_word(path.as_path()),
    }
}

fn original_path(path: &ControlPath, state: &State) -> ControlPath {
    let original = match state {
        State::Leftover => path
            .without_aside_prefix()
            .or_else(|| path.without_temporary_suffix()),
        _ => None,
    };
    original.unwrap_or_else(|| path.clone())
}

fn destination(path: &ControlPath, hosts: &[&Host], places: &Places) -> Option<Destination> {
    let Some((first, others)) = hosts.split_first() else {
        return places.destination_of(path);
    };
    let same = |other: &&Host| other.destination == first.destination;
    others.iter().all(same).then(|| first.destination.clone())
}

#[cfg(test)]
mod tests;
