//! `muxtray list`: every control socket and its state, once or on each change.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use crate::core::report::Report;
use crate::core::socket::Snapshot;
use crate::core::table;

use super::args::{Global, List};
use super::world::{World, misused};
use super::{Outcome, paint};

/// Between two looks of `--watch`: a person waits for it, and a look costs about a millisecond.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

pub(super) fn run(
    global: &Global,
    list: &List,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut world = match World::open(global) {
        Ok(world) => world,
        Err(error) => return misused(&error, err),
    };
    let snapshot = world.snapshot();
    print(&world, list, &snapshot, out)?;
    if !list.watch {
        return Ok(Outcome::from(Report::from(&snapshot).worst()));
    }
    let mut printed = snapshot;
    loop {
        thread::sleep(WATCH_PAUSE);
        world.refresh();
        let snapshot = world.snapshot();
        if !printed.says_the_same(&snapshot) {
            if !list.json {
                writeln!(out)?;
            }
            print(&world, list, &snapshot, out)?;
            printed = snapshot;
        }
    }
}

fn print(world: &World, list: &List, snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    if list.json {
        let report = Report::from(snapshot);
        // One object a line while watching, so that a reader can tell where each ends.
        if list.watch {
            serde_json::to_writer(&mut *out, &report)?;
        } else {
            serde_json::to_writer_pretty(&mut *out, &report)?;
        }
        writeln!(out)?;
    } else {
        let home = world.survey.surroundings().known.home.as_path();
        paint::lines(&table::report(snapshot, Some(home)), out)?;
    }
    out.flush()
}
