//! `muxtray doctor`: everything that is or will be wrong, the safe remedies, and what a line of ssh's means.

use std::io::{self, IsTerminal as _, Read as _, Write};

use tr::tr;

use crate::actions::fix;
use crate::model::fix::Fix;
use crate::model::socket::Snapshot;
use crate::model::text;
use crate::present::doctor;
use crate::present::explain::{self, Message};
use crate::present::report::Report;

use super::args::{Doctor, Global};
use super::context::World;
use super::{Outcome, style};

/// As much of what was pasted is read.
const MAX_PASTED: u64 = 1 << 20;

pub(super) fn run(
    global: &Global,
    doctor: &Doctor,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    match &doctor.explain {
        Some(line) => {
            // Before anything is looked at: what is not understood needs no look.
            let text = pasted(line.as_deref(), err)?;
            explain(global, &text, out, err)
        }
        None => examine(&mut World::open(global)?, doctor, out, err),
    }
}

fn examine(
    world: &mut World,
    doctor: &Doctor,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut snapshot = world.examination(&[]);
    let mut outcome = Outcome::Well;
    if doctor.fix {
        // A report in JSON is alone on standard output.
        let told = if doctor.json {
            mend_all(&snapshot, err)?
        } else {
            mend_all(&snapshot, out)?
        };
        for failure in &told.failures {
            writeln!(err, "muxtray: {failure}")?;
            outcome = Outcome::Wrong;
        }
        if told.changes > 0 {
            snapshot = world.examination(&[]);
            if !doctor.json {
                writeln!(out)?;
            }
        }
    }
    let report = Report::from(&snapshot);
    if doctor.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        style::lines(&doctor::report(&snapshot, world.examined()), out)?;
    }
    out.flush()?;
    Ok(outcome.max(Outcome::from(report.worst())))
}

/// What came of the fixes.
struct Told {
    changes: usize,
    failures: Vec<String>,
}

/// Carries out every fix there is, directories before the sockets in them, and says each thing it did.
fn mend_all(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<Told> {
    let of_sockets = snapshot
        .sockets
        .iter()
        // Other programs' sockets are left to them, as with a clean of everything.
        .filter(|socket| socket.managed_by.is_none())
        .flat_map(|socket| &socket.findings);
    let mut fixes: Vec<&Fix> = snapshot
        .findings
        .iter()
        .chain(of_sockets)
        .filter_map(|finding| finding.fix.as_ref())
        .collect();
    fixes.sort();
    fixes.dedup();
    let mut told = Told {
        changes: 0,
        failures: Vec::new(),
    };
    for fix in fixes {
        match fix::mend(fix) {
            Ok(mended) => {
                told.changes += usize::from(mended.is_change());
                writeln!(out, "{mended}")?;
            }
            Err(error) => {
                let subject = text::path(fix::subject(fix));
                told.failures.push(format!("{subject}: {error}"));
            }
        }
    }
    Ok(told)
}

/// The line that was given, or what standard input holds.
fn pasted(line: Option<&str>, err: &mut dyn Write) -> io::Result<String> {
    if let Some(line) = line {
        return Ok(line.to_owned());
    }
    let input = io::stdin();
    if input.is_terminal() {
        writeln!(err, "{}", tr!("paste what ssh printed, then press Ctrl-D:"))?;
        err.flush()?;
    }
    let mut bytes = Vec::new();
    input.lock().take(MAX_PASTED).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn explain(
    global: &Global,
    text: &str,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let messages = explain::read(text);
    if messages.is_empty() {
        writeln!(
            err,
            "muxtray: {}",
            tr!(
                "none of this is a message about multiplexing that muxtray knows; `{command}` says what is wrong now",
                command = "muxtray doctor"
            )
        )?;
        return Ok(Outcome::Unknown);
    }
    let mut world = World::open(global)?;
    let named: Vec<_> = messages
        .iter()
        .filter_map(|message: &Message| message.path.clone())
        .collect();
    let snapshot = world.examination(&named);
    let mut outcome = Outcome::Well;
    for (number, message) in messages.iter().enumerate() {
        let answer = explain::answer(message, &snapshot);
        if number > 0 {
            writeln!(out)?;
        }
        style::lines(&doctor::answer(&answer), out)?;
        if answer.is_wrong() {
            outcome = Outcome::Wrong;
        }
    }
    out.flush()?;
    Ok(outcome)
}
