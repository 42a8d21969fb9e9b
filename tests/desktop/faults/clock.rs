//! The wall clock jumps, and the machine sleeps, in the program's view: the C library's clock gets an offset that the
//! test chooses. The kernel's own times, such as those of files, stay as they are.

use std::process::Command;
use std::time::{Duration, Instant};

use super::stand_in::{Manner, StandIn};
use super::{BARE, make_stale_sockets, wait_for_log};
use crate::desktop::{Desktop, end, has_programs, lab};
use crate::support::{Lab, PATH, PATIENCE, Process, Report, wait_until};

/// Adds the seconds in the file to clock_gettime(2): the first number to the wall clock, the second to the time asleep.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *time)
{
    int result = syscall(SYS_clock_gettime, id, time);
    long wall = 0, slept = 0;
    const char *name = getenv("MUXTRAY_TEST_CLOCK");
    FILE *file = name ? fopen(name, "re") : NULL;
    if (file) {
        if (fscanf(file, "%ld %ld", &wall, &slept) != 2)
            wall = slept = 0;
        fclose(file);
    }
    if (id == CLOCK_REALTIME)
        time->tv_sec += wall;
    if (id == CLOCK_BOOTTIME)
        time->tv_sec += slept;
    return result;
}
"#;

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

/// The clock of the programs started with it.
struct Clock<'a> {
    lab: &'a Lab,
}

impl<'a> Clock<'a> {
    /// Builds the library. Returns `None`, with a message, without a C compiler (which has linked this program).
    fn new(test: &str, lab: &'a Lab) -> Option<Self> {
        if !has_programs(test, &["cc"]) {
            return None;
        }
        let source = lab.write("clock.c", CLOCK);
        let mut compiler = Command::new("cc");
        compiler
            .env("PATH", PATH)
            .args(["-shared", "-fPIC", "-o"])
            .arg(lab.path("clock.so"))
            .arg(source);
        Process::run(compiler, PATIENCE).expect(0);
        let clock = Self { lab };
        clock.set(0, 0);
        Some(clock)
    }

    /// Sets the offsets in seconds: of the wall clock, and the time asleep.
    fn set(&self, wall: i64, slept: i64) {
        let new = self.lab.write("clock.new", format!("{wall} {slept}\n"));
        std::fs::rename(new, self.lab.path("clock")).unwrap();
    }

    fn give(&self, mut command: Command) -> Command {
        command
            .env("LD_PRELOAD", self.lab.path("clock.so"))
            .env("MUXTRAY_TEST_CLOCK", self.lab.path("clock"));
        command
    }

    #[track_caller]
    fn watching(&self, desktop: &Desktop<'_>) -> Process {
        let command = self.lab.muxtray_command(["-v", "run", "--no-tray"]);
        let muxtray = Process::start(desktop.join(self.give(command)));
        wait_for_log(&muxtray, "master");
        muxtray
    }

    #[track_caller]
    fn muxtray(&self, words: &[&str]) -> Report {
        let command = self.give(self.lab.muxtray_command(words));
        Report::of(&Process::run(command, PATIENCE))
    }
}

#[test]
fn clock_jump_changes_no_state_and_repeats_no_notice() {
    let test = "clock_jump_changes_no_state_and_repeats_no_notice";
    let Some(lab) = lab(test) else {
        return;
    };
    let Some(clock) = Clock::new(test, &lab) else {
        return;
    };
    lab.configure("Host one\nHost two");
    let desktop = Desktop::new(&lab, BARE);
    let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    let _running = lab.master("build");
    let muxtray = clock.watching(&desktop);
    let mut titles = Vec::new();
    for (offset, host) in [
        (YEAR, "web"),
        (-YEAR, "db"),
        (3 * HOUR, "one"),
        (-3 * HOUR, "two"),
    ] {
        clock.set(offset, 0);
        make_stale_sockets(&lab, &[host]);
        titles.push(format!("{host}: stale control socket"));

        daemon.wait_for_shown(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        let seen = clock.muxtray(&["list", "--json"]);
        assert_eq!(seen.at(&lab.control_path("build")).state(), "running");
        assert_eq!(seen.at(&lab.control_path(host)).state(), "stale");
    }
    end(muxtray);
}

#[test]
fn clock_set_back_hides_no_orphan_and_keeps_young_leftover() {
    let test = "clock_set_back_hides_no_orphan_and_keeps_young_leftover";
    let Some(lab) = lab(test) else {
        return;
    };
    let Some(clock) = Clock::new(test, &lab) else {
        return;
    };
    let master = lab.master("web");
    let path = lab.control_path("web");
    let young = lab.leftover(&lab.control_path("db"), Duration::from_secs(1));
    std::fs::remove_file(&path).unwrap();
    clock.set(-YEAR, 0);
    let seen = clock.muxtray(&["list", "--json"]);
    assert_eq!(seen.at(&path).state(), "orphaned");
    let mut clean = clock.give(lab.muxtray_command(["clean"]));
    clean.arg(&young);
    Process::run(clean, PATIENCE).expect(1);
    assert!(young.exists(), "it may be a start of a second ago");
    drop(master);
}

#[test]
fn problem_after_sleep_is_announced_once_after_delay() {
    let test = "problem_after_sleep_is_announced_once_after_delay";
    let Some(lab) = lab(test) else {
        return;
    };
    let Some(clock) = Clock::new(test, &lab) else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    let muxtray = clock.watching(&desktop);
    clock.set(8 * HOUR, 8 * HOUR);
    let begun = Instant::now();
    make_stale_sockets(&lab, &["web"]);
    wait_for_log(&muxtray, "resumed after");
    wait_for_log(&muxtray, "no masters, 1 problem");
    wait_until("the notification is shown", PATIENCE, || {
        !daemon.shown().is_empty()
    });
    assert!(begun.elapsed() >= Duration::from_secs(15), "too early");
    make_stale_sockets(&lab, &["db"]);
    daemon.wait_for_shown(&["web: stale control socket", "db: stale control socket"]);
    end(muxtray);
}
