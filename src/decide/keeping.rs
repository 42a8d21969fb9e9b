//! Keeping a master open: whether the menu offers it, and when it ends.

use std::time::SystemTime;

use tr::tr;

use crate::model::keep::KeptUntil;
use crate::model::socket::{Socket, State};

/// Whether a master can be kept open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    Possible,
    /// With the reason.
    Refused(String),
    /// ControlPersist does not end it, or nothing can be asked of it.
    Pointless,
}

pub fn offer(socket: &Socket) -> Offer {
    // Without ControlPersist, a connection would keep the ssh of a terminal after its session.
    let ends = socket.own_persist_secs.is_some_and(|seconds| seconds > 0);
    match refusal(socket) {
        _ if !socket.state.is_usable() || !ends => Offer::Pointless,
        Some(why) => Offer::Refused(why),
        None => Offer::Possible,
    }
}

/// Returns why a master may not be kept open, whatever its state.
pub fn refusal(socket: &Socket) -> Option<String> {
    let program = socket.managed_by?;
    Some(tr!("it is a master of {program}", program))
}

/// Why a master is kept no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetGo {
    TimeOver,
    /// It has ended, or accepts no more sessions.
    Gone,
    /// Its network is lost, so keeping it would only delay its end.
    Stranded,
}

/// Returns why a kept master is to be let go, if it is. `socket`: the kept one in the last scan.
#[must_use]
pub fn end(socket: Option<&Socket>, until: KeptUntil, at: SystemTime) -> Option<LetGo> {
    match socket.map(|socket| &socket.state) {
        Some(State::Stranded(_)) => Some(LetGo::Stranded),
        Some(State::Running | State::Suspect(_) | State::Unresponsive(_)) => {
            is_over(until, at).then_some(LetGo::TimeOver)
        }
        _ => Some(LetGo::Gone),
    }
}

pub fn is_over(until: KeptUntil, at: SystemTime) -> bool {
    matches!(until, KeptUntil::Time(time) if time <= at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::network::{Cause, Doubt};
    use crate::model::places::Managed;
    use crate::model::samples::{at, in_state};

    #[test]
    fn masters_that_control_persist_ends_can_be_kept() {
        let pointless = Offer::Pointless;
        let kitty = Offer::Refused("it is a master of kitty".to_owned());
        for (state, persist, program, expected) in [
            (State::Running, Some(600), None, Offer::Possible),
            (
                State::Suspect(Doubt::Resumed),
                Some(1),
                None,
                Offer::Possible,
            ),
            (State::Running, Some(600), Some("kitty"), kitty),
            (State::Running, Some(0), None, pointless.clone()),
            (State::Running, None, None, pointless.clone()),
            (State::Running, None, Some("kitty"), pointless.clone()),
            (
                State::Stranded(Cause::AddressGone),
                Some(600),
                None,
                pointless.clone(),
            ),
            (State::Stale, Some(600), None, pointless.clone()),
            (
                State::Orphaned { successor: false },
                Some(600),
                None,
                pointless,
            ),
        ] {
            let socket = Socket {
                own_persist_secs: persist,
                managed_by: program.map(Managed),
                ..in_state(state.clone())
            };
            assert_eq!(offer(&socket), expected, "{state:?} {persist:?}");
        }
    }

    #[test]
    fn kept_masters_are_let_go_when_over_gone_or_stranded() {
        let running = in_state(State::Running);
        let orphaned = in_state(State::Orphaned { successor: false });
        let stranded = in_state(State::Stranded(Cause::AddressGone));
        let until = |seconds| KeptUntil::Time(at() + Duration::from_secs(seconds));
        for (socket, until, expected) in [
            (Some(&running), until(1), None),
            (Some(&running), until(0), Some(LetGo::TimeOver)),
            (Some(&running), KeptUntil::Quit, None),
            (Some(&stranded), KeptUntil::Quit, Some(LetGo::Stranded)),
            (Some(&orphaned), KeptUntil::Quit, Some(LetGo::Gone)),
            (None, until(1), Some(LetGo::Gone)),
        ] {
            assert_eq!(end(socket, until, at()), expected);
        }
    }
}
