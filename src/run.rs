//! `muxtray run`: the engine with its desktop around it, or with as much of a desktop as there is.

use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tr::tr;

use crate::decide::intent::Intent;
use crate::decide::notice::{Notice, NoticeKey};
use crate::desktop::instance::{self, Instance, InstanceError};
use crate::desktop::notify::{self, Notifier};
use crate::engine::{self, Asker, Inbox, Options, Outlet};
use crate::present::menu::TrayView;
use crate::unconfined::APPLET_ENVIRONMENT;
use crate::{config, log};

/// The program that `muxtray run` becomes where an icon is wanted.
const APPLET: &str = "muxtray-applet";

/// How long a session bus that has ended is waited for before it is looked for; each time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest of these times.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Replaces this process by the applet, with the same arguments; the process id stays.
///
/// Returns only where that is not possible, with the reason.
#[must_use]
pub fn become_applet() -> String {
    let Some(applet) = applet() else {
        return tr!(
            "{program} is not installed beside muxtray: watching without an icon",
            program = APPLET
        );
    };
    let error = Command::new(&applet)
        .args(env::args_os().skip(1))
        .envs(APPLET_ENVIRONMENT)
        .exec();
    tr!(
        "{program} cannot be started ({error}): watching without an icon",
        program = crate::model::text::path(&applet),
        error
    )
}

fn applet() -> Option<PathBuf> {
    let beside = env::current_exe().ok()?.parent()?.join(APPLET);
    let libexec = beside
        .parent()?
        .parent()?
        .join("libexec/muxtray")
        .join(APPLET);
    [beside, libexec].into_iter().find(|path| path.is_file())
}

/// Says by a notification that the program is about to end by a crash, where there is a session bus; two seconds at
/// most.
pub fn tell_of_crash(what: &str) {
    let mut lines = vec![
        what.to_owned(),
        tr!(
            "It watches no more. To start it again: {command}",
            command = "muxtray run"
        ),
    ];
    if log::is_in_journal() {
        lines.push(tr!(
            "Its log: {command}",
            command = "journalctl --user -t muxtray"
        ));
    }
    notify::last_words(&tr!("muxtray has crashed"), &lines.join("\n"));
}

/// What is there of a desktop before the engine starts.
#[derive(Debug)]
pub struct Desktop {
    /// Held for as long as the program runs; `None` without a session bus.
    instance: Option<Arc<Instance>>,
    notifier: Option<Notifier>,
}

/// Another instance runs for this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyRunning;

