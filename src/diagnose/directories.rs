//! What is wrong with the directories that masters make their sockets in, and with what these lie on.
//!
//! ssh fails outright where it cannot make its socket, and its client asks nobody who listens there: so a directory
//! that others may write to is as bad as one that is not there. Source: `muxserver_listen()` in OpenSSH's mux.c.

mod filesystem;
mod insecure;

use std::path::Path;

use tr::tr;

use super::context::Context;
use super::{hosts, suggest};
use crate::model::directory::{Access, Directory, End, Part, Refusal, Rehearsal, Step, There};
use crate::model::finding::{Finding, FindingId};
use crate::model::fix::Fix;
use crate::model::places::Host;
use crate::model::socket::{FileKind, Socket, UserId};
use crate::model::text;

/// Everything that is wrong with the directories that the person needs; `sockets` are those that were found.
pub(super) fn findings(context: Context<'_>, sockets: &[Socket]) -> Vec<Finding> {
    let directories: Vec<&Directory> = context
        .directories
        .iter()
        .filter(|directory| is_needed(directory, sockets, context.uid))
        .collect();
    let mut findings: Vec<Finding> = insecure::findings(&directories, context).collect();
    for directory in directories {
        let case = Case { directory, context };
        match &directory.end {
            End::There(there) => {
                findings.extend(case.unusable(there));
                findings.extend(case.filesystem(there));
            }
            End::Missing { .. } | End::Other { .. } | End::Denied | End::Failed(_)
                if !directory.wanted.makes_masters => {}
            End::Missing { path, can_make } => findings.push(case.missing(path, *can_make)),
            End::Other { path, kind } => findings.push(case.in_the_way(path, *kind)),
            End::Denied => findings.push(case.closed()),
            End::Failed(words) => findings.push(case.not_writable(
                tr!("it cannot be looked at: {cause}", cause = text::line(words)),
                &tr!("mend that cause first"),
            )),
        }
    }
    findings
}

/// Whether the person needs the directory: see [`WrittenBy::Administrator`].
///
/// [`WrittenBy::Administrator`]: crate::core::places::WrittenBy::Administrator
fn is_needed(directory: &Directory, sockets: &[Socket], uid: UserId) -> bool {
    // An orphan has no file, and so no owner; its master is the person's.
    let is_persons = |socket: &Socket| socket.owner.as_ref().is_none_or(|owner| owner.uid == uid);
    directory.wanted.is_persons
        || sockets
            .iter()
            .any(|socket| socket.path.directory() == directory.path() && is_persons(socket))
}

/// One directory.
struct Case<'a> {
    directory: &'a Directory,
    context: Context<'a>,
}

