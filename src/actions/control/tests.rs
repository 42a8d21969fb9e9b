use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::*;
use crate::actions::System;
use crate::actions::held::tests::target_of;
use crate::model::socket::{Cookie, FileKind, Filesystem, Stat};
use crate::mux::error::Step;
use crate::mux::fake::{FakeMaster, hello, read_request, until_closed};
use crate::mux::wire::{Reply, RequestId};

mod openssh;

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(20);

/// The real kernel, but for the master it shows.
struct Shows(Option<Master>);

impl Eyes for Shows {
    fn is_listened(&self, path: &ControlPath, file: &Stat) -> bool {
        System.is_listened(path, file)
    }

    fn master(&self, _: &ControlPath, _: &Stat) -> Option<Master> {
        self.0
    }

    fn filesystem(&self, directory: &Path) -> Filesystem {
        System.filesystem(directory)
    }

    fn probe(&self, socket: &fs::File) -> Connect {
        System.probe(socket)
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

/// A master that greets, reads one request, and then does as it is told with its connection and listener.
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
fn a_check_tells_pid_and_connection() {
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
fn a_master_that_falls_silent_after_its_answer_is_checked_all_the_same() {
    let (_directory, path) = scratch();
    let greeting = Reply::Hello {
        version: 4,
        extensions: vec![(b"info".to_vec(), b"0".to_vec())],
    };
    let _master = FakeMaster::answering(&path, greeting, |kind, id| {
        let id = RequestId(id);
        // Nothing but the alive check is answered; no bytes at all are not the end of the connection.
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
fn the_connection_is_the_first_line_of_substance() {
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
fn nothing_but_the_socket_that_was_meant_is_connected_to() {
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
    for (name, unfit) in [
        ("link", Unfit::NotASocket(FileKind::Symlink)),
        ("loop", Unfit::NotASocket(FileKind::Symlink)),
        ("directory", Unfit::NotASocket(FileKind::Directory)),
        ("file", Unfit::NotASocket(FileKind::Regular)),
        ("fifo", Unfit::NotASocket(FileKind::Fifo)),
        ("nothing", Unfit::Missing),
    ] {
        for result in all(&target_of(&at(name))) {
            assert_eq!(result, Err(unfit.clone().into()), "{name}");
        }
    }
    let mut target = target_of(&at("socket"));
    target.id.as_mut().unwrap().inode += 1;
    for result in all(&target) {
        assert_eq!(result, Err(Unfit::Changed.into()));
    }
    assert!(is_untouched(&listener));
}

#[test]
fn a_listener_with_another_cookie_is_another() {
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
    assert_eq!(exited, Err(Unfit::Changed.into()));
    assert_eq!(stop(&shows, &target, LONG), Err(Unfit::Changed.into()));
    assert!(is_untouched(&listener));
}

#[test]
fn open_sessions_are_not_closed_unasked() {
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
    let exited = exit(&System, &target_of(&path), SessionConsent::UpTo(1), LONG);
    assert_eq!(exited, Err(ActError::SessionsOpen { sessions: 2 }));
    assert_eq!(
        exited.unwrap_err().to_string(),
        "has 2 sessions open; exit closes them only when told to (--force)"
    );
    assert!(is_untouched(&listener));
}

#[test]
fn a_client_that_is_just_leaving_is_waited_for() {
    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let target = target_of(&path);
    let _client = UnixStream::connect(&path).unwrap();
    let accepted = listener.accept().unwrap();

    /// Lets the connection go once it has been counted.
    struct Leaving(std::cell::RefCell<Vec<(UnixStream, std::os::unix::net::SocketAddr)>>);
    impl Eyes for Leaving {
        fn is_listened(&self, path: &ControlPath, file: &Stat) -> bool {
            System.is_listened(path, file)
        }
        fn master(&self, path: &ControlPath, file: &Stat) -> Option<Master> {
            let master = System.master(path, file);
            self.0.borrow_mut().pop();
            master
        }
        fn filesystem(&self, directory: &Path) -> Filesystem {
            System.filesystem(directory)
        }
        fn probe(&self, socket: &fs::File) -> Connect {
            System.probe(socket)
        }
    }

    let eyes = Leaving(std::cell::RefCell::new(vec![accepted]));
    // It gets past the count, to a master that does not answer.
    let exited = exit(&eyes, &target, SessionConsent::UpTo(0), SHORT);
    let silence = MuxError::TimedOut {
        waiting: Step::Hello,
        limit: SHORT,
    };
    assert_eq!(exited, Err(silence.into()));
}

#[test]
fn sessions_that_cannot_be_counted_are_not_closed_unasked() {
    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let exited = exit(
        &Shows(None),
        &target_of(&path),
        SessionConsent::UpTo(5),
        LONG,
    );
    assert_eq!(exited, Err(ActError::SessionsUnknown));
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
fn a_master_that_ends_has_exited_with_or_without_an_ok() {
    for says_ok in [true, false] {
        for eyes in [with_sessions(3), Shows(None)] {
            let (_directory, path) = scratch();
            let file = path.clone();
            let _master = master_that(&path, move |mut stream, listener, id| {
                if says_ok {
                    stream.write_all(&Reply::Ok(id).encode()).unwrap();
                }
                drop(listener);
                fs::remove_file(file).unwrap();
            });
            let consent = if eyes.0.is_some() {
                SessionConsent::UpTo(3)
            } else {
                SessionConsent::Any
            };
            let exited = exit(&eyes, &target_of(&path), consent, LONG).unwrap();
            assert_eq!(exited.closed, eyes.0.map(|master| master.sessions));
            assert!(!exited.file_remains);
        }
    }
}

#[test]
fn a_master_that_dies_of_the_request_leaves_its_file() {
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
fn a_master_that_agrees_and_stays_has_not_exited() {
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
    assert_eq!(exited, Err(ActError::StillListening { waited }));
}

#[test]
fn a_master_that_asks_first_may_take_its_time_but_not_ours() {
    let (_directory, path) = scratch();
    let _master = master_that(&path, |stream, _listener, _| until_closed(stream));
    let exited = exit(
        &with_sessions(0),
        &target_of(&path),
        SessionConsent::UpTo(0),
        SHORT,
    );
    let silence = MuxError::TimedOut {
        waiting: Step::Exit,
        limit: SHORT,
    };
    assert_eq!(exited, Err(silence.into()));
}

#[test]
fn a_person_may_say_no() {
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
    assert_eq!(exited, Err(refused(Step::Exit).into()));
    let (_directory, path) = scratch();
    let _master = denied(&path);
    let stopped = stop(&with_sessions(0), &target_of(&path), LONG);
    assert_eq!(stopped, Err(refused(Step::Stop).into()));
}

#[test]
fn a_master_that_stops_listening_has_stopped() {
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
fn a_master_that_ends_instead_has_stopped_too() {
    let (_directory, path) = scratch();
    let _master = master_that(&path, |stream, listener, _| {
        drop(listener);
        drop(stream);
    });
    let stopped = stop(&with_sessions(0), &target_of(&path), LONG);
    assert_eq!(stopped, Ok(Stopped { sessions: Some(0) }));
}

#[test]
fn a_hangup_that_stops_nothing_is_an_error() {
    let (_directory, path) = scratch();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let _master = master_that(&path, move |stream, listener, _| {
        drop(stream);
        let _ = ended.recv();
        drop(listener);
    });
    let stopped = stop(&with_sessions(0), &target_of(&path), LONG);
    let closed = MuxError::Closed {
        waiting: Step::Stop,
    };
    assert_eq!(stopped, Err(closed.into()));
    drop(end);
}
