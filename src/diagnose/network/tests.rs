use std::collections::BTreeMap;
use std::time::Instant;

use super::*;
use crate::diagnose::History;
use crate::model::network::{Hop, NetworkFacts};
use crate::model::samples;
use crate::model::socket::MasterPid;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MASTER: MasterPid = MasterPid(4711);

/// An idle connection that was last heard 40 s ago.
fn idle() -> Numbers {
    Numbers {
        timer: Timer::KeepAlive,
        expires: secs(7160),
        ..heard(secs(40), samples::connection().numbers)
    }
}

/// A connection after so many timeouts of its oldest segment.
fn lost(retransmits: u8, backoff: u8, rto: u64, expires: u64, last_data_sent: u64) -> Numbers {
    Numbers {
        queued_bytes: 52,
        unacked: 1,
        retransmits,
        backoff,
        rto: ms(rto),
        timer: Timer::Retransmit,
        expires: ms(expires),
        last_data_sent: ms(last_data_sent),
        ..idle()
    }
}

/// A connection that cannot send its data.
fn probing(probes: u8, backoff: u8, rto: u64, expires: u64) -> Numbers {
    Numbers {
        queued_bytes: 52,
        probes,
        backoff,
        rto: ms(rto),
        timer: Timer::Probe,
        expires: ms(expires),
        ..idle()
    }
}

fn heard(ago: Duration, numbers: Numbers) -> Numbers {
    Numbers {
        last_data_received: ago,
        last_ack_received: ago,
        ..numbers
    }
}

fn connection(numbers: Numbers) -> Connection {
    Connection {
        numbers,
        route: via(2),
        ..samples::connection()
    }
}

fn via(interface: u32) -> Route {
    Route::Via(Hop {
        interface,
        gateway: None,
    })
}

struct Scans(History, Instant);

impl Scans {
    fn new() -> Self {
        Self(History::default(), Instant::now() + secs(10_000))
    }

    fn see(&mut self, at: Duration, asleep: Duration, connection: Connection) -> Verdict {
        let facts = NetworkFacts {
            proxy_commands: BTreeMap::new(),
            alone: Vec::new(),
            asleep,
            connections: BTreeMap::from([(MASTER, connection)]),
        };
        self.0 = std::mem::take(&mut self.0).after_network(facts, self.1 + at);
        self.0.verdict(MASTER, LIMIT).unwrap()
    }
}

fn once(connection: Connection) -> Verdict {
    Scans::new().see(secs(0), secs(0), connection)
}

const WELL: Judgement = Judgement::Well;
const SUSPECT: Judgement = Judgement::Suspect(Doubt::Unanswered);
const DEAD: Judgement = Judgement::Stranded(Cause::Unanswered);

/// Recorded from Linux 6.18, with the real time without an answer.
#[test]
fn time_without_an_answer_follows_from_one_sample() {
    for (real, numbers) in [
        (436, lost(1, 1, 416, 204, 436)),
        (1436, lost(2, 2, 832, 44, 1436)),
        (300, probing(1, 1, 212, 400)),
        (1330, probing(2, 2, 212, 240)),
        (3340, probing(4, 4, 212, 3376)),
        (6390, probing(4, 4, 212, 316)),
        (13_410, probing(5, 5, 212, 280)),
        (24_300, probing(6, 6, 212, 2508)),
        (29_000, probing(7, 7, 212, 25_380)),
    ] {
        let waited = numbers.waiting().unwrap().at_least.as_millis();
        let waited = u64::try_from(waited).unwrap();
        assert!(
            waited.abs_diff(real) <= 50 + real / 10,
            "{waited}: {numbers:?}"
        );
    }
    // A local device refused segments for 19 s; Linux 6.7 and later report the time.
    let refused = lost(10, 4, 3328, 2264, 1064);
    let waited = refused.waiting().unwrap().at_least;
    assert!(waited >= secs(7) && waited <= secs(19), "{waited:?}");
}

