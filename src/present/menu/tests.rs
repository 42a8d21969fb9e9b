use std::collections::BTreeSet;

use super::fold::tests::many;
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
fn sockets_hosts_and_findings_in_a_menu() {
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
    let mut snapshot = seen(vec![running(), stale, misowned]);
    let master = snapshot.sockets.iter().find(|socket| socket.is_running());
    let answer = "Last check: answered in 0.8 ms".to_owned();
    let answers = Answers::from([(master.unwrap().target(), answer)]);
    snapshot.sockets[1].managed_by = Some(Managed("lima"));
    let mut hosts = [host("a\nb"), host("host1")];
    hosts[1].is_opening = true;
    snapshot.findings = vec![
        finding(FindingId::DirectoryMissing, "/s")
            .with_command("mkdir /s")
            .with_fix(Fix::MakeDirectory("/s".into())),
        finding(FindingId::FilesystemFull, "/t").with_command("muxtray list"),
        finding(FindingId::PathTooLong, "host 1"),
        finding(FindingId::PathTooLong, "host 2"),
        finding(FindingId::PathTooLong, "host 3"),
        finding(FindingId::PathTooLong, "host 4"),
        finding(FindingId::NoKeepalive, "host web").with_lines([
            "Host web".to_owned(),
            "    ServerAliveInterval 15".to_owned(),
        ]),
    ];
    let full = drawn(&view(&snapshot, &answers, &hosts));
    let empty = drawn(&menu_of(&with(Vec::new(), Vec::new())));
    insta::assert_snapshot!([full, empty, drawn(&starting())].join("\n"));
}

/// 200 masters, 800 stale sockets, 301 findings of hosts, and 22 hosts.
fn thousand() -> TrayView {
    let sockets = [many(State::Stale, 0..800), many(State::Running, 800..1000)].concat();
    let too_long = |number| finding(FindingId::PathTooLong, &format!("host h{number}"));
    let mut findings: Vec<Finding> = (0..300).map(too_long).collect();
    findings.push(finding(FindingId::SshConfigInvalid, "host h1"));
    let hosts: Vec<Openable> = (0..22).map(|n| host(&format!("host{n}"))).collect();
    view(&with(sockets, findings), &Answers::new(), &hosts)
}

#[test]
fn a_thousand_sockets_are_folded() {
    let text = drawn(&thousand());
    assert!(text.lines().count() < 800, "{}", text.lines().count());
    let mut is_open = false;
    let lines = text.lines().filter(|line| {
        let depth = line.len() - line.trim_start().len();
        if depth == 0 {
            let opened = ["\u{25b2} 793 more stale", "Open", "Problems"];
            is_open = opened.iter().any(|label| line.starts_with(label));
        }
        depth == 0 || (is_open && depth == 4)
    });
    // The requests of 200 masters.
    let shortened = lines.map(|line| line.chars().take(60).collect::<String>() + "\n");
    insta::assert_snapshot!(shortened.collect::<String>());
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
    check(&thousand().menu);
}

#[test]
fn icon_and_summary_count_masters_and_problems() {
    use FindingId::{DirectoryMissing, NoKeepalive};
    let problem = || Socket {
        findings: vec![finding(FindingId::Stale, "/s/a")],
        ..in_state(State::Stale)
    };
    let running = || in_state(State::Running);
    for (sockets, ids, summary, icon, label) in [
        (vec![], &[][..], "no masters", Icon::Idle, ""),
        (
            vec![running(), problem()],
            &[DirectoryMissing],
            "1 master, 2 problems",
            Icon::Attention,
            "Problems (1) >",
        ),
        // A finding of severity info is no problem.
        (
            vec![running(), running()],
            &[NoKeepalive],
            "2 masters",
            Icon::Running,
            "Notes (1) >",
        ),
    ] {
        let findings = ids.iter().map(|id| finding(*id, "/s")).collect();
        let view = menu_of(&with(sockets, findings));
        assert_eq!((view.summary.as_str(), view.icon), (summary, icon));
        assert!(drawn(&view).contains(label), "{label}");
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
