use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::fold::tests::many;
use super::settings::tests::preferences;
use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::{Finding, FindingId};
use crate::model::fix::Fix;
use crate::model::observation::{Connect, File, Observation, Stat};
use crate::model::places::{Host, Managed, Places};
use crate::model::recent::Recent;
use crate::model::samples::{
    clock, in_state, observation, path, places, running, seen, stat, states, stranded_master,
};
use crate::model::settings::Change;
use crate::model::socket::{MasterPid, State, UserId};

/// Returns the menu as indented text. A disabled row is in brackets, and `[…]` is the request of a click.
pub(super) fn drawn(view: &TrayView) -> String {
    fn request(intent: &Intent) -> String {
        let text = format!("{intent:?}");
        let name = text.split([' ', '(']).next().unwrap();
        match intent {
            Intent::Exit { consent, .. }
            | Intent::Open { consent, .. }
            | Intent::EndProcess { consent, .. } => format!("{name} {consent:?}"),
            Intent::OpenAll(each) => {
                let hosts: Vec<_> = each
                    .iter()
                    .map(|(host, consent)| format!("{} {consent:?}", host.0))
                    .collect();
                format!("{name} {hosts:?}")
            }
            Intent::Reset(each) => {
                let consents: Vec<_> = each.iter().map(|(_, consent)| consent).collect();
                format!("{name} {consents:?}")
            }
            Intent::Set(Change::Switch(setting, on)) => format!("Set({setting:?}, {on})"),
            Intent::Set(Change::Reopen(host, on)) => format!("Reopen({host}, {on})"),
            Intent::Set(Change::Icon(shown)) => format!("Icon({shown:?})"),
            Intent::StartAtLogin(_) | Intent::CopyText(_) | Intent::Fix(_) => text,
            _ => name.to_owned(),
        }
    }
    fn click(label: &str, intent: Option<&Intent>) -> String {
        match intent {
            Some(intent) => format!("{label}  [{}]", request(intent)),
            None => format!("({label})"),
        }
    }
    fn rows(entries: &[Entry], indent: &str) -> String {
        let row = |entry: &Entry| match entry {
            Entry::Separator => "----\n".to_owned(),
            Entry::Submenu { label, entries, .. } => {
                format!("{label} >\n{}", rows(entries, &format!("{indent}    ")))
            }
            Entry::Item { label, intent, .. } => click(label, intent.as_ref()) + "\n",
            Entry::Check {
                label,
                checked,
                intent,
                ..
            } => {
                let mark = if *checked { 'x' } else { ' ' };
                click(&format!("[{mark}] {label}"), intent.as_ref()) + "\n"
            }
        };
        let rows = entries
            .iter()
            .map(|entry| format!("{indent}{}", row(entry)));
        rows.collect()
    }
    format!(
        "{:?}: {}\n{}",
        view.icon,
        view.summary,
        rows(&view.menu, "")
    )
}

pub(super) fn context() -> RowContext<'static> {
    static ANSWERS: Answers = Answers::new();
    static PREFERENCES: LazyLock<Preferences> = LazyLock::new(preferences);
    RowContext {
        answers: &ANSWERS,
        clock: clock(),
        can_show: true,
        preferences: &PREFERENCES,
    }
}

/// Returns rows without the icon and the summary.
pub(super) fn drawn_rows(menu: Vec<Entry>) -> String {
    let view = TrayView { menu, ..starting() };
    drawn(&view).split_once('\n').unwrap().1.to_owned()
}

