//! Replaces the stranded masters of the hosts in the setting `reopen`: without a question to a person, one at a time, and
//! only while there is a route.
//!
//! Only a master that was seen stranded is replaced. One that ends by itself, or that a person ends, is not opened again.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::stranded::EXIT_AFTER;
use crate::model::control_path::HostAlias;
use crate::model::ids::MasterPid;
use crate::model::network::{Hop, Route};
use crate::model::socket::{Snapshot, Socket, State, Target};

/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The number of attempts on one route.
const ATTEMPTS: u32 = 8;

/// The facts beside the snapshot that decide whether a master can be replaced now.
#[derive(Debug)]
pub struct Opportunity<'a> {
    /// To the addresses of [`Memory::addresses`](super::Memory::addresses).
    pub routes: &'a BTreeMap<IpAddr, Route>,
    /// Whether a master is being opened.
    pub is_opening: bool,
    /// Whether the machine has just resumed.
    pub is_quiet: bool,
    pub now: Instant,
}

/// The masters that are being replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reopening {
    lost: BTreeMap<HostAlias, Lost>,
    next: Option<Instant>,
}

/// A stranded master and the attempts to replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lost {
    master: Target,
    pid: Option<MasterPid>,
    /// The masters that its connection ran through.
    through: Vec<MasterPid>,
    /// Of the server, or of the first jump host.
    address: IpAddr,
    phase: Phase,
    /// Whether muxtray has ended the master, or the one that it jumped through. Only then the host may be opened without
    /// a stranded master.
    is_ended: bool,
    attempts: u32,
    /// The earliest time of the next attempt.
    next: Instant,
    last: Option<Attempt>,
    has_route: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Attempt {
    hop: Hop,
    ended: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Opening,
    /// Open again. If it is stranded soon, the pauses go on.
    Open,
    /// Until the route changes.
    GivenUp,
    /// A person has to answer a question.
    NeedsPerson,
}

/// The result of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempted {
    Opened,
    Failed,
    /// The jump host may have counted a wrong password.
    FailedWithoutReason,
    /// ssh would have asked for a password, or whether to accept a host key.
    NeedsPerson,
}

#[derive(Debug, Default, PartialEq, Eq)]
#[must_use]
pub(super) struct Step {
    /// The host to open now, and its lost master.
    pub(super) open: Option<(HostAlias, Target)>,
    /// The lost masters with a notification that is over.
    pub(super) withdrawn: Vec<Target>,
}

fn pause(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE)
}

impl Reopening {
    /// Returns the addresses to which the next step needs a route.
    pub(super) fn addresses(
        &self,
        snapshot: &Snapshot,
        hosts: &BTreeSet<HostAlias>,
    ) -> BTreeSet<IpAddr> {
        let stranded = hosts.iter().filter_map(|host| stranded(snapshot, host));
        let stranded = stranded.filter_map(address);
        let lost = self.lost.values().map(|lost| lost.address);
        stranded.chain(lost).collect()
    }

    /// Returns when the next attempt is due without an event.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.next
    }

    /// Adds a snapshot.
    pub(super) fn step(
        &mut self,
        snapshot: &Snapshot,
        hosts: &BTreeSet<HostAlias>,
        with: &Opportunity<'_>,
    ) -> Step {
        let mut step = Step::default();
        let mut before = std::mem::take(&mut self.lost);
        for host in hosts {
            let known = before.remove(host);
            match Lost::after(known, master(snapshot, host), with.now) {
                Ok(lost) => drop(self.lost.insert(host.clone(), lost)),
                Err(announced) => step.withdrawn.extend(announced),
            }
        }
        self.note_jumping();
        step.withdrawn
            .extend(before.values().filter_map(Lost::announced));
        for lost in self.lost.values_mut() {
            let was_announced = lost.announced();
            lost.note_route(with.routes.get(&lost.address));
            step.withdrawn
                .extend(was_announced.filter(|_| lost.announced().is_none()));
        }
        if !with.is_quiet && !with.is_opening {
            step.open = self.begin(snapshot, with);
        }
        let waiting = |lost: &&Lost| lost.phase == Phase::Waiting && lost.next > with.now;
        let waiting = self.lost.values().filter(waiting);
        self.next = waiting.map(|lost| lost.next).min();
        step
    }

    /// The masters that jump through one that is being replaced end with it.
    fn note_jumping(&mut self) {
        let opening = self.lost.values();
        let opening = opening.filter(|lost| lost.phase == Phase::Opening);
        let pids: BTreeSet<MasterPid> = opening.filter_map(|lost| lost.pid).collect();
        for lost in self.lost.values_mut() {
            lost.is_ended |= lost.through.iter().any(|pid| pids.contains(pid));
        }
    }

    fn begin(
        &mut self,
        snapshot: &Snapshot,
        with: &Opportunity<'_>,
    ) -> Option<(HostAlias, Target)> {
        let stranded = snapshot.sockets.iter().filter(|it| it.state.is_stranded());
        let stranded: BTreeSet<MasterPid> = stranded.filter_map(|socket| socket.pid).collect();
        let is_due = |lost: &Lost| {
            lost.phase == Phase::Waiting
                && lost.has_route
                && with.now >= lost.next
                && !lost.through.iter().any(|pid| stranded.contains(pid))
        };
        let due = self.lost.iter().filter(|(_, lost)| is_due(lost));
        let (host, lost) = due.min_by_key(|(_, lost)| (lost.through.len(), lost.next))?;
        let (host, target) = (host.clone(), lost.master.clone());
        let lost = self.lost.get_mut(&host)?;
        lost.phase = Phase::Opening;
        lost.is_ended = true;
        lost.attempts += 1;
        if let Some(Route::Via(hop)) = with.routes.get(&lost.address) {
            let (hop, ended) = (*hop, with.now);
            lost.last = Some(Attempt { hop, ended });
        }
        self.note_jumping();
        Some((host, target))
    }

    /// Adds the end of an attempt. Returns whether there will be no other, and a person should know.
    #[must_use]
    pub(super) fn note_attempt(
        &mut self,
        host: &HostAlias,
        attempted: Attempted,
        now: Instant,
    ) -> bool {
        let Some(lost) = self.lost.get_mut(host) else {
            return false;
        };
        lost.next = now
            + match attempted {
                Attempted::FailedWithoutReason => LONGEST_PAUSE,
                _ => pause(lost.attempts),
            };
        if let Some(last) = &mut lost.last {
            last.ended = now;
        }
        lost.phase = match attempted {
            Attempted::Opened => Phase::Open,
            Attempted::NeedsPerson => Phase::NeedsPerson,
            _ if lost.attempts >= ATTEMPTS => Phase::GivenUp,
            Attempted::Failed | Attempted::FailedWithoutReason => Phase::Waiting,
        };
        lost.is_ended &= lost.phase != Phase::Open;
        lost.announced().is_some()
    }

    /// Whether this stranded master is going to be replaced.
    pub(super) fn replaces(&self, target: &Target) -> bool {
        let is_wanted = |lost: &Lost| lost.has_route && lost.announced().is_none();
        let mut lost = self.lost.values();
        lost.any(|lost| lost.master == *target && is_wanted(lost))
    }

    /// Notes that muxtray ends this master for another reason.
    pub(super) fn note_end(&mut self, target: &Target) {
        let lost = self.lost.values_mut();
        for lost in lost.filter(|lost| lost.master == *target) {
            lost.is_ended = true;
        }
    }

    /// Forgets a host that a person opens. Returns its lost master.
    pub(super) fn forget(&mut self, host: &HostAlias) -> Option<Target> {
        let is_idle = |lost: &&Lost| lost.phase != Phase::Opening;
        self.lost.get(host).filter(is_idle)?;
        let lost = self.lost.remove(host)?;
        lost.is_ended.then_some(lost.master)
    }
}

