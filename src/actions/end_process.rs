//! Ends the process of a master that cannot be asked to exit: one that does not answer, or an orphan.
//!
//! A process id can be reused, so no signal is sent to one: find the process that holds the listener; open its pidfd;
//! find the listener again. If the same process still holds the listener with the same cookie, and is an ssh of the
//! user's, then the pidfd is of that process: if it had ended in between and its id had been reused, the new process
//! would not hold the listener. Signals go to the pidfd. [`ending`] decides which.

mod error;

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use super::clean::{self, CleanError, Remnant};
use super::control::{self, CHECK_LIMIT, ControlError, Exited};
use super::held_socket::{HeldSocket, HoldError};
use super::kernel::{Kernel, ListenerFound};
use super::pidfd::Pidfd;
use crate::decide::ending::{self, Action, AtPath, Observed, Phase};
use crate::decide::intent::SessionConsent;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, Holder, MasterPid, Process, Target};
use crate::model::text::marked;
use crate::mux::error::MuxError;
use crate::observe::filesystem;
use nix::errno::Errno;
use tr::tr;

pub use error::EndProcessError;

/// How often the path is looked at after SIGTERM.
const PATH_POLL: Duration = Duration::from_millis(10);

/// The verified end of a master's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessEnded {
    pub pid: MasterPid,
    /// Whether SIGKILL was needed.
    pub killed: bool,
    /// The sessions that were open.
    pub closed: u32,
    pub file: FileAfterwards,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAfterwards {
    /// An orphan has none.
    NeverExisted,
    Removed,
    Remains(CleanError),
}

/// `process 4711 ended (SIGKILL), closing 2 sessions`
impl fmt::Display for ProcessEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = if self.killed { "SIGKILL" } else { "SIGTERM" };
        let ended = match self.closed {
            0 => tr!("process {pid} ended ({signal})", pid = self.pid.0, signal),
            closed => tr!(
                "process {pid} ended ({signal}), closing {n} session"
                    | "process {pid} ended ({signal}), closing {n} sessions" % closed,
                pid = self.pid.0,
                signal
            ),
        };
        match &self.file {
            FileAfterwards::NeverExisted | FileAfterwards::Removed => f.write_str(&ended),
            FileAfterwards::Remains(error) => {
                f.write_str(&tr!("{ended}; its socket: {error}", ended, error))
            }
        }
    }
}

/// How a master has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterEnd {
    Exited(Exited),
    Process(ProcessEnded),
}

