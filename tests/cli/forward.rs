//! Forwardings of real masters: shown as the kernel has them, added and cancelled.

use std::ffi::OsStr;
use std::net::{TcpListener, TcpStream};

use std::path::Path;

use muxtray::model::forwarding::{Forwarding, ForwardingKind};

use serde_json::{Value, json};

use crate::support::{GOOD, Lab, PATIENCE, Process, wait_for, wait_until};

/// A server that keeps its connections open and answers nothing.
struct Target(TcpListener);

impl Target {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

/// Makes a running master forward as `ssh -O forward` does.
#[track_caller]
fn by_ssh(lab: &Lab, request: &str, path: &Path, arguments: &[&str]) {
    let mut command = lab.ssh();
    command.arg("-S").arg(path).args(["-O", request]);
    command.args(arguments).arg("web");
    Process::run(command, PATIENCE).expect(0);
}

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
    let foreground = crate::support::Master::start(command, path.clone());
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
    by_ssh(&lab, "forward", &path, &["-L", &argument]);
    by_ssh(
        &lab,
        "forward",
        &path,
        &["-L", &format!("[::1]:{three}:{to}")],
    );
    let _client = TcpStream::connect(("127.0.0.1", one)).unwrap();
    let _accepted = target.0.accept().unwrap();
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
