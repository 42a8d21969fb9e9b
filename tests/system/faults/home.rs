//! The home directory: removed and restored under a running watcher, or missing from the start.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use super::{RUN, end, orderly, wait_for_line};
use crate::support::{Finished, GOOD, Lab, PATIENCE, Process, Report, wait_until};

/// Puts both configurations and the control sockets into the home.
fn write_home(lab: &Lab) {
    for directory in ["home/.ssh", "home/.ssh/s"] {
        lab.make_directory(directory);
    }
    lab.write(
        "home/.ssh/config",
        format!(
            "Host web\n    ControlPath {}/%n\n{GOOD}{}",
            lab.path("home/.ssh/s").display(),
            lab.connection_options()
        ),
    );
    let settings = fs::read(lab.path("config/muxtray/config.toml")).unwrap();
    lab.write("home/.config/muxtray/config.toml", settings);
}

/// muxtray with this home as its whole environment.
fn muxtray(lab: &Lab, home: Option<&Path>, arguments: &[&str]) -> Command {
    let mut command = lab.command(lab.reachable_program());
    for name in ["CONFIG", "CACHE", "DATA", "STATE"] {
        command.env_remove(format!("XDG_{name}_HOME"));
    }
    match home {
        Some(home) => command.env("HOME", home),
        None => command.env_remove("HOME"),
    };
    command.args(arguments);
    command
}

fn at_home(lab: &Lab, arguments: &[&str]) -> Command {
    let home = lab.path("home");
    let config = home.join(".ssh/config");
    let mut all = vec!["-F", config.to_str().unwrap()];
    all.extend(arguments);
    muxtray(lab, Some(&home), &all)
}

/// Removes the home. A watcher may be writing a file there at the same time.
#[track_caller]
fn remove_home(lab: &Lab) {
    wait_until(
        "the home is removed",
        PATIENCE,
        || match fs::remove_dir_all(lab.path("home")) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => false,
            removed => {
                removed.unwrap();
                true
            }
        },
    );
}

fn restore_home(lab: &Lab) {
    lab.make_directory("home");
    write_home(lab);
}

#[test]
fn watcher_continues_without_home_and_after_its_return() {
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 3600\n");
    write_home(&lab);
    let socket = lab.path("home/.ssh/s/web");
    lab.dead_socket(&socket);
    let mut run = Process::start(at_home(&lab, &RUN));
    wait_for_line(&mut run, 0, "no masters, 1 problem");
    let before = run.stderr().len();
    remove_home(&lab);
    // The socket is gone with its home, and the configuration that led to it cannot be read.
    wait_for_line(&mut run, before, "/home/.ssh/config");
    assert!(
        !lab.path("home").exists(),
        "nothing is made where a home was"
    );

    let before = run.stderr().len();
    restore_home(&lab);
    lab.dead_socket(&socket);
    wait_for_line(&mut run, before, "stale control socket");
    // The settings are read again as well.
    let settings = lab.path("home/.config/muxtray/config.toml");
    let text = fs::read_to_string(&settings).unwrap();
    lab.write(&settings, format!("clean_automatically = true\n{text}"));
    wait_until("the new settings clean", PATIENCE, || {
        socket.symlink_metadata().is_err()
    });
    end(run);
}

#[test]
fn watching_list_continues_without_home_and_after_its_return() {
    let lab = Lab::new();
    write_home(&lab);
    let socket = lab.path("home/.ssh/s/web");
    lab.dead_socket(&socket);
    let mut watch = Process::start(at_home(&lab, &["list", "--watch", "--json"]));
    let mut last = |what: &str, is: &dyn Fn(&Report) -> bool| {
        wait_until(what, PATIENCE, || {
            assert!(watch.is_running(), "{}", watch.stderr());
            let lines = watch.stdout();
            // A line may still be on its way.
            let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
            whole
                .lines()
                .next_back()
                .is_some_and(|line| is(&Report::parse(line)))
        });
    };
    let is_stale = |report: &Report| {
        report.all_at(&socket).len() == 1 && report.at(&socket).state() == "stale"
    };
    last("the socket is stale", &is_stale);
    remove_home(&lab);
    last("the loss is reported", &|report| {
        report.sockets().is_empty() && report.finding_ids().contains(&"ssh-config-invalid".into())
    });
    restore_home(&lab);
    lab.dead_socket(&socket);
    last("all is as before", &|report| {
        is_stale(report) && report.finding_ids().is_empty()
    });
    watch.kill();
}

/// HOME unset, missing, or not a path.
#[test]
fn missing_or_invalid_home_still_lists_masters() {
    let lab = Lab::new();
    let master = lab.master("web");
    let config = lab.path("ssh_config");
    let config = config.to_str().unwrap();
    let settings = lab.path("config/muxtray/config.toml");
    let settings = settings.to_str().unwrap();
    let nowhere = lab.path("nowhere/at/all");
    for home in [
        None,
        Some(nowhere.as_path()),
        Some(Path::new("")),
        Some(Path::new("relative")),
        Some(Path::new("/dev/null")),
    ] {
        let run = |arguments: &[&str]| -> Finished {
            let arguments = [&["-F", config], arguments].concat();
            orderly(muxtray(&lab, home, &arguments))
        };
        let report = Report::of(&run(&["list", "--json", "--config", settings]));
        assert_eq!(report.at(master.path()).state(), "running", "{home:?}");
        run(&["check", "web", "--config", settings]).expect(0);
        run(&["config", "check"]);
        run(&["autostart", "status"]).expect(1);
        let mut watcher = Process::start(muxtray(
            &lab,
            home,
            &[&["-F", config, "--config", settings], &RUN[..]].concat(),
        ));
        wait_for_line(&mut watcher, 0, "1 master");
        end(watcher);
    }
    assert!(!nowhere.exists() && !lab.path("relative").exists());
    // Every write names the missing home directory.
    let missing = lab.path("missing");
    for (arguments, status) in [(&["config", "edit"][..], 2), (&["autostart", "enable"], 3)] {
        let output = orderly(muxtray(&lab, Some(&missing), arguments)).expect(status);
        assert!(output.stderr.contains("/missing/.config/"), "{output:#?}");
        assert!(output.stderr.contains("does not exist"), "{output:#?}");
    }
    assert!(!missing.exists());
}

#[test]
fn removed_working_directory_changes_nothing() {
    let lab = Lab::new();
    let master = lab.master("web");
    let gone = [
        "sh",
        "-c",
        "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" \"$@\"",
    ];
    for arguments in [&["list"][..], &["check", "web"], &["doctor"]] {
        let output = orderly(lab.muxtray_behind(gone, arguments));
        assert_eq!(output.stderr, "", "{output:#?}");
        assert!(
            ["running", "answered", "no problems found"]
                .iter()
                .any(|word| output.stdout.contains(word)),
            "{output:#?}"
        );
    }
    // A relative name cannot be resolved, and an error reports it.
    let output = orderly(lab.muxtray_behind(gone, ["check", "./web"])).expect(1);
    assert!(output.stderr.contains("web"), "{output:#?}");
    assert!(master.path().exists());
}
