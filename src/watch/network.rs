//! Changes of addresses, links and routes: the multicast groups of rtnetlink(7).
//!
//! Many messages are no change: a lease is renewed, a router repeats its advertisement, a wireless card scans. So the
//! last state of each address, link and route is kept, and only a different one counts.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc::{
    IFA_F_DADFAILED, IFA_F_TENTATIVE, IFF_LOWER_UP, IFF_RUNNING, IFF_UP, RTA_MULTIPATH,
    RTA_PRIORITY, RTA_TABLE, RTM_DELADDR, RTM_DELLINK, RTM_DELROUTE, RTM_F_CLONED, RTM_NEWLINK,
    RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE, RTMGRP_LINK,
};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use crate::observe::netlink::{BUFFER, Message, attributes, next_message, u32_at};
use crate::observe::rtnetlink::{
    IFA_ADDRESS, IFA_LOCAL, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_SRC, RTA_VIA, RTM_NEWADDR,
    RTM_NEWROUTE,
};

const GROUPS: u32 =
    (RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE)
        .cast_unsigned();

/// Whether the link can carry packets.
const LINK_STATE: u32 = (IFF_UP | IFF_RUNNING | IFF_LOWER_UP).cast_unsigned();

/// Whether the address can be used.
const ADDRESS_STATE: u32 = IFA_F_TENTATIVE | IFA_F_DADFAILED;

/// Unicast, blackhole, unreachable, prohibit. Other routes come and go with an address.
const ROUTE_TYPES: [u8; 4] = [1, 6, 7, 8];

/// A router may have a million routes: beyond this number the states are forgotten, and each message counts again.
const MAX_STATES: usize = 4096;

/// Returns a socket with the messages.
pub(super) fn subscribe() -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    Ok(socket)
}

/// The last known state of each address, link and route.
#[derive(Debug, Default)]
pub(super) struct States(HashMap<Vec<u8>, Vec<u8>>);

impl States {
    /// Reads all messages. Returns whether anything changed.
    pub(super) fn read(&mut self, socket: &OwnedFd) -> bool {
        let mut buffer = vec![0; BUFFER];
        let mut has_changed = false;
        loop {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
                Ok(length) => {
                    has_changed |= self.update(buffer.get(..length).unwrap_or_default());
                }
                Err(Errno::EINTR) => {}
                // Messages were lost.
                Err(Errno::ENOBUFS) => has_changed = true,
                Err(_) => return has_changed,
            }
        }
    }

    /// Returns whether a datagram holds a different state, or cannot be read.
    fn update(&mut self, mut datagram: &[u8]) -> bool {
        let mut has_changed = datagram.is_empty();
        loop {
            match next_message(&mut datagram) {
                Ok(Some(message)) => has_changed |= self.is_change(message),
                Ok(None) => return has_changed,
                Err(_) => return true,
            }
        }
    }

    fn is_change(&mut self, message: Message<'_>) -> bool {
        let object = match message.kind {
            RTM_NEWLINK | RTM_DELLINK => link(message.body),
            RTM_NEWADDR | RTM_DELADDR => address(message.body),
            RTM_NEWROUTE | RTM_DELROUTE => route(message.body),
            _ => return false,
        };
        let Some((key, state)) = object else {
            return false;
        };
        match message.kind {
            RTM_DELLINK | RTM_DELADDR | RTM_DELROUTE => {
                self.0.remove(&key);
                true
            }
            _ => {
                if self.0.len() >= MAX_STATES {
                    self.0.clear();
                }
                self.0.insert(key, state.clone()) != Some(state)
            }
        }
    }
}

/// The key and the state of an address, link or route.
type Object = (Vec<u8>, Vec<u8>);

/// `struct ifinfomsg`; one of family AF_BRIDGE is about a port of a bridge.
fn link(body: &[u8]) -> Option<Object> {
    let family = *body.first()?;
    let flags = u32_at(body, 8)?;
    (family == 0).then_some(())?;
    let state = (flags & LINK_STATE).to_ne_bytes().to_vec();
    Some(([b"link", body.get(4..8)?].concat(), state))
}

/// `struct ifaddrmsg`.
fn address(body: &[u8]) -> Option<Object> {
    let [family, prefix, flags, _, index @ ..] = *body.first_chunk::<8>()?;
    let mut key = [&b"address"[..], &[family, prefix], &index].concat();
    for (kind, value) in attributes(body.get(8..)?) {
        if matches!(kind, IFA_ADDRESS | IFA_LOCAL) {
            key.extend(value);
        }
    }
    let state = u32::from(flags) & ADDRESS_STATE;
    Some((key, state.to_ne_bytes().to_vec()))
}

