use std::time::Instant;

use std::path::Path;

use super::history::IDLE_AFTER;
use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::{Finding, FindingId};
use crate::model::ids::UserId;
use crate::model::network::{Cause, Facts, Timer};
use crate::model::places::{Persist, WrittenBy};
use crate::model::samples::{
    ME, at, connection, context_with, groups, listener, look, observation, path, permissions,
    places, process, root, running, stat, users,
};
use crate::model::socket::{
    Connect, Cookie, FileKind, Filesystem, MasterPid, Process, SocketId, Unresponsive,
};

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
            groups: &groups(),
            home: Path::new("/home/u"),
            tilde: Default::default(),
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
        permissions: permissions(0o400),
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
        groups: &groups(),
        home: Path::new("/home/u"),
        tilde: Default::default(),
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
            groups: &groups(),
            home: Path::new("/home/u"),
            tilde: Default::default(),
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
        permissions: permissions(0o666),
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

/// What each fact comes to, by why the path is looked at and whether others share the directory. A cell that changes is
/// a promise that changes.
#[test]
fn every_fact_at_every_kind_of_path() {
    let origins = std::iter::successors(Some(Origin::Exact), |origin| match origin {
        Origin::Exact => Some(Origin::Pattern),
        Origin::Pattern => Some(Origin::VaguePattern),
        Origin::VaguePattern => Some(Origin::Temporary),
        Origin::Temporary => Some(Origin::Aside),
        Origin::Aside => Some(Origin::Kernel),
        Origin::Kernel => None,
    });
    let origins: Vec<Origin> = origins.collect();
    let listening = |holder, uid| Observation {
        listener: Some(Listener {
            uid,
            ..listener(holder)
        }),
        ..observation()
    };
    let their_file = |kind| {
        let stat = Stat {
            uid: UserId(0),
            ..stat()
        };
        file(File::Other(kind, stat))
    };
    let on = |filesystem, connect| Observation {
        filesystem,
        connect,
        ..observation()
    };
    let stopped = Holder::Ssh(Process {
        stopped: true,
        ..process("ssh")
    });
    let closed = |observation| Observation {
        file: File::Socket(Stat {
            permissions: permissions(0o500),
            ..stat()
        }),
        ..observation
    };
    let refused = || Some(Connect::Refused);
    let failed = || Some(Connect::Failed("EIO".to_owned()));
    let cases = [
        ("no file", file(File::Missing)),
        ("may not be looked at", file(File::Denied)),
        ("lstat fails", file(File::Failed("ELOOP".to_owned()))),
        (
            "a directory of ours",
            file(File::Other(FileKind::Directory, stat())),
        ),
        ("a directory of root's", their_file(FileKind::Directory)),
        ("a socket of root's", file(theirs())),
        ("our ssh listens", running()),
        ("our ssh, stopped", listening(stopped.clone(), Some(ME))),
        ("our ssh, mode 0500", closed(running())),
        (
            "our ssh, stopped, mode 0500",
            closed(listening(stopped, Some(ME))),
        ),
        (
            "our nc listens",
            listening(Holder::Other(process("nc")), Some(ME)),
        ),
        (
            "somebody of ours listens",
            listening(Holder::Unknown, Some(ME)),
        ),
        ("somebody listens", listening(Holder::Unknown, None)),
        ("root listens", listening(Holder::Unknown, Some(UserId(0)))),
        ("nobody was asked", on(Filesystem::Local, None)),
        ("refused", on(Filesystem::Local, refused())),
        ("accepted", on(Filesystem::Local, Some(Connect::Accepted))),
        ("queue full", on(Filesystem::Local, Some(Connect::Full))),
        (
            "connect denied",
            on(Filesystem::Local, Some(Connect::Denied)),
        ),
        ("connect fails", on(Filesystem::Local, failed())),
        ("refused on nfs", on(Filesystem::Network("nfs"), refused())),
        (
            "nobody was asked on nfs",
            on(Filesystem::Network("nfs"), None),
        ),
        (
            "refused nobody knows where",
            on(Filesystem::Unknown, refused()),
        ),
    ];
    let mut rows = Vec::new();
    for (what, observation) in cases {
        let cell = |origin: &Origin, shared_directory| {
            let observation = Observation {
                origin: *origin,
                shared_directory,
                ..observation.clone()
            };
            state_of(&observation).unwrap_or_else(|| "-".to_owned())
        };
        let row = |shared| {
            let cells: Vec<String> = origins.iter().map(|origin| cell(origin, shared)).collect();
            cells.join(" | ")
        };
        rows.push(format!("{what}: {}", row(false)));
        if row(true) != row(false) {
            rows.push(format!("{what}, shared: {}", row(true)));
        }
    }
    let head = format!("{origins:?}");
    insta::assert_snapshot!(format!("{head}\n{}", rows.join("\n")));
}

