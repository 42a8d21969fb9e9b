use std::collections::BTreeMap;
use std::time::Instant;

use std::time::Duration;

use super::judge::*;
use super::memory::Memory;
use crate::model::finding::Severity;
use crate::model::network::{
    Address, Cause, Connection, Doubt, Facts, Hop, Judgement, Numbers, Recoveries, Route, Timer,
    Verdict,
};
use crate::model::samples;
use crate::model::socket::{Holder, MasterPid, Observation, Process};
use crate::present::report::Report;

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
        queued_bytes: 0,
        unacked: 0,
        retransmits: 0,
        probes: 0,
        backoff: 0,
        rto: ms(208),
        round_trip: ms(6),
        timer: Timer::KeepAlive,
        expires: secs(7160),
        last_data_sent: secs(40),
        last_data_received: secs(40),
        last_ack_received: secs(40),
        recoveries: None,
    }
}

/// One whose oldest segment has met so many timeouts.
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

/// One that has data to send and cannot.
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
        cookie: 7,
        local: "10.8.0.6:40000".parse().unwrap(),
        remote: "10.99.0.9:22".parse().unwrap(),
        proxy: None,
        numbers,
        address: Address::Present(None),
        route: via(2),
    }
}

fn via(interface: u32) -> Route {
    Route::Via(Hop {
        interface,
        gateway: None,
    })
}

/// Looks in turn: how long after the first, how long the machine had slept by then, what was seen.
struct Looks(Memory, Instant);

impl Looks {
    fn new() -> Self {
        Self(Memory::default(), Instant::now() + secs(10_000))
    }

    fn see(&mut self, at: Duration, asleep: Duration, connection: Connection) -> Verdict {
        let facts = Facts {
            asleep,
            connections: BTreeMap::from([(MASTER, connection)]),
        };
        self.0 = std::mem::take(&mut self.0).after(facts, self.1 + at);
        self.0.verdict(MASTER, LIMIT).unwrap()
    }
}

fn once(connection: Connection) -> Verdict {
    Looks::new().see(secs(0), secs(0), connection)
}

fn judged(numbers: Numbers) -> Judgement {
    once(connection(numbers)).judgement
}

const WELL: Judgement = Judgement::Well;
const DOUBTFUL: Judgement = Judgement::Suspect(Doubt::Unanswered);
const DEAD: Judgement = Judgement::Stranded(Cause::Unanswered);

/// Recorded from Linux 6.18: how long the data had really waited, and what the one sample comes to.
#[test]
fn the_time_without_an_answer_is_in_a_single_sample() {
    for (really, numbers) in [
        (436, lost(1, 1, 416, 204, 436)),
        (1436, lost(2, 2, 832, 44, 1436)),
        (300, probing(1, 1, 212, 400)),
        (1330, probing(2, 2, 212, 240)),
        (3340, probing(4, 4, 212, 3376)),
        (6390, probing(4, 4, 212, 316)),
        (13_410, probing(5, 5, 212, 280)),
        (24_300, probing(6, 6, 212, 2508)),
        (29_000, probing(7, 7, 212, 25_380)),
        // A first timeout of 1.2 s, six timeouts, 1.1 s after the last: 1.2 * 63 + 1.1.
        (76_700, heard(secs(200), lost(6, 6, 76_800, 75_700, 1100))),
        // Doublings that are left over from before: 0.8 + 1.6 and 1 s.
        (3400, lost(2, 3, 3200, 2200, 1000)),
    ] {
        let waited = numbers.waiting().unwrap().at_least.as_millis();
        let waited = u64::try_from(waited).unwrap();
        assert!(
            waited.abs_diff(really) <= 50 + really / 10,
            "{waited} for {really}: {numbers:?}"
        );
    }
}

