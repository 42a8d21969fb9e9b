//! The hosts that ssh answered for, and the findings of the others.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use tr::tr;

use super::config_contents::{ConfigProblem, Located, ProblemCause};
use super::environment::Environment;
use super::host_answer::{HostAnswer, QueryFailure, RETRY_AFTER, Rejected, is_by_systemd};
use super::request::Request;
use crate::model::control_path::HostAlias;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::places::{Host, UNNAMED_HOST, WrittenBy, is_local_name};
use crate::model::text;

/// Why ssh prints no configuration for a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoHost {
    /// The configuration refuses connections to it; ssh's message.
    Refused(String),
    /// No host can have this name; ssh's message.
    BadName(String),
    Failed(Box<Finding>),
    /// ssh cannot be started, which is a finding of the places.
    NoSsh,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    /// The argument of `-F`, for commands.
    pub(super) config: Option<&'a Path>,
    pub(super) uid: u32,
    pub(super) home: &'a Path,
}

impl<'a> Judge<'a> {
    pub(super) fn new(request: &'a Request, environment: &'a Environment) -> Self {
        Self {
            home: &environment.known.home,
            config: request.ssh.config.as_deref(),
            uid: environment.known.uid,
        }
    }

    /// Returns the hosts with an answer, and one finding for each different failure of the others. There are none about
    /// names of the system's own, which the user cannot change.
    pub(super) fn judge(
        &self,
        aliases: &[Located<String>],
        answers: Vec<HostAnswer>,
    ) -> (Vec<Host>, Vec<Finding>) {
        let mut hosts = Vec::new();
        let mut failures: Vec<(HostAnswer, Vec<&str>)> = Vec::new();
        let mut unusable = Vec::new();
        for (alias, answer) in aliases.iter().zip(answers) {
            if let HostAnswer::Config(host) = answer {
                let source = Some((alias.file.clone(), alias.line));
                let written_by = written_by(alias, &host);
                hosts.push(Host {
                    source,
                    written_by,
                    ..*host
                });
            } else if !is_local_name(&alias.text) {
                match answer.rejected() {
                    Some(Rejected::Host) => continue,
                    Some(Rejected::Name) => {
                        unusable.push(unusable_name(alias).finding());
                        continue;
                    }
                    Some(Rejected::Configuration) | None => {}
                }
                match failures.iter_mut().find(|(known, _)| *known == answer) {
                    Some((_, names)) => names.push(&alias.text),
                    None => failures.push((answer, vec![&alias.text])),
                }
            }
        }
        let findings = failures.iter().filter_map(|(answer, names)| {
            let finding = self.finding(title(names), names[0], answer)?;
            Some(finding.with_hosts(names.iter().map(|name| HostAlias((*name).to_owned()))))
        });
        let findings = findings.chain(unusable).collect();
        (hosts, findings)
    }

    /// Returns the finding of a configuration that names no host, if ssh rejects it.
    pub(super) fn rejected_for_all(&self, answer: &HostAnswer) -> Option<Finding> {
        let is_rejected = answer.rejected() == Some(Rejected::Configuration);
        is_rejected.then(|| self.finding(tr!("every host"), UNNAMED_HOST, answer))?
    }

    pub(super) fn no_host(&self, destination: &str, answer: &HostAnswer) -> NoHost {
        match (answer, answer.rejected()) {
            (HostAnswer::Rejected(rejection), Some(Rejected::Host)) => {
                NoHost::Refused(rejection.to_string())
            }
            (HostAnswer::Rejected(rejection), Some(Rejected::Name)) => {
                NoHost::BadName(rejection.to_string())
            }
            _ => match self.finding(title(&[destination]), destination, answer) {
                Some(finding) => NoHost::Failed(Box::new(finding)),
                None => NoHost::NoSsh,
            },
        }
    }

