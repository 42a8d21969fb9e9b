//! The notifications to show or close, and the actions to take by themselves: (memory, snapshot, now) to (memory, effects).
//!
//! There is one notification for each socket and problem, when it begins, and it is closed when the problem is over. If several
//! begin at once, there is one summary.

pub mod action_notice;
pub mod action_report;
mod announced;
pub mod ending;
pub mod ends;
pub mod forwarding;
pub mod intent;
pub mod keeping;
pub mod launch;
pub mod new_session;
pub mod notice;
pub mod opening;
mod policy;
mod reopen;
mod stranded;
pub mod terminal;

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::iter;
use std::time::{Duration, Instant};

use tr::tr;

use crate::decide::action_report::{ActionReport, Asked};
use crate::decide::announced::Announced;
use crate::decide::ends::Ends;
use crate::decide::intent::Intent;
use crate::decide::notice::{Button, Notice, NoticeKey, first_lines};
use crate::model::control_path::HostAlias;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::fix::Fix;
use crate::model::socket::{Snapshot, Socket, Target};
use crate::model::text;
pub use policy::Policy;
pub use reopen::Opportunity;
use reopen::{Attempted, Reopening};
pub use stranded::EXIT_AFTER;
use stranded::Stranded;

/// The time without notifications after a resume: most problems disappear by themselves.
const QUIET_AFTER_RESUME: Duration = Duration::from_secs(15);

/// Findings below this severity are shown, but never announced.
pub const ANNOUNCED_FROM: Severity = Severity::Warning;

/// The notifications that are shown, and the actions that were tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// By problem. The target is another for the next problem of a kind at the same path.
    announced: Announced<NoticeKey, Option<Target>>,
    cleaned: BTreeSet<Target>,
    stranded: Stranded,
    reopening: Reopening,
    ends: Ends,
    quiet_until: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    Notify(Notice),
    Withdraw(NoticeKey),
    Clean(Vec<Target>),
    /// Ask these stranded masters to exit, with any number of sessions: those cannot work any more.
    Exit(Vec<Target>),
    /// Open a master for this host in place of a stranded one, without a question to a person.
    Reopen(HostAlias, Target),
}

struct Problem<'a> {
    key: NoticeKey,
    finding: &'a Finding,
    socket: Option<&'a Socket>,
}

impl Problem<'_> {
    fn target(&self) -> Option<Target> {
        self.socket.map(Socket::target)
    }
}

#[must_use]
pub fn decide(
    mut memory: Memory,
    snapshot: &Snapshot,
    policy: &Policy,
    now: Instant,
) -> (Memory, Vec<Effect>) {
    memory.quiet_until = memory.quiet_until.filter(|until| now < *until);
    let is_quiet = memory.is_quiet(now);
    let to_clean = memory.clean(snapshot, policy);
    // A socket that is about to be removed, or a master that is about to be replaced, is announced only if that fails.
    let is_handled =
        |target: Target| to_clean.contains(&target) || memory.reopening.replaces(&target);
    let is_announced = |problem: &Problem<'_>| !problem.target().is_some_and(is_handled);
    let problems = problems(snapshot, policy).filter(is_announced);
    let problems: Vec<_> = problems
        .map(|problem| (problem.key.clone(), problem.target(), problem))
        .collect();
    let of_problems = announced::update(
        &mut memory.announced,
        &problems,
        is_quiet,
        |new| match new {
            [problem] => single(problem, policy),
            _ => summary(new, policy),
        },
    );
    let of_ends = memory.ends.update(snapshot, policy, is_quiet, now);
    let mut effects = Vec::new();
    for (over, notice) in [of_problems, of_ends] {
        effects.extend(over.into_iter().map(Effect::Withdraw));
        effects.extend(notice.map(Effect::Notify));
    }
    if !to_clean.is_empty() {
        effects.push(Effect::Clean(to_clean.into_iter().collect()));
    }
    if policy.exit_stranded {
        let mut to_end = memory.stranded.update(snapshot, is_quiet, now);
        to_end.retain(|target| !memory.reopening.replaces(target));
        for target in &to_end {
            memory.reopening.note_end(target);
        }
        if !to_end.is_empty() {
            effects.push(Effect::Exit(to_end));
        }
    } else {
        memory.stranded = Stranded::default();
    }
    (memory, effects)
}