#[test]
fn retransmission_time_is_the_sum_of_timeouts() {
    for (numbers, waited) in [
        // 200 + 400 + 800, and 600 since.
        (lost(3, 3, 1600, 1000, 600), 2000),
        // Sent 500 ago at the latest.
        (lost(3, 3, 1600, 1000, 500), 1900),
        (lost(3, 3, 1600, 0, 9000), 3000),
        // Doubled twice, refused three times.
        (lost(5, 2, 800, 700, 100), 2200),
        // Doublings of earlier segments.
        (lost(1, 5, 1600, 1500, 100), 900),
    ] {
        let numbers = heard(secs(10_000), numbers);
        assert_eq!(numbers.retransmitting_for(), ms(waited), "{numbers:?}");
        assert_eq!(numbers.waiting().unwrap().at_least, ms(waited));
    }
    for (count, waited) in [(0, 2000), (1, 7200), (2, 2000)] {
        let numbers = Numbers {
            recoveries: Some(Recoveries {
                count,
                time: secs(7),
            }),
            ..lost(3, 3, 1600, 1000, 600)
        };
        assert_eq!(numbers.retransmitting_for(), ms(waited), "{count}");
    }
}

#[test]
fn one_sample_has_its_judgement() {
    let keep_alive = |probes| Numbers { probes, ..idle() };
    for (numbers, judgement) in [
        (heard(secs(20_000), idle()), WELL),
        (lost(2, 2, 832, 400, 432), WELL),
        (lost(4, 4, 3328, 3000, 328), SUSPECT),
        (lost(6, 6, 13_312, 9700, 3600), DEAD),
        (heard(secs(2), lost(6, 6, 13_312, 9700, 3600)), WELL),
        // A slow path: two timeouts in 16 s.
        (lost(2, 2, 24_000, 22_000, 2000), SUSPECT),
        (lost(0, 3, 1664, 1000, 600), WELL),
        // A closed window, and the probes are answered.
        (probing(0, 5, 212, 5000), WELL),
        (probing(4, 4, 212, 316), SUSPECT),
        (probing(6, 6, 212, 2508), DEAD),
        (keep_alive(1), WELL),
        (keep_alive(2), SUSPECT),
    ] {
        let verdict = once(connection(numbers));
        assert_eq!(verdict.judgement, judgement, "{numbers:?}");
    }
}

fn judged(
    connection: &Connection,
    unanswered: Option<Duration>,
    doubt: Option<Duration>,
) -> Verdict {
    let elapsed = Elapsed {
        unanswered,
        doubt: doubt.map(|since| (Doubt::Resumed, since)),
        gone: Some(secs(9)),
    };
    judge(connection, elapsed, LIMIT)
}

#[test]
fn judgement_needs_both_attempts_and_time() {
    let less = ms(1);
    let lost = |attempts| lost(attempts, 4, 3328, 3000, 328);
    let keep_alive = |probes| Numbers { probes, ..idle() };
    for (numbers, waited, judgement) in [
        (lost(3), LIMIT, DEAD),
        (lost(3), LIMIT - less, SUSPECT),
        (lost(2), LIMIT, SUSPECT),
        (lost(1), LIMIT, WELL),
        (lost(2), SUSPECT_AFTER, SUSPECT),
        (lost(9), SUSPECT_AFTER - less, WELL),
        (keep_alive(2), secs(0), SUSPECT),
        (keep_alive(3), LIMIT, DEAD),
    ] {
        let verdict = judged(&connection(numbers), Some(waited), None);
        assert_eq!(verdict.judgement, judgement, "{numbers:?} {waited:?}");
    }
}

