//! The cache of the ssh configuration and the answers of `ssh -G`, so that ssh runs only after a change.
//!
//! An invalid cache is ignored, and a cache that cannot be written only costs time. Paths that are not UTF-8 do not fit
//! into JSON, so a configuration with such paths is not cached.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::config_contents::{Located, SshConfig};
use super::config_inputs::ConfigInputs;
use super::earlier_answers::EarlierAnswers;
use super::environment::Environment;
use super::host_answer::HostAnswer;
use super::request::Request;
use crate::files;
use crate::model::interest::Interest;
use crate::model::places::Host;
use crate::observe::file_stamp::FileStamp;

/// Increases with every change of the format, or of how its contents are found.
const FORMAT: u32 = 11;

const MAX_BYTES: u64 = 32 << 20;

/// Identifies the state of everything that [`discover`](super::discover) depends on: the ssh program, its configuration
/// files, the user and the machine.
///
/// The results of `Match exec` commands, name servers and the network are not included. An answer that depends on them
/// is kept until the configuration changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub(super) key: CacheKey,
    pub(super) inputs: ConfigInputs,
    pub(super) retry_at: Option<SystemTime>,
}

/// The part of a fingerprint that is known before the configuration is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CacheKey {
    format: u32,
    pub(super) program: Option<PathBuf>,
    program_stamp: Option<FileStamp>,
    pub(super) config: Option<PathBuf>,
    system_config: PathBuf,
    home: PathBuf,
    uid: u32,
    user: OsString,
    host_name: OsString,
}

impl CacheKey {
    pub(super) fn new(request: &Request, environment: &Environment) -> Self {
        let program = request.ssh.file(environment);
        Self {
            format: FORMAT,
            program_stamp: program.as_deref().map(FileStamp::read),
            program,
            config: request.ssh.config_file(),
            system_config: environment.system_config.clone(),
            home: environment.known.home.clone(),
            uid: environment.known.uid,
            user: environment.known.user.clone(),
            host_name: environment.known.host_name.clone(),
        }
    }
}

impl Fingerprint {
    /// Whether another discovery would have the same result. Returns `false` as well when it is time to ask again about
    /// hosts without an answer.
    ///
    /// It costs some stats, and a listing for each Include with wildcards; it opens no file and runs nothing.
    pub fn is_current(&self, request: &Request, environment: &Environment) -> bool {
        !self.is_retry_due()
            && self.key == CacheKey::new(request, environment)
            && self.inputs.are_unchanged(environment)
    }

    pub(super) fn is_retry_due(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= SystemTime::now())
    }

    /// Whether only a change, and not time, ends [`Fingerprint::is_current`].
    pub const fn is_settled(&self) -> bool {
        self.retry_at.is_none()
    }

    /// Returns the files and directories to watch. A change of one ends [`Fingerprint::is_current`]; reading the
    /// configuration is an event too, because an ssh that starts reads it.
    pub fn interests(&self, environment: &Environment) -> Vec<Interest> {
        let user_config = environment.user_config();
        let read_by_ssh: Vec<&Path> = match &self.key.config {
            Some(config) => vec![config],
            None => vec![
                &user_config,
                &self.key.system_config,
                &environment.vendor_config,
            ],
        };
        self.inputs.interests(&read_by_ssh, environment)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CacheRecord {
    pub(super) fingerprint: Fingerprint,
    pub(super) config: SshConfig,
    /// One for each alias, in their order; empty if ssh could not be started.
    pub(super) answers: Vec<HostAnswer>,
    /// The answer for a host that no alias names, if ssh was asked.
    pub(super) unnamed_host: Option<HostAnswer>,
    /// A host of each of [`SshConfig::wildcards`] that has a ControlPath, with the wildcard.
    pub(super) wildcard_hosts: Vec<(String, Host)>,
    /// Whether a named host has a ControlPath of the same template.
    pub(super) is_unnamed_host_shown: bool,
    pub(super) earlier: EarlierAnswers,
}

impl CacheRecord {
    pub(super) fn load(path: &Path, uid: u32) -> Option<Self> {
        let record: Self = files::read_private_json(path, uid, MAX_BYTES)?;
        let is_complete = record.answers.len() == record.config.aliases.len();
        is_complete.then_some(record)
    }

    /// Returns the hosts of a changed configuration that had an answer before the change.
    pub(super) fn hosts_in(&self, config: &SshConfig) -> Vec<Host> {
        let known: HashMap<&str, &HostAnswer> = self
            .config
            .aliases
            .iter()
            .map(|alias| alias.text.as_str())
            .zip(&self.answers)
            .collect();
        let last = |alias: &Located<String>| match known.get(alias.text.as_str())? {
            HostAnswer::Config(host) => Some(Host {
                source: Some((alias.file.clone(), alias.line)),
                ..Host::clone(host)
            }),
            HostAnswer::Rejected(_) | HostAnswer::Failed(_) => None,
        };
        config.aliases.iter().filter_map(last).collect()
    }

    pub(super) fn store(&self, path: &Path) -> io::Result<()> {
        files::write_private_json(path, self)
    }
}
