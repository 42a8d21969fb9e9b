use super::*;
use crate::model::network::{Address, Connection};
use crate::model::places::Origin;
use crate::model::samples::{connection, observation, path, running, seen, seen_over, stat};
use crate::model::socket::{Connect, File, MasterPid, Observation, Stat};

fn policy() -> Policy {
    Policy {
        announce: FindingId::ALL.iter().copied().collect(),
        clean_automatically: false,
        exit_stranded: false,
        can_show: true,
    }
}

fn stale(name: &str, inode: u64) -> Observation {
    let id = SocketId { inode, ..stat().id };
    let file = File::Socket(Stat { id, ..stat() });
    Observation {
        path: path(name),
        file,
        connect: Some(Connect::Refused),
        ..observation()
    }
}

/// What each look in turn makes it say, in short.
fn told(looks: Vec<Snapshot>, policy: &Policy) -> Vec<Vec<String>> {
    let now = Instant::now();
    let mut memory = Memory::default();
    let mut all = Vec::new();
    for look in looks {
        let effects;
        (memory, effects) = decide(memory, &look, policy, now);
        all.push(effects.iter().map(short).collect());
    }
    all
}

fn short(effect: &Effect) -> String {
    match effect {
        Effect::Notify(notice) => {
            let buttons: Vec<&str> = notice
                .buttons
                .iter()
                .map(|button| button.label.as_str())
                .collect();
            format!("{} [{}]", notice.summary, buttons.join(", "))
        }
        Effect::Withdraw(NoticeKey::Socket(path, id)) => format!("withdraw {path} {}", id.as_str()),
        Effect::Withdraw(NoticeKey::Summary) => "withdraw summary".to_owned(),
        Effect::Withdraw(key) => format!("withdraw {key:?}"),
        Effect::Clean(targets) => format!("clean {}", targets.len()),
        Effect::Exit(targets) => format!("exit {}", targets.len()),
    }
}

#[test]
fn a_problem_is_said_once_and_taken_back_when_it_is_over() {
    let stale = || seen(vec![stale("/s/u@h-22", 7)]);
    let said = told(
        vec![stale(), stale(), seen(vec![]), seen(vec![])],
        &policy(),
    );
    assert_eq!(
        said,
        [
            vec!["web: stale control socket [Clean, Show]"],
            vec![],
            vec!["withdraw /s/u@h-22 stale"],
            vec![]
        ]
    );
}

#[test]
fn a_successor_with_the_same_problem_replaces_the_notice() {
    let said = told(
        vec![
            seen(vec![stale("/s/u@h-22", 7)]),
            seen(vec![stale("/s/u@h-22", 8)]),
        ],
        &policy(),
    );
    assert_eq!(said[1], ["web: stale control socket [Clean, Show]"]);
}

#[test]
fn several_at_once_are_one_summary() {
    let both = || seen(vec![stale("/s/a", 1), stale("/s/b", 2)]);
    let one = || seen(vec![stale("/s/b", 2)]);
    let said = told(vec![both(), one(), seen(vec![])], &policy());
    assert_eq!(
        said,
        [
            vec!["2 problems with control sockets [Clean 2 sockets, Show]"],
            vec![],
            vec!["withdraw summary"]
        ]
    );
}

#[test]
fn a_later_problem_does_not_repeat_the_summary() {
    let both = || vec![stale("/s/a", 1), stale("/s/b", 2)];
    let three = [both(), vec![stale("/s/c", 3)]].concat();
    let said = told(vec![seen(both()), seen(three)], &policy());
    assert_eq!(said[1], ["/s/c: stale control socket [Clean, Show]"]);
}

#[test]
fn a_master_that_ends_in_order_says_nothing() {
    let said = told(vec![seen(vec![running()]), seen(vec![])], &policy());
    assert_eq!(said, [Vec::<String>::new(), vec![]]);
}

