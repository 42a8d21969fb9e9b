//! What a person can ask for, by menu, by a notification's button or by a signal: data, not closures.

use std::path::PathBuf;

use crate::model::control_path::HostAlias;
use crate::model::fix::Fix;
use crate::model::settings::Setting;
use crate::model::socket::Target;

/// How many open sessions a person agreed to close with a master. If more are open by then, the action is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionConsent {
    /// At most so many; refused if they cannot be counted.
    UpTo(u32),
    /// All of them, even if they cannot be counted.
    Any,
}

impl SessionConsent {
    /// No session.
    pub const NONE: Self = Self::UpTo(0);

    /// To close the sessions that a label shows; `None` if they could not be counted.
    #[must_use]
    pub fn to_close(sessions: Option<u32>) -> Self {
        sessions.map_or(Self::Any, Self::UpTo)
    }

    /// Whether closing so many sessions was agreed to; `None` if they cannot be counted.
    #[must_use]
    pub fn covers(self, sessions: Option<u32>) -> bool {
        match (self, sessions) {
            (Self::Any, _) => true,
            (Self::UpTo(limit), Some(sessions)) => sessions <= limit,
            (Self::UpTo(_), None) => false,
        }
    }
}

/// A wish. The engine checks it against what is true by then, and says what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Intent {
    /// Ask one master whether it answers.
    Check(Target),
    /// Ask every master of the user's own configuration.
    CheckAll,
    /// Ask a master to end now.
    Exit {
        /// Which.
        target: Target,
        /// The sessions that the person agreed to close.
        consent: SessionConsent,
    },
    /// End the process of a master that cannot be asked.
    EndProcess {
        /// Which.
        target: Target,
        /// The sessions that the person agreed to close.
        consent: SessionConsent,
    },
    /// Ask these masters to end now.
    ExitAll(Vec<(Target, SessionConsent)>),
    /// The same, and then remove every stale socket there is.
    Reset(Vec<(Target, SessionConsent)>),
    /// Ask a master to accept no more sessions and end with its last one.
    Stop(Target),
    /// Remove a socket that is proven stale.
    Clean(Target),
    /// Remove these.
    CleanAll(Vec<Target>),
    /// Open a master for a host. One of its whose network is gone is ended first.
    Open {
        /// Which, by its name in the ssh configuration.
        host: HostAlias,
        /// The sessions that the person agreed to close.
        consent: SessionConsent,
    },
    /// Carry out a safe remedy.
    Mend(Fix),
    /// Put this path on the clipboard.
    Copy(PathBuf),
    /// Put this text on the clipboard.
    CopyText(String),
    /// Show the details of one socket; with `None`, of everything.
    Show(Option<Target>),
    /// Look now: somebody is opening the menu.
    Look,
    /// Switch a setting on or off, in the configuration file.
    Set(Setting, bool),
    /// Have muxtray start at login, or not.
    StartAtLogin(bool),
    /// Open the configuration file in the program that the desktop has for it.
    OpenConfiguration,
    /// Show the configuration file as it is.
    ShowConfiguration,
    /// Show what this program is.
    About,
    /// End the applet.
    Quit,
}
