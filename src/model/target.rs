//! TARGETs of the command line: a host alias, `[user@]host[:port]`, or the path of a control socket.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use thiserror::Error;
use tr::tr;

use super::agent_socket::is_agent_path;
use super::control_path::{ControlPath, Destination};
use super::socket::{Snapshot, Socket};
use super::state::State;
use super::text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetName {
    Path(ControlPath),
    /// `user@host`, `host:port`, `user@[::1]:port`.
    Destination(Destination),
    Host(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct TargetError(String);

impl TargetError {
    #[must_use]
    pub fn because(self, reason: &str) -> Self {
        Self(format!("{reason}; {}", self.0))
    }
}

/// Returns `user@host:port` of a URI, which ssh accepts as well (ssh(1)).
pub fn without_scheme(typed: &OsStr) -> &OsStr {
    let Some(rest) = typed.as_bytes().strip_prefix(b"ssh://") else {
        return typed;
    };
    OsStr::from_bytes(rest.strip_suffix(b"/").unwrap_or(rest))
}

impl TargetName {
    /// Parses a TARGET; `directory` is the start of relative paths.
    pub fn parse(typed: &OsStr, directory: &Path) -> Result<Self, TargetError> {
        if typed.as_bytes().contains(&b'/') {
            let path = ControlPath::new(directory.join(typed));
            let reason = || {
                tr!(
                    "`{typed}` is not the path of a control socket: it has to name a file, without `..`",
                    typed = text::os(typed)
                )
            };
            return path.map(Self::Path).ok_or_else(|| TargetError(reason()));
        }
        let typed = text::typed(typed);
        let (user, rest) = match typed.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, &*typed),
        };
        // An invalid port stays part of the host, which then matches nothing; without it, the TARGET would name the
        // masters of every port.
        let (host, port) = rest
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty() && (!host.contains(':') || host.ends_with(']')))
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|(host, port)| Some((host, Some(port.parse().ok()?))))
            .unwrap_or((rest, None));
        let bare = |host| str::strip_suffix(str::strip_prefix(host, "[")?, "]");
        let host = bare(host).unwrap_or(host).to_owned();
        Ok(match (&user, port) {
            (None, None) => Self::Host(host),
            _ => Self::Destination(Destination { user, host, port }),
        })
    }

    /// Whether ssh can connect to it. A host name or a user name that was typed is not empty.
    pub fn is_host(&self) -> bool {
        match self {
            Self::Path(_) => false,
            Self::Host(host) => !host.is_empty(),
            Self::Destination(to) => !to.host.is_empty() && to.user.as_deref() != Some(""),
        }
    }

    pub fn matches(&self, socket: &Socket) -> bool {
        let to = socket.destination.as_ref();
        match self {
            // The path of a name that is not UTF-8 can also be typed as muxtray prints it.
            Self::Path(path) => {
                socket.path == *path || path.as_path().to_str() == Some(&*socket.path.to_string())
            }
            Self::Host(host) => has_alias(socket, host) || to.is_some_and(|to| to.host == *host),
            Self::Destination(Destination { user, host, port }) => {
                let known_user = to.and_then(|to| to.user.as_ref());
                let is_host = |to: &Destination| {
                    let fits = port.is_none() || to.port.is_none() || to.port == *port;
                    to.host == *host && fits
                };
                (user.is_none() || known_user.is_none_or(|known| user.as_ref() == Some(known)))
                    && ((port.is_none() && has_alias(socket, host)) || to.is_some_and(is_host))
            }
        }
    }

    /// Returns the sockets that the TARGET names. A configured alias takes precedence over an equal host name.
    pub fn matching<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a Socket> {
        let sockets = snapshot.sockets.iter();
        let mut matching: Vec<&Socket> = sockets.filter(|socket| self.matches(socket)).collect();
        if let Self::Host(host) = self
            && matching.iter().any(|socket| has_alias(socket, host))
        {
            matching.retain(|socket| has_alias(socket, host));
        }
        matching
    }
}

/// Returns whose master is at the ControlPath of a host, if it is not the host's own.
fn of_other(host: &str, snapshot: &Snapshot) -> Option<String> {
    snapshot.sockets.iter().find_map(|socket| {
        let stranger = socket.stranger(host)?;
        Some(format!("{}: {}", socket.path, stranger.evidence))
    })
}

/// Returns the error if the TARGET is the path of an agent's socket. A host's ControlPath and an ssh that listens count
/// more than a name.
pub fn reject_agent(socket: &Socket, auth_sock: Option<&Path>) -> Result<(), TargetError> {
    let can_be_agents = match socket.state {
        State::Foreign(_)
        | State::Stale
        | State::Misowned(_)
        | State::Denied(_)
        | State::Unverifiable(_) => socket.hosts.is_empty(),
        _ => false,
    };
    if can_be_agents && is_agent_path(socket.path.as_path(), auth_sock) {
        return Err(TargetError(tr!(
            "{path} is the socket of an ssh agent, not a control socket",
            path = socket.path
        )));
    }
    Ok(())
}

/// Returns the error if the TARGET is a file that is not at the place of a control socket.
pub fn reject_other_file(
    socket: &Socket,
    is_place: impl FnOnce() -> bool,
) -> Result<(), TargetError> {
    match socket.state {
        State::NotASocket(_) if !is_place() => Err(no_socket(&socket.path)),
        _ => Ok(()),
    }
}

fn no_socket(path: &ControlPath) -> TargetError {
    TargetError(tr!(
        "no control socket at {path}; list them with: {command}",
        path,
        command = "muxtray list"
    ))
}

fn has_alias(socket: &Socket, host: &str) -> bool {
    socket.hosts.iter().any(|alias| alias.0 == host)
}

/// Returns the one socket that the TARGET names. Orphans, leftovers and masters elsewhere count only if nothing else
/// matches.
pub fn resolve<'a>(
    typed: &str,
    name: &TargetName,
    snapshot: &'a Snapshot,
) -> Result<&'a Socket, TargetError> {
    let mut matching = name.matching(snapshot);
    let is_remnant =
        |socket: &Socket| matches!(socket.state, State::Orphaned { .. } | State::Leftover);
    for is_lesser in [is_remnant, |socket: &Socket| socket.is_elsewhere] {
        if matching.iter().any(|socket| !is_lesser(socket)) {
            matching.retain(|socket| !is_lesser(socket));
        }
    }
    match matching.as_slice() {
        [socket] => Ok(socket),
        [] => Err(match name {
            TargetName::Path(path) => no_socket(path),
            TargetName::Host(host) if of_other(host, snapshot).is_some() => {
                TargetError(of_other(host, snapshot).unwrap_or_default())
            }
            TargetName::Host(_) | TargetName::Destination(_) => TargetError(tr!(
                "`{typed}` has no control socket; list them with: {command}",
                typed = text::line(typed),
                command = "muxtray list"
            )),
        }),
        sockets => Err(several(typed, sockets)),
    }
}

pub(crate) fn several(typed: &str, sockets: &[&Socket]) -> TargetError {
    let line = |socket: &&Socket| {
        let (path, title) = (&socket.path, socket.title());
        format!("  {path} ({title}, {})", socket.state.word())
    };
    let list: Vec<String> = sockets.iter().map(line).collect();
    let heading = tr!(
        "`{typed}` names several control sockets, name one by its path:",
        typed = text::line(typed)
    );
    TargetError(format!("{heading}\n{}", list.join("\n")))
}

#[cfg(test)]
mod tests;
