//! `muxtray doctor --explain` on the messages that ssh itself prints in each broken state.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::{
    Behaviour, Finished, Lab, Listener, Master, PATIENCE, Process, User, process_state, skip,
    wait_until,
};

/// Returns the standard error of `ssh -M web`, which must fail.
#[track_caller]
fn ssh_error(lab: &Lab) -> String {
    let mut command = lab.ssh();
    command.args(["-M", "-N", "-o", "BatchMode=yes", "web"]);
    let finished = Process::run(command, PATIENCE);
    assert_eq!(finished.code(), 255, "{finished:#?}");
    finished.stderr
}

#[track_caller]
fn explain(lab: &Lab, line: &str) -> Finished {
    lab.muxtray(["doctor", "--explain", line])
}

/// Demands a finding with this id and path, and this exit status.
#[track_caller]
fn expect(finished: Finished, id: &str, path: &Path, status: i32) -> String {
    let text = finished.expect(status).stdout;
    assert!(text.contains(&format!("[{id}]")), "no {id} in\n{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    text
}

#[test]
fn message_of_ssh_is_explained_by_its_finding() {
    let lab = Lab::new();
    let directory = lab.path("s");

    fs::remove_dir(&directory).unwrap();
    let text = expect(
        explain(&lab, &ssh_error(&lab)),
        "directory-missing",
        &directory,
        1,
    );
    assert!(
        text.contains(&format!("mkdir -m 700 {}", directory.display())),
        "{text}"
    );

    lab.make_directory("s");
    fs::set_permissions(&directory, Permissions::from_mode(0o500)).unwrap();
    if User::tests_are_root() || !nix::unistd::geteuid().is_root() {
        expect(
            explain(&lab, &ssh_error(&lab)),
            "directory-not-writable",
            &directory,
            1,
        );
    }
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();

    let long = directory.join("x".repeat(100));
    lab.configure(&format!("Host web\n    ControlPath {}\n", long.display()));
    expect(explain(&lab, &ssh_error(&lab)), "path-too-long", &long, 1);
}

#[test]
fn stale_socket_is_explained_until_it_is_removed() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    lab.dead_socket(&path);
    let said = lab.ssh_request("check", &path).stderr;
    assert!(said.contains("Connection refused"), "{said}");
    let text = expect(explain(&lab, &said), "stale", &path, 1);
    assert!(
        text.contains(&format!("muxtray clean {}", path.display())),
        "{text}"
    );
    // For a line without a path, every socket is examined.
    let anonymous = "Control socket connect(\u{2026}): Connection refused";
    expect(explain(&lab, anonymous), "stale", &path, 1);

    lab.muxtray(["clean"]).expect(0);
    let text = explain(&lab, &said).expect(0).stdout;
    assert!(text.contains("does not exist"), "{text}");
    assert!(
        commands(&text).iter().any(|it| it.ends_with(" open web")),
        "{text}"
    );
    let _master = lab.master("web");
    let text = explain(&lab, &said).expect(0).stdout;
    assert!(text.contains("is running (pid "), "{text}");
}

#[test]
fn message_is_explained_by_the_present_state() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    lab.write(&path, "a file");
    let said = lab.ssh_request("check", &path).stderr;
    expect(explain(&lab, &said), "not-a-socket", &path, 1);

    let foreign = Listener::foreign(&lab, &lab.control_path("db"), Behaviour::Silent);
    let said = format!(
        "Control socket connect({}): Resource temporarily unavailable",
        foreign.path().display()
    );
    expect(explain(&lab, &said), "foreign", foreign.path(), 1);
    assert_eq!(foreign.accepted(), 0);
}

#[test]
fn message_that_a_terminal_has_wrapped_leads_to_its_path() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    lab.dead_socket(&path);
    let said = lab.ssh_request("check", &path).stderr;
    let said = said.trim_end();
    let other = "Shared connection to db closed.";
    for width in (30..said.len()).step_by(7) {
        let (first, rest) = said.split_at(width);
        for (before, between) in [("", "\n"), ("> ", "\n> ")] {
            let pasted = format!("{other}\n{before}{first}{between}{rest}\n{other}");
            let text = expect(explain(&lab, &pasted), "stale", &path, 1);
            assert!(text.starts_with(said), "{pasted}:\n{text}");
        }
    }
}

