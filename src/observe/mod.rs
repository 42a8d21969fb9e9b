//! Observes control sockets without touching a master.
//!
//! Each observation calls lstat for each candidate, reads the kernel's table of unix sockets, and searches `/proc` for the
//! processes behind the listeners. It connects only to sockets without a listener in the table or in those of other
//! network namespaces, and once, because a connect that succeeds restarts a master's ControlPersist timer.
//!
//! The order matters. Files are read before the table, so every file that was linked has its listener in the table. And
//! before the first connect to a file the table is read again, because a dump can miss a socket while others come and
//! go.
//!
//! lstat and statfs have no deadline: they hang with the server of a network filesystem.

mod access_list;
pub mod accounts;
mod clients;
pub mod connect;
mod connect_memory;
pub mod directories;
pub mod file_stamp;
pub mod filesystem;
pub mod forwarded;
pub mod inet_diag;
mod listener_process;
mod lone;
pub mod mounts;
mod name_service;
pub(crate) mod netlink;
pub mod network;
mod orphans;
mod other_namespaces;
pub(crate) mod own_connections;
pub(crate) mod path_walk;
pub mod port_holders;
pub mod proc_net_unix;
pub mod process;
pub mod rtnetlink;
pub mod sock_diag;
mod table_reader;
pub mod time_zone;
mod transport;
pub mod unix_table;

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tracing::trace;

use crate::model::client::Clients;
use crate::model::control_path::ControlPath;
use crate::model::ids::{MasterPid, SocketId, Target, UserId};
use crate::model::observation::{
    Connect, Facts, File, Filesystem, Holder, Listener, Observation, Orphan, Stat, Table,
};
use crate::model::places::{Candidate, Origin};
use clients::ClientProcesses;
use connect_memory::ConnectMemory;
use forwarded::Forwarded;
use listener_process::ListenerProcesses;
use orphans::Location;
use other_namespaces::OtherNamespaces;
use table_reader::{Sources, TableReader};
use unix_table::{ListenerKey, UnixListener, UnixTable};

/// A younger temporary name may belong to a master that is starting, and is not connected to.
const MAX_START_TIME: Duration = Duration::from_secs(60);

/// How long a master without its file may take to exit before it counts as an orphan.
const MAX_EXIT_TIME: Duration = Duration::from_millis(200);
const EXIT_POLL: Duration = Duration::from_millis(10);

/// Observes, and keeps results that make the next one cheaper.
#[derive(Debug)]
pub struct Observer {
    uid: UserId,
    table: TableReader,
    processes: ListenerProcesses,
    clients: ClientProcesses,
    connects: ConnectMemory,
    /// The forwardings of the processes of listeners, by sockfs inode.
    forwarded: HashMap<u32, Forwarded>,
    /// The listeners of the orphans of the last scan.
    orphans: HashSet<ListenerKey>,
}

impl Observer {
    /// Answers of connects are kept in the file `connects`, or if it cannot be written, in the directory `spare`, which
    /// is made then.
    pub fn new(uid: UserId, connects: Option<PathBuf>, spare: Option<&Path>) -> Self {
        let connects = ConnectMemory::new(uid, connects, spare);
        Self::with_sources(uid, connects, Sources::of_kernel())
    }

    fn with_sources(uid: UserId, connects: ConnectMemory, sources: Sources) -> Self {
        Self {
            uid,
            table: TableReader::new(sources),
            processes: ListenerProcesses::new(uid),
            clients: ClientProcesses::new(uid),
            connects,
            forwarded: HashMap::new(),
            orphans: HashSet::new(),
        }
    }