#[test]
fn a_kind_that_is_switched_off_is_not_said() {
    let quiet = Policy {
        announce: BTreeSet::new(),
        ..policy()
    };
    assert_eq!(
        told(vec![seen(vec![stale("/s/a", 1)])], &quiet),
        [Vec::<String>::new()]
    );
}

#[test]
fn after_a_resume_it_is_said_only_when_it_lasts() {
    let now = Instant::now();
    let look = seen(vec![stale("/s/a", 1)]);
    let (memory, effects) = decide(Memory::default().resumed(now), &look, &policy(), now);
    assert_eq!(effects, []);
    let (_, effects) = decide(memory, &look, &policy(), now + QUIET_AFTER_RESUME);
    assert_eq!(effects.len(), 1);
}

#[test]
fn what_is_cleaned_automatically_is_only_said_when_it_could_not_be() {
    let tidy = Policy {
        clean_automatically: true,
        ..policy()
    };
    let stale = || seen(vec![stale("/s/a", 1)]);
    let said = told(vec![stale(), seen(vec![])], &tidy);
    assert_eq!(said, [vec!["clean 1"], vec![]]);
    let said = told(vec![stale(), stale()], &tidy);
    assert_eq!(
        said,
        [
            vec!["clean 1"],
            vec!["/s/a: stale control socket [Clean, Show]"]
        ]
    );
}

#[test]
fn show_is_only_offered_where_it_can_be_followed() {
    let bare = Policy {
        can_show: false,
        ..policy()
    };
    assert_eq!(
        told(vec![seen(vec![stale("/s/a", 1)])], &bare),
        [vec!["/s/a: stale control socket [Clean]"]]
    );
}

#[test]
fn a_clean_that_broke_off_is_finished_without_asking() {
    let aside = |connect, listener| Observation {
        origin: Origin::Aside,
        connect,
        listener,
        ..stale("/s/.muxtray-aside.u@h-22", 7)
    };
    let dead = || seen(vec![aside(Some(Connect::Refused), None)]);
    let live = || seen(vec![aside(None, running().listener)]);
    assert_eq!(
        told(vec![dead(), seen(vec![])], &policy()),
        [vec!["clean 1"], vec![]]
    );
    assert_eq!(
        told(vec![live(), live()], &policy()),
        [vec!["clean 1"], vec![]]
    );
}

/// Masters at these paths that have lost their network, all of one process for the sake of the test.
fn stranded(paths: &[&str]) -> Snapshot {
    let master = |name: &&str| Observation {
        path: path(name),
        ..running()
    };
    let gone = Connection {
        address: Address::Gone,
        ..connection()
    };
    let masters = paths.iter().map(master).collect();
    seen_over(masters, [(MasterPid(4711), gone)].into())
}

#[test]
fn a_stranded_master_can_be_ended_from_its_notice() {
    assert_eq!(
        told(vec![stranded(&["/s/a"]), seen(vec![])], &policy()),
        [
            vec!["/s/a: master has lost its network connection [Exit, closing 2 sessions, Show]"],
            vec!["withdraw /s/a stranded"]
        ]
    );
    assert_eq!(
        told(vec![stranded(&["/s/a", "/s/b"])], &policy()),
        [vec![
            "2 problems with control sockets [Exit 2 stranded masters, Show]"
        ]]
    );
}

