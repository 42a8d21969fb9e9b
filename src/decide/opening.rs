//! `muxtray open` and a click on a host in the menu: the steps to a running master, and the texts.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tr::tr;

use crate::decide::action_report::Asked;
use crate::decide::notice::Button;
use crate::diagnose::commands;
use crate::diagnose::obstacle::{self, Failure, Obstacle};
use crate::model::control_path::{ControlPath, HostAlias, ssh_words};
use crate::model::finding::FindingId;
use crate::model::place_difference::has_proxy;
use crate::model::places::{Host, Persist};
use crate::model::socket::{MasterPid, Snapshot, Socket, State, Target};
use crate::model::text;

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Plan {
    Running(Box<Socket>),
    Start(Start),
    Blocked(Obstacle),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub path: ControlPath,
    pub first: First,
    /// The forwardings that end with a stranded master.
    pub forwards: Option<String>,
    pub asks: bool,
    pub has_proxy: bool,
    pub has_connect_timeout: bool,
}

impl Start {
    /// The stranded master that it ends.
    pub fn replaced(&self) -> Option<&Target> {
        match &self.first {
            First::End(master) => Some(master),
            First::Nothing | First::Clean(_) => None,
        }
    }
}

/// The step before a start. If a socket is at the path, ssh continues without a control socket (`muxserver_listen()` in
/// mux.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    Nothing,
    Clean(Target),
    End(Target),
}

/// Returns how to start a master for a host, which the user typed as `typed`.
pub fn plan(typed: &str, host: &Host, snapshot: &Snapshot) -> Plan {
    let Some(path) = host.control_path.clone() else {
        return Plan::Blocked(Obstacle::no_control_path(typed));
    };
    let at_path = obstacle::socket_at(&path, snapshot);
    let of_stranger = at_path.and_then(|socket| obstacle::of_stranger(host, socket, snapshot));
    if let Some(obstacle) = of_stranger {
        return Plan::Blocked(obstacle);
    }
    let first = match at_path {
        None => First::Nothing,
        Some(socket) => match &socket.state {
            State::Stale => First::Clean(socket.target()),
            State::Stranded(_) => First::End(socket.target()),
            State::Running | State::Suspect(_) => return Plan::Running(Box::new(socket.clone())),
            _ => return Plan::Blocked(Obstacle::at(socket)),
        },
    };
    let known = obstacle::findings(typed, host, snapshot);
    if let Some(finding) = known.into_iter().find(|finding| prevents(finding.id)) {
        return Plan::Blocked(Obstacle::from(finding));
    }
    if let Some(jump) = at_path.and_then(|socket| stranded_jump(socket, snapshot)) {
        return Plan::Blocked(Obstacle::stranded_jump(jump));
    }
    let ended = at_path.filter(|_| matches!(first, First::End(_)));
    Plan::Start(Start {
        path,
        forwards: ended.and_then(Socket::forwards_text),
        first,
        asks: host.control_master.asks(),
        has_proxy: has_proxy(host),
        has_connect_timeout: host.has_connect_timeout,
    })
}

/// Returns the stranded master that this stranded one jumps through. A new one would hang in it too.
fn stranded_jump<'a>(socket: &Socket, snapshot: &'a Snapshot) -> Option<&'a Socket> {
    let through = &socket.network.as_ref()?.connection.through;
    let is_jump = |jump: &&Socket| {
        jump.state.is_stranded() && jump.pid.is_some_and(|pid| through.contains(&pid))
    };
    snapshot.sockets.iter().find(is_jump)
}

/// Whether this finding prevents a master from listening. A start would ask for a passphrase and then fail.
const fn prevents(id: FindingId) -> bool {
    matches!(
        id,
        FindingId::DirectoryMissing
            | FindingId::DirectoryNotWritable
            | FindingId::FilesystemUnsupported
            | FindingId::FilesystemFull
            | FindingId::PathTooLong
            | FindingId::SshMissing
    )
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// `None` if it did not answer the alive check.
    pub pid: Option<MasterPid>,
    /// The time from the start of ssh until it went to the background.
    pub took: Duration,
    /// The result of ending the earlier master.
    pub before: Option<String>,
    /// Whether another ssh became the master at the same time, and ours has ended.
    pub by_other: bool,
}

/// `opened in 0.4 s, pid 4711`
impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = &self.before {
            write!(f, "{before}; ")?;
        }
        if self.by_other {
            f.write_str(&tr!("opened by another ssh at the same moment"))?;
        } else {
            let seconds = text::number(format_args!("{:.1}", self.took.as_secs_f64()));
            f.write_str(&tr!("opened in {seconds} s", seconds))?;
        }
        match self.pid {
            Some(pid) => f.write_str(&tr!(", pid {pid}", pid = pid.0)),
            None => Ok(()),
        }
    }
}

