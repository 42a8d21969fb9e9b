//! That addresses, links or routes change: the multicast groups of rtnetlink(7).
//!
//! Much of what comes there is no change: a lease is renewed, a router repeats itself, a wireless card scans. What a
//! thing was like is remembered, so that only what is another counts.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use crate::observe::netlink::{BUFFER, Message, attributes, next_message, u32_at};

/// `RTMGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV6_IFADDR`, `_IPV6_ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

/// `IFF_UP`, `IFF_RUNNING` and `IFF_LOWER_UP`: whether anything can go through the link.
const LINK_STATE: u32 = 0x1 | 0x40 | 0x1_0000;

/// `IFA_F_TENTATIVE` and `IFA_F_DADFAILED`: whether the address can be used.
const ADDRESS_STATE: u8 = 0x40 | 0x08;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;

/// `RTM_F_CLONED`: an entry of the cache, no route.
const CLONED: u32 = 0x200;

/// The types of routes that lead somewhere or bar the way. Those that come with an address are no news beside it.
const ROUTE_TYPES: [u8; 4] = [1, 6, 7, 8];

/// More than this is forgotten: a router has a million routes, and then each counts once more.
const REMEMBERED: usize = 4096;

/// The subscription.
#[derive(Debug)]
pub(super) struct Network {
    socket: OwnedFd,
    known: RefCell<Known>,
}

impl Network {
    pub(super) fn subscribe() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Self {
            socket,
            known: RefCell::default(),
        })
    }

    /// Takes in what has come; tells whether anything has changed.
    pub(super) fn read(&self) -> bool {
        let mut known = self.known.borrow_mut();
        let mut buffer = vec![0; BUFFER];
        let mut has_changed = false;
        loop {
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
                Ok(length) => has_changed |= known.read(buffer.get(..length).unwrap_or_default()),
                Err(Errno::EINTR) => {}
                // Some were lost.
                Err(Errno::ENOBUFS) => has_changed = true,
                Err(_) => return has_changed,
            }
        }
    }
}

impl AsFd for Network {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What things were like when they were last told of.
#[derive(Debug, Default)]
struct Known(HashMap<Vec<u8>, Vec<u8>>);

impl Known {
    /// Whether a datagram tells of anything that is not known; one that cannot be read does.
    fn read(&mut self, mut datagram: &[u8]) -> bool {
        let mut has_changed = datagram.is_empty();
        loop {
            match next_message(&mut datagram) {
                Ok(Some(message)) => has_changed |= self.is_news(message),
                Ok(None) => return has_changed,
                Err(_) => return true,
            }
        }
    }

    fn is_news(&mut self, message: Message<'_>) -> bool {
        let thing = match message.kind {
            RTM_NEWLINK | RTM_DELLINK => link(message.body),
            RTM_NEWADDR | RTM_DELADDR => address(message.body),
            RTM_NEWROUTE | RTM_DELROUTE => route(message.body),
            _ => return false,
        };
        let Some(Thing { key, state }) = thing else {
            return false;
        };
        match message.kind {
            RTM_DELLINK | RTM_DELADDR | RTM_DELROUTE => {
                self.0.remove(&key);
                true
            }
            _ => {
                if self.0.len() >= REMEMBERED {
                    self.0.clear();
                }
                self.0.insert(key, state.clone()) != Some(state)
            }
        }
    }
}

/// Something of the network, and what it is like.
struct Thing {
    key: Vec<u8>,
    state: Vec<u8>,
}

/// `struct ifinfomsg`; a message of a bridge is about its ports.
fn link(body: &[u8]) -> Option<Thing> {
    let family = *body.first()?;
    let flags = u32_at(body, 8)?;
    (family == 0).then_some(())?;
    Some(Thing {
        key: [b"link", body.get(4..8)?].concat(),
        state: (flags & LINK_STATE).to_ne_bytes().to_vec(),
    })
}

/// `struct ifaddrmsg`.
fn address(body: &[u8]) -> Option<Thing> {
    let [family, prefix, flags, _, index @ ..] = *body.first_chunk::<8>()?;
    let mut key = [&b"address"[..], &[family, prefix], &index].concat();
    for (kind, value) in attributes(body.get(8..)?) {
        if matches!(kind, IFA_ADDRESS | IFA_LOCAL) {
            key.extend(value);
        }
    }
    let state = vec![flags & ADDRESS_STATE];
    Some(Thing { key, state })
}

/// `struct rtmsg`. Which route it is, is told by where it leads, its table and its priority; the rest is what it is
/// like, but for its lifetime.
fn route(body: &[u8]) -> Option<Thing> {
    let [family, to_bits, from_bits, tos, table, _, _, kind, ..] = *body.first_chunk::<12>()?;
    let flags = u32_at(body, 8)?;
    if !ROUTE_TYPES.contains(&kind) || flags & CLONED != 0 {
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
    Some(Thing { key, state })
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
    fn only_what_is_another_is_news() {
        let mut known = Known::default();
        for (what, bytes, is_news) in [
            ("a link", link(RTM_NEWLINK, 2, LINK_STATE), true),
            (
                "the card scans",
                link(RTM_NEWLINK, 2, LINK_STATE | 0x1000),
                false,
            ),
            ("no carrier", link(RTM_NEWLINK, 2, 1), true),
            ("another link", link(RTM_NEWLINK, 3, 1), true),
            ("it is gone", link(RTM_DELLINK, 3, 0), true),
            ("an address", address(RTM_NEWADDR, 6, 0, 9), true),
            (
                "its lease is renewed",
                address(RTM_NEWADDR, 6, 0, 10),
                false,
            ),
            ("another address", address(RTM_NEWADDR, 7, 0, 9), true),
            ("it is a duplicate", address(RTM_NEWADDR, 7, 8, 9), true),
            ("the address goes", address(RTM_DELADDR, 6, 0, 9), true),
            ("and comes back", address(RTM_NEWADDR, 6, 0, 9), true),
            ("a route", route(RTM_NEWROUTE, 1, 254, 1), true),
            (
                "the router repeats itself",
                route(RTM_NEWROUTE, 1, 254, 1),
                false,
            ),
            ("another gateway", route(RTM_NEWROUTE, 2, 254, 1), true),
            ("another table", route(RTM_NEWROUTE, 2, 10, 1), true),
            (
                "a route of an address",
                route(RTM_NEWROUTE, 2, 255, 2),
                false,
            ),
            ("the route goes", route(RTM_DELROUTE, 2, 254, 1), true),
            ("a neighbour", sent(28, 0, &[0; 12]), false),
        ] {
            assert_eq!(known.read(&bytes), is_news, "{what}");
        }
    }

    #[test]
    fn many_are_forgotten_and_damage_is_news() {
        let mut known = Known::default();
        for index in 0..=REMEMBERED {
            let mut body = vec![0; 16];
            body[4..8].copy_from_slice(&u32::try_from(index).unwrap().to_ne_bytes());
            assert!(known.read(&sent(RTM_NEWLINK, 0, &body)));
        }
        assert_eq!(known.0.len(), 1);
        assert!(known.read(&[1; 9]));
        assert!(known.read(&[]));
    }

    #[test]
    fn the_kernel_takes_the_subscription() {
        let network = Network::subscribe().unwrap();
        // Others may change something meanwhile; that the socket is empty afterwards is certain.
        network.read();
        let mut byte = [0];
        let empty = recv(network.socket.as_raw_fd(), &mut byte, MsgFlags::MSG_PEEK);
        assert_eq!(empty, Err(Errno::EAGAIN));
    }
}
