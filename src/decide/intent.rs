//! Requests of the user, by the menu, a notification's button, or a signal.

use std::path::PathBuf;

use super::launch::LauncherAction;
use super::new_session::NewSession;
use crate::model::carried::Carried;
use crate::model::control_path::HostAlias;
use crate::model::fix::Fix;
use crate::model::forwarding::Forwarding;
use crate::model::keep::KeepTime;
use crate::model::settings::Change;
use crate::model::socket::{Socket, Target};

/// The open connections that the user agreed to close with a master. If more are open by then, the action is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionConsent {
    /// At most so many; refused if they cannot be counted.
    UpTo(Carried),
    /// All of them, even if they cannot be counted.
    Any,
}

impl SessionConsent {
    pub const NONE: Self = Self::UpTo(Carried::NONE);

    /// Returns the consent to close the connections that a label shows; `None` if they cannot be counted.
    pub fn to_close(carried: Option<Carried>) -> Self {
        carried.map_or(Self::Any, Self::UpTo)
    }

    /// Whether these connections may be closed; `None` if they cannot be counted.
    pub fn covers(self, carried: Option<Carried>) -> bool {
        match self {
            Self::Any => true,
            Self::UpTo(limit) => carried.is_some_and(|carried| carried.is_within(limit)),
        }
    }
}

/// Returns the masters with the consent to close the connections that they have now.
pub fn masters_to_exit<'a>(
    sockets: impl Iterator<Item = &'a Socket>,
) -> Vec<(Target, SessionConsent)> {
    let consent = |socket: &Socket| SessionConsent::to_close(socket.carried());
    sockets
        .map(|socket| (socket.target(), consent(socket)))
        .collect()
}

/// A request. The engine checks it against the present state, and reports the result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Intent {
    Check(Target),
    /// Check all masters except those of other programs.
    CheckAll,
    Exit {
        target: Target,
        consent: SessionConsent,
    },
    /// End the process of a master that cannot be asked.
    EndProcess {
        target: Target,
        consent: SessionConsent,
    },
    ExitAll(Vec<(Target, SessionConsent)>),
    /// Exit requests, and then a clean of all stale sockets.
    Reset(Vec<(Target, SessionConsent)>),
    /// No more sessions, and an exit after the last one.
    Stop(Target),
    Forward {
        target: Target,
        forwarding: Forwarding,
    },
    CancelForward {
        target: Target,
        forwarding: Forwarding,
    },
    /// Hold a connection to a master, so that ControlPersist does not end it.
    KeepOpen {
        target: Target,
        time: KeepTime,
    },
    /// Close that connection.
    LetGo(Target),
    Clean(Target),
    CleanAll(Vec<Target>),
    /// Start a master for a host, after ending a stranded one.
    Open {
        host: HostAlias,
        consent: SessionConsent,
    },
    /// The same for several hosts, one after the other.
    OpenAll(Vec<(HostAlias, SessionConsent)>),
    /// Start ssh in a terminal.
    NewSession(NewSession),
    Fix(Fix),
    Copy(PathBuf),
    CopyText(String),
    /// Copy the findings of one socket, or those of no socket with `None`, for a bug report.
    CopyFindings(Option<Target>),
    OpenUrl(String),
    /// Show the details of one socket, or of all with `None`.
    Show(Option<Target>),
    /// Show the configured hosts.
    ShowHosts,
    /// Scan now, because the menu is being opened.
    Scan,
    Set(Change),
    StartAtLogin(bool),
    Launched(LauncherAction),
    /// Open the configuration file with the program of the desktop.
    OpenConfiguration,
    /// Show the text of the configuration file.
    ShowConfiguration,
    About,
    Quit,
    /// Keep a master after a question.
    Keep,
}

impl Intent {
    /// Withdraws the consent to close connections. Returns whether there was any.
    ///
    /// If connections are open, the request is then refused, and the refusal asks the user.
    pub(super) fn withdraw_consent(&mut self) -> bool {
        let mut had_consent = false;
        let mut withdraw = |consent: &mut SessionConsent| {
            had_consent |= *consent != SessionConsent::NONE;
            *consent = SessionConsent::NONE;
        };
        match self {
            Self::Exit { consent, .. }
            | Self::EndProcess { consent, .. }
            | Self::Open { consent, .. } => withdraw(consent),
            Self::ExitAll(masters) | Self::Reset(masters) => {
                masters
                    .iter_mut()
                    .for_each(|(_, consent)| withdraw(consent));
            }
            Self::OpenAll(hosts) => hosts.iter_mut().for_each(|(_, consent)| withdraw(consent)),
            _ => {}
        }
        had_consent
    }
}
