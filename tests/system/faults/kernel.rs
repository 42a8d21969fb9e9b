//! A kernel that reveals less than usual: hidden processes, no `/proc`, no netlink.

use serde_json::Value;

use super::{RUN, end, orderly, wait_for_line};
use crate::support::{
    Behaviour, Denied, Lab, Listener, Master, PATIENCE, Process, Report, Session, User, is_socket,
    skip, wait_until,
};

/// A socket in each state that a scan can find without waiting.
struct States {
    lab: Lab,
    running: Master,
    stopped: Master,
    stale: Master,
    orphan: Master,
    foreign: Listener,
    session: Session,
}

impl States {
    fn new() -> Self {
        let lab = Lab::new();
        lab.configure("Host asleep\nHost lost\nHost other\n");
        let (running, stopped) = (lab.master("web"), lab.master("asleep"));
        let (mut stale, orphan) = (lab.master("db"), lab.master("lost"));
        let session = running.session(&lab);
        stopped.suspend();
        stale.kill();
        std::fs::remove_file(orphan.path()).unwrap();
        let foreign = Listener::foreign(&lab, &lab.control_path("other"), Behaviour::Silent);
        let states = Self {
            lab,
            running,
            stopped,
            stale,
            orphan,
            foreign,
            session,
        };
        assert_eq!(
            states.named(&states.lab.list()),
            ["orphaned", "unresponsive", "foreign", "stale", "running"]
        );
        states
    }

    /// The state of each, in this order: orphan, stopped, foreign, stale, running.
    #[track_caller]
    fn named(&self, report: &Report) -> [String; 5] {
        [
            self.orphan.path(),
            self.stopped.path(),
            self.foreign.path(),
            self.stale.path(),
            self.running.path(),
        ]
        .map(|path| report.at(path).state().to_owned())
    }

    /// Asserts that no master was connected to or signalled, and nothing removed.
    #[track_caller]
    fn assert_untouched(mut self) {
        assert_eq!(self.foreign.accepted(), 0);
        for path in [self.running.path(), self.stopped.path(), self.stale.path()] {
            assert!(is_socket(path), "{}", path.display());
        }
        for master in [&mut self.running, &mut self.stopped, &mut self.orphan] {
            assert!(master.is_running());
        }
        assert!(self.foreign.is_running() && self.session.is_open());
    }
}

/// Path, state, process and sessions of every socket.
fn summary(report: &Report) -> Vec<[Value; 4]> {
    let sockets = report.sockets().into_iter();
    sockets
        .map(|socket| ["path", "state", "pid", "sessions"].map(|key| socket.0[key].clone()))
        .collect()
}

const HIDE: &str = "mount -t proc -o hidepid=2 proc /proc";

#[test]
fn hidden_processes_of_others_change_no_state() {
    let name = "hidden_processes_of_others_change_no_state";
    let states = States::new();
    let lab = &states.lab;
    let seen = lab.list();
    let hidden = match lab.muxtray_below_mounts(HIDE, ["list", "--json"]) {
        Ok(finished) => Report::of(&finished),
        Err(why) => return skip(name, &why),
    };
    // Only an orphan cannot be recognised: with other mounts this counts as another mount namespace.
    let mut seen = summary(&seen);
    seen.retain(|[_, state, ..]| state != "orphaned");
    assert_eq!(summary(&hidden), seen);
    states.assert_untouched();
}

#[test]
fn hidden_listener_process_is_neither_stale_nor_signalled() {
    let name = "hidden_listener_process_is_neither_stale_nor_signalled";
    let lab = Lab::new();
    let mut master = Listener::called_ssh(&lab, &lab.control_path("web"), Behaviour::Hidden);
    let strangers = User::tests_are_root().then(|| {
        let listener = Listener::of_root(&lab.control_path("db"), Behaviour::Silent);
        User::get().own(listener.path());
        listener
    });
    let hidden = |arguments: &[&str]| lab.muxtray_below_mounts(HIDE, arguments);
    let report = match hidden(&["list", "--json"]) {
        Ok(finished) => Report::of(&finished),
        Err(why) => return skip(name, &why),
    };
    let socket = report.at(master.path());
    assert_eq!(
        (socket.state(), &socket.0["pid"]),
        ("running", &Value::Null)
    );
    if let Some(strangers) = &strangers {
        assert_eq!(report.at(strangers.path()).state(), "foreign");
        assert_eq!(strangers.accepted(), 0);
    }
    let path = master.path().to_str().unwrap().to_owned();
    let output = hidden(&["exit", "--end-process", "--force", &path]).unwrap();
    assert_eq!(output.code(), 3, "{output:#?}");
    let refusal = "web: left alone: the process that holds its listener cannot be determined";
    assert!(output.stdout.contains(refusal), "{output:#?}");
    hidden(&["clean"]).unwrap().expect(0);
    assert!(master.is_running() && is_socket(master.path()));
}

#[test]
fn without_proc_no_listening_socket_is_stale() {
    let name = "without_proc_no_listening_socket_is_stale";
    let states = States::new();
    let no_proc = "mount -t tmpfs tmpfs /proc";
    let report = match states.lab.muxtray_below_mounts(no_proc, ["list", "--json"]) {
        Ok(finished) => Report::parse(&finished.stdout),
        Err(why) => return skip(name, &why),
    };
    // The listening program, and whether it is stopped, cannot be known.
    for path in [
        states.running.path(),
        states.stopped.path(),
        states.foreign.path(),
    ] {
        assert_eq!(report.at(path).state(), "running", "{:#}", report.json);
    }
    assert_eq!(report.at(states.stale.path()).state(), "stale");
    assert!(report.all_at(states.orphan.path()).is_empty());
    states.assert_untouched();
}

#[test]
fn without_sock_diag_states_are_right() {
    let name = "without_sock_diag_states_are_right";
    let states = States::new();
    let lab = &states.lab;
    let command = match lab.muxtray_denied(&[Denied::Netlink], ["list", "--json"]) {
        Ok(command) => command,
        Err(why) => return skip(name, &why),
    };
    let output = orderly(command);
    assert_eq!(output.stderr.matches("sock_diag").count(), 1, "{output:#?}");
    let report = Report::parse(&output.stdout);
    assert_eq!(summary(&report), summary(&lab.list()));
    states.assert_untouched();
}

#[test]
fn without_netlink_watcher_logs_once_and_watches() {
    let name = "without_netlink_watcher_logs_once_and_watches";
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 3600\n");
    let command = match lab.muxtray_denied(&[Denied::Netlink], RUN) {
        Ok(command) => command,
        Err(why) => return skip(name, &why),
    };
    let mut run = Process::start(command);
    wait_for_line(&mut run, 0, "no masters");
    let mut master = lab.master("web");
    wait_for_line(&mut run, 0, "1 master");
    let before = run.stderr().len();
    master.kill();
    wait_for_line(&mut run, before, "no masters, 1 problem");
    let before = run.stderr().len();
    lab.muxtray(["clean", "web"]).expect(0);
    wait_for_line(&mut run, before, "no masters\n");
    wait_until(
        "the log has the missing network events once",
        PATIENCE,
        || run.stderr().matches("network: not watched").count() == 1,
    );
    let output = end(run);
    assert_eq!(output.stderr.matches("sock_diag").count(), 1, "{output:#?}");
}
