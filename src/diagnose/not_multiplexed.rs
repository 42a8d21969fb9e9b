//! ssh processes that run beside a master that they could share.

use core::net::IpAddr;
use std::fmt;
use std::time::{Duration, SystemTime};

use tr::tr;

use crate::model::finding::{Finding, FindingId};
use crate::model::network::LoneSsh;
use crate::model::places::{Host, Places};
use crate::model::socket::Socket;
use crate::model::text::{self, Tilde};

/// The number of processes that the evidence names.
const NAMED: usize = 3;

/// Two ssh that begin at the same moment both find no master, and one of them becomes it. The start time of a process is
/// exact to a second.
const SAME_MOMENT: Duration = Duration::from_secs(1);

/// Why an ssh does not use the master.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    /// An argument, as it would be typed.
    Argument(String),
    /// `ControlMaster yes` or `ask` in the configuration.
    ControlMaster(&'static str),
    Earlier,
    Unknown,
}

/// One finding for all processes beside this master.
pub(super) fn finding(
    socket: &Socket,
    alone: &[LoneSsh],
    places: &Places,
    tilde: Tilde<'_>,
) -> Option<Finding> {
    if alone.is_empty() || !socket.state.is_usable() || socket.managed_by.is_some() {
        return None;
    }
    let connection = &socket.network.as_ref()?.connection;
    if connection.proxy.is_some() || !connection.through.is_empty() {
        return None;
    }
    let beside = alone.iter().filter(|ssh| ssh.remote == connection.remote);
    let beside: Vec<(&LoneSsh, Reason)> = beside
        .filter(|ssh| !ssh.sharing.is_proxy)
        .filter_map(|ssh| {
            let host = same_place(ssh, socket, places)?;
            Some((ssh, reason(ssh, socket, host, places)))
        })
        .collect();
    let (_, first) = beside.first()?;
    let processes = beside.iter().map(|(ssh, reason)| match reason {
        Reason::Unknown => tr!("pid {pid}", pid = ssh.pid.0),
        reason => tr!("pid {pid} ({reason})", pid = ssh.pid.0, reason),
    });
    let processes = text::short_list(processes.collect(), NAMED);
    let evidence = tr!(
        "{n} ssh has a connection of its own to {server}: {processes}"
            | "{n} ssh have connections of their own to {server}: {processes}" % beside.len(),
        server = connection.remote,
        processes
    );
    let remedy = match first {
        Reason::Argument(argument) => {
            tr!("end it, and start it again without {argument}", argument)
        }
        Reason::ControlMaster(_) => {
            tr!("set ControlMaster auto, end it, and start it again")
        }
        Reason::Earlier | Reason::Unknown => {
            tr!("end it, and start it again: ssh then uses the master")
        }
    };
    let path = socket.path.as_path();
    let finding = Finding::new(
        FindingId::NotMultiplexed,
        tilde.path(path),
        evidence,
        remedy,
    );
    Some(finding.with_paths([path]))
}

/// Returns the host that the arguments name, if it is certain that the ssh leads to the place of the master; `Some(None)`
/// if they name the place itself.
#[expect(clippy::option_option, reason = "no place, and a place without a host")]
fn same_place<'a>(ssh: &LoneSsh, socket: &Socket, places: &'a Places) -> Option<Option<&'a Host>> {
    let server = &ssh.arguments.server;
    let has_same_config = ssh.arguments.has_other_config == places.has_other_config;
    let is_typed = |host: &&Host| has_same_config && host.alias.0 == server.host;
    if let Some(host) = places.hosts.iter().find(is_typed) {
        let to = &host.destination;
        let is_same = socket.hosts.contains(&host.alias)
            && (server.user.is_none() || server.user == to.user)
            && (server.port.is_none() || server.port == to.port);
        return is_same.then_some(Some(host));
    }
    let to = socket.destination.as_ref()?;
    let address: Option<IpAddr> = server.host.parse().ok();
    let is_host = server.host.eq_ignore_ascii_case(&to.host)
        || address.is_some_and(|address| address == ssh.remote.ip());
    (is_host && server.user.is_some() && server.user == to.user).then_some(None)
}

