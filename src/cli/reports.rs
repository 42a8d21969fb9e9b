//! Acts on TARGETs and prints the reports, one line each.

use std::io::{self, Write};

use super::context::Resolved;
use super::outcome::Outcome;
use crate::actions::parallel::parallel_map;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, Refusal, ReportTarget};
use crate::decide::intent::SessionConsent;
use crate::model::socket::Socket;

/// Several at a time. A TARGET that cannot be resolved stops no other.
pub(super) fn act_on(
    targets: &[Resolved],
    action: Action,
    act: impl Fn(&Socket) -> ActionReport + Sync,
) -> Vec<ActionReport> {
    parallel_map(targets, |target| match target {
        Ok(socket) => act(socket),
        Err((typed, error)) => ActionReport::new(
            ReportTarget::Unresolved(typed.clone()),
            action,
            ActionOutcome::REFUSED,
            error.to_string(),
        ),
    })
}

/// Successes go to `out`, the others to `err`. Returns the worst outcome.
pub(super) fn print(
    reports: &[ActionReport],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    for report in reports {
        if report.outcome.is_success() {
            print_one(report, out)?;
        } else {
            print_one(report, err)?;
        }
    }
    out.flush()?;
    Ok(worst(reports))
}

pub(super) fn print_one(report: &ActionReport, to: &mut dyn Write) -> io::Result<()> {
    let program = if report.outcome.is_success() {
        ""
    } else {
        "muxtray: "
    };
    writeln!(to, "{program}{report}")
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
            ActionOutcome::Refused(Refusal::State) | ActionOutcome::Failed => Self::Wrong,
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
