use super::super::finding::Finding;
use super::super::network::{Cause, Doubt};
use super::super::samples::{observation, path, places, running, seen};
use super::super::socket::{Connect, Denied, Observation, Unresponsive};
use super::*;

fn host() -> Host {
    places().hosts.remove(0)
}

fn alias(name: &str) -> HostAlias {
    HostAlias(name.to_owned())
}

fn stale() -> Snapshot {
    seen(vec![Observation {
        connect: Some(Connect::Refused),
        ..observation()
    }])
}

fn in_state(state: State) -> Snapshot {
    let mut snapshot = seen(vec![running()]);
    snapshot.sockets[0].state = state;
    snapshot
}

#[test]
fn what_stands_at_the_path_is_dealt_with_first() {
    let start = |snapshot: &Snapshot| match plan("web", &host(), snapshot) {
        Plan::Start(start) => start.first,
        other => panic!("{other:?}"),
    };
    assert_eq!(start(&seen(Vec::new())), First::Nothing);
    let snapshot = stale();
    let target = snapshot.sockets[0].target();
    assert_eq!(start(&snapshot), First::Clean(target));
    let snapshot = in_state(State::Stranded(Cause::Unanswered));
    let target = snapshot.sockets[0].target();
    assert_eq!(start(&snapshot), First::End(target));
    for state in [State::Running, State::Suspect(Doubt::NoRoute)] {
        let plan = plan("web", &host(), &in_state(state));
        assert!(matches!(plan, Plan::Running(_)), "{plan:?}");
    }
    for state in [
        State::Denied(Denied::Connect),
        State::Unresponsive(Unresponsive::Stopped),
    ] {
        let plan = plan("web", &host(), &in_state(state));
        assert!(matches!(plan, Plan::Blocked(_)), "{plan:?}");
    }
}

#[test]
fn without_a_path_or_a_place_for_a_socket_nothing_is_started() {
    let pathless = Host {
        control_path: None,
        ..host()
    };
    let blocked = |plan| match plan {
        Plan::Blocked(obstacle) => obstacle.evidence,
        other => panic!("{other:?}"),
    };
    let said = blocked(plan("web", &pathless, &seen(Vec::new())));
    assert!(said.contains("no ControlPath for web"), "{said}");
    let mut snapshot = seen(Vec::new());
    let missing = Finding::new(
        FindingId::DirectoryMissing,
        "/s",
        "does not exist",
        "make it",
    );
    snapshot.findings = vec![missing];
    let said = blocked(plan("web", &host(), &snapshot));
    assert_eq!(said, "/s: does not exist");
    let insecure = Finding::new(FindingId::DirectoryInsecure, "/s", "open", "close it");
    snapshot.findings = vec![insecure];
    let plan = plan("web", &host(), &snapshot);
    assert!(
        matches!(plan, Plan::Start(_)),
        "masters start there: {plan:?}"
    );
}

#[test]
fn the_menu_has_a_row_for_each_host_without_a_master() {
    let named = |name: &str, at: &str| Host {
        alias: alias(name),
        control_path: Some(path(at)),
        ..host()
    };
    let mut places = places();
    places.hosts = vec![
        named("a", "/s/a"),
        named("a-too", "/s/a"),
        named("b", "/s/b"),
        named("c", "/s/c"),
        Host {
            multiplexes: false,
            ..named("never", "/s/never")
        },
        named("web", "/s/u@h-22"),
    ];
    places.other = Some(named("host.invalid", "/s/other"));
    let recent: Recent = serde_json::from_str(r#"["gone", "c", "a-too"]"#).unwrap();
    let names = |snapshot: &Snapshot, opening: &[&str]| -> Vec<String> {
        let opening = opening.iter().copied().map(alias).collect();
        openable(&places, snapshot, &recent, &opening)
            .into_iter()
            .map(|host| format!("{}{}", host.alias.0, if host.is_opening { "…" } else { "" }))
            .collect()
    };
    assert_eq!(names(&seen(vec![running()]), &[]), ["c", "a", "b"]);
    assert_eq!(names(&stale(), &["b"]), ["c", "a", "b…", "web"]);
    assert_eq!(
        names(&seen(vec![running()]), &["web"]),
        ["c", "a", "b", "web…"]
    );
}

#[test]
fn a_failure_is_told_with_what_helps() {
    let refused = |said: &str| Failure::Refused(Some(said.to_owned()));
    for (failure, helps) in [
        (
            refused("Host key verification failed."),
            "in a terminal: ssh web",
        ),
        (refused("u@h: Permission denied (publickey)."), "ssh-add"),
        (
            refused("ssh: connect to host h port 22: Connection refused"),
            "ssh -v web",
        ),
        (
            Failure::TimedOut(Duration::from_secs(60), None),
            "ssh -v web",
        ),
    ] {
        let told = way_out(&failure, "web");
        assert!(told.contains(helps), "{failure}: {told}");
    }
}

#[test]
fn how_long_it_lasts_is_said_in_words() {
    for (persist, words) in [
        (Persist::No, "it stays until it is told to exit"),
        (Persist::Forever, "it stays until it is told to exit"),
        (Persist::Seconds(600), "it ends after 10m without a session"),
    ] {
        assert_eq!(lasts(persist), words);
    }
}
