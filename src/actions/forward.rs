//! Adds forwardings to a master and cancels them, and reads what the kernel shows before and after.
//!
//! With ControlMaster ask, the master answers when a person has confirmed in its window. The alive check before shows that
//! it answers at all, so that only such a master, or a slow server, is waited for.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use tr::tr;

use super::control::CHECK_LIMIT;
use super::error::ActionError;
use super::held_socket::HeldSocket;
use super::kernel::own_uid;
use super::perform::Subject;
use super::ssh::master_at;
use crate::decide::action_report::{Action, ActionReport, ReportTarget};
use crate::decide::forwarding::{self, Facts};
use crate::diagnose::forwards::of_forwarding;
use crate::files;
use crate::model::control_path::HostAlias;
use crate::model::forward::Listening;
use crate::model::forwarding::{End, Forwarding, ForwardingKind};
use crate::model::port_holder::PortHolder;
use crate::model::remembered::{MAX_REMEMBERED_BYTES, RememberedForwards};
use crate::model::socket::{Holder, MasterPid, Socket, Target};
use crate::model::text;
use crate::mux::client::Client;
use crate::mux::deadline::Deadline;
use crate::mux::error::MuxError;
use crate::observe::forwarded;
use crate::observe::port_holders::port_holders;

/// How long a person may take to confirm, or a server to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// How long the kernel may take to show the result: a master answers after it has listened or closed its listener.
const VERIFY_LIMIT: Duration = Duration::from_secs(1);
const VERIFY_POLL: Duration = Duration::from_millis(10);

/// Adds a forwarding to the master `socket`; `sockets` are all that are known. Returns the port that the server chose.
pub fn add(
    socket: &Socket,
    name: &str,
    forwarding: &Forwarding,
    sockets: &[Socket],
) -> (ActionReport, Option<u16>) {
    if let Some(refusal) = refusal(socket, Action::Forward) {
        return (refusal, None);
    }
    let is_there = |listening: &[Listening]| !of_forwarding(listening, forwarding).is_empty();
    let mut facts = request(
        &socket.target(),
        socket.pid,
        forwarding,
        is_there,
        |client| client.forward(forwarding),
    );
    if forwarding.kind != ForwardingKind::Remote {
        facts.holders = holders(forwarding);
        facts.is_path_taken = match &forwarding.listen {
            End::Path(path) => path.symlink_metadata().is_ok(),
            End::Port { .. } => false,
        };
    }
    let port = facts.answer.as_ref().ok().copied().flatten();
    let target = target(socket, name);
    let report = forwarding::added(target, socket, forwarding, &facts, sockets);
    (report, port)
}

/// Cancels a forwarding of the master. If the kernel does not show it, nothing is sent.
pub fn cancel(socket: &Socket, name: &str, forwarding: &Forwarding) -> ActionReport {
    if let Some(refusal) = refusal(socket, Action::CancelForward) {
        return refusal;
    }
    let is_gone = |listening: &[Listening]| of_forwarding(listening, forwarding).is_empty();
    let is_remote = forwarding.kind == ForwardingKind::Remote;
    let before = socket.pid.and_then(listening);
    let facts = match before {
        Some(before) if !is_remote && is_gone(&before) => Facts {
            before: Some(before),
            answer: Ok(None),
            after: None,
            holders: Vec::new(),
            is_path_taken: false,
        },
        _ => request(
            &socket.target(),
            socket.pid,
            forwarding,
            is_gone,
            |client| client.cancel_forward(forwarding).map(|()| None),
        ),
    };
    forwarding::cancelled(target(socket, name), socket, forwarding, &facts)
}

