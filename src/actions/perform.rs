//! Performs actions and reports their results, for the command line and the engine.

use std::path::PathBuf;
use std::time::SystemTime;

use tr::tr;

use super::clean::{self, Cleaned};
use super::control::{self, CHECK_LIMIT};
use super::end_process;
use super::error::ActionError;
use super::forward::again::add_again;
use super::held_socket::HoldError;
use super::keep::{self, Kept};
use super::kernel::LiveKernel;
use super::open::{self, Questions};
use super::ssh::Ssh;
use super::ssh::deferred_signals::DeferredSignals;
use crate::decide::action_report::{
    Action, ActionOutcome, ActionReport, Asked, Refusal, ReportTarget, with_forwards,
};
use crate::decide::ending;
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::keeping;
use crate::decide::notice::Button;
use crate::decide::opening::{self, Start};
use crate::diagnose::commands;
use crate::model::carried::Carried;
use crate::model::control_path::HostAlias;
use crate::model::finding::FindingId;
use crate::model::places::Persist;
use crate::model::socket::{Socket, State, Target};
use crate::model::text;
use crate::mux::error::MuxError;

#[derive(Debug, Clone)]
pub struct Subject {
    pub target: Target,
    pub name: String,
    /// Its last observation; `None` if the last scan did not find this target.
    pub socket: Option<Socket>,
}

impl From<Socket> for Subject {
    fn from(socket: Socket) -> Self {
        Self {
            target: socket.target(),
            name: socket.title(),
            socket: Some(socket),
        }
    }
}

impl From<Target> for Subject {
    fn from(target: Target) -> Self {
        Self {
            name: target.path.to_string(),
            target,
            socket: None,
        }
    }
}

pub fn check(subject: &Subject) -> ActionReport {
    let mut answered_in_time = None;
    let report = subject.perform(Action::Check, || {
        let mut checked = control::check(&subject.target, CHECK_LIMIT);
        // In another pid namespace, the master answers with a number that is of no use here.
        let pid = subject.socket.as_ref().and_then(|socket| socket.pid);
        if let (Ok(checked), Some(pid)) = (&mut checked, pid) {
            checked.pid = Some(pid);
        }
        answered_in_time = match &checked {
            Ok(_) => Some(true),
            Err(ActionError::Mux(MuxError::TimedOut(..))) => Some(false),
            Err(_) => None,
        };
        Ok(checked?.to_string())
    });
    ActionReport {
        answered_in_time,
        ..report
    }
}

pub fn exit(subject: &Subject, consent: SessionConsent) -> ActionReport {
    let report = subject.perform(Action::Exit, || {
        let ended = control::exit(&LiveKernel, &subject.target, consent, CHECK_LIMIT)?;
        Ok(ended.message)
    });
    subject.with_forwards(report)
}

/// Exit; if the master does not answer, its process is ended.
pub fn exit_or_end_process(subject: &Subject, consent: SessionConsent) -> ActionReport {
    if let Some(refusal) = subject.refusal(Action::Exit) {
        return refusal;
    }
    let (action, ended) = end_process::exit_or_end_process(&LiveKernel, &subject.target, consent);
    subject.with_forwards(subject.result(action, ended.map(|ended| ended.message)))
}

/// Connects to a master and keeps the connection; refused for a master of another program.
pub fn keep(subject: &Subject) -> Result<Kept, Box<ActionReport>> {
    let refused = |why| {
        let message = tr!("not kept open: {why}", why);
        subject.report(Action::KeepOpen, ActionOutcome::REFUSED, message)
    };
    let why = subject.socket.as_ref().and_then(keeping::refusal);
    if let Some(report) = why
        .map(refused)
        .or_else(|| subject.refusal(Action::KeepOpen))
    {
        return Err(Box::new(report));
    }
    keep::keep(&subject.target).map_err(|error| Box::new(subject.error(Action::KeepOpen, &error)))
}

pub fn stop(subject: &Subject) -> ActionReport {
    let mut is_over = true;
    let report = subject.perform(Action::Stop, || {
        let carried = control::stop(&LiveKernel, &subject.target, CHECK_LIMIT)?;
        is_over = carried == Some(Carried::NONE);
        Ok(match carried {
            Some(Carried::NONE) => tr!("exited, as no session was open"),
            Some(carried) => tr!("accepts no more sessions; exits after {carried}", carried),
            None => tr!("accepts no more sessions; exits when its last one ends"),
        })
    });
    let report = match is_over {
        true => subject.with_forwards(report),
        false => report,
    };
    let socket = subject.socket.as_ref();
    match socket.and_then(|socket| socket.pid) {
        // It has no socket any more, so muxtray shows it no longer. SIGTERM leaves the socket of its successor
        // (`mux_master_process_stop_listening()` in mux.c).
        Some(pid) if !is_over && report.outcome.is_success() => {
            let command = format_args!("kill {}", pid.0);
            report.with_advice(Some(tr!("to end it at once: {command}", command)))
        }
        _ => report,
    }
}