#[test]
fn root_needs_no_permission_to_connect() {
    let closed = Observation {
        file: File::Socket(Stat {
            permissions: permissions(0o400),
            uid: UserId(0),
            ..stat()
        }),
        ..running()
    };
    let (users, places, history) = (users(), places(), History::default());
    let groups = groups();
    let context = |uid| Context {
        uid,
        users: &users,
        groups: &groups,
        home: Path::new("/root"),
        tilde: Default::default(),
        places: &places,
        directories: &[],
        history: &history,
    };
    let state = judge(&closed, at(), context(UserId(0))).unwrap().state;
    assert_eq!(state, State::Running);
    assert_eq!(context(UserId(0)).owner(UserId(0)), root());
    assert_eq!(context(ME).owner(UserId(77)).name, None);
}

/// The whole judgement with a changed context.
fn seen_with(look: &Look, places: &Places, history: &History) -> Snapshot {
    let users = users();
    snapshot(
        look,
        Context {
            uid: ME,
            users: &users,
            groups: &groups(),
            home: Path::new("/home/u"),
            tilde: Default::default(),
            places,
            directories: &[],
            history,
        },
    )
}

#[test]
fn what_is_only_worth_knowing_moves_no_socket() {
    let with = |name: &str, sessions| Observation {
        path: path(name),
        listener: Some(Listener {
            sessions,
            ..listener(Holder::Ssh(process("ssh")))
        }),
        ..observation()
    };
    // Ten sessions are a note.
    let look = look(vec![with("/s/b", 10), with("/s/a", 1), with("/s/c", 1)]);
    let snapshot = seen_with(&look, &places(), &History::default());
    let paths: Vec<String> = snapshot
        .sockets
        .iter()
        .map(|it| it.path.to_string())
        .collect();
    assert_eq!(paths, ["/s/a", "/s/b", "/s/c"]);
    assert_eq!(snapshot.at, at());
}

#[test]
fn findings_come_by_their_weight_then_by_kind_and_subject() {
    let finding = |id, subject: &str| Finding::new(id, subject, "seen", "do");
    let places = Places {
        findings: vec![
            finding(FindingId::NoKeepalive, "a"),
            finding(FindingId::PathTooLong, "b"),
            finding(FindingId::FilesystemNetwork, "c"),
            finding(FindingId::PathTooLong, "a"),
            finding(FindingId::DirectoryMissing, "z"),
        ],
        ..places()
    };
    let snapshot = seen_with(&look(Vec::new()), &places, &History::default());
    let told: Vec<String> = snapshot
        .findings
        .iter()
        .map(|it| format!("{} {}", it.id.as_str(), it.subject))
        .collect();
    assert_eq!(
        told,
        [
            "directory-missing z",
            "path-too-long a",
            "path-too-long b",
            "filesystem-network c",
            "no-keepalive a"
        ]
    );
}

#[test]
fn only_our_own_aside_is_settled() {
    let aside = |file, listener| Observation {
        path: path("/s/.muxtray-aside.u@h-22"),
        origin: Origin::Aside,
        file,
        listener,
        ..observation()
    };
    let ours = || File::Socket(stat());
    let asides = |observation| {
        let look = look(vec![observation]);
        seen_with(&look, &places(), &History::default()).asides
    };
    let target = |cookie| Target {
        path: path("/s/.muxtray-aside.u@h-22"),
        id: Some(stat().id),
        cookie,
    };
    assert_eq!(asides(aside(ours(), None)), [target(None)]);
    assert_eq!(
        asides(aside(ours(), running().listener)),
        [target(Some(Cookie(99)))]
    );
    assert_eq!(asides(aside(theirs(), None)), []);
    let regular = File::Other(FileKind::Regular, stat());
    assert_eq!(asides(aside(regular, None)), []);
    assert_eq!(asides(running()), []);
}

