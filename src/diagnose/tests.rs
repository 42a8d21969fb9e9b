use std::time::Instant;

use super::history::IDLE_AFTER;
use super::*;
use crate::model::control_path::{HostAlias, Pattern, known_for_tests};
use crate::model::finding::{Finding, FindingId};
use crate::model::ids::UserId;
use crate::model::network::{Cause, Connection, NetworkFacts, Numbers, Timer};
use crate::model::observation::Holder;
use crate::model::places::{Persist, Place, WrittenBy};
use crate::model::samples::{
    self, ME, at, connection, context_after, context_with, facts, listener, observation, path,
    permissions, places, process, root, running, stat,
};
use crate::model::socket::{
    Connect, Cookie, FileKind, Filesystem, MasterPid, Process, Unresponsive,
};
use crate::model::ssh_command_line::ssh_arguments;

const SECOND: Duration = Duration::from_secs(1);

fn judged(observation: &Observation, history: &History) -> Option<Socket> {
    context_after(history, &places(), &[], |context| {
        judge(observation, at(), context)
    })
}

fn judged_at(facts: &Facts, places: &Places, history: &History) -> Snapshot {
    context_after(history, places, &[], |context| snapshot(facts, context))
}

fn file(file: File) -> Observation {
    Observation {
        file,
        ..observation()
    }
}

/// The socket file with other facts.
fn stat_with(change: impl FnOnce(&mut Stat)) -> File {
    let mut stat = stat();
    change(&mut stat);
    File::Socket(stat)
}

fn connected(connect: Connect) -> Observation {
    Observation {
        connect: Some(connect),
        ..observation()
    }
}

fn listening(holder: Holder, uid: Option<UserId>) -> Observation {
    Observation {
        listener: Some(Listener {
            uid,
            ..listener(holder)
        }),
        ..observation()
    }
}

/// A master with so many waiting connections and sessions.
fn busy(cookie: u64, backlog: u32, sessions: u32) -> Observation {
    Observation {
        listener: Some(Listener {
            cookie: Some(Cookie(cookie)),
            backlog,
            sessions,
            ..listener(Holder::Ssh(process("ssh")))
        }),
        ..observation()
    }
}

fn of_root() -> Stat {
    Stat {
        uid: UserId(0),
        ..stat()
    }
}

/// A temporary name of this age that refuses connections.
fn temporary(origin: Origin, seconds: u64) -> Observation {
    let modified = at() - Duration::from_secs(seconds);
    Observation {
        path: path("/s/u@h-22.yDXYs2d7ScOlhAEI"),
        origin,
        file: File::Socket(Stat { modified, ..stat() }),
        ..connected(Connect::Refused)
    }
}

