//! Hosts that share a ControlPath, though they are different places, and the masters of such paths.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::support::{GOOD, Lab, PATIENCE, Process, Report, wait_until};

/// A ProxyCommand for bash that connects to the server. The word at its end makes it another command.
fn proxy(word: &str) -> String {
    format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/%p; cat <&3 & cat >&3' {word}")
}

/// Runs a session with ControlMaster auto, whose master stays in the background and ends with the laboratory.
#[track_caller]
fn start_master(lab: &Lab, host: &str) -> PathBuf {
    let path = control_path(lab, host);
    let mut command = lab.ssh();
    command.args(["-o", "ControlMaster=auto", host, "true"]);
    Process::run(command, PATIENCE).expect(0);
    wait_until("its master is found", PATIENCE, || {
        let report = lab.list().at(&path).0;
        let pid = report["pid"]
            .as_i64()
            .and_then(|pid| i32::try_from(pid).ok());
        pid.map(|pid| lab.end_with_lab(pid)).is_some()
    });
    path
}

/// Returns the ControlPath in the answer of ssh.
#[track_caller]
fn control_path(lab: &Lab, host: &str) -> PathBuf {
    let mut command = lab.ssh();
    command.args(["-G", host]);
    let answer = Process::run(command, PATIENCE).expect(0).stdout;
    let mut lines = answer.lines();
    let path = lines.find_map(|line| line.strip_prefix("controlpath "));
    PathBuf::from(path.unwrap())
}

#[test]
fn master_of_another_place_is_no_success() {
    let lab = Lab::new();
    let hosts = |path: &str| {
        format!(
            "Host a also-a\n    ProxyCommand {a}\nHost b\n    ProxyCommand {b}\nHost a also-a b\n    ControlPath \
             {path}\n{GOOD}",
            a = proxy("1"),
            b = proxy("2"),
        )
    };
    let directory = lab.path("s").display().to_string();
    lab.configure(&hosts(&format!("{directory}/%C")));
    let path = start_master(&lab, "a");
    let report = lab.list();
    assert_eq!(
        report.at(&path).0["hosts"],
        serde_json::json!(["a", "also-a"])
    );
    let finding = report.finding("path-collision");
    let evidence = finding["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("' 1, host b has ProxyCommand bash"),
        "{evidence}"
    );

    lab.muxtray(["check", "a"]).expect(0);
    lab.muxtray(["test", "--runs", "1", "also-a"]).expect(0);
    for command in [&["test", "b"][..], &["open", "b"], &["check", "b"]] {
        let said = lab.muxtray(command).expect(1);
        let said = said.stdout + &said.stderr;
        assert!(
            said.contains("its master is that of a: a has ProxyCommand"),
            "{said}"
        );
    }

    let line = finding["lines"][1].as_str().unwrap().trim();
    lab.configure(&hosts(line.strip_prefix("ControlPath ").unwrap()));
    let paths = ["a", "b"].map(|host| control_path(&lab, host));
    assert_ne!(paths[0], paths[1]);
    assert!(
        paths.iter().all(|path| path.as_os_str().len() <= 90),
        "{paths:?}"
    );
    let ids = lab.doctor().finding_ids();
    assert!(!ids.contains(&"path-collision".to_owned()), "{ids:?}");
}

/// Its process is `/bin/sh /…/reach a 22`.
#[test]
fn master_of_a_script_in_the_path_is_its_hosts() {
    let lab = Lab::new();
    lab.make_directory("scripts");
    lab.script(
        "scripts/reach",
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/'$2'; cat <&3 & cat >&3'; exit",
    );
    let path = lab.path("s/one");
    lab.configure(&format!(
        "Host a b\n    ProxyCommand reach %n %p\n    ControlPath {}\n{GOOD}",
        path.display()
    ));
    let search = format!("{}:{}", lab.path("scripts").display(), crate::support::PATH);
    let mut command = lab.ssh();
    command.env("PATH", search);
    command.args(["-o", "ControlMaster=auto", "a", "true"]);
    Process::run(command, PATIENCE).expect(0);
    wait_until("its master is found", PATIENCE, || {
        let report = lab.list().at(&path).0;
        let pid = report["pid"].as_i64();
        let pid = pid.and_then(|pid| i32::try_from(pid).ok());
        pid.map(|pid| lab.end_with_lab(pid)).is_some()
    });
    lab.muxtray(["check", "a"]).expect(0);
    let said = lab.muxtray(["check", "b"]).expect(1);
    assert!(said.stderr.contains("its master is that of a"), "{said:#?}");
}