#[test]
fn a_leftover_is_told_with_the_host_it_was_meant_for() {
    let titled = |name: &str, origin| {
        let observation = Observation {
            path: path(name),
            ..aged(origin, 90)
        };
        judged(&observation).unwrap().title()
    };
    assert_eq!(
        titled("/s/u@h-22.yDXYs2d7ScOlhAEI", Origin::Temporary),
        "web"
    );
    assert_eq!(titled("/s/.muxtray-aside.u@h-22", Origin::Aside), "web");
    // The name of any other is its own.
    let stale = titled("/s/u@h-22.yDXYs2d7ScOlhAEI", Origin::Exact);
    assert_eq!(stale, "/s/u@h-22.yDXYs2d7ScOlhAEI");
}

#[test]
fn the_destination_is_the_one_all_hosts_of_the_path_have() {
    let destination = |change: fn(&mut Host)| {
        let mut places = places();
        let mut second = places.hosts[0].clone();
        second.alias = HostAlias("w".to_owned());
        change(&mut second);
        places.hosts.push(second);
        let socket = context_with(&places, &[], |context| judge(&running(), at(), context));
        let socket = socket.unwrap();
        assert_eq!(socket.title(), "web, w");
        socket.destination.map(|it| it.to_string())
    };
    assert_eq!(destination(|_| {}).as_deref(), Some("u@h:22"));
    assert_eq!(destination(|host| host.destination.port = Some(23)), None);
}

#[test]
fn a_path_without_a_host_tells_where_it_leads_by_itself() {
    use crate::model::control_path::{Pattern, known_for_tests};
    use crate::model::places::{Place, WrittenBy};
    let pattern = Pattern::from_template("/s/%r@%h-%p".as_ref(), &known_for_tests());
    let places = Places {
        hosts: Vec::new(),
        patterns: vec![Place {
            pattern: pattern.unwrap().unwrap(),
            managed_by: None,
            written_by: WrittenBy::Person,
        }],
        ..places()
    };
    let socket = context_with(&places, &[], |context| judge(&running(), at(), context)).unwrap();
    assert_eq!(socket.title(), "u@h:22");
    assert_eq!((socket.hosts, socket.persist_secs), (Vec::new(), None));
}

#[test]
fn an_orphan_is_there_since_its_process_began() {
    let began = at() - Duration::from_secs(500);
    let orphan = |holder| Orphan {
        path: path("/s/u@h-22"),
        listener: listener(holder),
        successor: false,
    };
    let socket = |holder| {
        let look = Look {
            orphans: vec![orphan(holder)],
            ..look(Vec::new())
        };
        let snapshot = seen_with(&look, &places(), &History::default());
        snapshot.sockets[0].clone()
    };
    let known = socket(Holder::Ssh(Process {
        started: Some(began),
        own_session: true,
        ..process("ssh")
    }));
    assert_eq!((known.since, known.own_session), (Some(began), true));
    assert_eq!((known.id, known.mode, known.owner), (None, None, None));
    let hidden = socket(Holder::Unknown);
    assert_eq!(
        (hidden.since, hidden.pid, hidden.own_session),
        (None, None, false)
    );
}

