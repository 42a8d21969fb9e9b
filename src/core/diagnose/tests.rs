use std::time::Instant;

use super::super::places::Persist;
use super::super::samples::{
    ME, at, context_with, listener, look, observation, path, places, process, running, stat, users,
};
use super::super::socket::{Connect, Cookie, FileKind, Filesystem, Process, Unresponsive};
use super::*;

fn judged(observation: &Observation) -> Option<Socket> {
    judged_with(observation, &History::default())
}

fn judged_with(observation: &Observation, history: &History) -> Option<Socket> {
    judge(
        observation,
        at(),
        Context {
            uid: ME,
            users: &users(),
            home: Path::new("/home/u"),
            places: &places(),
            directories: &[],
            history,
        },
    )
}

fn state_of(observation: &Observation) -> Option<String> {
    judged(observation).map(|socket| socket.state.name().to_owned())
}

fn file(file: File) -> Observation {
    Observation {
        file,
        ..observation()
    }
}

fn connect(connect: Connect) -> Observation {
    Observation {
        connect: Some(connect),
        ..observation()
    }
}

fn theirs() -> File {
    File::Socket(Stat {
        uid: UserId(0),
        ..stat()
    })
}

fn aged(origin: Origin, seconds: u64) -> Observation {
    let modified = at() - Duration::from_secs(seconds);
    Observation {
        origin,
        file: File::Socket(Stat { modified, ..stat() }),
        ..connect(Connect::Refused)
    }
}

#[test]
fn every_fact_has_its_state() {
    let stopped = Process {
        stopped: true,
        ..process("ssh")
    };
    let closed = File::Socket(Stat {
        mode: 0o400,
        ..stat()
    });
    let their_listener = Listener {
        uid: Some(UserId(0)),
        ..listener(Holder::Unknown)
    };
    let listening = |listener| Observation {
        listener: Some(listener),
        ..observation()
    };
    let cases: Vec<(&str, Observation, Option<&str>)> = vec![
        ("a listening ssh", running(), Some("running")),
        (
            "a listener of ours whose process is hidden",
            listening(listener(Holder::Unknown)),
            Some("running"),
        ),
        (
            "a listener in another network namespace",
            connect(Connect::Accepted),
            Some("running"),
        ),
        (
            "a stopped process",
            listening(listener(Holder::Ssh(stopped))),
            Some("unresponsive"),
        ),
        ("a full queue", connect(Connect::Full), Some("unresponsive")),
        ("refused", connect(Connect::Refused), Some("stale")),
        ("another user's file", file(theirs()), Some("misowned")),
        (
            "another program",
            listening(listener(Holder::Other(process("nc")))),
            Some("foreign"),
        ),
        (
            "another user's listener",
            listening(their_listener),
            Some("foreign"),
        ),
        (
            "a regular file",
            file(File::Other(FileKind::Regular, stat())),
            Some("not-a-socket"),
        ),
        (
            "a symlink",
            file(File::Other(FileKind::Symlink, stat())),
            Some("not-a-socket"),
        ),
        (
            "a directory that may not be searched",
            file(File::Denied),
            Some("denied"),
        ),
        ("connect denied", connect(Connect::Denied), Some("denied")),
        (
            "a listening ssh behind mode 0400",
            Observation {
                file: closed,
                ..running()
            },
            Some("denied"),
        ),
        (
            "connect failed oddly",
            connect(Connect::Failed("EIO".to_owned())),
            Some("unverifiable"),
        ),
        (
            "lstat failed oddly",
            file(File::Failed("ELOOP".to_owned())),
            Some("unverifiable"),
        ),
        ("no file", file(File::Missing), None),
        (
            "an old temporary name",
            aged(Origin::Temporary, 61),
            Some("leftover"),
        ),
        ("a start under way", aged(Origin::Temporary, 60), None),
        (
            "a temporary name from the future",
            Observation {
                file: File::Socket(Stat {
                    modified: at() + Duration::from_secs(9),
                    ..stat()
                }),
                ..aged(Origin::Temporary, 0)
            },
            None,
        ),
        (
            "what a clean that broke off left",
            aged(Origin::Aside, 1),
            Some("leftover"),
        ),
    ];
    for (what, observation, state) in cases {
        assert_eq!(state_of(&observation).as_deref(), state, "{what}");
    }
}

