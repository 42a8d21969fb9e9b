//! The applet when something around it fails: the session bus, the notification daemon, the panel's register, the
//! display, the clock, memory, standard error; or when it is stopped, or ended in the middle of an action. The names
//! are those of the modules:
//!
//! | fault | effect | message | recovery |
//! | --- | --- | --- | --- |
//! | the session bus ends (`bus`) | without an icon it watches on; with an icon it ends with status 3, as it cannot register again, and systemd restarts it | a line in the log | on the next bus it is the one instance again, or ends if another one is; pending notifications are shown |
//! | the notification daemon hangs (`daemon`) | one request is sent, no more; menu and watch go on, and the applet can end | one line in the log | the next daemon shows the current problems; a notification that came too late is closed |
//! | the daemon ends while it shows a notice, or refuses one (`daemon`) | it is asked twice at most | one line in the log | the next daemon shows the lost notice |
//! | the daemon gives absurd ids (`daemon`) | a button acts for the visible notice | | |
//! | the panel's register crashes in a loop (`register`) | no more threads, descriptors or processor time | no icon meanwhile | the icon is in the next panel, with the current menu |
//! | the clock jumps (`clock`) | states stay; with an unknown age a socket is protected as if young | nothing twice | |
//! | the machine sleeps (`clock`) | problems are seen at once, and announced after 15 s | each once | |
//! | SIGSTOP, and lost events (`stopped`) | after SIGCONT it looks at everything again | each problem once | watches are set again |
//! | less memory than it needs (`memory`) | it works, waits without an icon or thread, or ends | an error message | with more memory it goes on |
//! | a signal, a logout, the end of display, log or output (`ends`) | it ends in order within seconds; a started open becomes a master, a started clean is settled by the next | | no file is left for the next start |
//!
//! Test programs on the bus, and signals to processes started here, cause the faults. Cases that other modules test
//! with a real panel and daemon (`menu`, `notices`, `register`) are not repeated.

mod bus;
mod clock;
mod daemon;
mod ends;
mod memory;
mod register;
mod stand_in;
mod stopped;

use std::fs;

use crate::desktop::{Desktop, Parts};
use crate::support::{Lab, PATIENCE, Process, look_for, threads};

/// A desktop with nothing but the bus.
const BARE: Parts = Parts {
    display: false,
    panel: false,
    daemon: false,
};

/// The bus name of the one instance.
const NAME: &str = "io.github.muxtray.Muxtray";

/// `muxtray run --no-tray`, once it watches.
#[track_caller]
fn watching(desktop: &Desktop<'_>) -> Process {
    let muxtray = desktop.muxtray_run(&["--no-tray", "-v"]);
    wait_for_log(&muxtray, "no masters");
    muxtray
}

#[track_caller]
fn wait_for_log(muxtray: &Process, word: &str) {
    let output = look_for(PATIENCE, || muxtray.stderr().contains(word).then_some(()));
    output.unwrap_or_else(|| panic!("its log never holds {word:?}: {}", muxtray.stderr()));
}

/// The number of times its log holds this.
fn times(muxtray: &Process, word: &str) -> usize {
    muxtray.stderr().matches(word).count()
}

/// Stale sockets, one at each host's ControlPath.
#[track_caller]
fn make_stale_sockets(lab: &Lab, hosts: &[&str]) {
    for host in hosts {
        lab.dead_socket(&lab.control_path(host));
    }
}

/// The resources of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Usage {
    threads: usize,
    descriptors: usize,
}

impl Usage {
    fn of(process: &Process) -> Self {
        let pid = process.pid();
        Self {
            threads: threads(pid),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        }
    }

    fn is_at_most(self, other: Self) -> bool {
        self.threads <= other.threads && self.descriptors <= other.descriptors
    }
}

/// The processor time that a process has used, in hundredths of a second.
fn ticks(process: &Process) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid())).unwrap();
    // The name ends with the last bracket; utime and stime are the 14th and 15th field, the name being the second.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..]
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
