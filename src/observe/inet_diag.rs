//! The kernel's table of TCP connections, from sock_diag: no privilege, no connection touched.
//!
//! A dump walks the whole hash table, which takes the kernel a millisecond where it is large; a connection that is
//! known is asked for by its addresses, which takes it a microsecond. Sources: sock_diag(7), `linux/inet_diag.h`,
//! `linux/tcp.h` and `tcp_get_info()` in tcp.c, which say what the numbers mean.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::SockProtocol;

use super::netlink::{self, Message, attributes, u16_at, u32_at};
use super::sock_diag::SOCK_DIAG_BY_FAMILY;
use crate::core::network::{Numbers, Recoveries, Timer};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

/// `INET_DIAG_INFO`, as an attribute, and as the bit that asks for it.
const ATTRIBUTE_INFO: u16 = 2;
const SHOW_INFO: u8 = 1 << (ATTRIBUTE_INFO - 1);

/// `struct inet_diag_sockid`: ports, addresses, interface and cookie.
const ID: usize = 48;

/// What the kernel knows a connection by, and never gives out twice in one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    family: u8,
    bytes: [u8; ID],
}

impl Id {
    /// The connection's cookie.
    pub(super) fn cookie(&self) -> u64 {
        let half = |offset| u64::from(u32_at(&self.bytes, offset).unwrap_or_default());
        half(40) | half(44) << 32
    }

    /// The interface it is bound to; 0 for none.
    pub(super) fn interface(&self) -> u32 {
        u32_at(&self.bytes, 36).unwrap_or_default()
    }

    fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        let port = |offset| Some(u16::from_be(u16_at(&self.bytes, offset)?));
        let address = |offset| {
            let bytes: &[u8; 16] = self.bytes.get(offset..)?.first_chunk()?;
            Some(match self.family {
                AF_INET => IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?)),
                // An IPv4 connection of an IPv6 socket.
                _ => Ipv6Addr::from(*bytes).to_canonical(),
            })
        };
        Some((
            SocketAddr::new(address(4)?, port(0)?),
            SocketAddr::new(address(20)?, port(2)?),
        ))
    }
}

/// One TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: Id,
    /// Its number in sockfs; 0 once its process has closed it.
    pub(super) inode: u32,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// `None` for one that listens.
    pub(super) numbers: Option<Numbers>,
}

/// Every TCP socket of this network namespace that is connected or listens.
///
/// # Errors
/// As for [`netlink::dump`].
pub(super) fn dump() -> io::Result<Vec<Row>> {
    let protocol = SockProtocol::NetlinkSockDiag;
    let mut rows = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let any = Id {
            family,
            bytes: [0; ID],
        };
        rows.extend(netlink::dump(
            protocol,
            SOCK_DIAG_BY_FAMILY,
            &question(&any),
            row,
        )?);
    }
    Ok(rows)
}

/// These connections as they are now, in this order; `None` for one that is gone.
///
/// # Errors
/// As for [`netlink::ask`].
pub(super) fn exactly<'a>(ids: impl IntoIterator<Item = &'a Id>) -> io::Result<Vec<Option<Row>>> {
    let questions: Vec<Vec<u8>> = ids.into_iter().map(question).collect();
    let protocol = SockProtocol::NetlinkSockDiag;
    let answers = netlink::ask(protocol, SOCK_DIAG_BY_FAMILY, &questions, row)?;
    Ok(answers
        .into_iter()
        .map(|answer| answer.ok().flatten())
        .collect())
}

/// `struct inet_diag_req_v2`.
fn question(id: &Id) -> Vec<u8> {
    let states = 1_u32 << ESTABLISHED | 1 << LISTEN;
    let mut bytes = vec![id.family, IPPROTO_TCP, SHOW_INFO, 0];
    bytes.extend(states.to_ne_bytes());
    bytes.extend(id.bytes);
    bytes
}

/// `struct inet_diag_msg` and its attributes; `None` for a socket in another state.
fn row(message: Message<'_>) -> Option<Row> {
    let body = (message.kind == SOCK_DIAG_BY_FAMILY).then_some(message.body)?;
    let [family, state, timer, ..] = *body.first_chunk::<4>()?;
    let id = Id {
        family,
        bytes: *body.get(4..)?.first_chunk()?,
    };
    let (local, remote) = id.addresses()?;
    let expires = milliseconds(u32_at(body, 52)?);
    let queued_bytes = u32_at(body, 60)?;
    let inode = u32_at(body, 68)?;
    let numbers = match state {
        LISTEN => None,
        ESTABLISHED => {
            let mut attributes = attributes(body.get(72..)?);
            let (_, info) = attributes.find(|(kind, _)| *kind == ATTRIBUTE_INFO)?;
            Some(numbers(info, queued_bytes, timer_of(timer), expires)?)
        }
        _ => return None,
    };
    Some(Row {
        id,
        inode,
        local,
        remote,
        numbers,
    })
}

/// `struct tcp_info`, which grows at its end from version to version.
fn numbers(info: &[u8], queued_bytes: u32, timer: Timer, expires: Duration) -> Option<Numbers> {
    let number = |offset| u32_at(info, offset);
    let recoveries = || {
        Some(Recoveries {
            count: u16_at(info, 242)?,
            time: milliseconds(number(244)?),
        })
    };
    Some(Numbers {
        queued_bytes,
        timer,
        expires,
        retransmits: *info.get(2)?,
        probes: *info.get(3)?,
        backoff: *info.get(4)?,
        rto: Duration::from_micros(number(8)?.into()),
        unacked: number(24)?,
        last_data_sent: milliseconds(number(44)?),
        last_data_received: milliseconds(number(52)?),
        last_ack_received: milliseconds(number(56)?),
        round_trip: Duration::from_micros(number(68)?.into()),
        recoveries: recoveries(),
    })
}

/// `idiag_timer`, as `inet_sk_diag_fill()` sets it.
const fn timer_of(number: u8) -> Timer {
    match number {
        1 => Timer::Retransmit,
        2 => Timer::KeepAlive,
        4 => Timer::Probe,
        _ => Timer::None,
    }
}

const fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number as u64)
}
