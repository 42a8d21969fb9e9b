//! Adding and cancelling a forwarding: which one is meant, and the result by the facts before and after the request.
//!
//! A master reports success for a forwarding that it was asked for before, even if it could not listen then, and, before
//! OpenSSH 10.1, for the cancellation of one that is not there (`mux_master_process_open_fwd()` and
//! `mux_master_process_close_fwd()` in mux.c). It is also content if it can listen on one of the addresses of IPv4 and
//! IPv6.

use std::ffi::OsStr;

use tr::tr;

use super::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::diagnose::forwards::of_forwarding;
use crate::diagnose::port_holders::{held_by, one_for_each_process, ways_to_free};
use crate::model::forward::{Forward, Listening};
use crate::model::forwarding::{End, Forwarding, ForwardingKind};
use crate::model::port_holder::PortHolder;
use crate::model::socket::Socket;
use crate::model::text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The listeners of the master; `None` if the kernel does not show them.
    pub before: Option<Vec<Listening>>,
    /// The port that the server chose, or the failure of the request.
    pub answer: Result<Option<u16>, (ActionOutcome, String)>,
    pub after: Option<Vec<Listening>>,
    /// The listeners on the addresses of the forwarding after the request.
    pub holders: Vec<PortHolder>,
    /// Whether a file is at the path on which it would listen.
    pub is_path_taken: bool,
}

/// Returns the result of adding a forwarding; `sockets` are all that are known.
pub fn added(
    target: ReportTarget,
    master: &Socket,
    forwarding: &Forwarding,
    facts: &Facts,
    sockets: &[Socket],
) -> ActionReport {
    let (outcome, message, advice) = match (&facts.answer, &facts.after) {
        (Err((outcome, reason)), _) => {
            let (message, advice) = match facts.holders.first() {
                Some(holder) => (
                    held(facts.holders.iter(), sockets),
                    way_to_free(holder, sockets),
                ),
                None => failure(reason, forwarding, facts.is_path_taken),
            };
            (*outcome, message, advice)
        }
        (Ok(port), _) if forwarding.kind == ForwardingKind::Remote => {
            let listen =
                port.map_or_else(|| forwarding.listen.to_string(), |port| port.to_string());
            let message = tr!(
                "the server forwards {listen} to {target}",
                listen,
                target = forwarding.target_or_any()
            );
            (ActionOutcome::Done, message, None)
        }
        (Ok(_), None) => {
            let message =
                tr!("the master accepted it; the kernel does not show whether it listens");
            (ActionOutcome::Done, message, None)
        }
        (Ok(_), Some(after)) => verified(master, forwarding, facts, after, sockets),
    };
    ActionReport::new(target, Action::Forward, outcome, message).with_advice(advice)
}

/// Returns the outcome of a forwarding that the master accepted, by its listeners `after` that; a message and advice.
fn verified(
    master: &Socket,
    forwarding: &Forwarding,
    facts: &Facts,
    after: &[Listening],
    sockets: &[Socket],
) -> (ActionOutcome, String, Option<String>) {
    let listens = of_forwarding(after, forwarding);
    if listens.is_empty() {
        let message = tr!(
            "the master was asked for it before and could not listen then, and does not try again"
        );
        let words = with_localhost(forwarding).shell_words();
        let command = format!("muxtray forward {} {words}", master.argument);
        let advice = tr!("name the address: {command}", command);
        return (ActionOutcome::Failed, message, Some(advice));
    }
    let shown = text::list(listens.iter().map(Forward::to_string));
    let is_own = |holder: &&PortHolder| holder.pid().is_some() && holder.pid() == master.pid;
    let others: Vec<&PortHolder> = facts.holders.iter().filter(|it| !is_own(it)).collect();
    if let Some(other) = others.first() {
        let message = tr!(
            "it listens, but not on every address: {shown}; {held}",
            shown,
            held = held(others.iter().copied(), sockets)
        );
        return (ActionOutcome::Failed, message, way_to_free(other, sockets));
    }
    let before = facts.before.as_ref();
    let before = before.map(|before| of_forwarding(before, forwarding));
    let is_old = before.is_some_and(|before| before.len() == listens.len());
    match is_old {
        true => {
            let message = tr!("forwards {shown} already", shown);
            (ActionOutcome::Unchanged, message, None)
        }
        false => (ActionOutcome::Done, tr!("forwards {shown}", shown), None),
    }
}

