//! The listeners on a TCP port of this machine and network namespace, from the kernel's table; no connection is made.

use std::io;

use super::inet_diag::{self, Row};
use super::process::{self, Descriptors};
use crate::model::ids::MasterPid;
use crate::model::port_holder::PortHolder;

/// Returns the listeners on the port, each process once.
///
/// # Errors
/// The kernel's error if sock_diag is blocked.
pub fn port_holders(port: u16) -> io::Result<Vec<PortHolder>> {
    let rows = inet_diag::dump()?;
    let listening = |row: &&Row| row.numbers.is_none() && row.local.port() == port;
    let mut holders: Vec<PortHolder> = Vec::new();
    for row in rows.iter().filter(listening) {
        let holder = described(row);
        // `-L 8080:…` listens on 127.0.0.1 and on ::1.
        let is_known =
            |known: &PortHolder| known.uid == holder.uid && known.process == holder.process;
        if !holders.iter().any(is_known) {
            holders.push(holder);
        }
    }
    Ok(holders)
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
            let holders = port_holders(address.port()).unwrap();
            let [holder] = &holders[..] else {
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