#[test]
fn state_follows_from_facts_and_origin() {
    use Origin::{Aside, Exact, Kernel, Pattern, Temporary, VaguePattern};
    let stopped = || {
        let mut process = process("ssh");
        process.stopped = true;
        listening(Holder::Ssh(process), Some(ME))
    };
    let mode_0500 = |observation| Observation {
        file: stat_with(|stat| stat.permissions = permissions(0o500)),
        ..observation
    };
    let shared = |observation| Observation {
        shared_directory: true,
        ..observation
    };
    let on = |filesystem, connect| Observation {
        filesystem,
        connect,
        ..observation()
    };
    let unlike_ssh = |holder| Observation {
        listener: Some(Listener {
            bound_name: "/s/u@h-22".into(),
            ..listener(holder)
        }),
        ..observation()
    };
    let nfs = || Filesystem::Network("nfs");
    let directory = |stat| file(File::Other(FileKind::Directory, stat));
    let socket_of_root = || file(File::Socket(of_root()));
    let root = Some(UserId(0));
    let refused = || Some(Connect::Refused);
    // The states with the origins Exact, Pattern, VaguePattern, Temporary, Aside, Kernel.
    let all = |state: &str| [state; 6].join(" ");
    let exact = |state: &str| format!("{state} - - - - -");
    let by_path = |state: &str| format!("{state} {state} - - - -");
    let master = |state: &str| format!("{state} {state} {state} - - {state}");
    let foreign = || "foreign foreign - foreign foreign foreign".to_owned();
    let stale = || "stale stale stale leftover leftover stale".to_owned();
    let misowned = || "misowned misowned - - - misowned".to_owned();
    let failed = || "EIO".to_owned();
    for (observation, states) in [
        (file(File::Missing), all("-")),
        (file(File::Denied), all("denied")),
        (file(File::Failed(failed())), exact("unverifiable")),
        (directory(stat()), by_path("not-a-socket")),
        (directory(of_root()), by_path("not-a-socket")),
        (shared(directory(of_root())), exact("not-a-socket")),
        (socket_of_root(), misowned()),
        (shared(socket_of_root()), exact("misowned")),
        (running(), master("running")),
        (listening(Holder::Unknown, Some(ME)), master("running")),
        (listening(Holder::Unknown, None), master("running")),
        (stopped(), master("unresponsive")),
        (mode_0500(running()), master("denied")),
        (mode_0500(stopped()), master("denied")),
        (
            listening(Holder::Other(process("nc")), Some(ME)),
            exact("foreign"),
        ),
        (unlike_ssh(Holder::Ssh(process("ssh"))), exact("running")),
        (unlike_ssh(Holder::Unknown), exact("foreign")),
        (listening(Holder::Unknown, root), foreign()),
        (on(Filesystem::Local, None), all("-")),
        (connected(Connect::Refused), stale()),
        // A listener of another network namespace.
        (connected(Connect::Accepted), all("running")),
        (connected(Connect::Full), all("unresponsive")),
        (connected(Connect::Denied), all("denied")),
        (connected(Connect::Failed(failed())), exact("unverifiable")),
        (on(nfs(), refused()), all("unverifiable")),
        (on(nfs(), None), all("unverifiable")),
        (on(Filesystem::Unknown, refused()), all("unverifiable")),
    ] {
        let state = |origin| {
            let observation = Observation {
                origin,
                ..observation.clone()
            };
            let socket = judged(&observation, &History::default());
            socket.map_or("-", |socket| socket.state.name())
        };
        let found = [Exact, Pattern, VaguePattern, Temporary, Aside, Kernel].map(state);
        assert_eq!(found.join(" "), states, "{observation:?}");
    }
}

#[test]
fn temporary_names_are_leftovers_after_a_minute() {
    let in_future = Observation {
        file: stat_with(|stat| stat.modified = at() + SECOND),
        ..temporary(Origin::Temporary, 0)
    };
    for (observation, is_leftover) in [
        (temporary(Origin::Temporary, 61), true),
        (temporary(Origin::Temporary, 60), false),
        (in_future, false),
        (temporary(Origin::Aside, 1), true),
    ] {
        let socket = judged(&observation, &History::default());
        // A leftover has the host of its ControlPath.
        let title = socket.map(|socket| (socket.state.name(), socket.title()));
        let expected = is_leftover.then(|| ("leftover", "web".to_owned()));
        assert_eq!(title, expected);
    }
}

#[test]
fn root_may_connect_whatever_the_mode() {
    let closed = Observation {
        file: stat_with(|stat| (stat.uid, stat.permissions) = (UserId(0), permissions(0o400))),
        ..running()
    };
    let socket = context_with(&places(), &[], |context| {
        let uid = UserId(0);
        judge(&closed, at(), Context { uid, ..context })
    });
    let socket = socket.unwrap();
    assert_eq!((socket.state, socket.owner), (State::Running, Some(root())));
}

#[test]
fn orphans_have_the_facts_of_their_process() {
    let began = at() - 500 * SECOND;
    let holder = Holder::Ssh(Process {
        started: Some(began),
        own_session: true,
        ..process("ssh")
    });
    let orphan = Orphan {
        path: path("/s/u@h-22"),
        listener: samples::listener(holder),
        successor: true,
    };
    let orphaned = Facts {
        orphans: vec![orphan],
        ..facts(Vec::new())
    };
    let snapshot = judged_at(&orphaned, &places(), &History::default());
    let orphan = &snapshot.sockets[0];
    assert_eq!(orphan.state, State::Orphaned { successor: true });
    let facts = (orphan.id, orphan.since, orphan.own_session);
    assert_eq!(facts, (None, Some(began), true));
    let command = orphan.findings[0].command.as_deref();
    assert_eq!(
        command,
        Some("muxtray exit --end-process --force /s/u@h-22")
    );
    let history = History::default().after(&orphaned, Instant::now());
    assert!(history.was_used(Some(Cookie(99))));
}

