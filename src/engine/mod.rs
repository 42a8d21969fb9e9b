//! The engine: one thread that owns all state and turns the wheel (discover, observe, diagnose, decide, do).
//!
//! Everything that can wake it is a source of one calloop loop: the timer, messages (what a person asks for, what
//! workers bring back) and signals. What takes time happens on named worker threads and comes back as a message, so
//! a look is never late for a master that does not answer or an `ssh -G` that runs a `Match exec`.

mod answers;
mod work;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use calloop::channel::{self, Channel, Sender};
use calloop::signals::{Signal, Signals};
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, LoopHandle, LoopSignal, RegistrationToken};
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
use nix::time::{ClockId, clock_gettime};

use crate::config::{self, ConfigError, Settings};
use crate::core::decide::{self, Effect, Memory, Policy};
use crate::core::intent::Intent;
use crate::core::notice::{Notice, NoticeKey};
use crate::core::socket::{Snapshot, Socket, Target};
use crate::core::table;
use crate::core::view::{self, TrayView};
use crate::discover::{Discovered, Request, Surroundings};
use crate::survey::Survey;
use answers::Answered;
use work::{Job, Worker};

/// A resume shows as a jump of the clock that counts sleep against the one that does not.
const SLEPT: Duration = Duration::from_secs(2);

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// muxtray's own configuration file; `None` where there is no place for one.
    pub config: Option<PathBuf>,
    /// ssh's `-F`.
    pub ssh_config: Option<PathBuf>,
    /// Whether the outlet can show details.
    pub can_show: bool,
}

/// Where everything goes that a person is to see. Called on the engine's thread; must not block.
pub trait Outlet: Send + 'static {
    /// The tray's view changed.
    fn draw(&mut self, view: &TrayView);
    /// Show this text under this title.
    fn show_details(&mut self, title: String, text: String);
    /// Show this notice, replacing what has its key.
    fn notify(&mut self, notice: Notice);
    /// Take this notice back.
    fn withdraw(&mut self, key: NoticeKey);
    /// The engine is about to end; nothing comes after this.
    fn end(&mut self);
}

/// What wakes the engine from other threads.
#[derive(Debug)]
pub(crate) enum Message {
    Intent(Intent),
    Discovered(Box<Discovered>, Box<Request>),
    Answered(Answered),
}

/// A way to tell the engine what a person asks for. Cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub struct Asker(Sender<Message>);

impl Asker {
    /// Asks. After the engine has ended this does nothing.
    pub fn ask(&self, intent: Intent) {
        let _ = self.0.send(Message::Intent(intent));
    }
}

/// Messages on their way to an engine that has not begun yet: the desktop needs the [`Asker`] first.
#[derive(Debug)]
pub struct Inbox(Channel<Message>, Sender<Message>);

/// A new way to an engine.
#[must_use]
pub fn inbox() -> (Asker, Inbox) {
    let (sender, receiver) = channel::channel();
    (Asker(sender.clone()), Inbox(receiver, sender))
}

/// Blocks the signals that end the program in this thread and those it starts from now on, so that only the
/// engine gets them, as events. Call it before any thread is started.
///
/// # Errors
/// The system call's own.
pub fn hold_signals() -> io::Result<()> {
    let mut set = SigSet::empty();
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        set.add(signal);
    }
    set.thread_block().map_err(io::Error::from)
}

const ENDING: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Starts the engine's thread.
///
/// # Errors
/// No thread could be started, or its loop could not be set up.
pub fn start(options: Options, inbox: Inbox, outlet: impl Outlet) -> io::Result<JoinHandle<()>> {
    thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            if let Err(error) = turn(options, inbox, Box::new(outlet)) {
                tracing::error!("the engine stopped: {error}");
            }
        })
}

fn turn(options: Options, inbox: Inbox, outlet: Box<dyn Outlet>) -> calloop::Result<()> {
    let mut event_loop: EventLoop<'_, Engine> = EventLoop::try_new()?;
    let handle = event_loop.handle();
    let Inbox(receiver, sender) = inbox;
    handle
        .insert_source(receiver, |event, (), engine: &mut Engine| {
            if let channel::Event::Msg(message) = event {
                engine.receive(message);
            }
        })
        .map_err(|error| error.error)?;
    handle
        .insert_source(Signals::new(&ENDING)?, |event, (), engine: &mut Engine| {
            tracing::info!("{:?}: ending", event.signal());
            engine.signal.stop();
        })
        .map_err(|error| error.error)?;
    let mut engine = Engine::new(options, outlet, sender, handle, event_loop.get_signal());
    engine.begin();
    let ended = event_loop.run(None, &mut engine, |_| {});
    engine.outlet.end();
    ended
}

