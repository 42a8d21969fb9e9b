//! The names of masters that the ssh configuration does not explain, with real ssh.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Lab, PATIENCE, Process, is_listening, is_socket, process_state, wait_for, wait_until,
};

/// The hosts, destination and program of the socket.
#[track_caller]
fn name(lab: &Lab, path: &Path) -> [Value; 3] {
    let socket = lab.list().at(path).0;
    ["hosts", "destination", "managed_by"].map(|key| socket[key].clone())
}

fn own_sockets(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| is_socket(path)).collect()
}

#[test]
fn masters_of_programs_are_labelled_and_left_out_of_all() {
    let lab = Lab::new();
    let hash = "0123456789abcdef0123456789abcdef01234567";
    let mut masters: Vec<_> = [
        (format!("tmp/tramp.Ab12Cd.{hash}"), "tramp"),
        ("tmp/zed-ssh-sessionAb12/ssh.sock".to_owned(), "zed"),
        ("tmp/vagrant-rsync-1/ssh".to_owned(), "vagrant"),
        (format!("run/gvfsd-sftp/{hash}"), "gvfs"),
        (
            "state/.ssh-connectionAb12/master".to_owned(),
            "rust-openssh",
        ),
        // Only the kernel knows these.
        (
            "other/nixos-rebuild.Ab1/ssh-web".to_owned(),
            "nixos-rebuild",
        ),
        ("cp/0a1b2c3d4e".to_owned(), "ansible"),
    ]
    .map(|(name, program)| {
        let path = lab.write(Path::new(&name).with_file_name("x"), "");
        fs::remove_file(path).unwrap();
        (lab.master_at(&lab.path(&name)), program)
    })
    .into();
    for (master, program) in &masters {
        let [hosts, _, managed_by] = name(&lab, master.path());
        assert_eq!((hosts, managed_by), (json!(["web"]), json!(program)));
    }
    lab.muxtray(["exit", "--all", "--force"]).expect(0);
    for (master, program) in &mut masters {
        assert!(master.is_running(), "{program}");
    }
    let checked = lab.muxtray(["check"]).expect(0).stdout;
    assert_eq!(
        checked,
        "no control sockets; 7 sockets of other programs left out (--managed)\n"
    );
    // Its program removes the socket, so no fix promises to.
    let (dead, _) = &mut masters[0];
    dead.kill();
    let finding = lab.doctor().at(dead.path()).0["findings"][0].clone();
    assert_eq!(
        (&finding["id"], &finding["fixable"]),
        (&json!("stale"), &json!(false))
    );
    let said = lab.muxtray(["doctor", "--fix"]);
    assert!(!said.stdout.contains("doctor --fix"), "{said:#?}");
    assert!(dead.path().symlink_metadata().is_ok());
}

#[test]
fn master_is_named_by_the_program_that_started_it() {
    let lab = Lab::new();
    let path = lab.path("s/of-emacs.sock");
    lab.configure(&format!(
        "Host *\n    ControlPath {}/%C\n",
        lab.path("s").display()
    ));
    let script = format!(
        "ssh -F {} -N -M -S {} web\nexit 0",
        lab.path("ssh_config").display(),
        path.display()
    );
    lab.make_directory("bin");
    let emacs = lab.script("bin/emacs-gtk", &script);
    let _emacs = Process::start(lab.command(emacs));
    wait_until("its master listens", PATIENCE, || {
        is_socket(&path) && is_listening(&path)
    });
    wait_until("it has the program's name", PATIENCE, || {
        name(&lab, &path)[2] == "tramp"
    });
}

#[test]
fn master_keeps_its_hosts_name_when_the_path_changes() {
    let lab = Lab::new();
    let path = |alias: &str| {
        format!(
            "Host {alias}\n    ControlPath {}/%C\n",
            lab.path("s").display()
        )
    };
    lab.configure(&path("web"));
    let mut command = lab.ssh();
    command.args(["-N", "-M", "web"]);
    let mut master = Process::start(command);
    let old = wait_for("the master listens", PATIENCE, || {
        let mut sockets = own_sockets(&lab.path("s")).into_iter();
        // Not the temporary name.
        sockets.find(|path| is_listening(path) && path.extension().is_none())
    });
    lab.configure(&format!("{}    HostName 127.0.0.2\n", path("web")));

    let destination = json!(format!("127.0.0.1:{}", lab.port));
    assert_eq!(name(&lab, &old), [json!(["web"]), destination, Value::Null]);
    lab.muxtray(["check", "web"]).expect(0);
    // The master at the path of the configuration comes first.
    lab.configure("Host web\n    ControlPersist 600\n");
    let new = lab.master("web");
    lab.muxtray(["exit", "web"]).expect(0);
    assert!(!is_socket(new.path()) && master.is_running());
    lab.muxtray(["exit", "web"]).expect(0);
    assert!(!is_socket(&old));
    wait_until("the master has ended", PATIENCE, || !master.is_running());
}

