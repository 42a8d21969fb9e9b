//! `muxtray open`: starts a master in the background (`ssh -fN`), after it has ended or removed a broken one.
//!
//! ssh goes to the background only when it is connected, so its exit status says whether that worked. The started ssh is
//! the master if it created the listener. If another ssh took the path at the same moment, the started one runs on
//! without a control socket, and nothing would ever end it: it is found by a mark in its environment and ended.

mod background_ssh;

use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;
use tr::tr;

use super::clean::{self, CleanError, Remnant};
use super::control::{self, CHECK_LIMIT, ControlError};
use super::end_process::{EndProcessError, MasterEnd, MasterEndError, exit_or_end_process};
use super::held_socket::HoldError;
use super::kernel::{Kernel as _, LiveKernel};
use super::ssh::deferred_signals::DeferredSignals;
use super::ssh::run::{self, RunOptions, RunResult, SshRole};
use super::ssh::{Ssh, escape_percent, master_created_by, remove_after_failed_start};
use crate::decide::action_report::ActionOutcome;
use crate::decide::intent::SessionConsent;
use crate::decide::opening::{First, Opened, Start};
use crate::diagnose::obstacle::Failure;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, Target};
use crate::observe::filesystem;
use crate::unconfined::{self, Lifetime};
use background_ssh::Mark;

/// ConnectTimeout, unless the configuration sets one.
const CONNECT_SECONDS: u32 = 15;

/// How long a start may take if ssh asks nothing.
const LIMIT_WITHOUT_QUESTIONS: Duration = Duration::from_secs(60);

/// How long a start may take if ssh may ask a person: as long as a server waits (LoginGraceTime in sshd_config(5)).
const LIMIT_WITH_QUESTIONS: Duration = Duration::from_secs(120);

/// How ssh asks for a passphrase, a password, or whether to accept a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Questions {
    Terminal,
    /// In a window, by the program in SSH_ASKPASS.
    Askpass,
    /// ssh fails if it would have to ask.
    None,
}

impl Questions {
    /// From the environment. On a terminal ssh decides by itself (ssh(1), `SSH_ASKPASS`).
    #[must_use]
    pub fn of(has_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
        if has_terminal {
            Self::Terminal
        } else if variable("SSH_ASKPASS_REQUIRE").as_deref() == Some(OsStr::new("never")) {
            Self::None
        } else if is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") {
            Self::Askpass
        } else {
            Self::None
        }
    }

    const fn limit(self) -> Duration {
        match self {
            Self::Terminal | Self::Askpass => LIMIT_WITH_QUESTIONS,
            Self::None => LIMIT_WITHOUT_QUESTIONS,
        }
    }
}