impl Case<'_> {
    fn subject(&self) -> String {
        text::path(self.directory.path())
    }

    /// The evidence, with whose sockets are made there: `…; the ControlPath of host web is there`.
    fn with_use(&self, evidence: String) -> String {
        let used: Vec<&Host> = self
            .context
            .places
            .own_hosts()
            .filter(|(_, path)| path.directory() == self.directory.path())
            .map(|(host, _)| host)
            .collect();
        match used.as_slice() {
            [] => evidence,
            [_] => tr!(
                "{evidence}; the ControlPath of {host} is there",
                evidence,
                host = hosts::called(&used)
            ),
            _ => tr!(
                "{evidence}; the ControlPaths of {hosts} are there",
                evidence,
                hosts = hosts::called(&used)
            ),
        }
    }

    fn missing(&self, path: &Path, can_make: bool) -> Finding {
        let evidence = match self.directory.parts.last() {
            None => tr!("no such directory; nothing of its path is there"),
            Some(part) => tr!(
                "no such directory; the nearest that is there is {directory}",
                directory = self.described(part)
            ),
        };
        let finding = Finding::new(
            FindingId::DirectoryMissing,
            self.subject(),
            self.with_use(evidence),
            tr!("make it, for you alone"),
        );
        let word = text::shell_word(path.as_os_str());
        if path.starts_with("/run/user") && !can_make {
            let command = format!("sudo loginctl enable-linger {}", self.me());
            return Finding {
                remedy: tr!("it is made when you log in: log in anew, or have it there always"),
                ..finding
            }
            .with_command(command);
        }
        if !can_make {
            let me = self.me();
            return finding.with_command(format!("sudo install -d -m 700 -o {me} {word}"));
        }
        let parent = path.parent().unwrap_or(path);
        let is_parent_there = self
            .directory
            .parts
            .last()
            .is_some_and(|part| part.path == parent);
        let command = if is_parent_there {
            format!("mkdir -m 700 {word}")
        } else {
            format!("(umask 077 && mkdir -p {word})")
        };
        finding
            .with_command(command)
            .with_fix(Fix::MakeDirectory(path.to_owned()))
    }

    fn in_the_way(&self, path: &Path, kind: FileKind) -> Finding {
        let word = text::shell_word(path.as_os_str());
        Finding::new(
            FindingId::DirectoryMissing,
            self.subject(),
            self.with_use(tr!(
                "{kind} stands where a directory should be: {path}",
                kind = kind.phrase(),
                path = text::path(path)
            )),
            tr!("move it away, then make the directory"),
        )
        .with_command(format!("mv {word} {word}.saved"))
    }

    /// The last part may not be searched.
    fn closed(&self) -> Finding {
        let Some(part) = self.directory.parts.last() else {
            return self.not_writable(tr!("permission denied on its path"), &tr!("see which part"));
        };
        let word = text::shell_word(part.path.as_os_str());
        let finding = self.not_writable(
            self.with_use(tr!(
                "you may not search {directory}",
                directory = self.described(part)
            )),
            &tr!("let yourself in"),
        );
        if part.uid == self.context.uid {
            finding.with_command(format!("chmod u+rwx {word}"))
        } else {
            let command = format!(
                "namei -l {}",
                text::shell_word(self.directory.path().as_os_str())
            );
            Finding {
                remedy: tr!(
                    "have its owner let you in, or give ControlPath a directory of your own"
                ),
                ..finding
            }
            .with_command(command)
        }
    }

    fn not_writable(&self, evidence: String, remedy: &str) -> Finding {
        Finding::new(
            FindingId::DirectoryNotWritable,
            self.subject(),
            evidence,
            remedy,
        )
    }

    /// A directory of somebody else's, or one that no socket can be made in.
    fn unusable(&self, there: &There) -> Option<Finding> {
        let (own, _) = self.directory.own()?;
        let word = text::shell_word(own.path.as_os_str());
        let is_roots = own.uid == UserId(0);
        // In a directory that root keeps for everybody (/tmp) a socket of one's own is as good as any.
        if own.uid != self.context.uid && !(is_roots && there.access == Access::Full) {
            let me = self.me();
            return Some(
                Finding::new(
                    FindingId::DirectoryMisowned,
                    self.subject(),
                    self.with_use(tr!(
                        "it belongs to {owner}, not to you; mode {mode}",
                        owner = self.context.owner(own.uid),
                        mode = format_args!("{:04o}", own.mode)
                    )),
                    tr!("have it given to you"),
                )
                .with_command(format!("sudo chown {me}: {word}")),
            );
        }
        match (&there.access, &there.rehearsal) {
            (Access::Full, Some(Rehearsal::Failed { step, refusal, words })) => match refusal {
                Refusal::Denied | Refusal::Other => Some(self.not_writable(
                    tr!(
                        "{thing} cannot be made: {cause}",
                        thing = step_phrase(*step),
                        cause = text::line(words)
                    ),
                    &tr!(
                        "see what forbids it, such as a security module, or give ControlPath another directory"
                    ),
                )),
                Refusal::Unsupported | Refusal::Full => None,
            },
            (Access::Full, Some(Rehearsal::Passed) | None) => None,
            (Access::Denied, _) => Some(
                self.not_writable(
                    self.with_use(tr!(
                        "you may not make files in {directory}",
                        directory = self.described(own)
                    )),
                    &tr!("let yourself in"),
                )
                .with_command(format!("chmod u+rwx {word}")),
            ),
            (Access::ReadOnly, _) => {
                let evidence = match &there.volume {
                    Some(volume) => tr!(
                        "{filesystem} is mounted read-only",
                        filesystem = text::line(&volume.kind)
                    ),
                    None => tr!("its filesystem is mounted read-only"),
                };
                let line = suggest::RUNTIME;
                Some(
                    self.not_writable(
                        self.with_use(evidence),
                        &tr!(
                            "give ControlPath a directory that can be written to, such as: {line}",
                            line
                        ),
                    )
                    .with_lines(["Host *".to_owned(), format!("    {line}")]),
                )
            }
            (Access::Failed(words), _) => Some(self.not_writable(
                tr!(
                    "whether you may make files in it is not known: {cause}",
                    cause = text::line(words)
                ),
                &tr!("mend that cause first"),
            )),
        }
    }

    /// `/home/u/.ssh (mode 0700, owner u (uid 1000))`
    fn described(&self, part: &Part) -> String {
        described(part, self.context)
    }

    /// The user's name, or number, for chown.
    fn me(&self) -> String {
        let uid = self.context.uid;
        self.context
            .users
            .get(&uid)
            .map_or_else(|| uid.0.to_string(), |name| text::shell_word(name.as_ref()))
    }
}

fn step_phrase(step: Step) -> String {
    match step {
        Step::Socket => tr!("a socket"),
        Step::HardLink => tr!("a hard link to a socket"),
    }
}

fn described(part: &Part, context: Context<'_>) -> String {
    tr!(
        "{path} (mode {mode}, owner {owner})",
        path = text::path(&part.path),
        mode = format_args!("{:04o}", part.mode),
        owner = context.owner(part.uid)
    )
}

#[cfg(test)]
mod tests;
