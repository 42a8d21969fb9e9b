use super::*;
use crate::model::ids::Cookie;
use crate::model::places::Managed;
use crate::model::samples::{in_state, seen, states, stranded_master};

const SERVER: [u8; 4] = [10, 99, 0, 9];

fn alias(host: &str) -> HostAlias {
    HostAlias(host.to_owned())
}

fn lost(host: &str, pid: i32, through: &[i32]) -> Socket {
    let mut socket = Socket {
        hosts: vec![alias(host)],
        path: crate::model::samples::path(&format!("/s/{host}")),
        pid: Some(MasterPid(pid)),
        cookie: Some(Cookie(u64::from(pid.unsigned_abs()))),
        ..stranded_master()
    };
    let connection = &mut socket.network.as_mut().unwrap().connection;
    connection.through = through.iter().copied().map(MasterPid).collect();
    socket
}

fn well(host: &str, pid: i32) -> Socket {
    Socket {
        state: State::Running,
        ..lost(host, pid, &[])
    }
}

fn via(interface: u32) -> Route {
    let gateway = None;
    Route::Via(Hop { interface, gateway })
}

/// Walks through looks and the ends of attempts, for the hosts `web`, `hop` and `far`.
struct Walk {
    reopening: Reopening,
    start: Instant,
}

impl Walk {
    fn new() -> Self {
        Self {
            reopening: Reopening::default(),
            start: Instant::now(),
        }
    }

    /// Returns the opened host or `-`, `!` for each withdrawn notification, and the seconds of the next attempt.
    fn look(&mut self, seconds: u64, sockets: &[Socket], route: Route) -> String {
        self.look_with(seconds, sockets, route, |_| {})
    }

