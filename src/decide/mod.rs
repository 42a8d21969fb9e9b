//! The notifications to show or close, and the actions to take by themselves: (memory, snapshot, now) to (memory, effects).
//!
//! There is one notification for each socket and problem, when it begins, and it is closed when the problem is over. If several
//! begin at once, there is one summary.

pub mod action_notice;
pub mod action_report;
pub mod ending;
pub mod intent;
pub mod notice;
pub mod opening;
mod stranded;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tr::tr;

use crate::decide::intent::Intent;
use crate::decide::notice::{Button, Notice, NoticeKey};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::fix::Fix;
use crate::model::socket::{Cookie, Snapshot, Socket, SocketId, Target};
use crate::model::text;
pub use stranded::EXIT_AFTER;
use stranded::Stranded;

/// The time without notifications after a resume: most problems disappear by themselves.
pub const QUIET_AFTER_RESUME: Duration = Duration::from_secs(15);

/// Findings below this severity are shown, but never announced.
pub const ANNOUNCED_FROM: Severity = Severity::Warning;

/// If at least so many problems begin in one look, one summary is shown.
const SUMMARY_FROM: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The kinds of findings that are announced.
    pub announce: BTreeSet<FindingId>,
    /// Whether stale sockets are removed without asking.
    pub clean_automatically: bool,
    /// Whether stranded masters are ended without asking.
    pub exit_stranded: bool,
    /// Whether details can be shown in a window; without one, no notification has a "Show" button.
    pub can_show: bool,
}

/// The notifications that are shown, and the actions that were tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    announced: BTreeMap<NoticeKey, Announced>,
    cleaned: BTreeSet<Target>,
    stranded: Stranded,
    quiet_until: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Announced {
    identity: Identity,
    in_summary: bool,
}

/// Distinguishes a problem from the next one of the same kind at the same path.
type Identity = (Option<SocketId>, Option<Cookie>);

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Show a notification, in place of the one with its key.
    Notify(Notice),
    /// Close a notification.
    Withdraw(NoticeKey),
    /// Remove these stale sockets.
    Clean(Vec<Target>),
    /// Ask these stranded masters to exit, with any number of sessions: those cannot work any more.
    Exit(Vec<Target>),
}

impl Memory {
    /// Begins the quiet time after a resume.
    #[must_use]
    pub fn resumed(mut self, now: Instant) -> Self {
        self.quiet_until = Some(now + QUIET_AFTER_RESUME);
        self
    }

    /// Returns the end of the quiet time, when waiting problems are announced.
    #[must_use]
    pub const fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// Returns the time at which the next stranded master is to be ended.
    #[must_use]
    pub const fn exits_at(&self) -> Option<Instant> {
        self.stranded.due
    }
}

struct Problem<'a> {
    key: NoticeKey,
    identity: Identity,
    finding: &'a Finding,
    socket: Option<&'a Socket>,
}

/// Returns the new memory and the effects of a snapshot.
#[must_use]
pub fn decide(
    memory: Memory,
    snapshot: &Snapshot,
    policy: &Policy,
    now: Instant,
) -> (Memory, Vec<Effect>) {
    let Memory {
        announced,
        cleaned,
        stranded,
        quiet_until,
    } = memory;
    let quiet_until = quiet_until.filter(|until| now < *until);
    let (cleaned, to_clean) = clean(&cleaned, snapshot, policy);
    // A socket that is about to be removed is announced only if that fails.
    let is_announced = |problem: &Problem<'_>| {
        !problem
            .socket
            .is_some_and(|socket| to_clean.contains(&socket.target()))
    };
    let problems: Vec<Problem<'_>> = problems(snapshot, policy).filter(is_announced).collect();
    let (announced, mut effects) = announce(announced, &problems, quiet_until.is_some(), policy);
    if !to_clean.is_empty() {
        effects.push(Effect::Clean(to_clean.into_iter().collect()));
    }
    let stranded = if policy.exit_stranded {
        let (stranded, to_end) = stranded.after(snapshot, quiet_until.is_some(), now);
        if !to_end.is_empty() {
            effects.push(Effect::Exit(to_end));
        }
        stranded
    } else {
        Stranded::default()
    };
    (
        Memory {
            announced,
            cleaned,
            stranded,
            quiet_until,
        },
        effects,
    )
}

/// Returns the targets for which a clean was tried, once for each file, and those to clean now. An interrupted clean is
/// finished under any policy.
fn clean(
    cleaned: &BTreeSet<Target>,
    snapshot: &Snapshot,
    policy: &Policy,
) -> (BTreeSet<Target>, BTreeSet<Target>) {
    let by_policy = snapshot
        .sockets
        .iter()
        .filter(|socket| policy.clean_automatically && is_cleaned_with_all(socket))
        .map(Socket::target);
    let wanted: BTreeSet<Target> = by_policy.chain(snapshot.asides.iter().cloned()).collect();
    let to_clean = wanted.difference(cleaned).cloned().collect();
    (wanted, to_clean)
}

