//! The process that holds a listener, found by searching the descriptors of the user's processes, ssh first.
//!
//! Each scan reads the status and descriptors of the processes that were found (of many, in turns), and checks that they
//! still hold their listeners: with ControlPersist the process that made the listener passes it to a child as soon as it is
//! connected, and stays as its first client (`control_persist_detach()` in ssh.c).

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::time::{Duration, Instant, SystemTime};

use super::process::{self, Descriptors, SSH};
use super::unix_table::{ListenerKey, UnixListener};
use crate::model::ids::{Cookie, MasterPid, UserId};
use crate::model::observation::{Holder, Process, SshArguments};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The time of the search after one that found nothing. The pause doubles each time, up to the longest.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextSearch {
    pub(super) at: Instant,
    pause: Duration,
}

impl NextSearch {
    pub(super) fn after(before: Option<&Self>, now: Instant) -> Self {
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        let at = now + pause;
        Self { at, pause }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at <= now
    }
}

/// Processes whose status is read in one scan, in turns, beside those with waiting connections: a stopped master is noticed
/// without an event of its own. Each costs about 15 microseconds.
const STATUS_READS: usize = 64;

/// Of these, the processes whose descriptors are read, beside those that are new. Each costs about 45 microseconds more.
const DESCRIPTOR_READS: usize = 8;

/// A process is new until it has held its listener so many times.
const CHECKS_OF_NEW: u8 = 4;

/// The listeners' processes that are known, and the searches that found nothing.
#[derive(Debug)]
pub(super) struct ListenerProcesses {
    uid: UserId,
    found: HashMap<ListenerKey, Found>,
    failed: HashMap<ListenerKey, NextSearch>,
    turn: usize,
}

#[derive(Debug)]
struct Found {
    pid: MasterPid,
    start_ticks: u64,
    descriptor: OsString,
    is_ssh: bool,
    process: Process,
    /// Of an ssh.
    descriptors: Descriptors,
    checks: u8,
}

impl ListenerProcesses {
    pub(super) fn new(uid: UserId) -> Self {
        Self {
            uid,
            found: HashMap::new(),
            failed: HashMap::new(),
            turn: 0,
        }
    }

    /// Updates the processes of these listeners, and forgets all others. Returns how often all processes were searched,
    /// which is 0 if nothing changed.
    pub(super) fn refresh(&mut self, listeners: &[&UnixListener], now: Instant) -> u32 {
        let listed: HashSet<ListenerKey> = listeners.iter().map(|it| it.key()).collect();
        self.found.retain(|key, _| listed.contains(key));
        self.failed.retain(|key, _| listed.contains(key));
        let mut statuses = HashMap::new();
        let mut searched = HashMap::new();
        self.turn = self.turn.wrapping_add(1);
        let turns = listeners.len().div_ceil(STATUS_READS).max(1);
        // A multiple, so that descriptors are read of a process whose status is read anyway.
        let turns_of_descriptors = listeners
            .len()
            .div_ceil(DESCRIPTOR_READS)
            .next_multiple_of(turns);
        let turn = self.turn;
        let is_turn = |place: usize, turns| place % turns == turn % turns;
        for (place, listener) in listeners.iter().enumerate() {
            let (inode, cookie) = listener.key();
            if searched.contains_key(&inode) {
                continue;
            }
            let reads_descriptors = is_turn(place, turns_of_descriptors);
            let is_checked = is_turn(place, turns) || listener.backlog > 0;
            let is_searched = match self.found.get_mut(&listener.key()) {
                Some(known) if is_checked || known.is_new() => {
                    let status = statuses
                        .entry(known.pid)
                        .or_insert_with(|| process::status(known.pid));
                    !status.is_some_and(|status| known.verify(inode, &status, reads_descriptors))
                }
                Some(_) => false,
                None => self.needs_search(listener, now),
            };
            if is_searched {
                self.found.remove(&listener.key());
                searched.insert(inode, cookie);
            }
        }
        if searched.is_empty() {
            return 0;
        }
        let mut searches = 1;
        self.search(&mut searched);
        // The search can miss a master that forks to the background meanwhile: its parent has closed the listener when
        // it is searched, and the child was not in the list of processes.
        if !searched.is_empty() {
            searches += 1;
            self.search(&mut searched);
        }
        for key in searched {
            let next = NextSearch::after(self.failed.get(&key), now);
            self.failed.insert(key, next);
        }
        searches
    }

