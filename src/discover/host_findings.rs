//! The hosts that ssh answered for, and the findings of the others.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tr::tr;

use super::config_contents::Located;
use super::host_answer::{HostAnswer, QueryFailure, RETRY_AFTER, is_by_systemd};
use crate::model::control_path::HostAlias;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::places::{Host, UNNAMED_HOST, WrittenBy, is_local_name};
use crate::model::text;

/// Makes the findings of hosts without an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    /// The argument of `-F`, for commands.
    pub(super) config: Option<&'a Path>,
    pub(super) uid: u32,
}

impl Judge<'_> {
    /// Returns the hosts with an answer, and one finding for each different failure of the others. There are none about
    /// names of the system's own, which the user cannot change.
    pub(super) fn judge(
        &self,
        aliases: &[Located<String>],
        answers: Vec<HostAnswer>,
    ) -> (Vec<Host>, Vec<Finding>) {
        let mut hosts = Vec::new();
        let mut failures: Vec<(HostAnswer, Vec<&str>)> = Vec::new();
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
        let findings = findings.collect();
        (hosts, findings)
    }

    /// Returns the finding of a configuration that names no host, if ssh rejects it.
    pub(super) fn rejected_for_all(&self, answer: &HostAnswer) -> Option<Finding> {
        let is_rejected = matches!(answer, HostAnswer::Rejected(_));
        is_rejected.then(|| self.finding(tr!("every host"), UNNAMED_HOST, answer))?
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
                    let (id, subject) = (FindingId::SshConfigInvalid, text::path(&file));
                    let finding = Finding::new(id, subject, evidence, tr!("correct it with"));
                    return Some(finding.with_command(self.permissions_command(&file)));
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

    fn permissions_command(&self, file: &Path) -> String {
        let word = text::shell_word(file.as_os_str());
        let is_misowned =
            fs::metadata(file).is_ok_and(|stat| stat.uid() != 0 && stat.uid() != self.uid);
        if is_misowned {
            format!("sudo chown {} {word}", self.uid)
        } else {
            format!("chmod go-w {word}")
        }
    }
}

/// Returns the file that ssh rejects for its owner or mode (`read_config_file_depth()` in readconf.c). Only ssh decides
/// this: Debian and Ubuntu accept a file that the user's private group may write to (user-group-modes.patch).
fn rejected_file(message: &str) -> Option<PathBuf> {
    let file = message.strip_prefix("Bad owner or permissions on ")?;
    // ssh may print two slashes. A name that was escaped is not found.
    let file: PathBuf = Path::new(file).components().collect();
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
        };
        let rejected = || HostAnswer::Rejected(Rejection::Message("bad".to_owned()));
        let aliases =
            [".host", "machine/.host", "vsock/3", "web", "db", "c"].map(|alias| Located {
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
        ];
        let (hosts, findings) = judge.judge(&aliases, answers);
        let hosts: Vec<(&str, WrittenBy)> = hosts
            .iter()
            .map(|host| (&*host.alias.0, host.written_by))
            .collect();
        assert_eq!(hosts, [("vsock/3", WrittenBy::System)]);
        let subjects: Vec<&str> = findings.iter().map(|it| it.subject.as_str()).collect();
        assert_eq!(subjects, ["host web and 1 more", "host c"]);
        let severities: Vec<Severity> = findings.iter().map(|it| it.severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Warning]);
        assert_eq!(
            findings[0].command.as_deref(),
            Some("ssh -F '/my config' -G web")
        );
    }
}
