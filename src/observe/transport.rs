//! The TCP connection of a master: its own, or that of the programs between it and the server.
//!
//! ssh closes inherited descriptors and opens its connection before any other, so of several sockets (forwardings have
//! some too) its connection has the lowest descriptor. With a ProxyCommand ssh has two pipes instead
//! (`ssh_proxy_connect()` in sshconnect.c): the proxy reads one as its standard input and writes the other. It need not
//! be a child, because a master that forked to the background leaves its children behind. A ProxyJump is a ProxyCommand
//! of `ssh -W`; if that uses a master in turn, it has passed the two pipes to that master.
//!
//! A connection is searched once and then looked up in the kernel by its id. If the result is ambiguous, there is none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::{Instant, SystemTime};

use super::inet_diag::{self, Row};
use super::listener_process::NextSearch;
use super::process::{self, Descriptors};
use crate::model::ids::{MasterPid, UserId};

/// The longest chain of proxies that is followed.
const MAX_PROXIES: u32 = 16;

/// The pid and start time of a master; a pid alone is reused.
pub(super) type Master = (MasterPid, Option<SystemTime>);

#[derive(Debug)]
pub(super) struct TransportFinder {
    uid: UserId,
    /// The connection as it was found, or the time of the next search.
    results: HashMap<Master, Result<Transport, NextSearch>>,
    proxy_commands: HashMap<Master, Vec<String>>,
    /// Every connection, if the last search has read them.
    rows: Option<Vec<Row>>,
}

#[derive(Debug, Clone)]
pub(super) struct Transport {
    pub(super) row: Row,
    /// The program that holds it, if that is not the master.
    pub(super) proxy: Option<String>,
    /// The masters on the way to that program, the nearest first.
    pub(super) through: Vec<MasterPid>,
}

struct Held {
    holder: MasterPid,
    inode: u32,
    through: Vec<MasterPid>,
}

impl TransportFinder {
    pub(super) fn new(uid: UserId) -> Self {
        Self {
            uid,
            results: HashMap::new(),
            proxy_commands: HashMap::new(),
            rows: None,
        }
    }

    /// The current connections of these masters, without those that are not known for certain. Forgets all other
    /// masters. `known` returns descriptors that need not be read again.
    pub(super) fn find<'a>(
        &mut self,
        masters: &BTreeSet<Master>,
        known: impl FnOnce() -> HashMap<MasterPid, &'a Descriptors>,
        now: Instant,
    ) -> BTreeMap<MasterPid, Transport> {
        self.results.retain(|master, _| masters.contains(master));
        self.proxy_commands
            .retain(|master, _| masters.contains(master));
        let mut transports = self.look_up_found();
        let searched: Vec<&Master> = masters
            .iter()
            .filter(|(pid, _)| !transports.contains_key(pid))
            .filter(|master| match self.results.get(master) {
                Some(Err(next)) => next.is_due(now),
                Some(Ok(_)) | None => true,
            })
            .collect();
        if searched.is_empty() {
            return transports;
        }
        let mut search = match inet_diag::dump() {
            Ok(rows) => Search::new(self.uid, rows, known()),
            Err(error) => {
                tracing::debug!("cannot read TCP connections: {error}");
                return transports;
            }
        };
        for master in searched {
            let result = search.transport(master.0).ok_or_else(|| {
                let before = self.results.get(master);
                NextSearch::after(before.and_then(|it| it.as_ref().err()), now)
            });
            if let Ok(transport) = &result {
                transports.insert(master.0, transport.clone());
            }
            self.results.insert(*master, result);
            let commands = search.proxy_commands(master.0);
            self.proxy_commands.insert(*master, commands);
        }
        self.rows = Some(search.rows.into_values().collect());
        transports
    }

    /// Takes the connections that the last search has read, if it did.
    pub(super) fn take_rows(&mut self) -> Option<Vec<Row>> {
        self.rows.take()
    }

    /// The command lines of each master's ProxyCommand or ProxyJump at the last search: of its shell, and of the program.
    pub(super) fn proxy_commands(&self) -> BTreeMap<MasterPid, Vec<String>> {
        let commands = self.proxy_commands.iter();
        let commands = commands.filter(|(_, commands)| !commands.is_empty());
        commands
            .map(|((pid, _), commands)| (*pid, commands.clone()))
            .collect()
    }

    /// The connections found before that are still open and held by a process.
    fn look_up_found(&self) -> BTreeMap<MasterPid, Transport> {
        let found: Vec<(MasterPid, &Transport)> = self
            .results
            .iter()
            .filter_map(|((pid, _), result)| Some((*pid, result.as_ref().ok()?)))
            .collect();
        if found.is_empty() {
            return BTreeMap::new();
        }
        let ids = found.iter().map(|(_, transport)| &transport.row.id);
        let rows = inet_diag::lookup(ids).unwrap_or_default();
        let pairs = found.into_iter().zip(rows);
        let same = pairs.filter_map(|((pid, old), row)| {
            let row = row.filter(|row| {
                row.id.cookie() == old.row.id.cookie()
                    && row.inode == old.row.inode
                    && row.numbers.is_some()
            })?;
            Some((pid, Transport { row, ..old.clone() }))
        });
        same.collect()
    }
}

