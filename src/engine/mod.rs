//! The engine: one thread that owns all state and turns the wheel (discover, observe, diagnose, decide, do).
//!
//! Everything that can wake it is a source of one calloop loop: what [`crate::watch`] notices, messages (what a person asks
//! for, what workers bring back) and signals; and the time of the next look, which `rest` waits for. What takes time
//! happens on named worker threads and comes back as a message, so a look is never late for a master that does not
//! answer or an `ssh -G` that runs a `Match exec`.
//!
//! Idle, it sleeps: the timer is a safety net for what no event tells of, in minutes, and gone where there is nothing
//! to look at and nobody to show it to.

mod events;
mod intents;
mod opening;
mod results;
mod scan;
mod settings;
mod wait;
mod workers;

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

use crate::actions::fix::{MendError, Mended};
use crate::actions::open::OpenError;
use crate::autostart::Autostart;
use crate::config::{self, ConfigError, Settings};
use crate::decide::Memory;
use crate::decide::intent::Intent;
use crate::decide::notice::{Notice, NoticeKey};
use crate::decide::opening::Opened;
use crate::discover::{Discovered, Request, Surroundings};
use crate::model::fix::Fix;
use crate::model::settings::{AtLogin, Preferences};
use crate::model::socket::{Snapshot, Socket};
use crate::present::menu::{self, TrayView};
use crate::scan::Scanner;
use crate::watch::Watcher as _;
use crate::watch::{Debounce, Watch};
use opening::Openings;
use results::Answered;
use settings::Granted;
use workers::{Opening, Worker};

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
    Mended(Fix, Result<Mended, MendError>),
    Opened(Box<Opening>, Result<Opened, OpenError>),
    Granted(Granted),
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

/// An engine that has been started.
#[derive(Debug)]
pub struct Running(JoinHandle<calloop::Result<()>>);

impl Running {
    /// Waits until it has ended.
    ///
    /// # Errors
    /// It did not end because it was told to: its loop failed, or it panicked. Nobody watches any more then.
    pub fn join(self) -> io::Result<()> {
        match self.0.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(io::Error::other(format!("the engine failed: {error}"))),
            Err(_) => Err(io::Error::other("the engine ended in a panic")),
        }
    }
}

/// Starts the engine's thread. When it ends, for whatever reason, it drops the outlet.
///
/// # Errors
/// No thread could be started.
pub fn start(options: Options, inbox: Inbox, outlet: impl Outlet) -> io::Result<Running> {
    thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || turn(options, inbox, Box::new(outlet)))
        .map(Running)
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("no thread can be started to watch: {error}"),
            )
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
    while !engine.has_ended {
        wait::until(engine.due(), &event_loop)?;
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
    autostart: Autostart,
    at_login: AtLogin,
    /// What the drawn view shows of the settings.
    shown_preferences: Option<Preferences>,
    scanner: Scanner,
    /// What was discovered, for which request.
    discovered: Option<(Discovered, Request)>,
    discovering: bool,
    /// When to try that again, where it could not be begun.
    discover_again: Option<Instant>,
    memory: Memory,
    answers: menu::Answers,
    openings: Openings,
    /// Whether there is something beside the snapshot that the drawn view does not show yet.
    has_news: bool,
    snapshot: Option<Snapshot>,
    drawn: Option<TrayView>,
    asleep: Duration,
    outlet: Box<dyn Outlet>,
    worker: Worker,
    watch: Watch<Engine>,
    debounce: Debounce,
    /// When the last look was begun.
    looked: Instant,
    /// When it is likely to show what came of the last event: an ssh that started has connected, data that a network has
    /// lost was sent again.
    shows_by: Option<Instant>,
    has_ended: bool,
}

impl Engine {
    fn new(
        options: Options,
        outlet: Box<dyn Outlet>,
        sender: Sender<Message>,
        handle: LoopHandle<'static, Engine>,
    ) -> Self {
        let scanner = Scanner::new(Surroundings::of_this_process());
        let openings = Openings::new(scanner.surroundings());
        Self {
            options,
            settings: Settings::default(),
            config_version: None,
            config_error: None,
            scanner,
            autostart: Autostart::from_environment(),
            at_login: AtLogin::No,
            shown_preferences: None,
            discovered: None,
            discovering: false,
            discover_again: None,
            memory: Memory::default(),
            answers: BTreeMap::new(),
            openings,
            has_news: false,
            snapshot: None,
            drawn: None,
            asleep: crate::observe::time_asleep(),
            outlet,
            worker: Worker::new(sender),
            watch: Watch::new(handle),
            debounce: Debounce::default(),
            looked: Instant::now(),
            shows_by: None,
            has_ended: false,
        }
    }

    fn begin(&mut self) {
        self.draw(menu::starting());
        if let Some(path) = &self.options.config
            && let Err(error) = config::write_first(path)
        {
            tracing::warn!("{error}");
        }
        self.reload_settings();
        self.refresh_at_login();
        self.discover_if_changed();
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Intent(intent) => self.follow(intent),
            Message::Discovered(discovered, request) => {
                // Our own `ssh -G` has been heard as well, and is to be known as that.
                for event in self.watch.take_path_events() {
                    self.on_event(event);
                }
                self.discovering = false;
                self.discovered = Some((*discovered, *request));
                self.has_news = true;
                self.tick();
                self.open_waiting();
            }
            Message::Answered(answered) => self.answered(&answered),
            Message::Mended(fix, result) => {
                self.outlet.notify(results::of_mending(&fix, &result));
                self.tick();
            }
            Message::Opened(opening, result) => self.opened(&opening, &result),
            Message::Granted(granted) => self.granted(granted),
        }
    }

    fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.snapshot.iter().flat_map(|snapshot| &snapshot.sockets)
    }
}
