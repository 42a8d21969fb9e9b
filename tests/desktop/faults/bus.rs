//! The session bus dies, and returns.

use std::fs;

use futures_lite::future::block_on;

use super::stand_in::{Manner, StandIn};
use super::{BARE, NAME, Usage, break_hosts, times, wait_for_word, watching};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{PATIENCE, wait_until};

#[test]
fn without_an_icon_it_goes_on_with_the_next_bus() {
    let Some(lab) = lab("without_an_icon_it_goes_on_with_the_next_bus") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, BARE);
    let muxtray = desktop.muxtray_run(&["--no-tray", "-vv"]);
    wait_for_word(&muxtray, "no masters");
    let mut before = None;
    for (round, host) in ["web", "db", "build"].into_iter().enumerate() {
        desktop.end_bus();
        wait_until("it says so", PATIENCE, || {
            times(&muxtray, "the session bus has ended: watching without") == round + 1
        });
        break_hosts(&lab, &[host]);
        wait_for_word(&muxtray, &format!("no masters, {} problem", round + 1));
        desktop.start_bus();
        let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
        wait_until("it is the one instance again", PATIENCE, || {
            desktop.has_name(NAME)
        });
        // What nobody could show is told now; nothing else is.
        daemon.wait_for_shown(&[&format!("{host}: stale control socket")]);
        // Only what it knows to be shown is not told again.
        wait_until("it knows", PATIENCE, || {
            times(&muxtray, "notification shown") == round + 1
        });
        let before = *before.get_or_insert_with(|| Usage::of(&muxtray));
        wait_until("no thread or descriptor is left over", PATIENCE, || {
            Usage::of(&muxtray).is_at_most(before)
        });
    }
    let again = desktop
        .muxtray_run(&["--no-tray"])
        .finish(PATIENCE)
        .expect(0);
    assert!(again.stdout.contains("already running"), "{again:?}");
    end(muxtray);
}

#[test]
fn where_another_instance_has_the_next_bus_it_ends() {
    let Some(lab) = lab("where_another_instance_has_the_next_bus_it_ends") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, BARE);
    let muxtray = watching(&desktop);
    desktop.end_bus();
    wait_for_word(&muxtray, "the session bus has ended");
    desktop.start_bus();
    let address = desktop.bus_address();
    let other = block_on(zbus::connection::Builder::address(address.as_str()).build()).unwrap();
    block_on(other.request_name(NAME)).unwrap();
    let said = muxtray.finish(PATIENCE).expect(0);
    assert!(said.stderr.contains("another muxtray"), "{said:?}");
}

#[test]
fn with_an_icon_it_fails_and_starts_anew_with_the_next_bus() {
    let Some(lab) = lab("with_an_icon_it_fails_and_starts_anew_with_the_next_bus") else {
        return;
    };
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let mut desktop = Desktop::new(&lab, parts);
    let applet = desktop.muxtray_run(&[]);
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["no masters"]);
    desktop.end_bus();
    let said = applet.finish(PATIENCE).expect(3);
    assert!(
        said.stderr
            .contains("muxtray: the session bus has ended, and the tray icon with it"),
        "{said:?}"
    );
    // By that status systemd knows that it is to be started again.
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/muxtray.service");
    let unit = fs::read_to_string(unit).unwrap();
    assert!(unit.contains("\nRestart=on-failure\n"), "{unit}");
    desktop.start_bus();
    desktop.start_panel();
    let again = desktop.muxtray_run(&[]);
    desktop.tray_icon(again.pid()).wait_for_row(&["no masters"]);
    end(again);
}
