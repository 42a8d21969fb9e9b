//! The engine: one thread that owns all state and turns the wheel (discover, observe, diagnose, decide, do).
//!
//! Everything that can wake it is a source of one calloop loop: what [`watch`] notices, messages (what a person asks
//! for, what workers bring back) and signals; and the time of the next look, which [`rest`] waits for. What takes time
//! happens on named worker threads and comes back as a message, so a look is never late for a master that does not
//! answer or an `ssh -G` that runs a `Match exec`.
//!
//! Idle, it sleeps: the timer is a safety net for what no event tells of, in minutes, and gone where there is nothing
//! to look at and nobody to show it to.

mod answers;
mod rest;
mod work;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use calloop::channel::{self, Channel, Sender};
use calloop::signals::{Signal, Signals};
use calloop::{EventLoop, LoopHandle};
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
use nix::time::{ClockId, clock_gettime};

use crate::config::{self, ConfigError, Settings};
use crate::core::decide::{self, Effect, Memory, Policy};
use crate::core::finding::{Finding, FindingId};
use crate::core::intent::Intent;
use crate::core::interest::Interest;
use crate::core::notice::{Notice, NoticeKey};
use crate::core::socket::{Snapshot, Socket, Target};
use crate::core::table;
use crate::core::view::{self, TrayView};
use crate::discover::{self, Discovered, Request, Surroundings};
use crate::survey::Survey;
use crate::watch::{self, News, Pace, Watch, Watcher};
use answers::Answered;
use rest::{Due, Rest};
use work::{Job, Worker};

/// A resume shows as a jump of the clock that counts sleep against the one that does not.
const SLEPT: Duration = Duration::from_secs(2);

/// The longest time between two looks where something can change without an event: sessions that close, and what
/// the kernel's limits leave unwatched.
const WITHOUT_EVENTS: Duration = Duration::from_secs(30);

/// How long an ssh that has read its configuration takes at most, usually, until its session is open: names are to be
/// resolved, and `Match exec` commands to be run.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// How the engine is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// muxtray's own configuration file; `None` where there is no place for one.
    pub config: Option<PathBuf>,
    /// ssh's `-F`.
    pub ssh_config: Option<PathBuf>,
    /// Whether the outlet can show details.
    pub can_show: bool,
    /// Whether the outlet shows something all the time, which has to stay true.
    pub has_icon: bool,
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
            engine.has_ended = true;
        })
        .map_err(|error| error.error)?;
    let mut engine = Engine::new(options, outlet, sender, handle);
    engine.begin();
    let mut rest = Rest::default();
    while !engine.has_ended {
        rest.until(engine.due(), &event_loop)?;
        event_loop.dispatch(Some(Duration::ZERO), &mut engine)?;
        if engine.due().is_some_and(|due| due.at <= Instant::now()) {
            engine.tick();
        }
    }
    engine.outlet.end();
    Ok(())
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
    watch: Watch<Engine>,
    pace: Pace,
    /// When the last look was begun.
    looked: Instant,
    /// When an ssh that has started is likely to have connected.
    connects_by: Option<Instant>,
    has_ended: bool,
}

impl Engine {
    fn new(
        options: Options,
        outlet: Box<dyn Outlet>,
        sender: Sender<Message>,
        handle: LoopHandle<'static, Engine>,
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
            watch: Watch::new(handle),
            pace: Pace::default(),
            looked: Instant::now(),
            connects_by: None,
            has_ended: false,
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
    }

    /// Everything that can have changed is looked at again: an event does not say enough, and costs no less.
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
        let began = Instant::now();
        self.looked = began;
        self.connects_by = self.connects_by.filter(|by| began < *by);
        let Some((discovered, _)) = &self.discovered else {
            self.pace.looked(began, began);
            return;
        };
        let mut snapshot = self.survey.look(&discovered.places, &[]);
        self.watch_what_was_seen(&snapshot);
        snapshot
            .findings
            .extend(self.config_error.as_ref().map(ConfigError::finding));
        snapshot.findings.extend(self.shortage());
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

    /// Watches everything that the next look could see otherwise.
    fn watch_what_was_seen(&mut self, snapshot: &Snapshot) {
        let Some((discovered, _)) = &self.discovered else {
            return;
        };
        let mut interests = discover::interests(&discovered.places);
        interests.extend(discovered.identity.interests(self.survey.surroundings()));
        let own = self.options.config.clone();
        interests.extend(own.map(|path| Interest::File {
            path,
            reading: false,
        }));
        let (masters, strays) = watch::masters_and_strays(snapshot, &interests);
        interests.extend(strays);
        let is_new = self.watch.follow(&interests, &masters);
        let now = Instant::now();
        self.pace.looked(self.looked, now);
        if is_new {
            // It may have changed between the look and the watch.
            self.pace.heard(now);
        }
    }

    /// What cannot be watched, as a finding; said in the log when it begins.
    fn shortage(&mut self) -> Option<Finding> {
        let secs = self.interval().as_secs();
        let finding = self.watch.shortage().map(|shortage| shortage.finding(secs));
        let is_known = self.snapshot.as_ref().is_some_and(|last| {
            last.findings
                .iter()
                .any(|known| known.id == FindingId::WatchLimit)
        });
        if let (Some(finding), false) = (&finding, is_known) {
            tracing::warn!("{}; {}", finding.evidence, finding.remedy);
        }
        finding
    }

    /// When to look next, whatever asks for it; `None` where nothing does.
    fn due(&self) -> Option<Due> {
        let quiet_until = self
            .snapshot
            .as_ref()
            .and_then(|_| self.memory.quiet_until());
        let exact = [
            self.pace.due(),
            self.connects_by,
            self.survey.look_again_at(),
            quiet_until,
        ];
        let exact = exact.into_iter().flatten().min().map(Due::exactly);
        let is_needed = self.options.has_icon
            || self.watch.shortage().is_some()
            || self.sockets().next().is_some()
            || !self
                .discovered
                .as_ref()
                .is_some_and(|(discovered, _)| discovered.identity.is_settled());
        let net = is_needed.then(|| Due::about(self.looked, self.interval()));
        exact.into_iter().chain(net).min_by_key(|due| due.at)
    }

    /// How long nothing may be looked at without an event.
    fn interval(&self) -> Duration {
        let regular = self.settings.interval();
        let has_sessions = self.sockets().any(|socket| socket.sessions > Some(0));
        if has_sessions || self.watch.shortage().is_some() {
            regular.min(WITHOUT_EVENTS)
        } else {
            regular
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
            Intent::Quit => self.has_ended = true,
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

impl Watcher for Engine {
    fn watch(&mut self) -> &mut Watch<Self> {
        &mut self.watch
    }

    fn heard(&mut self, news: News) {
        match news {
            News::Changed => self.pace.heard(Instant::now()),
            // The one that starts is our own `ssh -G`.
            News::Begun if self.discovering => {}
            News::Begun => {
                let now = Instant::now();
                self.pace.heard(now);
                self.connects_by = Some(now + CONNECTS_WITHIN);
            }
        }
    }
}

/// How long the machine has slept since it started: CLOCK_BOOTTIME runs on in sleep, CLOCK_MONOTONIC does not.
fn time_asleep() -> Duration {
    let now = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    now(ClockId::CLOCK_BOOTTIME).saturating_sub(now(ClockId::CLOCK_MONOTONIC))
}