/// A device of this machine took nothing: the kernel tries again without doubling, so it has waited longer than that
/// tells, and newer kernels say for how long.
#[test]
fn what_was_refused_on_this_machine_has_waited_too() {
    let refused = lost(10, 4, 3328, 2264, 1064);
    assert!(refused.waiting().unwrap().at_least >= secs(7));
    assert!(refused.waiting().unwrap().at_least <= secs(19));
    let newer = Numbers {
        recoveries: Some(Recoveries {
            count: 1,
            time: ms(18_850),
        }),
        ..refused
    };
    assert_eq!(newer.waiting().unwrap().at_least, ms(19_058));
    // Of several times of sending again only the sum is told.
    let again = Numbers {
        recoveries: Some(Recoveries {
            count: 2,
            time: secs(500),
        }),
        ..refused
    };
    assert_eq!(again.waiting(), refused.waiting());
}

#[test]
fn each_sample_has_its_judgement() {
    for (what, numbers, judgement) in [
        ("idle", idle(), WELL),
        ("idle for hours", heard(secs(20_000), idle()), WELL),
        (
            "sent after hours, and not yet answered",
            Numbers {
                unacked: 1,
                queued_bytes: 52,
                timer: Timer::Retransmit,
                expires: ms(190),
                last_data_sent: ms(10),
                ..heard(secs(20_000), idle())
            },
            WELL,
        ),
        ("lost once", lost(1, 1, 416, 204, 212), WELL),
        ("lost twice in a row", lost(2, 2, 832, 400, 432), WELL),
        (
            "lost for more than 3 s",
            lost(4, 4, 3328, 3000, 328),
            DOUBTFUL,
        ),
        ("lost for 12 s", lost(6, 6, 13_312, 13_000, 300), DOUBTFUL),
        ("lost for 16 s", lost(6, 6, 13_312, 9700, 3600), DEAD),
        (
            "lost, but something was heard since",
            heard(secs(2), lost(6, 6, 13_312, 9700, 3600)),
            WELL,
        ),
        (
            "a slow path: 16 s are two timeouts",
            lost(2, 2, 24_000, 22_000, 2000),
            DOUBTFUL,
        ),
        (
            "doublings left from before",
            lost(0, 3, 1664, 1000, 600),
            WELL,
        ),
        (
            "no window, and the probes are answered",
            probing(0, 5, 212, 5000),
            WELL,
        ),
        ("cannot send for 6 s", probing(4, 4, 212, 316), DOUBTFUL),
        ("cannot send for 24 s", probing(6, 6, 212, 2508), DEAD),
        (
            "one keep-alive probe on its way",
            Numbers {
                probes: 1,
                expires: secs(75),
                ..heard(secs(7200), idle())
            },
            WELL,
        ),
        (
            "two keep-alive probes lost",
            Numbers {
                probes: 2,
                expires: secs(75),
                ..heard(secs(7275), idle())
            },
            DOUBTFUL,
        ),
    ] {
        assert_eq!(judged(numbers), judgement, "{what}");
    }
}

#[test]
fn the_limit_is_the_hosts() {
    let numbers = lost(6, 6, 13_312, 9700, 3600);
    let mut looks = Looks::new();
    looks.see(secs(0), secs(0), connection(numbers));
    let judged = |limit| looks.0.verdict(MASTER, limit).unwrap().judgement;
    assert_eq!(judged(secs(5)), DEAD);
    assert_eq!(judged(secs(45)), DOUBTFUL);
    assert_eq!(looks.0.verdict(MasterPid(1), LIMIT), None);
}

/// Numbers that say too little are made up for by what earlier looks saw.
#[test]
fn waiting_is_measured_over_looks_until_something_is_heard() {
    let stuck = |at| heard(at + secs(40), lost(5, 1, 400, 300, 100));
    let mut looks = Looks::new();
    for (at, judgement) in [
        (0, WELL),
        (4, DOUBTFUL),
        (12, DOUBTFUL),
        (15, DEAD),
        (99, DEAD),
    ] {
        let verdict = looks.see(secs(at), secs(0), connection(stuck(secs(at))));
        assert_eq!(verdict.judgement, judgement, "{at}");
    }
    let answered = heard(ms(20), lost(5, 1, 400, 300, 100));
    let verdict = looks.see(secs(100), secs(0), connection(answered));
    assert_eq!(verdict.judgement, WELL);
}

