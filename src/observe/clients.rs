//! The processes at the other end of a master's sessions, by the socket that the kernel's table shows as the peer.
//!
//! A peer is searched for once, while it is connected; a look without a new session searches nothing. Arguments are not
//! read: they may hold secrets.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::listener_process::NextSearch;
use super::own_connections;
use super::process::{self, Descriptors};
use super::unix_table::UnixListener;
use crate::model::client::{Client, Clients};
use crate::model::ids::{MasterPid, UserId};

/// The programs of this project. A connection that one of their processes holds is no session: it asks or keeps the master.
const OWN: &[&str] = &["muxtray", "muxtray-applet"];

#[derive(Debug)]
pub(super) struct ClientProcesses {
    uid: UserId,
    /// By the sockfs inode of the client's end.
    found: HashMap<u32, Found>,
    missing: HashMap<u32, NextSearch>,
}

#[derive(Debug, Clone)]
struct Found {
    client: Arc<Client>,
    holder: HolderOf,
}

/// The program that holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HolderOf {
    Session,
    /// Another process of this project.
    AnotherMuxtray,
    ThisProcess,
}

impl ClientProcesses {
    pub(super) fn new(uid: UserId) -> Self {
        Self {
            uid,
            found: HashMap::new(),
            missing: HashMap::new(),
        }
    }

    /// Searches for the clients that are new, and forgets those that are gone.
    pub(super) fn refresh(&mut self, listeners: &[&UnixListener], now: Instant) {
        let peers = || listeners.iter().flat_map(|listener| &listener.peers);
        if self.missing.is_empty()
            && peers().count() == self.found.len()
            && peers().all(|peer| self.found.contains_key(peer))
        {
            return;
        }
        let peers: HashSet<u32> = peers().copied().collect();
        self.found.retain(|peer, _| peers.contains(peer));
        self.missing.retain(|peer, _| peers.contains(peer));
        let is_wanted = |peer: &u32| {
            let next = self.missing.get(peer);
            !self.found.contains_key(peer) && next.is_none_or(|next| next.is_due(now))
        };
        let mut wanted: HashSet<u32> = peers.into_iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            return;
        }
        self.search(&mut wanted);
        for peer in wanted {
            let next = NextSearch::after(self.missing.get(&peer), now);
            self.missing.insert(peer, next);
        }
    }

    /// Returns the clients of a listener's sessions, and whether this project holds another connection; `None` if the
    /// table shows no peers.
    pub(super) fn of(&self, listener: &UnixListener) -> Option<(Clients, bool)> {
        let has_peers = listener.peers.len() == usize::try_from(listener.sessions).ok()?;
        // The requests of this process are counted; they subtract themselves.
        let is_own = |peer: &u32, found: Option<&Found>| match found.map(|found| found.holder) {
            Some(HolderOf::AnotherMuxtray) => true,
            Some(HolderOf::ThisProcess) => own_connections::is_kept(*peer),
            Some(HolderOf::Session) | None => false,
        };
        has_peers.then(|| {
            let mut is_kept = false;
            let mut clients = Vec::with_capacity(listener.peers.len());
            for peer in &listener.peers {
                let found = self.found.get(peer);
                if is_own(peer, found) {
                    is_kept = true;
                } else {
                    clients.push(found.map(|found| found.client.clone()));
                }
            }
            // The kernel's order changes when another socket is opened.
            clients.sort_by_key(|client| {
                let known = client.as_ref().map(|client| (client.since, client.pid));
                (known.is_none(), known)
            });
            (Clients(clients), is_kept)
        })
    }

    /// Searches the user's processes until all of `wanted` are found, which are removed from it.
    fn search(&mut self, wanted: &mut HashSet<u32>) {
        let boot = process::boot_time();
        let is_likely = |name: &str| name == process::SSH || OWN.contains(&name);
        process::search(self.uid, is_likely, |pid, name| {
            self.take(pid, name, wanted, boot);
            wanted.is_empty()
        });
    }

    fn take(
        &mut self,
        pid: MasterPid,
        name: String,
        wanted: &mut HashSet<u32>,
        boot: Option<SystemTime>,
    ) {
        let descriptors = Descriptors::read(pid);
        let sockets = descriptors
            .stream_sockets
            .iter()
            .chain(&descriptors.sockets);
        let held: Vec<u32> = sockets
            .map(|(_, inode)| *inode)
            .filter(|inode| wanted.remove(inode))
            .collect();
        if held.is_empty() {
            return;
        }
        let status = process::status(pid);
        let holder = if pid == process::own_pid() {
            HolderOf::ThisProcess
        } else if OWN.contains(&name.as_str()) {
            HolderOf::AnotherMuxtray
        } else {
            HolderOf::Session
        };
        let is_ssh = process::is_ssh_client(pid, &name);
        let starter = (is_ssh && !descriptors.has_terminal).then(|| process::starter(pid));
        let client = Arc::new(Client {
            pid,
            program: starter
                .flatten()
                .filter(|name| !is_shell(name))
                .unwrap_or(name),
            terminal: status.and_then(|status| status.terminal()),
            since: status.and_then(|status| process::started(&status, boot)),
        });
        for inode in held {
            self.missing.remove(&inode);
            let client = Arc::clone(&client);
            self.found.insert(inode, Found { client, holder });
        }
    }
}

/// Whether a user types commands into this program, or it only starts them.
fn is_shell(name: &str) -> bool {
    const SHELLS: &[&str] = &[
        "bash", "dash", "doas", "fish", "ksh", "nu", "runuser", "screen", "sh", "su", "sudo",
        "systemd", "timeout", "xonsh", "zsh",
    ];
    SHELLS.contains(&name) || name.starts_with("tmux")
}
