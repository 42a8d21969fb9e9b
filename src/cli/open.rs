//! `muxtray open HOST`: starts a master in the background.

use std::io::{self, IsTerminal as _};
use std::slice;

use tr::tr;

use super::args::{Global, Open};
use super::context::{Context, HostToConnect};
use super::outcome::{Outcome, Output};
use super::reports::{self, consent};
use crate::actions::open::Questions;
use crate::actions::perform::{self, Opening};
use crate::actions::ssh::deferred_signals::DeferredSignals;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::decide::opening::{self, Plan};
use crate::model::control_path::HostAlias;

pub(super) fn open(global: &Global, open: &Open, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, open.json)?;
    let HostToConnect {
        ssh,
        host,
        snapshot,
    } = match context.host_to_connect(&open.host) {
        Ok(found) => found,
        Err(error) if open.json => {
            let target = ReportTarget::Unresolved(open.host.clone());
            let outcome = ActionOutcome::REFUSED;
            let report = ActionReport::new(target, Action::Open, outcome, error.why.clone());
            let _ = reports::print(&[report], true, to)?;
            return Ok(error.outcome);
        }
        Err(error) => return error.print(to),
    };
    let alias = HostAlias(open.host.clone());
    let report = |outcome, message| {
        let target = ReportTarget::Host {
            alias: alias.clone(),
            path: host.control_path.clone(),
        };
        ActionReport::new(target, Action::Open, outcome, message)
    };
    let start = match opening::plan(&open.host, &host, &snapshot) {
        Plan::Start(start) => start,
        Plan::Running(socket) => {
            let mut message = tr!("a master is already running");
            if let Some(pid) = socket.pid {
                message += &tr!(", pid {pid}", pid = pid.0);
            }
            let outcome = print(&report(ActionOutcome::Unchanged, message), open, to)?;
            if !open.json {
                for finding in &socket.findings {
                    writeln!(to.out, "    {}", finding.evidence)?;
                    writeln!(to.out, "    \u{2192} {}", finding.remedy)?;
                }
            }
            return Ok(outcome);
        }
        Plan::Blocked(obstacle) => {
            let report =
                report(ActionOutcome::REFUSED, obstacle.evidence).with_advice(obstacle.remedy);
            return print(&report, open, to);
        }
    };
    let opening = Opening {
        ssh,
        alias: alias.clone(),
        start,
        persist: host.persist,
        consent: consent(open.force),
        questions: if open.batch {
            Questions::None
        } else {
            let has_terminal = io::stdin().is_terminal() || io::stderr().is_terminal();
            Questions::of(has_terminal, |name| std::env::var_os(name))
        },
    };
    let signals = DeferredSignals::block()?;
    let report = perform::open(&opening, Some(&signals));
    let is_interrupted = signals.is_pending() && !report.outcome.is_success();
    let outcome = if is_interrupted {
        to.fail(Outcome::Unknown, tr!("interrupted"))?
    } else {
        print(&report, open, to)?
    };
    // A pending signal ends the program here, unless it is ignored.
    drop(signals);
    Ok(outcome)
}

/// The host, with the advice on a line of its own.
fn print(report: &ActionReport, open: &Open, to: &mut Output<'_>) -> io::Result<Outcome> {
    if open.json {
        return reports::print(slice::from_ref(report), true, to);
    }
    writeln!(to.out, "{}: {}", report.target.name(), report.message)?;
    if let Some(advice) = &report.advice {
        writeln!(to.out, "    \u{2192} {advice}")?;
    }
    Ok(Outcome::from(report.outcome))
}
