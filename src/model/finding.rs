//! The table of findings, and [`Finding`].

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::control_path::{ControlPath, HostAlias};
use super::fix::Fix;
use super::text::{marked, translated};

/// The severity of a finding. `error` makes `list` and `doctor` exit with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is broken.
    Info,
    /// Something is going to break, or is slower or less safe than it could be.
    Warning,
    /// Something is broken.
    Error,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// Whether it counts as a problem. The others are notes.
    pub fn is_problem(self) -> bool {
        self >= Self::Warning
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The state of a socket; the finding has the state's name.
    State,
    /// A socket, beside its state.
    Socket,
    Directory,
    Configuration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FindingRow {
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
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingId {
            $($name,)+
        }

        impl FindingId {
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            pub const fn row(self) -> FindingRow {
                use Group::{Configuration, Directory, Socket, State};
                use Severity::{Error, Info, Warning};
                match self {
                    $(Self::$name => FindingRow { $($field: $value),+ },)+
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
        advice: "`muxtray exit --end-process` (`--force` closes its sessions); a plain `kill` may remove the socket of \
            the next master",
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
        meaning: "others may connect: everybody, or a group with other members, has write permission",
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
    MasterOutdated {
        id: "master-outdated", severity: Info, group: Socket,
        title: marked!("master began with other settings"),
        meaning: "the configuration has changed a setting since the master began, and only a new master takes it up",
        advice: "`muxtray exit`, then `muxtray open`",
    }
    NotMultiplexed {
        id: "not-multiplexed", severity: Info, group: Socket,
        title: marked!("ssh does not use the running master"),
        meaning: "an ssh of yours has a connection of its own to the server of a master that it could share: `-S none` or \
            another ControlPath in its arguments, ControlMaster yes, or it began before the master",
        advice: "end it, and run `ssh` again",
    }
    ForwardExposed {
        id: "forward-exposed", severity: Warning, group: Socket,
        title: marked!("forwarding is open to other machines"),
        meaning: "a forwarding of the master listens beyond the loopback address, so other machines can connect; info if \
            the ssh configuration asks for that (GatewayPorts, `*` or an address)",
        advice: "`muxtray forward --cancel`, then add it on `localhost`",
    }
    DirectoryMissing {
        id: "directory-missing", severity: Error, group: Directory,
        title: marked!("control socket directory does not exist"),
        meaning: "the directory of a ControlPath does not exist, so ssh cannot create the socket",
        advice: "create it with `mkdir -m 700`, or `muxtray doctor --fix`; if it is below `/run` or `/tmp`, which a restart \
            empties, move the ControlPath",
    }
    DirectoryInsecure {
        id: "directory-insecure", severity: Error, group: Directory,
        title: marked!("control socket directory is writable by others"),
        meaning: "other users can replace the socket: everybody, or a group with other members, may write to the \
            directory, or to one above it that lacks the sticky bit",
        advice: "`chmod go-w`, or `muxtray doctor --fix`; if it is a shared directory such as `/tmp`, move the \
            ControlPath to a directory of your own",
    }
    DirectoryMisowned {
        id: "directory-misowned", severity: Error, group: Directory,
        title: marked!("control socket directory belongs to another user"),
        meaning: "the directory belongs to another user, often to root after `sudo`",
        advice: "`sudo chown` it to you if its parent is yours; otherwise move the ControlPath to a directory of your own",
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
        meaning: "the filesystem has no sockets or hard links, or a linked socket refuses connections: vfat, exfat, NTFS, Windows drives, bindfs",
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
        meaning: "hosts share a path though they have another user, host name or port, or reach their place by another way \
            or as somebody else (ProxyJump, ProxyCommand, keys, HostKeyAlias), so ssh may reach the wrong one",
        advice: "put `%C` into ControlPath, or `%C-%n` if only the way or the keys differ",
    }
    PathNotPerHost {
        id: "path-not-per-host", severity: Error, group: Configuration,
        title: marked!("one ControlPath for every other host"),
        meaning: "the ControlPath of hosts that no `Host` line names does not contain the host, so that all have the first \
            one's master; a warning if only the port or the user is missing",
        advice: "put `%C` into ControlPath",
    }
    PathNotPerMachine {
        id: "path-not-per-machine", severity: Warning, group: Configuration,
        title: marked!("several machines share a ControlPath"),
        meaning: "the home directory is shared between machines, and ControlPath has none of `%C`, `%l` and `%L`",
        advice: "put `%C` into ControlPath",
    }
    ControlMasterYes {
        id: "control-master-yes", severity: Warning, group: Configuration,
        title: marked!("ControlMaster yes shares nothing"),
        meaning: "with `ControlMaster yes` or `ask`, ssh starts a master but never uses one that runs",
        advice: "set `ControlMaster auto`",
    }
    ControlMasterAsk {
        id: "control-master-ask", severity: Error, group: Configuration,
        title: marked!("nobody can confirm shared sessions"),
        meaning: "with `ControlMaster ask` or `autoask`, the master asks before each session; without an ssh-askpass \
            program or a display it refuses them all",
        advice: "set `ControlMaster auto`, or install an ssh-askpass program",
    }
    NoControlMaster {
        id: "no-control-master", severity: Warning, group: Configuration,
        title: marked!("ControlMaster is not set"),
        meaning: "ControlPath without ControlMaster: ssh starts no master, so nothing is shared",
        advice: "set `ControlMaster auto`",
    }
    NoControlPath {
        id: "no-control-path", severity: Warning, group: Configuration,
        title: marked!("ControlPath is not set"),
        meaning: "ControlMaster without ControlPath: nothing is shared",
        advice: "set `ControlPath ~/.ssh/s/%C`",
    }
    NotConfigured {
        id: "not-configured", severity: Info, group: Configuration,
        title: marked!("multiplexing is not configured"),
        meaning: "no host multiplexes: every `ssh` makes a connection of its own",
        advice: "put the lines that the finding prints into `~/.ssh/config`",
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
    ForwardPortTaken {
        id: "forward-port-taken", severity: Warning, group: Configuration,
        title: marked!("port of a configured forwarding is taken"),
        meaning: "another program, or another master, holds the port of a LocalForward or DynamicForward of a host that \
            multiplexes, so that forwarding does not exist; only `doctor` looks for it",
        advice: "use another port, or end what holds it",
    }
    ConfigInvalid {
        id: "config-invalid", severity: Error, group: Configuration,
        title: marked!("muxtray's configuration is not valid"),
        meaning: "muxtray's configuration file is not valid; the last valid settings stay in force",
        advice: "`muxtray config edit`",
    }
    SshConfigInvalid {
        id: "ssh-config-invalid", severity: Error, group: Configuration,
        title: marked!("problem in the ssh configuration"),
        meaning: "ssh rejects its configuration and connects nowhere; a warning if only muxtray cannot read a part of it",
        advice: "correct the file and line that the finding names",
    }
    WatchLimit {
        id: "watch-limit", severity: Info, group: Configuration,
        title: marked!("kernel limit reached, changes are noticed late"),
        meaning: "a kernel limit is reached (inotify watches, open files), so muxtray checks every 30 seconds instead",
        advice: "`fs.inotify.max_user_watches=524288` in a file of `/etc/sysctl.d`, then `sudo sysctl --system`; or raise \
            the limit that the finding names",
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
    pub const fn as_str(self) -> &'static str {
        self.row().id
    }

    pub const fn severity(self) -> Severity {
        self.row().severity
    }

    pub fn title(self) -> String {
        translated(self.row().title)
    }

    /// Returns the setting of ssh that is not set, if that is the finding.
    #[must_use]
    pub fn missing_setting(self) -> Option<&'static str> {
        self.row().title.strip_suffix(" is not set")
    }

    /// Whether this is the state of a socket. `running`, the only state that is no finding, has no id.
    pub const fn is_state(self) -> bool {
        matches!(self.row().group, Group::State)
    }
}

impl Serialize for FindingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A problem. Every text is one printable line in the language of the user; programs read the other fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub id: FindingId,
    pub severity: Severity,
    /// A path, a host, or a file and line. A path below the home directory begins with `~`.
    pub subject: String,
    /// The sockets and directories that the finding is about or affects.
    #[serde(skip)]
    pub paths: Vec<PathBuf>,
    /// The hosts of the ssh configuration, if the finding is about hosts.
    #[serde(skip)]
    pub hosts: Vec<HostAlias>,
    /// The facts, with numbers.
    pub evidence: String,
    /// The way out in one sentence, with the command if there is one.
    pub remedy: String,
    /// The command of the remedy alone, quoted for a shell.
    pub command: Option<String>,
    /// Lines for the ssh configuration. muxtray never writes them itself.
    pub lines: Vec<String>,
    /// The repair that muxtray can make safely. JSON has `"fixable": true` if there is one.
    #[serde(rename = "fixable", serialize_with = "serialize_is_some")]
    pub fix: Option<Fix>,
}

fn serialize_is_some<S: Serializer>(fix: &Option<Fix>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(fix.is_some())
}

impl Finding {
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
            paths: Vec::new(),
            hosts: Vec::new(),
            evidence: evidence.into(),
            remedy: remedy.into(),
            command: None,
            lines: Vec::new(),
            fix: None,
        }
    }

    /// Adds the command, and appends it to the remedy unless the remedy contains it.
    #[must_use]
    pub fn with_command(mut self, command: impl Into<String>) -> Self {
        let command = command.into();
        if !self.remedy.contains(&command) {
            self.remedy = format!("{}: {command}", self.remedy);
        }
        self.command = Some(command);
        self
    }

    #[must_use]
    pub fn with_paths(mut self, paths: impl IntoIterator<Item: Into<PathBuf>>) -> Self {
        self.paths = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Whether the finding is about this socket or its directory, or affects them.
    pub fn is_about(&self, path: &ControlPath) -> bool {
        let mut paths = self.paths.iter();
        paths.any(|about| about == path.as_path() || about == path.directory())
    }

    #[must_use]
    pub fn with_hosts(mut self, hosts: impl IntoIterator<Item = HostAlias>) -> Self {
        self.hosts = hosts.into_iter().collect();
        self
    }

    #[must_use]
    pub fn with_lines(mut self, lines: impl Into<Vec<String>>) -> Self {
        self.lines = lines.into();
        self
    }

    /// Returns the lines for the ssh configuration, or none if the remedy contains the setting.
    pub fn lines_beside_remedy(&self) -> impl Iterator<Item = &str> {
        let contains = |line: &String| self.remedy.contains(line.trim());
        let lines = if self.lines.iter().any(contains) {
            &[][..]
        } else {
            &self.lines
        };
        lines.iter().map(String::as_str)
    }

    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<Option<Fix>>) -> Self {
        self.fix = fix.into();
        self
    }

    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_have_distinct_ids_and_titles_and_fit_a_table() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for finding in FindingId::ALL {
            let FindingRow {
                id,
                title,
                meaning,
                advice,
                ..
            } = finding.row();
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            assert!(!id.is_empty() && id.chars().all(is_plain), "{id}");
            assert!(ids.insert(id) && titles.insert(title), "{id}: {title}");
            for text in [title, meaning, advice] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{id}: {text}");
                assert!(!text.contains(['|', '\n', '\\']), "{id}: {text}");
                assert!(!text.contains("  "), "{id}: {text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{id}: {text}");
            }
        }
    }

    #[test]
    fn json_has_the_promised_fields() {
        let finding = Finding::new(FindingId::Stale, "~/a", "seen", "remove it")
            .with_paths(["/home/u/a"])
            .with_hosts([HostAlias("web".to_owned())])
            .with_lines(["Host *".to_owned()])
            .with_fix(Fix::MakeDirectory("/s".into()))
            .with_severity(Severity::Info)
            .with_command("rm a")
            .with_command("rm a");
        insta::assert_snapshot!(serde_json::to_string(&finding).unwrap(), @r#"{"id":"stale","severity":"info","subject":"~/a","evidence":"seen","remedy":"remove it: rm a","command":"rm a","lines":["Host *"],"fixable":true}"#);
    }
}
