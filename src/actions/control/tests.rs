use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::PathBuf;

use nix::sys::signal::Signal::SIGKILL;

use super::*;
use crate::actions::end_process::tests::{Sleeper, process};
use crate::actions::held_socket::tests::target_of;
use crate::actions::kernel::LiveKernel;
use crate::decide::ending::AtPath;
use crate::model::socket::{Cookie, FileKind, Holder};
use crate::mux::error::Awaited;
use crate::mux::fake::{FakeMaster, hello, hello_with_info, read_request, until_closed};
use crate::mux::wire::{Reply, RequestId};

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(20);

/// A kernel that shows this listener.
struct Shows(Option<ListenerFound>);

impl Kernel for Shows {
    fn master(&self, _: &Target) -> Option<ListenerFound> {
        self.0.clone()
    }
}

fn with_sessions(sessions: u32) -> Shows {
    Shows(Some(ListenerFound {
        cookie: Some(Cookie(2)),
        holder: Holder::Unknown,
        carried: Some(Carried::sessions(sessions)),
        sessions: None,
        place: AtPath::Own,
    }))
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("u@h-22");
    (directory, path)
}

fn is_untouched(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener
        .accept()
        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// The behaviour of a master after it has read a request: its connection, its listener, the request's id.
type Then = fn(UnixStream, UnixListener, RequestId);

/// A master at a path of its own that greets and reads one request.
fn master_that(then: Then) -> (tempfile::TempDir, Target, FakeMaster) {
    let (directory, path) = scratch();
    let master = FakeMaster::serve(&path, move |mut stream, listener| {
        let _ = stream.write_all(&hello().encode());
        let greeting = read_request(&mut stream);
        if let (Some(_), Some((_, id))) = (greeting, read_request(&mut stream)) {
            then(stream, listener, RequestId(id));
        }
    });
    let target = target_of(&path);
    (directory, target, master)
}

fn send(stream: &mut UnixStream, reply: &Reply) {
    stream.write_all(&reply.encode()).unwrap();
}

fn exit_of(then: Then, consent: SessionConsent, limit: Duration) -> Result<Ended, ActionError> {
    let (_directory, target, _master) = master_that(then);
    exit(&with_sessions(0), &target, consent, limit)
}

fn timed_out(waiting: Awaited) -> ActionError {
    MuxError::TimedOut(waiting, SHORT).into()
}

#[test]
fn check_returns_pid_and_connection_if_offered() {
    for (answers_info, limit) in [(true, LONG), (false, SHORT)] {
        let (_directory, path) = scratch();
        let _master = FakeMaster::answering(&path, hello_with_info(), move |kind, id| {
            let id = RequestId(id);
            let text = b"Connection information for h pid 4711\r\n  tcp a:1 -> b:2\r\n".to_vec();
            Some(match kind {
                0x1000_0004 => Reply::Alive { id, pid: 4711 }.encode(),
                _ if answers_info => (Reply::Info {
                    id,
                    status: 1,
                    text,
                })
                .encode(),
                // No bytes: the connection stays open without an answer.
                _ => Vec::new(),
            })
        });
        let checked = check(&target_of(&path), limit).unwrap();
        assert_eq!(checked.pid, Some(MasterPid(4711)));
        let connection = answers_info.then(|| "tcp a:1 -> b:2".to_owned());
        assert_eq!(checked.connection, connection);
        assert!(checked.round_trip > Duration::ZERO && checked.round_trip < LONG);
    }
}

#[test]
fn connection_line_of_each_version() {
    for (info, line) in [
        (
            &b"heading\r\n  tcp 10.0.0.1:5 -> 10.0.0.2:22\r\n  duration 5s\r\n"[..],
            Some("tcp 10.0.0.1:5 -> 10.0.0.2:22"),
        ),
        // Since 10.6.
        (
            b"heading\r\n  versions SSH-2.0-OpenSSH_10.6 -> SSH-2.0-x\r\n  tcp [::1]:5 -> [::1]:22\r\n",
            Some("tcp [::1]:5 -> [::1]:22"),
        ),
        (
            b"heading\r\n  versions tcp -> duration\r\n  duration 5s\r\n  kexalgorithm x\r\n",
            Some("duration 5s"),
        ),
        (b"heading\n  duration 5s\n  tcp a:1 -> b:2", Some("tcp a:1 -> b:2")),
        (b"heading\n  tcp a\x1b[2J\xff", Some("tcp a\\u{1b}[2J\\xff")),
        (b"heading\n  \n  tcpx 1\n  tcp\n  cipher x", None),
        (b"heading only", None),
        (b"", None),
    ] {
        assert_eq!(connection_line(info).as_deref(), line);
    }
    let long = [&b"  tcp "[..], &[b'x'; 100_000]].concat();
    assert!(connection_line(&long).unwrap().len() <= 200);
}

#[test]
fn connects_only_to_the_socket_of_the_target() {
    let (directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut replaced = target_of(&path);
    replaced.id.as_mut().unwrap().inode += 1;
    for (target, error) in [
        (target_of(&link), HoldError::NotASocket(FileKind::Symlink)),
        (target_of(&directory.path().join("no")), HoldError::Missing),
        (replaced, HoldError::Changed),
    ] {
        let kernel = with_sessions(0);
        for result in [
            check(&target, LONG).map(drop),
            exit(&kernel, &target, SessionConsent::NONE, LONG).map(drop),
            stop(&kernel, &target, LONG).map(drop),
        ] {
            assert_eq!(result, Err(error.clone().into()));
        }
    }
    // Another listener at the same file.
    let mut target = target_of(&path);
    target.cookie = Some(Cookie(1));
    let exited = exit(&with_sessions(0), &target, SessionConsent::Any, LONG);
    assert_eq!(exited, Err(HoldError::Changed.into()));
    let stopped = stop(&with_sessions(0), &target, LONG);
    assert_eq!(stopped, Err(HoldError::Changed.into()));
    assert!(is_untouched(&listener));
}

#[test]
fn exit_refuses_to_close_more_sessions_than_agreed() {
    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let session = |_| {
        (
            UnixStream::connect(&path).unwrap(),
            listener.accept().unwrap(),
        )
    };
    let _sessions: Vec<_> = (0..2).map(session).collect();
    let target = target_of(&path);
    let exited = exit(
        &LiveKernel,
        &target,
        SessionConsent::UpTo(Carried::sessions(1)),
        LONG,
    );
    assert_eq!(
        exited,
        Err(ActionError::ConnectionsOpen(
            Some(Carried::sessions(2)),
            None
        ))
    );
    assert!(is_untouched(&listener));
    let uncounted = exit(
        &Shows(None),
        &target,
        SessionConsent::UpTo(Carried::sessions(5)),
        LONG,
    );
    assert_eq!(uncounted, Err(ActionError::ConnectionsOpen(None, None)));
    drop(listener);
    let refused = exit(
        &Shows(None),
        &target,
        SessionConsent::UpTo(Carried::sessions(5)),
        LONG,
    );
    assert_eq!(refused, Err(MuxError::Refused.into()));
}

#[test]
fn exit_waits_for_client_that_is_disconnecting() {
    /// Closes the connection after it was counted.
    struct Leaving(RefCell<Vec<(UnixStream, SocketAddr)>>);
    impl Kernel for Leaving {
        fn master(&self, target: &Target) -> Option<ListenerFound> {
            let master = LiveKernel.master(target);
            self.0.borrow_mut().pop();
            master
        }
    }

    let (_directory, path) = scratch();
    let listener = UnixListener::bind(&path).unwrap();
    let target = target_of(&path);
    let _client = UnixStream::connect(&path).unwrap();
    let kernel = Leaving(RefCell::new(vec![listener.accept().unwrap()]));
    // The request is sent, and the master does not answer.
    let exited = exit(&kernel, &target, SessionConsent::NONE, SHORT);
    let timed_out = matches!(exited, Err(ActionError::Mux(MuxError::TimedOut(..))));
    assert!(timed_out, "{exited:?}");
}

#[test]
fn exit_counts_again_after_the_greeting() {
    /// Carries nothing at the first scan, and then this.
    struct Opening(Carried, Cell<bool>);
    impl Kernel for Opening {
        fn master(&self, _: &Target) -> Option<ListenerFound> {
            let carried = self.1.replace(true).then_some(self.0);
            let found = with_sessions(0).0?;
            Some(ListenerFound {
                carried: Some(carried.unwrap_or_default()),
                sessions: None,
                ..found
            })
        }
    }

    let forwarded = Carried {
        sessions: 1,
        forwarded: 1,
    };
    for (after, refused) in [
        (Carried::sessions(1), None),
        (Carried::sessions(2), Some(Carried::sessions(1))),
        (
            forwarded,
            Some(Carried {
                sessions: 0,
                ..forwarded
            }),
        ),
    ] {
        let (_directory, target, _master) = master_that(|_, listener, _| end(listener));
        let kernel = Opening(after, Cell::new(false));
        let exited = exit(&kernel, &target, SessionConsent::NONE, LONG);
        let error = refused.map(|carried| ActionError::ConnectionsOpen(Some(carried), None));
        assert_eq!(exited.err(), error);
    }
}

#[test]
fn exit_is_verified_with_or_without_ok() {
    let with_ok: Then = |mut stream, listener, id| {
        send(&mut stream, &Reply::Ok(id));
        end(listener);
    };
    let without_ok: Then = |_stream, listener, _| end(listener);
    for then in [with_ok, without_ok] {
        for (kernel, consent) in [
            (with_sessions(3), SessionConsent::UpTo(Carried::sessions(3))),
            (Shows(None), SessionConsent::Any),
        ] {
            let (_directory, target, _master) = master_that(then);
            let exited = exit(&kernel, &target, consent, LONG).unwrap();
            // One of them is the connection of the request.
            assert_eq!(exited.message.contains("2 sessions"), kernel.0.is_some());
            assert!(!exited.file_remains);
        }
    }
    let leaves_its_file: Then = |stream, listener, _| drop((listener, stream));
    let exited = exit_of(leaves_its_file, SessionConsent::NONE, LONG);
    assert!(exited.unwrap().file_remains);
}

/// A kernel in which this process holds the listener.
fn held_by(pid: i32, sessions: u32) -> Shows {
    Shows(Some(ListenerFound {
        holder: Holder::Ssh(process(MasterPid(pid), "ssh")),
        ..with_sessions(sessions).0.unwrap()
    }))
}

/// The process outlives its listener, and is a child that nobody has waited for.
#[test]
fn exit_returns_when_process_has_ended() {
    let mut child = Sleeper::start();
    let (_directory, path) = scratch();
    let pid = child.pid();
    let _master = FakeMaster::serve(&path, move |mut stream, listener| {
        let _ = stream.write_all(&hello().encode());
        let _ = (read_request(&mut stream), read_request(&mut stream));
        end(listener);
        drop(stream);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.0), SIGKILL).unwrap();
    });
    let exited = exit(
        &held_by(pid.0, 0),
        &target_of(&path),
        SessionConsent::NONE,
        LONG,
    );
    assert_eq!(exited.unwrap().message, "exited");
    assert!(!child.is_running());
}

