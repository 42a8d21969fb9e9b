//! `muxtray check`, `exit`, `stop` and `clean`: one line for each TARGET, and one that fails stops no other.

use std::io::{self, Write};
use std::time::SystemTime;

use tr::tr;

use crate::actions::clean::{self, Cleaned, Kind};
use crate::actions::control::{self, ActError, CHECK_LIMIT};
use crate::actions::end_process::{self, EndError};
use crate::actions::{System, parallel_map};
use crate::decide::ending;
use crate::decide::intent::SessionConsent;
use crate::model::finding::FindingId;
use crate::model::socket::{Snapshot, Socket, State, Target};
use crate::model::target::TargetError;
use crate::model::text;
use crate::present::report::Report;

use super::args::{Check, Clean, Exit, Global, Stop};
use super::context::World;
use super::outcome::Outcome;
use super::{check_network, exit_all};

/// What came of one TARGET: the line to print, and what it means for the exit status.
pub(super) type Told = Result<String, (String, Outcome)>;

pub(super) fn check(
    global: &Global,
    check: &Check,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut world = World::open(global)?;
    if !check.targets.is_empty() {
        let resolved = world.resolve(&check.targets);
        return tell(all(&resolved, check_one), out, err);
    }
    let snapshot = world.snapshot();
    let found = Outcome::from(Report::from(&snapshot).worst());
    let asked = snapshot
        .sockets
        .into_iter()
        .filter(|socket| check.managed || socket.managed_by.is_none());
    let asked: Vec<Result<Socket, TargetError>> = asked.map(Ok).collect();
    if asked.is_empty() {
        writeln!(out, "{}", tr!("no control sockets"))?;
    }
    // What is only a warning was not asked for by name, so it is told but does not fail the check.
    let answers = all(&asked, |socket| match check_one(socket) {
        Err((line, _))
            if !socket.findings.is_empty()
                && !matches!(socket.state, State::Suspect(_))
                && Outcome::from(socket.worst()) == Outcome::Well =>
        {
            Ok(line)
        }
        told => told,
    });
    Ok(tell(answers, out, err)?.max(found))
}

fn check_one(socket: &Socket) -> Told {
    let title = socket.title();
    can_be_asked(socket)?;
    match control::check(&socket.target(), CHECK_LIMIT) {
        Ok(checked) => {
            let sessions = socket.sessions.map_or_else(String::new, |sessions| {
                format!(", {}", text::sessions(sessions))
            });
            let told = format!("{title}: {checked}{sessions}");
            check_network::judged(socket, told)
        }
        Err(error) => Err((unanswered(socket, &error), Outcome::Wrong)),
    }
}

/// Why a master did not do what it was asked; where that was in vain, with what was seen of it and the way out.
pub(super) fn unanswered(socket: &Socket, error: &ActError) -> String {
    let title = socket.title();
    let seen = socket
        .findings
        .first()
        .filter(|finding| finding.id == FindingId::Unresponsive);
    match seen {
        Some(finding) if error.is_in_vain() => {
            format!("{title}: {}; {error}; {}", finding.evidence, finding.remedy)
        }
        None if error.is_in_vain() => format!("{title}: {error}; {}", ending::way_out(socket)),
        Some(_) | None => format!("{title}: {error}"),
    }
}

pub(super) fn exit(
    global: &Global,
    exit: &Exit,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    if exit.all {
        return exit_all::reset(global, exit, out, err);
    }
    let mut world = World::open(global)?;
    let told = if exit.end_process {
        all(&world.resolve_to_end(&exit.targets), |socket| {
            end_process(socket, exit.force)
        })
    } else {
        all(&world.resolve(&exit.targets), |socket| {
            exit_one(socket, exit.force)
        })
    };
    tell(told, out, err)
}

fn exit_one(socket: &Socket, force: bool) -> Told {
    can_be_asked(socket)?;
    match control::exit(&System, &socket.target(), consent(force), CHECK_LIMIT) {
        Ok(ended) => Ok(format!("{}: {ended}", socket.title())),
        Err(error) => Err((unanswered(socket, &error), Outcome::Wrong)),
    }
}