#[test]
fn worst_fact_decides() {
    let dead = || lost(6, 6, 13_312, 9700, 3600);
    let twice = || lost(2, 2, 832, 1, 1);
    let (there, doubt) = (Address::Present(None), Some(secs(5)));
    let gone = Judgement::Stranded(Cause::AddressGone);
    let no_route = Judgement::Suspect(Doubt::NoRoute);
    let resumed = Judgement::Suspect(Doubt::Resumed);
    for (address, route, numbers, doubt, judgement, since) in [
        (Address::Gone, Route::None, dead(), doubt, gone, Some(9)),
        (there, Route::None, dead(), doubt, DEAD, None),
        (there, Route::None, twice(), doubt, SUSPECT, None),
        (there, Route::None, idle(), doubt, no_route, None),
        (there, via(2), idle(), doubt, resumed, Some(5)),
        (there, via(2), idle(), None, WELL, None),
    ] {
        let connection = Connection {
            address,
            route,
            ..connection(numbers)
        };
        let verdict = judged(&connection, Some(secs(60)), doubt);
        assert_eq!(
            (verdict.judgement, verdict.since),
            (judgement, since.map(secs))
        );
    }
}

#[test]
fn next_scan_is_when_the_judgement_can_change() {
    let lost = |attempts, expires| connection(lost(attempts, 4, 20_000, expires, 0));
    let no_route = Connection {
        route: Route::None,
        ..connection(idle())
    };
    for (connection, unanswered, doubt, pause) in [
        (connection(idle()), None, None, None),
        (no_route, None, None, None),
        // The next retransmission, a round trip of 6 ms, and 100 ms.
        (lost(3, 1000), Some(4000), None, Some(1106)),
        (lost(3, 0), Some(4000), None, Some(106)),
        // The limit is earlier.
        (lost(3, 9000), Some(14_000), None, Some(1000)),
        (lost(3, 9000), Some(14_999), None, Some(100)),
        (lost(3, 9000), Some(15_000), None, Some(9106)),
        (lost(3, 10), Some(99_000), None, Some(1000)),
        // The limit has passed without a verdict.
        (lost(2, 9000), Some(15_000), None, Some(9106)),
        (connection(idle()), None, Some(0), Some(1000)),
        (connection(idle()), None, Some(3000), Some(1500)),
        (connection(idle()), None, Some(599_000), Some(299_500)),
        (connection(idle()), None, Some(600_000), None),
    ] {
        let verdict = judged(&connection, unanswered.map(ms), doubt.map(ms));
        assert_eq!(
            verdict.look_again,
            pause.map(ms),
            "{unanswered:?} {doubt:?}"
        );
    }
}

