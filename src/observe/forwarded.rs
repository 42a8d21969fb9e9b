//! The forwardings of masters and the connections that run through them, from the kernel's tables.
//!
//! A connection that a master has accepted has the local address of one of its listeners. Of a remote forwarding only
//! the connection to the local target is here: a TCP socket that the master has opened after its own connection, or a
//! connection to a unix socket whose name is not that of an agent or X11 server.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;

use super::inet_diag::{self, Endpoint};
use super::listener_process::ListenerProcesses;
use super::process::Descriptors;
use super::sock_diag;
use super::unix_table::{UnixListener, UnixTable};
use crate::model::agent_socket::is_agent_path;
use crate::model::forward::{Listening, ListensAt};
use crate::model::ids::MasterPid;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// The connections that run through them; `None` if TCP cannot be read.
    pub(super) connections: Option<u32>,
    pub(super) listening: Vec<Listening>,
}

/// The forwardings of each listener's process, by sockfs inode of the listener. Processes without any are left out.
///
/// TCP is read only if a master has a socket beside its connection, its control socket and the sessions, or a socket
/// and a pipe: with a ProxyCommand, its connection is two pipes.
pub(super) fn read(
    table: &UnixTable,
    listeners: &[&UnixListener],
    processes: &ListenerProcesses,
) -> HashMap<u32, Forwarded> {
    let mut unix: Option<HashMap<u32, &UnixListener>> = None;
    let mut unix_targets: Option<HashSet<u32>> = None;
    let mut tcp: Option<Option<Tcp>> = None;
    let mut found = HashMap::new();
    for listener in listeners {
        let Some(descriptors) = processes.descriptors(listener) else {
            continue;
        };
        let sockets = || descriptors.sockets.iter().map(|(_, inode)| *inode);
        let is_other = |inode: &u32| *inode != listener.socket_inode;
        let (named, others): (Vec<u32>, Vec<u32>) = sockets()
            .filter(is_other)
            .partition(|inode| table.has_inode(*inode));
        let mut forwarded = Forwarded {
            connections: Some(0),
            listening: Vec::new(),
        };
        if !named.is_empty() {
            let unix = unix.get_or_insert_with(|| by_inode(table));
            forwarded.listening = unix_listening(unix, &named);
            let connections = forwarded.listening.iter().map(|it| it.connections);
            forwarded.connections = Some(connections.sum());
        }
        let has_pipe = descriptors.before_pipe.is_some();
        if others.len() > usize::from(!has_pipe) {
            let connected = unix_targets.get_or_insert_with(|| connected_to_targets(table));
            let to_unix = others.iter().filter(|inode| connected.contains(inode));
            let to_unix = u32::try_from(to_unix.count()).unwrap_or(u32::MAX);
            let tcp = tcp.get_or_insert_with(|| match inet_diag::endpoints() {
                Ok(endpoints) => Some(Tcp::new(endpoints)),
                Err(error) => {
                    tracing::debug!("cannot read TCP connections: {error}");
                    None
                }
            });
            let through_tcp = tcp.as_ref().map(|tcp| tcp.of_process(descriptors));
            forwarded.connections = through_tcp.as_ref().and_then(|(listening, opened)| {
                let accepted: u32 = listening.iter().map(|it| it.connections).sum();
                Some(forwarded.connections? + accepted + opened + to_unix)
            });
            forwarded
                .listening
                .extend(through_tcp.into_iter().flat_map(|(listening, _)| listening));
        }
        if forwarded.connections != Some(0) || !forwarded.listening.is_empty() {
            found.insert(listener.socket_inode, forwarded);
        }
    }
    found
}

/// Reads the listening sockets of a process, its control socket included.
///
/// # Errors
/// The kernel's error if sock_diag is blocked.
pub fn listening(pid: MasterPid) -> io::Result<Vec<Listening>> {
    let descriptors = Descriptors::read(pid);
    let inodes: Vec<u32> = descriptors.sockets.iter().map(|(_, it)| *it).collect();
    let mut listening = unix_listening(&by_inode(&sock_diag::dump()?), &inodes);
    let (tcp, _) = Tcp::new(inet_diag::endpoints()?).of_process(&descriptors);
    listening.extend(tcp);
    Ok(listening)
}

/// The clients' ends of the connections to unix sockets that can be the targets of forwardings.
fn connected_to_targets(table: &UnixTable) -> HashSet<u32> {
    let is_target = |listener: &&UnixListener| {
        !is_agent_path(&listener.name, None) && !listener.name.starts_with("/tmp/.X11-unix")
    };
    let targets = table.listeners().filter(is_target);
    targets.flat_map(|it| &it.peers).copied().collect()
}

fn by_inode(table: &UnixTable) -> HashMap<u32, &UnixListener> {
    let listeners = table.listeners();
    listeners.map(|it| (it.socket_inode, it)).collect()
}

