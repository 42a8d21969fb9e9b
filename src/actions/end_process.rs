//! Ends the process of a master that cannot be asked to exit: one that does not answer, or an orphan.
//!
//! A process id can be reused, so no signal is sent to one: find the process that holds the listener; open its pidfd;
//! find the listener again. If the same process still holds the listener with the same cookie, and is an ssh of the
//! user's, then the pidfd is of that process: if it had ended in between and its id had been reused, the new process
//! would not hold the listener. Signals go to the pidfd. [`ending`] decides which.

use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use tr::tr;

use super::clean;
use super::control::{self, CHECK_LIMIT, Ended};
use super::error::ActionError;
use super::held_socket::{HeldSocket, HoldError};
use super::kernel::{Kernel, ListenerFound};
use super::pidfd::Pidfd;
use crate::decide::action_report::Action;
use crate::decide::ending::{self, AtPath, Observed, Phase};
use crate::decide::intent::SessionConsent;
use crate::model::carried::Carried;
use crate::model::control_path::ControlPath;
use crate::model::socket::{Holder, MasterPid, Process, Target};
use crate::model::text;
use crate::mux::error::MuxError;
use crate::observe::filesystem;

const PATH_POLL: Duration = Duration::from_millis(10);

/// Sends an exit request and, if the master does not answer or refuses it, ends its process. Returns which of them has
/// ended the master or failed.
///
/// Without a network, a master may accept the request and not exit: it waits until its message of disconnection is sent
/// (`client_loop()` in clientloop.c), which does not fit a full send buffer.
pub(super) fn exit_or_end_process(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
) -> (Action, Result<Ended, ActionError>) {
    match control::exit(kernel, target, consent, CHECK_LIMIT) {
        Err(error) if error.is_unresponsive() || error.is_refusal_to_exit() => {
            tracing::info!("{}: {error}", target.path);
            let ended = if error.is_refusal_to_exit() {
                // The refused request no longer counts as a session once the master has noticed its end.
                let _ = control::settled(kernel, target, consent, 0);
                end(kernel, target, consent, |_| Ok(()))
            } else {
                end_process(kernel, target, consent)
            };
            let ended = ended.map(|message| Ended {
                message,
                file_remains: false,
            });
            (Action::EndProcess, ended)
        }
        exited => (Action::Exit, exited),
    }
}

/// Ends the process of a master and removes its socket if that is proven stale then. Takes little longer than
/// [`CHECK_LIMIT`] and the limits in [`ending`] together. After an error no signal was sent, unless its message says so.
///
/// A master that has its socket and is not stopped gets one alive check; if it answers, it is left alone.
///
/// Returns the report: `process 4711 ended (SIGKILL), closing 2 sessions`.
pub(super) fn end_process(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
) -> Result<String, ActionError> {
    end(kernel, target, consent, prove_unresponsive)
}

/// The same; `prove` returns an error if a master that has its socket and is not stopped is to be left alone.
fn end(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
    prove: impl FnOnce(&Target) -> Result<(), ActionError>,
) -> Result<String, ActionError> {
    if target.cookie.is_none() {
        // Without a cookie, the process cannot be proven to hold the listener.
        return Err(ActionError::Unknown(tr!(
            "cannot be ended safely: the kernel reports no id for its listener (other network namespace, or sock_diag is blocked); end it from where it runs"
        )));
    }
    let (first, candidate) = find_ssh(kernel, target, consent)?;
    let socket = match first.place {
        AtPath::Own => Some(HeldSocket::open(target).map_err(|error| match error {
            // It was an orphan, and its file has come back.
            HoldError::Missing => HoldError::Changed,
            other => other,
        })?),
        AtPath::Empty | AtPath::Successor => None,
    };
    if socket.is_some() && !candidate.stopped {
        prove(target)?;
    }

    let pidfd = Pidfd::open(candidate.pid).map_err(|errno| match errno {
        Errno::ESRCH => ActionError::Gone,
        errno => failed(&tr!("open its pidfd"), errno),
    })?;
    // The connection of the alive check no longer counts here; a connection opened since then is not covered by the consent.
    let (second, process) = find_ssh(kernel, target, consent)?;
    if process.pid != candidate.pid {
        return Err(ActionError::HolderChanged);
    }
    let killed = send_signals(&pidfd, &process, &target.path, socket.as_ref())?;
    if let Some(found) = kernel.listener(target) {
        let shown = |it: &Process| format!("{} (pid {})", text::line(&it.name), it.pid.0);
        let process = found.holder.process();
        let process = process.map_or_else(|| tr!("another process"), shown);
        return Err(ActionError::Failed(tr!(
            "its process has ended, but {process} holds its listener too; try again",
            process
        )));
    }
    let removed = socket.map_or(Ok(()), |socket| remove_socket(kernel, target, &socket));
    Ok(ended(process.pid, killed, second.carried, removed))
}

