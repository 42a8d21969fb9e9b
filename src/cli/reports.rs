//! Acts on TARGETs and prints the reports, one line each.

use std::io;

use super::context::Resolved;
use super::outcome::{Outcome, Output};
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

/// Prints successes as results, the others as diagnostics. Returns the worst outcome.
pub(super) fn print(reports: &[ActionReport], to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut worst = Outcome::Well;
    for report in reports {
        let outcome = Outcome::from(report.outcome);
        if report.outcome.is_success() {
            writeln!(to.out, "{report}")?;
            worst = worst.max(outcome);
        } else {
            worst = worst.max(to.fail(outcome, report)?);
        }
    }
    to.out.flush()?;
    Ok(worst)
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