/// One search for several masters, which reads each process once.
struct Search<'a> {
    uid: UserId,
    known: HashMap<MasterPid, &'a Descriptors>,
    /// By inode.
    rows: HashMap<u32, Row>,
    descriptors: HashMap<MasterPid, Rc<Descriptors>>,
    /// The user's processes with a pipe as standard input, and the pipe's inode.
    readers: Option<Vec<(MasterPid, u64)>>,
    /// The user's processes.
    processes: Option<Rc<[MasterPid]>>,
}

/// A process between an ssh and its server, and the inodes of its pipes to the ssh.
#[derive(Debug, Clone, Copy)]
struct Proxy {
    pid: MasterPid,
    reads: u64,
    writes: u64,
}

impl<'a> Search<'a> {
    fn new(uid: UserId, rows: Vec<Row>, known: HashMap<MasterPid, &'a Descriptors>) -> Self {
        let rows = rows.into_iter().map(|row| (row.inode, row));
        Self {
            uid,
            known,
            rows: rows.collect(),
            descriptors: HashMap::new(),
            readers: None,
            processes: None,
        }
    }

    fn transport(&mut self, master: MasterPid) -> Option<Transport> {
        let found = self.connection(master, 0)?;
        let is_proxied = found.holder != master;
        Some(Transport {
            row: self.rows.get(&found.inode)?.clone(),
            proxy: is_proxied.then(|| process::name(found.holder)).flatten(),
            through: found.through,
        })
    }

    fn proxy_commands(&mut self, master: MasterPid) -> Vec<String> {
        let descriptors = self.descriptors(master);
        let proxies = self.proxies(master, &descriptors).into_iter();
        proxies
            .filter_map(|it| process::command_line(it.pid))
            .collect()
    }

    fn connection(&mut self, ssh: MasterPid, depth: u32) -> Option<Held> {
        if depth > MAX_PROXIES {
            return None;
        }
        let descriptors = self.descriptors(ssh);
        let proxies = self.proxies(ssh, &descriptors);
        if proxies.is_empty() {
            let lowest = *self.own_connections(&descriptors).first()?;
            return Some(Held {
                holder: ssh,
                inode: lowest,
                through: Vec::new(),
            });
        }
        // A shell that runs the proxy has the pipes too, but no connection.
        let found: BTreeMap<u32, Held> = proxies
            .into_iter()
            .filter_map(|proxy| self.proxy_connection(proxy, depth))
            .map(|found| (found.inode, found))
            .collect();
        let mut found = found.into_values();
        found.next().filter(|_| found.next().is_none())
    }

