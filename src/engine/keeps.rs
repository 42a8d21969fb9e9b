//! The masters that a person keeps open from the menu, each by one connection. They are let go when their time is over,
//! when they accept no more sessions or lose their network, and when the engine ends.

use std::time::{Instant, SystemTime};

use tr::tr;

use super::message::Message;
use super::state::{Engine, Keeping, KeptListener};
use crate::actions::keep::Kept;
use crate::actions::perform::{self, Subject};
use crate::decide::action_notice::Scope;
use crate::decide::action_report::{Action, ActionOutcome, ActionReport};
use crate::decide::keeping::{self, LetGo};
use crate::model::keep::{KeepTime, KeptUntil};
use crate::model::socket::{Snapshot, Socket, Target};
use crate::model::zone::Clock;
use crate::watch::Event;

impl Engine {
    pub(super) fn keep_open(&self, target: &Target, time: KeepTime) {
        let subject = self.subject(target);
        self.start("keep", move || {
            let kept = perform::keep(&subject);
            Message::Kept(Box::new(subject), time, kept)
        });
    }

    pub(super) fn handle_kept(
        &mut self,
        subject: &Subject,
        time: KeepTime,
        kept: Result<Kept, Box<ActionReport>>,
    ) {
        let report = match kept {
            Ok(kept) => {
                let now = SystemTime::now();
                let until = time.until(now);
                let message = match until {
                    KeptUntil::Time(until) => {
                        let zone = &self.scanner.zone();
                        let time = Clock { at: now, zone }.time(until);
                        tr!("kept open until {time}", time)
                    }
                    KeptUntil::Quit => tr!("kept open until muxtray quits"),
                };
                let keeping = Keeping { kept, until };
                let Target { path, cookie, .. } = subject.target.clone();
                self.keeps.insert((path, cookie), keeping);
                subject.report(Action::KeepOpen, ActionOutcome::Done, message)
            }
            Err(report) => *report,
        };
        self.handle_reports(&[report], Scope::OneTarget);
    }

    /// Closes the connection that keeps a master, if there is one.
    pub(super) fn let_go(&mut self, listener: &KeptListener) {
        if self.keeps.remove(listener).is_none() {
            return;
        }
        if let Some(cookie) = listener.1 {
            self.scanner.note_request(cookie, true);
        }
        self.debounce.note_event(Event::Changed, Instant::now());
    }

    /// Lets go of masters at the end of their time, before a scan.
    pub(super) fn let_go_expired(&mut self) {
        let now = SystemTime::now();
        self.let_go_if(|_, keeping| {
            keeping::is_over(keeping.until, now).then_some(LetGo::TimeOver)
        });
    }

    /// Lets go the masters that the snapshot shows as gone or stranded, and marks the others in it.
    pub(super) fn mark_kept(&mut self, snapshot: &mut Snapshot) {
        if self.keeps.is_empty() {
            return;
        }
        let at = snapshot.at;
        let listener = |socket: &Socket| (socket.path.clone(), socket.cookie);
        self.let_go_if(|kept, keeping| {
            let socket = snapshot.sockets.iter().find(|it| listener(it) == *kept);
            match keeping.kept.is_open() {
                true => keeping::end(socket, keeping.until, at),
                false => Some(LetGo::Gone),
            }
        });
        for socket in &mut snapshot.sockets {
            let keeping = self.keeps.get(&listener(socket));
            socket.kept_until = keeping.map(|keeping| keeping.until);
        }
        snapshot.zone = self.scanner.zone();
    }

    fn let_go_if(&mut self, mut end: impl FnMut(&KeptListener, &mut Keeping) -> Option<LetGo>) {
        let ends = self.keeps.iter_mut().filter_map(|(listener, keeping)| {
            let why = end(listener, keeping)?;
            Some((listener.clone(), why))
        });
        let ends: Vec<_> = ends.collect();
        for (listener, why) in ends {
            let why = match why {
                LetGo::TimeOver => "its time is over",
                LetGo::Gone => "it accepts no more sessions",
                LetGo::Stranded => "it has lost its network",
            };
            tracing::info!("{}: no longer kept open: {why}", listener.0);
            self.let_go(&listener);
        }
    }

    /// Returns when the next kept master is to be let go.
    pub(super) fn next_keep_end(&self) -> Option<Instant> {
        let times = self
            .keeps
            .values()
            .filter_map(|keeping| match keeping.until {
                KeptUntil::Time(time) => Some(time),
                KeptUntil::Quit => None,
            });
        let left = times.min()?.duration_since(SystemTime::now());
        Some(Instant::now() + left.unwrap_or_default())
    }
}
