//! Which addresses the interfaces have, and which way leads to a destination: rtnetlink(7), no privilege.
//!
//! Sources: `linux/if_addr.h`, `linux/rtnetlink.h`; `inet_rtm_getroute()` in route.c and `inet6_rtm_getroute()` for
//! what a lookup answers.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use nix::time::{ClockId, clock_gettime};

use super::netlink::{self, Message, attribute, attributes, u32_at};
use crate::model::network::{Hop, Route};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_VIA: u16 = 18;

const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;

/// Every address of every interface, and how long it has been there; `None` where the kernel does not tell.
///
/// # Errors
/// As for [`netlink::dump`].
pub(super) fn addresses() -> io::Result<HashMap<IpAddr, Option<Duration>>> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    let read = |message: Message<'_>| address(message, now);
    let question = [0; 8]; // struct ifaddrmsg: of any family
    let all = netlink::dump(SockProtocol::NetlinkRoute, RTM_GETADDR, &question, read)?;
    let mut addresses = HashMap::new();
    for (address, age) in all {
        // On two interfaces it is as old as the older.
        let known = addresses.entry(address).or_insert(age);
        *known = (*known).max(age);
    }
    Ok(addresses)
}

/// The addresses in an answer of the kernel's to that, each with its age at `now`, a time since the start of the system.
///
/// # Errors
/// The kernel's own, told in the answer; `InvalidData` for bytes that are none.
pub fn parse_addresses(
    answer: &[u8],
    now: Duration,
) -> io::Result<Vec<(IpAddr, Option<Duration>)>> {
    netlink::parse(answer, |message| address(message, now))
}

/// `struct ifaddrmsg` and its attributes.
fn address(message: Message<'_>, now: Duration) -> Option<(IpAddr, Option<Duration>)> {
    let body = (message.kind == RTM_NEWADDR).then_some(message.body)?;
    let (mut local, mut peer, mut created) = (None, None, None);
    for (kind, value) in attributes(body.get(8..)?) {
        match kind {
            IFA_LOCAL => local = ip(value),
            // The other end's address on a point-to-point link, else our own.
            IFA_ADDRESS => peer = ip(value),
            IFA_CACHEINFO => created = u32_at(value, 8),
            _ => {}
        }
    }
    let age = created.map(|created| age(created, now));
    Some((local.or(peer)?, age))
}

/// A `cstamp` is in hundredths of a second since the start of the system, sleep not counted, and wraps after 497 days.
fn age(created: u32, now: Duration) -> Duration {
    let now = now.as_millis() / 10 % (1 << 32);
    let now = u32::try_from(now).unwrap_or_default();
    // One that was made in this very moment may seem to come from the future.
    let age = now.wrapping_sub(created).cast_signed().max(0);
    Duration::from_millis(u64::from(age.unsigned_abs()) * 10)
}

/// A question for the way from an address of ours to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Way {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    /// The interface that the connection is bound to; 0 for none.
    pub(super) interface: u32,
}

/// Where each of these ways leads now, in this order.
///
/// # Errors
/// As for [`netlink::ask`].
pub(super) fn routes(ways: &[Way]) -> io::Result<Vec<Route>> {
    let questions: Vec<Vec<u8>> = ways.iter().map(question).collect();
    let answers = netlink::ask(SockProtocol::NetlinkRoute, RTM_GETROUTE, &questions, route)?;
    let route = |answer| match answer {
        Ok(route) => route,
        // Routes of the types unreachable and prohibit answer with the last two. EINVAL, a blackhole's, has other
        // causes as well.
        Err(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EACCES) => Some(Route::None),
        Err(_) => None,
    };
    Ok(answers
        .into_iter()
        .map(|answer| route(answer).unwrap_or(Route::Unknown))
        .collect())
}

/// Whether an address that no interface has is this machine's all the same: a local route covers it.
///
/// # Errors
/// As for [`netlink::ask`].
pub(super) fn is_local(address: IpAddr) -> io::Result<bool> {
    let question = route_question(None, address, 0);
    let read = |message: Message<'_>| message.body.get(7).copied();
    let answers = netlink::ask(SockProtocol::NetlinkRoute, RTM_GETROUTE, &[question], read)?;
    Ok(matches!(answers[..], [Ok(Some(RTN_LOCAL))]))
}

fn question(way: &Way) -> Vec<u8> {
    route_question(Some(way.from), way.to, way.interface)
}

/// `struct rtmsg` and attributes.
fn route_question(from: Option<IpAddr>, to: IpAddr, interface: u32) -> Vec<u8> {
    let (family, bits) = match to {
        IpAddr::V4(_) => (AF_INET, 32),
        IpAddr::V6(_) => (AF_INET6, 128),
    };
    let source_bits = if from.is_some() { bits } else { 0 };
    let mut bytes = vec![family, bits, source_bits];
    bytes.resize(12, 0);
    bytes.extend(attribute(RTA_DST, &octets(to)));
    if let Some(from) = from {
        bytes.extend(attribute(RTA_SRC, &octets(from)));
    }
    if interface != 0 {
        bytes.extend(attribute(RTA_OIF, &interface.to_ne_bytes()));
    }
    bytes
}