    /// Observes the candidates, which have distinct paths, and every master that one of the user's ssh processes holds.
    ///
    /// An observation holds the errors of its own file; the observation as a whole never fails. It waits only for masters that seem to be
    /// exiting, 0.2 s in all.
    #[must_use]
    pub fn observe(&mut self, candidates: &[Candidate]) -> Facts {
        let at = SystemTime::now();
        let now = Instant::now();
        self.connects.refresh(now);
        let mut seen = self.existing_files(candidates);
        let first = self.table.read();
        let is_unknown = self.has_unknown_listener(&seen, &first, at);
        let second = (is_unknown && first.source() != Table::None).then(|| self.table.read());
        let newest = second.as_ref().unwrap_or(&first);
        let others = match is_unknown {
            true => OtherNamespaces::read(self.uid),
            false => OtherNamespaces::default(),
        };
        let find = |path: &ControlPath, file: &File| {
            let stat = file.socket()?;
            let listener = newest.listener_of(path, stat);
            listener
                .or_else(|| first.listener_of(path, stat))
                .or_else(|| others.listener_of(path, stat))
        };

        let sockets = seen.iter().filter_map(|file| file.file.socket());
        let existing: HashSet<SocketId> = sockets.map(|stat| stat.id).collect();
        self.connects.keep_refusals(|id| existing.contains(id));
        let mut listeners = Vec::with_capacity(seen.len());
        for file in &mut seen {
            let path = &file.candidate.path;
            let mut listener = find(path, &file.file);
            if let Some(shown) = listener
                && self.is_refused(path, &file.file, shown, file.directory.copies_links, now)
            {
                listener = None;
                file.connect = Some(Connect::Refused);
            } else if listener.is_none()
                && let Some(id) = self.may_connect(file, at).map(|stat| stat.id)
            {
                file.connect = self.connect(path.as_path(), id, now);
                if file.connect.is_none() {
                    // Another file has taken the path.
                    file.file = filesystem::lstat(path.as_path());
                    listener = find(path, &file.file);
                }
            }
            listeners.push(listener);
        }

        // The listener of a temporary name is not claimed by it: its master may have been linked to its ControlPath since.
        let claimed: HashSet<u32> = seen
            .iter()
            .zip(&listeners)
            .filter(|(file, _)| file.candidate.origin != Origin::Temporary)
            .filter_map(|(_, listener)| Some((*listener)?.socket_inode))
            .collect();
        let unclaimed: Vec<&UnixListener> = newest
            .listeners()
            .filter(|listener| !claimed.contains(&listener.socket_inode))
            .filter(|listener| listener.uid.is_none_or(|uid| uid == self.uid))
            .filter(|listener| orphans::is_master(listener))
            .collect();
        let of_candidates = listeners.iter().flatten();
        let all: Vec<&UnixListener> = of_candidates.chain(&unclaimed).copied().collect();
        let searches = self.processes.refresh(&all, now);
        trace!(listeners = all.len(), searches, "updated processes");
        self.clients.refresh(&all, now);
        self.forwarded = forwarded::read(newest, &all, &self.processes);

        let mut observations: Vec<Observation> = seen
            .into_iter()
            .zip(listeners)
            .filter(|(file, listener)| {
                let is_linked = listener.is_some_and(|it| claimed.contains(&it.socket_inode));
                let is_temporary = file.candidate.origin == Origin::Temporary;
                file.file != File::Missing && !(is_temporary && is_linked)
            })
            .map(|(file, listener)| Observation {
                path: file.candidate.path.clone(),
                origin: file.candidate.origin,
                file: file.file,
                filesystem: file.directory.filesystem,
                shared_directory: file.directory.shared,
                listener: listener.map(|listener| self.described(listener)),
                connect: file.connect,
            })
            .collect();
        let masters = self.locate_masters(newest, &unclaimed, at, now);
        self.add_found(&mut observations, candidates, masters.found);
        Facts {
            at,
            observations,
            orphans: masters.orphans,
            table: newest.source(),
        }
    }

