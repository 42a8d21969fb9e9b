//! Looks at sockets that these tests make; other sockets of the machine are filtered out.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener as Bound, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use super::*;
use crate::model::observation::{FileKind, Process};

const SUFFIX: &str = ".yDXYs2d7ScOlhAEI";

pub(super) fn own_uid() -> UserId {
    UserId(geteuid().as_raw())
}

pub(super) fn own_pid() -> MasterPid {
    MasterPid(std::process::id().cast_signed())
}

/// Waits for the condition. Needed after closing a socket: until it execs, a child that another test forks holds a copy.
pub(super) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        thread::yield_now();
    }
}

/// A process called ssh with a listener as its standard input. Killed on drop.
pub(super) struct Master {
    child: Child,
    _program: TempDir,
}

impl Master {
    pub(super) fn start(bound: Bound) -> Self {
        // Beside the test program, because /tmp may be mounted noexec.
        let beside = std::env::current_exe().unwrap();
        let program = tempfile::tempdir_in(beside.parent().unwrap())
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let ssh = program.path().join("ssh");
        let sleep = ["/usr/bin/sleep", "/bin/sleep"]
            .iter()
            .find(|path| Path::new(path).exists());
        fs::copy(sleep.unwrap(), &ssh).unwrap();
        let standard_input = OwnedFd::from(bound);
        let mut command = Command::new(&ssh);
        command
            .arg0("sleep")
            .arg("3600")
            .stdin(Stdio::from(standard_input));
        let mut child = None;
        // Another test's process may hold the program's file open for writing until it execs.
        eventually("the program can be started", || match command.spawn() {
            Ok(started) => child.insert(started).id() > 0,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ExecutableFileBusy, "{error}");
                false
            }
        });
        Self {
            child: child.unwrap(),
            _program: program,
        }
    }

    pub(super) fn pid(&self) -> MasterPid {
        MasterPid(self.child.id().cast_signed())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().0), signal).unwrap();
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory with sockets, and an observer.
struct Scene {
    directory: TempDir,
    observer: Observer,
}

impl Scene {
    fn new() -> Self {
        Self::with(Observer::new(own_uid(), None, None))
    }

    fn with(observer: Observer) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            observer,
        }
    }

    fn with_tables(
        sock_diag: fn() -> io::Result<UnixTable>,
        proc_net_unix: fn() -> io::Result<UnixTable>,
    ) -> Self {
        let sources = Sources {
            sock_diag,
            proc_net_unix,
        };
        Self::with(Observer::with_sources(
            own_uid(),
            ConnectMemory::new(own_uid(), None, None),
            sources,
        ))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Binds as a master does: to a temporary name, which is then linked to the real one.
    fn bind_master(&self, name: &str) -> Bound {
        let temporary = self.at(&format!("{name}{SUFFIX}"));
        let bound = Bound::bind(&temporary).unwrap();
        fs::hard_link(&temporary, self.at(name)).unwrap();
        fs::remove_file(&temporary).unwrap();
        bound
    }

    fn bind_stale(&self, name: &str) {
        drop(Bound::bind(self.at(name)).unwrap());
        eventually("the connect is refused", || {
            connect::probe(&self.at(name)) == Connect::Refused
        });
    }

    fn observe(&mut self, candidates: &[(&str, Origin)]) -> Facts {
        let candidates: Vec<Candidate> = candidates
            .iter()
            .map(|(name, origin)| Candidate {
                path: ControlPath::new(self.at(name)).unwrap(),
                origin: *origin,
            })
            .collect();
        let mut facts = self.observer.observe(&candidates);
        let ours = |path: &ControlPath| path.as_path().starts_with(self.directory.path());
        facts
            .observations
            .retain(|observation| ours(&observation.path));
        facts.orphans.retain(|orphan| ours(&orphan.path));
        facts
    }

    fn one(&mut self, name: &str, origin: Origin) -> Option<Observation> {
        let mut facts = self.observe(&[(name, origin)]);
        assert!(facts.observations.len() <= 1, "{facts:?}");
        facts.observations.pop()
    }
}

fn names(facts: &Facts) -> Vec<(&str, Origin)> {
    facts
        .observations
        .iter()
        .map(|seen| {
            (
                seen.path
                    .as_path()
                    .file_name()
                    .and_then(OsStr::to_str)
                    .unwrap(),
                seen.origin,
            )
        })
        .collect()
}

