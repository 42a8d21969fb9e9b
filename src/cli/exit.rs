//! `muxtray exit` and `muxtray stop`

use std::collections::HashSet;
use std::io;

use tr::tr;

use super::args::{Exit, Global, Stop};
use super::context::Context;
use super::outcome::{Outcome, Output};
use super::{clean, reports};
use crate::actions::parallel::parallel_map;
use crate::actions::perform::{self, Subject};
use crate::decide::action_report::{Action, ActionReport, Refusal};
use crate::decide::ending;
use crate::model::socket::{Socket, State, Unresponsive};
use crate::model::text;

pub(super) fn exit(global: &Global, exit: &Exit, to: &mut Output<'_>) -> io::Result<Outcome> {
    if exit.all {
        return exit_all(global, exit, to);
    }
    let mut context = Context::load_for(global, exit.json)?;
    let consent = reports::consent(exit.force);
    let reports = if exit.end_process {
        let resolved = context.resolve_to_end(&exit.targets);
        reports::act_on(&resolved, Action::EndProcess, |socket| {
            perform::end_process(&Subject::from(socket.clone()), consent)
        })
    } else {
        let resolved = context.resolve(&exit.targets);
        reports::act_on(&resolved, Action::Exit, |socket| {
            perform::exit(&Subject::from(socket.clone()), consent)
        })
    };
    context.note(&reports);
    reports::print(&reports, exit.json, to)
}

pub(super) fn stop(global: &Global, stop: &Stop, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, stop.json)?;
    let resolved = context.resolve(&stop.targets);
    let reports = reports::act_on(&resolved, Action::Stop, |socket| {
        perform::stop(&Subject::from(socket.clone()))
    });
    context.note(&reports);
    reports::print(&reports, stop.json, to)
}

fn exit_all(global: &Global, exit: &Exit, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, exit.json)?;
    if let Some(refused) = context.refuse_without_settings(exit.json, to)? {
        return Ok(refused);
    }
    let snapshot = context.snapshot();
    let unknown = context.unknown_hosts(&snapshot);
    let (own, managed): (Vec<Socket>, Vec<Socket>) = snapshot
        .sockets
        .into_iter()
        .partition(|socket| exit.managed || socket.managed_by.is_none());
    let is_master = |socket: &Socket| socket.is_running() || ending::is_needed(&socket.state);
    let (mut masters, others): (Vec<Socket>, Vec<Socket>) = own.into_iter().partition(is_master);
    // A hard link gives a master a second path, which is cleaned after its end.
    let mut seen = HashSet::new();
    masters.retain(|socket| seen.insert(socket.identity()));
    // A master ends after those that jump through it.
    masters.sort_by_key(|socket| socket.jumping.len());
    let rounds = masters.chunk_by(|a, b| a.jumping.len() == b.jumping.len());
    let ended: Vec<ActionReport> = rounds
        .flat_map(|round| parallel_map(round, |socket| end(socket, exit)))
        .collect();
    context.note(&ended);
    // A new snapshot: a master that has ended may have left its file.
    let cleaned = clean::clean_all(&context.snapshot(), exit.managed, false);
    let left: Vec<ActionReport> = others
        .into_iter()
        .filter(|socket| !socket.state.is_cleanable())
        .filter_map(|socket| Subject::from(socket).refusal(Action::Exit))
        .collect();
    let successes = |reports: &[ActionReport]| {
        let is_success = |report: &&ActionReport| report.outcome.is_success();
        reports.iter().filter(is_success).count()
    };
    let counts = [successes(&ended), successes(&cleaned)];
    let reports = [ended, cleaned, left].concat();
    let outcome = reports::print_all(&reports, &unknown, exit.json, to)?;
    if !exit.json {
        let summary = summary(counts, reports.len(), managed.len());
        writeln!(to.out, "{summary}")?;
    }
    Ok(outcome)
}

fn end(socket: &Socket, exit: &Exit) -> ActionReport {
    let subject = Subject::from(socket.clone());
    let consent = reports::consent(exit.force);
    let is_orphaned = matches!(socket.state, State::Orphaned { .. });
    // A stopped master cannot answer, so it gets no exit request that would take its whole deadline.
    let is_stopped = socket.state == State::Unresponsive(Unresponsive::Stopped);
    match (exit.end_process, is_orphaned || is_stopped) {
        (true, true) => perform::end_process(&subject, consent),
        (true, false) => perform::exit_or_end_process(&subject, consent),
        (false, _) if is_stopped => perform::refused(socket, Action::Exit, Refusal::State),
        (false, _) => perform::exit(&subject, consent),
    }
}

/// `2 masters ended, 1 socket cleaned, 1 left as it is; 3 sockets of other programs left out (--managed)`
fn summary([ended, cleaned]: [usize; 2], all: usize, managed: usize) -> String {
    let left = all - ended - cleaned;
    let ended = tr!("{n} master ended" | "{n} masters ended" % ended);
    let cleaned = tr!("{n} socket cleaned" | "{n} sockets cleaned" % cleaned);
    let left = (left > 0).then(|| tr!("{n} left as it is" | "{n} left as they are" % left));
    text::list([ended, cleaned].into_iter().chain(left)) + &others_left_out(managed)
}

/// `; 3 sockets of other programs left out (--managed)`; empty without such sockets.
pub(super) fn others_left_out(managed: usize) -> String {
    if managed == 0 {
        return String::new();
    }
    tr!(
        "; {n} socket of other programs left out ({option})"
            | "; {n} sockets of other programs left out ({option})" % managed,
        option = "--managed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_counts_in_one_line() {
        assert_eq!(summary([2, 1], 3, 0), "2 masters ended, 1 socket cleaned");
        assert_eq!(
            summary([2, 1], 4, 3),
            "2 masters ended, 1 socket cleaned, 1 left as it is; 3 sockets of other programs left out (--managed)"
        );
    }
}
