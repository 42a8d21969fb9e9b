//! Cleaning while masters start and end at the same path: no live socket is lost, no start is broken.
//!
//! One thread acts as OpenSSH: it starts masters as mux.c does (bind a temporary name, listen, link, unlink the
//! temporary name), lets them run for a moment, and kills most of them, so that their sockets become stale. Other
//! threads clean every name in the directory, all the time, and pause between look and rename until the next master has
//! started: the worst moment.
//!
//! `tests/interleavings` goes through the orders one by one; here the kernel's scheduler chooses. The test runs for a
//! few seconds; a long run, with a given number of masters, is
//!
//! ```text
//! MUXTRAY_RACE_ROUNDS=100000 cargo test --test system race -- --nocapture
//! ```

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use muxtray::actions::clean::{CleanStep, Cleaned, clean, clean_with_hook};
use muxtray::actions::error::ActionError;
use muxtray::actions::kernel::LiveKernel;
use muxtray::model::control_path::ControlPath;
use muxtray::model::socket::{File, Target};
use muxtray::observe::filesystem;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};

const CLEANERS: usize = 3;
/// The number of masters that take the path, one after the other, unless [`ROUNDS_VARIABLE`] is set.
const ROUNDS: u64 = 3000;
const ROUNDS_VARIABLE: &str = "MUXTRAY_RACE_ROUNDS";
/// On a slow machine fewer rounds are enough, unless a number was asked for.
const TIME: Duration = Duration::from_secs(8);
/// How long a cleaner pauses between look and rename if no master comes.
const WINDOW: Duration = Duration::from_millis(2);
/// The deadline of every wait.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The directory in which masters and cleaners meet.
struct SharedDirectory {
    directory: tempfile::TempDir,
    is_over: AtomicBool,
    /// The number of masters started.
    started: Mutex<u64>,
    start: Condvar,
    /// Odd while a cleaner is at a file, and during its pause; never the same again.
    cleans: [AtomicU64; CLEANERS],
    removed: AtomicU64,
    put_back: AtomicU64,
    judged: AtomicU64,
}

impl SharedDirectory {
    fn path(&self) -> PathBuf {
        self.directory.path().join("u@h-22")
    }