fn process_of(listener: &Listener) -> Option<&Process> {
    match &listener.holder {
        Holder::Ssh(process) | Holder::Other(process) => Some(process),
        Holder::Unknown => None,
    }
}

fn is_untouched(bound: &Bound) -> bool {
    bound.set_nonblocking(true).unwrap();
    bound.accept().unwrap_err().kind() == io::ErrorKind::WouldBlock
}

fn age(path: &Path, seconds: i64) {
    let time = TimeSpec::new(nix::libc::time_t::from(1_000_000_000 - seconds), 0);
    utimensat(
        nix::fcntl::AT_FDCWD,
        path,
        &time,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )
    .unwrap();
}

#[test]
fn listener_is_observed_without_a_connect() {
    let mut scene = Scene::new();
    let bound = scene.bind_master("u@h");
    let seen = scene.one("u@h", Origin::Exact).unwrap();
    assert_eq!(
        (&seen.filesystem, &seen.connect),
        (&Filesystem::Local, &None)
    );
    let File::Socket(stat) = seen.file else {
        panic!("not a socket: {seen:?}");
    };
    assert_eq!(stat.uid, own_uid());
    let listener = seen.listener.unwrap();
    assert_eq!(listener.bound_name, scene.at(&format!("u@h{SUFFIX}")));
    assert_eq!((listener.backlog, listener.sessions), (0, 0));
    assert!(is_untouched(&bound));
    eventually("this process is the holder", || {
        let listener = scene.one("u@h", Origin::Exact).unwrap().listener.unwrap();
        process_of(&listener).is_some_and(|process| process.pid == own_pid())
    });

    let _client = UnixStream::connect(scene.at("u@h")).unwrap();
    let _accepted = bound.accept().unwrap();
    let _waiting = UnixStream::connect(scene.at("u@h")).unwrap();
    let listener = scene.one("u@h", Origin::Exact).unwrap().listener.unwrap();
    assert_eq!((listener.backlog, listener.sessions), (1, 1));
}

#[test]
fn only_sockets_without_listener_are_connected_to() {
    let mut scene = Scene::new();
    scene.bind_stale("stale");
    fs::write(scene.at("file"), "").unwrap();
    symlink(scene.at("stale"), scene.at("link")).unwrap();
    let facts = scene.observe(&[
        ("stale", Origin::Pattern),
        ("missing", Origin::Exact),
        ("file", Origin::Pattern),
        ("link", Origin::VaguePattern),
    ]);
    assert_eq!(facts.table, Table::SockDiag);
    assert_eq!(
        names(&facts),
        [
            ("stale", Origin::Pattern),
            ("file", Origin::Pattern),
            ("link", Origin::VaguePattern)
        ]
    );
    let seen: Vec<_> = facts
        .observations
        .iter()
        .map(|seen| (&seen.file, &seen.connect))
        .collect();
    assert!(matches!(seen[0], (File::Socket(_), Some(Connect::Refused))));
    assert!(matches!(seen[1], (File::Other(FileKind::Regular, _), None)));
    assert!(matches!(seen[2], (File::Other(FileKind::Symlink, _), None)));
}

#[test]
fn socket_of_other_user_is_not_connected_to() {
    let mut scene = Scene::with(Observer::new(UserId(own_uid().0 + 1), None, None));
    scene.bind_stale("s");
    let seen = scene.one("s", Origin::Exact).unwrap();
    assert_eq!((seen.listener, seen.connect), (None, None));
}

#[test]
fn temporary_name_is_connected_to_only_if_old() {
    let mut scene = Scene::new();
    let name = format!("u@h{SUFFIX}");
    scene.bind_stale(&name);
    assert_eq!(scene.one(&name, Origin::Temporary).unwrap().connect, None);
    age(&scene.at(&name), 0);
    let seen = scene.one(&name, Origin::Temporary).unwrap();
    assert_eq!(seen.connect, Some(Connect::Refused));
}

