//! `muxtray forward HOST`: prints, adds or cancels forwardings.

use std::ffi::OsString;
use std::io;

use serde_json::json;
use tr::tr;

use super::args::{Forward, Global};
use super::context::Context;
use super::open::{self, How};
use super::outcome::{Outcome, Output};
use super::reports::{self, consent};
use crate::actions::forward::{add, cancel};
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::decide::forwarding::{not_a_forwarding, to_cancel};
use crate::model::control_path::HostAlias;
use crate::model::forwarding::{Forwarding, ForwardingKind};
use crate::model::remembered::RememberedForwards;
use crate::model::socket::Socket;
use crate::model::text;
use crate::observe::process::service;
use crate::present::report::{SCHEMA, SocketReport};
use crate::{files, scan};

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
        Err(why) => to.fail(Outcome::Misused, why),
    }
}

/// The one socket that the HOST names.
fn resolve(context: &mut Context, host: &str) -> Result<Socket, String> {
    let resolved = context.resolve(&[host.to_owned()]);
    match resolved.into_iter().next() {
        Some((_, Ok(socket))) => Ok(socket),
        Some((_, Err(error))) => Err(error.to_string()),
        None => Err(String::new()),
    }
}

fn list(context: &mut Context, forward: &Forward, to: &mut Output<'_>) -> io::Result<Outcome> {
    let socket = match resolve(context, &forward.host) {
        Ok(socket) => socket,
        Err(why) => return to.fail(Outcome::Wrong, why),
    };
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
    let remembered = scan::remembered(context.scanner.environment());
    for it in remembered.to_offer(&socket.path, socket.id) {
        let words = it.forwarding.shell_words();
        let host = text::shell_word(it.host.0.as_ref());
        let command = format!("muxtray {}forward {host} {words}", context.ssh_option());
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
    let socket = match resolve(context, &forward.host) {
        Ok(socket) if socket.is_running() && !socket.is_elsewhere => socket,
        // A path names a master that runs.
        Err(why) if forward.host.contains('/') => return to.fail(Outcome::Wrong, why),
        _ => {
            let how = How {
                consent: consent(false),
                questions: open::questions(),
            };
            let mut signals = None;
            let started = match open::start(context, &forward.host, how, &mut signals)? {
                Ok((report, _)) => report,
                Err(error) => return error.print(to),
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
                Err(why) => return to.fail(Outcome::Wrong, why),
            }
        }
    };
    let sockets = context.snapshot().sockets;
    let mut ports = Vec::new();
    for forwarding in forwardings {
        let (report, port) = add(&socket, &forward.host, forwarding, &sockets);
        if report.outcome.is_success() {
            ports.push((forwarding, port));
        }
        reports.push(report);
    }
    let host = HostAlias(forward.host.clone());
    change_remembered(context, |remembered| {
        for (forwarding, port) in ports {
            if let Some(id) = socket.id {
                remembered.add(&host, &socket.path, id, forwarding, port);
            }
        }
    });
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
        Err(why) => return to.fail(Outcome::Wrong, why),
    };
    let mut reports = Vec::new();
    let mut cancelled = Vec::new();
    for (kind, argument) in arguments {
        match to_cancel(*kind, argument, &service, &socket) {
            Ok(forwarding) => {
                let report = cancel(&socket, &forward.host, &forwarding);
                if report.outcome.is_success() {
                    cancelled.push(forwarding);
                }
                reports.push(report);
            }
            Err((message, advice)) => {
                let target = ReportTarget::Socket {
                    name: forward.host.clone(),
                    target: socket.target(),
                };
                let outcome = ActionOutcome::REFUSED;
                let report = ActionReport::new(target, Action::CancelForward, outcome, message);
                reports.push(report.with_advice(advice));
            }
        }
    }
    change_remembered(context, |remembered| {
        for forwarding in &cancelled {
            remembered.cancelled(&socket.path, forwarding);
        }
    });
    print(forward, &reports, to)
}

/// A forwarding that cannot be stored is only not offered again.
fn change_remembered(context: &Context, change: impl FnOnce(&mut RememberedForwards)) {
    let environment = context.scanner.environment();
    let before = scan::remembered(environment);
    let mut after = before.clone();
    change(&mut after);
    if let Some(path) = scan::remembered_file(environment).filter(|_| after != before)
        && let Err(error) = files::write_private_json(&path, &after)
    {
        tracing::warn!("forwardings are not remembered: {error}");
    }
}

/// Prints every result on standard output.
fn print(forward: &Forward, reports: &[ActionReport], to: &mut Output<'_>) -> io::Result<Outcome> {
    if forward.json {
        return reports::print(reports, true, to);
    }
    for report in reports {
        writeln!(to.out, "{}: {}", report.target.name(), report.message)?;
        if let Some(advice) = &report.advice {
            writeln!(to.out, "    \u{2192} {advice}")?;
        }
    }
    let outcomes = reports.iter().map(|report| Outcome::from(report.outcome));
    Ok(outcomes.max().unwrap_or(Outcome::Well))
}
