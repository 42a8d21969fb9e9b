//! Measures the start: `muxtray run` is started repeatedly on one desktop, and timed until the panel's watcher
//! announces the icon.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its tables, and has nobody to report errors to"
)]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "../tests/support/desktop/mod.rs"]
mod desktop;

mod measure;

use std::time::{Duration, Instant};

use desktop::{Desktop, Parts, end, lab};
use measure::{Build, Table, Times, quick, time, with_icon};
use support::{Lab, PATIENCE};

const STARTS: usize = 30;

fn main() {
    // Checked before the lean build is built, which takes minutes.
    if lab("startup").is_none() {
        return;
    }
    println!("## Start-up\n");
    let mut table = Table::new(&["", "median", "worst"]);
    let starts = if quick() { 3 } else { STARTS };
    for build in with_icon("startup") {
        let Some(lab) = lab("startup") else {
            return;
        };
        let times = times(&lab, &build, starts);
        table.row([
            build.name.to_owned(),
            time(times.median()),
            time(times.worst()),
        ]);
    }
    table.print(
        "`muxtray run` to its icon in the panel",
        &format!(
            "{starts} starts after a first one that is not counted; three masters are running."
        ),
    );
}

fn times(lab: &Lab, build: &Build, starts: usize) -> Times {
    let _masters = ["web", "db", "build"].map(|alias| lab.master(alias));
    let desktop = Desktop::new(lab, Parts::ALL);
    let announced = desktop.overhear(&["type='signal',member='StatusNotifierItemRegistered'"]);
    let start = || -> Duration {
        let begun = Instant::now();
        let applet = desktop.start(&build.program, ["run"]);
        let (at, _) = announced
            .recv_timeout(PATIENCE)
            .expect("the panel announces the icon");
        desktop.tray_icon(applet.pid()).wait_for_row(&["3 masters"]);
        end(applet);
        let _ = announced.try_iter().count();
        at.duration_since(begun)
    };
    start();
    (0..starts).map(|_| start()).collect()
}
