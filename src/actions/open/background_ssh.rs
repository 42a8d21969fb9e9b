//! Finds and ends the ssh of a start that went to the background, by a variable in its environment: it is no child of
//! muxtray any more.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::unistd::{Pid, getsid};

use crate::actions::kernel::{Kernel as _, LiveKernel};
use crate::actions::pidfd::Pidfd;
use crate::decide::ending::Signal;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, MasterPid, Target};
use crate::observe::filesystem;

const VARIABLE: &str = "MUXTRAY_OPEN";

/// How long the process may take to appear, and to end after SIGTERM.
const LIMIT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(10);

/// Identifies the ssh of one start among all processes.
#[derive(Debug)]
pub(super) struct Mark {
    variable: Vec<u8>,
    program: OsString,
}

impl Mark {
    /// Sets the variable for a command that will be started.
    pub(super) fn set(command: &mut Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let value = format!(
            "{}.{}.{}",
            std::process::id(),
            now.unwrap_or_default().as_nanos(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        command.env(VARIABLE, &value);
        Self {
            variable: format!("{VARIABLE}={value}").into_bytes(),
            program: command.get_program().to_owned(),
        }
    }

    /// Ends the ssh in the background. Returns whether there was one.
    pub(super) fn end(&self) -> bool {
        let Ok(processes) = fs::read_dir("/proc") else {
            return false;
        };
        let pids = processes
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut existed = false;
        for pid in pids.map(MasterPid).filter(|pid| self.matches(*pid)) {
            let Ok(process) = Pidfd::open(pid) else {
                continue;
            };
            // Checked again: the id may have been reused before the pidfd was opened.
            if self.matches(pid) {
                tracing::info!("ending ssh process {}, which became no master", pid.0);
                end_process(&process);
                existed = true;
            }
        }
        existed
    }

    /// Like [`Mark::end`], for a start whose foreground process has succeeded. Its child may not be the leader of a
    /// session yet (`daemon()` forks before setsid(2)).
    pub(super) fn end_when_in_background(&self) {
        let until = Instant::now() + LIMIT;
        while !self.end() && Instant::now() < until {
            thread::sleep(POLL);
        }
    }

    /// The master at this path, if it is the ssh of this start. Waits as [`Mark::end_when_in_background`] does.
    pub(super) fn master(&self, path: &ControlPath) -> Option<Target> {
        let until = Instant::now() + LIMIT;
        loop {
            let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
                return None;
            };
            let master = LiveKernel.master(path, &stat)?;
            if master.pid.is_some_and(|pid| self.matches(pid)) {
                return Some(Target {
                    path: path.clone(),
                    id: Some(stat.id),
                    cookie: master.cookie,
                });
            }
            if Instant::now() >= until {
                return None;
            }
            thread::sleep(POLL);
        }
    }

    /// Whether the process is the ssh itself. In the background it is the leader of a session (`daemon()`), unlike its
    /// ProxyCommand.
    fn matches(&self, pid: MasterPid) -> bool {
        let read = |file: &str| fs::read(format!("/proc/{}/{file}", pid.0)).unwrap_or_default();
        let number = Pid::from_raw(pid.0);
        getsid(Some(number)) == Ok(number)
            && read("environ")
                .split(|byte| *byte == 0)
                .any(|variable| variable == self.variable)
            && read("cmdline")
                .split(|byte| *byte == 0)
                .next()
                .is_some_and(|program| OsStr::from_bytes(program) == self.program)
    }
}

fn end_process(process: &Pidfd) {
    for signal in [Signal::Terminate, Signal::Kill] {
        if process.send(signal).is_err() || process.has_ended(LIMIT).unwrap_or(true) {
            return;
        }
    }
}