impl fmt::Display for MasterEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(exited) => exited.fmt(f),
            Self::Process(ended) => ended.fmt(f),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterEndError {
    /// The master got no exit request, or refused it.
    #[error(transparent)]
    Exit(#[from] ControlError),
    /// The master did not answer the exit request.
    #[error(transparent)]
    Process(#[from] EndProcessError),
}

/// Sends an exit request and, if the master does not answer it, ends its process.
///
/// Without a network, a master may accept the request and not exit: it waits until its message of disconnection is sent
/// (`client_loop()` in clientloop.c), which does not fit a full send buffer.
///
/// # Errors
/// [`MasterEndError`]
pub fn exit_or_end_process(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
) -> Result<MasterEnd, MasterEndError> {
    match control::exit(kernel, target, consent, CHECK_LIMIT) {
        Ok(exited) => Ok(MasterEnd::Exited(exited)),
        Err(error) if error.is_unresponsive() => {
            tracing::info!("{}: {error}", target.path);
            Ok(MasterEnd::Process(end_process(kernel, target, consent)?))
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends the process of a master and removes its socket if that is proven stale then. Takes little longer than
/// [`CHECK_LIMIT`] and the limits in [`ending`] together.
///
/// A master that has its socket and is not stopped gets one alive check; if it answers, it is left alone.
///
/// # Errors
/// [`EndProcessError`]
pub fn end_process(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
) -> Result<ProcessEnded, EndProcessError> {
    if target.cookie.is_none() {
        return Err(EndProcessError::NoCookie);
    }
    let (first, candidate) = find_ssh(kernel, target)?;
    check_consent(consent, &first)?;
    let socket = match first.place {
        AtPath::Own => Some(HeldSocket::open(target).map_err(|error| match error {
            // It was an orphan, and its file has come back.
            HoldError::Missing => HoldError::Changed,
            other => other,
        })?),
        AtPath::Empty | AtPath::Successor => None,
    };
    if socket.is_some() && !candidate.stopped {
        prove_unresponsive(target)?;
    }

    let pidfd = Pidfd::open(candidate.pid).map_err(|errno| match errno {
        Errno::ESRCH => EndProcessError::Gone,
        errno => failed(marked!("open its pidfd"), errno),
    })?;
    let (second, process) = find_ssh(kernel, target)?;
    if process.pid != candidate.pid {
        return Err(EndProcessError::HolderChanged);
    }
    // The connection of the alive check no longer counts here; a session opened since then is not covered by the consent.
    check_consent(consent, &second)?;
    let killed = send_signals(&pidfd, &process, &target.path, socket.as_ref())?;
    if let Some(found) = kernel.listener(target) {
        return Err(EndProcessError::StillHeld(found.holder));
    }
    Ok(ProcessEnded {
        pid: process.pid,
        killed,
        closed: second.sessions,
        file: match socket {
            Some(socket) => remove_socket(kernel, target, &socket),
            None => FileAfterwards::NeverExisted,
        },
    })
}

/// The listener, and its process if that is an ssh of the user's.
fn find_ssh(
    kernel: &impl Kernel,
    target: &Target,
) -> Result<(ListenerFound, Process), EndProcessError> {
    let found = kernel.listener(target).ok_or(EndProcessError::Gone)?;
    match found.holder.clone() {
        Holder::Ssh(process) => Ok((found, process)),
        Holder::Other(process) => Err(EndProcessError::NotSsh(process.name, process.pid)),
        Holder::Unknown => Err(EndProcessError::HolderUnknown),
    }
}

fn check_consent(consent: SessionConsent, found: &ListenerFound) -> Result<(), EndProcessError> {
    let sessions = found.sessions;
    if consent.covers(Some(sessions)) {
        Ok(())
    } else {
        Err(EndProcessError::SessionsOpen { sessions })
    }
}

/// A master that answers, even by a refusal, can get an exit request.
fn prove_unresponsive(target: &Target) -> Result<(), EndProcessError> {
    match control::check(target, CHECK_LIMIT) {
        Err(error) if error.is_unresponsive() => Ok(()),
        Err(ControlError::Mux(MuxError::Refused)) => Err(EndProcessError::Gone),
        Err(ControlError::Mux(MuxError::RefusedByMaster { .. } | MuxError::Failed { .. }))
        | Ok(_) => Err(EndProcessError::Answers),
        Err(error) => Err(EndProcessError::NotChecked(error)),
    }
}

/// Sends the signals that [`ending::next`] returns until the process has ended. Returns whether SIGKILL was needed.
fn send_signals(
    pidfd: &Pidfd,
    process: &Process,
    path: &ControlPath,
    socket: Option<&HeldSocket>,
) -> Result<bool, EndProcessError> {
    let has_ended = |limit| {
        pidfd
            .has_ended(limit)
            .map_err(|errno| failed(marked!("wait for it"), errno))
    };
    let mut stage = Phase::Start;
    let mut since = Instant::now();
    loop {
        let seen = Observed {
            ended: has_ended(Duration::ZERO)?,
            stopped: process.stopped,
            at_path: place(path, socket),
            waited: since.elapsed(),
        };
        let action = ending::next(stage, seen);
        tracing::debug!(%path, pid = process.pid.0, ?stage, ?seen, ?action, "end process");
        match action {
            Action::Send(signals, next) => {
                for signal in signals {
                    pidfd
                        .send(*signal)
                        .map_err(|errno| failed(marked!("signal it"), errno))?;
                }
                (stage, since) = (next, Instant::now());
            }
            Action::Wait(limit) => {
                has_ended(match stage {
                    Phase::Start | Phase::Terminated => limit.min(PATH_POLL),
                    Phase::Killed => limit,
                })?;
            }
            Action::Ended => return Ok(stage == Phase::Killed),
            Action::GiveUp => {
                return Err(EndProcessError::Survives {
                    pid: process.pid,
                    waited: ending::KILL_LIMIT,
                });
            }
        }
    }
}

/// If the file cannot be read, it is not proven to be the master's own.
fn place(path: &ControlPath, socket: Option<&HeldSocket>) -> AtPath {
    match filesystem::lstat(path.as_path()) {
        File::Socket(stat) => match socket {
            Some(own) if stat.id.same_file(&own.stat().id) => AtPath::Own,
            Some(_) | None => AtPath::Successor,
        },
        File::Other(..) | File::Missing | File::Denied | File::Failed(_) => AtPath::Empty,
    }
}

fn remove_socket(kernel: &impl Kernel, target: &Target, socket: &HeldSocket) -> FileAfterwards {
    if place(&target.path, Some(socket)) != AtPath::Own {
        return FileAfterwards::Removed;
    }
    match clean::clean(kernel, target, Remnant::Stale, SystemTime::now()) {
        Ok(_) | Err(CleanError::Hold(HoldError::Missing)) => FileAfterwards::Removed,
        Err(error) => FileAfterwards::Remains(error),
    }
}

fn failed(doing: &'static str, errno: Errno) -> EndProcessError {
    EndProcessError::Failed { doing, errno }
}

#[cfg(test)]
mod tests;
