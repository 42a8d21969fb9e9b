//! Opens a master from the menu.
//!
//! The hosts that had a master last are kept in a file, so that the menu lists them first after the next login.

use tr::tr;

use super::message::Message;
use super::state::Engine;
use crate::actions::open::Questions;
use crate::actions::perform::{self, Opening};
use crate::actions::ssh::Ssh;
use crate::decide::action_notice::Scope;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::decide::intent::SessionConsent;
use crate::decide::opening::{self, Plan};
use crate::model::control_path::HostAlias;
use crate::model::places::{Host, WrittenBy};
use crate::model::recent::Recent;
use crate::scan;

impl Engine {
    /// Stores the hosts that had a master last. If the file cannot be written, the order in the menu and the use of the
    /// administrator's hosts are forgotten at the end of the program.
    pub(super) fn store_recent(&mut self, recent: Recent) {
        if recent == self.recent {
            return;
        }
        self.recent = recent;
        scan::store_recent(self.scanner.environment(), &self.recent);
    }

    /// Opens a master for a host; `consent` is for the sessions of a stranded one. If the ssh configuration has changed,
    /// it is read first: the host's ControlPath may be another one now.
    pub(super) fn open(&mut self, alias: &HostAlias, consent: SessionConsent) {
        self.discover_if_changed();
        if self.is_discovering {
            self.waiting.push((alias.clone(), consent));
        } else {
            self.open_now(alias, consent);
        }
    }

    pub(super) fn open_waiting(&mut self) {
        for (alias, consent) in std::mem::take(&mut self.waiting) {
            self.open_now(&alias, consent);
        }
    }

    /// A host of the administrator's configuration that a person opens counts as the person's from now on, and so do the
    /// findings about its directory.
    fn note_use(&mut self, alias: &HostAlias) {
        let is_new =
            |host: &Host| host.alias == *alias && host.written_by == WrittenBy::Administrator;
        let discovered = self.discovered.as_ref();
        if discovered.is_some_and(|(discovered, _)| discovered.places.hosts.iter().any(is_new)) {
            let mut recent = self.recent.clone();
            recent.used(alias);
            self.store_recent(recent);
            self.observe();
        }
    }

    fn open_now(&mut self, alias: &HostAlias, consent: SessionConsent) {
        self.note_use(alias);
        let (Some((discovered, request)), Some(snapshot)) = (&self.discovered, &self.snapshot)
        else {
            return;
        };
        // The configuration may have changed since the menu was drawn.
        let is_wanted = |host: &&Host| host.alias == *alias && host.control_path.is_some();
        let mut hosts = discovered.places.hosts.iter();
        let Some(host) = hosts
            .find(is_wanted)
            .filter(|_| !self.opening.contains(alias))
        else {
            return;
        };
        let target = ReportTarget::Host {
            alias: alias.clone(),
            path: host.control_path.clone(),
        };
        let start = match opening::plan(&alias.0, host, snapshot) {
            Plan::Start(start) => start,
            Plan::Running(_) => {
                let message = tr!("a master is already running");
                let outcome = ActionOutcome::Unchanged;
                let report = ActionReport::new(target, Action::Open, outcome, message);
                return self.handle_reports(&[report], Scope::OneTarget);
            }
            Plan::Blocked(obstacle) => {
                let outcome = ActionOutcome::REFUSED;
                let report = ActionReport::new(target, Action::Open, outcome, obstacle.evidence)
                    .with_advice(obstacle.remedy);
                return self.handle_reports(&[report], Scope::OneTarget);
            }
        };
        let Some(program) = request.ssh.file(self.scanner.environment()) else {
            return;
        };
        let opening = Opening {
            alias: alias.clone(),
            ssh: Ssh {
                program,
                config: request.ssh.config_file(),
                host: alias.0.clone(),
                command_options: host.command_options.clone(),
            },
            start,
            persist: host.persist,
            consent,
            questions: Questions::of(false, |name| std::env::var_os(name)),
            remembered: scan::remembered_file(self.scanner.environment()),
        };
        let started = self.start("open", move || {
            let report = perform::open(&opening, None);
            Message::Opened(opening.alias, Box::new(report))
        });
        if started {
            self.opening.insert(alias.clone());
            self.scan();
        }
    }
}
