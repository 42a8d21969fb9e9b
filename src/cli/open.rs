//! `muxtray open HOST`: starts a master in the background.

use std::io::{self, IsTerminal as _};

use tr::tr;

use super::args::{Global, Open};
use super::context::{Context, HostToConnect, NotConnectable};
use super::outcome::{Outcome, Output};
use super::reports::{self, consent};
use crate::actions::open::Questions;
use crate::actions::perform::{self, Opening};
use crate::actions::ssh::deferred_signals::DeferredSignals;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::decide::intent::SessionConsent;
use crate::decide::opening::{self, Plan};
use crate::model::control_path::HostAlias;
use crate::model::finding::Finding;
use crate::scan;

pub(super) fn open(global: &Global, open: &Open, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, open.json)?;
    let mut unknown = Vec::new();
    let hosts = match &open.host {
        Some(host) => vec![host.clone()],
        None => {
            if let Some(refused) = context.refuse_without_settings(open.json, to)? {
                return Ok(refused);
            }
            let snapshot = context.snapshot();
            unknown = context.unknown_hosts(&snapshot);
            let masters = opening::to_reconnect(snapshot.sockets.iter());
            masters.iter().map(|(host, _)| host.0.clone()).collect()
        }
    };
    let mut signals = None;
    let mut worst = Outcome::Well;
    let mut reports = Vec::new();
    let how = How {
        consent: consent(open.force),
        questions: match open.batch {
            true => Questions::None,
            false => questions(),
        },
    };
    for host in &hosts {
        let (report, outcome, findings) = match start(&mut context, host, how, &mut signals)? {
            Ok((report, findings)) => {
                let outcome = Outcome::from(report.outcome);
                (report, outcome, findings)
            }
            Err(error) if open.json => (error.report(host), error.outcome, Vec::new()),
            Err(error) => {
                worst = worst.max(error.print(to)?);
                continue;
            }
        };
        if is_interrupted(signals.as_ref(), &report) {
            worst = worst.max(to.fail(Outcome::Unknown, tr!("interrupted"))?);
            break;
        }
        worst = worst.max(outcome);
        if open.json {
            reports.push(report);
        } else {
            print(&report, &findings, to)?;
        }
    }
    if hosts.is_empty() && !open.json {
        writeln!(to.out, "{}", tr!("no stranded masters"))?;
    }
    if open.json || !unknown.is_empty() {
        let _ = reports::print_with_findings(&reports, &unknown, open.json, to)?;
    }
    if !unknown.is_empty() {
        worst = worst.max(Outcome::Unknown);
    }
    to.out.flush()?;
    // A pending signal ends the program here, unless it is ignored.
    drop(signals);
    Ok(worst)
}

#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) consent: SessionConsent,
    pub(super) questions: Questions,
}

pub(super) fn questions() -> Questions {
    let has_terminal = io::stdin().is_terminal() || io::stderr().is_terminal();
    Questions::of(has_terminal, |name| std::env::var_os(name))
}

/// Whether a signal to this process ended the start.
pub(super) fn is_interrupted(signals: Option<&DeferredSignals>, report: &ActionReport) -> bool {
    signals.is_some_and(DeferredSignals::is_pending) && !report.outcome.is_success()
}

/// Starts a master, or finds the one that runs; with its findings.
pub(super) fn start(
    context: &mut Context,
    typed: &str,
    how: How,
    signals: &mut Option<DeferredSignals>,
) -> io::Result<Result<(ActionReport, Vec<Finding>), NotConnectable>> {
    let HostToConnect {
        ssh,
        host,
        snapshot,
    } = match context.host_to_connect(typed) {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let alias = HostAlias(typed.to_owned());
    let report = |outcome, message| {
        let target = ReportTarget::Host {
            alias: alias.clone(),
            path: host.control_path.clone(),
        };
        ActionReport::new(target, Action::Open, outcome, message)
    };
    let start = match opening::plan(typed, &host, &snapshot) {
        Plan::Start(start) => start,
        Plan::Running(socket) => {
            let mut message = tr!("a master is already running");
            if let Some(pid) = socket.pid {
                message += &tr!(", pid {pid}", pid = pid.0);
            }
            let report = report(ActionOutcome::Unchanged, message);
            return Ok(Ok((report, socket.findings)));
        }
        Plan::Blocked(obstacle) => {
            let report = report(ActionOutcome::REFUSED, obstacle.evidence);
            return Ok(Ok((report.with_advice(obstacle.remedy), Vec::new())));
        }
    };
    let opening = Opening {
        ssh,
        alias: alias.clone(),
        replaced: start.replaced().cloned(),
        start,
        persist: host.persist,
        consent: how.consent,
        questions: how.questions,
        remembered: scan::remembered_file(context.scanner.environment()),
    };
    if signals.is_none() {
        *signals = Some(DeferredSignals::block()?);
    }
    Ok(Ok((perform::open(&opening, signals.as_ref()), Vec::new())))
}

/// The host, with the advice and findings on lines of their own.
fn print(report: &ActionReport, findings: &[Finding], to: &mut Output<'_>) -> io::Result<()> {
    reports::print_with_advice(report, to)?;
    for finding in findings {
        writeln!(to.out, "    {}", finding.evidence)?;
        writeln!(to.out, "    \u{2192} {}", finding.remedy)?;
    }
    Ok(())
}
