//! Which TCP connection a master's packets go over: its own, or that of the programs which stand between.
//!
//! ssh closes what it inherits and opens its connection before any other, so of several sockets (forwardings have some
//! too) its connection has the lowest descriptor. With a ProxyCommand it has two pipes instead (`ssh_proxy_connect()` in
//! sshconnect.c); who reads the one as its standard input and writes the other is the proxy. It need not be a child, for
//! a master that went to the background has left its children behind. A ProxyJump is a ProxyCommand of `ssh -W`. Where
//! that goes through a master in turn, that one has got the same two pipes from it.
//!
//! It searches once and remembers the connection, which the kernel then tells the numbers of. Where anything is left to
//! guess there is none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant, SystemTime};

use super::inet_diag::{self, Id, Row};
use super::listener_process::{self, SSH};
use super::process;
use crate::model::socket::{MasterPid, UserId};

/// How soon to search again for a connection that was not found, at first. Doubles each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// How many proxies may stand one behind another.
const DEPTH: u32 = 16;

/// A master, as it was found to hold its listener: a pid alone is given out again.
pub(super) type Master = (MasterPid, Option<SystemTime>);

/// The connections that were found, and the masters that have none.
#[derive(Debug)]
pub(super) struct Transports {
    uid: UserId,
    known: HashMap<Master, Transport>,
}

#[derive(Debug, Clone)]
enum Transport {
    Found {
        id: Id,
        inode: u32,
        proxy: Option<String>,
    },
    None {
        next: Instant,
        pause: Duration,
    },
}

/// The connection behind a master.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) row: Row,
    /// The program that holds it, where that is not the master.
    pub(super) proxy: Option<String>,
}

impl Transports {
    pub(super) fn new(uid: UserId) -> Self {
        Self {
            uid,
            known: HashMap::new(),
        }
    }

    /// The connections of these masters as they are now; all others are forgotten. One that cannot be told is left
    /// out.
    pub(super) fn of(
        &mut self,
        masters: &BTreeSet<Master>,
        now: Instant,
    ) -> BTreeMap<MasterPid, Connected> {
        self.known.retain(|master, _| masters.contains(master));
        let mut connected = self.of_known();
        let wanted: Vec<&Master> = masters
            .iter()
            .filter(|(pid, _)| !connected.contains_key(pid))
            .filter(|master| match self.known.get(master) {
                Some(Transport::None { next, .. }) => *next <= now,
                Some(Transport::Found { .. }) | None => true,
            })
            .collect();
        if wanted.is_empty() {
            return connected;
        }
        let mut search = match inet_diag::dump() {
            Ok(rows) => Search::new(self.uid, rows),
            Err(error) => {
                tracing::debug!("the kernel does not tell of TCP connections: {error}");
                return connected;
            }
        };
        for master in wanted {
            let transport = match search.of_master(master.0) {
                Some(found) => {
                    let transport = Transport::Found {
                        id: found.row.id,
                        inode: found.row.inode,
                        proxy: found.proxy.clone(),
                    };
                    connected.insert(master.0, found);
                    transport
                }
                None => {
                    let pause = match self.known.get(master) {
                        Some(Transport::None { pause, .. }) => (*pause * 2).min(LONGEST_PAUSE),
                        Some(Transport::Found { .. }) | None => FIRST_PAUSE,
                    };
                    let next = now + pause;
                    Transport::None { next, pause }
                }
            };
            self.known.insert(*master, transport);
        }
        connected
    }

    /// Those that were found before and are still there: the same connection, in the hands of a process.
    fn of_known(&self) -> BTreeMap<MasterPid, Connected> {
        let found: Vec<_> = self
            .known
            .iter()
            .filter_map(|((pid, _), transport)| match transport {
                Transport::Found { id, inode, proxy } => Some((*pid, id, *inode, proxy)),
                Transport::None { .. } => None,
            })
            .collect();
        let rows = inet_diag::exactly(found.iter().map(|(_, id, ..)| *id)).unwrap_or_default();
        let pairs = found.into_iter().zip(rows);
        let same = pairs.filter_map(|((pid, id, inode, proxy), row)| {
            let row = row.filter(|row| row.id.cookie() == id.cookie() && row.inode == inode)?;
            let proxy = proxy.clone();
            row.numbers
                .is_some()
                .then_some((pid, Connected { row, proxy }))
        });
        same.collect()
    }
}

