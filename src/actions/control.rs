//! Requests to a master: alive check, exit, stop.
//!
//! Each opens the very socket that was meant ([`HeldSocket`]) and connects to that. After exit and stop the kernel must
//! show that the listener is gone, and after exit the process too: a master may accept the request and not carry it
//! out. An orphan has no socket to connect to.

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

use tr::tr;

use super::error::ActionError;
use super::held_socket::{HeldSocket, HoldError};
use super::kernel::{Kernel, ListenerFound};
use super::pidfd::Pidfd;
use crate::decide::intent::SessionConsent;
use crate::model::carried::Carried;
use crate::model::control_path::ControlPath;
use crate::model::socket::{Connect, MasterPid, Stat, Target};
use crate::model::text;
use crate::mux::client::Client;
use crate::mux::deadline::Deadline;
use crate::mux::error::MuxError;
use crate::observe::filesystem;

pub(super) const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// How long the listener may take to close, and the process to end, after the master accepted an exit or stop request.
const VERIFY_LIMIT: Duration = Duration::from_secs(2);

const VERIFY_POLL: Duration = Duration::from_millis(10);

/// How long to wait if more is open than may be closed: a client that has just disconnected, such as an
/// alive check, counts until the master has noticed.
const SETTLE_LIMIT: Duration = Duration::from_millis(250);
const SETTLE_POLL: Duration = Duration::from_millis(25);

/// The answer to an alive check. It comes from the process, so it says nothing about the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checked {
    /// As the master sees itself: another number in a container.
    pub(super) pid: Option<MasterPid>,
    /// From connect(2) to the answer.
    pub(super) round_trip: Duration,
    /// The master's connection, such as `tcp 10.0.0.1:5000 -> 10.0.0.2:22`: one printable line. `None` before OpenSSH
    /// 10.3.
    connection: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// `exited, closing 2 sessions`
    pub(super) message: String,
    /// Whether its socket file is left behind, stale.
    pub(super) file_remains: bool,
}

/// `answered in 0.8 ms, pid 4711`
impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = text::millis(self.round_trip);
        f.write_str(&tr!("answered in {millis} ms", millis))?;
        if let Some(pid) = self.pid {
            write!(f, ", pid {}", pid.0)?;
        }
        match &self.connection {
            Some(connection) => write!(f, ", {connection}"),
            None => Ok(()),
        }
    }
}

/// The alive check, within `limit` for everything ([`CHECK_LIMIT`]). Connecting restarts the master's ControlPersist, so
/// this is only for a person's request.
pub(super) fn check(target: &Target, limit: Duration) -> Result<Checked, ActionError> {
    let held = HeldSocket::open(target)?;
    let begun = Instant::now();
    let mut client = Client::connect(held.file.as_fd(), Deadline::within(limit))?;
    let pid = client.alive()?;
    let round_trip = begun.elapsed();
    // The alive check succeeded; connection info is optional (OpenSSH 10.3 and later).
    let info = client.connection_info().unwrap_or_else(|error| {
        tracing::debug!(path = %target.path, ?error, "no connection info");
        None
    });
    Ok(Checked {
        pid,
        round_trip,
        connection: info.and_then(|text| connection_line(&text)),
    })
}

/// Sends an exit request and verifies that the listener is gone, and the process if the kernel shows it. The answer may
/// take `limit`, the verification [`VERIFY_LIMIT`] more.
///
/// With ControlMaster ask, a person confirms the request. If that takes longer than `limit`, the master may still exit
/// later.
pub(super) fn exit(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
    limit: Duration,
) -> Result<Ended, ActionError> {
    let held = HeldSocket::open(target)?;
    let found = settled(kernel, target, consent, 0)?;
    let carried = carried(found.as_ref());
    if !consent.covers(carried) {
        let has_ended = carried.is_none() && kernel.connect(&held.file) == Connect::Refused;
        return Err(if has_ended {
            MuxError::Refused.into()
        } else {
            connections_open(found.as_ref())
        });
    }
    let process = found.as_ref().and_then(HeldProcess::open);
    let mut client = Client::connect(held.file.as_fd(), Deadline::within(limit))?;
    // A busy master greets late, and connections may have been opened meanwhile.
    let found = settled(kernel, target, consent, 1)?;
    let carried = self::carried(found.as_ref());
    if !consent.covers(carried) {
        return Err(connections_open(found.as_ref()));
    }
    let process = process.filter(|process| process.holds(found.as_ref()));
    client.exit()?;
    tracing::debug!(path = %target.path, ?process, "exit request sent");
    let until = Deadline::within(VERIFY_LIMIT);
    // A master that exits closes the connection, so the kernel need not be polled before that.
    let has_ended = match &process {
        Some(process) => process.pidfd.wait_ended(until),
        None => client.wait_closed(until),
    };
    verify_no_listener(kernel, &target.path, &held, until)?;
    match process {
        Some(process) if !has_ended => {
            return Err(ActionError::StillRunning(process.pid, until.limit));
        }
        _ => {}
    }
    let file_remains = file_remains(&target.path, &held, until);
    let mut message = match carried {
        None | Some(Carried::NONE) => tr!("exited"),
        Some(carried) => tr!("exited, closing {carried}", carried),
    };
    if file_remains {
        message = tr!("{exited}; its socket file remains, stale", exited = message);
    }
    Ok(Ended {
        message,
        file_remains,
    })
}

