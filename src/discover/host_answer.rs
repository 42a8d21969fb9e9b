//! The answer of `ssh -G` for a host. It is cached, so its texts are not translated.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tr::tr;

use super::bounded_command::MAX_OUTPUT;
use crate::model::control_path::{ControlPath, Destination, HostAlias};
use crate::model::host_settings::HostSettings;
use crate::model::places::{ControlMaster, Host, Persist, WrittenBy};
use crate::model::text;

/// How long after a failure to ask again about the host.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum HostAnswer {
    Config(HostConfig),
    /// ssh exited with an error, as it would another time.
    Rejected(Rejection),
    /// No answer, which may change with time.
    Failed(QueryFailure),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rejection {
    /// ssh's error message, escaped.
    Message(String),
    /// ssh printed no message; its exit status.
    NoMessage(String),
    /// It ended with success; the program is no ssh, or something replaces it.
    NoConfiguration,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => f.write_str(message),
            Self::NoMessage(status) => {
                f.write_str(&tr!("ssh ended with {status} and no message", status))
            }
            Self::NoConfiguration => f.write_str(&tr!("its output is no configuration")),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum QueryFailure {
    /// Not asked, because too many other hosts had failed or taken too long.
    Skipped,
    TimedOut(Duration),
    TooMuchOutput,
    /// ssh could not be started or read, because the system has run out of something; its message.
    NoResources(String),
}

impl fmt::Display for QueryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Skipped => tr!("not asked, because other hosts took too long"),
            Self::TimedOut(limit) => tr!(
                "no answer within {seconds} s",
                seconds = text::number(limit.as_secs_f32())
            ),
            Self::TooMuchOutput => tr!(
                "more than {size} of output",
                size = format_args!("{} KiB", MAX_OUTPUT >> 10)
            ),
            Self::NoResources(error) => error.clone(),
        })
    }
}

/// The settings in the output of `ssh -G` that muxtray uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HostConfig {
    control_path: Option<PathBuf>,
    user: String,
    host: String,
    port: Option<u16>,
    control_master: String,
    has_connect_timeout: bool,
    has_session_type: bool,
    forks: bool,
    /// As [`Persist::as_secs`].
    persist: Option<u32>,
    server_alive_interval: u32,
    server_alive_count_max: u32,
    is_by_systemd: bool,
    settings: HostSettings,
}

impl HostConfig {
    /// Parses lines of a keyword and a value. Only a path may hold bytes that are not UTF-8.
    pub(super) fn parse(output: &[u8]) -> Self {
        let lines = output.split(|byte| *byte == b'\n');
        let values: BTreeMap<&[u8], &[u8]> = lines
            .filter_map(|line| {
                let end = line.iter().position(|byte| *byte == b' ')?;
                Some((&line[..end], &line[end + 1..]))
            })
            .collect();
        let bytes = |keyword: &str| values.get(keyword.as_bytes()).copied();
        let value = |keyword: &str| String::from_utf8_lossy(bytes(keyword).unwrap_or_default());
        Self {
            control_path: bytes("controlpath").map(|path| PathBuf::from(OsStr::from_bytes(path))),
            user: value("user").into_owned(),
            host: value("hostname").into_owned(),
            port: value("port").parse().ok(),
            control_master: value("controlmaster").into_owned(),
            has_connect_timeout: !matches!(&*value("connecttimeout"), "" | "none"),
            has_session_type: !matches!(&*value("sessiontype"), "" | "default"),
            forks: value("forkafterauthentication") == "yes",
            persist: match &*value("controlpersist") {
                "" | "no" | "false" => None,
                "yes" | "true" => Some(0),
                seconds => seconds.parse().ok(),
            },
            server_alive_interval: value("serveraliveinterval").parse().unwrap_or(0),
            server_alive_count_max: value("serveralivecountmax").parse().unwrap_or(3),
            is_by_systemd: is_systemd_proxy(&value("proxycommand")),
            settings: HostSettings::parse(output),
        }
    }

    /// Whether it names the host, as every answer of an ssh does.
    pub(super) const fn is_complete(&self) -> bool {
        !self.host.is_empty()
    }

    pub(super) fn control_path(&self) -> Option<ControlPath> {
        self.control_path.as_ref().and_then(ControlPath::new)
    }

    pub(super) fn starts_masters(&self) -> bool {
        ControlMaster::parse(&self.control_master).starts_masters()
    }

    /// Whether systemd connects it, and not the network.
    pub(super) const fn is_by_systemd(&self) -> bool {
        self.is_by_systemd
    }

