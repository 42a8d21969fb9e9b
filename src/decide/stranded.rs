//! Ending stranded masters: by a notification's button, or without asking if the user wants that, once for each master.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tr::tr;

use super::intent::{Intent, masters_to_exit};
use super::notice::Button;
use super::opening;
use crate::model::socket::{Snapshot, Socket, Target};

/// The time after which a stranded master is ended. A VPN that reconnects often has the same address again.
pub const EXIT_AFTER: Duration = Duration::from_secs(15);

/// The stranded masters, and the time at which each is to be ended; `None` after it was asked to exit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stranded(BTreeMap<Target, Option<Instant>>);

impl Stranded {
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().copied().flatten().min()
    }

    /// Adds a snapshot, and returns the masters to end now. Never those of other programs, and none in the quiet time after
    /// a resume.
    pub(super) fn update(
        &mut self,
        snapshot: &Snapshot,
        is_quiet: bool,
        now: Instant,
    ) -> Vec<Target> {
        let mut to_end = Vec::new();
        let sockets = snapshot.sockets.iter();
        let stranded =
            sockets.filter(|socket| socket.state.is_stranded() && socket.managed_by.is_none());
        self.0 = stranded
            .map(|socket| {
                let target = socket.target();
                let known = self.0.get(&target).copied();
                let mut due = known.unwrap_or(Some(now + EXIT_AFTER));
                if due.is_some_and(|due| now >= due) && !is_quiet {
                    to_end.push(target.clone());
                    due = None;
                }
                (target, due)
            })
            .collect();
        to_end
    }
}

pub(super) fn buttons(socket: &Socket) -> impl Iterator<Item = Button> {
    let exit = || Button::exit(socket.target(), socket.carried());
    let exit = socket.state.is_stranded().then(exit);
    let buttons = opening::reconnect(socket).into_iter().chain(exit);
    buttons.map(Button::ask_first)
}

pub(super) fn exit_all_button<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Option<Button> {
    let stranded = masters_to_exit(sockets.filter(|socket| socket.state.is_stranded()));
    let button = |masters: Vec<_>| Button {
        label: tr!("Exit {n} stranded master" | "Exit {n} stranded masters" % masters.len()),
        intent: Intent::ExitAll(masters),
    };
    (!stranded.is_empty()).then(|| button(stranded).ask_first())
}