#[test]
fn data_may_go_unanswered_as_long_as_the_host_bears_it() {
    let mut lost = connection();
    lost.numbers.unacked = 1;
    lost.numbers.retransmits = 6;
    lost.numbers.backoff = 6;
    lost.numbers.rto = Duration::from_millis(13_312);
    lost.numbers.timer = Timer::Retransmit;
    lost.numbers.expires = Duration::from_millis(9_700);
    lost.numbers.last_data_sent = Duration::from_millis(3_600);
    let facts = Facts {
        asleep: Duration::ZERO,
        connections: [(MasterPid(4711), lost)].into(),
    };
    let history = History::default().after_network(facts, Instant::now());
    let state = |interval, hosts| {
        let mut places = places();
        places.hosts[0].server_alive_interval = interval;
        places.hosts.truncate(hosts);
        let snapshot = seen_with(&look(vec![running()]), &places, &history);
        snapshot.sockets[0].state.clone()
    };
    // It has waited for some 16 s.
    assert_eq!(state(15, 1).name(), "suspect");
    assert_eq!(state(5, 1), State::Stranded(Cause::Unanswered));
    // Where ssh bears it for ever, or no host is known, the limit is 15 s.
    assert_eq!(state(0, 1), State::Stranded(Cause::Unanswered));
    assert_eq!(state(15, 0), State::Stranded(Cause::Unanswered));
}

#[test]
fn a_use_is_the_later_of_the_bind_and_the_last_connect() {
    let unused = |modified: u64, accessed: u64, sessions, own_session| {
        let hours = |hours: u64| at() - Duration::from_secs(hours * 3600);
        let holder = Holder::Ssh(Process {
            own_session,
            ..process("ssh")
        });
        let observation = Observation {
            file: File::Socket(Stat {
                modified: hours(modified),
                accessed: hours(accessed),
                ..stat()
            }),
            listener: Some(Listener {
                sessions,
                ..listener(holder)
            }),
            ..observation()
        };
        let mut places = places();
        places.hosts[0].persist = Persist::Forever;
        let socket = context_with(&places, &[], |context| judge(&observation, at(), context));
        socket.unwrap().findings.len()
    };
    assert_eq!(unused(30, 30, 0, false), 1);
    assert_eq!(unused(30, 20, 0, false), 0);
    assert_eq!(unused(20, 30, 0, false), 0);
    assert_eq!(unused(30, 30, 1, false), 0);
    assert_eq!(unused(30, 30, 0, true), 0, "its own session is a use");
}

#[test]
fn what_a_look_saw_used_is_not_idle_whatever_its_file_says() {
    let old = at() - 2 * IDLE_AFTER;
    let idle = Observation {
        file: File::Socket(Stat {
            modified: old,
            accessed: old,
            ..stat()
        }),
        listener: Some(Listener {
            sessions: 0,
            ..listener(Holder::Ssh(process("ssh")))
        }),
        ..observation()
    };
    let mut places = places();
    places.hosts[0].persist = Persist::Forever;
    let findings = |history: &History| {
        let snapshot = seen_with(&look(vec![idle.clone()]), &places, history);
        snapshot.sockets[0].findings.len()
    };
    let start = Instant::now();
    let busy = History::default().after(&look(vec![running()]), start);
    let still = busy.after(&look(vec![idle.clone()]), start + Duration::from_secs(60));
    assert_eq!(findings(&History::default()), 1);
    assert_eq!(findings(&still), 0);
}

/// A look at these listeners: cookie, backlog, sessions.
fn listeners(all: &[(u64, u32, u32)]) -> Look {
    let observation = |(cookie, backlog, sessions): &(u64, u32, u32)| Observation {
        listener: Some(Listener {
            cookie: Some(Cookie(*cookie)),
            backlog: *backlog,
            sessions: *sessions,
            ..listener(Holder::Ssh(process("ssh")))
        }),
        ..observation()
    };
    look(all.iter().map(observation).collect())
}

#[test]
fn a_listener_that_is_gone_is_forgotten() {
    let start = Instant::now();
    let later = start + Duration::from_secs(1);
    let both = listeners(&[(1, 1, 1), (2, 1, 1)]);
    let one = listeners(&[(2, 1, 1)]);
    let history = History::default()
        .after(&both, start)
        .after_check(Cookie(1), false)
        .after_check(Cookie(2), false)
        .after(&one, later);
    let known = |history: &History, cookie| {
        let cookie = Some(Cookie(cookie));
        (history.has_timed_out(cookie), history.was_used(cookie))
    };
    assert_eq!(known(&history, 1), (false, false));
    assert_eq!(known(&history, 2), (true, true));
    let back = history.after(&both, start + STUCK_AFTER);
    assert!(!back.is_stuck(Some(Cookie(1))), "it began anew");
    assert!(back.is_stuck(Some(Cookie(2))));
    assert!(!back.has_timed_out(Some(Cookie(1))) && back.has_timed_out(Some(Cookie(2))));
}

