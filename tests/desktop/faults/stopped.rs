//! muxtray itself is stopped for a while, by SIGSTOP or a busy machine, and events are lost meanwhile.

use std::fs::{self, File};

use nix::sys::signal::Signal;

use super::stand_in::{Manner, StandIn};
use super::{BARE, make_stale_sockets, wait_for_log, watching};
use crate::desktop::{Desktop, end, lab};
use crate::support::{PATIENCE, Process, process_state, wait_until};

/// The number of events that fit into an inotify instance.
fn longest_queue() -> usize {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    limit.trim().parse().unwrap()
}

#[test]
fn continued_after_stop_shows_current_state_and_announces_each_problem_once() {
    let test = "continued_after_stop_shows_current_state_and_announces_each_problem_once";
    let Some(lab) = lab(test) else {
        return;
    };
    lab.configure("Host other");
    let desktop = Desktop::new(&lab, BARE);
    let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    let muxtray = watching(&desktop);
    let (mut web, _db) = (lab.master("web"), lab.master("db"));
    wait_for_log(&muxtray, "2 masters");
    let mut titles = vec!["web: stale control socket"];
    stop(&muxtray);
    web.kill();
    muxtray.signal(Signal::SIGCONT);
    daemon.wait_for_shown(&titles);
    wait_for_log(&muxtray, "1 master, 1 problem");

    stop(&muxtray);
    // The queue overflows before the event that matters. No socket could have these names.
    let noise = lab.path("s/noise");
    for _ in 0..=longest_queue() / 2 {
        File::create(&noise).unwrap();
        fs::remove_file(&noise).unwrap();
    }
    make_stale_sockets(&lab, &["build"]);
    muxtray.signal(Signal::SIGCONT);
    titles.push("build: stale control socket");
    daemon.wait_for_shown(&titles);

    // The watches lost by the overflow are set again: no timer would see this within the hour.
    make_stale_sockets(&lab, &["other"]);
    titles.push("other: stale control socket");
    daemon.wait_for_shown(&titles);
    end(muxtray);
}

fn stop(muxtray: &Process) {
    muxtray.signal(Signal::SIGSTOP);
    wait_until("it is stopped", PATIENCE, || {
        process_state(muxtray.pid()) == Some('T')
    });
}
