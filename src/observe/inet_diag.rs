//! TCP connections from sock_diag, without privileges; no connection is touched.
//!
//! A dump walks the kernel's hash table, which takes a millisecond if it is large. The lookup of a known connection by
//! its addresses takes a microsecond. So a dump is of both address families, which only the older form of the request can
//! ask for (`inet_diag_dump_compat()` in inet_diag.c). Sources: sock_diag(7), `linux/inet_diag.h`, and for the meaning of the numbers
//! `linux/tcp.h` and `tcp_get_info()` in tcp.c.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::sys::socket::SockProtocol;

use super::netlink::{self, Message, attributes, u16_at, u32_at};
use super::sock_diag::SOCK_DIAG_BY_FAMILY;
use crate::model::ids::UserId;
use crate::model::network::{Numbers, Recoveries, Timer};

/// `TCPDIAG_GETSOCK`, the older form of `SOCK_DIAG_BY_FAMILY`.
const TCP_OF_ANY_FAMILY: u16 = 18;

const PROTOCOL: SockProtocol = SockProtocol::NetlinkSockDiag;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
const ESTABLISHED: u8 = 1;
const CLOSE_WAIT: u8 = 8;
const LISTEN: u8 = 10;

/// `INET_DIAG_INFO`, as an attribute, and as the bit that asks for it.
const ATTRIBUTE_INFO: u16 = 2;
const SHOW_INFO: u8 = 1 << (ATTRIBUTE_INFO - 1);

/// `struct inet_diag_sockid`: ports, addresses, interface and cookie.
const ID: usize = 48;

/// The identity of a connection; unique within one boot because of its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionId {
    family: u8,
    bytes: [u8; ID],
}

impl ConnectionId {
    #[must_use]
    pub fn cookie(&self) -> u64 {
        let half = |offset| u64::from(u32_at(&self.bytes, offset).unwrap_or_default());
        half(40) | half(44) << 32
    }

    /// The index of the interface that the connection is bound to, or 0.
    #[must_use]
    pub fn interface(&self) -> u32 {
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: ConnectionId,
    /// The inode in sockfs; 0 after the process has closed the socket.
    pub inode: u32,
    /// The creator of the socket.
    pub uid: UserId,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// `None` for a listener.
    pub numbers: Option<Numbers>,
}

/// Every connected or listening TCP socket of this network namespace.
pub(super) fn dump() -> io::Result<Vec<Row>> {
    let request = request_all(SHOW_INFO, 1 << ESTABLISHED | 1 << LISTEN);
    netlink::dump(PROTOCOL, TCP_OF_ANY_FAMILY, &request, row)
}

/// Every connection of this network namespace to one of these ports.
pub(super) fn connections_to(ports: BTreeSet<u16>) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for port in ports {
        for family in [AF_INET, AF_INET6] {
            let mut bytes = [0; ID];
            bytes[2..4].copy_from_slice(&port.to_be_bytes());
            let request = request(&ConnectionId { family, bytes });
            rows.extend(netlink::dump(PROTOCOL, SOCK_DIAG_BY_FAMILY, &request, row)?);
        }
    }
    Ok(rows)
}

/// A TCP socket without its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) inode: u32,
    pub(super) local: SocketAddr,
    pub(super) listens: bool,
}

/// Every listening TCP socket of this network namespace, and every connection that this end has not closed.
pub(super) fn endpoints() -> io::Result<Vec<Endpoint>> {
    let request = request_all(0, 1 << ESTABLISHED | 1 << CLOSE_WAIT | 1 << LISTEN);
    netlink::dump(PROTOCOL, TCP_OF_ANY_FAMILY, &request, endpoint)
}

fn endpoint(message: Message<'_>) -> Option<Endpoint> {
    let body = body(message)?;
    let [family, state, ..] = *body.first_chunk::<4>()?;
    let bytes = *body.get(4..)?.first_chunk()?;
    let (local, _) = ConnectionId { family, bytes }.addresses()?;
    Some(Endpoint {
        inode: u32_at(body, 68)?,
        local,
        listens: state == LISTEN,
    })
}

/// The current rows of these connections, in this order; `None` for a closed one.
pub(super) fn lookup<'a>(
    ids: impl IntoIterator<Item = &'a ConnectionId>,
) -> io::Result<Vec<Option<Row>>> {
    let requests = ids.into_iter().map(request);
    let answers = netlink::request_each(PROTOCOL, SOCK_DIAG_BY_FAMILY, requests, row)?;
    let rows = answers.into_iter().map(|answer| answer.ok().flatten());
    Ok(rows.collect())
}