/// One search for several masters: what it reads of a process it reads once.
struct Search {
    uid: UserId,
    rows: HashMap<u32, Row>,
    descriptors: HashMap<MasterPid, Descriptors>,
    /// The user's processes whose standard input is a pipe, and which.
    readers: Option<Vec<(MasterPid, u64)>>,
}

/// A process between an ssh and its server, and the pipes through which it has to do with the ssh.
#[derive(Debug, Clone, Copy)]
struct Proxy {
    pid: MasterPid,
    reads: u64,
    writes: u64,
}

/// What a process has open, as far as it matters here.
#[derive(Debug, Clone, Default)]
struct Descriptors {
    /// Sockets, the lowest descriptor first.
    sockets: Vec<u32>,
    /// The pipes that it reads from, and those that it writes to, but for its standard streams.
    reads: BTreeSet<u64>,
    writes: BTreeSet<u64>,
    /// The pipe that is its standard output.
    stdout: Option<u64>,
}

impl Search {
    fn new(uid: UserId, rows: Vec<Row>) -> Self {
        let rows = rows.into_iter().map(|row| (row.inode, row));
        Self {
            uid,
            rows: rows.collect(),
            descriptors: HashMap::new(),
            readers: None,
        }
    }

    fn of_master(&mut self, master: MasterPid) -> Option<Connected> {
        let (holder, inode) = self.connection(master, 0)?;
        let proxy = (holder != master).then(|| process::name(holder)).flatten();
        let row = self.rows.get(&inode)?.clone();
        Some(Connected { row, proxy })
    }

    /// Who holds the connection that the packets of this ssh go over, and its number in sockfs.
    fn connection(&mut self, ssh: MasterPid, depth: u32) -> Option<(MasterPid, u32)> {
        if depth > DEPTH {
            return None;
        }
        let descriptors = self.descriptors(ssh);
        let between = if descriptors.reads.is_empty() || descriptors.writes.is_empty() {
            Vec::new()
        } else {
            self.proxies(ssh, &descriptors)
        };
        if between.is_empty() {
            let lowest = *self.own_connections(&descriptors).first()?;
            return Some((ssh, lowest));
        }
        // A shell in between has the pipes, too, but no connection.
        let found: BTreeMap<u32, MasterPid> = between
            .into_iter()
            .filter_map(|proxy| self.of_proxy(proxy, depth))
            .map(|(holder, inode)| (inode, holder))
            .collect();
        match found.into_iter().collect::<Vec<_>>()[..] {
            [(inode, holder)] => Some((holder, inode)),
            _ => None,
        }
    }

    fn of_proxy(&mut self, proxy: Proxy, depth: u32) -> Option<(MasterPid, u32)> {
        if process::name(proxy.pid)? == SSH {
            return self.connection(proxy.pid, depth + 1).or_else(|| {
                let master = self.master_of_client(proxy)?;
                self.connection(master, depth + 1)
            });
        }
        // Of a program that is not known only its one connection is its connection.
        let descriptors = self.descriptors(proxy.pid);
        match self.own_connections(&descriptors)[..] {
            [one] => Some((proxy.pid, one)),
            _ => None,
        }
    }

    /// The sockets that are connections, but for those that came in by a port that the process listens on.
    fn own_connections(&self, descriptors: &Descriptors) -> Vec<u32> {
        let rows = || {
            let sockets = descriptors.sockets.iter();
            sockets.filter_map(|inode| self.rows.get(inode))
        };
        let listens: BTreeSet<u16> = rows()
            .filter(|row| row.numbers.is_none())
            .map(|row| row.local.port())
            .collect();
        rows()
            .filter(|row| row.numbers.is_some() && !listens.contains(&row.local.port()))
            .map(|row| row.inode)
            .collect()
    }

