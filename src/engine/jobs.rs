//! Everything that takes time runs as a job on a thread of its own and sends its result back as a message.

use std::thread;

use calloop::channel::Sender;

use super::message::Message;
use super::settings_jobs::SettingsJob;
use crate::actions::fix;
use crate::actions::parallel::parallel_map;
use crate::actions::perform::{self, Opening, Subject};
use crate::decide::action_notice::Scope;
use crate::decide::action_report::ActionReport;
use crate::decide::intent::SessionConsent;
use crate::discover::{self, Environment, Request};
use crate::model::fix::Fix;

#[derive(Debug)]
pub(super) enum Job {
    Discover {
        request: Box<Request>,
        environment: Box<Environment>,
    },
    Check(Vec<Subject>, Scope),
    Exit(Vec<(Subject, SessionConsent)>, Scope),
    /// Exits masters, then cleans sockets.
    Reset(Vec<(Subject, SessionConsent)>, Vec<Subject>),
    Stop(Box<Subject>),
    EndProcess(Box<Subject>, SessionConsent),
    Clean(Vec<Subject>, Scope),
    Fix(Fix),
    Open(Box<Opening>),
    Settings(Box<SettingsJob>),
}

#[derive(Debug, Clone)]
pub(super) struct JobStarter(Sender<Message>);

impl JobStarter {
    pub(super) fn new(sender: Sender<Message>) -> Self {
        Self(sender)
    }

    /// Returns whether a thread could be started.
    pub(super) fn start(&self, job: Job) -> bool {
        let name = match &job {
            Job::Discover { .. } => "discover",
            Job::Check(..) => "check",
            Job::Exit(..) => "exit",
            Job::Reset(..) => "reset",
            Job::Stop(_) => "stop",
            Job::EndProcess(..) => "end-process",
            Job::Clean(..) => "clean",
            Job::Fix(_) => "fix",
            Job::Open(_) => "open",
            Job::Settings(_) => "settings",
        };
        let sender = self.0.clone();
        let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Fails if the engine has ended meanwhile; then the result is not needed.
            let _ = sender.send(job.run());
        });
        if let Err(error) = &started {
            tracing::warn!("cannot start a thread to {name}: {error}");
        }
        started.is_ok()
    }
}

impl Job {
    fn run(self) -> Message {
        match self {
            Self::Discover {
                request,
                environment,
            } => {
                let discovered = discover::discover(&request, &environment);
                Message::Discovered(Box::new(discovered), request)
            }
            Self::Check(subjects, scope) => {
                Message::Performed(parallel_map(&subjects, perform::check), scope)
            }
            Self::Exit(masters, Scope::Policy) => {
                let end = |(subject, consent): &(Subject, SessionConsent)| {
                    perform::exit_or_end_process(subject, *consent)
                };
                Message::Performed(parallel_map(&masters, end), Scope::Policy)
            }
            Self::Exit(masters, scope) => Message::Performed(parallel_map(&masters, exit), scope),
            Self::Reset(masters, stale) => {
                let mut reports = parallel_map(&masters, exit);
                reports.extend(parallel_map(&stale, clean));
                Message::Performed(reports, Scope::AllTargets)
            }
            Self::Stop(subject) => one(perform::stop(&subject)),
            Self::EndProcess(subject, consent) => one(perform::end_process(&subject, consent)),
            Self::Clean(subjects, scope) => {
                Message::Performed(parallel_map(&subjects, clean), scope)
            }
            Self::Fix(fix) => one(fix::fix(&fix)),
            Self::Open(opening) => {
                let report = perform::open(&opening, None);
                Message::Opened(opening.alias, Box::new(report))
            }
            Self::Settings(job) => Message::Settings(job.run()),
        }
    }
}

fn exit((subject, consent): &(Subject, SessionConsent)) -> ActionReport {
    perform::exit(subject, *consent)
}

fn clean(subject: &Subject) -> ActionReport {
    perform::clean(subject, false)
}

fn one(report: ActionReport) -> Message {
    Message::Performed(vec![report], Scope::OneTarget)
}
