use std::fmt;
use std::time::Duration;

use nix::errno::Errno;
use thiserror::Error;
use tr::tr;

use super::wire::{self, WireError};
use crate::model::text::translated;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// A place in the master's backlog.
    Connect,
    Hello,
    AliveCheck,
    ConnectionInfo,
    Exit,
    Stop,
    Forward,
    CancelForward,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Translators: a noun with its article, as in "no answer to the alive check within 2s".
        f.write_str(&match self {
            Self::Connect => tr!("the connection"),
            Self::Hello => tr!("the greeting"),
            Self::AliveCheck => tr!("the alive check"),
            Self::ConnectionInfo => tr!("the connection info request"),
            Self::Exit => tr!("the exit request"),
            Self::Stop => tr!("the stop request"),
            Self::Forward => tr!("the forwarding request"),
            Self::CancelForward => tr!("the request to cancel a forwarding"),
        })
    }
}

impl Awaited {
    fn advice(self) -> String {
        match self {
            Self::Connect => tr!("its backlog is full, so the master is stopped or hangs"),
            Self::Hello | Self::AliveCheck | Self::ConnectionInfo | Self::CancelForward => {
                tr!("the master is stopped or hangs")
            }
            // With ControlMaster ask or autoask, the master opens an askpass dialog and waits for a person.
            Self::Exit | Self::Stop | Self::Forward => {
                tr!("if the master asks for confirmation, confirm it there")
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MuxError {
    #[error("{}", tr!("connection refused: no process listens"))]
    Refused,
    #[error("{}", tr!("permission denied on connect; check the mode of the socket"))]
    Denied,
    /// The limit is for all requests of the connection together. The master may still carry out an exit or stop request
    /// later, when a person confirms it.
    #[error("{}", tr!(
        "no answer to {waiting} within {limit}; {advice}",
        waiting = .0,
        limit = humantime::format_duration(*.1),
        advice = .0.advice()
    ))]
    TimedOut(Awaited, Duration),
    #[error("{}", tr!("the master closed the connection instead of answering {waiting}", waiting = .0))]
    Closed(Awaited),
    #[error("{}", tr!(
        "the master speaks version {version} of the mux protocol, and muxtray only {known}",
        version = .0,
        known = wire::VERSION
    ))]
    Version(u32),
    #[error("{}", tr!("the listener does not speak the mux protocol: {cause}", cause = .0))]
    Protocol(#[from] WireError),
    /// A message of the protocol that does not answer the request.
    #[error("{}", tr!(
        "the listener violates the mux protocol: it answered {waiting} with {reply}",
        waiting = .0,
        reply = .1
    ))]
    Unexpected(Awaited, &'static str),
    /// PERMISSION_DENIED: with ControlMaster ask, a person refused. With one printable line of the master.
    #[error("{}", tr!("the master refused {waiting}: {reason}", waiting = .0, reason = .1))]
    RefusedByMaster(Awaited, String),
    /// FAILURE, with one printable line of the master.
    #[error("{}", tr!("the master failed to carry out {waiting}: {reason}", waiting = .0, reason = .1))]
    Failed(Awaited, String),
    #[error("{}", tr!("cannot connect: /proc is not mounted"))]
    NoProc,
    #[error("{}: {}", translated(.0), .1.desc())]
    Io(&'static str, Errno),
}

impl MuxError {
    /// Whether the master got the connection and gave no proper answer.
    pub(crate) const fn is_unresponsive(&self) -> bool {
        use MuxError::{Closed, Protocol, TimedOut, Unexpected, Version};
        matches!(
            self,
            TimedOut(..) | Closed(_) | Version(_) | Protocol(_) | Unexpected(..)
        )
    }
}