/// A key is no trace of a master, so nobody can know for which of the names it was started.
#[test]
fn master_of_unknown_place_is_no_success() {
    let lab = Lab::new();
    let key = lab.path("user_key").display().to_string();
    let path = lab.path("s/one").display().to_string();
    lab.configure(&format!(
        "Host b\n    IdentityFile {key}2\nHost web b\n    ControlPath {path}\n{GOOD}"
    ));
    start_master(&lab, "web");
    for command in [
        &["test", "b"][..],
        &["open", "web"],
        &["check", "b"],
        &["forward", "b", "-D", "45999"],
    ] {
        let said = lab.muxtray(command).expect(1);
        let said = said.stdout + &said.stderr;
        assert!(said.contains("its master may be that of "), "{said}");
    }
}

/// Hosts that only a wildcard names have one path.
#[test]
fn master_of_another_host_without_a_name_is_no_success() {
    let lab = Lab::new();
    let directory = lab.path("s").display().to_string();
    let by_name = format!(
        "Host *.ssm\n    HostName localhost\n    ProxyCommand {}\n    ControlPath {directory}/%C\n",
        proxy("%n")
    );
    let direct = format!("Host 127.*\n    HostName %h\n    ControlPath {directory}/mux\n");
    let address = format!(
        "is that of another host: it is connected to 127.0.0.1:{}",
        lab.port
    );
    for (hosts, own, other, expected) in [
        (direct, "127.0.0.1", "127.0.0.2", &*address),
        (
            by_name,
            "a.ssm",
            "b.ssm",
            "may be that of another host: ControlPath ",
        ),
    ] {
        lab.configure(&format!("{hosts}{GOOD}"));
        start_master(&lab, own);
        lab.muxtray(["check", own]).expect(0);
        lab.muxtray(["open", own]).expect(0);
        lab.muxtray(["test", "--runs", "1", own]).expect(0);
        for command in [
            &["check"][..],
            &["open"],
            &["test", "--runs", "1"],
            &["forward", "-D", "45999"],
        ] {
            let said = lab.muxtray(command.iter().chain([&other])).expect(1);
            let said = said.stdout + &said.stderr;
            assert!(said.contains(&format!("its master {expected}")), "{said}");
            assert!(!said.contains("host.invalid"), "{said}");
        }
        lab.muxtray(["exit", own]).expect(0);
    }
}

/// Writes a configuration of the hosts `one` and `other`, each with a line of its own.
fn share_a_path(lab: &Lab, one: &str, other: &str) {
    let path = lab.path("s/one").display().to_string();
    lab.configure(&format!(
        "Host one\n    {one}\nHost other\n    {other}\nHost one other\n    ControlPath {path}\n{GOOD}"
    ));
}

#[test]
fn names_of_one_place_share_a_path_without_a_finding() {
    let lab = Lab::new();
    for (one, other) in [
        ("HostName LocalHost", "HostName localhost"),
        ("ProxyJump web", "ProxyJump WEB:22"),
        ("ProxyJump web", "ProxyCommand ssh -W [%h]:%p web"),
        ("IdentityFile ~/.ssh/k", "IdentityFile %d/.ssh/k"),
        ("ForwardAgent yes", "LocalForward 1 h:2"),
    ] {
        share_a_path(&lab, one, other);
        let ids = Report::of(&lab.muxtray(["doctor", "--json"])).finding_ids();
        assert!(
            !ids.contains(&"path-collision".to_owned()),
            "{one} / {other}: {ids:?}"
        );
    }
}