/// Announces problems that begin, after the quiet time, and closes notifications of problems that are over.
fn announce(
    announced: BTreeMap<NoticeKey, Announced>,
    problems: &[Problem<'_>],
    is_quiet: bool,
    policy: &Policy,
) -> (BTreeMap<NoticeKey, Announced>, Vec<Effect>) {
    let there: BTreeMap<&NoticeKey, Identity> = problems
        .iter()
        .map(|problem| (&problem.key, problem.identity))
        .collect();
    let (mut announced, over): (BTreeMap<_, _>, BTreeMap<_, _>) = announced
        .into_iter()
        .partition(|(key, shown)| there.get(key) == Some(&shown.identity));
    let new: Vec<&Problem<'_>> = if is_quiet {
        Vec::new()
    } else {
        problems
            .iter()
            .filter(|problem| !announced.contains_key(&problem.key))
            .collect()
    };
    let in_summary = new.len() >= SUMMARY_FROM;

    let mut effects = Vec::new();
    // A notification that is replaced need not be closed.
    let replaced: BTreeSet<&NoticeKey> = if in_summary {
        BTreeSet::new()
    } else {
        new.iter().map(|problem| &problem.key).collect()
    };
    let alone = over
        .iter()
        .filter(|(key, shown)| !shown.in_summary && !replaced.contains(key));
    effects.extend(alone.map(|(key, _)| Effect::Withdraw(key.clone())));
    let is_summary_over = over.values().any(|shown| shown.in_summary)
        && !announced.values().any(|shown| shown.in_summary);
    if is_summary_over && !in_summary {
        effects.push(Effect::Withdraw(NoticeKey::Summary));
    }
    if in_summary {
        effects.push(Effect::Notify(summary(&new, policy)));
    } else {
        effects.extend(
            new.iter()
                .map(|problem| Effect::Notify(single(problem, policy))),
        );
    }
    let shown = |problem: &&Problem<'_>| {
        (
            problem.key.clone(),
            Announced {
                identity: problem.identity,
                in_summary,
            },
        )
    };
    announced.extend(new.iter().map(shown));
    (announced, effects)
}

/// Whether "clean all" includes the socket. Sockets of other programs are cleaned only if the user names them.
#[must_use]
pub fn is_cleaned_with_all(socket: &Socket) -> bool {
    socket.state.is_cleanable() && socket.managed_by.is_none()
}

fn problems<'a>(snapshot: &'a Snapshot, policy: &'a Policy) -> impl Iterator<Item = Problem<'a>> {
    let own = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.managed_by.is_none());
    let of_sockets = own.flat_map(|socket| {
        socket.findings.iter().map(move |finding| Problem {
            key: NoticeKey::Socket(socket.path.clone(), finding.id),
            identity: (socket.id, socket.cookie),
            finding,
            socket: Some(socket),
        })
    });
    let of_places = snapshot.findings.iter().map(|finding| Problem {
        key: NoticeKey::Place(finding.id, finding.subject.clone()),
        identity: (None, None),
        finding,
        socket: None,
    });
    of_sockets.chain(of_places).filter(|problem| {
        problem.finding.severity >= ANNOUNCED_FROM && policy.announce.contains(&problem.finding.id)
    })
}

fn single(problem: &Problem<'_>, policy: &Policy) -> Notice {
    let finding = problem.finding;
    let mut buttons = Vec::new();
    let (summary, body) = match problem.socket {
        Some(socket) => {
            if socket.state.is_cleanable() {
                buttons.push(Button {
                    label: tr!("Clean"),
                    intent: Intent::Clean(socket.target()),
                });
            }
            buttons.extend(stranded::buttons(socket));
            let title = format!("{}: {}", socket.title(), finding.id.title());
            (
                title,
                format!(
                    "{}\n{}.",
                    finding.subject,
                    text::sentence(&finding.evidence)
                ),
            )
        }
        None => (
            format!("ssh: {}", finding.id.title()),
            format!(
                "{}\n{}.",
                finding.subject,
                text::sentence(&finding.evidence)
            ),
        ),
    };
    match &finding.fix {
        // The button of the socket's state.
        Some(Fix::Clean(_)) | None => {}
        Some(fix) => buttons.push(Button {
            label: fix.label().to_owned(),
            intent: Intent::Mend(fix.clone()),
        }),
    }
    // Without a button for it, the text shows the remedy.
    let body = if buttons.is_empty() {
        format!("{body}\n{}", text::remedy(&finding.remedy))
    } else {
        body
    };
    if policy.can_show {
        let target = problem.socket.map(Socket::target);
        buttons.push(Button {
            label: tr!("Show"),
            intent: Intent::Show(target),
        });
    }
    Notice {
        key: problem.key.clone(),
        summary,
        body,
        buttons,
        transient: false,
    }
}

fn summary(problems: &[&Problem<'_>], policy: &Policy) -> Notice {
    const SHOWN: usize = 5;
    let line = |problem: &&Problem<'_>| match problem.socket {
        Some(socket) => format!("{}: {}", socket.title(), problem.finding.id.title()),
        None => format!(
            "{}: {}",
            problem.finding.subject,
            problem.finding.id.title()
        ),
    };
    let mut lines: Vec<String> = problems.iter().take(SHOWN).map(line).collect();
    if problems.len() > SHOWN {
        lines.push(tr!("and {n} more", n = problems.len() - SHOWN));
    }
    let mut buttons = Vec::new();
    let cleanable: BTreeSet<Target> = problems
        .iter()
        .filter_map(|problem| problem.socket)
        .filter(|socket| socket.state.is_cleanable())
        .map(Socket::target)
        .collect();
    if !cleanable.is_empty() {
        let label = tr!("Clean {n} socket" | "Clean {n} sockets" % cleanable.len());
        buttons.push(Button {
            label,
            intent: Intent::CleanAll(cleanable.into_iter().collect()),
        });
    }
    let sockets = problems.iter().filter_map(|problem| problem.socket);
    buttons.extend(stranded::exit_all_button(sockets));
    if policy.can_show {
        buttons.push(Button {
            label: tr!("Show"),
            intent: Intent::Show(None),
        });
    }
    Notice {
        key: NoticeKey::Summary,
        summary: tr!("{n} problem with control sockets"
            | "{n} problems with control sockets" % problems.len()),
        body: lines.join("\n"),
        buttons,
        transient: false,
    }
}

#[cfg(test)]
mod tests;
