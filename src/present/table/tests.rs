use std::path::Path;
use std::time::Duration;

use super::*;
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::finding::FindingId;
use crate::model::places::Managed;
use crate::model::samples::{at, in_state, observation, path, running, seen, stat};
use crate::model::socket::{Connect, File, Observation, Stat, State, UserId};
use crate::present::report::Report;

fn a_bit_of_everything() -> Snapshot {
    let stale = Observation {
        path: path("/home/u/.ssh/s/db"),
        connect: Some(Connect::Refused),
        ..observation()
    };
    let theirs = File::Socket(Stat {
        uid: UserId(0),
        ..stat()
    });
    let misowned = Observation {
        path: path("/s/with a\nnewline"),
        file: theirs,
        ..observation()
    };
    seen(vec![running(), stale, misowned])
}

#[test]
fn the_table_reads_well() {
    let lines = report(
        &a_bit_of_everything(),
        Some(std::path::Path::new("/home/u")),
    );
    insta::assert_snapshot!(plain(&lines));
}

#[test]
fn no_line_ends_in_blanks() {
    for line in plain(&report(&a_bit_of_everything(), None)).lines() {
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn the_details_of_one_socket() {
    let snapshot = a_bit_of_everything();
    insta::assert_snapshot!(plain(&details(&snapshot.sockets[0], snapshot.at)));
}

#[test]
fn the_json_report_is_as_promised() {
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&Report::from(&a_bit_of_everything())).unwrap()
    );
}

fn with(sockets: Vec<Socket>) -> Snapshot {
    Snapshot {
        sockets,
        ..seen(Vec::new())
    }
}

#[test]
fn what_is_not_known_is_a_dash_and_a_program_is_named() {
    let unknown = Socket {
        destination: None,
        hosts: Vec::new(),
        pid: None,
        sessions: None,
        owner: None,
        mode: None,
        since: None,
        managed_by: Some(Managed::Lima),
        ..in_state(State::Running)
    };
    let by_path = Socket {
        hosts: Vec::new(),
        ..in_state(State::Running)
    };
    let text = plain(&report(&with(vec![unknown.clone(), by_path]), None));
    let details = plain(&details(&unknown, at()));
    insta::assert_snapshot!(format!("{text}\n{details}"));
}

#[test]
fn findings_of_places_stand_under_the_table_with_their_style() {
    let snapshot = Snapshot {
        findings: [Severity::Error, Severity::Warning, Severity::Info]
            .map(|severity| {
                let finding = Finding::new(FindingId::PathTooLong, "host web", "91 bytes", "do");
                finding.with_severity(severity)
            })
            .into(),
        ..with(vec![in_state(State::Running)])
    };
    let lines = report(&snapshot, None);
    insta::assert_snapshot!(plain(&lines));
    let styles: Vec<Style> = lines[2..]
        .iter()
        .filter(|line| line.len() == 3)
        .map(|line| line[0].0)
        .collect();
    assert_eq!(styles, [Style::Error, Style::Warning, Style::Info]);
    let alone = Snapshot {
        sockets: Vec::new(),
        ..snapshot
    };
    let text = plain(&report(&alone, None));
    assert!(
        text.starts_with("\u{25b2} host web  path-too-long\n"),
        "{text}"
    );
}

#[test]
fn nothing_at_all_is_one_line() {
    assert_eq!(plain(&report(&with(Vec::new()), None)), "no masters\n");
}

#[test]
fn a_master_that_is_well_is_green() {
    let lines = report(&with(vec![in_state(State::Running)]), None);
    let head: Vec<Style> = lines[0].iter().map(|(style, _)| *style).collect();
    assert_eq!(head, [Style::Head]);
    let row: Vec<Style> = lines[1].iter().map(|(style, _)| *style).collect();
    assert_eq!(row, [Style::Good, Style::Plain, Style::Good, Style::Plain]);
}

#[test]
fn columns_line_up_under_wide_characters() {
    let named = |name: &str| Socket {
        hosts: vec![HostAlias(name.to_owned())],
        ..in_state(State::Running)
    };
    let text = plain(&report(
        &with(vec![named("\u{6f22}\u{5b57}"), named("abcd")]),
        None,
    ));
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(
        rows[1],
        "\u{25cf} \u{6f22}\u{5b57}  running  2         4711  16 min  /s/u@h-22"
    );
    assert_eq!(
        rows[2],
        "\u{25cf} abcd  running  2         4711  16 min  /s/u@h-22"
    );
    assert_eq!(rows[0], "  HOST  STATE    SESSIONS  PID   AGE     PATH");
}

#[test]
fn a_home_is_shortened_where_the_path_is_below_it() {
    let at = |file: &str| Socket {
        path: ControlPath::new(file).unwrap(),
        ..in_state(State::Running)
    };
    for (file, home, shown) in [
        ("/home/u/.ssh/a", Some("/home/u"), "~/.ssh/a"),
        ("/home/u2/.ssh/a", Some("/home/u"), "/home/u2/.ssh/a"),
        ("/home/u/a\nb", Some("/home/u"), "~/a\\u{a}b"),
        ("/home/u/.ssh/a", None, "/home/u/.ssh/a"),
    ] {
        assert_eq!(shortened(&at(file), home.map(Path::new)), shown);
    }
}

#[test]
fn an_age_is_told_where_it_can_be() {
    let since = |since| Socket {
        since,
        ..in_state(State::Running)
    };
    let minute = Duration::from_secs(60);
    for (socket, told) in [
        (since(Some(at() - 5 * minute)), "5 min"),
        (since(Some(at())), "0 s"),
        (since(Some(at() + minute)), "-"),
        (since(None), "-"),
    ] {
        assert_eq!(age(&socket, at()), told);
    }
}
