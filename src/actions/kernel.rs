//! Facts from the kernel, read right before an action. Tests replace single methods.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::decide::ending::AtPath;
use crate::model::carried::Carried;
use crate::model::client::{session_texts, sessions_line};
use crate::model::control_path::ControlPath;
use crate::model::places::{Candidate, Origin};
use crate::model::socket::{
    Connect, Cookie, Facts, File, Filesystem, Holder, Listener, MasterPid, Observation, Stat,
    Target, UserId,
};
use crate::observe::{Observer, connect, filesystem, proc_net_unix, sock_diag};

/// Every method reads anew.
pub trait Kernel {
    /// Whether the kernel shows a listener for this file. `false` proves nothing: the listener may be in another
    /// network namespace, or the socket tables may not be readable.
    fn has_listener(&self, path: &ControlPath, file: &Stat) -> bool {
        sock_diag::dump()
            .or_else(|_| proc_net_unix::read_own())
            .is_ok_and(|table| table.listener_of(path, file).is_some())
    }

    /// The listener of the target's file; `None` if the kernel shows none.
    fn master(&self, target: &Target) -> Option<ListenerFound> {
        let facts = observe(&target.path);
        let is_meant = |observation: &Observation| {
            observation.path == target.path
                && matches!(&observation.file, File::Socket(seen) if Some(seen.id) == target.id)
        };
        let listener = facts.observations.into_iter().find(is_meant)?.listener?;
        Some(ListenerFound::new(listener, AtPath::Own))
    }

    /// The listener with the target's cookie, at its path or an orphan; `None` if there is none.
    fn listener(&self, target: &Target) -> Option<ListenerFound> {
        let facts = observe(&target.path);
        let at_path = facts
            .observations
            .into_iter()
            .filter(|observation| observation.path == target.path)
            .filter_map(|observation| Some((observation.listener?, AtPath::Own)));
        let orphans = facts
            .orphans
            .into_iter()
            .map(|orphan| match orphan.successor {
                true => (orphan.listener, AtPath::Successor),
                false => (orphan.listener, AtPath::Empty),
            });
        let (listener, place) = at_path
            .chain(orphans)
            .find(|(listener, _)| target.cookie.is_some() && listener.cookie == target.cookie)?;
        Some(ListenerFound::new(listener, place))
    }

    fn filesystem(&self, directory: &Path) -> Filesystem {
        filesystem::filesystem_of(directory)
    }

    /// Connects to the socket behind this `O_PATH` descriptor without blocking. Only for a socket without a listener
    /// in the kernel's tables, or a master that was asked to exit: connecting restarts ControlPersist.
    fn connect(&self, socket: &fs::File) -> Connect {
        connect::probe_held(socket)
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct LiveKernel;

impl Kernel for LiveKernel {}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFound {
    pub cookie: Option<Cookie>,
    pub holder: Holder,
    /// `None` if it cannot be counted.
    pub carried: Option<Carried>,
    /// The sessions of other processes in one line; `None` if they are unknown.
    pub sessions: Option<String>,
    pub place: AtPath,
}

impl ListenerFound {
    fn new(listener: Listener, place: AtPath) -> Self {
        let own = MasterPid(std::process::id().cast_signed());
        let clients = listener
            .clients
            .as_ref()
            .map(|clients| clients.without(own));
        let has_own = matches!(&listener.holder, Holder::Ssh(process) if process.own_session);
        let sessions = session_texts(clients.as_ref(), has_own, SystemTime::now());
        Self {
            cookie: listener.cookie,
            carried: listener.carried(),
            sessions: sessions_line(sessions),
            holder: listener.holder,
            place,
        }
    }
}

fn observe(path: &ControlPath) -> Facts {
    Observer::new(own_uid(), None, None).observe(&[Candidate {
        path: path.clone(),
        origin: Origin::Exact,
    }])
}

/// The effective user. Actions are only for this user's sockets.
pub(super) fn own_uid() -> UserId {
    UserId(nix::unistd::geteuid().as_raw())
}
