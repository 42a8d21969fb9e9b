//! What is worth saying, and when: (memory, snapshot, now) to (memory, effects).
//!
//! One notice for each socket and problem, when it begins; taken back when it is over. Several that begin at once
//! are one summary. It knows nothing of daemons and menus.

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

/// How long nothing is announced after a resume: most of it heals by itself.
pub const QUIET_AFTER_RESUME: Duration = Duration::from_secs(15);

/// Findings below this severity are shown, but never announced.
pub const ANNOUNCED_FROM: Severity = Severity::Warning;

/// From so many problems on that begin in one look, one summary stands for all.
const SUMMARY_FROM: usize = 2;

/// What a person wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Kinds of findings that are announced.
    pub announce: BTreeSet<FindingId>,
    /// Whether proven-stale sockets are removed without asking.
    pub clean_automatically: bool,
    /// Whether masters that have lost their network are ended without asking.
    pub exit_stranded: bool,
    /// Whether details can be shown in a window: only then "Show" is offered.
    pub can_show: bool,
}

/// What was said, and what was tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    announced: BTreeMap<NoticeKey, Announced>,
    cleaned: BTreeSet<Target>,
    stranded: Stranded,
    quiet_until: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Announced {
    of: Identity,
    in_summary: bool,
}

/// Tells a problem from the next one of the same kind at the same path.
type Identity = (Option<SocketId>, Option<Cookie>);

/// What the shell is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Show this, replacing what has its key.
    Notify(Notice),
    /// Take this back.
    Withdraw(NoticeKey),
    /// Remove these; each is proven again by then.
    Clean(Vec<Target>),
    /// Ask these to end, whatever sessions they have: no byte of those comes through any more.
    Exit(Vec<Target>),
}

impl Memory {
    /// Says nothing until the quiet time after a resume at `now` is over.
    #[must_use]
    pub fn resumed(mut self, now: Instant) -> Self {
        self.quiet_until = Some(now + QUIET_AFTER_RESUME);
        self
    }

    /// When the quiet time is over: what had to wait is to be said then.
    #[must_use]
    pub const fn quiet_until(&self) -> Option<Instant> {
        self.quiet_until
    }

    /// When a master that has lost its network is to end.
    #[must_use]
    pub const fn exits_at(&self) -> Option<Instant> {
        self.stranded.due
    }
}

/// A problem that is there now.
struct Problem<'a> {
    key: NoticeKey,
    of: Identity,
    finding: &'a Finding,
    socket: Option<&'a Socket>,
}

/// What to do about a snapshot, and what to remember.
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
    // What is about to be removed is only worth a word if it could not be.
    let is_told = |problem: &Problem<'_>| {
        !problem
            .socket
            .is_some_and(|socket| to_clean.contains(&socket.target()))
    };
    let problems: Vec<Problem<'_>> = problems(snapshot, policy).filter(is_told).collect();
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

/// What is to be removed without asking, and everything for which that was tried: once for each file. Finishing a
/// clean that broke off needs no new permission; anything else does.
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
    // What is not there any more is forgotten.
    (wanted, to_clean)
}

/// What begins is said, what is over is taken back; in the quiet time what begins has to wait.
fn announce(
    announced: BTreeMap<NoticeKey, Announced>,
    problems: &[Problem<'_>],
    is_quiet: bool,
    policy: &Policy,
) -> (BTreeMap<NoticeKey, Announced>, Vec<Effect>) {
    let there: BTreeMap<&NoticeKey, Identity> = problems
        .iter()
        .map(|problem| (&problem.key, problem.of))
        .collect();
    let (mut announced, over): (BTreeMap<_, _>, BTreeMap<_, _>) = announced
        .into_iter()
        .partition(|(key, said)| there.get(key) == Some(&said.of));
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
    // A notice that is shown in the place of another needs no withdrawal of that.
    let replaced: BTreeSet<&NoticeKey> = if in_summary {
        BTreeSet::new()
    } else {
        new.iter().map(|problem| &problem.key).collect()
    };
    let alone = over
        .iter()
        .filter(|(key, said)| !said.in_summary && !replaced.contains(key));
    effects.extend(alone.map(|(key, _)| Effect::Withdraw(key.clone())));
    let is_summary_over = over.values().any(|said| said.in_summary)
        && !announced.values().any(|said| said.in_summary);
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
    let said = |problem: &&Problem<'_>| {
        (
            problem.key.clone(),
            Announced {
                of: problem.of,
                in_summary,
            },
        )
    };
    announced.extend(new.iter().map(said));
    (announced, effects)
}

/// Whether "all" includes it: another program's sockets are left to that program unless a person asks.
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
            of: (socket.id, socket.cookie),
            finding,
            socket: Some(socket),
        })
    });
    let of_places = snapshot.findings.iter().map(|finding| Problem {
        key: NoticeKey::Place(finding.id, finding.subject.clone()),
        of: (None, None),
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
        // The socket's own state has that button.
        Some(Fix::Clean { .. }) | None => {}
        Some(fix) => buttons.push(Button {
            label: fix.label().to_owned(),
            intent: Intent::Mend(fix.clone()),
        }),
    }
    // A button does what the remedy says; without one the remedy has to be read.
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