/// The owner of all state.
struct Engine {
    options: Options,
    settings: Settings,
    config_version: Option<config::Version>,
    config_error: Option<ConfigError>,
    survey: Survey,
    /// What was discovered, for which request.
    discovered: Option<(Discovered, Request)>,
    discovering: bool,
    memory: Memory,
    answers: view::Answers,
    /// Whether there are answers that the drawn view does not show yet.
    has_new_answers: bool,
    snapshot: Option<Snapshot>,
    drawn: Option<TrayView>,
    asleep: Duration,
    outlet: Box<dyn Outlet>,
    worker: Worker,
    handle: LoopHandle<'static, Engine>,
    timer: Option<RegistrationToken>,
    signal: LoopSignal,
}

impl Engine {
    fn new(
        options: Options,
        outlet: Box<dyn Outlet>,
        sender: Sender<Message>,
        handle: LoopHandle<'static, Engine>,
        signal: LoopSignal,
    ) -> Self {
        Self {
            options,
            settings: Settings::default(),
            config_version: None,
            config_error: None,
            survey: Survey::new(Surroundings::of_this_process()),
            discovered: None,
            discovering: false,
            memory: Memory::default(),
            answers: BTreeMap::new(),
            has_new_answers: false,
            snapshot: None,
            drawn: None,
            asleep: time_asleep(),
            outlet,
            worker: Worker::new(sender),
            handle,
            timer: None,
            signal,
        }
    }

    fn begin(&mut self) {
        self.draw(view::starting());
        if let Some(path) = &self.options.config
            && let Err(error) = config::write_first(path)
        {
            tracing::warn!("{error}");
        }
        self.reload_settings();
        self.discover_if_changed();
        self.schedule();
    }

