//! The kernel's table of unix sockets, from sock_diag: one netlink request, no privilege, no socket touched.
//!
//! Sources: sock_diag(7), netlink(7), `linux/unix_diag.h`, and `net/unix/diag.c` for what it says nothing of: a
//! connection that waits to be accepted has no socket inode yet and is left out of a dump, so every row in state
//! ESTABLISHED with a listener's file is an accepted one. Its peer has no inode once the client has closed it: no
//! session any more, though a master that hangs has not noticed.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::unix_table::{Row, UnixListener, UnixTable, Vfs};
use crate::core::socket::{Cookie, Table, UserId};

/// How long the kernel may take for one dump. It answers within milliseconds.
const DEADLINE: Duration = Duration::from_secs(2);

/// How often a dump is asked for while the kernel says that it was not consistent.
const ATTEMPTS: u32 = 3;

/// The kernel sends at most 32 KiB at once (`netlink_dump()` in af_netlink.c).
const BUFFER: usize = 64 * 1024;

const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_DUMP_INTR: u16 = 0x10;
const SOCK_DIAG_BY_FAMILY: u16 = 20;

const AF_UNIX: u8 = 1;
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;

const SHOW_NAME: u32 = 0x1;
const SHOW_VFS: u32 = 0x2;
const SHOW_PEER: u32 = 0x4;
const SHOW_RQLEN: u32 = 0x10;
const SHOW_UID: u32 = 0x40;

const ATTRIBUTE_NAME: u16 = 0;
const ATTRIBUTE_VFS: u16 = 1;
const ATTRIBUTE_PEER: u16 = 2;
const ATTRIBUTE_RQLEN: u16 = 4;
const ATTRIBUTE_UID: u16 = 7;

/// Asks the kernel for every listening unix socket of this network namespace that has a path.
///
/// When others come and go in between the kernel may say that a dump was not consistent; then it is repeated a few
/// times, and the last one counts as it is.
///
/// # Errors
/// Whatever socket, send or receive say: `EPROTONOSUPPORT` or `ENOENT` without the kernel module, `EPERM` or
/// `EACCES` under a sandbox. `TimedOut` after two seconds; `InvalidData` for an answer that is none.
pub fn dump() -> io::Result<UnixTable> {
    let deadline = Instant::now() + DEADLINE;
    let mut attempt = 1;
    loop {
        let (rows, interrupted) = dump_once(deadline)?;
        if !interrupted || attempt == ATTEMPTS {
            return Ok(UnixTable::new(Table::SockDiag, rows));
        }
        attempt += 1;
    }
}

