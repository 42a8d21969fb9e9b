//! Ending stranded masters: by a notification's button, or without asking if the user wants that, once for each master.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tr::tr;

use super::ending;
use super::intent::{Intent, SessionConsent};
use super::notice::Button;
use super::opening::{self, Reconnect};
use crate::model::socket::{Snapshot, Socket, State, Target};

/// The time after which a stranded master is ended. A VPN that reconnects often has the same address again.
pub const EXIT_AFTER: Duration = Duration::from_secs(15);

/// The stranded masters, and those of them that were asked to exit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stranded {
    since: BTreeMap<Target, Instant>,
    asked: BTreeSet<Target>,
    /// The time at which the next one is to be ended.
    pub(super) due: Option<Instant>,
}

impl Stranded {
    /// Adds a snapshot, and returns the masters to end now. Never those of other programs, and none in the quiet time after
    /// a resume.
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
        // At the end of the quiet time there is another look.
        let due = due.filter(|due| *due > now).min();
        let asked = asked.into_iter().chain(to_end.iter().cloned()).collect();
        (Self { since, asked, due }, to_end)
    }
}

/// Returns the buttons for a stranded master.
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

/// Returns the button that ends the stranded masters among these; `None` if there are none.
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