fn unix_listening(unix: &HashMap<u32, &UnixListener>, inodes: &[u32]) -> Vec<Listening> {
    let listeners = inodes.iter().filter_map(|inode| unix.get(inode));
    let listening = listeners.map(|listener| Listening {
        at: ListensAt::Unix(listener.name.clone()),
        connections: listener.sessions,
    });
    listening.collect()
}

/// The TCP sockets of this network namespace.
struct Tcp {
    listeners: HashMap<u32, SocketAddr>,
    /// By local port.
    connections: HashMap<u16, Vec<Endpoint>>,
    /// The inodes of the connections that a process has.
    connected: HashSet<u32>,
}

impl Tcp {
    fn new(endpoints: Vec<Endpoint>) -> Self {
        let mut tcp = Self {
            listeners: HashMap::new(),
            connections: HashMap::new(),
            connected: HashSet::new(),
        };
        for endpoint in endpoints {
            let port = endpoint.local.port();
            if endpoint.listens {
                tcp.listeners.insert(endpoint.inode, endpoint.local);
            } else {
                if endpoint.inode != 0 {
                    tcp.connected.insert(endpoint.inode);
                }
                tcp.connections.entry(port).or_default().push(endpoint);
            }
        }
        tcp
    }

    /// The listeners of a process, and the number of connections that it has opened beside its own. A connection that
    /// waits to be accepted has no inode, and counts.
    fn of_process(&self, descriptors: &Descriptors) -> (Vec<Listening>, u32) {
        let inodes = || descriptors.sockets.iter().map(|(_, inode)| *inode);
        let mut accepted: HashSet<u32> = HashSet::new();
        let mut listening = Vec::new();
        for at in inodes().filter_map(|inode| self.listeners.get(&inode)) {
            let is_any =
                |local: SocketAddr| at.ip().is_unspecified() && at.is_ipv4() == local.is_ipv4();
            let through = self.connections.get(&at.port()).into_iter().flatten();
            let through = through.filter(|it| is_any(it.local) || it.local.ip() == at.ip());
            let mut connections = 0;
            for connection in through {
                connections += 1;
                accepted.insert(connection.inode);
            }
            listening.push(Listening {
                at: ListensAt::Tcp(*at),
                connections,
            });
        }
        let is_opened = |inode: &u32| self.connected.contains(inode) && !accepted.contains(inode);
        let opened: HashSet<u32> = inodes().filter(is_opened).collect();
        // Its connection comes before any other and any pipe; only listeners can take a lower descriptor.
        let before_pipe = descriptors.before_pipe.unwrap_or(usize::MAX);
        let mut first = descriptors.sockets.iter().take(before_pipe);
        let own = usize::from(first.any(|(_, inode)| opened.contains(inode)));
        let opened = u32::try_from(opened.len() - own).unwrap_or(u32::MAX);
        (listening, opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_and_later_connections_count() {
        let endpoint = |inode, local: &str, listens| Endpoint {
            inode,
            local: local.parse().unwrap(),
            listens,
        };
        let tcp = [
            endpoint(1, "10.0.0.1:50000", false),
            endpoint(2, "127.0.0.1:5432", true),
            endpoint(3, "127.0.0.1:5432", false),
            // Not accepted yet.
            endpoint(0, "127.0.0.1:5432", false),
            // To another listener, which another address of the same port is.
            endpoint(4, "127.0.0.2:5432", false),
            endpoint(5, "0.0.0.0:80", true),
            endpoint(6, "10.0.0.1:80", false),
            endpoint(7, "[::1]:80", false),
            // To the target of a remote forwarding, from this process and another.
            endpoint(8, "127.0.0.1:50001", false),
            endpoint(9, "127.0.0.1:50002", false),
        ];
        let tcp = Tcp::new(tcp.to_vec());
        for (sockets, before_pipe, count) in [
            (&[1][..], None, 0),
            (&[1, 2, 3], None, 2),
            (&[1, 2, 3], Some(1), 2),
            (&[2, 3], Some(0), 2),
            (&[2, 3], Some(1), 2),
            (&[1, 2, 5], None, 3),
            (&[1, 8], None, 1),
            (&[8], Some(0), 1),
            (&[2, 8], Some(1), 3),
            (&[], None, 0),
        ] {
            let sockets = sockets.iter().map(|inode| (Default::default(), *inode));
            let descriptors = Descriptors {
                sockets: sockets.collect(),
                before_pipe,
                ..Descriptors::default()
            };
            let (listening, opened) = tcp.of_process(&descriptors);
            let accepted: u32 = listening.iter().map(|it| it.connections).sum();
            assert_eq!(accepted + opened, count, "{descriptors:?}");
        }
    }
}