    fn finding(&self, subject: String, alias: &str, answer: &HostAnswer) -> Option<Finding> {
        let option = text::option_of(self.config);
        let command = format!("ssh {option}-G {}", text::shell_word(OsStr::new(alias)));
        let (evidence, remedy) = match answer {
            HostAnswer::Config(_) => return None,
            HostAnswer::Rejected(rejection) => {
                let message = rejection.to_string();
                let evidence = tr!("ssh rejects its configuration: {cause}", cause = message);
                if let Some(file) = rejected_file(&message) {
                    return Some(self.rejected_file(&file, evidence));
                }
                if let Some(file) = marked_file(&message) {
                    let (id, subject) = (FindingId::SshConfigInvalid, text::path(&file));
                    let remedy = tr!("remove the byte order mark of an editor with");
                    let word = text::shell_word(file.as_os_str());
                    let command = format!(r"sed -i '1s/^\xef\xbb\xbf//' {word}");
                    let finding = Finding::new(id, subject, evidence, remedy);
                    return Some(finding.with_command(command));
                }
                // valid_hostname() in ssh.c: nobody can connect to this name, but to all others.
                if message.starts_with("hostname contains invalid characters") {
                    let evidence = tr!(
                        "ssh does not accept {host} as a host name",
                        host = text::line(alias)
                    );
                    let remedy = tr!("give the host another name");
                    let finding =
                        Finding::new(FindingId::SshConfigInvalid, subject, evidence, remedy);
                    return Some(finding.with_severity(Severity::Warning));
                }
                if let Some(option) = unknown_option(&message) {
                    let remedy = tr!("remove the option, or put before it");
                    let finding =
                        Finding::new(FindingId::SshConfigInvalid, subject, evidence, remedy);
                    return Some(finding.with_lines([format!("IgnoreUnknown {option}")]));
                }
                let remedy = tr!(
                    "correct the configuration until {command} prints it",
                    command
                );
                (evidence, remedy)
            }
            HostAnswer::Failed(failure) => {
                let evidence = tr!(
                    "ssh did not print its configuration: {cause}",
                    cause = failure
                );
                let remedy = match failure {
                    QueryFailure::NoResources(_) => tr!(
                        "close programs or raise the limits ({command}); muxtray asks ssh again after {minutes} minutes",
                        command = "ulimit -a",
                        minutes = RETRY_AFTER.as_secs() / 60
                    ),
                    QueryFailure::NotResolved(_) => tr!(
                        "connect to its network or VPN, or remove CanonicalizeHostname; muxtray asks ssh again after {minutes} minutes",
                        minutes = RETRY_AFTER.as_secs() / 60
                    ),
                    QueryFailure::Skipped
                    | QueryFailure::TimedOut(_)
                    | QueryFailure::TooMuchOutput => tr!(
                        "find out why {command} hangs, such as a Match exec or a name server",
                        command
                    ),
                };
                (evidence, remedy)
            }
        };
        let finding = Finding::new(FindingId::SshConfigInvalid, subject, evidence, remedy);
        let finding = match answer {
            HostAnswer::Failed(_) => finding.with_severity(Severity::Warning),
            HostAnswer::Config(_) | HostAnswer::Rejected(_) => finding,
        };
        Some(finding.with_command(command))
    }

    fn rejected_file(&self, path: &Path, evidence: String) -> Finding {
        let (id, subject) = (FindingId::SshConfigInvalid, text::path(path));
        let finding = |remedy| Finding::new(id, subject, evidence, remedy);
        match ConfigFile::read(path, self.home).command(self.uid) {
            Some(command) => finding(tr!("correct it with")).with_command(command),
            None => finding(tr!(
                "its owner does not exist in this container or sandbox: run ssh outside of it"
            )),
        }
    }
}

/// A file that ssh rejects. ssh wants it to be readable, the user's or root's, and not writable by others
/// (`read_config_file_depth()` in readconf.c). Only ssh decides this: Debian and Ubuntu accept a file that the user's
/// private group may write to (user-group-modes.patch).
#[derive(Debug, Clone, PartialEq, Eq)]
struct ConfigFile {
    word: String,
    owner: u32,
    /// Whether its owner has no id in this user namespace.
    is_unmapped: bool,
    is_in_home: bool,
    is_symlink: bool,
    is_readable: bool,
}

