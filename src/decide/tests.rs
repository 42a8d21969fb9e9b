use super::*;
use crate::model::network::{Address, Connection};
use crate::model::places::{Managed, Origin};
use crate::model::samples::{connection, observation, path, running, seen, seen_over, stat};
use crate::model::socket::{Connect, File, MasterPid, Observation, SocketId, Stat};

fn policy() -> Policy {
    Policy {
        announce: FindingId::ALL.iter().copied().collect(),
        clean_automatically: false,
        exit_stranded: false,
        can_show: true,
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

fn with_findings(findings: Vec<Finding>) -> Snapshot {
    Snapshot {
        findings,
        ..seen(vec![])
    }
}

fn finding(id: FindingId, subject: &str) -> Finding {
    Finding::new(id, subject, "it was seen", "do this")
}

/// An effect as one line: the notification's title with its buttons, or the key of one that is closed.
fn short(effect: &Effect) -> String {
    match effect {
        Effect::Notify(notice) => {
            let buttons = notice.buttons.iter().map(|button| button.label.as_str());
            let buttons: Vec<&str> = buttons.collect();
            format!("{} [{}]", notice.summary, buttons.join(", "))
        }
        Effect::Withdraw(NoticeKey::Socket(path, id)) => format!("close {path} {}", id.as_str()),
        Effect::Withdraw(NoticeKey::Place(id, subject)) => {
            format!("close {subject} {}", id.as_str())
        }
        Effect::Withdraw(key) => format!("close {key:?}"),
        Effect::Clean(targets) => format!("clean {}", targets.len()),
        Effect::Exit(targets) => format!("exit {}", targets.len()),
    }
}

/// The effects of successive looks at the same time.
fn effects(looks: &[Snapshot], policy: &Policy) -> Vec<Vec<String>> {
    let now = Instant::now();
    let mut memory = Memory::default();
    looks
        .iter()
        .map(|look| {
            let effects;
            (memory, effects) = decide(std::mem::take(&mut memory), look, policy, now);
            effects.iter().map(short).collect()
        })
        .collect()
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
    let one = |number| format!("/s/{number}: stale control socket [Clean, Show]");
    let two = || "2 problems with control sockets [Clean 2 sockets, Show]".to_owned();
    let close = |number| format!("close /s/{number} stale");
    let close_summary = || "close Summary".to_owned();
    let same_path = seen(vec![stale_observation("/s/1", 9)]);
    let missing = |subject| with_findings(vec![finding(FindingId::DirectoryMissing, subject)]);
    let no_directory = || format!("ssh: {} [Show]", FindingId::DirectoryMissing.title());
    for (looks, expected) in [
        (
            vec![stale(&[1]), stale(&[1]), stale(&[]), stale(&[])],
            vec![vec![one(1)], vec![], vec![close(1)], vec![]],
        ),
        // Another file with the same problem at the same path.
        (
            vec![stale(&[1]), same_path],
            vec![vec![one(1)], vec![one(1)]],
        ),
        (
            vec![stale(&[1, 2]), stale(&[1, 2, 3]), stale(&[1]), stale(&[])],
            vec![
                vec![two()],
                vec![one(3)],
                vec![close(3)],
                vec![close_summary()],
            ],
        ),
        (
            vec![stale(&[1, 2]), stale(&[3, 4])],
            vec![vec![two()], vec![two()]],
        ),
        (
            vec![stale(&[1]), stale(&[2, 3])],
            vec![vec![one(1)], vec![close(1), two()]],
        ),
        (
            vec![stale(&[1, 2]), stale(&[3])],
            vec![vec![two()], vec![close_summary(), one(3)]],
        ),
        (
            vec![missing("/s"), missing("/s"), missing("/t")],
            vec![
                vec![no_directory()],
                vec![],
                vec!["close /s directory-missing".to_owned(), no_directory()],
            ],
        ),
        (
            vec![seen(vec![running()]), seen(vec![])],
            vec![vec![], vec![]],
        ),
    ] {
        assert_eq!(effects(&looks, &policy()), expected);
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
    let clean = Policy {
        clean_automatically: true,
        ..policy()
    };
    let info = with_findings(vec![finding(FindingId::NoKeepalive, "host web")]);
    for (snapshot, policy) in [
        (stale(&[1]), &silent),
        (of_lima.clone(), &policy()),
        (of_lima, &clean),
        (info, &policy()),
    ] {
        assert_eq!(effects(&[snapshot], policy), [[""; 0]]);
    }
}

#[test]
fn automatic_cleans_are_tried_once_and_announced_if_they_fail() {
    let clean = Policy {
        clean_automatically: true,
        ..policy()
    };
    let one = "/s/1: stale control socket [Clean, Show]";
    assert_eq!(
        effects(&[stale(&[1]), stale(&[1]), stale(&[])], &clean),
        [vec!["clean 1"], vec![one], vec!["close /s/1 stale"]]
    );
    // An interrupted clean is finished under any policy, even if a process listens.
    for (connect, listener) in [(Some(Connect::Refused), None), (None, running().listener)] {
        let aside = Observation {
            origin: Origin::Aside,
            connect,
            listener,
            ..stale_observation("/s/.muxtray-aside.u@h-22", 7)
        };
        let looks = [seen(vec![aside]), seen(vec![])];
        assert_eq!(effects(&looks, &policy()), [vec!["clean 1"], vec![]]);
    }
}

#[test]
fn quiet_time_delays_announcements_but_not_closing() {
    let (now, policy) = (Instant::now(), policy());
    let quiet = Memory::default().resumed(now);
    let (memory, effects) = decide(quiet, &stale(&[1]), &policy, now);
    assert_eq!(
        (effects.len(), memory.quiet_until()),
        (0, Some(now + QUIET_AFTER_RESUME))
    );
    let (memory, effects) = decide(memory, &stale(&[1]), &policy, now + QUIET_AFTER_RESUME);
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
    let fix = Fix::MakeDirectory("/s".into());
    let missing = finding(FindingId::DirectoryMissing, "/s").with_fix(fix.clone());
    let no_ssh = || with_findings(vec![finding(FindingId::SshMissing, "ssh")]);
    let target = |snapshot: &Snapshot| snapshot.sockets[0].target();
    let open = seen(vec![open]);
    let close = Fix::CloseSocket(target(&open));
    for (snapshot, body, intent) in [
        (
            stale(&[1]),
            "/s/1\nConnection refused: no process listens.",
            Intent::Clean(target(&stale(&[1]))),
        ),
        (
            open,
            "/s/u@h-22\nMode 0666: other users may connect.",
            Intent::Fix(close),
        ),
        (
            with_findings(vec![missing]),
            "/s\nIt was seen.",
            Intent::Fix(fix),
        ),
        (
            no_ssh(),
            "ssh\nIt was seen.\n\u{2192} do this",
            Intent::Show(None),
        ),
    ] {
        let notice = notice(&snapshot, &policy());
        assert_eq!((notice.body.as_str(), notice.transient), (body, false));
        assert_eq!(notice.buttons[0].intent, intent);
    }
    let no_window = Policy {
        can_show: false,
        ..policy()
    };
    assert_eq!(notice(&no_ssh(), &no_window).buttons, []);
}

#[test]
fn summaries_name_each_problem_and_clean_what_is_stale() {
    let both = Snapshot {
        findings: vec![finding(FindingId::DirectoryMissing, "/t")],
        ..stale(&[1])
    };
    let target = both.sockets[0].target();
    let notice = notice(&both, &policy());
    let title = FindingId::DirectoryMissing.title();
    assert_eq!(
        notice.body,
        format!("/s/1: stale control socket\n/t: {title}")
    );
    let intents = notice.buttons.into_iter().map(|button| button.intent);
    let expected = [Intent::CleanAll(vec![target]), Intent::Show(None)];
    assert_eq!(intents.collect::<Vec<_>>(), expected);
}

#[test]
fn stranded_masters_have_buttons_that_name_what_they_close() {
    let title = FindingId::Stranded.title();
    assert_eq!(
        effects(&[stranded(&["/s/u@h-22"]), seen(vec![])], &policy()),
        [
            vec![format!(
                "web: {title} [Reconnect, closing 2 sessions, Exit, closing 2 sessions, Show]"
            )],
            vec!["close /s/u@h-22 stranded".to_owned()]
        ]
    );
    assert_eq!(
        effects(&[stranded(&["/s/a", "/s/b"])], &policy()),
        [["2 problems with control sockets [Exit 2 stranded masters, Show]"]]
    );
}

#[test]
fn stranded_masters_are_ended_once_after_a_while() {
    let exit = Policy {
        exit_stranded: true,
        announce: BTreeSet::new(),
        ..policy()
    };
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    let one = || stranded(&["/s/b"]);
    let both = || stranded(&["/s/a", "/s/b"]);
    let mut of_nix = both();
    of_nix.sockets[0].managed_by = Some(Managed("nix"));
    let well = seen(vec![running()]);
    let limit = EXIT_AFTER;
    // The time, the look, the effects, and the time of the next exit.
    type Step = (
        Duration,
        Snapshot,
        &'static [&'static str],
        Option<Duration>,
    );
    let sequences: [Vec<Step>; 4] = [
        vec![
            (Duration::ZERO, one(), &[], Some(limit)),
            (limit - second, one(), &[], Some(limit)),
            (limit, one(), &["exit 1"], None),
            (limit * 2, one(), &[], None),
        ],
        vec![
            (Duration::ZERO, one(), &[], Some(limit)),
            (second, well, &[], None),
            (limit, one(), &[], Some(limit * 2)),
        ],
        vec![
            (Duration::ZERO, one(), &[], Some(limit)),
            (second, both(), &[], Some(limit)),
            (limit, both(), &["exit 1"], Some(limit + second)),
        ],
        vec![
            (Duration::ZERO, of_nix.clone(), &[], Some(limit)),
            (limit, of_nix, &["exit 1"], None),
        ],
    ];
    for sequence in sequences {
        let mut memory = Memory::default();
        for (after, snapshot, expected, next) in sequence {
            let effects;
            (memory, effects) = decide(memory, &snapshot, &exit, start + after);
            assert_eq!(effects.iter().map(short).collect::<Vec<_>>(), expected);
            assert_eq!(memory.exits_at(), next.map(|next| start + next));
        }
    }
    let (memory, _) = decide(Memory::default(), &one(), &exit, start);
    let end = start + limit;
    let (memory, effects) = decide(memory.resumed(end), &one(), &exit, end);
    let quiet_until = memory.quiet_until().unwrap();
    assert_eq!((effects.len(), memory.exits_at()), (0, Some(quiet_until)));
    let (_, effects) = decide(memory, &one(), &exit, quiet_until);
    assert_eq!(effects.len(), 1);
}
