//! The answer of `ssh -G` for a host. It is cached, so its texts are not translated.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tr::tr;

use crate::bounded_command::MAX_OUTPUT;
use crate::model::control_path::{ControlPath, Destination, HostAlias};
use crate::model::host_settings::HostSettings;
use crate::model::places::{ControlMaster, Host, Persist, WrittenBy};
use crate::model::text;

/// How long after a failure to ask again about the host.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum HostAnswer {
    /// Without the place in the configuration, which a change of other lines moves.
    Config(Box<Host>),
    /// ssh exited with an error, as it would another time.
    Rejected(Rejection),
    /// No answer, which may change with time.
    Failed(QueryFailure),
}

impl HostAnswer {
    pub(super) fn rejected(&self) -> Option<Rejected> {
        match self {
            Self::Rejected(rejection) => Some(rejection.rejected()),
            Self::Config(_) | Self::Failed(_) => None,
        }
    }
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

/// The object of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    /// The host, on purpose: RefuseConnection (OpenSSH 10.1) applies to it.
    Host,
    /// The name, which no host can have (`ssh_valid_hostname()` in readconf.c).
    Name,
    Configuration,
}

impl Rejection {
    pub(super) fn rejected(&self) -> Rejected {
        let Self::Message(message) = self else {
            return Rejected::Configuration;
        };
        let place = message.split(": RefuseConnection: ").next();
        let line = place.filter(|place| *place != message);
        if line.is_some_and(|place| place.contains(" line ")) {
            Rejected::Host
        } else if message == "hostname contains invalid characters" {
            Rejected::Name
        } else {
            Rejected::Configuration
        }
    }
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
    /// ssh looks the name up before it prints anything (CanonicalizeHostname), and there is no such name now; its message.
    NotResolved(String),
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
            Self::NotResolved(error) | Self::NoResources(error) => error.clone(),
        })
    }
}

/// Parses lines of a keyword and a value. Only a path may hold bytes that are not UTF-8.
pub fn parse_host(alias: HostAlias, output: &[u8]) -> Host {
    let lines = output.split(|byte| *byte == b'\n');
    let values: BTreeMap<&[u8], &[u8]> = lines
        .filter_map(|line| {
            let end = line.iter().position(|byte| *byte == b' ')?;
            Some((&line[..end], &line[end + 1..]))
        })
        .collect();
    let bytes = |keyword: &str| values.get(keyword.as_bytes()).copied();
    let value = |keyword: &str| String::from_utf8_lossy(bytes(keyword).unwrap_or_default());
    let user = value("user").into_owned();
    let has_session_type = !matches!(&*value("sessiontype"), "" | "default");
    let forks = value("forkafterauthentication") == "yes";
    let command_options = [
        (has_session_type, "SessionType=default"),
        (forks, "ForkAfterAuthentication=no"),
    ];
    Host {
        alias,
        source: None,
        written_by: WrittenBy::Person,
        control_path: bytes("controlpath")
            .and_then(|path| ControlPath::new(OsStr::from_bytes(path))),
        destination: Destination {
            user: (!user.is_empty()).then_some(user),
            host: value("hostname").into_owned(),
            port: value("port").parse().ok(),
        },
        control_master: ControlMaster::parse(&value("controlmaster")),
        has_connect_timeout: !matches!(&*value("connecttimeout"), "" | "none"),
        command_options: command_options
            .into_iter()
            .filter(|(is_needed, _)| *is_needed)
            .map(|(_, option)| option.to_owned())
            .collect(),
        persist: Persist::parse(&value("controlpersist")).unwrap_or_default(),
        server_alive_interval: value("serveraliveinterval").parse().unwrap_or(0),
        server_alive_count_max: value("serveralivecountmax").parse().unwrap_or(3),
        settings: HostSettings::parse(output),
    }
}

/// Whether systemd connects the host, and not the network.
pub(super) fn is_by_systemd(host: &Host) -> bool {
    let command = host.settings.values("proxycommand").next();
    command.is_some_and(is_systemd_proxy)
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
        let host = |output: &[u8]| parse_host(HostAlias("web".to_owned()), output);
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
    fn refused_hosts_and_names_are_no_invalid_configuration() {
        for (message, rejected) in [
            (
                "/home/u/.ssh/config line 4: RefuseConnection: use the vpn",
                Rejected::Host,
            ),
            (
                "/etc/ssh/ssh_config.d/9.conf line 1: RefuseConnection: see: RefuseConnection: x",
                Rejected::Host,
            ),
            ("hostname contains invalid characters", Rejected::Name),
            (
                "remote username contains invalid characters",
                Rejected::Configuration,
            ),
            (
                "c: line 1: Bad configuration option: refuseconnection",
                Rejected::Configuration,
            ),
            (
                "c line 4: keyword refuseconnection extra arguments at end of line",
                Rejected::Configuration,
            ),
            ("", Rejected::Configuration),
        ] {
            let rejection = Rejection::Message(message.to_owned());
            assert_eq!(rejection.rejected(), rejected, "{message}");
        }
        let no_message = Rejection::NoMessage("exit status: 255".to_owned());
        assert_eq!(no_message.rejected(), Rejected::Configuration);
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
