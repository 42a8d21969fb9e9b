//! muxtray on the session bus: the one instance, its notifications, and the end of the bus.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tr::tr;

use crate::decide::intent::Intent;
use crate::desktop::instance::{self, Instance, InstanceError};
use crate::desktop::notify::Notifier;
use crate::engine::{IntentSender, Order, UserInterface};

/// The first pause between two attempts to reach a session bus that has ended. Each pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Without a session bus there are neither an instance nor notifications.
#[derive(Debug)]
pub struct DesktopSession {
    instance: Option<Arc<Instance>>,
    notifier: Option<Notifier>,
    /// Whether the icon is gone with its session bus.
    has_lost_icon: Arc<AtomicBool>,
}

impl DesktopSession {
    /// Takes the name of the one instance on the session bus and starts the notifier. Buttons of notifications send
    /// their intents to `intents`. Returns `None` if another instance runs in this session.
    pub fn open(intents: &IntentSender) -> Option<Self> {
        let mut session = Self {
            instance: None,
            notifier: None,
            has_lost_icon: Arc::default(),
        };
        match instance::acquire() {
            Ok(instance) => {
                let intents = intents.clone();
                session.instance = Some(Arc::new(instance));
                session.notifier = Notifier::start(move |intent| intents.send(intent))
                    .inspect_err(|error| tracing::error!("no notifications: {error}"))
                    .ok();
            }
            Err(InstanceError::AlreadyRunning) => return None,
            Err(error @ InstanceError::NoBus(_)) => tracing::warn!(
                "{error}; watching without icon and notifications, findings go to this log"
            ),
        }
        Some(session)
    }

    #[must_use]
    pub fn has_bus(&self) -> bool {
        self.instance.is_some()
    }

    /// A user interface with the notifications of this session; see [`UserInterface::new`].
    pub fn user_interface(&self, send_order: impl Fn(Order) + Send + 'static) -> UserInterface {
        UserInterface::new(self.notifier.clone(), send_order)
    }

    /// Logs a warning if no panel shows StatusNotifierItem icons. Returns at once. `uses_xembed`: whether the tray then
    /// shows its icon in panels with XEmbed.
    pub fn warn_without_tray_host(&self, uses_xembed: bool) {
        self.on_thread("panel", move |instance| {
            if !instance.has_tray_host() {
                let xembed = if uses_xembed {
                    "until then only panels with XEmbed show the icon"
                } else {
                    "the icon appears when one starts"
                };
                tracing::warn!(
                    "no panel shows StatusNotifierItem icons yet; {xembed} (GNOME needs its AppIndicator extension)"
                );
            }
        });
    }

    /// Sends [`Intent::Quit`] when the session bus ends: neither GTK nor AppIndicator connects to another bus, so the
    /// icon would never be seen again. (GLib would raise SIGTERM, in a thread that blocks it.)
    pub fn quit_with_bus(&self, intents: &IntentSender) {
        let (intents, has_lost_icon) = (intents.clone(), Arc::clone(&self.has_lost_icon));
        self.on_thread("bus", move |instance| {
            instance.serve(|action| intents.send(Intent::Launched(action)));
            has_lost_icon.store(true, Ordering::Release);
            intents.send(Intent::Quit);
        });
    }

    /// Takes the name again after the session bus has ended and come back, or sends [`Intent::Quit`] if another instance
    /// has it by then.
    pub fn reconnect_to_bus(&self, intents: &IntentSender) {
        let (intents, notifier) = (intents.clone(), self.notifier.clone());
        self.on_thread("bus", move |instance| {
            let launched = |action| intents.send(Intent::Launched(action));
            instance.serve(launched);
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
                instance.serve(launched);
            }
        });
    }

    /// Does nothing without a bus.
    fn on_thread(&self, name: &str, work: impl FnOnce(&Instance) + Send + 'static) {
        let Some(instance) = self.instance.clone() else {
            return;
        };
        let thread = thread::Builder::new().name(name.to_owned());
        if let Err(error) = thread.spawn(move || work(&instance)) {
            tracing::warn!("cannot start a thread to watch the {name}: {error}");
        }
    }

    /// Closes all notifications, within a deadline.
    ///
    /// # Errors
    /// If the icon is gone with its session bus: the exit status makes systemd start muxtray again.
    pub fn close(self) -> io::Result<()> {
        if let Some(notifier) = self.notifier {
            notifier.end();
        }
        if self.has_lost_icon.load(Ordering::Acquire) {
            return Err(io::Error::other(tr!(
                "the session bus has ended, and the tray icon with it; to start it again: {command}",
                command = "muxtray run"
            )));
        }
        Ok(())
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