#[test]
fn on_a_network_filesystem_nothing_is_stale() {
    let there = Observation {
        filesystem: Filesystem::Network("nfs"),
        ..connect(Connect::Refused)
    };
    assert_eq!(state_of(&there).as_deref(), Some("unverifiable"));
    let unknown = Observation {
        filesystem: Filesystem::Unknown,
        ..connect(Connect::Refused)
    };
    assert_eq!(state_of(&unknown).as_deref(), Some("unverifiable"));
    let live = Observation {
        filesystem: Filesystem::Network("nfs"),
        ..running()
    };
    assert_eq!(state_of(&live).as_deref(), Some("running"));
}

#[test]
fn what_a_vague_pattern_matches_is_nobodys_problem() {
    let vague = |observation| Observation {
        origin: Origin::VaguePattern,
        ..observation
    };
    let other = Observation {
        listener: Some(listener(Holder::Other(process("ssh-agent")))),
        ..observation()
    };
    for observation in [
        file(File::Other(FileKind::Regular, stat())),
        file(theirs()),
        other,
    ] {
        assert_eq!(state_of(&vague(observation)), None);
    }
    assert_eq!(state_of(&vague(running())).as_deref(), Some("running"));
    assert_eq!(
        state_of(&vague(connect(Connect::Refused))).as_deref(),
        Some("stale")
    );
}

#[test]
fn a_colleagues_socket_in_a_shared_directory_is_not_misowned() {
    let there = Observation {
        origin: Origin::Pattern,
        shared_directory: true,
        ..file(theirs())
    };
    assert_eq!(state_of(&there), None);
    let in_ours = Observation {
        origin: Origin::Pattern,
        ..file(theirs())
    };
    assert_eq!(state_of(&in_ours).as_deref(), Some("misowned"));
}

#[test]
fn a_backlog_is_stuck_once_it_lasts() {
    let waiting = |backlog| {
        let listener = Listener {
            backlog,
            ..listener(Holder::Ssh(process("ssh")))
        };
        Observation {
            listener: Some(listener),
            ..observation()
        }
    };
    let seen = |history: History, backlog, at| history.after(&look(vec![waiting(backlog)]), at);
    let state = |history: &History, backlog| judged_with(&waiting(backlog), history).unwrap().state;
    let start = Instant::now();

    let first = seen(History::default(), 3, start);
    assert_eq!(state(&first, 3), State::Running);
    assert_eq!(first.look_again_at(), Some(start + STUCK_AFTER));

    let lasting = seen(first.clone(), 2, start + STUCK_AFTER);
    assert_eq!(
        state(&lasting, 2),
        State::Unresponsive(Unresponsive::Backlog(2))
    );
    assert_eq!(lasting.look_again_at(), None);

    let drained = seen(first, 0, start + Duration::from_secs(1));
    let again = seen(drained, 1, start + STUCK_AFTER);
    assert_eq!(state(&again, 1), State::Running);
}

#[test]
fn a_master_that_let_a_check_time_out_is_unresponsive_until_it_answers() {
    let look = look(vec![running()]);
    let silent = History::default()
        .after_check(Cookie(99), false)
        .after(&look, Instant::now());
    assert_eq!(
        judged_with(&running(), &silent).unwrap().state,
        State::Unresponsive(Unresponsive::CheckTimedOut)
    );
    let answered = silent.after_check(Cookie(99), true);
    assert_eq!(
        judged_with(&running(), &answered).unwrap().state,
        State::Running
    );
}

#[test]
fn a_socket_is_told_with_its_host() {
    let socket = judged(&running()).unwrap();
    assert_eq!(socket.title(), "web");
    assert_eq!(socket.destination.as_ref().unwrap().to_string(), "u@h:22");
    assert_eq!(socket.persist_secs, Some(600));
    assert_eq!(
        (socket.pid.map(|pid| pid.0), socket.sessions),
        (Some(4711), Some(2))
    );
    assert!(socket.findings.is_empty());
}

#[test]
fn an_orphan_says_how_to_end_it_without_harm() {
    let orphan = |successor| Orphan {
        path: path("/s/u@h-22"),
        listener: running().listener.unwrap(),
        successor,
    };
    let (users, places, history) = (users(), places(), History::default());
    let context = Context {
        uid: ME,
        users: &users,
        home: Path::new("/home/u"),
        places: &places,
        directories: &[],
        history: &history,
    };
    for successor in [true, false] {
        let look = Look {
            orphans: vec![orphan(successor)],
            ..look(Vec::new())
        };
        let snapshot = snapshot(&look, context);
        let finding = &snapshot.sockets[0].findings[0];
        assert_eq!(snapshot.sockets[0].state, State::Orphaned { successor });
        assert!(
            finding.evidence.contains("pid 4711")
                && finding
                    .remedy
                    .contains("muxtray exit --end-process /s/u@h-22"),
            "{finding:?}"
        );
    }
}

