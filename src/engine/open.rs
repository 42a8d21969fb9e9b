//! Opens a master from the menu.
//!
//! The hosts that had a master last are kept in a file, so that the menu lists them first after the next login.

use std::time::Instant;

use tr::tr;

use super::message::Message;
use super::state::Engine;
use super::wanted::{Opener, Wanted};
use crate::actions::open::Questions;
use crate::actions::perform::{self, Opening};
use crate::actions::ssh::Ssh;
use crate::decide::action_notice::{self, Scope};
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::decide::intent::SessionConsent;
use crate::decide::opening::{self, Plan};
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::places::{Host, WrittenBy};
use crate::model::recent::Recent;
use crate::model::socket::Target;
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

    pub(super) fn open_for_person(
        &mut self,
        alias: HostAlias,
        consent: SessionConsent,
        by: Opener,
    ) {
        let lost = self.memory.leave_to_person(&alias);
        self.open(Wanted {
            alias,
            consent,
            by,
            lost,
        });
    }

    pub(super) fn reopen(&mut self, alias: HostAlias, lost: Target) {
        // Its sessions cannot work any more.
        let consent = SessionConsent::Any;
        self.open(Wanted {
            alias,
            consent,
            by: Opener::Setting,
            lost: Some(lost),
        });
    }

    pub(super) fn is_opening(&self) -> bool {
        !self.opening.is_empty() || !self.waiting.is_empty() || self.series.is_some()
    }

    /// Opens a master for a host. If the ssh configuration has changed, it is read first: the host's ControlPath may be
    /// another one now.
    pub(super) fn open(&mut self, wanted: Wanted) {
        self.discover_if_changed();
        if self.is_discovering {
            self.waiting.push(wanted);
        } else {
            self.open_now(wanted);
        }
    }

    pub(super) fn open_waiting(&mut self) {
        for wanted in std::mem::take(&mut self.waiting) {
            self.open_now(wanted);
        }
    }

    /// Opens masters one after the other: two questions at a time confuse, and one may be the jump host of the next.
    pub(super) fn open_all(&mut self, hosts: Vec<(HostAlias, SessionConsent)>) {
        let snapshot = self.snapshot.as_ref();
        let question = snapshot.and_then(|it| action_notice::question_to_reconnect(&hosts, it));
        if let Some(question) = question {
            return self.show_answer(question);
        }
        let is_idle = self.series.is_none();
        self.series.get_or_insert_default().rest.extend(hosts);
        if is_idle {
            self.open_next();
        }
    }

    fn open_next(&mut self) {
        let Some(series) = &mut self.series else {
            return;
        };
        if let Some((alias, consent)) = series.rest.pop_front() {
            self.open_for_person(alias, consent, Opener::Series);
        } else {
            let reports = self.series.take().unwrap_or_default().reports;
            self.handle_reports(&reports, Scope::AllTargets);
        }
    }

    /// Handles the end of a start. Without a report, the host has no ControlPath any more or is being opened already, or
    /// no thread could be started.
    pub(super) fn opened(&mut self, wanted: &Wanted, report: Option<ActionReport>) {
        match wanted.by {
            Opener::Person => self.handle_reports(report.as_slice(), Scope::OneTarget),
            Opener::Series => {
                self.series.get_or_insert_default().reports.extend(report);
                // The next one may have jumped through this one.
                self.scan();
                self.open_next();
            }
            Opener::Setting => {
                if let Some(report) = &report {
                    tracing::info!("{}: {}", report.target.name(), report.message);
                }
                let (alias, policy) = (&wanted.alias, self.policy());
                let memory = std::mem::take(&mut self.memory);
                let notice;
                (self.memory, notice) =
                    memory.reopened(alias, report.as_ref(), &policy, Instant::now());
                if let Some(notice) = notice {
                    self.user_interface.notify(notice);
                }
                self.scan();
            }
        }
    }

    /// Records the alive check after the start of a master, which restarted its ControlPersist time.
    pub(super) fn note_start(&mut self, path: Option<&ControlPath>) {
        let started = self.sockets().find(|it| Some(&it.path) == path);
        if let Some(cookie) = started.and_then(|socket| socket.cookie) {
            self.scanner.note_request(cookie, true);
            self.scan();
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

    fn open_now(&mut self, wanted: Wanted) {
        self.note_use(&wanted.alias);
        let opening = match self.opening(&wanted) {
            Ok(opening) => opening,
            Err(report) => return self.opened(&wanted, report.map(|report| *report)),
        };
        let opened = wanted.clone();
        let started = self.start("open", move || {
            let report = perform::open(&opening, None);
            Message::Opened(opened, Box::new(report))
        });
        if started {
            self.opening.insert(wanted.alias);
            self.scan();
        } else {
            self.opened(&wanted, None);
        }
    }

    /// Returns the start of a master, or the report if none is needed or possible.
    fn opening(&self, wanted: &Wanted) -> Result<Opening, Option<Box<ActionReport>>> {
        let alias = &wanted.alias;
        let (Some((discovered, request)), Some(snapshot)) = (&self.discovered, &self.snapshot)
        else {
            return Err(None);
        };
        // The configuration may have changed since the menu was drawn.
        let is_wanted = |host: &&Host| host.alias == *alias && host.control_path.is_some();
        let mut hosts = discovered.places.hosts.iter();
        let host = hosts
            .find(is_wanted)
            .filter(|_| !self.opening.contains(alias))
            .ok_or(None)?;
        let report = |outcome, message| {
            let path = host.control_path.clone();
            let alias = alias.clone();
            ActionReport::new(
                ReportTarget::Host { alias, path },
                Action::Open,
                outcome,
                message,
            )
        };
        let start = match opening::plan(&alias.0, host, snapshot) {
            Plan::Start(start) => start,
            Plan::Running(_) => {
                let message = tr!("a master is already running");
                return Err(Some(Box::new(report(ActionOutcome::Unchanged, message))));
            }
            Plan::Blocked(obstacle) => {
                let report = report(ActionOutcome::REFUSED, obstacle.evidence);
                return Err(Some(Box::new(report.with_advice(obstacle.remedy))));
            }
        };
        let environment = self.scanner.environment();
        let program = request.ssh.file(environment).ok_or(None)?;
        Ok(Opening {
            alias: alias.clone(),
            ssh: Ssh {
                program,
                config: request.ssh.config_file(),
                host: alias.0.clone(),
                command_options: host.command_options.clone(),
            },
            persist: host.persist,
            consent: wanted.consent,
            questions: match wanted.by {
                Opener::Person | Opener::Series => {
                    Questions::of(false, |name| std::env::var_os(name))
                }
                Opener::Setting => Questions::None,
            },
            replaced: wanted.lost.clone().or_else(|| start.replaced().cloned()),
            start,
            remembered: scan::remembered_file(environment),
        })
    }
}
