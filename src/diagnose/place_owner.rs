//! Whose master it is, if hosts that are different places have the same ControlPath.

use core::net::IpAddr;
use std::path::Path;

use tr::tr;

use crate::model::network::Connection;
use crate::model::observation::SshArguments;
use crate::model::place_difference::{has_proxy, jump, place_difference, proxy_command};
use crate::model::places::{DefaultTemplate, EarlierHost, Host};
use crate::model::socket::Stranger;
use crate::model::text;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traces<'a> {
    pub(super) arguments: Option<&'a SshArguments>,
    pub(super) connection: Option<&'a Connection>,
    /// The command lines of its ProxyCommand or ProxyJump.
    pub(super) proxy_commands: &'a [String],
}

/// Divides the hosts of a ControlPath into those of the master, and those that are another place. If that cannot be
/// known, every host that differs from another is in both.
pub(super) fn divide<'a>(
    hosts: Vec<&'a Host>,
    traces: Traces<'_>,
    home: &Path,
) -> (Vec<&'a Host>, Vec<Stranger>) {
    let difference = |one: &Host, other: &Host| place_difference(one, other, home);
    let Some((first, rest)) = hosts.split_first() else {
        return (hosts, Vec::new());
    };
    if rest.iter().all(|host| difference(first, host).is_none()) {
        return (hosts, Vec::new());
    }
    if let Some(owner) = owner(&hosts, traces, home) {
        let (own, others): (Vec<&Host>, Vec<&Host>) = hosts
            .into_iter()
            .partition(|host| difference(owner, host).is_none());
        let strangers = others.into_iter().filter_map(|host| {
            let difference = difference(owner, host)?;
            Some(Stranger {
                host: host.alias.clone(),
                evidence: tr!(
                    "its master is that of {owner}: {owner} has {one}, {host} has {other}",
                    owner = owner.name(),
                    host = host.name(),
                    one = difference.one,
                    other = difference.other
                ),
            })
        });
        return (own, strangers.collect());
    }
    let strangers = hosts.iter().filter_map(|host| {
        let mut others = hosts.iter();
        let (other, difference) = others.find_map(|it| Some((it, difference(host, it)?)))?;
        Some(Stranger {
            host: host.alias.clone(),
            evidence: tr!(
                "its master may be that of {other}: {host} has {one}, {other} has {other_value}",
                host = host.name(),
                other = other.name(),
                one = difference.one,
                other_value = difference.other
            ),
        })
    });
    let strangers = strangers.collect();
    (hosts, strangers)
}

/// Divides the hosts of a ControlPath that every host without a name has. Hosts of the configuration, which have a source,
/// count as the master's unless its connection leads elsewhere and their settings did not change.
pub(super) fn divide_shared<'a>(
    hosts: Vec<&'a Host>,
    template: &DefaultTemplate,
    earlier: &[EarlierHost],
    traces: Traces<'_>,
    home: &Path,
) -> (Vec<&'a Host>, Vec<Stranger>) {
    let mut strangers = Vec::new();
    let mut own = Vec::new();
    for host in hosts {
        let stranger = |evidence| Stranger {
            host: host.alias.clone(),
            evidence,
        };
        let direct = traces.connection.filter(|it| it.proxy.is_none());
        let (is_known, elsewhere) = match direct {
            Some(connection) if !fits(host, connection) => (true, Some(connection.remote)),
            Some(connection) => (is_at(host, connection), None),
            None => (runs_proxy(host, traces.proxy_commands, home), None),
        };
        let has_changed = earlier.iter().any(|it| it.host.alias == host.alias);
        if let Some(address) = elsewhere.filter(|_| !has_changed) {
            strangers.push(stranger(tr!(
                "its master is that of another host: it is connected to {address}",
                address
            )));
            continue;
        }
        let is_typed = traces
            .arguments
            .is_some_and(|it| it.server.host == host.alias.0);
        if !is_known && !is_typed && host.source.is_none() {
            strangers.push(stranger(tr!(
                "its master may be that of another host: ControlPath {text} is the same for all of them",
                text = text::line(&template.text)
            )));
        }
        own.push(host);
    }
    (own, strangers)
}

