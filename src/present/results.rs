//! The JSON of actions: one result for each target.

use serde::Serialize;

use super::report::{Report, SCHEMA, path_for_json};
use crate::decide::action_report::{ActionOutcome, ActionReport, ReportTarget};
use crate::model::finding::Finding;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Results {
    pub schema: u32,
    pub results: Vec<ActionResult>,
    /// Of a command without a TARGET: why its results can be incomplete, or its exit status is not 0.
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActionResult {
    /// As it was typed. Without a TARGET, the socket's host alias, destination or path.
    pub target: String,
    /// The control socket; null if the target is none.
    pub path: Option<String>,
    /// `done`, `unchanged`, `refused` (muxtray did not try) or `failed`.
    pub outcome: &'static str,
    pub message: String,
    pub remedy: Option<String>,
}

/// The report of `doctor --fix`, and the result of each fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fixed {
    #[serde(flatten)]
    pub report: Report,
    pub results: Vec<ActionResult>,
}

impl Results {
    pub fn new(reports: &[ActionReport], findings: &[Finding]) -> Self {
        Self {
            schema: SCHEMA,
            results: reports.iter().map(ActionResult::from).collect(),
            findings: findings.to_vec(),
        }
    }
}

impl From<&ActionReport> for ActionResult {
    fn from(report: &ActionReport) -> Self {
        let path = match &report.target {
            ReportTarget::Socket { target, .. } => Some(&target.path),
            ReportTarget::Host { path, .. } => path.as_ref(),
            ReportTarget::File(_) | ReportTarget::Unresolved(_) => None,
        };
        Self {
            target: report.typed.clone().unwrap_or_else(|| report.target.name()),
            path: path.map(path_for_json),
            outcome: match report.outcome {
                ActionOutcome::Done => "done",
                ActionOutcome::Unchanged => "unchanged",
                ActionOutcome::Refused(_) => "refused",
                ActionOutcome::Failed => "failed",
            },
            message: report.message.clone(),
            remedy: report.advice.clone(),
        }
    }
}
