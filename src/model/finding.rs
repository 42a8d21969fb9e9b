//! Findings: what is or will be wrong, what was seen of it, and what to do.

use serde::{Serialize, Serializer};

use super::control_path::HostAlias;
use super::fix::Fix;
use super::text::{marked, translated};

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

/// The subject of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The state of a socket; the finding has the state's name.
    State,
    /// A socket, beside its state.
    Socket,
    Directory,
    Configuration,
}

/// A row of the table of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The name in JSON and in the configuration; never changes.
    pub id: &'static str,
    /// The severity, unless the finding itself sets another.
    pub severity: Severity,
    pub group: Group,
    /// The title of a notification and the label in the settings menu, in English. See [`FindingId::title`].
    pub title: &'static str,
    /// One cell of the tables in the documentation; text between backticks is typed or read literally.
    pub meaning: &'static str,
    /// The same for the general remedy. The remedy of one finding, with its numbers and paths, is [`Finding::remedy`].
    pub advice: &'static str,
}

macro_rules! findings {
    ($($name:ident { $($field:ident: $value:expr),+ $(,)? })+) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingId {
            $($name,)+
        }

        impl FindingId {
            /// Every id, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            #[must_use]
            pub const fn row(self) -> Row {
                use Group::{Configuration, Directory, Socket, State};
                use Severity::{Error, Info, Warning};
                match self {
                    $(Self::$name => Row { $($field: $value),+ },)+
                }
            }
        }
    };
}