/// Parses the kernel's answer to a dump, as received from the socket.
pub fn parse(answer: &[u8]) -> io::Result<Vec<Row>> {
    netlink::parse(answer, row)
}

/// `struct inet_diag_req`.
fn request_all(shown: u8, states: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, shown];
    bytes.extend([0; ID]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes
}

/// `struct inet_diag_req_v2`.
fn request(id: &ConnectionId) -> Vec<u8> {
    let states = 1_u32 << ESTABLISHED | 1 << LISTEN;
    let mut bytes = vec![id.family, IPPROTO_TCP, SHOW_INFO, 0];
    bytes.extend(states.to_ne_bytes());
    bytes.extend(id.bytes);
    bytes
}

/// The answer to either form of the request.
fn body(message: Message<'_>) -> Option<&[u8]> {
    matches!(message.kind, SOCK_DIAG_BY_FAMILY | TCP_OF_ANY_FAMILY).then_some(message.body)
}

/// `struct inet_diag_msg` and its attributes; `None` for a socket in another state.
fn row(message: Message<'_>) -> Option<Row> {
    let body = body(message)?;
    let [family, state, timer, ..] = *body.first_chunk::<4>()?;
    let id = ConnectionId {
        family,
        bytes: *body.get(4..)?.first_chunk()?,
    };
    let (local, remote) = id.addresses()?;
    let expires = milliseconds(u32_at(body, 52)?);
    let queued_bytes = u32_at(body, 60)?;
    let uid = UserId(u32_at(body, 64)?);
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
        uid,
        local,
        remote,
        numbers,
    })
}