#[test]
fn accepted_connect_is_kept_if_there_is_no_table() {
    let mut scene = Scene::with_tables(
        || Err(io::ErrorKind::Unsupported.into()),
        || Err(io::ErrorKind::NotFound.into()),
    );
    let bound = Bound::bind(scene.at("s")).unwrap();
    for _ in 0..2 {
        let facts = scene.observe(&[("s", Origin::Exact)]);
        assert_eq!(facts.table, Table::None);
        assert_eq!(facts.observations[0].connect, Some(Connect::Accepted));
    }
    bound.accept().unwrap();
    assert!(is_untouched(&bound), "connected to twice");

    // The answer is not used for another socket at the same path.
    fs::remove_file(scene.at("s")).unwrap();
    scene.bind_stale("s");
    let seen = scene.one("s", Origin::Exact).unwrap();
    assert_eq!(seen.connect, Some(Connect::Refused));
}

#[test]
fn listeners_are_found_by_name_without_sock_diag() {
    let no_sock_diag = || Err(io::ErrorKind::Unsupported.into());
    let mut scene = Scene::with_tables(no_sock_diag, proc_net_unix::read_own);
    let bound = scene.bind_master("u@h");
    scene.bind_stale("stale");
    let _client = UnixStream::connect(scene.at("u@h")).unwrap();
    let _accepted = bound.accept().unwrap();
    let facts = scene.observe(&[("u@h", Origin::Exact), ("stale", Origin::Exact)]);
    assert_eq!(facts.table, Table::ProcNetUnix);
    let listener = facts.observations[0].listener.as_ref().unwrap();
    assert_eq!((listener.cookie, listener.sessions), (None, 1));
    assert!(process_of(listener).is_some());
    assert_eq!(facts.observations[1].connect, Some(Connect::Refused));
    assert!(is_untouched(&bound));
}

#[test]
fn socket_missing_in_one_dump_is_not_connected_to() {
    static DUMPS: AtomicU32 = AtomicU32::new(0);
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let mut scene = Scene::with_tables(
        || {
            if DUMPS.fetch_add(1, Ordering::Relaxed) == 0 {
                return Ok(UnixTable::new(Table::SockDiag, []));
            }
            // A listener of another test can look like an orphan, for which the table is read again.
            let table = sock_diag::dump()?;
            let is_own = |listener: &&UnixListener| {
                let directory = DIRECTORY.get();
                directory.is_some_and(|directory| listener.name.starts_with(directory))
            };
            let own = table.listeners().filter(is_own).cloned();
            Ok(UnixTable::new(
                Table::SockDiag,
                own.map(unix_table::Row::Listener),
            ))
        },
        proc_net_unix::read_own,
    );
    DIRECTORY.set(scene.directory.path().to_owned()).unwrap();
    let bound = scene.bind_master("u@h");
    let seen = scene.one("u@h", Origin::Exact).unwrap();
    assert!(seen.listener.is_some());
    assert!(is_untouched(&bound));
    assert_eq!(DUMPS.load(Ordering::Relaxed), 2);
    // A stale socket needs a second dump only once.
    drop(bound);
    eventually("the connect is refused", || {
        connect::probe(&scene.at("u@h")) == Connect::Refused
    });
    for dumps in [4, 5, 6] {
        let seen = scene.one("u@h", Origin::Exact).unwrap();
        assert_eq!(seen.connect, Some(Connect::Refused));
        assert_eq!(DUMPS.load(Ordering::Relaxed), dumps);
    }
}

#[test]
fn master_at_unknown_path_is_found() {
    let mut scene = Scene::new();
    let master = Master::start(scene.bind_master("u@h"));
    let facts = scene.observe(&[]);
    assert_eq!(names(&facts), [("u@h", Origin::Kernel)]);
    assert_eq!(facts.orphans, []);
    let listener = facts.observations[0].listener.as_ref().unwrap();
    let Holder::Ssh(process) = &listener.holder else {
        panic!("not an ssh: {listener:?}");
    };
    assert_eq!((process.pid, process.name.as_str()), (master.pid(), "ssh"));
    assert!(!process.stopped);
    let age = facts.at.duration_since(process.started.unwrap());
    assert!(age.unwrap_or_default() < Duration::from_secs(60));

    master.signal(Signal::SIGSTOP);
    eventually("the master is stopped", || {
        let seen = scene.one("u@h", Origin::Exact).unwrap();
        seen.origin == Origin::Exact
            && seen
                .listener
                .as_ref()
                .and_then(process_of)
                .is_some_and(|process| process.stopped)
    });
}

#[test]
fn forwarding_of_an_ssh_is_no_master() {
    let mut scene = Scene::new();
    let _ssh = Master::start(Bound::bind(scene.at("forwarded")).unwrap());
    let facts = scene.observe(&[]);
    assert_eq!((names(&facts), &facts.orphans[..]), (vec![], &[][..]));
}

