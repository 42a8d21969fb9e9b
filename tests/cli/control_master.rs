//! ControlMaster other than auto: the findings, the judgement of `test`, and the end of a master that refuses requests.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::support::{
    GOOD, Lab, Master, PATIENCE, Process, is_socket, pid_of_persisted, process_start, wait_for,
    wait_until,
};

/// Writes a configuration in which these lines are all about multiplexing. Returns the ControlPath of `web`.
fn configure(lab: &Lab, lines: &str) -> PathBuf {
    let path = lab.path("s/web");
    let lines = lines.replace(
        "PATH",
        &format!("ControlPath {}/%n", lab.path("s").display()),
    );
    let connection = lab.connection_options();
    lab.write("ssh_config", format!("{lines}\nHost *\n{connection}"));
    path
}

/// Runs the user's own `ssh web true`.
fn ssh(lab: &Lab) -> i32 {
    let mut command = lab.ssh();
    command.args(["web", "true"]);
    Process::run(command, PATIENCE).code()
}

#[test]
fn each_kind_has_its_finding() {
    let lab = Lab::new();
    let cases: &[(&str, &[&str], i32)] = &[
        ("Host web\nControlMaster auto\nPATH", &[], 0),
        (
            "Host web\nControlMaster yes\nPATH",
            &["control-master-yes"],
            0,
        ),
        (
            "Host web\nControlMaster ask\nPATH",
            &["control-master-ask"],
            1,
        ),
        (
            "Host web\nControlMaster autoask\nPATH",
            &["control-master-ask"],
            1,
        ),
        ("Host web\nHost *\nPATH", &["no-control-master"], 0),
        (
            "Host web\nHost *\nControlMaster no\nPATH",
            &["no-control-master"],
            0,
        ),
        (
            "Host web\nHost *\nControlMaster auto",
            &["no-control-path"],
            0,
        ),
        ("ControlMaster auto\nHost web", &["no-control-path"], 0),
        (
            "ControlMaster auto\nControlPath none",
            &["no-control-path"],
            0,
        ),
        ("Host web", &["not-configured"], 0),
        ("", &["not-configured"], 0),
        ("Host *.corp\nControlMaster auto\nPATH\nHost web", &[], 0),
        (
            "Host gate-*\nHostName 127.0.0.1\nControlMaster auto\nPATH\nHost web",
            &[],
            0,
        ),
        (
            "Host *.corp\nControlMaster no\nPATH\nHost web",
            &["not-configured"],
            0,
        ),
        ("ControlPath none\nControlMaster no", &["not-configured"], 0),
        (
            "Host web\nControlMaster no\nHost db\nHost *\nControlMaster auto\nPATH",
            &["path-not-per-host"],
            0,
        ),
        (
            "Host web\nControlMaster no\nHost *\nControlMaster auto\nPATH",
            &[],
            0,
        ),
        (
            "Host web\nControlPath none\nHost db\nHost *\nControlMaster auto\nPATH",
            &["path-not-per-host"],
            0,
        ),
        (
            "Match host web exec true\nControlMaster yes\nHost *\nPATH",
            &["control-master-yes"],
            0,
        ),
        (
            "Match host web exec false\nControlMaster yes\nHost *\nPATH",
            &["no-control-master"],
            0,
        ),
        (
            "Host web\nMatch final host 127.0.0.1\nControlMaster yes\nPATH",
            &["path-not-per-host", "control-master-yes"],
            0,
        ),
    ];
    for (lines, expected, status) in cases {
        configure(
            &lab,
            &format!("{lines}\n{}", &GOOD.replace("    ControlMaster auto\n", "")),
        );
        let report = lab.doctor();
        assert_eq!(report.all_ids(), *expected, "{lines}: {:#}", report.json);
        assert_eq!(report.status, *status, "{lines}");
    }
}

#[test]
fn askpass_program_and_display_can_confirm() {
    let lab = Lab::new();
    let askpass = lab.script("askpass", "exit 0");
    for (kind, expected) in [("autoask", None), ("ask", Some("control-master-yes"))] {
        let path = configure(
            &lab,
            &format!(
                "Host web\n    ControlMaster {kind}\n    PATH\n{}",
                &GOOD.replace("    ControlMaster auto\n", "")
            ),
        );
        let mut command = lab.muxtray_command(["doctor"]);
        command.env("DISPLAY", ":0").env("SSH_ASKPASS", &askpass);
        let text = Process::run(command, PATIENCE).expect(0).stdout;
        match expected {
            Some(id) => assert!(text.contains(id), "{text}"),
            None => assert!(text.starts_with("no problems found"), "{text}"),
        }
        let mut command = lab.ssh();
        command.env("DISPLAY", ":0").env("SSH_ASKPASS", &askpass);
        command.args(["web", "true"]);
        Process::run(command, PATIENCE).expect(0);
        let pid = wait_for("the master is there", PATIENCE, || pid_of_persisted(&path));
        lab.end_with_lab(pid);
        lab.muxtray(["exit", "--end-process", "web"]).expect(0);
        wait_until("it has ended", PATIENCE, || process_start(pid).is_none());
    }
}

