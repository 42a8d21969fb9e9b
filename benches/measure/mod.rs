//! Shared by the benchmarks: samples and their statistics, Markdown tables, resources of a process, stand-ins for
//! masters, the compared builds.

#![allow(
    dead_code,
    unused_imports,
    reason = "every benchmark uses its own part of what they share"
)]

mod builds;
mod stand_in;
mod usage;

pub(crate) use builds::{Build, with_icon, without_icon};
pub(crate) use stand_in::{StandIns, serve_if_stand_in};
pub(crate) use usage::{Activity, Memory, Part, activity, memory, memory_by_part};

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

/// Returns true for `cargo bench -- --quick`: fewer and shorter measurements.
pub(crate) fn quick() -> bool {
    std::env::args().any(|argument| argument == "--quick")
}

/// Returns a temporary directory with a short name, and a private directory in it for control sockets.
pub(crate) fn socket_directory() -> (TempDir, PathBuf) {
    let directory = tempfile::Builder::new()
        .prefix("mtb")
        .tempdir_in("/tmp")
        .unwrap();
    let sockets = directory.path().join("s");
    fs::create_dir(&sockets).unwrap();
    fs::set_permissions(&sockets, fs::Permissions::from_mode(0o700)).unwrap();
    (directory, sockets)
}

/// Sorted samples of one quantity, at least one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

impl Times {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn mean(&self) -> Duration {
        let sum: Duration = self.0.iter().sum();
        sum.div_f64(self.0.len() as f64)
    }

    pub(crate) fn worst(&self) -> Duration {
        self.0[self.0.len() - 1]
    }
}

pub(crate) fn wall_time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The processor time of the work on this thread, in the program and in the kernel.
pub(crate) fn processor_time(work: impl FnOnce()) -> Duration {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let now = || clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    let start = now();
    work();
    now() - start
}

/// A Markdown table: the first column names the row, the others are numbers.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self {
            headings: headings.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints the table under a heading, with a sentence on the measurement.
    pub(crate) fn print(&self, heading: &str, how: &str) {
        println!("### {heading}\n\n{how}\n");
        println!("| {} |", self.headings.join(" | "));
        println!("| --- |{}", " ---: |".repeat(self.headings.len() - 1));
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        println!();
    }
}

/// Formats a duration with its significant digits.
pub(crate) fn time(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1_000.0;
    match milliseconds {
        ms if ms >= 9_950.0 => format!("{:.0} s", ms / 1_000.0),
        ms if ms >= 999.5 => format!("{:.1} s", ms / 1_000.0),
        ms if ms >= 9.95 => format!("{ms:.0} ms"),
        ms if ms >= 0.995 => format!("{ms:.1} ms"),
        ms if ms >= 0.095 => format!("{ms:.2} ms"),
        ms => format!("{:.1} µs", ms * 1_000.0),
    }
}

/// Formats `first / second`.
pub(crate) fn ratio(first: f64, second: f64) -> String {
    match first / second {
        ratio if ratio >= 9.95 => format!("{ratio:.0}x"),
        ratio if ratio >= 0.995 => format!("{ratio:.1}x"),
        ratio => format!("{ratio:.2}x"),
    }
}

pub(crate) fn ratio_of_times(first: Duration, second: Duration) -> String {
    ratio(first.as_secs_f64(), second.as_secs_f64())
}
