//! muxtray itself is stopped for a while, by SIGSTOP or a machine without time, and events are lost meanwhile.

use std::fs::{self, File};

use nix::sys::signal::Signal;

use super::stand_in::{Manner, StandIn};
use super::{BARE, break_hosts, wait_for_word, watching};
use crate::desktop::{Desktop, end, lab};
use crate::support::{PATIENCE, Process, process_state, wait_until};

/// So many events fit into an inotify instance.
fn longest_queue() -> usize {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    limit.trim().parse().unwrap()
}

#[test]
fn once_it_goes_on_it_shows_what_is_true_and_tells_each_problem_once() {
    let test = "once_it_goes_on_it_shows_what_is_true_and_tells_each_problem_once";
    let Some(lab) = lab(test) else {
        return;
    };
    lab.configure("Host other");
    let desktop = Desktop::new(&lab, BARE);
    let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    let muxtray = watching(&desktop);
    let (mut web, _db) = (lab.master("web"), lab.master("db"));
    wait_for_word(&muxtray, "2 masters");
    let mut titles = vec!["web: stale control socket"];
    stop(&muxtray);
    web.kill();
    muxtray.signal(Signal::SIGCONT);
    daemon.wait_for_shown(&titles);
    wait_for_word(&muxtray, "1 master, 1 problem");

    stop(&muxtray);
    // So many events in the directory of the sockets that the queue overflows before what matters. The names are none
    // that a socket could have.
    let noise = lab.path("s/noise");
    for _ in 0..=longest_queue() / 2 {
        File::create(&noise).unwrap();
        fs::remove_file(&noise).unwrap();
    }
    break_hosts(&lab, &["build"]);
    muxtray.signal(Signal::SIGCONT);
    titles.push("build: stale control socket");
    daemon.wait_for_shown(&titles);

    // The watches that the overflow cost are there again: no timer would see this within the hour.
    break_hosts(&lab, &["other"]);
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
