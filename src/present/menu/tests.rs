use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::{Finding, FindingId};
use crate::model::fix::Fix;
use crate::model::observation::{Connect, File, Observation, Stat};
use crate::model::places::Managed;
use crate::model::samples::{in_state, observation, path, running, seen, stat};
use crate::model::socket::{State, UserId};

/// Returns the menu as indented text. A disabled row is in brackets, and `[…]` is the request of a click.
pub(super) fn drawn(view: &TrayView) -> String {
    fn request(intent: &Intent) -> String {
        match intent {
            Intent::Exit { consent, .. } => format!("Exit {consent:?}"),
            Intent::Open { consent, .. } => format!("Open {consent:?}"),
            Intent::EndProcess { consent, .. } => format!("EndProcess {consent:?}"),
            Intent::Reset(each) => {
                let consents: Vec<_> = each.iter().map(|(_, consent)| consent).collect();
                format!("Reset {consents:?}")
            }
            Intent::Set(..) | Intent::StartAtLogin(_) | Intent::CopyText(_) | Intent::Fix(_) => {
                format!("{intent:?}")
            }
            other => {
                let text = format!("{other:?}");
                text.split([' ', '(']).next().unwrap().to_owned()
            }
        }
    }
    fn rows(entries: &[Entry], depth: usize, text: &mut String) {
        for entry in entries {
            text.push_str(&"    ".repeat(depth));
            let (label, intent) = match entry {
                Entry::Separator => {
                    text.push_str("----\n");
                    continue;
                }
                Entry::Submenu { label, entries, .. } => {
                    *text += &format!("{label} >\n");
                    rows(entries, depth + 1, text);
                    continue;
                }
                Entry::Item { label, intent, .. } => (label.clone(), intent),
                Entry::Check {
                    label,
                    checked,
                    intent,
                    ..
                } => (
                    format!("[{}] {label}", if *checked { 'x' } else { ' ' }),
                    intent,
                ),
            };
            *text += &match intent {
                Some(intent) => format!("{label}  [{}]\n", request(intent)),
                None => format!("({label})\n"),
            };
        }
    }
    let mut text = format!("{:?}: {}\n", view.icon, view.summary);
    rows(&view.menu, 0, &mut text);
    text
}

fn menu_of(snapshot: &Snapshot) -> TrayView {
    view(snapshot, &Answers::new(), &[])
}

fn with(sockets: Vec<Socket>, findings: Vec<Finding>) -> Snapshot {
    Snapshot {
        sockets,
        findings,
        ..seen(Vec::new())
    }
}

pub(super) fn finding(id: FindingId, subject: &str) -> Finding {
    Finding::new(id, subject, "seen", "do")
}

fn host(alias: &str) -> Openable {
    Openable {
        alias: HostAlias(alias.to_owned()),
        is_opening: false,
    }
}

#[test]
fn running_stale_and_misowned_sockets() {
    let stale = Observation {
        path: path("/s/db"),
        connect: Some(Connect::Refused),
        ..observation()
    };
    let misowned = Observation {
        path: path("/s/build"),
        file: File::Socket(Stat {
            uid: UserId(0),
            ..stat()
        }),
        ..observation()
    };
    let snapshot = seen(vec![running(), stale, misowned]);
    let master = snapshot.sockets.iter().find(|socket| socket.is_running());
    let answer = "Last check: answered in 0.8 ms".to_owned();
    let answers = Answers::from([(master.unwrap().target(), answer)]);
    insta::assert_snapshot!(drawn(&view(&snapshot, &answers, &[])));
}

/// 200 masters, a misowned socket, 799 stale ones, and 301 findings of hosts.
fn thousand() -> Snapshot {
    let sockets = (0..1000_u64).map(|number| {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
        let uid = UserId(if number == 200 { 0 } else { 1000 });
        let (listener, connect) = match number {
            0..200 => (running().listener, None),
            _ => (None, Some(Connect::Refused)),
        };
        Observation {
            path: path(&format!("/s/u@host{number:03}-22")),
            file: File::Socket(Stat {
                modified,
                uid,
                ..stat()
            }),
            listener,
            connect,
            ..observation()
        }
    });
    let mut snapshot = seen(sockets.collect());
    let too_long = |number| finding(FindingId::PathTooLong, &format!("host h{number}"));
    snapshot.findings = (0..300).map(too_long).collect();
    let invalid = finding(FindingId::SshConfigInvalid, "host h1");
    snapshot.findings.push(invalid);
    snapshot
}