#[test]
fn fault_that_is_present_comes_first_and_explains_its_message_only() {
    let lab = Lab::new();
    let master = lab.master("db");
    let healthy = printed(&lab, &["-M", "db", "true"]);
    assert!(healthy.contains("already exists"), "{healthy}");
    let path = lab.control_path("web");
    lab.dead_socket(&path);
    let stale = lab.ssh_request("check", &path).stderr;
    let text = expect(
        explain(&lab, &format!("{healthy}\n{stale}")),
        "stale",
        &path,
        1,
    );
    assert!(text.starts_with(stale.trim_end()), "{text}");
    let now = format!("is running (pid {})", master.pid());
    assert!(text.contains(&now), "{text}");

    // A stale socket does not refuse a session, so the way around the limit remains.
    let refused =
        "mux_client_request_session: session request failed: Session open refused by peer";
    let text = expect(
        explain(&lab, &format!("$ ssh web\n{refused}")),
        "stale",
        &path,
        1,
    );
    assert!(commands(&text)[0].ends_with(" -S none web"), "{text}");
}

#[test]
fn another_users_socket_is_reported() {
    let name = "another_users_socket_is_reported";
    if !User::tests_are_root() {
        return skip(name, "only root can be somebody else");
    }
    let lab = Lab::new();
    let root = Listener::of_root(&lab.control_path("web"), Behaviour::Silent);
    let said = lab.ssh_request("check", root.path()).stderr;
    assert!(said.contains("Permission denied"), "{said}");
    expect(explain(&lab, &said), "misowned", root.path(), 1);
    assert_eq!(root.accepted(), 0);
}