fn reason(ssh: &LoneSsh, socket: &Socket, host: Option<&Host>, places: &Places) -> Reason {
    let (path, master) = (&ssh.sharing.control_path, &ssh.sharing.control_master);
    if let Some(path) = path {
        // Tokens and ~ are expanded by ssh.
        let is_plain = !path.contains(['%', '~', '$']);
        if is_plain && Some(path.as_str()) != socket.path.as_path().to_str() {
            return Reason::Argument(format!("-S {}", text::line(path)));
        }
    }
    if ssh.sharing.has_master_flag {
        return Reason::Argument("-M".to_owned());
    }
    if let Some(master @ ("yes" | "ask")) = master.as_deref() {
        return Reason::Argument(format!("-o ControlMaster={master}"));
    }
    // The time of a file can be any, so it is not added to.
    let is_earlier = |(ssh, master): (SystemTime, SystemTime)| {
        let later = ssh.duration_since(master).unwrap_or_default();
        later <= SAME_MOMENT
    };
    if ssh.started.zip(socket.since).is_some_and(is_earlier) {
        return Reason::Earlier;
    }
    if ssh.arguments.has_other_config != places.has_other_config {
        return match ssh.arguments.has_other_config {
            true => Reason::Argument("-F".to_owned()),
            false => Reason::Unknown,
        };
    }
    match host.map(|host| host.control_master) {
        Some(master) if !master.shares() => Reason::ControlMaster(master.as_str()),
        _ => Reason::Unknown,
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(argument) => f.write_str(argument),
            Self::ControlMaster(value) => write!(f, "ControlMaster {value}"),
            Self::Earlier => f.write_str(&tr!("began before the master")),
            Self::Unknown => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::Destination;
    use crate::model::ids::MasterPid;
    use crate::model::network::SharingArguments;
    use crate::model::observation::SshArguments;
    use crate::model::places::{ControlMaster, Managed};
    use crate::model::samples::{at, connection, places, running, seen_over};
    use crate::model::socket::State;

    fn destination(text: &str) -> Destination {
        let (user, rest) = text.split_once('@').unwrap_or(("", text));
        let (host, port) = rest.split_once(':').unwrap_or((rest, ""));
        Destination {
            user: Some(user.to_owned()).filter(|user| !user.is_empty()),
            host: host.to_owned(),
            port: port.parse().ok(),
        }
    }

    fn ssh(typed: &str) -> LoneSsh {
        LoneSsh {
            pid: MasterPid(99),
            started: Some(at()),
            remote: connection().remote,
            arguments: SshArguments {
                server: destination(typed),
                has_other_config: false,
                forwardings: Vec::new(),
                gateway_ports: false,
                persist: None,
            },
            sharing: SharingArguments::default(),
        }
    }

    fn master() -> Socket {
        let connections = [(MasterPid(4711), connection())].into();
        seen_over(vec![running()], connections).sockets.remove(0)
    }

    fn evidence(alone: &[LoneSsh], change: impl Fn(&mut Socket, &mut Places)) -> Option<String> {
        let (mut socket, mut places) = (master(), places());
        change(&mut socket, &mut places);
        let finding = finding(&socket, alone, &places, Tilde::default())?;
        let (_, processes) = finding.evidence.split_once(": ").unwrap();
        Some(format!("{processes}; {}", finding.remedy))
    }

    #[test]
    fn only_an_ssh_to_the_same_place_counts() {
        let found = |typed: &str| evidence(&[ssh(typed)], |_, _| {}).is_some();
        for (typed, is_same) in [
            ("web", true),
            ("u@web", true),
            ("u@web:22", true),
            ("root@web", false),
            ("u@web:2222", false),
            ("u@h", true),
            ("u@10.99.0.9", true),
            ("u@10.99.0.8", false),
            // Its user depends on the configuration.
            ("h", false),
            ("root@h", false),
            ("other", false),
        ] {
            assert_eq!(found(typed), is_same, "{typed}");
        }
        let elsewhere = LoneSsh {
            remote: ([10, 99, 0, 9], 2222).into(),
            ..ssh("web")
        };
        let proxy = LoneSsh {
            sharing: SharingArguments {
                is_proxy: true,
                ..SharingArguments::default()
            },
            ..ssh("web")
        };
        assert_eq!(evidence(&[elsewhere, proxy], |_, _| {}), None);
        let web = || [ssh("web")];
        let changes: [fn(&mut Socket, &mut Places); 5] = [
            |socket, _| socket.state = State::Stale,
            |socket, _| socket.managed_by = Some(Managed("lima")),
            |socket, _| socket.hosts.clear(),
            |socket, _| {
                let verdict = socket.network.as_mut().unwrap();
                verdict.connection.proxy = Some("nc".to_owned());
            },
            |_, places| places.has_other_config = true,
        ];
        for change in changes {
            assert_eq!(evidence(&web(), change), None);
        }
    }

    #[test]
    fn reasons_are_those_that_can_be_known() {
        let with = |control_path: Option<&str>, control_master: Option<&str>| LoneSsh {
            sharing: SharingArguments {
                control_path: control_path.map(str::to_owned),
                control_master: control_master.map(str::to_owned),
                ..SharingArguments::default()
            },
            ..ssh("web")
        };
        let mut by_flag = ssh("web");
        by_flag.sharing.has_master_flag = true;
        let mut early = ssh("web");
        early.started = Some(at() - Duration::from_secs(1001));
        let at_end_of_time = |socket: &mut Socket, _: &mut Places| {
            let seconds = Duration::from_secs(i64::MAX.unsigned_abs());
            socket.since = Some(SystemTime::UNIX_EPOCH + seconds);
        };
        assert_eq!(
            evidence(&[ssh("web")], at_end_of_time),
            evidence(&[early.clone()], |_, _| {})
        );
        let mut other_config = ssh("u@h");
        other_config.arguments.has_other_config = true;
        for (ssh, expected) in [
            (
                with(Some("none"), Some("yes")),
                "pid 99 (-S none); end it, and start it again without -S none",
            ),
            (
                with(Some("/s/u@h-22"), None),
                "pid 99; end it, and start it again: ssh then uses the master",
            ),
            (
                with(Some("~/%C"), None),
                "pid 99; end it, and start it again: ssh then uses the master",
            ),
            (
                with(None, Some("yes")),
                "pid 99 (-o ControlMaster=yes); end it, and start it again without -o ControlMaster=yes",
            ),
            (
                by_flag,
                "pid 99 (-M); end it, and start it again without -M",
            ),
            (
                with(None, Some("auto")),
                "pid 99; end it, and start it again: ssh then uses the master",
            ),
            (
                early.clone(),
                "pid 99 (began before the master); end it, and start it again: ssh then uses the master",
            ),
            (
                other_config,
                "pid 99 (-F); end it, and start it again without -F",
            ),
        ] {
            assert_eq!(evidence(&[ssh], |_, _| {}).as_deref(), Some(expected));
        }
        let set = |_: &mut Socket, places: &mut Places| {
            places.hosts[0].control_master = ControlMaster::Yes;
        };
        assert_eq!(
            evidence(&[ssh("web")], set).as_deref(),
            Some("pid 99 (ControlMaster yes); set ControlMaster auto, end it, and start it again")
        );
        let many = vec![early; 5];
        let text = evidence(&many, |_, _| {}).unwrap();
        assert_eq!(text.matches("pid 99").count(), NAMED, "{text}");
        assert!(text.contains(", 2 more; "), "{text}");
    }
}
