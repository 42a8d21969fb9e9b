//! The applet in a real panel: its menu is read and clicked as a panel does it, and what comes of it is looked for on
//! the real master; and the applet's life with and without a desktop around it.

use std::time::{Duration, Instant};

use crate::desktop::{Desktop, Message, Parts, TrayIcon, end, lab};
use crate::support::{Lab, PATIENCE, Process, Session, files_below, is_socket, skip, wait_until};
use nix::sys::signal::Signal;

/// Whether the applet is the one without GTK.
const LEAN: bool = cfg!(feature = "lean-tray");

#[test]
fn the_menu_shows_masters_and_check_answers() {
    let Some(lab) = lab("the_menu_shows_masters_and_check_answers") else {
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
        // xclip is a way to copy, where it is installed. There is no window.
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
    wait_until("the answer is told", PATIENCE, || {
        let said = desktop.messages();
        said.iter().any(|message| {
            matches!(message, Message::Notify { summary, body, .. }
                if format!("{summary} {body}").contains(&master.pid().to_string()))
        })
    });
    end(applet);
}

#[test]
fn exit_from_the_menu_ends_the_master() {
    let Some(lab) = lab("exit_from_the_menu_ends_the_master") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let (mut web, mut db) = (lab.master("web"), lab.master("db"));
    let mut session = db.session(&lab);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());

    icon.click(&["\u{25cf} web", "Exit"]);
    web.wait_for_end();
    icon.wait_for_row(&["1 master"]);
    assert!(icon.menu().unwrap().find("\u{25cf} web").is_none());

    assert!(
        icon.wait_for_row(&["\u{25cf} db"])
            .label
            .contains("1 session")
    );
    icon.click(&["\u{25cf} db", "Exit, closing 1 session", "Exit now"]);
    db.wait_for_end();
    wait_until("the session has ended", PATIENCE, || !session.is_open());
    icon.wait_for_row(&["no masters"]);
    end(applet);
}

/// Waits until nothing of it has run for a second: no look is under way or due that could see what comes next.
fn wait_until_at_rest(process: &Process) {
    let mut last = (context_switches(process.pid()), Instant::now());
    wait_until("it is at rest", PATIENCE, || {
        let now = context_switches(process.pid());
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() > Duration::from_secs(1)
    });
}

/// How often the threads of a process have gone to sleep.
fn context_switches(pid: i32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let switches = threads.flatten().filter_map(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    });
    switches.sum()
}

#[test]
fn exit_that_was_drawn_for_fewer_sessions_is_refused() {
    let Some(lab) = lab("exit_that_was_drawn_for_fewer_sessions_is_refused") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["\u{25cf} web", "Exit"]);
    wait_until_at_rest(&applet);
    let mut session = Session::open_unnoticed(&lab, master.path());
    icon.click(&["\u{25cf} web", "Exit"]);
    wait_until("the refusal is told", PATIENCE, || {
        !desktop.summaries().is_empty()
    });
    assert!(master.is_running() && session.is_open());
    end(applet);
}

