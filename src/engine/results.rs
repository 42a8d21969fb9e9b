//! What came of something a person asked for: a line for the menu, a notice, and what the engine learns from it.

use std::time::Duration;

use tr::tr;

use crate::actions::clean::{CleanError, Cleaned};
use crate::actions::control::{ActError, Checked, Exited, Stopped};
use crate::actions::end_process::{EndError, Ended};
use crate::actions::end_stranded::{Farewell, NotEnded};
use crate::actions::fix::{self, MendError, Mended};
use crate::decide::ending;
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::notice::{Button, Notice, NoticeKey};
use crate::model::fix::Fix;
use crate::model::socket::{Cookie, State, Target};
use crate::model::text;
use crate::mux::error::MuxError;

use super::workers::Named;

/// How it was asked for, which decides how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// For one socket.
    ByName,
    /// For all there were.
    OfAll,
    /// By the settings, not by a person: only the log hears of it, but for masters that were ended.
    ByPolicy,
}

/// What came of it for one socket.
#[derive(Debug)]
pub(super) enum Result {
    Checked(std::result::Result<Checked, ActError>),
    Ended(std::result::Result<Exited, ActError>),
    Stopped(std::result::Result<Stopped, ActError>),
    ProcessEnded(std::result::Result<Ended, EndError>),
    Cleaned(std::result::Result<Cleaned, CleanError>),
}

impl From<std::result::Result<Farewell, NotEnded>> for Result {
    fn from(farewell: std::result::Result<Farewell, NotEnded>) -> Self {
        match farewell {
            Ok(Farewell::Exited(exited)) => Self::Ended(Ok(exited)),
            Ok(Farewell::Ended(ended)) => Self::ProcessEnded(Ok(ended)),
            Err(NotEnded::Asked(error)) => Self::Ended(Err(error)),
            Err(NotEnded::Process(error)) => Self::ProcessEnded(Err(error)),
        }
    }
}

/// What came of it for each socket.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(super) results: Vec<(Named, Result)>,
    pub(super) asked: Asked,
}

impl Result {
    /// The answer in one line, and whether it is what was asked for.
    fn told(&self) -> (String, bool) {
        match self {
            Self::Checked(Ok(checked)) => (checked.to_string(), true),
            Self::Ended(Ok(ended)) => (ended.to_string(), true),
            Self::Stopped(Ok(stopped)) => (stopped.to_string(), true),
            Self::ProcessEnded(Ok(ended)) => (ended.to_string(), true),
            Self::Cleaned(Ok(cleaned)) => (cleaned.to_string(), true),
            // The error's own words name an option that a menu does not have.
            Self::Ended(Err(ActError::SessionsOpen { sessions }))
            | Self::ProcessEnded(Err(EndError::SessionsOpen { sessions })) => (
                tr!("{n} session open by now, so nothing was closed"
                    | "{n} sessions open by now, so nothing was closed" % *sessions),
                false,
            ),
            Self::Checked(Err(error)) | Self::Ended(Err(error)) | Self::Stopped(Err(error)) => {
                (error.to_string(), false)
            }
            Self::ProcessEnded(Err(error)) => (error.to_string(), false),
            Self::Cleaned(Err(error)) => (error.to_string(), false),
        }
    }
}

impl Answered {
    /// Which listeners answered an alive check in time, and which did not.
    pub(super) fn checks(&self) -> Vec<(Cookie, bool)> {
        let check = |(named, result): &(Named, Result)| match result {
            Result::Checked(Ok(_)) => named.target.cookie.map(|cookie| (cookie, true)),
            Result::Checked(Err(ActError::Mux(MuxError::TimedOut { .. }))) => {
                named.target.cookie.map(|cookie| (cookie, false))
            }
            Result::Checked(Err(_))
            | Result::Ended(_)
            | Result::Stopped(_)
            | Result::ProcessEnded(_)
            | Result::Cleaned(_) => None,
        };
        self.results.iter().filter_map(check).collect()
    }

    /// A line for the menu of each socket that was checked.
    pub(super) fn lines(&self) -> Vec<(Target, String)> {
        let line = |(named, result): &(Named, Result)| match result {
            Result::Checked(_) => Some((
                named.target.clone(),
                tr!("Last check: {answer}", answer = result.told().0),
            )),
            Result::Ended(_)
            | Result::Stopped(_)
            | Result::ProcessEnded(_)
            | Result::Cleaned(_) => None,
        };
        self.results.iter().filter_map(line).collect()
    }

    /// Whether nobody asked for it but the settings.
    pub(super) fn is_by_policy(&self) -> bool {
        self.asked == Asked::ByPolicy
    }

    /// What to tell the person who asked; where the settings did, only that masters were ended.
    pub(super) fn notice(&self, can_show: bool) -> Option<Notice> {
        match self.asked {
            Asked::ByPolicy => {
                for (named, result) in &self.results {
                    tracing::info!("{}: {}", named.title, result.told().0);
                }
                self.of_policy(can_show)
            }
            Asked::ByName => self
                .results
                .first()
                .map(|(named, result)| single(named, result, can_show)),
            Asked::OfAll => self.of_all(can_show),
        }
    }

    fn of_policy(&self, can_show: bool) -> Option<Notice> {
        let notice = match &self.results[..] {
            [(named, result @ (Result::Ended(_) | Result::ProcessEnded(_)))] => Notice {
                summary: tr!("{host}: had lost its network", host = named.title),
                ..single(named, result, can_show)
            },
            [(_, Result::Ended(_) | Result::ProcessEnded(_)), ..] => {
                let notice = self.of_all(can_show)?;
                Notice {
                    summary: tr!("{what} that had lost their network", what = notice.summary),
                    ..notice
                }
            }
            _ => return None,
        };
        // Nobody waits for this answer.
        Some(Notice {
            transient: false,
            ..notice
        })
    }

