use std::io::{self, Write};
use std::time::{Duration, Instant};

use calloop::EventLoop;

use crate::model::socket::Snapshot;
use crate::present::report::Report;
use crate::present::table;
use crate::watch::{Debounce, Event, Watch, Watcher};

use super::args::{Global, List};
use super::context::Context;
use super::outcome::Outcome;
use super::style;

/// The longest time between two scans of `--watch`: some changes, such as sessions that close, cause no event.
const MAX_PAUSE: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, list: &List, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut context = Context::load(global)?;
    if list.json {
        context.scanner.keep_paths_absolute();
    }
    let snapshot = context.snapshot();
    print(&context, list, &snapshot, out)?;
    if !list.watch {
        return Ok(Outcome::from(snapshot.worst()));
    }
    let mut printed = snapshot;
    let mut event_loop = EventLoop::try_new().map_err(io::Error::other)?;
    let mut watching = Watching {
        watch: Watch::new(event_loop.handle()),
        debounce: Debounce::default(),
    };
    loop {
        if watching.watch.follow(&printed, context.interests()) {
            watching.on_event(Event::Changed);
        }
        let latest = Instant::now() + MAX_PAUSE;
        let due = |debounce: &Debounce| debounce.due().map_or(latest, |due| due.min(latest));
        while let left = due(&watching.debounce).saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            event_loop
                .dispatch(left, &mut watching)
                .map_err(io::Error::other)?;
        }
        let began = Instant::now();
        context.refresh();
        let snapshot = context.snapshot();
        watching.debounce.note_scan(began, Instant::now());
        if !printed.eq_ignoring_age(&snapshot) {
            if !list.json {
                writeln!(out)?;
            }
            print(&context, list, &snapshot, out)?;
        }
        printed = snapshot;
    }
}

struct Watching {
    watch: Watch<Self>,
    debounce: Debounce,
}

impl Watcher for Watching {
    fn watch(&mut self) -> &mut Watch<Self> {
        &mut self.watch
    }

    fn on_event(&mut self, _: Event) {
        self.debounce.note_event(Instant::now());
    }
}

fn print(
    context: &Context,
    list: &List,
    snapshot: &Snapshot,
    out: &mut dyn Write,
) -> io::Result<()> {
    if list.json {
        let report = Report::from(snapshot);
        // With --watch, one object a line.
        if list.watch {
            serde_json::to_writer(&mut *out, &report)?;
        } else {
            serde_json::to_writer_pretty(&mut *out, &report)?;
        }
        writeln!(out)?;
    } else {
        let home = context.scanner.environment().known.home.as_path();
        style::write_lines(&table::report(snapshot, Some(home)), out)?;
    }
    out.flush()
}