findings! {
    Suspect {
        id: "suspect", severity: Info, group: State,
        title: marked!("network connection may be broken"),
        meaning: "a master runs, but its network connection may be broken: data is being retransmitted, there is no \
            route, or nothing has arrived since the machine resumed or the network changed",
        advice: "wait: it clears when the server answers",
    }
    Stranded {
        id: "stranded", severity: Error, group: State,
        title: marked!("master has lost its network connection"),
        meaning: "a master runs, but its connection is dead: its local address no longer exists (a VPN, another \
            Wi-Fi), or data has gone unacknowledged for 15 seconds (ServerAliveInterval times ServerAliveCountMax if \
            set)",
        advice: "`muxtray open --force` (Reconnect in the menu) ends it and opens another; or bring the address back",
    }
    Unresponsive {
        id: "unresponsive", severity: Error, group: State,
        title: marked!("master does not answer"),
        meaning: "a master holds the socket, but does not accept connections or does not answer",
        advice: "`kill -CONT` if its process is stopped; otherwise `muxtray exit --end-process`",
    }
    Stale {
        id: "stale", severity: Warning, group: State,
        title: marked!("stale control socket"),
        meaning: "no process listens: the master died without removing its socket",
        advice: "`muxtray clean`",
    }
    Misowned {
        id: "misowned", severity: Error, group: State,
        title: marked!("control socket belongs to another user"),
        meaning: "the file belongs to another user, often to root after `sudo ssh`",
        advice: "remove it as that user",
    }
    Foreign {
        id: "foreign", severity: Error, group: State,
        title: marked!("control socket is not held by your ssh"),
        meaning: "the process that listens is not an ssh of yours",
        advice: "do not connect through it; find out which program it is",
    }
    NotASocket {
        id: "not-a-socket", severity: Error, group: State,
        title: marked!("ControlPath is not a socket"),
        meaning: "a file, directory or symlink is in the place of the socket",
        advice: "move it away",
    }
    Denied {
        id: "denied", severity: Error, group: State,
        title: marked!("no permission to use the control socket"),
        meaning: "you have no permission to look at the socket or to connect to it",
        advice: "correct the mode of the file or directory",
    }
    Leftover {
        id: "leftover", severity: Warning, group: State,
        title: marked!("leftover from an interrupted start"),
        meaning: "the temporary socket of a start that was interrupted; no process listens",
        advice: "`muxtray clean`",
    }
    Orphaned {
        id: "orphaned", severity: Error, group: State,
        title: marked!("master runs without its control socket"),
        meaning: "a master still runs, but its socket file is gone or replaced",
        advice: "close its sessions, then `muxtray exit --end-process`; a plain `kill` may remove the socket of the \
            next master",
    }
    Unverifiable {
        id: "unverifiable", severity: Error, group: State,
        title: marked!("control socket cannot be verified"),
        meaning: "nothing can be proven, usually because the socket is on a network filesystem and may be another \
            machine's",
        advice: "check on the machines that share it; put `%C` or `%L` into ControlPath",
    }
    InsecureMode {
        id: "insecure-mode", severity: Warning, group: Socket,
        title: marked!("control socket is writable by others"),
        meaning: "group or others have write permission, so they may connect",
        advice: "`chmod 600`, or `muxtray doctor --fix`",
    }
    SessionsAtLimit {
        id: "sessions-at-limit", severity: Info, group: Socket,
        title: marked!("session limit reached"),
        meaning: "ten or more sessions are open, the default MaxSessions of a server",
        advice: "close some, or raise MaxSessions in the server's `sshd_config`",
    }
    NoPersistExpiry {
        id: "no-persist-expiry", severity: Info, group: Socket,
        title: marked!("idle master never exits"),
        meaning: "ControlPersist has no time limit, and the master has been idle for more than a day",
        advice: "`muxtray exit`; set a time, such as `ControlPersist 10m`",
    }
    DirectoryMissing {
        id: "directory-missing", severity: Error, group: Directory,
        title: marked!("control socket directory does not exist"),
        meaning: "the directory of a ControlPath does not exist, so ssh cannot create the socket",
        advice: "create it with `mkdir -m 700`, or `muxtray doctor --fix`",
    }
    DirectoryInsecure {
        id: "directory-insecure", severity: Error, group: Directory,
        title: marked!("control socket directory is writable by others"),
        meaning: "other users can replace the socket: they may write to the directory, or to one above it that lacks \
            the sticky bit",
        advice: "`chmod go-w`, or `muxtray doctor --fix`; if it is a shared directory such as `/tmp`, move the \
            ControlPath to a directory of your own",
    }
    DirectoryMisowned {
        id: "directory-misowned", severity: Error, group: Directory,
        title: marked!("control socket directory belongs to another user"),
        meaning: "the directory belongs to another user, often to root after `sudo`",
        advice: "`sudo chown` it to you",
    }
    DirectoryNotWritable {
        id: "directory-not-writable", severity: Error, group: Directory,
        title: marked!("control socket directory is not writable"),
        meaning: "you cannot create a socket in the directory: its mode, a parent without search permission, or a \
            read-only mount",
        advice: "`chmod u+rwx`, or move the ControlPath to another directory",
    }
    FilesystemUnsupported {
        id: "filesystem-unsupported", severity: Error, group: Directory,
        title: marked!("filesystem does not support control sockets"),
        meaning: "the filesystem has no sockets or no hard links: vfat, exfat, NTFS, Windows drives",
        advice: "move the ControlPath to another filesystem",
    }
    FilesystemFull {
        id: "filesystem-full", severity: Error, group: Directory,
        title: marked!("filesystem is full"),
        meaning: "no space or no inodes are left, or your quota is used up",
        advice: "free some space",
    }
    FilesystemNetwork {
        id: "filesystem-network", severity: Warning, group: Directory,
        title: marked!("control sockets on a network filesystem"),
        meaning: "on NFS, CIFS, sshfs and others, a socket may belong to another machine",
        advice: "move the ControlPath to a local directory, such as `/run/user/%i/%C`",
    }
    PathTooLong {
        id: "path-too-long", severity: Error, group: Configuration,
        title: marked!("ControlPath is too long"),
        meaning: "longer than 90 bytes once expanded, for at least one configured host",
        advice: "shorten the ControlPath; `%C` always takes 40 bytes",
    }
    PathCollision {
        id: "path-collision", severity: Error, group: Configuration,
        title: marked!("different hosts share a ControlPath"),
        meaning: "hosts with different user, host name or port share a path, so ssh may reach the wrong one",
        advice: "put `%C` into ControlPath",
    }
    PathNotPerMachine {
        id: "path-not-per-machine", severity: Warning, group: Configuration,
        title: marked!("several machines share a ControlPath"),
        meaning: "the home directory is shared between machines, and ControlPath has none of `%C`, `%l` and `%L`",
        advice: "put `%C` into ControlPath",
    }
    NoControlPersist {
        id: "no-control-persist", severity: Info, group: Configuration,
        title: marked!("ControlPersist is not set"),
        meaning: "ControlMaster without ControlPersist: the first session cannot end before the others",
        advice: "set `ControlPersist 10m`",
    }
    NoKeepalive {
        id: "no-keepalive", severity: Info, group: Configuration,
        title: marked!("ServerAliveInterval is not set"),
        meaning: "multiplexing without ServerAliveInterval: if the network fails, every session hangs until TCP gives \
            up, after about 15 minutes",
        advice: "set `ServerAliveInterval 15`",
    }
    ConfigInvalid {
        id: "config-invalid", severity: Error, group: Configuration,
        title: marked!("muxtray's configuration is not valid"),
        meaning: "muxtray's configuration file is not valid; the last valid settings stay in force",
        advice: "`muxtray config edit`",
    }
    SshConfigInvalid {
        id: "ssh-config-invalid", severity: Warning, group: Configuration,
        title: marked!("problem in the ssh configuration"),
        meaning: "ssh rejects its configuration, or muxtray cannot read a part of it",
        advice: "correct the file and line that the finding names",
    }
    WatchLimit {
        id: "watch-limit", severity: Info, group: Configuration,
        title: marked!("kernel limit reached, changes are noticed late"),
        meaning: "a kernel limit is reached (inotify watches, open files), so muxtray checks every 30 seconds instead",
        advice: "`sudo sysctl fs.inotify.max_user_watches=524288`, or raise the limit that the finding names",
    }
    SshMissing {
        id: "ssh-missing", severity: Error, group: Configuration,
        title: marked!("ssh cannot be started"),
        meaning: "the ssh program cannot be started",
        advice: "install it, or set `ssh_program` in muxtray's configuration",
    }
}

impl FindingId {
    /// The name in JSON and in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().id
    }

    #[must_use]
    pub const fn severity(self) -> Severity {
        self.row().severity
    }

    /// The row's title in the language of the user.
    #[must_use]
    pub fn title(self) -> String {
        translated(self.row().title)
    }

    /// Whether this is the state of a socket. `running`, the only state that is no finding, has no id.
    #[must_use]
    pub const fn is_state(self) -> bool {
        matches!(self.row().group, Group::State)
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
    use std::collections::BTreeSet;

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
    fn rows_have_distinct_ids_and_titles_and_fit_a_table() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for finding in FindingId::ALL {
            let Row {
                id,
                title,
                meaning,
                advice,
                ..
            } = finding.row();
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            assert!(!id.is_empty() && id.chars().all(is_plain), "{id}");
            assert!(ids.insert(id) && titles.insert(title), "{id}: {title}");
            assert_eq!(serde_json::to_string(finding).unwrap(), format!("\"{id}\""));
            for text in [title, meaning, advice] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{id}: {text}");
                assert!(!text.contains(['|', '\n', '\\']), "{id}: {text}");
                assert!(!text.contains("  "), "{id}: {text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{id}: {text}");
            }
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
