//! The listeners on a TCP port of this machine and network namespace, from the kernel's table; no connection is made.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::inet_diag::{self, Row};
use super::process::{self, Descriptors};
use crate::model::ids::MasterPid;
use crate::model::port_holder::PortHolder;

/// Returns the listeners on each of these ports.
///
/// # Errors
/// The kernel's error if sock_diag is blocked.
pub fn port_holders(ports: BTreeSet<u16>) -> io::Result<BTreeMap<u16, Vec<PortHolder>>> {
    if ports.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = inet_diag::dump()?;
    let listening = |row: &&Row| row.numbers.is_none();
    let mut all: BTreeMap<u16, Vec<PortHolder>> =
        ports.into_iter().map(|port| (port, Vec::new())).collect();
    for row in rows.iter().filter(listening) {
        let Some(holders) = all.get_mut(&row.local.port()) else {
            continue;
        };
        holders.push(described(row));
    }
    Ok(all)
}

fn described(row: &Row) -> PortHolder {
    let holds = |pid: &MasterPid| {
        let sockets = Descriptors::read(*pid).sockets;
        sockets.iter().any(|(_, inode)| *inode == row.inode)
    };
    // The descriptors of another user's processes are readable only for root.
    let process = process::of_user(row.uid)
        .find(holds)
        .and_then(|pid| Some((pid, process::name(pid)?)));
    PortHolder {
        address: row.local,
        uid: row.uid,
        process,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::observe::tests::{eventually, own_pid, own_uid};

    #[test]
    fn listener_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // A child that another test forks has a copy until it execs.
        eventually("this process is the holder", || {
            let holders = port_holders([address.port()].into()).unwrap();
            let [holder] = &holders[&address.port()][..] else {
                panic!("{holders:?}");
            };
            assert_eq!((holder.address, holder.uid), (address, own_uid()));
            holder
                .process
                .as_ref()
                .is_some_and(|(pid, _)| *pid == own_pid())
        });
    }
}