#[test]
fn a_listener_without_identity_is_never_judged_by_the_past() {
    let mut nameless = listeners(&[(1, 3, 1)]);
    nameless.observations[0].listener.as_mut().unwrap().cookie = None;
    let start = Instant::now();
    let history = History::default()
        .after(&nameless, start)
        .after(&nameless, start + STUCK_AFTER);
    assert_eq!(history.look_again_at(), None);
    assert!(!history.is_stuck(None) && !history.has_timed_out(None) && !history.was_used(None));
}

#[test]
fn an_orphan_has_a_past_too() {
    let orphan = Orphan {
        path: path("/s/u@h-22"),
        listener: Listener {
            backlog: 1,
            ..listener(Holder::Ssh(process("ssh")))
        },
        successor: false,
    };
    let look = Look {
        orphans: vec![orphan],
        ..look(Vec::new())
    };
    let history = History::default().after(&look, Instant::now());
    assert!(history.was_used(Some(Cookie(99))));
    assert!(history.look_again_at().is_some());
}

#[test]
fn the_next_look_is_for_the_first_backlog_that_may_turn_out_stuck() {
    let start = Instant::now();
    let second = Duration::from_secs(1);
    assert_eq!(History::default().look_again_at(), None);
    let first = History::default().after(&listeners(&[(1, 1, 0), (2, 0, 0)]), start);
    let both = listeners(&[(1, 1, 0), (2, 1, 0)]);
    let second_waits = first.after(&both, start + second);
    assert_eq!(second_waits.look_again_at(), Some(start + STUCK_AFTER));
    let stuck = second_waits.after(&both, start + STUCK_AFTER);
    assert!(stuck.is_stuck(Some(Cookie(1))) && !stuck.is_stuck(Some(Cookie(2))));
    assert_eq!(stuck.look_again_at(), Some(start + second + STUCK_AFTER));
}

#[test]
fn another_file_at_the_path_is_another_socket() {
    let other = Observation {
        file: File::Socket(Stat {
            id: SocketId {
                inode: 8,
                ..stat().id
            },
            permissions: permissions(0o640),
            ..stat()
        }),
        ..running()
    };
    let (one, other) = (judged(&running()).unwrap(), judged(&other).unwrap());
    assert_ne!(one.target(), other.target());
    assert_eq!((one.mode, other.mode), (Some(0o600), Some(0o640)));
    assert_eq!(one.since, Some(stat().modified));
    assert_eq!(one.owner.unwrap().to_string(), "u (uid 1000)");
}

#[test]
fn commands_name_a_host_unless_its_name_is_ambiguous() {
    let stale = || connect(Connect::Refused);
    let leftover = || Observation {
        path: path("/s/u@h-22.yDXYs2d7ScOlhAEI"),
        ..aged(Origin::Temporary, 90)
    };
    let remnant = "/s/u@h-22.yDXYs2d7ScOlhAEI";
    let (person, system) = (WrittenBy::Person, WrittenBy::System);
    for (observation, alias, written_by, has_other_config, argument) in [
        (stale(), "web", person, false, "web"),
        (stale(), "my web", person, false, "'my web'"),
        (leftover(), "web", person, false, remnant),
        (stale(), "web", person, true, "/s/u@h-22"),
        (stale(), "web", system, false, "/s/u@h-22"),
        (stale(), "-web", person, false, "/s/u@h-22"),
        (stale(), "u@web", person, false, "/s/u@h-22"),
    ] {
        let mut places = Places {
            has_other_config,
            ..places()
        };
        places.hosts[0].alias = HostAlias(alias.to_owned());
        places.hosts[0].written_by = written_by;
        let socket = context_with(&places, &[], |context| judge(&observation, at(), context));
        let socket = socket.unwrap();
        assert_eq!(socket.argument, argument);
        let command = format!("muxtray clean {argument}");
        assert_eq!(socket.findings[0].command, Some(command));
    }
}
