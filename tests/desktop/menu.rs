//! The applet in a real panel: its menu is read and clicked as a panel does it, and the effect is checked on the real
//! master; and starts and ends of the applet with and without a desktop.

use std::time::{Duration, Instant};

use crate::desktop::{Desktop, Message, Parts, TrayIcon, end, has_programs, lab};
use crate::support::{Lab, PATIENCE, Process, Session, files_below, is_socket, skip, wait_until};
use nix::sys::signal::Signal;

/// Whether the applet was built without GTK.
const LEAN: bool = cfg!(feature = "lean-tray");

#[test]
fn menu_shows_masters_and_check_reports_answer() {
    let Some(lab) = lab("menu_shows_masters_and_check_reports_answer") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());

    let summary = icon.wait_for_row(&["1 master"]);
    assert!(
        !summary.enabled && summary.label == "1 master",
        "{summary:?}"
    );
    assert_eq!(
        icon.menu().unwrap().rows[0],
        summary,
        "the summary is the first row"
    );
    let row = icon.wait_for_row(&["\u{25cf} web"]);
    assert!(row.label.contains("running"), "{row:?}");
    let path = row.find(master.path().to_str().unwrap());
    assert!(path.is_some_and(|path| !path.enabled), "{row:#?}");
    for label in ["Check", "Exit", "Stop accepting sessions"] {
        assert!(
            row.find(label).is_some_and(|row| row.enabled),
            "{label}: {row:#?}"
        );
    }
    assert!(row.find("Clean").is_none(), "{row:#?}");
    let copy = row.find("Copy path").map(|row| row.enabled);
    let menu = icon.menu().unwrap();
    let about = |label| menu.find(label).map(|row| row.enabled);
    if LEAN {
        // xclip is a way to copy, if it is installed. There is no window.
        assert!(matches!(copy, None | Some(true)), "{menu:#?}");
        assert_eq!(about("muxtray"), Some(false), "{menu:#?}");
    } else {
        assert_eq!(
            (copy, about("About")),
            (Some(true), Some(true)),
            "{menu:#?}"
        );
    }

    icon.click(&["\u{25cf} web", "Check"]);
    wait_until("the answer is shown", PATIENCE, || {
        let output = desktop.messages();
        output.iter().any(|message| {
            matches!(message, Message::Notify { summary, body, .. }
                if format!("{summary} {body}").contains(&master.pid().to_string()))
        })
    });
    end(applet);
}

#[test]
fn exit_in_menu_ends_master() {
    let Some(lab) = lab("exit_in_menu_ends_master") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let (mut web, _db) = (lab.master("web"), lab.master("db"));
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());

    icon.click(&["\u{25cf} web", "Exit"]);
    web.wait_for_end();
    icon.wait_for_row(&["1 master"]);
    assert!(icon.menu().unwrap().find("\u{25cf} web").is_none());
    end(applet);
}

/// Returns whether the programs are installed that answer a question.
fn can_answer(test: &str) -> bool {
    LEAN || has_programs(test, &["xdotool"])
}

#[test]
fn exit_with_session_asks_first_and_again_for_more() {
    let name = "exit_with_session_asks_first_and_again_for_more";
    let Some(lab) = lab(name).filter(|_| can_answer(name)) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut db = lab.master("db");
    let mut session = db.session(&lab);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(&["\u{25cf} db", "Exit, closing 1 session\u{2026}"]);
    desktop.wait_for_question();
    let mut another = Session::open_unnoticed(&lab, db.path());
    desktop.consent("Exit, closing 1 session");
    desktop.wait_for_question();
    assert!(db.is_running() && session.is_open() && another.is_open());

    desktop.consent("Exit, closing 2 sessions");
    db.wait_for_end();
    wait_until("the sessions have ended", PATIENCE, || {
        !session.is_open() && !another.is_open()
    });
    icon.wait_for_row(&["no masters"]);
    assert!(!desktop.has_question() || LEAN);
    end(applet);
}

#[test]
fn late_answer_leaves_the_successor() {
    let name = "late_answer_leaves_the_successor";
    let Some(lab) = lab(name).filter(|_| can_answer(name)) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut first = lab.master("db");
    let _session = first.session(&lab);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(&["\u{25cf} db", "Exit, closing 1 session\u{2026}"]);
    desktop.wait_for_question();
    lab.ssh_request("exit", first.path()).expect(0);
    first.wait_for_end();
    let mut successor = lab.master("db");
    desktop.consent("Exit, closing 1 session");
    wait_until("the result is shown", PATIENCE, || {
        let summaries = desktop.summaries();
        summaries.last().is_some_and(|last| !last.ends_with('?'))
    });
    assert!(successor.is_running());
    end(applet);
}