/// Ends the process of a master that does not answer, or that refuses an exit request because it can ask nobody.
pub fn end_process(subject: &Subject, consent: SessionConsent) -> ActionReport {
    if let Some(socket) = &subject.socket
        && socket.refuses
        && !ending::is_needed(&socket.state)
    {
        let (_, ended) = end_process::exit_or_end_process(&LiveKernel, &subject.target, consent);
        let report = subject.result(Action::EndProcess, ended.map(|ended| ended.message));
        return subject.with_forwards(report);
    }
    let end = || end_process::end_process(&LiveKernel, &subject.target, consent);
    let report = match &subject.socket {
        Some(socket) if matches!(socket.state, State::Orphaned { .. }) => {
            subject.result(Action::EndProcess, end())
        }
        _ => subject.perform(Action::EndProcess, end),
    };
    subject.with_forwards(report)
}

/// Removes a stale socket or a leftover. With `dry_run` nothing changes.
pub fn clean(subject: &Subject, dry_run: bool) -> ActionReport {
    let state = match &subject.socket {
        Some(socket) if socket.state.is_cleanable() => socket.state.word(),
        Some(socket) => {
            let state = socket.state.word();
            let message = tr!("not removed: it is {state}, not stale", state);
            return subject.report(Action::Clean, ActionOutcome::REFUSED, message);
        }
        None if subject.target.path.without_aside_prefix().is_some() => {
            tr!("left by an interrupted clean")
        }
        None => State::Stale.word(),
    };
    let now = SystemTime::now();
    let cleaned = if dry_run {
        clean::would_clean(&LiveKernel, &subject.target, now)
    } else {
        clean::clean(&LiveKernel, &subject.target, now)
    };
    let message = match cleaned {
        Ok(Cleaned::Removed) if dry_run => tr!("would be removed ({state})", state),
        Ok(Cleaned::Removed) => tr!("removed ({state})", state),
        Ok(Cleaned::PutBack(path)) if dry_run => tr!("would be renamed back to {path}", path),
        Ok(cleaned) => cleaned.to_string(),
        Err(error) => {
            let outcome = match error {
                ActionError::Hold(HoldError::Missing) => ActionOutcome::Unchanged,
                _ => error.outcome(),
            };
            return subject.report(Action::Clean, outcome, error.to_string());
        }
    };
    subject.report(Action::Clean, ActionOutcome::Done, message)
}

impl Subject {
    fn perform(
        &self,
        action: Action,
        perform: impl FnOnce() -> Result<String, ActionError>,
    ) -> ActionReport {
        let refusal = self.refusal(action);
        refusal.unwrap_or_else(|| self.result(action, perform()))
    }

    fn with_forwards(&self, report: ActionReport) -> ActionReport {
        let forwards = self.socket.as_ref().and_then(Socket::forwards_text);
        let forwards = forwards.filter(|_| report.outcome == ActionOutcome::Done);
        ActionReport {
            message: with_forwards(report.message, forwards),
            ..report
        }
    }

    fn result(&self, action: Action, result: Result<String, ActionError>) -> ActionReport {
        match result {
            Ok(message) => self.report(action, ActionOutcome::Done, message),
            Err(error) => self.error(action, &error),
        }
    }

    pub fn report(&self, action: Action, outcome: ActionOutcome, message: String) -> ActionReport {
        let target = ReportTarget::socket(&self.name, self.target.clone());
        ActionReport::new(target, action, outcome, message)
    }

    /// Why its state allows no request to a master; `None` if it does, or is unknown.
    pub fn refusal(&self, action: Action) -> Option<ActionReport> {
        let socket = self.socket.as_ref()?;
        let refusal = match &socket.state {
            // An unresponsive master may answer after all, and the deadline limits the wait.
            State::Running | State::Suspect(_) | State::Stranded(_) | State::Unresponsive(_) => {
                return None;
            }
            State::Denied(_) | State::Unverifiable(_) => Refusal::Unknown,
            State::Stale
            | State::Leftover
            | State::Misowned(_)
            | State::Foreign(_)
            | State::NotASocket(_)
            | State::Orphaned { .. } => Refusal::State,
        };
        Some(refused(socket, action, refusal))
    }

    /// The socket as a command names it: the host's alias if that is unambiguous, else the path.
    fn argument(&self) -> String {
        match &self.socket {
            Some(socket) => socket.argument.clone(),
            None => text::shell_word(self.target.path.as_path().as_os_str()),
        }
    }