    fn proxy_connection(&mut self, proxy: Proxy, depth: u32) -> Option<Held> {
        if process::is_ssh(proxy.pid) {
            let own = self.connection(proxy.pid, depth + 1);
            // A client that started its master holds the master's connection, or its pipes to the proxy, as well.
            let others: Rc<[MasterPid]> = match &own {
                Some(_) => self.known.keys().copied().collect(),
                None => self.processes(),
            };
            let Some(master) = self.master_of_client(proxy, &others) else {
                return own;
            };
            let mut found = self.connection(master, depth + 1)?;
            found.through.insert(0, master);
            return Some(found);
        }
        // Of an unknown program only a single connection is certain.
        let descriptors = self.descriptors(proxy.pid);
        match self.own_connections(&descriptors)[..] {
            [inode] => Some(Held {
                holder: proxy.pid,
                inode,
                through: Vec::new(),
            }),
            _ => None,
        }
    }

    /// The inodes of outgoing connections: the local port is not one that the process listens on.
    fn own_connections(&self, descriptors: &Descriptors) -> Vec<u32> {
        let rows = || {
            let sockets = descriptors.stream_sockets.iter();
            let sockets = sockets.chain(&descriptors.sockets);
            sockets.filter_map(|(_, inode)| self.rows.get(inode))
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

    /// The processes with a pipe as standard input that this ssh writes, which write a pipe that it reads. The reverse
    /// does not match, because ssh does not read its proxy on standard input.
    fn proxies(&mut self, ssh: MasterPid, descriptors: &Descriptors) -> Vec<Proxy> {
        let [read, written] = descriptors.pipe_ends(ssh);
        if read.is_empty() || written.is_empty() {
            return Vec::new();
        }
        let processes = self.processes();
        let readers = self.readers.get_or_insert_with(|| {
            let stdin = |pid: &MasterPid| Some((*pid, process::stdin_pipe(*pid)?));
            processes.iter().filter_map(stdin).collect()
        });
        let readers: Vec<(MasterPid, u64)> = readers
            .iter()
            .filter(|(pid, reads)| *pid != ssh && written.contains(reads))
            .copied()
            .collect();
        let proxy = |(pid, reads): (MasterPid, u64)| {
            let of_proxy = self.descriptors(pid);
            let [_, others] = of_proxy.pipe_ends(pid);
            let mut written = of_proxy.stdout_pipe.into_iter().chain(others);
            let writes = written.find(|pipe| read.contains(pipe))?;
            Some(Proxy { pid, reads, writes })
        };
        readers.into_iter().filter_map(proxy).collect()
    }

    /// The master among `others` to which this ssh has passed its standard streams.
    fn master_of_client(&mut self, client: Proxy, others: &[MasterPid]) -> Option<MasterPid> {
        let others = others.iter().copied().filter(|pid| *pid != client.pid);
        let has_both = |pid: &MasterPid| {
            let [read, written] = self.descriptors(*pid).pipe_ends(*pid);
            read.contains(&client.reads) && written.contains(&client.writes)
        };
        let masters: Vec<MasterPid> = others
            .filter(has_both)
            .filter(|pid| process::is_ssh(*pid))
            .collect();
        match masters[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    fn processes(&mut self) -> Rc<[MasterPid]> {
        let uid = self.uid;
        let read = || process::of_user(uid).collect();
        Rc::clone(self.processes.get_or_insert_with(read))
    }

    fn descriptors(&mut self, pid: MasterPid) -> Rc<Descriptors> {
        let known = self.known.get(&pid).copied().cloned();
        let descriptors = self.descriptors.entry(pid);
        let read = || Rc::new(known.unwrap_or_else(|| Descriptors::read(pid)));
        Rc::clone(descriptors.or_insert_with(read))
    }
}

#[cfg(test)]
mod tests;
