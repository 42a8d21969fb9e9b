//! Exits of processes, by a pidfd for each (pidfd_open(2)).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use calloop::generic::Generic;
use calloop::{Interest as Readiness, LoopHandle, Mode, PostAction, RegistrationToken};
use nix::sys::resource::{Resource, getrlimit};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::model::ids::MasterPid;

/// Descriptors left for scans, workers and the ssh that they start: without a watch an exit is noticed later, without a
/// descriptor nothing can be scanned.
const RESERVED_DESCRIPTORS: usize = 128;

/// The watched processes of a loop with data `D`.
#[derive(Debug)]
pub(super) struct ProcessExits<D> {
    handle: LoopHandle<'static, D>,
    on_exit: fn(&mut D, MasterPid),
    processes: BTreeMap<MasterPid, State>,
}

#[derive(Debug)]
enum State {
    Watched(RegistrationToken),
    /// The next scan may still see the process.
    Exited,
    /// pidfd_open failed, or the limit is reached.
    Unwatched,
}

impl<D: 'static> ProcessExits<D> {
    /// `on_exit` has to call [`Self::note_exit`].
    pub(super) fn new(handle: LoopHandle<'static, D>, on_exit: fn(&mut D, MasterPid)) -> Self {
        Self {
            handle,
            on_exit,
            processes: BTreeMap::new(),
        }
    }

    /// Watches these processes and no others. Returns whether an exit may be missed: of a process before it was watched,
    /// or of one that is no longer watched, because a scan does not see the process of a socket that closes meanwhile.
    pub(super) fn follow(&mut self, pids: &BTreeSet<MasterPid>) -> bool {
        let handle = &self.handle;
        let mut is_missed = false;
        self.processes.retain(|pid, state| {
            let is_wanted = pids.contains(pid);
            if let (false, State::Watched(token)) = (is_wanted, &*state) {
                handle.remove(*token);
                is_missed = true;
            }
            // One that could not be watched is tried again.
            is_wanted && !matches!(state, State::Unwatched)
        });
        let watched = self.processes.values();
        let watched = watched.filter(|state| matches!(state, State::Watched(_)));
        let mut free = max_processes().saturating_sub(watched.count());
        for pid in pids {
            if self.processes.contains_key(pid) {
                continue;
            }
            let state = if free == 0 {
                State::Unwatched
            } else {
                match open(*pid).map(|pidfd| self.watch(*pid, pidfd)) {
                    Ok(state) => {
                        free -= 1;
                        state
                    }
                    Err(Errno::SRCH) => {
                        is_missed = true;
                        State::Exited
                    }
                    Err(error) => unwatched(*pid, error),
                }
            };
            self.processes.insert(*pid, state);
        }
        is_missed
    }

    fn watch(&self, pid: MasterPid, pidfd: OwnedFd) -> State {
        let source = Generic::new(pidfd, Readiness::READ, Mode::Level);
        let on_exit = self.on_exit;
        let inserted = self.handle.insert_source(source, move |_, _, data| {
            on_exit(data, pid);
            Ok::<_, io::Error>(PostAction::Remove)
        });
        match inserted {
            Ok(token) => State::Watched(token),
            Err(error) => unwatched(pid, error),
        }
    }

    pub(super) fn note_exit(&mut self, pid: MasterPid) {
        self.processes.insert(pid, State::Exited);
    }

    /// Whether a process is not watched though it should be.
    pub(super) fn is_incomplete(&self) -> bool {
        let mut states = self.processes.values();
        states.any(|state| matches!(state, State::Unwatched))
    }
}

fn unwatched(pid: MasterPid, error: impl fmt::Display) -> State {
    tracing::debug!("process {} is not watched: {error}", pid.0);
    State::Unwatched
}

/// How many processes may be watched under the limit of open files: at least half of a low one.
fn max_processes() -> usize {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    limit - RESERVED_DESCRIPTORS.min(limit / 2)
}

fn open(pid: MasterPid) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(pid.0).ok_or(Errno::SRCH)?;
    pidfd_open(pid, PidfdFlags::empty())
}