    pub(super) fn holder(&self, listener: &UnixListener) -> Holder {
        match self.found.get(&listener.key()) {
            Some(found) if found.is_ssh => Holder::Ssh(found.process.clone()),
            Some(found) => Holder::Other(found.process.clone()),
            None => Holder::Unknown,
        }
    }

    /// The descriptors of the ssh that held this listener at the last [`Self::refresh`].
    pub(super) fn descriptors(&self, listener: &UnixListener) -> Option<&Descriptors> {
        let found = self.found.get(&listener.key())?;
        found.is_ssh.then_some(&found.descriptors)
    }

    /// The same, by process.
    pub(super) fn all_descriptors(&self) -> HashMap<MasterPid, &Descriptors> {
        let all = self.found.values().filter(|found| found.is_ssh);
        all.map(|found| (found.pid, &found.descriptors)).collect()
    }

    pub(super) fn still_holds(&self, listener: &UnixListener) -> bool {
        self.found.get(&listener.key()).is_some_and(|found| {
            process::holds(found.pid, &found.descriptor, listener.socket_inode)
        })
    }

    fn needs_search(&self, listener: &UnixListener, now: Instant) -> bool {
        let failed = self.failed.get(&listener.key());
        listener.uid.is_none_or(|uid| uid == self.uid) && failed.is_none_or(|next| next.is_due(now))
    }

    /// Searches the processes until all of `wanted` are found, which are removed from it.
    fn search(&mut self, wanted: &mut HashMap<u32, Option<Cookie>>) {
        let boot = process::boot_time();
        let is_likely = |name: &str| name == SSH;
        process::search(self.uid, is_likely, |pid, name| {
            self.take(pid, name, wanted, boot);
            wanted.is_empty()
        });
    }

    /// Moves the listeners that this process holds from `wanted` to `found`.
    fn take(
        &mut self,
        pid: MasterPid,
        name: String,
        wanted: &mut HashMap<u32, Option<Cookie>>,
        boot: Option<SystemTime>,
    ) {
        let descriptors = Descriptors::read(pid);
        let held: Vec<_> = descriptors
            .stream_sockets
            .iter()
            .chain(&descriptors.sockets)
            .filter(|(_, inode)| wanted.contains_key(inode))
            .cloned()
            .collect();
        if held.is_empty() {
            return;
        }
        let Some(status) = process::status(pid) else {
            return;
        };
        let is_ssh = process::is_ssh_client(pid, &name);
        let (own_session, arguments) = if is_ssh {
            session_and_arguments(pid, &descriptors)
        } else {
            (false, None)
        };
        let process = Process {
            pid,
            own_session,
            arguments,
            starter: None,
            name,
            started: process::started(&status, boot),
            stopped: status.stopped,
        };
        for (descriptor, inode) in held {
            // A socket may have several descriptors.
            let Some(cookie) = wanted.remove(&inode) else {
                continue;
            };
            self.failed.remove(&(inode, cookie));
            let found = Found {
                pid,
                start_ticks: status.start_ticks,
                descriptor,
                is_ssh,
                process: process.clone(),
                descriptors: match is_ssh {
                    true => descriptors.clone(),
                    false => Descriptors::default(),
                },
                checks: 0,
            };
            self.found.insert((inode, cookie), found);
        }
    }
}

impl Found {
    fn is_new(&self) -> bool {
        self.checks < CHECKS_OF_NEW
    }

    /// Notes the current status, and the descriptors of a process that is new or has its turn. Returns whether the process
    /// still holds the listener, as far as that is read.
    fn verify(&mut self, socket: u32, status: &process::Status, reads_descriptors: bool) -> bool {
        if status.start_ticks != self.start_ticks {
            return false;
        }
        self.process.stopped = status.stopped;
        if !reads_descriptors && !self.is_new() {
            return true;
        }
        let holds = match self.is_ssh {
            true => {
                self.descriptors = Descriptors::read(self.pid);
                self.descriptors.has_socket(socket)
            }
            false => process::holds(self.pid, &self.descriptor, socket),
        };
        if !holds {
            return false;
        }
        self.checks = self.checks.saturating_add(1);
        // A master sets its title shortly after it forked to the background.
        self.process.own_session =
            self.process.own_session && session_and_arguments(self.pid, &self.descriptors).0;
        true
    }
}

