//! The engine: one thread that owns all state. It discovers, observes, diagnoses and decides, again and again.
//!
//! It waits on one calloop loop for the events of [`crate::watch`], for messages (intents, results of jobs), for
//! signals, and for the time of the next scan. Jobs run on threads of their own, so that no scan waits for a master that
//! does not answer or for an `ssh -G` that runs a `Match exec`.
//!
//! Scans without an event are minutes apart, and there are none if there is nothing to scan and no icon.

mod events;
mod intents;
mod keeps;
mod message;
mod open;
mod scan;
mod settings;
mod state;
mod user_interface;
mod wanted;

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use calloop::EventLoop;
use calloop::channel;
use calloop::signals::{Signal, Signals};
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};

use message::Message;
pub use message::{Inbox, IntentSender, inbox};
use state::Engine;
pub use user_interface::{Options, Order, UserInterface};

use crate::config;
use crate::present::menu;
use crate::watch::Watcher as _;

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in those it starts later, so that the engine gets them as
/// events. Call it before any thread is started.
///
/// # Errors
/// Those of the system call.
pub fn block_signals() -> io::Result<()> {
    let signals = SigSet::from_iter([SIGTERM, SIGINT, SIGHUP]);
    signals.thread_block().map_err(io::Error::from)
}

const END_SIGNALS: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

#[derive(Debug)]
pub struct EngineThread(JoinHandle<calloop::Result<()>>);

impl EngineThread {
    /// Waits for the end of the engine.
    pub fn join(self) -> io::Result<()> {
        match self.0.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(io::Error::other(format!("the engine failed: {error}"))),
            Err(_) => Err(io::Error::other("the engine panicked")),
        }
    }
}

/// Starts the engine's thread. When it ends, even by a panic, it drops the user interface.
pub fn start(
    options: Options,
    inbox: Inbox,
    user_interface: UserInterface,
) -> io::Result<EngineThread> {
    thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || run(options, inbox, user_interface))
        .map(EngineThread)
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot start the engine's thread: {error}"),
            )
        })
}

fn run(options: Options, inbox: Inbox, user_interface: UserInterface) -> calloop::Result<()> {
    let mut event_loop: EventLoop<'_, Engine> = EventLoop::try_new()?;
    let handle = event_loop.handle();
    let Inbox { receiver, sender } = inbox;
    handle
        .insert_source(receiver, |event, (), engine: &mut Engine| {
            if let channel::Event::Msg(message) = event {
                engine.receive(message);
            }
        })
        .map_err(|error| error.error)?;
    handle
        .insert_source(
            Signals::new(&END_SIGNALS)?,
            |event, (), engine: &mut Engine| {
                tracing::info!("{:?}: ending", event.signal());
                engine.has_ended = true;
            },
        )
        .map_err(|error| error.error)?;
    let mut engine = Engine::new(options, user_interface, sender, handle);
    engine.begin();
    while !engine.has_ended {
        let left = |due: Instant| due.saturating_duration_since(Instant::now());
        event_loop.dispatch(engine.due().map(left), &mut engine)?;
        if engine.due().is_some_and(|due| due <= Instant::now()) {
            engine.scan();
        }
    }
    Ok(())
}

impl Engine {
    fn begin(&mut self) {
        self.draw(menu::starting());
        if let Some(path) = &self.options.config
            && let Err(error) = config::write_first(path)
        {
            tracing::warn!("{error}");
        }
        self.reload_settings();
        self.draw(menu::starting());
        self.refresh_at_login();
        self.discover_if_changed();
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Intent(intent) => self.carry_out_intent(intent),
            Message::Discovered(discovered, request) => {
                // Events of muxtray's own `ssh -G` must be taken as such, so before `is_discovering` is reset.
                for event in self.watch.take_path_events() {
                    self.on_event(event);
                }
                self.is_discovering = false;
                self.discovered = Some((*discovered, *request));
                self.scan();
                self.open_waiting();
            }
            Message::Performed(reports, scope) => self.handle_reports(&reports, scope),
            Message::Opened(wanted, report) => {
                self.opening.remove(&wanted.alias);
                let path = report.started_at().cloned();
                self.opened(&wanted, Some(*report));
                self.note_start(path.as_ref());
            }
            Message::Kept(subject, time, kept) => self.handle_kept(&subject, time, kept),
            Message::ToCopy(text) => self.user_interface.order(Order::Copy(text)),
            Message::Settings(result) => self.handle_settings_result(result),
        }
    }
}