#[test]
fn a_thousand_sockets_are_folded() {
    let text = drawn(&menu_of(&thousand()));
    assert!(text.lines().count() < 800);
    let mut is_open = false;
    let lines = text.lines().filter(|line| {
        let depth = line.len() - line.trim_start().len();
        if depth == 0 {
            is_open = line.starts_with("\u{25b2} 793 more stale") || line.starts_with("Problems");
        }
        depth == 0 || (is_open && depth == 4)
    });
    // The requests of 200 masters.
    let shortened = lines.map(|line| line.chars().take(60).collect::<String>() + "\n");
    insta::assert_snapshot!(shortened.collect::<String>());
}

#[test]
fn clean_in_a_fold_cleans_the_folded_sockets_of_the_user() {
    let mut snapshot = thousand();
    snapshot.sockets[600].managed_by = Some(Managed("ansible"));
    let cleaned = menu_of(&snapshot)
        .menu
        .into_iter()
        .find_map(|entry| match entry {
            Entry::Submenu { key, entries, .. } if key == "fold problem stale" => {
                match entries.into_iter().next() {
                    Some(Entry::Item {
                        intent: Some(Intent::CleanAll(targets)),
                        ..
                    }) => Some(targets),
                    _ => None,
                }
            }
            _ => None,
        });
    let cleaned = cleaned.unwrap();
    assert_eq!(cleaned.len(), 792);
    let is_cleaned = |target| snapshot.find(target).is_some_and(is_cleaned_with_all);
    assert!(cleaned.iter().all(is_cleaned));
}

#[test]
fn keys_are_unique_among_siblings() {
    fn check(entries: &[Entry]) {
        let mut keys = BTreeSet::new();
        for entry in entries {
            match entry {
                Entry::Separator => {}
                Entry::Item { key, .. } | Entry::Check { key, .. } => {
                    assert!(keys.insert(key), "{key} twice");
                }
                Entry::Submenu { key, entries, .. } => {
                    assert!(keys.insert(key), "{key} twice");
                    check(entries);
                }
            }
        }
    }
    check(&view(&thousand(), &Answers::new(), &[host("a"), host("b")]).menu);
}

