use super::*;
use crate::mux::fake::{FakeMaster, handle, hello, hello_with_info, read_request, until_closed};
use crate::mux::wire::WireError;
use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(20);

fn connect_to(path: &Path, limit: Duration) -> Result<Client, MuxError> {
    Client::connect(handle(path).as_fd(), Deadline::within(limit))
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("u@h-22");
    (directory, path)
}

/// The error of a client if its master sends these bytes, and then closes the connection or sends nothing more.
fn greeted_with(bytes: &[u8], then_close: bool, limit: Duration) -> MuxError {
    let (_directory, path) = scratch();
    let bytes = bytes.to_vec();
    let _master = FakeMaster::serve(&path, move |mut stream, _listener| {
        let _ = stream.write_all(&bytes);
        if then_close {
            // Only after the greeting was read: closing with unread bytes would reset the connection.
            read_request(&mut stream);
        } else {
            until_closed(stream);
        }
    });
    connect_to(&path, limit).unwrap_err()
}

#[test]
fn rejects_bad_greetings() {
    use WireError::{Length, Short, UnknownType};
    let closed = MuxError::Closed(Awaited::Hello);
    let no_hello = MuxError::Unexpected(Awaited::Hello, "OK");
    for (bytes, error) in [
        (&b"SSH-2.0-OpenSSH\r\n"[..], Length(0x5353_482d).into()),
        (b"\x40\0\0\0", Length(1 << 30).into()),
        (b"\0\0\0\0", Length(0).into()),
        (b"\0\0\0\x04\0\0\0\x01", Short(1).into()),
        (b"\0\0\0\x08\0\0\0\x02\0\0\0\x04", UnknownType(2).into()),
        (b"\0\0\0\x08\0\0\0\x01\0\0\0\x05", MuxError::Version(5)),
        (b"\0\0\0\x08\x80\0\0\x01\0\0\0\x00", no_hello),
        (b"", closed.clone()),
        (b"\0\0\0\x08\0\0\0\x01", closed),
    ] {
        assert_eq!(greeted_with(bytes, true, LONG), error, "{bytes:?}");
    }
}

/// Asserts that the client waits as long as it may.
#[track_caller]
fn times_out(waiting: Awaited, connect: impl FnOnce() -> MuxError) {
    let before = Instant::now();
    assert_eq!(connect(), MuxError::TimedOut(waiting, SHORT));
    let took = before.elapsed();
    assert!(took >= SHORT && took < LONG, "{took:?}");
}

#[test]
fn incomplete_greeting_times_out() {
    for bytes in [
        &b""[..],
        b"\0\0",
        b"\0\0\0\x08",
        b"\0\0\0\x08\0\0\0\x01\0\0",
        b"\0\x04\0\0almost a quarter of a megabyte is missing",
    ] {
        times_out(Awaited::Hello, || greeted_with(bytes, false, SHORT));
    }
}

#[test]
fn single_bytes_do_not_extend_the_deadline() {
    let (_directory, path) = scratch();
    let _master = FakeMaster::serve(&path, |mut stream, _listener| {
        let _ = stream.write_all(b"\0\x04\0\0");
        // Each byte is well within the limit.
        while stream.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    });
    times_out(Awaited::Hello, || connect_to(&path, SHORT).unwrap_err());
}

#[test]
fn full_backlog_times_out() {
    use nix::sys::socket::{Backlog, bind, listen};
    let (_directory, path) = scratch();
    let flags = SockFlag::SOCK_CLOEXEC;
    let listener = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    // A backlog of 0 holds one connection.
    let _waiting = UnixStream::connect(&path).unwrap();
    times_out(Awaited::Connect, || connect_to(&path, SHORT).unwrap_err());
}

#[test]
fn connect_without_listener_is_refused() {
    let (_directory, path) = scratch();
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(connect_to(&path, LONG).unwrap_err(), MuxError::Refused);
}

fn alive(id: u32, pid: u32) -> Option<Reply> {
    let id = RequestId(id);
    Some(Reply::Alive { id, pid })
}

#[test]
fn connects_to_path_longer_than_a_socket_address() {
    let (directory, short) = scratch();
    let deep = directory.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let _master = FakeMaster::answering(&short, hello(), |_, id| Some(alive(id, 42)?.encode()));
    let long = deep.join("u@h-22");
    std::fs::hard_link(&short, &long).unwrap();
    assert!(long.as_os_str().len() > 107);
    let mut client = connect_to(&long, LONG).unwrap();
    assert_eq!(client.alive(), Ok(Some(MasterPid(42))));
}