/// Whether a direct connection leads to the address and port of this host.
fn is_at(host: &Host, connection: &Connection) -> bool {
    let (to, remote) = (&host.destination, connection.remote);
    is_address(&to.host, remote.ip()) == Some(true) && to.port == Some(remote.port())
}

/// Whether the name has this address; `None` if only a name service knows.
fn is_address(name: &str, address: IpAddr) -> Option<bool> {
    match name.parse::<IpAddr>() {
        Ok(named) => Some(named.to_canonical() == address.to_canonical()),
        Err(_) => name
            .eq_ignore_ascii_case("localhost")
            .then(|| address.is_loopback()),
    }
}

/// Returns a host of the master's place, if its traces exclude every other place.
fn owner<'a>(hosts: &[&'a Host], traces: Traces<'_>, home: &Path) -> Option<&'a Host> {
    let typed = traces.arguments.map(|arguments| &arguments.server);
    let typed = typed.filter(|server| server.user.is_none() && server.port.is_none());
    let by_name = |host: &&&Host| typed.is_some_and(|server| server.host == host.alias.0);
    if let Some(host) = hosts.iter().find(by_name) {
        return Some(host);
    }
    let runs = |host: &Host| runs_proxy(host, traces.proxy_commands, home);
    let is_recognized = hosts.iter().any(|host| runs(host));
    let is_proxied = traces
        .connection
        .map(|connection| connection.proxy.is_some());
    let is_proxied = is_proxied.or_else(|| (!traces.proxy_commands.is_empty()).then_some(true))?;
    let mut possible = hosts.iter().filter(|host| match traces.connection {
        _ if is_recognized => runs(host),
        Some(connection) if !is_proxied => fits(host, connection),
        _ => has_proxy(host),
    });
    let owner = possible.next()?;
    let is_same = |host: &&Host| place_difference(owner, host, home).is_none();
    possible.all(is_same).then_some(owner)
}

/// Whether one of the master's proxy processes runs the ProxyCommand or ProxyJump of this host.
fn runs_proxy(host: &Host, commands: &[String], home: &Path) -> bool {
    let plain = |text: &str| -> Vec<String> {
        let text = text.replace(['"', '\'', '\\'], "");
        text.split_ascii_whitespace().map(str::to_owned).collect()
    };
    let mut commands = commands.iter().map(|line| plain(line));
    if let Some(jump) = jump(host) {
        // `ssh … -W [host]:port gw`; the last jump host connects to the server.
        let last = jump.rsplit([',', '@']).next().unwrap_or_default();
        let machine = last.rsplit_once(':').map_or(last, |(machine, _)| machine);
        return commands.any(|words| {
            let is_forward = words.iter().any(|word| word.starts_with("-W"));
            is_forward
                && words
                    .last()
                    .is_some_and(|word| word.eq_ignore_ascii_case(machine))
        });
    }
    let wanted = proxy_command(host, home).map(|command| plain(&command));
    // The process of a script has the interpreter before it, and its path in place of its name.
    let file_name = |word: &str| word.rsplit('/').next().map(str::to_owned);
    let runs = |words: &[String], wanted: &[String]| {
        let Some((program, arguments)) = wanted.split_first() else {
            return false;
        };
        let rest = words.strip_suffix(arguments).and_then(<[_]>::split_last);
        rest.is_some_and(|(last, _)| file_name(last) == file_name(program))
    };
    wanted.is_some_and(|wanted| commands.any(|words| runs(&words, &wanted)))
}

