//! A master ends when its ControlPersist time is over, even while muxtray scans every second.

use std::time::{Duration, Instant};

use crate::support::{Lab, PATIENCE, Process, process_state, wait_until};
use nix::sys::signal::Signal;

/// The ControlPersist time of these tests' masters.
const PERSIST: Duration = Duration::from_secs(6);

/// ssh counts whole seconds of the clock (`monotime()` in misc.c), so a master may end so much earlier.
const PART_OF_A_SECOND: Duration = Duration::from_secs(1);

/// Tolerance for a busy machine.
const SLACK: Duration = Duration::from_secs(20);

/// Starts a master while `watcher` runs; `sees_it` reports if the watcher has seen the master. Demands that the master
/// ends on time.
fn ends_on_time_under(lab: &Lab, watcher: &mut Process, sees_it: impl Fn(&Process) -> bool) {
    let persist = PERSIST.as_secs().to_string();
    let start = Instant::now();
    let pid = lab.persisted_master("web", &persist);
    wait_until("the watcher has seen the master", PERSIST, || {
        sees_it(watcher)
    });
    wait_until("the master has ended", PERSIST + SLACK, || {
        process_state(pid).is_none()
    });
    let lived = start.elapsed();
    let is_on_time = lived + PART_OF_A_SECOND >= PERSIST;
    assert!(is_on_time, "it ended early, after {lived:?}");
    assert!(watcher.is_running(), "{}", watcher.stderr());
    assert!(!lab.control_path("web").exists());
}

#[test]
fn persisted_master_ends_on_time_under_list_watch() {
    let lab = Lab::new();
    let mut watch = Process::start(lab.muxtray_command(["list", "--watch", "--json"]));
    watch.wait_for_output("\"schema\"", PATIENCE);
    ends_on_time_under(&lab, &mut watch, |watch| {
        watch.stdout().contains("\"running\"")
    });
}

#[test]
fn persisted_master_ends_on_time_under_the_watcher() {
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 1\n");
    let mut run = Process::start(lab.muxtray_command(["run", "--no-tray", "-v"]));
    wait_until("it has looked once", PATIENCE, || {
        assert!(run.is_running(), "{}", run.stderr());
        run.stderr().contains("no masters")
    });
    ends_on_time_under(&lab, &mut run, |run| run.stderr().contains("1 master"));
    run.signal(Signal::SIGTERM);
    run.finish(PATIENCE).expect(0);
}

/// The reference for the two tests above: alive checks keep a master running, so a watcher that sent them would fail.
#[test]
fn alive_checks_keep_a_persisted_master_running() {
    let lab = Lab::new();
    let persist = PERSIST.as_secs().to_string();
    let pid = lab.persisted_master("web", &persist);
    let start = Instant::now();
    wait_until("its time is over twice", PATIENCE, || {
        lab.ssh_request("check", &lab.control_path("web")).expect(0);
        start.elapsed() > PERSIST * 2
    });
    assert!(process_state(pid).is_some());
}