#[test]
fn a_resume_is_doubted_until_an_answer_comes() {
    let mut looks = Looks::new();
    let see = |looks: &mut Looks, at, asleep, heard_ago| {
        let numbers = heard(heard_ago, idle());
        looks.see(at, asleep, connection(numbers)).judgement
    };
    let resumed = Judgement::Suspect(Doubt::Resumed);
    assert_eq!(see(&mut looks, secs(0), secs(5), secs(30)), WELL);
    assert_eq!(see(&mut looks, secs(1), secs(6), secs(31)), WELL);
    assert_eq!(see(&mut looks, secs(2), secs(600), secs(32)), resumed);
    assert_eq!(see(&mut looks, secs(90), secs(600), secs(120)), resumed);
    assert_eq!(see(&mut looks, secs(91), secs(600), secs(1)), WELL);
    assert_eq!(see(&mut looks, secs(200), secs(600), secs(110)), WELL);
}

#[test]
fn what_was_not_known_before_a_resume_is_not_doubted() {
    let mut looks = Looks::new();
    looks.see(secs(0), secs(0), connection(idle()));
    let another = Connection {
        cookie: 8,
        ..connection(idle())
    };
    assert_eq!(looks.see(secs(1), secs(900), another).judgement, WELL);
}

#[test]
fn another_way_is_doubted_until_an_answer_comes() {
    let mut looks = Looks::new();
    let mut see = |at, route, ago| {
        let numbers = heard(ago, idle());
        let connection = Connection {
            route,
            ..connection(numbers)
        };
        looks.see(at, secs(0), connection).judgement
    };
    let rerouted = Judgement::Suspect(Doubt::Rerouted);
    assert_eq!(see(secs(0), via(2), secs(40)), WELL);
    assert_eq!(see(secs(1), Route::Unknown, secs(41)), WELL);
    assert_eq!(see(secs(2), via(2), secs(42)), WELL);
    assert_eq!(see(secs(3), via(3), secs(43)), rerouted);
    assert_eq!(see(secs(4), via(3), secs(44)), rerouted);
    assert_eq!(see(secs(6), via(3), ms(10)), WELL);
    let no_route = Judgement::Suspect(Doubt::NoRoute);
    assert_eq!(see(secs(7), Route::None, secs(1)), no_route);
    assert_eq!(see(secs(8), via(3), secs(2)), rerouted);
    assert_eq!(see(secs(9), via(3), ms(10)), WELL);
}

#[test]
fn an_address_that_goes_strands_and_one_that_comes_back_is_doubted() {
    let mut looks = Looks::new();
    let mut see = |at, address, ago| {
        let numbers = heard(ago, idle());
        let connection = Connection {
            address,
            ..connection(numbers)
        };
        looks.see(at, secs(0), connection)
    };
    let old = Address::Present(Some(secs(5000)));
    assert_eq!(see(secs(0), old, secs(40)).judgement, WELL);
    let gone = see(secs(1), Address::Gone, secs(41));
    assert_eq!(gone.judgement, Judgement::Stranded(Cause::AddressGone));
    assert_eq!(gone.since, Some(secs(0)));
    assert_eq!(gone.look_again, None);
    assert_eq!(see(secs(31), Address::Gone, secs(71)).since, Some(secs(30)));
    let back = see(secs(40), Address::Present(Some(secs(1))), secs(80));
    assert_eq!(back.judgement, Judgement::Suspect(Doubt::Readdressed));
    assert_eq!(back.since, Some(secs(1)));
    let well = see(secs(42), Address::Present(Some(secs(3))), ms(20));
    assert_eq!(well.judgement, WELL);
}

#[test]
fn an_address_tells_by_its_age_what_nobody_saw() {
    for (age, ago, judgement) in [
        (10, 40, Judgement::Suspect(Doubt::Readdressed)),
        (40, 40, WELL),
        (4000, 40, WELL),
    ] {
        let connection = Connection {
            address: Address::Present(Some(secs(age))),
            ..connection(heard(secs(ago), idle()))
        };
        assert_eq!(once(connection).judgement, judgement, "{age}");
    }
    let gone = Connection {
        address: Address::Gone,
        ..connection(idle())
    };
    assert_eq!(once(gone).since, None);
}

