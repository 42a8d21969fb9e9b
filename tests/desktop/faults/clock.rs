//! The wall clock jumps, and the machine sleeps: as far as the program can tell. What it asks the C library for is
//! answered with an offset that the test chooses; the kernel's own times, such as those of files, stay as they are.

use std::process::Command;
use std::time::{Duration, Instant};

use super::stand_in::{Manner, StandIn};
use super::{BARE, break_hosts, wait_for_word};
use crate::desktop::{Desktop, end, has_programs, lab};
use crate::support::{Lab, PATH, PATIENCE, Process, Report, wait_until};

/// Answers clock_gettime(2) with the seconds added that the file says: to the wall clock, and to the sleep.
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

/// The clock of the programs that it is given to.
struct Clock<'a> {
    lab: &'a Lab,
}

impl<'a> Clock<'a> {
    /// Builds it; nothing, and a word about it, where there is no C compiler, which has linked this program.
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

    /// Has it be so many seconds later from now on, and has the machine have slept so many.
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
        wait_for_word(&muxtray, "master");
        muxtray
    }

    #[track_caller]
    fn muxtray(&self, words: &[&str]) -> Report {
        let command = self.give(self.lab.muxtray_command(words));
        Report::of(&Process::run(command, PATIENCE))
    }
}

#[test]
fn a_clock_that_jumps_changes_no_state_and_says_nothing_twice() {
    let test = "a_clock_that_jumps_changes_no_state_and_says_nothing_twice";
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
        break_hosts(&lab, &[host]);
        titles.push(format!("{host}: stale control socket"));

        daemon.wait_for_shown(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        let seen = clock.muxtray(&["list", "--json"]);
        assert_eq!(seen.at(&lab.control_path("build")).state(), "running");
        assert_eq!(seen.at(&lab.control_path(host)).state(), "stale");
    }
    end(muxtray);
}

#[test]
fn a_clock_that_was_set_back_hides_no_orphan_and_ages_no_start() {
    let test = "a_clock_that_was_set_back_hides_no_orphan_and_ages_no_start";
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
fn after_a_sleep_it_is_quiet_for_a_while_and_then_tells_once() {
    let test = "after_a_sleep_it_is_quiet_for_a_while_and_then_tells_once";
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
    break_hosts(&lab, &["web"]);
    wait_for_word(&muxtray, "resumed after");
    wait_for_word(&muxtray, "no masters, 1 problem");
    wait_until("it is told", PATIENCE, || !daemon.shown().is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(15), "too early");
    break_hosts(&lab, &["db"]);
    daemon.wait_for_shown(&["web: stale control socket", "db: stale control socket"]);
    end(muxtray);
}
