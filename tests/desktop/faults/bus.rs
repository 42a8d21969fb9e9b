//! The session bus ends, and another one starts.

use std::fs;

use futures_lite::future::block_on;

use super::stand_in::{Manner, StandIn};
use super::{BARE, NAME, Usage, make_stale_sockets, times, wait_for_log, watching};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{PATIENCE, wait_until};

#[test]
fn without_icon_it_continues_on_next_bus() {
    let Some(lab) = lab("without_icon_it_continues_on_next_bus") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, BARE);
    let muxtray = desktop.muxtray_run(&["--no-tray", "-vv"]);
    wait_for_log(&muxtray, "no masters");
    let mut before = None;
    for (round, host) in ["web", "db", "build"].into_iter().enumerate() {
        desktop.end_bus();
        wait_until("the loss of the bus is logged", PATIENCE, || {
            times(&muxtray, "the session bus has ended: watching without") == round + 1
        });
        make_stale_sockets(&lab, &[host]);
        wait_for_log(&muxtray, &format!("no masters, {} problem", round + 1));
        desktop.start_bus();
        let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
        wait_until("it is the one instance again", PATIENCE, || {
            desktop.has_name(NAME)
        });
        // Notifications that could not be shown are shown now, and no others.
        daemon.wait_for_shown(&[&format!("{host}: stale control socket")]);
        // Only a notification known to be visible is not shown again.
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
fn ends_if_another_instance_has_next_bus() {
    let Some(lab) = lab("ends_if_another_instance_has_next_bus") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, BARE);
    let muxtray = watching(&desktop);
    desktop.end_bus();
    wait_for_log(&muxtray, "the session bus has ended");
    desktop.start_bus();
    let address = desktop.bus_address();
    let other = block_on(zbus::connection::Builder::address(address.as_str()).build()).unwrap();
    block_on(other.request_name(NAME)).unwrap();
    let output = muxtray.finish(PATIENCE).expect(0);
    assert!(output.stderr.contains("another muxtray"), "{output:?}");
}

#[test]
fn with_icon_it_exits_with_3_and_starts_on_next_bus() {
    let Some(lab) = lab("with_icon_it_exits_with_3_and_starts_on_next_bus") else {
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
    let output = applet.finish(PATIENCE).expect(3);
    assert!(
        output
            .stderr
            .contains("muxtray: the session bus has ended, and the tray icon with it"),
        "{output:?}"
    );
    // By that status systemd knows that it has to restart it.
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/muxtray.service");
    let unit = fs::read_to_string(unit).unwrap();
    assert!(unit.contains("\nRestart=on-failure\n"), "{unit}");
    desktop.start_bus();
    desktop.start_panel();
    let again = desktop.muxtray_run(&[]);
    desktop.tray_icon(again.pid()).wait_for_row(&["no masters"]);
    end(again);
}
