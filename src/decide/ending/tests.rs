use std::path::Path;

use super::*;
use crate::diagnose::snapshot;
use crate::model::samples::{
    context_with, in_state, listener, look, observation, path, places, process, running,
};
use crate::model::socket::{
    Cookie, Holder, Listener, Look, MasterPid, Orphan, Process, Unresponsive,
};

const SECOND: Duration = Duration::from_secs(1);

fn seen(place: Place, waited: Duration) -> Seen {
    Seen {
        ended: false,
        stopped: false,
        place,
        waited,
    }
}

#[test]
fn a_master_with_its_own_file_may_end_in_order_and_has_to_end() {
    let begun = seen(Place::Own, Duration::ZERO);
    for (stage, seen, action) in [
        (
            Stage::Begun,
            begun,
            Action::Send(&[Signal::Terminate], Stage::Terminated),
        ),
        (
            Stage::Begun,
            Seen {
                stopped: true,
                ..begun
            },
            Action::Send(&[Signal::Terminate, Signal::Continue], Stage::Terminated),
        ),
        (Stage::Terminated, begun, Action::Wait(TERM_LIMIT)),
        (
            Stage::Terminated,
            seen(Place::Own, SECOND),
            Action::Wait(SECOND),
        ),
        // It unlinks its file, and ends a moment later.
        (
            Stage::Terminated,
            seen(Place::Empty, SECOND),
            Action::Wait(SECOND),
        ),
        (
            Stage::Terminated,
            seen(Place::Own, TERM_LIMIT),
            Action::Send(&[Signal::Kill], Stage::Killed),
        ),
        (
            Stage::Killed,
            seen(Place::Own, SECOND),
            Action::Wait(SECOND),
        ),
        (Stage::Killed, seen(Place::Own, KILL_LIMIT), Action::GiveUp),
    ] {
        assert_eq!(next(stage, seen), action, "{stage:?} {seen:?}");
    }
}

#[test]
fn a_successor_is_never_in_danger_of_a_clean_up() {
    let kill = Action::Send(&[Signal::Kill], Stage::Killed);
    for stopped in [false, true] {
        for waited in [Duration::ZERO, SECOND, TERM_LIMIT] {
            for (stage, place) in [
                (Stage::Begun, Place::Empty),
                (Stage::Begun, Place::Successor),
                (Stage::Terminated, Place::Successor),
            ] {
                let seen = Seen {
                    stopped,
                    ..seen(place, waited)
                };
                assert_eq!(next(stage, seen), kill, "{stage:?} {seen:?}");
            }
        }
    }
}

#[test]
fn what_has_ended_is_not_signalled() {
    for stage in [Stage::Begun, Stage::Terminated, Stage::Killed] {
        for place in [Place::Own, Place::Empty, Place::Successor] {
            let seen = Seen {
                ended: true,
                ..seen(place, 9 * SECOND)
            };
            assert_eq!(next(stage, seen), Action::Ended, "{stage:?} {seen:?}");
        }
    }
}

/// A look at a running master, and at an orphan of this path with so many sessions.
fn with_orphan(at: &str, sessions: u32) -> Snapshot {
    let orphan = Orphan {
        path: path(at),
        listener: Listener {
            cookie: Some(Cookie(7)),
            sessions,
            ..listener(Holder::Ssh(process("ssh")))
        },
        successor: true,
    };
    judged(&Look {
        orphans: vec![orphan],
        ..look(vec![running()])
    })
}

fn judged(look: &Look) -> Snapshot {
    context_with(&places(), &[], |context| snapshot(look, context))
}

