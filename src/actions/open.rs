//! `muxtray open`: starts a master in the background (`ssh -fN`), after what stood in its place was ended or removed.
//!
//! ssh goes to the background only when it is connected, so its end tells whether that worked. A master is ours if the
//! kernel says that the ssh we started made its listener. Where another ssh took the path in that moment, ours runs on
//! without a control socket, and nobody would ever end it: it is found by a mark in its environment, and ended.

mod stray;

use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant, SystemTime};

use thiserror::Error;
use tr::tr;

use super::clean::{self, CleanError, Kind};
use super::control::{self, ActError, CHECK_LIMIT};
use super::end_process::EndError;
use super::end_stranded::{self, Farewell, NotEnded};
use super::held::Unfit;
use super::ssh::interrupt::Interrupt;
use super::ssh::session::{self, Lives, Manner, Ran};
use super::ssh::{Ssh, escaped, made_by, sweep};
use super::{Eyes as _, System};
use crate::decide::intent::SessionConsent;
use crate::decide::opening::{First, Opened, Start};
use crate::diagnose::obstacle::Failure;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, Target};
use crate::observe::filesystem;
use crate::unconfined::{self, Lifetime};

/// How long ssh may take to connect (ConnectTimeout), in seconds, where the configuration does not say.
const CONNECT_SECONDS: u32 = 15;

/// How long a start may take in which nobody is asked anything.
const UNASKED_LIMIT: Duration = Duration::from_secs(60);

/// How long a start may take in which a person is asked something: as long as a server waits (LoginGraceTime in
/// sshd_config(5)).
const ASKED_LIMIT: Duration = Duration::from_secs(120);

/// How ssh asks for a passphrase, a password, or whether a host key is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Questions {
    /// On the terminal that it shares with us.
    Terminal,
    /// By the program of SSH_ASKPASS, in a window.
    Askpass,
    /// Not at all: where it would have to, it fails.
    None,
}

impl Questions {
    /// How, with these variables of the environment. On a terminal ssh decides for itself (ssh(1), `SSH_ASKPASS`).
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
            Self::Terminal | Self::Askpass => ASKED_LIMIT,
            Self::None => UNASKED_LIMIT,
        }
    }
}

/// Why no master was opened. Worded to stand behind the host's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The master whose network is gone was not ended.
    #[error(transparent)]
    NotEnded(#[from] NotEnded),
    /// The stale socket in its place was not removed.
    #[error("{}", tr!("its socket {error}", error = .0))]
    NotCleaned(#[from] CleanError),
    /// What was started did not become a master.
    #[error("{0}")]
    Failed(Failure),
    /// A signal came that ends the program, and what was started has been ended.
    #[error("{}", tr!("interrupted"))]
    Interrupted,
}

impl OpenError {
    /// How many sessions are in the way that nobody agreed to close, where that is why.
    #[must_use]
    pub const fn sessions_open(&self) -> Option<u32> {
        match self {
            Self::NotEnded(
                NotEnded::Asked(ActError::SessionsOpen { sessions })
                | NotEnded::Process(EndError::SessionsOpen { sessions }),
            ) => Some(*sessions),
            Self::NotEnded(_) | Self::NotCleaned(_) | Self::Failed(_) | Self::Interrupted => None,
        }
    }
}

/// Opens a master. `consent` is for the sessions of one that is to be ended first.
///
/// # Errors
/// Any [`OpenError`]; nothing that was started lives on then.
pub fn open(
    ssh: &Ssh,
    start: &Start,
    consent: SessionConsent,
    questions: Questions,
    interrupt: Option<&Interrupt>,
) -> Result<Opened, OpenError> {
    let before = make_room(&start.first, consent)?;
    let begun = Instant::now();
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
    command.arg("-S").arg(escaped(&start.path));
    ssh.to_host(&mut command);
    let mark = stray::mark(&mut command);
    let mut ours = None;
    let manner = Manner {
        limit: questions.limit(),
        lives: Lives::On {
            may_ask: questions == Questions::Terminal,
        },
        interrupt,
    };
    let command = unconfined::command(command, Lifetime::Unlimited);
    let ran = session::run(command, manner, |pid| ours = made_by(pid, &start.path));
    if matches!(ran, Ran::Through(_)) && unconfined::is_confined() {
        // What was started by us has started the ssh.
        ours = stray::master(&mark, &start.path);
    }
    let took = begun.elapsed();
    match (&ran, &ours) {
        (Ran::Through(_), Some(_)) => {}
        // It runs on without a control socket.
        (Ran::Through(_), None) => stray::end_certain(&mark),
        // It may have gone to the background in the moment in which it was killed.
        (Ran::Failed(_) | Ran::Interrupted, _) => {
            stray::end(&mark);
        }
    }
    let target = match (ran, ours) {
        (Ran::Through(_), Some(target)) => Ok((target, false)),
        (Ran::Through(_), None) => match standing(&start.path) {
            Some(target) => Ok((target, true)),
            None => Err(OpenError::Failed(Failure::NoMaster(start.path.clone()))),
        },
        (Ran::Failed(failure), _) => Err(OpenError::Failed(failure)),
        (Ran::Interrupted, _) => Err(OpenError::Interrupted),
    };
    let (target, by_other) = target.inspect_err(|_| sweep(&start.path))?;
    Ok(Opened {
        // The listener's maker is not its holder any more: ssh went to the background by a fork.
        pid: control::check(&target, CHECK_LIMIT)
            .ok()
            .and_then(|checked| checked.pid),
        took,
        before,
        by_other,
    })
}

/// Ends or removes what stands where the master is to listen, and tells what came of it.
fn make_room(first: &First, consent: SessionConsent) -> Result<Option<String>, OpenError> {
    let remains = match first {
        First::Nothing => return Ok(None),
        First::Clean(target) => {
            clean(target)?;
            return Ok(None);
        }
        First::End(target) => target,
    };
    let farewell = end_stranded::say(remains, consent)?;
    if matches!(&farewell, Farewell::Exited(exited) if exited.file_remains) {
        clean(remains)?;
    }
    Ok(Some(farewell.to_string()))
}

/// What is gone already is as good as removed.
fn clean(target: &Target) -> Result<(), CleanError> {
    match clean::clean(&System, target, Kind::Stale, SystemTime::now()) {
        Ok(_) | Err(CleanError::Unfit(Unfit::Missing)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The master that listens at this path, if one does.
fn standing(path: &ControlPath) -> Option<Target> {
    let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
        return None;
    };
    Some(Target {
        path: path.clone(),
        id: Some(stat.id),
        cookie: System.master(path, &stat)?.cookie,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_asks_where_somebody_can_answer() {
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