    pub(super) fn into_host(self, alias: HostAlias, source: Option<(PathBuf, usize)>) -> Host {
        Host {
            alias,
            source,
            written_by: WrittenBy::Person,
            control_path: self.control_path(),
            destination: Destination {
                user: (!self.user.is_empty()).then_some(self.user),
                host: self.host,
                port: self.port,
            },
            control_master: ControlMaster::parse(&self.control_master),
            has_connect_timeout: self.has_connect_timeout,
            command_options: [
                (self.has_session_type, "SessionType=default"),
                (self.forks, "ForkAfterAuthentication=no"),
            ]
            .into_iter()
            .filter_map(|(is_needed, option)| is_needed.then_some(option))
            .collect(),
            persist: match self.persist {
                None => Persist::No,
                Some(0) => Persist::Forever,
                Some(seconds) => Persist::Seconds(seconds),
            },
            server_alive_interval: self.server_alive_interval,
            server_alive_count_max: self.server_alive_count_max,
            settings: self.settings,
        }
    }
}

/// Whether a ProxyCommand, which is a shell command, runs systemd-ssh-proxy.
fn is_systemd_proxy(command: &str) -> bool {
    let mut words = command.split_ascii_whitespace();
    let program = words.find(|word| *word != "exec").unwrap_or_default();
    let program = program.trim_matches(|quote| matches!(quote, '"' | '\''));
    program.rsplit('/').next() == Some("systemd-ssh-proxy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_output_of_ssh() {
        let host =
            |output: &[u8]| HostConfig::parse(output).into_host(HostAlias("web".to_owned()), None);
        let web = host(
            b"user me\nhostname h.example.org\nport 2222\ncontrolmaster auto\nserveraliveinterval 15\n\
              controlpath /s s/me@h\ncontrolpersist 600\nidentityfile ~/.ssh/id\n",
        );
        assert_eq!(web.control_path, ControlPath::new("/s s/me@h"));
        assert_eq!(web.destination.to_string(), "me@h.example.org:2222");
        assert_eq!(web.persist, Persist::Seconds(600));
        assert_eq!(
            (web.server_alive_interval, web.server_alive_count_max),
            (15, 3)
        );
        assert_eq!(web.control_master, ControlMaster::Auto);
        assert!(!web.has_connect_timeout);
        let db = host(b"controlmaster autoask\nconnecttimeout 5\n");
        assert_eq!(db.control_master, ControlMaster::AutoAsk);
        let special = host(b"sessiontype none\nforkafterauthentication yes\n");
        let options = ["SessionType=default", "ForkAfterAuthentication=no"];
        assert_eq!(special.command_options, options);
        assert!(db.has_connect_timeout);
        for (output, persist, control_master) in [
            (
                "controlmaster false\ncontrolpersist no\n",
                Persist::No,
                ControlMaster::No,
            ),
            (
                "controlmaster no\ncontrolpersist yes\n",
                Persist::Forever,
                ControlMaster::No,
            ),
            (
                "controlmaster true\ncontrolpersist 0\n",
                Persist::Forever,
                ControlMaster::Yes,
            ),
            ("", Persist::No, ControlMaster::No),
            (
                "controlpersist x\ncontrolmaster\n",
                Persist::No,
                ControlMaster::No,
            ),
        ] {
            let host = host(output.as_bytes());
            assert_eq!(
                (host.persist, host.control_master),
                (persist, control_master)
            );
        }
        for (output, path) in [
            ("controlpath relative\n", None),
            ("controlpath /a/../b\n", None),
            ("controlpath /a/b\n", Some("/a/b")),
        ] {
            let path = path.and_then(ControlPath::new);
            assert_eq!(host(output.as_bytes()).control_path, path);
        }
    }

    #[test]
    fn recognizes_systemd_ssh_proxy() {
        for (command, expected) in [
            ("/usr/lib/systemd/systemd-ssh-proxy unix/run/x %p", true),
            ("exec /usr/libexec/systemd-ssh-proxy %h %p", true),
            ("\"/usr/lib/systemd/systemd-ssh-proxy\" %h %p", true),
            ("systemd-ssh-proxy", true),
            ("/usr/lib/systemd/systemd-ssh-proxy-2 %h", false),
            ("nc /usr/lib/systemd/systemd-ssh-proxy", false),
            ("", false),
        ] {
            assert_eq!(is_systemd_proxy(command), expected, "{command}");
        }
    }
}
