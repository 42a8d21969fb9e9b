//! Everything that ends with a master is counted and named before it is closed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Lab, Master, PATIENCE, Process, Target, User, wait_for, wait_until};

fn counts(lab: &Lab, path: &Path) -> Value {
    let socket = lab.list().at(path).0;
    json!([
        socket["sessions"],
        socket["own_session"],
        socket["forwarded"]
    ])
}

/// Every command that would close `carried` names it, and leaves the master alone.
#[track_caller]
fn is_guarded(lab: &Lab, master: &mut Master, carried: &str) {
    for command in [&["exit", "web"][..], &["check", "web"]] {
        let said = lab.muxtray(command);
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(text.contains(carried), "{command:?}: {said:?}");
    }
    let listed = lab.muxtray(["list"]).stdout;
    let has_only_sessions = carried.ends_with(" session");
    assert!(has_only_sessions || listed.contains(carried), "{listed}");
    assert!(master.is_running());
    let refused = lab.muxtray(["exit", "web"]).expect(1).stdout;
    assert!(
        refused.contains("; to close them: muxtray exit --force "),
        "{refused}"
    );
}

#[track_caller]
fn exits_when_nothing_is_open(lab: &Lab, mut master: Master) {
    wait_until("the connection is not counted any more", PATIENCE, || {
        counts(lab, master.path()) == json!([0, false, 0])
    });
    let said = lab.muxtray(["exit", "web"]).expect(0);
    assert!(!said.stdout.contains("closing"), "{said:?}");
    master.wait_for_end();
}

#[test]
fn connection_through_a_local_forwarding() {
    let lab = Lab::new();
    let target = Target::new();
    for listen in ["", "127.0.0.1:", "*:"] {
        let mut master = lab.master("web");
        let port = Lab::free_port();
        let argument = format!("{listen}{port}:127.0.0.1:{}", target.port());
        lab.ssh_forwarding("forward", master.path(), &["-L", &argument]);
        assert_eq!(counts(&lab, master.path()), json!([0, false, 0]));

        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let accepted = target.accept();
        assert_eq!(counts(&lab, master.path()), json!([0, false, 1]));
        is_guarded(&lab, &mut master, "1 forwarded connection");
        let said = lab.muxtray(["exit", "--all"]).expect(1);
        assert!(said.stdout.contains("1 forwarded connection"), "{said:?}");
        drop((client, accepted));
        exits_when_nothing_is_open(&lab, master);
    }
}

#[test]
fn half_closed_connection_still_counts() {
    let lab = Lab::new();
    let target = Target::new();
    let mut master = lab.master("web");
    let port = Lab::free_port();
    let argument = format!("{port}:127.0.0.1:{}", target.port());
    lab.ssh_forwarding("forward", master.path(), &["-L", &argument]);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"get").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut accepted = target.accept();
    accepted.read_to_end(&mut Vec::new()).unwrap();
    is_guarded(&lab, &mut master, "1 forwarded connection");
    accepted.write_all(b"answer").unwrap();
    drop(accepted);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
    drop(client);
    exits_when_nothing_is_open(&lab, master);
}

#[test]
fn connection_through_a_dynamic_forwarding() {
    let lab = Lab::new();
    let target = Target::new();
    let mut master = lab.master("web");
    let port = Lab::free_port();
    lab.ssh_forwarding("forward", master.path(), &["-D", &port.to_string()]);
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // SOCKS 5 without authentication, then a connection to an IPv4 address (RFC 1928).
    client.write_all(&[5, 1, 0]).unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    let [high, low] = target.port().to_be_bytes();
    let request = [5, 1, 0, 1, 127, 0, 0, 1, high, low];
    client.write_all(&request).unwrap();
    let accepted = target.accept();
    is_guarded(&lab, &mut master, "1 forwarded connection");
    drop((accepted, client));
    exits_when_nothing_is_open(&lab, master);
}

#[test]
fn connection_through_a_forwarded_unix_socket() {
    let lab = Lab::new();
    let target = Target::new();
    let mut master = lab.master("web");
    let path = lab.path("tmp/forwarded");
    let argument = format!("{}:127.0.0.1:{}", path.display(), target.port());
    lab.ssh_forwarding("forward", master.path(), &["-L", &argument]);
    assert_eq!(counts(&lab, master.path()), json!([0, false, 0]));
    let clients = [(); 2].map(|()| UnixStream::connect(&path).unwrap());
    let accepted = [(); 2].map(|()| target.accept());
    is_guarded(&lab, &mut master, "2 forwarded connections");
    drop((clients, accepted));
    exits_when_nothing_is_open(&lab, master);
}

#[test]
fn connection_through_a_remote_forwarding() {
    let lab = Lab::new();
    let target = Target::new();
    let mut master = lab.master("web");
    let port = Lab::free_port();
    let argument = format!("{port}:127.0.0.1:{}", target.port());
    lab.ssh_forwarding("forward", master.path(), &["-R", &argument]);
    assert_eq!(counts(&lab, master.path()), json!([0, false, 0]));
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = target.accept();
    is_guarded(&lab, &mut master, "1 forwarded connection");
    drop((client, accepted));
    exits_when_nothing_is_open(&lab, master);
}

