//! Masters opened from the menu of the applet in a real panel.

use crate::desktop::{Desktop, Message, Parts, TrayIcon, end, lab};
use crate::support::{GOOD, Lab, PATIENCE, wait_until};

/// The hosts for which a click opens a master, in the order of the menu.
fn offered(icon: &TrayIcon<'_>) -> Vec<String> {
    let menu = icon.menu();
    let offer = menu.as_ref().and_then(|menu| menu.find("Hosts"));
    let rows = offer.map(|offer| offer.rows.iter());
    rows.into_iter()
        .flatten()
        .filter_map(|row| row.label.split_once(": no master; open one"))
        .map(|(host, _)| host.to_owned())
        .collect()
}

#[track_caller]
fn wait_for_offer(icon: &TrayIcon<'_>, hosts: &[&str]) {
    wait_until(&format!("{hosts:?} are offered"), PATIENCE, || {
        offered(icon) == hosts
    });
}

/// The master of a host ends with the test, even if the test fails.
#[track_caller]
fn end_with_test(lab: &Lab, alias: &str) {
    let report = lab.list().at(&lab.control_path(alias));
    let pid = report.0["pid"].as_i64().unwrap();
    lab.end_with_lab(i32::try_from(pid).unwrap());
}

#[test]
fn open_in_menu_starts_master_and_remembers_host() {
    let Some(lab) = lab("open_in_menu_starts_master_and_remembers_host") else {
        return;
    };
    // systemd's names are no hosts; one of them is in a missing directory.
    lab.configure(&format!("Host .host machine/.host web db build\n{GOOD}"));
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    wait_for_offer(&icon, &["web", "db", "build"]);
    assert_eq!(desktop.summaries(), [""; 0]);

    icon.click(&["Hosts", "build"]);
    icon.wait_for_row(&["\u{25cf} build", "Check"]);
    end_with_test(&lab, "build");
    // The check after the start was the last connection.
    icon.wait_for_row(&["\u{25cf} build \u{2014} running, idle, ends at"]);
    wait_until("the notification is shown", PATIENCE, || {
        desktop
            .summaries()
            .contains(&"build: master is open".to_owned())
    });
    wait_for_offer(&icon, &["web", "db"]);

    icon.click(&["\u{25cf} build", "Exit"]);
    wait_for_offer(&icon, &["build", "web", "db"]);
    end(applet);

    let again = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(again.pid());
    wait_for_offer(&icon, &["build", "web", "db"]);
    lab.muxtray(["open", ".host"]).expect(0);
    end_with_test(&lab, ".host");
    icon.wait_for_row(&["\u{25cf} .host", "Exit"]);
    end(again);
}

#[test]
fn failed_start_is_shown_and_can_be_repeated() {
    let Some(lab) = lab("failed_start_is_shown_and_can_be_repeated") else {
        return;
    };
    lab.configure(&format!("Host web\n    Port 1\nHost web db build\n{GOOD}"));
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(&["Hosts", "web"]);
    wait_until("the notification is shown", PATIENCE, || {
        desktop.messages().iter().any(|message| {
            matches!(message, Message::Notify { summary, body, .. }
                if summary == "web: no master was opened" && body.contains("Connection refused"))
        })
    });
    wait_for_offer(&icon, &["web", "db", "build"]);
    lab.configure(&format!("Host web db build\n{GOOD}"));
    // Another port changes the path; the offer is for the host.
    desktop.press("Try again");
    icon.wait_for_row(&["\u{25cf} web", "Check"]);
    end_with_test(&lab, "web");
    end(applet);
}
