use super::*;
use crate::model::control_path::HostAlias;
use crate::model::samples::{in_state, path, places, running, seen};

#[test]
fn obstacle_is_the_first_finding_or_the_state() {
    let mut socket = in_state(State::Stale);
    let way_out = commands::way_out(&socket).to_string();
    let finding = |evidence: &str| Finding::new(FindingId::Stale, "~/a", evidence, "clean");
    for (findings, evidence, remedy) in [
        (vec![], "/s/u@h-22 is stale", way_out.as_str()),
        (
            vec![finding("refused"), finding("more")],
            "~/a is stale: refused",
            "clean",
        ),
    ] {
        socket.findings = findings;
        let obstacle = Obstacle::at(&socket);
        assert_eq!(obstacle.evidence, evidence);
        assert_eq!(obstacle.remedy.as_deref(), Some(remedy));
    }
}

#[test]
fn findings_are_those_of_the_master_its_path_the_host_and_ssh() {
    let host = places().hosts.remove(0);
    let finding = |id, subject: &str| Finding::new(id, subject, "seen", "do");
    let alias = |name: &str| [HostAlias(name.to_owned())];
    let mut snapshot = seen(vec![running()]);
    snapshot.sockets[0].findings = vec![finding(FindingId::InsecureMode, "master")];
    snapshot.findings = vec![
        finding(FindingId::DirectoryInsecure, "directory").with_paths(["/s"]),
        finding(FindingId::PathCollision, "path").with_paths(["/s/u@h-22"]),
        finding(FindingId::DirectoryMissing, "other directory").with_paths(["/t"]),
        finding(FindingId::SshMissing, "ssh"),
        finding(FindingId::ConfigInvalid, "config.toml"),
        finding(FindingId::PathTooLong, "by alias").with_hosts([host.alias.clone()]),
        finding(FindingId::PathTooLong, "as typed").with_hosts(alias("WEB")),
        finding(FindingId::PathTooLong, "other host").with_hosts(alias("db")),
        finding(FindingId::NoKeepalive, "info").with_hosts([host.alias.clone()]),
    ];
    let subjects = |host: &Host, snapshot: &Snapshot| -> Vec<String> {
        let found = findings("WEB", host, snapshot);
        found.into_iter().map(|it| it.subject.clone()).collect()
    };
    let all = ["master", "directory", "path", "ssh", "by alias", "as typed"];
    assert_eq!(subjects(&host, &snapshot), all);
    snapshot.sockets[0].state = State::Stale;
    assert_eq!(subjects(&host, &snapshot), all[1..]);
    let pathless = Host {
        control_path: None,
        ..host
    };
    assert_eq!(subjects(&pathless, &snapshot), all[3..]);
}

#[test]
fn orphans_are_not_at_their_path() {
    let mut snapshot = seen(vec![running()]);
    let at = |at, snapshot: &Snapshot| socket_at(&path(at), snapshot).is_some();
    assert!(at("/s/u@h-22", &snapshot) && !at("/s/other", &snapshot));
    snapshot.sockets[0].state = State::Orphaned { successor: false };
    assert!(!at("/s/u@h-22", &snapshot));
}
