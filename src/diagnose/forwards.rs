//! The forwardings of a master: its listeners, joined with the places that name where they lead.

use core::net::{IpAddr, SocketAddr};

use tr::tr;

use super::commands;
use super::context::Context;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::forward::{Forward, Listening, ListensAt, RemoteForward};
use crate::model::forwarding::{End, Fit, Forwarding, ForwardingKind};
use crate::model::observation::{Listener, SshArguments};
use crate::model::places::Host;
use crate::model::remembered::RememberedForward;
use crate::model::socket::Socket;
use crate::model::text::{self, Tilde};

/// The places that name forwardings of a master, the most certain first.
struct Sources<'a> {
    asked: Vec<&'a RememberedForward>,
    arguments: Option<&'a SshArguments>,
    hosts: &'a [&'a Host],
}

struct Named {
    forwarding: Forwarding,
    gateway_ports: bool,
    is_configured: bool,
}

impl Sources<'_> {
    fn named(&self) -> Vec<Named> {
        let named = |forwarding: Forwarding, gateway_ports, is_configured| Named {
            forwarding,
            gateway_ports,
            is_configured,
        };
        let is_gateway = self.is_gateway();
        let asked = self.asked.iter();
        let asked = asked.map(|it| named(it.forwarding.clone(), is_gateway, false));
        let arguments = self.arguments.into_iter().flat_map(|arguments| {
            let gateway_ports = is_gateway || arguments.gateway_ports;
            let all = arguments.forwardings.iter();
            all.map(move |it| named(it.clone(), gateway_ports, false))
        });
        let configured = self.hosts.iter().flat_map(|host| {
            let gateway_ports = host.settings.gateway_ports();
            let all = host.settings.forwardings();
            all.map(move |it| named(it, gateway_ports, true))
        });
        asked.chain(arguments).chain(configured).collect()
    }

    fn is_gateway(&self) -> bool {
        self.hosts.iter().any(|it| it.settings.gateway_ports())
    }
}

/// Adds the forwardings of a master with these hosts.
pub(super) fn add(socket: &mut Socket, listener: &Listener, hosts: &[&Host], context: Context<'_>) {
    let remembered = &context.history.remembered;
    let asked = || remembered.of_master(&socket.path, socket.id);
    if !listener.listening.is_empty() {
        // A changed target of the same port takes effect only with the next master.
        let earlier = context.places.earlier_hosts.iter().filter(|earlier| {
            let has_alias = |host: &&Host| host.alias == earlier.host.alias;
            socket.since.is_some_and(|since| earlier.held_at(since)) && hosts.iter().any(has_alias)
        });
        let earlier = earlier.map(|earlier| &earlier.host);
        let process = listener.holder.process();
        let sources = Sources {
            asked: asked().collect(),
            arguments: process.and_then(|process| process.arguments.as_ref()),
            hosts: &earlier.chain(hosts.iter().copied()).collect::<Vec<_>>(),
        };
        socket.forwards = join(&listener.listening, &sources);
    }
    socket.remote_forwards = remote(asked());
    let is_there = |it: &&Forwarding| {
        let mut forwards = socket.forwards.iter();
        forwards.any(|row| row.forwarding.as_ref() == Some(*it))
    };
    let earlier = remembered.to_offer(&socket.path, socket.id);
    let earlier = earlier.map(|it| &it.forwarding);
    socket.earlier_forwards = earlier.filter(|it| !is_there(it)).cloned().collect();
}

/// Returns the forwardings in the order of their ports. The same address of IPv4 and IPv6 is one, if it leads to one place.
fn join(listening: &[Listening], sources: &Sources<'_>) -> Vec<Forward> {
    let named = sources.named();
    let is_gateway = sources.is_gateway();
    let forwards = listening.iter().map(|it| {
        let known = named_at(&it.at, &named);
        let is_configured = match known {
            Some(known) => known.is_configured,
            None => is_gateway && is_any(&it.at),
        };
        forward(it, known.map(|it| &it.forwarding), is_configured)
    });
    with_pairs(forwards.collect())
}

pub fn of_forwarding(listening: &[Listening], forwarding: &Forwarding) -> Vec<Forward> {
    let named = [false, true].map(|gateway_ports| Named {
        forwarding: forwarding.clone(),
        gateway_ports,
        is_configured: false,
    });
    let its = listening.iter();
    let its = its.filter(|it| named_at(&it.at, &named).is_some());
    with_pairs(its.map(|it| forward(it, Some(forwarding), false)).collect())
}

fn forward(listening: &Listening, known: Option<&Forwarding>, is_configured: bool) -> Forward {
    Forward {
        at: listening.at.clone(),
        is_both: false,
        connections: listening.connections,
        forwarding: known.cloned(),
        is_configured,
    }
}