/// Returns the result of cancelling a forwarding. Connections that run through it stay open.
pub fn cancelled(
    target: ReportTarget,
    master: &Socket,
    forwarding: &Forwarding,
    facts: &Facts,
) -> ActionReport {
    let report =
        |outcome, message| ActionReport::new(target, Action::CancelForward, outcome, message);
    let rows = |listening: &Option<Vec<Listening>>| {
        let listening = listening.as_deref().unwrap_or_default();
        of_forwarding(listening, forwarding)
    };
    let (before, after) = (rows(&facts.before), rows(&facts.after));
    let shown = match before.is_empty() {
        true => forwarding.shell_words(),
        false => text::list(before.iter().map(Forward::to_string)),
    };
    let end = end_of(master);
    if forwarding.kind != ForwardingKind::Remote && before.is_empty() && facts.before.is_some() {
        let message = tr!("it does not forward {forwarding}", forwarding = shown);
        return report(ActionOutcome::Unchanged, message);
    }
    match &facts.answer {
        Err((outcome, reason)) => {
            let message = tr!(
                "{forwarding} is not cancelled: {reason}",
                forwarding = shown,
                reason
            );
            let exact = tr!("cancel it exactly as it was added, or {end}", end);
            report(*outcome, message).with_advice(Some(exact))
        }
        Ok(_) if !after.is_empty() => {
            let message = tr!(
                "the master reports that {forwarding} is cancelled, but still listens",
                forwarding = shown
            );
            report(ActionOutcome::Failed, message).with_advice(Some(end))
        }
        Ok(_) => {
            let connections: u32 = before.iter().map(|it| it.connections).sum();
            let mut message = tr!("cancelled {forwarding}", forwarding = shown);
            if connections > 0 {
                message = tr!(
                    "{cancelled}; open connections stay open",
                    cancelled = message
                );
            }
            report(ActionOutcome::Done, message)
        }
    }
}

/// Returns the forwarding that the argument of an option means: its specification, or only the place where it listens.
///
/// # Errors
/// The reason and the way out if it is none of the master's, one of several, or one that nobody knows.
pub fn to_cancel(
    kind: ForwardingKind,
    argument: &OsStr,
    service: &dyn Fn(&str) -> Option<u16>,
    master: &Socket,
) -> Result<Forwarding, (String, Option<String>)> {
    let parsed = Forwarding::parse(kind, argument, service);
    if let Some(found) = parsed.as_ref().and_then(|parsed| known_as(parsed, master)) {
        return Ok(found.clone());
    }
    // A port alone is a dynamic forwarding for -D, and for -R.
    let place = Forwarding::parse(ForwardingKind::Dynamic, argument, service);
    let shown = text::os(argument);
    let Some(place) = place.filter(|_| parsed.as_ref().is_none_or(|it| it.target.is_none())) else {
        return parsed.ok_or_else(|| (not_a_forwarding(kind, argument), None));
    };
    let candidates = listening_at(&place, kind, master);
    let end = end_of(master);
    match (&candidates[..], parsed) {
        ([(_, Some(known))], _) => Ok((*known).clone()),
        ([(_, None)] | [], Some(parsed)) => Ok(parsed),
        ([(row, None)], None) => {
            let example = format!("{} {shown}:HOST:PORT", kind.option());
            let message = tr!(
                "{row}: nobody knows how it was added, and ssh cancels only that",
                row
            );
            let advice = tr!(
                "give the whole specification, {example}, or {end}",
                example,
                end
            );
            Err((message, Some(advice)))
        }
        ([], None) => Err((
            tr!("it does not forward {forwarding}", forwarding = shown),
            None,
        )),
        (several, _) => {
            let rows = text::list(several.iter().map(|(row, _)| row.clone()));
            let message = tr!("{place} is not unambiguous: {rows}", place = shown, rows);
            let advice = tr!("give the whole specification");
            Err((message, Some(advice)))
        }
    }
}