/// Waits until the process has not run for a second: no scan is under way or due that could see the next change.
pub(crate) fn wait_until_at_rest(process: &Process) {
    let mut last = (context_switches(process.pid()), Instant::now());
    wait_until("it is at rest", PATIENCE, || {
        let now = context_switches(process.pid());
        if now.is_none() || now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() > Duration::from_secs(1)
    });
}

/// The number of times that the threads of a process have gone to sleep; `None` if one is not asleep.
fn context_switches(pid: i32) -> Option<u64> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let statuses = threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("status")).ok());
    let field = |status: &str, name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_default().trim().to_owned()
    };
    let switches = statuses.map(|status| {
        let is_asleep = field(&status, "State:").starts_with('S');
        let switches = field(&status, "voluntary_ctxt_switches:").parse();
        switches.ok().filter(|_: &u64| is_asleep)
    });
    switches.sum()
}

#[test]
fn exit_drawn_for_fewer_sessions_is_refused() {
    let name = "exit_drawn_for_fewer_sessions_is_refused";
    let Some(lab) = lab(name).filter(|_| can_answer(name)) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["\u{25cf} web", "Exit"]);
    wait_until_at_rest(&applet);
    let mut session = Session::open_unnoticed(&lab, master.path());
    // Not `click`, because opening the menu would update the row first.
    let exit = icon.wait_for_row(&["\u{25cf} web", "Exit"]);
    icon.try_click(&exit).unwrap();
    desktop.wait_for_question();
    assert!(master.is_running() && session.is_open());
    end(applet);
}

#[test]
fn stop_in_menu_keeps_session() {
    let Some(lab) = lab("stop_in_menu_keeps_session") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut master = lab.master("web");
    let mut session = master.session(&lab);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(&["\u{25cf} web", "Stop accepting sessions"]);
    wait_until("the master has taken its socket away", PATIENCE, || {
        !master.path().exists()
    });
    assert!(master.is_running() && session.is_open());
    session.close();
    master.wait_for_end();
    end(applet);
}

#[test]
fn exit_all_in_menu_ends_masters_and_cleans() {
    let Some(lab) = lab("exit_all_in_menu_ends_masters_and_cleans") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let (mut stale, mut web) = (lab.master("db"), lab.master("web"));
    stale.kill();
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["1 master, 1 problem"]);
    icon.click(&[
        "Exit all masters",
        "Exit 1 master now; clean 1 stale socket",
    ]);
    web.wait_for_end();
    icon.wait_for_row(&["no masters"]);
    assert!(!stale.path().exists());
    wait_until("the result is shown", PATIENCE, || {
        let output = desktop.summaries();
        output.contains(&"1 master ended, 1 socket removed".to_owned())
    });
    end(applet);
}

#[test]
fn fix_in_menu_makes_missing_directory() {
    let Some(lab) = lab("fix_in_menu_makes_missing_directory") else {
        return;
    };
    let directory = lab.path("missing");
    lab.configure(&format!(
        "Host far\n  ControlPath {}/%C\n  ControlMaster auto\n",
        directory.display()
    ));
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["no masters, 1 problem"]);
    icon.click(&["Problems (1)", "Make the directory"]);
    icon.wait_for_row(&["no masters"]);
    assert!(
        directory.is_dir(),
        "the row is gone, the directory is not made"
    );
    wait_until("the notice of it is taken back", PATIENCE, || {
        let output = desktop.messages();
        output
            .iter()
            .any(|message| matches!(message, Message::Close { .. }))
    });
    end(applet);
}

#[test]
fn clean_in_menu_removes_only_stale_socket() {
    let Some(lab) = lab("clean_in_menu_removes_only_stale_socket") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut stale = lab.master("web");
    stale.kill();
    let running = lab.master("db");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["1 master, 1 problem"]);
    let row = icon.wait_for_row(&["\u{25b2} web"]);
    assert_eq!(
        icon.menu()
            .unwrap()
            .rows
            .iter()
            .filter(|row| !row.rows.is_empty())
            .map(|row| &row.label)
            .next(),
        Some(&row.label),
        "problems come first"
    );
    let check = row.find("Check, exit, stop").unwrap();
    assert!(
        !check.enabled && check.label.contains("no process listens"),
        "{check:?}"
    );
    icon.click(&["\u{25b2} web", "Clean"]);
    wait_until("the stale socket is gone", PATIENCE, || {
        !stale.path().exists()
    });
    icon.wait_for_row(&["1 master"]);
    assert!(is_socket(running.path()));
    end(applet);
}

