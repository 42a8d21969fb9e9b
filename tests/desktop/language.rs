//! The applet in another language, in a real panel: its menu and its notifications are translated, and work.

use crate::desktop::{Desktop, Message, Parts, end, lab};
use crate::support::{PATIENCE, Process, is_socket, wait_until};

#[test]
fn menu_and_notifications_are_translated() {
    let Some(lab) = lab("menu_and_notifications_are_translated") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut stale = lab.master("db");
    stale.kill();
    let mut running = lab.master("web");
    let mut command = desktop.join(lab.muxtray_command(["run"]));
    command.env("LANG", "de_DE.UTF-8");
    let applet = Process::start(command);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["1 Master, 1 Problem"]);
    wait_until("the German notification is shown", PATIENCE, || {
        desktop.messages().iter().any(|message| {
            matches!(message, Message::Notify { summary, .. }
                if summary == "db: toter Kontroll-Socket")
        })
    });
    icon.wait_for_row(&["\u{25b2} db \u{2014} tot"]);
    icon.click(&["\u{25b2} db", "Aufräumen"]);
    wait_until("it is cleaned", PATIENCE, || !is_socket(stale.path()));
    icon.click(&["\u{25cf} web", "Beenden"]);
    running.wait_for_end();
    icon.wait_for_row(&["keine Master"]);
    end(applet);
}