/// `struct rtmsg`. Destination, source, table and priority identify a route; interface and gateway are its state.
fn route(body: &[u8]) -> Option<Object> {
    let [family, to_bits, from_bits, tos, table, _, _, kind, ..] = *body.first_chunk::<12>()?;
    let flags = u32_at(body, 8)?;
    if !ROUTE_TYPES.contains(&kind) || flags & RTM_F_CLONED != 0 {
        return None;
    }
    let mut key = [&b"route"[..], &[family, to_bits, from_bits, tos, table]].concat();
    let mut state = vec![kind];
    for (kind, value) in attributes(body.get(12..)?) {
        match kind {
            RTA_DST | RTA_SRC | RTA_PRIORITY | RTA_TABLE => key.extend(value),
            RTA_OIF | RTA_GATEWAY | RTA_MULTIPATH | RTA_VIA => state.extend(value),
            _ => {}
        }
    }
    Some((key, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::netlink::{attribute, sent};

    fn link(kind: u16, index: u8, flags: u32) -> Vec<u8> {
        let mut body = vec![0, 0, 1, 0, index, 0, 0, 0];
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        sent(kind, 0, &body)
    }

    fn address(kind: u16, last: u8, flags: u8, lifetime: u8) -> Vec<u8> {
        let mut body = vec![2, 24, flags, 0, 7, 0, 0, 0];
        body.extend(attribute(IFA_LOCAL, &[10, 8, 0, last]));
        body.extend(attribute(6, &[lifetime; 16]));
        sent(kind, 0, &body)
    }

    fn route(kind: u16, gateway: u8, table: u8, route_type: u8) -> Vec<u8> {
        let mut body = vec![2, 0, 0, 0, table, 3, 0, route_type, 0, 0, 0, 0];
        body.extend(attribute(RTA_GATEWAY, &[10, 8, 0, gateway]));
        sent(kind, 0, &body)
    }

    #[test]
    fn only_a_different_state_is_a_change() {
        let mut states = States::default();
        let address_of_lease = |lifetime| address(RTM_NEWADDR, 6, 0, lifetime);
        let scanning = LINK_STATE | 0x1000;
        for (message, bytes, is_change) in [
            ("a link", link(RTM_NEWLINK, 2, LINK_STATE), true),
            ("the card scans", link(RTM_NEWLINK, 2, scanning), false),
            ("no carrier", link(RTM_NEWLINK, 2, 1), true),
            ("another link", link(RTM_NEWLINK, 3, 1), true),
            ("it is removed", link(RTM_DELLINK, 3, 0), true),
            ("an address", address_of_lease(9), true),
            ("its lease is renewed", address_of_lease(10), false),
            ("another address", address(RTM_NEWADDR, 7, 0, 9), true),
            ("it is a duplicate", address(RTM_NEWADDR, 7, 8, 9), true),
            ("the address goes", address(RTM_DELADDR, 6, 0, 9), true),
            ("and comes back", address_of_lease(9), true),
            ("a route", route(RTM_NEWROUTE, 1, 254, 1), true),
            ("it is repeated", route(RTM_NEWROUTE, 1, 254, 1), false),
            ("another gateway", route(RTM_NEWROUTE, 2, 254, 1), true),
            ("another table", route(RTM_NEWROUTE, 2, 10, 1), true),
            ("a local route", route(RTM_NEWROUTE, 2, 255, 2), false),
            ("the route goes", route(RTM_DELROUTE, 2, 254, 1), true),
            ("a neighbour", sent(28, 0, &[0; 12]), false),
        ] {
            assert_eq!(states.update(&bytes), is_change, "{message}");
        }
    }

    #[test]
    fn states_are_limited_and_damage_is_a_change() {
        let mut states = States::default();
        for index in 0..=MAX_STATES {
            let mut body = vec![0; 16];
            body[4..8].copy_from_slice(&u32::try_from(index).unwrap().to_ne_bytes());
            assert!(states.update(&sent(RTM_NEWLINK, 0, &body)));
        }
        assert_eq!(states.0.len(), 1);
        assert!(states.update(&[1; 9]));
        assert!(states.update(&[]));
    }

    #[test]
    fn kernel_accepts_the_subscription() {
        let socket = subscribe().unwrap();
        // The network may change meanwhile, but afterwards the socket is empty.
        States::default().read(&socket);
        let mut byte = [0];
        let empty = recv(socket.as_raw_fd(), &mut byte, MsgFlags::MSG_PEEK);
        assert_eq!(empty, Err(Errno::EAGAIN));
    }
}
