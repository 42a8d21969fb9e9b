//! Netlink, as far as all questions to the kernel are alike: sending, receiving within a deadline, taking datagrams
//! apart into messages and messages into attributes.
//!
//! What a message says is its reader's to know. Sources: netlink(7), `linux/netlink.h`, `af_netlink.c`.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

/// How long the kernel may take for one answer. It answers within milliseconds.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often a dump is asked for while the kernel says that it was not consistent.
const ATTEMPTS: u32 = 3;

/// How many questions are sent at once: their answers have to fit the socket's receive buffer.
const AT_ONCE: usize = 32;

/// The kernel sends at most 32 KiB at once (`netlink_dump()` in af_netlink.c).
pub(crate) const BUFFER: usize = 64 * 1024;

const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;

/// The bits of an attribute's type that say how it is coded.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One message: its type and what stands behind its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) body: &'a [u8],
    flags: u16,
    sequence: u32,
}

/// Asks for everything of a kind. `read` makes an item of a message, or nothing.
///
/// When things come and go in between the kernel may say that the answer was not consistent; then it is asked again a
/// few times, and the last answer counts as it is.
///
/// # Errors
/// Whatever socket, send or receive say: `EPROTONOSUPPORT` or `ENOENT` without the kernel module, `EPERM` or
/// `EACCES` under a sandbox. `TimedOut` after two seconds; `InvalidData` for an answer that is none.
pub(super) fn dump<T>(
    protocol: SockProtocol,
    kind: u16,
    question: &[u8],
    read: impl Fn(Message<'_>) -> Option<T>,
) -> io::Result<Vec<T>> {
    let deadline = Instant::now() + DEADLINE;
    let mut attempt = 1;
    loop {
        let socket = open(protocol)?;
        send(&socket, &message(kind, NLM_F_DUMP, 0, question))?;
        let mut answer = Answer::new();
        let mut buffer = vec![0; BUFFER];
        while !answer.done {
            let datagram = receive(&socket, &mut buffer, deadline)?;
            answer.read(datagram, &read)?;
        }
        if !answer.interrupted || attempt == ATTEMPTS {
            return Ok(answer.items);
        }
        attempt += 1;
    }
}

/// Asks questions that have one answer each. The answers come in their order: what `read` makes of the message, or the
/// kernel's errno; `None` for a message that says nothing to `read`.
///
/// # Errors
/// As for [`dump`], where there is no answer at all.
pub(super) fn ask<T>(
    protocol: SockProtocol,
    kind: u16,
    questions: &[Vec<u8>],
    read: impl Fn(Message<'_>) -> Option<T>,
) -> io::Result<Vec<Result<Option<T>, Errno>>> {
    let mut answers = Vec::with_capacity(questions.len());
    if questions.is_empty() {
        return Ok(answers);
    }
    let deadline = Instant::now() + DEADLINE;
    let socket = open(protocol)?;
    let mut buffer = vec![0; BUFFER];
    for some in questions.chunks(AT_ONCE) {
        let mut sent = Vec::new();
        for (number, question) in (0_u32..).zip(some) {
            sent.extend(message(kind, 0, number, question));
        }
        send(&socket, &sent)?;
        let mut told: Vec<Option<Result<Option<T>, Errno>>> = some.iter().map(|_| None).collect();
        while told.iter().any(Option::is_none) {
            let mut datagram = receive(&socket, &mut buffer, deadline)?;
            while let Some(message) = next_message(&mut datagram)? {
                let place = usize::try_from(message.sequence).ok();
                let Some(place) = place.and_then(|place| told.get_mut(place)) else {
                    return Err(invalid("an answer to no question"));
                };
                *place = Some(match message.errno() {
                    Some(errno) => Err(errno),
                    None => Ok(read(message)),
                });
            }
        }
        answers.extend(told.into_iter().flatten());
    }
    Ok(answers)
}

/// What `read` makes of the messages of an answer to a dump that is here in one piece, up to its end or an error.
///
/// # Errors
/// The kernel's own, told in the answer; `InvalidData` for bytes that are no messages.
pub(super) fn parse<T>(
    answer: &[u8],
    read: impl Fn(Message<'_>) -> Option<T>,
) -> io::Result<Vec<T>> {
    let mut parsed = Answer::new();
    parsed.read(answer, read)?;
    Ok(parsed.items)
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
    // The kernel answers while it is asked, so there is mostly something.
    let mut flags = MsgFlags::MSG_TRUNC | MsgFlags::MSG_DONTWAIT;
    loop {
        match recv(socket.as_raw_fd(), buffer, flags) {
            Ok(length) => {
                return buffer
                    .get(..length)
                    .ok_or_else(|| invalid("a message longer than the kernel makes them"));
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                flags = MsgFlags::MSG_TRUNC;
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // A timeout of zero would mean none at all.
                let micros = i64::try_from(left.as_micros()).unwrap_or(i64::MAX).max(1);
                let left = TimeVal::new(micros / 1_000_000, micros % 1_000_000);
                setsockopt(socket, sockopt::ReceiveTimeout, &left)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// `struct nlmsghdr`, in the machine's byte order, and what is asked. The port is the kernel's to fill in.
fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// What was understood of the kernel's answer to a dump so far.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) items: Vec<T>,
    interrupted: bool,
    done: bool,
}

impl<T> Answer<T> {
    pub(super) const fn new() -> Self {
        Self {
            items: Vec::new(),
            interrupted: false,
            done: false,
        }
    }

    /// Reads one datagram: any number of messages. Bytes that are no such thing are an error, never a panic.
    pub(super) fn read(
        &mut self,
        mut datagram: &[u8],
        read: impl Fn(Message<'_>) -> Option<T>,
    ) -> io::Result<()> {
        while !self.done
            && let Some(message) = next_message(&mut datagram)?
        {
            self.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_ERROR | NLMSG_DONE => match message.errno() {
                    Some(errno) => return Err(errno.into()),
                    None => self.done = true,
                },
                _ => self.items.extend(read(message)),
            }
        }
        Ok(())
    }
}

impl Message<'_> {
    /// The error that it tells of. An error and the end of a dump both begin with a negative errno, or 0; an empty end
    /// is old, and success.
    fn errno(&self) -> Option<Errno> {
        let code = match self.kind {
            NLMSG_ERROR | NLMSG_DONE => u32_at(self.body, 0).map_or(0, u32::cast_signed),
            _ => 0,
        };
        (code < 0).then(|| Errno::from_raw(code.saturating_neg()))
    }
}

/// Takes the first message off a datagram; `None` where nothing is left.
///
/// # Errors
/// `InvalidData` for bytes that are no message.
pub(crate) fn next_message<'a>(datagram: &mut &'a [u8]) -> io::Result<Option<Message<'a>>> {
    if datagram.is_empty() {
        return Ok(None);
    }
    let length = u32_at(datagram, 0).and_then(|length| usize::try_from(length).ok());
    let message = length
        .and_then(|length| datagram.get(..length))
        .ok_or_else(|| invalid("a message that is cut off"))?;
    let (Some(kind), Some(flags), Some(sequence), Some(body)) = (
        u16_at(message, 4),
        u16_at(message, 6),
        u32_at(message, 8),
        message.get(HEADER..),
    ) else {
        return Err(invalid("a message without a header"));
    };
    *datagram = datagram
        .get(message.len().next_multiple_of(4)..)
        .unwrap_or_default();
    Ok(Some(Message {
        kind,
        body,
        flags,
        sequence,
    }))
}

/// The attributes of a message: type and value of each. What follows one that is cut off is left out.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & NLA_TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The same, the other way round.
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

fn invalid(what: &str) -> io::Error {
    let text = format!("the kernel's answer holds {what}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A message as the kernel sends them, for the tests of those who read them.
#[cfg(test)]
pub(crate) fn sent(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = message(kind, flags, 0, body);
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(message: Message<'_>) -> Option<u16> {
        Some(message.kind)
    }

    #[test]
    fn the_end_and_errors_are_told_apart() {
        let refused = (-13_i32).to_ne_bytes();
        for (bytes, result) in [
            (sent(NLMSG_DONE, 2, &[0; 4]), Ok(true)),
            (sent(NLMSG_DONE, 2, &[]), Ok(true)),
            (sent(NLMSG_DONE, 2, &refused), Err(Some(13))),
            (sent(NLMSG_ERROR, 0, &refused), Err(Some(13))),
            (sent(20, 0, &[]), Ok(false)),
            (vec![0; 16], Err(None)),
            (vec![1; 7], Err(None)),
        ] {
            let mut answer = Answer::new();
            let read = answer
                .read(&bytes, all)
                .map_err(|error| error.raw_os_error());
            assert_eq!(read.map(|()| answer.done), result, "{bytes:?}");
        }
    }

    #[test]
    fn an_inconsistent_dump_is_noticed() {
        let mut answer = Answer::new();
        let end = sent(NLMSG_DONE, 2 | NLM_F_DUMP_INTR, &[0; 4]);
        answer.read(&end, all).unwrap();
        assert!(answer.interrupted && answer.done);
    }

    #[test]
    fn attributes_are_read_as_they_were_written() {
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
    fn each_question_has_its_answer() {
        // RTM_GETLINK of interfaces: 1 is always the loopback, and a negative index never is one.
        let question = |index: i32| [&[0; 4], &index.to_ne_bytes()[..], &[0; 8]].concat();
        let questions: Vec<_> = (0..70)
            .map(|number| question(if number % 2 == 0 { 1 } else { -number }))
            .collect();
        let index = |message: Message<'_>| u32_at(message.body, 4);
        let answers = ask(SockProtocol::NetlinkRoute, 18, &questions, index).unwrap();
        assert_eq!(answers.len(), questions.len());
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.is_ok(), number % 2 == 0, "{number}: {answer:?}");
            assert!(answer.is_err() || answer == Ok(Some(1)), "{number}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut answer = Answer::new();
            let _ = answer.read(&bytes, all);
            prop_assert!(answer.items.len() <= bytes.len() / HEADER);
            prop_assert!(attributes(&bytes).count() <= bytes.len() / 4);
        }
    }
}
