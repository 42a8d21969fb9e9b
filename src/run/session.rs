//! muxtray on the session bus: the one instance, its notifications, and the end of the bus.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tr::tr;

use crate::decide::intent::Intent;
use crate::decide::notice::{Notice, NoticeKey};
use crate::desktop::instance::{self, Instance, InstanceError};
use crate::desktop::notify::Notifier;
use crate::engine::{IntentSender, UserInterface};
use crate::present::menu::TrayView;

/// The first pause between two attempts to reach a session bus that has ended. Each pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Without a session bus there are neither an instance nor notifications.
#[derive(Debug)]
pub struct DesktopSession {
    instance: Option<Arc<Instance>>,
    notifier: Option<Notifier>,
}

/// Another instance runs in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyRunning;

impl DesktopSession {
    /// Takes the name of the one instance on the session bus and starts the notifier. Buttons of notifications send
    /// their intents to `intents`.
    ///
    /// # Errors
    /// [`AlreadyRunning`]
    pub fn open(intents: &IntentSender) -> Result<Self, AlreadyRunning> {
        match instance::acquire() {
            Ok(instance) => {
                let intents = intents.clone();
                let notifier = Notifier::start(move |intent: Intent| intents.send(intent));
                if let Err(error) = &notifier {
                    tracing::error!("no notifications: {error}");
                }
                Ok(Self {
                    instance: Some(Arc::new(instance)),
                    notifier: notifier.ok(),
                })
            }
            Err(InstanceError::AlreadyRunning) => Err(AlreadyRunning),
            Err(error @ InstanceError::NoBus(_)) => {
                tracing::warn!(
                    "{error}; watching without icon and notifications, findings go to this log"
                );
                Ok(Self {
                    instance: None,
                    notifier: None,
                })
            }
        }
    }

    #[must_use]
    pub fn has_bus(&self) -> bool {
        self.instance.is_some()
    }

    /// Logs a warning if no panel shows tray icons. Returns at once.
    pub fn warn_without_tray_host(&self) {
        let started = self.on_thread("panel", |instance| {
            if !instance.has_tray_host() {
                tracing::warn!(
                    "no panel shows StatusNotifierItem icons yet; the icon appears when one starts (GNOME needs its \
                     AppIndicator extension)"
                );
            }
        });
        if let Err(error) = started {
            tracing::warn!("cannot start a thread to look for a panel: {error}");
        }
    }

    /// Sends [`Intent::Quit`] when the session bus ends: neither GTK nor AppIndicator connects to another bus, so the
    /// icon would never be seen again. (GLib would raise SIGTERM, in a thread that blocks it.)
    ///
    /// # Errors
    /// No thread could be started.
    pub fn quit_with_bus(&self, intents: &IntentSender) -> io::Result<BusEnd> {
        let end = BusEnd::default();
        let (intents, has_ended) = (intents.clone(), end.clone());
        self.on_thread("bus", move |instance| {
            instance.wait_for_end_of_bus();
            has_ended.0.store(true, Ordering::Release);
            intents.send(Intent::Quit);
        })
        .map_err(|error| {
            let message = tr!(
                "cannot start a thread to watch the session bus: {error}",
                error
            );
            io::Error::new(error.kind(), message)
        })?;
        Ok(end)
    }

    /// Takes the name again after the session bus has ended and come back, or sends [`Intent::Quit`] if another instance
    /// has it by then.
    pub fn reconnect_to_bus(&self, intents: &IntentSender) {
        let (intents, notifier) = (intents.clone(), self.notifier.clone());
        let started = self.on_thread("bus", move |instance| {
            instance.wait_for_end_of_bus();
            loop {
                tracing::warn!(
                    "the session bus has ended: watching without notifications until it is back"
                );
                let Some(instance) = wait_for_bus() else {
                    tracing::warn!("the session bus is back with another muxtray: ending");
                    return intents.send(Intent::Quit);
                };
                tracing::warn!("the session bus is back");
                if let Some(notifier) = &notifier {
                    notifier.try_again();
                }
                instance.wait_for_end_of_bus();
            }
        });
        if let Err(error) = started {
            tracing::warn!("cannot start a thread to watch the session bus: {error}");
        }
    }

    /// Does nothing without a bus.
    fn on_thread(
        &self,
        name: &str,
        work: impl FnOnce(&Instance) + Send + 'static,
    ) -> io::Result<()> {
        let Some(instance) = self.instance.clone() else {
            return Ok(());
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&instance))
            .map(drop)
    }

    #[must_use]
    pub fn notifications(&self) -> Notifications {
        Notifications(self.notifier.clone())
    }

    /// Closes all notifications, within a deadline.
    pub fn close(self) {
        if let Some(notifier) = self.notifier {
            notifier.end();
        }
    }
}

/// Waits for a session bus and takes the name; `None` if another instance has it.
fn wait_for_bus() -> Option<Instance> {
    let mut pause = FIRST_PAUSE;
    loop {
        thread::sleep(pause);
        match instance::acquire() {
            Ok(instance) => return Some(instance),
            Err(InstanceError::AlreadyRunning) => return None,
            Err(error @ InstanceError::NoBus(_)) => tracing::debug!("{error}"),
        }
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Whether the session bus has ended.
#[derive(Debug, Clone, Default)]
pub struct BusEnd(Arc<AtomicBool>);

impl BusEnd {
    /// # Errors
    /// If the bus has ended: the exit status makes systemd start muxtray again.
    pub fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Acquire) {
            return Err(io::Error::other(tr!(
                "the session bus has ended, and the tray icon with it; to start it again: {command}",
                command = "muxtray run"
            )));
        }
        Ok(())
    }
}

/// The user interface without an icon: notifications, or log messages without a notifier.
#[derive(Debug, Clone)]
pub struct Notifications(Option<Notifier>);

impl UserInterface for Notifications {
    fn draw(&mut self, view: &TrayView) {
        tracing::info!("{}", view.summary);
    }

    fn show_details(&mut self, title: String, text: String) {
        tracing::info!("{title}\n{text}");
    }

    fn notify(&mut self, notice: Notice) {
        match &self.0 {
            Some(notifier) => notifier.show(notice),
            None => tracing::warn!("{}: {}", notice.summary, notice.body.replace('\n', "; ")),
        }
    }

    fn withdraw(&mut self, key: NoticeKey) {
        if let Some(notifier) = &self.0 {
            notifier.close(key);
        }
    }

    fn end(&mut self) {}
}