/// Returns the effects for the hosts of [`Policy::reopen`]; to be called before [`decide`], which ends other stranded
/// masters.
#[must_use]
pub fn reopen(
    mut memory: Memory,
    snapshot: &Snapshot,
    policy: &Policy,
    with: &Opportunity<'_>,
) -> (Memory, Vec<Effect>) {
    let step = memory.reopening.step(snapshot, &policy.reopen, with);
    let withdrawn = step.withdrawn.into_iter();
    let withdrawn = withdrawn.map(|master| Effect::Withdraw(NoticeKey::Answer(master.path)));
    let open = step.open.map(|(host, lost)| Effect::Reopen(host, lost));
    (memory, withdrawn.chain(open).collect())
}

impl Memory {
    pub fn addresses(&self, snapshot: &Snapshot, policy: &Policy) -> BTreeSet<IpAddr> {
        self.reopening.addresses(snapshot, &policy.reopen)
    }

    /// Returns when the next stranded master may be replaced.
    pub const fn reopens_at(&self) -> Option<Instant> {
        self.reopening.due()
    }

    /// Whether the machine has just resumed.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| now < until)
    }

    /// Adds the end of an [`Effect::Reopen`]. Returns the notification if there will be no other attempt.
    #[must_use]
    pub fn reopened(
        mut self,
        host: &HostAlias,
        report: Option<&ActionReport>,
        policy: &Policy,
        now: Instant,
    ) -> (Self, Option<Notice>) {
        let attempted = match report {
            Some(report) if report.outcome.is_success() => Attempted::Opened,
            Some(report) => match report.asked {
                Asked::Yes => Attempted::NeedsPerson,
                Asked::Unknown => Attempted::FailedWithoutReason,
                Asked::No => Attempted::Failed,
            },
            None => Attempted::Failed,
        };
        let is_over = self.reopening.note_attempt(host, attempted, now);
        let is_announced = is_over && policy.announce.contains(&FindingId::Stranded);
        let notice = report
            .filter(|_| is_announced)
            .map(|report| action_notice::not_reopened(report, host, policy.can_show));
        (self, notice)
    }

    /// Leaves a host to a person that opens it. Returns the master that was to be replaced.
    pub fn leave_to_person(&mut self, host: &HostAlias) -> Option<Target> {
        self.reopening.forget(host)
    }

    #[must_use]
    pub fn resumed(mut self, now: Instant) -> Self {
        self.quiet_until = Some(now + QUIET_AFTER_RESUME);
        self
    }

    /// Returns the end of the quiet time, when waiting problems are announced.
    pub const fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// Returns the time at which the next stranded master is to be ended.
    pub fn exits_at(&self) -> Option<Instant> {
        let due = self.stranded.due()?;
        Some(self.quiet_until.map_or(due, |quiet| quiet.max(due)))
    }

    /// Returns the time at which the next end of a master is to be announced.
    pub const fn announces_end_at(&self) -> Option<Instant> {
        self.ends.due
    }

    /// Returns the targets to clean now, each file once. An interrupted clean is finished under any policy.
    fn clean(&mut self, snapshot: &Snapshot, policy: &Policy) -> BTreeSet<Target> {
        let by_policy = snapshot
            .sockets
            .iter()
            .filter(|socket| policy.clean_automatically && is_cleaned_with_all(socket))
            .map(Socket::target);
        let wanted = by_policy.chain(snapshot.asides.iter().cloned()).collect();
        let tried = std::mem::replace(&mut self.cleaned, wanted);
        self.cleaned.difference(&tried).cloned().collect()
    }
}