    /// Cleans every name in the directory, as the kind its name suggests, until the masters are done.
    fn clean_until_over(&self, cleaner: usize) {
        while !self.is_over.load(Ordering::SeqCst) {
            for entry in fs::read_dir(self.directory.path()).unwrap() {
                self.cleans[cleaner].fetch_add(1, Ordering::SeqCst);
                self.clean(&entry.unwrap().path());
                self.cleans[cleaner].fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn clean(&self, path: &Path) {
        let File::Socket(stat) = filesystem::lstat(path) else {
            return;
        };
        let target = Target {
            path: ControlPath::new(path).unwrap(),
            id: Some(stat.id),
            cookie: None,
        };
        let is_temporary = target.path.without_temporary_suffix().is_some();
        let started = *self.started.lock().unwrap();
        let cleaned = clean_with_hook(
            &LiveKernel,
            &target,
            SystemTime::now(),
            &|step| match step {
                // A file at the path is held until the next master comes; a temporary name, with which no clean
                // should get this far, is taken at once.
                CleanStep::Judged if is_temporary => {}
                CleanStep::Judged => {
                    self.judged.fetch_add(1, Ordering::SeqCst);
                    let now = self.started.lock().unwrap();
                    drop(
                        self.start
                            .wait_timeout_while(now, WINDOW, |now| *now == started)
                            .unwrap(),
                    );
                }
                CleanStep::PutBack => drop(self.put_back.fetch_add(1, Ordering::SeqCst)),
                CleanStep::Renamed | CleanStep::Removing | CleanStep::PuttingBack => {}
            },
        );
        match cleaned {
            Ok(Cleaned::Removed) => drop(self.removed.fetch_add(1, Ordering::SeqCst)),
            // The lock keeps files of a running clean from being settled by another clean.
            Ok(Cleaned::PutBack(path)) => panic!("{path} was settled in the middle of a clean"),
            Err(ActionError::Hold(_) | ActionError::Live | ActionError::TooYoung) => {}
            Err(ActionError::Busy) => {}
            Err(other) => panic!("{path:?} {other}"),
        }
    }

    /// Starts a master as OpenSSH does, and returns it with its inode.
    fn start(&self, number: u64) -> (OwnedFd, u64) {
        let path = self.path();
        // The client that finds a stale socket unlinks it and becomes a master; see muxclient() in mux.c.
        if UnixStream::connect(&path).is_err() {
            let _ = fs::remove_file(&path);
        }
        let temporary = self.directory.path().join(format!("u@h-22.{number:016}"));
        let master = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )
        .unwrap();
        bind(master.as_raw_fd(), &UnixAddr::new(&temporary).unwrap()).unwrap();
        self.let_cleaners_look();
        listen(&master, Backlog::new(64).unwrap()).unwrap();
        self.let_cleaners_look();
        fs::hard_link(&temporary, &path).expect("a start in progress was broken");
        let inode = fs::symlink_metadata(&temporary)
            .expect("a temporary name was taken")
            .ino();
        fs::remove_file(&temporary).expect("a temporary name was taken");
        *self.started.lock().unwrap() += 1;
        self.start.notify_all();
        (master, inode)
    }

    /// Waits until the cleaners may have found a new file, but not for long: a start is quick.
    fn let_cleaners_look(&self) {
        let count = || -> u64 {
            let counts = self.cleans.each_ref();
            counts
                .map(|count| count.load(Ordering::SeqCst))
                .iter()
                .sum()
        };
        let (before, moment) = (count(), Instant::now() + WINDOW / 4);
        while count() < before + 4 && Instant::now() < moment {
            pause();
        }
    }

    /// Waits until each cleaner has finished its current clean: a master lives longer than that.
    fn let_cleaners_finish(&self) {
        let counts = || {
            self.cleans
                .each_ref()
                .map(|count| count.load(Ordering::SeqCst))
        };
        let before = counts();
        wait_until("every cleaner has finished with its file", || {
            let mut cleaners = counts().into_iter().zip(before);
            cleaners.all(|(now, before)| before % 2 == 0 || now != before)
        });
    }

    /// Starts this many masters, one after the other, or fewer if the time is over.
    fn run_masters(&self, rounds: u64, time: Option<Duration>) {
        let begin = Instant::now();
        for number in 0..rounds {
            if time.is_some_and(|time| begin.elapsed() > time) {
                break;
            }
            if number % 4 == 0 {
                // Let the cleaners have it, to see that they do clean.
                wait_until("the stale socket is gone", || !self.path().exists());
            } else {
                let judged = self.judged.load(Ordering::SeqCst);
                let moment = Instant::now() + WINDOW;
                while self.judged.load(Ordering::SeqCst) == judged && Instant::now() < moment {
                    pause();
                }
            }
            let (master, inode) = self.start(number);
            self.let_cleaners_finish();
            let path = self.path();
            let there = fs::symlink_metadata(&path).expect("a live socket was lost");
            assert_eq!(there.ino(), inode, "a live socket was replaced");
            let _client = UnixStream::connect(&path).expect("a live socket was lost");
            let master = UnixListener::from(master);
            master
                .accept()
                .expect("another than the master was reached");
            // Most are killed and leave their socket; some end in order.
            drop(master);
            if number % 3 == 0 {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn wait_until(description: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "timed out: {description}");
        pause();
    }
}

/// Yields the processor: there may be two for four threads.
fn pause() {
    std::thread::park_timeout(Duration::from_micros(50));
}

/// Ends the cleaners even if the test fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The number of masters, if the variable sets it.
fn requested_rounds() -> Option<u64> {
    let value = std::env::var(ROUNDS_VARIABLE).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{ROUNDS_VARIABLE}: {value:?} is no number")),
    )
}

#[test]
fn concurrent_cleans_lose_no_live_socket_and_break_no_start() {
    let requested = requested_rounds();
    let begin = Instant::now();
    let shared = SharedDirectory {
        directory: tempfile::tempdir().unwrap(),
        is_over: AtomicBool::new(false),
        started: Mutex::new(0),
        start: Condvar::new(),
        cleans: [const { AtomicU64::new(0) }; CLEANERS],
        removed: AtomicU64::new(0),
        put_back: AtomicU64::new(0),
        judged: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        for cleaner in 0..CLEANERS {
            let shared = &shared;
            scope.spawn(move || {
                // A cleaner that fails must not leave the main thread waiting for it.
                let _stop = StopOnDrop(&shared.is_over);
                shared.clean_until_over(cleaner);
            });
        }
        let _stop = StopOnDrop(&shared.is_over);
        match requested {
            Some(rounds) => shared.run_masters(rounds, None),
            None => shared.run_masters(ROUNDS, Some(TIME)),
        }
    });
    let counted = |count: &AtomicU64| count.load(Ordering::SeqCst);
    let started = *shared.started.lock().unwrap();
    println!(
        "{started} masters took the path, {} were taken and put back, none lost; {} stale sockets removed; {:.0?}",
        counted(&shared.put_back),
        counted(&shared.removed),
        begin.elapsed(),
    );
    assert_eq!(started, requested.unwrap_or(started));
    assert!(counted(&shared.put_back) > 0, "the race did not happen");
    assert!(counted(&shared.removed) > 0, "nothing was ever cleaned");

    // Only the last master's socket may be left.
    for entry in fs::read_dir(shared.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path, shared.path());
        let File::Socket(stat) = filesystem::lstat(&path) else {
            panic!("no socket");
        };
        let target = Target {
            path: ControlPath::new(&path).unwrap(),
            id: Some(stat.id),
            cookie: None,
        };
        let cleaned = clean(&LiveKernel, &target, SystemTime::now());
        assert_eq!(cleaned, Ok(Cleaned::Removed));
    }
}
