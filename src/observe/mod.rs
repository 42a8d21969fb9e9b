//! What is there: one look at control sockets without touching them.
//!
//! A look asks lstat of each candidate, the kernel for its table of unix sockets, and `/proc` for the processes
//! behind the listeners. It connects only to what nobody listens on by that table: a connect that succeeds keeps a
//! master alive past its ControlPersist. It has no opinion on what it sees; `diagnose` has.
//!
//! The order is what makes it true. Files come before the table: whatever was linked when we saw it listens by the
//! time the table is read. And before the first connect to a file the table is read once more, for a dump can miss
//! a socket while others come and go.
//!
//! lstat and statfs have no deadline: on a network filesystem whose server is away they wait for it.

pub mod connect;
pub mod directories;
pub mod filesystem;
pub mod inet_diag;
mod listener_process;
pub mod mounts;
pub(crate) mod netlink;
pub mod network;
mod orphans;
pub(crate) mod path_walk;
pub mod proc_net_unix;
pub mod process;
pub mod rtnetlink;
pub mod sock_diag;
mod suspend;
mod transport;
pub mod unix_table;

pub use suspend::time_asleep;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tracing::{trace, warn};

use crate::model::control_path::ControlPath;
use crate::model::places::{Candidate, Origin};
use crate::model::socket::{
    Connect, Cookie, File, Filesystem, Holder, Listener, Look, MasterPid, Observation, Orphan,
    SocketId, Stat, Table, UserId,
};
use crate::transient_error::is_transient;
use listener_process::{Holders, Reach};
use orphans::Whereabouts;
use unix_table::{UnixListener, UnixTable};

/// For how long the answer of a connect holds for the same file.
///
/// When it accepted, since each connect starts a master's ControlPersist afresh: asked at every look, a master in a
/// container would never end. When it refused, since that is for good, but for a program that has bound and is about
/// to listen: a file never gets a second socket. Whatever is to be removed is proven again first.
pub const ANSWER_HOLDS: Duration = Duration::from_secs(600);

/// How old a temporary name must be to be connected to. A younger one may be a master that is just starting.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// How long a master may take to end after it removed its file, before it counts as an orphan.
const ENDS_WITHIN: Duration = Duration::from_millis(200);
const ENDS_POLL: Duration = Duration::from_millis(10);

/// Takes looks, and remembers between them what spares the next one work.
#[derive(Debug)]
pub struct Observer {
    uid: UserId,
    tables: Tables,
    /// Where the last table came from; a fallback is reported once.
    source: Option<Table>,
    /// Why there was none, where another time there may be one.
    shortage: Option<String>,
    holders: Holders,
    asked: HashMap<SocketId, (Instant, Connect)>,
    orphans: HashSet<(u32, Option<Cookie>)>,
}

/// How the kernel's tables are read, the best first.
#[derive(Debug, Clone, Copy)]
struct Tables {
    sock_diag: fn() -> io::Result<UnixTable>,
    proc_net_unix: fn() -> io::Result<UnixTable>,
}

impl Observer {
    /// For the sockets and processes of this user.
    #[must_use]
    pub fn new(uid: UserId) -> Self {
        let tables = Tables {
            sock_diag: sock_diag::dump,
            proc_net_unix: proc_net_unix::read,
        };
        Self::with_tables(uid, tables)
    }

    fn with_tables(uid: UserId, tables: Tables) -> Self {
        Self {
            uid,
            tables,
            source: None,
            shortage: None,
            holders: Holders::new(uid),
            asked: HashMap::new(),
            orphans: HashSet::new(),
        }
    }

