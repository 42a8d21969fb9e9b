//! Notifications in a real daemon: when they are shown, their text, the effect of their buttons on the real master, and
//! that they are closed when their problem is over.

use crate::desktop::{Desktop, Message, Parts, Row, end, lab};
use crate::support::{PATIENCE, wait_until};

#[test]
fn clean_button_removes_socket_and_closes_notification() {
    let Some(lab) = lab("clean_button_removes_socket_and_closes_notification") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    desktop.tray_icon(applet.pid()).wait_for_row(&["1 master"]);
    assert!(desktop.messages().is_empty(), "{:?}", desktop.messages());

    master.kill();
    wait_until("the stale socket is announced", PATIENCE, || {
        desktop.summaries() == ["web: stale control socket"] && desktop.displayed() == 1
    });
    desktop.press("Clean");
    wait_until("the socket is gone", PATIENCE, || !master.path().exists());
    wait_until("the notification is closed", PATIENCE, || {
        desktop
            .messages()
            .iter()
            .any(|message| matches!(message, Message::Closed(_)))
    });
    assert!(!desktop.messages().iter().any(|message| {
        matches!(message, Message::Notify { summary, .. } if summary.contains("problem"))
    }));
    end(applet);
}

#[test]
fn notification_is_closed_when_problem_is_over() {
    let Some(lab) = lab("notification_is_closed_when_problem_is_over") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&["--no-tray"]);
    let mut master = lab.master("web");
    wait_until("muxtray is there", PATIENCE, || {
        desktop.has_name("io.github.muxtray.Muxtray")
    });
    master.kill();
    wait_until("the stale socket is announced", PATIENCE, || {
        desktop.displayed() == 1
    });
    std::fs::remove_file(master.path()).unwrap();
    wait_until("the notification is taken back", PATIENCE, || {
        desktop.displayed() == 0
            && desktop
                .messages()
                .iter()
                .any(|message| matches!(message, Message::Close(_)))
    });
    end(applet);
}

#[test]
fn orderly_end_of_master_shows_no_notification() {
    let Some(lab) = lab("orderly_end_of_master_shows_no_notification") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["1 master"]);
    lab.ssh_request("exit", master.path()).expect(0);
    master.wait_for_end();
    icon.wait_for_row(&["no masters"]);
    assert_eq!(desktop.messages(), []);
    end(applet);
}

#[test]
fn simultaneous_problems_are_one_summary() {
    let Some(lab) = lab("simultaneous_problems_are_one_summary") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    for alias in ["web", "db", "build"] {
        lab.dead_socket(&lab.control_path(alias));
    }
    let applet = desktop.muxtray_run(&[]);
    wait_until("the problems are announced", PATIENCE, || {
        desktop.displayed() == 1
    });
    let summaries = desktop.summaries();
    assert!(
        summaries.len() == 1 && summaries[0].starts_with("3 problems"),
        "{summaries:?}"
    );
    desktop.press("Clean 3 sockets");
    for alias in ["web", "db", "build"] {
        wait_until("it is gone", PATIENCE, || !lab.control_path(alias).exists());
    }
    end(applet);
}

#[test]
fn hostile_names_are_escaped_in_menu_and_notification() {
    let Some(lab) = lab("hostile_names_are_escaped_in_menu_and_notification") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let name = "<b>a_b&\u{1b}[31m\u{202e}\n-22";
    lab.dead_socket(&lab.path("s").join(name));
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let row = icon.wait_for_row(&["\u{25b2}"]);
    assert!(!row.label.contains(['\u{1b}', '\u{202e}', '\n']), "{row:?}");
    // Panels built with GTK remove underscores, so names have a look-alike.
    let escaped = "<b>a_b&\\u{1b}[31m\\u{202e}\\u{a}-22";
    let shows_path = |row: &Row| row.label.replace('\u{2cd}', "_").ends_with(escaped);
    assert!(row.rows.iter().any(shows_path), "{row:#?}");
    wait_until("the problem is announced", PATIENCE, || {
        !desktop.messages().is_empty()
    });
    let Message::Notify { body, .. } = &desktop.messages()[0] else {
        panic!("{:?}", desktop.messages())
    };
    assert!(
        body.contains("&lt;b&gt;a_b&amp;") && !body.contains("<b>"),
        "{body}"
    );
    end(applet);
}

#[test]
fn without_notification_daemon_it_logs_once_and_continues() {
    let Some(lab) = lab("without_notification_daemon_it_logs_once_and_continues") else {
        return;
    };
    let mut desktop = Desktop::new(
        &lab,
        Parts {
            daemon: false,
            ..Parts::ALL
        },
    );
    let mut master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["1 master"]);
    master.kill();
    icon.wait_for_row(&["\u{25b2} web"]);
    wait_until("the missing daemon is logged", PATIENCE, || {
        applet.stderr().contains("notifications")
    });
    std::fs::remove_file(master.path()).unwrap();
    icon.wait_for_row(&["no masters"]);
    lab.dead_socket(&lab.control_path("db"));
    icon.wait_for_row(&["\u{25b2} db"]);
    assert_eq!(
        applet.stderr().matches("notifications").count(),
        1,
        "{}",
        applet.stderr()
    );

    desktop.start_daemon();
    lab.dead_socket(&lab.control_path("build"));
    wait_until(
        "a daemon that starts later shows the current problem",
        PATIENCE,
        || desktop.displayed() == 2,
    );
    assert!(
        desktop
            .summaries()
            .iter()
            .all(|title| !title.starts_with("web"))
    );
    end(applet);
}
