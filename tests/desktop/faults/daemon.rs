//! The notification daemon hangs, ends, refuses, or gives absurd answers.

use std::fs;
use std::time::{Duration, Instant};

use super::stand_in::{Asked, Manner, StandIn};
use super::{BARE, Usage, make_stale_sockets, times, wait_for_log, watching};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{PATIENCE, wait_until};

#[test]
fn hanging_daemon_blocks_nothing_and_next_one_shows_current_problems() {
    let test = "hanging_daemon_blocks_nothing_and_next_one_shows_current_problems";
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
    make_stale_sockets(&lab, &["web"]);
    wait_until("the daemon is asked", PATIENCE, || !deaf.asked().is_empty());
    icon.wait_for_row(&["\u{25b2} web"]);
    let before = Usage::of(&applet);
    // Each of these is a notice, and most problems are over before the daemon could show them.
    for _ in 0..10 {
        make_stale_sockets(&lab, &["db"]);
        icon.wait_for_row(&["no masters, 2 problems"]);
        fs::remove_file(lab.control_path("db")).unwrap();
        icon.wait_for_row(&["no masters, 1 problem"]);
    }
    make_stale_sockets(&lab, &["build"]);
    icon.wait_for_row(&["\u{25b2} build"]);
    wait_until("no thread or descriptor is left over", PATIENCE, || {
        Usage::of(&applet).is_at_most(before)
    });
    assert_eq!(deaf.asked(), [Asked::Capabilities], "it is asked one thing");
    wait_for_log(&applet, "cannot show notifications: no answer within 5 s");

    drop(deaf);
    let good = StandIn::start(&desktop.bus_address(), Manner::Good);
    good.wait_for_shown(&["web: stale control socket", "build: stale control socket"]);
    assert_eq!(times(&applet, "notifications"), 1, "{}", applet.stderr());
    end(applet);
}

#[test]
fn hanging_daemon_does_not_delay_the_end() {
    let Some(lab) = lab("hanging_daemon_does_not_delay_the_end") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let slow = StandIn::start(&desktop.bus_address(), Manner::Slow);
    let muxtray = watching(&desktop);
    make_stale_sockets(&lab, &["web"]);
    wait_until("the daemon is asked", PATIENCE, || slow.shown().len() == 1);
    let begun = Instant::now();
    end(muxtray);
    // The wait for an answer takes 5 s.
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[test]
fn notification_shown_too_late_is_closed() {
    let Some(lab) = lab("notification_shown_too_late_is_closed") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let slow = StandIn::start(&desktop.bus_address(), Manner::Slow);
    let muxtray = watching(&desktop);
    make_stale_sockets(&lab, &["web"]);
    let (id, _) = slow.notification("web: stale control socket");
    wait_for_log(&muxtray, "no answer within 5 s");
    fs::remove_file(lab.control_path("web")).unwrap();
    wait_until("it sees that", PATIENCE, || {
        muxtray.stderr().trim().ends_with("no masters")
    });
    slow.answer();
    wait_until("it is taken back", PATIENCE, || {
        slow.asked().contains(&Asked::Close(id))
    });
    // The daemon works again, and is used as before.
    make_stale_sockets(&lab, &["db"]);
    slow.wait_for_shown(&["web: stale control socket", "db: stale control socket"]);
    end(muxtray);
}

#[test]
fn notice_lost_with_daemon_is_shown_by_next_one() {
    let Some(lab) = lab("notice_lost_with_daemon_is_shown_by_next_one") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let muxtray = watching(&desktop);
    let dying = StandIn::start(&desktop.bus_address(), Manner::DiesAtNotify);
    make_stale_sockets(&lab, &["web"]);
    dying.wait_for_shown(&["web: stale control socket"]);
    drop(dying);
    let good = StandIn::start(&desktop.bus_address(), Manner::Good);
    good.wait_for_shown(&["web: stale control socket"]);
    end(muxtray);
}

#[test]
fn refusing_daemon_is_logged_once_and_asked_at_most_twice() {
    let Some(lab) = lab("refusing_daemon_is_logged_once_and_asked_at_most_twice") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let refusing = StandIn::start(&desktop.bus_address(), Manner::Refuses);
    let muxtray = desktop.muxtray_run(&["--no-tray", "-vv"]);
    wait_for_log(&muxtray, "no masters");
    for (host, refused) in [("web", 2), ("db", 4)] {
        make_stale_sockets(&lab, &[host]);
        // muxtray asks the bus whether there still is a daemon before it logs a refusal.
        wait_until("it is refused twice", PATIENCE, || {
            times(&muxtray, "not today") == refused
        });
    }
    drop(refusing);
    let good = StandIn::start(&desktop.bus_address(), Manner::Good);
    make_stale_sockets(&lab, &["build"]);
    good.wait_for_shown(&["build: stale control socket"]);
    let warnings = times(&muxtray, "cannot show notifications");
    assert_eq!(warnings, 1, "{}", muxtray.stderr());
    end(muxtray);
}

#[test]
fn button_acts_for_visible_notice_with_repeated_ids() {
    let Some(lab) = lab("button_acts_for_visible_notice_with_repeated_ids") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    for id in [0, 7, u32::MAX] {
        let absurd = StandIn::start(&desktop.bus_address(), Manner::Absurd(id));
        let muxtray = watching(&desktop);
        let show = |host| {
            make_stale_sockets(&lab, &[host]);
            let (_, actions) = absurd.notification(&format!("{host}: stale control socket"));
            assert_eq!(actions[1], "Clean", "{actions:?}");
            Usage::of(&muxtray).descriptors
        };
        let with_one = show("web");
        show("db");
        // The second notification replaces the first, so its button is the visible one. Each sender has a connection to
        // the bus, so once the replacement is known one of them is gone.
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