#[test]
fn connection_through_a_remote_forwarding_to_a_unix_socket() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let (port, target) = (Lab::free_port(), lab.path("tmp/target"));
    let listener = UnixListener::bind(&target).unwrap();
    User::get().own(&target);
    let argument = format!("{port}:{}", target.display());
    lab.ssh_forwarding("forward", master.path(), &["-R", &argument]);
    assert_eq!(counts(&lab, master.path()), json!([0, false, 0]));
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = listener.accept().unwrap();
    is_guarded(&lab, &mut master, "1 forwarded connection");
    drop((client, accepted));
    exits_when_nothing_is_open(&lab, master);
}

/// The connection of the master is another process's, so its only TCP sockets are those of the forwarding.
#[test]
fn connection_through_a_forwarding_of_a_proxied_master() {
    let lab = Lab::new();
    lab.configure(&format!(
        "Host web\n    ProxyCommand /usr/sbin/sshd -i -e -f {}\n",
        lab.path("sshd_config").display()
    ));
    let target = Target::new();
    let mut master = lab.master("web");
    let (port, back) = (Lab::free_port(), Lab::free_port());
    let local = format!("127.0.0.1:{port}:127.0.0.1:{}", target.port());
    let remote = format!("{back}:127.0.0.1:{}", target.port());
    for (arguments, port) in [(["-R", &remote], back), (["-L", &local], port)] {
        lab.ssh_forwarding("forward", master.path(), &arguments);
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let accepted = target.accept();
        is_guarded(&lab, &mut master, "1 forwarded connection");
        drop((client, accepted));
        wait_until("it is closed", PATIENCE, || {
            counts(&lab, master.path()) == json!([0, false, 0])
        });
    }
    exits_when_nothing_is_open(&lab, master);
}

#[test]
fn session_and_forwarded_connection_are_named_together() {
    let lab = Lab::new();
    let target = Target::new();
    let mut master = lab.master("web");
    let session = master.session(&lab);
    let port = Lab::free_port();
    let argument = format!("{port}:127.0.0.1:{}", target.port());
    lab.ssh_forwarding("forward", master.path(), &["-L", &argument]);
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = target.accept();
    is_guarded(&lab, &mut master, "1 session, 1 forwarded connection");
    let said = lab.muxtray(["exit", "--force", "web"]).expect(0).stdout;
    assert!(
        said.contains("exited, closing 1 session, 1 forwarded connection"),
        "{said}"
    );
    master.wait_for_end();
    drop((session, client, accepted));
}

/// A stopped master accepts it when it continues.
#[test]
fn waiting_connection_of_a_stopped_master() {
    let lab = Lab::new();
    let target = Target::new();
    let mut master = lab.master("web");
    let port = Lab::free_port();
    let argument = format!("{port}:127.0.0.1:{}", target.port());
    lab.ssh_forwarding("forward", master.path(), &["-L", &argument]);
    master.suspend();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let said = lab.muxtray(["exit", "--end-process", "web"]).expect(1);
    assert!(
        said.stdout.contains("1 forwarded connection open")
            && said.stdout.contains("muxtray exit --end-process --force "),
        "{said:?}"
    );
    assert!(master.is_running());
    lab.muxtray(["exit", "--end-process", "--force", "web"])
        .expect(0);
    master.wait_for_end();
    drop(client);
}

#[test]
fn stop_names_what_keeps_the_master() {
    let lab = Lab::new();
    let target = Target::new();
    let pid = lab.persisted_master("web", "600");
    let port = Lab::free_port();
    let argument = format!("{port}:127.0.0.1:{}", target.port());
    lab.ssh_forwarding("forward", &lab.control_path("web"), &["-L", &argument]);
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let accepted = target.accept();
    let said = lab.muxtray(["stop", "web"]).expect(0).stdout;
    assert!(
        said.contains("exits after 1 forwarded connection"),
        "{said}"
    );
    assert!(crate::support::process_state(pid).is_some());
    drop((client, accepted));
    wait_until("it has ended", PATIENCE, || {
        crate::support::process_state(pid).is_none()
    });
}

#[test]
fn master_that_jumps_is_named() {
    let lab = Lab::new();
    lab.configure("Host db\n    ProxyJump web\n");
    let mut jump = lab.master("web");
    let behind = lab.master("db");
    let socket = wait_for("the jump is seen", PATIENCE, || {
        let socket = lab.list().at(jump.path()).0;
        (socket["jumping"] == json!(["db"])).then_some(socket)
    });
    assert_eq!(
        (&socket["sessions"], &socket["forwarded"]),
        (&json!(1), &json!(0))
    );
    is_guarded(&lab, &mut jump, "the master db jumps through it");
    let own = lab.list().at(behind.path()).0;
    assert_eq!((&own["sessions"], &own["jumping"]), (&json!(0), &json!([])));
    drop(behind);
    exits_when_nothing_is_open(&lab, jump);
}