#[test]
fn stop_from_the_menu_lets_the_session_go_on() {
    let Some(lab) = lab("stop_from_the_menu_lets_the_session_go_on") else {
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
fn exit_all_from_the_menu_is_the_whole_reset() {
    let Some(lab) = lab("exit_all_from_the_menu_is_the_whole_reset") else {
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
    wait_until("it says what became of each", PATIENCE, || {
        let said = desktop.summaries();
        said.contains(&"1 master ended, 1 socket removed".to_owned())
    });
    end(applet);
}

#[test]
fn a_missing_directory_is_made_from_the_menu() {
    let Some(lab) = lab("a_missing_directory_is_made_from_the_menu") else {
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
        let said = desktop.messages();
        said.iter()
            .any(|message| matches!(message, Message::Close { .. }))
    });
    end(applet);
}

#[test]
fn clean_from_the_menu_removes_the_stale_socket_only() {
    let Some(lab) = lab("clean_from_the_menu_removes_the_stale_socket_only") else {
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
fn an_open_submenu_is_updated_in_place() {
    if LEAN {
        // The backend gives every row a new number when rows come or go, by which the panel closes the submenu.
        return skip(
            "an_open_submenu_is_updated_in_place",
            "the lean tray does not promise it",
        );
    }
    let Some(lab) = lab("an_open_submenu_is_updated_in_place") else {
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
fn a_click_on_a_row_that_was_replaced_reaches_nobody() {
    let Some(lab) = lab("a_click_on_a_row_that_was_replaced_reaches_nobody") else {
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
    // Where the menu may be open, the old row is disabled first, and stays for a moment.
    wait_until("the row is another one", PATIENCE, || {
        icon.wait_for_row(&["\u{25cf} web", "Exit"]).id != drawn.id
    });
    assert!(icon.try_click(&drawn).is_err(), "there is no such row");
    icon.click(&["\u{25cf} web", "Check"]);
    wait_until("what was asked later is answered", PATIENCE, || {
        !desktop.summaries().is_empty()
    });
    assert!(second.is_running());
    end(applet);
}

#[test]
fn a_second_start_says_so_and_ends_well() {
    let Some(lab) = lab("a_second_start_says_so_and_ends_well") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut first = desktop.muxtray_run(&[]);
    desktop.tray_icon(first.pid());
    for arguments in [&[][..], &["--no-tray"]] {
        let second = desktop.muxtray_run(arguments).finish(PATIENCE).expect(0);
        let said = format!("{}{}", second.stdout, second.stderr);
        assert!(
            said.contains("running already") || said.contains("already running"),
            "{second:#?}"
        );
    }
    assert!(first.is_running());
    end(first);
}

#[test]
fn sigterm_and_quit_end_in_order_and_leave_nothing() {
    let Some(lab) = lab("sigterm_and_quit_end_in_order_and_leave_nothing") else {
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
        assert_eq!(
            pictures().is_empty(),
            LEAN,
            "AppIndicator's panel reads the icon from a file"
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
fn a_restarted_panel_gets_the_icon_back() {
    let Some(lab) = lab("a_restarted_panel_gets_the_icon_back") else {
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
fn a_panel_that_starts_later_gets_the_icon() {
    let Some(lab) = lab("a_panel_that_starts_later_gets_the_icon") else {
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
    wait_until("it says that there is no panel", PATIENCE, || {
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

/// Demands that the applet has said one sentence, with this word, and watches on: what is stale gets cleaned.
#[track_caller]
fn expect_one_sentence_and_watching(lab: &Lab, mut applet: Process, word: &str) {
    wait_until("it says what is missing", PATIENCE, || {
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
fn the_end_of_the_session_bus_is_the_end() {
    let Some(lab) = lab("the_end_of_the_session_bus_is_the_end") else {
        return;
    };
    let mut desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["no masters"]);
    desktop.end_bus();
    // A failure: systemd starts it again, for the session may be there yet.
    let said = applet.finish(PATIENCE).expect(3);
    assert!(said.stderr.contains("session bus has ended"), "{said:?}");
}

#[test]
fn a_panel_that_hangs_holds_up_nothing() {
    let Some(lab) = lab("a_panel_that_hangs_holds_up_nothing") else {
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
fn without_gtk_no_display_and_no_library_is_needed() {
    if !LEAN || cfg!(feature = "tray") {
        return skip(
            "without_gtk_no_display_and_no_library_is_needed",
            "this build has GTK",
        );
    }
    let Some(lab) = lab("without_gtk_no_display_and_no_library_is_needed") else {
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
fn without_a_display_it_says_so_and_watches_on() {
    if LEAN {
        return skip(
            "without_a_display_it_says_so_and_watches_on",
            "the lean tray needs none",
        );
    }
    let Some(lab) = lab("without_a_display_it_says_so_and_watches_on") else {
        return;
    };
    lab.write_muxtray_config("interval_secs = 3600\nclean_automatically = true\n");
    let parts = Parts {
        display: false,
        panel: false,
        daemon: false,
    };
    let mut desktop = Desktop::new(&lab, parts);
    expect_one_sentence_and_watching(&lab, desktop.muxtray_run(&[]), "no display");
    desktop.set_display(":987");
    expect_one_sentence_and_watching(&lab, desktop.muxtray_run(&[]), "no display");
}

#[test]
fn without_a_bus_it_says_so_and_watches_on() {
    let Some(lab) = lab("without_a_bus_it_says_so_and_watches_on") else {
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
    expect_one_sentence_and_watching(&lab, desktop.muxtray_run(&[]), "session bus");
    expect_one_sentence_and_watching(&lab, desktop.muxtray_run(&["--no-tray"]), "session bus");
}
