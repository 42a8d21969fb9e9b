//! Listeners in the directory of control sockets that are no masters, and masters of an ssh with another name.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::support::{GOOD, Lab, PATIENCE, Process, Report, User, is_socket, wait_for, wait_until};

/// A program that listens in the laboratory until it is dropped.
#[track_caller]
fn listening(lab: &Lab, path: &Path, words: &[&str]) -> Process {
    let mut command = lab.command(words[0]);
    command.args(&words[1..]);
    let process = Process::start(command);
    wait_until("it listens", PATIENCE, || is_socket(path));
    process
}

fn agent(lab: &Lab, path: &Path) -> Process {
    listening(
        lab,
        path,
        &["ssh-agent", "-D", "-a", path.to_str().unwrap()],
    )
}

#[test]
fn agent_in_the_directory_is_no_master() {
    let lab = Lab::good();
    let web = lab.master("web");
    let config = lab.path("ssh_config");
    // Names that only the pattern `%n-%p` matches, and those that agents choose themselves.
    let mut agents: Vec<_> = [
        "some-1",
        "agent.4711",
        "s.AAAAAAAAAA.agent.BBBBBBBBBB",
        "s.AAAAAAAAAA.sshd.BBBBBBBBBB",
        "s.AAAAAAAAAA.sshd.4711.BBBBBBBBBB",
        "s.AAAAAAAAAA.local.4711.BBBBBBBBBB",
    ]
    .map(|name| lab.path(format!("s/{name}")))
    .into_iter()
    .map(|path| (agent(&lab, &path), path))
    .collect();
    // A forwarding of an ssh.
    let forwarded = lab.path("s/docker-1");
    let forwarding = format!("{}:/nowhere", forwarded.display());
    let config = config.to_str().unwrap();
    let _ssh = listening(
        &lab,
        &forwarded,
        &[
            "ssh",
            "-F",
            config,
            "-S",
            "none",
            "-N",
            "-L",
            &forwarding,
            "web",
        ],
    );
    let paths = |report: &Report| -> Vec<String> {
        let sockets = report.sockets().into_iter();
        sockets
            .map(|it| it.0["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let only_web = [web.path().to_str().unwrap().to_owned()];
    let report = lab.list();
    assert_eq!((paths(&report), report.status), (only_web.to_vec(), 0));
    let checked = lab.muxtray(["check"]).expect(0);
    assert_eq!(checked.stdout.lines().count(), 1, "{checked:#?}");
    lab.muxtray(["exit", "--all"]).expect(0);
    assert!(
        agents
            .iter_mut()
            .all(|(agent, path)| agent.is_running() && is_socket(path))
    );
    assert_eq!(paths(&lab.list()), [""; 0]);
    // A path that is named is reported, and not connected to.
    let named = agents[0].1.to_str().unwrap();
    let checked = lab.muxtray(["check", named]).expect(1);
    assert!(checked.stdout.contains("foreign"), "{checked:#?}");
    let by_variable = agents[0].1.clone();
    let asked_for = |command: &str, path: &Path| {
        let mut command = lab.muxtray_command([command, path.to_str().unwrap()]);
        command.env("SSH_AUTH_SOCK", &by_variable);
        let said = Process::run(command, PATIENCE).expect(1);
        assert!(said.stderr.contains("ssh agent"), "{said:#?}");
    };
    for command in ["check", "exit", "stop", "clean"] {
        for (agent, path) in &mut agents {
            asked_for(command, path);
            assert!(agent.is_running());
        }
    }
    // Dead sockets with an agent's own name are left alone.
    for (agent, _) in &mut agents {
        agent.kill();
    }
    for (_, path) in &agents {
        asked_for("clean", path);
        assert!(is_socket(path));
    }
    lab.muxtray(["clean"]).expect(0);
    assert!(agents[1..].iter().all(|(_, path)| is_socket(path)));
}

/// As in a directory that also has a README, or the home of gpg-agent.
#[test]
fn other_files_in_the_directory_are_no_problem() {
    let lab = Lab::new();
    let with = |name: &str| {
        let path = lab.path(format!("s/{name}")).display().to_string();
        lab.configure(&format!("Host web\n    ControlPath {path}\n{GOOD}"));
    };
    with("%n");
    let master = lab.master_at(&lab.path("s/web"));
    lab.write("s/README", "");
    lab.make_directory("s/private-keys-v1.d");
    symlink("README", lab.path("s/link")).unwrap();
    let datagrams = lab.path("s/log");
    let _socket = UnixDatagram::bind(&datagrams).unwrap();
    User::get().own(&datagrams);
    for name in ["%n", "%h", "%r@%h", "mux-%n"] {
        with(name);
        let report = lab.list();
        let found = report.sockets();
        assert!(
            found.iter().all(|it| it.state() == "running"),
            "{name}: {:#}",
            report.json
        );
        assert_eq!(report.status, 0, "{name}");
        lab.muxtray(["check"]).expect(0);
    }
    with("%n");
    lab.muxtray(["exit", "--all"]).expect(0);
    assert!(!is_socket(master.path()));
}

#[test]
fn agent_at_the_path_of_a_host_is_foreign() {
    let lab = Lab::good();
    let path = lab.control_path("web");
    let mut agent = agent(&lab, &path);
    let report = lab.list();
    assert_eq!(report.at(&path).state(), "foreign", "{:#}", report.json);
    lab.muxtray(["check", "web"]).expect(1);
    lab.muxtray(["exit", "--all"]).expect(1);
    assert!(agent.is_running() && is_socket(&path));
}

#[test]
fn ssh_with_another_name_is_a_master() {
    let lab = Lab::good();
    let path = lab.control_path("web");
    for name in ["tssh", "my-client"] {
        let copy = lab.install(Path::new("/usr/bin/ssh"), name);
        let config = lab.path("ssh_config");
        let words = [
            copy.to_str().unwrap(),
            "-F",
            config.to_str().unwrap(),
            "-M",
            "-N",
            "web",
        ];
        let mut master = listening(&lab, &path, &words);
        let report = lab.list();
        assert_eq!(report.at(&path).state(), "running", "{:#}", report.json);
        lab.muxtray(["exit", "web"]).expect(0);
        wait_until("it has ended", PATIENCE, || !master.is_running());
    }
}

/// The installed ssh-agent chooses the path, which the laboratory's configuration would ignore.
#[test]
fn agent_with_its_own_path_is_named_as_one() {
    let lab = Lab::good();
    lab.write("config/muxtray/config.toml", "");
    let mut command = lab.command("ssh-agent");
    command.arg("-D");
    let mut agent = Process::start(command);
    let path = wait_for("the agent prints its path", PATIENCE, || {
        let printed = agent.stdout();
        let value = printed.split_once("SSH_AUTH_SOCK=")?.1;
        Some(value.split_once(';')?.0.to_owned())
    });
    for command in ["check", "exit", "stop", "clean"] {
        let said = lab.muxtray([command, &path]).expect(1);
        assert!(said.stderr.contains("ssh agent"), "{said:#?}");
    }
    assert!(agent.is_running() && is_socket(Path::new(&path)));
    agent.end();
}
