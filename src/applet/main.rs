//! `muxtray-applet`, which `muxtray run` executes. It draws the views that the engine sends and sends the intents of
//! clicked rows back; it makes no decisions.
//!
//! A build contains one of two trays: `gtk_tray` (feature `tray`) for every kind of panel, with windows, or `lean_tray`
//! (feature `lean-tray`) without GTK, for panels that support StatusNotifierItem. Both draw the same views.

#[cfg(not(any(feature = "tray", feature = "lean-tray")))]
compile_error!("the applet needs a tray to draw in: choose the feature `tray` or `lean-tray`");

mod clipboard;
mod icon_theme;
mod icons;
mod open_menu_times;
mod private_directory;

#[cfg(not(feature = "lean-tray"))]
mod gtk_tray;
#[cfg(feature = "lean-tray")]
mod lean_tray;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use muxtray::cli::args::{Arguments, Command, Run};
use muxtray::engine::{self, Options};
use muxtray::i18n::{self, Language};
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
    let run = match &arguments.command {
        Some(Command::Run(run)) => run,
        _ => &Run::default(),
    };
    let outcome = cli::run::begin(&arguments.global, run, &mut io::stdout(), run_with_icon);
    ExitCode::from(cli::conclude(outcome, &mut io::stderr()).status())
}

/// `tr` has a translator for each crate, so both the library and this program set one.
fn set_language(language: &Language) {
    i18n::set_language(language);
    if let Some(catalogue) = language.catalogue() {
        tr::set_translator!(catalogue);
    }
}

/// Runs with an icon, or without one if there is no session bus or no icon can be made.
fn run_with_icon(setup: Setup) -> io::Result<()> {
    if setup.session.has_bus() {
        match Tray::open() {
            Ok((tray, orders)) => return run_tray(tray, orders, setup),
            Err(error) => tracing::warn!("{error}; watching without an icon"),
        }
    }
    run::without_icon(setup)
}

fn run_tray(tray: Tray, orders: Orders, setup: Setup) -> io::Result<()> {
    let options = Options {
        can_show: tray::can_show(),
        can_ask: tray::CAN_ASK,
        ..setup.options
    };
    let (session, intents) = (setup.session, setup.intents);
    let user_interface = session.user_interface(move |order| orders.send(order));
    session.quit_with_bus(&intents);
    let engine = engine::start(options, setup.inbox, user_interface)?;
    session.warn_without_tray_host(tray::USES_XEMBED);
    tray.run(move |intent| intents.send(intent));
    let ended = engine.join();
    let closed = session.close();
    ended.and(closed)
}