#[test]
fn lines_to_paste_make_ssh_share_its_connection() {
    let lab = Lab::new();
    configure(&lab, "Host web");
    let finding = lab.doctor().finding("not-configured");
    let mut pasted = String::from("Host web\n");
    for line in finding["lines"].as_array().unwrap() {
        let line = line.as_str().unwrap();
        // The tests' user has another home in the password file.
        let line = match line.trim().starts_with("ControlPath") {
            true => "    PATH",
            false => line,
        };
        writeln!(pasted, "{line}").unwrap();
    }
    let path = configure(&lab, &pasted);
    assert_eq!(ssh(&lab), 0);
    lab.end_with_lab(wait_for("a master", PATIENCE, || pid_of_persisted(&path)));
    lab.muxtray(["test", "web"]).expect(0);
    let command = finding["command"].as_str().unwrap();
    assert!(command.starts_with("mkdir -p -m 700 "), "{command}");
    // The path of this test has only the host's name.
    assert_eq!(lab.doctor().all_ids(), ["path-not-per-host"]);
}

/// Each configuration lacks a setting. After the lines are pasted at the place that the remedy names, no finding is left.
#[test]
fn pasted_lines_are_the_whole_remedy() {
    const IDS: [&str; 5] = [
        "not-configured",
        "no-control-path",
        "no-control-master",
        "control-master-yes",
        "control-master-ask",
    ];
    let lab = Lab::new();
    for (id, lines) in [
        ("not-configured", ""),
        ("not-configured", "# nothing"),
        ("not-configured", "Host web\n    ForwardX11 no"),
        ("not-configured", "ControlMaster no\nControlPath none"),
        ("not-configured", "Host web\n    ControlMaster no"),
        ("not-configured", "Match host none.example\n    User u"),
        ("no-control-path", "ControlMaster auto"),
        ("no-control-path", "Host web\n    ControlMaster auto"),
        (
            "no-control-path",
            "Host web db\n    ControlMaster auto\nHost other",
        ),
        ("no-control-path", "Match host web\n    ControlMaster auto"),
        ("no-control-master", "PATH"),
        ("no-control-master", "Host web\n    PATH"),
        ("no-control-master", "Host web db\n    PATH\nHost other"),
        (
            "control-master-yes",
            "Host web\n    ControlMaster yes\n    PATH\nHost other",
        ),
        (
            "control-master-ask",
            "Host web db\n    ControlMaster autoask\n    PATH\nHost other",
        ),
        (
            "control-master-yes",
            "Host *.lab\n    ControlMaster yes\n    PATH\nHost web\n    ControlMaster auto\n    PATH",
        ),
        (
            "control-master-ask",
            "Match host 10.*\n    ControlMaster ask\nHost web\n    ControlMaster auto\nHost *\n    PATH",
        ),
        (
            "no-control-path",
            "Host *.lab\n    ControlMaster auto\nHost web\n    ControlMaster auto\n    PATH",
        ),
        // As home-manager writes them.
        (
            "no-control-persist",
            "Host *\n    ControlMaster auto\n    PATH\n    ControlPersist no\nHost web",
        ),
        (
            "no-keepalive",
            "Host web\n    ControlMaster auto\n    PATH\nHost *\n    ServerAliveInterval 0",
        ),
    ] {
        // A line without a Host line applies to all hosts, also after the lines that are pasted before it.
        let lines = format!("Compression yes\n{lines}");
        let rest = GOOD.replace("    ControlMaster auto\n", "");
        configure(&lab, &format!("{lines}\n{rest}"));
        let finding = lab.doctor().finding(id);
        let pasted: Vec<&str> = finding["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| {
                let line = line.as_str().unwrap();
                // The tests' user has another home in the password file.
                if line.trim().starts_with("ControlPath") {
                    "    PATH"
                } else {
                    line
                }
            })
            .collect();
        let pasted = pasted.join("\n");
        let remedy = finding["remedy"].as_str().unwrap();
        let text = if remedy.contains("at the end") {
            format!("{lines}\n{rest}\n{pasted}")
        } else {
            format!("{pasted}\n{lines}\n{rest}")
        };
        configure(&lab, &text);
        let left = lab.doctor().all_ids();
        assert!(
            !left
                .iter()
                .any(|left| left == id || IDS.contains(&left.as_str())),
            "{text}: {left:?}"
        );
        let mut command = lab.ssh();
        command.args(["-G", "other"]);
        let settings = Process::run(command, PATIENCE).expect(0).stdout;
        assert!(settings.contains("\ncompression yes\n"), "{text}");
    }
}