#[test]
fn masters_that_jump_are_named_at_each_master_on_their_way() {
    let master = |pid, path: &str| Observation {
        path: samples::path(path),
        listener: Some(samples::listener(Holder::Ssh(Process {
            pid: MasterPid(pid),
            ..process("ssh")
        }))),
        ..observation()
    };
    let over = |through: &[i32]| Connection {
        through: through.iter().copied().map(MasterPid).collect(),
        ..samples::connection()
    };
    let connections = [(1, over(&[])), (2, over(&[1])), (3, over(&[2, 1]))];
    let snapshot = samples::seen_over(
        vec![master(1, "/s/1"), master(2, "/s/2"), master(3, "/s/3")],
        connections
            .map(|(pid, connection)| (MasterPid(pid), connection))
            .into(),
    );
    let jumping = |socket: &Socket| socket.jumping.join(" ");
    let all: Vec<_> = snapshot.sockets.iter().map(jumping).collect();
    // The first has the name of its address, after those of the paths.
    assert_eq!(all, ["/s/3", "", "/s/2 /s/3"]);
    let text = snapshot.sockets[2].carried_text();
    let named = "2 sessions, the master /s/2 jumps through it, the master /s/3 jumps through it";
    assert_eq!(text.as_deref(), Some(named));
}

#[test]
fn destination_is_that_of_all_hosts_or_of_the_path() {
    let destination = |places: &Places| {
        let socket = context_with(places, &[], |context| judge(&running(), at(), context));
        socket.unwrap().destination.map(|it| it.to_string())
    };
    let mut places = places();
    let mut second = places.hosts[0].clone();
    second.alias = HostAlias("w".to_owned());
    places.hosts.push(second);
    assert_eq!(destination(&places).as_deref(), Some("u@h:22"));
    places.hosts[1].destination.port = Some(23);
    assert_eq!(destination(&places), None);
    let pattern = Pattern::from_template("/s/%r@%h-%p".as_ref(), &known_for_tests());
    places.hosts.clear();
    places.patterns = vec![Place {
        pattern: pattern.unwrap().unwrap(),
        managed_by: None,
        written_by: WrittenBy::Person,
    }];
    assert_eq!(destination(&places).as_deref(), Some("u@h:22"));
}

#[test]
fn commands_name_a_host_unless_its_name_is_ambiguous() {
    let stale = || connected(Connect::Refused);
    let leftover = || temporary(Origin::Temporary, 90);
    let leftover_name = "/s/u@h-22.yDXYs2d7ScOlhAEI";
    let (person, system) = (WrittenBy::Person, WrittenBy::System);
    for (observation, alias, written_by, has_other_config, argument) in [
        (stale(), "web", person, false, "web"),
        (stale(), "my web", person, false, "'my web'"),
        (leftover(), "web", person, false, leftover_name),
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
        let command = format!("muxtray clean {argument}");
        assert_eq!(socket.unwrap().findings[0].command, Some(command));
    }
}

