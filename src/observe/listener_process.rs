//! Which process holds a listener: a search through the descriptors of the user's own processes, remembered.
//!
//! Only processes of the user's own are opened, those called ssh first. Once found, a look costs one read of the
//! process's status (of hundreds of processes, in turns), and now and then one more to see that the descriptor is
//! still the listener: with ControlPersist
//! the process that made the listener hands it to a child and lives on as its first client
//! (`control_persist_detach()` in ssh.c). That happens early, so the older a holder, the rarer the question.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant, SystemTime};

use super::process;
use super::unix_table::UnixListener;
use crate::model::socket::{Cookie, Holder, MasterPid, Process, UserId};

/// How soon to search again for a holder that was not found, at first. Doubles each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How many listeners' processes are asked for their status in one look, beside those where connections wait. Each
/// costs some ten microseconds.
const STATUSES: usize = 128;

/// How far to search for a listener's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Only processes called ssh: for listeners that nobody asked about.
    Ssh,
    /// Every process of the user's.
    Everyone,
}

/// The holders that were found, and those that were searched in vain.
#[derive(Debug)]
pub(super) struct Holders {
    uid: UserId,
    /// By sockfs inode.
    found: HashMap<u32, Found>,
    missing: HashMap<u32, Missing>,
    /// Counts the looks, for the turns.
    turn: usize,
}

#[derive(Debug)]
struct Found {
    cookie: Option<Cookie>,
    pid: MasterPid,
    start_ticks: u64,
    descriptor: OsString,
    process: Process,
    since: Instant,
    verified: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    cookie: Option<Cookie>,
    reach: Reach,
    pause: Duration,
    next: Instant,
}

impl Holders {
    pub(super) fn new(uid: UserId) -> Self {
        Self {
            uid,
            found: HashMap::new(),
            missing: HashMap::new(),
            turn: 0,
        }
    }

    /// Brings what is known of these listeners' holders up to date, and forgets all others. Tells how many times it
    /// had to search through all processes for that: none when everybody is where they were.
    pub(super) fn refresh(&mut self, listeners: &[(&UnixListener, Reach)], now: Instant) -> u32 {
        let mut statuses = HashMap::new();
        let mut found = HashMap::new();
        let mut wanted = HashMap::new();
        let turns = listeners.len().div_ceil(STATUSES).max(1);
        self.turn = self.turn.wrapping_add(1);
        for (place, (listener, reach)) in listeners.iter().enumerate() {
            let inode = listener.socket_inode;
            if found.contains_key(&inode) || wanted.contains_key(&inode) {
                continue;
            }
            let known = self.found.remove(&inode);
            match known.filter(|known| known.cookie == listener.cookie) {
                Some(known) if listener.backlog == 0 && place % turns != self.turn % turns => {
                    found.insert(inode, known);
                }
                Some(known) => {
                    let status = statuses
                        .entry(known.pid)
                        .or_insert_with(|| process::status(known.pid));
                    match status.and_then(|status| known.still(inode, &status, now)) {
                        Some(known) => drop(found.insert(inode, known)),
                        None => drop(wanted.insert(inode, (listener.cookie, *reach))),
                    }
                }
                None if self.is_worth_a_search(listener, *reach, now) => {
                    wanted.insert(inode, (listener.cookie, *reach));
                }
                None => {}
            }
        }
        self.found = found;
        if !self.missing.is_empty() {
            let inodes = listeners.iter().map(|(listener, _)| listener.socket_inode);
            let inodes: HashSet<u32> = inodes.collect();
            self.missing.retain(|inode, _| inodes.contains(inode));
        }
        if wanted.is_empty() {
            return 0;
        }
        let mut searches = 1;
        self.search(&mut wanted, now);
        // A master that goes to the background while we search can be missed: its parent has let go of the
        // listener when we come to it, and the child was not yet there when we listed the processes.
        if !wanted.is_empty() {
            searches += 1;
            self.search(&mut wanted, now);
        }
        for (inode, (cookie, reach)) in wanted {
            let before = self.missing.get(&inode);
            let before = before.filter(|before| before.cookie == cookie && before.reach == reach);
            let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
            let next = now + pause;
            let missing = Missing {
                cookie,
                reach,
                pause,
                next,
            };
            self.missing.insert(inode, missing);
        }
        searches
    }

