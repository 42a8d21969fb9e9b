//! Acts on TARGETs and prints the reports, one line each.

use std::io;

use super::context::Resolved;
use super::outcome::{Outcome, Output};
use crate::actions::parallel::parallel_map;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, Refusal, ReportTarget};
use crate::decide::intent::SessionConsent;
use crate::model::socket::Socket;
use crate::present::results::Results;

/// Several at a time. A TARGET that cannot be resolved stops no other.
pub(super) fn act_on(
    targets: &[Resolved],
    action: Action,
    act: impl Fn(&Socket) -> ActionReport + Sync,
) -> Vec<ActionReport> {
    parallel_map(targets, |(typed, found)| {
        let report = match found {
            Ok(socket) => act(socket),
            Err(error) => ActionReport::new(
                ReportTarget::Unresolved(typed.clone()),
                action,
                ActionOutcome::REFUSED,
                error.to_string(),
            ),
        };
        ActionReport {
            typed: Some(typed.clone()),
            ..report
        }
    })
}

/// Prints results, good and bad ones, on standard output. A TARGET that is no single socket is a wrong argument, hence a
/// diagnostic, but in JSON a result like the others. Returns the worst outcome.
pub(super) fn print(
    reports: &[ActionReport],
    json: bool,
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    if json {
        serde_json::to_writer_pretty(&mut *to.out, &Results::from(reports))?;
        writeln!(to.out)?;
    } else {
        for report in reports {
            match report.target {
                ReportTarget::Unresolved(_) => writeln!(to.err, "muxtray: {report}")?,
                _ => writeln!(to.out, "{report}")?,
            }
        }
    }
    to.out.flush()?;
    Ok(worst(reports))
}

/// Prints a report with the advice on a line of its own.
pub(super) fn print_with_advice(report: &ActionReport, to: &mut Output<'_>) -> io::Result<()> {
    writeln!(to.out, "{}: {}", report.target.name(), report.message)?;
    if let Some(advice) = &report.advice {
        writeln!(to.out, "    \u{2192} {advice}")?;
    }
    Ok(())
}

pub(super) fn worst(reports: &[ActionReport]) -> Outcome {
    let outcomes = reports.iter().map(|report| Outcome::from(report.outcome));
    outcomes.max().unwrap_or(Outcome::Well)
}

impl From<ActionOutcome> for Outcome {
    fn from(outcome: ActionOutcome) -> Self {
        match outcome {
            ActionOutcome::Done | ActionOutcome::Unchanged => Self::Well,
            ActionOutcome::Refused(Refusal::Unknown) => Self::Unknown,
            ActionOutcome::Refused(Refusal::State | Refusal::ConnectionsOpen)
            | ActionOutcome::Failed => Self::Wrong,
        }
    }
}

pub(super) const fn consent(force: bool) -> SessionConsent {
    if force {
        SessionConsent::Any
    } else {
        SessionConsent::NONE
    }
}
