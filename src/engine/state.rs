use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use calloop::LoopHandle;
use calloop::channel::Sender;

use super::jobs::JobStarter;
use super::message::Message;
use super::openings::Openings;
use super::user_interface::{Options, UserInterface};
use crate::autostart::Autostart;
use crate::config::{self, ConfigError, Settings};
use crate::decide::Memory;
use crate::discover::{Discovered, Environment, Request};
use crate::model::settings::{AtLogin, Preferences};
use crate::model::socket::{Snapshot, Socket, Target};
use crate::present::menu::{self, TrayView};
use crate::scan::Scanner;
use crate::watch::{Debounce, Watch};

/// All state of the engine. Only the engine's thread changes it.
pub(super) struct Engine {
    pub(super) options: Options,
    pub(super) settings: Settings,
    pub(super) config_version: Option<config::Version>,
    pub(super) config_error: Option<ConfigError>,
    pub(super) autostart: Autostart,
    pub(super) at_login: AtLogin,
    /// The settings in the drawn view.
    pub(super) shown_preferences: Option<Preferences>,
    pub(super) scanner: Scanner,
    pub(super) discovered: Option<(Discovered, Request)>,
    pub(super) is_discovering: bool,
    /// When to try again if no thread could be started.
    pub(super) discover_again: Option<Instant>,
    pub(super) memory: Memory,
    /// The answers to alive checks, for the menu.
    pub(super) answers: menu::Answers,
    pub(super) openings: Openings,
    /// Whether the drawn view is out of date although the snapshot has not changed.
    pub(super) must_draw: bool,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) drawn: Option<TrayView>,
    pub(super) time_asleep: Duration,
    pub(super) user_interface: Box<dyn UserInterface>,
    pub(super) jobs: JobStarter,
    pub(super) watch: Watch<Engine>,
    pub(super) debounce: Debounce,
    /// When the last scan began.
    pub(super) last_scan: Instant,
    /// When a scan is likely to show the consequence of the last event: an ssh that started has connected, data lost by
    /// the network was retransmitted.
    pub(super) consequence_by: Option<Instant>,
    pub(super) has_ended: bool,
}

impl Engine {
    pub(super) fn new(
        options: Options,
        user_interface: Box<dyn UserInterface>,
        sender: Sender<Message>,
        handle: LoopHandle<'static, Engine>,
    ) -> Self {
        let scanner = Scanner::new(Environment::of_this_process());
        let openings = Openings::new(scanner.environment());
        Self {
            options,
            settings: Settings::default(),
            config_version: None,
            config_error: None,
            scanner,
            autostart: Autostart::from_environment(),
            at_login: AtLogin::No,
            shown_preferences: None,
            discovered: None,
            is_discovering: false,
            discover_again: None,
            memory: Memory::default(),
            answers: BTreeMap::new(),
            openings,
            must_draw: false,
            snapshot: None,
            drawn: None,
            time_asleep: crate::observe::time_asleep(),
            user_interface,
            jobs: JobStarter::new(sender),
            watch: Watch::new(handle),
            debounce: Debounce::default(),
            last_scan: Instant::now(),
            consequence_by: None,
            has_ended: false,
        }
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.snapshot.iter().flat_map(|snapshot| &snapshot.sockets)
    }

    /// The socket in the last snapshot.
    pub(super) fn find(&self, target: &Target) -> Option<&Socket> {
        self.snapshot.as_ref()?.find(target)
    }
}
