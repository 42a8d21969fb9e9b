//! End process from the menu of a real panel: a master that cannot be asked is ended, for the confirmed number of
//! sessions.

use std::fs;

use crate::desktop::{Desktop, Parts, end, has_programs, lab};
use crate::support::{PATIENCE, is_socket, wait_until};

#[test]
fn end_process_in_menu_ends_hung_master() {
    let name = "end_process_in_menu_ends_hung_master";
    let can_answer = || cfg!(feature = "lean-tray") || has_programs(name, &["xdotool"]);
    let Some(lab) = lab(name).filter(|_| can_answer()) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut stopped = lab.master("db");
    let mut session = stopped.session(&lab);
    stopped.suspend();
    let mut orphan = lab.master("web");
    fs::remove_file(orphan.path()).unwrap();
    let mut successor = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());

    icon.wait_for_row(&["\u{25b2} web"]);
    icon.click(&["\u{25b2} web", "End process"]);
    orphan.wait_for_end();
    assert!(successor.is_running() && is_socket(successor.path()));
    lab.ssh_request("check", successor.path()).expect(0);

    icon.click(&["\u{25b2} db", "End process, closing 1 session\u{2026}"]);
    desktop.consent("End process, closing 1 session");
    stopped.wait_for_end();
    wait_until("the session has ended", PATIENCE, || !session.is_open());
    icon.wait_for_row(&["1 master"]);
    assert!(!stopped.path().exists());
    end(applet);
}
