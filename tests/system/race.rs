//! Cleaning against masters that come and go at the same path: none is lost, no start is broken.
//!
//! One thread plays OpenSSH: it starts masters as mux.c does (bind a temporary name, listen, link, unlink the
//! temporary name), lets them live for a moment, and kills most of them, so that their file stays behind stale. Some
//! others clean whatever they find in the directory, all the time, and stand still between their look and their
//! rename until the next master has come: the worst moment there is.
//!
//! `tests/interleavings.rs` goes through the orders one by one; this leaves them to the kernel's scheduler. It runs for
//! a few seconds. The long run, with as many masters as it is told, is
//!
//! ```text
//! MUXTRAY_RACE_ROUNDS=100000 cargo test --test race -- --nocapture
//! ```

use std::fs;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use muxtray::actions::clean::{CleanError, CleanStep, Cleaned, Remnant, clean, clean_with_hook};
use muxtray::actions::kernel::LiveKernel;
use muxtray::model::control_path::{ControlPath, stem_of_aside, stem_of_temporary};
use muxtray::model::socket::{File, Target};
use muxtray::observe::filesystem;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};

const CLEANERS: usize = 3;
/// How many masters take the path, one after the other; the variable [`ROUNDS_VARIABLE`] says otherwise.
const ROUNDS: u64 = 3000;
const ROUNDS_VARIABLE: &str = "MUXTRAY_RACE_ROUNDS";
/// On a slow machine fewer rounds are enough, unless so many were asked for.
const TIME: Duration = Duration::from_secs(8);
/// How long a cleaner holds still between look and rename, if no master comes.
const WINDOW: Duration = Duration::from_millis(2);
/// Nothing that is waited for takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where masters and cleaners meet.
struct Stage {
    directory: tempfile::TempDir,
    over: AtomicBool,
    /// How many masters have been started.
    started: Mutex<u64>,
    start: Condvar,
    /// Odd while a cleaner is at a file, even in between; never the same again.
    at_work: [AtomicU64; CLEANERS],
    removed: AtomicU64,
    put_back: AtomicU64,
    judged: AtomicU64,
}

impl Stage {
    fn path(&self) -> PathBuf {
        self.directory.path().join("u@h-22")
    }

    /// Whatever lies in the directory is cleaned as what its name says, until the play is over.
    fn clean_on(&self, cleaner: usize) {
        while !self.over.load(Ordering::SeqCst) {
            for entry in fs::read_dir(self.directory.path()).unwrap() {
                self.at_work[cleaner].fetch_add(1, Ordering::SeqCst);
                self.clean(&entry.unwrap().path());
                self.at_work[cleaner].fetch_add(1, Ordering::SeqCst);
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
        let kind = kind_of(&target.path);
        let started = *self.started.lock().unwrap();
        let cleaned =
            clean_with_hook(
                &LiveKernel,
                &target,
                kind,
                SystemTime::now(),
                &|step| match step {
                    // What lies at the path is held until the next master comes; a temporary name, which no clean should
                    // get this far with, is taken at once.
                    CleanStep::Judged if kind == Remnant::Leftover => {}
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
            // The lock keeps the files of a clean under way from being settled by another.
            Ok(Cleaned::PutBack(path)) => panic!("{path} was settled in the middle of a clean"),
            Err(CleanError::Hold(_) | CleanError::Live | CleanError::TooYoung) => {}
            Err(CleanError::Busy) => {}
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
            let counts = self.at_work.each_ref();
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

    /// Waits until each cleaner has finished the clean it was at: a master lives longer than that.
    fn let_cleaners_finish(&self) {
        let counts = || {
            self.at_work
                .each_ref()
                .map(|count| count.load(Ordering::SeqCst))
        };
        let before = counts();
        until("every cleaner has finished with its file", || {
            let mut cleaners = counts().into_iter().zip(before);
            cleaners.all(|(now, before)| before % 2 == 0 || now != before)
        });
    }

    /// Starts so many masters, one after the other, or as many as there is time for.
    fn play(&self, rounds: u64, time: Option<Duration>) {
        let begin = Instant::now();
        for number in 0..rounds {
            if time.is_some_and(|time| begin.elapsed() > time) {
                break;
            }
            if number % 4 == 0 {
                // Let the cleaners have it, to see that they do clean.
                until("the stale socket is gone", || !self.path().exists());
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
            // Most are killed and leave their file; some end in order.
            drop(master);
            if number % 3 == 0 {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn kind_of(path: &ControlPath) -> Remnant {
    if stem_of_aside(path.name()).is_some() {
        Remnant::Aside
    } else if stem_of_temporary(path.name()).is_some() {
        Remnant::Leftover
    } else {
        Remnant::Stale
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        pause();
    }
}

/// Leaves the processor to the others; there may be two for four threads.
fn pause() {
    std::thread::park_timeout(Duration::from_micros(50));
}

/// Ends the cleaners even when the play fails.
struct Curtain<'a>(&'a AtomicBool);

impl Drop for Curtain<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// How many masters are wanted, where somebody said so.
fn wanted() -> Option<u64> {
    let said = std::env::var(ROUNDS_VARIABLE).ok()?;
    Some(
        said.parse()
            .unwrap_or_else(|_| panic!("{ROUNDS_VARIABLE}: {said:?} is no number")),
    )
}

#[test]
fn no_live_socket_is_lost_and_no_start_is_broken() {
    let wanted = wanted();
    let begin = Instant::now();
    let stage = Stage {
        directory: tempfile::tempdir().unwrap(),
        over: AtomicBool::new(false),
        started: Mutex::new(0),
        start: Condvar::new(),
        at_work: [const { AtomicU64::new(0) }; CLEANERS],
        removed: AtomicU64::new(0),
        put_back: AtomicU64::new(0),
        judged: AtomicU64::new(0),
    };
    std::thread::scope(|scope| {
        for cleaner in 0..CLEANERS {
            let stage = &stage;
            scope.spawn(move || {
                // A cleaner that fails must not leave the play waiting for it.
                let _curtain = Curtain(&stage.over);
                stage.clean_on(cleaner);
            });
        }
        let _curtain = Curtain(&stage.over);
        match wanted {
            Some(rounds) => stage.play(rounds, None),
            None => stage.play(ROUNDS, Some(TIME)),
        }
    });
    let counted = |count: &AtomicU64| count.load(Ordering::SeqCst);
    let started = *stage.started.lock().unwrap();
    println!(
        "{started} masters took the path, {} were taken and put back, none lost; {} stale sockets removed; {:.0?}",
        counted(&stage.put_back),
        counted(&stage.removed),
        begin.elapsed(),
    );
    assert_eq!(started, wanted.unwrap_or(started));
    assert!(counted(&stage.put_back) > 0, "the race did not happen");
    assert!(counted(&stage.removed) > 0, "nothing was ever cleaned");

    // What the last master left is all that can be there.
    for entry in fs::read_dir(stage.directory.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path, stage.path());
        let File::Socket(stat) = filesystem::lstat(&path) else {
            panic!("no socket");
        };
        let target = Target {
            path: ControlPath::new(&path).unwrap(),
            id: Some(stat.id),
            cookie: None,
        };
        let cleaned = clean(&LiveKernel, &target, Remnant::Stale, SystemTime::now());
        assert_eq!(cleaned, Ok(Cleaned::Removed));
    }
}