    /// One look at the candidates, each path named once, and at every master that one of the user's ssh processes
    /// holds.
    ///
    /// What cannot be seen is told in the observation; the look itself always comes about. It waits only where a
    /// master seems to be ending, a fifth of a second at most.
    #[must_use]
    pub fn look(&mut self, candidates: &[Candidate]) -> Look {
        let at = SystemTime::now();
        let mut sights = self.sights(candidates);
        let first = self.read_table();
        let second = self
            .is_in_doubt(&sights, &first, at)
            .then(|| self.read_table());
        let newest = second.as_ref().unwrap_or(&first);
        let find = |path: &ControlPath, file: &File| match file {
            File::Socket(stat) => newest
                .listener_of(path, stat)
                .or_else(|| first.listener_of(path, stat)),
            File::Other(..) | File::Missing | File::Denied | File::Failed(_) => None,
        };

        let now = Instant::now();
        // What is gone is forgotten: a directory may see thousands of sockets come and go in that time.
        let there: HashSet<SocketId> = sights.iter().filter_map(Sight::socket).collect();
        self.asked
            .retain(|id, (when, _)| there.contains(id) && now.duration_since(*when) < ANSWER_HOLDS);
        let mut listeners = Vec::with_capacity(sights.len());
        for sight in &mut sights {
            let mut listener = find(&sight.candidate.path, &sight.file);
            if listener.is_none()
                && let Some(stat) = self.may_ask(sight, at)
            {
                sight.connect = self.ask(sight.candidate.path.as_path(), stat.id, now);
                if sight.connect.is_none() {
                    // Another file took the path in between.
                    sight.file = filesystem::lstat(sight.candidate.path.as_path());
                    listener = find(&sight.candidate.path, &sight.file);
                }
            }
            listeners.push(listener);
        }

        // A temporary name claims nothing: its master may be linked to its path by now.
        let known: HashSet<u32> = sights
            .iter()
            .zip(&listeners)
            .filter(|(sight, _)| sight.candidate.origin != Origin::Temporary)
            .filter_map(|(_, listener)| Some((*listener)?.socket_inode))
            .collect();
        let unclaimed: Vec<&UnixListener> = newest
            .listeners()
            .filter(|listener| !known.contains(&listener.socket_inode))
            .filter(|listener| listener.uid.is_none_or(|uid| uid == self.uid))
            .filter(|listener| orphans::is_master(listener))
            .collect();
        let claimed = listeners.iter().flatten();
        let wanted: Vec<(&UnixListener, Reach)> = claimed
            .map(|listener| (*listener, Reach::Everyone))
            .chain(unclaimed.iter().map(|listener| (*listener, Reach::Ssh)))
            .collect();
        let searches = self.holders.refresh(&wanted, now);
        trace!(listeners = wanted.len(), searches, "looked for the holders");

        let mut observations: Vec<Observation> = sights
            .into_iter()
            .zip(listeners)
            .filter(|(sight, listener)| {
                let is_linked = listener.is_some_and(|it| known.contains(&it.socket_inode));
                let is_temporary = sight.candidate.origin == Origin::Temporary;
                sight.file != File::Missing && !(is_temporary && is_linked)
            })
            .map(|(sight, listener)| Observation {
                path: sight.candidate.path.clone(),
                origin: sight.candidate.origin,
                file: sight.file,
                filesystem: sight.directory.filesystem,
                shared_directory: sight.directory.shared,
                listener: listener.map(|listener| self.described(listener)),
                connect: sight.connect,
            })
            .collect();
        let masters = self.masters(newest, &unclaimed, at);
        self.add(&mut observations, candidates, masters.found);
        Look {
            at,
            observations,
            orphans: masters.orphans,
            table: newest.source(),
        }
    }