/// `struct tcp_info`, which newer kernels extend at its end.
fn numbers(info: &[u8], queued_bytes: u32, timer: Timer, expires: Duration) -> Option<Numbers> {
    let number = |offset| u32_at(info, offset);
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
        recoveries: u16_at(info, 242)
            .zip(number(244).map(milliseconds))
            .map(|(count, time)| Recoveries { count, time }),
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::observe::netlink::sent;

    /// `struct inet_diag_msg` of Linux 6.18: an idle connection, and one with lost data.
    const IDLE: &str = "\
        02010200bd4808ae0a4d00010000000000000000000000000a630009000000000000000000000000000000007e6a02000000\
        000058c26c00000000000000000000000000d35951001c010200010000000007aa01802c0300409c0000a8050000a8050000\
        0000000000000000000000000000000000000000241a010000000000e8190100e8190100dc050000881f0100d2140000c118\
        0000ffffff7f13000000a805000003000000282300009038000000000000e853144d00000000ffffffffffffffff320d0000\
        00000000f90c000000000000100000000e0000000000000008000000090000000900000080ae931500000000a00901000000\
        0000000000000000000000000000000000000a00000000000000310d00000000000000000000000000000000000000000000\
        0000000000300100002001000000000000000000000000000000000000000000000000000000000000000000000000000000\
        000000000000";
    const LOST: &str = "\
        02010102c19c08ae0a4d00010000000000000000000000000a63000900000000000000000000000000000000d45402000000\
        00005c050000000000003400000000000000b2724c001c010200010402000107aa01c0f62500409c0000a8050000a8050000\
        01000000000000000100000001000000000000005c0400000000000044b3000044b30000dc050000cf4a01007bfe01004163\
        0300ffffff7f01000000a805000003000000102700009038000057000000fbfb784600000000ffffffffffffffff621f0000\
        00000000b11f0000000000009400000039000000000000000b000000280000007d0000006dc7a81800000000807d51100000\
        00000000000000000000000000000000000025000000000000004131000000000000ac110000000000000000000000000000\
        00000000004c0100004c010062000000620005000e1904000000000000000000000000000000000000000000000000000000\
        000000000000";

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks_exact(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn read(body: &[u8]) -> Vec<Row> {
        parse(&sent(SOCK_DIAG_BY_FAMILY, 2, body)).unwrap_or_default()
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn recorded_connections_are_parsed() {
        let ms = Duration::from_millis;
        let [idle, lost] = [IDLE, LOST].map(|hex| read(&bytes(hex)).remove(0));
        assert_eq!(idle.inode, 0x51_59d3);
        assert_eq!(idle.id.cookie(), 0x2_6a7e);
        assert_eq!(idle.local, address("10.77.0.1:48456"));
        assert_eq!(idle.remote, address("10.99.0.9:2222"));
        assert_eq!(
            idle.numbers,
            Some(Numbers {
                queued_bytes: 0,
                unacked: 0,
                retransmits: 0,
                probes: 0,
                backoff: 0,
                rto: ms(208),
                round_trip: Duration::from_micros(5330),
                timer: Timer::KeepAlive,
                expires: ms(7_127_640),
                last_data_sent: ms(72_228),
                last_data_received: ms(72_168),
                last_ack_received: ms(72_168),
                recoveries: Some(Recoveries {
                    count: 0,
                    time: ms(0)
                }),
            })
        );
        assert_eq!(
            lost.numbers,
            Some(Numbers {
                queued_bytes: 52,
                unacked: 1,
                retransmits: 2,
                probes: 0,
                backoff: 1,
                rto: ms(2488),
                round_trip: Duration::from_micros(130_683),
                timer: Timer::Retransmit,
                expires: ms(1372),
                last_data_sent: ms(1116),
                last_data_received: ms(45_892),
                last_ack_received: ms(45_892),
                recoveries: Some(Recoveries {
                    count: 5,
                    time: ms(268_558)
                }),
            })
        );
    }

    #[test]
    fn tcp_info_of_older_kernel_has_no_recoveries() {
        // Linux 4.6: tcp_info ends after tcpi_min_rtt and the segment counters.
        let mut body = bytes(LOST);
        body.truncate(72 + 4 + 160);
        body[72..74].copy_from_slice(&164_u16.to_ne_bytes());
        let numbers = read(&body).remove(0).numbers.unwrap();
        assert_eq!((numbers.retransmits, numbers.recoveries), (2, None));
    }

    #[test]
    fn other_states_and_message_types_are_skipped() {
        let mut closing = bytes(IDLE);
        closing[1] = 4;
        assert_eq!(read(&closing), []);
        let mut listening = bytes(IDLE);
        listening[1] = LISTEN;
        assert_eq!(read(&listening)[0].numbers, None);
        assert_eq!(parse(&sent(19, 2, &bytes(IDLE))).unwrap(), []);
    }

    #[test]
    fn ipv4_mapped_address_becomes_ipv4() {
        let mut body = bytes(IDLE);
        body[0] = AF_INET6;
        body[8..24].copy_from_slice(&Ipv4Addr::new(10, 0, 0, 7).to_ipv6_mapped().octets());
        body[24..40].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        let row = read(&body).remove(0);
        assert_eq!(row.local, address("10.0.0.7:48456"));
        assert_eq!(row.remote, address("[2001:db8::1]:2222"));
    }

    #[test]
    fn kernel_finds_a_connection_again_until_it_is_closed() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(any) else {
                continue; // A machine without IPv6.
            };
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = listener.accept().unwrap();
            client.write_all(b"unread").unwrap();
            let inode = std::fs::metadata(format!(
                "/proc/self/fd/{}",
                std::os::fd::AsRawFd::as_raw_fd(&client)
            ));
            let inode = inode.unwrap().ino();
            let rows = dump().unwrap();
            let find = |local| rows.iter().find(|row| row.local == local).unwrap();
            let row = find(client.local_addr().unwrap());
            assert_eq!(u64::from(row.inode), inode);
            assert_eq!(row.remote, client.peer_addr().unwrap());
            assert!(row.numbers.is_some());
            assert_eq!(find(listener.local_addr().unwrap()).numbers, None);

            let to_port = connections_to([row.remote.port()].into()).unwrap();
            assert!(to_port.iter().any(|other| other.id == row.id));
            assert!(
                to_port
                    .iter()
                    .all(|other| other.remote.port() == row.remote.port())
            );

            let again = lookup([&row.id]).unwrap().remove(0).unwrap();
            assert_eq!((again.id, again.inode), (row.id, row.inode));
            let id = row.id;
            drop(server);
            drop(client);
            // A child that another test forks now holds the connection until it execs.
            let deadline = std::time::Instant::now() + Duration::from_secs(20);
            while lookup([&id]).unwrap() != [None] {
                assert!(std::time::Instant::now() < deadline, "it is still there");
            }
        }
    }
}
