//! The result of one action on one target: the command line prints it, a notification shows it.

use std::fmt;
use std::path::PathBuf;

use tr::tr;

use super::notice::Button;
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::socket::Target;
use crate::model::text;

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ActionReport {
    pub target: ReportTarget,
    /// The TARGET on the command line, if there was one.
    pub typed: Option<String>,
    pub action: Action,
    pub outcome: ActionOutcome,
    /// One line that follows the target's name: lower case, no full stop.
    pub message: String,
    /// The remedy of a failure, for the command line: "end its process: muxtray exit --end-process /s/web".
    pub advice: Option<String>,
    /// The remedy in a notification; it replaces the advice.
    pub button: Option<Button>,
    /// Whether the master answered an alive check in time; `None` without a check, or after another failure.
    pub answered_in_time: Option<bool>,
    /// Whether the socket refused the connect, whatever the kernel's table shows.
    pub connect_refused: bool,
    /// Whether ssh failed because it could not ask a person.
    pub asked: Asked,
}

/// Whether ssh would have asked for a password or a passphrase, or whether to accept a host key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asked {
    #[default]
    No,
    Yes,
    /// With ControlPersist, ssh hides the messages of a ProxyJump (`ssh_proxy_connect()` in sshconnect.c).
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOutcome {
    Done,
    /// The target was in the requested state before.
    Unchanged,
    /// muxtray did not try.
    Refused(Refusal),
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    State,
    /// The target's state could not be found out, for example without access.
    Unknown,
    /// More connections are open than the user agreed to close. The report's button asks for consent.
    ConnectionsOpen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Check,
    Exit,
    EndProcess,
    Stop,
    Clean,
    Fix,
    Open,
    Forward,
    CancelForward,
    KeepOpen,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportTarget {
    Socket {
        /// A host alias or destination, or the path.
        name: String,
        target: Target,
    },
    /// A host for which a master is opened at its ControlPath.
    Host {
        alias: HostAlias,
        path: Option<ControlPath>,
    },
    File(PathBuf),
    /// A TARGET of the command line that is no single socket. The message contains it.
    Unresolved(String),
}

impl ActionOutcome {
    pub const REFUSED: Self = Self::Refused(Refusal::State);

    /// Whether the target is in the requested state now.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Done | Self::Unchanged)
    }
}

impl ReportTarget {
    pub fn socket(name: impl Into<String>, target: Target) -> Self {
        let name = name.into();
        Self::Socket { name, target }
    }

    pub fn name(&self) -> String {
        match self {
            Self::Socket { name, .. } => name.clone(),
            Self::Host { alias, .. } => text::line(&alias.0),
            Self::File(path) => text::path(path),
            Self::Unresolved(typed) => text::line(typed),
        }
    }
}

impl ActionReport {
    pub fn new(
        target: ReportTarget,
        action: Action,
        outcome: ActionOutcome,
        message: String,
    ) -> Self {
        Self {
            target,
            typed: None,
            action,
            outcome,
            message,
            advice: None,
            button: None,
            answered_in_time: None,
            connect_refused: false,
            asked: Asked::No,
        }
    }

    /// Whether the action may have connected to a master, and so restarted its ControlPersist time.
    pub fn may_have_connected(&self) -> bool {
        let is_refused = matches!(
            self.outcome,
            ActionOutcome::Refused(Refusal::State | Refusal::Unknown)
        );
        !is_refused && !matches!(self.action, Action::Clean | Action::Fix)
    }

    /// Returns the ControlPath of a master that was opened.
    pub fn started_at(&self) -> Option<&ControlPath> {
        match (&self.target, self.outcome) {
            (ReportTarget::Host { path, .. }, ActionOutcome::Done) => path.as_ref(),
            _ => None,
        }
    }

    pub fn with_advice(mut self, advice: Option<String>) -> Self {
        self.advice = advice;
        self
    }

    pub fn with_button(mut self, button: Option<Button>) -> Self {
        self.button = button;
        self
    }
}

/// Adds the forwardings that have ended with a master to the message about its end.
pub fn with_forwards(ended: String, forwards: Option<String>) -> String {
    match forwards {
        Some(forwards) => tr!("{ended}; with its forwardings {forwards}", ended, forwards),
        None => ended,
    }
}

/// `web: 2 sessions open, nothing was closed; to close them: muxtray exit --force web`
impl fmt::Display for ActionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            ReportTarget::Unresolved(_) => {}
            target => write!(f, "{}: ", target.name())?,
        }
        f.write_str(&self.message)?;
        let mut advice = self.advice.iter();
        advice.try_for_each(|advice| write!(f, "; {advice}"))
    }
}
