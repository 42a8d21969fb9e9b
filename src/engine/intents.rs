//! Carries out intents, by jobs if that takes time, and handles the reports of the jobs.

use std::time::Instant;

use tr::tr;

use super::message::Message;
use super::state::Engine;
use super::user_interface::Order;
use super::wanted::Opener;
use crate::VERSION;
use crate::actions::fix;
use crate::actions::forward::ForwardingMaster;
use crate::actions::parallel::parallel_map;
use crate::actions::perform::{self, Subject};
use crate::actions::ssh::version;
use crate::decide::action_notice::{self, Scope};
use crate::decide::action_report::{Action, ActionReport, ReportTarget};
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::is_cleaned_with_all;
use crate::decide::launch::LauncherAction;
use crate::decide::notice::{Notice, NoticeKey};
use crate::model::finding::FindingId;
use crate::model::socket::{Socket, Target};
use crate::present::bug_report::bug_report;
use crate::present::hosts::Hosts;
use crate::present::summary::summary;
use crate::present::{styled, table};
use crate::scan;
use crate::watch::Event;

impl Engine {
    pub(super) fn carry_out_intent(&mut self, intent: Intent) {
        match intent {
            Intent::Check(target) => {
                self.perform_on("check", &target, perform::check);
            }
            Intent::CheckAll => {
                self.perform(
                    "check",
                    self.own_masters(),
                    Scope::AllTargets,
                    perform::check,
                );
            }
            Intent::Exit { target, consent } => self.exit(&[(target, consent)], Scope::OneTarget),
            Intent::EndProcess { target, consent } => {
                self.perform_on("end-process", &target, move |subject| {
                    perform::end_process(subject, consent)
                });
            }
            Intent::ExitAll(masters) => self.exit(&masters, Scope::AllTargets),
            Intent::Reset(masters) => self.reset(&masters),
            Intent::Stop(target) => {
                // The connection would delay its end.
                self.let_go(&(target.path.clone(), target.cookie));
                self.perform_on("stop", &target, perform::stop);
            }
            Intent::KeepOpen { target, time } => self.keep_open(&target, time),
            Intent::LetGo(target) => self.let_go(&(target.path, target.cookie)),
            Intent::Forward { target, forwarding } => {
                self.change_forwards(&target, move |master| master.add(&forwarding));
            }
            Intent::CancelForward { target, forwarding } => {
                self.change_forwards(&target, move |master| master.cancel(&forwarding));
            }
            Intent::Clean(target) => self.clean(&[target], Scope::OneTarget),
            Intent::CleanAll(targets) => self.clean(&targets, Scope::AllTargets),
            Intent::Open { host, consent } => {
                self.open_for_person(host, consent, Opener::Person);
            }
            Intent::OpenAll(hosts) => self.open_all(hosts),
            Intent::NewSession(session) => self.open_terminal(session),
            Intent::Fix(fix) => self.perform("fix", vec![fix], Scope::OneTarget, fix::fix),
            Intent::CopyFindings(target) => self.copy_findings(target.as_ref()),
            Intent::Launched(action) => self.launch(action),
            Intent::Show(target) => self.show(target.as_ref()),
            Intent::ShowHosts => self.show_hosts(),
            Intent::Set(change) => self.set(change),
            Intent::StartAtLogin(on) => self.start_at_login(on),
            Intent::OpenUrl(url) => self.open_url(url),
            Intent::OpenConfiguration => self.open_configuration(),
            Intent::ShowConfiguration => self.show_configuration(),
            Intent::Scan => self.debounce.note_event(Event::Changed, Instant::now()),
            // The applet handles these itself.
            Intent::Copy(_) | Intent::CopyText(_) | Intent::About | Intent::Keep => {}
            Intent::Quit => self.has_ended = true,
        }
    }

    pub(super) fn exit(&self, masters: &[(Target, SessionConsent)], scope: Scope) {
        let act = match scope {
            Scope::Policy => perform::exit_or_end_process,
            Scope::OneTarget | Scope::AllTargets => perform::exit,
        };
        let masters = self.subjects(masters);
        self.perform("exit", masters, scope, move |(subject, consent)| {
            act(subject, *consent)
        });
    }

    /// Exits masters, then cleans all stale sockets.
    fn reset(&self, masters: &[(Target, SessionConsent)]) {
        let masters = self.subjects(masters);
        let stale = self.stale();
        self.start("reset", move || {
            let mut reports = parallel_map(&masters, |(subject, consent)| {
                perform::exit(subject, *consent)
            });
            reports.extend(parallel_map(&stale, |stale| perform::clean(stale, false)));
            Message::Performed(reports, Scope::AllTargets)
        });
    }

    pub(super) fn clean(&self, targets: &[Target], scope: Scope) {
        let subjects = targets.iter().map(|target| self.subject(target)).collect();
        self.perform("clean", subjects, scope, |subject| {
            perform::clean(subject, false)
        });
    }

    fn perform_on(
        &self,
        name: &str,
        target: &Target,
        action: impl Fn(&Subject) -> ActionReport + Send + Sync + 'static,
    ) {
        self.perform(name, vec![self.subject(target)], Scope::OneTarget, action);
    }

    /// The master that a person saw; nothing happens if it is gone.
    fn change_forwards(
        &self,
        target: &Target,
        change: impl Fn(&ForwardingMaster) -> ActionReport + Send + Sync + 'static,
    ) {
        let Some(socket) = self.find(target).cloned() else {
            return;
        };
        let host = socket.hosts.first().map(|host| host.0.clone());
        let master = ForwardingMaster {
            name: host.unwrap_or_else(|| socket.title()),
            socket,
            sockets: self.sockets().cloned().collect(),
            remembered: scan::remembered_file(self.scanner.environment()),
        };
        self.perform("forward", vec![master], Scope::OneTarget, change);
    }

