use super::*;
use crate::model::finding::FindingId;
use crate::model::places::ControlMaster;
use crate::model::samples::{observation, path, places, running, seen, states};
use crate::model::socket::{Connect, Observation};
use crate::present::menu::tests::drawn_rows;

fn named(name: &str, at: &str) -> Host {
    Host {
        alias: HostAlias(name.to_owned()),
        control_path: Some(path(at)),
        ..places().hosts.remove(0)
    }
}

fn without(name: &str, control_master: ControlMaster) -> Host {
    Host {
        control_path: None,
        control_master,
        ..named(name, "/s")
    }
}

fn rows(hosts: Vec<Host>, opening: &[&str], snapshot: &Snapshot, can_show: bool) -> String {
    let places = Places { hosts, ..places() };
    let recent: Recent = serde_json::from_str(r#"["gone", "c", "a-too"]"#).unwrap();
    let opening = opening.iter().map(|name| HostAlias((*name).to_owned()));
    let hosts = MenuHosts {
        places: &places,
        recent: &recent,
        opening: &opening.collect(),
    };
    drawn_rows(hosts.submenus(snapshot, can_show))
}

#[test]
fn a_row_has_the_state_and_opens_a_master() {
    let by = |written_by, host| Host { written_by, ..host };
    let hosts = vec![
        without("never", ControlMaster::No),
        named("a", "/s/a"),
        named("a-too", "/s/a"),
        named("b\n", "/s/b"),
        named("c", "/s/c"),
        without("half", ControlMaster::Auto),
        named("web", "/s/u@h-22"),
        by(WrittenBy::System, named(".host", "/s/.host")),
        by(WrittenBy::Administrator, named("jump", "/s/jump")),
    ];
    let stale = Observation {
        connect: Some(Connect::Refused),
        ..observation()
    };
    let about = |id, host: &str| {
        let alias = HostAlias(host.to_owned());
        Finding::new(id, host, "seen", "do").with_hosts([alias])
    };
    let mut snapshot = seen(vec![running()]);
    snapshot.findings = vec![
        about(FindingId::NoControlPath, "half"),
        about(FindingId::NoControlPersist, "a"),
        about(FindingId::NoKeepalive, "a"),
        about(FindingId::PathTooLong, "jump"),
        about(FindingId::PathTooLong, "jump"),
    ];
    let first = rows(hosts.clone(), &[], &snapshot, true);
    let without_windows = rows(hosts.clone(), &[], &snapshot, false);
    let second = rows(hosts, &["b\n"], &seen(vec![stale]), true);
    insta::assert_snapshot!([first, without_windows, second].join("\n"));
}

#[test]
fn every_state_has_its_words_and_opens_only_where_no_master_is() {
    for state in states() {
        let mut snapshot = seen(vec![running()]);
        snapshot.sockets[0].state = state.clone();
        let text = rows(vec![named("web", "/s/u@h-22")], &[], &snapshot, true);
        let is_there = !matches!(state, State::Orphaned { .. });
        assert_eq!(text.contains(&state.word()), is_there, "{text}");
        let opens = matches!(state, State::Stale | State::Orphaned { .. });
        assert_eq!(text.contains("[Open "), opens, "{text}");
    }
}

#[test]
fn the_rest_of_many_hosts_is_a_number() {
    let hosts = |n: usize| (0..n).map(|n| named(&format!("h{n}"), &format!("/s/{n}")));
    for (n, last) in [(21, "    h20"), (22, "    (\u{2026} 2 more: ")] {
        let text = rows(hosts(n).collect(), &[], &seen(Vec::new()), false);
        assert_eq!(text.matches(last).count(), 2, "{text}");
    }
    assert_eq!(rows(Vec::new(), &[], &seen(Vec::new()), true), "");
}
