//! Forwardings of real masters: shown as the kernel has them, added and cancelled.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use std::path::Path;

use muxtray::model::forwarding::{Forwarding, ForwardingKind};

use serde_json::{Value, json};

use crate::support::{GOOD, Lab, Master, PATIENCE, Process, Target, wait_for, wait_until};

#[track_caller]
fn forwards(lab: &Lab, path: &Path) -> Value {
    lab.list().at(path).0["forwards"].clone()
}

fn row(kind: &str, listen: &str, target: Option<&str>) -> Value {
    json!({"kind": kind, "listen": listen, "target": target, "connections": 0, "exposed": false})
}

#[test]
fn arguments_are_parsed_as_ssh_parses_them() {
    for (option, argument) in [
        ("-L", "5432:db:80"),
        ("-L", " 5432:db:80"),
        ("-L", "*:1:h:2"),
        ("-L", ":3:h:4"),
        ("-L", "[]:3:h:4"),
        ("-L", "[::1]:5:[fe80::2]:6"),
        ("-L", "localhost:http:h:https"),
        ("-L", "1:h:no-such-service"),
        ("-L", "/tmp/a b:h:7"),
        ("-L", "/tmp/x:/tmp/y"),
        ("-L", "8:/run/y"),
        ("-L", "127.0.0.1:8:/run/y"),
        ("-L", "::1:8:/run/y"),
        ("-L", r"/tmp/a\:b:h:7"),
        ("-L", r"a\/b:1:h:7"),
        ("-L", r"1:a\:b:7"),
        ("-L", "[/tmp/a:b]:h:7"),
        ("-L", "5432"),
        ("-L", "5432:db"),
        ("-L", "5432:db:"),
        ("-L", "5432:db:0"),
        ("-L", "0:db:1"),
        ("-L", "65535:db:1"),
        ("-L", "65536:db:1"),
        ("-L", "5432:db:80:81:82"),
        ("-L", "[::1:5:h:6"),
        ("-L", "[::1]5:h:6"),
        ("-L", r"5432:db:80\"),
        ("-L", "5432:db:80:"),
        ("-L", ""),
        ("-D", "1080"),
        ("-D", "[::1]:1081"),
        ("-D", "*:1081"),
        ("-D", "/tmp/socks"),
        ("-D", "0"),
        ("-D", "1:2:3"),
    ] {
        let mut command = std::process::Command::new("ssh");
        command.args(["-F", "none", "-G", option, argument, "host"]);
        let answer = Process::run(command, PATIENCE);
        let kind = ForwardingKind::of_option(option).unwrap();
        let service = &|name: &str| muxtray::observe::process::service(name);
        let parsed = Forwarding::parse(kind, OsStr::new(argument), service);
        let keyword = match kind {
            ForwardingKind::Dynamic => "dynamicforward ",
            _ => "localforward ",
        };
        let mut lines = answer.stdout.lines();
        let resolved = lines.find_map(|line| line.strip_prefix(keyword));
        let resolved = resolved.map(|value| Forwarding::parse_resolved(kind, value).unwrap());
        assert_eq!(parsed, resolved, "{option} {argument}: {answer:?}");
    }
}

#[test]
fn listeners_of_every_kind_of_master_are_shown() {
    let lab = Lab::good();
    let target = Target::new();
    let [one, two, three] = std::array::from_fn(|_| Lab::free_port());
    let to = format!("127.0.0.1:{}", target.port());

    // The arguments of a master in the foreground name its targets.
    let mut command = lab.ssh();
    command.args(["-N", "-M", "-o", "ControlPersist=no"]);
    command.args(["-L", &format!("{one}:{to}")]);
    command.args(["-D", &format!("127.0.0.1:{two}"), "web"]);
    let path = lab.control_path("web");
    let foreground = Master::start(command, path.clone());
    wait_until("it listens", PATIENCE, || {
        TcpStream::connect(("127.0.0.1", two)).is_ok()
    });
    let [local, dynamic] = [one, two].map(|port| format!("127.0.0.1:{port}"));
    let rows = || {
        let mut rows = vec![
            row("local", &local, Some(&to)),
            row("dynamic", &dynamic, None),
        ];
        rows.sort_by_key(|row| row["listen"].as_str().unwrap().len());
        if one > two {
            rows.reverse();
        }
        json!(rows)
    };
    wait_until("the probe is gone", PATIENCE, || {
        forwards(&lab, &path) == rows()
    });

    // Of one that was added nothing but its listener is known; one connection runs through it.
    let socket = lab.path("fwd \u{1b}[31m.sock");
    let argument = format!("{}:{to}", socket.display());
    lab.ssh_forwarding("forward", &path, &["-L", &argument]);
    lab.ssh_forwarding("forward", &path, &["-L", &format!("[::1]:{three}:{to}")]);
    let _client = TcpStream::connect(("127.0.0.1", one)).unwrap();
    let _accepted = target.accept();
    let shown = forwards(&lab, &path);
    let find = |listen: &str| {
        let mut rows = shown.as_array().unwrap().iter();
        rows.find(|row| row["listen"] == listen).cloned()
    };
    assert_eq!(find(&local).unwrap()["connections"], 1, "{shown:#}");
    let six = format!("[::1]:{three}");
    assert_eq!(find(&six), Some(row("local", &six, None)), "{shown:#}");
    let escaped = format!("{}/fwd \\u{{1b}}[31m.sock", lab.path("").display()).replace("//", "/");
    assert_eq!(find(&escaped), Some(row("unix", &escaped, None)));

    // An orphan has them too.
    std::fs::remove_file(&path).unwrap();
    let orphan = wait_for("it is an orphan", PATIENCE, || {
        let list = lab.list();
        let found = list.all_at(&path).pop()?;
        (found.state() == "orphaned").then_some(found)
    });
    assert_eq!(orphan.0["forwards"].as_array().unwrap().len(), 4);
    drop(foreground);
}

#[test]
fn configuration_names_the_targets_of_a_master_in_the_background() {
    let lab = Lab::new();
    let [one, two] = std::array::from_fn(|_| Lab::free_port());
    lab.configure(&format!(
        "Host web\n{GOOD}    LocalForward {one} db:5432\n    DynamicForward {two}\n"
    ));
    lab.persisted_master("web", "60");
    let path = lab.control_path("web");
    let listed = lab.muxtray(["list"]).expect(0).stdout;
    assert!(
        listed.contains(&format!("    127.0.0.1:{one} \u{2192} db:5432\n")),
        "{listed}"
    );
    assert!(
        listed.contains(&format!("    127.0.0.1:{two} \u{2192} any (SOCKS)\n")),
        "{listed}"
    );
    let checked = lab.muxtray(["check", "web"]).expect(0).stdout;
    assert!(
        checked.contains(&format!("127.0.0.1:{one} \u{2192} db:5432")),
        "{checked}"
    );
    assert_eq!(forwards(&lab, &path).as_array().unwrap().len(), 2);
}

/// One echoed line shows that a connection works.
fn echoes(
    target: &Target,
    client: &mut (impl Read + Write),
    accepted: &mut Option<TcpStream>,
) -> bool {
    let accepted = accepted.get_or_insert_with(|| target.accept());
    client.write_all(b"x").unwrap();
    let mut byte = [0];
    accepted.read_exact(&mut byte).unwrap();
    accepted.write_all(&byte).unwrap();
    client.read_exact(&mut byte).unwrap();
    byte == *b"x"
}

#[test]
fn forwarding_is_added_used_and_cancelled_without_ending_a_connection() {
    let lab = Lab::good();
    let target = Target::new();
    let master = lab.master("web");
    let to = format!("127.0.0.1:{}", target.port());
    for address in ["", "localhost:", "127.0.0.1:", "[::1]:", "*:"] {
        let port = Lab::free_port();
        let argument = format!("{address}{port}:{to}");
        let added = lab.muxtray(["forward", "web", "-L", &argument]).expect(0);
        assert!(added.stdout.starts_with("web: forwards "), "{added:?}");
        assert!(added.stdout.trim().ends_with(&to), "{added:?}");
        let again = lab.muxtray(["forward", "web", "-L", &argument]).expect(0);
        assert!(again.stdout.trim().ends_with(" already"), "{again:?}");

        let ip = if address == "[::1]:" {
            "::1"
        } else {
            "127.0.0.1"
        };
        let mut client = TcpStream::connect((ip, port)).unwrap();
        let mut accepted = None;
        assert!(echoes(&target, &mut client, &mut accepted));
        let row = &forwards(&lab, master.path())[0];
        assert_eq!(row["connections"], 1, "{row:#}");
        assert_eq!(row["target"], to, "{row:#}");
        assert_eq!(row["exposed"], address == "*:", "{row:#}");

        // The port is enough.
        let port = port.to_string();
        let cancelled = lab
            .muxtray(["forward", "web", "--cancel", "-L", &port])
            .expect(0);
        assert!(
            cancelled.stdout.contains("open connections stay open"),
            "{cancelled:?}"
        );
        assert_eq!(forwards(&lab, master.path()), json!([]));
        assert!(echoes(&target, &mut client, &mut accepted));
    }
    let gone = lab
        .muxtray(["forward", "web", "--cancel", "-D", "1"])
        .expect(0);
    assert_eq!(gone.stdout, "web: it does not forward -D 1\n");
    let earlier = lab.muxtray(["forward", "web"]).expect(0).stdout;
    assert!(
        earlier.starts_with("no forwardings\nearlier -L "),
        "{earlier}"
    );
}

#[test]
fn socket_with_a_hostile_name_is_forwarded() {
    let lab = Lab::good();
    let target = Target::new();
    let master = lab.master("web");
    let path = lab.path("a b:\u{1b}[31m\n.sock");
    let escaped = path.to_str().unwrap().replace(':', "\\:");
    let argument = format!("{escaped}:127.0.0.1:{}", target.port());
    let added = lab.muxtray(["forward", "web", "-L", &argument]).expect(0);
    assert!(!added.stdout.contains('\u{1b}'), "{added:?}");
    let mut client = UnixStream::connect(&path).unwrap();
    assert!(echoes(&target, &mut client, &mut None));
    let row = &forwards(&lab, master.path())[0];
    assert_eq!(row["kind"], "unix", "{row:#}");

    // ssh does not remove the file.
    let cancelled = ["forward", "web", "--cancel", "-L", &escaped];
    lab.muxtray(cancelled).expect(0);
    let taken = lab
        .muxtray(["forward", "web", "-L", &argument])
        .expect(1)
        .stdout;
    assert!(
        taken.contains("a file is at ") && !taken.contains('\u{1b}'),
        "{taken:?}"
    );
}

#[test]
fn master_is_started_and_results_are_json() {
    let lab = Lab::good();
    let port = Lab::free_port();
    let argument = format!("{port}:127.0.0.1:9");
    let forward = ["forward", "web", "-L", &argument, "-D", "0", "--json"];
    lab.muxtray(forward).expect(2);
    let forward = ["forward", "web", "-L", &argument, "--json"];
    let added = lab.muxtray(forward).expect(0);
    let path = lab.control_path("web");
    let pid = lab.list().at(&path).0["pid"].as_i64().unwrap();
    lab.end_with_lab(pid.try_into().unwrap());
    let added: Value = serde_json::from_str(&added.stdout).unwrap();
    assert_eq!(added["schema"], 1);
    let outcomes: Vec<_> = added["results"].as_array().unwrap().iter().collect();
    assert_eq!(outcomes.len(), 2, "{added:#}");
    for result in outcomes {
        assert_eq!(result["outcome"], "done", "{added:#}");
        assert_eq!(result["target"], "web", "{added:#}");
        assert_eq!(result["path"], path.to_str().unwrap(), "{added:#}");
    }
    let listed = lab.muxtray(["forward", "web", "--json"]).expect(0);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let listen = format!("127.0.0.1:{port}");
    assert_eq!(
        listed["forwards"],
        json!([row("local", &listen, Some("127.0.0.1:9"))])
    );
}

#[test]
fn port_of_the_server_is_known_from_memory() {
    let lab = Lab::good();
    let target = Target::new();
    let _master = lab.master("web");
    let argument = format!("0:127.0.0.1:{}", target.port());
    let added = lab
        .muxtray(["forward", "web", "-R", &argument])
        .expect(0)
        .stdout;
    let port = added.strip_prefix("web: the server forwards ").unwrap();
    let (port, _) = port.split_once(' ').unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    assert!(echoes(&target, &mut client, &mut None));
    let listed = lab.muxtray(["list"]).expect(0).stdout;
    let line = format!(
        "    on the server {port} \u{2192} 127.0.0.1:{} (from memory)\n",
        target.port()
    );
    assert!(listed.contains(&line), "{listed}");
    let cancelled = lab
        .muxtray(["forward", "web", "--cancel", "-R", port])
        .expect(0);
    assert_eq!(cancelled.stdout, format!("web: cancelled -R {argument}\n"));
    wait_until("the server does not listen", PATIENCE, || {
        TcpStream::connect(("127.0.0.1", port.parse().unwrap())).is_err()
    });
    assert!(
        !lab.muxtray(["list"])
            .expect(0)
            .stdout
            .contains("on the server")
    );
}

#[test]
fn server_that_refuses_is_reported() {
    let lab = Lab::good();
    let key = std::fs::read_to_string(lab.path("user_key.pub")).unwrap();
    lab.write("user_key.pub", format!("no-port-forwarding {key}"));
    let _master = lab.master("web");
    let refused = lab
        .muxtray(["forward", "web", "-R", "0:h:9"])
        .expect(1)
        .stdout;
    assert!(
        refused.contains("remote port forwarding failed"),
        "{refused}"
    );
    assert!(refused.contains("AllowTcpForwarding"), "{refused}");
}

#[test]
fn taken_port_is_named_and_left_alone() {
    let lab = Lab::good();
    let mut master = lab.master("web");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // The tests may run as root, and muxtray does not.
    let held = format!("127.0.0.1:{port} is held by ");
    for address in ["127.0.0.1:", "", "*:"] {
        let argument = format!("{address}{port}:h:9");
        let refused = lab
            .muxtray(["forward", "web", "-L", &argument])
            .expect(1)
            .stdout;
        assert!(refused.contains(&held), "{refused}");
        // Without an address, ssh is content with [::1].
        let place = format!("{address}{port}");
        let _ = lab.muxtray(["forward", "web", "--cancel", "-L", &place]);
        assert_eq!(forwards(&lab, master.path()), json!([]), "{argument}");
    }
    // Of another master.
    let db = lab.master("db");
    let port = Lab::free_port().to_string();
    let argument = format!("{port}:h:9");
    lab.muxtray(["forward", "db", "-L", &argument]).expect(0);
    let refused = lab
        .muxtray(["forward", "web", "-L", &argument])
        .expect(1)
        .stdout;
    let held = format!("is held by the master of db (pid {})", db.pid());
    assert!(refused.contains(&held), "{refused}");
    let way = format!(
        "muxtray forward {} --cancel -L {argument}\n",
        db.path().display()
    );
    assert!(refused.ends_with(&way), "{refused}");
    assert!(master.is_running());
    drop(taken);
}

#[test]
fn forwarding_that_nobody_knows_needs_its_specification() {
    let lab = Lab::good();
    let master = lab.master("web");
    let port = Lab::free_port().to_string();
    let argument = format!("{port}:h:9");
    lab.ssh_forwarding("forward", master.path(), &["-L", &argument]);
    let unknown = lab
        .muxtray(["forward", "web", "--cancel", "-L", &port])
        .expect(1)
        .stdout;
    assert!(
        unknown.contains("target unknown: nobody knows how it was added"),
        "{unknown}"
    );
    let wrong = format!("{port}:h:10");
    lab.muxtray(["forward", "web", "--cancel", "-L", &wrong])
        .expect(1);
    assert_eq!(forwards(&lab, master.path()).as_array().unwrap().len(), 1);
    lab.muxtray(["forward", "web", "--cancel", "-L", &argument])
        .expect(0);
    assert_eq!(forwards(&lab, master.path()), json!([]));
}

#[test]
fn configured_forwarding_whose_port_was_taken_can_be_added() {
    let lab = Lab::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    lab.configure(&format!(
        "Host web\n{GOOD}    LocalForward 127.0.0.1:{port} h:9\n    LocalForward localhost:{port} h:9\n"
    ));
    lab.persisted_master("web", "60");
    drop(taken);
    let path = lab.control_path("web");
    lab.ssh_forwarding("check", &path, &[]);
    let argument = format!("127.0.0.1:{port}:h:9");
    let failed = lab
        .muxtray(["forward", "web", "-L", &argument])
        .expect(1)
        .stdout;
    assert!(
        failed.contains("could not listen then, and does not try again"),
        "{failed}"
    );
}

#[test]
fn two_hundred_forwardings_of_one_master() {
    let lab = Lab::good();
    let master = lab.master("web");
    // Other tests take ports of 127.0.0.1 meanwhile.
    let bound: Vec<_> = (0..200)
        .map(|_| TcpListener::bind("127.77.0.1:0").unwrap())
        .collect();
    let ports: Vec<u16> = bound
        .iter()
        .map(|it| it.local_addr().unwrap().port())
        .collect();
    drop(bound);
    let arguments = |specification: &dyn Fn(&u16) -> String| -> Vec<String> {
        let specifications = ports.iter().map(specification);
        let options = specifications.flat_map(|it| ["-L".to_owned(), it]);
        ["forward", "web"]
            .map(str::to_owned)
            .into_iter()
            .chain(options)
            .collect()
    };
    lab.muxtray(arguments(&|port| format!("127.77.0.1:{port}:h:9")))
        .expect(0);
    assert_eq!(forwards(&lab, master.path()).as_array().unwrap().len(), 200);
    let listed = lab.muxtray(["list"]).expect(0).stdout;
    assert!(
        listed.contains("    and 190 more forwardings\n"),
        "{listed}"
    );
    let mut cancel = arguments(&|port| port.to_string());
    cancel.insert(2, "--cancel".to_owned());
    lab.muxtray(cancel).expect(0);
    assert_eq!(forwards(&lab, master.path()), json!([]));
}

#[test]
fn masters_that_do_not_answer_or_refuse_are_reported() {
    let lab = Lab::good();
    let argument = format!("{}:h:9", Lab::free_port());
    let forward = ["forward", "web", "-L", &argument];
    let mut master = lab.master("web");
    master.suspend();
    let stopped = lab.muxtray(forward).expect(1);
    assert!(stopped.stdout.contains("web: "), "{stopped:?}");
    master.resume();
    master.kill();
    std::fs::remove_file(master.path()).unwrap();

    // A person refuses, then confirms.
    let askpass = lab.script("bin-askpass", "test -e confirmed && echo yes");
    let mut command = lab.ssh();
    command
        .args(["-N", "-M", "-M", "-o", "ControlPersist=no", "web"])
        .env("DISPLAY", ":0")
        .env("SSH_ASKPASS", &askpass);
    let path = lab.control_path("web");
    let _master = Master::start(command, path.clone());
    let refused = lab.muxtray(forward).expect(1).stdout;
    assert!(
        refused.contains("the master refused the forwarding request"),
        "{refused}"
    );
    lab.write("confirmed", "");
    lab.muxtray(forward).expect(0);
    assert_eq!(forwards(&lab, &path).as_array().unwrap().len(), 1);
}

#[test]
fn path_without_a_master_is_reported_with_its_state() {
    let lab = Lab::good();
    let mut master = lab.master("web");
    let path = master.path().to_str().unwrap().to_owned();
    let argument = format!("{}:h:9", Lab::free_port());
    lab.muxtray(["forward", "web", "-L", &argument]).expect(0);
    lab.muxtray(["forward", "web", "--cancel", "-L", &argument])
        .expect(0);
    std::fs::remove_file(&path).unwrap();
    let adding = ["forward", &path, "-L", &argument];
    for arguments in [&adding[..], &["forward", &path, "--cancel", "-L", "1"]] {
        let said = lab.muxtray(arguments).expect(1).stdout;
        assert!(said.contains("exit --end-process "), "{said}");
    }
    let listed = lab.muxtray(["forward", &path]).expect(0).stdout;
    let again = format!("forward web -L {argument}\n");
    assert!(listed.ends_with(&again), "{listed}");
    master.kill();
    lab.dead_socket(Path::new(&path));
    let said = lab.muxtray(adding).expect(1).stdout;
    assert!(said.contains("muxtray clean "), "{said}");
}

#[test]
fn wrong_usage_is_explained() {
    let lab = Lab::good();
    for arguments in [
        &["-L", "5432"][..],
        &["-L", "0:h:1"],
        &["-D", "1:2:3"],
        &["--cancel"],
    ] {
        let arguments = [&["forward", "web"], arguments].concat();
        let misused = lab.muxtray(&arguments).expect(2);
        assert!(
            !misused.stderr.is_empty() && misused.stdout.is_empty(),
            "{misused:?}"
        );
    }
    assert!(!lab.control_path("web").exists());
    lab.muxtray(["forward", "web"]).expect(1);
}

#[test]
fn forwardings_that_end_with_their_master_are_named() {
    let lab = Lab::good();
    let argument = format!("{}:h:9", Lab::free_port());
    let named = format!(
        "127.0.0.1:{} \u{2192} h:9",
        argument.split_once(':').unwrap().0
    );
    for command in [&["exit", "web"][..], &["stop", "web"], &["exit", "--all"]] {
        let mut master = lab.master("web");
        lab.muxtray(["forward", "web", "-L", &argument]).expect(0);
        let ended = lab.muxtray(command).expect(0).stdout;
        let text = format!("; with its forwardings {named}\n");
        assert!(ended.contains(&text), "{command:?}: {ended}");
        master.wait_for_end();
    }
}

#[test]
fn doctor_names_the_holder_of_a_configured_port() {
    let lab = Lab::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let free = Lab::free_port();
    lab.configure(&format!(
        "Host web\n{GOOD}    LocalForward {port} h:9\nHost db\n{GOOD}    LocalForward {free} h:9\n"
    ));
    let found = lab.doctor().finding("forward-port-taken");
    let evidence = found["evidence"].as_str().unwrap();
    let start = format!("LocalForward {port} cannot listen: 127.0.0.1:{port} is held by ");
    assert!(evidence.starts_with(&start), "{found:#}");
    drop(taken);
    // Its own master is no obstacle, that of another host is.
    lab.persisted_master("db", "60");
    assert!(
        !lab.doctor()
            .all_ids()
            .contains(&"forward-port-taken".to_owned())
    );
    lab.configure(&format!(
        "Host web\n{GOOD}    LocalForward {free} h:9\nHost db\n{GOOD}    LocalForward {free} h:9\n"
    ));
    let found = lab.doctor().finding("forward-port-taken");
    assert_eq!(found["subject"], "host web", "{found:#}");
    assert!(
        found["evidence"]
            .as_str()
            .unwrap()
            .contains("held by the master of db"),
        "{found:#}"
    );
}
