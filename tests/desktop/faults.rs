//! What becomes of the applet when something around it fails: the session bus, the notification daemon, the panel's
//! register, the display, the clock, memory, standard error; or when it is stopped, or told to end in the middle of
//! something. The names are those of the modules:
//!
//! | fault | what happens | what a person sees | how it recovers |
//! | --- | --- | --- | --- |
//! | the session bus ends (`bus`) | without an icon it watches on; with one it ends with status 3, as the icon cannot be had again, and systemd starts it | a line in the log | on the next bus it is the one instance again, or ends where another is; what nobody could show is shown |
//! | the notification daemon hangs (`daemon`) | it is asked one thing and no more; menu and watch go on, and so does the end | one line in the log | its successor shows what is true then; what came too late is taken back |
//! | the daemon dies with a notice, or refuses one (`daemon`) | it is asked twice at most | one line in the log | the next daemon shows what was lost |
//! | the daemon gives absurd ids (`daemon`) | a button acts for the notice that is seen | | |
//! | the panel's register crashes in a loop (`register`) | no thread, descriptor or processor time more | no icon meanwhile | the icon is in the next panel, with the menu of then |
//! | the clock jumps (`clock`) | states stay; ages that cannot be told protect what may be young | nothing twice | |
//! | the machine sleeps (`clock`) | problems are seen at once, and told after 15 s | each once | |
//! | SIGSTOP, and events lost meanwhile (`stopped`) | after SIGCONT it looks at everything anew | each problem once | watches are set again |
//! | less memory than it needs (`memory`) | it works, waits without an icon or thread, or ends | a word | with more memory it goes on |
//! | a signal, a logout, the end of display, log or output (`ends`) | it ends in order within seconds; an open that has begun becomes a master, a clean that has begun is settled by the next | | no file of the first is left for the next |
//!
//! The faults are played by stand-ins that this program puts on the bus, and by signals to processes it started.
//! What is tested with a real panel and daemon elsewhere (`desktop`, `desktop_notices`, `desktop_register`) is not
//! repeated.

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

/// A desktop with nothing on it but the bus.
const BARE: Parts = Parts {
    display: false,
    panel: false,
    daemon: false,
};

/// The name by which muxtray is the one instance.
const NAME: &str = "io.github.muxtray.Muxtray";

/// `muxtray run --no-tray`, once it watches.
#[track_caller]
fn watching(desktop: &Desktop<'_>) -> Process {
    let muxtray = desktop.muxtray_run(&["--no-tray", "-v"]);
    wait_for_word(&muxtray, "no masters");
    muxtray
}

/// Waits until its log holds this.
#[track_caller]
fn wait_for_word(muxtray: &Process, word: &str) {
    let said = look_for(PATIENCE, || muxtray.stderr().contains(word).then_some(()));
    said.unwrap_or_else(|| panic!("it never says {word:?}: {}", muxtray.stderr()));
}

/// How often its log says this.
fn times(muxtray: &Process, word: &str) -> usize {
    muxtray.stderr().matches(word).count()
}

/// Sockets that nobody listens on, each at a host's ControlPath of its own.
#[track_caller]
fn break_hosts(lab: &Lab, hosts: &[&str]) {
    for host in hosts {
        lab.dead_socket(&lab.control_path(host));
    }
}

/// What a process has in use.
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
    // The name ends with the last bracket; utime and stime are the 14th and 15th field, of which it is the second.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..]
        .split_whitespace()
        .collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
