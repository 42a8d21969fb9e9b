use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::*;
use crate::actions::held_socket::tests::target_of;
use crate::actions::kernel::LiveKernel;
use crate::model::socket::{Cookie, FileKind, Stat};
use crate::mux::error::Awaited;
use crate::mux::fake::{FakeMaster, hello, read_request, until_closed};
use crate::mux::wire::{Reply, RequestId};

mod openssh;

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(20);

/// A kernel that shows this master.
struct Shows(Option<Master>);

impl Kernel for Shows {
    fn master(&self, _: &ControlPath, _: &Stat) -> Option<Master> {
        self.0
    }
}

fn with_sessions(sessions: u32) -> Shows {
    Shows(Some(Master {
        pid: None,
        cookie: None,
        sessions,
    }))
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("u@h-22");
    (directory, path)
}

/// A master that greets, reads one request and passes its connection, listener and the request's id to `then`.
fn master_that(
    path: &Path,
    then: impl FnOnce(UnixStream, UnixListener, RequestId) + Send + 'static,
) -> FakeMaster {
    FakeMaster::serve(path, move |mut stream, listener| {
        let _ = stream.write_all(&hello().encode());
        let greeting = read_request(&mut stream);
        if let (Some(_), Some((_, id))) = (greeting, read_request(&mut stream)) {
            then(stream, listener, RequestId(id));
        }
    })
}

fn is_untouched(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener
        .accept()
        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn check_returns_pid_and_connection() {
    let (_directory, path) = scratch();
    let greeting = Reply::Hello {
        version: 4,
        extensions: vec![(b"info".to_vec(), b"0".to_vec())],
    };
    let _master = FakeMaster::answering(&path, greeting, |kind, id| {
        let id = RequestId(id);
        let reply = if kind == 0x1000_0004 {
            Reply::Alive { id, pid: 4711 }
        } else {
            Reply::Info {
                id,
                status: 1,
                text: b"Connection information for h pid 4711\r\n  tcp a:1 -> b:2\r\n".to_vec(),
            }
        };
        Some(reply.encode())
    });
    let checked = check(&target_of(&path), LONG).unwrap();
    assert_eq!(checked.pid, Some(MasterPid(4711)));
    assert_eq!(checked.connection.as_deref(), Some("tcp a:1 -> b:2"));
    assert!(checked.round_trip > Duration::ZERO && checked.round_trip < LONG);
}

#[test]
fn check_succeeds_without_connection_info() {
    let (_directory, path) = scratch();
    let greeting = Reply::Hello {
        version: 4,
        extensions: vec![(b"info".to_vec(), b"0".to_vec())],
    };
    let _master = FakeMaster::answering(&path, greeting, |kind, id| {
        let id = RequestId(id);
        // No bytes: the connection stays open without an answer.
        Some(match kind {
            0x1000_0004 => Reply::Alive { id, pid: 4711 }.encode(),
            _ => Vec::new(),
        })
    });
    let checked = check(&target_of(&path), SHORT).unwrap();
    assert_eq!(checked.pid, Some(MasterPid(4711)));
    assert_eq!(checked.connection, None);
}

#[test]
fn connection_is_first_indented_line() {
    for (account, line) in [
        (
            &b"Connection information for h pid 1\r\n  tcp 10.0.0.1:5 -> 10.0.0.2:22\r\n  duration 5s\r\n"[..],
            Some("tcp 10.0.0.1:5 -> 10.0.0.2:22"),
        ),
        (
            b"Connection information for h pid 1\r\n  duration 5s\r\n",
            Some("duration 5s"),
        ),
        (b"heading\n  \n  a\x1b[2J\xff", Some("a\\u{1b}[2J\\xff")),
        (b"heading only", None),
        (b"", None),
    ] {
        assert_eq!(connection_line(account).as_deref(), line);
    }
    let long = [b' '; 1]
        .into_iter()
        .chain([b'x'; 100_000])
        .collect::<Vec<_>>();
    assert!(connection_line(&long).unwrap().len() <= 200);
}

#[test]
fn connects_only_to_the_socket_of_the_target() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let listener = UnixListener::bind(at("socket")).unwrap();
    std::os::unix::fs::symlink(at("socket"), at("link")).unwrap();
    std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
    fs::create_dir(at("directory")).unwrap();
    fs::write(at("file"), "").unwrap();
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let all = |target: &Target| {
        [
            check(target, LONG).map(drop),
            exit(&with_sessions(0), target, SessionConsent::UpTo(0), LONG).map(drop),
            stop(&with_sessions(0), target, LONG).map(drop),
        ]
    };
    for (name, error) in [
        ("link", HoldError::NotASocket(FileKind::Symlink)),
        ("loop", HoldError::NotASocket(FileKind::Symlink)),
        ("directory", HoldError::NotASocket(FileKind::Directory)),
        ("file", HoldError::NotASocket(FileKind::Regular)),
        ("fifo", HoldError::NotASocket(FileKind::Fifo)),
        ("nothing", HoldError::Missing),
    ] {
        for result in all(&target_of(&at(name))) {
            assert_eq!(result, Err(error.clone().into()), "{name}");
        }
    }
    let mut target = target_of(&at("socket"));
    target.id.as_mut().unwrap().inode += 1;
    for result in all(&target) {
        assert_eq!(result, Err(HoldError::Changed.into()));
    }
    assert!(is_untouched(&listener));
}

