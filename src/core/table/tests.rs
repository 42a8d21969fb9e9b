use super::super::report::Report;
use super::super::samples::{observation, path, running, seen, stat};
use super::super::socket::{Connect, File, Observation, Stat, UserId};
use super::*;

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
