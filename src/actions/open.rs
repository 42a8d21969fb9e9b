//! `muxtray open`: starts a master in the background (`ssh -fN`), after it has ended or removed a broken one.
//!
//! ssh goes to the background only when it is connected, so its exit status says whether that worked. The started ssh is
//! the master if it created the listener. If another ssh took the path at the same moment, the started one runs on
//! without a control socket, and nothing would ever end it: it is found by a mark in its environment and ended.

mod background_ssh;

use std::ffi::{OsStr, OsString};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use tr::tr;

use super::clean;
use super::control::{self, CHECK_LIMIT};
use super::end_process::exit_or_end_process;
use super::error::ActionError;
use super::held_socket::HoldError;
use super::kernel::LiveKernel;
use super::ssh::deferred_signals::DeferredSignals;
use super::ssh::run::{self, RunOptions, SshRole};
use super::ssh::{
    BATCH_MODE, Ssh, master_at, master_created_by, prevent_askpass, remove_after_failed_start,
};
use crate::decide::action_report::with_forwards;
use crate::decide::intent::SessionConsent;
use crate::decide::opening::{First, Opened, Start};
use crate::diagnose::obstacle::Failure;
use crate::model::socket::Target;
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

/// Starts a master. `consent` is for the sessions of a stranded one that is ended first. After an error no started process
/// lives on.
pub(super) fn open(
    ssh: &Ssh,
    start: &Start,
    consent: SessionConsent,
    questions: Questions,
    signals: Option<&DeferredSignals>,
) -> Result<Opened, ActionError> {
    if questions == Questions::None && start.asks && start.has_proxy {
        return Err(ActionError::WouldAsk);
    }
    let before = free_path(&start.first, consent)?;
    let before = before.map(|ended| with_forwards(ended, start.forwards.clone()));
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
    if result.is_ok() && unconfined::is_confined() {
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
    let error = match result {
        Ok(_) => {
            if let Some(target) = master {
                return Ok(opened(&target, false));
            }
            // The started ssh runs without a control socket.
            mark.end_when_in_background();
            if let Some((target, _)) = master_at(&start.path) {
                return Ok(opened(&target, true));
            }
            ActionError::NotStarted(Failure::NoMaster(start.path.clone()))
        }
        Err(error) => error,
    };
    // ssh may have gone to the background just before it was killed.
    mark.end();
    remove_after_failed_start(&start.path);
    Err(error)
}

fn command(ssh: &Ssh, start: &Start, questions: Questions) -> Command {
    let mut command = ssh.command();
    let control_master = if start.asks { "ask" } else { "yes" };
    command.args(["-f", "-N", "-o"]);
    command.arg(format!("ControlMaster={control_master}"));
    if !start.has_connect_timeout {
        command.args(["-o", &format!("ConnectTimeout={CONNECT_SECONDS}")]);
    }
    match questions {
        Questions::Terminal => {}
        Questions::Askpass => {
            command.env("SSH_ASKPASS_REQUIRE", "force");
        }
        Questions::None => {
            command.args(BATCH_MODE);
            // A master that asks before each session keeps the program to ask with.
            if !start.asks {
                prevent_askpass(&mut command);
            }
        }
    }
    command.arg("-S").arg(start.path.as_template());
    ssh.add_host(&mut command);
    command
}

/// Ends a stranded master or removes a stale socket at the path. Returns how the master has ended.
fn free_path(first: &First, consent: SessionConsent) -> Result<Option<String>, ActionError> {
    let (target, end) = match first {
        First::Nothing => return Ok(None),
        First::Clean(target) => (target, None),
        First::End(target) => {
            let (_, ended) = exit_or_end_process(&LiveKernel, target, consent);
            let ended = ended?;
            if !ended.file_remains {
                return Ok(Some(ended.message));
            }
            (target, Some(ended.message))
        }
    };
    match clean::clean(&LiveKernel, target, SystemTime::now()) {
        Ok(_) | Err(ActionError::Hold(HoldError::Missing)) => Ok(end),
        Err(error) => Err(error.with_text(tr!("its stale socket: {error}", error))),
    }
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
