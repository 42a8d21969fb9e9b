use super::*;
use crate::model::finding::FindingId;
use crate::model::fix::Fix;
use crate::model::samples::{observation, running, seen};
use crate::model::socket::{Connect, Observation};
use crate::present::table::plain;

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
    assert_eq!(
        text,
        "no problems found (1 host, 2 directories, 1 socket)\n"
    );
}

#[test]
fn an_answer_quotes_no_messages_and_has_a_remedy_without_findings() {
    let finding = Finding::new(FindingId::Stale, "/s/a", "refused", "clean it")
        .with_lines(["Host web".to_owned()])
        .with_fix(Fix::MakeDirectory("/s".into()));
    let bare = Answer {
        line: "Control socket connect(/s/a): Connection refused".to_owned(),
        meaning: "nobody listened".to_owned(),
        now: None,
        findings: Vec::new(),
        remedy: Some("remove it".to_owned()),
    };
    let full = Answer {
        now: Some("/s/a is stale".to_owned()),
        findings: vec![finding.clone(), finding],
        remedy: None,
        ..bare.clone()
    };
    let told = [bare, full].map(|it| plain(&answer_lines(&it)));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn styles_follow_the_severity() {
    for (severity, style, word) in [
        (Severity::Info, Style::Info, "note "),
        (Severity::Warning, Style::Warning, "warning "),
        (Severity::Error, Style::Error, "error "),
    ] {
        let mut snapshot = seen(Vec::new());
        let finding = Finding::new(FindingId::Stale, "/s/a", "seen", "do");
        snapshot.findings = vec![finding.with_severity(severity)];
        let lines = report(&snapshot, EXAMINED);
        assert_eq!(lines[0][0], (style, word.to_owned()));
        assert_eq!(lines[0][1], (Style::Plain, "/s/a".to_owned()));
    }
}

#[test]
fn the_last_line_counts_what_was_found_and_what_can_be_mended() {
    let summary = |counts: [usize; 3], fixable: usize| {
        let mut snapshot = seen(Vec::new());
        let severities = [Severity::Error, Severity::Warning, Severity::Info];
        for (number, severity) in counts.into_iter().zip(severities) {
            let finding = Finding::new(FindingId::Stale, "/s/a", "seen", "do");
            let findings = vec![finding.with_severity(severity); number];
            snapshot.findings.extend(findings);
        }
        for finding in &mut snapshot.findings[..fixable] {
            finding.fix = Some(Fix::MakeDirectory("/s".into()));
        }
        let lines = plain(&report(&snapshot, EXAMINED));
        lines.lines().last().unwrap().to_owned()
    };
    let looked = "(1 host, 2 directories, 0 sockets)";
    for (counts, fixable, told) in [
        ([0, 0, 0], 0, format!("no problems found {looked}")),
        ([1, 0, 0], 0, format!("1 error {looked}")),
        ([2, 1, 0], 0, format!("2 errors, 1 warning {looked}")),
        ([0, 2, 1], 0, format!("2 warnings, 1 note {looked}")),
        (
            [0, 0, 2],
            1,
            format!("2 notes {looked}; muxtray doctor --fix fixes 1"),
        ),
        (
            [1, 1, 1],
            3,
            format!("1 error, 1 warning, 1 note {looked}; muxtray doctor --fix fixes 3"),
        ),
    ] {
        assert_eq!(summary(counts, fixable), told);
    }
}

#[test]
fn only_a_socket_with_hosts_is_told_with_them() {
    let mut snapshot = seen(vec![Observation {
        connect: Some(Connect::Refused),
        ..observation()
    }]);
    let first = |snapshot: &Snapshot| {
        let text = plain(&report(snapshot, EXAMINED));
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(first(&snapshot), "warning /s/u@h-22 (web)");
    snapshot.sockets[0].hosts.clear();
    assert_eq!(first(&snapshot), "warning /s/u@h-22");
}
