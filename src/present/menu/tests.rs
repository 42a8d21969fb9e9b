use std::time::{Duration, SystemTime};

use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::FindingId;
use crate::model::network::Cause;
use crate::model::places::Managed;
use crate::model::samples::{listener, observation, path, process, running, seen, stat};
use crate::model::socket::{
    Connect, File, Holder, Listener, Observation, Process, Stat, State, UserId,
};

/// The menu as indented text: what a person reads, `[…]` what a click asks for.
pub(super) fn drawn(view: &TrayView) -> String {
    fn rows(entries: &[Entry], depth: usize, text: &mut String) {
        for entry in entries {
            text.push_str(&"    ".repeat(depth));
            match entry {
                Entry::Separator => text.push_str("----\n"),
                Entry::Item {
                    label,
                    intent: None,
                    ..
                } => *text += &format!("({label})\n"),
                Entry::Item {
                    label,
                    intent: Some(intent),
                    ..
                } => {
                    let intent = format!("{intent:?}");
                    let kind = intent.split([' ', '(']).next().unwrap();
                    *text += &format!("{label}  [{kind}]\n");
                }
                Entry::Check {
                    label,
                    checked,
                    intent,
                    ..
                } => {
                    let mark = if *checked { 'x' } else { ' ' };
                    *text += &match intent {
                        Some(intent) => format!("[{mark}] {label}  [{intent:?}]\n"),
                        None => format!("([{mark}] {label})\n"),
                    };
                }
                Entry::Submenu { label, entries, .. } => {
                    *text += &format!("{label} >\n");
                    rows(entries, depth + 1, text);
                }
            }
        }
    }
    let mut text = format!("{:?}: {}\n", view.icon, view.summary);
    rows(&view.menu, 0, &mut text);
    text
}

fn quiet(name: &str) -> Observation {
    let listener = Listener {
        sessions: 0,
        ..listener(Holder::Ssh(process("ssh")))
    };
    Observation {
        path: path(name),
        listener: Some(listener),
        ..observation()
    }
}

#[test]
fn a_day_with_a_bit_of_everything() {
    let stale = Observation {
        path: path("/s/db"),
        connect: Some(Connect::Refused),
        ..observation()
    };
    let theirs = File::Socket(Stat {
        uid: UserId(0),
        ..stat()
    });
    let misowned = Observation {
        path: path("/s/build"),
        file: theirs,
        ..observation()
    };
    let snapshot = seen(vec![running(), quiet("/s/quiet"), stale, misowned]);
    let socket = snapshot
        .sockets
        .iter()
        .find(|socket| socket.title() == "web")
        .unwrap();
    let answers = Answers::from([(socket.target(), "Last check: answered in 0.8 ms".to_owned())]);
    insta::assert_snapshot!(drawn(&view(&snapshot, &answers, &[])));
}

#[test]
fn nothing_there() {
    insta::assert_snapshot!(drawn(&view(&seen(Vec::new()), &Answers::new(), &[])));
}