    fn look_with(
        &mut self,
        seconds: u64,
        sockets: &[Socket],
        route: Route,
        change: impl Fn(&mut Opportunity<'_>),
    ) -> String {
        let hosts = ["web", "hop", "far"].map(alias);
        self.look_for(&hosts, seconds, sockets, route, change)
    }

    fn look_for(
        &mut self,
        hosts: &[HostAlias],
        seconds: u64,
        sockets: &[Socket],
        route: Route,
        change: impl Fn(&mut Opportunity<'_>),
    ) -> String {
        let snapshot = Snapshot {
            sockets: sockets.to_vec(),
            ..seen(Vec::new())
        };
        let hosts = hosts.iter().cloned().collect();
        let addresses = self.reopening.addresses(&snapshot, &hosts);
        let routes = addresses.into_iter().map(|to| (to, route)).collect();
        let mut opportunity = Opportunity {
            routes: &routes,
            is_opening: false,
            is_quiet: false,
            now: self.start + Duration::from_secs(seconds),
        };
        change(&mut opportunity);
        let step = self.reopening.step(&snapshot, &hosts, &opportunity);
        let mut text = step.open.map_or("-".to_owned(), |(host, _)| host.0);
        text.extend(step.withdrawn.iter().map(|_| '!'));
        if let Some(due) = self.reopening.due() {
            text += &format!(" {}", (due - self.start).as_secs());
        }
        text
    }

    fn end(&mut self, seconds: u64, host: &str, attempted: Attempted) -> bool {
        let now = self.start + Duration::from_secs(seconds);
        self.reopening.note_attempt(&alias(host), attempted, now)
    }
}

#[test]
fn only_a_stranded_master_with_a_route_is_replaced() {
    for state in states() {
        let is_stranded = state.is_stranded();
        let socket = || Socket {
            state: state.clone(),
            ..lost("web", 7, &[])
        };
        let mut walk = Walk::new();
        walk.look(0, &[socket()], via(2));
        assert_eq!(
            walk.look(100, &[socket()], via(2)),
            if is_stranded { "web" } else { "-" },
            "{state:?}"
        );
    }
    for (socket, route) in [
        (lost("web", 7, &[]), Route::None),
        (lost("web", 7, &[]), Route::Unknown),
        (lost("other", 7, &[]), via(2)),
        (
            Socket {
                managed_by: Some(Managed("lima")),
                ..lost("web", 7, &[])
            },
            via(2),
        ),
        (
            Socket {
                is_elsewhere: true,
                ..lost("web", 7, &[])
            },
            via(2),
        ),
    ] {
        let mut walk = Walk::new();
        walk.look(0, std::slice::from_ref(&socket), route);
        assert_eq!(walk.look(100, &[socket], route), "-");
    }
    let addresses = Reopening::default().addresses(
        &Snapshot {
            sockets: vec![lost("web", 7, &[]), lost("db", 8, &[])],
            ..seen(Vec::new())
        },
        &[alias("web")].into(),
    );
    assert_eq!(addresses, [IpAddr::from(SERVER)].into());
}

#[test]
fn waits_for_15_seconds_the_quiet_time_and_other_starts() {
    let web = [lost("web", 7, &[])];
    let mut walk = Walk::new();
    assert_eq!(walk.look(0, &web, Route::None), "- 15");
    assert_eq!(walk.look(14, &web, via(2)), "- 15");
    assert_eq!(
        walk.look_with(15, &web, via(2), |it| it.is_quiet = true),
        "-"
    );
    assert_eq!(
        walk.look_with(16, &web, via(2), |it| it.is_opening = true),
        "-"
    );
    assert_eq!(walk.look(17, &web, Route::None), "-");
    assert_eq!(walk.look(18, &web, via(2)), "web");
    assert_eq!(walk.look(19, &[], via(2)), "-");
    // The address came back.
    let mut walk = Walk::new();
    assert_eq!(walk.look(0, &web, via(2)), "- 15");
    let doubtful = Socket {
        state: State::Suspect(crate::model::network::Doubt::Readdressed),
        ..lost("web", 7, &[])
    };
    assert_eq!(walk.look(14, &[doubtful], via(2)), "-");
    assert_eq!(walk.look(16, &web, via(2)), "- 31");
}

#[test]
fn a_master_that_ends_by_itself_is_not_opened() {
    let web = [lost("web", 7, &[])];
    let mut walk = Walk::new();
    walk.look(0, &web, via(2));
    assert_eq!(walk.look(20, &[], via(2)), "-");
    assert_eq!(walk.look(100, &[], via(2)), "-");
    // The attempt did not end it.
    walk.look(200, &web, via(2));
    assert_eq!(walk.look(215, &web, via(2)), "web");
    assert!(!walk.end(216, "web", Attempted::Failed));
    assert_eq!(walk.look(216, &web, via(2)), "- 226");
    assert_eq!(walk.look(226, &[], via(2)), "-");
    // It was replaced, and the new one ended.
    walk.look(300, &web, via(2));
    assert_eq!(walk.look(315, &web, via(2)), "web");
    assert!(!walk.end(316, "web", Attempted::Opened));
    assert_eq!(walk.look(317, &[well("web", 8)], via(2)), "-");
    assert_eq!(walk.look(318, &[], via(2)), "-");
    assert_eq!(walk.look(1000, &[], via(2)), "-");
}

#[test]
fn pauses_double_and_the_attempts_end() {
    let mut walk = Walk::new();
    walk.look(0, &[lost("web", 7, &[])], via(2));
    assert_eq!(walk.look(15, &[lost("web", 7, &[])], via(2)), "web");
    let mut now = 15;
    for pause in [10, 20, 40, 80, 160, 320, 600] {
        assert!(!walk.end(now, "web", Attempted::Failed));
        let next = now + pause;
        assert_eq!(walk.look(now, &[], via(2)), format!("- {next}"));
        now = next;
        assert_eq!(walk.look(now, &[], via(2)), "web");
    }
    assert!(walk.end(now, "web", Attempted::Failed));
    assert_eq!(walk.look(now + 10_000, &[], via(2)), "-");
    // Another route begins new attempts; without one, nothing is tried.
    assert_eq!(walk.look(now + 10_001, &[], Route::None), "-");
    assert_eq!(walk.look(now + 10_002, &[], via(3)), "web!");
    assert!(!walk.end(now + 10_003, "web", Attempted::Failed));
    assert_eq!(
        walk.look(now + 10_004, &[], via(4)),
        format!("- {}", now + 10_013)
    );
    // A person has opened it.
    assert_eq!(walk.look(now + 10_005, &[well("web", 9)], via(4)), "-");
    assert_eq!(walk.look(now + 10_020, &[], via(4)), "-");
}

#[test]
fn a_failure_without_a_reason_has_the_longest_pause() {
    let mut walk = Walk::new();
    walk.look(0, &[lost("web", 7, &[])], via(2));
    assert_eq!(walk.look(15, &[lost("web", 7, &[])], via(2)), "web");
    assert!(!walk.end(16, "web", Attempted::FailedWithoutReason));
    assert_eq!(walk.look(16, &[], via(2)), "- 616");
}

#[test]
fn a_question_ends_the_attempts_until_a_master_runs() {
    let mut walk = Walk::new();
    walk.look(0, &[lost("web", 7, &[])], via(2));
    assert_eq!(walk.look(15, &[lost("web", 7, &[])], via(2)), "web");
    assert!(walk.end(16, "web", Attempted::NeedsPerson));
    assert_eq!(walk.look(17, &[], via(3)), "-");
    assert_eq!(walk.look(10_000, &[], via(2)), "-");
    assert_eq!(walk.look(10_001, &[well("web", 8)], via(2)), "-!");
    assert_eq!(walk.look(10_002, &[lost("web", 8, &[])], via(2)), "- 10017");
}

#[test]
fn a_person_or_the_setting_ends_the_attempts() {
    let web = lost("web", 7, &[]);
    let mut walk = Walk::new();
    walk.look(0, std::slice::from_ref(&web), via(2));
    assert_eq!(walk.look(15, std::slice::from_ref(&web), via(2)), "web");
    assert_eq!(walk.reopening.forget(&alias("web")), None);
    assert!(walk.end(16, "web", Attempted::NeedsPerson));
    assert_eq!(walk.look_for(&[], 17, &[], via(2), |_| {}), "-!");
    walk.look(20, std::slice::from_ref(&web), via(2));
    assert_eq!(walk.look(35, std::slice::from_ref(&web), via(2)), "web");
    assert!(!walk.end(36, "web", Attempted::Failed));
    assert_eq!(walk.look(36, &[], via(2)), "- 46");
    assert_eq!(walk.reopening.forget(&alias("web")), Some(web.target()));
    assert_eq!(walk.look(46, &[], via(2)), "-");
}

#[test]
fn a_master_that_is_stranded_soon_again_keeps_its_pauses() {
    let mut walk = Walk::new();
    walk.look(0, &[lost("web", 7, &[])], via(2));
    assert_eq!(walk.look(15, &[lost("web", 7, &[])], via(2)), "web");
    walk.end(16, "web", Attempted::Failed);
    assert_eq!(walk.look(26, &[], via(2)), "web");
    walk.end(27, "web", Attempted::Opened);
    assert_eq!(walk.look(30, &[well("web", 8)], via(2)), "-");
    assert_eq!(walk.look(31, &[lost("web", 8, &[])], via(2)), "- 47");
    assert_eq!(walk.look(47, &[lost("web", 8, &[])], via(2)), "web");
    walk.end(48, "web", Attempted::Failed);
    assert_eq!(walk.look(48, &[], via(2)), "- 88");
}

#[test]
fn a_jump_host_is_replaced_first_and_the_masters_behind_it_are_opened_again() {
    let both = [lost("far", 8, &[7]), lost("hop", 7, &[])];
    let mut walk = Walk::new();
    walk.look(0, &both, via(2));
    assert_eq!(walk.look(15, &both, via(2)), "hop");
    // The end of the jump host's master ends the other.
    assert_eq!(
        walk.look_with(16, &[], via(2), |it| it.is_opening = true),
        "-"
    );
    assert!(!walk.end(17, "hop", Attempted::Opened));
    assert_eq!(walk.look(17, &[well("hop", 9)], via(2)), "far");
    // Without the setting for the jump host, the other waits.
    let mut walk = Walk::new();
    let only_far = [alias("far")];
    for seconds in [0, 15, 100] {
        walk.look_for(&only_far, seconds, &both, via(2), |_| {});
    }
    let alone = [lost("far", 8, &[7]), well("hop", 9)];
    assert_eq!(walk.look_for(&only_far, 101, &alone, via(2), |_| {}), "far");
}

#[test]
fn masters_that_are_replaced_are_not_ended_by_another_setting() {
    let web = lost("web", 7, &[]);
    let mut walk = Walk::new();
    for (route, replaces) in [(Route::None, false), (via(2), true)] {
        walk.look(0, std::slice::from_ref(&web), route);
        assert_eq!(walk.reopening.replaces(&web.target()), replaces);
    }
    walk.look(1, std::slice::from_ref(&web), Route::None);
    walk.reopening.note_end(&web.target());
    assert_eq!(walk.look(20, &[], Route::None), "-");
    assert_eq!(walk.look(3000, &[], via(2)), "web");
    let other = in_state(State::Running).target();
    assert!(!walk.reopening.replaces(&other));
}
