//! [`Fault`]: what can be wrong with the files of the ssh configuration, and its words. A fault is kept from run to
//! run with what was read, so it holds what was seen, and is put into words where it is told.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tr::tr;

use super::statements::{MAX_ALIASES, MAX_DEPTH, MAX_TEMPLATES};
use super::{MAX_BYTES, MAX_FILES, place};
use crate::model::control_path::TemplateError;
use crate::model::finding::{Finding, FindingId};
use crate::model::text;

/// Something that is wrong with the configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::discover) struct Remark {
    pub(super) file: PathBuf,
    /// The line, where it is about one.
    pub(super) line: Option<usize>,
    pub(super) fault: Fault,
}

/// What is wrong. Names are kept as printable lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::discover) enum Fault {
    /// Not to be read as a file.
    NoRegularFile,
    /// More than this many files.
    TooManyFiles,
    /// More than this many bytes.
    TooLarge,
    /// More hosts than can be asked about.
    TooManyHosts,
    /// More different ControlPaths.
    TooManyTemplates,
    /// The system's words.
    Unreadable { is_missing: bool, error: String },
    /// ssh refuses the file: its owner, and who it should be.
    Misowned { owner: u32, user: u32 },
    /// ssh refuses the file: its mode.
    Writable { mode: u32 },
    /// U+FEFF at the beginning.
    ByteOrderMark,
    /// A quote after this keyword.
    UnclosedQuote { keyword: String },
    /// Nothing after this keyword.
    NothingFollows { keyword: String },
    /// A host's name.
    NotUtf8 { host: String },
    /// A host's name.
    NotNameable { host: String },
    /// A ControlPath of several words.
    SeveralWords,
    /// `~` in an Include of the system's.
    SystemTilde,
    /// An Include that is no pattern.
    BadInclude {
        include: String,
        error: TemplateError,
    },
    /// A file that is being read already.
    IncludesItself { file: String },
    /// More than [`MAX_DEPTH`].
    TooDeep,
}

impl Remark {
    /// A file, or a file and line.
    pub(in crate::discover) fn subject(&self) -> String {
        match self.line {
            Some(line) => place(&self.file, line),
            None => text::path(&self.file),
        }
    }

    /// Whether only ssh's answers tell if it is wrong.
    pub(in crate::discover) fn depends_on_ssh(&self) -> bool {
        self.fault.depends_on_ssh()
    }

    /// The same as a finding.
    pub(in crate::discover) fn finding(&self) -> Finding {
        Finding::new(
            FindingId::SshConfigInvalid,
            self.subject(),
            self.fault.evidence(),
            self.fault.remedy(&self.file),
        )
    }
}

impl Fault {
    /// Whether one ssh refuses it and another does not: OpenSSH refuses a configuration that its group may write to;
    /// Debian and Ubuntu change that to a group with other members than the owner (user-group-modes.patch).
    pub(super) fn depends_on_ssh(&self) -> bool {
        matches!(self, Self::Writable { mode } if mode & 0o002 == 0)
    }

    /// What was seen.
    pub(super) fn evidence(&self) -> String {
        match self {
            Self::NoRegularFile => tr!("it is no regular file, so muxtray does not read it"),
            Self::TooManyFiles => tr!(
                "the ssh configuration has more than {n} file; muxtray reads no further"
                    | "the ssh configuration has more than {n} files; muxtray reads no further"
                        % MAX_FILES
            ),
            Self::TooLarge => tr!(
                "the ssh configuration has more than {size}; muxtray reads no further",
                size = format_args!("{} MiB", MAX_BYTES >> 20)
            ),
            Self::TooManyHosts => tr!(
                "the ssh configuration has more than {n} host; muxtray reads no further"
                    | "the ssh configuration has more than {n} hosts; muxtray reads no further"
                        % MAX_ALIASES
            ),
            Self::TooManyTemplates => tr!(
                "the ssh configuration has more than {n} ControlPath; muxtray reads no further"
                    | "the ssh configuration has more than {n} different ControlPaths; muxtray reads no further"
                        % MAX_TEMPLATES
            ),
            Self::Unreadable { error, .. } => tr!("it cannot be read: {cause}", cause = error),
            Self::Misowned { owner, .. } => {
                tr!("ssh refuses it: it belongs to user id {uid}", uid = owner)
            }
            Self::Writable { mode } => tr!(
                "ssh refuses it: group or others may write to it (mode {mode})",
                mode = format_args!("{mode:04o}")
            ),
            Self::ByteOrderMark => tr!(
                "the file begins with a byte order mark, which ssh takes for a part of the first keyword"
            ),
            Self::UnclosedQuote { keyword } => tr!(
                "a quote after {keyword} is never closed; ssh refuses the line",
                keyword
            ),
            Self::NothingFollows { keyword } => {
                tr!("nothing follows {keyword}; ssh refuses the line", keyword)
            }
            Self::NotUtf8 { host } => tr!("the host {host} is not valid UTF-8", host),
            Self::NotNameable { host } => {
                tr!("no command line of ssh can name the host {host}", host)
            }
            Self::SeveralWords => {
                tr!("more than one word follows controlpath; ssh refuses the line")
            }
            Self::SystemTilde => {
                tr!("an Include of the system's configuration begins with ~; ssh refuses it")
            }
            Self::BadInclude { include, error } => format!("Include {include}: {error}"),
            Self::IncludesItself { file } => tr!(
                "it includes {file}, which leads back here; ssh gives up on that",
                file
            ),
            Self::TooDeep => tr!(
                "Includes nest deeper than {depth}; ssh gives up on that",
                depth = MAX_DEPTH
            ),
        }
    }

    /// What to do about it in this file.
    pub(super) fn remedy(&self, file: &Path) -> String {
        let shown = || text::shell_word(file.as_os_str());
        match self {
            Self::NoRegularFile => tr!("keep the ssh configuration in a regular file"),
            Self::TooManyFiles | Self::TooLarge | Self::TooManyHosts | Self::TooManyTemplates => {
                tr!("shorten the ssh configuration, or name the rest in extra_paths")
            }
            Self::Unreadable {
                is_missing: true, ..
            } => tr!("name a file that exists instead of {file}", file = shown()),
            Self::Unreadable { .. } => tr!(
                "make {file} readable, for example with {command}",
                file = shown(),
                command = format_args!("chmod u+r {}", shown())
            ),
            Self::Misowned { user, .. } => tr!(
                "run {command} as root",
                command = format_args!("chown {user} {}", shown())
            ),
            Self::Writable { .. } => tr!(
                "run {command}",
                command = format_args!("chmod go-w {}", shown())
            ),
            Self::ByteOrderMark => tr!("save the file without a byte order mark"),
            Self::UnclosedQuote { .. } => tr!("close the quote"),
            Self::NothingFollows { .. } => tr!("complete or remove the line"),
            Self::NotUtf8 { .. } => {
                tr!("write the name in UTF-8; until then muxtray does not ask ssh for its path")
            }
            Self::NotNameable { .. } => tr!("give the host another name"),
            Self::SeveralWords => tr!("put a ControlPath with spaces in double quotes"),
            Self::SystemTilde => tr!("write an absolute path"),
            Self::BadInclude { .. } => {
                tr!("mend the line; until then muxtray does not read what it means")
            }
            Self::IncludesItself { .. } => {
                tr!("remove the Include, or make its pattern leave that file out")
            }
            Self::TooDeep => tr!("include the file from a file further up"),
        }
    }
}
