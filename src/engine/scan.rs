//! One turn of the wheel: settings, discovery, a look, and what comes of it.

use std::time::{Duration, Instant};

use super::workers::Job;
use super::{Engine, results};
use crate::config::{self, ConfigError};
use crate::decide::intent::SessionConsent;
use crate::decide::{self, Effect, Policy};
use crate::diagnose::network::SLEPT;
use crate::model::network::Verdict;
use crate::model::socket::Socket;
use crate::observe::time_asleep;
use crate::present::menu::{self, TrayView};

/// How soon to discover again where no thread could be started for it.
const DISCOVER_AGAIN: Duration = Duration::from_secs(10);

impl Engine {
    /// Everything that can have changed is looked at again: an event does not say enough, and costs no less. What was
    /// heard before is answered by that, of whatever it told; so nothing less than all of it is a turn.
    pub(super) fn tick(&mut self) {
        let asleep = time_asleep();
        if asleep.saturating_sub(self.asleep) > SLEPT {
            tracing::info!(
                "resumed after {:?} asleep",
                asleep.saturating_sub(self.asleep)
            );
            self.memory = std::mem::take(&mut self.memory).resumed(Instant::now());
        }
        self.asleep = asleep;
        self.reload_settings();
        self.refresh_at_login();
        self.discover_if_changed();
        self.look();
    }

    /// Takes over the configuration file if it is another version; a bad one leaves the settings as they are.
    pub(super) fn reload_settings(&mut self) {
        let Some(path) = &self.options.config else {
            return;
        };
        let version = config::version(path);
        if self.config_version == Some(version) {
            return;
        }
        self.config_version = Some(version);
        let before = self.config_error.take().map(|error| error.to_string());
        match config::load(path) {
            Ok(settings) => self.settings = settings,
            // Who removes the file has not asked for other settings; the next start has the defaults.
            Err(ConfigError::Missing(_)) => {}
            Err(error) => {
                let told = error.to_string();
                if before.as_ref() != Some(&told) {
                    tracing::warn!("{told}; the last good settings stay in force");
                }
                // What keeps it from being read (its mode, the disk) can be over without another version of it.
                if matches!(error, ConfigError::Unreadable(..)) {
                    self.config_version = None;
                }
                self.config_error = Some(error);
            }
        }
    }

    /// Where the settings or anything that the ssh configuration depends on changed, reads it and asks `ssh -G` on a
    /// worker; the answer comes back as a message.
    pub(super) fn discover_if_changed(&mut self) {
        let surroundings = self.scanner.surroundings();
        let request = crate::scan::request(
            &self.settings,
            self.options.ssh_config.as_deref(),
            surroundings,
        );
        let holds = self.discovered.as_ref().is_some_and(|(discovered, asked)| {
            *asked == request && discovered.identity.still_holds(&request, surroundings)
        });
        if !holds && !self.discovering {
            let surroundings = Box::new(surroundings.clone());
            self.discovering = self.worker.start(Job::Discover {
                request: Box::new(request),
                surroundings,
            });
            self.discover_again = (!self.discovering).then(|| Instant::now() + DISCOVER_AGAIN);
        }
    }

    pub(super) fn look(&mut self) {
        let began = Instant::now();
        self.looked = began;
        self.shows_by = self.shows_by.filter(|by| began < *by);
        let Some((discovered, _)) = &mut self.discovered else {
            self.debounce.note_scan(began, began);
            return;
        };
        self.openings.recent().note_in(&mut discovered.places);
        let mut snapshot = self.scanner.scan(&discovered.places, &[]);
        self.watch_what_was_seen(&snapshot);
        snapshot
            .findings
            .extend(self.config_error.as_ref().map(ConfigError::finding));
        snapshot.findings.extend(self.shortage());
        let policy = Policy {
            announce: self.settings.announced(),
            clean_automatically: self.settings.clean_automatically,
            exit_stranded: self.settings.exit_stranded,
            can_show: self.options.can_show,
        };
        let memory = std::mem::take(&mut self.memory);
        let (memory, effects) = decide::decide(memory, &snapshot, &policy, Instant::now());
        self.memory = memory;
        self.answers
            .retain(|target, _| snapshot.find(target).is_some());
        // What is said of a doubtful network is told with its age.
        let ages = |socket: &Socket| socket.network.as_ref().is_some_and(Verdict::ages);
        let preferences = self.preferences();
        let is_news = self.has_news
            || self.shown_preferences.as_ref() != Some(&preferences)
            || snapshot.sockets.iter().any(ages)
            || !self
                .snapshot
                .as_ref()
                .is_some_and(|last| last.says_the_same(&snapshot));
        if is_news {
            self.has_news = false;
            self.openings.after(self.snapshot.as_ref(), &snapshot);
            let openable = self.openable(&snapshot);
            let view = menu::view(&snapshot, &self.answers, &openable);
            self.draw(view.with_settings(&preferences));
            self.shown_preferences = Some(preferences);
        }
        self.snapshot = Some(snapshot);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Notify(notice) => self.outlet.notify(notice),
                Effect::Withdraw(key) => self.outlet.withdraw(key),
                Effect::Clean(targets) => self.clean(&targets, results::Asked::ByPolicy),
                Effect::Exit(targets) => {
                    let each: Vec<_> = targets
                        .into_iter()
                        .map(|target| (target, SessionConsent::Any))
                        .collect();
                    self.exit(&each, results::Asked::ByPolicy);
                }
            }
        }
    }

    pub(super) fn draw(&mut self, view: TrayView) {
        if self.drawn.as_ref() != Some(&view) {
            self.outlet.draw(&view);
            self.drawn = Some(view);
        }
    }
}
