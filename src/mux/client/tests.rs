use super::*;
use crate::mux::fake::{FakeMaster, handle, hello, read_request, until_closed};
use crate::mux::wire::WireError;
use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
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

/// The error of a client whose master sends these bytes, and then closes the connection or sends nothing more.
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
    let closed = MuxError::Closed {
        waiting: Awaited::Hello,
    };
    for (bytes, error) in [
        (
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            MuxError::Protocol(WireError::Length(0x5353_482d)),
        ),
        (
            b"\x40\0\0\0",
            MuxError::Protocol(WireError::Length(1 << 30)),
        ),
        (b"\0\0\0\0", MuxError::Protocol(WireError::Length(0))),
        (
            b"\0\0\0\x04\0\0\0\x01",
            MuxError::Protocol(WireError::Short { kind: 1 }),
        ),
        (
            b"\0\0\0\x08\0\0\0\x02\0\0\0\x04",
            MuxError::Protocol(WireError::UnknownType(2)),
        ),
        (b"\0\0\0\x08\0\0\0\x01\0\0\0\x05", MuxError::Version(5)),
        (
            b"\0\0\0\x08\x80\0\0\x01\0\0\0\x00",
            MuxError::Unexpected {
                reply: "OK",
                waiting: Awaited::Hello,
            },
        ),
        (b"", closed.clone()),
        (b"\0\0\0\x08\0\0\0\x01", closed),
    ] {
        assert_eq!(greeted_with(bytes, true, LONG), error, "{bytes:?}");
    }
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
        let before = Instant::now();
        assert_eq!(
            greeted_with(bytes, false, SHORT),
            MuxError::TimedOut {
                waiting: Awaited::Hello,
                limit: SHORT
            }
        );
        assert!(before.elapsed() >= SHORT);
        assert!(before.elapsed() < LONG, "{:?}", before.elapsed());
    }
}

#[test]
fn reports_connection_closed_before_greeting() {
    let (_directory, path) = scratch();
    let _master = FakeMaster::serve(&path, |stream, _listener| drop(stream));
    assert_eq!(
        connect_to(&path, LONG).unwrap_err(),
        MuxError::Closed {
            waiting: Awaited::Hello
        }
    );
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
    let before = Instant::now();
    assert_eq!(
        connect_to(&path, SHORT).unwrap_err(),
        MuxError::TimedOut {
            waiting: Awaited::Hello,
            limit: SHORT
        }
    );
    assert!(before.elapsed() < LONG);
}

#[test]
fn full_backlog_times_out() {
    use nix::sys::socket::{Backlog, bind, listen};
    let (_directory, path) = scratch();
    let listener = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    // A backlog of 0 holds one connection.
    let _waiting = UnixStream::connect(&path).unwrap();
    let before = Instant::now();
    assert_eq!(
        connect_to(&path, SHORT).unwrap_err(),
        MuxError::TimedOut {
            waiting: Awaited::Connect,
            limit: SHORT
        }
    );
    assert!(before.elapsed() >= SHORT && before.elapsed() < LONG);
}

#[test]
fn connect_without_listener_is_refused() {
    let (_directory, path) = scratch();
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(connect_to(&path, LONG).unwrap_err(), MuxError::Refused);
}

#[test]
fn connects_to_path_longer_than_a_socket_address() {
    let (directory, short) = scratch();
    let deep = directory.path().join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let _master = FakeMaster::answering(&short, hello(), |_, id| {
        Some(
            Reply::Alive {
                id: RequestId(id),
                pid: 42,
            }
            .encode(),
        )
    });
    let long = deep.join("u@h-22");
    std::fs::hard_link(&short, &long).unwrap();
    assert!(long.as_os_str().len() > 107);
    let mut client = connect_to(&long, LONG).unwrap();
    assert_eq!(client.alive(), Ok(Some(MasterPid(42))));
}

