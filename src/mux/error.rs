//! What can go wrong between a client and a master, in words for the person in front of it.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;
use thiserror::Error;
use tr::tr;

use super::wire::{self, WireError};
use crate::model::text::translated;

/// What was being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A place in the master's backlog.
    Connect,
    /// Its HELLO.
    Hello,
    /// The answer to an alive check.
    AliveCheck,
    /// The account of its connection.
    ConnectionInfo,
    /// The answer to an exit request.
    Exit,
    /// The answer to a stop request.
    Stop,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Translators: what is waited for, with its article: "no answer to the alive check within 2s".
        f.write_str(&match self {
            Self::Connect => tr!("the connection"),
            Self::Hello => tr!("the greeting"),
            Self::AliveCheck => tr!("the alive check"),
            Self::ConnectionInfo => tr!("the question for its connection"),
            Self::Exit => tr!("the exit request"),
            Self::Stop => tr!("the stop request"),
        })
    }
}

impl Step {
    /// What the person in front of it can do about a silence.
    fn advice(self) -> String {
        match self {
            Self::Connect => tr!("its backlog is full: the master is stopped or hangs"),
            Self::Hello | Self::AliveCheck | Self::ConnectionInfo => {
                tr!("the master is stopped or hangs")
            }
            // With ControlMaster ask or autoask the master opens an askpass dialog, which takes as long as a person takes.
            Self::Exit | Self::Stop => tr!("if the master asks for confirmation, answer there"),
        }
    }
}

/// Why a master did not do what it was asked. The messages go behind the socket's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MuxError {
    /// ECONNREFUSED.
    #[error("{}", tr!("connection refused: nobody listens there"))]
    Refused,
    /// EACCES or EPERM on connect.
    #[error("{}", tr!("permission denied on connect: check the socket's mode"))]
    Denied,
    /// The deadline passed. An exit or stop request may still be carried out later, when a person confirms it.
    #[error("{}", tr!(
        "no answer to {waiting} within {limit}; {advice}",
        waiting = .waiting,
        limit = humantime::format_duration(*.limit),
        advice = .waiting.advice()
    ))]
    TimedOut {
        /// What was being waited for.
        waiting: Step,
        /// The limit for everything together.
        limit: Duration,
    },
    /// The connection ended instead of an answer.
    #[error("{}", tr!("the other side closed the connection instead of answering {waiting}", waiting = .waiting))]
    Closed {
        /// What was being waited for.
        waiting: Step,
    },
    /// It speaks another version of the protocol.
    #[error("{}", tr!(
        "the master speaks version {version} of the mux protocol; only {known} is known",
        version = .0,
        known = wire::VERSION
    ))]
    Version(u32),
    /// What it sent is not of the protocol.
    #[error("{}", tr!("what listens there does not speak the mux protocol: {cause}", cause = .0))]
    Protocol(#[from] WireError),
    /// A message of the protocol, but not one that answers the question.
    #[error("{}", tr!(
        "what listens there does not keep to the mux protocol: {reply} answers {waiting}",
        reply = .reply,
        waiting = .waiting
    ))]
    Unexpected {
        /// The message's name.
        reply: &'static str,
        /// What was being waited for.
        waiting: Step,
    },
    /// PERMISSION_DENIED: with ControlMaster ask, a person said no. The master's reason, one printable line.
    #[error("{}", tr!("the master refused {waiting}: {reason}", waiting = .waiting, reason = .reason))]
    RefusedByMaster {
        /// What it refused.
        waiting: Step,
        /// Its words.
        reason: String,
    },
    /// FAILURE. The master's reason, one printable line.
    #[error("{}", tr!("the master could not carry out {waiting}: {reason}", waiting = .waiting, reason = .reason))]
    Failed {
        /// What it could not do.
        waiting: Step,
        /// Its words.
        reason: String,
    },
    /// `/proc` is not mounted, and the socket can only be reached through it.
    #[error("{}", tr!("cannot be reached: /proc is not mounted"))]
    NoProc,
    /// Another system call failed.
    #[error("{}: {}", translated(.doing), .errno.desc())]
    Io {
        /// Which.
        doing: &'static str,
        /// How.
        errno: Errno,
    },
}
