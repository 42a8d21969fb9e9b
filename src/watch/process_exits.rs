//! That a process ends: a pidfd for each (pidfd_open(2)).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use calloop::generic::Generic;
use calloop::{Interest as Readiness, LoopHandle, Mode, PostAction, RegistrationToken};
use nix::sys::resource::{Resource, getrlimit};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{News, Watcher};
use crate::model::socket::MasterPid;

/// As many descriptors are left for looks, workers and the ssh that they start: watching deaths only makes news sooner,
/// but without a descriptor nothing can be looked at at all.
const RESERVE: usize = 128;

/// The processes that are watched.
#[derive(Debug)]
pub(super) struct Deaths<D> {
    handle: LoopHandle<'static, D>,
    processes: BTreeMap<MasterPid, Life>,
}

#[derive(Debug)]
enum Life {
    Watched(RegistrationToken),
    /// Ended, though it may take a look to notice.
    Ended,
    /// It cannot be watched.
    Unwatched,
}

impl<D: Watcher> Deaths<D> {
    pub(super) fn new(handle: LoopHandle<'static, D>) -> Self {
        Self {
            handle,
            processes: BTreeMap::new(),
        }
    }

    /// Watches these and no others. Returns whether one of them has ended before it could be watched.
    pub(super) fn follow(&mut self, wanted: &BTreeSet<MasterPid>) -> bool {
        let handle = &self.handle;
        self.processes.retain(|pid, life| {
            let is_wanted = wanted.contains(pid);
            if let (false, Life::Watched(token)) = (is_wanted, &*life) {
                handle.remove(*token);
            }
            // What could not be watched is tried again.
            is_wanted && !matches!(life, Life::Unwatched)
        });
        let mut has_ended = false;
        let mut room = room().saturating_sub(self.watched());
        for pid in wanted {
            if self.processes.contains_key(pid) {
                continue;
            }
            if room == 0 {
                self.processes.insert(*pid, Life::Unwatched);
                continue;
            }
            let life = match open(*pid) {
                Ok(pidfd) => {
                    room -= 1;
                    self.watch(*pid, pidfd)
                }
                Err(Errno::SRCH) => {
                    has_ended = true;
                    Life::Ended
                }
                Err(error) => {
                    tracing::debug!("process {} is not watched: {error}", pid.0);
                    Life::Unwatched
                }
            };
            self.processes.insert(*pid, life);
        }
        has_ended
    }

    fn watch(&self, pid: MasterPid, pidfd: OwnedFd) -> Life {
        let source = Generic::new(pidfd, Readiness::READ, Mode::Level);
        let inserted = self
            .handle
            .insert_source(source, move |_, _, data: &mut D| {
                data.watch().deaths.processes.insert(pid, Life::Ended);
                data.heard(News::Changed);
                Ok::<_, io::Error>(PostAction::Remove)
            });
        match inserted {
            Ok(token) => Life::Watched(token),
            Err(error) => {
                tracing::debug!("process {} is not watched: {error}", pid.0);
                Life::Unwatched
            }
        }
    }

    fn watched(&self) -> usize {
        let is_watched = |life: &&Life| matches!(life, Life::Watched(_));
        self.processes.values().filter(is_watched).count()
    }

    /// Whether some that are wanted are not watched.
    pub(super) fn is_short(&self) -> bool {
        self.processes
            .values()
            .any(|life| matches!(life, Life::Unwatched))
    }
}

/// How many processes may be watched under the limit of open files: with a low one, half of it.
fn room() -> usize {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    limit - RESERVE.min(limit / 2)
}

fn open(pid: MasterPid) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(pid.0).ok_or(Errno::SRCH)?;
    pidfd_open(pid, PidfdFlags::empty())
}