/// The owner of files whose owner has no id in the user namespace (user_namespaces(7)); the kernel's default.
const OVERFLOW_UID: u32 = 65534;

impl ConfigFile {
    fn read(path: &Path, home: &Path) -> Self {
        let owner = fs::metadata(path).map_or(0, |stat| stat.uid());
        let maps_all = || {
            let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
            map.split_whitespace().eq(["0", "0", "4294967295"])
        };
        Self {
            word: text::shell_word(path.as_os_str()),
            owner,
            is_unmapped: owner == OVERFLOW_UID && !maps_all(),
            is_in_home: path.starts_with(home),
            is_symlink: path.is_symlink(),
            is_readable: access(path, AccessFlags::R_OK).is_ok(),
        }
    }

    /// Returns the command after which ssh accepts the file; `None` if there is none here.
    fn command(&self, user: u32) -> Option<String> {
        let word = &self.word;
        let sudo = if self.owner == user { "" } else { "sudo " };
        if self.owner != user && self.owner != 0 {
            // A package manager's file, such as Nix's: a copy is the user's.
            if self.is_in_home && self.is_symlink && self.is_readable {
                let copy = format!("cp --remove-destination \"$(readlink -f {word})\" {word}");
                return Some(copy);
            }
            let owner = if self.is_in_home { user } else { 0 };
            return (!self.is_unmapped).then(|| format!("sudo chown {owner} {word}"));
        }
        Some(match self.is_readable {
            true => format!("{sudo}chmod go-w {word}"),
            false if self.owner == user => format!("chmod u+r {word}"),
            false if self.is_in_home => format!("sudo chown {user} {word}"),
            false => format!("sudo chmod a+r {word}"),
        })
    }
}

/// Returns the file that ssh cannot open, or rejects for its owner or mode.
fn rejected_file(message: &str) -> Option<PathBuf> {
    // ssh may print two slashes. A name that was escaped is not found.
    let file: PathBuf = Path::new(rejected_path(message)?).components().collect();
    file.exists().then_some(file)
}

fn rejected_path(message: &str) -> Option<&str> {
    message
        .strip_prefix("Bad owner or permissions on ")
        .or_else(|| {
            // Newer versions of ssh begin with the line of the Include.
            let (_, file) = message.split_once("Can't open user config file ")?;
            file.strip_suffix(": Permission denied")
        })
}

/// Returns the option that this build of ssh does not know; another may, such as GSSAPIKeyExchange or UseKeychain.
fn unknown_option(message: &str) -> Option<&str> {
    let (_, option) = message.split_once(": Bad configuration option: ")?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    (!option.is_empty() && option.bytes().all(is_word)).then_some(option)
}

fn unusable_name(alias: &Located<String>) -> ConfigProblem {
    ConfigProblem {
        file: alias.file.clone(),
        line: Some(alias.line),
        cause: ProblemCause::HostNotUsable(text::line(&alias.text)),
    }
}

/// Returns the file that ssh rejects for its byte order mark, which ssh reads as part of the first keyword.
fn marked_file(message: &str) -> Option<PathBuf> {
    let (file, rest) = message.split_once(" line 1:")?;
    // In the escaped message, each backslash is two.
    rest.contains(r"\\357\\273\\277").then_some(())?;
    let file = PathBuf::from(file.trim_end_matches(':'));
    file.exists().then_some(file)
}

fn title(aliases: &[&str]) -> String {
    let name = text::line(aliases[0]);
    match aliases.len() {
        1 => tr!("host {name}", name),
        number => tr!(
            "host {name} and {n} more" | "host {name} and {n} more" % number - 1,
            name
        ),
    }
}

