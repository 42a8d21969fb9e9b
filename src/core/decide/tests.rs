use super::super::network::{Address, Connection};
use super::super::places::Origin;
use super::super::samples::{connection, observation, path, running, seen, seen_over, stat};
use super::super::socket::{Connect, File, MasterPid, Observation, Stat};
use super::*;

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
            vec!["/s/a: master has lost its network [Exit, closing 2 sessions, Show]"],
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
