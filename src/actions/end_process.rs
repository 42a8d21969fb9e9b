//! Ending the process of a master that cannot be asked: one that does not answer, or an orphan.
//!
//! A process id says nothing for long, so no signal is ever sent to one. Find the listener's process; open a pidfd of
//! it; find it again. If the same process still holds that very listener (its cookie) and is an ssh of the user's, then
//! the pidfd is the process that was found: had it ended in between and its id been given out again, it would hold
//! nothing. From then on only the pidfd is signalled, which reaches this process or none. Which signals, `decide::ending`
//! decides.

mod error;
mod process;

use std::time::{Duration, Instant, SystemTime};

use super::clean::{self, CleanError, Kind};
use super::control::{self, ActError, CHECK_LIMIT};
use super::held::{Held, Unfit};
use super::{Eyes, System, own_uid};
use crate::decide::ending::{self, Action, Place, Seen, Stage};
use crate::decide::intent::SessionConsent;
use crate::model::control_path::ControlPath;
use crate::model::places::{Candidate, Origin};
use crate::model::socket::{File, Holder, MasterPid, Process, Target};
use crate::mux::error::MuxError;
use crate::observe::{Observer, filesystem};

pub use error::EndError;
pub(super) use process::Pidfd;

/// How often the path is looked at while a master that got SIGTERM has not ended.
const WATCH: Duration = Duration::from_millis(10);

/// The listener that an end is about, as it is found at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Who holds it.
    pub holder: Holder,
    /// Every session that ends with it, as in [`super::Master`].
    pub sessions: u32,
    /// What stands at its path.
    pub place: Place,
}

/// Finds listeners with their processes. [`System`] asks the kernel anew each time.
pub trait Finder {
    /// The listener with the target's cookie, at its path or an orphan; `None` where there is none.
    fn find(&self, target: &Target) -> Option<Found>;
}

impl Finder for System {
    fn find(&self, target: &Target) -> Option<Found> {
        let candidate = Candidate {
            path: target.path.clone(),
            origin: Origin::Exact,
        };
        let look = Observer::new(own_uid()).look(&[candidate]);
        let at_path = look
            .observations
            .into_iter()
            .filter(|observation| observation.path == target.path)
            .filter_map(|observation| Some((observation.listener?, Place::Own)));
        let orphans = look.orphans.into_iter().map(|orphan| {
            let place = if orphan.successor {
                Place::Successor
            } else {
                Place::Empty
            };
            (orphan.listener, place)
        });
        let (listener, place) = at_path
            .chain(orphans)
            .find(|(listener, _)| target.cookie.is_some() && listener.cookie == target.cookie)?;
        let own_session = match &listener.holder {
            Holder::Ssh(process) => process.own_session,
            Holder::Other(_) | Holder::Unknown => false,
        };
        Some(Found {
            sessions: listener.sessions + u32::from(own_session),
            holder: listener.holder,
            place,
        })
    }
}

/// A master whose process has ended, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which process it was.
    pub pid: MasterPid,
    /// Whether it took SIGKILL.
    pub killed: bool,
    /// How many sessions were open just before.
    pub closed: u32,
    /// What became of its socket file.
    pub file: FileLeft,
}

/// What became of the socket file of a master whose process was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileLeft {
    /// It had none: an orphan.
    NeverThere,
    /// It is gone: the master removed it, or we did once it was proven stale.
    Gone,
    /// It is still there, and why.
    Remains(CleanError),
}

