use super::action_report::{Action, ActionOutcome, ReportTarget};
use super::policy::policy_for_tests as policy;
use super::*;
use crate::model::network::{Address, Connection, Hop, Route};
use crate::model::places::{Managed, Origin};
use crate::model::samples::{connection, observation, path, running, seen, seen_over, stat};
use crate::model::socket::{Connect, File, MasterPid, Observation, SocketId, Stat};

fn cleaning() -> Policy {
    Policy {
        clean_automatically: true,
        ..policy()
    }
}

fn stale_observation(at: &str, inode: u64) -> Observation {
    let id = SocketId { inode, ..stat().id };
    Observation {
        path: path(at),
        file: File::Socket(Stat { id, ..stat() }),
        connect: Some(Connect::Refused),
        ..observation()
    }
}

/// Stale sockets `/s/1`, `/s/2`, ….
fn stale(numbers: &[u64]) -> Snapshot {
    let socket = |number: &u64| stale_observation(&format!("/s/{number}"), *number);
    seen(numbers.iter().map(socket).collect())
}

/// Stranded masters at these paths.
fn stranded(paths: &[&str]) -> Snapshot {
    let master = |at: &&str| Observation {
        path: path(at),
        ..running()
    };
    let gone = Connection {
        address: Address::Gone,
        ..connection()
    };
    let masters = paths.iter().map(master).collect();
    seen_over(masters, [(MasterPid(4711), gone)].into())
}

fn with_finding(id: FindingId, subject: &str) -> Snapshot {
    Snapshot {
        findings: vec![Finding::new(id, subject, "it was seen", "do this")],
        ..seen(vec![])
    }
}

/// An effect in a few words: `+` shows a notification, `-` closes it.
fn short(effect: &Effect) -> String {
    let key = |key: &NoticeKey| match key {
        NoticeKey::Socket(path, _) => path.to_string(),
        NoticeKey::Place(_, subject) => subject.clone(),
        other => format!("{other:?}"),
    };
    match effect {
        Effect::Notify(notice) => format!("+{}", key(&notice.key)),
        Effect::Withdraw(closed) => format!("-{}", key(closed)),
        Effect::Clean(targets) => format!("clean {}", targets.len()),
        Effect::Exit(targets) => format!("exit {}", targets.len()),
        Effect::Reopen(host, _) => format!("reopen {host}"),
    }
}

/// The effects of successive scans at the same time.
fn effects(snapshots: &[Snapshot], policy: &Policy) -> Vec<String> {
    let now = Instant::now();
    let mut memory = Memory::default();
    let effects = snapshots.iter().map(|snapshot| {
        let effects;
        (memory, effects) = decide(std::mem::take(&mut memory), snapshot, policy, now);
        effects.iter().map(short).collect::<Vec<_>>().join(" ")
    });
    effects.collect()
}

fn notice(snapshot: &Snapshot, policy: &Policy) -> Notice {
    let (_, mut effects) = decide(Memory::default(), snapshot, policy, Instant::now());
    match (effects.pop(), effects.len()) {
        (Some(Effect::Notify(notice)), 0) => notice,
        other => panic!("{other:?}"),
    }
}

#[test]
fn problems_are_announced_when_they_begin_and_closed_when_they_end() {
    let missing = |subject| with_finding(FindingId::DirectoryMissing, subject);
    let other_file = seen(vec![stale_observation("/s/1", 9)]);
    for (snapshots, expected) in [
        (
            vec![stale(&[1]), stale(&[1]), stale(&[]), stale(&[])],
            &["+/s/1", "", "-/s/1", ""][..],
        ),
        (vec![stale(&[1]), other_file], &["+/s/1", "+/s/1"]),
        (
            vec![stale(&[1, 2]), stale(&[1, 2, 3]), stale(&[1]), stale(&[])],
            &["+Summary", "+/s/3", "-/s/3", "-Summary"],
        ),
        (
            vec![stale(&[1, 2]), stale(&[3, 4])],
            &["+Summary", "+Summary"],
        ),
        (
            vec![stale(&[1]), stale(&[2, 3])],
            &["+/s/1", "-/s/1 +Summary"],
        ),
        (
            vec![stale(&[1, 2]), stale(&[3])],
            &["+Summary", "-Summary +/s/3"],
        ),
        (
            vec![missing("/s"), missing("/s"), missing("/t")],
            &["+/s", "", "-/s +/t"],
        ),
        (vec![seen(vec![running()]), seen(vec![])], &["", ""]),
    ] {
        assert_eq!(effects(&snapshots, &policy()), expected);
    }
}