#[test]
fn snapshots_list_problems_first_without_ignored_paths() {
    let at_path = |name: &str, observation: Observation| Observation {
        path: path(name),
        ..observation
    };
    let facts = facts(vec![
        at_path("/s/a", running()),
        // Its finding is only an info.
        at_path("/s/b", busy(1, 0, 10)),
        at_path("/s/z", connected(Connect::Refused)),
        at_path("/s/m", file(File::Socket(of_root()))),
        at_path("/ignored/x", connected(Connect::Refused)),
    ]);
    let finding = |id, subject: &str| Finding::new(id, subject, "seen", "do");
    let places = Places {
        ignored: vec![glob::Pattern::new("/ignored/*").unwrap()],
        findings: vec![
            finding(FindingId::NoKeepalive, "a"),
            finding(FindingId::PathTooLong, "b"),
            finding(FindingId::PathTooLong, "a"),
            finding(FindingId::DirectoryMissing, "z"),
        ],
        ..places()
    };
    let snapshot = judged_at(&facts, &places, &History::default());
    let paths = snapshot.sockets.iter().map(|it| it.path.to_string());
    assert_eq!(paths.collect::<Vec<_>>(), ["/s/m", "/s/z", "/s/a", "/s/b"]);
    let subjects = snapshot.findings.iter().map(|it| it.subject.as_str());
    assert_eq!(subjects.collect::<String>(), "zaba");
}

#[test]
fn asides_are_sockets_of_the_user_only() {
    let regular = File::Other(FileKind::Regular, stat());
    let target = |cookie| Target {
        path: path("/s/.muxtray-aside.u@h-22"),
        id: Some(stat().id),
        cookie,
    };
    let of_user = || File::Socket(stat());
    let live = target(Some(Cookie(99)));
    for (file, listener, expected) in [
        (of_user(), None, Some(target(None))),
        (of_user(), running().listener, Some(live)),
        (File::Socket(of_root()), None, None),
        (regular, None, None),
    ] {
        let aside = Observation {
            path: path("/s/.muxtray-aside.u@h-22"),
            origin: Origin::Aside,
            file,
            listener,
            ..observation()
        };
        let snapshot = judged_at(&facts(vec![aside]), &places(), &History::default());
        assert_eq!(snapshot.asides, Vec::from_iter(expected));
    }
}

#[test]
fn backlog_is_stuck_once_it_lasts() {
    let start = Instant::now();
    let after_scans = |scans: &[(Duration, &[Observation])]| {
        let after = |history: History, (time, all): &(Duration, &[Observation])| {
            history.after(&facts(all.to_vec()), start + *time)
        };
        scans.iter().fold(History::default(), after)
    };
    let state = |history: &History, backlog| {
        let socket = judged(&busy(1, backlog, 0), history);
        socket.unwrap().state
    };
    let waiting = [busy(1, 3, 0)];
    let first = after_scans(&[(Duration::ZERO, &waiting)]);
    assert_eq!(state(&first, 3), State::Running);
    assert_eq!(first.look_again_at(), Some(start + STUCK_AFTER));
    let stuck = after_scans(&[(Duration::ZERO, &waiting), (STUCK_AFTER, &waiting)]);
    let expected = State::Unresponsive(Unresponsive::Backlog(3));
    assert_eq!((state(&stuck, 3), stuck.look_again_at()), (expected, None));
    for between in [&[busy(1, 0, 0)][..], &[]] {
        let again = after_scans(&[
            (Duration::ZERO, &waiting),
            (SECOND, between),
            (STUCK_AFTER, &waiting),
        ]);
        assert_eq!(state(&again, 3), State::Running);
    }
    let both = [busy(1, 1, 0), busy(2, 1, 0)];
    let second = after_scans(&[
        (Duration::ZERO, &waiting),
        (SECOND, &both),
        (STUCK_AFTER, &both),
    ]);
    let next = start + SECOND + STUCK_AFTER;
    assert_eq!(second.look_again_at(), Some(next));
    // Without a cookie, a listener has no history.
    let mut nameless = waiting.clone();
    nameless[0].listener.as_mut().unwrap().cookie = None;
    let nameless = after_scans(&[(Duration::ZERO, &nameless), (STUCK_AFTER, &nameless)]);
    assert_eq!(nameless.look_again_at(), None);
    assert!(!nameless.is_stuck(None) && !nameless.was_used(None));
}