/// Returns how long a master lasts that was started without a session.
pub fn lasts(persist: Persist) -> String {
    match persist {
        // `ssh -N` has no session, so none can be its last.
        Persist::No | Persist::Forever => tr!("it runs until an exit request"),
        Persist::Seconds(seconds) => tr!(
            "it ends after {time} without a session",
            time = humantime::format_duration(Duration::from_secs(u64::from(seconds)))
        ),
    }
}

const UNKNOWN_KEY: &str = "Host key verification failed";
/// The socket, not the server, refuses (`unix_listener()` in misc.c).
const NO_SOCKET: &str = "cannot bind to path";
/// Other messages end with "Permission denied": a firewall's, for example.
const NOT_AUTHENTICATED: &[&str] = &[
    "Permission denied (",
    "Permission denied, ",
    "Too many authentication failures",
    "ssh_askpass",
];

pub fn asked(failure: &Failure) -> Asked {
    let mut questions = NOT_AUTHENTICATED.iter().chain([&UNKNOWN_KEY]);
    match failure {
        Failure::Refused(None) => Asked::Unknown,
        _ if questions.any(|it| message(failure).contains(it)) => Asked::Yes,
        _ => Asked::No,
    }
}

/// The last message of ssh.
fn message(failure: &Failure) -> &str {
    match failure {
        Failure::Refused(message) | Failure::TimedOut(_, message) => {
            message.as_deref().unwrap_or_default()
        }
        Failure::NoMaster(_) | Failure::NotStarted(_) => "",
    }
}

/// Returns the remedy for a failed start, from the last message of ssh.
///
/// `alias` is the argument of muxtray, `host` that of ssh: for `user@host:port` a URI.
pub fn way_out(failure: &Failure, alias: &str, host: &str, config: Option<&Path>) -> String {
    let option = text::option_of(config);
    let message = message(failure);
    if message.contains(UNKNOWN_KEY) {
        tr!(
            "accept its host key in a terminal: {command}",
            command = format_args!("ssh {option}{}", ssh_words(host))
        )
    } else if NOT_AUTHENTICATED.iter().any(|it| message.contains(it)) {
        tr!(
            "load its key into the agent (ssh-add), install an ssh-askpass program, or open it in a terminal: {command}",
            command = command(alias, config)
        )
    } else if message.contains(NO_SOCKET) {
        tr!(
            "find the reason with: {command}",
            command = format_args!("muxtray {option}doctor")
        )
    } else {
        tr!(
            "find the reason with: {command}",
            command = verbose(host, config)
        )
    }
}

/// Returns the command that starts a master.
pub fn command(alias: &str, config: Option<&Path>) -> String {
    let option = text::option_of(config);
    format!("muxtray {option}open {}", text::shell_word(alias.as_ref()))
}

/// Returns the command that prints each step of a connection.
pub fn verbose(host: &str, config: Option<&Path>) -> String {
    format!("ssh {}-v {}", text::option_of(config), ssh_words(host))
}

/// Returns the remedy for a host for which ssh starts no master; `open` is the command that does.
pub fn with_control_master(open: &str) -> String {
    tr!(
        "put ControlMaster auto before any other ControlMaster, or start one: {command}",
        command = open
    )
}

/// Returns the button for a stranded master; `None` if the master is not stranded, or has no configured host.
pub fn reconnect(socket: &Socket) -> Option<Button> {
    let host = commands::host_to_reconnect(socket)?.clone();
    Some(Button::reconnect(host, socket.carried()))
}

/// Returns the stranded masters that have a configured host. A master that others jump through comes before these.
pub fn to_reconnect<'a>(
    sockets: impl Iterator<Item = &'a Socket>,
) -> Vec<(&'a HostAlias, &'a Socket)> {
    let host = |socket: &'a Socket| Some((commands::host_to_reconnect(socket)?, socket));
    let mut masters: Vec<_> = sockets.filter_map(host).collect();
    masters.sort_by_key(|(_, socket)| socket.jumps());
    masters
}

/// Returns the button for several stranded masters; `None` if there are less than two.
pub fn reconnect_all<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Option<Button> {
    let masters = to_reconnect(sockets);
    (masters.len() > 1).then(|| Button::reconnect_all(&masters))
}

#[cfg(test)]
mod tests;