/// The result of one request that the master answers so; `None` closes the connection.
fn result_of<T>(
    answer: impl Fn(u32) -> Option<Reply> + Send + 'static,
    request: impl FnOnce(&mut Client) -> Result<T, MuxError>,
) -> Result<T, MuxError> {
    let (_directory, path) = scratch();
    let _master = FakeMaster::answering(&path, hello(), move |_, id| {
        answer(id).map(|reply| reply.encode())
    });
    request(&mut connect_to(&path, LONG).unwrap())
}

#[test]
fn alive_check_replies() {
    let alive = |pid: u32, id: u32| {
        Some(Reply::Alive {
            id: RequestId(id),
            pid,
        })
    };
    let waiting = Awaited::AliveCheck;
    assert_eq!(
        result_of(move |id| alive(4711, id), Client::alive),
        Ok(Some(MasterPid(4711)))
    );
    assert_eq!(result_of(move |id| alive(0, id), Client::alive), Ok(None));
    assert_eq!(
        result_of(move |id| alive(u32::MAX, id), Client::alive),
        Ok(None)
    );
    assert_eq!(
        result_of(move |id| alive(4711, id + 1), Client::alive),
        Err(MuxError::Unexpected {
            reply: "ALIVE",
            waiting
        })
    );
    assert_eq!(
        result_of(|id| Some(Reply::Ok(RequestId(id))), Client::alive),
        Err(MuxError::Unexpected {
            reply: "OK",
            waiting
        })
    );
    assert_eq!(
        result_of(|_| Some(hello()), Client::alive),
        Err(MuxError::Unexpected {
            reply: "HELLO",
            waiting
        })
    );
    assert_eq!(
        result_of(|_| None, Client::alive),
        Err(MuxError::Closed { waiting })
    );
}

#[test]
fn exit_replies() {
    let denied = |id| {
        Some(Reply::PermissionDenied(
            RequestId(id),
            b"not\x1b[1m you".to_vec(),
        ))
    };
    let failed = |id| {
        Some(Reply::Failure(
            RequestId(id),
            b"unsupported request".to_vec(),
        ))
    };
    assert_eq!(
        result_of(|id| Some(Reply::Ok(RequestId(id))), Client::exit),
        Ok(ExitReply::Ok)
    );
    assert_eq!(result_of(|_| None, Client::exit), Ok(ExitReply::Closed));
    assert_eq!(
        result_of(denied, Client::exit),
        Err(MuxError::RefusedByMaster {
            waiting: Awaited::Exit,
            reason: "not\\u{1b}[1m you".to_owned()
        })
    );
    assert_eq!(
        result_of(failed, Client::exit),
        Err(MuxError::Failed {
            waiting: Awaited::Exit,
            reason: "unsupported request".to_owned()
        })
    );
}

#[test]
fn stop_replies() {
    assert_eq!(
        result_of(|id| Some(Reply::Ok(RequestId(id))), Client::stop_listening),
        Ok(())
    );
    assert_eq!(
        result_of(|_| None, Client::stop_listening),
        Err(MuxError::Closed {
            waiting: Awaited::Stop
        })
    );
}

#[test]
fn connection_info_only_if_offered() {
    let info = |id, status| {
        Reply::Info {
            id: RequestId(id),
            status,
            text: b"  tcp a -> b\r\n".to_vec(),
        }
        .encode()
    };
    for (extensions, status, expected) in [
        (vec![], 1, None),
        (vec![(b"other".to_vec(), b"".to_vec())], 1, None),
        (
            vec![(b"info".to_vec(), b"0".to_vec())],
            1,
            Some(b"  tcp a -> b\r\n".to_vec()),
        ),
        (vec![(b"info".to_vec(), b"0".to_vec())], 0, None),
    ] {
        let (_directory, path) = scratch();
        let hello = Reply::Hello {
            version: 4,
            extensions,
        };
        let _master = FakeMaster::answering(&path, hello, move |_, id| Some(info(id, status)));
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
fn exit_timeout_mentions_confirmation() {
    let error = MuxError::TimedOut {
        waiting: Awaited::Exit,
        limit: Duration::from_secs(2),
    };
    assert_eq!(
        error.to_string(),
        "no answer to the exit request within 2s; if the master asks for confirmation, confirm it there"
    );
}