    /// Who held this listener at the last [`Self::refresh`] that named it.
    pub(super) fn holder(&self, listener: &UnixListener) -> Holder {
        match self.found.get(&listener.socket_inode) {
            Some(found) if is_ssh(&found.process) => Holder::Ssh(found.process.clone()),
            Some(found) => Holder::Other(found.process.clone()),
            None => Holder::Unknown,
        }
    }

    /// Whether the process still holds this listener at this moment.
    pub(super) fn still_holds(&self, listener: &UnixListener) -> bool {
        self.found.get(&listener.socket_inode).is_some_and(|found| {
            process::holds(found.pid, &found.descriptor, listener.socket_inode)
        })
    }

    fn is_worth_a_search(&self, listener: &UnixListener, reach: Reach, now: Instant) -> bool {
        if listener.uid.is_some_and(|uid| uid != self.uid) {
            return false;
        }
        let missing = self.missing.get(&listener.socket_inode);
        missing.is_none_or(|missing| {
            missing.cookie != listener.cookie || missing.reach < reach || missing.next <= now
        })
    }

    /// Searches once through all processes, and takes what it finds out of `wanted`. It ends with the last one found.
    fn search(&mut self, wanted: &mut HashMap<u32, (Option<Cookie>, Reach)>, now: Instant) {
        let boot = process::boot_time();
        let mut others = Vec::new();
        for pid in own_processes(self.uid) {
            match process::name(pid) {
                Some(name) if name == SSH => self.take(pid, name, Reach::Ssh, wanted, boot, now),
                Some(name) => others.push((pid, name)),
                None => {}
            }
            if wanted.is_empty() {
                return;
            }
        }
        for (pid, name) in others {
            if !wanted.values().any(|(_, reach)| *reach >= Reach::Everyone) {
                return;
            }
            self.take(pid, name, Reach::Everyone, wanted, boot, now);
        }
    }

    /// Takes out of `wanted` what this process holds of it, where that is wanted of such a process.
    fn take(
        &mut self,
        pid: MasterPid,
        name: String,
        reach: Reach,
        wanted: &mut HashMap<u32, (Option<Cookie>, Reach)>,
        boot: Option<SystemTime>,
        now: Instant,
    ) {
        let wants = |inode| {
            wanted
                .get(&inode)
                .is_some_and(|(_, wanted)| *wanted >= reach)
        };
        let held: Vec<_> = process::sockets(pid)
            .filter(|(_, inode)| wants(*inode))
            .collect();
        if held.is_empty() {
            return;
        }
        let Some(status) = process::status(pid) else {
            return;
        };
        let process = Process {
            pid,
            own_session: name == SSH && process::has_own_session(pid),
            name,
            started: process::started(&status, boot),
            stopped: status.stopped,
        };
        for (descriptor, inode) in held {
            // The same socket may have several descriptors.
            let Some((cookie, _)) = wanted.remove(&inode) else {
                continue;
            };
            self.missing.remove(&inode);
            let found = Found {
                cookie,
                pid,
                start_ticks: status.start_ticks,
                descriptor,
                process: process.clone(),
                since: now,
                verified: now,
            };
            self.found.insert(inode, found);
        }
    }
}

impl Found {
    /// The same, with what can change of it, if it is still the holder.
    fn still(mut self, socket: u32, status: &process::Status, now: Instant) -> Option<Self> {
        if status.start_ticks != self.start_ticks {
            return None;
        }
        self.process.stopped = status.stopped;
        let proven = self.verified.duration_since(self.since).min(LONGEST_PAUSE);
        if now.duration_since(self.verified) >= proven {
            if !process::holds(self.pid, &self.descriptor, socket) {
                return None;
            }
            self.verified = now;
            // A master takes its title a moment after it went to the background.
            self.process.own_session =
                self.process.own_session && process::has_own_session(self.pid);
        }
        Some(self)
    }
}

/// The program's name that makes a process an ssh.
pub(super) const SSH: &str = "ssh";

fn is_ssh(process: &Process) -> bool {
    process.name == SSH
}