/// Whether "clean all" includes the socket. Sockets of other programs are cleaned only if the user names them.
pub fn is_cleaned_with_all(socket: &Socket) -> bool {
    socket.state.is_cleanable() && socket.managed_by.is_none()
}

fn problems<'a>(snapshot: &'a Snapshot, policy: &'a Policy) -> impl Iterator<Item = Problem<'a>> {
    let findings = snapshot.all_findings().filter(|(finding, socket)| {
        socket.is_none_or(|socket| socket.managed_by.is_none())
            && finding.severity >= ANNOUNCED_FROM
            && policy.announce.contains(&finding.id)
    });
    findings.map(|(finding, socket)| Problem {
        key: match socket {
            Some(socket) => NoticeKey::Socket(socket.path.clone(), finding.id),
            None => NoticeKey::Place(finding.id, finding.subject.clone()),
        },
        finding,
        socket,
    })
}

fn single(problem: &Problem<'_>, policy: &Policy) -> Notice {
    let finding = problem.finding;
    let mut buttons = Vec::new();
    if let Some(socket) = problem.socket {
        if socket.state.is_cleanable() {
            buttons.push(Button {
                label: tr!("Clean"),
                intent: Intent::Clean(socket.target()),
            });
        }
        buttons.extend(stranded::buttons(socket));
    }
    match &finding.fix {
        // The button of the socket's state.
        Some(Fix::Clean(_)) | None => {}
        Some(fix) => buttons.push(Button {
            label: fix.label(),
            intent: Intent::Fix(fix.clone()),
        }),
    }
    let evidence = text::sentence(&finding.evidence);
    let mut body = format!("{evidence}.\n{}", finding.subject);
    let remedy = text::remedy(&finding.remedy);
    let lines = finding.lines_beside_remedy().map(str::to_owned);
    let mut advice = Some(
        iter::once(remedy)
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n"),
    );
    // Without a button for it, the text shows the remedy.
    if buttons.is_empty()
        && let Some(advice) = advice.take()
    {
        body = format!("{body}\n{advice}");
    }
    if policy.can_show {
        buttons.push(Button::show(problem.target()));
    }
    let title = finding.id.title();
    let summary = match problem.socket {
        Some(socket) => format!("{}: {title}", socket.title()),
        None => text::sentence(&title),
    };
    Notice {
        advice,
        buttons,
        ..Notice::new(problem.key.clone(), summary, body)
    }
}

fn summary(problems: &[&Problem<'_>], policy: &Policy) -> Notice {
    let line = |problem: &&Problem<'_>| {
        let subject = || problem.finding.subject.clone();
        let name = problem.socket.map_or_else(subject, Socket::title);
        format!("{name}: {}", problem.finding.id.title())
    };
    let sockets = || problems.iter().filter_map(|problem| problem.socket);
    let cleanable: BTreeSet<Target> = sockets()
        .filter(|socket| socket.state.is_cleanable())
        .map(Socket::target)
        .collect();
    let mut buttons = Vec::new();
    if !cleanable.is_empty() {
        let label = tr!("Clean {n} socket" | "Clean {n} sockets" % cleanable.len());
        buttons.push(Button {
            label,
            intent: Intent::CleanAll(cleanable.into_iter().collect()),
        });
    }
    buttons.extend(opening::reconnect_all(sockets()).map(Button::ask_first));
    buttons.extend(stranded::exit_all_button(sockets()));
    buttons.extend(policy.can_show.then(|| Button::show(None)));
    let summary =
        tr!("{n} problem with control sockets"
            | "{n} problems with control sockets" % problems.len());
    let body = first_lines(problems.iter().map(line).collect());
    Notice {
        buttons,
        ..Notice::new(NoticeKey::Summary, summary, body)
    }
}

#[cfg(test)]
mod tests;
