//! The listeners on a TCP port of this machine and network namespace, from the kernel's table; no connection is made.

use std::io;

use super::inet_diag::{self, Row};
use super::process::{self, Descriptors, Part};
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
    let forwarding = process
        .as_ref()
        .filter(|(pid, name)| process::is_ssh_client(*pid, name))
        .and_then(|(pid, _)| process::cmdline(*pid))
        .and_then(|cmdline| forwarding(&cmdline, row.local.port()));
    PortHolder {
        address: row.local,
        uid: row.uid,
        process,
        forwarding,
    }
}

/// Returns the option `-L` or `-D` with this port in `/proc/PID/cmdline` of an ssh.
fn forwarding(cmdline: &[u8], port: u16) -> Option<String> {
    let mut found = None;
    process::parts(cmdline, |part| {
        // `[address:]port`, and for -L also `:host:hostport`
        let (option, value, after_port) = match part {
            Part::Option(b'D', value) => ("-D", value, 0),
            Part::Option(b'L', value) => ("-L", value, 2),
            Part::Option(..) | Part::Flags(_) | Part::Host(_) => return,
        };
        let value = std::str::from_utf8(value).unwrap_or_default();
        let listens_at = value.rsplit(':').nth(after_port);
        let listens_at = listens_at.and_then(|port| port.parse().ok());
        if found.is_none() && listens_at == Some(port) {
            found = Some(format!("{option} {value}"));
        }
    });
    found
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

    #[test]
    fn forwarding_in_the_arguments_of_ssh() {
        for (cmdline, expected) in [
            ("ssh\0-N\0-D\x001080\0web\0", Some("-D 1080")),
            ("ssh\0-ND1080\0web\0", Some("-D 1080")),
            ("ssh\0-D\0[::1]:1080\0web\0", Some("-D [::1]:1080")),
            ("ssh\0web\0-L\x001080:db:80\0", Some("-L 1080:db:80")),
            (
                "ssh\0-L\0localhost:1080:db:80\0web\0",
                Some("-L localhost:1080:db:80"),
            ),
            ("ssh\0-L\x0080:db:1080\0-p\x001080\0web\0", None),
            ("ssh\0-R\x001080:db:80\0web\0", None),
            ("ssh: /s/web [mux]\0\0", None),
            ("ssh\0-D", None),
        ] {
            assert_eq!(
                forwarding(cmdline.as_bytes(), 1080).as_deref(),
                expected,
                "{cmdline:?}"
            );
        }
    }
}
