//! The forwardings of a master in the menu: they appear without a timer, and are opened, cancelled and added again.

use std::fs;
use std::net::TcpListener;

use crate::desktop::{Desktop, Message, Parts, TrayIcon, end, lab};
use crate::menu::wait_until_at_rest;
use crate::settings::run_with_opener;
use crate::support::{Lab, Master, PATH, PATIENCE, wait_until};

const WEB: &str = "\u{25cf} web";

/// A forwarding. Nothing connects to its target.
struct Forwarding {
    listen: String,
    argument: String,
}

impl Forwarding {
    fn new() -> Self {
        let listen = format!("127.0.0.1:{}", Lab::free_port());
        let argument = format!("{listen}:127.0.0.1:9");
        Self { listen, argument }
    }

    #[track_caller]
    fn by_ssh(&self, lab: &Lab, request: &str, master: &Master) {
        lab.ssh_forwarding(request, master.path(), &["-L", &self.argument]);
    }

    /// Whether the port is taken. A bind connects to nothing.
    fn listens(&self) -> bool {
        TcpListener::bind(&self.listen).is_err()
    }

    /// muxtray remembers the target when the master listens already, so the first row may be without it.
    #[track_caller]
    fn wait_for_target(&self, icon: &TrayIcon<'_>) {
        wait_until("the row has the target", PATIENCE, || {
            let row = icon.wait_for_row(&[WEB, &self.listen]);
            row.label.ends_with("127.0.0.1:9")
        });
    }

    #[track_caller]
    fn wait_until_gone(&self, icon: &TrayIcon<'_>) {
        wait_until("the row of the forwarding is gone", PATIENCE, || {
            let menu = icon.menu();
            let web = menu.as_ref().and_then(|menu| menu.find(WEB));
            web.is_some_and(|web| web.find(&self.listen).is_none())
        });
    }
}

#[test]
fn forwarding_of_ssh_appears_and_disappears_without_a_timer() {
    let Some(lab) = lab("forwarding_of_ssh_appears_and_disappears_without_a_timer") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&[WEB]);
    wait_until_at_rest(&applet);
    let forwarding = Forwarding::new();
    forwarding.by_ssh(&lab, "forward", &master);
    let row = icon.wait_for_row(&[WEB, &forwarding.listen]);
    assert!(row.label.ends_with("target unknown"), "{row:?}");
    wait_until_at_rest(&applet);
    forwarding.by_ssh(&lab, "cancel", &master);
    forwarding.wait_until_gone(&icon);
    end(applet);
}

#[test]
fn forwarding_of_another_muxtray_appears_and_disappears_without_a_timer() {
    let Some(lab) = lab("forwarding_of_another_muxtray_appears_and_disappears_without_a_timer")
    else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let _master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&[WEB]);
    // The first command runs `ssh -G`, which the applet notices. The others have its answer.
    lab.muxtray(["forward", "web"]).expect(0);
    let forwarding = Forwarding::new();
    let add = ["forward", "web", "-L", &forwarding.argument];
    let cancel = ["forward", "web", "--cancel", "-L", &forwarding.argument];
    for _ in 0..2 {
        wait_until_at_rest(&applet);
        lab.muxtray(add).expect(0);
        icon.wait_for_row(&[WEB, &forwarding.listen]);
        wait_until_at_rest(&applet);
        lab.muxtray(cancel).expect(0);
        forwarding.wait_until_gone(&icon);
    }
    end(applet);
}

#[test]
fn cancel_and_forward_again_in_menu_keep_session() {
    let Some(lab) = lab("cancel_and_forward_again_in_menu_keep_session") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut master = lab.master("web");
    let mut session = master.session(&lab);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&[WEB]);
    let forwarding = Forwarding::new();
    lab.muxtray(["forward", "web", "-L", &forwarding.argument])
        .expect(0);
    forwarding.wait_for_target(&icon);

    icon.click(&[WEB, &format!("Cancel {}", forwarding.listen)]);
    wait_until("the master does not listen", PATIENCE, || {
        !forwarding.listens()
    });
    forwarding.wait_until_gone(&icon);
    assert!(master.is_running() && session.is_open());

    let again = format!("Forward again: -L {}", forwarding.argument);
    icon.click(&[WEB, &again]);
    wait_until("the master listens again", PATIENCE, || {
        forwarding.listens()
    });
    forwarding.wait_for_target(&icon);
    assert!(master.is_running() && session.is_open());
    end(applet);
}

#[test]
fn many_forwardings_have_a_submenu_of_their_own() {
    let Some(lab) = lab("many_forwardings_have_a_submenu_of_their_own") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let master = lab.master("web");
    let forwardings = [(); 3].map(|()| Forwarding::new());
    for forwarding in &forwardings {
        forwarding.by_ssh(&lab, "forward", &master);
    }
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    for forwarding in &forwardings {
        icon.wait_for_row(&["web: 3 forwardings", &forwarding.listen]);
    }
    // With one less, the rows are in the submenu of the master.
    forwardings[0].by_ssh(&lab, "cancel", &master);
    icon.wait_for_row(&[WEB, &forwardings[1].listen]);
    assert!(icon.menu().unwrap().find("web: ").is_none());
    end(applet);
}

#[test]
fn open_in_browser_runs_xdg_open_and_connects_to_nothing() {
    let Some(lab) = lab("open_in_browser_runs_xdg_open_and_connects_to_nothing") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let master = lab.master("web");
    let forwarding = Forwarding::new();
    forwarding.by_ssh(&lab, "forward", &master);
    let opened = lab.path("opened");
    let script = format!(
        "PATH={PATH}\necho \"$1\" > {0}.new\nmv {0}.new {0}\nexit 3",
        opened.display()
    );
    let applet = run_with_opener(&lab, &desktop, Some(&script));
    let icon = desktop.tray_icon(applet.pid());
    let url = format!("http://{}", forwarding.listen);
    icon.click(&[WEB, &format!("Open {url} in the browser")]);
    wait_until("it is opened", PATIENCE, || opened.exists());
    assert_eq!(fs::read_to_string(&opened).unwrap(), format!("{url}\n"));
    wait_until("the reason is shown", PATIENCE, || {
        desktop.messages().iter().any(|message| {
            matches!(message, Message::Notify { summary, body, .. }
                if *summary == format!("muxtray: {url} not opened")
                    && body.contains("finds no program to open it"))
        })
    });
    let row = icon.wait_for_row(&[WEB, &forwarding.listen]);
    assert!(!row.label.contains("connection"), "{row:?}");
    end(applet);
}
