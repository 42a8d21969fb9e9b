//! What takes time, on threads of its own: discovery and the actions. Each brings its answer back as a message.

use std::thread;
use std::time::SystemTime;

use calloop::channel::Sender;

use crate::actions::clean::{self, Kind};
use crate::actions::control::{self, CHECK_LIMIT};
use crate::actions::open::{self, Questions};
use crate::actions::ssh::Ssh;
use crate::actions::{System, end_process, end_stranded, fix, parallel_map};
use crate::decide::intent::SessionConsent;
use crate::decide::opening::Start;
use crate::discover::{self, Request, Surroundings};
use crate::model::control_path::HostAlias;
use crate::model::fix::Fix;
use crate::model::socket::{State, Target};

use super::Message;
use super::results::{Answered, Asked, Result};
use super::settings::{self, Wish};

/// A target, with what a person calls it and what was known of it when it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) target: Target,
    pub(super) title: String,
    pub(super) state: Option<State>,
    /// Every session that would end with it.
    pub(super) sessions: Option<u32>,
}

/// Something to do.
#[derive(Debug)]
pub(super) enum Job {
    Discover {
        request: Box<Request>,
        surroundings: Box<Surroundings>,
    },
    Check(Vec<Named>, Asked),
    Exit(Vec<(Named, SessionConsent)>, Asked),
    /// End these masters, then remove what is stale.
    Reset(Vec<(Named, SessionConsent)>, Vec<Named>),
    Stop(Named),
    EndProcess(Named, SessionConsent),
    Clean(Vec<Named>, Asked),
    Mend(Fix),
    Open(Box<Opening>),
    Grant(Box<Wish>),
}

/// A master to open.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(super) ssh: Ssh,
    pub(super) start: Start,
    pub(super) consent: SessionConsent,
    pub(super) questions: Questions,
    pub(super) alias: HostAlias,
}

/// Starts jobs.
#[derive(Debug, Clone)]
pub(super) struct Worker(Sender<Message>);

impl Worker {
    pub(super) fn new(sender: Sender<Message>) -> Self {
        Self(sender)
    }

    /// Starts a thread for the job; tells whether that succeeded.
    pub(super) fn start(&self, job: Job) -> bool {
        let name = match &job {
            Job::Discover { .. } => "discover",
            Job::Check(..) => "check",
            Job::Exit(..) => "exit",
            Job::Reset(..) => "reset",
            Job::Stop(_) => "stop",
            Job::EndProcess(..) => "terminate",
            Job::Clean(..) => "clean",
            Job::Mend(_) => "mend",
            Job::Open(_) => "open",
            Job::Grant(_) => "settings",
        };
        let sender = self.0.clone();
        let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // The engine may have ended meanwhile; then nobody waits for the answer.
            let _ = sender.send(perform(job));
        });
        if let Err(error) = &started {
            tracing::warn!("no thread to {name}: {error}");
        }
        started.is_ok()
    }
}

fn perform(job: Job) -> Message {
    match job {
        Job::Discover {
            request,
            surroundings,
        } => {
            let discovered = discover::discover(&request, &surroundings);
            Message::Discovered(Box::new(discovered), request)
        }
        Job::Check(named, asked) => {
            let results = parallel_map(&named, |named| {
                Result::Checked(control::check(&named.target, CHECK_LIMIT))
            });
            answered(named, results, asked)
        }
        Job::Exit(masters, asked) => {
            let results = parallel_map(&masters, |(named, consent)| {
                if asked == Asked::ByPolicy {
                    Result::from(end_stranded::say(&named.target, *consent))
                } else {
                    exit(named, *consent)
                }
            });
            let masters = masters.into_iter().map(|(named, _)| named);
            answered(masters.collect(), results, asked)
        }
        Job::Reset(masters, stale) => {
            let mut results = parallel_map(&masters, |(named, consent)| exit(named, *consent));
            results.extend(parallel_map(&stale, clean));
            let masters = masters.into_iter().map(|(named, _)| named);
            answered(masters.chain(stale).collect(), results, Asked::OfAll)
        }
        Job::Stop(named) => {
            let result = Result::Stopped(control::stop(&System, &named.target, CHECK_LIMIT));
            answered(vec![named], vec![result], Asked::ByName)
        }
        Job::EndProcess(named, consent) => {
            let result = Result::ProcessEnded(end_process::end(&System, &named.target, consent));
            answered(vec![named], vec![result], Asked::ByName)
        }
        Job::Clean(named, asked) => {
            let results = parallel_map(&named, clean);
            answered(named, results, asked)
        }
        Job::Mend(fix) => {
            let result = fix::mend(&fix);
            Message::Mended(fix, result)
        }
        Job::Open(opening) => {
            let Opening {
                ssh,
                start,
                consent,
                questions,
                ..
            } = &*opening;
            let result = open::open(ssh, start, *consent, *questions, None);
            Message::Opened(opening, result)
        }
        Job::Grant(wish) => Message::Granted(settings::grant(*wish)),
    }
}

fn exit(named: &Named, consent: SessionConsent) -> Result {
    Result::Ended(control::exit(&System, &named.target, consent, CHECK_LIMIT))
}

fn clean(named: &Named) -> Result {
    // What is not there any more cannot be judged anew; `clean` then says that it is gone.
    let kind = named
        .state
        .as_ref()
        .and_then(Kind::of)
        .unwrap_or(Kind::Stale);
    let now = SystemTime::now();
    Result::Cleaned(clean::clean(&System, &named.target, kind, now))
}

fn answered(named: Vec<Named>, results: Vec<Result>, asked: Asked) -> Message {
    Message::Answered(Answered {
        results: named.into_iter().zip(results).collect(),
        asked,
    })
}