/// The answer of a master to the request with this id; `None` closes the connection.
type Answer = fn(u32) -> Option<Reply>;

/// The result of one request that the master answers so.
fn result_of<T>(
    answer: Answer,
    request: impl FnOnce(&mut Client) -> Result<T, MuxError>,
) -> Result<T, MuxError> {
    let (_directory, path) = scratch();
    let _master = FakeMaster::answering(&path, hello(), move |_, id| Some(answer(id)?.encode()));
    request(&mut connect_to(&path, LONG).unwrap())
}

const OK: Answer = |id| Some(Reply::Ok(RequestId(id)));
const CLOSES: Answer = |_| None;

#[test]
fn alive_check_replies() {
    let unexpected = |reply| Err(MuxError::Unexpected(Awaited::AliveCheck, reply));
    let no_number: Answer = |id| alive(id, u32::MAX);
    let other_request: Answer = |id| alive(id + 1, 4711);
    for (answer, result) in [
        ((|id| alive(id, 4711)) as Answer, Ok(Some(MasterPid(4711)))),
        (|id| alive(id, 0), Ok(None)),
        (no_number, Ok(None)),
        (other_request, unexpected("ALIVE")),
        (OK, unexpected("OK")),
        (|_| Some(hello()), unexpected("HELLO")),
        (CLOSES, Err(MuxError::Closed(Awaited::AliveCheck))),
    ] {
        assert_eq!(result_of(answer, Client::alive), result);
    }
}

#[test]
fn exit_and_stop_replies() {
    let denied: Answer = |id| {
        let reason = b"not\x1b[1m you".to_vec();
        Some(Reply::PermissionDenied(RequestId(id), reason))
    };
    let failed: Answer = |id| Some(Reply::Failure(RequestId(id), b"unsupported".to_vec()));
    let reason = "not\\u{1b}[1m you".to_owned();
    for (answer, result) in [
        (OK, Ok(())),
        (CLOSES, Ok(())),
        (
            denied,
            Err(MuxError::RefusedByMaster(Awaited::Exit, reason)),
        ),
        (
            failed,
            Err(MuxError::Failed(Awaited::Exit, "unsupported".to_owned())),
        ),
    ] {
        assert_eq!(result_of(answer, Client::exit), result);
    }
    assert_eq!(result_of(OK, Client::stop_listening), Ok(()));
    let closed = Err(MuxError::Closed(Awaited::Stop));
    assert_eq!(result_of(CLOSES, Client::stop_listening), closed);
}

#[test]
fn connection_info_only_if_offered() {
    const INFO: &[u8] = b"  tcp a -> b\r\n";
    for (hello, status, expected) in [
        (hello(), 1, None),
        (hello_with_info(), 1, Some(INFO.to_vec())),
        (hello_with_info(), 0, None),
    ] {
        let (_directory, path) = scratch();
        let _master = FakeMaster::answering(&path, hello, move |_, id| {
            let (id, text) = (RequestId(id), INFO.to_vec());
            Some((Reply::Info { id, status, text }).encode())
        });
        let mut client = connect_to(&path, LONG).unwrap();
        assert_eq!(client.connection_info(), Ok(expected));
    }
}

#[test]
fn wait_closed_reports_the_close() {
    let (_directory, path) = scratch();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let _master = FakeMaster::serve(&path, move |mut stream, _listener| {
        stream.write_all(&hello().encode()).unwrap();
        read_request(&mut stream);
        let _ = ended.recv();
    });
    let mut client = connect_to(&path, LONG).unwrap();
    assert!(!client.wait_closed(Deadline::within(SHORT)));
    end.send(()).unwrap();
    assert!(client.wait_closed(Deadline::within(LONG)));
}

#[test]
fn wait_closed_ends_at_the_deadline_while_bytes_arrive() {
    let (_directory, path) = scratch();
    let _master = FakeMaster::serve(&path, |mut stream, _listener| {
        stream.write_all(&hello().encode()).unwrap();
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    let mut client = connect_to(&path, LONG).unwrap();
    assert!(!client.wait_closed(Deadline::within(SHORT)));
}
