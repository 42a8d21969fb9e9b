//! An applet runs from login to logout: over ten thousand changes its memory, descriptors and threads do not grow.
//!
//! Fifty sockets at a time become live, stale and removed, again and again, and each time the test waits until muxtray
//! shows it. It asserts nothing about time. `MUXTRAY_TEST_CHANGES` sets another number of changes.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{Lab, Listeners, PATIENCE, Process, threads, wait_until};

/// The sockets that change together.
const BATCH: usize = 50;
/// A socket becomes live, stale and removed.
const CHANGES_OF_ONE: usize = 3;
/// One-time allocations happen in the first few thousand changes.
const WARM_UP: usize = 4_000;
/// Parts of the changes that are compared.
const PARTS: usize = 4;
/// The least number of samples.
const SAMPLES: usize = 2 * PARTS;
/// The growth of anonymous memory allowed at the end: less than ten thousand of the smallest allocations (32 bytes)
/// would be.
const MOST_GROWTH: usize = 256 * 1024;
/// The same with GTK, whose heap fragments a little for longer. A menu row leaked with each change would be several
/// times that.
#[cfg(feature = "tray")]
const MOST_GROWTH_WITH_GTK: usize = 1024 * 1024;

#[test]
fn no_growth_without_icon() {
    let Some(lab) = lab("no_growth_without_icon") else {
        return;
    };
    let parts = Parts {
        display: false,
        panel: false,
        daemon: false,
    };
    let desktop = Desktop::new(&lab, parts);
    let applet = desktop.muxtray_run(&["--no-tray", "-v"]);
    let summaries = || {
        let log = applet.stderr();
        let lines = log
            .lines()
            .filter_map(|line| line.trim().strip_prefix("INFO "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut read = 0;
    assert_steady(&lab, &applet, MOST_GROWTH, |summary| {
        let all = summaries();
        let new = all[read..].iter().position(|line| line == summary);
        read += new.map_or(0, |place| place + 1);
        new.is_some()
    });
    end(applet);
}

#[cfg(feature = "tray")]
#[test]
fn no_growth_with_icon() {
    let Some(lab) = lab("no_growth_with_icon") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    assert_steady(&lab, &applet, MOST_GROWTH_WITH_GTK, |summary| {
        let first = |menu: crate::desktop::Row| Some(menu.rows.first()?.label == summary);
        icon.menu().and_then(first).unwrap_or(false)
    });
    end(applet);
}

/// Changes sockets, each time until `shows` returns true for this summary, and compares before and after.
#[track_caller]
fn assert_steady(
    lab: &Lab,
    applet: &Process,
    most_growth: usize,
    mut shows: impl FnMut(&str) -> bool,
) {
    let changes = env::var("MUXTRAY_TEST_CHANGES").map_or(10_000, |text| text.parse().unwrap());
    let paths: Vec<PathBuf> = (0..BATCH)
        .map(|number| lab.path(format!("s/host{number}-{}", lab.port)))
        .collect();
    let mut shown = |summary: &str| {
        wait_until(&format!("it shows {summary:?}"), PATIENCE, || {
            shows(summary)
        });
    };
    shown("no masters");
    let mut cycle = || {
        let mut masters = Listeners::called_ssh(lab, &paths);
        shown(&format!("{BATCH} masters"));
        masters.kill();
        shown(&format!("no masters, {BATCH} problems"));
        for path in &paths {
            fs::remove_file(path).unwrap();
        }
        shown("no masters");
        Usage::of(applet.pid())
    };
    let cycles = |changes: usize| changes.div_ceil(CHANGES_OF_ONE * BATCH).max(SAMPLES);
    for _ in 0..cycles(WARM_UP) {
        cycle();
    }
    let samples: Vec<Usage> = (0..cycles(changes)).map(|_| cycle()).collect();
    let anonymous: Vec<usize> = samples.iter().map(|sample| sample.anonymous).collect();
    let grown = growth(&anonymous);
    assert!(
        grown <= most_growth,
        "anonymous memory grew by {grown} bytes over {changes} changes: {samples:?}"
    );
    // A worker that has just finished may not have ended yet.
    let (descriptors, threads) = (samples[0].descriptors, samples[0].threads);
    wait_until(
        "descriptors and threads are as many as before",
        PATIENCE,
        || {
            let now = Usage::of(applet.pid());
            now.descriptors <= descriptors && now.threads <= threads
        },
    );
}

/// The growth over all samples, if they grow from each part to the next, as with a leak. A heap that takes another piece
/// from the kernel grows once. The lowest sample of a part counts, because freed memory returns to the kernel late.
fn growth(samples: &[usize]) -> usize {
    let parts = samples.chunks(samples.len().div_ceil(PARTS));
    let lowest: Vec<usize> = parts.map(|part| *part.iter().min().unwrap()).collect();
    let growths = lowest.windows(2);
    let least = growths.map(|pair| pair[1].saturating_sub(pair[0])).min();
    least.unwrap() * PARTS
}

#[test]
fn leak_grows_all_the_time_and_a_heap_in_steps() {
    let of = |size: fn(usize) -> usize| growth(&(0..67).map(size).collect::<Vec<_>>());
    let once = of(|cycle| 4_000_000 + if cycle < 40 { 0 } else { 1_250_000 });
    assert_eq!(once, 0);
    let leak = of(|cycle| 4_000_000 + cycle * CHANGES_OF_ONE * BATCH * 32);
    assert!(leak > MOST_GROWTH, "{leak}");
}

/// The resources of a process.
#[derive(Debug, Clone, Copy)]
struct Usage {
    /// Bytes that belong to no file.
    anonymous: usize,
    descriptors: usize,
    threads: usize,
}

impl Usage {
    fn of(pid: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|value| value.split_whitespace().next());
            number.unwrap().parse().unwrap()
        };
        Self {
            anonymous: field("RssAnon:") * 1024,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
            threads: threads(pid),
        }
    }
}
