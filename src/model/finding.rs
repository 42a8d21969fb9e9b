//! Findings: what is or will be wrong, what was seen of it, and what to do.

use serde::{Serialize, Serializer};

use super::control_path::HostAlias;
use super::fix::Fix;

/// How much a finding matters. `error` makes `list` and `doctor` exit with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is broken.
    Info,
    /// Something will break, or already costs something.
    Warning,
    /// Something is broken now.
    Error,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! finding_ids {
    ($($variant:ident $id:literal $severity:ident $doc:literal)*) => {
        /// The name of a kind of finding: stable, part of the JSON output and of the configuration.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingId {
            $(#[doc = $doc] $variant,)*
        }

        impl FindingId {
            /// Every id, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The id as it is written in JSON and in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// The severity a finding of this kind has.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

finding_ids! {
    Suspect "suspect" Info "The network behind a running master is doubtful."
    Stranded "stranded" Error "The connection of a running master cannot work any more."
    Unresponsive "unresponsive" Error "A master holds the socket but does not accept or answer."
    Stale "stale" Warning "Nobody listens on the socket."
    Misowned "misowned" Error "The file belongs to another user."
    Foreign "foreign" Error "Something that is not an ssh of the user's listens there."
    NotASocket "not-a-socket" Error "A file, directory or symlink stands where a control socket should."
    Denied "denied" Error "The user may not look at the socket, or not connect to it."
    Leftover "leftover" Warning "The temporary name of a start that broke off."
    Orphaned "orphaned" Error "A master lives on without its socket file."
    Unverifiable "unverifiable" Error "On a network filesystem: may be another machine's."
    InsecureMode "insecure-mode" Warning "Group or others may use the socket."
    SessionsAtLimit "sessions-at-limit" Info "As many sessions are open as a server allows by default."
    NoPersistExpiry "no-persist-expiry" Info "ControlPersist never ends the master, and nobody has used it for a day."
    DirectoryMissing "directory-missing" Error "The directory that a ControlPath names is not there."
    DirectoryInsecure "directory-insecure" Error "Others can put their own sockets in place of the user's."
    DirectoryMisowned "directory-misowned" Error "The directory belongs to another user."
    DirectoryNotWritable "directory-not-writable" Error "The user may not make a socket in the directory."
    FilesystemUnsupported "filesystem-unsupported" Error "The filesystem takes no sockets, or no hard links."
    FilesystemFull "filesystem-full" Error "No space or no inode is left for the user."
    FilesystemNetwork "filesystem-network" Warning "Other machines may share the directory."
    PathTooLong "path-too-long" Error "A configured host's ControlPath does not fit a socket address."
    PathCollision "path-collision" Error "Hosts that lead to different places share a ControlPath."
    PathNotPerMachine "path-not-per-machine" Warning "Machines that share a home share the ControlPath."
    NoControlPersist "no-control-persist" Info "Masters end with the session that began them."
    NoKeepalive "no-keepalive" Info "A dead network is noticed only after many minutes."
    ConfigInvalid "config-invalid" Error "muxtray's own configuration file is not valid."
    SshConfigInvalid "ssh-config-invalid" Warning "A part of the ssh configuration could not be read or understood."
    WatchLimit "watch-limit" Info "The kernel's limits leave something unwatched, so changes are noticed late."
    SshMissing "ssh-missing" Error "The ssh program cannot be started."
}

impl FindingId {
    /// Whether it is a state that a socket can be in, beside `running`.
    #[must_use]
    pub const fn is_state(self) -> bool {
        match self {
            Self::Suspect
            | Self::Stranded
            | Self::Unresponsive
            | Self::Stale
            | Self::Misowned
            | Self::Foreign
            | Self::NotASocket
            | Self::Denied
            | Self::Leftover
            | Self::Orphaned
            | Self::Unverifiable => true,
            Self::InsecureMode
            | Self::SessionsAtLimit
            | Self::NoPersistExpiry
            | Self::DirectoryMissing
            | Self::DirectoryInsecure
            | Self::DirectoryMisowned
            | Self::DirectoryNotWritable
            | Self::FilesystemUnsupported
            | Self::FilesystemFull
            | Self::FilesystemNetwork
            | Self::PathTooLong
            | Self::PathCollision
            | Self::PathNotPerMachine
            | Self::NoControlPersist
            | Self::NoKeepalive
            | Self::ConfigInvalid
            | Self::SshConfigInvalid
            | Self::WatchLimit
            | Self::SshMissing => false,
        }
    }
}

impl Serialize for FindingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that is wrong. Every text is one printable line, in the language of the person: no program may read what
/// it needs to know out of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind.
    pub id: FindingId,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about: a path, a host, a file and line.
    pub subject: String,
    /// The hosts of the ssh configuration that it is about, where it is about hosts.
    #[serde(skip)]
    pub hosts: Vec<HostAlias>,
    /// What was seen, with numbers.
    pub evidence: String,
    /// What to do, one sentence; with the exact command where there is one.
    pub remedy: String,
    /// That command alone, quoted for a shell.
    pub command: Option<String>,
    /// The lines to put into the ssh configuration, where that is what helps; muxtray never writes them.
    pub lines: Vec<String>,
    /// What muxtray can mend safely by itself. The JSON says `fixable`, whether there is such a thing.
    #[serde(rename = "fixable", serialize_with = "is_there")]
    pub fix: Option<Fix>,
}

fn is_there<S: Serializer>(fix: &Option<Fix>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(fix.is_some())
}

impl Finding {
    /// A finding with its kind's own severity, without a command, lines or a fix.
    #[must_use]
    pub fn new(
        id: FindingId,
        subject: impl Into<String>,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            id,
            severity: id.severity(),
            subject: subject.into(),
            hosts: Vec::new(),
            evidence: evidence.into(),
            remedy: remedy.into(),
            command: None,
            lines: Vec::new(),
            fix: None,
        }
    }

    /// The same, with the command that its remedy ends in. A remedy that does not name the command yet gets it.
    #[must_use]
    pub fn with_command(self, command: impl Into<String>) -> Self {
        let command = command.into();
        let remedy = if self.remedy.contains(&command) {
            self.remedy
        } else {
            format!("{}: {command}", self.remedy)
        };
        Self {
            remedy,
            command: Some(command),
            ..self
        }
    }

    /// The same, about these hosts.
    #[must_use]
    pub fn with_hosts(self, hosts: impl IntoIterator<Item = HostAlias>) -> Self {
        Self {
            hosts: hosts.into_iter().collect(),
            ..self
        }
    }

    /// The same, with lines for the ssh configuration.
    #[must_use]
    pub fn with_lines<const N: usize>(self, lines: [String; N]) -> Self {
        Self {
            lines: lines.into(),
            ..self
        }
    }

    /// The same, mendable by muxtray where there is a fix.
    #[must_use]
    pub fn with_fix(self, fix: impl Into<Option<Fix>>) -> Self {
        Self {
            fix: fix.into(),
            ..self
        }
    }

    /// The same, mattering more or less than its kind mostly does.
    #[must_use]
    pub fn with_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_rank_and_are_called_the_same_everywhere() {
        assert!(Severity::Info < Severity::Warning && Severity::Warning < Severity::Error);
        for (severity, word) in [
            (Severity::Info, "info"),
            (Severity::Warning, "warning"),
            (Severity::Error, "error"),
        ] {
            assert_eq!(severity.as_str(), word);
            let json = serde_json::to_string(&severity).unwrap();
            assert_eq!(json, format!("\"{word}\""));
        }
    }

    #[test]
    fn every_id_is_written_in_small_letters_and_read_by_nobody_twice() {
        for (at, id) in FindingId::ALL.iter().enumerate() {
            let name = id.as_str();
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            assert!(!name.is_empty() && name.chars().all(is_plain), "{name}");
            assert_eq!(serde_json::to_string(id).unwrap(), format!("\"{name}\""));
            let is_told_again = FindingId::ALL[..at].iter().any(|it| it.as_str() == name);
            assert!(!is_told_again, "{name} twice");
        }
    }

    fn finding() -> Finding {
        Finding::new(FindingId::Stale, "/s/a", "seen", "take it away")
    }

    #[test]
    fn a_new_one_has_its_kinds_severity_and_nothing_else() {
        insta::assert_snapshot!(serde_json::to_string(&finding()).unwrap(), @r#"{"id":"stale","severity":"warning","subject":"/s/a","evidence":"seen","remedy":"take it away","command":null,"lines":[],"fixable":false}"#);
        assert_eq!((finding().hosts, finding().fix), (Vec::new(), None));
    }

    #[test]
    fn the_remedy_ends_in_its_command_once() {
        let with = finding().with_command("rm a");
        assert_eq!(with.remedy, "take it away: rm a");
        assert_eq!(with.command.as_deref(), Some("rm a"));
        assert_eq!(with.clone().with_command("rm a"), with);
        let whole = Finding::new(FindingId::Stale, "/s/a", "seen", "rm a");
        assert_eq!(whole.with_command("rm a").remedy, "rm a");
    }

    #[test]
    fn what_is_added_changes_nothing_else() {
        let hosts = [HostAlias("web".to_owned()), HostAlias("db".to_owned())];
        let fix = Fix::MakeDirectory("/s".into());
        let full = finding()
            .with_hosts(hosts.clone())
            .with_lines(["Host *".to_owned()])
            .with_fix(fix.clone())
            .with_severity(Severity::Info);
        let expected = Finding {
            hosts: hosts.into(),
            lines: vec!["Host *".to_owned()],
            fix: Some(fix),
            severity: Severity::Info,
            ..finding()
        };
        assert_eq!(full, expected);
        let json = serde_json::to_value(&full).unwrap();
        assert_eq!(json["fixable"], true);
        assert_eq!(json.get("hosts"), None);
        assert_eq!(full.with_fix(None).fix, None);
    }
}
