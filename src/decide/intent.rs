//! What a person can ask for, by menu, by a notification's button or by a signal: data, not closures.

use std::path::PathBuf;

use crate::model::control_path::HostAlias;
use crate::model::fix::Fix;
use crate::model::setting::Setting;
use crate::model::socket::Target;

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
        /// How many sessions the person agreed to close; with more open by then, it is refused.
        closing: u32,
    },
    /// End the process of a master that cannot be asked.
    EndProcess {
        /// Which.
        target: Target,
        /// How many sessions the person agreed to close, as with [`Intent::Exit`].
        closing: u32,
    },
    /// Ask these masters to end now, each with the number of sessions agreed to.
    ExitAll(Vec<(Target, u32)>),
    /// The same, and then remove every stale socket there is.
    Reset(Vec<(Target, u32)>),
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
        /// How many sessions the person agreed to close, as with [`Intent::Exit`].
        closing: u32,
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
