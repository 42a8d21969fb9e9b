//! Bad input in the configuration, in directories and behind sockets: the result is a clear finding or error within a
//! deadline. Nothing panics, and only sockets proven stale are removed.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use crate::support::{Behaviour, Finished, Lab, Listener, Process, Report, User, is_socket};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// The longest time that one hanging `ssh -G`, or one unresponsive master, may add on a busy machine.
const LIMIT: Duration = Duration::from_secs(15);

/// Runs muxtray; demands that it ends in time, with an exit status of the contract and without a panic.
#[track_caller]
fn orderly<A: AsRef<OsStr>>(lab: &Lab, arguments: impl IntoIterator<Item = A>) -> Finished {
    let said = lab.muxtray(arguments);
    assert!((0..=3).contains(&said.code()), "{said:#?}");
    assert!(!said.stderr.contains("panicked"), "{said:#?}");
    assert!(said.took < LIMIT, "{said:#?}");
    said
}

#[track_caller]
fn list(lab: &Lab) -> Report {
    Report::parse(&orderly(lab, ["list", "--json"]).stdout)
}

/// Runs muxtray with a configuration that begins with these lines. Demands a finding with this word, and that an
/// existing master is still reported.
#[track_caller]
fn expect_configuration_finding(lab: &Lab, lines: &str, word: &str) {
    let master = lab.master("web");
    lab.configure(lines);
    let report = list(lab);
    let ids = report.finding_ids();
    assert!(
        ids.contains(&"ssh-config-invalid".to_owned()),
        "{:#}",
        report.json
    );
    let findings = report.json["findings"].to_string();
    assert!(findings.contains(word), "no {word:?} in {:#}", report.json);
    assert_eq!(
        report.at(master.path()).state(),
        "running",
        "{:#}",
        report.json
    );
}

#[test]
fn missing_ssh_configuration_is_reported() {
    let lab = Lab::new();
    let said = orderly(&lab, ["list", "-F", "/nowhere/config"]);
    let told = format!("{}{}", said.stdout, said.stderr);
    assert!(told.contains("/nowhere/config"), "{said:#?}");
}

#[test]
fn unreadable_ssh_configuration_is_reported() {
    let lab = Lab::new();
    let path = lab.path("ssh_config");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let said = orderly(&lab, ["list"]);
    let told = format!("{}{}", said.stdout, said.stderr);
    assert!(told.contains(path.to_str().unwrap()), "{said:#?}");
    assert!(
        told.to_lowercase().contains("permission denied"),
        "{said:#?}"
    );
}

#[test]
fn unreadable_include_is_a_finding_and_the_rest_works() {
    let lab = Lab::new();
    let included = lab.write("included", "Host other\n");
    fs::set_permissions(&included, fs::Permissions::from_mode(0o000)).unwrap();
    expect_configuration_finding(&lab, &format!("Include {}", included.display()), "included");
}

#[test]
fn unknown_token_is_a_finding_and_the_rest_works() {
    let lab = Lab::new();
    let lines = format!(
        "Host odd\n    ControlPath {}/%Z-%p\n",
        lab.path("s").display()
    );
    expect_configuration_finding(&lab, &lines, "%Z");
}

#[test]
fn an_include_loop_ends() {
    let lab = Lab::new();
    let path = lab.path("ssh_config");
    expect_configuration_finding(&lab, &format!("Include {}", path.display()), "nclude");
}

