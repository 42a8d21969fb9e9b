//! The name of a master at a path that is no host's ControlPath: it began with other settings or options.

use core::net::IpAddr;

use super::place_owner::Traces;
use crate::model::control_path::{ControlPath, Destination};
use crate::model::places::{Host, Places, WrittenBy};

/// Returns the host that the master leads to, and its destination: the host that had this path before a change of the
/// configuration, or the one that its arguments or the address of its connection show. `captured` is the destination in
/// its path.
pub(super) fn name<'a>(
    path: &ControlPath,
    captured: Option<Destination>,
    traces: Traces<'_>,
    places: &'a Places,
) -> (Option<&'a Host>, Option<Destination>) {
    let mut earlier = places.earlier_hosts.iter().map(|earlier| &earlier.host);
    if let Some(host) = earlier.find(|host| host.control_path.as_ref() == Some(path)) {
        let destination = captured.unwrap_or_else(|| host.destination.clone());
        return (Some(host), Some(destination));
    }
    by_traces(captured, traces, places)
}

fn by_traces<'a>(
    captured: Option<Destination>,
    traces: Traces<'_>,
    places: &'a Places,
) -> (Option<&'a Host>, Option<Destination>) {
    let arguments = traces.arguments;
    // Behind a proxy the address is that of the first jump host.
    let direct = traces
        .connection
        .filter(|connection| connection.proxy.is_none() && connection.through.is_empty());
    let remote = direct.map(|connection| connection.remote);
    let is_at_remote = |destination: &Destination| {
        let address: Option<IpAddr> = destination.host.parse().ok();
        let to = address.zip(destination.port);
        remote.is_some_and(|remote| to == Some((remote.ip(), remote.port())))
    };
    let typed = arguments
        .filter(|arguments| arguments.has_other_config == places.has_other_config)
        .and_then(|arguments| {
            let mut hosts = places.hosts.iter();
            hosts.find(|host| host.alias.0 == arguments.server.host)
        });
    let at_address = || {
        let mut hosts = places
            .hosts
            .iter()
            .filter(|host| host.written_by != WrittenBy::System && is_at_remote(&host.destination));
        let host = hosts.next()?;
        hosts.next().is_none().then_some(host)
    };
    let is_nameless = captured.is_none() && arguments.is_none();
    let host = typed.or_else(|| is_nameless.then(at_address)?);
    let user = arguments.and_then(|arguments| arguments.server.user.clone());
    let by_address = remote.map(|remote| Destination {
        user,
        host: remote.ip().to_string(),
        port: Some(remote.port()),
    });
    // The settings of the host may have changed since.
    let of_host = host
        .map(|host| host.destination.clone())
        .filter(is_at_remote);
    let as_typed = arguments.filter(|_| typed.is_none());
    let as_typed = as_typed.map(|arguments| arguments.server.clone());
    let destination = captured.or(as_typed).or(of_host).or(by_address);
    (host, destination)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::HostAlias;
    use crate::model::network::Connection;
    use crate::model::observation::SshArguments;
    use crate::model::samples::{connection, places};

    #[test]
    fn master_is_named_by_path_arguments_or_address() {
        let mut places = places();
        let host = places.hosts.remove(0);
        places.hosts = [
            ("web", "10.0.0.1"),
            ("db", "10.0.0.2"),
            ("db2", "10.0.0.2"),
            ("far", "far"),
        ]
        .map(|(alias, address)| Host {
            alias: HostAlias(alias.to_owned()),
            destination: Destination {
                user: Some("u".to_owned()),
                host: address.to_owned(),
                port: Some(22),
            },
            ..host.clone()
        })
        .into();
        let destination = |text: &str| {
            let (user, host) = text.split_once('@').unzip();
            Destination {
                user: user.map(str::to_owned),
                host: host.unwrap_or(text).to_owned(),
                port: None,
            }
        };
        // The destination in the path, the typed one and the address; the host and the destination that they show.
        for row in [
            // The arguments name the host; its address is what it was at the start.
            "- | web | 10.0.0.1:22 | web | u@10.0.0.1:22",
            "- | v@web | 10.0.0.9:22 | web | v@10.0.0.9:22",
            "- | far | - | far | -",
            "u@old | web | 10.0.0.9:22 | web | u@old",
            "- | v@10.0.0.1 | 10.0.0.1:22 | - | v@10.0.0.1",
            "- | other | - | - | other",
            // A title shows nothing.
            "- | - | 10.0.0.1:22 | web | u@10.0.0.1:22",
            "- | - | 10.0.0.1:23 | - | 10.0.0.1:23",
            "- | - | 10.0.0.2:22 | - | 10.0.0.2:22",
            "u@old | - | 10.0.0.1:22 | - | u@old",
            "- | - | - | - | -",
        ] {
            let fields: Vec<&str> = row.split(" | ").collect();
            let [captured, typed, remote, alias, shown] = fields[..] else {
                panic!("{row}");
            };
            let [captured, typed, remote] =
                [captured, typed, remote].map(|it| (it != "-").then_some(it));
            let arguments = typed.map(|typed| SshArguments {
                server: destination(typed),
                has_other_config: false,
                forwardings: Vec::new(),
                gateway_ports: false,
                persist: None,
            });
            let connection = remote.map(|remote| Connection {
                remote: remote.parse().unwrap(),
                ..connection()
            });
            let name = |connection: Option<&Connection>, arguments: Option<&SshArguments>| {
                let captured = captured.map(destination);
                let traces = Traces {
                    arguments,
                    connection,
                    ..Traces::default()
                };
                let (host, to) = by_traces(captured, traces, &places);
                let host = host.map_or("-".to_owned(), |host| host.alias.to_string());
                (host, to.map_or("-".to_owned(), |to| to.to_string()))
            };
            let found = name(connection.as_ref(), arguments.as_ref());
            assert_eq!(found, (alias.to_owned(), shown.to_owned()), "{row}");
            // The address of a jump host names nothing, and other configurations have other hosts.
            if let (Some(connection), None, None) = (connection.clone(), captured, typed) {
                let proxied = Connection {
                    proxy: Some("ssh".to_owned()),
                    ..connection
                };
                assert_eq!(name(Some(&proxied), None), ("-".to_owned(), "-".to_owned()));
            }
            if let Some(arguments) = arguments {
                let other = SshArguments {
                    has_other_config: true,
                    forwardings: Vec::new(),
                    gateway_ports: false,
                    ..arguments
                };
                assert_eq!(name(None, Some(&other)).0, "-", "{row}");
            }
        }
    }
}
