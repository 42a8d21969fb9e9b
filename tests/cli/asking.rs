//! The number and the cost of `ssh -G` calls. `ssh -G` runs the commands of `Match exec`, so a command that only reads
//! must not repeat it.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::support::{Lab, PATIENCE, Process, Report, skip, wait_until};

/// Makes muxtray use an ssh that records the hosts it is asked about.
fn counting_ssh(lab: &Lab) {
    ssh_after(
        lab,
        &format!(
            "for last; do :; done; echo \"$last\" >> '{}'",
            lab.path("asked").display()
        ),
    );
}

/// Makes muxtray use an ssh that runs this shell command first.
fn ssh_after(lab: &Lab, command: &str) {
    let program = lab.script("bin-ssh", &format!("{command}\nexec /usr/bin/ssh \"$@\""));
    lab.write_muxtray_config(&format!("ssh_program = \"{}\"\n", program.display()));
}

/// Makes ssh wait until this file of the laboratory exists.
fn ssh_waits_for(lab: &Lab, file: &str) {
    let file = lab.path(file);
    ssh_after(
        lab,
        &format!("until [ -e '{}' ]; do sleep 0.01; done", file.display()),
    );
}

/// Returns the lines of a file, sorted, and removes the file.
fn taken(lab: &Lab, name: &str) -> Vec<String> {
    let path = lab.path(name);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(&path);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn ssh_is_asked_once_per_change_by_all_commands() {
    let lab = Lab::new();
    counting_ssh(&lab);
    lab.list();
    assert_eq!(taken(&lab, "asked"), ["build", "db", "web"]);
    lab.list();
    lab.muxtray(["doctor"]).expect(0);
    lab.muxtray(["doctor", "--fix"]).expect(0);
    assert_eq!(taken(&lab, "asked"), [""; 0]);

    lab.configure("Host web\n    ServerAliveInterval 15\n");
    lab.muxtray(["doctor"]).expect(0);
    assert_eq!(taken(&lab, "asked"), ["build", "db", "web"]);
    lab.list();
    assert_eq!(taken(&lab, "asked"), [""; 0]);
}

#[test]
fn match_exec_runs_once_per_change() {
    let lab = Lab::new();
    let write = |interval: u32| {
        let note = lab.path("executed");
        lab.write(
            "ssh_config",
            format!(
                "Host web\n    ServerAliveInterval {interval}\nMatch exec \"echo %n >> '{}'\"\n    ControlPath {}/%n\n",
                note.display(),
                lab.path("s").display()
            ),
        );
    };
    for interval in [15, 300] {
        write(interval);
        lab.list();
        assert_eq!(taken(&lab, "executed"), ["web"]);
        lab.list();
        lab.muxtray(["doctor"]).expect(0);
        assert_eq!(taken(&lab, "executed"), [""; 0]);
    }
}

#[test]
fn unnamed_hosts_are_asked_about_only_without_a_named_host() {
    let lab = Lab::new();
    counting_ssh(&lab);
    let missing = lab.path("missing");
    lab.write(
        "ssh_config",
        format!(
            "Host *\n    ControlMaster auto\n    ControlPath {}/%C\n",
            missing.display()
        ),
    );
    let report = Report::parse(&lab.muxtray(["doctor", "--json"]).expect(1).stdout);
    assert_eq!(
        report.finding_ids(),
        ["directory-missing", "no-control-persist", "no-keepalive"]
    );
    assert_eq!(taken(&lab, "asked"), ["host.invalid"]);
    lab.list();
    assert_eq!(taken(&lab, "asked"), [""; 0]);

    lab.write(
        "ssh_config",
        format!(
            "Host web\nHost *\n    ControlMaster auto\n    ControlPath {}/%C\n",
            missing.display()
        ),
    );
    lab.muxtray(["doctor"]).expect(1);
    assert_eq!(taken(&lab, "asked"), ["web"]);
}

#[test]
fn second_run_on_300_hosts_computes_for_less_than_a_second() {
    let lab = Lab::new();
    counting_ssh(&lab);
    let mut hosts = String::new();
    for number in 0..300 {
        writeln!(hosts, "Host h{number}\n    Port {}", 2000 + number).unwrap();
    }
    write!(
        hosts,
        "Host *\n    ControlMaster auto\n    ControlPath {}/%C\n    ControlPersist 10m\n    ServerAliveInterval 15\n",
        lab.path("s").display()
    )
    .unwrap();
    lab.write("ssh_config", hosts);
    let first = lab.muxtray(["doctor"]).expect(0);
    assert!(first.stdout.contains("300 hosts"), "{}", first.stdout);
    assert!(first.stderr.is_empty(), "no progress without a terminal");
    assert_eq!(taken(&lab, "asked").len(), 300);
    // The time of a processor, because other tests run at the same time. The kernel ends the process beyond it.
    let second = lab.muxtray_behind(["prlimit", "--cpu=1"], ["doctor"]);
    let second = Process::run(second, PATIENCE).expect(0);
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(taken(&lab, "asked"), [""; 0]);
}

#[test]
fn progress_is_shown_on_a_terminal() {
    let name = "progress_is_shown_on_a_terminal";
    let lab = Lab::new();
    ssh_after(&lab, "sleep 1");
    let doctor = format!(
        "{} --ssh-config {} doctor",
        lab.reachable_program().display(),
        lab.path("ssh_config").display()
    );
    let mut command = lab.command("script");
    command.args(["-q", "-e", "-c", &doctor, "/dev/null"]);
    if Command::new("script").arg("--version").output().is_err() {
        return skip(name, "script(1) is not installed");
    }
    let text = Process::run(command, PATIENCE).expect(0).stdout;
    assert!(text.contains("of 3 hosts"), "{text:?}");
    assert!(text.contains("\r\u{1b}[Kno problems found"), "{text:?}");
}

/// The first ssh waits until the test has read the first list.
#[test]
fn sockets_are_shown_while_ssh_is_asked() {
    let lab = Lab::new();
    let _master = lab.master("web");
    ssh_waits_for(&lab, "asked");
    let mut list = Process::start(lab.muxtray_command(["list", "--watch"]));
    wait_until("the socket is listed before its host", PATIENCE, || {
        assert!(list.is_running(), "{}", list.stderr());
        list.stdout().contains(" running ")
    });
    let is_named = |text: &str| text.lines().any(|line| line.contains(" web "));
    assert!(!is_named(&list.stdout()), "{}", list.stdout());
    lab.write("asked", "");
    wait_until("the host is listed", PATIENCE, || is_named(&list.stdout()));
}

/// A program gets no list without the hosts.
#[test]
fn json_waits_for_the_hosts() {
    let lab = Lab::new();
    let _master = lab.master("web");
    ssh_waits_for(&lab, "asked");
    let list = Process::start(lab.muxtray_command(["list", "--json", "--watch"]));
    lab.write("asked", "");
    wait_until("a list", PATIENCE, || list.stdout().contains('\n'));
    let first = Report::parse(list.stdout().lines().next().unwrap());
    assert_eq!(
        first.json["sockets"][0]["hosts"],
        serde_json::json!(["web"])
    );
}

/// After a change, the names of the last time are shown until ssh has answered.
#[test]
fn a_terminal_shows_sockets_at_once_and_a_pipe_only_the_complete_list() {
    let name = "a_terminal_shows_sockets_at_once_and_a_pipe_only_the_complete_list";
    let lab = Lab::new();
    let _master = lab.master("web");
    lab.list();
    lab.configure("# changed\n");
    let piped = lab.muxtray(["list"]).expect(0).stdout;
    assert_eq!(piped.matches(" running ").count(), 1, "{piped}");
    if Command::new("script").arg("--version").output().is_err() {
        return skip(name, "script(1) is not installed");
    }
    lab.configure("# changed again\n");
    let list = format!(
        "{} --ssh-config {} list",
        lab.reachable_program().display(),
        lab.path("ssh_config").display()
    );
    let mut command = lab.command("script");
    command.args(["-q", "-e", "-c", &list, "/dev/null"]);
    let text = Process::run(command, PATIENCE).expect(0).stdout;
    let (first, complete) = text.split_once("\u{1b}[J").expect(&text);
    for part in [first, complete] {
        assert_eq!(part.matches("running").count(), 1, "{text:?}");
        assert!(part.contains("web  "), "{text:?}");
    }
}
