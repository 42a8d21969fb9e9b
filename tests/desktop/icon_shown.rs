//! When the icon is in the panel, and the requests of the desktop's launcher to the muxtray that runs.

use std::fs;

use crate::desktop::{Desktop, Message, Parts, TrayIcon, end, lab};
use crate::settings::run_with_opener;
use crate::support::{Lab, PATIENCE, Process, wait_until};

#[track_caller]
fn wait_for_status(icon: &TrayIcon<'_>, status: &str) {
    wait_until(&format!("the icon is {status}"), PATIENCE, || {
        icon.status().as_deref() == Some(status)
    });
}

/// Runs muxtray as the launcher does.
#[track_caller]
fn launch(desktop: &Desktop<'_>, lab: &Lab, action: &str) {
    let command = lab.muxtray_command(["run", "--action", action]);
    let output = Process::run(desktop.join(command), PATIENCE).expect(0);
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        ("muxtray is already running\n", "")
    );
}

#[test]
fn icon_is_in_the_panel_only_when_the_setting_has_it() {
    let Some(lab) = lab("icon_is_in_the_panel_only_when_the_setting_has_it") else {
        return;
    };
    lab.write_muxtray_config("icon = \"masters\"\n");
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["no masters"]);
    wait_for_status(&icon, "Passive");
    let mut master = lab.master("web");
    icon.wait_for_row(&["\u{25cf} web"]);
    wait_for_status(&icon, "Active");

    let file = lab.path("config/muxtray/config.toml");
    let always = &["Settings", "Icon: always"][..];
    let problems = &["Settings", "Icon: only with problems"][..];
    icon.wait_for_mark(problems, false);
    icon.click(problems);
    wait_for_status(&icon, "Passive");
    icon.wait_for_mark(problems, true);
    // A click on the value in force changes nothing.
    icon.click(problems);
    icon.wait_for_mark(problems, true);
    icon.wait_for_mark(always, false);
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.ends_with("\nicon = \"problems\"\n"), "{written}");
    master.kill();
    icon.wait_for_row(&["\u{25b2} web"]);
    wait_for_status(&icon, "Active");

    lab.muxtray(["clean", "web"]).expect(0);
    wait_for_status(&icon, "Passive");
    launch(&desktop, &lab, "show");
    wait_for_status(&icon, "Active");
    icon.click(&["Settings", "Icon: with masters or problems"]);
    wait_for_status(&icon, "Passive");
    icon.click(always);
    wait_for_status(&icon, "Active");
    end(applet);
}

#[test]
fn launcher_is_answered_by_a_notification() {
    let Some(lab) = lab("launcher_is_answered_by_a_notification") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let script = format!("echo \"$1\" > {}", lab.path("opened").display());
    let applet = run_with_opener(&lab, &desktop, Some(&script));
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["no masters"]);
    let wait_for_answer = |answer: &str| {
        wait_until(answer, PATIENCE, || {
            desktop.messages().iter().any(
                |message| matches!(message, Message::Notify { summary, .. } if summary == answer),
            )
        });
    };
    launch(&desktop, &lab, "check-all");
    wait_for_answer("Check all: no masters");
    launch(&desktop, &lab, "clean");
    wait_for_answer("Clean: no stale sockets");
    let _master = lab.master("web");
    let stale = lab.control_path("db");
    lab.dead_socket(&stale);
    icon.wait_for_row(&["\u{25b2} db"]);
    icon.wait_for_row(&["\u{25cf} web"]);
    launch(&desktop, &lab, "check-all");
    wait_for_answer("1 master answered");
    launch(&desktop, &lab, "clean");
    wait_for_answer("1 socket removed");
    assert!(!stale.exists());
    launch(&desktop, &lab, "open-configuration");
    let opened = lab.path("opened");
    wait_until("it is opened", PATIENCE, || opened.exists());
    end(applet);
}

#[test]
fn first_start_carries_out_the_action_after_its_first_scan() {
    let Some(lab) = lab("first_start_carries_out_the_action_after_its_first_scan") else {
        return;
    };
    let stale = lab.control_path("web");
    lab.dead_socket(&stale);
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&["--action", "clean"]);
    wait_until("the stale socket is removed", PATIENCE, || !stale.exists());
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["no masters"]);
    end(applet);
}