#[test]
fn exit_fails_if_process_stays_without_listener() {
    let mut child = Sleeper::start();
    let (_directory, target, _master) = master_that(|_stream, listener, _| end(listener));
    let exited = exit(
        &held_by(child.pid().0, 0),
        &target,
        SessionConsent::NONE,
        LONG,
    );
    let error = ActionError::StillRunning(child.pid(), VERIFY_LIMIT);
    assert_eq!(exited, Err(error));
    assert!(child.is_running());
}

#[test]
fn process_that_no_longer_holds_the_listener_is_not_waited_for() {
    /// The listener moves from the first process to an unknown one.
    struct Moves(Cell<Option<ListenerFound>>);
    impl Kernel for Moves {
        fn master(&self, _: &Target) -> Option<ListenerFound> {
            self.0.take().or_else(|| with_sessions(0).0)
        }
    }
    let child = Sleeper::start();
    let (_directory, target, _master) = master_that(|_stream, listener, _| end(listener));
    let kernel = Moves(Cell::new(held_by(child.pid().0, 0).0));
    let exited = exit(&kernel, &target, SessionConsent::NONE, LONG);
    assert_eq!(exited.unwrap().message, "exited");
}

/// Closes the listener and removes its file, as a master that exits.
fn end(listener: UnixListener) {
    let address = listener.local_addr().unwrap();
    drop(listener);
    fs::remove_file(address.as_pathname().unwrap()).unwrap();
}