/// Adds the forwardings that a person asked muxtray for at a master that has been replaced. Returns the result as a part of
/// a sentence; `None` if there are none.
pub(super) fn again(file: &Path, host: &HostAlias, before: &Target) -> Option<String> {
    let (target, master) = master_at(&before.path)?;
    let (uid, id) = (own_uid().0, target.id?);
    let mut all: RememberedForwards = files::read_private_json(file, uid, MAX_REMEMBERED_BYTES)?;
    let wanted = all.of_master(&before.path, before.id);
    let wanted: Vec<Forwarding> = wanted.map(|it| it.forwarding.clone()).collect();
    let pid = match master.holder {
        Holder::Ssh(process) => Some(process.pid),
        Holder::Other(_) | Holder::Unknown => None,
    };
    let mut failed = Vec::new();
    for forwarding in &wanted {
        let is_there = |listening: &[Listening]| !of_forwarding(listening, forwarding).is_empty();
        let facts = request(&target, pid, forwarding, is_there, |client| {
            client.forward(forwarding)
        });
        let listens = facts.after.as_deref().is_none_or(is_there);
        match facts.answer {
            Ok(port) if listens => all.add(host, &target.path, id, forwarding, port),
            _ => failed.push(forwarding.shell_words()),
        }
    }
    if let Err(error) = files::write_private_json(file, &all) {
        tracing::warn!("forwardings are not remembered: {error}");
    }
    let number = wanted.len() - failed.len();
    let added = (number > 0)
        .then(|| tr!("{n} forwarding added again" | "{n} forwardings added again" % number));
    let failed = (!failed.is_empty()).then(|| {
        tr!(
            "not added again: {forwardings}",
            forwardings = text::list(failed)
        )
    });
    let parts: Vec<String> = added.into_iter().chain(failed).collect();
    (!parts.is_empty()).then(|| text::list(parts))
}

/// Sends a request, and waits until the listeners of the master are as expected.
fn request(
    target: &Target,
    pid: Option<MasterPid>,
    forwarding: &Forwarding,
    is_expected: impl Fn(&[Listening]) -> bool,
    ask: impl FnOnce(&mut Client) -> Result<Option<u16>, MuxError>,
) -> Facts {
    let is_remote = forwarding.kind == ForwardingKind::Remote;
    let read = || pid.filter(|_| !is_remote).and_then(listening);
    let before = read();
    let answer = asked(target, ask);
    let mut after = None;
    let until = Deadline::within(match &answer {
        Ok(_) => VERIFY_LIMIT,
        Err(_) => Duration::ZERO,
    });
    until.poll(VERIFY_POLL, || {
        after = read();
        after.as_deref().is_none_or(&is_expected).then_some(())
    });
    Facts {
        before,
        answer: answer.map_err(|error| (error.outcome(), error.to_string())),
        after,
        holders: Vec::new(),
        is_path_taken: false,
    }
}

fn asked(
    target: &Target,
    ask: impl FnOnce(&mut Client) -> Result<Option<u16>, MuxError>,
) -> Result<Option<u16>, ActionError> {
    let held = HeldSocket::open(target)?;
    let mut client = Client::connect(held.file.as_fd(), Deadline::within(CHECK_LIMIT))?;
    client.alive()?;
    client.set_deadline(Deadline::within(ANSWER_LIMIT));
    let answer = ask(&mut client);
    tracing::debug!(path = %target.path, ?answer, "forwarding request sent");
    Ok(answer?)
}

fn listening(pid: MasterPid) -> Option<Vec<Listening>> {
    let read = forwarded::listening(pid);
    read.inspect_err(|error| tracing::debug!("cannot read listeners: {error}"))
        .ok()
}

/// The listeners on the addresses on which the forwarding would listen.
fn holders(forwarding: &Forwarding) -> Vec<PortHolder> {
    let End::Port { port, .. } = forwarding.listen else {
        return Vec::new();
    };
    let all = port_holders([port].into()).unwrap_or_default();
    let holders = all.into_values().flatten();
    holders
        .filter(|it| forwarding.collides_with(it.address))
        .collect()
}

fn refusal(socket: &Socket, action: Action) -> Option<ActionReport> {
    Subject::from(socket.clone()).refusal(action)
}

fn target(socket: &Socket, name: &str) -> ReportTarget {
    ReportTarget::Socket {
        name: name.to_owned(),
        target: socket.target(),
    }
}
