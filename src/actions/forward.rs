//! Adds forwardings to a master and cancels them, and reads what the kernel shows before and after.
//!
//! With ControlMaster ask, the master answers when a person has confirmed in its window. The alive check before shows that
//! it answers at all, so that only such a master, or a slow server, is waited for.

pub(super) mod again;
mod memory;
mod request;

use std::path::PathBuf;

use super::perform::Subject;
use crate::decide::action_report::{Action, ActionReport, ReportTarget};
use crate::decide::forwarding::{self, Facts};
use crate::diagnose::forwards::of_forwarding;
use crate::model::control_path::HostAlias;
use crate::model::forward::Listening;
use crate::model::forwarding::{End, Forwarding, ForwardingKind};
use crate::model::port_holder::PortHolder;
use crate::model::remembered::RememberedForwards;
use crate::model::socket::Socket;
use crate::observe::port_holders::port_holders;
use request::{listening, request};

#[derive(Debug, Clone)]
pub struct ForwardingMaster {
    pub socket: Socket,
    /// As printed before the result; the host for which forwardings are remembered.
    pub name: String,
    /// All that are known, to name the master that holds a port.
    pub sockets: Vec<Socket>,
    /// The file of the forwardings that a person asked muxtray for.
    pub remembered: Option<PathBuf>,
}

impl ForwardingMaster {
    pub fn add(&self, forwarding: &Forwarding) -> ActionReport {
        let socket = &self.socket;
        if let Some(refusal) = self.refusal(Action::Forward) {
            return refusal;
        }
        let is_there = |listening: &[Listening]| !of_forwarding(listening, forwarding).is_empty();
        let target = socket.target();
        let mut facts = request(&target, socket.pid, forwarding, is_there, |client| {
            client.forward(forwarding)
        });
        if forwarding.kind != ForwardingKind::Remote {
            facts.holders = holders(forwarding);
            facts.is_path_taken = match &forwarding.listen {
                End::Path(path) => path.symlink_metadata().is_ok(),
                End::Port { .. } => false,
            };
        }
        let report = forwarding::added(self.target(), socket, forwarding, &facts, &self.sockets);
        // It can listen on one of two addresses.
        let is_added = report.outcome.is_success() || facts.after.as_deref().is_some_and(is_there);
        if let (true, Ok(port), Some(id)) = (is_added, &facts.answer, socket.id) {
            let host = HostAlias(self.name.clone());
            self.remember(|all| all.add(&host, &socket.path, id, forwarding, *port));
        }
        report
    }

    /// If the kernel does not show the forwarding, nothing is sent.
    pub fn cancel(&self, forwarding: &Forwarding) -> ActionReport {
        let socket = &self.socket;
        if let Some(refusal) = self.refusal(Action::CancelForward) {
            return refusal;
        }
        let is_gone = |listening: &[Listening]| of_forwarding(listening, forwarding).is_empty();
        let is_remote = forwarding.kind == ForwardingKind::Remote;
        let facts = match socket.pid.and_then(listening) {
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
        let report = forwarding::cancelled(self.target(), socket, forwarding, &facts);
        if report.outcome.is_success() {
            self.remember(|all| all.cancelled(&socket.path, forwarding));
        }
        report
    }

    fn remember(&self, change: impl FnOnce(&mut RememberedForwards)) {
        if let Some(file) = &self.remembered {
            memory::change(file, change);
        }
    }

    fn refusal(&self, action: Action) -> Option<ActionReport> {
        Subject::from(self.socket.clone()).refusal(action)
    }

    pub fn target(&self) -> ReportTarget {
        ReportTarget::socket(&self.name, self.socket.target())
    }
}

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
