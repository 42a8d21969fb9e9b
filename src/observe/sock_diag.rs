//! Unix sockets from sock_diag: one netlink request, without privileges, and no socket is touched.
//!
//! Sources: sock_diag(7), `linux/unix_diag.h`, and `net/unix/diag.c`: a connection that waits to be accepted has no
//! socket inode and is not in a dump, so every ESTABLISHED row with a listener's file is an accepted one. If its peer has
//! no inode, the client has closed it; that is no session any more, even if a hanging master has not noticed.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use nix::sys::socket::SockProtocol;

use super::netlink::{self, Message, attributes, u32_at};
use super::unix_table::{Row, Rows, UnixListener, UnixTable, Vfs};
use crate::model::ids::{Cookie, UserId};
use crate::model::observation::Table;

pub(super) const SOCK_DIAG_BY_FAMILY: u16 = 20;

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

/// Every listening unix socket with a path in this network namespace. Errors are those of `netlink::dump`.
pub fn dump() -> io::Result<UnixTable> {
    let protocol = SockProtocol::NetlinkSockDiag;
    // Thousands of sockets are added without a copy of their names.
    let add = |rows: &mut Rows, message: Message<'_>| rows.extend(row(message));
    let rows = netlink::collect(protocol, SOCK_DIAG_BY_FAMILY, &request(), add)?;
    Ok(UnixTable::of(Table::SockDiag, rows))
}

/// Parses the kernel's answer, as received from the socket.
pub fn parse(answer: &[u8]) -> io::Result<UnixTable> {
    let mut rows = Rows::default();
    netlink::parse_each(answer, |message| rows.extend(row(message)))?;
    Ok(UnixTable::of(Table::SockDiag, rows))
}

/// `struct unix_diag_req`.
fn request() -> Vec<u8> {
    let states = 1_u32 << ESTABLISHED | 1 << LISTEN;
    let show = SHOW_NAME | SHOW_VFS | SHOW_PEER | SHOW_RQLEN | SHOW_UID;
    let mut bytes = vec![AF_UNIX, 0, 0, 0];
    bytes.extend(states.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes()); // all inodes
    bytes.extend(show.to_ne_bytes());
    bytes.extend([0xff; 8]); // no cookie
    bytes
}

/// `struct unix_diag_msg` and its attributes; `None` for a socket without a path, in another state, or with a closed
/// client.
fn row(message: Message<'_>) -> Option<Row<'_>> {
    let body = (message.kind == SOCK_DIAG_BY_FAMILY).then_some(message.body)?;
    let state = *body.get(2)?;
    let socket_inode = u32_at(body, 4)?;
    let cookie = u64::from(u32_at(body, 8)?) | u64::from(u32_at(body, 12)?) << 32;
    let (mut name, mut vfs, mut peer, mut backlog, mut uid) = (None, None, None, 0, None);
    for (kind, value) in attributes(body.get(16..)?) {
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
    }
    let name = name?;
    match state {
        LISTEN => Some(Row::Listener(UnixListener {
            socket_inode,
            cookie: Some(Cookie(cookie)),
            name: name.into(),
            vfs,
            backlog,
            uid,
            ..UnixListener::default()
        })),
        ESTABLISHED if peer != Some(0) => Some(Row::Accepted {
            socket_inode,
            vfs,
            name,
            peer,
        }),
        _ => None,
    }
}

/// A `sun_path`, which may end with NUL; `None` for an abstract name, which begins with NUL.
fn path_name(value: &[u8]) -> Option<&OsStr> {
    let name = value.split(|byte| *byte == 0).next()?;
    (!name.is_empty()).then(|| OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener as Bound, UnixStream};

    use std::time::{Duration, Instant};

    use super::*;
    use crate::observe::netlink::{attribute, sent};

    fn rows(bytes: &[u8]) -> Vec<Row<'_>> {
        netlink::parse(bytes, row).unwrap_or_default()
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
        sent(SOCK_DIAG_BY_FAMILY, 2, &body)
    }

    #[test]
    fn listener_is_parsed_with_all_attributes() {
        assert_eq!(
            rows(&socket_row(LISTEN, b"/s/u@h\0")),
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
                peers: Vec::new(),
                uid: Some(UserId(1000)),
            })]
        );
    }

    #[test]
    fn only_listening_and_accepted_paths_are_rows() {
        for (state, name, count) in [
            (ESTABLISHED, &b"/s"[..], 1),
            (LISTEN, b"\0abstract", 0),
            (LISTEN, b"", 0),
            (7, b"/bound/only", 0),
        ] {
            assert_eq!(
                rows(&socket_row(state, name)).len(),
                count,
                "{state} {name:?}"
            );
        }
    }

    #[test]
    fn kernel_reports_backlog_and_accepted_connections() {
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

        // A child that another test forks now holds the client's end until it execs.
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(20);
        while find().is_some_and(|listener| listener.sessions > 0) {
            assert!(Instant::now() < deadline, "a closed client still counts");
        }

        drop(accepted);
        drop(bound);
        assert_eq!(find(), None);
    }
}