#[test]
fn persisted_master_elsewhere_is_named_by_its_address() {
    let lab = Lab::new();
    let pid = lab.persisted_master("web", "600");
    let old = lab.control_path("web");
    let only = |alias: &str| {
        let (path, options) = (lab.path("s"), lab.connection_options());
        format!(
            "Host {alias}\n    ControlPath {}/%C\n{options}",
            path.display()
        )
    };
    lab.write("ssh_config", only("new"));
    assert_eq!(
        name(&lab, &old),
        [json!(["new"]), json!(lab.destination()), Value::Null]
    );
    // Two hosts with one address: no guess.
    lab.write("ssh_config", format!("{}{}", only("new"), only("newer")));
    let [hosts, destination, _] = name(&lab, &old);
    assert_eq!(
        (hosts, destination),
        (json!([]), json!(format!("127.0.0.1:{}", lab.port)))
    );
    assert!(process_state(pid).is_some());
}

/// `%n` of a pattern matches the `%C` of every host, too.
#[test]
fn hash_in_a_path_is_no_host_name() {
    let lab = Lab::new();
    let at = |host: &str, name: &str| {
        let (path, options) = (lab.path("s"), lab.connection_options());
        format!(
            "Host {host}\n    ControlPath {}/{name}\n{options}",
            path.display()
        )
    };
    let (pod, any) = (at("*.pod", "%n"), at("*", "%C"));
    lab.write("ssh_config", format!("{pod}{any}"));
    let destination = lab.destination();
    lab.muxtray(["open", &destination]).expect(0);
    let report = lab.list();
    let [socket] = report.json["sockets"].as_array().unwrap().as_slice() else {
        panic!("{:#}", report.json);
    };
    assert_eq!(socket["destination"], json!(destination), "{socket:#}");
}

#[test]
fn master_of_a_removed_host_keeps_its_name() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    lab.list();
    lab.persisted_master("web", "600");
    let other = format!(
        "Host other\n    HostName 127.0.0.9\n    ControlPath {}/%C\n",
        lab.path("s").display()
    );
    lab.write("ssh_config", &other);
    let expected = [json!(["web"]), json!(lab.destination()), Value::Null];
    assert_eq!(name(&lab, &path), expected);
    lab.write("ssh_config", format!("{other}    Compression yes\n"));
    assert_eq!(name(&lab, &path), expected);
    lab.muxtray(["check", "web"]).expect(0);
    lab.muxtray(["exit", "web"]).expect(0);
    assert!(!is_socket(&path));
}

#[test]
fn masters_with_one_name_are_printed_with_their_paths() {
    let lab = Lab::new();
    let first = lab.master("web");
    let line = |path: &Path| format!("web ({}): ", path.display());
    let checked = lab.muxtray(["check"]).expect(0).stdout;
    assert!(checked.starts_with("web: "), "{checked}");
    let second = lab.master_at(&lab.path("s/second"));
    for arguments in [&["check"][..], &["exit", "--all"]] {
        let printed = lab.muxtray(arguments).expect(0).stdout;
        for master in [&first, &second] {
            assert!(printed.contains(&line(master.path())), "{printed}");
        }
    }
}

#[test]
fn master_with_two_names_ends_once() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let other = lab.control_path("db");
    fs::hard_link(master.path(), &other).unwrap();
    let said = lab.muxtray(["exit", "--all"]).expect(0).stdout;
    assert!(
        said.ends_with("1 master ended, 1 socket cleaned\n"),
        "{said}"
    );
    master.wait_for_end();
    assert!(!is_socket(&other) && !is_socket(master.path()));
}

#[test]
fn dead_master_outside_every_pattern_is_stale_with_its_name() {
    let lab = Lab::new();
    lab.configure(&format!(
        "Host *\n    ControlPath {}/%C\n",
        lab.path("s").display()
    ));
    let mut master = lab.master_at(&lab.path("home/one-off"));
    let mut watch = Process::start(lab.muxtray_command(["run", "--no-tray"]));
    let seen = lab.path("state/muxtray/seen-masters.json");
    wait_until("the watcher has seen it", PATIENCE, || seen.exists());
    master.kill();
    let socket = lab.list().at(master.path()).0;
    assert_eq!(
        (&socket["state"], &socket["hosts"]),
        (&json!("stale"), &json!(["web"]))
    );
    lab.muxtray(["clean", "web"]).expect(0);
    assert!(!is_socket(master.path()));
    wait_until("the watcher has forgotten it", PATIENCE, || {
        fs::read_to_string(&seen).is_ok_and(|text| text == "[]")
    });
    watch.kill();
}
