//! The notification daemon hangs, dies, refuses or answers what makes no sense.

use std::fs;
use std::time::{Duration, Instant};

use super::stand_in::{Asked, Manner, StandIn};
use super::{BARE, Usage, break_hosts, times, wait_for_word, watching};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{PATIENCE, wait_until};

#[test]
fn a_daemon_that_hangs_holds_up_nothing_and_its_successor_tells_what_is_true() {
    let test = "a_daemon_that_hangs_holds_up_nothing_and_its_successor_tells_what_is_true";
    let Some(lab) = lab(test) else {
        return;
    };
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let desktop = Desktop::new(&lab, parts);
    let deaf = StandIn::start(&desktop.bus_address(), Manner::Deaf);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["no masters"]);
    break_hosts(&lab, &["web"]);
    wait_until("the daemon is asked", PATIENCE, || !deaf.asked().is_empty());
    icon.wait_for_row(&["\u{25b2} web"]);
    let before = Usage::of(&applet);
    // Each of these is a notice, and most are over before anybody could be told.
    for _ in 0..10 {
        break_hosts(&lab, &["db"]);
        icon.wait_for_row(&["no masters, 2 problems"]);
        fs::remove_file(lab.control_path("db")).unwrap();
        icon.wait_for_row(&["no masters, 1 problem"]);
    }
    break_hosts(&lab, &["build"]);
    icon.wait_for_row(&["\u{25b2} build"]);
    assert!(Usage::of(&applet).is_at_most(before), "{before:?}");
    assert_eq!(deaf.asked(), [Asked::Capabilities], "it is asked one thing");
    wait_for_word(&applet, "cannot show notifications: no answer within 5 s");

    drop(deaf);
    let good = StandIn::start(&desktop.bus_address(), Manner::Good);
    good.wait_for_shown(&["web: stale control socket", "build: stale control socket"]);
    assert_eq!(times(&applet, "notifications"), 1, "{}", applet.stderr());
    end(applet);
}

#[test]
fn a_daemon_that_hangs_does_not_hold_up_the_end() {
    let Some(lab) = lab("a_daemon_that_hangs_does_not_hold_up_the_end") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let slow = StandIn::start(&desktop.bus_address(), Manner::Slow);
    let muxtray = watching(&desktop);
    break_hosts(&lab, &["web"]);
    wait_until("the daemon is asked", PATIENCE, || slow.shown().len() == 1);
    let begun = Instant::now();
    end(muxtray);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn what_a_daemon_shows_too_late_is_taken_back() {
    let Some(lab) = lab("what_a_daemon_shows_too_late_is_taken_back") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let slow = StandIn::start(&desktop.bus_address(), Manner::Slow);
    let muxtray = watching(&desktop);
    break_hosts(&lab, &["web"]);
    let (id, _) = slow.notification("web: stale control socket");
    wait_for_word(&muxtray, "no answer within 5 s");
    fs::remove_file(lab.control_path("web")).unwrap();
    wait_until("it sees that", PATIENCE, || {
        muxtray.stderr().trim().ends_with("no masters")
    });
    slow.answer();
    wait_until("it is taken back", PATIENCE, || {
        slow.asked().contains(&Asked::Close(id))
    });
    // The daemon has come to life, and is spoken to as before.
    break_hosts(&lab, &["db"]);
    slow.wait_for_shown(&["web: stale control socket", "db: stale control socket"]);
    end(muxtray);
}

#[test]
fn a_notice_that_dies_with_its_daemon_is_shown_by_the_next() {
    let Some(lab) = lab("a_notice_that_dies_with_its_daemon_is_shown_by_the_next") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let muxtray = watching(&desktop);
    let dying = StandIn::start(&desktop.bus_address(), Manner::DiesAtNotify);
    break_hosts(&lab, &["web"]);
    dying.wait_for_shown(&["web: stale control socket"]);
    drop(dying);
    let good = StandIn::start(&desktop.bus_address(), Manner::Good);
    good.wait_for_shown(&["web: stale control socket"]);
    end(muxtray);
}

#[test]
fn a_daemon_that_refuses_is_told_of_once_and_asked_no_more_than_twice() {
    let Some(lab) = lab("a_daemon_that_refuses_is_told_of_once_and_asked_no_more_than_twice")
    else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let refusing = StandIn::start(&desktop.bus_address(), Manner::Refuses);
    let muxtray = watching(&desktop);
    for (host, problems) in [("web", "1 problem"), ("db", "2 problems")] {
        break_hosts(&lab, &[host]);
        wait_for_word(&muxtray, problems);
    }
    wait_until("it is asked", PATIENCE, || refusing.asked().len() == 4);
    drop(refusing);
    let good = StandIn::start(&desktop.bus_address(), Manner::Good);
    break_hosts(&lab, &["build"]);
    good.wait_for_shown(&["build: stale control socket"]);
    assert_eq!(times(&muxtray, "not today"), 1, "{}", muxtray.stderr());
    end(muxtray);
}

#[test]
fn a_button_acts_for_one_notice_whatever_ids_the_daemon_gives() {
    let Some(lab) = lab("a_button_acts_for_one_notice_whatever_ids_the_daemon_gives") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    for id in [0, 7, u32::MAX] {
        let absurd = StandIn::start(&desktop.bus_address(), Manner::Absurd(id));
        let muxtray = watching(&desktop);
        let show = |host| {
            break_hosts(&lab, &[host]);
            let (_, actions) = absurd.notification(&format!("{host}: stale control socket"));
            assert_eq!(actions[1], "Clean", "{actions:?}");
            Usage::of(&muxtray).descriptors
        };
        let with_one = show("web");
        show("db");
        // The second stands in the place of the first, so its button is the one that a person sees. Each has a connection
        // to the bus, so once it is known to stand there one of them is gone.
        wait_until("the second is known to stand there", PATIENCE, || {
            Usage::of(&muxtray).descriptors <= with_one
        });
        wait_until("the press is heard", PATIENCE, || {
            absurd.invoke(id, "button-0");
            !lab.control_path("db").exists()
        });
        assert!(lab.control_path("web").exists(), "nobody pressed that one");
        fs::remove_file(lab.control_path("web")).unwrap();
        end(muxtray);
    }
}