#[test]
fn problems_come_first_and_ignored_paths_not_at_all() {
    let at_path = |name: &str, observation: Observation| Observation {
        path: path(name),
        ..observation
    };
    let look = look(vec![
        at_path("/s/a", running()),
        at_path("/s/z", connect(Connect::Refused)),
        at_path("/s/m", file(theirs())),
        at_path("/ignored/x", connect(Connect::Refused)),
    ]);
    let places = Places {
        ignored: vec![glob::Pattern::new("/ignored/*").unwrap()],
        ..places()
    };
    let (users, history) = (users(), History::default());
    let snapshot = snapshot(
        &look,
        Context {
            uid: ME,
            users: &users,
            home: Path::new("/home/u"),
            places: &places,
            directories: &[],
            history: &history,
        },
    );
    let paths: Vec<String> = snapshot
        .sockets
        .iter()
        .map(|socket| socket.path.to_string())
        .collect();
    assert_eq!(paths, ["/s/m", "/s/z", "/s/a"]);
}

#[test]
fn every_state_but_running_has_evidence_and_remedy() {
    for observation in [
        connect(Connect::Refused),
        file(theirs()),
        file(File::Denied),
        connect(Connect::Full),
        aged(Origin::Temporary, 90),
        file(File::Other(FileKind::Fifo, stat())),
    ] {
        let socket = judged(&observation).unwrap();
        let finding = &socket.findings[0];
        assert_eq!(Some(finding.id), socket.state.finding_id());
        assert!(!finding.evidence.is_empty() && !finding.remedy.is_empty());
        assert_eq!(finding.fix.is_some(), socket.state.is_cleanable());
    }
}

#[test]
fn a_mode_that_lets_others_in_is_a_warning() {
    let open = File::Socket(Stat {
        mode: 0o666,
        ..stat()
    });
    let socket = judged(&Observation {
        file: open,
        ..running()
    })
    .unwrap();
    assert_eq!(socket.state, State::Running);
    assert_eq!(socket.findings[0].id.as_str(), "insecure-mode");
    assert!(socket.is_problem());
}

/// A running master with so many sessions, of a host with this ControlPersist, last used so long ago.
fn used(sessions: u32, persist: Persist, hours_ago: u64) -> Vec<&'static str> {
    let then = at() - Duration::from_secs(hours_ago * 3600);
    let observation = Observation {
        file: File::Socket(Stat {
            modified: at() - Duration::from_secs(100 * 3600),
            accessed: then,
            ..stat()
        }),
        listener: Some(Listener {
            sessions,
            ..listener(Holder::Ssh(process("ssh")))
        }),
        ..observation()
    };
    let mut places = places();
    places.hosts[0].persist = persist;
    let socket = context_with(&places, &[], |context| judge(&observation, at(), context)).unwrap();
    socket.findings.iter().map(|it| it.id.as_str()).collect()
}

#[test]
fn a_master_that_never_ends_is_told_once_it_is_idle_for_a_day() {
    assert_eq!(used(0, Persist::Forever, 25), ["no-persist-expiry"]);
    assert_eq!(used(0, Persist::Forever, 23), [""; 0]);
    assert_eq!(used(1, Persist::Forever, 25), [""; 0]);
    assert_eq!(used(0, Persist::Seconds(600), 25), [""; 0]);
    assert_eq!(used(0, Persist::No, 25), [""; 0]);
}

#[test]
fn a_session_that_a_look_saw_counts_as_a_use_for_a_day() {
    let start = Instant::now();
    let busy = look(vec![running()]);
    let history = History::default().after(&busy, start);
    assert!(history.was_used(Some(Cookie(99))));
    let mut idle = busy;
    idle.observations[0].listener.as_mut().unwrap().sessions = 0;
    let later = history.after(&idle, start + IDLE_AFTER - Duration::from_secs(1));
    assert!(later.was_used(Some(Cookie(99))));
    assert!(
        !later
            .after(&idle, start + IDLE_AFTER)
            .was_used(Some(Cookie(99)))
    );
}

#[test]
fn ten_sessions_are_as_many_as_a_server_takes_by_default() {
    assert_eq!(used(9, Persist::Seconds(600), 1), [""; 0]);
    assert_eq!(used(10, Persist::Seconds(600), 1), ["sessions-at-limit"]);
}