#[test]
fn rejects_listener_with_another_cookie() {
    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let shows = Shows(Some(Master {
        pid: None,
        cookie: Some(Cookie(2)),
        sessions: 0,
    }));
    let mut target = target_of(&path);
    target.cookie = Some(Cookie(1));
    let exited = exit(&shows, &target, SessionConsent::Any, LONG);
    assert_eq!(exited, Err(HoldError::Changed.into()));
    assert_eq!(stop(&shows, &target, LONG), Err(HoldError::Changed.into()));
    assert!(is_untouched(&listener));
}

#[test]
fn exit_refuses_to_close_more_sessions_than_agreed() {
    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let _sessions: Vec<_> = (0..2)
        .map(|_| {
            (
                UnixStream::connect(&path).unwrap(),
                listener.accept().unwrap(),
            )
        })
        .collect();
    let exited = exit(
        &LiveKernel,
        &target_of(&path),
        SessionConsent::UpTo(1),
        LONG,
    );
    assert_eq!(exited, Err(ControlError::SessionsOpen { sessions: 2 }));
    assert_eq!(
        exited.unwrap_err().to_string(),
        "2 sessions are open, nothing was closed"
    );
    assert!(is_untouched(&listener));
}

#[test]
fn exit_waits_for_client_that_is_disconnecting() {
    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let target = target_of(&path);
    let _client = UnixStream::connect(&path).unwrap();
    let accepted = listener.accept().unwrap();

    /// Closes the connection after it was counted.
    struct Leaving(std::cell::RefCell<Vec<(UnixStream, std::os::unix::net::SocketAddr)>>);
    impl Kernel for Leaving {
        fn master(&self, path: &ControlPath, file: &Stat) -> Option<Master> {
            let master = LiveKernel.master(path, file);
            self.0.borrow_mut().pop();
            master
        }
    }

    let kernel = Leaving(std::cell::RefCell::new(vec![accepted]));
    // The request is sent, and the master does not answer.
    let exited = exit(&kernel, &target, SessionConsent::UpTo(0), SHORT);
    let silence = MuxError::TimedOut {
        waiting: Awaited::Hello,
        limit: SHORT,
    };
    assert_eq!(exited, Err(silence.into()));
}

#[test]
fn exit_refuses_if_sessions_cannot_be_counted() {
    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let exited = exit(
        &Shows(None),
        &target_of(&path),
        SessionConsent::UpTo(5),
        LONG,
    );
    assert_eq!(exited, Err(ControlError::SessionsUnknown));
    drop(listener);
    let exited = exit(
        &Shows(None),
        &target_of(&path),
        SessionConsent::UpTo(5),
        LONG,
    );
    assert_eq!(exited, Err(MuxError::Refused.into()));
}

