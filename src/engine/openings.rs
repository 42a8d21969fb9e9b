//! The masters that a person opens from the menu.
//!
//! The hosts that had a master last are kept in a file, so that the menu lists them first after the next login.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::decide::intent::SessionConsent;
use crate::discover::Environment;
use crate::model::control_path::HostAlias;
use crate::model::recent::Recent;
use crate::model::socket::Snapshot;
use crate::{files, scan};

#[derive(Debug)]
pub(super) struct Openings {
    pub(super) recent: Recent,
    file: Option<PathBuf>,
    pub(super) in_progress: BTreeSet<HostAlias>,
    /// Requests that wait until the changed ssh configuration has been read.
    pub(super) waiting: Vec<(HostAlias, SessionConsent)>,
}

impl Openings {
    pub(super) fn new(environment: &Environment) -> Self {
        Self {
            recent: scan::recent(environment),
            file: scan::recent_file(environment),
            in_progress: BTreeSet::new(),
            waiting: Vec::new(),
        }
    }

    /// Notes which masters started and ended.
    pub(super) fn note_masters(&mut self, before: Option<&Snapshot>, now: &Snapshot) {
        self.store(self.recent.clone().after(before, now));
    }

    /// Notes that a person opens a master for this host.
    pub(super) fn note_use(&mut self, alias: &HostAlias) {
        let mut recent = self.recent.clone();
        recent.used(alias);
        self.store(recent);
    }

    /// If the file cannot be written, the order in the menu and the use of the administrator's hosts are forgotten at the
    /// end of the program.
    fn store(&mut self, recent: Recent) {
        if recent == self.recent {
            return;
        }
        self.recent = recent;
        let stored = serde_json::to_vec(&self.recent)
            .map_err(std::io::Error::from)
            .and_then(|bytes| match &self.file {
                Some(path) => files::write_private(path, &bytes),
                None => Ok(()),
            });
        if let Err(error) = stored {
            tracing::debug!("recent hosts not stored: {error}");
        }
    }
}
