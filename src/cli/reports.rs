//! Acts on TARGETs and prints the reports, one line each.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use super::outcome::{Outcome, Output};
use crate::actions::parallel::parallel_map;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, Refusal, ReportTarget};
use crate::decide::intent::SessionConsent;
use crate::model::control_path::ControlPath;
use crate::model::finding::Finding;
use crate::model::socket::Socket;
use crate::model::target::TargetError;
use crate::present::results::Results;

/// A TARGET as it was typed, and its socket, or why it is no single socket.
pub(super) type Resolved = (String, Result<Socket, TargetError>);

/// Several at a time, and once on a master that several TARGETs name: the second request would count the connection of the
/// first as a session. A TARGET that cannot be resolved stops no other.
pub(super) fn act_on(
    targets: &[Resolved],
    action: Action,
    act: impl Fn(&Socket) -> ActionReport + Sync,
) -> Vec<ActionReport> {
    let mut seen = HashSet::new();
    let sockets = targets.iter().filter_map(|(_, found)| found.as_ref().ok());
    let sockets: Vec<&Socket> = sockets
        .filter(|socket| seen.insert(socket.identity()))
        .collect();
    let identities = sockets.iter().map(|socket| socket.identity());
    let reports: HashMap<_, ActionReport> = identities
        .zip(parallel_map(&sockets, |socket| act(socket)))
        .collect();
    let reports = targets.iter().map(|(typed, found)| ActionReport {
        typed: Some(typed.clone()),
        ..match found {
            Ok(socket) => reports[&socket.identity()].clone(),
            Err(error) => ActionReport::new(
                ReportTarget::Unresolved(typed.clone()),
                action,
                ActionOutcome::REFUSED,
                error.to_string(),
            ),
        }
    });
    reports.collect()
}

/// Prints why a command did not act on a TARGET, in JSON as its result; returns the outcome.
pub(super) fn refuse(
    typed: &str,
    action: Action,
    outcome: Outcome,
    why: String,
    json: bool,
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    if !json {
        return to.fail(outcome, why);
    }
    let target = ReportTarget::Unresolved(typed.to_owned());
    let report = ActionReport::new(target, action, ActionOutcome::REFUSED, why);
    let _ = print(&[report], json, to)?;
    Ok(outcome)
}

/// Prints results, good and bad ones, on standard output. A TARGET that is no single socket is a wrong argument, hence a
/// diagnostic, but in JSON a result like the others. Returns the worst outcome.
pub(super) fn print(
    reports: &[ActionReport],
    json: bool,
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    print_with_findings(reports, &[], json, to)
}

/// Also prints findings about what the results do not cover.
pub(super) fn print_with_findings(
    reports: &[ActionReport],
    findings: &[Finding],
    json: bool,
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    if json {
        serde_json::to_writer_pretty(&mut *to.out, &Results::new(reports, findings))?;
        writeln!(to.out)?;
    } else {
        for report in &with_paths(reports) {
            match report.target {
                ReportTarget::Unresolved(_) => writeln!(to.err, "muxtray: {report}")?,
                _ => writeln!(to.out, "{report}")?,
            }
        }
        print_findings(findings, to.out)?;
    }
    to.out.flush()?;
    Ok(worst(reports))
}

/// Adds the path to the names that several sockets have.
fn with_paths(reports: &[ActionReport]) -> Vec<ActionReport> {
    let mut paths: HashMap<&str, HashSet<&ControlPath>> = HashMap::new();
    for report in reports {
        if let ReportTarget::Socket { name, target } = &report.target {
            paths.entry(name).or_default().insert(&target.path);
        }
    }
    let with_path = |report: &ActionReport| match &report.target {
        ReportTarget::Socket { name, target } if paths[name.as_str()].len() > 1 => ActionReport {
            target: ReportTarget::socket(format!("{name} ({})", target.path), target.clone()),
            ..report.clone()
        },
        _ => report.clone(),
    };
    reports.iter().map(with_path).collect()
}

/// Like [`print_with_findings`], with the reasons why not every socket is known.
pub(super) fn print_all(
    reports: &[ActionReport],
    unknown: &[Finding],
    json: bool,
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    let outcome = print_with_findings(reports, unknown, json, to)?;
    Ok(match unknown {
        [] => outcome,
        _ => outcome.max(Outcome::Unknown),
    })
}

/// Prints a report with the advice on a line of its own.
pub(super) fn print_with_advice(report: &ActionReport, to: &mut Output<'_>) -> io::Result<()> {
    writeln!(to.out, "{}: {}", report.target.name(), report.message)?;
    if let Some(advice) = &report.advice {
        writeln!(to.out, "    \u{2192} {advice}")?;
    }
    Ok(())
}

/// Prints each finding with its remedy on a line of its own.
pub(super) fn print_findings(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{}: {}", finding.subject, finding.evidence)?;
        writeln!(out, "    \u{2192} {}", remedy(finding))?;
    }
    Ok(())
}

/// The remedy with its lines for the ssh configuration. Several begin below it: it may end with a command.
pub(super) fn remedy(finding: &Finding) -> String {
    let separator = match finding.lines.len() {
        0 | 1 => " ",
        _ => "\n          ",
    };
    let lines = finding.lines.iter().map(String::as_str);
    let parts: Vec<&str> = std::iter::once(&*finding.remedy).chain(lines).collect();
    parts.join(separator)
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