fn menu_of(snapshot: &Snapshot) -> TrayView {
    view_of(snapshot, &Answers::new(), &Places::default())
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

fn host(alias: &str) -> Host {
    Host {
        alias: HostAlias(alias.to_owned()),
        control_path: Some(path(&format!("/hosts/{}", alias.len()))),
        ..places().hosts.remove(0)
    }
}

fn with_hosts(hosts: impl IntoIterator<Item = Host>) -> Places {
    Places {
        hosts: hosts.into_iter().collect(),
        ..Places::default()
    }
}

fn view_of(snapshot: &Snapshot, answers: &Answers, places: &Places) -> TrayView {
    let hosts = MenuHosts {
        places,
        recent: &Recent::default(),
        opening: &BTreeSet::new(),
    };
    view(snapshot, answers, hosts, true, &preferences())
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
    let hosts = with_hosts([host("a\nb"), host("host1")]);
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
    let full = drawn(&view_of(&snapshot, &answers, &hosts));
    let empty = drawn(&menu_of(&with(Vec::new(), Vec::new())));
    let lines = ["Host *".to_owned(), "    ControlMaster auto".to_owned()];
    let not_configured = finding(FindingId::NotConfigured, "ssh configuration").with_lines(lines);
    let not_configured = drawn(&menu_of(&with(Vec::new(), vec![not_configured])));
    insta::assert_snapshot!([full, empty, not_configured, drawn(&starting())].join("\n"));
}

/// 200 masters, 800 stale sockets, 301 findings of hosts, and 22 hosts.
fn thousand() -> TrayView {
    let sockets = [
        many(&State::Stale, 0..800),
        many(&State::Running, 800..1000),
    ]
    .concat();
    let too_long = |number| finding(FindingId::PathTooLong, &format!("host h{number}"));
    let mut findings: Vec<Finding> = (0..300).map(too_long).collect();
    findings.push(finding(FindingId::SshConfigInvalid, "host h1"));
    let hosts = with_hosts((0..22).map(|n| host(&format!("host{n}"))));
    view_of(&with(sockets, findings), &Answers::new(), &hosts)
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
fn no_submenu_has_a_submenu() {
    fn depth(entries: &[Entry]) -> usize {
        let below = |entry: &Entry| match entry {
            Entry::Submenu { entries, .. } => depth(entries),
            _ => 0,
        };
        1 + entries.iter().map(below).max().unwrap_or_default()
    }
    let busy = |state| Socket {
        sessions: Some(3),
        forwarded: Some(1),
        jumping: vec!["db".to_owned()],
        findings: vec![finding(FindingId::Stale, "/s").with_command("true")],
        ..in_state(state)
    };
    let of_each_state = menu_of(&with(states().into_iter().map(busy).collect(), Vec::new()));
    for view in [of_each_state, thousand(), starting()] {
        let view = view.with_settings(&preferences());
        assert_eq!(depth(&view.menu), 2);
    }
}

#[test]
fn keys_are_unique_among_siblings() {
    fn check(entries: &[Entry]) {
        let key = |entry: &Entry| match entry {
            Entry::Separator => None,
            Entry::Item { key, .. } | Entry::Check { key, .. } | Entry::Submenu { key, .. } => {
                Some(key.clone())
            }
        };
        let keys: Vec<String> = entries.iter().filter_map(key).collect();
        let unique: BTreeSet<&String> = keys.iter().collect();
        assert_eq!(unique.len(), keys.len(), "{keys:?}");
        for entry in entries {
            if let Entry::Submenu { entries, .. } = entry {
                check(entries);
            }
        }
    }
    check(&thousand().with_settings(&preferences()).menu);
}

#[test]
fn icon_and_summary_count_masters_and_problems() {
    use FindingId::{DirectoryMissing, NoKeepalive};
    let views = [
        (vec![], None),
        (
            [many(&State::Running, 0..1), many(&State::Stale, 0..1)].concat(),
            Some(DirectoryMissing),
        ),
        // A finding of severity info is no problem.
        (many(&State::Running, 0..2), Some(NoKeepalive)),
    ]
    .map(|(sockets, id)| {
        let findings = id.into_iter().map(|id| finding(id, "/s")).collect();
        let text = drawn(&menu_of(&with(sockets, findings)));
        let mut lines = text.lines();
        let label = lines.clone().find(|line| line.ends_with(") >"));
        format!("{} | {}", lines.next().unwrap(), label.unwrap_or_default())
    });
    insta::assert_snapshot!(views.join("\n"));
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
        let rows = actions_on_all(&with(sockets, vec![]));
        drawn_rows(rows.into())
    });
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn one_row_reconnects_several_stranded_masters_jump_hosts_first() {
    let stranded = |alias: &str, sessions, through: &[i32]| {
        let mut socket = Socket {
            sessions,
            hosts: vec![HostAlias(alias.to_owned())],
            ..stranded_master()
        };
        let connection = &mut socket.network.as_mut().unwrap().connection;
        connection.through = through.iter().copied().map(MasterPid).collect();
        socket
    };
    let managed = Socket {
        managed_by: Some(Managed("lima")),
        ..stranded("vm", Some(1), &[])
    };
    let rows = [
        vec![stranded("web", Some(2), &[]), managed],
        vec![stranded("web", Some(0), &[]), stranded("db", Some(0), &[])],
        vec![stranded("web", None, &[]), stranded("db", Some(0), &[])],
        vec![
            stranded("far", Some(2), &[7, 8]),
            stranded("near", Some(1), &[7]),
            stranded("hop", Some(2), &[]),
        ],
    ]
    .map(|sockets| {
        let text = drawn(&menu_of(&with(sockets, Vec::new())));
        let row = text.lines().find(|line| line.starts_with("Reconnect"));
        row.unwrap_or("none").to_owned()
    });
    insta::assert_snapshot!(rows.join("\n"));
}
