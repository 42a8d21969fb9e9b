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
use muxtray::engine::{self, Options, Outlet};
use muxtray::i18n::{self, Language};
use muxtray::present::menu::TrayView;
use muxtray::run::{self, Begun, Notices};
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
fn with_icon(begun: Begun) -> io::Result<()> {
    // The icon is shown over the session bus.
    if begun.desktop.has_bus() {
        match Tray::open() {
            Ok(tray) => return run_tray(tray, begun),
            Err(error) => tracing::warn!("{error}; watching without an icon"),
        }
    }
    run::without_icon(begun)
}

fn run_tray(tray: Tray, begun: Begun) -> io::Result<()> {
    let Begun {
        options,
        desktop,
        asker,
        inbox,
    } = begun;
    let options = Options {
        can_show: tray::can_show(),
        ..options
    };
    let outlet = Screen {
        notices: desktop.notices(),
        orders: tray.orders(),
    };
    let bus_end = desktop.quit_with_bus(&asker)?;
    let engine = engine::start(options, inbox, outlet)?;
    desktop.warn_without_tray_host();
    tray.run(move |intent| asker.ask(intent));
    let ended = engine.join();
    desktop.close();
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

/// The outlet with an icon: views and texts go to the tray, notices to the notifier.
struct Screen {
    notices: Notices,
    orders: Orders,
}

impl Outlet for Screen {
    fn draw(&mut self, view: &TrayView) {
        self.orders.give(Order::Draw(view.clone()));
    }

    fn show_details(&mut self, title: String, text: String) {
        self.orders.give(Order::ShowDetails { title, text });
    }

    fn notify(&mut self, notice: Notice) {
        self.notices.notify(notice);
    }

    fn withdraw(&mut self, key: NoticeKey) {
        self.notices.withdraw(key);
    }

    fn end(&mut self) {
        self.orders.give(Order::End);
    }
}
