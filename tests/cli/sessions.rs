//! The processes of sessions, and `muxtray keep`.

use serde_json::{Value, json};

use crate::support::{Lab, Master, PATIENCE, Process, is_listening, wait_until};

/// The clients of the one master in `list --json`.
#[track_caller]
fn clients(lab: &Lab, master: &Master) -> Vec<Value> {
    let socket = lab.list().at(master.path()).0.clone();
    socket["clients"].as_array().expect("clients").clone()
}

#[test]
fn clients_are_named_by_program_and_pid() {
    let lab = Lab::new();
    let master = lab.master("web");
    assert_eq!(clients(&lab, &master), [Value::Null; 0]);
    let session = master.session(&lab);
    let found = clients(&lab, &master);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0]["pid"].is_i64() && found[0]["since"].is_string(),
        "{found:?}"
    );
    assert_eq!(lab.list().at(master.path()).0["sessions"], 1);
    let refused = lab.muxtray(["exit", "web"]).expect(1);
    let program = found[0]["program"].as_str().unwrap();
    assert!(
        refused.stdout.contains(&format!(": {program}")),
        "{refused:?} {found:?}"
    );
    let checked = lab.muxtray(["check", "web"]).expect(0);
    assert!(
        checked.stdout.contains(&format!("({program}")),
        "{checked:?}"
    );
    session.close();
}

/// A session in a terminal is that of ssh, and one that another program started is that program's.
#[test]
fn program_of_a_session_is_the_one_that_the_user_started() {
    let lab = Lab::new();
    let master = lab.master("web");
    let git = lab.script("git", "ssh \"$@\" sleep 600; exit");
    let mut command = lab.command(&git);
    let ssh = lab.ssh();
    command.args(ssh.get_args()).arg("web");
    let mut git = Process::start(command);
    wait_until("the session is open", PATIENCE, || {
        clients(&lab, &master).len() == 1
    });
    assert_eq!(clients(&lab, &master)[0]["program"], "git");
    assert_eq!(clients(&lab, &master)[0]["tty"], Value::Null);
    git.kill();
}

#[test]
fn keep_holds_a_master_that_would_end() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlPersist 5\n");
    lab.muxtray(["open", "web"]).expect(0);
    let path = lab.control_path("web");
    let mut keep = Process::start(lab.muxtray_command(["keep", "web", "--for", "7s"]));
    keep.wait_for_output("web: kept open for 7 s", PATIENCE);
    let socket = lab.list().at(&path).0.clone();
    let shown = ["sessions", "kept", "clients"].map(|field| socket[field].clone());
    assert_eq!(shown, [json!(0), json!(true), json!([])]);
    let said = keep.finish(PATIENCE).expect(0);
    assert!(
        said.stdout.ends_with("web: no longer kept open\n"),
        "{said:?}"
    );
    assert!(is_listening(&path), "ControlPersist has ended it");
    wait_until("ControlPersist ends it", PATIENCE, || !path.exists());
}

#[test]
fn keep_ends_with_the_master_and_blocks_no_exit() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let mut keep = Process::start(lab.muxtray_command(["keep", "web"]));
    keep.wait_for_output("web: kept open", PATIENCE);
    lab.muxtray(["exit", "web"]).expect(0);
    master.wait_for_end();
    let said = keep.finish(PATIENCE).expect(1);
    assert!(
        said.stdout.ends_with("web: the master has ended\n"),
        "{said:?}"
    );
    for (host, code) in [("web", 1), ("nowhere", 1)] {
        lab.muxtray(["keep", host]).expect(code);
    }
    for time in ["0s", "x", "1000y"] {
        lab.muxtray(["keep", "web", "--for", time]).expect(2);
    }
    let kitty = lab.master_at(&lab.path("run/kssh-4711-0a1b2c"));
    let said = lab
        .muxtray(["keep", kitty.path().to_str().unwrap()])
        .expect(1);
    assert!(said.stdout.contains("kitty"), "{said:?}");
}

/// `list --watch` sees the end of a session by its process.
#[test]
fn end_by_control_persist_is_known_after_the_last_session() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlPersist 600\n");
    lab.muxtray(["open", "web"]).expect(0);
    let mut watch = Process::start(lab.muxtray_command(["list", "--json", "--watch"]));
    let last = |watch: &Process| -> Value {
        let text = watch.stdout();
        let line = text.lines().last().unwrap_or("{}");
        let json: Value = serde_json::from_str(line).unwrap_or_default();
        json["sockets"][0].clone()
    };
    wait_until("the master is listed", PATIENCE, || {
        last(&watch)["pid"].is_i64()
    });
    assert_eq!(
        last(&watch)["ends_at"],
        Value::Null,
        "its start was not seen"
    );
    let mut command = lab.ssh();
    command.args(["web", "cat"]);
    let mut session = Process::start_with_open_input(command);
    wait_until("the session is listed", PATIENCE, || {
        last(&watch)["sessions"] == 1
    });
    assert_eq!(last(&watch)["ends_at"], Value::Null);
    session.kill();
    wait_until("the end is known", PATIENCE, || {
        last(&watch)["ends_at"].is_string()
    });
    assert_eq!(last(&watch)["sessions"], 0);
    watch.kill();
}

#[test]
fn no_stranded_master_to_reconnect() {
    let lab = Lab::new();
    lab.master("web");
    let said = lab.muxtray(["open", "--all-stranded"]).expect(0);
    assert_eq!(said.stdout, "no stranded masters\n");
    let said = lab.muxtray(["open", "--all-stranded", "--json"]).expect(0);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["results"], json!([]));
    lab.muxtray(["open"]).expect(2);
    lab.muxtray(["open", "web", "--all-stranded"]).expect(2);
}