#[test]
fn agent_or_authentication_of_another_kind_is_another_place() {
    let lab = Lab::new();
    for (one, other) in [
        ("IdentityAgent none", "IdentityAgent SSH_AUTH_SOCK"),
        ("IdentityAgent ~/a", "IdentityAgent ~/b"),
        ("PubkeyAuthentication no", "PubkeyAuthentication yes"),
        ("SecurityKeyProvider ~/p.so", "SecurityKeyProvider internal"),
    ] {
        share_a_path(&lab, one, other);
        let finding = lab.doctor().finding("path-collision");
        let evidence = finding["evidence"].as_str().unwrap();
        let setting = one.split(' ').next().unwrap();
        assert_eq!(evidence.matches(setting).count(), 2, "{evidence}");
    }
}

/// The path of hosts without a name is that of another host, or of another port or user on the command line.
#[test]
fn template_for_other_hosts_is_judged_by_its_tokens() {
    let lab = Lab::new();
    let good = format!("{GOOD}    ControlMaster auto\n");
    let other = "Host other\n    ControlPath none\n";
    for (lines, severity) in [
        ("Host *\n    ControlPath DIR/mux\n", Some("error")),
        ("ControlPath DIR/mux\n", Some("error")),
        ("Match all\n    ControlPath DIR/%r-%p\n", Some("error")),
        ("Host *\n    ControlPath DIR/%n\n", Some("warning")),
        ("Host *\n    ControlPath DIR/%h-%p\n", Some("warning")),
        ("Host *\n    ControlPath DIR/%r@%k\n", Some("warning")),
        ("Host *\n    ControlPath DIR/%C\n", None),
        ("Host *\n    ControlPath DIR/%r@%h:%p\n", None),
        (
            "Host web\n    ControlPath DIR/mux\nHost *\n    ControlPath DIR/%C\n",
            None,
        ),
        (
            "Host web\n    ControlPath DIR/mux\nHost *\n    ControlPath none\n",
            None,
        ),
        (
            "Host web\n    ControlPath DIR/%C\nHost *\n    ControlPath DIR/mux\n",
            Some("error"),
        ),
        (
            "Host web\n    ControlPath DIR/mux\nHost *\n    ControlPath DIR/mux\n",
            Some("error"),
        ),
        ("Include INCLUDED\n", Some("error")),
        (
            "Match user nobody\n    ControlPath DIR/x\nHost *\n    ControlPath DIR/%h%n\n",
            Some("warning"),
        ),
        (
            "Host *.prod !db.prod\n    HostName %h\n    ControlPath DIR/x\n",
            Some("error"),
        ),
        (
            "Host web 10.*\n    HostName %h\n    ControlPath DIR/x-%r\n",
            Some("error"),
        ),
        (
            "Match host *.lab user *\n    HostName %h\n    ControlPath DIR/x\n",
            Some("error"),
        ),
        (
            "Host app-?\n    HostName %h.example.org\n    ControlPath DIR/x\n",
            Some("error"),
        ),
        (
            "Host *.prod\n    HostName %h\n    ControlPath DIR/%h-%p\n",
            Some("warning"),
        ),
        (
            "Host gate-*\n    HostName gate.example.org\n    ControlPath DIR/x\n",
            None,
        ),
        (
            "ControlPath DIR/%C\nHost *.prod\n    ControlPath DIR/x\n",
            None,
        ),
        // The name leads to another machine or account, and %C has only HostName.
        (
            "Host *.ssm\n    HostName localhost\n    ProxyCommand reach %n\nHost *\n    ControlPath DIR/%C\n",
            Some("error"),
        ),
        (
            "Host *.ssm\n    HostName localhost\n    ProxyJump gate-%n\nHost *\n    ControlPath DIR/%h-%p-%r\n",
            Some("error"),
        ),
        (
            "Host as-*\n    HostName localhost\n    IdentityFile ~/.ssh/%n\nHost *\n    ControlPath DIR/%h-%p\n",
            Some("error"),
        ),
        (
            "Host *\n    HostName localhost\n    ProxyCommand reach %k\n    ControlPath DIR/%C\n",
            Some("error"),
        ),
        (
            "Host *.ssm\n    HostName localhost\n    ProxyCommand reach %n\nHost *\n    ControlPath DIR/%C-%n\n",
            None,
        ),
        (
            "Host *.ssm\n    HostName %h\n    ProxyCommand reach %n\nHost *\n    ControlPath DIR/%C\n",
            None,
        ),
    ] {
        let directory = lab.path("s").display().to_string();
        let included = lab.write(
            "included",
            format!("Host *\n    ControlPath {directory}/mux\n"),
        );
        let lines = lines
            .replace("DIR", &directory)
            .replace("INCLUDED", included.to_str().unwrap());
        let text = format!("{lines}{other}Host *\n{good}{}", lab.connection_options());
        let config = lab.write("ssh_config", text);
        let report = Report::of(&lab.muxtray(["doctor", "--json"]));
        let found = report.finding_ids();
        let id = "path-not-per-host";
        let is_found = found.iter().filter(|found| *found == id).count();
        assert_eq!(
            is_found,
            usize::from(severity.is_some()),
            "{lines}: {found:?}"
        );
        if severity.is_some() {
            let finding = report.finding(id);
            assert_eq!(finding["severity"].as_str(), severity, "{lines}");
            // The advised line before every other is the way out.
            let line = finding["lines"][1].as_str().unwrap();
            let before = std::fs::read_to_string(config).unwrap();
            lab.write("ssh_config", format!("{line}\n{before}"));
            let report = Report::of(&lab.muxtray(["doctor", "--json"]));
            assert!(
                !report.finding_ids().iter().any(|found| found == id),
                "{lines}"
            );
        }
    }
}

