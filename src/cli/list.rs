//! `muxtray list`: every control socket and its state, once or on each change.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use calloop::EventLoop;

use crate::model::socket::Snapshot;
use crate::present::report::Report;
use crate::present::table;
use crate::watch::{self, News, Pace, Watch, Watcher};

use super::args::{Global, List};
use super::context::World;
use super::outcome::Outcome;
use super::style;

/// How long `--watch` waits for an event before it looks all the same: a person sits before it, and some things, such
/// as sessions that close, are no event.
const WITHOUT_EVENTS: Duration = Duration::from_secs(5);

pub(super) fn run(global: &Global, list: &List, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut world = World::open(global)?;
    let snapshot = world.snapshot();
    print(&world, list, &snapshot, out)?;
    if !list.watch {
        return Ok(Outcome::from(Report::from(&snapshot).worst()));
    }
    let mut printed = snapshot;
    let mut event_loop = EventLoop::try_new().map_err(io::Error::other)?;
    let mut watching = Watching {
        watch: Watch::new(event_loop.handle()),
        pace: Pace::default(),
    };
    loop {
        let interests = world.interests();
        let (masters, strays) = watch::masters_and_strays(&printed, &interests);
        if watching
            .watch
            .follow(&[interests, strays].concat(), &masters)
        {
            watching.heard(News::Changed);
        }
        let latest = Instant::now() + WITHOUT_EVENTS;
        while let left = watching
            .next(latest)
            .saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            event_loop
                .dispatch(left, &mut watching)
                .map_err(io::Error::other)?;
        }
        let began = Instant::now();
        world.refresh();
        let snapshot = world.snapshot();
        watching.pace.looked(began, Instant::now());
        if !printed.says_the_same(&snapshot) {
            if !list.json {
                writeln!(out)?;
            }
            print(&world, list, &snapshot, out)?;
        }
        printed = snapshot;
    }
}

/// What `--watch` waits with.
struct Watching {
    watch: Watch<Self>,
    pace: Pace,
}

impl Watching {
    /// When to look: soon after news, else at the latest.
    fn next(&self, latest: Instant) -> Instant {
        self.pace.due().map_or(latest, |due| due.min(latest))
    }
}

impl Watcher for Watching {
    fn watch(&mut self) -> &mut Watch<Self> {
        &mut self.watch
    }

    fn heard(&mut self, _: News) {
        self.pace.heard(Instant::now());
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
        style::lines(&table::report(snapshot, Some(home)), out)?;
    }
    out.flush()
}
