//! Acting on control sockets and their masters: the only room that changes the world.
//!
//! Every action looks again before it does anything ([`held`]), asks the kernel only through [`Eyes`], and has a
//! deadline. An action's errors are worded to stand behind the socket's name: `control socket PATH: ERROR`.
//!
//! In reading order:

pub mod clean;
pub mod control;
pub mod end_process;
pub mod end_stranded;
pub mod fix;
pub mod held;
mod held_directory;
pub mod open;
mod parallel;
pub mod rehearsal;
pub mod speed_test;
pub mod ssh;
mod words;
pub mod xdg_open;

pub use parallel::parallel_map;

use std::fs;
use std::path::Path;

use crate::model::control_path::ControlPath;
use crate::model::places::{Candidate, Origin};
use crate::model::socket::{Connect, Cookie, File, Filesystem, Holder, MasterPid, Stat, UserId};
use crate::observe::{Observer, connect, filesystem, proc_net_unix, sock_diag};

/// The fresh facts that actions stand on. [`System`] reads them from the kernel.
pub trait Eyes {
    /// Whether the kernel shows a listener for this file, found at this path. `false` proves nothing: it may
    /// listen in another network namespace, or there is no table to read.
    fn is_listened(&self, path: &ControlPath, file: &Stat) -> bool;

    /// What the kernel tells of the listener behind this file, found at this path; `None` where it shows none.
    fn master(&self, path: &ControlPath, file: &Stat) -> Option<Master>;

    /// What a directory lies on.
    fn filesystem(&self, directory: &Path) -> Filesystem;

    /// What a non-blocking connect to the socket behind this `O_PATH` descriptor says. Never asked of a file that
    /// the kernel shows a listener for, unless that listener was asked to leave.
    fn probe(&self, socket: &fs::File) -> Connect;
}

/// A listener, as far as an action on it depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Master {
    /// Which.
    pub cookie: Option<Cookie>,
    /// The ssh that holds it, where that is told.
    pub pid: Option<MasterPid>,
    /// Every session that ends with it: the multiplexed ones, and its own where it carries one.
    pub sessions: u32,
}

/// The kernel's own word, read anew for every question.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Eyes for System {
    fn is_listened(&self, path: &ControlPath, file: &Stat) -> bool {
        sock_diag::dump()
            .or_else(|_| proc_net_unix::read())
            .is_ok_and(|table| table.listener_of(path, file).is_some())
    }

    fn master(&self, path: &ControlPath, file: &Stat) -> Option<Master> {
        let candidate = Candidate {
            path: path.clone(),
            origin: Origin::Exact,
        };
        let look = Observer::new(own_uid()).look(&[candidate]);
        let observation = look
            .observations
            .into_iter()
            .find(|observation| observation.path == *path)
            .filter(
                |observation| matches!(&observation.file, File::Socket(seen) if seen.id == file.id),
            )?;
        let listener = observation.listener?;
        let ssh = match &listener.holder {
            Holder::Ssh(process) => Some(process),
            Holder::Other(_) | Holder::Unknown => None,
        };
        let own_session = ssh.is_some_and(|process| process.own_session);
        Some(Master {
            cookie: listener.cookie,
            pid: ssh.map(|process| process.pid),
            sessions: listener.sessions + u32::from(own_session),
        })
    }

    fn filesystem(&self, directory: &Path) -> Filesystem {
        filesystem::filesystem_of(directory)
    }

    fn probe(&self, socket: &fs::File) -> Connect {
        connect::probe_held(socket)
    }
}

/// Whose sockets are acted on: the effective user's.
fn own_uid() -> UserId {
    UserId(nix::unistd::geteuid().as_raw())
}