#[test]
fn the_loopback_is_never_doubted() {
    for (local, remote) in [
        ("127.0.0.1:40000", "127.0.0.1:22"),
        ("[::1]:40000", "[::1]:22"),
        ("10.8.0.6:40000", "10.8.0.6:22"),
    ] {
        let connection = |route| Connection {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            address: Address::Present(Some(secs(1))),
            route,
            ..connection(idle())
        };
        let mut looks = Looks::new();
        looks.see(secs(0), secs(0), connection(via(1)));
        let verdict = looks.see(secs(9), secs(900), connection(via(2)));
        assert_eq!(verdict.judgement, WELL, "{local}");
    }
}

#[test]
fn the_next_look_is_when_something_can_have_changed() {
    let after = |numbers| once(connection(numbers)).look_again;
    assert_eq!(after(idle()), None);
    assert_eq!(after(heard(secs(9000), idle())), None);
    // When the kernel has tried again.
    assert_eq!(after(lost(1, 1, 416, 204, 212)), Some(ms(204 + 6 + 100)));
    // When the limit has passed, which is earlier.
    let soon = after(lost(6, 6, 13_312, 12_000, 1312)).unwrap();
    assert!(soon > ms(500) && soon < ms(600), "{soon:?}");
    // A dead one lives again when the kernel has tried again.
    assert_eq!(
        after(lost(6, 6, 13_312, 9000, 4312)),
        Some(ms(9000 + 6 + 100))
    );

    let mut looks = Looks::new();
    let mut see = |at, asleep| {
        let numbers = heard(at + secs(40), idle());
        looks.see(at, asleep, connection(numbers)).look_again
    };
    assert_eq!(see(secs(0), secs(0)), None);
    for (at, pause) in [
        (10, Some(1)),
        (11, Some(1)),
        (30, Some(10)),
        (600, Some(295)),
        (610, None),
    ] {
        assert_eq!(see(secs(at), secs(90)), pause.map(secs), "{at}");
    }
}