#[test]
fn a_fifo_as_configuration_does_not_hang() {
    let lab = Lab::new();
    let master = lab.master("web");
    let fifo = lab.path("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    User::get().own(&fifo);
    lab.configure(&format!("Include {}", fifo.display()));
    assert_eq!(list(&lab).at(master.path()).state(), "running");
}

#[test]
fn endless_match_exec_costs_only_its_deadline() {
    let lab = Lab::new();
    let master = lab.master("web");
    lab.configure("Match exec \"sleep 600\"\n    User nobody\n");
    assert_eq!(list(&lab).at(master.path()).state(), "running");
}

#[test]
fn missing_ssh_program_is_reported() {
    let lab = Lab::new();
    let master = lab.master("web");
    lab.write_muxtray_config("ssh_program = \"/nowhere/ssh\"\n");
    let report = list(&lab);
    assert_eq!(report.finding_ids(), ["ssh-missing"], "{:#}", report.json);
    assert_eq!(report.at(master.path()).state(), "running");
}

#[test]
fn ssh_is_found_without_path_as_execvp_finds_it() {
    let lab = Lab::new();
    let mut command = lab.muxtray_command(["list", "--json"]);
    command.env_remove("PATH");
    let report = Report::of(&Process::run(command, LIMIT));
    assert_eq!(report.all_ids(), Vec::<String>::new());
}

#[test]
fn endless_output_of_ssh_is_cut_off() {
    let lab = Lab::new();
    let master = lab.master("web");
    let program = lab.script("endless", "exec yes controlpath /");
    lab.write_muxtray_config(&format!("ssh_program = {program:?}\n"));
    assert_eq!(list(&lab).at(master.path()).state(), "running");
}

#[test]
fn random_bytes_as_configuration_do_not_panic() {
    let lab = Lab::new();
    let master = lab.master("web");
    let mut garbage: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    garbage.extend(b"\nHost \xff\xfe \"unclosed\nControlPath \"\nInclude [\nMatch\nHost " as &[u8]);
    garbage.extend(vec![b'x'; 200_000]);
    lab.write("ssh_config", garbage);
    assert_eq!(list(&lab).at(master.path()).state(), "running");
}

#[test]
fn thousands_of_files_do_not_hide_a_master() {
    let lab = Lab::new();
    let master = lab.master("web");
    for number in 0..5000 {
        fs::write(lab.path(format!("s/file-{number}")), "").unwrap();
    }
    let report = list(&lab);
    assert_eq!(report.at(master.path()).state(), "running");
    orderly(&lab, ["clean"]);
    assert_eq!(fs::read_dir(lab.path("s")).unwrap().count(), 5001);
}

/// Unusual names that a file may have: control characters, markup, text direction marks, bytes that are not UTF-8.
const NAMES: &[&[u8]] = &[
    b"new\nline-22",
    b"\x1b[31mred\x1b]0;title\x07-22",
    b"<b>&amp;<i>-22",
    b"\xff\xfe-22",
    "\u{202e}desrever-22".as_bytes(),
    b"it's a \"path\" $(touch x)-22",
    b"\\back-22",
    b" -22",
];

#[test]
fn hostile_names_are_escaped_and_still_cleaned() {
    let lab = Lab::new();
    let running = lab.master("web");
    let paths: Vec<_> = NAMES
        .iter()
        .map(|name| lab.path("s").join(OsStr::from_bytes(name)))
        .collect();
    for path in &paths {
        lab.dead_socket(path);
    }

    let report = list(&lab);
    let stale = report
        .sockets()
        .iter()
        .filter(|socket| socket.state() == "stale")
        .count();
    assert_eq!(stale, NAMES.len(), "{:#}", report.json);
    for socket in report.sockets() {
        socket.finding_ids();
    }

    let printable = |text: &str| {
        let odd = |character: char| {
            (character.is_control() && character != '\n') || character == '\u{202e}'
        };
        assert!(!text.contains(odd), "{text:?}");
    };
    let listed = orderly(&lab, ["list"]).stdout;
    printable(&listed);
    assert!(listed.contains("new\\u{a}line"), "{listed}");

    // The argument is the path's bytes, as a shell passes them.
    let one = orderly(&lab, [OsString::from("clean"), paths[0].clone().into()]).expect(0);
    printable(&one.stdout);
    assert!(!paths[0].exists());

    let all = orderly(&lab, ["clean"]).expect(0);
    printable(&format!("{}{}", all.stdout, all.stderr));
    assert!(
        paths.iter().all(|path| path.symlink_metadata().is_err()),
        "{all:#?}"
    );
    assert!(is_socket(running.path()));
    assert!(!lab.path("x").exists(), "no shell has read a name");
}

#[test]
fn hostile_host_names_are_escaped() {
    let lab = Lab::new();
    lab.configure(
        "Host \u{1b}[31mred \u{202e}desrever <b>bold</b> -oProxyCommand=touch\\ x\n    User u\n",
    );
    let listed = orderly(&lab, ["list"]);
    let text = format!("{}{}", listed.stdout, listed.stderr);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{listed:#?}");
    assert!(!lab.path("x").exists());
}

#[test]
fn path_longer_than_a_socket_address_does_not_panic() {
    let lab = Lab::new();
    let short = lab.path("s/short");
    lab.dead_socket(&short);
    let long = lab.path("s").join("x".repeat(200));
    fs::rename(&short, &long).unwrap();
    lab.configure(&format!("Host long\n    ControlPath {}\n", long.display()));
    let report = list(&lab);
    assert!(
        report.finding_ids().contains(&"path-too-long".to_owned()),
        "{:#}",
        report.json
    );
    let found = report.all_at(&long);
    assert!(
        found.iter().all(|socket| socket.state() != "running"),
        "{:#}",
        report.json
    );
    orderly(&lab, [OsStr::new("check"), long.as_os_str()]).expect(1);
}

#[test]
fn symlink_loops_and_fifos_are_reported_and_left_alone() {
    let lab = Lab::new();
    let (looped, fifo) = (lab.control_path("web"), lab.control_path("db"));
    symlink(looped.file_name().unwrap(), &looped).unwrap();
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    for path in [&looped, &fifo] {
        User::get().own(path);
    }
    for path in [&looped, &fifo] {
        assert_eq!(list(&lab).at(path).state(), "not-a-socket");
        for command in ["check", "exit", "stop", "clean"] {
            let said = orderly(&lab, [OsStr::new(command), path.as_os_str()]).expect(1);
            assert!(said.stdout.contains("not-a-socket"), "{said:#?}");
        }
    }
    orderly(&lab, ["clean"]);
    assert!(looped.symlink_metadata().is_ok() && fifo.symlink_metadata().is_ok());
}

#[test]
fn broken_master_costs_only_its_deadline() {
    for behaviour in Behaviour::BROKEN {
        let lab = Lab::new();
        let mut listener = Listener::called_ssh(&lab, &lab.control_path("web"), *behaviour);
        assert_eq!(
            list(&lab).at(listener.path()).state(),
            "running",
            "{behaviour:?}"
        );
        assert_eq!(
            listener.accepted(),
            0,
            "{behaviour:?}: looking has connected"
        );
        for command in ["check", "exit", "stop"] {
            let said = orderly(&lab, [command, "web"]);
            assert_eq!(said.code(), 1, "{behaviour:?}: {said:#?}");
            assert!(
                said.stdout.contains("web") && said.stderr.is_empty(),
                "{behaviour:?}: {said:#?}"
            );
        }
        orderly(&lab, ["clean", "web"]).expect(1);
        assert!(
            listener.is_running() && is_socket(listener.path()),
            "{behaviour:?}"
        );
    }
}

#[test]
fn many_broken_masters_are_checked_in_parallel() {
    let lab = Lab::new();
    let listeners: Vec<_> = (0..8)
        .map(|number| {
            let path = lab.control_path(&format!("silent{number}"));
            Listener::called_ssh(&lab, &path, Behaviour::Silent)
        })
        .collect();
    let said = orderly(&lab, ["check"]).expect(1);
    assert_eq!(said.stdout.lines().count(), listeners.len(), "{said:#?}");
}

#[test]
fn control_path_below_a_regular_file_does_not_panic() {
    let lab = Lab::new();
    let file = lab.write("file", "");
    lab.configure(&format!(
        "Host web\n    ControlPath {}/below/%n\n",
        file.display()
    ));
    assert_eq!(list(&lab).json["sockets"], serde_json::json!([]));
    let typed = format!("{}/below/web", file.display());
    orderly(&lab, ["check", &typed]).expect(1);
}

#[test]
fn non_utf8_path_is_a_target_as_bytes_and_as_printed() {
    let lab = Lab::new();
    let path = lab.path("s").join(OsStr::from_bytes(b"\xff\\\xfe-22"));
    for is_printed in [false, true] {
        lab.dead_socket(&path);
        let printed = list(&lab).json["sockets"][0]["path"].clone();
        let typed = match is_printed {
            true => OsStr::new(printed.as_str().unwrap()),
            false => path.as_os_str(),
        };
        orderly(&lab, [OsStr::new("clean"), typed]).expect(0);
        assert!(path.symlink_metadata().is_err());
    }
}

#[test]
fn non_utf8_arguments_do_not_panic() {
    let lab = Lab::new();
    for command in ["check", "exit", "stop", "clean"] {
        let said = orderly(
            &lab,
            [OsStr::new(command), OsStr::from_bytes(b"/tmp/\xff\xfe")],
        );
        assert!(matches!(said.code(), 1 | 2), "{said:#?}");
        assert!(!said.stderr.is_empty());
    }
    orderly(&lab, ["check", ""]).expect(1);
    for none in ["", "@", "me@", "@web"] {
        let said = orderly(&lab, ["open", none]).expect(2);
        assert!(said.stderr.contains("is not a host"), "{said:#?}");
    }
    assert_ne!(orderly(&lab, ["check", &"x".repeat(100_000)]).code(), 0);
}