#[test]
fn several_lines_are_read_from_standard_input() {
    let lab = Lab::new();
    let (stale, none) = (lab.control_path("web"), lab.control_path("db"));
    lab.dead_socket(&stale);
    let pasted = format!(
        "debug1: auto-mux: Trying existing master\r\n\
         Control socket connect({}): Connection refused\r\n\
         debug1: Control socket \"{}\" does not exist\r\n",
        stale.display(),
        none.display()
    );
    let mut command = lab.muxtray_command(["doctor", "--explain"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(pasted.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stderr.is_empty());
    for part in ["[stale]", "normal on a first connection"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(!text.contains("auto-mux"), "{text}");
}

#[test]
fn there_is_always_an_answer() {
    let lab = Lab::new();
    for (line, status, part) in [
        (
            "Permission denied (publickey).",
            0,
            "not about multiplexing or forwarding: ",
        ),
        (
            "Hello world",
            3,
            "no message that ssh prints about multiplexing",
        ),
        ("", 3, "no message that ssh prints about multiplexing"),
    ] {
        let text = explain(&lab, line).expect(status).stdout;
        assert!(text.contains(part), "{text}");
    }
    // So does an empty standard input.
    let finished = lab.muxtray(["doctor", "--explain"]).expect(3);
    assert!(!finished.stdout.is_empty());
    lab.muxtray(["doctor", "--explain", "x", "--fix"]).expect(2);
}

#[test]
fn escape_sequences_in_a_line_are_removed() {
    let lab = Lab::new();
    let said = "Control socket connect(/tmp/\u{1b}[31mred\u{202e}): Connection refused";
    let text = explain(&lab, said).expect(0).stdout;
    assert!(
        text.contains("/tmp/red\\u{202e}") && !text.contains(['\u{1b}', '\u{202e}']),
        "{text:?}"
    );
}

/// Returns the error output of ssh.
fn printed(lab: &Lab, arguments: &[&str]) -> String {
    let mut command = lab.ssh();
    command
        .args(["-o", "BatchMode=yes", "-o", "LogLevel=INFO"])
        .args(arguments);
    Process::run(command, PATIENCE).stderr
}

/// Returns the commands of the remedies in an answer.
fn commands(answer: &str) -> Vec<&str> {
    let remedies = answer
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\u{2192} "));
    remedies
        .filter_map(|remedy| Some(remedy.rsplit_once(": ")?.1))
        .collect()
}

/// Runs a command of an answer in a shell whose ssh and muxtray have the laboratory's configuration.
#[track_caller]
fn paste(lab: &Lab, line: &str) -> Finished {
    let directory = lab.path("commands");
    if !directory.exists() {
        lab.make_directory("commands");
        let config = lab.path("ssh_config");
        let muxtray = lab.reachable_program();
        let (config, muxtray) = (config.display(), muxtray.display());
        lab.script(
            "commands/ssh",
            &format!("exec /usr/bin/ssh -F {config} \"$@\""),
        );
        lab.script(
            "commands/muxtray",
            &format!("exec {muxtray} -F {config} \"$@\""),
        );
    }
    let mut command = lab.command("sh");
    let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", directory.display());
    command.env("PATH", path).args(["-c", line]);
    Process::run(command, PATIENCE)
}

#[test]
fn session_limit_names_the_master_and_a_way_around_it() {
    let lab = Lab::good();
    let master = lab.master("web");
    let _sessions: Vec<_> = (0..10).map(|_| master.session(&lab)).collect();
    let said = printed(&lab, &["web", "true"]);
    assert!(said.contains("Session open refused by peer"), "{said}");
    let text = explain(&lab, &format!("u@here:~$ ssh web\r\n{said}"))
        .expect(0)
        .stdout;
    let now = format!("is running (pid {}) with 10 sessions", master.pid());
    assert!(text.contains(&now), "{text}");
    // Without the command, too.
    let text_of_message = explain(&lab, &said).stdout;
    assert!(text_of_message.contains(&now), "{text_of_message}");
    let way = commands(&text)[0];
    let config = lab.path("ssh_config");
    assert_eq!(way, format!("ssh -F {} -S none web", config.display()));
    let finished = paste(&lab, way).expect(0);
    assert!(!finished.stderr.contains("refused"), "{finished:#?}");

    // Ansible adds these arguments to its own, and no ControlPath if they have one.
    let pasted = format!("web | UNREACHABLE!: Failed to connect to the host via ssh: {said}");
    let text = explain(&lab, &pasted).stdout;
    let way = commands(&text)[0];
    assert!(way.starts_with("export ANSIBLE_SSH_ARGS="), "{text}");
    let finished = paste(&lab, &format!("{way}; ssh $ANSIBLE_SSH_ARGS web true")).expect(0);
    assert!(!finished.stderr.contains("refused"), "{finished:#?}");
    assert!(!text.contains("~/.ssh/config"), "{text}");
}

#[test]
fn taken_port_names_the_master_that_holds_it() {
    let lab = Lab::good();
    lab.persisted_master("web", "10m");
    let port = Lab::free_port();
    let specification = port.to_string();
    assert_eq!(
        printed(&lab, &["-O", "forward", "-D", &specification, "web"]),
        ""
    );
    let second = [
        "-S",
        "none",
        "-N",
        "-o",
        "ExitOnForwardFailure=yes",
        "-D",
        &specification,
        "web",
    ];
    let said = printed(&lab, &second);
    assert!(said.contains("Address already in use"), "{said}");
    let text = explain(&lab, &said).expect(0).stdout;
    assert!(
        text.contains(&format!(
            "127.0.0.1:{port} is held by the master of web (pid "
        )),
        "{text}"
    );
    let end = commands(&text)[0];
    // With -F the host's name does not name its master to a command without it.
    let path = lab.control_path("web");
    assert_eq!(end, format!("muxtray exit {}", path.display()));
    paste(&lab, end).expect(0);
    TcpListener::bind(("127.0.0.1", port)).unwrap();
    let text = explain(&lab, &said).expect(0).stdout;
    assert!(
        text.contains(&format!("nothing listens on port {port}")),
        "{text}"
    );
}

#[test]
fn taken_port_names_the_forwarding_to_cancel_or_the_process_to_end() {
    let lab = Lab::good();
    let port = Lab::free_port();
    let forwarding = format!("127.0.0.1:{port}:localhost:{}", lab.port);
    let said = format!("channel_setup_fwd_listener_tcpip: cannot listen to port: {port}");
    let answer = |what: &str| {
        let text = explain(&lab, &said).expect(0).stdout;
        assert!(
            text.contains(&format!("127.0.0.1:{port} is held by {what}")),
            "{text}"
        );
        commands(&text)[0].to_owned()
    };

    let mut master = lab.ssh();
    master.args([
        "-M",
        "-N",
        "-o",
        "ControlPersist=no",
        "-L",
        &forwarding,
        "web",
    ]);
    let mut master = Process::start(master);
    let is_taken = || TcpListener::bind(("127.0.0.1", port)).is_err();
    wait_until("the port is forwarded", PATIENCE, is_taken);
    wait_until("the master listens", PATIENCE, || {
        lab.control_path("web").exists()
    });
    let cancel = answer("the master of web");
    let path = lab.control_path("web");
    let expected = format!(
        "muxtray forward {} --cancel -L {forwarding}",
        path.display()
    );
    assert_eq!(cancel, expected);
    paste(&lab, &cancel).expect(0);
    wait_until("the port is free", PATIENCE, || !is_taken());
    assert!(master.is_running());

    let mut alone = lab.ssh();
    alone.args(["-S", "none", "-N", "-L", &forwarding, "web"]);
    let mut alone = Process::start(alone);
    wait_until("the port is forwarded", PATIENCE, is_taken);
    let kill = answer("ssh");
    assert_eq!(kill, format!("kill {}", alone.pid()));
    paste(&lab, &kill).expect(0);
    wait_until("the ssh has ended", PATIENCE, || !alone.is_running());
}

#[test]
fn remedies_of_start_failures_work() {
    let lab = Lab::good();
    fs::remove_dir(lab.path("s")).unwrap();
    let said = printed(&lab, &["web", "true"]);
    lab.make_directory("s");
    // Nothing is wrong now, and still there is a command that works.
    let text = explain(&lab, &said).expect(0).stdout;
    let make = commands(&text)[0];
    assert_eq!(make, format!("mkdir -p -m 700 {}", lab.path("s").display()));
    paste(&lab, make).expect(0);
    fs::remove_dir(lab.path("s")).unwrap();
    paste(&lab, make).expect(0);
    paste(&lab, "ssh web true").expect(0);
    paste(&lab, "muxtray exit web").expect(0);

    let long = lab.path("s").join("x".repeat(100));
    let said = printed(
        &lab,
        &[
            "-o",
            &format!("ControlPath={}", long.display()),
            "web",
            "true",
        ],
    );
    assert!(said.contains("too long"), "{said}");
    let pasted = format!("$ ssh web true\n{said}");
    let text = explain(&lab, &pasted).expect(0).stdout;
    assert!(!text.contains("mkdir -p -m 700 /"), "{text}");
    paste(&lab, commands(&text)[1]).expect(0);
    // The lines for the configuration.
    assert_eq!(commands(&text)[0], "ControlPath ~/.ssh/s/%C");
}

#[test]
fn master_that_closes_the_connection_has_usually_ended() {
    let lab = Lab::good();
    let _foreign = Listener::foreign(&lab, &lab.control_path("web"), Behaviour::Close);
    let said = printed(&lab, &["web", "true"]);
    assert!(said.contains("master hello exchange failed"), "{said}");
    let text = explain(&lab, "muxclient: master hello exchange failed").stdout;
    assert!(
        text.contains("usual cause: the master ended at that moment"),
        "{text}"
    );
    expect(
        explain(&lab, &format!("$ ssh web true\n{said}")),
        "foreign",
        &lab.control_path("web"),
        1,
    );
}

#[test]
fn messages_of_other_faults_are_explained() {
    let lab = Lab::good();
    let (port, own_port) = (Lab::free_port().to_string(), lab.port.to_string());
    let refused = format!("127.0.0.1:{port}");
    let taken = format!("127.0.0.1:{own_port}:localhost:22");
    let missing = format!("{}/x:localhost:22", lab.path("missing").display());
    for (arguments, part) in [
        (
            &["-O", "check", "-S", "none", "web"][..],
            "sets no ControlPath for this host",
        ),
        (&["-O", "check", "web"], "no master is running"),
        (&["-O", "bogus", "web"], "the arguments of ssh are wrong"),
        (
            &["-S", "none", "-W", &refused, "web"],
            "nothing listens on its target",
        ),
        (
            &["-o", "ControlPersist=x", "web"],
            "ControlPersist takes yes, no, or a time",
        ),
        (
            &["-o", "ControlPath=/tmp/%X", "web"],
            "cannot expand a % token",
        ),
        (&["-L", "x", "web"], "cannot read the specification"),
        (
            &[
                "-S",
                "none",
                "-N",
                "-o",
                "ExitOnForwardFailure=yes",
                "-R",
                &taken,
                "web",
            ],
            "did not listen on the port",
        ),
        (
            &[
                "-S",
                "none",
                "-N",
                "-o",
                "ExitOnForwardFailure=yes",
                "-L",
                &missing,
                "web",
            ],
            "the directory of the socket does not exist",
        ),
        (
            &["-S", "none", "-o", "PubkeyAuthentication=no", "web"],
            "accepts none of your keys",
        ),
        (
            &["-S", "none", "-o", "HostName=no.invalid", "web"],
            "no name server knows",
        ),
        (
            &["-S", "none", "-p", &port, "web"],
            "no connection to the server's port",
        ),
        (
            &["-S", "none", "-o", "UseKeychain=yes", "web"],
            "ssh refuses its configuration",
        ),
    ] {
        let said = printed(&lab, arguments);
        let text = explain(&lab, &said).stdout;
        assert!(text.contains(part), "no {part:?} in\n{text}\nfor\n{said}");
    }
    // A forwarding of a master.
    lab.persisted_master("web", "10m");
    let dynamic = format!("127.0.0.1:{own_port}");
    let said = printed(&lab, &["-O", "forward", "-D", &dynamic, "web"]);
    assert!(said.contains("master forward request failed"), "{said}");
    let text = explain(&lab, &format!("$ ssh -O forward -D {dynamic} web\n{said}")).stdout;
    assert!(
        text.contains(&format!("127.0.0.1:{own_port} is held by sshd")),
        "{text}"
    );
    let said = printed(&lab, &["-O", "cancel", "-R", &taken, "web"]);
    assert!(
        explain(&lab, &said)
            .stdout
            .contains("no such forwarding to cancel"),
        "{said}"
    );
}

#[test]
fn log_of_a_session_through_a_master_shows_a_failure_only_if_there_is_one() {
    let lab = Lab::good();
    let master = lab.master("web");
    let verbose = ["-vvv", "-o", "LogLevel=DEBUG3", "web", "true"];
    let mut command = lab.ssh();
    command.args(["-o", "BatchMode=yes"]).args(verbose);
    let log = Process::run(command, PATIENCE).expect(0).stderr;
    assert!(log.contains("auto-mux: Trying existing master"), "{log}");
    let text = explain(&lab, &log).expect(0).stdout;
    assert!(text.contains("a normal step of multiplexing"), "{text}");
    assert!(!text.contains("failed"), "{text}");
    // ssh waits after this line.
    master.suspend();
    let (begin, _) = log.split_once("debug2: mux_client_hello").unwrap();
    wait_until("it is stopped", PATIENCE, || {
        explain(&lab, begin).stdout.contains("[unresponsive]")
    });
}

#[test]
fn log_of_a_session_without_a_master_shows_no_failure() {
    let lab = Lab::good();
    for level in ["DEBUG1", "DEBUG2", "DEBUG3"] {
        let mut command = lab.ssh();
        command.args(["-o", "BatchMode=yes", "-S", "none", "-o"]);
        command.args([&format!("LogLevel={level}"), "web", "true"]);
        let log = Process::run(command, PATIENCE).expect(0).stderr;
        assert!(log.contains("client_input_channel_req: "), "{log}");
        let text = explain(&lab, &log).expect(0).stdout;
        let mut meanings = text.lines().filter(|it| it.starts_with("    meaning: "));
        assert!(
            meanings.all(|it| it.ends_with("a normal message of a connection")),
            "{text}"
        );
    }
}

#[test]
fn rejected_line_of_a_control_option_is_about_multiplexing() {
    let lab = Lab::good();
    for (line, meaning) in [
        ("ControlPath", "take one value each"),
        ("ControlPersist 10 min", "take one value each"),
        ("LocalForward", "the specification of a forwarding"),
    ] {
        lab.configure(&format!("Host web\n    {line}\n"));
        let said = printed(&lab, &["web"]);
        let text = expect(
            explain(&lab, &said),
            "ssh-config-invalid",
            &lab.path("ssh_config"),
            1,
        );
        assert!(text.contains(meaning), "{text}");
        assert!(!text.contains("not about"), "{text}");
    }
}

#[test]
fn command_with_a_control_path_is_about_the_master_there() {
    let lab = Lab::good();
    let web = lab.persisted_master("web", "10m");
    let path = lab.path("s/other");
    let shown = path.display().to_string();
    let mut ask = lab.ssh();
    ask.args([
        "-N",
        "-o",
        "ControlMaster=ask",
        "-o",
        "ControlPersist=no",
        "-S",
        &shown,
        "web",
    ]);
    let mut ask = Master::start(ask, path);
    let said = printed(&lab, &["-S", &shown, "-O", "exit", "web"]);
    assert!(said.contains("Master refused"), "{said}");
    let end = format!("kill {}", ask.pid());
    for option in [format!("-S {shown}"), format!("-o \"ControlPath={shown}\"")] {
        let text = explain(&lab, &format!("$ ssh {option} -O exit web\n{said}")).stdout;
        let now = format!("{shown} is running (pid {})", ask.pid());
        assert!(text.contains(&now), "{text}");
        assert!(commands(&text).contains(&end.as_str()), "{text}");
    }
    // Only ssh knows this path.
    let text = explain(&lab, &format!("$ ssh -S /s/%C -O exit web\n{said}")).stdout;
    assert!(!text.contains("is running"), "{text}");
    paste(&lab, &end).expect(0);
    ask.wait_for_end();
    assert!(process_state(web).is_some());
}

#[test]
fn master_on_a_filesystem_that_copies_on_link_cannot_be_reached() {
    let name = "master_on_a_filesystem_that_copies_on_link_cannot_be_reached";
    if !User::tests_are_root() {
        return skip(name, "only root can mount for the user");
    }
    let lab = Lab::good();
    let (from, onto) = (lab.make_directory("from"), lab.make_directory("onto"));
    let mut mount = Command::new("bindfs");
    mount
        .args(["-f", "-o", "allow_other"])
        .arg(&from)
        .arg(&onto);
    if Command::new("bindfs").arg("--version").output().is_err() {
        return skip(name, "bindfs is not installed");
    }
    let mut mount = Process::start(mount);
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    wait_until("it is mounted", PATIENCE, || {
        device(&onto) != device(&from) || !mount.is_running()
    });
    if !mount.is_running() {
        return skip(name, &mount.stderr());
    }
    let path = onto.join("web");
    let control_path = format!("ControlPath={}", path.display());
    // The master ends soon by itself, since nothing can reach it.
    let arguments = ["-o", &control_path, "-o", "ControlPersist=1", "web", "true"];
    let said = printed(&lab, &arguments);
    let said_so = said.contains("Failed to connect to new control master");
    let text = explain(&lab, &said).stdout;
    mount.signal(Signal::SIGTERM);
    wait_until("it is unmounted", PATIENCE, || !mount.is_running());
    assert!(said_so, "{said}");
    assert!(
        text.contains("could not connect to it by the ControlPath"),
        "{text}"
    );
    // As printed.
    paste(&lab, "ssh -S none web true").expect(0);
}
