//! Resources of a process, from `/proc` and its processor clock. Reading them does not wake it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The activity of a process since its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Activity {
    /// The voluntary context switches of its threads, which equal their wake-ups.
    pub(crate) wakeups: u64,
    /// Of all threads, including those that have ended.
    pub(crate) processor_time: Duration,
}

/// Returns `None` if the process has ended.
pub(crate) fn activity(pid: i32) -> Option<Activity> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
    let processor_time = clock_gettime(clock).ok()?.into();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let wakeups = tasks.flatten().filter_map(|task| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        field(&status, "voluntary_ctxt_switches")?
            .parse::<u64>()
            .ok()
    });
    Some(Activity {
        wakeups: wakeups.sum(),
        processor_time,
    })
}

/// The memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// RSS: all resident pages.
    pub(crate) resident: u64,
    /// PSS: each page divided by the number of processes that share it.
    pub(crate) proportional: u64,
    /// Pages without a file: heap, stacks, private copies.
    pub(crate) anonymous: u64,
}

/// Returns `None` if the process has ended.
pub(crate) fn memory(pid: i32) -> Option<Memory> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let bytes = |name| {
        let kibibytes = field(&rollup, name)?.strip_suffix(" kB")?;
        Some(kibibytes.trim().parse::<u64>().ok()? * 1024)
    };
    Some(Memory {
        resident: bytes("Rss")?,
        proportional: bytes("Pss")?,
        anonymous: bytes("Anonymous")?,
    })
}

/// Parts of the resident memory, by mapped file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Program,
    /// Allocations and thread stacks.
    Heap,
    /// The C library, its loader, libm and libgcc.
    System,
    /// Libraries for D-Bus, dbusmenu and indicators.
    Bus,
    /// GTK, its dependencies, and their data files.
    Toolkit,
}

impl Part {
    pub(crate) const ALL: [Self; 5] = [
        Self::Program,
        Self::Heap,
        Self::System,
        Self::Bus,
        Self::Toolkit,
    ];

    /// The label in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Program => "own program",
            Self::Heap => "heap, stacks",
            Self::System => "C library",
            Self::Bus => "D-Bus libraries",
            Self::Toolkit => "GTK and below",
        }
    }

    fn of_mapping(path: &str, program: &str) -> Self {
        const SYSTEM: [&str; 4] = ["/libc.so", "/libm.so", "/libgcc_s.so", "/ld-linux"];
        const BUS: [&str; 2] = ["dbus", "indicator"];
        let is_of = |names: &[&str]| names.iter().any(|name| path.contains(name));
        match path {
            _ if path == program => Self::Program,
            _ if !path.starts_with('/') => Self::Heap,
            _ if is_of(&SYSTEM) => Self::System,
            _ if is_of(&BUS) => Self::Bus,
            _ => Self::Toolkit,
        }
    }
}

/// Resident memory by part, in bytes. Returns `None` if the process has ended.
pub(crate) fn memory_by_part(pid: i32) -> Option<BTreeMap<Part, u64>> {
    let smaps = fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let program = program.to_string_lossy();
    let mut parts = BTreeMap::new();
    let mut part = Part::Heap;
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next()?;
        if first == "Rss:" {
            let kibibytes: u64 = words.next()?.parse().ok()?;
            *parts.entry(part).or_default() += kibibytes * 1024;
        } else if !first.ends_with(':') {
            // The first line of a mapping: range, permissions, offset, device, inode and an optional path.
            part = Part::of_mapping(words.nth(4).unwrap_or_default(), &program);
        }
    }
    Some(parts)
}

/// The value after `NAME:` at the beginning of a line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}
