//! The hosts that ssh answered for, and the findings of the others.

use std::path::{Path, PathBuf};

use tr::tr;

use super::config_contents::{ConfigProblem, Located, ProblemCause};
use super::environment::Environment;
use super::host_answer::{HostAnswer, QueryFailure, RETRY_AFTER, Rejected, is_by_systemd};
use super::rejected_file::{ConfigFile, rejected_file};
use super::request::Request;
use super::ssh_query::UNKNOWN_OPTION;
use crate::model::control_path::{HostAlias, ssh_words};
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
    /// As it is configured, for commands.
    pub(super) program: &'a Path,
    /// The argument of `-F`, for commands.
    pub(super) config: Option<&'a Path>,
    pub(super) uid: u32,
    pub(super) home: &'a Path,
}

impl<'a> Judge<'a> {
    pub(super) fn new(request: &'a Request, environment: &'a Environment) -> Self {
        Self {
            home: &environment.known.home,
            program: &request.ssh.program,
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
        let program = text::shell_word(self.program.as_os_str());
        let command = format!("{program} {option}-G {}", ssh_words(alias));
        match answer {
            HostAnswer::Config(_) => None,
            HostAnswer::Rejected(rejection) => {
                Some(self.rejected(subject, alias, &rejection.to_string(), command))
            }
            HostAnswer::Failed(failure) => Some(failed(subject, failure, command)),
        }
    }

    fn rejected(&self, subject: String, alias: &str, message: &str, command: String) -> Finding {
        let evidence = tr!("ssh rejects its configuration: {cause}", cause = message);
        if let Some(file) = rejected_file(message) {
            let found = |remedy| invalid(text::path(&file), evidence, remedy);
            match ConfigFile::read(&file, self.home).command(self.uid) {
                Some(command) => found(tr!("correct it with")).with_command(command),
                None => found(tr!(
                    "its owner does not exist in this container or sandbox: run ssh outside of it"
                )),
            }
        } else if let Some(file) = marked_file(message) {
            let remedy = tr!("remove the byte order mark of an editor with");
            let word = text::shell_word(file.as_os_str());
            let command = format!(r"sed -i '1s/^\xef\xbb\xbf//' {word}");
            invalid(text::path(&file), evidence, remedy).with_command(command)
        } else if message.starts_with("hostname contains invalid characters") {
            // valid_hostname() in ssh.c: nobody can connect to this name, but to all others.
            let evidence = tr!(
                "ssh does not accept {host} as a host name",
                host = text::line(alias)
            );
            invalid(subject, evidence, tr!("give the host another name"))
                .with_severity(Severity::Warning)
        } else if let Some(options) = unknown_options(message) {
            let file = match self.config {
                Some(file) => text::path(file),
                None => "~/.ssh/config".to_owned(),
            };
            // ssh takes the first IgnoreUnknown that applies to the host (`process_config_line_depth()` in readconf.c).
            let remedy = tr!(
                "correct a misspelt name, remove the option, or begin {file} with this line (with the names of an \
                 IgnoreUnknown that it has)",
                file
            );
            let line = format!("IgnoreUnknown {}", options.join(","));
            invalid(subject, evidence, remedy).with_lines([line])
        } else {
            let remedy = tr!(
                "correct the configuration until {command} prints it",
                command
            );
            invalid(subject, evidence, remedy).with_command(command)
        }
    }
}

fn failed(subject: String, failure: &QueryFailure, command: String) -> Finding {
    let evidence = tr!(
        "ssh did not print its configuration: {cause}",
        cause = failure
    );
    let minutes = RETRY_AFTER.as_secs() / 60;
    let remedy = match failure {
        QueryFailure::NoResources(_) => tr!(
            "close programs or raise the limits ({command}); muxtray asks ssh again after {minutes} minutes",
            command = "ulimit -a",
            minutes
        ),
        QueryFailure::NotResolved(_) => tr!(
            "connect to its network or VPN, or remove CanonicalizeHostname; muxtray asks ssh again after {minutes} minutes",
            minutes
        ),
        QueryFailure::Skipped | QueryFailure::TimedOut(_) | QueryFailure::TooMuchOutput => tr!(
            "find out why {command} hangs, such as a Match exec or a name server",
            command
        ),
    };
    invalid(subject, evidence, remedy)
        .with_severity(Severity::Warning)
        .with_command(command)
}

fn invalid(subject: String, evidence: String, remedy: String) -> Finding {
    Finding::new(FindingId::SshConfigInvalid, subject, evidence, remedy)
}

/// Returns the options that this build of ssh does not know; another may, such as GSSAPIKeyExchange or UseKeychain.
fn unknown_options(message: &str) -> Option<Vec<&str>> {
    let parts = message.split(UNKNOWN_OPTION).skip(1);
    let mut options: Vec<&str> = Vec::new();
    for part in parts {
        let option = part.split(", ").next()?;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric();
        (!option.is_empty() && option.bytes().all(is_word)).then_some(())?;
        if !options.contains(&option) {
            options.push(option);
        }
    }
    (!options.is_empty()).then_some(options)
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
            program: Path::new("ssh"),
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
            answer(
                "f: line 2: Bad configuration option: usekeychain, f: line 3: Bad configuration option: a, \
                 f: line 4: Bad configuration option: a",
            ),
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
        assert_eq!(findings[2].lines, ["IgnoreUnknown usekeychain,a"]);
        assert_eq!(
            findings[0].command.as_deref(),
            Some("ssh -F '/my config' -G web")
        );
    }
}