#[test]
fn exit_succeeds_with_or_without_ok() {
    for says_ok in [true, false] {
        for kernel in [with_sessions(3), Shows(None)] {
            let (_directory, path) = scratch();
            let file = path.clone();
            let _master = master_that(&path, move |mut stream, listener, id| {
                if says_ok {
                    stream.write_all(&Reply::Ok(id).encode()).unwrap();
                }
                drop(listener);
                fs::remove_file(file).unwrap();
            });
            let consent = if kernel.0.is_some() {
                SessionConsent::UpTo(3)
            } else {
                SessionConsent::Any
            };
            let exited = exit(&kernel, &target_of(&path), consent, LONG).unwrap();
            assert_eq!(exited.closed, kernel.0.map(|master| master.sessions));
            assert!(!exited.file_remains);
        }
    }
}

#[test]
fn exit_reports_remaining_file() {
    let (_directory, path) = scratch();
    let _master = master_that(&path, |stream, listener, _| {
        drop(listener);
        drop(stream);
    });
    let exited = exit(
        &with_sessions(0),
        &target_of(&path),
        SessionConsent::UpTo(0),
        LONG,
    )
    .unwrap();
    assert!(exited.file_remains);
    assert!(path.exists());
}

#[test]
fn exit_fails_if_master_agrees_and_stays() {
    let (_directory, path) = scratch();
    let _master = master_that(&path, |mut stream, listener, id| {
        stream.write_all(&Reply::Ok(id).encode()).unwrap();
        until_closed(stream);
        drop(listener);
    });
    let exited = exit(
        &with_sessions(0),
        &target_of(&path),
        SessionConsent::UpTo(0),
        LONG,
    );
    let waited = VERIFY_LIMIT;
    assert_eq!(exited, Err(ControlError::StillListening { waited }));
}

#[test]
fn exit_times_out_while_master_asks() {
    let (_directory, path) = scratch();
    let _master = master_that(&path, |stream, _listener, _| until_closed(stream));
    let exited = exit(
        &with_sessions(0),
        &target_of(&path),
        SessionConsent::UpTo(0),
        SHORT,
    );
    let silence = MuxError::TimedOut {
        waiting: Awaited::Exit,
        limit: SHORT,
    };
    assert_eq!(exited, Err(silence.into()));
}

#[test]
fn exit_and_stop_report_refusal() {
    let denied = |path: &Path| {
        master_that(path, |mut stream, listener, id| {
            let reply = Reply::PermissionDenied(id, b"Permission denied".to_vec());
            stream.write_all(&reply.encode()).unwrap();
            until_closed(stream);
            drop(listener);
        })
    };
    let refused = |waiting| MuxError::RefusedByMaster {
        waiting,
        reason: "Permission denied".to_owned(),
    };
    let (_directory, path) = scratch();
    let _master = denied(&path);
    let exited = exit(
        &with_sessions(0),
        &target_of(&path),
        SessionConsent::UpTo(0),
        LONG,
    );
    assert_eq!(exited, Err(refused(Awaited::Exit).into()));
    let (_directory, path) = scratch();
    let _master = denied(&path);
    let stopped = stop(&with_sessions(0), &target_of(&path), LONG);
    assert_eq!(stopped, Err(refused(Awaited::Stop).into()));
}

#[test]
fn stop_succeeds() {
    let (_directory, path) = scratch();
    let _master = master_that(&path, |mut stream, listener, id| {
        drop(listener);
        stream.write_all(&Reply::Ok(id).encode()).unwrap();
        until_closed(stream);
    });
    let stopped = stop(&with_sessions(2), &target_of(&path), LONG);
    assert_eq!(stopped, Ok(Stopped { sessions: Some(2) }));
}

#[test]
fn stop_succeeds_if_master_exits() {
    let (_directory, path) = scratch();
    let _master = master_that(&path, |stream, listener, _| {
        drop(listener);
        drop(stream);
    });
    let stopped = stop(&with_sessions(0), &target_of(&path), LONG);
    assert_eq!(stopped, Ok(Stopped { sessions: Some(0) }));
}

#[test]
fn stop_fails_if_connection_closes_and_listener_stays() {
    let (_directory, path) = scratch();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let _master = master_that(&path, move |stream, listener, _| {
        drop(stream);
        let _ = ended.recv();
        drop(listener);
    });
    let stopped = stop(&with_sessions(0), &target_of(&path), LONG);
    let closed = MuxError::Closed {
        waiting: Awaited::Stop,
    };
    assert_eq!(stopped, Err(closed.into()));
    drop(end);
}
