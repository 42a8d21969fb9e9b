//! `muxtray run`: starts the engine in the desktop session, or executes the applet.

pub mod session;

use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use tr::tr;

use crate::decide::launch::LauncherAction;
use crate::desktop::{instance, notify};
use crate::engine::{self, Inbox, IntentSender, Options, Order};
use crate::model::text;
use crate::unconfined::APPLET_ENVIRONMENT;
use crate::{crash, log};
use session::DesktopSession;

const APPLET: &str = "muxtray-applet";

#[derive(Debug)]
pub struct Setup {
    pub options: Options,
    pub session: DesktopSession,
    pub intents: IntentSender,
    pub inbox: Inbox,
}

/// Sets up the signals, the crash handler, the single instance and the notifier. Call it before any thread starts.
/// Returns `None` if another instance runs in this session.
pub fn set_up(options: Options) -> io::Result<Option<Setup>> {
    crash::abort_on_panic(notify_of_crash);
    engine::block_signals()?;
    let (intents, inbox) = engine::inbox();
    Ok(DesktopSession::open(&intents).map(|session| Setup {
        options,
        session,
        intents,
        inbox,
    }))
}

/// Asks the instance that runs in this session for an action.
pub fn ask_running(action: LauncherAction) {
    if let Err(error) = instance::ask_running(action) {
        tracing::warn!("{error}");
    }
}

/// Watches and notifies without an icon, until a signal ends it.
pub fn without_icon(setup: Setup) -> io::Result<()> {
    let options = Options {
        can_show: false,
        has_icon: false,
        ..setup.options
    };
    let session = setup.session;
    let user_interface = session.user_interface(|order| match order {
        Order::Draw(view) => tracing::info!("{}", view.summary),
        Order::ShowDetails { title, text } => tracing::info!("{title}\n{text}"),
        // Without a menu nobody asks for a text, and only trays that can ask get a question.
        Order::Copy(_) | Order::Ask(_) => {}
    });
    let engine = engine::start(options, setup.inbox, user_interface)?;
    session.reconnect_to_bus(&setup.intents);
    let ended = engine.join();
    let closed = session.close();
    ended.and(closed)
}

/// Replaces this process with the applet, with the same arguments and process id. Returns the reason if that fails.
#[must_use]
pub fn become_applet() -> String {
    let Some(applet) = find_applet() else {
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
        "cannot start {program} ({error}): watching without an icon",
        program = text::path(&applet),
        error
    )
}

fn find_applet() -> Option<PathBuf> {
    let beside = env::current_exe().ok()?.parent()?.join(APPLET);
    let libexec = beside
        .parent()?
        .parent()?
        .join("libexec/muxtray")
        .join(APPLET);
    [beside, libexec].into_iter().find(|path| path.is_file())
}

/// Shows a notification before the program ends by a crash. Takes two seconds at most.
pub fn notify_of_crash(message: &str) {
    let mut lines = vec![
        message.to_owned(),
        tr!(
            "It no longer watches. To start it again: {command}",
            command = "muxtray run"
        ),
    ];
    if log::is_in_journal() {
        lines.push(tr!(
            "Its log: {command}",
            command = "journalctl --user -t muxtray"
        ));
    }
    notify::show_and_wait(&tr!("muxtray has crashed"), &lines.join("\n"));
}
