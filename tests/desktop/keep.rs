//! Sessions of real masters in the menu, the end by ControlPersist, and Keep open.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::desktop::{Desktop, Message, Parts, end, lab};
use crate::support::{Lab, PATIENCE, Process, is_listening, wait_until};

/// Long enough to click before it is over.
const PERSIST: Duration = Duration::from_secs(10);
const WEB: &str = "\u{25cf} web";

/// Opens a master that ControlPersist ends. Returns its path.
#[track_caller]
fn open(lab: &Lab, persist: Duration) -> PathBuf {
    let persist = persist.as_secs();
    lab.configure(&format!("Host web\n    ControlPersist {persist}\n"));
    lab.muxtray(["open", "web"]).expect(0);
    lab.control_path("web")
}

#[test]
fn kept_master_outlives_control_persist_until_it_is_let_go() {
    let Some(lab) = lab("kept_master_outlives_control_persist_until_it_is_let_go") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let path = open(&lab, PERSIST);
    icon.click(&[WEB, "Keep open until I quit"]);
    let begun = Instant::now();
    icon.wait_for_row(&[&format!(
        "{WEB} \u{2014} running, kept open until muxtray quits"
    )]);
    wait_until("its time is over twice", PATIENCE, || {
        begun.elapsed() > PERSIST * 2
    });
    assert!(is_listening(&path), "ControlPersist has ended it");
    let socket = lab.list().at(&path).0.clone();
    assert_eq!(
        (&socket["sessions"], &socket["kept"]),
        (&0.into(), &true.into())
    );

    icon.click(&[WEB, "Stop keeping open"]);
    icon.wait_for_row(&[&format!("{WEB} \u{2014} running, idle, ends at")]);
    wait_until("ControlPersist ends it", PATIENCE, || !path.exists());
    icon.wait_for_row(&["no masters"]);
    end(applet);
}

#[test]
fn kept_master_is_let_go_by_exit_stop_and_the_end_of_the_applet() {
    let Some(lab) = lab("kept_master_is_let_go_by_exit_stop_and_the_end_of_the_applet") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut applet = desktop.muxtray_run(&[]);
    for request in ["Exit", "Stop accepting sessions", "muxtray stop", ""] {
        let icon = desktop.tray_icon(applet.pid());
        let path = open(&lab, PERSIST);
        icon.click(&[WEB, "Keep open for 1 hour"]);
        let row = icon.wait_for_row(&[&format!("{WEB} \u{2014} running, kept open until")]);
        assert!(
            row.find("Exit").is_some_and(|exit| exit.label == "Exit"),
            "{row:?}"
        );
        match request {
            "muxtray stop" => drop(lab.muxtray(["stop", "web"]).expect(0)),
            "" => {
                end(applet);
                applet = desktop.muxtray_run(&[]);
            }
            row => icon.click(&[WEB, row]),
        }
        wait_until("the master has ended", PATIENCE, || !path.exists());
        desktop
            .tray_icon(applet.pid())
            .wait_for_row(&["no masters"]);
    }
    end(applet);
}

/// The session appears and disappears without a timer. The notification comes at once: its time begins earlier.
#[test]
fn end_after_the_last_session_is_announced_and_prevented() {
    let Some(lab) = lab("end_after_the_last_session_is_announced_and_prevented") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let path = open(&lab, Duration::from_secs(120));
    let listen = format!("127.0.0.1:{}:127.0.0.1:9", Lab::free_port());
    lab.ssh_forwarding("forward", &path, &["-L", &listen]);
    let git = lab.script("git", "ssh \"$@\" sleep 600; exit");
    let mut command = lab.command(&git);
    let ssh = lab.ssh();
    command.args(ssh.get_args()).arg("web");
    let mut git = Process::start(command);
    icon.wait_for_row(&[&format!("{WEB} \u{2014} running, 1 session")]);
    icon.wait_for_row(&[WEB, "git for"]);
    assert!(desktop.summaries().is_empty());

    // Its ssh would live on without it.
    let client = &lab.list().at(&path).0["clients"][0]["pid"];
    let client = i32::try_from(client.as_i64().unwrap()).unwrap();
    kill(Pid::from_raw(client), Signal::SIGTERM).unwrap();
    git.kill();
    let ends = |summary: &String| {
        summary.starts_with("web ends at ") && summary.ends_with("and closes 1 forwarding")
    };
    wait_until("the end is announced", PATIENCE, || {
        desktop.summaries().iter().any(ends) && desktop.displayed() == 1
    });
    icon.wait_for_row(&[&format!("{WEB} \u{2014} running, idle, ends at")]);
    desktop.press("Keep open");
    icon.wait_for_row(&[&format!("{WEB} \u{2014} running, kept open until")]);
    wait_until("it is withdrawn", PATIENCE, || {
        let mut messages = desktop.messages().into_iter();
        messages.any(|message| matches!(message, Message::Close(_) | Message::Closed(_)))
    });
    assert_eq!(desktop.summaries().iter().filter(|it| ends(it)).count(), 1);
    end(applet);
}