#[test]
fn master_keeps_the_settings_it_began_with() {
    let lab = Lab::new();
    let with = |lines: &str| {
        let path = lab.path("s/%n").display().to_string();
        let text = format!("Host web\n    ControlPath {path}\n{lines}{GOOD}");
        lab.configure(&text);
    };
    with("");
    lab.list();
    let path = start_master(&lab, "web");
    let ids = || lab.list().at(&path).finding_ids();
    for lines in [
        "# a comment\n",
        "    LocalForward 1 h:2\n",
        "    RequestTTY no\n",
        "",
        "    ForwardAgent no\n",
    ] {
        with(lines);
        assert_eq!(ids(), [""; 0], "{lines}");
    }
    for (lines, change) in [
        ("    SendEnv X\n", "now SendEnv "),
        (
            "    HostName 127.0.0.2\n",
            "HostName 127.0.0.1, now HostName 127.0.0.2",
        ),
        (
            "    ForwardAgent yes\n",
            "ForwardAgent no, now ForwardAgent yes",
        ),
    ] {
        with(lines);
        assert_eq!(ids(), ["master-outdated"], "{lines}");
        let finding = &lab.list().at(&path).0["findings"][0];
        let evidence = finding["evidence"].as_str().unwrap();
        assert!(evidence.contains(change), "{evidence}");
    }
    // Back again, the master has the same settings as a new one.
    with("");
    assert_eq!(ids(), [""; 0]);
    with("    Compression yes\n");
    let finding = &lab.list().at(&path).0["findings"][0];
    let command = finding["command"].as_str().unwrap();
    for part in command.split(" && ") {
        // The laboratory adds the option -F itself.
        let option = format!("-F {} ", lab.path("ssh_config").display());
        let part = part.replace(&option, "");
        lab.muxtray(part.split(' ').skip(1)).expect(0);
    }
    let report = lab.list().at(&path).0;
    let pid = report["pid"]
        .as_i64()
        .and_then(|pid| i32::try_from(pid).ok());
    lab.end_with_lab(pid.unwrap());
    assert_eq!(report["findings"], serde_json::json!([]));
}