#[test]
fn test_judges_what_the_users_ssh_does() {
    let lab = Lab::new();
    for (kind, id) in [("yes", "control-master-yes"), ("ask", "control-master-ask")] {
        let path = configure(
            &lab,
            &format!("Host web\nControlMaster {kind}\nPATH\nControlPersist 60"),
        );
        let _ = ssh(&lab);
        let pid = wait_for("the master is there", PATIENCE, || pid_of_persisted(&path));
        lab.end_with_lab(pid);
        // The user's second ssh connects by itself.
        let mut second = lab.ssh();
        second.args(["-o", "ProxyCommand=/bin/false", "web", "true"]);
        Process::run(second, PATIENCE).expect(255);
        let said = lab.muxtray(["test", "web"]).expect(1);
        assert!(said.stdout.contains("does not work for web"), "{said:?}");
        assert!(
            said.stdout.contains(&format!("ControlMaster is {kind}")),
            "{said:?}"
        );
        assert!(!said.stdout.contains("times as fast"), "{said:?}");
        assert_eq!(lab.doctor().finding(id)["subject"], "host web");
        lab.muxtray(["exit", "--end-process", "web"]);
        let _ = lab.muxtray(["exit", "web"]);
        wait_until("it has ended", PATIENCE, || process_start(pid).is_none());
    }
    for lines in [
        "SessionType none",
        "SessionType subsystem",
        "ForkAfterAuthentication yes\nSessionType none",
        "StdinNull yes",
        "RequestTTY force",
        "RemoteCommand sleep 60",
    ] {
        configure(
            &lab,
            &format!("Host web\nControlMaster auto\nPATH\n{lines}"),
        );
        let said = lab.muxtray(["test", "--runs", "1", "web"]).expect(0);
        assert!(
            said.stdout.contains("multiplexing works"),
            "{lines}: {said:?}"
        );
    }
}

#[test]
fn test_asks_ssh_again_about_conditions() {
    let lab = Lab::new();
    let flag = lab.path("flag");
    configure(
        &lab,
        &format!(
            "Match host web exec \"test -e {}\"\nControlMaster auto\nHost *\nPATH",
            flag.display()
        ),
    );
    lab.doctor();
    let said = lab.muxtray(["test", "--runs", "1", "web"]).expect(1);
    assert!(said.stdout.contains("ControlMaster is no"), "{said:?}");
    lab.write("flag", "");
    lab.muxtray(["test", "--runs", "1", "web"]).expect(0);
}

/// Starts a master that refuses every session and exit request.
fn refusing_master(lab: &Lab, kind: &str) -> (PathBuf, i32) {
    let path = configure(
        lab,
        &format!("Host web\nControlMaster {kind}\nPATH\nControlPersist 60"),
    );
    assert_eq!(ssh(lab), 255);
    let pid = wait_for("the master is there", PATIENCE, || pid_of_persisted(&path));
    lab.end_with_lab(pid);
    let said = lab.ssh_request("exit", &path);
    assert!(process_start(pid).is_some(), "{said:?}");
    (path, pid)
}

#[test]
fn one_command_ends_a_master_that_refuses_to_exit() {
    let lab = Lab::new();
    for (kind, arguments) in [
        ("ask", &["exit", "web"][..]),
        ("autoask", &["exit", "--force", "web"]),
        ("autoask", &["exit", "--all"]),
    ] {
        let (path, pid) = refusing_master(&lab, kind);
        let said = lab.muxtray(arguments).expect(1);
        let (_, command) = said.stdout.split_once(": muxtray ").expect(&said.stdout);
        assert!(process_start(pid).is_some(), "{said:?}");
        let words: Vec<&str> = command.lines().next().unwrap().split(' ').collect();
        // The printed command, with the laboratory's configuration.
        lab.muxtray(&words).expect(0);
        wait_until("it has ended", PATIENCE, || process_start(pid).is_none());
        assert!(!is_socket(&path), "{words:?}");
    }
    let (_, pid) = refusing_master(&lab, "ask");
    lab.muxtray(["exit", "--all", "--end-process"]).expect(0);
    wait_until("it has ended", PATIENCE, || process_start(pid).is_none());
}