/// Ends the process of a master that cannot be asked, and removes what remains of
/// its socket by proof. Takes [`CHECK_LIMIT`] and the limits of [`ending`] at the longest, and little more.
///
/// A master with a socket that is not stopped is asked once whether it answers; one that does is left alone.
///
/// # Errors
/// [`EndError`]. Unless it says otherwise, nothing was signalled.
pub fn end<S: Eyes + Finder>(
    system: &S,
    target: &Target,
    consent: SessionConsent,
) -> Result<Ended, EndError> {
    if target.cookie.is_none() {
        return Err(EndError::NoIdentity);
    }
    let (first, suspect) = ssh(system, target)?;
    if !consent.covers(Some(first.sessions)) {
        return Err(EndError::SessionsOpen {
            sessions: first.sessions,
        });
    }
    let held = match first.place {
        Place::Own => Some(Held::of(target).map_err(|unfit| match unfit {
            // An orphan whose file has come back: not what was seen.
            Unfit::Missing => Unfit::Changed,
            other => other,
        })?),
        Place::Empty | Place::Successor => None,
    };
    if held.is_some() && !suspect.stopped {
        prove_silence(target)?;
    }

    let pidfd = Pidfd::open(suspect.pid)?;
    let (second, process) = ssh(system, target)?;
    if process.pid != suspect.pid {
        return Err(EndError::ChangedHands);
    }
    // Our own question is over by now; what a person opened since was not agreed to.
    if !consent.covers(Some(second.sessions)) {
        return Err(EndError::SessionsOpen {
            sessions: second.sessions,
        });
    }
    let killed = carry_out(&pidfd, &process, &target.path, held.as_ref())?;
    if let Some(found) = system.find(target) {
        return Err(EndError::StillHeld(found.holder));
    }
    Ok(Ended {
        pid: process.pid,
        killed,
        closed: second.sessions,
        file: match held {
            Some(held) => clear(system, target, &held),
            None => FileLeft::NeverThere,
        },
    })
}

/// The listener and its process, which is an ssh of the user's.
fn ssh(finder: &impl Finder, target: &Target) -> Result<(Found, Process), EndError> {
    let found = finder.find(target).ok_or(EndError::Gone)?;
    match found.holder.clone() {
        Holder::Ssh(process) => Ok((found, process)),
        Holder::Other(process) => Err(EndError::NotSsh(process.name, process.pid)),
        Holder::Unknown => Err(EndError::HolderUnknown),
    }
}

/// Asks the master once whether it is there. Whoever answers, rightly or with a refusal, can be asked to end.
fn prove_silence(target: &Target) -> Result<(), EndError> {
    match control::check(target, CHECK_LIMIT) {
        Err(error) if error.is_in_vain() => Ok(()),
        Err(ActError::Mux(MuxError::Refused)) => Err(EndError::Gone),
        Err(ActError::Mux(MuxError::RefusedByMaster { .. } | MuxError::Failed { .. })) | Ok(_) => {
            Err(EndError::Answers)
        }
        Err(error) => Err(EndError::Unasked(error)),
    }
}

/// Signals the process as [`ending::next`] says, until it has ended. Whether it took SIGKILL.
fn carry_out(
    pidfd: &Pidfd,
    process: &Process,
    path: &ControlPath,
    held: Option<&Held>,
) -> Result<bool, EndError> {
    let mut stage = Stage::Begun;
    let mut since = Instant::now();
    loop {
        let seen = Seen {
            ended: pidfd.has_ended(Duration::ZERO)?,
            stopped: process.stopped,
            place: place(path, held),
            waited: since.elapsed(),
        };
        let action = ending::next(stage, seen);
        tracing::debug!(%path, pid = process.pid.0, ?stage, ?seen, ?action, "end process");
        match action {
            Action::Send(signals, then) => {
                for signal in signals {
                    pidfd.send(*signal)?;
                }
                (stage, since) = (then, Instant::now());
            }
            Action::Wait(limit) => {
                let limit = match stage {
                    Stage::Begun | Stage::Terminated => limit.min(WATCH),
                    Stage::Killed => limit,
                };
                pidfd.has_ended(limit)?;
            }
            Action::Ended => return Ok(stage == Stage::Killed),
            Action::GiveUp => {
                return Err(EndError::Survives {
                    pid: process.pid,
                    waited: ending::KILL_LIMIT,
                });
            }
        }
    }
}

/// What stands at the path now. What cannot be looked at is not proven to be the master's own.
fn place(path: &ControlPath, held: Option<&Held>) -> Place {
    match filesystem::lstat(path.as_path()) {
        File::Socket(stat) => match held {
            Some(held) if stat.id.same_file(&held.stat().id) => Place::Own,
            Some(_) | None => Place::Successor,
        },
        File::Other(..) | File::Missing | File::Denied | File::Failed(_) => Place::Empty,
    }
}

/// Removes the file that a killed master left, if it is proven stale.
fn clear(eyes: &impl Eyes, target: &Target, held: &Held) -> FileLeft {
    if place(&target.path, Some(held)) != Place::Own {
        return FileLeft::Gone;
    }
    match clean::clean(eyes, target, Kind::Stale, SystemTime::now()) {
        Ok(_) | Err(CleanError::Unfit(Unfit::Missing)) => FileLeft::Gone,
        Err(error) => FileLeft::Remains(error),
    }
}

#[cfg(test)]
mod tests;