    pub(super) fn handle_reports(&mut self, reports: &[ActionReport], scope: Scope) {
        for report in reports {
            if scope == Scope::Policy {
                tracing::info!("{}: {}", report.target.name(), report.message);
            }
            let ReportTarget::Socket { target, .. } = &report.target else {
                continue;
            };
            if let (Some(cookie), Some(in_time)) = (target.cookie, report.answered_in_time) {
                self.scanner.note_check(cookie, in_time);
            }
            if let (Some(cookie), true) = (target.cookie, report.may_have_connected()) {
                let is_done = report.outcome.is_success();
                self.scanner.note_request(cookie, is_done);
            }
            if report.connect_refused {
                self.scanner.note_refusal(target);
            }
            // Without a notification daemon the menu shows why nothing was closed.
            let line = match report.action {
                Action::Check => tr!("Last check: {answer}", answer = report.message),
                _ if report.outcome.is_success() => continue,
                _ => tr!("Last request: {answer}", answer = report.message),
            };
            self.answers.insert(target.clone(), line);
        }
        let is_announced =
            scope != Scope::Policy || self.settings.announced().contains(&FindingId::Stranded);
        if is_announced
            && let Some(notice) = action_notice::notice(reports, scope, self.options.can_show)
        {
            self.show_answer(notice);
        }
        self.scan();
    }

    /// Shows a result, or a question: in a window, if the tray has some.
    pub(super) fn show_answer(&self, notice: Notice) {
        if notice.is_question && self.options.can_ask {
            self.user_interface.order(Order::Ask(notice));
        } else {
            self.user_interface.notify(notice);
        }
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
            Some(socket) => (socket.title(), table::details(socket, snapshot.clock())),
            None => (tr!("Control sockets"), table::report(snapshot, None)),
        };
        let text = styled::plain(&lines);
        self.user_interface
            .order(Order::ShowDetails { title, text });
    }

    fn show_hosts(&self) {
        let (Some((discovered, _)), Some(snapshot)) = (&self.discovered, &self.snapshot) else {
            return;
        };
        let home = &self.scanner.environment().known.home;
        let text = styled::plain(&Hosts::new(&discovered.places, snapshot).table(home));
        let title = tr!("Hosts");
        self.user_interface
            .order(Order::ShowDetails { title, text });
    }

    fn own_masters(&self) -> Vec<Subject> {
        let masters = self
            .sockets()
            .filter(|socket| socket.is_running() && socket.managed_by.is_none());
        masters.cloned().map(Subject::from).collect()
    }

    fn stale(&self) -> Vec<Subject> {
        let stale = self.sockets().filter(|socket| is_cleaned_with_all(socket));
        stale.cloned().map(Subject::from).collect()
    }

    fn launch(&mut self, action: LauncherAction) {
        let Some(snapshot) = &self.snapshot else {
            return self.launched.push(action);
        };
        match action {
            LauncherAction::Show => {
                let summary = summary(snapshot);
                self.wants_icon = true;
                self.scan();
                match self.options.can_show {
                    true => self.show(None),
                    false => self.answer_launcher(summary),
                }
            }
            LauncherAction::CheckAll if self.own_masters().is_empty() => {
                self.answer_launcher(tr!("Check all: no masters"));
            }
            LauncherAction::CheckAll => self.carry_out_intent(Intent::CheckAll),
            LauncherAction::Clean if self.stale().is_empty() => {
                self.answer_launcher(tr!("Clean: no stale sockets"));
            }
            LauncherAction::Clean => {
                let targets: Vec<_> = self.stale().into_iter().map(|it| it.target).collect();
                self.clean(&targets, Scope::AllTargets);
            }
            LauncherAction::OpenConfiguration => self.open_configuration(),
        }
    }

    pub(super) fn launch_waiting(&mut self) {
        for action in std::mem::take(&mut self.launched) {
            self.launch(action);
        }
    }

    fn answer_launcher(&self, summary: String) {
        self.user_interface.notify(Notice {
            transient: true,
            ..Notice::new(NoticeKey::AnswerAll, summary, String::new())
        });
    }

    fn copy_findings(&self, target: Option<&Target>) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let findings = match target {
            Some(target) => snapshot.find(target).map(|socket| socket.findings.clone()),
            None => Some(snapshot.findings.clone()),
        };
        let environment = self.scanner.environment();
        let ssh = self.discovered.as_ref().map(|(_, request)| &request.ssh);
        let ssh = ssh.and_then(|ssh| ssh.file(environment));
        let home = environment.known.home.display().to_string();
        self.start("report", move || {
            let version = ssh.and_then(|program| version(&program));
            let findings = findings.unwrap_or_default();
            Message::ToCopy(bug_report(
                findings.iter(),
                VERSION,
                version.as_deref(),
                &home,
            ))
        });
    }

    fn subjects(&self, masters: &[(Target, SessionConsent)]) -> Vec<(Subject, SessionConsent)> {
        masters
            .iter()
            .map(|(target, consent)| (self.subject(target), *consent))
            .collect()
    }

    pub(super) fn subject(&self, target: &Target) -> Subject {
        let socket: Option<&Socket> = self.find(target);
        Subject {
            target: target.clone(),
            ..socket
                .cloned()
                .map_or_else(|| Subject::from(target.clone()), Subject::from)
        }
    }
}