/// Why no master was opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The stranded master at the path was not ended.
    #[error(transparent)]
    NotEnded(#[from] MasterEndError),
    /// The stale socket at the path was not removed.
    #[error("{}", tr!("its stale socket: {error}", error = .0))]
    NotCleaned(#[from] CleanError),
    #[error("{0}")]
    Failed(Failure),
    /// By a signal. The started ssh has been ended.
    #[error("{}", tr!("interrupted"))]
    Interrupted,
}

impl OpenError {
    /// Whether the master was not ended because of its sessions: their number, `None` if they cannot be counted.
    #[must_use]
    pub const fn refused_sessions(&self) -> Option<Option<u32>> {
        match self {
            Self::NotEnded(
                MasterEndError::Exit(ControlError::SessionsOpen { sessions })
                | MasterEndError::Process(EndProcessError::SessionsOpen { sessions }),
            ) => Some(Some(*sessions)),
            Self::NotEnded(MasterEndError::Exit(ControlError::SessionsUnknown)) => Some(None),
            Self::NotEnded(_) | Self::NotCleaned(_) | Self::Failed(_) | Self::Interrupted => None,
        }
    }

    #[must_use]
    pub const fn outcome(&self) -> ActionOutcome {
        match self {
            Self::NotEnded(MasterEndError::Exit(error)) => error.outcome(),
            Self::NotEnded(MasterEndError::Process(error)) => error.outcome(),
            Self::NotCleaned(error) => error.outcome(),
            Self::Failed(_) | Self::Interrupted => ActionOutcome::Failed,
        }
    }
}

/// Starts a master. `consent` is for the sessions of a stranded one that is ended first.
///
/// # Errors
/// [`OpenError`]; then no started process lives on.
pub fn open(
    ssh: &Ssh,
    start: &Start,
    consent: SessionConsent,
    questions: Questions,
    signals: Option<&DeferredSignals>,
) -> Result<Opened, OpenError> {
    let before = free_path(&start.first, consent)?;
    let begun = Instant::now();
    let mut command = command(ssh, start, questions);
    let mark = Mark::set(&mut command);
    let options = RunOptions {
        limit: questions.limit(),
        role: SshRole::Master {
            may_ask: questions == Questions::Terminal,
        },
        signals,
    };
    let mut master = None;
    let command = unconfined::command(command, Lifetime::Unlimited);
    let result = run::run(command, options, |pid| {
        master = master_created_by(pid, &start.path);
    });
    if matches!(result, RunResult::Connected(_)) && unconfined::is_confined() {
        // ssh was started by systemd-run, so its process id is not known.
        master = mark.master(&start.path);
    }
    let took = begun.elapsed();
    let opened = |target: &Target, by_other| Opened {
        // Not the process that created the listener: ssh forked to go to the background.
        pid: control::check(target, CHECK_LIMIT)
            .ok()
            .and_then(|checked| checked.pid),
        took,
        before,
        by_other,
    };
    let error = match (result, master) {
        (RunResult::Connected(_), Some(target)) => return Ok(opened(&target, false)),
        (RunResult::Connected(_), None) => {
            // The started ssh runs without a control socket.
            mark.end_when_in_background();
            if let Some(target) = listening_master(&start.path) {
                return Ok(opened(&target, true));
            }
            OpenError::Failed(Failure::NoMaster(start.path.clone()))
        }
        // ssh may have gone to the background just before it was killed.
        (RunResult::Failed(failure), _) => {
            mark.end();
            OpenError::Failed(failure)
        }
        (RunResult::Interrupted, _) => {
            mark.end();
            OpenError::Interrupted
        }
    };
    remove_after_failed_start(&start.path);
    Err(error)
}

fn command(ssh: &Ssh, start: &Start, questions: Questions) -> Command {
    let mut command = ssh.command();
    command.args(["-f", "-N", "-o"]).arg(format!(
        "ControlMaster={}",
        if start.asks { "ask" } else { "yes" }
    ));
    if !start.has_connect_timeout {
        command
            .arg("-o")
            .arg(format!("ConnectTimeout={CONNECT_SECONDS}"));
    }
    match questions {
        Questions::Terminal => {}
        Questions::Askpass => {
            command.env("SSH_ASKPASS_REQUIRE", "force");
        }
        Questions::None => {
            command.args(["-o", "BatchMode=yes"]);
        }
    }
    command.arg("-S").arg(escape_percent(&start.path));
    ssh.add_host(&mut command);
    command
}

/// Ends a stranded master or removes a stale socket at the path. Returns how the master has ended.
fn free_path(first: &First, consent: SessionConsent) -> Result<Option<String>, OpenError> {
    match first {
        First::Nothing => Ok(None),
        First::Clean(target) => {
            clean(target)?;
            Ok(None)
        }
        First::End(target) => {
            let end = exit_or_end_process(&LiveKernel, target, consent)?;
            if matches!(&end, MasterEnd::Exited(exited) if exited.file_remains) {
                clean(target)?;
            }
            Ok(Some(end.to_string()))
        }
    }
}

fn clean(target: &Target) -> Result<(), CleanError> {
    match clean::clean(&LiveKernel, target, Remnant::Stale, SystemTime::now()) {
        Ok(_) | Err(CleanError::Hold(HoldError::Missing)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn listening_master(path: &ControlPath) -> Option<Target> {
    let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
        return None;
    };
    Some(Target {
        path: path.clone(),
        id: Some(stat.id),
        cookie: LiveKernel.master(path, &stat)?.cookie,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_follow_terminal_and_environment() {
        let of = |has_terminal, variables: &[(&str, &str)]| {
            Questions::of(has_terminal, |name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.into())
            })
        };
        assert_eq!(of(true, &[("DISPLAY", ":0")]), Questions::Terminal);
        assert_eq!(of(false, &[("DISPLAY", ":0")]), Questions::Askpass);
        let wayland = [("DISPLAY", ""), ("WAYLAND_DISPLAY", "wayland-1")];
        assert_eq!(of(false, &wayland), Questions::Askpass);
        assert_eq!(of(false, &[]), Questions::None);
        let never = [("DISPLAY", ":0"), ("SSH_ASKPASS_REQUIRE", "never")];
        assert_eq!(of(false, &never), Questions::None);
    }
}
