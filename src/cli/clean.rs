//! `muxtray clean`

use std::io;

use tr::tr;

use super::args::{Clean, Global};
use super::context::Context;
use super::outcome::{Outcome, Output};
use super::reports;
use crate::actions::parallel::parallel_map;
use crate::actions::perform::{self, Subject};
use crate::decide::action_report::{Action, ActionReport};
use crate::model::socket::{Snapshot, Socket};

pub(super) fn clean(global: &Global, clean: &Clean, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, clean.json)?;
    if !clean.targets.is_empty() {
        let resolved = context.resolve(&clean.targets);
        let reports = reports::act_on(&resolved, Action::Clean, |socket| {
            perform::clean(&by_path(socket.clone()), clean.dry_run)
        });
        return reports::print(&reports, clean.json, to);
    }
    if let Some(refused) = context.refuse_without_settings(clean.json, to)? {
        return Ok(refused);
    }
    let snapshot = context.snapshot();
    let reports = clean_all(&snapshot, clean.managed, clean.dry_run);
    if reports.is_empty() && !clean.json {
        writeln!(to.out, "{}", tr!("nothing to clean"))?;
    }
    let unknown = context.unknown_hosts(&snapshot);
    reports::print_all(&reports, &unknown, clean.json, to)
}

/// Cleans every stale socket and leftover, and finishes interrupted cleans.
pub(super) fn clean_all(snapshot: &Snapshot, managed: bool, dry_run: bool) -> Vec<ActionReport> {
    let stale = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.state.is_cleanable() && (managed || socket.managed_by.is_none()))
        .cloned()
        .map(by_path);
    // The file of an interrupted clean is a socket of the list only if it is stale.
    let asides = snapshot
        .asides
        .iter()
        .filter(|target| snapshot.find(target).is_none())
        .cloned()
        .map(Subject::from);
    let subjects: Vec<Subject> = stale.chain(asides).collect();
    parallel_map(&subjects, |subject| perform::clean(subject, dry_run))
}

/// A removal is reported by path: a host can have a master beside a leftover.
fn by_path(socket: Socket) -> Subject {
    Subject {
        name: socket.path.to_string(),
        ..Subject::from(socket)
    }
}
