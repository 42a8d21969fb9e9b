use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, Mode, PostAction};

use crate::discover::Environment;
use crate::model::places::Places;
use crate::model::socket::Snapshot;
use crate::present::bar::Waybar;
use crate::present::report::Report;
use crate::present::table;
use crate::scan::Scanner;
use crate::watch::{Debounce, Event, INTERVAL_WITHOUT_EVENTS, Watch, Watcher};

use super::args::{Format, Global, List};
use super::context::Context;
use super::outcome::Outcome;
use super::style;

/// The longest time between two scans of `--watch`.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// The rows of the lowest usual terminal, less two: lines that have left it cannot be replaced.
const MAX_REPLACED: usize = 22;

pub(super) fn run(global: &Global, list: &List, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut preview = Preview::default();
    let is_table = *list.format() == Format::Table;
    let is_replaced = is_table && !list.watch && io::stdout().is_terminal();
    let mut context = Context::load_with_preview(global, &mut |environment, places| {
        // A program gets complete lists only.
        if is_replaced || (list.watch && is_table) {
            preview.show(list, environment, places, out);
        }
    })?;
    if *list.format() == Format::Json {
        context.scanner.keep_paths_absolute();
    }
    let snapshot = context.snapshot();
    let previewed = preview.end()?;
    print_change(&context, list, previewed.as_ref(), &snapshot, out)?;
    if list.watch {
        return watch(&mut context, list, snapshot, out);
    }
    // A bar hides the line of a command that fails.
    let is_for_bar = bar_line(list, &snapshot).is_some();
    Ok(Outcome::from(snapshot.worst().filter(|_| !is_for_bar)))
}

/// Prints again on each change, until nothing reads standard output any more.
fn watch(
    context: &mut Context,
    list: &List,
    mut printed: Snapshot,
    out: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut event_loop = EventLoop::try_new().map_err(io::Error::other)?;
    let mut watching = Watching {
        watch: Watch::new(event_loop.handle()),
        debounce: Debounce::default(),
        is_unread: false,
    };
    // A bar that ends reads nothing any more, and the next line may be hours away. epoll reports the closed pipe without
    // being asked to, and accepts no file.
    let reader = Generic::new(io::stdout(), Interest::EMPTY, Mode::Level);
    let inserted = event_loop
        .handle()
        .insert_source(reader, |_, _, watching: &mut Watching| {
            watching.is_unread = true;
            Ok(PostAction::Remove)
        });
    if let Err(error) = inserted {
        tracing::debug!("standard output: not watched: {error}");
    }
    loop {
        if watching.watch.follow(&printed, context.interests()) {
            watching.on_event(Event::Changed);
        }
        let latest = Instant::now() + watching.max_pause(&printed);
        let next = context.scanner.next_scan_due();
        while let left = watching
            .due(latest, next)
            .saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            event_loop
                .dispatch(left, &mut watching)
                .map_err(io::Error::other)?;
            if watching.is_unread {
                return Ok(Outcome::Well);
            }
        }
        let began = Instant::now();
        context.refresh();
        let snapshot = context.snapshot();
        watching.debounce.note_scan(began, Instant::now());
        print_change(context, list, Some(&printed), &snapshot, out)?;
        printed = snapshot;
    }
}

struct Watching {
    watch: Watch<Self>,
    debounce: Debounce,
    /// Whether nothing reads standard output any more.
    is_unread: bool,
}

impl Watching {
    fn max_pause(&self, snapshot: &Snapshot) -> Duration {
        if self.watch.limit().is_some() || self.watch.misses_ends(snapshot) {
            INTERVAL_WITHOUT_EVENTS
        } else {
            MAX_PAUSE
        }
    }

    fn due(&self, latest: Instant, next: Option<Instant>) -> Instant {
        let sooner = [self.debounce.due(), next];
        sooner.into_iter().flatten().fold(latest, Instant::min)
    }
}

