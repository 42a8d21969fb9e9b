//! What a master can be asked: whether it answers (check), to end now (exit), to end with its last session (stop).
//!
//! Each holds the very socket that was meant and speaks to that ([`Held`]); exit and stop then verify by the kernel
//! that nobody listens there any more, for an agreement is not yet a deed. Orphans cannot be asked: they have no
//! socket, and one that ended in order would unlink its successor's.

use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tr::tr;

use super::held::{Held, Unfit};
use super::{Eyes, Master};
use crate::decide::intent::SessionConsent;
use crate::model::control_path::ControlPath;
use crate::model::socket::{Connect, File, MasterPid, Target};
use crate::model::text;
use crate::mux::client::Client;
use crate::mux::deadline::Deadline;
use crate::mux::error::MuxError;
use crate::observe::filesystem;

/// How long a check may take in all.
pub const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// How long to watch for the end of a listener after its master agreed to end or stop.
pub const VERIFY_LIMIT: Duration = Duration::from_secs(2);

/// How long to let the number of sessions fall to what may be closed. A client that has just left, such as an alive
/// check, counts until the master has noticed.
const SETTLE_LIMIT: Duration = Duration::from_millis(250);
const SETTLE_POLL: Duration = Duration::from_millis(25);

const VERIFY_POLL: Duration = Duration::from_millis(10);

/// The answer to a check. It speaks for the master's process, not for the network behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The process id the master gives, as it sees itself: another one in a container.
    pub pid: Option<MasterPid>,
    /// From connecting to the answer of the alive check.
    pub round_trip: Duration,
    /// Its connection in the master's words, such as `tcp 10.0.0.1:5000 -> 10.0.0.2:22`: one printable line. `None`
    /// before OpenSSH 10.3.
    pub connection: Option<String>,
}

/// A master that has ended, verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exited {
    /// How many sessions were open just before; `None` where that could not be told.
    pub closed: Option<u32>,
    /// From the request to the verification.
    pub took: Duration,
    /// Whether its file stays behind although nobody listens: stale, and clean removes it.
    pub file_remains: bool,
}

/// A master that accepts no more sessions, verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// How many sessions it still had just before, and ends with; `None` where that could not be told.
    pub sessions: Option<u32>,
}

/// Why an action did not come about.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ActError {
    /// What stands there is not what was meant. Nobody was connected to.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The master was asked, and this came of it.
    #[error(transparent)]
    Mux(#[from] MuxError),
    /// More sessions are open than the caller agreed to close. The master was not asked.
    #[error("{}", tr!(
        "has {n} session open; exit closes them only when told to (--force)"
            | "has {n} sessions open; exit closes them only when told to (--force)" % *.sessions
    ))]
    SessionsOpen {
        /// How many.
        sessions: u32,
    },
    /// The kernel does not tell how many sessions are open. The master was not asked.
    #[error("{}", tr!(
        "may have sessions open: the kernel shows no listener of this network namespace; exit closes them only when told to (--force)"
    ))]
    SessionsUnknown,
    /// The master agreed, and yet somebody still listens.
    #[error("{}", tr!("agreed, but still listens after {duration}", duration = humantime::format_duration(*.waited)))]
    StillListening {
        /// How long was watched.
        waited: Duration,
    },
}

impl ActError {
    /// Whether the master was asked and gave no proper answer, or did not do as it agreed. Ending its process is left.
    #[must_use]
    pub const fn is_in_vain(&self) -> bool {
        match self {
            Self::Mux(error) => match error {
                MuxError::TimedOut { .. }
                | MuxError::Closed { .. }
                | MuxError::Version(_)
                | MuxError::Protocol(_)
                | MuxError::Unexpected { .. } => true,
                MuxError::Refused
                | MuxError::Denied
                | MuxError::RefusedByMaster { .. }
                | MuxError::Failed { .. }
                | MuxError::NoProc
                | MuxError::Io { .. } => false,
            },
            Self::StillListening { .. } => true,
            Self::Unfit(_) | Self::SessionsOpen { .. } | Self::SessionsUnknown => false,
        }
    }
}

/// Asks a master whether it is there, within `limit` for everything ([`CHECK_LIMIT`]).
///
/// Connecting makes a master's ControlPersist start afresh: only when a person asks.
///
/// # Errors
/// [`ActError::Unfit`] and [`ActError::Mux`].
pub fn check(target: &Target, limit: Duration) -> Result<Checked, ActError> {
    let held = Held::of(target)?;
    let begun = Instant::now();
    let mut client = Client::connect(held.as_fd(), Deadline::within(limit))?;
    let pid = client.alive()?;
    let round_trip = begun.elapsed();
    // It has answered; what it says of its connection is a gift.
    let connection = client
        .connection_info()
        .unwrap_or_else(|error| {
            tracing::debug!(path = %target.path, ?error, "no account of the connection");
            None
        })
        .and_then(|text| connection_line(&text));
    Ok(Checked {
        pid,
        round_trip,
        connection,
    })
}

