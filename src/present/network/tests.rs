use std::net::SocketAddr;

use super::*;
use crate::model::samples::{connection, judgements};

const SECOND: Duration = Duration::from_secs(1);

fn verdict(judgement: Judgement) -> Verdict {
    let mut connection = connection();
    connection.numbers.queued_bytes = 52;
    connection.numbers.unacked = 1;
    connection.numbers.retransmits = 4;
    Verdict {
        judgement,
        connection,
        unanswered: Some(17 * SECOND),
        since: None,
        look_again: None,
    }
}

#[test]
fn every_judgement_has_its_words() {
    let told = |judgement: &Judgement| {
        let verdict = verdict(*judgement);
        assert_eq!(verdict.ages(), *judgement != Judgement::Well);
        assert_eq!(verdict.evidence().is_some(), *judgement != Judgement::Well);
        format!(
            "{judgement:?}: {}, \"{}\"\n    {}\n    -> {}\n    -> {}",
            judgement.name(),
            judgement.word(),
            verdict.evidence().unwrap_or_else(|| verdict.to_string()),
            verdict.remedy("EXIT", Some("REOPEN")),
            verdict.remedy("EXIT", None),
        )
    };
    let told: Vec<String> = judgements().iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn since_when_the_address_is_gone_is_told_where_it_was_seen() {
    let gone = Verdict {
        since: Some(40 * SECOND),
        ..verdict(Judgement::Stranded(
            crate::model::network::Cause::AddressGone,
        ))
    };
    assert_eq!(
        gone.evidence().unwrap(),
        "10.8.0.6 has been on no interface for 40 s, last heard 60 s ago"
    );
}

/// What was tried in vain, by what the connection waits for.
#[test]
fn every_way_to_wait_has_its_words() {
    let told = |change: fn(&mut Connection)| {
        let mut verdict = verdict(Judgement::Suspect(Doubt::Unanswered));
        change(&mut verdict.connection);
        verdict.evidence().unwrap()
    };
    let changes: [fn(&mut Connection); 8] = [
        |it| {
            it.numbers.retransmits = 1;
            it.numbers.queued_bytes = 1;
        },
        |it| it.proxy = Some("nc\n".to_owned()),
        |it| {
            it.numbers.unacked = 0;
            it.numbers.probes = 1;
            it.numbers.timer = Timer::KeepAlive;
        },
        |it| {
            it.numbers.unacked = 0;
            it.numbers.probes = 3;
            it.numbers.timer = Timer::KeepAlive;
        },
        |it| {
            it.numbers.unacked = 0;
            it.numbers.probes = 1;
            it.numbers.timer = Timer::Probe;
        },
        |it| {
            it.numbers.unacked = 0;
            it.numbers.probes = 2;
            it.numbers.timer = Timer::Probe;
        },
        |it| {
            it.numbers.unacked = 0;
            it.numbers.probes = 1;
            it.numbers.timer = Timer::Probe;
            it.route = Route::None;
        },
        |it| {
            it.numbers.unacked = 0;
            it.numbers.probes = 2;
            it.numbers.timer = Timer::Probe;
            it.route = Route::None;
            it.remote = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 22));
        },
    ];
    insta::assert_snapshot!(changes.map(told).join("\n"));
}

#[test]
fn a_network_that_is_well_is_told_by_its_round_trip() {
    let mut verdict = verdict(Judgement::Well);
    verdict.connection.numbers.round_trip = Duration::from_micros(6_250);
    verdict.connection.numbers.last_data_received = 31 * SECOND;
    assert_eq!(
        verdict.to_string(),
        "round trip 6.2 ms, last heard 31 s ago"
    );
}
