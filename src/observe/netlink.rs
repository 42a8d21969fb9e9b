//! Netlink requests with a deadline, and the parsing of datagrams into messages and attributes.
//!
//! Sources: netlink(7), `linux/netlink.h`, `af_netlink.c`.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

/// The kernel normally answers within milliseconds.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often a dump is requested while the kernel reports it as inconsistent.
const ATTEMPTS: u32 = 3;

/// The kernel sends at most 32 KiB at once (`netlink_dump()` in af_netlink.c).
pub(crate) const BUFFER: usize = 64 * 1024;

const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
/// Beyond the 16 bits of the kernel's flags.
const COMPLETE: u32 = 1 << 16;

/// The other bits of an attribute's type are flags.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One message: its type, and the body after its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) body: &'a [u8],
    flags: u16,
}

/// Requests all objects of a type. `read` makes an item of a message, or skips it.
///
/// If objects come and go meanwhile, the kernel may mark the dump as inconsistent. Then it is requested again, and after
/// [`ATTEMPTS`] the last one counts.
///
/// # Errors
/// Errors of socket, send and recv: `EPROTONOSUPPORT` or `ENOENT` without the kernel module, `EPERM` or `EACCES` in a
/// sandbox. `TimedOut` after two seconds; `InvalidData` if the answer cannot be parsed.
pub(super) fn dump<T>(
    protocol: SockProtocol,
    kind: u16,
    request: &[u8],
    read: impl Fn(Message<'_>) -> Option<T>,
) -> io::Result<Vec<T>> {
    collect(protocol, kind, request, |items: &mut Vec<T>, message| {
        items.extend(read(message));
    })
}

/// The same for a collection whose `add` adds a message.
pub(super) fn collect<C: Default>(
    protocol: SockProtocol,
    kind: u16,
    request: &[u8],
    add: impl Fn(&mut C, Message<'_>),
) -> io::Result<C> {
    let deadline = Instant::now() + DEADLINE;
    let mut buffer = vec![0; BUFFER];
    let mut attempt = 1;
    loop {
        let socket = open(protocol)?;
        send(&socket, &message(kind, NLM_F_DUMP, request))?;
        let mut all = C::default();
        let mut flags = 0;
        while flags & COMPLETE == 0 {
            let datagram = receive(&socket, &mut buffer, deadline)?;
            flags |= read_datagram(datagram, |message| add(&mut all, message))?;
        }
        if flags & u32::from(NLM_F_DUMP_INTR) == 0 || attempt == ATTEMPTS {
            return Ok(all);
        }
        attempt += 1;
    }
}

/// Sends requests that have one answer each. Returns in the same order what `read` makes of the message (`None` if it
/// skips it), or the kernel's errno.
pub(super) fn request_each<T>(
    protocol: SockProtocol,
    kind: u16,
    requests: impl IntoIterator<Item = Vec<u8>>,
    read: impl Fn(Message<'_>) -> Option<T>,
) -> io::Result<Vec<Result<Option<T>, Errno>>> {
    let deadline = Instant::now() + DEADLINE;
    let socket = open(protocol)?;
    let mut buffer = vec![0; BUFFER];
    let answer = |request: Vec<u8>| {
        send(&socket, &message(kind, 0, &request))?;
        let mut datagram = receive(&socket, &mut buffer, deadline)?;
        let message = next_message(&mut datagram)?.ok_or_else(|| invalid("no message"))?;
        Ok(match message.errno() {
            Some(errno) => Err(errno),
            None => Ok(read(message)),
        })
    };
    requests.into_iter().map(answer).collect()
}

/// Parses a whole answer to a dump, up to its end or an error.
pub(super) fn parse<'a, T>(
    answer: &'a [u8],
    read: impl Fn(Message<'a>) -> Option<T>,
) -> io::Result<Vec<T>> {
    let mut items = Vec::new();
    parse_each(answer, |message| items.extend(read(message)))?;
    Ok(items)
}

/// The same; calls `read` with each message.
pub(super) fn parse_each<'a>(answer: &'a [u8], read: impl FnMut(Message<'a>)) -> io::Result<()> {
    read_datagram(answer, read).map(drop)
}

fn open(protocol: SockProtocol) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    socket(AddressFamily::Netlink, SockType::Raw, flags, protocol).map_err(io::Error::from)
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), bytes, &kernel, MsgFlags::MSG_DONTWAIT)?;
    Ok(())
}

fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8], deadline: Instant) -> io::Result<&'a [u8]> {
    // The kernel answers during the send, so the answer is mostly there.
    let mut flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
    loop {
        match recv(socket.as_raw_fd(), buffer, flags) {
            Ok(length) => {
                return buffer
                    .get(..length)
                    .ok_or_else(|| invalid("a message that is too long"));
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                flags = MsgFlags::MSG_TRUNC;
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // A timeout of zero would wait for ever.
                let micros = i64::try_from(left.as_micros()).unwrap_or(i64::MAX).max(1);
                let left = TimeVal::new(micros / 1_000_000, micros % 1_000_000);
                setsockopt(socket, sockopt::ReceiveTimeout, &left)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// `struct nlmsghdr` in native byte order, and the body. The kernel fills in the port; there is one answer at a time, so
/// no sequence number is needed.
fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Parses one datagram of a dump, and calls `read` with each of its messages. Returns the flags of all of them, with
/// [`COMPLETE`] after the last datagram.
fn read_datagram<'a>(mut datagram: &'a [u8], mut read: impl FnMut(Message<'a>)) -> io::Result<u32> {
    let mut flags = 0;
    while flags & COMPLETE == 0
        && let Some(message) = next_message(&mut datagram)?
    {
        flags |= u32::from(message.flags);
        match message.errno() {
            Some(errno) => return Err(errno.into()),
            None if matches!(message.kind, NLMSG_ERROR | NLMSG_DONE) => flags |= COMPLETE,
            None => read(message),
        }
    }
    Ok(flags)
}

impl Message<'_> {
    /// The kernel's error. An error message and the end of a dump both begin with a negative errno or 0; older kernels
    /// end a dump without one.
    fn errno(&self) -> Option<Errno> {
        let code = match self.kind {
            NLMSG_ERROR | NLMSG_DONE => u32_at(self.body, 0).map_or(0, u32::cast_signed),
            _ => 0,
        };
        (code < 0).then(|| Errno::from_raw(code.saturating_neg()))
    }
}

/// Splits the first message off a datagram; `None` if nothing is left, `InvalidData` if it cannot be parsed.
pub(crate) fn next_message<'a>(datagram: &mut &'a [u8]) -> io::Result<Option<Message<'a>>> {
    if datagram.is_empty() {
        return Ok(None);
    }
    let length = u32_at(datagram, 0).and_then(|length| usize::try_from(length).ok());
    let message = length
        .and_then(|length| datagram.get(..length))
        .ok_or_else(|| invalid("a truncated message"))?;
    let (Some(kind), Some(flags), Some(body)) = (
        u16_at(message, 4),
        u16_at(message, 6),
        message.get(HEADER..),
    ) else {
        return Err(invalid("a message without a header"));
    };
    *datagram = datagram
        .get(message.len().next_multiple_of(4)..)
        .unwrap_or_default();
    Ok(Some(Message { kind, body, flags }))
}

/// The type and value of each attribute of a message, up to a truncated one.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn invalid(problem: &str) -> io::Error {
    let text = format!("invalid netlink answer: {problem}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
pub(crate) fn sent(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = message(kind, flags, body);
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn end_and_errors_of_a_dump_are_recognised() {
        let refused = (-13_i32).to_ne_bytes();
        let interrupted = 2 | NLM_F_DUMP_INTR;
        for (bytes, result) in [
            (sent(NLMSG_DONE, 2, &[0; 4]), Ok(COMPLETE | 2)),
            (sent(NLMSG_DONE, 2, &[]), Ok(COMPLETE | 2)),
            (
                sent(NLMSG_DONE, interrupted, &[]),
                Ok(COMPLETE | u32::from(interrupted)),
            ),
            (sent(NLMSG_DONE, 2, &refused), Err(Some(13))),
            (sent(NLMSG_ERROR, 0, &refused), Err(Some(13))),
            (sent(20, 0, &[]), Ok(0)),
            (vec![0; 16], Err(None)),
            (vec![1; 7], Err(None)),
        ] {
            let flags = read_datagram(&bytes, drop);
            let flags = flags.map_err(|error| error.raw_os_error());
            assert_eq!(flags, result, "{bytes:?}");
        }
    }

    #[test]
    fn written_attributes_are_read_back() {
        let bytes = [
            attribute(1, b"abc"),
            attribute(2, b""),
            attribute(3, b"abcd"),
        ]
        .concat();
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(read, [(1, &b"abc"[..]), (2, b""), (3, b"abcd")]);
    }

    #[test]
    fn answers_are_in_the_order_of_requests() {
        // RTM_GETLINK: interface 1 is always the loopback, and a negative index is invalid.
        let request = |index: i32| [&[0; 4], &index.to_ne_bytes()[..], &[0; 8]].concat();
        let requests = (0..70).map(|number| request(if number % 2 == 0 { 1 } else { -number }));
        let index = |message: Message<'_>| u32_at(message.body, 4);
        let answers = request_each(SockProtocol::NetlinkRoute, 18, requests, index).unwrap();
        assert_eq!(answers.len(), 70);
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.is_ok(), number % 2 == 0, "{number}: {answer:?}");
            assert!(answer.is_err() || answer == Ok(Some(1)), "{number}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut items = Vec::new();
            let _ = read_datagram(&bytes, |message| items.push(message.kind));
            prop_assert!(items.len() <= bytes.len() / HEADER);
            prop_assert!(attributes(&bytes).count() <= bytes.len() / 4);
        }
    }
}
