//! What is wrong with the directories that masters make their sockets in, and with what these lie on.
//!
//! ssh fails outright where it cannot make its socket, and its client asks nobody who listens there: so a directory
//! that others may write to is as bad as one that is not there. Source: `muxserver_listen()` in OpenSSH's mux.c.

mod filesystem;

use std::collections::BTreeMap;
use std::path::Path;

use tr::tr;

use super::{Context, hosts, suggest};
use crate::core::directory::{Access, Directory, End, Part, Refusal, Rehearsal, Step, There};
use crate::core::finding::{Finding, FindingId, Severity};
use crate::core::fix::Fix;
use crate::core::places::Host;
use crate::core::socket::{FileKind, UserId};
use crate::core::text;

/// Whoever may write to a directory, beside its owner.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

pub(super) fn findings(context: Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = insecure(context).collect();
    for directory in context.directories {
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

/// The directories, each once, in which others than the user and root can replace or plant what a ControlPath names.
fn insecure(context: Context<'_>) -> impl Iterator<Item = Finding> {
    let mut found: BTreeMap<&Path, (&Part, Why, Vec<&Directory>)> = BTreeMap::new();
    let used = |directory: &&Directory| directory.wanted.makes_masters || directory.own().is_some();
    for directory in context.directories.iter().filter(used) {
        for (part, why) in weak_parts(directory, context.uid) {
            found
                .entry(&part.path)
                .or_insert((part, why, Vec::new()))
                .2
                .push(directory);
        }
    }
    found
        .into_values()
        .map(move |(part, why, directories)| insecure_finding(part, why, &directories, context))
}

/// What is weak about a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Others can replace what is in it.
    Open,
    /// Its sticky bit keeps the sockets in it, but others can be there first.
    SharedAndSticky,
}

fn weak_parts(directory: &Directory, uid: UserId) -> impl Iterator<Item = (&Part, Why)> {
    let own = directory.own().map(|(own, _)| own);
    directory.parts.iter().filter_map(move |part| {
        if part.is_symlink || part.mode & OTHERS_WRITE == 0 {
            return None;
        }
        let is_sticky = part.mode & STICKY != 0;
        if own == Some(part) {
            // What belongs to somebody else altogether is told as such.
            let is_ours = part.uid == uid || part.uid == UserId(0);
            return is_ours.then_some((
                part,
                if is_sticky {
                    Why::SharedAndSticky
                } else {
                    Why::Open
                },
            ));
        }
        // The sticky bit lets only the owners of a file and of the directory rename or remove it.
        let mut entries = directory
            .parts
            .iter()
            .filter(|entry| entry.path.parent() == Some(&part.path));
        let is_protected = is_sticky
            && (part.uid == UserId(0) || part.uid == uid)
            && entries.all(|entry| entry.uid == uid || entry.uid == UserId(0));
        (!is_protected).then_some((part, Why::Open))
    })
}

fn insecure_finding(
    part: &Part,
    why: Why,
    directories: &[&Directory],
    context: Context<'_>,
) -> Finding {
    let below = directories
        .iter()
        .find(|directory| directory.own().is_none_or(|(own, _)| own != part));
    let (mode, owner) = (format!("{:04o}", part.mode), context.owner(part.uid));
    let subject = text::path(&part.path);
    let line = suggest::control_path(&context.home.join(".ssh/s"), context.home);
    let lines = ["Host *".to_owned(), format!("    {line}")];
    if why == Why::SharedAndSticky {
        return Finding::new(
            FindingId::DirectoryInsecure,
            subject,
            tr!(
                "mode {mode}, owner {owner}: the sticky bit protects the sockets in it, but others can listen at a \
                 ControlPath before ssh does",
                mode,
                owner
            ),
            tr!("give ControlPath a directory of your own: {line}", line),
        )
        .with_severity(Severity::Info)
        .with_lines(lines);
    }
    let evidence = match below {
        Some(directory) => tr!(
            "mode {mode}, owner {owner}: others can put something of theirs in place of {path}",
            mode,
            owner,
            path = text::path(directory.path())
        ),
        None => tr!(
            "mode {mode}, owner {owner}: others can put something of theirs in place of the sockets in it",
            mode,
            owner
        ),
    };
    let finding = Finding::new(
        FindingId::DirectoryInsecure,
        subject,
        with_sticky_parent(evidence, part, directories),
        tr!("take the write permission from them"),
    );
    let word = text::shell_word(part.path.as_os_str());
    if part.uid == context.uid {
        let id = part.id;
        let path = part.path.clone();
        return finding
            .with_command(format!("chmod go-w {word}"))
            .with_fix(Fix::CloseDirectory { path, id });
    }
    let command = format!("sudo chmod go-w {word}");
    Finding {
        remedy: tr!(
            "give ControlPath a directory of your own ({line}), or have others' write permission taken",
            line
        ),
        ..finding
    }
    .with_command(command)
    .with_lines(lines)
}

/// The evidence, with a parent that looks as bad and is not: `…; its parent /tmp is sticky`.
fn with_sticky_parent(evidence: String, part: &Part, directories: &[&Directory]) -> String {
    let parent = directories
        .first()
        .and_then(|directory| {
            directory
                .parts
                .iter()
                .find(|parent| part.path.parent() == Some(&parent.path))
        })
        .filter(|parent| parent.mode & STICKY != 0);
    match parent {
        None => evidence,
        Some(parent) => tr!(
            "{evidence}; its parent {directory} is sticky",
            evidence,
            directory = text::path(&parent.path)
        ),
    }
}

#[cfg(test)]
mod tests;