    fn error(&self, action: Action, error: &ActionError) -> ActionReport {
        let report = ActionReport {
            connect_refused: matches!(error, ActionError::Mux(MuxError::Refused)),
            ..self.report(action, error.outcome(), error.to_string())
        };
        let refuses = self.socket.as_ref().is_some_and(|socket| socket.refuses);
        match (error, &self.socket) {
            (ActionError::ConnectionsOpen(carried, _), socket) => {
                let (option, button) = match (action, *carried) {
                    (action, Some(carried)) if action == Action::EndProcess || refuses => {
                        ("--end-process --force", self.end_process_button(carried))
                    }
                    (_, carried) => ("--force", Button::exit(self.target.clone(), carried)),
                };
                let command = format_args!("muxtray exit {option} {}", self.argument());
                let mut message = report.message.clone();
                if let Some(jumping) = socket.as_ref().and_then(Socket::jumping_text) {
                    message += &format!("; {jumping}");
                }
                ActionReport { message, ..report }
                    .with_advice(Some(tr!("to close them: {command}", command)))
                    .with_button(Some(button))
            }
            // It has neither listener nor file any more, so SIGKILL leaves nothing behind.
            (ActionError::StillRunning(pid, _), _) => {
                let command = format_args!("kill -9 {}", pid.0);
                report.with_advice(Some(tr!("to end it at once: {command}", command)))
            }
            (error, Some(socket)) if error.is_refusal_to_exit() => {
                let carried = socket.carried().unwrap_or_default();
                report
                    .with_advice(Some(commands::way_out_of_refusal(socket).to_string()))
                    .with_button(refuses.then(|| self.end_process_button(carried)))
            }
            (error, Some(socket)) if action != Action::EndProcess && error.is_unresponsive() => {
                // The network of a stranded master is gone, so no other request can succeed.
                let is_stranded = socket.state.is_stranded();
                let button = (action == Action::Exit && is_stranded)
                    .then(|| self.end_process_button(socket.carried().unwrap_or_default()));
                let finding = socket.findings.first();
                match finding.filter(|finding| finding.id == FindingId::Unresponsive) {
                    Some(finding) => ActionReport {
                        message: format!("{}; {error}", finding.evidence),
                        ..report.with_advice(Some(finding.remedy.clone()))
                    },
                    None => report.with_advice(Some(commands::way_out(socket).to_string())),
                }
                .with_button(button)
            }
            _ => report,
        }
    }

    fn end_process_button(&self, carried: Carried) -> Button {
        Button::end_process(self.target.clone(), carried)
    }
}

/// The refusal of an action, with the evidence and remedy of the socket's first finding.
pub fn refused(socket: &Socket, action: Action, refusal: Refusal) -> ActionReport {
    let state = socket.state.word();
    let (message, advice) = match socket.findings.first() {
        Some(finding) => (
            format!("{state}: {}", finding.evidence),
            Some(finding.remedy.clone()),
        ),
        None => (state, None),
    };
    let target = ReportTarget::socket(socket.title(), socket.target());
    ActionReport::new(target, action, ActionOutcome::Refused(refusal), message).with_advice(advice)
}

#[derive(Debug, Clone)]
pub struct Opening {
    pub alias: HostAlias,
    pub ssh: Ssh,
    pub start: Start,
    pub persist: Persist,
    pub consent: SessionConsent,
    pub questions: Questions,
    /// The stranded master that is replaced, even if it has ended before.
    pub replaced: Option<Target>,
    /// The forwardings that a person asked muxtray for. If a master is replaced, the next one gets its own again.
    pub remembered: Option<PathBuf>,
}

pub fn open(opening: &Opening, signals: Option<&DeferredSignals>) -> ActionReport {
    let alias = &opening.alias;
    let target = ReportTarget::Host {
        alias: alias.clone(),
        path: Some(opening.start.path.clone()),
    };
    let report = |outcome, message| ActionReport::new(target, Action::Open, outcome, message);
    let (ssh, start, consent) = (&opening.ssh, &opening.start, opening.consent);
    let error = match open::open(ssh, start, consent, opening.questions, signals) {
        Ok(opened) => {
            let mut message = format!("{opened}; {}", opening::lasts(opening.persist));
            if let (Some(before), Some(file)) = (&opening.replaced, &opening.remembered) {
                let again = add_again(file, alias, before);
                message = text::list([message].into_iter().chain(again));
            }
            return report(ActionOutcome::Done, message);
        }
        Err(error) => error,
    };
    let (advice, label, consent) = match &error {
        ActionError::ConnectionsOpen(carried, _) => {
            let host = text::shell_word(alias.0.as_ref());
            let option = text::option_of(ssh.config.as_deref());
            let command = format_args!("muxtray {option}open --force {host}");
            (
                Some(tr!("to close them: {command}", command)),
                Button::reconnect(alias.clone(), *carried).label,
                SessionConsent::to_close(*carried),
            )
        }
        ActionError::NotStarted(failure) => {
            let advice = opening::way_out(failure, &alias.0, &ssh.host, ssh.config.as_deref());
            (Some(advice), tr!("Try again"), consent)
        }
        ActionError::WouldAsk => {
            let open = opening::command(&alias.0, ssh.config.as_deref());
            let advice = opening::with_control_master(&open);
            (Some(advice), tr!("Try again"), consent)
        }
        _ => (None, tr!("Try again"), consent),
    };
    let intent = Intent::Open {
        host: alias.clone(),
        consent,
    };
    let asked = match &error {
        ActionError::NotStarted(failure) => opening::asked(failure),
        ActionError::WouldAsk => Asked::Yes,
        _ => Asked::No,
    };
    let report = report(error.outcome(), error.to_string())
        .with_advice(advice)
        .with_button(Some(Button { label, intent }));
    ActionReport { asked, ..report }
}