impl Watcher for Watching {
    fn watch(&mut self) -> &mut Watch<Self> {
        &mut self.watch
    }

    fn on_event(&mut self, event: Event) {
        self.debounce.note_event(event, Instant::now());
    }
}

fn print_change(
    context: &Context,
    list: &List,
    printed: Option<&Snapshot>,
    snapshot: &Snapshot,
    out: &mut dyn Write,
) -> io::Result<()> {
    if printed.is_some_and(|printed| printed.eq_ignoring_age(snapshot)) {
        return Ok(());
    }
    if let Some(line) = bar_line(list, snapshot) {
        if printed.and_then(|printed| bar_line(list, printed)).as_ref() != Some(&line) {
            writeln!(out, "{line}")?;
        }
        return out.flush();
    }
    if printed.is_some() && *list.format() == Format::Table {
        writeln!(out)?;
    }
    print(list, context.scanner.environment(), snapshot, out)
}

/// Returns the line of a format for bars.
fn bar_line(list: &List, snapshot: &Snapshot) -> Option<String> {
    match list.format() {
        Format::Table | Format::Json => None,
        Format::Waybar => Some(Waybar::from(snapshot).line()),
        Format::Template(template) => Some(template.line(snapshot)),
    }
}

/// The sockets that are shown before ssh has been asked about the hosts.
///
/// `--watch` prints them like any other change. On a terminal the complete list replaces them. Other readers get only the
/// complete list.
#[derive(Default)]
struct Preview {
    printed: Option<io::Result<Snapshot>>,
    lines_to_replace: usize,
}

impl Preview {
    fn show(
        &mut self,
        list: &List,
        environment: &Environment,
        places: &Places,
        out: &mut dyn Write,
    ) {
        let mut scanner = Scanner::new(environment.clone());
        let snapshot = scanner.preview(&mut places.clone());
        if snapshot.sockets.is_empty() {
            return;
        }
        let result = if list.watch {
            print(list, environment, &snapshot, out)
        } else {
            print_replaceable(&snapshot, environment, out)
                .map(|lines| self.lines_to_replace = lines)
        };
        self.printed = Some(result.map(|()| snapshot));
    }

    /// Removes the lines from the terminal. Returns the snapshot that remains.
    fn end(self) -> io::Result<Option<Snapshot>> {
        let printed = self.printed.transpose()?;
        if self.lines_to_replace == 0 {
            return Ok(printed);
        }
        control_terminal(&format!("\r\x1b[{}A\x1b[J", self.lines_to_replace))?;
        Ok(None)
    }
}

/// Prints the first lines of a list, and returns their number.
fn print_replaceable(
    snapshot: &Snapshot,
    environment: &Environment,
    out: &mut dyn Write,
) -> io::Result<usize> {
    let mut lines = table::report(snapshot, Some(&environment.known.home));
    lines.truncate(MAX_REPLACED);
    // Without automatic line breaks, so that the number of rows to remove is known.
    control_terminal("\x1b[?7l")?;
    let printed = style::write_lines(&lines, out).and_then(|()| out.flush());
    control_terminal("\x1b[?7h")?;
    printed.map(|()| lines.len())
}

/// Not by `out`, which drops the codes together with the colours.
fn control_terminal(code: &str) -> io::Result<()> {
    let mut terminal = io::stdout();
    terminal.write_all(code.as_bytes())?;
    terminal.flush()
}

fn print(
    list: &List,
    environment: &Environment,
    snapshot: &Snapshot,
    out: &mut dyn Write,
) -> io::Result<()> {
    if *list.format() == Format::Json {
        let report = Report::from(snapshot);
        // With --watch, one object a line.
        if list.watch {
            serde_json::to_writer(&mut *out, &report)?;
        } else {
            serde_json::to_writer_pretty(&mut *out, &report)?;
        }
        writeln!(out)?;
    } else {
        style::write_lines(&table::report(snapshot, Some(&environment.known.home)), out)?;
    }
    out.flush()
}
