//! The notification about the results of an action.

use std::collections::BTreeMap;

use tr::tr;

use super::action_report::{Action, ActionOutcome, ActionReport, Refusal, ReportTarget};
use super::intent::{Intent, SessionConsent};
use super::notice::{Button, Notice, NoticeKey, first_lines};
use super::opening;
use crate::model::carried::Carried;
use crate::model::control_path::HostAlias;
use crate::model::socket::{Snapshot, Socket};
use crate::model::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A person, for one target.
    OneTarget,
    /// A person, for all sockets.
    AllTargets,
    /// The settings, without a person: only the end of masters is worth a notification.
    Policy,
}

/// `can_show`: whether the tray can show details in a window.
pub fn notice(reports: &[ActionReport], scope: Scope, can_show: bool) -> Option<Notice> {
    match scope {
        Scope::OneTarget => reports.first().map(|report| single(report, can_show)),
        Scope::AllTargets => of_all(reports, can_show),
        Scope::Policy => of_policy(reports, can_show),
    }
}

fn of_policy(reports: &[ActionReport], can_show: bool) -> Option<Notice> {
    let first = reports.first()?;
    if !matches!(first.action, Action::Exit | Action::EndProcess) {
        return None;
    }
    let (notice, summary) = if reports.len() == 1 {
        let summary = tr!("{host}: had lost its network", host = first.target.name());
        (single(first, can_show), summary)
    } else {
        let notice = of_all(reports, can_show)?;
        let summary = tr!("{what} that had lost their network", what = notice.summary);
        (notice, summary)
    };
    Some(Notice {
        summary,
        transient: false,
        ..notice
    })
}

/// Asks for consent to close the connections of these stranded masters; `None` if the given one covers them.
pub fn question_to_reconnect(
    hosts: &[(HostAlias, SessionConsent)],
    snapshot: &Snapshot,
) -> Option<Notice> {
    let masters = opening::to_reconnect(snapshot.sockets.iter());
    let wanted = |host: &HostAlias| hosts.iter().find(|(wanted, _)| wanted == host);
    let is_wanted = |(host, _): &(&HostAlias, &Socket)| wanted(host).is_some();
    let masters: Vec<_> = masters.into_iter().filter(is_wanted).collect();
    let is_covered = |(host, socket): &(&HostAlias, &Socket)| {
        wanted(host).is_some_and(|(_, consent)| consent.covers(socket.carried()))
    };
    if masters.iter().all(is_covered) {
        return None;
    }
    let uncovered = masters.iter().filter(|master| !is_covered(master));
    let line = |(host, socket): &(&HostAlias, &Socket)| match socket.carried_text() {
        Some(carried) => format!("{host}: {carried}"),
        None => host.to_string(),
    };
    let summary = tr!("Reconnect {n} master?" | "Reconnect {n} masters?" % masters.len());
    let body = first_lines(uncovered.map(line).collect());
    Some(Notice {
        buttons: vec![Button::reconnect_all(&masters), Button::keep()],
        is_question: true,
        ..Notice::new(NoticeKey::AnswerAll, summary, body)
    })
}

/// Returns the notification that a stranded master was not replaced, with a button that may ask a person.
pub(super) fn not_reopened(report: &ActionReport, host: &HostAlias, can_show: bool) -> Notice {
    let reconnect = Button::reconnect(host.clone(), Some(Carried::NONE));
    Notice {
        summary: tr!("{host}: not reconnected", host = report.target.name()),
        ..single(&report.clone().with_button(Some(reconnect)), can_show)
    }
}

fn single(report: &ActionReport, can_show: bool) -> Notice {
    let is_success = report.outcome.is_success();
    let name = report.target.name();
    let mut body = text::sentence(&report.message);
    // "Try again" is not the advice.
    let is_failed_start = report.action == Action::Open && report.outcome == ActionOutcome::Failed;
    let mut advice = report.advice.as_deref().map(text::remedy);
    if (report.button.is_none() || is_failed_start)
        && let Some(advice) = advice.take()
    {
        body = format!("{body}\n{advice}");
    }
    let mut buttons: Vec<Button> = report.button.iter().cloned().collect();
    let is_question = asks(report);
    if is_question {
        buttons.push(Button::keep());
    }
    let (key, summary) = match &report.target {
        ReportTarget::Socket { target, .. } => {
            if can_show && !is_success {
                buttons.push(Button::show(Some(target.clone())));
            }
            (
                NoticeKey::Answer(target.path.clone()),
                question(report).unwrap_or(name),
            )
        }
        ReportTarget::Host { path, .. } => (
            path.clone().map_or(NoticeKey::AnswerAll, NoticeKey::Answer),
            if let Some(question) = question(report) {
                question
            } else if is_success {
                tr!("{host}: master is open", host = name)
            } else {
                tr!("{host}: no master was opened", host = name)
            },
        ),
        ReportTarget::File(path) => (NoticeKey::Fixed(path.clone()), name),
        ReportTarget::Unresolved(_) => (NoticeKey::AnswerAll, name),
    };
    Notice {
        key,
        summary,
        body,
        advice,
        buttons,
        transient: is_success,
        is_question,
    }
}

