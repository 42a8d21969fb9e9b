use std::path::Path;

use super::*;
use crate::model::samples::{in_state, path, seen};
use crate::model::socket::Cookie;
use crate::model::state::Unresponsive;

#[test]
fn signals_follow_phase_path_and_time() {
    use AtPath::{Empty, Own, Successor};
    use Phase::{Killed, Start, Terminated};
    let second = Duration::from_secs(1);
    let zero = Duration::ZERO;
    let term = Action::Send(&[Signal::Terminate], Terminated);
    let kill = Action::Send(&[Signal::Kill], Killed);
    for (phase, at_path, waited, action) in [
        (Start, Own, zero, term),
        (Start, Empty, zero, kill),
        (Start, Successor, zero, kill),
        (Terminated, Own, zero, Action::Wait(TERM_LIMIT)),
        (Terminated, Own, second, Action::Wait(second)),
        (Terminated, Empty, second, Action::Wait(second)),
        (Terminated, Own, TERM_LIMIT, kill),
        (Terminated, Successor, zero, kill),
        (Terminated, Successor, TERM_LIMIT, kill),
        (Killed, Own, second, Action::Wait(second)),
        (Killed, Own, KILL_LIMIT, Action::GiveUp),
    ] {
        for stopped in [false, true] {
            let observed = Observed {
                ended: false,
                stopped,
                at_path,
                waited,
            };
            let action = if stopped && action == term {
                Action::Send(&[Signal::Terminate, Signal::Continue], Terminated)
            } else {
                action
            };
            assert_eq!(next(phase, observed), action, "{phase:?} {observed:?}");
            let ended = Observed {
                ended: true,
                ..observed
            };
            assert_eq!(next(phase, ended), Action::Ended);
        }
    }
}

#[test]
fn resolves_to_masters_whose_process_can_be_ended() {
    let socket = |at: &str, state: State, cookie| Socket {
        path: path(at),
        cookie: Some(Cookie(cookie)),
        ..in_state(state)
    };
    let orphan = |at: &str, cookie| socket(at, State::Orphaned { successor: true }, cookie);
    let running = || socket("/s/a", State::Running, 9);
    let hung = || socket("/s/a", State::Unresponsive(Unresponsive::Stopped), 9);
    let several = "`web` names several control sockets, name one by its path:\n  /s/a (web, orphaned)\n  \
                   /s/b (web, orphaned)";
    let none = "`db` has no control socket; list them with: muxtray list";
    let (first, same_path) = (orphan("/s/a", 1), orphan("/s/a", 2));
    for (typed, sockets, found) in [
        ("web", vec![running(), first.clone()], "orphaned"),
        ("/s/a", vec![running(), first.clone()], "orphaned"),
        ("u@h", vec![running(), first.clone()], "orphaned"),
        ("web", vec![running()], "running"),
        ("web", vec![hung()], "unresponsive"),
        ("web", vec![first, same_path.clone()], "orphaned orphaned"),
        ("web", vec![orphan("/s/b", 1), same_path], several),
        ("db", vec![running()], none),
    ] {
        let snapshot = Snapshot {
            sockets,
            ..seen(Vec::new())
        };
        let name = TargetName::parse(typed.as_ref(), Path::new("/")).unwrap();
        let result = match resolve(typed, &name, &snapshot) {
            Ok(sockets) => {
                let states: Vec<_> = sockets.iter().map(|socket| socket.state.name()).collect();
                states.join(" ")
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(result, found, "{typed}");
    }
}