#[test]
fn open_submenu_is_updated_in_place() {
    let Some(lab) = lab("open_submenu_is_updated_in_place") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let _web = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let before = icon.wait_for_row(&["\u{25cf} web"]);
    let db = lab.master("db");
    icon.wait_for_row(&["\u{25cf} db"]);
    let after = icon.wait_for_row(&["\u{25cf} web"]);
    assert_eq!(before, after, "the row, with its ids, is the one it was");
    drop(db);
    end(applet);
}

#[test]
fn click_on_replaced_row_does_nothing() {
    let Some(lab) = lab("click_on_replaced_row_does_nothing") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut first = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let drawn = icon.wait_for_row(&["\u{25cf} web", "Exit"]);
    // Its successor has the same path, and a row that looks the same in the same place.
    lab.ssh_request("exit", first.path()).expect(0);
    first.wait_for_end();
    let mut second = lab.master("web");
    // If the menu may be open, the old row is disabled first, and stays for a moment.
    wait_until("the row is another one", PATIENCE, || {
        icon.wait_for_row(&["\u{25cf} web", "Exit"]).id != drawn.id
    });
    assert!(icon.try_click(&drawn).is_err(), "there is no such row");
    icon.click(&["\u{25cf} web", "Check"]);
    wait_until("the later click is answered", PATIENCE, || {
        !desktop.summaries().is_empty()
    });
    assert!(second.is_running());
    end(applet);
}

#[test]
fn second_start_prints_message_and_exits_with_0() {
    let Some(lab) = lab("second_start_prints_message_and_exits_with_0") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut first = desktop.muxtray_run(&[]);
    desktop.tray_icon(first.pid());
    for arguments in [&[][..], &["--no-tray"]] {
        let second = desktop.muxtray_run(arguments).finish(PATIENCE).expect(0);
        let output = format!("{}{}", second.stdout, second.stderr);
        assert!(
            output.contains("running already") || output.contains("already running"),
            "{second:#?}"
        );
    }
    assert!(first.is_running());
    end(first);
}

#[test]
fn sigterm_and_quit_end_in_order_and_leave_no_files() {
    let Some(lab) = lab("sigterm_and_quit_end_in_order_and_leave_no_files") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    type End = fn(&Process, &TrayIcon<'_>);
    let ends: [(&str, End); 3] = [
        ("SIGTERM", |applet, _| applet.signal(Signal::SIGTERM)),
        ("SIGINT", |applet, _| applet.signal(Signal::SIGINT)),
        ("Quit", |_, icon| icon.click(&["Quit"])),
    ];
    for (what, end) in ends {
        let applet = desktop.muxtray_run(&[]);
        let icon = desktop.tray_icon(applet.pid());
        icon.wait_for_row(&["no masters"]);
        let pictures = || {
            let mut files = files_below(&lab.path("run"));
            files.extend(files_below(&lab.path("tmp")));
            files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
            files
        };
        assert!(
            !pictures().is_empty(),
            "the panel reads the icon from a file"
        );
        end(&applet, &icon);
        applet.finish(PATIENCE).expect(0);
        assert!(pictures().is_empty(), "{what} leaves {:?}", pictures());
        wait_until("its name is free again", PATIENCE, || {
            !desktop.has_name("io.github.muxtray.Muxtray")
        });
    }
}

#[test]
fn restarted_panel_shows_icon() {
    let Some(lab) = lab("restarted_panel_shows_icon") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, Parts::ALL);
    let _master = lab.master("web");
    let mut applet = desktop.muxtray_run(&[]);
    desktop.tray_icon(applet.pid()).wait_for_row(&["1 master"]);
    desktop.kill_panel();
    assert!(applet.is_running());
    desktop.start_panel();
    desktop.tray_icon(applet.pid()).wait_for_row(&["1 master"]);
    end(applet);
}

