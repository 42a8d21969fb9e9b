use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use calloop::LoopHandle;
use calloop::channel::Sender;

use super::message::Message;
use super::user_interface::{Options, UserInterface};
use super::wanted::{Series, Wanted};
use crate::actions::keep::Kept;
use crate::actions::parallel::parallel_map;
use crate::autostart::Autostart;
use crate::config::{ConfigError, Settings};
use crate::decide::Memory;
use crate::decide::action_notice::Scope;
use crate::decide::action_report::ActionReport;
use crate::decide::launch::LauncherAction;
use crate::discover::{Discovered, Environment, Request};
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::keep::KeptUntil;
use crate::model::recent::Recent;
use crate::model::settings::AtLogin;
use crate::model::socket::{Cookie, Snapshot, Socket, Target};
use crate::observe::file_stamp::FileStamp;
use crate::present::menu::{self, TrayView};
use crate::scan::{self, Scanner};
use crate::watch::{Debounce, Watch};

/// The listener of a kept master. Its file's change time may be another one by now.
pub(super) type KeptListener = (ControlPath, Option<Cookie>);

#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) kept: Kept,
    pub(super) until: KeptUntil,
}

/// All state of the engine. Only the engine's thread changes it.
pub(super) struct Engine {
    pub(super) options: Options,
    pub(super) settings: Settings,
    pub(super) config_version: Option<FileStamp>,
    pub(super) config_error: Option<ConfigError>,
    pub(super) autostart: Autostart,
    pub(super) at_login: AtLogin,
    pub(super) scanner: Scanner,
    pub(super) discovered: Option<(Discovered, Request)>,
    pub(super) is_discovering: bool,
    /// When to try again if no thread could be started.
    pub(super) discover_again: Option<Instant>,
    pub(super) memory: Memory,
    pub(super) keeps: BTreeMap<KeptListener, Keeping>,
    /// The results of requests, for the menu.
    pub(super) answers: menu::Answers,
    /// The hosts that had a master last.
    pub(super) recent: Recent,
    /// The hosts for which a master is being opened.
    pub(super) opening: BTreeSet<HostAlias>,
    /// Masters to open when the changed ssh configuration has been read.
    pub(super) waiting: Vec<Wanted>,
    pub(super) series: Option<Series>,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) drawn: Option<TrayView>,
    /// Whether a person has asked for the icon although the setting hides it.
    pub(super) wants_icon: bool,
    /// Requests of the launcher before the first scan.
    pub(super) launched: Vec<LauncherAction>,
    pub(super) time_asleep: Duration,
    pub(super) user_interface: UserInterface,
    pub(super) sender: Sender<Message>,
    pub(super) watch: Watch<Engine>,
    pub(super) debounce: Debounce,
    /// When the last scan began.
    pub(super) last_scan: Instant,
    pub(super) has_ended: bool,
}

impl Engine {
    pub(super) fn new(
        options: Options,
        user_interface: UserInterface,
        sender: Sender<Message>,
        handle: LoopHandle<'static, Engine>,
    ) -> Self {
        let scanner = Scanner::new(Environment::of_this_process());
        Self {
            options,
            settings: Settings::default(),
            config_version: None,
            config_error: None,
            recent: scan::recent(scanner.environment()),
            opening: BTreeSet::new(),
            waiting: Vec::new(),
            series: None,
            scanner,
            autostart: Autostart::from_environment(),
            at_login: AtLogin::No,
            discovered: None,
            is_discovering: false,
            discover_again: None,
            memory: Memory::default(),
            keeps: BTreeMap::new(),
            answers: BTreeMap::new(),
            snapshot: None,
            drawn: None,
            wants_icon: false,
            launched: Vec::new(),
            time_asleep: crate::observe::network::time_asleep(),
            user_interface,
            sender,
            watch: Watch::new(handle),
            debounce: Debounce::default(),
            last_scan: Instant::now(),
            has_ended: false,
        }
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.snapshot.iter().flat_map(|snapshot| &snapshot.sockets)
    }

    /// Returns the socket in the last snapshot.
    pub(super) fn find(&self, target: &Target) -> Option<&Socket> {
        self.snapshot.as_ref()?.find(target)
    }

    /// Runs a job on a thread of its own, which sends the result. Returns whether a thread could be started.
    pub(super) fn start(&self, name: &str, job: impl FnOnce() -> Message + Send + 'static) -> bool {
        let sender = self.sender.clone();
        let started = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Fails if the engine has ended meanwhile; then the result is not needed.
            let _ = sender.send(job());
        });
        if let Err(error) = &started {
            tracing::warn!("cannot start a thread to {name}: {error}");
        }
        started.is_ok()
    }

    /// Starts the same action on several items.
    pub(super) fn perform<T: Send + Sync + 'static>(
        &self,
        name: &str,
        items: Vec<T>,
        scope: Scope,
        action: impl Fn(&T) -> ActionReport + Send + Sync + 'static,
    ) {
        self.start(name, move || {
            Message::Performed(parallel_map(&items, action), scope)
        });
    }
}
