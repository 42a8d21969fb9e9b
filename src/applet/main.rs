//! `muxtray-applet`: what `muxtray run` becomes. The user-interface thread draws what the engine sends and passes
//! on what a person clicks; it decides nothing.

mod drawn;
mod icons;
mod patience;
mod tray;
mod windows;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use muxtray::cli::{self, args::Arguments};
use muxtray::core::notice::{Notice, NoticeKey};
use muxtray::core::view::TrayView;
use muxtray::engine::{self, Outlet};
use muxtray::run::{self, Begun, Notices};
use tao::event_loop::EventLoopProxy;
use tray::{Order, Tray};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    cli::run::log_to_stderr(arguments.global.verbose);
    let outcome = cli::run::begin(&arguments.global, &mut io::stdout(), with_icon);
    ExitCode::from(cli::forgive_closed_reader(outcome, &mut io::stderr()).status())
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
    desktop.warn_without_tray_host();
    let outlet = Screen {
        notices: desktop.notices(),
        proxy: tray.proxy(),
    };
    let engine = engine::start(options, inbox, outlet)?;
    tray.run(move |intent| asker.ask(intent));
    let ended = engine.join();
    desktop.close();
    ended.map_err(|_| io::Error::other("the engine ended in a panic"))
}

/// The outlet with an icon: views and texts go to the user-interface thread, notices to the notifier's.
struct Screen {
    notices: Notices,
    proxy: EventLoopProxy<Order>,
}

impl Screen {
    fn order(&self, order: Order) {
        // The loop is gone only once the person has asked to quit; then nothing is to be drawn.
        let _ = self.proxy.send_event(order);
    }
}

impl Outlet for Screen {
    fn draw(&mut self, view: &TrayView) {
        self.order(Order::Draw(view.clone()));
    }

    fn show_details(&mut self, title: String, text: String) {
        self.order(Order::ShowDetails { title, text });
    }

    fn notify(&mut self, notice: Notice) {
        self.notices.notify(notice);
    }

    fn withdraw(&mut self, key: NoticeKey) {
        self.notices.withdraw(key);
    }

    fn end(&mut self) {
        self.order(Order::End);
    }
}