/// The part of a drawn menu that a person sees at once, and the rows of one submenu in it.
fn unfolded(view: &TrayView, open: &str) -> String {
    let mut depth_shown = false;
    let rows = drawn(view);
    let lines = rows.lines().filter(|line| {
        let depth = line.len() - line.trim_start().len();
        if depth == 0 {
            depth_shown = line.starts_with(open);
        }
        depth == 0 || (depth_shown && depth == 4)
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// A thousand sockets, as after a power cut of a machine with many: half of them stale.
fn thousand() -> Snapshot {
    let sockets = (0..1000_u64).map(|number| {
        let path = path(&format!("/s/u@host{number:03}-22"));
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
        let file = File::Socket(Stat { modified, ..stat() });
        match number {
            0..200 => Observation {
                path,
                file,
                ..quiet("/s/x")
            },
            200 => Observation {
                path,
                file: File::Socket(Stat {
                    uid: UserId(0),
                    ..stat()
                }),
                ..observation()
            },
            _ => Observation {
                path,
                file,
                connect: Some(Connect::Refused),
                ..observation()
            },
        }
    });
    let mut snapshot = seen(sockets.collect());
    let finding = |id, number: usize| Finding::new(id, format!("host h{number}"), "seen", "do");
    snapshot.findings = (0..300)
        .map(|number| finding(FindingId::PathTooLong, number))
        .collect();
    snapshot
        .findings
        .push(finding(FindingId::SshConfigInvalid, 1));
    snapshot
}

#[test]
fn a_thousand_sockets_are_folded() {
    let view = view(&thousand(), &Answers::new(), &[]);
    insta::assert_snapshot!(
        "a_thousand_sockets",
        unfolded(&view, "\u{25b2} 793 more stale")
    );
    insta::assert_snapshot!("three_hundred_hosts", unfolded(&view, "Problems"));
}

#[test]
fn a_thousand_sockets_make_few_rows() {
    fn count(entries: &[Entry]) -> usize {
        entries
            .iter()
            .map(|entry| match entry {
                Entry::Separator | Entry::Item { .. } | Entry::Check { .. } => 1,
                Entry::Submenu { entries, .. } => 1 + count(entries),
            })
            .sum()
    }
    let rows = count(&view(&thousand(), &Answers::new(), &[]).menu);
    assert!(rows < 800, "{rows}");
}

#[test]
fn clean_in_a_fold_cleans_what_is_folded_and_the_users_own() {
    let mut snapshot = thousand();
    snapshot.sockets[600].managed_by = Some(Managed::Ansible);
    let view = view(&snapshot, &Answers::new(), &[]);
    let fold = view.menu.iter().find_map(|entry| match entry {
        Entry::Submenu { key, entries, .. } if key == "fold problem stale" => Some(entries),
        Entry::Separator | Entry::Item { .. } | Entry::Check { .. } | Entry::Submenu { .. } => None,
    });
    let Some(Entry::Item {
        label,
        intent: Some(Intent::CleanAll(targets)),
        ..
    }) = fold.and_then(|rows| rows.first())
    else {
        panic!("no clean in {fold:?}");
    };
    assert_eq!(label, "Clean these 792");
    assert_eq!(targets.len(), 792);
    assert!(
        targets
            .iter()
            .all(|target| snapshot.find(target).is_some_and(is_cleaned_with_all))
    );
}

#[test]
fn the_icon_follows_the_worst() {
    let stale = || Observation {
        connect: Some(Connect::Refused),
        ..observation()
    };
    assert_eq!(view(&seen(vec![]), &Answers::new(), &[]).icon, Icon::Idle);
    assert_eq!(
        view(&seen(vec![running()]), &Answers::new(), &[]).icon,
        Icon::Running
    );
    assert_eq!(
        view(&seen(vec![quiet("/s/x"), stale()]), &Answers::new(), &[]).icon,
        Icon::Attention
    );
}

#[test]
fn a_master_that_cannot_be_asked_can_be_ended_at_the_price_of_its_sessions() {
    let stopped = |sessions| {
        let process = Process {
            stopped: true,
            ..process("ssh")
        };
        let listener = Listener {
            sessions,
            ..listener(Holder::Ssh(process))
        };
        seen(vec![Observation {
            listener: Some(listener),
            ..observation()
        }])
    };
    for (sessions, lines) in [
        (0, "    End process  [EndProcess]\n"),
        (
            3,
            "    End process, closing 3 sessions >\n        End process now  [EndProcess]\n",
        ),
    ] {
        let menu = drawn(&view(&stopped(sessions), &Answers::new(), &[]));
        assert!(menu.contains(lines), "{menu}");
    }
    let running = drawn(&view(&seen(vec![running()]), &Answers::new(), &[]));
    assert!(!running.contains("End process"), "{running}");
}

#[test]
fn time_alone_changes_nothing() {
    let stale = || Observation {
        connect: Some(Connect::Refused),
        ..observation()
    };
    let now = seen(vec![
        running(),
        Observation {
            path: path("/s/x"),
            ..stale()
        },
    ]);
    let later = Snapshot {
        at: now.at + Duration::from_secs(86_400),
        ..now.clone()
    };
    assert_eq!(
        view(&now, &Answers::new(), &[]),
        view(&later, &Answers::new(), &[])
    );
}

#[test]
fn keys_are_unique_among_siblings() {
    fn check(entries: &[Entry]) {
        let mut keys = std::collections::BTreeSet::new();
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
    let few = seen(vec![running(), quiet("/s/quiet"), quiet("/s/other")]);
    check(&view(&few, &Answers::new(), &[]).menu);
    check(&view(&thousand(), &Answers::new(), &[]).menu);
}

#[test]
fn a_remedy_can_be_clicked_where_it_is_safe_and_copied_where_not() {
    let missing = Finding::new(
        FindingId::DirectoryMissing,
        "/s",
        "no such directory",
        "make it",
    )
    .with_command("mkdir -m 700 /s")
    .with_fix(Fix::MakeDirectory("/s".into()));
    let misowned = Finding::new(
        FindingId::DirectoryMisowned,
        "/t",
        "it is root's",
        "take it",
    )
    .with_command("sudo chown u: /t");
    let keepalive = Finding::new(FindingId::NoKeepalive, "host web", "off", "switch it on")
        .with_lines([
            "Host web".to_owned(),
            "    ServerAliveInterval 15".to_owned(),
        ]);
    let snapshot = Snapshot {
        findings: vec![missing, misowned, keepalive],
        ..seen(vec![])
    };
    let view = view(&snapshot, &Answers::new(), &[]);
    let problems = view.menu.iter().find_map(|entry| match entry {
        Entry::Submenu {
            key,
            label,
            entries,
        } if key == "problems" => Some((label, entries)),
        _ => None,
    });
    let (label, entries) = problems.unwrap();
    assert_eq!(label, "Problems (2) and notes (1)");
    let clicks: Vec<(&str, &Intent)> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Item {
                label,
                intent: Some(intent),
                ..
            } => Some((label.as_str(), intent)),
            _ => None,
        })
        .collect();
    assert_eq!(
        clicks,
        [
            (
                "Make the directory",
                &Intent::Mend(Fix::MakeDirectory("/s".into()))
            ),
            (
                "Copy command",
                &Intent::CopyText("sudo chown u: /t".to_owned())
            ),
            (
                "Copy lines for ssh_config",
                &Intent::CopyText("Host web\n    ServerAliveInterval 15\n".to_owned())
            ),
        ]
    );
}

#[test]
fn hosts_without_a_master_can_be_opened_as_many_as_fit() {
    let hosts = |number: usize| -> Vec<Openable> {
        let host = |number| Openable {
            alias: HostAlias(format!("host{number}")),
            is_opening: number == 1,
        };
        (0..number).map(host).collect()
    };
    let menu = |number| drawn(&view(&seen(Vec::new()), &Answers::new(), &hosts(number)));
    assert!(!menu(0).contains("Open master"), "{}", menu(0));
    insta::assert_snapshot!(menu(3));
    assert!(menu(21).contains("host20") && !menu(21).contains("more"));
    let many = menu(22);
    assert!(!many.contains("host20"), "{many}");
    assert!(
        many.contains("\u{2026} 2 more: muxtray open HOST"),
        "{many}"
    );
}

#[test]
fn a_stranded_master_can_be_replaced() {
    let mut snapshot = seen(vec![running()]);
    snapshot.sockets[0].state = State::Stranded(Cause::AddressGone);
    let menu = |snapshot: &Snapshot| drawn(&view(snapshot, &Answers::new(), &[]));
    snapshot.sockets[0].sessions = Some(0);
    assert!(
        menu(&snapshot).contains("Reconnect  [Open]"),
        "{}",
        menu(&snapshot)
    );
    snapshot.sockets[0].sessions = Some(2);
    let told = menu(&snapshot);
    assert!(told.contains("Reconnect, closing 2 sessions"), "{told}");
    snapshot.sockets[0].hosts.clear();
    let told = menu(&snapshot);
    assert!(
        !told.contains("Reconnect"),
        "there is no host to open: {told}"
    );
}

#[test]
fn before_the_first_look_there_is_a_line_and_the_way_out() {
    insta::assert_snapshot!(drawn(&starting()), @r"
    Idle: Looking for control sockets
    (Looking for control sockets)
    ----
    About  [About]
    Quit  [Quit]
    ");
}

fn with(sockets: Vec<Socket>) -> Snapshot {
    Snapshot {
        sockets,
        ..seen(Vec::new())
    }
}

fn bare(state: State) -> Socket {
    crate::model::samples::in_state(state)
}

#[test]
fn the_summary_counts_masters_and_problems() {
    let finding = |id| Finding::new(id, "/s", "seen", "do");
    let problem = || {
        let mut socket = bare(State::Stale);
        socket.findings = vec![finding(FindingId::Stale)];
        socket
    };
    let running = || bare(State::Running);
    for (sockets, findings, told, icon) in [
        (vec![], vec![], "no masters", Icon::Idle),
        (vec![running()], vec![], "1 master", Icon::Running),
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
            vec![finding(FindingId::DirectoryMissing)],
            "1 master, 2 problems",
            Icon::Attention,
        ),
        // What is only worth knowing is no problem.
        (
            vec![running()],
            vec![finding(FindingId::NoKeepalive)],
            "1 master",
            Icon::Running,
        ),
    ] {
        let snapshot = Snapshot {
            findings,
            ..with(sockets)
        };
        assert_eq!(summary(&snapshot), told);
        assert_eq!(view(&snapshot, &Answers::new(), &[]).icon, icon, "{told}");
    }
}

#[test]
fn what_is_done_to_all_is_done_to_the_users_own() {
    let own = |sessions| Socket {
        sessions,
        ..bare(State::Running)
    };
    let managed = |state| Socket {
        managed_by: Some(Managed::Lima),
        ..bare(state)
    };
    let of = |sockets| {
        let entries = actions_on_all(&with(sockets));
        let view = TrayView {
            menu: entries,
            ..starting()
        };
        let text = drawn(&view);
        text.split_once('\n').unwrap().1.to_owned()
    };
    let told = [
        of(vec![managed(State::Running), managed(State::Stale)]),
        of(vec![own(Some(0))]),
        of(vec![own(Some(1)), own(None), managed(State::Running)]),
        of(vec![
            own(Some(2)),
            own(Some(1)),
            bare(State::Stale),
            bare(State::Leftover),
        ]),
        of(vec![own(Some(0)), bare(State::Stale)]),
    ];
    insta::assert_snapshot!(told.join("\n"));
    let entries = actions_on_all(&with(vec![own(Some(2)), own(None)]));
    let exit = entries.iter().find_map(|entry| match entry {
        Entry::Submenu { entries, .. } => entries.first(),
        _ => None,
    });
    let Some(Entry::Item {
        intent: Some(Intent::Reset(each)),
        ..
    }) = exit
    else {
        panic!("{exit:?}");
    };
    let consents: Vec<SessionConsent> = each.iter().map(|(_, consent)| *consent).collect();
    assert_eq!(consents, [SessionConsent::UpTo(2), SessionConsent::Any]);
}

#[test]
fn separators_stand_only_between_what_there_is() {
    let shape = |snapshot: &Snapshot, openable: &[Openable]| -> Vec<String> {
        let view = view(snapshot, &Answers::new(), openable);
        let key = |entry: Entry| match entry {
            Entry::Separator => "--".to_owned(),
            Entry::Item { key, .. } | Entry::Check { key, .. } | Entry::Submenu { key, .. } => key,
        };
        view.menu.into_iter().map(key).collect()
    };
    let host = Openable {
        alias: HostAlias("db".to_owned()),
        is_opening: false,
    };
    let nothing = with(Vec::new());
    assert_eq!(shape(&nothing, &[]), ["summary", "--", "about", "quit"]);
    assert_eq!(
        shape(&nothing, &[host]),
        ["summary", "--", "open-menu", "--", "about", "quit"]
    );
    let finding = Finding::new(FindingId::NoKeepalive, "host web", "seen", "do");
    let noted = Snapshot {
        findings: vec![finding],
        ..with(vec![bare(State::Running)])
    };
    assert_eq!(
        shape(&noted, &[]),
        [
            "summary",
            "--",
            "socket /s/u@h-22",
            "--",
            "check-all",
            "clean-all",
            "exit-all-menu",
            "--",
            "problems",
            "--",
            "about",
            "quit"
        ]
    );
}

#[test]
fn a_name_that_hides_something_is_shown_plain() {
    let host = Openable {
        alias: HostAlias("a\nb".to_owned()),
        is_opening: false,
    };
    let opening = Openable {
        is_opening: true,
        ..host.clone()
    };
    let menu = drawn(&view(&with(Vec::new()), &Answers::new(), &[host, opening]));
    assert!(menu.contains("a\\u{a}b  [Open]"), "{menu}");
    assert!(menu.contains("(a\\u{a}b: opening\u{2026})"), "{menu}");
}

#[test]
fn problems_of_one_kind_are_told_up_to_three_or_four() {
    let menu = |number: usize| {
        let finding = |number| {
            Finding::new(
                FindingId::PathTooLong,
                format!("host h{number}"),
                "seen",
                "do",
            )
        };
        let findings: Vec<Finding> = (0..number).map(finding).collect();
        let view = TrayView {
            menu: vec![problems_menu(&findings)],
            ..starting()
        };
        drawn(&view)
    };
    assert!(
        menu(4).contains("host h3: ") && !menu(4).contains("more"),
        "{}",
        menu(4)
    );
    assert!(!menu(5).contains("host h3: "), "{}", menu(5));
    assert!(
        menu(5).contains("\u{2026} 2 more path-too-long: muxtray doctor"),
        "{}",
        menu(5)
    );
}

#[test]
fn problems_and_notes_are_counted_apart() {
    let label = |ids: &[FindingId]| {
        let finding = |id: &FindingId| Finding::new(*id, "/s", "seen", "do");
        let findings: Vec<Finding> = ids.iter().map(finding).collect();
        match problems_menu(&findings) {
            Entry::Submenu { label, .. } => label,
            other => panic!("{other:?}"),
        }
    };
    use FindingId::{DirectoryInsecure, NoKeepalive, PathTooLong};
    assert_eq!(label(&[NoKeepalive]), "Notes (1)");
    assert_eq!(label(&[PathTooLong, DirectoryInsecure]), "Problems (2)");
    assert_eq!(
        label(&[PathTooLong, NoKeepalive, NoKeepalive]),
        "Problems (1) and notes (2)"
    );
}

#[test]
fn what_muxtray_has_a_row_for_is_not_copied() {
    let clicks = |finding: Finding| -> Vec<String> {
        let label = |entry: Entry| match entry {
            Entry::Item {
                label,
                intent: Some(_),
                ..
            } => Some(label),
            _ => None,
        };
        remark(0, &finding).into_iter().filter_map(label).collect()
    };
    let finding = || Finding::new(FindingId::Stale, "/s/a", "seen", "do");
    let target = bare(State::Stale).target();
    assert_eq!(clicks(finding()), [""; 0]);
    assert_eq!(clicks(finding().with_command("muxtray exit /s/a")), [""; 0]);
    assert_eq!(clicks(finding().with_command("kill 17")), ["Copy command"]);
    let clean = Fix::Clean {
        target: target.clone(),
        is_leftover: false,
    };
    assert_eq!(
        clicks(finding().with_command("rm /s/a").with_fix(clean)),
        [""; 0]
    );
    assert_eq!(
        clicks(
            finding()
                .with_command("chmod 600 /s/a")
                .with_fix(Fix::CloseSocket(target))
        ),
        ["Close the socket to others"]
    );
}

#[test]
fn a_fold_without_rows_beside_it_is_no_rest() {
    // Eight problems fit; each of five kinds of two leaves no room for a row of its own.
    let ids = [
        State::Stale,
        State::Leftover,
        State::Denied(crate::model::socket::Denied::Look),
        State::Unresponsive(crate::model::socket::Unresponsive::Stopped),
        State::Orphaned { successor: true },
    ];
    let sockets = ids.iter().flat_map(|state| {
        (0..2_u64).map(move |number| {
            let mut socket = bare(state.clone());
            socket.path = path(&format!("/s/{}{number}", state.name()));
            socket.cookie = Some(crate::model::socket::Cookie(number));
            let id = state.finding_id().unwrap();
            socket.findings = vec![Finding::new(id, "/s", "seen", "do")];
            socket
        })
    });
    let menu = drawn(&view(&with(sockets.collect()), &Answers::new(), &[]));
    assert!(menu.contains("\n\u{25b2} 2 stale >\n"), "{menu}");
    assert!(!menu.contains("more"), "{menu}");
}