fn route(message: Message<'_>) -> Option<Route> {
    let body = (message.kind == RTM_NEWROUTE).then_some(message.body)?;
    let is_way = matches!(*body.get(7)?, RTN_UNICAST | RTN_LOCAL);
    if !is_way {
        return Some(Route::None);
    }
    let mut hop = Hop {
        interface: 0,
        gateway: None,
    };
    for (kind, value) in attributes(body.get(12..)?) {
        match kind {
            RTA_OIF => hop.interface = u32_at(value, 0)?,
            RTA_GATEWAY => hop.gateway = ip(value),
            // struct rtvia: a gateway of the other family.
            RTA_VIA => hop.gateway = value.get(2..).and_then(ip),
            _ => {}
        }
    }
    Some(Route::Via(hop))
}

/// The ways in an answer of the kernel's to a look-up.
///
/// # Errors
/// The kernel's own, told in the answer; `InvalidData` for bytes that are none.
pub fn parse_routes(answer: &[u8]) -> io::Result<Vec<Route>> {
    netlink::parse(answer, route)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(*bytes.first_chunk::<4>()?)),
        16 => Some(IpAddr::from(*bytes.first_chunk::<16>()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::netlink::sent;

    fn read<T>(kind: u16, body: &[u8], read: impl Fn(Message<'_>) -> Option<T>) -> Option<T> {
        let mut answer = netlink::Answer::new();
        answer.read(&sent(kind, 0, body), read).unwrap();
        answer.items.pop()
    }

    #[test]
    fn an_address_is_read_with_its_age() {
        let mut body = vec![2, 24, 0, 0, 7, 0, 0, 0];
        body.extend(attribute(IFA_ADDRESS, &[10, 8, 0, 1]));
        body.extend(attribute(IFA_LOCAL, &[10, 8, 0, 6]));
        let times = [u32::MAX, u32::MAX, 500, 700].map(u32::to_ne_bytes);
        body.extend(attribute(IFA_CACHEINFO, &times.concat()));
        let now = Duration::from_secs(65);
        let read = read(RTM_NEWADDR, &body, |message| address(message, now));
        let ours = IpAddr::from([10, 8, 0, 6]);
        assert_eq!(read, Some((ours, Some(Duration::from_secs(60)))));
    }

    #[test]
    fn ages_survive_the_end_of_the_counter() {
        let wrap = Duration::from_millis((1 << 32) * 10);
        for (created, now, seconds) in [
            (0, Duration::ZERO, 0),
            (100, Duration::from_secs(3), 2),
            (u32::MAX - 99, wrap + Duration::from_secs(1), 2),
            // A little ahead of our clock.
            (103, Duration::from_secs(1), 0),
        ] {
            assert_eq!(age(created, now), Duration::from_secs(seconds), "{created}");
        }
    }

    #[test]
    fn a_way_is_its_interface_and_gateway() {
        let body = |kind: u8, attributes: &[Vec<u8>]| {
            let head = vec![2, 32, 0, 0, 254, 3, 0, kind, 0, 0, 0, 0];
            [&[head], attributes].concat().concat()
        };
        let interface = attribute(RTA_OIF, &3_u32.to_ne_bytes());
        let gateway = attribute(RTA_GATEWAY, &[10, 0, 0, 1]);
        let via = attribute(RTA_VIA, &[&[10, 0][..], &[0; 15], &[1]].concat());
        let hop = |gateway: Option<&str>| {
            let gateway = gateway.map(|gateway| gateway.parse().unwrap());
            Some(Route::Via(Hop {
                interface: 3,
                gateway,
            }))
        };
        for (body, expected) in [
            (
                body(RTN_UNICAST, std::slice::from_ref(&interface)),
                hop(None),
            ),
            (
                body(RTN_UNICAST, &[interface.clone(), gateway]),
                hop(Some("10.0.0.1")),
            ),
            (
                body(RTN_UNICAST, &[interface.clone(), via]),
                hop(Some("::1")),
            ),
            (body(6, &[interface]), Some(Route::None)),
            (vec![2, 32], None),
        ] {
            assert_eq!(read(RTM_NEWROUTE, &body, route), expected, "{body:?}");
        }
    }

    #[test]
    fn the_kernel_tells_of_the_loopback() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert!(addresses().unwrap().contains_key(&loopback));
        assert!(is_local(IpAddr::from([127, 3, 2, 1])).unwrap());
        // TEST-NET-1: no interface of any machine has it.
        let nobodys = IpAddr::from([192, 0, 2, 1]);
        assert!(!is_local(nobodys).unwrap());
        let way = Way {
            from: loopback,
            to: loopback,
            interface: 0,
        };
        let hop = Hop {
            interface: 1,
            gateway: None,
        };
        assert_eq!(routes(&[way, way]).unwrap(), [Route::Via(hop); 2]);
        assert_eq!(routes(&[]).unwrap(), []);
    }
}