/// Nix, stow and profile switchers change the configuration by a link to a file that may be older than the master.
#[test]
fn link_that_leads_to_another_file_is_a_change() {
    let lab = Lab::new();
    let path = lab.path("s/%n").display().to_string();
    let config = lab.path("ssh_config");
    for (name, lines) in [("one/config", ""), ("two/config", "    Compression yes\n")] {
        lab.configure(&format!("Host web\n    ControlPath {path}\n{lines}{GOOD}"));
        lab.make_directory(name.split('/').next().unwrap());
        fs::rename(&config, lab.path(name)).unwrap();
    }
    let link = |link: PathBuf, target: &str| {
        let _ = fs::remove_file(&link);
        symlink(lab.path(target), link).unwrap();
    };
    link(config.clone(), "one/config");
    lab.list();
    let path = start_master(&lab, "web");
    let ids = || lab.list().at(&path).finding_ids();
    assert_eq!(ids(), [""; 0]);
    for _ in 0..2 {
        link(config.clone(), "two/config");
        assert_eq!(ids(), ["master-outdated"]);
        link(config.clone(), "one/config");
        assert_eq!(ids(), [""; 0]);
    }
    // The link is in the path of the file.
    link(lab.path("now"), "one");
    link(config, "now/config");
    assert_eq!(ids(), [""; 0]);
    link(lab.path("now"), "two");
    assert_eq!(ids(), ["master-outdated"]);
}

/// With CanonicalizeHostname or `Match final` ssh reads its configuration twice, and prints each SendEnv twice.
#[test]
fn second_reading_of_the_configuration_is_no_change() {
    let lab = Lab::new();
    let with = |lines: &str| {
        let path = lab.path("s/%n").display().to_string();
        let text =
            format!("Host web\n    ControlPath {path}\n    SendEnv LANG LC_*\n{GOOD}{lines}");
        lab.configure(&text);
    };
    with("");
    lab.list();
    let path = start_master(&lab, "web");
    for (lines, expected) in [
        ("    CanonicalizeHostname yes\n", &[][..]),
        ("Match final all\n    HashKnownHosts no\n", &[]),
        ("    PubkeyAuthentication host-bound\n", &[]),
        ("    ForwardX11Timeout 5\n", &["master-outdated"]),
    ] {
        with(lines);
        assert_eq!(lab.list().at(&path).finding_ids(), expected, "{lines}");
    }
}

#[test]
fn master_without_a_configured_path_has_a_name() {
    let lab = Lab::new();
    let with = |lines: &str| {
        let path = lab.path("s/%C").display().to_string();
        lab.configure(&format!("Host web\n    ControlPath {path}\n{lines}{GOOD}"));
    };
    with("");
    lab.list();
    let path = start_master(&lab, "web");
    with("    HostName 127.0.0.2\n");
    let report = lab.list().at(&path).0;
    assert_eq!(report["hosts"], serde_json::json!(["web"]));
    assert_eq!(report["destination"], lab.destination());
    lab.muxtray(["exit", "web"]).expect(0);

    // A socket that is nobody's: the connection's address is all that is known.
    let other = lab.path("s/0123456789012345678901234567890123456789");
    let mut command = lab.ssh();
    command
        .arg("-S")
        .arg(&other)
        .args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60"]);
    command.args(["build", "true"]);
    Process::run(command, PATIENCE).expect(0);
    wait_until("its connection is known", PATIENCE, || {
        let report = lab.list().at(&other).0;
        let pid = report["pid"]
            .as_i64()
            .and_then(|pid| i32::try_from(pid).ok());
        pid.map(|pid| lab.end_with_lab(pid)).is_some()
            && report["destination"] == format!("127.0.0.1:{}", lab.port)
    });
}
