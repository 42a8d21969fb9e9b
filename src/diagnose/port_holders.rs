//! The listener on a port that a forwarding needs.

use tr::tr;

use crate::model::port_holder::PortHolder;
use crate::model::socket::Socket;
use crate::model::text;

/// Leaves out further addresses of the same process: `-L 8080:…` listens on 127.0.0.1 and on ::1.
pub fn one_for_each_process<'a>(
    holders: impl Iterator<Item = &'a PortHolder>,
) -> Vec<&'a PortHolder> {
    let mut processes: Vec<&PortHolder> = Vec::new();
    for holder in holders {
        let is_its = |it: &&PortHolder| (it.uid, &it.process) == (holder.uid, &holder.process);
        if !processes.iter().any(is_its) {
            processes.push(holder);
        }
    }
    processes
}

/// `127.0.0.1:5432 is held by nginx (pid 4)`
pub fn held_by(holder: &PortHolder, sockets: &[Socket]) -> String {
    let address = holder.address;
    match (&holder.process, master(holder, sockets)) {
        (None, _) => tr!(
            "{address} is held by a process of the user with id {uid}, or of a container",
            address,
            uid = holder.uid.0
        ),
        (Some((pid, _)), Some(master)) => tr!(
            "{address} is held by the master of {name} (pid {pid})",
            address,
            name = master.title(),
            pid = pid.0
        ),
        (Some((pid, name)), None) => tr!(
            "{address} is held by {program} (pid {pid})",
            address,
            program = text::line(name),
            pid = pid.0
        ),
    }
}

/// Returns the commands that free the port, the mildest first.
pub fn ways_to_free(holder: &PortHolder, sockets: &[Socket]) -> Vec<String> {
    let Some((pid, _)) = &holder.process else {
        let command = format!("sudo ss -ltnp 'sport = :{}'", holder.address.port());
        return vec![tr!("show the process: {command}", command)];
    };
    let Some(master) = master(holder, sockets) else {
        let command = format!("kill {}", pid.0);
        return vec![tr!("end that process: {command}", command)];
    };
    let mut forwards = master.forwards.iter();
    let forwarding = forwards
        .find(|forward| forward.listens_on(holder.address))
        .and_then(|forward| forward.forwarding.as_ref());
    let cancel = forwarding.map(|forwarding| {
        let words = forwarding.shell_words();
        let command = format!("muxtray forward {} --cancel {words}", master.argument);
        tr!("cancel the forwarding: {command}", command)
    });
    let command = format!("muxtray exit {}", master.argument);
    let end = tr!("end that master with its forwardings: {command}", command);
    cancel.into_iter().chain([end]).collect()
}

pub(super) fn master<'a>(holder: &PortHolder, sockets: &'a [Socket]) -> Option<&'a Socket> {
    let pid = holder.pid()?;
    sockets.iter().find(|socket| socket.pid == Some(pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::forward::{Forward, ListensAt};
    use crate::model::forwarding::Forwarding;
    use crate::model::ids::{MasterPid, UserId};
    use crate::model::samples::in_state;
    use crate::model::state::State;

    #[test]
    fn holders_are_named_with_ways_to_free_the_port() {
        let mut web = in_state(State::Running);
        web.forwards = vec![Forward {
            at: ListensAt::Tcp("127.0.0.1:1080".parse().unwrap()),
            is_both: true,
            connections: 0,
            forwarding: Forwarding::try_from("-D 1080".to_owned()).ok(),
            is_configured: false,
        }];
        for (address, process, held, ways) in [
            (
                "[::1]:1080",
                Some((4711, "ssh")),
                "[::1]:1080 is held by the master of web (pid 4711)",
                &[
                    "cancel the forwarding: muxtray forward web --cancel -D 1080",
                    "end that master with its forwardings: muxtray exit web",
                ][..],
            ),
            (
                "127.0.0.1:1081",
                Some((4711, "ssh")),
                "127.0.0.1:1081 is held by the master of web (pid 4711)",
                &["end that master with its forwardings: muxtray exit web"],
            ),
            (
                "127.0.0.1:1080",
                Some((5, "python3")),
                "127.0.0.1:1080 is held by python3 (pid 5)",
                &["end that process: kill 5"],
            ),
            (
                "127.0.0.1:1080",
                None,
                "127.0.0.1:1080 is held by a process of the user with id 0, or of a container",
                &["show the process: sudo ss -ltnp 'sport = :1080'"],
            ),
        ] {
            let holder = PortHolder {
                address: address.parse().unwrap(),
                uid: UserId(0),
                process: process.map(|(pid, name)| (MasterPid(pid), name.to_owned())),
            };
            let sockets = [web.clone()];
            assert_eq!(held_by(&holder, &sockets), held);
            assert_eq!(ways_to_free(&holder, &sockets), ways);
        }
    }
}
