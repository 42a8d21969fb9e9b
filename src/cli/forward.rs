//! `muxtray forward HOST`: prints, adds or cancels forwardings.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::json;
use tr::tr;

use super::args::{Forward, Global};
use super::context::Context;
use super::open::{self, How};
use super::outcome::{Outcome, Output};
use super::reports::{self, consent};
use crate::actions::forward::ForwardingMaster;
use crate::actions::perform::Subject;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport};
use crate::decide::forwarding::{not_a_forwarding, to_cancel};
use crate::model::forwarding::{Forwarding, ForwardingKind};
use crate::model::socket::{Socket, State};
use crate::model::text;
use crate::observe::process::service;
use crate::present::report::{SCHEMA, SocketReport};
use crate::scan;

type Argument<'a> = (ForwardingKind, &'a OsString);

pub(super) fn forward(
    global: &Global,
    forward: &Forward,
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    let arguments: Vec<Argument<'_>> = [
        (ForwardingKind::Local, &forward.local),
        (ForwardingKind::Remote, &forward.remote),
        (ForwardingKind::Dynamic, &forward.dynamic),
    ]
    .into_iter()
    .flat_map(|(kind, arguments)| arguments.iter().map(move |it| (kind, it)))
    .collect();
    let mut context = Context::load_for(global, forward.json)?;
    if arguments.is_empty() {
        return list(&mut context, forward, to);
    }
    if forward.cancel {
        return cancel_all(&mut context, forward, &arguments, to);
    }
    let parsed: Result<Vec<Forwarding>, String> = arguments
        .iter()
        .map(|(kind, argument)| {
            let parsed = Forwarding::parse(*kind, argument, &service);
            parsed.ok_or_else(|| not_a_forwarding(*kind, argument))
        })
        .collect();
    match parsed {
        Ok(forwardings) => add_all(&mut context, forward, &forwardings, to),
        Err(why) => refuse(forward, Outcome::Misused, why, to),
    }
}

fn refuse(
    forward: &Forward,
    outcome: Outcome,
    why: String,
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    let action = Action::Forward;
    reports::refuse(
        &text::typed(&forward.host),
        action,
        outcome,
        why,
        forward.json,
        to,
    )
}

/// Why a socket has no forwardings to list: no master listens there, or it is not known. An orphan has its own.
fn no_master(socket: &Socket) -> Option<ActionReport> {
    match socket.state {
        State::Orphaned { .. } => None,
        _ => Subject::from(socket.clone()).refusal(Action::Forward),
    }
}

fn resolve(context: &mut Context, host: &OsString) -> Result<Socket, String> {
    let resolved = context.resolve(std::slice::from_ref(host));
    match resolved.into_iter().next() {
        Some((_, Ok(socket))) => Ok(socket),
        Some((_, Err(error))) => Err(error.to_string()),
        None => Err(String::new()),
    }
}

fn list(context: &mut Context, forward: &Forward, to: &mut Output<'_>) -> io::Result<Outcome> {
    let socket = match resolve(context, &forward.host) {
        Ok(socket) => socket,
        Err(why) => return refuse(forward, Outcome::Wrong, why, to),
    };
    if let Some(report) = no_master(&socket) {
        return print(forward, &[report], to);
    }
    if forward.json {
        let report = SocketReport::from(&socket);
        let report = json!({
            "schema": SCHEMA,
            "path": report.path,
            "forwards": report.forwards,
            "remote_forwards": report.remote_forwards,
        });
        serde_json::to_writer_pretty(&mut *to.out, &report)?;
        writeln!(to.out)?;
        return Ok(Outcome::Well);
    }
    let lines = socket.forward_lines(usize::MAX);
    if lines.is_empty() {
        writeln!(to.out, "{}", tr!("no forwardings"))?;
    }
    for line in lines {
        writeln!(to.out, "{line}")?;
    }
    let to_add = match (&socket.state, socket.hosts.first()) {
        // At its path no master can be asked; for the host one is started.
        (State::Orphaned { .. }, Some(alias)) => {
            let host = text::shell_word(alias.0.as_ref());
            format!("muxtray {}forward {host}", socket.ssh_option)
        }
        _ => format!("muxtray forward {}", socket.argument),
    };
    for forwarding in &socket.earlier_forwards {
        let words = forwarding.shell_words();
        let command = format!("{to_add} {words}");
        let line = tr!(
            "earlier {forwarding}; add it again: {command}",
            forwarding = words,
            command
        );
        writeln!(to.out, "{line}")?;
    }
    Ok(Outcome::Well)
}

