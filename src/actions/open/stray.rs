//! An ssh that went to the background without becoming the master it was started as: it has lost the way back to us but
//! for a mark in its environment, which it has from us and nobody else can have.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::unistd::{Pid, getsid};

use crate::actions::end_process::Pidfd;
use crate::actions::{Eyes as _, System};
use crate::decide::ending::Signal;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, MasterPid, Target};
use crate::observe::filesystem;

/// The variable that carries the mark.
const NAME: &str = "MUXTRAY_OPEN";

/// How long one may take to appear, and to end in order before it is killed.
const LIMIT: Duration = Duration::from_secs(1);

/// How often one is looked for that has to appear.
const LOOK: Duration = Duration::from_millis(10);

/// What tells the processes of one start from all others, and which of them is the ssh itself.
#[derive(Debug)]
pub(super) struct Mark {
    entry: Vec<u8>,
    program: OsString,
}

/// Marks what will be started.
pub(super) fn mark(command: &mut Command) -> Mark {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let value = format!(
        "{}.{}.{}",
        std::process::id(),
        now.unwrap_or_default().as_nanos(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    command.env(NAME, &value);
    Mark {
        entry: format!("{NAME}={value}").into_bytes(),
        program: command.get_program().to_owned(),
    }
}

/// Ends the ssh of this start that is in the background, if there is one; tells whether there was.
pub(super) fn end(mark: &Mark) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    let numbers = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut was_there = false;
    for pid in numbers.map(MasterPid).filter(|pid| mark.is_of(*pid)) {
        // Held, it is looked at again: from then on it is this process or none.
        let Ok(held) = Pidfd::open(pid) else {
            continue;
        };
        if mark.is_of(pid) {
            tracing::info!("ending process {}, which became no master", pid.0);
            end_held(&held);
            was_there = true;
        }
    }
    was_there
}

/// The same for one that must be there: its parent has ended in order, a moment before it became the leader of its
/// session (`daemon()` forks first).
pub(super) fn end_certain(mark: &Mark) {
    let until = Instant::now() + LIMIT;
    while !end(mark) && Instant::now() < until {
        thread::sleep(LOOK);
    }
}

/// The master at this path, if it is the ssh of this start. It is there: its parent has ended in order; see
/// [`end_certain`].
pub(super) fn master(mark: &Mark, path: &ControlPath) -> Option<Target> {
    let until = Instant::now() + LIMIT;
    loop {
        let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
            return None;
        };
        let master = System.master(path, &stat)?;
        if master.pid.is_some_and(|pid| mark.is_of(pid)) {
            return Some(Target {
                path: path.clone(),
                id: Some(stat.id),
                cookie: master.cookie,
            });
        }
        if Instant::now() >= until {
            return None;
        }
        thread::sleep(LOOK);
    }
}

fn end_held(held: &Pidfd) {
    for signal in [Signal::Terminate, Signal::Kill] {
        if held.send(signal).is_err() || held.has_ended(LIMIT).unwrap_or(true) {
            return;
        }
    }
}

impl Mark {
    /// Whether this is the ssh of the start: going to the background makes it the leader of a session, which its
    /// proxies are not (`daemon()`).
    fn is_of(&self, pid: MasterPid) -> bool {
        let read = |file: &str| fs::read(format!("/proc/{}/{file}", pid.0)).unwrap_or_default();
        let number = Pid::from_raw(pid.0);
        getsid(Some(number)) == Ok(number)
            && read("environ")
                .split(|byte| *byte == 0)
                .any(|entry| entry == self.entry)
            && read("cmdline")
                .split(|byte| *byte == 0)
                .next()
                .is_some_and(|program| OsStr::from_bytes(program) == self.program)
    }
}
