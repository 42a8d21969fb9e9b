//! The notification about the results of an action.

use std::time::Duration;

use tr::tr;

use super::action_report::{Action, ActionOutcome, ActionReport, AliveCheck, ReportTarget};
use super::intent::Intent;
use super::notice::{Button, Notice, NoticeKey};
use crate::model::text;

/// The origin of an action.
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
#[must_use]
pub fn notice(reports: &[ActionReport], scope: Scope, can_show: bool) -> Option<Notice> {
    match scope {
        Scope::OneTarget => reports.first().map(|report| single(report, can_show)),
        Scope::AllTargets => of_all(reports, can_show),
        Scope::Policy => of_policy(reports, can_show),
    }
}

fn of_policy(reports: &[ActionReport], can_show: bool) -> Option<Notice> {
    let is_end = |report: &ActionReport| Counted::of(report.action) == Some(Counted::End);
    let notice = match reports {
        [report] if is_end(report) => Notice {
            summary: tr!("{host}: had lost its network", host = report.target.name()),
            ..single(report, can_show)
        },
        [report, ..] if is_end(report) => {
            let notice = of_all(reports, can_show)?;
            Notice {
                summary: tr!("{what} that had lost their network", what = notice.summary),
                ..notice
            }
        }
        _ => return None,
    };
    Some(Notice {
        transient: false,
        ..notice
    })
}

fn single(report: &ActionReport, can_show: bool) -> Notice {
    let is_success = report.outcome.is_success();
    let name = report.target.name();
    let follow_up = &report.follow_up;
    let mut body = match report.action {
        // It may begin with "ssh".
        Action::Open => report.message.clone(),
        _ => text::sentence(&report.message),
    };
    if let Some(advice) = &follow_up.advice
        // "Try again" is not the advice.
        && (follow_up.button.is_none()
            || (report.action == Action::Open && report.outcome == ActionOutcome::Failed))
    {
        body = format!("{body}\n{}", text::remedy(advice));
    }
    let mut buttons: Vec<Button> = follow_up.button.iter().cloned().collect();
    let (key, summary) = match &report.target {
        ReportTarget::Socket { target, .. } => {
            if can_show && !is_success {
                buttons.push(show(Intent::Show(Some(target.clone()))));
            }
            (NoticeKey::Answer(target.path.clone()), name)
        }
        ReportTarget::Host { path, .. } => (
            path.clone().map_or(NoticeKey::AnswerAll, NoticeKey::Answer),
            if is_success {
                tr!("{host}: master is open", host = name)
            } else {
                tr!("{host}: no master was opened", host = name)
            },
        ),
        ReportTarget::File(path) => (NoticeKey::Mended(path.clone()), name),
        ReportTarget::Unresolved(_) => (NoticeKey::AnswerAll, name),
    };
    Notice {
        key,
        summary,
        body,
        buttons,
        transient: is_success,
    }
}

fn of_all(reports: &[ActionReport], can_show: bool) -> Option<Notice> {
    const SHOWN: usize = 5;
    let mut parts = counts(reports);
    if parts.is_empty() {
        return None;
    }
    let failed: Vec<String> = reports
        .iter()
        .filter(|report| !report.outcome.is_success())
        .map(|report| format!("{}: {}", report.target.name(), report.message))
        .collect();
    let has_failed = !failed.is_empty();
    let mut lines: Vec<String> = failed.iter().take(SHOWN).cloned().collect();
    if failed.len() > SHOWN {
        lines.push(tr!("and {n} more", n = failed.len() - SHOWN));
    }
    if has_failed {
        parts.push(tr!("{n} failed", n = failed.len()));
    } else {
        lines.extend(slowest(reports));
    }
    Some(Notice {
        key: NoticeKey::AnswerAll,
        summary: text::list(parts),
        body: lines.join("\n"),
        buttons: (can_show && has_failed)
            .then(|| show(Intent::Show(None)))
            .into_iter()
            .collect(),
        transient: !has_failed,
    })
}

fn show(intent: Intent) -> Button {
    Button {
        label: tr!("Show"),
        intent,
    }
}

/// Actions that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Check,
    End,
    Stop,
    Clean,
}

impl Counted {
    const fn of(action: Action) -> Option<Self> {
        match action {
            Action::Check => Some(Self::Check),
            Action::Exit | Action::EndProcess => Some(Self::End),
            Action::Stop => Some(Self::Stop),
            Action::Clean => Some(Self::Clean),
            Action::Fix | Action::Open => None,
        }
    }
}

/// `3 masters ended`, `2 sockets removed`: the successes of each kind of action, in order of appearance.
fn counts(reports: &[ActionReport]) -> Vec<String> {
    let mut counts: Vec<(Counted, usize)> = Vec::new();
    for report in reports {
        let Some(action) = Counted::of(report.action) else {
            continue;
        };
        let success = usize::from(report.outcome.is_success());
        match counts.iter_mut().find(|(counted, _)| *counted == action) {
            Some((_, count)) => *count += success,
            None => counts.push((action, success)),
        }
    }
    let text = |(action, n): (Counted, usize)| match action {
        Counted::Check => tr!("{n} master answered" | "{n} masters answered" % n),
        Counted::End => tr!("{n} master ended" | "{n} masters ended" % n),
        Counted::Stop => tr!("{n} master stopped" | "{n} masters stopped" % n),
        Counted::Clean => tr!("{n} socket removed" | "{n} sockets removed" % n),
    };
    counts.into_iter().map(text).collect()
}

fn slowest(reports: &[ActionReport]) -> Option<String> {
    let round_trip = |report: &ActionReport| match report.alive_check {
        Some(AliveCheck::Answered(round_trip)) => Some((round_trip, report.target.name())),
        Some(AliveCheck::TimedOut) | None => None,
    };
    let (round_trip, host): (Duration, String) = reports.iter().filter_map(round_trip).max()?;
    Some(tr!(
        "The slowest in {millis} ms: {host}",
        millis = text::millis(round_trip),
        host
    ))
}

#[cfg(test)]
mod tests;