impl Desktop {
    /// Takes the single instance's name on the session bus and starts the notifier, whose buttons ask `asker`.
    /// Without a bus it says so in the log.
    ///
    /// # Errors
    /// [`AlreadyRunning`].
    pub fn open(asker: &Asker) -> Result<Self, AlreadyRunning> {
        match instance::acquire() {
            Ok(instance) => {
                let asker = asker.clone();
                let notifier = Notifier::start(move |intent: Intent| asker.ask(intent));
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

    /// Whether there is a session bus.
    #[must_use]
    pub fn has_bus(&self) -> bool {
        self.instance.is_some()
    }

    /// Says so in the log if no panel is there that would show an icon. Asks on a thread of its own and returns at
    /// once: nothing is to wait for a panel.
    pub fn warn_without_tray_host(&self) {
        let asked = self.on_thread("panel", |instance| {
            if !instance.has_tray_host() {
                tracing::warn!(
                    "no panel shows StatusNotifierItem icons yet; the icon appears when one starts (GNOME needs its \
                     AppIndicator extension)"
                );
            }
        });
        if let Err(error) = asked {
            tracing::warn!("no thread to ask for a panel: {error}");
        }
    }

    /// Asks to quit once the session bus has ended: nobody sees the icon again, for neither GTK nor AppIndicator goes to
    /// another bus. GLib would raise SIGTERM then, but in a thread that holds it. What is returned tells of it.
    ///
    /// # Errors
    /// No thread could be started: an icon would outlive its bus unseen.
    pub fn quit_with_bus(&self, asker: &Asker) -> io::Result<BusEnd> {
        let end = BusEnd::default();
        let (asker, told) = (asker.clone(), end.clone());
        self.on_thread("bus", move |instance| {
            instance.wait_for_end_of_bus();
            told.0.store(true, Ordering::Release);
            asker.ask(Intent::Quit);
        })
        .map_err(|error| {
            let what = tr!(
                "no thread can be started to follow the session bus: {error}",
                error
            );
            io::Error::new(error.kind(), what)
        })?;
        Ok(end)
    }

    /// Becomes the one instance of this session once more when the session bus has ended and come back, or asks to quit
    /// if another is that by then.
    fn follow_bus(&self, asker: &Asker) {
        let (asker, notifier) = (asker.clone(), self.notifier.clone());
        let followed = self.on_thread("bus", move |instance| {
            instance.wait_for_end_of_bus();
            loop {
                tracing::warn!(
                    "the session bus has ended: watching without notifications until it is back"
                );
                let Some(instance) = return_of_bus() else {
                    tracing::warn!("the session bus is back with another muxtray: ending");
                    return asker.ask(Intent::Quit);
                };
                tracing::warn!("the session bus is back");
                if let Some(notifier) = &notifier {
                    notifier.try_again();
                }
                instance.wait_for_end_of_bus();
            }
        });
        if let Err(error) = followed {
            tracing::warn!("no thread to follow the session bus: {error}");
        }
    }

    /// Does it on a thread of its own, if there is a bus.
    fn on_thread(
        &self,
        name: &str,
        ask: impl FnOnce(&Instance) + Send + 'static,
    ) -> io::Result<()> {
        let Some(instance) = self.instance.clone() else {
            return Ok(());
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || ask(&instance))
            .map(drop)
    }

    /// Where notices go.
    #[must_use]
    pub fn notices(&self) -> Notices {
        Notices(self.notifier.clone())
    }

    /// Takes back what is shown, within a deadline.
    pub fn close(self) {
        if let Some(notifier) = self.notifier {
            notifier.end();
        }
    }
}

/// Waits until there is a session bus, and takes the name there; `None` where another instance has it.
fn return_of_bus() -> Option<Instance> {
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
    /// Where it has, that is a failure: who started muxtray may start it again, as systemd does.
    ///
    /// # Errors
    /// It has.
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

/// Everything an engine is started from.
#[derive(Debug)]
pub struct Begun {
    /// Its options.
    pub options: Options,
    /// What is around it.
    pub desktop: Desktop,
    /// How to ask it.
    pub asker: Asker,
    /// What it was asked already.
    pub inbox: Inbox,
}

/// Watches and notifies without an icon, until a signal ends it.
///
/// # Errors
/// The engine could not be started.
pub fn without_icon(begun: Begun) -> io::Result<()> {
    let Begun {
        options,
        desktop,
        asker,
        inbox,
    } = begun;
    let engine = engine::start(
        Options {
            can_show: false,
            has_icon: false,
            ..options
        },
        inbox,
        desktop.notices(),
    )?;
    desktop.follow_bus(&asker);
    let ended = engine.join();
    desktop.close();
    ended
}

/// Where notices go: to the notifier, or to the log where there is none. All there is of an outlet without an icon.
#[derive(Debug, Clone)]
pub struct Notices(Option<Notifier>);

impl Outlet for Notices {
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

/// The engine's options for these arguments.
#[must_use]
pub fn options(config: Option<PathBuf>, ssh_config: Option<PathBuf>) -> Options {
    let default = || {
        config::default_path()
            .map_err(|error| tracing::warn!("{error}"))
            .ok()
    };
    Options {
        config: config.or_else(default),
        ssh_config,
        can_show: true,
        has_icon: true,
    }
}
