//! `muxtray open HOST` against real servers: a master in the background, earlier sockets at its path, and no leftovers
//! of a failed start.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use crate::support::{
    Finished, GOOD, Lab, PATIENCE, Process, Session, User, command_line, files_below, is_listening,
    is_socket, processes, wait_until,
};
use nix::sys::signal::Signal;

/// Returns the pid of the master at the host's ControlPath, which ends with the laboratory.
#[track_caller]
fn master(lab: &Lab, alias: &str) -> i32 {
    let report = lab.list().at(&lab.control_path(alias));
    assert_eq!(report.state(), "running", "{:#}", report.0);
    let pid = report.0["pid"].as_i64().unwrap();
    let pid = i32::try_from(pid).unwrap();
    lab.end_with_lab(pid);
    pid
}

/// The processes with this laboratory's path in their arguments, except its server.
fn started(lab: &Lab) -> Vec<String> {
    let here = lab
        .path("")
        .to_str()
        .unwrap()
        .trim_end_matches('/')
        .to_owned();
    processes()
        .into_iter()
        .map(command_line)
        .filter(|line| line.contains(&here) && !line.contains("sshd"))
        .collect()
}

#[track_caller]
fn nothing_is_left(lab: &Lab) {
    wait_until("nothing of it runs", PATIENCE, || started(lab).is_empty());
    assert_eq!(
        files_below(&lab.path("s")),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn ipv6_address_with_a_port_reaches_ssh() {
    let lab = Lab::new();
    let port = Lab::free_port();
    let host = format!("me@[::1]:{port}");
    let said = lab.muxtray(["open", "--batch", &host]).expect(1);
    let refused = format!("port {port}: Connection refused");
    assert!(said.stdout.contains(&refused), "{said:#?}");
    let command = said.stdout.split_once("with: ").unwrap().1;
    let mut shell = lab.command("sh");
    shell.args(["-c", command]);
    let said = Process::run(shell, PATIENCE);
    assert!(said.stderr.contains(&refused), "{said:#?}");
}

/// Makes a script that the laboratory's user may run.
fn script(lab: &Lab, name: &str, text: &str) -> String {
    lab.script(name, text).display().to_string()
}

fn signals_blocked(pid: i32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("SigBlk:"));
    line.unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn open_starts_a_master_that_outlives_the_command() {
    let lab = Lab::new();
    let said = lab.muxtray(["open", "web"]).expect(0);
    assert!(said.stdout.starts_with("web: opened in "), "{said:?}");
    assert!(
        said.stdout.contains("it runs until an exit request"),
        "{said:?}"
    );
    let pid = master(&lab, "web");
    assert!(said.stdout.contains(&format!("pid {pid};")), "{said:?}");
    assert_eq!(signals_blocked(pid), "0000000000000000");
    assert_eq!(
        lab.list().at(&lab.control_path("web")).0["own_session"],
        false
    );
    let mut session = Session::open(&lab, &lab.control_path("web"));
    assert!(session.is_open());
    let said = lab.muxtray(["open", "web"]).expect(0);
    assert_eq!(
        said.stdout,
        format!("web: a master is already running, pid {pid}\n")
    );
    session.close();
    lab.muxtray(["exit", "web"]).expect(0);
    nothing_is_left(&lab);
}

#[test]
fn configured_control_persist_is_kept() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlMaster no\n    ControlPersist 10m");
    let said = lab.muxtray(["open", "web"]).expect(0);
    assert!(
        said.stdout.contains("it ends after 10m without a session"),
        "{said:?}"
    );
    master(&lab, "web");
    lab.muxtray(["exit", "web"]).expect(0);
    lab.configure("Host web\n    ControlMaster autoask");
    lab.muxtray(["open", "web"]).expect(0);
    let pid = master(&lab, "web");
    assert!(
        command_line(pid).contains("ControlMaster=ask"),
        "{}",
        command_line(pid)
    );
}

#[test]
fn host_without_an_alias_is_opened() {
    let lab = Lab::new();
    let destination = format!("{}@127.0.0.1:{}", User::get().name, lab.port);
    lab.muxtray(["open", &destination]).expect(0);
    let pid = master(&lab, "127.0.0.1");
    let uri = format!("ssh://{destination}");
    let said = lab.muxtray(["open", &uri]).expect(0);
    assert!(said.stdout.contains(&pid.to_string()), "{said:?}");
}

#[test]
fn a_stale_socket_is_removed_first() {
    let lab = Lab::new();
    let mut killed = lab.master("web");
    killed.kill();
    assert!(is_socket(killed.path()));
    lab.muxtray(["open", "web"]).expect(0);
    master(&lab, "web");
}

#[test]
fn obstacle_at_the_path_is_reported_before_ssh_starts() {
    let lab = Lab::new();
    let touched = lab.path("touched");
    let connect = format!("    ProxyCommand touch {}", touched.display());
    let demand = |lines: &str, parts: &[&str]| {
        lab.configure(&format!("Host web\n{connect}\n{lines}"));
        let said = lab.muxtray(["open", "web"]).expect(1);
        for part in parts {
            assert!(said.stdout.contains(part), "{part}: {said:?}");
        }
        assert!(!touched.exists(), "ssh was started: {said:?}");
    };
    demand("    ControlPath none", &["no ControlPath for web"]);
    let missing = lab.path("missing");
    demand(
        &format!(
            "    ControlMaster auto\n    ControlPath {}/%n",
            missing.display()
        ),
        &[
            "the directory does not exist",
            &format!("mkdir -m 700 {}", missing.display()),
        ],
    );
    fs::write(lab.control_path("web"), "kept").unwrap();
    demand("", &["not-a-socket"]);
    assert_eq!(fs::read_to_string(lab.control_path("web")).unwrap(), "kept");
    fs::remove_file(lab.control_path("web")).unwrap();
    lab.configure("");
    let stopped = lab.master("web");
    stopped.suspend();
    let said = lab.muxtray(["open", "web"]).expect(1);
    assert!(said.stdout.contains("is stopped"), "{said:?}");
}

#[test]
fn directory_of_a_path_without_control_master_is_needed_to_open_it() {
    let lab = Lab::new();
    let path = lab.path("new/web");
    lab.configure(&format!(
        "Host web\n    ControlMaster no\n    ControlPath {}\n",
        path.display()
    ));
    let said = lab.muxtray(["open", "web"]).expect(1).stdout;
    let (_, command) = said.split_once("with: ").unwrap();
    let mut shell = lab.command("/bin/sh");
    shell.args(["-c", command.trim()]);
    Process::start(shell).finish(PATIENCE).expect(0);
    lab.muxtray(["open", "web"]).expect(0);
}

#[test]
fn failed_start_reports_the_reason_and_leaves_nothing() {
    let lab = Lab::new();
    for (lines, why, helps) in [
        ("PubkeyAuthentication no", "Permission denied", "ssh-add"),
        ("Port 1", "Connection refused", "/ssh_config -v web"),
        (
            "BindAddress 192.0.2.1",
            "Cannot assign requested address",
            "/ssh_config -v web",
        ),
        (
            "UserKnownHostsFile none\n    StrictHostKeyChecking yes",
            "Host key verification failed",
            "/ssh_config web",
        ),
    ] {
        lab.configure(&format!("Host web\n    LogLevel INFO\n    {lines}"));
        let said = lab.muxtray(["open", "web"]).expect(1);
        assert!(
            said.stdout.starts_with("web: ") && said.stdout.contains(why),
            "{said:?}"
        );
        assert!(said.stdout.contains(helps), "{said:?}");
        nothing_is_left(&lab);
    }
}

/// muxtray's ProxyCommand is slow enough for another master to take the path first. muxtray's ssh continues without a
/// control socket.
#[test]
fn another_ssh_that_was_first_keeps_the_path() {
    let lab = Lab::new();
    let other = lab.ssh();
    let words: Vec<String> = std::iter::once(other.get_program())
        .chain(other.get_args())
        .map(|word| word.to_str().unwrap().to_owned())
        .collect();
    let proxy = script(
        &lab,
        "proxy",
        &format!(
            "{} -M -N -f -S {} db >/dev/null 2>&1 </dev/null\nexec /usr/sbin/sshd -i -f {}",
            words.join(" "),
            lab.control_path("web").display(),
            lab.path("sshd_config").display()
        ),
    );
    lab.configure(&format!("Host web\n    ProxyCommand {proxy}"));
    let said = lab.muxtray(["open", "web"]).expect(0);
    assert!(
        said.stdout
            .contains("opened by another ssh at the same moment"),
        "{said:?}"
    );
    let pid = master(&lab, "web");
    assert!(said.stdout.contains(&format!("pid {pid};")), "{said:?}");
    wait_until("only the other one runs", PATIENCE, || {
        started(&lab).len() == 1
    });
    lab.ssh_request("check", &lab.control_path("web")).expect(0);
}

fn with_environment(lab: &Lab, variables: &[(&str, &str)]) -> Finished {
    let mut command = lab.muxtray_command(["open", "web"]);
    command.envs(variables.iter().copied());
    Process::run(command, PATIENCE)
}

#[test]
fn a_passphrase_is_asked_for_by_the_askpass_program() {
    let lab = Lab::new();
    let key = lab.path("user_key");
    let mut command = User::get().command("ssh-keygen");
    command
        .args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"])
        .arg(&key);
    Process::run(command, PATIENCE).expect(0);
    let said = with_environment(&lab, &[]).expect(1);
    assert!(said.stdout.contains("ssh-askpass program"), "{said:?}");
    nothing_is_left(&lab);
    let askpass = script(&lab, "askpass", "echo 'open sesame'");
    let display = [
        ("SSH_ASKPASS", askpass.as_str()),
        ("WAYLAND_DISPLAY", "wayland-9"),
    ];
    with_environment(&lab, &display).expect(0);
    master(&lab, "web");
}

#[test]
fn signal_ends_the_started_ssh() {
    let lab = Lab::new();
    let begun = lab.path("begun");
    let proxy = script(
        &lab,
        "proxy",
        &format!("touch {}\nexec sleep 600", begun.display()),
    );
    lab.configure(&format!("Host web\n    ProxyCommand {proxy}"));
    let open = Process::start(lab.muxtray_command(["open", "web"]));
    wait_until("ssh connects", PATIENCE, || begun.exists());
    open.signal(Signal::SIGTERM);
    let said = open.finish(PATIENCE);
    assert_eq!(
        said.status.signal(),
        Some(Signal::SIGTERM as i32),
        "{said:?}"
    );
    assert!(said.stderr.contains("interrupted"), "{said:?}");
    nothing_is_left(&lab);
}

#[test]
fn invalid_host_is_wrong_usage() {
    let lab = Lab::new();
    for words in [
        &["open"][..],
        &["open", "/some/path"],
        &["open", "web", "db"],
    ] {
        lab.muxtray(words).expect(2);
    }
    // A host for ssh before 9.6, which does not take it for an option after `--` either.
    let name = "-oProxyCommand=touch pwned";
    let mut ssh = lab.ssh();
    ssh.args(["-G", "--", name]);
    let is_host = Process::run(ssh, PATIENCE).status.success();
    let said = lab.muxtray(["open", "--", name]);
    assert_eq!(said.code() == 0, is_host, "{said:?}");
    assert!(!lab.path("pwned").exists() && !is_listening(Path::new("pwned")));
}

#[test]
fn systemd_host_name_is_opened_checked_and_ended() {
    let lab = Lab::new();
    // The laboratory's server serves the connection; systemd's own proxy would need a service of this machine.
    lab.configure(&format!("Host .host machine/.host\n{GOOD}"));
    let report = lab.list();
    assert_eq!((report.status, report.all_ids()), (0, vec![]));
    let said = lab.muxtray(["open", ".host"]).expect(0);
    assert!(said.stdout.starts_with(".host: opened in "), "{said:?}");
    master(&lab, ".host");
    let report = lab.list().at(&lab.control_path(".host"));
    assert_eq!(report.0["hosts"], serde_json::json!([".host"]));
    assert_eq!(report.finding_ids(), [""; 0]);
    let said = lab.muxtray(["check", ".host"]).expect(0);
    assert!(said.stdout.starts_with(".host: "), "{said:?}");
    lab.muxtray(["exit", ".host"]).expect(0);
    assert!(!is_socket(&lab.control_path(".host")));

    let said = lab.muxtray(["open", "machine/.host"]).expect(1);
    assert!(
        said.stdout.contains("the directory does not exist"),
        "{said:?}"
    );
    lab.make_directory("s/machine");
    lab.muxtray(["open", "machine/.host"]).expect(0);
    master(&lab, "machine/.host");
    let report = lab.list().at(&lab.control_path("machine/.host"));
    assert_eq!(report.0["hosts"], serde_json::json!(["machine/.host"]));
    lab.muxtray(["exit", "machine/.host"]).expect(0);
    nothing_is_left(&lab);
}
