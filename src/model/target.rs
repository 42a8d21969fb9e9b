//! TARGETs of the command line: a host alias, `user@host[:port]`, or the path of a control socket.

use std::path::Path;

use thiserror::Error;
use tr::tr;

use super::control_path::ControlPath;
use super::socket::{Snapshot, Socket, State};
use super::text;

/// What a person typed, told apart by its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// It holds a slash.
    Path(ControlPath),
    /// `user@host`, `user@host:port`, `user@[::1]:port`.
    Destination {
        /// Before the `@`.
        user: String,
        /// After it.
        host: String,
        /// After the colon.
        port: Option<u16>,
    },
    /// Anything else: an alias, or a host name.
    Host(String),
}

/// Why a TARGET names no one socket.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// It is no path a socket could have.
    #[error("{}", tr!(
        "`{typed}` is not the path of a control socket: it has to name a file, without `..`",
        typed = .0
    ))]
    BadPath(String),
    /// Nothing there.
    #[error("{}", tr!(
        "`{typed}` has no control socket: `{command}` shows those there are",
        typed = .0,
        command = "muxtray list"
    ))]
    NoSocket(String),
    /// A path with nothing at it.
    #[error("{}", tr!(
        "no control socket at {path}: `{command}` shows those there are",
        path = .0,
        command = "muxtray list"
    ))]
    NothingThere(String),
    /// Several match.
    #[error("{}\n{}", tr!("`{typed}` names several control sockets, name one by its path:", typed = .0), .1)]
    Several(String, String),
}

impl Named {
    /// Reads what was typed; `directory` is what a relative path starts from.
    ///
    /// # Errors
    /// A path that cannot be one.
    pub fn parse(typed: &str, directory: &Path) -> Result<Self, TargetError> {
        if typed.contains('/') {
            let path = ControlPath::new(directory.join(typed));
            return path
                .map(Self::Path)
                .ok_or_else(|| TargetError::BadPath(text::line(typed)));
        }
        let Some((user, rest)) = typed.rsplit_once('@') else {
            return Ok(Self::Host(typed.to_owned()));
        };
        // What is no port belongs to the host, which nothing has then: left out, it would name every port's master.
        let (host, port) = rest
            .rsplit_once(':')
            .filter(|(host, _)| !host.contains(':') || host.ends_with(']'))
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|(host, port)| Some((host, Some(port.parse().ok()?))))
            .unwrap_or((rest, None));
        let bare = |host| str::strip_suffix(str::strip_prefix(host, "[")?, "]");
        let host = bare(host).unwrap_or(host);
        Ok(Self::Destination {
            user: user.to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    /// Whether the socket is meant by it, maybe with others.
    #[must_use]
    pub fn matches(&self, socket: &Socket) -> bool {
        match self {
            Self::Path(path) => socket.path == *path,
            Self::Host(host) => {
                socket.hosts.iter().any(|alias| alias.0 == *host)
                    || socket
                        .destination
                        .as_ref()
                        .is_some_and(|destination| destination.host == *host)
            }
            Self::Destination { user, host, port } => {
                let known = socket
                    .destination
                    .as_ref()
                    .and_then(|destination| destination.user.as_ref());
                let user_fits = known.is_none_or(|known| known == user);
                (port.is_none() && user_fits && socket.hosts.iter().any(|alias| alias.0 == *host))
                    || socket.destination.as_ref().is_some_and(|destination| {
                        destination.host == *host
                            && destination.user.as_ref().is_none_or(|known| known == user)
                            && (port.is_none()
                                || destination.port.is_none()
                                || destination.port == *port)
                    })
            }
        }
    }
}

/// The one socket of the snapshot that `named` means.
///
/// An alias that is configured wins over a host name that reads the same. Orphans and leftovers are meant only
/// where nothing else is.
///
/// # Errors
/// None, or several with their list.
pub fn resolve<'a>(
    typed: &str,
    named: &Named,
    snapshot: &'a Snapshot,
) -> Result<&'a Socket, TargetError> {
    let mut matching: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| named.matches(socket))
        .collect();
    if let Named::Host(host) = named {
        let has_alias = |socket: &Socket| socket.hosts.iter().any(|alias| alias.0 == *host);
        if matching.iter().any(|socket| has_alias(socket)) {
            matching.retain(|socket| has_alias(socket));
        }
    }
    let is_remnant =
        |socket: &Socket| matches!(socket.state, State::Orphaned { .. } | State::Leftover);
    if matching.iter().any(|socket| !is_remnant(socket)) {
        matching.retain(|socket| !is_remnant(socket));
    }
    match matching.as_slice() {
        [socket] => Ok(socket),
        [] => Err(match named {
            Named::Path(path) => TargetError::NothingThere(path.to_string()),
            Named::Host(_) | Named::Destination { .. } => TargetError::NoSocket(text::line(typed)),
        }),
        several => Err(super::target::several(typed, several)),
    }
}

/// The refusal of what names all of these.
#[must_use]
pub(crate) fn several(typed: &str, sockets: &[&Socket]) -> TargetError {
    let list: Vec<String> = sockets
        .iter()
        .map(|socket| {
            format!(
                "  {} ({}, {})",
                socket.path,
                socket.title(),
                socket.state.word()
            )
        })
        .collect();
    TargetError::Several(text::line(typed), list.join("\n"))
}

#[cfg(test)]
mod tests;