#[test]
fn a_stranded_master_is_ended_once_when_that_is_wanted_and_it_lasts() {
    let tidy = Policy {
        exit_stranded: true,
        announce: BTreeSet::new(),
        ..policy()
    };
    let start = Instant::now();
    let mut memory = Memory::default();
    let mut at = |after: Duration, snapshot: &Snapshot, policy: &Policy| {
        let effects;
        (memory, effects) = decide(std::mem::take(&mut memory), snapshot, policy, start + after);
        (
            effects.iter().map(short).collect::<Vec<_>>(),
            memory.exits_at(),
        )
    };
    let nothing = Vec::<String>::new;
    let (one, due) = (stranded(&["/s/a"]), Some(start + EXIT_AFTER));
    let second = Duration::from_secs(1);
    assert_eq!(at(Duration::ZERO, &one, &tidy), (nothing(), due));
    assert_eq!(at(EXIT_AFTER - second, &one, &tidy), (nothing(), due));
    assert_eq!(
        at(EXIT_AFTER, &one, &tidy),
        (vec!["exit 1".to_owned()], None)
    );
    assert_eq!(at(EXIT_AFTER * 2, &one, &tidy), (nothing(), None));
    // It was well in between.
    assert_eq!(
        at(EXIT_AFTER * 3, &seen(vec![running()]), &tidy).0,
        nothing()
    );
    assert_eq!(
        at(EXIT_AFTER * 4, &one, &tidy),
        (nothing(), Some(start + EXIT_AFTER * 5))
    );
    assert_eq!(at(EXIT_AFTER * 5, &one, &policy()).1, None);
}

#[test]
fn nothing_is_ended_in_the_quiet_time() {
    let tidy = Policy {
        exit_stranded: true,
        ..policy()
    };
    let (one, start) = (stranded(&["/s/a"]), Instant::now());
    let (memory, _) = decide(Memory::default(), &one, &tidy, start);
    let memory = memory.resumed(start + EXIT_AFTER);
    let (memory, effects) = decide(memory, &one, &tidy, start + EXIT_AFTER);
    assert_eq!((effects.len(), memory.exits_at()), (0, None));
    let quiet_until = memory.quiet_until().unwrap();
    let (_, effects) = decide(memory, &one, &tidy, quiet_until);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Exit(_)))
    );
}

/// The one notice that a first look leads to.
fn notice(snapshot: &Snapshot, policy: &Policy) -> Notice {
    let (_, mut effects) = decide(Memory::default(), snapshot, policy, Instant::now());
    match (effects.pop(), effects.len()) {
        (Some(Effect::Notify(notice)), 0) => notice,
        other => panic!("{other:?}"),
    }
}

fn read(notice: &Notice) -> String {
    let buttons: Vec<String> = notice
        .buttons
        .iter()
        .map(|button| format!("[{}: {:?}]", button.label, button.intent))
        .collect();
    format!(
        "{:?}\n{}\n{}\n{}",
        notice.key,
        notice.summary,
        notice.body,
        buttons.join("\n")
    )
}

/// A problem of a directory, of the configuration or of ssh.
fn place(id: FindingId, subject: &str) -> Finding {
    Finding::new(id, subject, "it was seen", "do this")
}

fn with_places(findings: Vec<Finding>) -> Snapshot {
    Snapshot {
        findings,
        ..seen(vec![])
    }
}

