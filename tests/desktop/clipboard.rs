//! The text that a click in the menu copies, on X11 and on Wayland, and how long it stays; and the details shown by
//! "Show" on a notification.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::desktop::{Desktop, Message, Parts, end, has_programs, lab};
use crate::support::{Lab, PATH, PATIENCE, Process, files_below, look_for, wait_for, wait_until};

/// Whether the applet was built without GTK.
const LEAN: bool = cfg!(feature = "lean-tray");

const COPY: &[&str] = &["\u{25cf} web", "Copy path"];

/// The content of the X server's clipboard; `None` if it has no owner.
fn on_x11(desktop: &Desktop<'_>, lab: &Lab) -> Option<String> {
    let mut command = desktop.join(lab.command("xclip"));
    command.args(["-selection", "clipboard", "-out"]);
    let output = Process::run(command, PATIENCE);
    (output.code() == 0).then_some(output.stdout)
}

#[test]
fn copies_path_on_x11() {
    let name = "copies_path_on_x11";
    let Some(lab) = lab(name).filter(|_| has_programs(name, &["xclip"])) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    desktop.tray_icon(applet.pid()).click(COPY);
    let path = master.path().to_str().unwrap().to_owned();
    wait_until("the path is on the clipboard", PATIENCE, || {
        on_x11(&desktop, &lab).as_deref() == Some(path.as_str())
    });
    end(applet);
    if LEAN {
        assert_eq!(on_x11(&desktop, &lab), Some(path), "xclip keeps it");
    }
}

#[test]
fn copies_recommended_configuration() {
    let name = "copies_recommended_configuration";
    let Some(lab) = lab(name).filter(|_| has_programs(name, &["xclip"])) else {
        return;
    };
    let connection = lab.connection_options();
    lab.write("ssh_config", format!("Host web\nHost *\n{connection}"));
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["No host multiplexes"]);
    icon.wait_for_row(&["Hosts", "web: does not multiplex"]);
    icon.click(&["Copy recommended configuration"]);
    wait_until("the lines are on the clipboard", PATIENCE, || {
        on_x11(&desktop, &lab).is_some_and(|text| {
            text.starts_with("Host *\n    ControlMaster auto\n    ControlPath ")
        })
    });
    end(applet);
}

#[test]
fn copies_ssh_command_and_findings() {
    let name = "copies_ssh_command_and_findings";
    let Some(lab) = lab(name).filter(|_| has_programs(name, &["xclip"])) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let _master = lab.master("web");
    let stale = lab.control_path("db");
    lab.dead_socket(&stale);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(&["\u{25cf} web", "Copy ssh command"]);
    let ssh = format!("ssh -F {} web", lab.path("ssh_config").display());
    wait_until("the command is on the clipboard", PATIENCE, || {
        on_x11(&desktop, &lab).as_deref() == Some(&*ssh)
    });
    icon.click(&["\u{25b2} db", "Copy for a bug report"]);
    wait_until("the finding is on the clipboard", PATIENCE, || {
        on_x11(&desktop, &lab).is_some_and(|text| {
            let parts = [
                muxtray::VERSION,
                ", OpenSSH_",
                "\nstale (warning): ",
                "remedy: ",
            ];
            parts.iter().all(|part| text.contains(part))
        })
    });
    end(applet);
}

#[test]
fn copied_text_is_kept_by_clipboard_manager() {
    let name = "copied_text_is_kept_by_clipboard_manager";
    let Some(lab) = lab(name).filter(|_| has_programs(name, &["xclip", "xfce4-clipman"])) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let _manager = Process::start(desktop.join(lab.command("xfce4-clipman")));
    wait_until("the clipboard manager is there", PATIENCE, || {
        desktop.has_name("org.xfce.clipman")
    });
    // Started after it: the manager owns its name a little before the selection by which it is asked to store.
    let master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    desktop.tray_icon(applet.pid()).click(COPY);
    let path = master.path().to_str().unwrap().to_owned();
    wait_until("the path is on the clipboard", PATIENCE, || {
        on_x11(&desktop, &lab).as_deref() == Some(path.as_str())
    });
    end(applet);
    // The manager takes the clipboard over when it learns that the owner is gone.
    wait_until("the path is still on the clipboard", PATIENCE, || {
        on_x11(&desktop, &lab).as_deref() == Some(path.as_str())
    });
}

