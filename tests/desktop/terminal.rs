//! New sessions in a terminal, from the menu of the applet in a real panel.

use std::fs;
use std::path::Path;

use crate::desktop::{Desktop, Message, Parts, end, lab};
use crate::support::{Lab, PATH, PATIENCE, Process, wait_for, wait_until};

const SESSION: &[&str] = &["\u{25cf} web", "New session"];

/// Installs ssh and these terminals alone, each of which writes its arguments to a file of its name.
fn install(lab: &Lab, terminals: &[&str]) {
    let directory = lab.make_directory("programs");
    std::os::unix::fs::symlink("/usr/bin/ssh", directory.join("ssh")).unwrap();
    for terminal in terminals {
        let file = lab.path(terminal);
        let script = format!(
            "PATH={PATH}\nprintf '%s\\n' \"$@\" > {0}.new\nmv {0}.new {0}",
            file.display()
        );
        lab.script(format!("programs/{terminal}"), &script);
    }
}

fn run_on(lab: &Lab, desktop: &Desktop<'_>, name: &str) -> Process {
    let mut command = desktop.join(lab.muxtray_command(["run"]));
    command
        .env("PATH", lab.path("programs"))
        .env("TERMINAL", "my-terminal")
        .env("XDG_CURRENT_DESKTOP", name);
    Process::start(command)
}

/// Returns the arguments of a terminal that was started.
fn arguments(file: &Path) -> Vec<String> {
    let text = wait_for("the terminal is started", PATIENCE, || {
        fs::read_to_string(file).ok()
    });
    text.lines().map(str::to_owned).collect()
}

#[test]
fn new_session_runs_ssh_in_the_wanted_terminal() {
    let Some(lab) = lab("new_session_runs_ssh_in_the_wanted_terminal") else {
        return;
    };
    let _master = lab.master("web");
    let desktop = Desktop::new(&lab, Parts::ALL);
    install(&lab, &["my-terminal", "xfce4-terminal"]);
    let applet = run_on(&lab, &desktop, "none");
    desktop.tray_icon(applet.pid()).click(SESSION);
    let config = lab.path("ssh_config");
    let program = lab.path("programs/ssh");
    let ssh = |option| {
        let words = [
            option,
            program.to_str().unwrap(),
            "-F",
            config.to_str().unwrap(),
            "web",
        ];
        words.map(str::to_owned).to_vec()
    };
    assert_eq!(arguments(&lab.path("my-terminal")), ssh("-e"));

    end(applet);

    lab.write_muxtray_config("terminal = 'xfce4-terminal'\n");
    let applet = run_on(&lab, &desktop, "none");
    desktop.tray_icon(applet.pid()).click(SESSION);
    assert_eq!(arguments(&lab.path("xfce4-terminal")), ssh("-x"));
    end(applet);
}

#[test]
fn terminal_is_that_of_the_desktop() {
    let Some(lab) = lab("terminal_is_that_of_the_desktop") else {
        return;
    };
    let _master = lab.master("web");
    let desktop = Desktop::new(&lab, Parts::ALL);
    lab.write(
        "config/kdeglobals",
        "[General]\nTerminalApplication=kitty\n",
    );
    lab.write(
        "config/xfce4/helpers.rc",
        "TerminalEmulator=xfce4-terminal\n",
    );
    install(
        &lab,
        &["kitty", "xfce4-terminal", "gnome-choice", "my-terminal"],
    );
    // A program that muxtray does not know, with the option that the settings have for it.
    let answer = "case $3 in exec) echo \"'gnome-choice'\" ;; *) echo \"'--run'\" ;; esac";
    lab.script("programs/gsettings", answer);
    let program = lab.path("programs/ssh").display().to_string();
    for (name, terminal, first) in [
        ("KDE", "kitty", program.as_str()),
        ("XFCE", "xfce4-terminal", "-x"),
        ("ubuntu:GNOME", "gnome-choice", "--run"),
    ] {
        let applet = run_on(&lab, &desktop, name);
        desktop.tray_icon(applet.pid()).click(SESSION);
        assert_eq!(arguments(&lab.path(terminal))[0], first, "{name}");
        end(applet);
    }
}

#[test]
fn a_missing_terminal_is_announced_with_the_setting() {
    let Some(lab) = lab("a_missing_terminal_is_announced_with_the_setting") else {
        return;
    };
    let _master = lab.master("web");
    let desktop = Desktop::new(&lab, Parts::ALL);
    install(&lab, &[]);
    let applet = run_on(&lab, &desktop, "none");
    desktop.tray_icon(applet.pid()).click(SESSION);
    wait_until("the reason is shown", PATIENCE, || {
        desktop.messages().iter().any(|message| {
            matches!(message, Message::Notify { summary, body, actions, .. }
                if summary == "web: no new session"
                    && body.contains("terminal = \"xterm\"")
                    && actions.iter().any(|label| label == "Open configuration"))
        })
    });
    end(applet);
}