/// `process 4711 ended (SIGKILL), closing 2 sessions`
fn ended(
    pid: MasterPid,
    killed: bool,
    carried: Option<Carried>,
    removed: Result<(), ActionError>,
) -> String {
    let (pid, signal) = (pid.0, if killed { "SIGKILL" } else { "SIGTERM" });
    let ended = match carried {
        None | Some(Carried::NONE) => tr!("process {pid} ended ({signal})", pid, signal),
        Some(carried) => tr!(
            "process {pid} ended ({signal}), closing {carried}",
            pid,
            signal,
            carried
        ),
    };
    match removed {
        Ok(()) => ended,
        Err(error) => tr!("{ended}; its socket: {error}", ended, error),
    }
}

/// The listener, and its process if that is an ssh of the user's and what it carries may be closed.
fn find_ssh(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
) -> Result<(ListenerFound, Process), ActionError> {
    let found = kernel.listener(target).ok_or(ActionError::Gone)?;
    match found.holder.clone() {
        Holder::Ssh(_) if !consent.covers(found.carried) => {
            Err(control::connections_open(Some(&found)))
        }
        Holder::Ssh(process) => Ok((found, process)),
        Holder::Other(process) => Err(ActionError::Refused(tr!(
            "left alone: its listener is held by {program} (pid {pid}), which is not ssh",
            program = text::line(&process.name),
            pid = process.pid.0
        ))),
        Holder::Unknown => Err(ActionError::Unknown(tr!(
            "left alone: the process that holds its listener cannot be determined"
        ))),
    }
}

/// A master that answers, even by a refusal, can get an exit request.
fn prove_unresponsive(target: &Target) -> Result<(), ActionError> {
    match control::check(target, CHECK_LIMIT) {
        Err(error) if error.is_unresponsive() => Ok(()),
        Err(ActionError::Mux(MuxError::Refused)) => Err(ActionError::Gone),
        Ok(_) | Err(ActionError::Mux(MuxError::RefusedByMaster(..) | MuxError::Failed(..))) => {
            let message = tr!("left alone: the master answers, so an exit request ends it");
            Err(ActionError::Refused(message))
        }
        // The alive check failed for a reason on muxtray's side.
        Err(error) => Err(ActionError::Unknown(error.to_string())),
    }
}

/// Sends the signals that [`ending::next`] returns until the process has ended. Returns whether SIGKILL was needed.
fn send_signals(
    pidfd: &Pidfd,
    process: &Process,
    path: &ControlPath,
    socket: Option<&HeldSocket>,
) -> Result<bool, ActionError> {
    let has_ended = |limit| {
        let ended = pidfd.has_ended(limit);
        ended.map_err(|errno| failed(&tr!("wait for it"), errno))
    };
    let mut phase = Phase::Start;
    let mut since = Instant::now();
    loop {
        let seen = Observed {
            ended: has_ended(Duration::ZERO)?,
            stopped: process.stopped,
            at_path: place(path, socket),
            waited: since.elapsed(),
        };
        let action = ending::next(phase, seen);
        tracing::debug!(%path, pid = process.pid.0, ?phase, ?seen, ?action, "end process");
        match action {
            ending::Action::Send(signals, next) => {
                for signal in signals {
                    let sent = pidfd.send(*signal);
                    sent.map_err(|errno| failed(&tr!("signal it"), errno))?;
                }
                (phase, since) = (next, Instant::now());
            }
            ending::Action::Wait(limit) => {
                has_ended(match phase {
                    Phase::Start | Phase::Terminated => limit.min(PATH_POLL),
                    Phase::Killed => limit,
                })?;
            }
            ending::Action::Ended => return Ok(phase == Phase::Killed),
            ending::Action::GiveUp => {
                return Err(ActionError::Failed(tr!(
                    "process {pid} still exists {duration} after SIGKILL: the kernel holds it, maybe on a network filesystem",
                    pid = process.pid.0,
                    duration = humantime::format_duration(ending::KILL_LIMIT)
                )));
            }
        }
    }
}

/// If the file cannot be read, it is not proven to be the master's own.
fn place(path: &ControlPath, socket: Option<&HeldSocket>) -> AtPath {
    match (filesystem::lstat(path.as_path()).socket(), socket) {
        (None, _) => AtPath::Empty,
        (Some(stat), Some(own)) if stat.id.same_file(&own.stat.id) => AtPath::Own,
        (Some(_), _) => AtPath::Successor,
    }
}

fn remove_socket(
    kernel: &impl Kernel,
    target: &Target,
    socket: &HeldSocket,
) -> Result<(), ActionError> {
    if place(&target.path, Some(socket)) != AtPath::Own {
        return Ok(());
    }
    match clean::clean(kernel, target, SystemTime::now()) {
        Ok(_) | Err(ActionError::Hold(HoldError::Missing)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn failed(doing: &str, errno: Errno) -> ActionError {
    let cause = errno.desc();
    ActionError::Failed(tr!("cannot be ended: {doing}: {cause}", doing, cause))
}

#[cfg(test)]
pub(super) mod tests;
