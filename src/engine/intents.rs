//! What a person asks for: done here where it takes no time, by a worker where it does, and what came of it.

use std::time::Instant;

use tr::tr;

use super::Engine;
use super::results::{Answered, Asked};
use super::workers::{Job, Named};
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::is_cleaned_with_all;
use crate::model::finding::FindingId;
use crate::model::socket::{Socket, Target};
use crate::present::{styled, table};

impl Engine {
    pub(super) fn follow(&mut self, intent: Intent) {
        match intent {
            Intent::Check(target) => self.check(&[target], Asked::ByName),
            Intent::CheckAll => {
                let masters = self
                    .sockets()
                    .filter(|socket| socket.is_running() && socket.managed_by.is_none());
                let targets: Vec<Target> = masters.map(Socket::target).collect();
                self.check(&targets, Asked::OfAll);
            }
            Intent::Exit { target, consent } => {
                self.exit(&[(target, consent)], Asked::ByName);
            }
            Intent::EndProcess { target, consent } => {
                let asked = self.named(&target);
                self.worker.start(Job::EndProcess(asked, consent));
            }
            Intent::ExitAll(each) => self.exit(&each, Asked::OfAll),
            Intent::Reset(each) => self.reset(&each),
            Intent::Stop(target) => {
                let asked = self.named(&target);
                self.worker.start(Job::Stop(asked));
            }
            Intent::Clean(target) => self.clean(&[target], Asked::ByName),
            Intent::CleanAll(targets) => self.clean(&targets, Asked::OfAll),
            Intent::Open { host, consent } => self.open(&host, consent),
            Intent::Mend(fix) => {
                self.worker.start(Job::Mend(fix));
            }
            Intent::Show(target) => self.show(target.as_ref()),
            Intent::Set(setting, on) => self.set(setting, on),
            Intent::StartAtLogin(on) => self.start_at_login(on),
            Intent::OpenConfiguration => self.open_configuration(),
            Intent::ShowConfiguration => self.show_configuration(),
            Intent::Look => self.debounce.note_event(Instant::now()),
            // The clipboard and the About window are the desktop's own.
            Intent::Copy(_) | Intent::CopyText(_) | Intent::About => {}
            Intent::Quit => self.has_ended = true,
        }
    }

    fn check(&mut self, targets: &[Target], asked: Asked) {
        let named = targets.iter().map(|target| self.named(target)).collect();
        self.worker.start(Job::Check(named, asked));
    }

    pub(super) fn exit(&mut self, each: &[(Target, SessionConsent)], asked: Asked) {
        let masters = self.all_named(each);
        self.worker.start(Job::Exit(masters, asked));
    }

    /// Ends these masters, and removes what is stale by now.
    fn reset(&mut self, each: &[(Target, SessionConsent)]) {
        let masters = self.all_named(each);
        let stale = self.sockets().filter(|socket| is_cleaned_with_all(socket));
        let stale = stale.map(|socket| self.named(&socket.target())).collect();
        self.worker.start(Job::Reset(masters, stale));
    }

    pub(super) fn clean(&mut self, targets: &[Target], asked: Asked) {
        let named = targets.iter().map(|target| self.named(target)).collect();
        self.worker.start(Job::Clean(named, asked));
    }

    pub(super) fn answered(&mut self, answered: &Answered) {
        for (cookie, in_time) in answered.checks() {
            self.scanner.note_check(cookie, in_time);
        }
        self.answers.extend(answered.lines());
        self.has_news = true;
        let is_wanted =
            !answered.is_by_policy() || self.settings.announced().contains(&FindingId::Stranded);
        if let Some(notice) = answered.notice(self.options.can_show)
            && is_wanted
        {
            self.outlet.notify(notice);
        }
        self.tick();
    }

    fn show(&mut self, target: Option<&Target>) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let socket = target.and_then(|target| {
            snapshot
                .sockets
                .iter()
                .find(|socket| socket.path == target.path)
        });
        let (title, lines) = match socket {
            Some(socket) => (socket.title(), table::details(socket, snapshot.at)),
            None => (tr!("Control sockets"), table::report(snapshot, None)),
        };
        self.outlet.show_details(title, styled::plain(&lines));
    }

    fn all_named(&self, each: &[(Target, SessionConsent)]) -> Vec<(Named, SessionConsent)> {
        each.iter()
            .map(|(target, consent)| (self.named(target), *consent))
            .collect()
    }

    /// The target with what a person calls it and what is known of it now.
    fn named(&self, target: &Target) -> Named {
        let socket = self
            .snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.find(target));
        Named {
            target: target.clone(),
            title: socket.map_or_else(|| target.path.to_string(), Socket::title),
            state: socket.map(|socket| socket.state.clone()),
            sessions: socket.and_then(Socket::sessions_at_stake),
        }
    }
}
