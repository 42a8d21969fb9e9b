//! Masters that a person opens from the menu: which hosts had one lately, which are being opened, and what came of it.
//!
//! Which hosts had a master is kept over the end of the program in a file of its own: after login, the menu is to begin
//! with what the day will begin with.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tr::tr;

use super::Engine;
use crate::actions::open::{OpenError, Questions};
use crate::actions::ssh::Ssh;
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::notice::{Button, Notice, NoticeKey};
use crate::decide::opening::{self, Openable, Opened, Plan};
use crate::diagnose::obstacle::Obstacle;
use crate::discover::Surroundings;
use crate::engine::workers::{Job, Opening};
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::places::{Host, WrittenBy};
use crate::model::recent::Recent;
use crate::model::socket::Snapshot;
use crate::model::text;
use crate::{files, scan};

/// What the engine remembers of opening.
#[derive(Debug)]
pub(super) struct Openings {
    recent: Recent,
    store: Option<PathBuf>,
    under_way: BTreeSet<HostAlias>,
    /// What was asked for while the ssh configuration is being read anew, each with the sessions that may be closed.
    waiting: Vec<(HostAlias, SessionConsent)>,
}

impl Openings {
    pub(super) fn new(surroundings: &Surroundings) -> Self {
        Self {
            recent: scan::recent(surroundings),
            store: scan::recent_file(surroundings),
            under_way: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    /// The hosts that were used lately.
    pub(super) const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Takes note of the masters that came and went.
    pub(super) fn after(&mut self, before: Option<&Snapshot>, now: &Snapshot) {
        self.keep(self.recent.clone().after(before, now));
    }

    /// Takes note that a person opens a master for this host.
    fn used(&mut self, alias: &HostAlias) {
        let mut recent = self.recent.clone();
        recent.used(alias);
        self.keep(recent);
    }

    /// If this cannot be stored, the menu's order and the use of the administrator's hosts are forgotten at the end of
    /// the program.
    fn keep(&mut self, recent: Recent) {
        if recent == self.recent {
            return;
        }
        self.recent = recent;
        let stored = serde_json::to_vec(&self.recent)
            .map_err(std::io::Error::from)
            .and_then(|bytes| match &self.store {
                Some(path) => files::write_private(path, &bytes),
                None => Ok(()),
            });
        if let Err(error) = stored {
            tracing::debug!("the hosts used last are not kept: {error}");
        }
    }
}

impl Engine {
    /// The hosts that the menu offers to open.
    pub(super) fn openable(&self, snapshot: &Snapshot) -> Vec<Openable> {
        let Some((discovered, _)) = &self.discovered else {
            return Vec::new();
        };
        let Openings {
            recent, under_way, ..
        } = &self.openings;
        opening::openable(&discovered.places, snapshot, recent, under_way)
    }

    /// Opens a master for a host. ssh reads its
    /// configuration as it is now, so where that has changed, it is asked first which ControlPath the host has by now.
    pub(super) fn open(&mut self, alias: &HostAlias, consent: SessionConsent) {
        self.discover_if_changed();
        if self.discovering {
            self.openings.waiting.push((alias.clone(), consent));
        } else {
            self.open_now(alias, consent);
        }
    }

    /// Opens what has waited for the configuration.
    pub(super) fn open_waiting(&mut self) {
        for (alias, consent) in std::mem::take(&mut self.openings.waiting) {
            self.open_now(&alias, consent);
        }
    }

    /// From now on a host of the administrator's counts as the person's, and so does what is wrong with its directory.
    fn note_use(&mut self, alias: &HostAlias) {
        let is_new =
            |host: &Host| host.alias == *alias && host.written_by == WrittenBy::Administrator;
        let discovered = self.discovered.as_ref();
        if discovered.is_some_and(|(discovered, _)| discovered.places.hosts.iter().any(is_new)) {
            self.openings.used(alias);
            self.look();
        }
    }

    fn open_now(&mut self, alias: &HostAlias, consent: SessionConsent) {
        self.note_use(alias);
        let (Some((discovered, request)), Some(snapshot)) = (&self.discovered, &self.snapshot)
        else {
            return;
        };
        let hosts = &discovered.places.hosts;
        let host = hosts.iter().find(|host| host.alias == *alias);
        let Some((host, path)) = host.and_then(|host| Some((host, host.control_path.clone()?)))
        else {
            // The configuration has changed since the menu was drawn.
            return;
        };
        if self.openings.under_way.contains(alias) {
            return;
        }
        let surroundings = self.scanner.surroundings();
        let start = match opening::plan(&alias.0, host, snapshot) {
            Plan::Start(start) => start,
            Plan::Running(_) => {
                let already = tr!("a master runs already");
                self.outlet.notify(answer(alias, path, already, true));
                return;
            }
            Plan::Blocked(Obstacle { evidence, remedy }) => {
                let lines: Vec<String> = std::iter::once(evidence).chain(remedy).collect();
                self.outlet
                    .notify(answer(alias, path, lines.join("\n"), false));
                return;
            }
        };
        let Some(program) = request.ssh.file(surroundings) else {
            return;
        };
        let started = self.worker.start(Job::Open(Box::new(Opening {
            ssh: Ssh {
                program,
                config: request.ssh.config_file(),
                host: alias.0.clone(),
            },
            start,
            consent,
            questions: Questions::of(false, |name| std::env::var_os(name)),
            alias: alias.clone(),
        })));
        if started {
            self.openings.under_way.insert(alias.clone());
            self.has_news = true;
            self.tick();
        }
    }

    /// What came of it.
    pub(super) fn opened(&mut self, opening: &Opening, result: &Result<Opened, OpenError>) {
        let Opening { alias, start, .. } = opening;
        self.openings.under_way.remove(alias);
        self.has_news = true;
        let mut lines = Vec::new();
        match result {
            Ok(opened) => lines.push(opened.to_string()),
            Err(error) => {
                lines.push(error.to_string());
                if let OpenError::Failed(failure) = error {
                    lines.push(opening::way_out(failure, &alias.0));
                }
            }
        }
        let path = start.path.clone();
        let mut notice = answer(alias, path, lines.join("\n"), result.is_ok());
        notice.buttons.extend(try_again(opening, result));
        self.outlet.notify(notice);
        self.tick();
    }
}

fn try_again(opening: &Opening, result: &Result<Opened, OpenError>) -> Option<Button> {
    let consent = match result {
        Ok(_) => return None,
        Err(error) => match error.sessions_open() {
            Some(sessions) => SessionConsent::UpTo(sessions),
            None => opening.consent,
        },
    };
    let label = match result.as_ref().err().and_then(OpenError::sessions_open) {
        Some(sessions) => opening::reconnect_label(Some(sessions)),
        None => tr!("Try again"),
    };
    Some(Button {
        label,
        intent: Intent::Open {
            host: opening.alias.clone(),
            consent,
        },
    })
}

fn answer(alias: &HostAlias, path: ControlPath, body: String, is_well: bool) -> Notice {
    let alias = text::line(&alias.0);
    Notice {
        key: NoticeKey::Answer(path),
        summary: if is_well {
            tr!("{host}: master is open", host = alias)
        } else {
            tr!("{host}: no master was opened", host = alias)
        },
        body,
        buttons: Vec::new(),
        transient: is_well,
    }
}