#[test]
fn a_notice_tells_what_was_seen_and_what_helps() {
    let mut open = running();
    if let File::Socket(stat) = &mut open.file {
        stat.permissions.mode = 0o666;
    }
    let mend = place(FindingId::DirectoryMissing, "/s").with_fix(Fix::MakeDirectory("/s".into()));
    let told = [
        (seen(vec![stale("/s/u@h-22", 7)]), true),
        (seen(vec![open]), true),
        (stranded(&["/s/u@h-22"]), true),
        (with_places(vec![mend]), true),
        (with_places(vec![place(FindingId::SshMissing, "ssh")]), true),
        (
            with_places(vec![place(FindingId::SshMissing, "ssh")]),
            false,
        ),
    ]
    .map(|(snapshot, can_show)| {
        let policy = Policy {
            can_show,
            ..policy()
        };
        let notice = notice(&snapshot, &policy);
        assert!(!notice.transient);
        read(&notice)
    });
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_summary_tells_five_and_counts_the_others() {
    let places = |number: usize| {
        let ids = FindingId::ALL
            .iter()
            .filter(|id| id.severity() >= Severity::Warning);
        let findings = ids.take(number).map(|id| place(*id, "/s"));
        with_places(findings.collect())
    };
    let body = |number| notice(&places(number), &policy()).body;
    assert_eq!(body(2).lines().count(), 2);
    assert_eq!(body(5).lines().count(), 5);
    assert!(!body(5).contains("more"));
    assert!(body(6).ends_with("\nand 1 more"), "{}", body(6));
    assert!(body(9).ends_with("\nand 4 more"), "{}", body(9));
    let both = Snapshot {
        findings: vec![place(FindingId::DirectoryMissing, "/t")],
        ..seen(vec![stale("/s/u@h-22", 7)])
    };
    let hidden = Policy {
        can_show: false,
        ..policy()
    };
    let told = [notice(&both, &policy()), notice(&both, &hidden)].map(|it| read(&it));
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn only_warnings_and_errors_of_the_users_own_are_told() {
    let mut note = place(FindingId::NoKeepalive, "host web");
    assert_eq!(
        told(vec![with_places(vec![note.clone()])], &policy()),
        [[""; 0]]
    );
    note.severity = Severity::Warning;
    assert_eq!(told(vec![with_places(vec![note])], &policy())[0].len(), 1);
    let mut anothers = seen(vec![stale("/s/a", 1)]);
    anothers.sockets[0].managed_by = Some(crate::model::places::Managed::Lima);
    assert_eq!(told(vec![anothers.clone()], &policy()), [[""; 0]]);
    let tidy = Policy {
        clean_automatically: true,
        ..policy()
    };
    assert_eq!(told(vec![anothers], &tidy), [[""; 0]]);
}

#[test]
fn a_place_is_one_problem_by_its_kind_and_subject() {
    let missing = |subject| place(FindingId::DirectoryMissing, subject);
    let said = told(
        vec![
            with_places(vec![missing("/s")]),
            with_places(vec![missing("/s")]),
            with_places(vec![missing("/t")]),
            with_places(vec![place(FindingId::DirectoryMisowned, "/t")]),
        ],
        &policy(),
    );
    assert_eq!(
        said,
        [
            vec!["ssh: control socket directory does not exist [Show]"],
            vec![],
            vec![
                "withdraw Place(DirectoryMissing, \"/s\")",
                "ssh: control socket directory does not exist [Show]"
            ],
            vec![
                "withdraw Place(DirectoryMissing, \"/t\")",
                "ssh: control socket directory belongs to another user [Show]"
            ],
        ]
    );
}

#[test]
fn a_summary_is_taken_back_with_the_last_that_it_told() {
    let looks = |numbers: &[u64]| {
        let stale = |number: &u64| stale(&format!("/s/{number}"), *number);
        seen(numbers.iter().map(stale).collect())
    };
    let said = |numbers: &[&[u64]]| {
        let looks = numbers.iter().map(|it| looks(it)).collect();
        told(looks, &policy())
    };
    // What came by itself is taken back by itself, and the summary stays for the rest.
    assert_eq!(
        said(&[&[1, 2], &[1, 2, 3], &[1, 2], &[1], &[]])[1..],
        [
            vec!["/s/3: stale control socket [Clean, Show]"],
            vec!["withdraw /s/3 stale"],
            vec![],
            vec!["withdraw summary"]
        ]
    );
    // Another summary takes the place of the first.
    assert_eq!(
        said(&[&[1, 2], &[3, 4]])[1],
        ["2 problems with control sockets [Clean 2 sockets, Show]"]
    );
    assert_eq!(
        said(&[&[1], &[2, 3]])[1],
        [
            "withdraw /s/1 stale",
            "2 problems with control sockets [Clean 2 sockets, Show]"
        ]
    );
    assert_eq!(
        said(&[&[1, 2], &[3]])[1],
        [
            "withdraw summary",
            "/s/3: stale control socket [Clean, Show]"
        ]
    );
}

#[test]
fn the_quiet_time_is_known_until_it_is_over() {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let quiet = Memory::default().resumed(now);
    assert_eq!(quiet.quiet_until(), Some(now + QUIET_AFTER_RESUME));
    let at = |after| decide(quiet.clone(), &seen(vec![]), &policy(), now + after).0;
    assert_eq!(
        at(QUIET_AFTER_RESUME - second).quiet_until(),
        quiet.quiet_until()
    );
    assert_eq!(at(QUIET_AFTER_RESUME).quiet_until(), None);
}

#[test]
fn what_is_over_is_taken_back_in_the_quiet_time_too() {
    let now = Instant::now();
    let (memory, _) = decide(
        Memory::default(),
        &seen(vec![stale("/s/a", 1)]),
        &policy(),
        now,
    );
    let (_, effects) = decide(memory.resumed(now), &seen(vec![]), &policy(), now);
    let told: Vec<String> = effects.iter().map(short).collect();
    assert_eq!(told, ["withdraw /s/a stale"]);
}

#[test]
fn a_stranded_master_of_another_program_is_left_to_it() {
    let tidy = Policy {
        exit_stranded: true,
        announce: BTreeSet::new(),
        ..policy()
    };
    let mut snapshot = stranded(&["/s/a", "/s/b"]);
    snapshot.sockets[0].managed_by = Some(crate::model::places::Managed::Nix);
    let start = Instant::now();
    let (memory, _) = decide(Memory::default(), &snapshot, &tidy, start);
    let (_, effects) = decide(memory, &snapshot, &tidy, start + EXIT_AFTER);
    let target = snapshot.sockets[1].target();
    assert_eq!(effects, [Effect::Exit(vec![target])]);
}

#[test]
fn the_next_to_end_is_the_one_that_is_stranded_longest() {
    let tidy = Policy {
        exit_stranded: true,
        announce: BTreeSet::new(),
        ..policy()
    };
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    let (memory, _) = decide(Memory::default(), &stranded(&["/s/b"]), &tidy, start);
    let both = stranded(&["/s/a", "/s/b"]);
    let (memory, _) = decide(memory, &both, &tidy, start + second);
    assert_eq!(memory.exits_at(), Some(start + EXIT_AFTER));
    let (memory, effects) = decide(memory, &both, &tidy, start + EXIT_AFTER);
    assert_eq!(effects.iter().map(short).collect::<Vec<_>>(), ["exit 1"]);
    assert_eq!(memory.exits_at(), Some(start + EXIT_AFTER + second));
}

#[test]
fn the_buttons_of_a_stranded_master_say_what_they_close() {
    let buttons = |sessions, own_session| {
        let mut socket = stranded(&["/s/u@h-22"]).sockets.remove(0);
        socket.sessions = sessions;
        socket.own_session = own_session;
        let exit_all = stranded::exit_all_button([&socket, &socket].into_iter()).unwrap();
        let buttons = stranded::buttons(&socket).into_iter().chain([exit_all]);
        buttons
            .map(|button| {
                let consents = match button.intent {
                    Intent::Exit { consent, .. } | Intent::Open { consent, .. } => vec![consent],
                    Intent::ExitAll(each) => each.into_iter().map(|(_, consent)| consent).collect(),
                    other => panic!("{other:?}"),
                };
                format!("{} {consents:?}", button.label)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        buttons(Some(0), false),
        [
            "Reconnect [UpTo(0)]",
            "Exit [UpTo(0)]",
            "Exit 2 stranded masters [UpTo(0), UpTo(0)]"
        ]
    );
    assert_eq!(
        buttons(Some(0), true),
        [
            "Reconnect, closing 1 session [UpTo(1)]",
            "Exit, closing 1 session [UpTo(1)]",
            "Exit 2 stranded masters [UpTo(1), UpTo(1)]"
        ]
    );
    assert_eq!(
        buttons(None, false),
        [
            "Reconnect, closing its sessions [Any]",
            "Exit, closing its sessions [Any]",
            "Exit 2 stranded masters [Any, Any]"
        ]
    );
    let well = seen(vec![running()]).sockets.remove(0);
    assert_eq!(stranded::buttons(&well), []);
    assert_eq!(stranded::exit_all_button([&well].into_iter()), None);
}