fn with_pairs(mut sorted: Vec<Forward>) -> Vec<Forward> {
    // IPv4 comes before IPv6.
    sorted.sort_by_key(|it| match &it.at {
        ListensAt::Tcp(address) => (address.port(), Some(address.ip()), None),
        ListensAt::Unix(path) => (u16::MAX, None, Some(path.clone())),
    });
    let mut forwards: Vec<Forward> = Vec::new();
    for forward in sorted {
        let mut others = forwards.iter_mut();
        let pair = others.find(|other| {
            !other.is_both
                && is_pair(&other.at, &forward.at)
                && other.forwarding == forward.forwarding
        });
        match pair {
            Some(other) => {
                other.is_both = true;
                other.connections += forward.connections;
            }
            None => forwards.push(forward),
        }
    }
    forwards
}

fn named_at<'a>(at: &ListensAt, named: &'a [Named]) -> Option<&'a Named> {
    let fit = |it: &Named| match (at, &it.forwarding.listen) {
        _ if it.forwarding.kind == ForwardingKind::Remote => None,
        (ListensAt::Unix(path), End::Path(listen)) => (path == listen).then_some(Fit::Address),
        (ListensAt::Tcp(address), End::Port { .. }) => {
            it.forwarding.fits(*address, it.gateway_ports)
        }
        _ => None,
    };
    let exact = named.iter().find(|it| fit(it) == Some(Fit::Address));
    exact.or_else(|| named.iter().find(|it| fit(it).is_some()))
}

fn is_any(at: &ListensAt) -> bool {
    matches!(at, ListensAt::Tcp(address) if address.ip().is_unspecified())
}

/// Whether these are the loopback address, or every address, of IPv4 and IPv6.
fn is_pair(one: &ListensAt, other: &ListensAt) -> bool {
    let (ListensAt::Tcp(one), ListensAt::Tcp(other)) = (one, other) else {
        return false;
    };
    let localhost = |address: &SocketAddr| address.ip() == IpAddr::from([127, 0, 0, 1]);
    let is_same = (localhost(one) && other.ip().is_loopback())
        || (one.ip().is_unspecified() && other.ip().is_unspecified());
    one.port() == other.port() && one.is_ipv4() && other.is_ipv6() && is_same
}

fn remote<'a>(asked: impl Iterator<Item = &'a RememberedForward>) -> Vec<RemoteForward> {
    let remote = asked.filter(|it| it.forwarding.kind == ForwardingKind::Remote);
    let remote = remote.map(|it| RemoteForward {
        forwarding: it.forwarding.clone(),
        port: it.port,
    });
    remote.collect()
}

pub(super) fn exposed(socket: &Socket, tilde: Tilde<'_>) -> Option<Finding> {
    let exposed: Vec<&Forward> = socket
        .forwards
        .iter()
        .filter(|it| it.is_exposed())
        .collect();
    let first = exposed.first()?;
    let is_configured = exposed.iter().all(|it| it.is_configured);
    let evidence = tr!(
        "other machines can connect to {forwardings}",
        forwardings = text::list(exposed.iter().take(3).map(ToString::to_string))
    );
    let path = socket.path.as_path();
    let finding = |evidence, remedy| {
        Finding::new(
            FindingId::ForwardExposed,
            tilde.path(path),
            evidence,
            remedy,
        )
        .with_paths([path])
    };
    if is_configured {
        let evidence = tr!("{evidence}, as the ssh configuration asks for", evidence);
        let remedy = tr!(
            "if only this machine uses it, name localhost in the ssh configuration, and start a new master"
        );
        let line = first.forwarding.as_ref().map(configuration_line);
        let finding = finding(evidence, remedy).with_severity(Severity::Info);
        return Some(match line {
            Some(line) => finding.with_lines([line]),
            None => finding,
        });
    }
    let known: Option<Vec<&Forwarding>> = exposed.iter().map(|it| it.forwarding.as_ref()).collect();
    Some(match known {
        Some(known) => {
            let words = |changed: fn(&Forwarding) -> Forwarding| {
                let words = known.iter().map(|it| changed(it).shell_words());
                words.collect::<Vec<_>>().join(" ")
            };
            let (old, new) = (words(Forwarding::clone), words(on_loopback));
            let target = &socket.argument;
            finding(evidence, tr!("let only this machine connect")).with_command(format!(
                "muxtray forward {target} --cancel {old} && muxtray forward {target} {new}"
            ))
        }
        None => finding(
            evidence,
            tr!("nobody knows how it was added, so only the end of its master ends it"),
        )
        .with_command(commands::exit(socket)),
    })
}

fn on_loopback(forwarding: &Forwarding) -> Forwarding {
    let mut local = forwarding.clone();
    if let End::Port { host, .. } = &mut local.listen {
        *host = Some("localhost".to_owned());
    }
    local
}