#[test]
fn master_that_refuses_without_a_setting_ends_by_its_printed_command() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    let mut command = lab.ssh();
    command.args(["-N", "-o", "ControlMaster=ask", "web"]);
    let mut master = Master::start(command, path);
    let said = lab.muxtray(["exit", "web"]).expect(1);
    assert!(
        said.stdout.contains(&format!(": kill {}", master.pid())),
        "{said:?}"
    );
    let mut kill = lab.command("kill");
    kill.arg(master.pid().to_string());
    Process::run(kill, PATIENCE).expect(0);
    master.wait_for_end();
    assert!(!is_socket(master.path()));
}

#[test]
fn stopped_master_ends_by_its_printed_command_and_leaves_its_successor() {
    let lab = Lab::new();
    let mut first = lab.master("web");
    let session = first.session(&lab);
    let said = lab.muxtray(["stop", "web"]).expect(0);
    assert!(
        said.stdout.contains(&format!(": kill {}", first.pid())),
        "{said:?}"
    );
    let mut next = lab.master("web");
    let mut kill = lab.command("kill");
    kill.arg(first.pid().to_string());
    Process::run(kill, PATIENCE).expect(0);
    first.wait_for_end();
    drop(session);
    assert!(next.is_running() && is_socket(next.path()));
    lab.ssh_request("check", next.path()).expect(0);
}

#[test]
fn option_that_ssh_refuses_is_an_error_and_an_unread_part_a_warning() {
    let lab = Lab::new();
    let invalid = Some("ssh-config-invalid");
    lab.write("part", "UseKeychain yes\n");
    for (lines, expected, subject) in [
        (
            "Host web\nHost *\nUseKeychain yes",
            Some("error"),
            "host web",
        ),
        ("UseKeychain yes", Some("error"), "every host"),
        ("IgnoreUnknown UseK*\nUseKeychain yes\nHost web", None, ""),
        ("Host web\nHost *\nPort abc", Some("error"), "host web"),
        (
            "Host web\nHost *\nControlMaster maybe",
            Some("error"),
            "host web",
        ),
        ("Host web\nHost *\nInclude PART", Some("error"), "host web"),
        (
            "Host web db\nHost web\nControlPath ${UNSET_HERE}/%n",
            Some("error"),
            "host web",
        ),
        (
            "Host u@h\nHost web\nControlMaster auto\nPATH",
            Some("warning"),
            "",
        ),
        ("Host web\nInclude ~nobody-at-all/x", Some("warning"), ""),
        (
            "Host web\nControlMaster auto\nControlPath s/%n",
            Some("warning"),
            "",
        ),
    ] {
        let lines = lines.replace("PART", &lab.path("part").display().to_string());
        configure(&lab, &lines);
        let report = lab.doctor();
        let ids = report.finding_ids();
        let found: Vec<_> = report.json["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["id"].as_str() == invalid)
            .collect();
        let worst = if found.iter().any(|it| it["severity"] == "error") {
            Some("error")
        } else {
            found.first().map(|_| "warning")
        };
        assert_eq!(worst, expected, "{lines}: {ids:?}");
        assert_eq!(report.status, i32::from(worst == Some("error")), "{lines}");
        if worst == Some("error") {
            assert!(
                found.iter().any(|it| it["subject"] == subject),
                "{lines}: {found:?}"
            );
        }
        let has = |id: &str| ids.iter().any(|found| found == id);
        assert!(!has("no-control-path"), "{lines}: {ids:?}");
        assert!(
            worst.is_none() || !has("not-configured"),
            "{lines}: {ids:?}"
        );
    }
}

/// It keeps asking after the remedy of `control-master-ask`.
#[test]
fn master_that_began_to_ask_is_outdated() {
    let lab = Lab::new();
    let path = configure(
        &lab,
        "Host web\nControlMaster ask\nControlPersist 600\nPATH",
    );
    lab.list();
    ssh(&lab);
    let pid = wait_for("the master is there", PATIENCE, || pid_of_persisted(&path));
    lab.end_with_lab(pid);
    configure(
        &lab,
        "Host web\nControlMaster auto\nControlPersist 600\nPATH",
    );
    let report = lab.list().at(&path).0;
    let finding = &report["findings"][0];
    assert_eq!(finding["id"], "master-outdated", "{report:#}");
    let command = finding["command"].as_str().unwrap();
    assert!(
        command.starts_with("muxtray exit --end-process "),
        "{command}"
    );
    lab.muxtray(["exit", "--end-process", "web"]).expect(0);
    wait_until("its socket is gone", PATIENCE, || !is_socket(&path));
}
