//! The connections that run through forwardings of masters, from the kernel's tables.
//!
//! A connection that a master has accepted has the local address of one of its listeners. Of a remote forwarding only
//! the connection to the local target is here: a TCP socket that the master has opened after its own connection. One to
//! a unix socket cannot be distinguished from the agent's or an X11 server's, and is not counted.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use super::inet_diag::{self, Endpoint};
use super::listener_process::ListenerProcesses;
use super::process::Descriptors;
use super::unix_table::{UnixListener, UnixTable};

/// The connections of each listener's process, by sockfs inode of the listener; `None` if TCP cannot be read. Listeners
/// without any are left out.
///
/// TCP is read only if a master has a socket beside its connection, its control socket and the sessions, or a socket
/// and a pipe: with a ProxyCommand, its connection is two pipes.
pub(super) fn count(
    table: &UnixTable,
    listeners: &[&UnixListener],
    processes: &ListenerProcesses,
) -> HashMap<u32, Option<u32>> {
    let mut unix: Option<HashMap<u32, u32>> = None;
    let mut tcp: Option<Option<Vec<Endpoint>>> = None;
    let mut counted = HashMap::new();
    for listener in listeners {
        let Some(descriptors) = processes.descriptors(listener) else {
            continue;
        };
        let sockets = || descriptors.sockets.iter().map(|(_, inode)| *inode);
        let is_other = |inode: &u32| *inode != listener.socket_inode;
        let (named, others): (Vec<u32>, Vec<u32>) = sockets()
            .filter(is_other)
            .partition(|inode| table.has_inode(*inode));
        let mut number = Some(0);
        if !named.is_empty() {
            let unix = unix.get_or_insert_with(|| {
                let all = table.listeners();
                all.map(|it| (it.socket_inode, it.sessions)).collect()
            });
            number = Some(named.iter().filter_map(|inode| unix.get(inode)).sum());
        }
        let has_pipe = descriptors.before_pipe.is_some();
        if others.len() > usize::from(!has_pipe) {
            let tcp = tcp.get_or_insert_with(|| match inet_diag::endpoints() {
                Ok(endpoints) => Some(endpoints),
                Err(error) => {
                    tracing::debug!("cannot read TCP connections: {error}");
                    None
                }
            });
            let through_tcp = tcp.as_ref().map(|tcp| tcp_connections(tcp, descriptors));
            number = number.zip(through_tcp).map(|(unix, tcp)| unix + tcp);
        }
        if number != Some(0) {
            counted.insert(listener.socket_inode, number);
        }
    }
    counted
}

/// The TCP connections through forwardings of the process. One that waits to be accepted has no inode, and counts.
fn tcp_connections(tcp: &[Endpoint], descriptors: &Descriptors) -> u32 {
    let held: HashSet<u32> = descriptors
        .sockets
        .iter()
        .map(|(_, inode)| *inode)
        .collect();
    let (listeners, connections): (Vec<&Endpoint>, Vec<&Endpoint>) =
        tcp.iter().partition(|endpoint| endpoint.listens);
    let listens: Vec<SocketAddr> = listeners
        .into_iter()
        .filter(|listener| held.contains(&listener.inode))
        .map(|listener| listener.local)
        .collect();
    let is_accepted = |local: SocketAddr| {
        listens.iter().any(|listens| {
            let is_any = listens.ip().is_unspecified() && listens.is_ipv4() == local.is_ipv4();
            listens.port() == local.port() && (is_any || listens.ip() == local.ip())
        })
    };
    let (accepted, others): (Vec<&Endpoint>, Vec<&Endpoint>) = connections
        .into_iter()
        .partition(|it| is_accepted(it.local));
    let opened: HashSet<u32> = others
        .into_iter()
        .map(|it| it.inode)
        .filter(|inode| held.contains(inode))
        .collect();
    // Its connection comes before any other and any pipe; only listeners can take a lower descriptor.
    let before_pipe = descriptors.before_pipe.unwrap_or(usize::MAX);
    let mut first = descriptors.sockets.iter().take(before_pipe);
    let own = usize::from(first.any(|(_, inode)| opened.contains(inode)));
    u32::try_from(accepted.len() + opened.len() - own).unwrap_or(u32::MAX)
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
            assert_eq!(
                tcp_connections(&tcp, &descriptors),
                count,
                "{descriptors:?}"
            );
        }
    }
}
