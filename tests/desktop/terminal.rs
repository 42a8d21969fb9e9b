//! New sessions in a terminal, from the menu of the applet in a real panel.

use std::fs;
use std::path::Path;

use crate::desktop::{Desktop, Message, Parts, end, lab};
use crate::support::{Lab, PATH, PATIENCE, Process, wait_for, wait_until};

const SESSION: &[&str] = &["\u{25cf} web", "New session"];

/// Starts muxtray with ssh and these terminals, each of which writes its arguments to a file of its name.
fn run_with_terminals(lab: &Lab, desktop: &Desktop<'_>, terminals: &[&str]) -> Process {
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
    let mut command = desktop.join(lab.muxtray_command(["run"]));
    command
        .env("PATH", directory)
        .env("TERMINAL", "my-terminal")
        .env_remove("XDG_CURRENT_DESKTOP");
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
    let applet = run_with_terminals(&lab, &desktop, &["my-terminal", "xfce4-terminal"]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(SESSION);
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

    lab.write(
        "config/muxtray/config.toml",
        "terminal = 'xfce4-terminal'\n",
    );
    // A click before the new setting is read goes to the other terminal.
    let chosen = lab.path("xfce4-terminal");
    wait_until("the terminal of the setting is started", PATIENCE, || {
        icon.click(SESSION);
        chosen.exists()
    });
    assert_eq!(arguments(&chosen), ssh("-x"));
    end(applet);
}

#[test]
fn a_missing_terminal_is_announced_with_the_setting() {
    let Some(lab) = lab("a_missing_terminal_is_announced_with_the_setting") else {
        return;
    };
    let _master = lab.master("web");
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = run_with_terminals(&lab, &desktop, &[]);
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
