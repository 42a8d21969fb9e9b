//! The parts of the ssh configuration files that muxtray reads, and the problems on the way. They are cached.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tr::tr;

use crate::model::control_path::TemplateError;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::places::{SwitchedOff, WrittenBy};
use crate::model::text;

pub(super) const MAX_FILES: usize = 1_024;

pub(super) const MAX_BYTES: u64 = 16 << 20;

/// Each alias costs a run of `ssh -G` when the configuration changes.
pub(super) const MAX_ALIASES: usize = 4_096;

/// ssh may be asked about a host of each.
pub(super) const MAX_WILDCARDS: usize = 16;

/// In the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SshConfig {
    /// Every ControlPath as it is written, each text once.
    pub(super) templates: Vec<Located<OsString>>,
    /// The wildcards of the user's `Host` and `Match host` blocks with a ControlPath or ControlMaster, or with a setting in
    /// which the name counts; at most [`MAX_WILDCARDS`].
    pub(super) wildcards: Vec<String>,
    /// Whether such a block sets ControlMaster.
    pub(super) wildcards_have_masters: bool,
    /// Whether the name as it is typed (`%n`, `%k`) is part of a proxy or key of the user's.
    pub(super) names_count: bool,
    /// Every concrete name of `Host`, `Match host` and `Match originalhost`, each once.
    pub(super) aliases: Vec<Located<String>>,
    pub(super) problems: Vec<ConfigProblem>,
    pub(super) switched_off: SwitchedOff,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Located<T> {
    pub(super) text: T,
    pub(super) file: PathBuf,
    pub(super) line: usize,
    pub(super) scope: Scope,
}

impl<T> Located<T> {
    /// Returns the author of the file. A name of the system's own counts as the system's all the same.
    pub(super) const fn written_by(&self) -> WrittenBy {
        match self.scope {
            Scope::User => WrittenBy::Person,
            Scope::System => WrittenBy::Administrator,
        }
    }

    pub(super) fn place(&self) -> String {
        place(&self.file, self.line)
    }
}

fn place(file: &Path, line: usize) -> String {
    tr!("{file} line {line}", file = text::path(file), line)
}

/// The configuration that a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Scope {
    /// The user's, or one given with `-F`: Includes may begin with `~`, and relative ones start from `~/.ssh`.
    User,
    /// The system's: relative Includes start from its directory.
    System,
}

/// A part of the configuration that muxtray cannot read. Errors that ssh itself reports are not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConfigProblem {
    pub(super) file: PathBuf,
    pub(super) line: Option<usize>,
    pub(super) cause: ProblemCause,
}

/// Texts are escaped already. They are not translated, because the cache may be read in another language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ProblemCause {
    NotRegularFile,
    TooManyFiles,
    TooLarge,
    TooManyHosts,
    Unreadable {
        is_missing: bool,
        error: String,
    },
    /// ssh would take the name for something else.
    HostNotUsable(String),
    BadInclude {
        include: String,
        error: TemplateError,
    },
}

impl ConfigProblem {
    pub(super) fn finding(&self) -> Finding {
        let subject = match self.line {
            Some(line) => place(&self.file, line),
            None => text::path(&self.file),
        };
        let (evidence, remedy) = (self.cause.evidence(), self.cause.remedy(&self.file));
        // Without the file of -F ssh connects to no host.
        let severity = match self.cause {
            ProblemCause::Unreadable {
                is_missing: true, ..
            } => Severity::Error,
            _ => Severity::Warning,
        };
        Finding::new(FindingId::SshConfigInvalid, subject, evidence, remedy).with_severity(severity)
    }
}

impl ProblemCause {
    fn evidence(&self) -> String {
        match self {
            Self::NotRegularFile => tr!("not a regular file, so muxtray does not read it"),
            Self::TooManyFiles => tr!(
                "the ssh configuration has more than {n} file; muxtray ignores the rest"
                    | "the ssh configuration has more than {n} files; muxtray ignores the rest"
                        % MAX_FILES
            ),
            Self::TooLarge => tr!(
                "the ssh configuration has more than {size}; muxtray ignores the rest",
                size = format_args!("{} MiB", MAX_BYTES >> 20)
            ),
            Self::TooManyHosts => tr!(
                "the ssh configuration has more than {n} host; muxtray ignores the rest"
                    | "the ssh configuration has more than {n} hosts; muxtray ignores the rest"
                        % MAX_ALIASES
            ),
            Self::Unreadable { error, .. } => tr!("not readable: {cause}", cause = error),
            Self::HostNotUsable(host) => tr!("ssh does not accept {host} as a host name", host),
            Self::BadInclude { include, error } => format!("Include {include}: {error}"),
        }
    }

    fn remedy(&self, file: &Path) -> String {
        let word = text::shell_word(file.as_os_str());
        match self {
            Self::NotRegularFile => tr!("keep the ssh configuration in a regular file"),
            Self::TooManyFiles | Self::TooLarge | Self::TooManyHosts => {
                tr!("shorten the ssh configuration, or add the other paths to extra_paths")
            }
            Self::Unreadable {
                is_missing: true, ..
            } => tr!("give a file that exists instead of {file}", file = word),
            Self::Unreadable { .. } => tr!(
                "make {file} readable, for example with {command}",
                file = word,
                command = format_args!("chmod u+r {word}")
            ),
            Self::HostNotUsable(_) => tr!("give the host another name"),
            Self::BadInclude { .. } => {
                tr!("correct the line; until then muxtray does not read the included files")
            }
        }
    }
}
