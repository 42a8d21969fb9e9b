use super::super::finding::FindingId;
use super::super::fix::Fix;
use super::super::samples::{observation, running, seen};
use super::super::socket::{Connect, Observation};
use super::super::table::plain;
use super::*;

const EXAMINED: Examined = Examined {
    hosts: 1,
    directories: 2,
};

#[test]
fn every_finding_is_told_at_length_the_worst_first() {
    let mut snapshot = seen(vec![Observation {
        connect: Some(Connect::Refused),
        ..observation()
    }]);
    snapshot.findings = vec![
        Finding::new(
            FindingId::NoKeepalive,
            "host web",
            "ServerAliveInterval 0",
            "set it",
        )
        .with_lines([
            "Host web".to_owned(),
            "    ServerAliveInterval 15".to_owned(),
        ]),
        Finding::new(
            FindingId::DirectoryMissing,
            "/t",
            "no such directory",
            "make it",
        )
        .with_command("mkdir -m 700 /t")
        .with_fix(Fix::MakeDirectory("/t".into())),
    ];
    insta::assert_snapshot!(plain(&report(&snapshot, EXAMINED)));
}

#[test]
fn a_healthy_setup_is_one_line() {
    let text = plain(&report(&seen(vec![running()]), EXAMINED));
    assert_eq!(text, "all is well (1 host, 2 directories, 1 socket)\n");
}
