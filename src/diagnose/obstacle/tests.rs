use super::*;
use crate::model::control_path::HostAlias;
use crate::model::samples::{in_state, path, places, running, seen, states};

fn told(obstacle: &Obstacle) -> String {
    let remedy = obstacle.remedy.as_deref().unwrap_or("nothing");
    format!("{}\n    -> {remedy}", obstacle.evidence)
}

#[test]
fn without_a_path_there_is_nothing_to_share() {
    assert_eq!(
        told(&Obstacle::no_control_path("a\nb")),
        "ssh has no ControlPath for a\\u{a}b\n    -> put these into its Host block: \
         ControlMaster auto, ControlPath ~/.ssh/s/%C, ControlPersist 10m"
    );
}

#[test]
fn what_stands_at_the_path_is_told_by_its_first_finding_or_its_state() {
    let mut socket = in_state(State::Stale);
    socket.sessions = Some(0);
    assert_eq!(
        told(&Obstacle::at(&socket)),
        "/s/u@h-22 is stale\n    -> end its process: muxtray exit --end-process /s/u@h-22"
    );
    let finding = |evidence: &str| Finding::new(FindingId::Stale, "/s/u@h-22", evidence, "clean");
    socket.findings = vec![finding("refused"), finding("more")];
    assert_eq!(
        told(&Obstacle::at(&socket)),
        "/s/u@h-22 is stale: refused\n    -> clean"
    );
    assert_eq!(
        told(&Obstacle::from(&finding("refused"))),
        "/s/u@h-22: refused\n    -> clean"
    );
}

#[test]
fn an_orphan_stands_nowhere_and_everything_else_at_its_path() {
    for state in states() {
        let is_orphan = matches!(state, State::Orphaned { .. });
        let socket = in_state(state);
        let snapshot = Snapshot {
            sockets: vec![socket.clone()],
            ..seen(Vec::new())
        };
        let found = standing_at(&path("/s/u@h-22"), &snapshot);
        assert_eq!(found, (!is_orphan).then_some(&socket));
        assert_eq!(standing_at(&path("/s/other"), &snapshot), None);
    }
}

#[test]
fn what_is_known_against_a_host_is_of_its_socket_its_directory_itself_and_ssh() {
    let host = places().hosts.remove(0);
    let finding = |id, subject: &str| Finding::new(id, subject, "seen", "do");
    let mut snapshot = seen(vec![running()]);
    snapshot.findings = vec![
        finding(FindingId::DirectoryInsecure, "/s"),
        finding(FindingId::DirectoryMissing, "/t"),
        finding(FindingId::PathCollision, "/s/u@h-22"),
        finding(FindingId::SshMissing, "ssh"),
        finding(FindingId::ConfigInvalid, "config.toml"),
        finding(FindingId::PathTooLong, "by alias").with_hosts([host.alias.clone()]),
        finding(FindingId::PathTooLong, "as typed").with_hosts([HostAlias("WEB".to_owned())]),
        finding(FindingId::PathTooLong, "another").with_hosts([HostAlias("db".to_owned())]),
        finding(FindingId::NoKeepalive, "a note").with_hosts([host.alias.clone()]),
    ];
    let mut other = in_state(State::Running);
    other.path = path("/s/other");
    snapshot.sockets.push(other);
    for socket in &mut snapshot.sockets {
        let subject = format!("of {}", socket.path);
        socket.findings = vec![finding(FindingId::InsecureMode, &subject)];
    }
    let about = |snapshot: &Snapshot| -> Vec<String> {
        let found = findings("WEB", &host, snapshot);
        found.into_iter().map(|it| it.subject.clone()).collect()
    };
    let places = ["/s", "/s/u@h-22", "ssh", "by alias", "as typed"];
    assert_eq!(about(&snapshot), [&["of /s/u@h-22"], &places[..]].concat());
    // What does not run is told by its state.
    snapshot.sockets[0].state = State::Stale;
    assert_eq!(about(&snapshot), places);
    let pathless = Host {
        control_path: None,
        ..host.clone()
    };
    let found = findings("web", &pathless, &snapshot);
    let found: Vec<&str> = found.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!(found, ["ssh", "by alias"]);
}

#[test]
fn a_failure_is_told_in_the_words_there_are() {
    let limit = Duration::from_secs(75);
    let said = || Some("Permission denied (publickey).".to_owned());
    for (failure, told) in [
        (
            Failure::Refused(said()),
            "ssh said: Permission denied (publickey).",
        ),
        (Failure::Refused(None), "ssh gave up and did not say why"),
        (
            Failure::TimedOut(limit, said()),
            "no end within 1m 15s; ssh said: Permission denied (publickey).",
        ),
        (Failure::TimedOut(limit, None), "no end within 1m 15s"),
        (
            Failure::NoMaster(path("/s/a")),
            "ssh connected, but made no master at /s/a",
        ),
        (
            Failure::NotStarted("No such file or directory".to_owned()),
            "ssh cannot be started: No such file or directory",
        ),
    ] {
        assert_eq!(failure.to_string(), told);
    }
}
