//! Settings in the menu of a real panel: the effects of a click, the message if the file cannot be written, and start at
//! login.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::desktop::{Desktop, Message, Parts, TrayIcon, end, lab};
use crate::support::{Lab, PATH, PATIENCE, Process, wait_until};

const CLEAN: &[&str] = &["Settings", "Clean stale sockets automatically"];
const ALL: &[&str] = &["Settings", "Notify of problems"];
const STALE: &[&str] = &["Notify about", "Stale control socket"];
const AT_LOGIN: &[&str] = &["Settings", "Start at login"];
const OPEN: &[&str] = &["Settings", "Open configuration"];

/// A configuration edited by hand.
const MINE: &str = "# Mine.\ninterval_secs = 3600 # an hour\n\nclean_automatically = false # not yet\n\n\
                    [notifications]\n# Loud.\nenabled = true\n";

fn configuration(lab: &Lab) -> PathBuf {
    lab.path("config/muxtray/config.toml")
}

fn autostart_file(lab: &Lab) -> PathBuf {
    lab.path("config/autostart/io.github.muxtray.Muxtray.desktop")
}

/// Starts muxtray with the test's xdg-open, and no other.
pub(crate) fn run_with_opener(lab: &Lab, desktop: &Desktop<'_>, script: Option<&str>) -> Process {
    let directory = lab.make_directory("programs");
    std::os::unix::fs::symlink("/usr/bin/ssh", directory.join("ssh")).unwrap();
    if let Some(script) = script {
        lab.script("programs/xdg-open", script);
    }
    let mut command: Command = desktop.join(lab.muxtray_command(["run"]));
    command.env("PATH", directory);
    Process::start(command)
}

/// Clicks a check mark, and waits until the setting is written and drawn. A panel may draw the mark of a click for a
/// moment before it draws the true one, so the file is checked first.
#[track_caller]
fn switch(icon: &TrayIcon<'_>, labels: &[&str], on: bool, file: &Path, written: &str) {
    icon.wait_for_mark(labels, !on);
    icon.click(labels);
    wait_until("it is written", PATIENCE, || {
        fs::read_to_string(file).is_ok_and(|text| text.contains(written))
    });
    icon.wait_for_mark(labels, on);
}

#[test]
fn click_changes_one_line_and_survives_restart() {
    let Some(lab) = lab("click_changes_one_line_and_survives_restart") else {
        return;
    };
    lab.write_muxtray_config(MINE);
    let mine = fs::read_to_string(configuration(&lab)).unwrap();
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    switch(&icon, CLEAN, true, &configuration(&lab), "= true # not yet");
    let on = mine.replace("= false # not yet", "= true # not yet");
    assert_eq!(fs::read_to_string(configuration(&lab)).unwrap(), on);
    // It takes effect at once.
    let stale = lab.control_path("web");
    lab.dead_socket(&stale);
    wait_until("the stale socket is cleaned", PATIENCE, || !stale.exists());
    end(applet);

    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    switch(
        &icon,
        CLEAN,
        false,
        &configuration(&lab),
        "= false # not yet",
    );
    assert_eq!(fs::read_to_string(configuration(&lab)).unwrap(), mine);
    end(applet);
}

#[test]
fn kind_is_announced_only_while_switched_on() {
    let Some(lab) = lab("kind_is_announced_only_while_switched_on") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    switch(&icon, STALE, false, &configuration(&lab), "stale = false");

    lab.dead_socket(&lab.control_path("web"));
    icon.wait_for_row(&["\u{25b2} web"]);
    // The later notification is shown, so an earlier one would have been shown before it.
    lab.write(format!("s/db-{}", lab.port), "no socket");
    wait_until("the other kind is announced", PATIENCE, || {
        desktop.summaries() == ["db: ControlPath is not a socket"]
    });

    switch(&icon, STALE, true, &configuration(&lab), "stale = true");
    wait_until("the stale socket is announced now", PATIENCE, || {
        desktop
            .summaries()
            .contains(&"web: stale control socket".to_owned())
    });
    end(applet);
}

#[test]
fn notifications_are_shown_only_while_switched_on() {
    let Some(lab) = lab("notifications_are_shown_only_while_switched_on") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    lab.dead_socket(&lab.control_path("web"));
    wait_until("it is announced", PATIENCE, || desktop.displayed() == 1);
    switch(&icon, ALL, false, &configuration(&lab), "enabled = false");
    wait_until("it is taken back", PATIENCE, || desktop.displayed() == 0);
    let kinds = icon.wait_for_row(&["Notify about: notifications are off"]);
    assert!(!kinds.enabled, "{kinds:?}");

    switch(&icon, ALL, true, &configuration(&lab), "enabled = true");
    wait_until("it is announced again", PATIENCE, || {
        desktop.displayed() == 1
    });
    icon.wait_for_mark(STALE, true);
    end(applet);
}

#[test]
fn invalid_file_disables_switches_with_reason_and_stays() {
    let Some(lab) = lab("invalid_file_disables_switches_with_reason_and_stays") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_mark(CLEAN, false);
    let bad = "clean_automatically = perhaps\n";
    lab.write("config/muxtray/config.toml", bad);
    let row = icon.wait_for_row(&[
        "Settings",
        "Clean stale sockets automatically: configuration not valid",
    ]);
    assert!(!row.enabled, "{row:?}");
    assert!(icon.wait_for_row(OPEN).enabled, "it is the way out");
    assert_eq!(fs::read_to_string(configuration(&lab)).unwrap(), bad);

    lab.write_muxtray_config("clean_automatically = true\n");
    icon.wait_for_mark(CLEAN, true);
    end(applet);
}