#[test]
fn some_problems_are_never_announced() {
    let silent = Policy {
        announce: BTreeSet::new(),
        ..policy()
    };
    let mut of_lima = stale(&[1]);
    of_lima.sockets[0].managed_by = Some(Managed("lima"));
    let clean = cleaning();
    let info = with_finding(FindingId::NoKeepalive, "host web");
    for (snapshot, policy) in [
        (stale(&[1]), &silent),
        (of_lima.clone(), &policy()),
        (of_lima, &clean),
        (info, &policy()),
    ] {
        assert_eq!(effects(&[snapshot], policy), [""]);
    }
}

#[test]
fn automatic_cleans_are_tried_once_and_announced_if_they_fail() {
    let clean = cleaning();
    assert_eq!(
        effects(&[stale(&[1]), stale(&[1]), stale(&[])], &clean),
        ["clean 1", "+/s/1", "-/s/1"]
    );
    // An interrupted clean is finished under any policy, even if a process listens.
    for (connect, listener) in [(Some(Connect::Refused), None), (None, running().listener)] {
        let aside = Observation {
            origin: Origin::Aside,
            connect,
            listener,
            ..stale_observation("/s/.muxtray-aside.u@h-22", 7)
        };
        let snapshots = [seen(vec![aside]), seen(vec![])];
        assert_eq!(effects(&snapshots, &policy()), ["clean 1", ""]);
    }
}

#[test]
fn quiet_time_delays_announcements_but_not_closing() {
    let (now, policy) = (Instant::now(), policy());
    let quiet = Memory::default().resumed(now);
    let (memory, effects) = decide(quiet, &stale(&[1]), &policy, now);
    let end = now + QUIET_AFTER_RESUME;
    assert_eq!((effects.len(), memory.quiet_until()), (0, Some(end)));
    let (memory, effects) = decide(memory, &stale(&[1]), &policy, end);
    assert_eq!((effects.len(), memory.quiet_until()), (1, None));
    let (_, effects) = decide(memory.resumed(now), &stale(&[]), &policy, now);
    assert_eq!(effects.len(), 1);
}

#[test]
fn notices_have_the_subject_evidence_and_buttons() {
    let mut open = running();
    if let File::Socket(stat) = &mut open.file {
        stat.permissions.mode = 0o666;
    }
    let mut missing = with_finding(FindingId::DirectoryMissing, "/s");
    missing.findings[0].fix = Some(Fix::MakeDirectory("/s".into()));
    let no_ssh = with_finding(FindingId::SshMissing, "ssh");
    let both = Snapshot {
        findings: missing.findings.clone(),
        ..stale(&[1])
    };
    let stranded_alone = stranded(&["/s/u@h-22"]);
    let both_stranded = stranded(&["/s/a", "/s/b"]);
    let all = [
        stale(&[1]),
        seen(vec![open]),
        missing,
        no_ssh.clone(),
        both,
        stranded_alone,
        both_stranded,
    ];
    let texts = all.map(|snapshot| {
        let notice = notice(&snapshot, &policy());
        assert!(!notice.transient);
        let button = |button: Button| {
            let intent = format!("{:?}", button.intent);
            let name = intent.split(['(', ' ']).next().unwrap_or_default();
            format!("[{}: {name}]", button.label)
        };
        let buttons: Vec<String> = notice.buttons.into_iter().map(button).collect();
        format!("{}\n{}\n{}", notice.summary, notice.body, buttons.join(" "))
    });
    insta::assert_snapshot!(texts.join("\n\n"));
    let no_window = Policy {
        can_show: false,
        ..policy()
    };
    assert_eq!(notice(&no_ssh, &no_window).buttons, []);
}