impl Lost {
    /// Returns what is known of a host's lost master after a look, which found `socket` at its path; an error with the
    /// announced master if there is nothing to replace any more.
    fn after(
        known: Option<Self>,
        socket: Option<&Socket>,
        now: Instant,
    ) -> Result<Self, Option<Target>> {
        let over = |known: Option<Self>| Err(known.and_then(|known| known.announced()));
        match (known, socket) {
            (Some(known), _) if known.phase == Phase::Opening => Ok(known),
            (known, Some(socket)) if socket.state.is_stranded() => match (known, address(socket)) {
                // The attempt has not ended it.
                (Some(known), _) if known.master == socket.target() => Ok(Self {
                    is_ended: false,
                    ..known
                }),
                (known, Some(address)) => Ok(Self::new(socket, address, known.as_ref(), now)),
                (known, None) => over(known),
            },
            (Some(known), Some(socket)) if socket.state.is_usable() => {
                let is_new = known.phase == Phase::Open && now < known.next;
                if is_new { Ok(known) } else { over(Some(known)) }
            }
            (Some(known), _) if known.is_ended => Ok(known),
            (known, _) => over(known),
        }
    }

    fn new(socket: &Socket, address: IpAddr, before: Option<&Self>, now: Instant) -> Self {
        let before = before.filter(|before| before.phase == Phase::Open);
        let due = now + EXIT_AFTER;
        let verdict = socket.network.as_ref();
        Self {
            master: socket.target(),
            pid: socket.pid,
            through: verdict.map_or_else(Vec::new, |it| it.connection.through.clone()),
            address,
            phase: Phase::Waiting,
            is_ended: false,
            attempts: before.map_or(0, |before| before.attempts),
            next: before.map_or(due, |before| before.next.max(due)),
            last: before.and_then(|before| before.last),
            has_route: false,
        }
    }

    /// A new route begins new attempts.
    fn note_route(&mut self, route: Option<&Route>) {
        let Some(Route::Via(hop)) = route else {
            self.has_route = false;
            return;
        };
        self.has_route = true;
        if let Some(last) = self.last.filter(|last| last.hop != *hop)
            && matches!(self.phase, Phase::Waiting | Phase::GivenUp)
            && self.attempts > 0
        {
            self.attempts = 0;
            self.phase = Phase::Waiting;
            self.next = self.next.min(last.ended + FIRST_PAUSE);
        }
    }

    /// Returns the master if a notification is about it.
    fn announced(&self) -> Option<Target> {
        matches!(self.phase, Phase::GivenUp | Phase::NeedsPerson).then(|| self.master.clone())
    }
}

/// The master at the ControlPath of a host, not one that began at an earlier ControlPath.
fn master<'a>(snapshot: &'a Snapshot, host: &HostAlias) -> Option<&'a Socket> {
    let is_own = |socket: &&Socket| socket.hosts.contains(host) && socket.is_own_at_control_path();
    let is_at_path =
        |socket: &&Socket| !matches!(socket.state, State::Orphaned { .. } | State::Leftover);
    let mut sockets = snapshot.sockets.iter().filter(is_own);
    sockets.find(is_at_path)
}

fn stranded<'a>(snapshot: &'a Snapshot, host: &HostAlias) -> Option<&'a Socket> {
    master(snapshot, host).filter(|socket| socket.state.is_stranded())
}

fn address(socket: &Socket) -> Option<IpAddr> {
    let verdict = socket.network.as_ref()?;
    Some(verdict.connection.remote.ip())
}

#[cfg(test)]
mod tests;