/// Sends a stop request, after which the master accepts no more sessions and exits with its last one. Verifies that the
/// listener is gone, and the process if nothing is open. Limits as for [`exit`]. Returns the connections that are still
/// open; `None` if they could not be counted, or if the process stays without any.
pub(super) fn stop(
    kernel: &impl Kernel,
    target: &Target,
    limit: Duration,
) -> Result<Option<Carried>, ActionError> {
    let held = HeldSocket::open(target)?;
    let process = master(kernel, target)?.as_ref().and_then(HeldProcess::open);
    let found = master(kernel, target)?;
    let process = process.filter(|process| process.holds(found.as_ref()));
    let mut client = Client::connect(held.file.as_fd(), Deadline::within(limit))?;
    let answer = client.stop_listening();
    let until = Deadline::within(VERIFY_LIMIT);
    match answer {
        Ok(()) => verify_no_listener(kernel, &target.path, &held, until)?,
        // The master may have exited at once.
        Err(error @ MuxError::Closed(_)) => {
            verify_no_listener(kernel, &target.path, &held, until).map_err(|_| error)?;
        }
        Err(error) => return Err(error.into()),
    }
    // The connection of the request keeps it.
    drop(client);
    let carried = carried(found.as_ref());
    let stays = carried == Some(Carried::NONE)
        && process.is_some_and(|process| !process.pidfd.wait_ended(until));
    Ok(carried.filter(|_| !stays))
}

#[derive(Debug)]
struct HeldProcess {
    pid: MasterPid,
    pidfd: Pidfd,
}

impl HeldProcess {
    /// `None` if the kernel does not show the process here, as in another pid namespace.
    fn open(found: &ListenerFound) -> Option<Self> {
        let pid = found.holder.ssh()?.pid;
        let pidfd = Pidfd::open(pid).ok()?;
        Some(Self { pid, pidfd })
    }

    /// Whether a later look shows that it holds the listener: then its id was not reused before the pidfd was opened.
    fn holds(&self, found: Option<&ListenerFound>) -> bool {
        let ssh = found.and_then(|found| found.holder.ssh());
        ssh.is_some_and(|process| process.pid == self.pid)
    }
}

/// Returns the refusal to close the connections of this listener.
pub(super) fn connections_open(found: Option<&ListenerFound>) -> ActionError {
    let sessions = found.and_then(|found| found.sessions.clone());
    ActionError::ConnectionsOpen(carried(found), sessions)
}

fn carried(found: Option<&ListenerFound>) -> Option<Carried> {
    found.and_then(|found| found.carried)
}

/// The listener with the connections that end with it, without this process's `own` to its socket. Waits for clients
/// that are disconnecting if there are more than may be closed.
pub(super) fn settled(
    kernel: &impl Kernel,
    target: &Target,
    consent: SessionConsent,
    own: u32,
) -> Result<Option<ListenerFound>, HoldError> {
    let mut found = Ok(None);
    Deadline::within(SETTLE_LIMIT).poll(SETTLE_POLL, || {
        found = master(kernel, target).map(|master| {
            let mut master = master?;
            if let Some(carried) = &mut master.carried {
                carried.sessions = carried.sessions.saturating_sub(own);
            }
            Some(master)
        });
        let is_final = |found: &Option<ListenerFound>| {
            let carried = carried(found.as_ref());
            carried.is_none() || consent.covers(carried)
        };
        found.as_ref().map_or(true, is_final).then_some(())
    });
    found
}

fn master(kernel: &impl Kernel, target: &Target) -> Result<Option<ListenerFound>, HoldError> {
    let master = kernel.master(target);
    let cookie = master.as_ref().and_then(|master| master.cookie);
    match (cookie, target.cookie) {
        (Some(cookie), Some(expected)) if cookie != expected => Err(HoldError::Changed),
        _ => Ok(master),
    }
}

/// Waits until the socket has no listener. A listener missing in the kernel's table is a hint, the refused connect the
/// proof. A master that accepts the connection has just been asked to exit, so ControlPersist no longer matters.
fn verify_no_listener(
    kernel: &impl Kernel,
    path: &ControlPath,
    held: &HeldSocket,
    until: Deadline,
) -> Result<(), ActionError> {
    let refused = until.poll(VERIFY_POLL, || {
        let is_listed = kernel.has_listener(path, &held.stat);
        (!is_listed && kernel.connect(&held.file) == Connect::Refused).then_some(())
    });
    refused.ok_or(ActionError::StillListening(until.limit))
}

/// Whether the file is still at its path at the deadline. A master closes its listener before it unlinks the file: if
/// another master were started in between, that unlink would remove its socket.
fn file_remains(path: &ControlPath, held: &HeldSocket, until: Deadline) -> bool {
    let removed = until.poll(VERIFY_POLL, || {
        let file = filesystem::lstat(path.as_path());
        let is_same = |stat: &Stat| stat.id.same_file(&held.stat.id);
        (!file.socket().is_some_and(is_same)).then_some(())
    });
    removed.is_none()
}

/// The rows of the connection info that are shown: the first one that is there (`connection_info_message()` in
/// packet.c). With ProxyCommand there is no `tcp`.
const CONNECTION_ROWS: [&str; 2] = ["tcp", "duration"];

fn connection_line(info: &[u8]) -> Option<String> {
    const MAX_BYTES: usize = 200;
    let line = CONNECTION_ROWS.iter().find_map(|keyword| {
        let mut rows = info.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        rows.find(|row| {
            let value = row.strip_prefix(keyword.as_bytes());
            value.is_some_and(|value| value.first() == Some(&b' '))
        })
    })?;
    let shown = &line[..line.len().min(MAX_BYTES)];
    Some(text::os(OsStr::from_bytes(shown)))
}

#[cfg(test)]
mod tests;