fn add_all(
    context: &mut Context,
    forward: &Forward,
    forwardings: &[Forwarding],
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    let mut reports = Vec::new();
    let host = text::typed(&forward.host);
    // `open` reports a master that may be another host's.
    let is_its = |socket: &Socket| !socket.is_elsewhere && socket.stranger(&host).is_none();
    let socket = match resolve(context, &forward.host) {
        Ok(socket) if socket.is_running() && is_its(&socket) => socket,
        // A path names a master that runs.
        Err(why) if forward.host.as_bytes().contains(&b'/') => {
            return refuse(forward, Outcome::Wrong, why, to);
        }
        found => {
            let how = How {
                consent: consent(false),
                questions: open::questions(),
            };
            let mut signals = None;
            let started = match open::start(context, &host, how, &mut signals)? {
                Ok((report, _)) => report,
                Err(error) => {
                    // The path of a socket without a master is no host.
                    let refusal = found
                        .ok()
                        .and_then(|it| Subject::from(it).refusal(Action::Forward));
                    return match refusal.filter(|_| error.outcome == Outcome::Misused) {
                        Some(report) => print(forward, &[report], to),
                        None => error.conclude(&host, forward.json, to),
                    };
                }
            };
            if open::is_interrupted(signals.as_ref(), &started) {
                return to.fail(Outcome::Unknown, tr!("interrupted"));
            }
            drop(signals);
            let is_started = started.outcome.is_success();
            reports.push(started);
            if !is_started {
                return print(forward, &reports, to);
            }
            match resolve(context, &forward.host) {
                Ok(socket) => socket,
                Err(why) => return refuse(forward, Outcome::Wrong, why, to),
            }
        }
    };
    let master = master(context, forward, socket);
    reports.extend(forwardings.iter().map(|forwarding| master.add(forwarding)));
    print(forward, &reports, to)
}

fn cancel_all(
    context: &mut Context,
    forward: &Forward,
    arguments: &[Argument<'_>],
    to: &mut Output<'_>,
) -> io::Result<Outcome> {
    let socket = match resolve(context, &forward.host) {
        Ok(socket) => socket,
        Err(why) => return refuse(forward, Outcome::Wrong, why, to),
    };
    if let Some(report) = Subject::from(socket.clone()).refusal(Action::CancelForward) {
        return print(forward, &[report], to);
    }
    let master = master(context, forward, socket);
    let cancel = |(kind, argument): &Argument<'_>| {
        let meant = to_cancel(*kind, argument, &service, &master.socket);
        meant.map_or_else(
            |(message, advice)| {
                let (action, outcome) = (Action::CancelForward, ActionOutcome::REFUSED);
                ActionReport::new(master.target(), action, outcome, message).with_advice(advice)
            },
            |forwarding| master.cancel(&forwarding),
        )
    };
    let reports: Vec<ActionReport> = arguments.iter().map(cancel).collect();
    print(forward, &reports, to)
}

fn master(context: &mut Context, forward: &Forward, socket: Socket) -> ForwardingMaster {
    ForwardingMaster {
        socket,
        name: text::typed(&forward.host),
        sockets: context.snapshot().sockets,
        remembered: scan::remembered_file(context.scanner.environment()),
    }
}

fn print(forward: &Forward, reports: &[ActionReport], to: &mut Output<'_>) -> io::Result<Outcome> {
    if forward.json {
        return reports::print(reports, true, to);
    }
    for report in reports {
        reports::print_with_advice(report, to)?;
    }
    Ok(reports::worst(reports))
}
