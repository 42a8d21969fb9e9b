//! `muxtray-applet`: what `muxtray run` becomes. The tray draws what the engine sends and passes on what a person
//! clicks; it decides nothing.
//!
//! There are two trays, one to a build: `gtk_tray` (feature `tray`) for every kind of panel, with windows, and
//! `lean_tray` (feature `lean-tray`) without GTK, for panels that speak StatusNotifierItem. Both draw the same views
//! by the same steps.

#[cfg(not(any(feature = "tray", feature = "lean-tray")))]
compile_error!("the applet needs a tray to draw in: choose the feature `tray` or `lean-tray`");

mod clipboard;
mod drawn_menu;
mod icons;
mod private_directory;

#[cfg(not(feature = "lean-tray"))]
mod gtk_tray;
#[cfg(feature = "lean-tray")]
mod lean_tray;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use muxtray::cli::args::Arguments;
use muxtray::decide::notice::{Notice, NoticeKey};
use muxtray::engine::{self, Options, UserInterface};
use muxtray::i18n::{self, Language};
use muxtray::present::menu::TrayView;
use muxtray::run::session::Notifications;
use muxtray::run::{self, Setup};
use muxtray::{cli, crash, log, privilege};

#[cfg(not(feature = "lean-tray"))]
use gtk_tray as tray;
#[cfg(feature = "lean-tray")]
use lean_tray as tray;
use tray::{Orders, Tray};

fn main() -> ExitCode {
    if let Err(elevated) = privilege::refuse_elevation() {
        return ExitCode::from(cli::refuse(elevated, &mut io::stderr()).status());
    }
    let arguments = Arguments::parse();
    log::to_stderr(arguments.global.verbose);
    crash::log_panics();
    set_language(Language::from_environment(|name| std::env::var_os(name)));
    let outcome = cli::run::begin(&arguments.global, &mut io::stdout(), with_icon);
    ExitCode::from(cli::conclude(outcome, &mut io::stderr()).status())
}

/// The crate `tr` keeps a translator for each crate, so the library and this program set the same one.
fn set_language(language: &Language) {
    i18n::set_language(language);
    if let Some(catalogue) = language.catalogue() {
        tr::set_translator!(catalogue);
    }
}

/// Runs with an icon, or without where there can be none.
fn with_icon(setup: Setup) -> io::Result<()> {
    // The icon is shown over the session bus.
    if setup.session.has_bus() {
        match Tray::open() {
            Ok(tray) => return run_tray(tray, setup),
            Err(error) => tracing::warn!("{error}; watching without an icon"),
        }
    }
    run::without_icon(setup)
}

fn run_tray(tray: Tray, setup: Setup) -> io::Result<()> {
    let Setup {
        options,
        session,
        intents,
        inbox,
    } = setup;
    let options = Options {
        can_show: tray::can_show(),
        ..options
    };
    let user_interface = Screen {
        notifications: session.notifications(),
        orders: tray.orders(),
    };
    let bus_end = session.quit_with_bus(&intents)?;
    let engine = engine::start(options, inbox, user_interface)?;
    session.warn_without_tray_host();
    tray.run(move |intent| intents.send(intent));
    let ended = engine.join();
    session.close();
    ended.and_then(|()| bus_end.check())
}

/// What the tray can be told, from any thread.
#[derive(Debug)]
enum Order {
    /// Show this from now on.
    Draw(TrayView),
    /// Show a text to read and to copy, where there are windows.
    ShowDetails {
        /// The window's title.
        title: String,
        /// The text, with its line breaks.
        text: String,
    },
    /// End `Tray::run`.
    End,
}

/// The user interface with an icon: views and texts go to the tray, notices to the notifier.
struct Screen {
    notifications: Notifications,
    orders: Orders,
}

impl UserInterface for Screen {
    fn draw(&mut self, view: &TrayView) {
        self.orders.give(Order::Draw(view.clone()));
    }

    fn show_details(&mut self, title: String, text: String) {
        self.orders.give(Order::ShowDetails { title, text });
    }

    fn notify(&mut self, notice: Notice) {
        self.notifications.notify(notice);
    }

    fn withdraw(&mut self, key: NoticeKey) {
        self.notifications.withdraw(key);
    }

    fn end(&mut self) {
        self.orders.give(Order::End);
    }
}