pub(super) fn written_by(alias: &Located<String>, host: &Host) -> WrittenBy {
    if is_local_name(&alias.text) || is_by_systemd(host) {
        WrittenBy::System
    } else {
        alias.written_by()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::config_contents::Scope;
    use crate::discover::host_answer::{Rejection, parse_host};

    #[test]
    fn one_finding_for_each_failure_and_none_for_names_of_the_system() {
        let judge = Judge {
            config: Some(Path::new("/my config")),
            uid: 1000,
            home: Path::new("/home/u"),
        };
        let answer = |message: &str| HostAnswer::Rejected(Rejection::Message(message.to_owned()));
        let rejected = || answer("bad");
        let aliases = [
            ".host",
            "machine/.host",
            "vsock/3",
            "web",
            "db",
            "c",
            "old",
            "a,b",
            "k",
        ]
        .map(|alias| Located {
            text: alias.to_owned(),
            file: PathBuf::from("/home/u/.ssh/config"),
            line: 1,
            scope: Scope::User,
        });
        let answers = vec![
            rejected(),
            HostAnswer::Failed(QueryFailure::Skipped),
            HostAnswer::Config(Box::new(parse_host(
                HostAlias("vsock/3".to_owned()),
                b"controlpath /s/3\n",
            ))),
            rejected(),
            rejected(),
            HostAnswer::Failed(QueryFailure::TooMuchOutput),
            answer("f line 1: RefuseConnection: gone"),
            answer("hostname contains invalid characters"),
            answer("f: line 2: Bad configuration option: usekeychain"),
        ];
        let (hosts, findings) = judge.judge(&aliases, answers);
        let hosts: Vec<(&str, WrittenBy)> = hosts
            .iter()
            .map(|host| (&*host.alias.0, host.written_by))
            .collect();
        assert_eq!(hosts, [("vsock/3", WrittenBy::System)]);
        let subjects: Vec<&str> = findings.iter().map(|it| it.subject.as_str()).collect();
        let place = "/home/u/.ssh/config line 1";
        assert_eq!(subjects, ["host web and 1 more", "host c", "host k", place]);
        let severities: Vec<Severity> = findings.iter().map(|it| it.severity).collect();
        use Severity::{Error, Warning};
        assert_eq!(severities, [Error, Warning, Error, Warning]);
        assert_eq!(findings[2].lines, ["IgnoreUnknown usekeychain"]);
        assert_eq!(
            findings[0].command.as_deref(),
            Some("ssh -F '/my config' -G web")
        );
    }

    #[test]
    fn path_is_the_one_that_ssh_names() {
        for (message, path) in [
            ("Bad owner or permissions on /a b", Some("/a b")),
            (
                "Can't open user config file /a b: Permission denied",
                Some("/a b"),
            ),
            (
                "/c line 1: Can't open user config file /a: Permission denied",
                Some("/a"),
            ),
            ("Can't open user config file /a: No such file", None),
            ("/c line 1: Bad configuration option: x", None),
        ] {
            assert_eq!(rejected_path(message), path, "{message}");
        }
    }

    #[test]
    fn command_makes_ssh_accept_the_file() {
        let mine = ConfigFile {
            word: "f".to_owned(),
            owner: 1000,
            is_unmapped: false,
            is_in_home: true,
            is_symlink: false,
            is_readable: true,
        };
        let roots = ConfigFile {
            owner: 0,
            is_in_home: false,
            ..mine.clone()
        };
        let others = ConfigFile {
            owner: 7,
            ..mine.clone()
        };
        let unreadable = |file: &ConfigFile| ConfigFile {
            is_readable: false,
            ..file.clone()
        };
        for (file, command) in [
            (mine.clone(), Some("chmod go-w f")),
            (unreadable(&mine), Some("chmod u+r f")),
            (roots.clone(), Some("sudo chmod go-w f")),
            (unreadable(&roots), Some("sudo chmod a+r f")),
            (others.clone(), Some("sudo chown 1000 f")),
            (
                ConfigFile {
                    is_symlink: true,
                    ..others.clone()
                },
                Some("cp --remove-destination \"$(readlink -f f)\" f"),
            ),
            (
                ConfigFile {
                    owner: 7,
                    ..roots.clone()
                },
                Some("sudo chown 0 f"),
            ),
            (
                ConfigFile {
                    owner: OVERFLOW_UID,
                    is_unmapped: true,
                    ..roots
                },
                None,
            ),
        ] {
            assert_eq!(file.command(1000).as_deref(), command, "{file:?}");
        }
    }
}
