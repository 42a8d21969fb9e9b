//! The memory of what ssh said, in a file and by its [`Identity`].
//!
//! A cache that cannot be read, is not the user's own, or is not whole is no cache; one that cannot be written costs
//! time and nothing else. Paths that are no UTF-8 do not fit JSON: a configuration with such is not kept. What is kept
//! is in no language: the next run may speak another.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::Request;
use super::config_inputs::Trail;
use super::environment::Surroundings;
use super::file_stamp::Stamp;
use super::hosts::Answer;
use super::ssh_config::Configuration;
use crate::files;
use crate::model::interest::Interest;

/// Goes up with every change of what is stored or of how it is made.
const FORMAT: u32 = 5;

/// A cache file beyond this size is not ours.
const MAX_BYTES: u64 = 32 << 20;

/// Everything that decides what the ssh configuration says: which ssh, which files in which state, whose, and where.
///
/// Not among it: what `Match exec` commands, name servers and the network say. A host whose answer depends on those
/// keeps the answer it had when the configuration was last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    key: Key,
    trail: Trail,
    /// When hosts that did not answer are worth asking again.
    retry_at: Option<SystemTime>,
}

/// What is asked, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    format: u32,
    pub(super) program: Option<PathBuf>,
    program_stamp: Option<Stamp>,
    pub(super) config: Option<PathBuf>,
    system_config: PathBuf,
    home: PathBuf,
    uid: u32,
    user: std::ffi::OsString,
    host_name: std::ffi::OsString,
}

impl Key {
    pub(super) fn of(request: &Request, surroundings: &Surroundings) -> Self {
        let program = request.ssh.file(surroundings);
        Self {
            format: FORMAT,
            program_stamp: program.as_deref().map(Stamp::of),
            program,
            config: request.ssh.config_file(),
            system_config: surroundings.system_config.clone(),
            home: surroundings.known.home.clone(),
            uid: surroundings.known.uid,
            user: surroundings.known.user.clone(),
            host_name: surroundings.known.host_name.clone(),
        }
    }
}

impl Identity {
    pub(super) fn new(key: Key, trail: Trail, retry_at: Option<SystemTime>) -> Self {
        Self {
            key,
            trail,
            retry_at,
        }
    }

    /// Whether discovering again would say the same about the ssh configuration: some stats, and a listing for each
    /// Include with wildcards; no file is opened and nothing is run. Cheap enough for a timer.
    ///
    /// It turns false five minutes after a host did not answer in time, so that it is asked again.
    #[must_use]
    pub fn still_holds(&self, request: &Request, surroundings: &Surroundings) -> bool {
        !self.is_to_be_retried() && self.is_current(&Key::of(request, surroundings), surroundings)
    }

    /// Whether it is time to ask hosts again that did not answer.
    pub(super) fn is_to_be_retried(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= SystemTime::now())
    }

    /// Whether it turns false by a change alone, and not by time.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.retry_at.is_none()
    }

    /// What on disk would make it turn false, and that an ssh starts.
    #[must_use]
    pub fn interests(&self, surroundings: &Surroundings) -> Vec<Interest> {
        let user_config = surroundings.user_config();
        let read: Vec<&Path> = match &self.key.config {
            Some(config) => vec![config],
            None => vec![&user_config, &self.key.system_config],
        };
        self.trail.interests(&read, surroundings)
    }

    /// What was asked.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// The same identity after hosts were asked again.
    pub(super) fn retried(self, retry_at: Option<SystemTime>) -> Self {
        Self { retry_at, ..self }
    }

    /// The same, whether or not it is time to ask again.
    pub(super) fn is_current(&self, key: &Key, surroundings: &Surroundings) -> bool {
        self.key == *key && self.trail.still_holds(surroundings)
    }
}

/// What was read and answered, and what that depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) identity: Identity,
    pub(super) configuration: Configuration,
    /// One for each alias of the configuration, in their order; none at all where ssh could not be started.
    pub(super) answers: Vec<Answer>,
    /// What ssh said of a host that no alias names, where it was asked.
    pub(super) other: Option<Answer>,
}

impl Record {
    /// The record in a file; `None` for every reason there can be.
    pub(super) fn load(path: &Path, uid: u32) -> Option<Self> {
        let text = files::read_private(path, uid, MAX_BYTES)?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        let is_whole = record.answers.len() == record.configuration.aliases.len();
        is_whole.then_some(record)
    }

    /// Puts the record into the file, whole or not at all, readable to its owner only.
    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        files::write_private(path, &serde_json::to_vec(self)?)
    }
}