    /// The safety net: everything that can have changed unnoticed is looked at again.
    fn tick(&mut self) {
        let asleep = time_asleep();
        if asleep.saturating_sub(self.asleep) > SLEPT {
            tracing::info!(
                "resumed after {:?} asleep",
                asleep.saturating_sub(self.asleep)
            );
            self.memory = std::mem::take(&mut self.memory).resumed(Instant::now());
        }
        self.asleep = asleep;
        self.reload_settings();
        self.discover_if_changed();
        self.look();
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Intent(intent) => self.follow(intent),
            Message::Discovered(discovered, request) => {
                self.discovering = false;
                self.discovered = Some((*discovered, *request));
                self.look();
            }
            Message::Answered(answered) => self.answered(&answered),
        }
    }

    /// Takes over the configuration file if it is another version; a bad one leaves the settings as they are.
    fn reload_settings(&mut self) {
        let Some(path) = &self.options.config else {
            return;
        };
        let version = config::version(path);
        if self.config_version == Some(version) {
            return;
        }
        self.config_version = Some(version);
        self.config_error = None;
        match config::load(path) {
            Ok(settings) => self.settings = settings,
            // Who removes the file has not asked for other settings; the next start has the defaults.
            Err(ConfigError::Missing(_)) => {}
            Err(error) => {
                tracing::warn!("{error}; the last good settings stay in force");
                self.config_error = Some(error);
            }
        }
    }

    /// Where the settings or anything that the ssh configuration depends on changed, reads it and asks `ssh -G` on a
    /// worker; the answer comes back as a message.
    fn discover_if_changed(&mut self) {
        let surroundings = self.survey.surroundings();
        let request = crate::survey::request(
            &self.settings,
            self.options.ssh_config.as_deref(),
            surroundings,
        );
        let holds = self.discovered.as_ref().is_some_and(|(discovered, asked)| {
            *asked == request && discovered.identity.still_holds(&request, surroundings)
        });
        if !holds && !self.discovering {
            let surroundings = Box::new(surroundings.clone());
            self.discovering = self.worker.start(Job::Discover {
                request: Box::new(request),
                surroundings,
            });
        }
    }

    fn look(&mut self) {
        let Some((discovered, _)) = &self.discovered else {
            return;
        };
        let mut snapshot = self.survey.look(&discovered.places, &[]);
        snapshot
            .findings
            .extend(self.config_error.as_ref().map(ConfigError::finding));
        let policy = Policy {
            announce: self.settings.announced(),
            clean_automatically: self.settings.clean_automatically,
            can_show: self.options.can_show,
        };
        let memory = std::mem::take(&mut self.memory);
        let (memory, effects) = decide::decide(memory, &snapshot, &policy, Instant::now());
        self.memory = memory;
        self.answers
            .retain(|target, _| snapshot.find(target).is_some());
        let is_news = self.has_new_answers
            || !self
                .snapshot
                .as_ref()
                .is_some_and(|last| last.says_the_same(&snapshot));
        if is_news {
            self.has_new_answers = false;
            self.draw(view::view(&snapshot, &self.answers));
        }
        self.snapshot = Some(snapshot);
        self.carry_out(effects);
        self.schedule();
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Notify(notice) => self.outlet.notify(notice),
                Effect::Withdraw(key) => self.outlet.withdraw(key),
                Effect::Clean(targets) => self.clean(&targets, answers::Asked::ByPolicy),
            }
        }
    }

    fn draw(&mut self, view: TrayView) {
        if self.drawn.as_ref() != Some(&view) {
            self.outlet.draw(&view);
            self.drawn = Some(view);
        }
    }

    /// Sets the timer for the next look, or for the moment that proves a backlog stuck.
    fn schedule(&mut self) {
        if let Some(token) = self.timer.take() {
            self.handle.remove(token);
        }
        let regular = Instant::now() + self.settings.interval();
        let due = self
            .survey
            .look_again_at()
            .map_or(regular, |again| again.min(regular));
        let timer =
            self.handle
                .insert_source(Timer::from_deadline(due), |_, (), engine: &mut Engine| {
                    engine.timer = None;
                    engine.tick();
                    TimeoutAction::Drop
                });
        match timer {
            Ok(token) => self.timer = Some(token),
            Err(error) => tracing::error!("no timer for the next look: {error}"),
        }
    }

    fn follow(&mut self, intent: Intent) {
        match intent {
            Intent::Check(target) => self.check(&[target], answers::Asked::ByName),
            Intent::CheckAll => {
                let masters = self
                    .sockets()
                    .filter(|socket| socket.is_running() && socket.managed_by.is_none());
                let targets: Vec<Target> = masters.map(Socket::target).collect();
                self.check(&targets, answers::Asked::OfAll);
            }
            Intent::Exit { target, closing } => {
                self.exit(&[(target, closing)], answers::Asked::ByName);
            }
            Intent::EndProcess { target, closing } => {
                let asked = self.named(&target);
                self.worker.start(Job::EndProcess(asked, closing));
            }
            Intent::ExitAll(each) => self.exit(&each, answers::Asked::OfAll),
            Intent::Stop(target) => {
                let asked = self.named(&target);
                self.worker.start(Job::Stop(asked));
            }
            Intent::Clean(target) => self.clean(&[target], answers::Asked::ByName),
            Intent::CleanAll(targets) => self.clean(&targets, answers::Asked::OfAll),
            Intent::Show(target) => self.show(target.as_ref()),
            // The clipboard and the About window are the desktop's own.
            Intent::Copy(_) | Intent::About => {}
            Intent::Quit => self.signal.stop(),
        }
    }

    fn check(&mut self, targets: &[Target], asked: answers::Asked) {
        let named = targets.iter().map(|target| self.named(target)).collect();
        self.worker.start(Job::Check(named, asked));
    }

    fn exit(&mut self, each: &[(Target, u32)], asked: answers::Asked) {
        let named = each
            .iter()
            .map(|(target, closing)| (self.named(target), *closing))
            .collect();
        self.worker.start(Job::Exit(named, asked));
    }

    fn clean(&mut self, targets: &[Target], asked: answers::Asked) {
        let named = targets.iter().map(|target| self.named(target)).collect();
        self.worker.start(Job::Clean(named, asked));
    }

    fn answered(&mut self, answered: &Answered) {
        for (cookie, in_time) in answered.checks() {
            self.survey.note_check(cookie, in_time);
        }
        self.answers.extend(answered.lines());
        self.has_new_answers = true;
        if let Some(notice) = answered.notice(self.options.can_show) {
            self.outlet.notify(notice);
        }
        self.look();
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
            None => ("Control sockets".to_owned(), table::report(snapshot, None)),
        };
        self.outlet.show_details(title, table::plain(&lines));
    }

    fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.snapshot.iter().flat_map(|snapshot| &snapshot.sockets)
    }

    /// The target with what a person calls it and what is known of it now.
    fn named(&self, target: &Target) -> work::Named {
        let socket = self
            .snapshot
            .as_ref()
            .and_then(|snapshot| snapshot.find(target));
        work::Named {
            target: target.clone(),
            title: socket.map_or_else(|| target.path.to_string(), Socket::title),
            state: socket.map(|socket| socket.state.clone()),
        }
    }
}

/// How long the machine has slept since it started: CLOCK_BOOTTIME runs on in sleep, CLOCK_MONOTONIC does not.
fn time_asleep() -> Duration {
    let now = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    now(ClockId::CLOCK_BOOTTIME).saturating_sub(now(ClockId::CLOCK_MONOTONIC))
}