#[test]
fn exit_fails_if_master_stays() {
    let agrees: Then = |mut stream, _listener, id| {
        send(&mut stream, &Reply::Ok(id));
        until_closed(stream);
    };
    let exited = exit_of(agrees, SessionConsent::NONE, LONG);
    assert_eq!(exited, Err(ActionError::StillListening(VERIFY_LIMIT)));
    let asks: Then = |stream, _listener, _| until_closed(stream);
    let exited = exit_of(asks, SessionConsent::NONE, SHORT);
    assert_eq!(exited, Err(timed_out(Awaited::Exit)));
}

#[test]
fn stop_succeeds_if_listener_is_closed() {
    let answers: Then = |mut stream, listener, id| {
        drop(listener);
        send(&mut stream, &Reply::Ok(id));
        until_closed(stream);
    };
    let exits: Then = |stream, listener, _| drop((listener, stream));
    for (then, number) in [(answers, 2), (exits, 0)] {
        let (_directory, target, _master) = master_that(then);
        let stopped = stop(&with_sessions(number), &target, LONG);
        assert_eq!(stopped, Ok(Some(Carried::sessions(number))));
    }
}

#[test]
fn stop_counts_nothing_if_process_stays_without_connections() {
    let child = Sleeper::start();
    for (sessions, carried) in [(0, None), (2, Some(Carried::sessions(2)))] {
        let (_directory, target, _master) = master_that(|_stream, listener, _| end(listener));
        let stopped = stop(&held_by(child.pid().0, sessions), &target, LONG);
        assert_eq!(stopped, Ok(carried));
    }
}

#[test]
fn stop_fails_if_connection_closes_and_listener_stays() {
    let (_directory, path) = scratch();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let _master = FakeMaster::serve(&path, move |mut stream, listener| {
        let _ = stream.write_all(&hello().encode());
        let _ = (read_request(&mut stream), read_request(&mut stream));
        drop(stream);
        let _ = ended.recv();
        drop(listener);
    });
    let stopped = stop(&with_sessions(0), &target_of(&path), LONG);
    assert_eq!(stopped, Err(MuxError::Closed(Awaited::Stop).into()));
    drop(end);
}