fn dump_once(deadline: Instant) -> io::Result<(Vec<Row>, bool)> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    let kernel = NetlinkAddr::new(0, 0);
    sendto(
        socket.as_raw_fd(),
        &request(),
        &kernel,
        MsgFlags::MSG_DONTWAIT,
    )?;

    let mut answer = Answer::default();
    let mut buffer = vec![0; BUFFER];
    while !answer.done {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // A timeout of zero would mean none at all.
        let micros = i64::try_from(left.as_micros()).unwrap_or(i64::MAX).max(1);
        let seconds = TimeVal::new(micros / 1_000_000, micros % 1_000_000);
        setsockopt(&socket, sockopt::ReceiveTimeout, &seconds)?;
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
            Ok(length) => {
                let datagram = buffer
                    .get(..length)
                    .ok_or_else(|| invalid("a message longer than the kernel makes them"))?;
                answer.read(datagram)?;
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok((answer.rows, answer.interrupted))
}

/// `struct nlmsghdr` and `struct unix_diag_req`, in the machine's byte order.
fn request() -> Vec<u8> {
    let states = 1_u32 << ESTABLISHED | 1 << LISTEN;
    let show = SHOW_NAME | SHOW_VFS | SHOW_PEER | SHOW_RQLEN | SHOW_UID;
    let mut bytes = Vec::with_capacity(40);
    bytes.extend(40_u32.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes.extend([0; 8]); // sequence number and port: one request a socket needs neither
    bytes.extend([AF_UNIX, 0, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes()); // all inodes
    bytes.extend(show.to_ne_bytes());
    bytes.extend([0xff; 8]); // no cookie
    bytes
}

/// What was understood of the kernel's answer so far.
#[derive(Debug, Default)]
struct Answer {
    rows: Vec<Row>,
    interrupted: bool,
    done: bool,
}

impl Answer {
    /// Reads one datagram: any number of messages. Bytes that are no such thing are an error, never a panic.
    fn read(&mut self, mut datagram: &[u8]) -> io::Result<()> {
        while !datagram.is_empty() && !self.done {
            let length = u32_at(datagram, 0).and_then(|length| usize::try_from(length).ok());
            let message = length
                .and_then(|length| datagram.get(..length))
                .ok_or_else(|| invalid("a message that is cut off"))?;
            let (Some(kind), Some(flags), Some(body)) = (
                u16_at(message, 4),
                u16_at(message, 6),
                message.get(HEADER..),
            ) else {
                return Err(invalid("a message without a header"));
            };
            self.interrupted |= flags & NLM_F_DUMP_INTR != 0;
            match kind {
                NLMSG_ERROR | NLMSG_DONE => {
                    // Both begin with a negative errno, or 0; an empty DONE is old, and success.
                    let code = u32_at(body, 0).map_or(0, u32::cast_signed);
                    if code < 0 {
                        return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                    }
                    self.done = true;
                }
                SOCK_DIAG_BY_FAMILY => self.rows.extend(row(body)),
                _ => {}
            }
            datagram = datagram
                .get(message.len().next_multiple_of(4)..)
                .unwrap_or_default();
        }
        Ok(())
    }
}

/// `struct unix_diag_msg` and its attributes; `None` for a socket without a path, in another state, or whose client is
/// gone.
fn row(body: &[u8]) -> Option<Row> {
    let state = *body.get(2)?;
    let socket_inode = u32_at(body, 4)?;
    let cookie = u64::from(u32_at(body, 8)?) | u64::from(u32_at(body, 12)?) << 32;
    let (mut name, mut vfs, mut peer, mut backlog, mut uid) = (None, None, None, 0, None);
    let mut attributes = body.get(16..)?;
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let length = usize::from(length);
        let Some(value) = attributes.get(4..length) else {
            break;
        };
        match kind {
            ATTRIBUTE_NAME => name = path_name(value),
            ATTRIBUTE_VFS => {
                vfs = u32_at(value, 0)
                    .zip(u32_at(value, 4))
                    .map(|(inode, device)| Vfs { inode, device });
            }
            ATTRIBUTE_PEER => peer = u32_at(value, 0),
            ATTRIBUTE_RQLEN => backlog = u32_at(value, 0)?,
            ATTRIBUTE_UID => uid = u32_at(value, 0).map(UserId),
            _ => {}
        }
        attributes = attributes
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    let name = name?;
    match state {
        LISTEN => Some(Row::Listener(UnixListener {
            socket_inode,
            cookie: Some(Cookie(cookie)),
            name,
            vfs,
            backlog,
            sessions: 0,
            uid,
        })),
        ESTABLISHED if peer != Some(0) => Some(Row::Accepted {
            socket_inode,
            vfs,
            name,
        }),
        _ => None,
    }
}

/// A `sun_path`: up to its NUL, where there is one. Abstract names begin with NUL and have no file.
fn path_name(value: &[u8]) -> Option<PathBuf> {
    let name = value.split(|byte| *byte == 0).next()?;
    (!name.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(name)))
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn invalid(what: &str) -> io::Error {
    let text = format!("the kernel's socket table holds {what}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener as Bound, UnixStream};

    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
        bytes.extend([0; 8]);
        bytes.extend(body);
        bytes
    }

    fn socket_row(state: u8, name: &[u8]) -> Vec<u8> {
        let mut body = vec![AF_UNIX, 1, state, 0];
        body.extend(22637_u32.to_ne_bytes());
        body.extend([5_u32.to_ne_bytes(), 1_u32.to_ne_bytes()].concat());
        body.extend(attribute(ATTRIBUTE_NAME, name));
        let vfs = [7_u32.to_ne_bytes(), 39_u32.to_ne_bytes()].concat();
        body.extend(attribute(ATTRIBUTE_VFS, &vfs));
        body.extend(attribute(99, b"later"));
        let rqlen = [3_u32.to_ne_bytes(), 64_u32.to_ne_bytes()].concat();
        body.extend(attribute(ATTRIBUTE_RQLEN, &rqlen));
        body.extend(attribute(ATTRIBUTE_UID, &1000_u32.to_ne_bytes()));
        message(SOCK_DIAG_BY_FAMILY, 2, &body)
    }

    #[test]
    fn a_listener_is_read_with_all_its_attributes() {
        let mut answer = Answer::default();
        answer.read(&socket_row(LISTEN, b"/s/u@h\0")).unwrap();
        assert!(!answer.done);
        assert_eq!(
            answer.rows,
            [Row::Listener(UnixListener {
                socket_inode: 22637,
                cookie: Some(Cookie(5 | 1 << 32)),
                name: "/s/u@h".into(),
                vfs: Some(Vfs {
                    inode: 7,
                    device: 39
                }),
                backlog: 3,
                sessions: 0,
                uid: Some(UserId(1000)),
            })]
        );
    }

    #[test]
    fn only_paths_that_listen_or_were_accepted_count() {
        for (state, name, rows) in [
            (ESTABLISHED, &b"/s"[..], 1),
            (LISTEN, b"\0abstract", 0),
            (LISTEN, b"", 0),
            (7, b"/bound/only", 0),
        ] {
            let mut answer = Answer::default();
            answer.read(&socket_row(state, name)).unwrap();
            assert_eq!(answer.rows.len(), rows, "{state} {name:?}");
        }
    }

    #[test]
    fn the_end_and_errors_are_told_apart() {
        let refused = (-13_i32).to_ne_bytes();
        for (bytes, result) in [
            (message(NLMSG_DONE, 2, &[0; 4]), Ok(true)),
            (message(NLMSG_DONE, 2, &[]), Ok(true)),
            (message(NLMSG_DONE, 2, &refused), Err(Some(13))),
            (message(NLMSG_ERROR, 0, &refused), Err(Some(13))),
            (message(1, 0, &[]), Ok(false)),
            (vec![0; 16], Err(None)),
            (vec![1; 7], Err(None)),
        ] {
            let mut answer = Answer::default();
            let read = answer.read(&bytes).map_err(|error| error.raw_os_error());
            assert_eq!(read.map(|()| answer.done), result, "{bytes:?}");
        }
    }

    #[test]
    fn an_inconsistent_dump_is_noticed() {
        let mut answer = Answer::default();
        answer
            .read(&message(NLMSG_DONE, 2 | NLM_F_DUMP_INTR, &[0; 4]))
            .unwrap();
        assert!(answer.interrupted);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let mut answer = Answer::default();
            let _ = answer.read(&bytes);
            prop_assert!(answer.rows.len() <= bytes.len() / HEADER);
        }

        #[test]
        fn any_damage_to_an_answer_is_survived(at in 0_usize..300, byte: u8, cut in 0_usize..300) {
            let mut bytes = socket_row(LISTEN, b"/s/u@h\0");
            bytes.extend(socket_row(ESTABLISHED, b"/s/u@h\0"));
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(cut);
            let mut answer = Answer::default();
            let _ = answer.read(&bytes);
            prop_assert!(answer.rows.len() <= 2);
        }
    }

    /// Everything else here is about bytes; this is about the kernel.
    #[test]
    fn the_kernel_tells_of_backlog_and_accepted_connections() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let bound = Bound::bind(&path).unwrap();
        let find = || {
            let table = dump().unwrap();
            table
                .listeners()
                .find(|listener| listener.name == path)
                .cloned()
        };
        let fresh = find().unwrap();
        assert_eq!((fresh.backlog, fresh.sessions), (0, 0));
        assert_ne!(fresh.vfs, None);

        let client = UnixStream::connect(&path).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        let (accepted, _) = bound.accept().unwrap();
        let busy = find().unwrap();
        assert_eq!((busy.backlog, busy.sessions), (1, 1));
        assert_eq!(busy.cookie, fresh.cookie);

        // A child that another test forks at this moment holds the client's end until it has become its program.
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(20);
        while find().is_some_and(|listener| listener.sessions > 0) {
            assert!(
                Instant::now() < deadline,
                "a client that is gone still counts"
            );
        }

        drop(accepted);
        drop(bound);
        assert_eq!(find(), None);
    }
}
