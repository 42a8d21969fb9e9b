//! Keep open in the menu: a real master outlives its ControlPersist time, and ends when it is let go.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{Lab, PATIENCE, is_listening, wait_until};

const PERSIST: Duration = Duration::from_secs(5);
const WEB: &str = "\u{25cf} web";

/// Opens a master that ControlPersist ends soon. Returns its path.
#[track_caller]
fn open(lab: &Lab) -> PathBuf {
    lab.configure(&format!(
        "Host web\n    ControlPersist {}\n",
        PERSIST.as_secs()
    ));
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
    let path = open(&lab);
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
        let path = open(&lab);
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
