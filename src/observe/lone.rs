//! The ssh processes that run beside a master: they have a connection of their own to its server.
//!
//! A connection to the server of a master is searched for once, in the dump that the search for a master's connection has
//! read, or in one of the connections to these ports, at most once a minute. Without such a connection no process is read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use super::inet_diag::{self, ConnectionId, Row};
use super::listener_process::NextSearch;
use super::process::{self, Descriptors};
use super::transport::Transport;
use crate::model::ids::{MasterPid, UserId};
use crate::model::network::LoneSsh;
use crate::model::ssh_command_line::{sharing_arguments, ssh_arguments};

/// A dump walks the kernel's hash table, which takes a millisecond if it is large.
const DUMP_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct LoneFinder {
    uid: UserId,
    /// By the cookie of the connection.
    known: HashMap<u64, Known>,
    dumped: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    id: ConnectionId,
    inode: u32,
    holder: Holder,
}

#[derive(Debug)]
enum Holder {
    Lone(Box<LoneSsh>),
    /// Another program, a master, or an ssh with unreadable arguments.
    Other,
    Unknown(NextSearch),
}

impl LoneFinder {
    pub(super) fn new(uid: UserId) -> Self {
        Self {
            uid,
            known: HashMap::new(),
            dumped: None,
        }
    }

    /// Returns the ssh processes that connect to the servers of these masters. `rows` are all connections, if they have just
    /// been read.
    pub(super) fn find(
        &mut self,
        masters: &BTreeMap<MasterPid, Transport>,
        pids: &BTreeSet<MasterPid>,
        rows: Option<Vec<Row>>,
        now: Instant,
    ) -> Vec<LoneSsh> {
        let is_direct = |it: &&Transport| it.proxy.is_none() && it.through.is_empty();
        let direct = masters.values().filter(is_direct);
        let servers: BTreeSet<SocketAddr> = direct.map(|it| it.row.remote).collect();
        if servers.is_empty() {
            self.known.clear();
            return Vec::new();
        }
        let is_due = |dumped: Instant| now.saturating_duration_since(dumped) >= DUMP_PAUSE;
        let rows = match rows {
            Some(rows) => Ok(rows),
            None if self.dumped.is_none_or(is_due) => {
                inet_diag::connections_to(servers.iter().map(SocketAddr::port).collect())
            }
            None => {
                self.forget_closed();
                return self.lone();
            }
        };
        self.dumped = Some(now);
        let rows = rows.unwrap_or_else(|error| {
            tracing::debug!("cannot read TCP connections: {error}");
            Vec::new()
        });
        let of_masters: BTreeSet<u32> = masters.values().map(|it| it.row.inode).collect();
        let is_beside = |row: &Row| {
            row.uid == self.uid
                && row.inode != 0
                && row.numbers.is_some()
                && servers.contains(&row.remote)
                && !of_masters.contains(&row.inode)
        };
        let rows: Vec<Row> = rows.into_iter().filter(is_beside).collect();
        let there: BTreeSet<u64> = rows.iter().map(|row| row.id.cookie()).collect();
        self.known.retain(|cookie, _| there.contains(cookie));
        self.search(rows, pids, now);
        self.lone()
    }

    fn lone(&self) -> Vec<LoneSsh> {
        let lone = self.known.values().filter_map(|known| match &known.holder {
            Holder::Lone(lone) => Some(LoneSsh::clone(lone)),
            Holder::Other | Holder::Unknown(_) => None,
        });
        let mut lone: Vec<LoneSsh> = lone.collect();
        lone.sort_by_key(|lone| lone.pid);
        lone
    }

    fn forget_closed(&mut self) {
        if self.known.is_empty() {
            return;
        }
        let ids = self.known.values().map(|known| &known.id);
        let rows = inet_diag::lookup(ids).unwrap_or_default();
        let open = rows.into_iter().flatten();
        let open: BTreeMap<u64, u32> = open.map(|row| (row.id.cookie(), row.inode)).collect();
        self.known
            .retain(|cookie, known| open.get(cookie) == Some(&known.inode));
    }

    fn search(&mut self, rows: Vec<Row>, masters: &BTreeSet<MasterPid>, now: Instant) {
        let is_searched = |row: &Row| match self.known.get(&row.id.cookie()).map(|it| &it.holder) {
            Some(Holder::Unknown(next)) => next.is_due(now),
            Some(Holder::Lone(_) | Holder::Other) => false,
            None => true,
        };
        let mut wanted: HashMap<u32, Row> = rows
            .into_iter()
            .filter(is_searched)
            .map(|row| (row.inode, row))
            .collect();
        if wanted.is_empty() {
            return;
        }
        let boot = process::boot_time();
        process::search(
            self.uid,
            |name| name == process::SSH,
            |pid, name| {
                for (_, inode) in Descriptors::read(pid).sockets {
                    let Some(row) = wanted.remove(&inode) else {
                        continue;
                    };
                    let is_ssh = process::is_ssh_client(pid, &name) && !masters.contains(&pid);
                    let lone = is_ssh.then(|| lone_ssh(pid, &row, boot)).flatten();
                    let holder = lone.map_or(Holder::Other, |lone| Holder::Lone(Box::new(lone)));
                    self.note(&row, holder);
                }
                wanted.is_empty()
            },
        );
        for row in wanted.into_values() {
            let before = match self.known.get(&row.id.cookie()).map(|known| &known.holder) {
                Some(Holder::Unknown(next)) => Some(next),
                _ => None,
            };
            let next = NextSearch::after(before, now);
            self.note(&row, Holder::Unknown(next));
        }
    }

    fn note(&mut self, row: &Row, holder: Holder) {
        let (id, inode) = (row.id, row.inode);
        self.known
            .insert(row.id.cookie(), Known { id, inode, holder });
    }
}

fn lone_ssh(pid: MasterPid, row: &Row, boot: Option<SystemTime>) -> Option<LoneSsh> {
    let cmdline = process::cmdline(pid)?;
    let status = process::status(pid)?;
    Some(LoneSsh {
        pid,
        started: process::started(&status, boot),
        remote: row.remote,
        arguments: ssh_arguments(&cmdline, &process::service)?,
        sharing: sharing_arguments(&cmdline),
    })
}