    /// The processes that read what this ssh writes as their standard input, and write what it reads. That does
    /// not hold the other way round: what an ssh reads of its proxy is not its standard input.
    fn proxies(&mut self, ssh: MasterPid, descriptors: &Descriptors) -> Vec<Proxy> {
        let uid = self.uid;
        let readers = self.readers.get_or_insert_with(|| {
            let stdin = |pid| Some((pid, stdin_pipe(pid)?));
            listener_process::own_processes(uid)
                .filter_map(stdin)
                .collect()
        });
        let readers: Vec<(MasterPid, u64)> = readers
            .iter()
            .filter(|(pid, reads)| *pid != ssh && descriptors.writes.contains(reads))
            .copied()
            .collect();
        let proxy = |(pid, reads): (MasterPid, u64)| {
            let theirs = self.descriptors(pid);
            let mut written = theirs.stdout.iter().chain(&theirs.writes);
            let writes = *written.find(|pipe| descriptors.reads.contains(pipe))?;
            Some(Proxy { pid, reads, writes })
        };
        readers.into_iter().filter_map(proxy).collect()
    }

    /// The master that this ssh has handed its standard streams to.
    fn master_of_client(&mut self, client: Proxy) -> Option<MasterPid> {
        let others = listener_process::own_processes(self.uid).filter(|pid| *pid != client.pid);
        let ssh: Vec<MasterPid> = others
            .filter(|pid| process::name(*pid).as_deref() == Some(SSH))
            .collect();
        let has_both = |pid: &MasterPid| {
            let descriptors = self.descriptors(*pid);
            descriptors.reads.contains(&client.reads) && descriptors.writes.contains(&client.writes)
        };
        let masters: Vec<MasterPid> = ssh.into_iter().filter(has_both).collect();
        match masters[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    fn descriptors(&mut self, pid: MasterPid) -> Descriptors {
        let descriptors = self.descriptors.entry(pid);
        descriptors.or_insert_with(|| Descriptors::of(pid)).clone()
    }
}

fn stdin_pipe(pid: MasterPid) -> Option<u64> {
    let target = fs::read_link(process::directory(pid).join("fd/0")).ok()?;
    match kind(&target)? {
        Kind::Pipe(inode) => Some(inode),
        Kind::Socket(_) => None,
    }
}

impl Descriptors {
    fn of(pid: MasterPid) -> Self {
        let entries = fs::read_dir(process::directory(pid).join("fd"));
        let mut numbered: Vec<(u32, _)> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((path.file_name()?.to_str()?.parse().ok()?, path))
            })
            .collect();
        numbered.sort_unstable();
        let mut descriptors = Self::default();
        for (number, path) in numbered {
            let Some(kind) = fs::read_link(&path).ok().and_then(|target| kind(&target)) else {
                continue;
            };
            match (kind, number) {
                (Kind::Socket(inode), _) => descriptors.sockets.push(inode),
                (Kind::Pipe(inode), 1) => descriptors.stdout = Some(inode),
                (Kind::Pipe(_), 0 | 2) => {}
                (Kind::Pipe(inode), _) => {
                    // The link's own mode tells which end it is.
                    let mode = fs::symlink_metadata(&path).map_or(0, |link| link.mode());
                    if mode & 0o400 != 0 {
                        descriptors.reads.insert(inode);
                    }
                    if mode & 0o200 != 0 {
                        descriptors.writes.insert(inode);
                    }
                }
            }
        }
        descriptors
    }
}

enum Kind {
    Socket(u32),
    Pipe(u64),
}

/// What a link of `/proc/PID/fd` leads to: `socket:[4711]`, `pipe:[4711]`.
fn kind(target: &std::path::Path) -> Option<Kind> {
    let target = target.as_os_str().as_bytes();
    let number = |prefix: &[u8]| {
        let number = target.strip_prefix(prefix)?.strip_suffix(b"]")?;
        std::str::from_utf8(number).ok()?.parse::<u64>().ok()
    };
    let socket = || u32::try_from(number(b"socket:[")?).ok().map(Kind::Socket);
    socket().or_else(|| number(b"pipe:[").map(Kind::Pipe))
}

#[cfg(test)]
mod tests;
