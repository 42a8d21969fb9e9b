//! Ending masters that have lost their network: by a notice's button, and by itself for those who want that, once each
//! and not before it is plain that the network does not come back at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tr::tr;

use super::ending;
use super::intent::{Intent, SessionConsent};
use super::notice::Button;
use super::opening::{self, Reconnect};
use crate::model::socket::{Snapshot, Socket, State, Target};

/// How long a master has to have been stranded: a VPN that connects again often has the same address.
pub const EXIT_AFTER: Duration = Duration::from_secs(15);

/// The masters that are stranded, and those of them that were asked to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stranded {
    since: BTreeMap<Target, Instant>,
    asked: BTreeSet<Target>,
    /// When the next of them is to end.
    pub(super) due: Option<Instant>,
}

impl Stranded {
    /// What is to end now, and what to remember. Another program's masters are left to it; in the quiet time after a
    /// resume nothing is ended.
    #[must_use]
    pub(super) fn after(
        self,
        snapshot: &Snapshot,
        is_quiet: bool,
        now: Instant,
    ) -> (Self, Vec<Target>) {
        let stranded = snapshot
            .sockets
            .iter()
            .filter(|socket| is_stranded(socket) && socket.managed_by.is_none());
        let since: BTreeMap<Target, Instant> = stranded
            .map(|socket| {
                let target = socket.target();
                let since = self.since.get(&target).copied().unwrap_or(now);
                (target, since)
            })
            .collect();
        let asked: BTreeSet<Target> = self
            .asked
            .into_iter()
            .filter(|target| since.contains_key(target))
            .collect();
        let waiting = since.iter().filter(|(target, _)| !asked.contains(target));
        let (over, later): (Vec<_>, Vec<_>) =
            waiting.partition(|(_, since)| now >= **since + EXIT_AFTER && !is_quiet);
        let to_end: Vec<Target> = over.into_iter().map(|(target, _)| target.clone()).collect();
        let due = later.into_iter().map(|(_, since)| *since + EXIT_AFTER);
        // The end of the quiet time is a look anyway.
        let due = due.filter(|due| *due > now).min();
        let asked = asked.into_iter().chain(to_end.iter().cloned()).collect();
        (Self { since, asked, due }, to_end)
    }
}

/// What can be done about a master that has lost its network; nothing where it has not.
pub(super) fn buttons(socket: &Socket) -> Vec<Button> {
    if !is_stranded(socket) {
        return Vec::new();
    }
    let reconnect = opening::reconnect(socket).map(
        |Reconnect {
             label,
             host,
             consent,
         }| Button {
            label,
            intent: Intent::Open { host, consent },
        },
    );
    reconnect.into_iter().chain([exit_button(socket)]).collect()
}

fn exit_button(socket: &Socket) -> Button {
    Button {
        label: ending::exit_label(socket.sessions_at_stake()),
        intent: Intent::Exit {
            target: socket.target(),
            consent: consent(socket),
        },
    }
}

fn consent(socket: &Socket) -> SessionConsent {
    SessionConsent::to_close(socket.sessions_at_stake())
}

/// Ends all of these that have lost their network; none where there are none.
pub(super) fn exit_all_button<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Option<Button> {
    let stranded: Vec<&Socket> = sockets.filter(|socket| is_stranded(socket)).collect();
    let each = stranded
        .iter()
        .map(|socket| (socket.target(), consent(socket)));
    (!stranded.is_empty()).then(|| Button {
        label: tr!("Exit {n} stranded master" | "Exit {n} stranded masters" % stranded.len()),
        intent: Intent::ExitAll(each.collect()),
    })
}

const fn is_stranded(socket: &Socket) -> bool {
    matches!(socket.state, State::Stranded(_))
}