#[test]
fn stranded_masters_are_ended_once_after_a_while() {
    let exit = Policy {
        exit_stranded: true,
        announce: BTreeSet::new(),
        ..policy()
    };
    let (start, zero, second) = (Instant::now(), Duration::ZERO, Duration::from_secs(1));
    let one = || stranded(&["/s/b"]);
    let both = || stranded(&["/s/a", "/s/b"]);
    let mut of_nix = both();
    of_nix.sockets[0].managed_by = Some(Managed("nix"));
    let well = seen(vec![running()]);
    let limit = EXIT_AFTER;
    // The time, the snapshot, the effects, and the time of the next exit.
    for sequence in [
        vec![
            (zero, one(), "", Some(limit)),
            (limit - second, one(), "", Some(limit)),
            (limit, one(), "exit 1", None),
            (limit * 2, one(), "", None),
        ],
        vec![
            (zero, one(), "", Some(limit)),
            (second, well, "", None),
            (limit, one(), "", Some(limit * 2)),
        ],
        vec![
            (zero, one(), "", Some(limit)),
            (second, both(), "", Some(limit)),
            (limit, both(), "exit 1", Some(limit + second)),
        ],
        vec![
            (zero, of_nix.clone(), "", Some(limit)),
            (limit, of_nix, "exit 1", None),
        ],
    ] {
        let mut memory = Memory::default();
        for (after, snapshot, expected, next) in sequence {
            let effects;
            (memory, effects) = decide(memory, &snapshot, &exit, start + after);
            let effects: Vec<String> = effects.iter().map(short).collect();
            assert_eq!(effects.join(" "), expected);
            assert_eq!(memory.exits_at(), next.map(|next| start + next));
        }
    }
    let (memory, _) = decide(Memory::default(), &one(), &exit, start);
    let end = start + limit;
    let (memory, effects) = decide(memory.resumed(end), &one(), &exit, end);
    let quiet_until = Some(end + QUIET_AFTER_RESUME);
    assert_eq!((effects.len(), memory.exits_at()), (0, quiet_until));
    let (_, effects) = decide(memory, &one(), &exit, end + QUIET_AFTER_RESUME);
    assert_eq!(effects.len(), 1);
}

#[test]
fn a_master_that_is_replaced_is_announced_only_if_that_fails() {
    let reopening = Policy {
        reopen: [HostAlias("web".to_owned())].into(),
        ..policy()
    };
    let start = Instant::now();
    let lost = stranded(&["/s/u@h-22"]);
    let host = lost.sockets[0].hosts[0].clone();
    let server = IpAddr::from([10, 99, 0, 9]);
    let look = |memory, snapshot: &Snapshot, route, seconds| {
        let now = start + Duration::from_secs(seconds);
        let with = Opportunity {
            routes: &[(server, route)].into(),
            is_opening: false,
            is_quiet: false,
            now,
        };
        let (memory, mut effects) = reopen(memory, snapshot, &reopening, &with);
        let (memory, others) = decide(memory, snapshot, &reopening, now);
        effects.extend(others);
        (
            memory,
            effects.iter().map(short).collect::<Vec<_>>().join(" "),
        )
    };
    let (gateway, interface) = (None, 2);
    let via = Route::Via(Hop { interface, gateway });
    let mut memory = Memory::default();
    for (route, seconds, expected) in [
        (Route::None, 0, "+/s/u@h-22"),
        (via, 1, "-/s/u@h-22"),
        (Route::None, 2, "+/s/u@h-22"),
        (via, 15, "reopen web -/s/u@h-22"),
    ] {
        let effects;
        (memory, effects) = look(memory, &lost, route, seconds);
        assert_eq!(effects, expected, "{seconds}");
    }
    let target = ReportTarget::Host {
        alias: host.clone(),
        path: Some(path("/s/u@h-22")),
    };
    let message = "ssh failed: Permission denied (publickey).".to_owned();
    let report = ActionReport {
        asked: Asked::Yes,
        ..ActionReport::new(target, Action::Open, ActionOutcome::Failed, message)
    };
    let silent = Policy {
        announce: BTreeSet::new(),
        ..reopening.clone()
    };
    let (_, notice) = memory
        .clone()
        .reopened(&host, Some(&report), &silent, start);
    assert_eq!(notice, None);
    let (memory, notice) = memory.reopened(&host, Some(&report), &reopening, start);
    let notice = notice.unwrap();
    assert_eq!(notice.summary, "web: not reconnected");
    let reconnect = Button::reconnect(host, Some(Default::default()));
    assert_eq!(notice.buttons, [reconnect]);
    assert!(!notice.transient);
    let (_, effects) = look(memory, &seen(vec![running()]), via, 100);
    assert_eq!(effects, "-Answer(\"/s/u@h-22\")");
}