/// The newest first: the kernel's own threads and what the system started come last, mostly never. Each is looked at
/// only when it is its turn.
pub(super) fn own_processes(uid: UserId) -> impl Iterator<Item = MasterPid> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let processes = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((MasterPid(pid), entry))
    });
    let processes: Vec<_> = processes.collect();
    let own = move |entry: &fs::DirEntry| entry.metadata().is_ok_and(|stat| stat.uid() == uid.0);
    let newest_first = processes.into_iter().rev();
    newest_first.filter_map(move |(pid, entry)| own(&entry).then_some(pid))
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
    fn a_holder_is_searched_for_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let _bound = Bound::bind(&path).unwrap();
        let listener = listener_at(&path);
        let mut holders = Holders::new(own_uid());
        let wanted = [(&listener, Reach::Everyone), (&listener, Reach::Ssh)];
        // Other tests start processes, which are copies of this one for a moment.
        eventually("this process is the holder", || {
            holders.refresh(&wanted, Instant::now());
            matches!(holders.holder(&listener), Holder::Other(process) if process.pid == own_pid())
        });
        assert_eq!(holders.refresh(&wanted, Instant::now()), 0);
        assert!(holders.still_holds(&listener));
    }

    #[test]
    fn a_listener_that_was_handed_on_is_searched_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let bound = Bound::bind(&path).unwrap();
        let listener = listener_at(&path);
        let mut holders = Holders::new(own_uid());
        holders.refresh(&[(&listener, Reach::Everyone)], Instant::now());
        assert!(matches!(holders.holder(&listener), Holder::Other(_)));
        let master = Master::start(bound);
        eventually("the ssh is the holder", || {
            holders.refresh(&[(&listener, Reach::Everyone)], Instant::now());
            matches!(holders.holder(&listener), Holder::Ssh(process) if process.pid == master.pid())
        });
    }

    #[test]
    fn of_many_listeners_none_is_forgotten_between_its_turns() {
        let directory = tempfile::tempdir().unwrap();
        let many = STATUSES * 2 + 1;
        let bound: Vec<Bound> = (0..many)
            .map(|number| Bound::bind(directory.path().join(number.to_string())).unwrap())
            .collect();
        let table = sock_diag::dump().unwrap();
        let listeners = table.listeners();
        let wanted: Vec<(&UnixListener, Reach)> = listeners
            .filter(|listener| listener.name.starts_with(directory.path()))
            .map(|listener| (listener, Reach::Everyone))
            .collect();
        assert_eq!(wanted.len(), bound.len());
        let mut holders = Holders::new(own_uid());
        let start = Instant::now();
        eventually("nobody is searched for any more", || {
            let searches = (0..3).map(|_| holders.refresh(&wanted, start));
            searches.sum::<u32>() == 0
        });
        for (listener, _) in wanted {
            assert!(matches!(holders.holder(listener), Holder::Other(_)));
        }
    }

    #[test]
    fn a_search_in_vain_is_repeated_later_and_later() {
        let nobodys = UnixListener {
            socket_inode: u32::MAX,
            cookie: Some(Cookie(u64::MAX)),
            name: "/s".into(),
            vfs: None,
            backlog: 0,
            sessions: 0,
            uid: Some(own_uid()),
        };
        let mut holders = Holders::new(own_uid());
        let start = Instant::now();
        let mut searched = |reach, seconds| {
            holders.refresh(&[(&nobodys, reach)], start + Duration::from_secs(seconds)) > 0
        };
        assert!(searched(Reach::Ssh, 0));
        assert!(!searched(Reach::Ssh, 0));
        assert!(searched(Reach::Everyone, 0));
        assert!(!searched(Reach::Everyone, 0));
        assert!(searched(Reach::Everyone, 1));
        assert!(!searched(Reach::Everyone, 2));
        assert!(searched(Reach::Everyone, 3));
        assert_eq!(holders.holder(&nobodys), Holder::Unknown);

        let mut strangers = nobodys.clone();
        strangers.uid = Some(UserId(own_uid().0 + 1));
        assert_eq!(holders.refresh(&[(&strangers, Reach::Everyone)], start), 0);
    }
}
