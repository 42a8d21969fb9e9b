//! Addresses of the interfaces and routes to destinations, from rtnetlink(7), without privileges.
//!
//! Sources: `linux/if_addr.h`, `linux/rtnetlink.h`, and for the answers to a lookup `inet_rtm_getroute()` and
//! `inet6_rtm_getroute()`.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use nix::time::{ClockId, clock_gettime};

use super::netlink::{self, Message, attribute, attributes, u32_at};
use crate::model::network::{Hop, Route};

pub(crate) const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
pub(crate) const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

pub(crate) const IFA_ADDRESS: u16 = 1;
pub(crate) const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;

pub(crate) const RTA_DST: u16 = 1;
pub(crate) const RTA_SRC: u16 = 2;
pub(crate) const RTA_OIF: u16 = 4;
pub(crate) const RTA_GATEWAY: u16 = 5;
pub(crate) const RTA_VIA: u16 = 18;

const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;

/// Every address of every interface with its age, `None` if the kernel does not report it.
pub(super) fn addresses() -> io::Result<HashMap<IpAddr, Option<Duration>>> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    let read = |message: Message<'_>| address(message, now);
    let request = [0; 8]; // struct ifaddrmsg of any family
    let all = netlink::dump(SockProtocol::NetlinkRoute, RTM_GETADDR, &request, read)?;
    let mut addresses = HashMap::new();
    for (address, age) in all {
        // An address of two interfaces is as old as the older one.
        let known = addresses.entry(address).or_insert(age);
        *known = (*known).max(age);
    }
    Ok(addresses)
}

/// Parses the kernel's answer. `now` is CLOCK_MONOTONIC.
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
            // The peer's address on a point-to-point link, otherwise the same as IFA_LOCAL.
            IFA_ADDRESS => peer = ip(value),
            IFA_CACHEINFO => created = u32_at(value, 8),
            _ => {}
        }
    }
    let age = created.map(|created| age(created, now));
    Some((local.or(peer)?, age))
}

/// `ifa_cacheinfo.cstamp` counts hundredths of a second of CLOCK_MONOTONIC, and wraps after 497 days.
fn age(created: u32, now: Duration) -> Duration {
    let now = now.as_millis() / 10 % (1 << 32);
    let now = u32::try_from(now).unwrap_or_default();
    // A new address may have a stamp slightly ahead of `now`.
    let age = now.wrapping_sub(created).cast_signed().max(0);
    Duration::from_millis(u64::from(age.unsigned_abs()) * 10)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Endpoints {
    /// `None` for a connection that does not exist yet.
    pub(super) from: Option<IpAddr>,
    pub(super) to: IpAddr,
    /// The index of the interface that the connection is bound to, or 0.
    pub(super) interface: u32,
}

/// The current route between each of these endpoints.
pub(super) fn routes(all: BTreeSet<Endpoints>) -> io::Result<HashMap<Endpoints, Route>> {
    let requests = all
        .iter()
        .map(|one| route_request(one.from, one.to, one.interface));
    let protocol = SockProtocol::NetlinkRoute;
    let answers = netlink::request_each(protocol, RTM_GETROUTE, requests, route)?;
    let route = |answer| match answer {
        Ok(Some(route)) => route,
        // Routes of type unreachable give EHOSTUNREACH, and prohibit EACCES. Those of type blackhole give EINVAL, which
        // has other causes too.
        Err(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EACCES) => Route::None,
        Ok(None) | Err(_) => Route::Unknown,
    };
    Ok(all
        .into_iter()
        .zip(answers.into_iter().map(route))
        .collect())
}

/// Whether a local route covers the address, which makes it this machine's even if no interface has it.
pub(super) fn is_local(address: IpAddr) -> io::Result<bool> {
    let request = route_request(None, address, 0);
    let read = |message: Message<'_>| message.body.get(7).copied();
    let protocol = SockProtocol::NetlinkRoute;
    let answers = netlink::request_each(protocol, RTM_GETROUTE, [request], read)?;
    Ok(matches!(answers[..], [Ok(Some(RTN_LOCAL))]))
}

/// `struct rtmsg` and attributes.
fn route_request(from: Option<IpAddr>, to: IpAddr, interface: u32) -> Vec<u8> {
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
    if !matches!(*body.get(7)?, RTN_UNICAST | RTN_LOCAL) {
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
            // `struct rtvia`: a gateway of the other address family.
            RTA_VIA => hop.gateway = value.get(2..).and_then(ip),
            _ => {}
        }
    }
    Some(Route::Via(hop))
}

/// Parses the kernel's answer to a lookup.
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
        netlink::parse(&sent(kind, 0, body), read).unwrap().pop()
    }

    #[test]
    fn address_is_parsed_with_its_age() {
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
    fn age_is_right_after_the_counter_wraps() {
        let wrap = Duration::from_millis((1 << 32) * 10);
        for (created, now, seconds) in [
            (0, Duration::ZERO, 0),
            (100, Duration::from_secs(3), 2),
            (u32::MAX - 99, wrap + Duration::from_secs(1), 2),
            // Slightly ahead of `now`.
            (103, Duration::from_secs(1), 0),
        ] {
            assert_eq!(age(created, now), Duration::from_secs(seconds), "{created}");
        }
    }

    #[test]
    fn route_is_parsed_with_interface_and_gateway() {
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
    fn kernel_reports_the_loopback() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert!(addresses().unwrap().contains_key(&loopback));
        assert!(is_local(IpAddr::from([127, 3, 2, 1])).unwrap());
        // TEST-NET-1 (RFC 5737) is not assigned to any machine.
        let unassigned = IpAddr::from([192, 0, 2, 1]);
        assert!(!is_local(unassigned).unwrap());
        let endpoints = Endpoints {
            from: Some(loopback),
            to: loopback,
            interface: 0,
        };
        let hop = Hop {
            interface: 1,
            gateway: None,
        };
        let expected = HashMap::from([(endpoints, Route::Via(hop))]);
        assert_eq!(routes(BTreeSet::from([endpoints])).unwrap(), expected);
    }
}