/// Whether a connection of the master itself can lead to this host.
fn fits(host: &Host, connection: &Connection) -> bool {
    let is_passed = host
        .settings
        .values("proxyusefdpass")
        .any(|value| value == "yes");
    if has_proxy(host) {
        return is_passed;
    }
    let (local, remote) = (connection.local, connection.remote);
    let to = &host.destination;
    let address_fits = |name: &str, address| is_address(name, address).unwrap_or(true);
    let mut bound = host.settings.values("bindaddress");
    to.port.is_none_or(|port| port == remote.port())
        && address_fits(&to.host, remote.ip())
        && bound.all(|name| address_fits(name, local.ip()))
        && host
            .settings
            .values("addressfamily")
            .all(|family| match family {
                "inet" => remote.ip().to_canonical().is_ipv4(),
                "inet6" => remote.ip().to_canonical().is_ipv6(),
                _ => true,
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::{Destination, HostAlias};
    use crate::model::host_settings::HostSettings;
    use crate::model::samples::{connection, places};

    fn host(alias: &str, settings: &str, change: impl FnOnce(&mut Host)) -> Host {
        let mut host = places().hosts.remove(0);
        host.alias = HostAlias(alias.to_owned());
        host.settings = HostSettings::parse(settings.as_bytes());
        host.destination.host = "10.99.0.9".to_owned();
        change(&mut host);
        host
    }

    #[test]
    fn traces_show_whose_master_it_is() {
        let at =
            |address: &'static str| move |it: &mut Host| it.destination.host = address.to_owned();
        let all = [
            host("direct", "", |_| {}),
            host("other", "", at("10.99.0.10")),
            host("named", "", at("n.example.org")),
            host("keys", "identityfile ~/.ssh/k\n", |_| {}),
            host("a", "proxycommand exec socat - 'TCP:1:%p'\n", |_| {}),
            host("b", "proxycommand socat - TCP:2:%p\n", |_| {}),
            host("gw", "proxyjump me@GW:2022\n", |_| {}),
        ];
        let straight = connection();
        let through = Connection {
            proxy: Some("socat".to_owned()),
            ..connection()
        };
        let keys_typed = SshArguments {
            server: Destination {
                user: None,
                host: "keys".to_owned(),
                port: None,
            },
            has_other_config: false,
            forwardings: Vec::new(),
            gateway_ports: false,
            persist: None,
        };
        let of = |arguments, connection| Traces {
            arguments,
            connection,
            ..Traces::default()
        };
        let a = [
            "sh -c exec socat - 'TCP:1:22'".to_owned(),
            "socat - TCP:1:22".to_owned(),
        ];
        let jump = ["ssh -l me -p 2022 -W [10.99.0.9]:22 gw".to_owned()];
        let script = ["/usr/bin/python3 /home/u/bin/socat - TCP:1:22".to_owned()];
        let other_program = ["nc 1 22".to_owned()];
        let by = |proxy_commands, connection| Traces {
            proxy_commands,
            connection,
            ..Traces::default()
        };
        let seen = || of(None, Some(&straight));
        for (hosts, traces, own, strangers) in [
            ("direct keys", of(Some(&keys_typed), None), "keys", "direct"),
            ("direct keys", seen(), "direct keys", "direct keys"),
            ("direct other", seen(), "direct", "other"),
            ("direct a", seen(), "direct", "a"),
            (
                "direct a",
                by(&other_program, Some(&through)),
                "a",
                "direct",
            ),
            ("a b", by(&a, Some(&through)), "a", "b"),
            ("a b", by(&script, Some(&through)), "a", "b"),
            ("a gw", by(&jump, None), "gw", "a"),
            ("a b", by(&other_program, None), "a b", "a b"),
            ("named other", seen(), "named", "other"),
            ("named direct", seen(), "named direct", "named direct"),
            (
                "direct direct other",
                of(None, None),
                "direct direct other",
                "direct direct other",
            ),
        ] {
            let named = |name: &str| all.iter().find(|host| host.alias.0 == name).unwrap();
            let hosts = hosts.split(' ').map(named).collect();
            let (found, others) = divide(hosts, traces, Path::new("/home/u"));
            let found: Vec<&str> = found.iter().map(|host| &*host.alias.0).collect();
            let others: Vec<&str> = others.iter().map(|other| &*other.host.0).collect();
            assert_eq!(
                (&*found.join(" "), &*others.join(" ")),
                (own, strangers),
                "{traces:?}"
            );
        }
    }
}
