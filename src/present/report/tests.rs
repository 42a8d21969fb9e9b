use std::time::Duration;

use super::*;
use crate::model::control_path::ControlPath;
use crate::model::finding::FindingId;
use crate::model::network::{Address, Cause, Judgement};
use crate::model::samples::{at, connection, in_state, judgements, running, seen, seen_over};
use crate::model::socket::{MasterPid, Owner, State, UserId};

fn finding(severity: Severity) -> Finding {
    Finding::new(FindingId::Stale, "/s/a", "seen", "do").with_severity(severity)
}

#[test]
fn the_worst_of_sockets_and_of_all_else_decides() {
    let report = |of_sockets: &[Severity], others: &[Severity]| {
        let mut snapshot = seen(vec![running()]);
        snapshot.sockets[0].findings = of_sockets.iter().copied().map(finding).collect();
        snapshot.findings = others.iter().copied().map(finding).collect();
        Report::from(&snapshot).worst()
    };
    use Severity::{Error, Info, Warning};
    for (of_sockets, others, worst) in [
        (&[][..], &[][..], None),
        (&[Info], &[], Some(Info)),
        (&[], &[Warning, Info], Some(Warning)),
        (&[Error], &[Warning], Some(Error)),
        (&[Warning, Info], &[Error, Info], Some(Error)),
    ] {
        assert_eq!(report(of_sockets, others), worst);
    }
}

#[test]
fn a_time_is_told_to_the_second_and_never_before_the_epoch() {
    let hour = Duration::from_secs(3600);
    for (time, told) in [
        (at(), "2027-01-15T08:00:00Z"),
        (at() + Duration::from_millis(999), "2027-01-15T08:00:00Z"),
        (SystemTime::UNIX_EPOCH, "1970-01-01T00:00:00Z"),
        (SystemTime::UNIX_EPOCH - hour, "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(rfc3339(time), told);
    }
}

#[test]
fn a_socket_is_reported_with_all_that_is_known() {
    let mut socket = in_state(State::Running);
    socket.mode = Some(0o60);
    socket.own_session = true;
    socket.managed_by = Some(Managed::GitAnnex);
    socket.persist_secs = Some(0);
    insta::assert_snapshot!(serde_json::to_string_pretty(&SocketReport::from(&socket)).unwrap());
}

#[test]
fn what_is_not_known_is_null() {
    let socket = Socket {
        id: None,
        cookie: None,
        hosts: Vec::new(),
        destination: None,
        pid: None,
        sessions: None,
        owner: Some(Owner {
            uid: UserId(7),
            name: None,
        }),
        mode: None,
        since: None,
        persist_secs: None,
        ..in_state(State::Orphaned { successor: false })
    };
    insta::assert_snapshot!(serde_json::to_string_pretty(&SocketReport::from(&socket)).unwrap());
}

#[test]
fn a_path_that_is_no_text_is_escaped_and_any_other_is_not() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    for (raw, told) in [
        (&b"/s/a\xff"[..], "/s/a\\xff"),
        (b"/s/a\nb\\c", "/s/a\nb\\c"),
    ] {
        let mut socket = in_state(State::Running);
        socket.path = ControlPath::new(OsStr::from_bytes(raw)).unwrap();
        assert_eq!(SocketReport::from(&socket).path, told);
    }
}

#[test]
fn a_network_is_reported_in_whole_units() {
    let mut gone = connection();
    gone.address = Address::Gone;
    gone.proxy = Some("ssh".to_owned());
    gone.numbers.round_trip = Duration::from_micros(6_250);
    gone.numbers.last_ack_received = Duration::from_millis(2_999);
    let snapshot = seen_over(vec![running()], [(MasterPid(4711), gone)].into());
    let mut verdict = snapshot.sockets[0].network.clone().unwrap();
    assert_eq!(verdict.judgement, Judgement::Stranded(Cause::AddressGone));
    let report = NetworkReport::from(&verdict);
    assert_eq!(
        serde_json::to_string(&report).unwrap(),
        r#"{"state":"stranded","local":"10.8.0.6:40000","remote":"10.99.0.9:22","proxy":"ssh","round_trip_us":6250,"last_heard_secs":2,"unanswered_secs":null}"#
    );
    verdict.unanswered = Some(Duration::from_millis(17_800));
    assert_eq!(NetworkReport::from(&verdict).unanswered_secs, Some(17));
    for judgement in judgements() {
        verdict.judgement = judgement;
        assert_eq!(NetworkReport::from(&verdict).state, judgement.name());
    }
}