/// The ssh that jumps and has started the master has a copy of the master's connection.
#[test]
fn master_that_jumps_is_named_if_its_start_opened_the_jump_host() {
    let lab = Lab::new();
    lab.configure(
        "Host db\n    ProxyJump web\nHost build\n    ProxyJump db\n\
         Host *\n    ControlMaster auto\n    ControlPersist 600\n",
    );
    lab.muxtray(["open", "build"]).expect(0);
    let at = |alias| lab.list().at(&lab.control_path(alias)).0;
    for alias in ["web", "db", "build"] {
        let pid = at(alias)["pid"].as_i64().unwrap();
        lab.end_with_lab(pid.try_into().unwrap());
    }
    wait_until("the jumps are seen", PATIENCE, || {
        let jumping = ["web", "db", "build"].map(|alias| at(alias)["jumping"].clone());
        json!(jumping) == json!([["build", "db"], ["build"], []])
    });
    // Each ends after those that jump through it, so none has to be forced.
    let said = lab.muxtray(["exit", "--all"]).expect(0).stdout;
    assert!(said.contains("3 masters ended"), "{said}");
}

/// Without a ControlPath of its own, the ssh that jumps is a session of the jump host's master.
#[test]
fn ssh_that_jumps_is_a_session() {
    let lab = Lab::new();
    lab.configure("Host db\n    ProxyJump web\n    ControlPath none\n");
    let mut jump = lab.master("web");
    let mut ssh = lab.ssh();
    ssh.args(["db", "echo open; exec cat"]);
    let mut session = Process::start_with_open_input(ssh);
    session.wait_for_output("open", PATIENCE);
    is_guarded(&lab, &mut jump, "1 session");
    drop(session);
    exits_when_nothing_is_open(&lab, jump);
}

/// A master without a command, in a terminal: a person sees it end.
#[test]
fn master_in_a_terminal_has_a_session_of_its_own() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    for (options, own) in [
        ("-N", true),
        ("-nNT", true),
        ("-fN", false),
        ("-vfN", false),
    ] {
        let ssh = format!(
            "ssh -F {} -M -o ControlPersist=no {options} web; exec cat",
            lab.path("ssh_config").display()
        );
        let mut script = lab.command("script");
        script
            .args(["--quiet", "--flush", "--command", &ssh])
            .arg("/dev/null");
        let terminal = Process::start_with_open_input(script);
        let counted = json!([0, own, 0]);
        wait_until("the master is counted", PATIENCE, || {
            path.exists() && counts(&lab, &path) == counted
        });
        if own {
            let said = lab.muxtray(["exit", "web"]).expect(1).stdout;
            assert!(said.contains("1 session open"), "{said}");
        }
        let force: &[&str] = if own { &["--force"] } else { &[] };
        lab.muxtray([&["exit", "web"], force].concat()).expect(0);
        drop(terminal);
    }
}

/// Programs that transfer files or commits through a master.
#[test]
fn transfers_are_sessions() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let options = |command: &mut Command| {
        command
            .arg("-F")
            .arg(lab.path("ssh_config"))
            .args(["-o", "ProxyCommand=/bin/false"]);
    };
    // A write to it waits for a reader.
    let pipe = lab.path("tmp/pipe");
    let mut make = lab.command("mkfifo");
    make.arg(&pipe);
    Process::run(make, PATIENCE).expect(0);

    let mut scp = lab.command("scp");
    options(&mut scp);
    scp.args(["-O", "/etc/passwd"])
        .arg(format!("web:{}", pipe.display()));
    let mut sftp = lab.command("sftp");
    options(&mut sftp);
    sftp.arg("web");
    let mut git = lab.command("git");
    git.env(
        "GIT_SSH_COMMAND",
        format!("ssh -F {}", lab.path("ssh_config").display()),
    )
    .args(["ls-remote", "--upload-pack", "cat;:", "ssh://web/nowhere"]);
    for command in [scp, sftp, git] {
        let name = format!("{command:?}");
        let program = Process::start_with_open_input(command);
        wait_until(&format!("{name} is counted"), PATIENCE, || {
            counts(&lab, master.path()) == json!([1, false, 0])
        });
        is_guarded(&lab, &mut master, "1 session");
        drop(program);
        wait_until("it is not counted any more", PATIENCE, || {
            // The reader.
            let _ = fs::OpenOptions::new().read(true).write(true).open(&pipe);
            counts(&lab, master.path()) == json!([0, false, 0])
        });
    }
    exits_when_nothing_is_open(&lab, master);
}

/// A listener that nobody uses is no connection, whatever it forwards to.
#[test]
fn unused_forwardings_do_not_count() {
    let lab = Lab::new();
    let master = lab.master("web");
    let socket = lab.path("tmp/listens");
    let _target = UnixListener::bind(lab.path("tmp/target")).unwrap();
    let unix = format!("{}:{}", socket.display(), lab.path("tmp/target").display());
    let (dynamic, remote) = (
        Lab::free_port().to_string(),
        format!("{}:127.0.0.1:1", Lab::free_port()),
    );
    for arguments in [["-D", &dynamic], ["-R", &remote], ["-L", &unix]] {
        lab.ssh_forwarding("forward", master.path(), &arguments);
    }
    exits_when_nothing_is_open(&lab, master);
}