/// Asks a master to end now and verifies that its listener is gone. The answer may take `limit`; the verification [`VERIFY_LIMIT`] more.
///
/// A master with ControlMaster ask lets a person confirm. When that takes longer than `limit`, the request stands
/// and may still be carried out.
///
/// # Errors
/// Any [`ActError`].
pub fn exit(
    eyes: &impl Eyes,
    target: &Target,
    consent: SessionConsent,
    limit: Duration,
) -> Result<Exited, ActError> {
    let deadline = Deadline::within(limit);
    let begun = Instant::now();
    let held = Held::of(target)?;
    let settled = Deadline::within(SETTLE_LIMIT);
    let master = loop {
        let master = master(eyes, target, &held)?;
        let too_many = master.is_some_and(|master| !consent.covers(Some(master.sessions)));
        match settled.remaining() {
            Some(left) if too_many => thread::sleep(left.min(SETTLE_POLL)),
            Some(_) | None => break master,
        }
    };
    match master {
        Some(Master { sessions, .. }) if !consent.covers(Some(sessions)) => {
            return Err(ActError::SessionsOpen { sessions });
        }
        None if !consent.covers(None) => {
            return Err(match eyes.probe(held.file()) {
                Connect::Refused => MuxError::Refused.into(),
                Connect::Accepted | Connect::Full | Connect::Denied | Connect::Failed(_) => {
                    ActError::SessionsUnknown
                }
            });
        }
        Some(_) | None => {}
    }
    let mut client = Client::connect(held.as_fd(), deadline)?;
    let leave = client.terminate()?;
    tracing::debug!(path = %target.path, ?leave, "the master took the exit request");
    let until = Deadline::within(VERIFY_LIMIT);
    // Its end closes our connection; nothing need be asked before that.
    let closed = client.wait_closed(until);
    tracing::trace!(path = %target.path, closed, "waited for the master's end");
    verify_silence(eyes, &target.path, &held, until)?;
    Ok(Exited {
        closed: master.map(|master| master.sessions),
        took: begun.elapsed(),
        file_remains: file_remains(&target.path, &held, until),
    })
}

/// Asks a master to accept no more sessions and to end with its last one, and verifies that nobody listens any
/// more. The answer may take `limit`, as with [`exit`]; the verification [`VERIFY_LIMIT`] more.
///
/// # Errors
/// Any [`ActError`] but the two of sessions.
pub fn stop(eyes: &impl Eyes, target: &Target, limit: Duration) -> Result<Stopped, ActError> {
    let deadline = Deadline::within(limit);
    let held = Held::of(target)?;
    let master = master(eyes, target, &held)?;
    let mut client = Client::connect(held.as_fd(), deadline)?;
    let answer = client.stop_listening();
    let until = Deadline::within(VERIFY_LIMIT);
    match answer {
        Ok(()) => verify_silence(eyes, &target.path, &held, until)?,
        // A master that ended altogether has stopped, too.
        Err(error @ MuxError::Closed { .. }) => {
            verify_silence(eyes, &target.path, &held, until).map_err(|_| error)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Stopped {
        sessions: master.map(|master| master.sessions),
    })
}

/// The listener behind the held socket, if the kernel shows one and it is the one that was meant.
fn master(eyes: &impl Eyes, target: &Target, held: &Held) -> Result<Option<Master>, Unfit> {
    let master = eyes.master(&target.path, held.stat());
    let meant = target.cookie;
    match master.and_then(|master| master.cookie) {
        Some(cookie) if meant.is_some_and(|meant| meant != cookie) => Err(Unfit::Changed),
        Some(_) | None => Ok(master),
    }
}

/// Waits until nobody listens on the held socket. The kernel's table is asked first; its silence is a hint and the
/// refused connect the proof. What accepts it has just been asked to leave, so it loses nothing.
fn verify_silence(
    eyes: &impl Eyes,
    path: &ControlPath,
    held: &Held,
    until: Deadline,
) -> Result<(), ActError> {
    loop {
        if !eyes.is_listened(path, held.stat()) && eyes.probe(held.file()) == Connect::Refused {
            return Ok(());
        }
        let Some(left) = until.remaining() else {
            return Err(ActError::StillListening {
                waited: until.limit(),
            });
        };
        thread::sleep(left.min(VERIFY_POLL));
    }
}

/// Whether the file is still at its path at the deadline. A master that ends closes its listener a moment before it
/// unlinks the file; who started another one in that moment would lose its socket to the first one's cleanup.
fn file_remains(path: &ControlPath, held: &Held, until: Deadline) -> bool {
    loop {
        match filesystem::lstat(path.as_path()) {
            File::Socket(stat) if stat.id.same_file(&held.stat().id) => {}
            File::Socket(_) | File::Other(..) | File::Missing | File::Denied | File::Failed(_) => {
                return false;
            }
        }
        let Some(left) = until.remaining() else {
            return true;
        };
        thread::sleep(left.min(VERIFY_POLL));
    }
}

/// The first line of substance in the master's account: with a socket of its own `tcp A:P -> B:Q`, under a
/// ProxyCommand how long it has lasted (`connection_info_message()` in packet.c: a heading, then indented lines).
fn connection_line(account: &[u8]) -> Option<String> {
    const ENOUGH: usize = 200;
    let line = account
        .split(|byte| *byte == b'\n')
        .filter(|line| line.first() == Some(&b' '))
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty())?;
    Some(text::os(OsStr::from_bytes(&line[..line.len().min(ENOUGH)])))
}

#[cfg(test)]
mod tests;