    /// The candidates with a file, and the results of lstat, stat and statfs.
    fn existing_files<'a>(&self, candidates: &'a [Candidate]) -> Vec<SeenFile<'a>> {
        // By bytes: the hash of a path is that of its components.
        let mut directories: HashMap<&OsStr, Directory> = HashMap::new();
        let mut seen = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let file = filesystem::lstat(candidate.path.as_path());
            if file == File::Missing {
                continue;
            }
            let directory = directories
                .entry(candidate.path.directory().as_os_str())
                .or_insert_with_key(|directory| Directory::read(directory.as_ref(), self.uid));
            seen.push(SeenFile {
                candidate,
                file,
                directory: directory.clone(),
                connect: None,
            });
        }
        seen
    }

    /// Whether this scan would connect to a file for the first time.
    fn has_unknown_listener(
        &self,
        seen: &[SeenFile<'_>],
        table: &UnixTable,
        at: SystemTime,
    ) -> bool {
        seen.iter().any(|file| {
            self.may_connect(file, at).is_some_and(|stat| {
                self.connects.answer(&stat.id, None).is_none()
                    && table.listener_of(&file.candidate.path, stat).is_none()
            })
        })
    }

    /// The socket, if it is the user's own, a refusal would prove that it is stale, and no master is starting there.
    fn may_connect<'a>(&self, file: &'a SeenFile<'_>, at: SystemTime) -> Option<&'a Stat> {
        let stat = file.file.socket()?;
        // A time in the future counts as no age.
        let age = at.duration_since(stat.modified).unwrap_or_default();
        let is_starting = file.candidate.origin == Origin::Temporary && age < MAX_START_TIME;
        let is_local = file.directory.filesystem == Filesystem::Local;
        (stat.uid == self.uid && is_local && !is_starting).then_some(stat)
    }

    /// Returns the kept answer, or connects; `None` if another file is at the path now.
    ///
    /// After a transient failure to read the table it does not connect: the next scan may find a master there.
    fn connect(&mut self, path: &Path, id: SocketId, now: Instant) -> Option<Connect> {
        if let Some(error) = self.table.transient_failure() {
            return Some(Connect::Failed(error.to_owned()));
        }
        if let Some(known) = self.connects.answer(&id, None) {
            return Some(known);
        }
        let answer = connect::probe_same(path, &id)?;
        self.connects.note(&id, None, &answer, now);
        Some(answer)
    }

    /// Whether a connect to the user's file was refused although the table shows this listener for its inode.
    ///
    /// A filesystem that copies on link may report the same inode number for both names (bindfs): the listener is that of
    /// the removed temporary name. One connect shows it, unless somebody is connected.
    fn is_refused(
        &mut self,
        path: &ControlPath,
        file: &File,
        listener: &UnixListener,
        copies_links: bool,
        now: Instant,
    ) -> bool {
        let Some(stat) = file.socket().filter(|stat| stat.uid == self.uid) else {
            return false;
        };
        if let Some(known) = self.connects.answer(&stat.id, listener.cookie) {
            return known == Connect::Refused;
        }
        if !copies_links || listener.sessions > 0 {
            return false;
        }
        let answer = connect::probe_same(path.as_path(), &stat.id);
        if let Some(answer) = &answer {
            self.connects.note(&stat.id, listener.cookie, answer, now);
        }
        answer == Some(Connect::Refused)
    }

    /// Remembers that the socket of a request refused the connect, whatever the table or an earlier connect showed.
    pub fn note_refusal(&mut self, target: &Target) {
        if let Some(id) = &target.id {
            let now = Instant::now();
            self.connects
                .note(id, target.cookie, &Connect::Refused, now);
        }
    }

    fn described(&self, listener: &UnixListener) -> Listener {
        let (clients, is_kept) = self.clients.of(listener).unzip();
        let sessions = clients
            .as_ref()
            .and_then(|clients: &Clients| u32::try_from(clients.0.len()).ok());
        let forwarded = self.forwarded.get(&listener.socket_inode);
        Listener {
            cookie: listener.cookie,
            bound_name: listener.name.clone(),
            backlog: listener.backlog,
            sessions: sessions.unwrap_or(listener.sessions),
            clients,
            is_kept: is_kept == Some(true),
            forwarded: forwarded.map_or(Some(0), |it| it.connections),
            listening: forwarded.map_or_else(Vec::new, |it| it.listening.clone()),
            uid: listener.uid,
            holder: self.processes.holder(listener),
        }
    }

    /// Locates the files of the masters among the listeners that no candidate led to.
    fn locate_masters(
        &mut self,
        table: &UnixTable,
        listeners: &[&UnixListener],
        at: SystemTime,
        now: Instant,
    ) -> Masters {
        let mut masters = Masters::default();
        let mut orphans = HashSet::new();
        let mut exiting = Vec::new();
        let mut add = |listener: Listener, key, location| match location {
            Location::At(path, file) => masters.found.push((path, file, listener)),
            Location::Lost {
                path, successor, ..
            } => {
                orphans.insert(key);
                masters.orphans.push(Orphan {
                    path,
                    listener,
                    successor,
                });
            }
            Location::Unknown => {}
        };
        for listener in listeners {
            let described = self.described(listener);
            let Holder::Ssh(process) = &described.holder else {
                continue;
            };
            let pid = process.pid;
            match self.locate(table, listener, pid, at, now) {
                Location::Lost { recent: true, .. } if !self.orphans.contains(&listener.key()) => {
                    exiting.push((*listener, pid, described));
                }
                location => add(described, listener.key(), location),
            }
        }
        if !exiting.is_empty() {
            self.wait_for_exit(&exiting);
            let table = self.table.read();
            for (listener, pid, described) in exiting {
                if table.contains(listener) && self.processes.still_holds(listener) {
                    let location = self.locate(&table, listener, pid, at, now);
                    add(described, listener.key(), location);
                }
            }
        }
        self.orphans = orphans;
        masters.orphans.sort_by(|a, b| a.path.cmp(&b.path));
        masters.found.sort_by(|a, b| a.0.cmp(&b.0));
        masters
    }

    fn locate(
        &mut self,
        table: &UnixTable,
        listener: &UnixListener,
        pid: MasterPid,
        at: SystemTime,
        now: Instant,
    ) -> Location {
        match orphans::locate(table, listener, pid, at) {
            Location::At(path, file) => {
                let copies_links = filesystem::copies_links(path.directory());
                if self.is_refused(&path, &file, listener, copies_links, now) {
                    orphans::lost(path, true, at)
                } else {
                    Location::At(path, file)
                }
            }
            other => other,
        }
    }

    /// Waits until none of these masters holds its listener, for [`MAX_EXIT_TIME`] at most.
    fn wait_for_exit(&self, exiting: &[(&UnixListener, MasterPid, Listener)]) {
        let deadline = Instant::now() + MAX_EXIT_TIME;
        while Instant::now() < deadline
            && exiting
                .iter()
                .any(|(listener, ..)| self.processes.still_holds(listener))
        {
            thread::sleep(EXIT_POLL);
        }
    }

    /// Adds the masters that only the kernel knew. One at a candidate's path appeared after that was read.
    fn add_found(
        &self,
        observations: &mut Vec<Observation>,
        candidates: &[Candidate],
        found: Vec<(ControlPath, File, Listener)>,
    ) {
        for (path, file, listener) in found {
            let candidate = candidates.iter().find(|candidate| candidate.path == path);
            observations.retain(|observation| {
                let is_its_temporary = observation.origin == Origin::Temporary
                    && observation.listener.as_ref() == Some(&listener);
                observation.path != path && !is_its_temporary
            });
            let mut listener = listener;
            if let Holder::Ssh(process) = &mut listener.holder {
                process.starter = process::starter(process.pid);
            }
            let directory = Directory::read(path.directory(), self.uid);
            observations.push(Observation {
                path,
                origin: candidate.map_or(Origin::Kernel, |candidate| candidate.origin),
                file,
                filesystem: directory.filesystem,
                shared_directory: directory.shared,
                listener: Some(listener),
                connect: None,
            });
        }
    }
}

struct SeenFile<'a> {
    candidate: &'a Candidate,
    file: File,
    directory: Directory,
    connect: Option<Connect>,
}

/// The facts that all sockets of a directory share.
#[derive(Clone)]
struct Directory {
    filesystem: Filesystem,
    copies_links: bool,
    shared: bool,
}

impl Directory {
    fn read(directory: &Path, uid: UserId) -> Self {
        Self {
            filesystem: filesystem::filesystem_of(directory),
            copies_links: filesystem::copies_links(directory),
            shared: filesystem::is_shared(directory, uid),
        }
    }
}

#[derive(Default)]
struct Masters {
    found: Vec<(ControlPath, File, Listener)>,
    orphans: Vec<Orphan>,
}

#[cfg(test)]
mod tests;