/// A person sees an `ssh -N` in a terminal end, but not one in the background, which has /dev/null there.
fn session_and_arguments(
    pid: MasterPid,
    descriptors: &Descriptors,
) -> (bool, Option<SshArguments>) {
    let (own_session, arguments) = process::session_and_arguments(pid);
    (descriptors.has_terminal || own_session, arguments)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as Bound;

    use super::*;
    use crate::observe::sock_diag;
    use crate::observe::tests::{Master, eventually, own_pid, own_uid};

    fn listener_at(path: &std::path::Path) -> UnixListener {
        let table = sock_diag::dump().unwrap();
        let mut listeners = table.listeners();
        listeners
            .find(|listener| listener.name == path)
            .unwrap()
            .clone()
    }

    #[test]
    fn holder_is_searched_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let _bound = Bound::bind(&path).unwrap();
        let listener = listener_at(&path);
        let mut holders = ListenerProcesses::new(own_uid());
        let wanted = [&listener, &listener];
        // Children of other tests hold copies of the descriptors until they exec.
        eventually("this process is the holder", || {
            holders.refresh(&wanted, Instant::now());
            matches!(holders.holder(&listener), Holder::Other(process) if process.pid == own_pid())
        });
        assert_eq!(holders.refresh(&wanted, Instant::now()), 0);
        assert!(holders.still_holds(&listener));
    }

    #[test]
    fn listener_passed_to_another_process_is_searched_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let bound = Bound::bind(&path).unwrap();
        let listener = listener_at(&path);
        let mut holders = ListenerProcesses::new(own_uid());
        holders.refresh(&[&listener], Instant::now());
        assert!(matches!(holders.holder(&listener), Holder::Other(_)));
        let master = Master::start(bound);
        eventually("the ssh is the holder", || {
            holders.refresh(&[&listener], Instant::now());
            matches!(holders.holder(&listener), Holder::Ssh(process) if process.pid == master.pid())
        });
    }

    #[test]
    fn many_listeners_keep_their_holders_between_turns() {
        let directory = tempfile::tempdir().unwrap();
        let many = STATUS_READS * 2 + 1;
        let bound: Vec<Bound> = (0..many)
            .map(|number| Bound::bind(directory.path().join(number.to_string())).unwrap())
            .collect();
        let table = sock_diag::dump().unwrap();
        let listeners = table.listeners();
        let wanted: Vec<&UnixListener> = listeners
            .filter(|listener| listener.name.starts_with(directory.path()))
            .collect();
        assert_eq!(wanted.len(), bound.len());
        let mut holders = ListenerProcesses::new(own_uid());
        let start = Instant::now();
        eventually("nothing is searched any more", || {
            let searches = (0..3).map(|_| holders.refresh(&wanted, start));
            searches.sum::<u32>() == 0
        });
        for listener in wanted {
            assert!(matches!(holders.holder(listener), Holder::Other(_)));
        }
    }

    #[test]
    fn pause_doubles_after_each_search_that_found_nothing() {
        let unheld = UnixListener {
            socket_inode: u32::MAX,
            cookie: Some(Cookie(u64::MAX)),
            name: "/s".into(),
            uid: Some(own_uid()),
            ..UnixListener::default()
        };
        let mut holders = ListenerProcesses::new(own_uid());
        let start = Instant::now();
        let searched = [0, 0, 1, 2, 3]
            .map(|seconds| holders.refresh(&[&unheld], start + Duration::from_secs(seconds)) > 0);
        assert_eq!(searched, [true, false, true, false, true]);
        assert_eq!(holders.holder(&unheld), Holder::Unknown);

        let mut of_other_user = unheld.clone();
        of_other_user.uid = Some(UserId(own_uid().0 + 1));
        assert_eq!(holders.refresh(&[&of_other_user], start), 0);
    }
}