/// Returns the master's forwarding that a whole specification means. The written host may differ: `localhost` or none.
fn known_as<'a>(parsed: &Forwarding, master: &'a Socket) -> Option<&'a Forwarding> {
    let rows = || master.forwards.iter();
    let remote = master.remote_forwards.iter().map(|it| &it.forwarding);
    let mut known = rows()
        .filter_map(|row| row.forwarding.as_ref())
        .chain(remote);
    let is_meant = |it: &Forwarding| it.kind == parsed.kind && it.target == parsed.target;
    let is_like =
        |row: &&Forward| row.forwarding.as_ref().is_some_and(is_meant) && row.fits(parsed);
    let same = known.find(|it| *it == parsed);
    same.or_else(|| rows().find(is_like)?.forwarding.as_ref())
}

/// Returns the forwardings that listen there, each as text and as it was asked for, if that is known.
fn listening_at<'a>(
    place: &Forwarding,
    kind: ForwardingKind,
    master: &'a Socket,
) -> Vec<(String, Option<&'a Forwarding>)> {
    if kind == ForwardingKind::Remote {
        let remote = master.remote_forwards.iter();
        let there = remote.filter(|it| match (&place.listen, it.port) {
            (End::Port { port, .. }, Some(chosen)) => *port == chosen,
            (End::Port { port, .. }, None) => it.forwarding.listen.port() == Some(*port),
            (End::Path(_), _) => it.forwarding.listen == place.listen,
        });
        return there
            .map(|it| (it.to_string(), Some(&it.forwarding)))
            .collect();
    }
    let local = master.forwards.iter();
    let there = local.filter(|it| it.fits(place) || it.has_port_of(place));
    there
        .map(|it| (it.to_string(), it.forwarding.as_ref()))
        .collect()
}

pub fn not_a_forwarding(kind: ForwardingKind, argument: &OsStr) -> String {
    let syntax = match kind {
        ForwardingKind::Local => "-L [ADDRESS:]PORT:HOST:HOSTPORT",
        ForwardingKind::Remote => "-R [ADDRESS:]PORT:HOST:HOSTPORT",
        ForwardingKind::Dynamic => "-D [ADDRESS:]PORT",
    };
    tr!(
        "`{argument}` is not a forwarding; the syntax is {syntax}, a path in place of an address with its port, and brackets around IPv6",
        argument = text::os(argument),
        syntax
    )
}

fn end_of(master: &Socket) -> String {
    let command = format!("muxtray exit {}", master.argument);
    tr!(
        "end the master with all its forwardings: {command}",
        command
    )
}

fn held<'a>(holders: impl Iterator<Item = &'a PortHolder>, sockets: &[Socket]) -> String {
    let processes = one_for_each_process(holders).into_iter();
    text::list(processes.map(|holder| held_by(holder, sockets)))
}

fn way_to_free(holder: &PortHolder, sockets: &[Socket]) -> Option<String> {
    let way = ways_to_free(holder, sockets).into_iter().next()?;
    Some(tr!("use another port, or {way}", way))
}

fn failure(reason: &str, forwarding: &Forwarding, is_path_taken: bool) -> (String, Option<String>) {
    let advice = match (&forwarding.listen, forwarding.kind) {
        (_, ForwardingKind::Remote) => tr!(
            "sshd may forbid it (AllowTcpForwarding, PermitListen), or the port is taken there: let the server choose one with -R 0:…"
        ),
        (End::Path(path), _) if is_path_taken => {
            let command = format!("rm {}", text::shell_word(path.as_os_str()));
            let message = tr!("a file is at {path} already", path = text::path(path));
            let advice = tr!("if nothing uses it, remove it: {command}", command);
            return (message, Some(advice));
        }
        (End::Port { port, .. }, _) if *port < 1024 => {
            tr!("ports below 1024 are for root; use a higher one")
        }
        (End::Port { host: Some(_), .. }, _) => {
            tr!("its address may not be one of this machine: ip -brief address")
        }
        _ => return (reason.to_owned(), None),
    };
    (reason.to_owned(), Some(advice))
}

/// The same listener with another written host, which a master does not take for the same.
fn with_localhost(forwarding: &Forwarding) -> Forwarding {
    let mut other = forwarding.clone();
    if let End::Port { host, .. } = &mut other.listen {
        *host = Some(match host.as_deref() {
            None => "localhost".to_owned(),
            Some("localhost") => "127.0.0.1".to_owned(),
            Some("*") => "0.0.0.0".to_owned(),
            Some(host) => host.to_owned(),
        });
    }
    other
}

#[cfg(test)]
mod tests;