/// A Wayland compositor without a screen, and its `WAYLAND_DISPLAY`.
fn start_sway(lab: &Lab) -> (Process, String) {
    let configuration = lab.write("sway.conf", "xwayland disable\nseat seat0 fallback true\n");
    let mut command = lab.command("sway");
    command
        .arg("-c")
        .arg(configuration)
        .env("WLR_BACKENDS", "headless")
        .env("WLR_LIBINPUT_NO_DEVICES", "1")
        .env("WLR_RENDERER", "pixman");
    let mut sway = Process::start(command);
    let socket = wait_for("the compositor is there", PATIENCE, || {
        assert!(sway.is_running(), "sway has ended: {}", sway.stderr());
        let entries = fs::read_dir(lab.path("run")).unwrap().flatten();
        let mut names = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
            .map(|entry| entry.file_name().into_string().unwrap());
        names.find(|name| name.starts_with("wayland-"))
    });
    (sway, socket)
}

#[test]
fn copies_path_on_wayland_and_keeps_it() {
    let name = "copies_path_on_wayland_and_keeps_it";
    let Some(lab) = lab(name).filter(|_| has_programs(name, &["sway", "wl-copy", "wl-paste"]))
    else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let (mut sway, socket) = start_sway(&lab);
    let on_wayland = |mut command: Command| {
        // The panel is on an X server of its own, unknown to the applet.
        command
            .env_remove("DISPLAY")
            .env("WAYLAND_DISPLAY", &socket);
        command
    };
    let master = lab.master("web");
    let applet = Process::start(on_wayland(desktop.join(lab.muxtray_command(["run"]))));
    desktop.tray_icon(applet.pid()).click(COPY);
    let pasted = || {
        let mut command = on_wayland(lab.command("wl-paste"));
        command.arg("--no-newline");
        Process::run(command, PATIENCE).stdout
    };
    let path = master.path().to_str().unwrap();
    wait_until("the path is on the clipboard", PATIENCE, || {
        pasted() == path
    });
    end(applet);
    assert_eq!(pasted(), path, "wl-copy keeps it");
    sway.end();
}

/// The directories with the texts that a viewer was given.
fn details(lab: &Lab) -> Vec<PathBuf> {
    let is_text = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "txt");
    let mut files = files_below(&lab.path("run"));
    files.retain(is_text);
    files
}

#[test]
fn show_on_notification_opens_details() {
    let name = "show_on_notification_opens_details";
    let Some(lab) = lab(name).filter(|_| LEAN || has_programs(name, &["xdotool"])) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let programs = lab.make_directory("programs");
    // The viewer prints its arguments and the mode of the file.
    let shown = lab.path("shown");
    lab.script(
        "programs/xdg-open",
        &format!(
            "stat -c %a \"$1\" >{0}.part\ncat \"$1\" >>{0}.part\nmv {0}.part {0}",
            shown.display()
        ),
    );
    let stale = lab.control_path("web");
    lab.dead_socket(&stale);
    let mut command = desktop.join(lab.muxtray_command(["run"]));
    command.env("PATH", format!("{}:{PATH}", programs.display()));
    let applet = Process::start(command);
    wait_until("the stale socket is announced", PATIENCE, || {
        desktop.displayed() == 1
    });
    let offers_show = |message: &Message| matches!(message, Message::Notify { actions, .. } if actions.iter().any(|label| label == "Show"));
    assert!(desktop.messages().iter().any(offers_show));
    desktop.press("Show");
    if LEAN {
        let text = wait_for("the viewer is given the details", PATIENCE, || {
            fs::read_to_string(&shown).ok()
        });
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("600"), "for the user's eyes only");
        assert_eq!(lines.next(), Some("web"), "{text}");
        assert!(text.contains(stale.to_str().unwrap()), "{text}");
        assert!(!details(&lab).is_empty());
    } else {
        let window = look_for(PATIENCE, || {
            let mut command = desktop.join(lab.command("xdotool"));
            command.args(["search", "--onlyvisible", "--name", "^web$"]);
            Some(Process::run(command, PATIENCE)).filter(|output| output.code() == 0)
        });
        assert!(window.is_some(), "no window; {}", applet.stderr());
    }
    end(applet);
    assert_eq!(details(&lab), Vec::<PathBuf>::new(), "nothing is left");
}