#[test]
fn masters_are_unresponsive_after_a_check_timed_out_until_one_is_answered() {
    let state = |history: &History| judged(&running(), history).unwrap().state;
    let timed_out = History::default().after_check(Cookie(99), false);
    let timed_out = timed_out.after(&facts(vec![running()]), Instant::now());
    let expected = State::Unresponsive(Unresponsive::CheckTimedOut);
    assert_eq!(state(&timed_out), expected);
    let answered = timed_out.clone().after_check(Cookie(99), true);
    assert_eq!(state(&answered), State::Running);
    let gone = timed_out.after(&facts(Vec::new()), Instant::now());
    assert_eq!(state(&gone), State::Running);
}

#[test]
fn use_is_the_bind_the_last_connect_or_a_session() {
    let idle = |modified: u64, accessed: u64, sessions, own_session| {
        let hours = |hours: u64| at() - Duration::from_secs(hours * 3600);
        let mut process = process("ssh");
        process.own_session = own_session;
        let mut observation = listening(Holder::Ssh(process), Some(ME));
        observation.listener.as_mut().unwrap().sessions = sessions;
        observation.file = stat_with(|stat| {
            (stat.modified, stat.accessed) = (hours(modified), hours(accessed));
        });
        observation
    };
    let start = Instant::now();
    let seen_busy = History::default().after(&facts(vec![running()]), start);
    let used = |after| {
        seen_busy
            .clone()
            .after(&facts(vec![idle(30, 30, 0, false)]), start + after)
    };
    let never = History::default;
    for (observation, history, is_idle) in [
        (idle(30, 30, 0, false), never(), true),
        (idle(30, 20, 0, false), never(), false),
        (idle(20, 30, 0, false), never(), false),
        (idle(30, 30, 1, false), never(), false),
        (idle(30, 30, 0, true), never(), false),
        (idle(30, 30, 0, false), used(IDLE_AFTER - SECOND), false),
        (idle(30, 30, 0, false), used(IDLE_AFTER), true),
    ] {
        let mut places = places();
        places.hosts[0].persist = Persist::Forever;
        let snapshot = judged_at(&facts(vec![observation]), &places, &history);
        let ids = snapshot.sockets[0].findings.iter().map(|it| it.id);
        let expected = is_idle.then_some(FindingId::NoPersistExpiry);
        assert_eq!(ids.collect::<Vec<_>>(), Vec::from_iter(expected));
    }
}

#[test]
fn control_persist_is_that_of_the_arguments_before_the_configured_one() {
    for (line, persist) in [
        ("ssh -NM web", Some(600)),
        ("ssh -NM -o ControlPersist=no web", None),
        ("ssh -NM -o ControlPersist=2m web", Some(120)),
    ] {
        let cmdline = line.replace(' ', "\0");
        let mut process = process("ssh");
        process.arguments = ssh_arguments(cmdline.as_bytes(), &|_| None);
        let master = listening(Holder::Ssh(process), Some(ME));
        let socket = judged(&master, &History::default()).unwrap();
        let found = (socket.persist_secs, socket.own_persist_secs);
        assert_eq!(found, (Some(600), persist), "{line}");
    }
}

#[test]
fn unanswered_limit_is_that_of_ssh_or_the_default() {
    // Unanswered for about 16 s.
    let mut lost = connection();
    lost.numbers = Numbers {
        unacked: 1,
        retransmits: 6,
        backoff: 6,
        rto: Duration::from_millis(13_312),
        timer: Timer::Retransmit,
        expires: Duration::from_millis(9_700),
        last_data_sent: Duration::from_millis(3_600),
        ..lost.numbers
    };
    let network = NetworkFacts {
        alone: Vec::new(),
        proxy_commands: std::collections::BTreeMap::new(),
        asleep: Duration::ZERO,
        connections: [(MasterPid(4711), lost)].into(),
    };
    let history = History::default().after_network(network, Instant::now());
    for (interval, hosts, is_stranded) in
        [(15, 1, false), (5, 1, true), (0, 1, true), (15, 0, true)]
    {
        let mut places = places();
        places.hosts[0].server_alive_interval = interval;
        places.hosts.truncate(hosts);
        let snapshot = judged_at(&facts(vec![running()]), &places, &history);
        let stranded = State::Stranded(Cause::Unanswered);
        assert_eq!(snapshot.sockets[0].state == stranded, is_stranded);
    }
}
