//! Finds and ends the ssh of a start that went to the background, by a variable in its environment: it is no child of
//! muxtray any more.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::unistd::{Pid, getsid};

use crate::actions::kernel::own_uid;
use crate::actions::pidfd::Pidfd;
use crate::actions::ssh::master_at;
use crate::decide::ending::Signal;
use crate::model::control_path::ControlPath;
use crate::model::socket::{MasterPid, Target};
use crate::mux::deadline::Deadline;
use crate::observe::process::of_user;

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
    pub(super) fn set(command: &mut Command) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = now.unwrap_or_default().as_nanos();
        let value = format!(
            "{}.{:?}.{nanos}",
            std::process::id(),
            thread::current().id()
        );
        command.env(VARIABLE, &value);
        Self {
            variable: format!("{VARIABLE}={value}").into_bytes(),
            program: command.get_program().to_owned(),
        }
    }

    /// Ends the ssh in the background. Returns whether there was one.
    pub(super) fn end(&self) -> bool {
        let mut existed = false;
        for pid in of_user(own_uid()) {
            // Checked again: the id may have been reused before the pidfd was opened.
            if self.matches(pid)
                && let Ok(process) = Pidfd::open(pid)
                && self.matches(pid)
            {
                tracing::info!("ending ssh process {}, which became no master", pid.0);
                end_process(&process);
                existed = true;
            }
        }
        existed
    }

    /// Like [`Mark::end`], after the foreground process has succeeded. Its child may not be the leader of a
    /// session yet (`daemon()` forks before setsid(2)).
    pub(super) fn end_when_in_background(&self) {
        Deadline::within(LIMIT).poll(POLL, || self.end().then_some(()));
    }

    /// The master at this path, if it is the ssh of this start. Waits as [`Mark::end_when_in_background`] does.
    pub(super) fn master(&self, path: &ControlPath) -> Option<Target> {
        let found = Deadline::within(LIMIT).poll(POLL, || match master_at(path) {
            None => Some(None),
            Some((target, master)) => {
                let ssh = master.holder.ssh();
                let is_own = ssh.is_some_and(|process| self.matches(process.pid));
                is_own.then_some(Some(target))
            }
        });
        found.flatten()
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