fn configuration_line(forwarding: &Forwarding) -> String {
    let listen = on_loopback(forwarding).listen;
    match &forwarding.target {
        None => format!("DynamicForward {listen}"),
        Some(target) => format!("LocalForward {listen} {target}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::Destination;
    use crate::model::host_settings::HostSettings;
    use crate::model::samples::{self, forwarding, in_state, places};
    use crate::model::socket::State;

    fn listening(all: &[&str]) -> Vec<Listening> {
        samples::listening(all, 1)
    }

    fn joined(all: &[&str], configuration: &str, arguments: &[&str]) -> Vec<Forward> {
        let mut host = places().hosts.remove(0);
        host.settings = HostSettings::parse(configuration.as_bytes());
        let arguments = SshArguments {
            server: Destination {
                user: None,
                host: "web".to_owned(),
                port: None,
            },
            has_other_config: false,
            forwardings: arguments.iter().copied().map(forwarding).collect(),
            gateway_ports: false,
            persist: None,
        };
        let sources = Sources {
            asked: Vec::new(),
            arguments: Some(&arguments),
            hosts: &[&host],
        };
        join(&listening(all), &sources)
    }

    #[test]
    fn listeners_are_joined_with_their_targets() {
        let both = ["127.0.0.1:5", "[::1]:5"];
        for (listening, configuration, arguments, shown) in [
            (
                &both[..],
                "",
                &[][..],
                "127.0.0.1:5 \u{2192} target unknown (2 connections)",
            ),
            (
                &both,
                "localforward 5 [db]:80\n",
                &[],
                "127.0.0.1:5 \u{2192} db:80 (2 connections)",
            ),
            (
                &both,
                "localforward 5 [db]:80\n",
                &["-L 5:other:81"],
                "127.0.0.1:5 \u{2192} other:81 (2 connections)",
            ),
            // Each family leads to another place.
            (
                &both,
                "localforward [127.0.0.1]:5 [a]:1\nlocalforward [::1]:5 [b]:2\n",
                &[],
                "127.0.0.1:5 \u{2192} a:1 (1 connection), [::1]:5 \u{2192} b:2 (1 connection)",
            ),
            (
                &["[::1]:5"],
                "localforward 5 [db]:80\n",
                &[],
                "[::1]:5 \u{2192} db:80 (1 connection)",
            ),
            (
                &["0.0.0.0:5", "[::]:5"],
                "localforward [*]:5 [db]:80\n",
                &[],
                "*:5 \u{2192} db:80 (2 connections)",
            ),
            (
                &["0.0.0.0:5"],
                "gatewayports yes\ndynamicforward 5\n",
                &[],
                "0.0.0.0:5 \u{2192} any (SOCKS) (1 connection)",
            ),
            // ssh -G prints a local forwarding to a socket twice.
            (
                &["127.0.0.1:8"],
                "dynamicforward 8\nlocalforward 8 /run/y\n",
                &[],
                "127.0.0.1:8 \u{2192} /run/y (1 connection)",
            ),
            (
                &["/run/a\nb"],
                "localforward /run/a [db]:80\n",
                &[],
                "/run/a\\u{a}b \u{2192} target unknown (1 connection)",
            ),
            (
                &["/run/a b"],
                "localforward /run/a b [db]:80\n",
                &[],
                "/run/a b \u{2192} db:80 (1 connection)",
            ),
            (
                &["10.0.0.1:5", "127.0.0.1:5"],
                "localforward [here]:5 [db]:80\n",
                &[],
                "10.0.0.1:5 \u{2192} db:80 (1 connection), 127.0.0.1:5 \u{2192} target unknown (1 connection)",
            ),
        ] {
            let forwards = joined(listening, configuration, arguments);
            let text = text::list(forwards.iter().map(ToString::to_string));
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn exposed_forwardings_have_a_remedy() {
        let found = |all: &[&str], configuration, arguments: &[&str]| {
            let mut socket = in_state(State::Running);
            socket.forwards = joined(all, configuration, arguments);
            let found = exposed(&socket, Tilde::default());
            found.map(|it| (it.severity, it.command, it.lines))
        };
        let warning = |command: &str| Some((Severity::Warning, Some(command.to_owned()), vec![]));
        let any = &["0.0.0.0:5", "[::]:5"][..];
        for (all, configuration, arguments, expected) in [
            (&["127.0.0.2:5", "[::1]:5"][..], "", &[][..], None),
            (&["/run/x"], "", &[], None),
            (any, "", &[], warning("muxtray exit --force web")),
            (
                any,
                "",
                &["-L *:5:h:1"],
                warning(
                    "muxtray forward web --cancel -L '*:5:h:1' && muxtray forward web -L localhost:5:h:1",
                ),
            ),
            (
                &["10.0.0.1:5"],
                "localforward [10.0.0.1]:5 [h]:1\n",
                &[],
                Some((
                    Severity::Info,
                    None,
                    vec!["LocalForward localhost:5 h:1".to_owned()],
                )),
            ),
            (
                any,
                "gatewayports yes\n",
                &[],
                Some((Severity::Info, None, vec![])),
            ),
        ] {
            assert_eq!(found(all, configuration, arguments), expected, "{all:?}");
        }
    }
}
