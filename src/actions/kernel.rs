//! Facts from the kernel, read right before an action. Tests replace single methods.

use std::fs;
use std::path::Path;

use crate::decide::ending::AtPath;
use crate::model::control_path::ControlPath;
use crate::model::places::{Candidate, Origin};
use crate::model::socket::{
    Connect, Cookie, File, Filesystem, Holder, Listener, Look, MasterPid, Stat, Target, UserId,
};
use crate::observe::{Observer, connect, filesystem, proc_net_unix, sock_diag};

/// Every method reads anew.
pub trait Kernel {
    /// Whether the kernel shows a listener for this file. `false` proves nothing: the listener may be in another
    /// network namespace, or the socket tables may not be readable.
    fn has_listener(&self, path: &ControlPath, file: &Stat) -> bool {
        sock_diag::dump()
            .or_else(|_| proc_net_unix::read())
            .is_ok_and(|table| table.listener_of(path, file).is_some())
    }

    /// The master that listens on this file; `None` if the kernel shows no listener.
    fn master(&self, path: &ControlPath, file: &Stat) -> Option<Master> {
        let observation = look_at(path).observations.into_iter().find(|observation| {
            observation.path == *path
                && matches!(&observation.file, File::Socket(seen) if seen.id == file.id)
        })?;
        let listener = observation.listener?;
        Some(Master {
            cookie: listener.cookie,
            pid: match &listener.holder {
                Holder::Ssh(process) => Some(process.pid),
                Holder::Other(_) | Holder::Unknown => None,
            },
            sessions: all_sessions(&listener),
        })
    }

    /// The listener with the target's cookie, at its path or an orphan; `None` if there is none.
    fn listener(&self, target: &Target) -> Option<ListenerFound> {
        let look = look_at(&target.path);
        let at_path = look
            .observations
            .into_iter()
            .filter(|observation| observation.path == target.path)
            .filter_map(|observation| Some((observation.listener?, AtPath::Own)));
        let orphans = look.orphans.into_iter().map(|orphan| {
            let place = if orphan.successor {
                AtPath::Successor
            } else {
                AtPath::Empty
            };
            (orphan.listener, place)
        });
        let (listener, place) = at_path
            .chain(orphans)
            .find(|(listener, _)| target.cookie.is_some() && listener.cookie == target.cookie)?;
        Some(ListenerFound {
            sessions: all_sessions(&listener),
            holder: listener.holder,
            place,
        })
    }

    /// The filesystem of a directory.
    fn filesystem(&self, directory: &Path) -> Filesystem {
        filesystem::filesystem_of(directory)
    }

    /// Connects to the socket behind this `O_PATH` descriptor without blocking. Only for a socket without a listener
    /// in the kernel's tables, or whose listener was asked to exit: connecting restarts ControlPersist.
    fn connect(&self, socket: &fs::File) -> Connect {
        connect::probe_held(socket)
    }
}

/// The kernel that runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct LiveKernel;

impl Kernel for LiveKernel {}

/// A master that listens on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Master {
    pub cookie: Option<Cookie>,
    /// `None` if another program or no visible process holds the listener.
    pub pid: Option<MasterPid>,
    /// The sessions that end with the master: the multiplexed ones and its own.
    pub sessions: u32,
}

/// A listener, with the process that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFound {
    pub holder: Holder,
    /// As in [`Master`].
    pub sessions: u32,
    pub place: AtPath,
}

fn look_at(path: &ControlPath) -> Look {
    Observer::new(own_uid()).look(&[Candidate {
        path: path.clone(),
        origin: Origin::Exact,
    }])
}

fn all_sessions(listener: &Listener) -> u32 {
    let own_session = match &listener.holder {
        Holder::Ssh(process) => process.own_session,
        Holder::Other(_) | Holder::Unknown => false,
    };
    listener.sessions + u32::from(own_session)
}

/// The effective user. Actions are only for this user's sockets.
pub(super) fn own_uid() -> UserId {
    UserId(nix::unistd::geteuid().as_raw())
}