/// Whether the action needs consent to close connections.
fn asks(report: &ActionReport) -> bool {
    report.outcome == ActionOutcome::Refused(Refusal::ConnectionsOpen) && report.button.is_some()
}

fn question(report: &ActionReport) -> Option<String> {
    let host = report.target.name();
    asks(report).then(|| match report.action {
        Action::Open => tr!("Reconnect {host}?", host),
        Action::EndProcess => tr!("End the process of {host}?", host),
        _ => tr!("Exit {host}?", host),
    })
}

fn of_all(reports: &[ActionReport], can_show: bool) -> Option<Notice> {
    let failed = reports.iter().filter(|report| !report.outcome.is_success());
    let lines: Vec<String> = failed
        .map(|report| format!("{}: {}", report.target.name(), report.message))
        .collect();
    let has_failed = !lines.is_empty();
    let asking = reports.iter().filter(|report| asks(report)).count();
    let mut parts = counts(reports);
    if lines.len() > asking {
        parts.push(tr!("{n} failed", n = lines.len() - asking));
    }
    if asking > 0 {
        parts.push(tr!(
            "{n} has open connections" | "{n} have open connections" % asking
        ));
    }
    if parts.is_empty() {
        return None;
    }
    let button = consent_to_others(reports);
    let is_question = button.is_some();
    let keep = is_question.then(Button::keep);
    let show = (can_show && has_failed).then(|| Button::show(None));
    Some(Notice {
        buttons: button.into_iter().chain(keep).chain(show).collect(),
        transient: !has_failed,
        is_question,
        ..Notice::new(NoticeKey::AnswerAll, text::list(parts), first_lines(lines))
    })
}

/// Returns the button for the masters that need consent; `None` if there are none.
fn consent_to_others(reports: &[ActionReport]) -> Option<Button> {
    let asking = reports.iter().filter(|report| asks(report));
    let mut buttons = asking.filter_map(|report| report.button.clone());
    let intents = || buttons.clone().map(|button| button.intent);
    let masters = intents().filter_map(|intent| match intent {
        Intent::Exit { target, consent } => Some((target, consent)),
        _ => None,
    });
    let hosts = intents().filter_map(|intent| match intent {
        Intent::Open { host, consent } => Some((host, consent)),
        _ => None,
    });
    let (masters, hosts): (Vec<_>, Vec<_>) = (masters.collect(), hosts.collect());
    if masters.len() > 1 {
        let label = tr!("Exit {n} master, closing its connections"
            | "Exit {n} masters, closing their connections" % masters.len());
        let intent = Intent::ExitAll(masters);
        return Some(Button { label, intent });
    }
    if hosts.len() > 1 {
        let label = tr!("Reconnect {n} master, closing its connections"
            | "Reconnect {n} masters, closing their connections" % hosts.len());
        let intent = Intent::OpenAll(hosts);
        return Some(Button { label, intent });
    }
    buttons.next()
}

/// `3 masters ended`, `2 sockets removed`: the successes of each kind of action, except of those that ask.
fn counts(reports: &[ActionReport]) -> Vec<String> {
    let mut counts: BTreeMap<Action, usize> = BTreeMap::new();
    for report in reports.iter().filter(|report| !asks(report)) {
        let action = match report.action {
            Action::EndProcess => Action::Exit,
            Action::Fix | Action::Forward | Action::CancelForward | Action::KeepOpen => continue,
            action => action,
        };
        *counts.entry(action).or_default() += usize::from(report.outcome.is_success());
    }
    let text = |(action, n): (Action, usize)| match action {
        Action::Check => tr!("{n} master answered" | "{n} masters answered" % n),
        Action::Stop => tr!("{n} master stopped" | "{n} masters stopped" % n),
        Action::Clean => tr!("{n} socket removed" | "{n} sockets removed" % n),
        Action::Open => tr!("{n} master opened" | "{n} masters opened" % n),
        _ => tr!("{n} master ended" | "{n} masters ended" % n),
    };
    counts.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests;