pub(super) fn end_process(socket: &Socket, force: bool) -> Told {
    if !matches!(socket.state, State::Orphaned { .. }) {
        can_be_asked(socket)?;
    }
    match end_process::end(&System, &socket.target(), consent(force)) {
        Ok(ended) => Ok(format!("{}: {ended}", socket.title())),
        Err(error) => {
            let outcome = match error {
                EndError::NoIdentity | EndError::HolderUnknown | EndError::Unasked(_) => {
                    Outcome::Unknown
                }
                EndError::Gone
                | EndError::NotSsh(..)
                | EndError::ChangedHands
                | EndError::Unfit(_)
                | EndError::Answers
                | EndError::SessionsOpen { .. }
                | EndError::Survives { .. }
                | EndError::StillHeld(_)
                | EndError::Failed { .. } => Outcome::Wrong,
            };
            Err((format!("{}: {error}", socket.title()), outcome))
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

pub(super) fn stop(
    global: &Global,
    stop: &Stop,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    on_targets(global, &stop.targets, out, err, |socket| {
        can_be_asked(socket)?;
        match control::stop(&System, &socket.target(), CHECK_LIMIT) {
            Ok(stopped) => Ok(format!("{}: {stopped}", socket.title())),
            Err(error) => Err((format!("{}: {error}", socket.title()), Outcome::Wrong)),
        }
    })
}

pub(super) fn clean(
    global: &Global,
    clean: &Clean,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let clean_one = |socket: &Socket| clean_one(socket, clean.dry_run);
    if !clean.targets.is_empty() {
        return on_targets(global, &clean.targets, out, err, clean_one);
    }
    let mut world = World::open(global)?;
    let told = clean_all(&world.snapshot(), clean.managed, clean.dry_run);
    if told.is_empty() {
        writeln!(out, "{}", tr!("nothing to clean"))?;
    }
    tell(told, out, err)
}

/// Cleans what the snapshot shows to be stale, and settles what lies aside.
pub(super) fn clean_all(snapshot: &Snapshot, managed: bool, dry_run: bool) -> Vec<Told> {
    let stale: Vec<Result<Socket, TargetError>> = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.state.is_cleanable() && (managed || socket.managed_by.is_none()))
        .cloned()
        .map(Ok)
        .collect();
    let mut told = all(&stale, |socket| clean_one(socket, dry_run));
    told.extend(
        live_asides(snapshot)
            .iter()
            .map(|target| settle(target, Kind::Aside, &tr!("taken aside"), dry_run)),
    );
    told
}

/// What an earlier clean took aside and somebody listens on: no socket of the list, for it has no place of its own.
fn live_asides(snapshot: &Snapshot) -> Vec<Target> {
    snapshot
        .asides
        .iter()
        .filter(|target| snapshot.find(target).is_none())
        .cloned()
        .collect()
}

fn clean_one(socket: &Socket, dry_run: bool) -> Told {
    let Some(kind) = Kind::of(&socket.state) else {
        let line = tr!(
            "{path} is {state}, not stale: nothing removed",
            path = socket.path,
            state = socket.state.word()
        );
        return Err((line, Outcome::Wrong));
    };
    settle(&socket.target(), kind, &socket.state.word(), dry_run)
}

fn settle(target: &Target, kind: Kind, what: &str, dry_run: bool) -> Told {
    let now = SystemTime::now();
    let path = &target.path;
    let cleaned = if dry_run {
        clean::would_clean(&System, target, kind, now)
    } else {
        clean::clean(&System, target, kind, now)
    };
    match cleaned {
        Ok(Cleaned::Removed) if dry_run => Ok(tr!("would remove {path} ({what})", path, what)),
        Ok(Cleaned::Removed) => Ok(tr!("removed {path} ({what})", path, what)),
        Ok(Cleaned::PutBack(home)) if dry_run => {
            Ok(tr!("would give {path} its name back: {home}", path, home))
        }
        Ok(Cleaned::PutBack(home)) => Ok(tr!("gave {path} its name back: {home}", path, home)),
        Err(error) => Err((format!("{path} {error}"), Outcome::Wrong)),
    }
}

fn on_targets(
    global: &Global,
    targets: &[String],
    out: &mut dyn Write,
    err: &mut dyn Write,
    act: impl Fn(&Socket) -> Told + Sync,
) -> io::Result<Outcome> {
    let mut world = World::open(global)?;
    tell(all(&world.resolve(targets), act), out, err)
}

/// Does it to each, several at a time; the answers come in the order of the targets.
pub(super) fn all(
    targets: &[Result<Socket, TargetError>],
    act: impl Fn(&Socket) -> Told + Sync,
) -> Vec<Told> {
    parallel_map(targets, |target| match target {
        Ok(socket) => act(socket),
        Err(error) => Err((error.to_string(), Outcome::Wrong)),
    })
}

pub(super) fn tell(
    all: impl IntoIterator<Item = Told>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::Well;
    for told in all {
        match told {
            Ok(line) => writeln!(out, "{line}")?,
            Err((line, wrong)) => {
                writeln!(err, "muxtray: {line}")?;
                outcome = outcome.max(wrong);
            }
        }
    }
    out.flush()?;
    Ok(outcome)
}

/// A master that cannot be asked anything says why, with the remedy of its finding.
pub(super) fn can_be_asked(socket: &Socket) -> Result<(), (String, Outcome)> {
    let outcome = match &socket.state {
        // An unresponsive master may answer yet, and the deadline bounds the wait.
        State::Running | State::Suspect(_) | State::Stranded(_) | State::Unresponsive(_) => {
            return Ok(());
        }
        State::Denied(_) | State::Unverifiable(_) => Outcome::Unknown,
        State::Stale
        | State::Leftover
        | State::Misowned(_)
        | State::Foreign(_)
        | State::NotASocket(_)
        | State::Orphaned { .. } => Outcome::Wrong,
    };
    Err((described(socket), outcome))
}

/// What is wrong with it, with the remedy.
pub(super) fn described(socket: &Socket) -> String {
    let state = socket.state.word();
    match socket.findings.first() {
        Some(finding) => tr!(
            "{socket} is {state}: {evidence}; {remedy}",
            socket = socket.title(),
            state,
            evidence = finding.evidence,
            remedy = finding.remedy
        ),
        None => tr!("{socket} is {state}", socket = socket.title(), state),
    }
}