    /// What lstat, stat and statfs say of every candidate that is there.
    fn sights<'a>(&self, candidates: &'a [Candidate]) -> Vec<Sight<'a>> {
        let mut directories: HashMap<&Path, Directory> = HashMap::new();
        let mut sights = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let file = filesystem::lstat(candidate.path.as_path());
            if file == File::Missing {
                continue;
            }
            let directory = directories
                .entry(candidate.path.directory())
                .or_insert_with_key(|directory| Directory::of(directory, self.uid));
            sights.push(Sight {
                candidate,
                file,
                directory: directory.clone(),
                connect: None,
            });
        }
        sights
    }

    /// Whether the table is to be read once more, since we would connect to a file for the first time.
    fn is_in_doubt(&self, sights: &[Sight<'_>], table: &UnixTable, at: SystemTime) -> bool {
        table.source() != Table::None
            && sights.iter().any(|sight| match &sight.file {
                File::Socket(stat) => {
                    !self.asked.contains_key(&stat.id)
                        && self.may_ask(sight, at).is_some()
                        && table.listener_of(&sight.candidate.path, stat).is_none()
                }
                File::Other(..) | File::Missing | File::Denied | File::Failed(_) => false,
            })
    }

    /// The file to connect to, where a refusal would be proof and nobody else's socket is touched.
    fn may_ask(&self, sight: &Sight<'_>, at: SystemTime) -> Option<Stat> {
        let File::Socket(stat) = sight.file else {
            return None;
        };
        // One from the future tells no age.
        let age = at.duration_since(stat.modified).unwrap_or_default();
        let starting = sight.candidate.origin == Origin::Temporary && age < STARTS_WITHIN;
        let local = sight.directory.filesystem == Filesystem::Local;
        (stat.uid == self.uid && local && !starting).then_some(stat)
    }

    /// Connects, or remembers; `None` where another file stands there by now.
    ///
    /// Where the table could not be read for the moment only, nobody is connected to: it may be a master that the next
    /// look shows.
    fn ask(&mut self, path: &Path, id: SocketId, now: Instant) -> Option<Connect> {
        if let Some(why) = &self.shortage {
            return Some(Connect::Failed(why.clone()));
        }
        if let Some((_, known @ (Connect::Accepted | Connect::Refused))) = self.asked.get(&id) {
            return Some(known.clone());
        }
        let answer = connect::probe_same(path, &id)?;
        self.asked.insert(id, (now, answer.clone()));
        Some(answer)
    }

    fn read_table(&mut self) -> UnixTable {
        let table = (self.tables.sock_diag)().or_else(|error| {
            let table = (self.tables.proc_net_unix)();
            if self.source == Some(Table::SockDiag) || self.source.is_none() {
                warn!("the kernel's socket table cannot be read by sock_diag: {error}");
            }
            table
        });
        self.shortage = None;
        let table = table.unwrap_or_else(|error| {
            if is_transient(&error) {
                if self.source != Some(Table::None) {
                    warn!("/proc/net/unix cannot be read either: {error}; nothing is known of who listens");
                }
                self.shortage = Some(filesystem::text_of(&error));
            } else if self.source != Some(Table::None) {
                warn!("/proc/net/unix cannot be read either: {error}; every socket is connected to");
            }
            UnixTable::none()
        });
        self.source = Some(table.source());
        table
    }

    fn described(&self, listener: &UnixListener) -> Listener {
        Listener {
            cookie: listener.cookie,
            bound_name: listener.name.clone(),
            backlog: listener.backlog,
            sessions: listener.sessions,
            uid: listener.uid,
            holder: self.holders.holder(listener),
        }
    }

    /// What became of the masters among the listeners that no candidate led to.
    fn masters(
        &mut self,
        table: &UnixTable,
        listeners: &[&UnixListener],
        at: SystemTime,
    ) -> Masters {
        let mut masters = Masters::default();
        let mut orphans = HashSet::new();
        let mut ending = Vec::new();
        let mut add = |listener: Listener, key, whereabouts| match whereabouts {
            Whereabouts::At(path, file) => masters.found.push((path, file, listener)),
            Whereabouts::Lost {
                path, successor, ..
            } => {
                orphans.insert(key);
                masters.orphans.push(Orphan {
                    path,
                    listener,
                    successor,
                });
            }
            Whereabouts::Unclear => {}
        };
        for listener in listeners {
            let described = self.described(listener);
            let Holder::Ssh(process) = &described.holder else {
                continue;
            };
            let pid = process.pid;
            match orphans::whereabouts(table, listener, pid, at) {
                Whereabouts::Lost { recent: true, .. }
                    if !self.orphans.contains(&listener.key()) =>
                {
                    ending.push((*listener, pid, described));
                }
                whereabouts => add(described, listener.key(), whereabouts),
            }
        }
        if !ending.is_empty() {
            self.wait_for_the_end(&ending);
            let table = self.read_table();
            for (listener, pid, described) in ending {
                if table.contains(listener) && self.holders.still_holds(listener) {
                    let whereabouts = orphans::whereabouts(&table, listener, pid, at);
                    add(described, listener.key(), whereabouts);
                }
            }
        }
        self.orphans = orphans;
        masters.orphans.sort_by(|a, b| a.path.cmp(&b.path));
        masters.found.sort_by(|a, b| a.0.cmp(&b.0));
        masters
    }

    /// Waits until none of these masters holds its listener any more, for [`ENDS_WITHIN`] at most.
    fn wait_for_the_end(&self, ending: &[(&UnixListener, MasterPid, Listener)]) {
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline
            && ending
                .iter()
                .any(|(listener, ..)| self.holders.still_holds(listener))
        {
            thread::sleep(ENDS_POLL);
        }
    }

    /// Adds the masters that only the kernel told of. One at a candidate's path came there after we had looked.
    fn add(
        &self,
        observations: &mut Vec<Observation>,
        candidates: &[Candidate],
        found: Vec<(ControlPath, File, Listener)>,
    ) {
        if found.is_empty() {
            return;
        }
        let origins: HashMap<&ControlPath, Origin> = candidates
            .iter()
            .map(|candidate| (&candidate.path, candidate.origin))
            .collect();
        for (path, file, listener) in found {
            let origin = origins.get(&path).copied();
            observations.retain(|observation| {
                let is_its_temporary = observation.origin == Origin::Temporary
                    && observation.listener.as_ref() == Some(&listener);
                observation.path != path && !is_its_temporary
            });
            let directory = Directory::of(path.directory(), self.uid);
            observations.push(Observation {
                path,
                origin: origin.unwrap_or(Origin::Kernel),
                file,
                filesystem: directory.filesystem,
                shared_directory: directory.shared,
                listener: Some(listener),
                connect: None,
            });
        }
    }
}

/// A candidate and what was seen of it.
struct Sight<'a> {
    candidate: &'a Candidate,
    file: File,
    directory: Directory,
    connect: Option<Connect>,
}

impl Sight<'_> {
    /// Which socket stands there.
    fn socket(&self) -> Option<SocketId> {
        match &self.file {
            File::Socket(stat) => Some(stat.id),
            File::Other(..) | File::Missing | File::Denied | File::Failed(_) => None,
        }
    }
}

/// What is the same for all sockets of one directory.
#[derive(Clone)]
struct Directory {
    filesystem: Filesystem,
    shared: bool,
}

impl Directory {
    fn of(directory: &Path, uid: UserId) -> Self {
        Self {
            filesystem: filesystem::filesystem_of(directory),
            shared: filesystem::is_shared(directory, uid),
        }
    }
}

/// The masters that no candidate led to.
#[derive(Default)]
struct Masters {
    found: Vec<(ControlPath, File, Listener)>,
    orphans: Vec<Orphan>,
}

#[cfg(test)]
mod tests;
