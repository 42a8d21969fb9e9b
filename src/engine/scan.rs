//! One scan: settings, discovery, observation, and the effects of the decision.

use std::path::Path;
use std::time::{Duration, Instant};

use super::message::Message;
use super::state::Engine;
use super::user_interface::Order;
use crate::config::{self, ConfigError};
use crate::decide::action_notice::Scope;
use crate::decide::intent::SessionConsent;
use crate::decide::{self, Effect, Opportunity, Policy};
use crate::diagnose::network::SLEPT;
use crate::discover;
use crate::model::settings::Setting;
use crate::observe::file_stamp::FileStamp;
use crate::observe::network::{routes, time_asleep};
use crate::present::menu::{self, MenuHosts, TrayView};

/// When to try discovery again if no thread could be started.
const DISCOVER_AGAIN: Duration = Duration::from_secs(10);

impl Engine {
    /// Reads again everything that may have changed: events name no subject, and one scan covers all events before it.
    pub(super) fn scan(&mut self) {
        let asleep = time_asleep();
        if asleep.saturating_sub(self.time_asleep) > SLEPT {
            tracing::info!(
                "resumed after {:?} asleep",
                asleep.saturating_sub(self.time_asleep)
            );
            self.memory = std::mem::take(&mut self.memory).resumed(Instant::now());
        }
        self.time_asleep = asleep;
        self.reload_settings();
        self.refresh_at_login();
        self.discover_if_changed();
        self.observe();
    }

    /// Reads the configuration file if it has changed. If it is invalid, the current settings stay.
    pub(super) fn reload_settings(&mut self) {
        let Some(path) = &self.options.config else {
            return;
        };
        let version = FileStamp::read(path);
        if self.config_version == Some(version) {
            return;
        }
        self.config_version = Some(version);
        let before = self.config_error.take().map(|error| error.to_string());
        match config::load(path) {
            Ok(settings) => {
                self.wants_icon &= settings.icon == self.settings.icon;
                self.settings = settings;
            }
            // If the file is deleted, keep the current settings; defaults apply after a restart.
            Err(ConfigError::Missing(_)) => {}
            Err(error) => {
                let message = error.to_string();
                if before.as_ref() != Some(&message) {
                    tracing::warn!("{message}; the last valid settings stay in force");
                }
                // The reason (mode, disk) may disappear without a change of the file.
                if matches!(error, ConfigError::Denied(..) | ConfigError::Unreadable(..)) {
                    self.config_version = None;
                }
                self.config_error = Some(error);
            }
        }
    }

    /// Starts a discovery job if the settings or any file that the ssh configuration depends on has changed.
    pub(super) fn discover_if_changed(&mut self) {
        let environment = self.scanner.environment();
        let request = crate::scan::request(
            &self.settings,
            self.options.ssh_config.as_deref(),
            environment,
        );
        let is_current = self.discovered.as_ref().is_some_and(|(discovered, last)| {
            *last == request && discovered.fingerprint.is_current(&request, environment)
        });
        if !is_current && !self.is_discovering {
            let environment = environment.clone();
            self.is_discovering = self.start("discover", move || {
                let discovered = discover::discover(&request, &environment);
                Message::Discovered(Box::new(discovered), Box::new(request))
            });
            self.discover_again = (!self.is_discovering).then(|| Instant::now() + DISCOVER_AGAIN);
        }
    }

    pub(super) fn observe(&mut self) {
        self.let_go_expired();
        let began = Instant::now();
        self.last_scan = began;
        let Some((discovered, _)) = &mut self.discovered else {
            self.debounce.note_scan(began, began);
            return;
        };
        self.recent.note_in(&mut discovered.places);
        let mut snapshot = self.scanner.scan(&mut discovered.places, &[]);
        self.mark_kept(&mut snapshot);
        self.update_watch(&snapshot);
        let is_named = |file: &&Path| config::default_path().is_ok_and(|default| default != **file);
        let named = self.options.config.as_deref().filter(is_named);
        snapshot
            .findings
            .extend(self.config_error.as_ref().map(|error| error.finding(named)));
        snapshot.findings.extend(self.watch_shortage());
        let (policy, now) = (self.policy(), Instant::now());
        let memory = std::mem::take(&mut self.memory);
        let opportunity = Opportunity {
            routes: &routes(memory.addresses(&snapshot, &policy)),
            is_opening: self.is_opening(),
            is_quiet: memory.is_quiet(now),
            now,
        };
        let (memory, mut effects) = decide::reopen(memory, &snapshot, &policy, &opportunity);
        let (memory, others) = decide::decide(memory, &snapshot, &policy, now);
        effects.extend(others);
        self.memory = memory;
        self.answers
            .retain(|target, _| snapshot.find(target).is_some());
        self.store_recent(self.recent.clone().after(self.snapshot.as_ref(), &snapshot));
        self.scanner.store_seen();
        if let Some((discovered, _)) = &self.discovered {
            let hosts = MenuHosts {
                places: &discovered.places,
                recent: &self.recent,
                opening: &self.opening,
            };
            let (can_show, preferences) = (self.options.can_show, self.preferences());
            let view = menu::view(&snapshot, &self.answers, hosts, can_show, &preferences);
            self.draw(view.with_settings(&preferences));
        }
        self.snapshot = Some(snapshot);
        self.carry_out_effects(effects);
        self.launch_waiting();
    }

    pub(super) fn policy(&self) -> Policy {
        Policy {
            announce: self.settings.announced(),
            clean_automatically: self.settings.clean_automatically,
            exit_stranded: self.settings.exit_stranded,
            reopen: self.settings.reopen.iter().cloned().collect(),
            announce_end_with_forwards: self.settings.is_announced(Setting::EndWithForwardings),
            announce_other_ends: self.settings.is_announced(Setting::EndOfOthers),
            can_show: self.options.can_show,
        }
    }

    fn carry_out_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Notify(notice) => self.user_interface.notify(notice),
                Effect::Withdraw(key) => self.user_interface.withdraw(key),
                Effect::Reopen(host, lost) => self.reopen(host, lost),
                Effect::Clean(targets) => self.clean(&targets, Scope::Policy),
                Effect::Exit(targets) => {
                    let masters: Vec<_> = targets
                        .into_iter()
                        .map(|target| (target, SessionConsent::Any))
                        .collect();
                    self.exit(&masters, Scope::Policy);
                }
            }
        }
    }

    pub(super) fn draw(&mut self, view: TrayView) {
        let view = view.with_icon(self.settings.icon, self.wants_icon);
        if self.drawn.as_ref() != Some(&view) {
            self.user_interface.order(Order::Draw(view.clone()));
            self.drawn = Some(view);
        }
    }
}