#[test]
fn panel_started_later_shows_icon() {
    let Some(lab) = lab("panel_started_later_shows_icon") else {
        return;
    };
    let mut desktop = Desktop::new(
        &lab,
        Parts {
            panel: false,
            ..Parts::ALL
        },
    );
    let mut applet = desktop.muxtray_run(&[]);
    wait_until("the missing panel is logged", PATIENCE, || {
        assert!(applet.is_running(), "{}", applet.stderr());
        applet
            .log_lines()
            .iter()
            .any(|line| line.contains("panel") || line.contains("tray"))
    });
    assert_eq!(
        applet.log_lines().len(),
        1,
        "one sentence: {}",
        applet.stderr()
    );
    desktop.start_panel();
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["no masters"]);
    end(applet);
}

/// Asserts that the applet has printed one sentence, with this word, and watches on: a stale socket gets cleaned.
#[track_caller]
fn assert_one_message_and_watching(lab: &Lab, mut applet: Process, word: &str) {
    wait_until("the missing part is logged", PATIENCE, || {
        assert!(applet.is_running(), "it has ended: {}", applet.stderr());
        applet.log_lines().iter().any(|line| line.contains(word))
    });
    assert_eq!(applet.log_lines().len(), 1, "{}", applet.stderr());
    let stale = lab.control_path("web");
    lab.dead_socket(&stale);
    wait_until("the stale socket is cleaned", PATIENCE, || !stale.exists());
    end(applet);
}

#[test]
fn lost_session_bus_ends_it() {
    let Some(lab) = lab("lost_session_bus_ends_it") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["no masters"]);
    desktop.end_bus();
    // A failure, so systemd starts it again: the session may still exist.
    let output = applet.finish(PATIENCE).expect(3);
    assert!(
        output.stderr.contains("session bus has ended"),
        "{output:?}"
    );
}

#[test]
fn hanging_panel_blocks_nothing() {
    let Some(lab) = lab("hanging_panel_blocks_nothing") else {
        return;
    };
    lab.write_muxtray_config("interval_secs = 3600\nclean_automatically = true\n");
    let desktop = Desktop::new(&lab, Parts::ALL);
    desktop.suspend_panel();
    let applet = desktop.muxtray_run(&[]);
    let stale = lab.control_path("web");
    lab.dead_socket(&stale);
    wait_until("the stale socket is cleaned", PATIENCE, || !stale.exists());
    end(applet);
}

#[test]
fn lean_applet_needs_no_display_and_no_gtk() {
    if !LEAN || cfg!(feature = "tray") {
        return skip(
            "lean_applet_needs_no_display_and_no_gtk",
            "this build has GTK",
        );
    }
    let Some(lab) = lab("lean_applet_needs_no_display_and_no_gtk") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, Parts::ALL);
    desktop.hide_display();
    let applet = desktop.muxtray_run(&[]);
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["no masters"]);
    let mapped = std::fs::read_to_string(format!("/proc/{}/maps", applet.pid())).unwrap();
    let libraries = mapped.lines().filter(|line| line.contains(".so"));
    for library in libraries {
        let is_of_libc = ["libc.so", "libm.so", "libgcc_s.so", "/ld-linux"]
            .iter()
            .any(|name| library.contains(name));
        assert!(is_of_libc, "{library}");
    }
    end(applet);
}

#[test]
fn without_display_it_prints_message_and_watches() {
    if LEAN {
        return skip(
            "without_display_it_prints_message_and_watches",
            "the lean tray needs none",
        );
    }
    let Some(lab) = lab("without_display_it_prints_message_and_watches") else {
        return;
    };
    lab.write_muxtray_config("interval_secs = 3600\nclean_automatically = true\n");
    let parts = Parts {
        display: false,
        panel: false,
        daemon: false,
    };
    let mut desktop = Desktop::new(&lab, parts);
    assert_one_message_and_watching(&lab, desktop.muxtray_run(&[]), "no display");
    desktop.set_display(":987");
    assert_one_message_and_watching(&lab, desktop.muxtray_run(&[]), "no display");
}

#[test]
fn without_bus_it_prints_message_and_watches() {
    let Some(lab) = lab("without_bus_it_prints_message_and_watches") else {
        return;
    };
    lab.write_muxtray_config("interval_secs = 3600\nclean_automatically = true\n");
    let parts = Parts {
        panel: false,
        daemon: false,
        ..Parts::ALL
    };
    let mut desktop = Desktop::new(&lab, parts);
    desktop.end_bus();
    assert_one_message_and_watching(&lab, desktop.muxtray_run(&[]), "session bus");
    assert_one_message_and_watching(&lab, desktop.muxtray_run(&["--no-tray"]), "session bus");
}