#[test]
fn master_without_its_file_is_an_orphan() {
    let mut scene = Scene::new();
    let master = Master::start(scene.bind_master("u@h"));
    fs::remove_file(scene.at("u@h")).unwrap();
    let pid = |facts: &Facts| process_of(&facts.orphans[0].listener).map(|process| process.pid);
    let facts = scene.observe(&[("u@h", Origin::Exact)]);
    assert_eq!(names(&facts), []);
    assert_eq!(
        facts.orphans[0].path,
        ControlPath::new(scene.at("u@h")).unwrap()
    );
    assert_eq!(
        (pid(&facts), facts.orphans[0].successor),
        (Some(master.pid()), false)
    );

    let successor = scene.bind_master("u@h");
    let facts = scene.observe(&[("u@h", Origin::Exact)]);
    assert_eq!(names(&facts), [("u@h", Origin::Exact)]);
    assert!(facts.observations[0].listener.is_some());
    assert_eq!(
        (pid(&facts), facts.orphans[0].successor),
        (Some(master.pid()), true)
    );

    // The orphan stays one when its successor is stale.
    drop(successor);
    eventually("the successor is stale", || {
        let facts = scene.observe(&[("u@h", Origin::Exact)]);
        facts.observations[0].connect == Some(Connect::Refused) && facts.orphans.len() == 1
    });

    fs::remove_file(scene.at("u@h")).unwrap();
    fs::write(scene.at("u@h"), "").unwrap();
    let facts = scene.observe(&[]);
    assert_eq!(
        (pid(&facts), facts.orphans[0].successor),
        (Some(master.pid()), false)
    );
}

#[test]
fn exiting_master_is_no_orphan() {
    let mut scene = Scene::new();
    let mut master = Master::start(scene.bind_master("u@h"));
    fs::remove_file(scene.at("u@h")).unwrap();
    let facts = thread::scope(|scope| {
        scope.spawn(|| master.end());
        scene.observe(&[])
    });
    assert_eq!(facts.orphans, []);
}

#[test]
fn starting_master_is_neither_orphan_nor_found() {
    let mut scene = Scene::new();
    let temporary = format!("u@h{SUFFIX}");
    let _master = Master::start(Bound::bind(scene.at(&temporary)).unwrap());
    let facts = scene.observe(&[("u@h", Origin::Exact)]);
    assert_eq!((names(&facts), &facts.orphans[..]), (vec![], &[][..]));
    let seen = scene.one(&temporary, Origin::Temporary).unwrap();
    assert!(seen.listener.is_some());
    assert_eq!(seen.connect, None);

    // Linked, while its temporary name still exists.
    fs::hard_link(scene.at(&temporary), scene.at("u@h")).unwrap();
    let facts = scene.observe(&[("u@h", Origin::Exact), (&temporary, Origin::Temporary)]);
    assert_eq!(names(&facts), [("u@h", Origin::Exact)]);
    assert_eq!(facts.orphans, []);
    let facts = scene.observe(&[(&temporary, Origin::Temporary)]);
    assert_eq!(names(&facts), [("u@h", Origin::Kernel)]);
}

#[test]
fn master_moved_aside_is_no_orphan() {
    let mut scene = Scene::new();
    let _master = Master::start(scene.bind_master("u@h"));
    fs::rename(scene.at("u@h"), scene.at("aside")).unwrap();
    let facts = scene.observe(&[("aside", Origin::Aside)]);
    assert_eq!(
        (names(&facts), &facts.orphans[..]),
        (vec![("aside", Origin::Aside)], &[][..])
    );
    assert!(facts.observations[0].listener.is_some());
}

#[test]
fn no_connect_if_table_is_unreadable_for_lack_of_descriptors() {
    let mut scene = Scene::with_tables(
        || Err(nix::errno::Errno::EMFILE.into()),
        || Err(nix::errno::Errno::EMFILE.into()),
    );
    let bound = scene.bind_master("u@h");
    bound.set_nonblocking(true).unwrap();
    let seen = scene.one("u@h", Origin::Exact).unwrap();
    assert_eq!(
        seen.connect,
        Some(Connect::Failed("Too many open files".to_owned()))
    );
    assert_eq!(
        bound.accept().unwrap_err().kind(),
        io::ErrorKind::WouldBlock
    );
}