#[test]
fn an_orphan_is_meant_rather_than_its_successor() {
    let named = |typed| Named::parse(typed, Path::new("/")).unwrap();
    let found = |snapshot: &Snapshot, typed| {
        resolve(typed, &named(typed), snapshot).map(|sockets| {
            let states = sockets.iter().map(|socket| socket.state.name());
            states.collect::<Vec<_>>()
        })
    };
    let snapshot = with_orphan("/s/u@h-22", 0);
    for typed in ["web", "/s/u@h-22", "u@h"] {
        assert_eq!(found(&snapshot, typed), Ok(vec!["orphaned"]), "{typed}");
    }
    let alone = judged(&look(vec![running()]));
    assert_eq!(found(&alone, "web"), Ok(vec!["running"]));
    assert!(matches!(found(&alone, "db"), Err(TargetError::NoSocket(_))));

    let stopped = Holder::Ssh(Process {
        stopped: true,
        ..process("ssh")
    });
    let mut look = look(vec![
        observation(),
        crate::model::socket::Observation {
            path: path("/s/other"),
            ..observation()
        },
    ]);
    for observation in &mut look.observations {
        observation.listener = Some(listener(stopped.clone()));
    }
    let two = judged(&look);
    assert_eq!(found(&two, "/s/other"), Ok(vec!["unresponsive"]));
    assert_eq!(found(&two, "web"), Ok(vec!["unresponsive"]));
}

#[test]
fn the_way_out_tells_what_it_costs() {
    for (sessions, told) in [
        (0, "end its process: muxtray exit --end-process /s/u@h-22"),
        (
            3,
            "end its process, which closes 3 sessions: muxtray exit --end-process --force /s/u@h-22",
        ),
    ] {
        let mut snapshot = with_orphan("/s/u@h-22", sessions);
        let orphan = &mut snapshot.sockets[0];
        assert_eq!(way_out(orphan).to_string(), told);
        orphan.cookie = None;
        assert!(way_out(orphan).to_string().ends_with("kill -KILL 4711"));
    }
}

#[test]
fn labels_say_how_many_sessions_are_closed() {
    assert_eq!(
        [Some(0), Some(1), Some(2), None].map(exit_label),
        [
            "Exit",
            "Exit, closing 1 session",
            "Exit, closing 2 sessions",
            "Exit, closing its sessions"
        ]
    );
    assert_eq!(
        [0, 1, 2].map(end_process_label),
        [
            "End process",
            "End process, closing 1 session",
            "End process, closing 2 sessions"
        ]
    );
}

/// By what proves whose process it is, by the state, and by what it costs.
#[test]
fn every_way_out() {
    let stopped = || State::Unresponsive(Unresponsive::Stopped);
    let orphan = || State::Orphaned { successor: true };
    let mut told = Vec::new();
    for (cookie, pid) in [(true, true), (true, false), (false, true), (false, false)] {
        for state in [stopped(), orphan()] {
            for sessions in [Some(0), Some(1), Some(2), None] {
                let socket = Socket {
                    cookie: cookie.then_some(Cookie(99)),
                    pid: pid.then_some(MasterPid(4711)),
                    sessions,
                    ..in_state(state.clone())
                };
                let knows = format!("cookie {cookie}, pid {pid}, {}", state.name());
                let way_out = way_out(&socket);
                let command = way_out.command.as_deref().unwrap_or_default();
                assert!(way_out.to_string().ends_with(command), "{way_out}");
                told.push(format!("{knows}, {sessions:?}: {way_out}"));
            }
        }
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn several_at_one_path_are_meant_together_and_at_several_refused() {
    let orphan = |at: &str, cookie| Socket {
        path: path(at),
        cookie: Some(Cookie(cookie)),
        ..in_state(State::Orphaned { successor: true })
    };
    let with = |sockets| Snapshot {
        sockets,
        ..judged(&look(Vec::new()))
    };
    let named = Named::Host("web".to_owned());
    let one = with(vec![orphan("/s/a", 1), orphan("/s/a", 2)]);
    let meant = resolve("web", &named, &one).unwrap();
    assert_eq!(meant, one.sockets.iter().collect::<Vec<_>>());
    let two = with(vec![
        orphan("/s/b", 1),
        orphan("/s/a", 2),
        orphan("/s/b", 3),
    ]);
    assert_eq!(
        resolve("web", &named, &two).unwrap_err().to_string(),
        "`web` names several control sockets, name one by its path:\n  /s/a (web, orphaned)\n  \
         /s/b (web, orphaned)\n  /s/b (web, orphaned)"
    );
}
