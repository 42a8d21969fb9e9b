//! Findings: what is or will be wrong, what was seen of it, and what to do.

use serde::Serialize;

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
    PathTooLong "path-too-long" Error "A configured host's ControlPath does not fit a socket address."
    ConfigInvalid "config-invalid" Error "muxtray's own configuration file is not valid."
    SshConfigInvalid "ssh-config-invalid" Warning "A part of the ssh configuration could not be read or understood."
    WatchLimit "watch-limit" Info "The kernel's limits leave something unwatched, so changes are noticed late."
    SshMissing "ssh-missing" Error "The ssh program cannot be started."
}

impl Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that is wrong. Every text is one printable line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind.
    pub id: FindingId,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about: a path, a host, a file and line.
    pub subject: String,
    /// What was seen, with numbers.
    pub evidence: String,
    /// What to do, one sentence; with the exact command where there is one.
    pub remedy: String,
    /// Whether muxtray can mend it safely by itself.
    pub fixable: bool,
}

impl Finding {
    /// A finding with its kind's own severity, not fixable.
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
            evidence: evidence.into(),
            remedy: remedy.into(),
            fixable: false,
        }
    }

    /// The same, mendable by muxtray.
    #[must_use]
    pub fn fixable(self) -> Self {
        Self {
            fixable: true,
            ..self
        }
    }
}
