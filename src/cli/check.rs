//! `muxtray check`: the alive check, with the connections that the master carries and the state of the master's network.

use std::io;
use std::time::SystemTime;

use tr::tr;

use super::args::{Check, Global};
use super::context::Context;
use super::exit::others_left_out;
use super::outcome::{Outcome, Output};
use super::reports;
use crate::actions::parallel::parallel_map;
use crate::actions::perform::{self, Subject};
use crate::decide::action_report::{Action, ActionOutcome, ActionReport};
use crate::model::client::sessions_line;
use crate::model::finding::{Finding, Severity};
use crate::model::network::{Judgement, Verdict};
use crate::model::socket::{Socket, State};
use crate::model::text;

pub(super) fn check(global: &Global, check: &Check, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, check.json)?;
    if !check.targets.is_empty() {
        let resolved = context.resolve(&check.targets);
        let reports = reports::act_on(&resolved, Action::Check, check_one);
        context.note(&reports);
        return reports::print(&reports, check.json, to);
    }
    let snapshot = context.snapshot();
    let found = Outcome::from(snapshot.worst());
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let errors: Vec<Finding> = snapshot.findings.iter().filter(is_error).cloned().collect();
    let is_checked = |socket: &Socket| check.managed || socket.managed_by.is_none();
    let (sockets, others): (Vec<Socket>, Vec<Socket>) =
        snapshot.sockets.into_iter().partition(is_checked);
    if sockets.is_empty() && !check.json {
        let others = others_left_out(others.len());
        writeln!(to.out, "{}{others}", tr!("no control sockets"))?;
    }
    let reports = parallel_map(&sockets, |socket| {
        let report = check_one(socket);
        // A socket that no TARGET names does not fail the check because of a mere warning, such as a stale one.
        let is_warning = !socket.findings.is_empty()
            && !matches!(socket.state, State::Suspect(_))
            && Outcome::from(socket.worst()) == Outcome::Well;
        if is_warning && !report.outcome.is_success() {
            ActionReport {
                outcome: ActionOutcome::Unchanged,
                ..report
            }
        } else {
            report
        }
    });
    context.note(&reports);
    Ok(reports::print_with_findings(&reports, &errors, check.json, to)?.max(found))
}

fn check_one(socket: &Socket) -> ActionReport {
    let report = perform::check(&Subject::from(socket.clone()));
    if report.outcome != ActionOutcome::Done {
        return report;
    }
    // Its own hosts are among them only if it is not known whose master it is.
    let mut doubts = socket
        .hosts
        .iter()
        .filter_map(|host| socket.stranger(&host.0));
    if let Some(doubt) = doubts.next() {
        return ActionReport {
            outcome: ActionOutcome::Failed,
            message: tr!(
                "{answer}, but {doubt}",
                answer = report.message,
                doubt = doubt.evidence
            ),
            ..report
        };
    }
    let mut message = report.message.clone();
    if let Some(carried) = socket.carried_text() {
        message = text::list([message, carried]);
    }
    if let Some(clients) = sessions_line(socket.session_texts(SystemTime::now())) {
        message = format!("{message} ({clients})");
    }
    let report = match &socket.network {
        Some(verdict) => with_network(socket, verdict, &message, report),
        None => ActionReport { message, ..report },
    };
    let Some(forwardings) = socket.forwards_text() else {
        return report;
    };
    let answer = report.message;
    ActionReport {
        message: tr!("{answer}; forwards {forwardings}", answer, forwardings),
        ..report
    }
}

/// The master's process has answered; a doubtful or lost network fails the check.
fn with_network(
    socket: &Socket,
    verdict: &Verdict,
    answer: &str,
    report: ActionReport,
) -> ActionReport {
    let state = verdict.judgement.word();
    match verdict.judgement {
        Judgement::Well => ActionReport {
            message: tr!(
                "{answer}, network {state}: {verdict}",
                answer,
                state,
                verdict
            ),
            ..report
        },
        Judgement::Suspect(_) | Judgement::Stranded(_) => {
            let id = verdict.judgement.name();
            let finding = socket.findings.iter().find(|one| one.id.as_str() == id);
            ActionReport {
                outcome: ActionOutcome::Failed,
                message: tr!(
                    "{answer}, but its network is {state}: {evidence}",
                    answer,
                    state,
                    evidence = verdict.problem().unwrap_or_default()
                ),
                ..report.with_advice(finding.map(|finding| finding.remedy.clone()))
            }
        }
    }
}