#[test]
fn unwritable_setting_keeps_mark_and_shows_reason() {
    let Some(lab) = lab("unwritable_setting_keeps_mark_and_shows_reason") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let file = configuration(&lab);
    let before = fs::read_to_string(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(CLEAN);
    wait_until("the reason is shown", PATIENCE, || {
        desktop.messages().iter().any(|message| {
            matches!(message, Message::Notify { summary, body, .. }
                if summary == "muxtray: setting not changed"
                    && body.contains(file.to_str().unwrap())
                    && body.contains("Permission denied"))
        })
    });
    icon.wait_for_mark(CLEAN, false);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    end(applet);
}

#[test]
fn start_at_login_writes_file_and_shows_its_state() {
    let Some(lab) = lab("start_at_login_writes_file_and_shows_its_state") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let exec = format!("\nExec={} run\n", lab.reachable_program().display());
    switch(&icon, AT_LOGIN, true, &autostart_file(&lab), &exec);
    lab.muxtray(["autostart", "status"]).expect(0);

    switch(&icon, AT_LOGIN, false, &autostart_file(&lab), "Hidden=true");
    lab.muxtray(["autostart", "status"]).expect(1);
    // Changes by others are seen as well.
    lab.muxtray(["autostart", "enable"]).expect(0);
    icon.wait_for_mark(AT_LOGIN, true);
    end(applet);
}

/// Whether one of these notifications has a button.
fn has_button(messages: &[Message], label: &str) -> bool {
    messages.iter().any(|message| {
        matches!(message, Message::Notify { actions, .. } if actions.iter().any(|action| action == label))
    })
}

#[test]
fn open_configuration_runs_xdg_open() {
    let Some(lab) = lab("open_configuration_runs_xdg_open") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let script = format!(
        "PATH={PATH}\necho \"$1 ${{GDK_GL-unset}}\" > {0}.new\nmv {0}.new {0}",
        lab.path("opened").display()
    );
    let applet = run_with_opener(&lab, &desktop, Some(&script));
    fs::remove_file(configuration(&lab)).unwrap();
    let icon = desktop.tray_icon(applet.pid());
    icon.click(OPEN);
    let opened = lab.path("opened");
    wait_until("it is opened", PATIENCE, || opened.exists());
    assert_eq!(
        fs::read_to_string(&opened).unwrap(),
        format!("{} unset\n", configuration(&lab).display())
    );
    assert!(configuration(&lab).exists(), "there is something to open");
    end(applet);
}

/// Asserts that a click on Open configuration is answered by the path and the way out, and that the text can be shown
/// if there are windows or a viewer.
fn assert_path_is_shown(
    lab: &Lab,
    desktop: &Desktop<'_>,
    applet: Process,
    why: &str,
    has_opener: bool,
) {
    let path = configuration(lab);
    desktop.tray_icon(applet.pid()).click(OPEN);
    wait_until("the reason is shown", PATIENCE, || {
        desktop.messages().iter().any(|message| {
            matches!(message, Message::Notify { summary, body, .. }
                if summary == "muxtray: configuration not opened"
                    && [path.to_str().unwrap(), why, "muxtray config edit"]
                        .iter()
                        .all(|part| body.contains(part)))
        })
    });
    assert_eq!(
        has_button(&desktop.messages(), "Show"),
        has_opener || !cfg!(feature = "lean-tray")
    );
    end(applet);
}

#[test]
fn failing_xdg_open_shows_path() {
    let Some(lab) = lab("failing_xdg_open_shows_path") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = run_with_opener(&lab, &desktop, Some("exit 3"));
    assert_path_is_shown(&lab, &desktop, applet, "finds no program to open it", true);
}

#[test]
fn missing_xdg_open_shows_path() {
    let Some(lab) = lab("missing_xdg_open_shows_path") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = run_with_opener(&lab, &desktop, None);
    assert_path_is_shown(&lab, &desktop, applet, "xdg-open is not installed", false);
}

#[test]
fn login_start_cleans_first_and_waits_for_panel() {
    let Some(lab) = lab("login_start_cleans_first_and_waits_for_panel") else {
        return;
    };
    lab.write_muxtray_config("interval_secs = 3600\nclean_automatically = true\n");
    let stale = lab.control_path("web");
    lab.dead_socket(&stale);
    let mut desktop = Desktop::new(
        &lab,
        Parts {
            panel: false,
            daemon: false,
            ..Parts::ALL
        },
    );
    lab.muxtray(["autostart", "enable"]).expect(0);
    let mut applet = start_as_a_desktop_does(&desktop, &lab, &autostart_file(&lab));
    wait_until("the stale socket is cleaned", PATIENCE, || !stale.exists());
    assert!(applet.is_running(), "{}", applet.stderr());
    desktop.start_panel();
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["no masters"]);
    icon.wait_for_mark(AT_LOGIN, true);
    end(applet);
}

/// Runs the command in the file's Exec.
fn start_as_a_desktop_does(desktop: &Desktop<'_>, lab: &Lab, file: &Path) -> Process {
    let text = fs::read_to_string(file).unwrap();
    let exec = text
        .lines()
        .find_map(|line| line.strip_prefix("Exec="))
        .unwrap();
    let mut words = exec.split(' ');
    let mut command = lab.command(words.next().unwrap());
    command
        .args(words)
        .arg("--ssh-config")
        .arg(lab.path("ssh_config"));
    Process::start(desktop.join(command))
}