#[test]
fn findings_have_a_click_for_a_safe_fix_a_command_or_lines() {
    let target = in_state(State::Stale).target();
    let clean = Fix::Clean(target.clone());
    let lines = [
        "Host web".to_owned(),
        "    ServerAliveInterval 15".to_owned(),
    ];
    let finding = || finding(FindingId::Stale, "/s/a");
    for (finding, click) in [
        (finding(), None),
        (finding().with_command("muxtray exit /s/a"), None),
        (finding().with_command("rm /s/a").with_fix(clean), None),
        (
            finding().with_command("kill 17"),
            Some("Copy command  [CopyText(\"kill 17\")]"),
        ),
        (
            finding()
                .with_command("mkdir /s")
                .with_fix(Fix::MakeDirectory("/s".into())),
            Some("Make the directory  [Fix(MakeDirectory(\"/s\"))]"),
        ),
        (
            finding().with_lines(lines),
            Some(
                "Copy lines for ssh_config  [CopyText(\"Host web\\n    ServerAliveInterval 15\\n\")]",
            ),
        ),
    ] {
        let text = drawn(&menu_of(&with(Vec::new(), vec![finding])));
        let clicks: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| !line.starts_with('('))
            .collect();
        assert_eq!(clicks, click.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn hosts_without_a_master_are_listed_up_to_twenty_or_21() {
    let hosts = |number: usize| -> Vec<Openable> {
        let mut hosts: Vec<Openable> = (0..number).map(|n| host(&format!("host{n}"))).collect();
        hosts[0] = host("a\nb");
        hosts[1].is_opening = true;
        hosts
    };
    let menu = |number| {
        drawn(&view(
            &with(vec![], vec![]),
            &Answers::new(),
            &hosts(number),
        ))
    };
    for (number, rows) in [
        (
            3,
            &[
                "a\\u{a}b  [Open UpTo(0)]",
                "(host1: opening\u{2026})",
                "host2  [Open UpTo(0)]",
            ][..],
        ),
        (21, &["host20  [Open UpTo(0)]"]),
        (22, &["host19", "(\u{2026} 2 more: muxtray open HOST)"]),
    ] {
        for row in rows {
            assert!(menu(number).contains(row), "{row}: {}", menu(number));
        }
    }
    assert!(!menu(22).contains("host20"));
}

#[test]
fn icon_and_summary_count_masters_and_problems() {
    let problem = || Socket {
        findings: vec![finding(FindingId::Stale, "/s/a")],
        ..in_state(State::Stale)
    };
    let running = || in_state(State::Running);
    for (sockets, ids, summary, icon) in [
        (vec![], vec![], "no masters", Icon::Idle),
        (
            vec![running(), running()],
            vec![],
            "2 masters",
            Icon::Running,
        ),
        (
            vec![problem()],
            vec![],
            "no masters, 1 problem",
            Icon::Attention,
        ),
        (
            vec![running(), problem()],
            vec![FindingId::DirectoryMissing],
            "1 master, 2 problems",
            Icon::Attention,
        ),
        // A finding of severity info is no problem.
        (
            vec![running()],
            vec![FindingId::NoKeepalive],
            "1 master",
            Icon::Running,
        ),
    ] {
        let findings = ids.into_iter().map(|id| finding(id, "/s")).collect();
        let view = menu_of(&with(sockets, findings));
        assert_eq!((view.summary.as_str(), view.icon), (summary, icon));
    }
}

#[test]
fn actions_on_all_leave_other_programs_out() {
    let own = |sessions| Socket {
        sessions,
        ..in_state(State::Running)
    };
    let managed = |state| Socket {
        managed_by: Some(Managed("lima")),
        ..in_state(state)
    };
    let rows = [
        vec![managed(State::Running), managed(State::Stale)],
        vec![own(Some(0))],
        vec![own(Some(1)), own(None), managed(State::Running)],
        vec![
            own(Some(2)),
            own(Some(1)),
            in_state(State::Stale),
            in_state(State::Leftover),
        ],
        vec![own(Some(0)), in_state(State::Stale)],
    ]
    .map(|sockets| {
        let menu = actions_on_all(&with(sockets, vec![])).into();
        let view = TrayView { menu, ..starting() };
        drawn(&view).split_once('\n').unwrap().1.to_owned()
    });
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn separators_stand_only_between_rows() {
    let keys = |view: TrayView| -> String {
        let key = |entry: Entry| match entry {
            Entry::Separator => "--".to_owned(),
            Entry::Item { key, .. } | Entry::Check { key, .. } | Entry::Submenu { key, .. } => key,
        };
        view.menu.into_iter().map(key).collect::<Vec<_>>().join(" ")
    };
    let empty = with(vec![], vec![]);
    let full = with(
        vec![in_state(State::Stale)],
        vec![finding(FindingId::NoKeepalive, "host web")],
    );
    for (view, expected) in [
        (starting(), "summary -- about quit"),
        (menu_of(&empty), "summary -- about quit"),
        (
            view(&empty, &Answers::new(), &[host("db")]),
            "summary -- open-menu -- about quit",
        ),
        (
            menu_of(&full),
            "summary -- socket /s/u@h-22 -- check-all clean-all exit-all -- problems -- about quit",
        ),
    ] {
        assert_eq!(keys(view), expected);
    }
}

#[test]
fn problems_and_notes_are_counted_apart_and_shown_up_to_three_or_four_of_a_kind() {
    use FindingId::{DirectoryInsecure, NoKeepalive, PathTooLong};
    for (ids, row) in [
        (&[NoKeepalive][..], "Notes (1) >"),
        (&[PathTooLong, DirectoryInsecure], "Problems (2) >"),
        (
            &[PathTooLong, NoKeepalive, NoKeepalive],
            "Problems (1) and notes (2) >",
        ),
        (&[PathTooLong; 4], "(host 3: "),
        (
            &[PathTooLong; 5],
            "(\u{2026} 2 more path-too-long: muxtray doctor)",
        ),
    ] {
        let findings = ids.iter().enumerate();
        let findings = findings.map(|(number, id)| finding(*id, &format!("host {number}")));
        let menu = drawn(&menu_of(&with(vec![], findings.collect())));
        assert!(menu.contains(row), "{row}: {menu}");
    }
}