    fn of_all(&self, can_show: bool) -> Option<Notice> {
        const SHOWN: usize = 5;
        let failed: Vec<String> = self
            .results
            .iter()
            .filter_map(|(named, result)| match result.told() {
                (_, true) => None,
                (line, false) => Some(format!("{}: {line}", named.title)),
            })
            .collect();
        let mut parts = self.parts();
        if parts.is_empty() {
            return None;
        }
        if !failed.is_empty() {
            parts.push(tr!("{n} failed", n = failed.len()));
        }
        let summary = text::list(parts);
        let mut lines: Vec<String> = failed.iter().take(SHOWN).cloned().collect();
        if failed.len() > SHOWN {
            lines.push(tr!("and {n} more", n = failed.len() - SHOWN));
        }
        if failed.is_empty() {
            lines = self.slowest().into_iter().collect();
        }
        let mut buttons = Vec::new();
        if can_show && !failed.is_empty() {
            buttons.push(Button {
                label: tr!("Show"),
                intent: Intent::Show(None),
            });
        }
        Some(Notice {
            key: NoticeKey::AnswerAll,
            summary,
            body: lines.join("\n"),
            buttons,
            transient: failed.is_empty(),
        })
    }

    /// "3 masters ended", "2 sockets removed": how many of each kind of act worked, for the kinds there were.
    fn parts(&self) -> Vec<String> {
        let mut kinds: Vec<(Act, usize)> = Vec::new();
        for (_, result) in &self.results {
            let act = match result {
                Result::Checked(_) => Act::Check,
                Result::Ended(_) | Result::ProcessEnded(_) => Act::End,
                Result::Stopped(_) => Act::Stop,
                Result::Cleaned(_) => Act::Clean,
            };
            let worked = usize::from(result.told().1);
            match kinds.iter_mut().find(|(kind, _)| *kind == act) {
                Some((_, count)) => *count += worked,
                None => kinds.push((act, worked)),
            }
        }
        kinds.into_iter().map(|(act, n)| act.done(n)).collect()
    }

    fn slowest(&self) -> Option<String> {
        let round_trip = |(named, result): &(Named, Result)| match result {
            Result::Checked(Ok(checked)) => Some((checked.round_trip, named.title.clone())),
            Result::Checked(Err(_))
            | Result::Ended(_)
            | Result::Stopped(_)
            | Result::ProcessEnded(_)
            | Result::Cleaned(_) => None,
        };
        let slowest: Option<(Duration, String)> = self.results.iter().filter_map(round_trip).max();
        slowest.map(|(round_trip, title)| {
            tr!(
                "The slowest in {millis} ms: {host}",
                millis = text::millis(round_trip),
                host = title
            )
        })
    }
}

/// What was done to sockets, as far as it is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Check,
    End,
    Stop,
    Clean,
}

impl Act {
    fn done(self, times: usize) -> String {
        match self {
            Self::Check => tr!("{n} master answered" | "{n} masters answered" % times),
            Self::End => tr!("{n} master ended" | "{n} masters ended" % times),
            Self::Stop => tr!("{n} master stopped" | "{n} masters stopped" % times),
            Self::Clean => tr!("{n} socket removed" | "{n} sockets removed" % times),
        }
    }
}

/// What to tell of a remedy that was asked for.
pub(super) fn of_mending(fix: &Fix, result: &std::result::Result<Mended, MendError>) -> Notice {
    let subject = fix::subject(fix);
    let body = match result {
        Ok(mended) => text::sentence(&mended.to_string()),
        Err(error) => text::sentence(&error.to_string()),
    };
    Notice {
        key: NoticeKey::Mended(subject.to_owned()),
        summary: text::path(subject),
        body,
        buttons: Vec::new(),
        transient: result.is_ok(),
    }
}

fn single(named: &Named, result: &Result, can_show: bool) -> Notice {
    let (line, done) = result.told();
    let mut buttons = Vec::new();
    buttons.extend(agree_to_more(named, result));
    if can_show && !done {
        buttons.push(Button {
            label: tr!("Show"),
            intent: Intent::Show(Some(named.target.clone())),
        });
    }
    Notice {
        key: NoticeKey::Answer(named.target.path.clone()),
        summary: named.title.clone(),
        body: text::sentence(&line),
        buttons,
        transient: done,
    }
}

/// Sessions were opened after the menu was drawn: the person may agree to close these too. And a master that has lost
/// its network with a full connection cannot say farewell, so its process has to be ended.
fn agree_to_more(named: &Named, result: &Result) -> Option<Button> {
    let target = named.target.clone();
    let (label, intent) = match result {
        Result::Ended(Err(ActError::SessionsOpen { sessions })) => {
            let consent = SessionConsent::UpTo(*sessions);
            let label = ending::exit_label(Some(*sessions));
            (label, Intent::Exit { target, consent })
        }
        Result::Ended(Err(error))
            if error.is_in_vain() && matches!(named.state, Some(State::Stranded(_))) =>
        {
            let sessions = named.sessions.unwrap_or(0);
            let consent = SessionConsent::UpTo(sessions);
            let label = ending::end_process_label(sessions);
            (label, Intent::EndProcess { target, consent })
        }
        Result::ProcessEnded(Err(EndError::SessionsOpen { sessions })) => {
            let consent = SessionConsent::UpTo(*sessions);
            let label = ending::end_process_label(*sessions);
            (label, Intent::EndProcess { target, consent })
        }
        Result::Checked(_)
        | Result::Ended(_)
        | Result::Stopped(_)
        | Result::ProcessEnded(_)
        | Result::Cleaned(_) => return None,
    };
    Some(Button { label, intent })
}
