//! The resources of a process without masters, and whether they grow.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::support::{PATIENCE, process_parent, processes, threads, wait_until};

/// A counted resource and its name.
type Count = (&'static str, fn(&Usage) -> usize);

/// The resources at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    events: u64,
    elapsed: Duration,
    /// Anonymous memory in use, swapped out or not, in bytes.
    anonymous: u64,
    /// Resident memory, in bytes.
    resident: u64,
    descriptors: usize,
    threads: usize,
    watches: usize,
    children: usize,
    /// Processor time, in clock ticks.
    ticks: u64,
}

impl Usage {
    pub(crate) fn of(pid: i32, events: u64, elapsed: Duration) -> Self {
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        let rollup = read("smaps_rollup");
        let kilobytes = |name: &str| -> u64 {
            let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let infos = fs::read_dir(format!("/proc/{pid}/fdinfo"))
            .unwrap()
            .flatten();
        let watches = infos
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .map(|info| info.matches("inotify wd:").count())
            .sum();
        let stat = read("stat");
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        Self {
            events,
            elapsed,
            anonymous: (kilobytes("Anonymous:") + kilobytes("Swap:")) * 1024,
            resident: kilobytes("Rss:") * 1024,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
            threads: threads(pid),
            watches,
            children: processes()
                .into_iter()
                .filter(|child| process_parent(*child) == Some(pid))
                .count(),
            ticks: fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap(),
        }
    }

    /// Some of them, as a table.
    pub(crate) fn table(all: &[Self]) -> String {
        let mut table = "| events | seconds | anonymous | resident | descriptors | threads | watches | children | processor |\n\
            | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
            .to_owned();
        let step = all.len().div_ceil(12);
        let last = all.len() - 1;
        let chosen = all
            .iter()
            .enumerate()
            .filter(|(at, _)| at % step == 0 || *at == last);
        for (_, usage) in chosen {
            let _ = write!(
                table,
                "\n| {} | {} | {} KiB | {} KiB | {} | {} | {} | {} | {:.1} s |",
                usage.events,
                usage.elapsed.as_secs(),
                usage.anonymous / 1024,
                usage.resident / 1024,
                usage.descriptors,
                usage.threads,
                usage.watches,
                usage.children,
                // Linux reports a hundred ticks per second to programs.
                usage.ticks as f64 / 100.0,
            );
        }
        table
    }

    /// Asserts that the last quarter uses no more memory than the first but for so many bytes.
    #[track_caller]
    pub(crate) fn assert_flat_memory(all: &[Self], most_growth: u64) {
        let quarter = all.len().div_ceil(4);
        // Freed memory returns to the kernel late: the least of each counts.
        let least = |some: &[Self]| some.iter().map(|usage| usage.anonymous).min().unwrap();
        let grown = least(&all[all.len() - quarter..]).saturating_sub(least(&all[..quarter]));
        assert!(
            grown <= most_growth,
            "its memory has grown by {grown} bytes"
        );
    }

    /// Waits until a process uses no more of the rest than in any of these. A look opens descriptors for a moment, and
    /// that of a panel or a client may close late.
    #[track_caller]
    pub(crate) fn wait_until_flat(pid: i32, earlier: &[Self]) {
        let counts: [Count; 4] = [
            ("descriptors", |usage| usage.descriptors),
            ("threads", |usage| usage.threads),
            ("watches", |usage| usage.watches),
            ("children", |usage| usage.children),
        ];
        for (what, of) in counts {
            let before = earlier.iter().map(of).max().unwrap_or_default();
            let what = format!("no more than {before} {what}");
            wait_until(&what, PATIENCE, || {
                of(&Self::of(pid, 0, Duration::ZERO)) <= before
            });
        }
    }
}