#[test]
fn idle_connections_are_suspect_after_changes_until_an_answer() {
    let old = Address::Present(None);
    let age = |seconds| Address::Present(Some(secs(seconds)));
    let later = Address::Present(Some(ms(14_500)));
    let gone = Address::Gone;
    let stranded = Judgement::Stranded(Cause::AddressGone);
    let resumed = Judgement::Suspect(Doubt::Resumed);
    let rerouted = Judgement::Suspect(Doubt::Rerouted);
    let readdressed = Judgement::Suspect(Doubt::Readdressed);
    let no_route = Judgement::Suspect(Doubt::NoRoute);
    let (a, b) = (via(2), via(3));
    let mut scans = Scans::new();
    // The time of the scan (at 0 there is another machine), how long it has been suspended, the age of the last answer,
    // the address, the route and the cookie; the judgement, and the age of its cause.
    for (at, asleep, ago, address, route, cookie, judgement, since) in [
        // A suspend of more than two seconds.
        (0, 5, secs(30), old, a, 1, WELL, None),
        (1, 7, secs(31), old, a, 1, WELL, None),
        (2, 600, secs(32), old, a, 1, resumed, Some(secs(0))),
        (90, 600, secs(88), old, a, 1, resumed, Some(secs(88))),
        (91, 600, secs(89) - ms(1), old, a, 1, WELL, None),
        (200, 600, secs(110), old, a, 1, WELL, None),
        (201, 0, secs(111), old, a, 1, WELL, None),
        // A connection that began since.
        (0, 0, secs(40), old, a, 1, WELL, None),
        (1, 900, secs(40), old, a, 2, WELL, None),
        (0, 0, secs(40), old, a, 1, WELL, None),
        (1, 0, secs(41), old, Route::Unknown, 1, WELL, None),
        (2, 0, secs(42), old, a, 1, WELL, None),
        (3, 0, secs(43), old, b, 1, rerouted, Some(secs(0))),
        (4, 0, secs(44), old, b, 1, rerouted, Some(secs(1))),
        (6, 0, ms(10), old, b, 1, WELL, None),
        (7, 0, secs(1), old, Route::None, 1, no_route, None),
        (8, 0, secs(2), old, b, 1, rerouted, Some(secs(0))),
        (0, 0, secs(40), age(5000), a, 1, WELL, None),
        (1, 0, secs(41), gone, a, 1, stranded, Some(secs(0))),
        (31, 0, secs(71), gone, a, 1, stranded, Some(secs(30))),
        (40, 0, secs(80), age(1), a, 1, readdressed, Some(secs(1))),
        (42, 0, ms(20), age(3), a, 1, WELL, None),
        // Nobody saw when the address was removed.
        (0, 0, secs(40), gone, a, 1, stranded, None),
        (3, 0, secs(40), gone, a, 2, stranded, None),
        // The address is younger than the answer by more than the clocks differ.
        (0, 0, secs(11), age(10), a, 1, WELL, None),
        (0, 0, ms(11_001), age(10), a, 1, readdressed, Some(secs(10))),
        (0, 0, secs(40), age(4000), a, 1, WELL, None),
        // The same address by a clock that is a little off, and then another time.
        (0, 0, secs(40), age(5), a, 1, readdressed, Some(secs(5))),
        (10, 0, secs(50), later, a, 1, readdressed, Some(secs(15))),
        (30, 0, secs(70), age(2), a, 1, readdressed, Some(secs(2))),
    ] {
        if at == 0 {
            scans = Scans::new();
        }
        let connection = Connection {
            cookie,
            address,
            route,
            ..connection(heard(ago, idle()))
        };
        let verdict = scans.see(secs(at), secs(asleep), connection);
        let found = (verdict.judgement, verdict.since);
        assert_eq!(found, (judgement, since), "{at} {asleep} {ago:?}");
    }
}

#[test]
fn waiting_is_measured_over_scans() {
    let stuck = |ago| connection(heard(ago, lost(5, 1, 400, 300, 100)));
    let mut scans = Scans::new();
    for (at, judgement) in [
        (0, WELL),
        (4, SUSPECT),
        (12, SUSPECT),
        (15, DEAD),
        (99, DEAD),
    ] {
        let verdict = scans.see(secs(at), secs(0), stuck(secs(at + 40)));
        assert_eq!(verdict.judgement, judgement, "{at}");
    }
    let answered = scans.see(secs(100), secs(0), stuck(ms(20)));
    assert_eq!(answered.judgement, WELL);
    scans.0 = std::mem::take(&mut scans.0).after_network(NetworkFacts::default(), scans.1);
    assert_eq!(scans.0.verdict(MASTER, LIMIT), None);
}

#[test]
fn loopback_is_never_suspect() {
    for (local, remote, is_loopback) in [
        ("127.0.0.1:1", "127.0.0.53:22", true),
        ("10.0.0.1:1", "10.0.0.1:22", true),
        ("[::1]:1", "[::1]:22", true),
        ("10.0.0.1:1", "10.0.0.2:22", false),
        ("[fe80::1]:1", "[fe80::2]:22", false),
    ] {
        let connection = |route| Connection {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            address: Address::Present(Some(secs(1))),
            route,
            ..connection(idle())
        };
        let mut scans = Scans::new();
        scans.see(secs(0), secs(0), connection(via(1)));
        let verdict = scans.see(secs(9), secs(900), connection(via(2)));
        assert_eq!(verdict.judgement == WELL, is_loopback, "{local} {remote}");
    }
}