#[test]
fn the_words_have_the_numbers() {
    let proxied = Connection {
        proxy: Some("ssh".to_owned()),
        ..connection(lost(6, 6, 13_312, 9700, 3600))
    };
    let gone = Connection {
        address: Address::Gone,
        ..connection(idle())
    };
    let no_route = Connection {
        route: Route::None,
        ..connection(probing(6, 6, 212, 2508))
    };
    let told: Vec<String> = [
        connection(lost(4, 4, 3328, 3000, 328)),
        proxied,
        gone,
        no_route,
        connection(idle()),
    ]
    .into_iter()
    .map(|connection| {
        let verdict = once(connection);
        let evidence = verdict.evidence().unwrap_or_else(|| verdict.to_string());
        format!("{evidence} -> {}", verdict.remedy("muxtray exit web", None))
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    sent 52 bytes to 10.99.0.9 3 s ago, retransmitted 4 times, last heard 40 s ago -> wait for the next reply; if sessions hang: muxtray exit web
    sent 52 bytes to 10.99.0.9 16 s ago, retransmitted 6 times, last heard 40 s ago (by its proxy, ssh) -> muxtray exit web
    10.8.0.6 is on no interface, last heard 40 s ago -> restore the address 10.8.0.6, for example with its VPN, or end the master: muxtray exit web
    52 bytes to 10.99.0.9 could not be sent for 24 s, tried 6 times, as there is no route, last heard 40 s ago -> muxtray exit web
    round trip 6.0 ms, last heard 40 s ago -> wait for the next reply; if sessions hang: muxtray exit web
    ");
}

#[test]
fn a_master_that_is_lost_is_replaced_where_its_host_is_known() {
    let gone = Connection {
        address: Address::Gone,
        ..connection(idle())
    };
    for (connection, remedy) in [
        (
            connection(lost(6, 6, 13_312, 9700, 3600)),
            "replace the master: muxtray open web",
        ),
        (
            gone,
            "restore the address 10.8.0.6, for example with its VPN, or replace the master: muxtray open web",
        ),
        (
            connection(lost(4, 4, 3328, 3000, 328)),
            "wait for the next reply; if sessions hang: muxtray exit web",
        ),
    ] {
        let told = once(connection).remedy("muxtray exit web", Some("muxtray open web"));
        assert_eq!(told, remedy);
    }
}

/// The state is the connection's; all else about the master stays as it is, and it can be asked whatever it could be.
#[test]
fn the_verdict_is_the_state_of_a_master_that_runs() {
    let gone = Connection {
        address: Address::Gone,
        ..samples::connection()
    };
    let no_route = Connection {
        route: Route::None,
        ..samples::connection()
    };
    let stopped = samples::process("ssh");
    let stopped = samples::listener(Holder::Ssh(Process {
        stopped: true,
        ..stopped
    }));
    let stopped = Observation {
        listener: Some(stopped),
        ..samples::running()
    };
    let running = samples::running;
    for (observation, connection, name, severity) in [
        (running(), None, "running", None),
        (running(), Some(samples::connection()), "running", None),
        (running(), Some(no_route), "suspect", Some(Severity::Info)),
        (
            running(),
            Some(gone.clone()),
            "stranded",
            Some(Severity::Error),
        ),
        (stopped, Some(gone), "unresponsive", Some(Severity::Error)),
    ] {
        let connections = connection.map(|connection| (MASTER, connection));
        let snapshot = samples::seen_over(vec![observation], connections.into_iter().collect());
        let socket = &snapshot.sockets[0];
        assert_eq!(socket.state.name(), name);
        assert_eq!(socket.worst(), severity, "{name}");
        assert_eq!(socket.is_running(), name != "unresponsive", "{name}");
        assert_eq!((socket.sessions, socket.pid), (Some(2), Some(MASTER)));
        let report = Report::from(&snapshot);
        let network = report.sockets[0].network.as_ref();
        assert_eq!(network.is_some(), socket.network.is_some());
    }
}

#[test]
fn only_its_age_makes_no_other_snapshot() {
    let seen = |seconds| {
        let mut connection = samples::connection();
        connection.numbers.last_ack_received = secs(seconds);
        connection.address = Address::Gone;
        samples::seen_over(vec![samples::running()], [(MASTER, connection)].into())
    };
    assert_ne!(seen(10).sockets, seen(20).sockets);
    assert!(seen(10).eq_ignoring_age(&seen(20)));
    assert!(!seen(10).eq_ignoring_age(&samples::seen(vec![samples::running()])));
}

#[test]
fn only_what_was_tried_again_is_waiting() {
    for (unacked, retransmits, probes, attempts) in [
        (0, 0, 0, None),
        // On its way for the first time.
        (1, 0, 0, None),
        (1, 0, 4, None),
        (1, 3, 0, Some(3)),
        (1, 3, 4, Some(3)),
        (0, 0, 4, Some(4)),
        // All was acknowledged since.
        (0, 3, 0, None),
        (0, 3, 4, Some(4)),
    ] {
        let numbers = Numbers {
            unacked,
            retransmits,
            probes,
            ..idle()
        };
        let waiting = numbers.waiting().map(|waiting| waiting.attempts);
        assert_eq!(waiting, attempts, "{unacked} {retransmits} {probes}");
        let again = once(connection(numbers)).look_again;
        assert_eq!(again.is_some(), attempts.is_some(), "{numbers:?}");
    }
}

#[test]
fn what_is_heard_is_the_later_of_data_and_acknowledgements() {
    for (data, ack, heard) in [(1, 2, 1), (2, 1, 1), (3, 3, 3)] {
        let numbers = Numbers {
            last_data_received: secs(data),
            last_ack_received: secs(ack),
            ..idle()
        };
        assert_eq!(numbers.last_heard(), secs(heard));
    }
}

/// By the formula and to the millisecond, so that nothing of it can change unseen.
#[test]
fn the_time_of_sending_again_is_the_sum_of_its_timeouts() {
    let long_ago = |numbers| heard(secs(10_000), numbers);
    for (what, numbers, waited) in [
        (
            "200 + 400 + 800, and 600 since",
            lost(3, 3, 1600, 1000, 600),
            2000,
        ),
        (
            "it was sent 500 ago at the latest",
            lost(3, 3, 1600, 1000, 500),
            1900,
        ),
        (
            "the timeout has only begun",
            lost(3, 3, 1600, 1600, 600),
            1400,
        ),
        ("it is over", lost(3, 3, 1600, 0, 9000), 3000),
        (
            "doubled twice, and refused three times",
            lost(5, 2, 800, 700, 100),
            2200,
        ),
        ("refused sooner than that", lost(5, 2, 300, 200, 100), 1225),
        (
            "doublings left from before",
            lost(1, 5, 1600, 1500, 100),
            900,
        ),
    ] {
        assert_eq!(numbers.retransmitting_for(), ms(waited), "{what}");
        let waiting = long_ago(numbers).waiting().unwrap();
        assert_eq!(waiting.at_least, ms(waited), "{what}");
    }
    let newer = |count| Numbers {
        recoveries: Some(Recoveries {
            count,
            time: secs(7),
        }),
        ..lost(3, 3, 1600, 1000, 600)
    };
    assert_eq!(newer(1).retransmitting_for(), ms(7200));
    assert_eq!(newer(2).retransmitting_for(), ms(2000));
    assert_eq!(newer(0).retransmitting_for(), ms(2000));
}

#[test]
fn the_time_of_probing_is_the_sum_of_its_pauses() {
    for (what, numbers, waited) in [
        (
            "200 + 400 + 800, and 1200 since",
            probing(3, 3, 200, 400),
            2600,
        ),
        (
            "no pause is longer than two minutes",
            probing(5, 12, 200, 120_000),
            116_250,
        ),
        ("ten doublings at the most", probing(1, 200, 1, 1024), 512),
        ("more probes than bits", probing(40, 3, 200, 1600), 1600),
        ("the next is overdue", probing(3, 3, 200, 9000), 1400),
    ] {
        let waited_for = numbers.probing_for().as_millis();
        assert_eq!(waited_for, waited, "{what}");
    }
    let kept_alive = Numbers {
        timer: Timer::KeepAlive,
        ..probing(3, 3, 200, 400)
    };
    assert_eq!(kept_alive.probing_for(), secs(0));
}

/// One judgement without a past but this.
fn judged_by(numbers: Numbers, unanswered: Duration) -> Verdict {
    let history = Elapsed {
        unanswered: Some(unanswered),
        doubt: None,
        gone: None,
    };
    judge(&connection(numbers), history, LIMIT)
}

#[test]
fn both_attempts_and_time_have_to_pass() {
    let tried = |attempts, waited| judged_by(lost(attempts, 4, 3328, 3000, 328), waited).judgement;
    let less = ms(1);
    for (attempts, waited, judgement) in [
        (3, LIMIT, DEAD),
        (3, LIMIT - less, DOUBTFUL),
        (2, LIMIT, DOUBTFUL),
        (1, LIMIT, WELL),
        (2, SUSPECT_AFTER, DOUBTFUL),
        (2, SUSPECT_AFTER - less, WELL),
        (9, SUSPECT_AFTER - less, WELL),
    ] {
        assert_eq!(tried(attempts, waited), judgement, "{attempts} {waited:?}");
    }
    // That it was waiting once is nothing where it waits no longer.
    assert_eq!(judged_by(idle(), secs(99)).unanswered, None);
    assert_eq!(judged_by(idle(), secs(99)).judgement, WELL);
    let kept_alive = |probes| Numbers { probes, ..idle() };
    assert_eq!(judged_by(kept_alive(2), secs(0)).judgement, DOUBTFUL);
    assert_eq!(judged_by(kept_alive(1), secs(0)).judgement, WELL);
    assert_eq!(judged_by(kept_alive(3), LIMIT).judgement, DEAD);
}

#[test]
fn the_worse_is_told_where_several_things_are_wrong() {
    let doubt = Some((Doubt::Resumed, secs(5)));
    let of = |address, route, numbers, doubt| {
        let connection = Connection {
            address,
            route,
            ..connection(numbers)
        };
        let history = Elapsed {
            unanswered: Some(secs(60)),
            doubt,
            gone: Some(secs(9)),
        };
        let verdict = judge(&connection, history, LIMIT);
        (verdict.judgement, verdict.since)
    };
    let there = Address::Present(None);
    let dead = || lost(6, 6, 13_312, 9700, 3600);
    let gone = Judgement::Stranded(Cause::AddressGone);
    let no_route = Judgement::Suspect(Doubt::NoRoute);
    let resumed = Judgement::Suspect(Doubt::Resumed);
    assert_eq!(
        of(Address::Gone, Route::None, dead(), doubt),
        (gone, Some(secs(9)))
    );
    assert_eq!(of(there, Route::None, dead(), doubt), (DEAD, None));
    assert_eq!(
        of(there, Route::None, lost(2, 2, 832, 1, 1), doubt),
        (DOUBTFUL, None)
    );
    assert_eq!(of(there, Route::None, idle(), doubt), (no_route, None));
    assert_eq!(of(there, via(2), idle(), doubt), (resumed, Some(secs(5))));
    assert_eq!(of(there, via(2), idle(), None), (WELL, None));
}

#[test]
fn the_next_look_is_never_at_once_and_never_after_the_limit() {
    let again = |expires, unanswered| {
        let numbers = lost(3, 4, 20_000, expires, 0);
        judged_by(numbers, unanswered).look_again
    };
    // The kernel tries again, an answer takes a round trip, and some.
    assert_eq!(again(1000, secs(4)), Some(ms(1000 + 6 + 100)));
    assert_eq!(again(0, secs(4)), Some(ms(6 + 100)));
    // The limit passes before that.
    assert_eq!(again(9000, secs(14)), Some(secs(1)));
    assert_eq!(again(9000, LIMIT - ms(1)), Some(ANSWER_SLACK));
    // Once it has passed, every attempt can be answered, but not more often than each second.
    assert_eq!(again(9000, LIMIT), Some(ms(9106)));
    assert_eq!(again(10, secs(99)), Some(DOUBT_PAUSE));
    // With two attempts the limit may have passed without a verdict.
    let slow = judged_by(lost(2, 2, 24_000, 9000, 0), LIMIT);
    assert_eq!(
        (slow.judgement, slow.look_again),
        (DOUBTFUL, Some(ms(9106)))
    );
}

#[test]
fn a_doubt_is_looked_at_less_and_less() {
    let again = |since| {
        let history = Elapsed {
            unanswered: None,
            doubt: Some((Doubt::Resumed, since)),
            gone: None,
        };
        judge(&connection(idle()), history, LIMIT).look_again
    };
    for (since, pause) in [
        (0, Some(1000)),
        (1000, Some(1000)),
        (3000, Some(1500)),
        (599_000, Some(299_500)),
        (600_000, None),
        (900_000, None),
    ] {
        assert_eq!(again(ms(since)), pause.map(ms), "{since}");
    }
    let no_route = Connection {
        route: Route::None,
        ..connection(idle())
    };
    assert_eq!(once(no_route).look_again, None);
}

#[test]
fn only_a_sleep_of_more_than_two_seconds_is_one() {
    let judged = |slept| {
        let mut looks = Looks::new();
        looks.see(secs(0), secs(50), connection(heard(secs(40), idle())));
        looks
            .see(
                secs(10),
                secs(50) + slept,
                connection(heard(secs(50), idle())),
            )
            .judgement
    };
    assert_eq!(judged(SLEPT), WELL);
    assert_eq!(judged(SLEPT + ms(1)), Judgement::Suspect(Doubt::Resumed));
    // A clock that goes back is no sleep.
    let mut looks = Looks::new();
    looks.see(secs(0), secs(50), connection(idle()));
    assert_eq!(
        looks.see(secs(1), secs(0), connection(idle())).judgement,
        WELL
    );
}

#[test]
fn an_address_is_younger_than_the_last_answer_by_more_than_two_clocks_differ() {
    let came = |age, ago| {
        let connection = Connection {
            address: Address::Present(Some(age)),
            ..connection(heard(ago, idle()))
        };
        once(connection)
    };
    let readdressed = Judgement::Suspect(Doubt::Readdressed);
    assert_eq!(came(secs(10), secs(11)).judgement, WELL);
    assert_eq!(came(secs(10), secs(11) + ms(1)).judgement, readdressed);
    assert_eq!(came(secs(10), secs(40)).since, Some(secs(10)));
}

#[test]
fn an_address_that_came_once_is_one_doubt_and_a_later_one_another() {
    let mut looks = Looks::new();
    let mut see = |at, age| {
        let connection = Connection {
            address: Address::Present(Some(age)),
            ..connection(heard(at + secs(40), idle()))
        };
        looks.see(at, secs(0), connection).since
    };
    assert_eq!(see(secs(0), secs(5)), Some(secs(5)));
    // The same, by a clock that is a little off.
    assert_eq!(see(secs(10), secs(14) + ms(500)), Some(secs(15)));
    assert_eq!(see(secs(20), secs(24)), Some(secs(25)));
    // It went and came back since.
    assert_eq!(see(secs(30), secs(2)), Some(secs(2)));
}

#[test]
fn a_doubt_lasts_until_something_is_heard_after_it_arose() {
    let resumed = Judgement::Suspect(Doubt::Resumed);
    let after = |heard_ago| {
        let mut looks = Looks::new();
        looks.see(secs(0), secs(0), connection(heard(secs(40), idle())));
        looks.see(secs(10), secs(90), connection(heard(secs(50), idle())));
        let numbers = heard(heard_ago, idle());
        looks.see(secs(20), secs(90), connection(numbers)).judgement
    };
    assert_eq!(after(secs(60)), resumed);
    assert_eq!(after(secs(10)), resumed);
    assert_eq!(after(secs(10) - ms(1)), WELL);
}

#[test]
fn a_connection_is_another_by_its_cookie_only() {
    let gone = |cookie| Connection {
        cookie,
        address: Address::Gone,
        ..connection(idle())
    };
    let there = |cookie| Connection {
        cookie,
        ..connection(idle())
    };
    let mut looks = Looks::new();
    looks.see(secs(0), secs(0), there(1));
    assert_eq!(looks.see(secs(5), secs(0), gone(1)).since, Some(secs(0)));
    // Of another nobody saw when its address went.
    assert_eq!(looks.see(secs(6), secs(0), gone(2)).since, None);
    assert_eq!(looks.see(secs(9), secs(0), gone(2)).since, None);
    // What is not there any more is forgotten.
    looks.0 = std::mem::take(&mut looks.0).after(Facts::default(), looks.1);
    assert_eq!(looks.0.verdict(MASTER, LIMIT), None);
    assert_eq!(looks.see(secs(12), secs(0), gone(2)).since, None);
}

#[test]
fn a_connection_leaves_the_machine_unless_both_ends_are_on_it() {
    for (local, remote, is_loopback) in [
        ("127.0.0.1:1", "127.0.0.1:22", true),
        ("127.0.0.1:1", "127.0.0.53:22", true),
        ("10.0.0.1:1", "10.0.0.1:22", true),
        ("10.0.0.1:1", "10.0.0.2:22", false),
        ("[::1]:1", "[::1]:22", true),
        ("[fe80::1]:1", "[fe80::2]:22", false),
    ] {
        let connection = Connection {
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            ..connection(idle())
        };
        assert_eq!(connection.is_loopback(), is_loopback, "{local} {remote}");
    }
}
