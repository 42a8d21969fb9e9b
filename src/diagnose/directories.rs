//! The findings of control socket directories and their filesystems.
//!
//! ssh fails if it cannot create its socket, and its client does not check the process that listens, so a directory that
//! others may write to is as bad as a missing one. Source: `muxserver_listen()` in OpenSSH's mux.c.

mod filesystem;
mod insecure;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tr::tr;

use super::context::Context;
use super::{commands, hosts, suggest};
use crate::model::directory::{Access, Directory, End, Existing, Part, Refusal, Rehearsal, Step};
use crate::model::finding::{Finding, FindingId};
use crate::model::fix::Fix;
use crate::model::places::Host;
use crate::model::socket::{FileKind, Socket, UserId};
use crate::model::text;

pub(super) fn findings(context: Context<'_>, sockets: &[Socket]) -> Vec<Finding> {
    let mut directories: Vec<&Directory> = context
        .directories
        .iter()
        .filter(|directory| is_needed(directory, sockets, context.uid))
        .collect();
    // A directory with two names is reported by that of its hosts.
    directories.sort_by_key(|directory| !directory.wanted.makes_masters);
    let mut seen = HashSet::new();
    let mut findings: Vec<Finding> = insecure::findings(&directories, context).collect();
    for directory in directories {
        let case = Case { directory, context };
        match &directory.end {
            End::Exists(_) if !directory.own().is_none_or(|(own, _)| seen.insert(own.id)) => {}
            End::Exists(there) => {
                findings.extend(case.unusable(there));
                findings.extend(case.filesystem(there));
            }
            End::Missing { .. } | End::Other { .. } | End::Denied | End::Failed(_)
                if !directory.wanted.makes_masters => {}
            End::Missing { path, can_make } => findings.push(case.missing(path, *can_make)),
            End::Other { path, kind } => findings.push(case.not_a_directory(path, *kind)),
            End::Denied => findings.push(case.not_searchable()),
            End::Failed(words) => findings.push(case.not_writable(
                tr!("not readable: {cause}", cause = text::line(words)),
                &tr!("fix the cause"),
            )),
        }
    }
    findings
}

/// Whether the user needs the directory: see [`WrittenBy::Administrator`].
///
/// [`WrittenBy::Administrator`]: crate::model::places::WrittenBy::Administrator
fn is_needed(directory: &Directory, sockets: &[Socket], uid: UserId) -> bool {
    // An orphan has no file and no owner; its master is the user's.
    let is_users = |socket: &Socket| socket.owner.as_ref().is_none_or(|owner| owner.uid == uid);
    directory.wanted.is_persons
        || sockets
            .iter()
            .any(|socket| socket.path.directory() == directory.path() && is_users(socket))
}

struct Case<'a> {
    directory: &'a Directory,
    context: Context<'a>,
}

impl Case<'_> {
    fn finding(&self, id: FindingId, evidence: String, remedy: impl Into<String>) -> Finding {
        let path = self.directory.path();
        Finding::new(id, self.context.tilde.path(path), evidence, remedy).with_paths([path])
    }

    /// Adds the hosts with a ControlPath in the directory to the evidence.
    fn with_hosts(&self, evidence: String) -> String {
        let hosts: Vec<&Host> = self
            .context
            .places
            .own_hosts()
            .filter(|(_, path)| path.directory() == self.directory.path())
            .map(|(host, _)| host)
            .collect();
        match hosts.as_slice() {
            [] => evidence,
            [_] => tr!(
                "{evidence}; the ControlPath of {host} is there",
                evidence,
                host = hosts::title(&hosts)
            ),
            _ => tr!(
                "{evidence}; the ControlPaths of {hosts} are there",
                evidence,
                hosts = hosts::title(&hosts)
            ),
        }
    }

    fn missing(&self, path: &Path, can_make: bool) -> Finding {
        if self.lacks_home(path) {
            let home = text::path(self.context.home);
            let evidence = tr!("the home directory {path} does not exist", path = home);
            let remedy = tr!(
                "find out why it is not there: perhaps its filesystem is not mounted; make nothing in its place"
            );
            let evidence = self.with_hosts(evidence);
            return self.finding(FindingId::DirectoryMissing, evidence, remedy);
        }
        let nearest = self.directory.parts.last();
        let evidence = match nearest {
            None => tr!("the directory does not exist, nor does any of its parents"),
            Some(part) if part.is_symlink => tr!(
                "the symbolic link {link} leads to {path}, which does not exist",
                link = self.context.tilde.path(&part.path),
                path = self.context.tilde.path(path)
            ),
            Some(part) => tr!(
                "the directory does not exist; the nearest that exists is {directory}",
                directory = self.described(part)
            ),
        };
        let fix = can_make.then(|| Fix::MakeDirectory(path.to_owned()));
        let word = self.context.tilde.shell_word(path);
        let mut remedy = tr!("create it, for you alone, with");
        let is_next = nearest.is_some_and(|part| Some(part.path.as_path()) == path.parent());
        // Without it there is no logind, whose directory it is.
        let is_by_logind = nearest.is_some_and(|part| part.path == Path::new("/run/user"));
        let command = if is_by_logind && *path == *self.runtime_directory() {
            remedy =
                tr!("it is created when you log in: log in again, or keep it permanently with");
            format!("sudo loginctl enable-linger {}", self.me())
        } else if is_emptied(path, nearest.map(|part| part.path.as_path())) {
            let evidence = self.with_hosts(tr!(
                "{evidence}; logout or a restart removes such directories",
                evidence
            ));
            let finding = self.elsewhere(FindingId::DirectoryMissing, evidence);
            return finding.with_fix(fix);
        } else if !can_make {
            format!("sudo install -d -m 700 -o {} {word}", self.me())
        } else if is_next {
            format!("mkdir -m 700 {word}")
        } else {
            format!("(umask 077 && mkdir -p {word})")
        };
        let evidence = self.with_hosts(evidence);
        self.finding(FindingId::DirectoryMissing, evidence, remedy)
            .with_command(command)
            .with_fix(fix)
    }

    /// Whether the home directory itself is missing; `path` is the missing directory, with symlinks resolved.
    fn lacks_home(&self, path: &Path) -> bool {
        let Ok(below) = self.directory.path().strip_prefix(self.context.home) else {
            return false;
        };
        let depth = |path: &Path| path.components().count();
        let nearest = self.directory.parts.last();
        path.ends_with(below)
            && nearest.is_none_or(|it| depth(&it.path) + depth(below) < depth(path))
    }

    fn not_a_directory(&self, path: &Path, kind: FileKind) -> Finding {
        let word = self.context.tilde.shell_word(path);
        let evidence = tr!(
            "{kind} is in the place of a directory: {path}",
            kind = kind.phrase(),
            path = self.context.tilde.path(path)
        );
        if kind == FileKind::Device {
            let evidence = self.with_hosts(evidence);
            return self.elsewhere(FindingId::DirectoryMissing, evidence);
        }
        let remedy = tr!("move it away and create the directory with");
        self.finding(
            FindingId::DirectoryMissing,
            self.with_hosts(evidence),
            remedy,
        )
        .with_command(format!(
            "mv {word} {word}.saved && (umask 077 && mkdir -p {directory})",
            directory = self.context.tilde.shell_word(self.directory.path())
        ))
    }

    fn not_searchable(&self) -> Finding {
        let Some(part) = self.directory.parts.last() else {
            let evidence = tr!("permission denied for a directory of its path");
            return self.not_writable(evidence, &tr!("find out which"));
        };
        let directory = self.described(part);
        let evidence = tr!("permission denied to search {directory}", directory);
        let evidence = self.with_hosts(evidence);
        if part.uid != self.context.uid {
            return self.elsewhere(FindingId::DirectoryNotWritable, evidence);
        }
        self.not_writable(evidence, &tr!("give yourself access with"))
            .with_command(commands::open_directory(&part.path, self.context.tilde))
    }

    /// The runtime directory of the user (`pam_systemd(8)`).
    fn runtime_directory(&self) -> PathBuf {
        Path::new("/run/user").join(self.context.uid.0.to_string())
    }

    /// Returns a finding whose remedy is a ControlPath in a directory of the user's own that lasts.
    fn elsewhere(&self, id: FindingId, evidence: String) -> Finding {
        let place = suggest::elsewhere(self.directory.path(), self.context);
        place.add_to(self.finding(id, evidence, ""))
    }

    fn not_writable(&self, evidence: String, remedy: &str) -> Finding {
        self.finding(FindingId::DirectoryNotWritable, evidence, remedy)
    }

    /// A directory of another user, or one in which no socket can be created.
    fn unusable(&self, there: &Existing) -> Option<Finding> {
        let (own, _) = self.directory.own()?;
        // A directory of root that everybody may write to, such as /tmp, is no problem.
        let is_open_of_root = self.directory.is_root(own.uid) && there.access == Access::Full;
        if own.uid != self.context.uid && !is_open_of_root {
            return Some(self.misowned(own));
        }
        Some(match (&there.access, &there.rehearsal) {
            (
                Access::Full,
                Some(Rehearsal::Failed {
                    step,
                    refusal: Refusal::Denied | Refusal::Other,
                    words,
                }),
            ) => self.elsewhere(
                FindingId::DirectoryNotWritable,
                tr!(
                    "{tried}; a security module may forbid it",
                    tried = not_created(*step, words)
                ),
            ),
            (Access::Full, _) => return None,
            (Access::Denied, _) => {
                let directory = self.described(own);
                let evidence = tr!(
                    "permission denied to create files in {directory}",
                    directory
                );
                let evidence = self.with_hosts(evidence);
                if own.permissions.mode & 0o700 == 0o700 {
                    // Not the mode, but the attribute of chattr(1) or a security module.
                    return Some(self.elsewhere(FindingId::DirectoryNotWritable, evidence));
                }
                self.not_writable(evidence, &tr!("give yourself access with"))
                    .with_command(commands::open_directory(&own.path, self.context.tilde))
            }
            (Access::ReadOnly, _) => {
                let evidence = match &there.volume {
                    Some(volume) => tr!(
                        "{filesystem} is mounted read-only",
                        filesystem = text::line(&volume.kind)
                    ),
                    None => tr!("its filesystem is mounted read-only"),
                };
                self.elsewhere(FindingId::DirectoryNotWritable, self.with_hosts(evidence))
            }
            (Access::Failed(words), _) => self.not_writable(
                tr!(
                    "not known to be writable: {cause}",
                    cause = text::line(words)
                ),
                &tr!("fix the cause"),
            ),
        })
    }

    fn misowned(&self, own: &Part) -> Finding {
        let evidence = self.with_hosts(tr!(
            "it belongs to {owner}, not to you; mode {mode}",
            owner = self.context.owner(own.uid),
            mode = format_args!("{:04o}", own.permissions.mode)
        ));
        let is_parent = |part: &Part| Some(part.path.as_path()) == own.path.parent();
        let mut parts = self.directory.parts.iter();
        if !parts.any(|part| is_parent(part) && part.uid == self.context.uid) {
            return self.elsewhere(FindingId::DirectoryMisowned, evidence);
        }
        let word = self.context.tilde.shell_word(&own.path);
        self.finding(
            FindingId::DirectoryMisowned,
            evidence,
            tr!("make it yours with"),
        )
        .with_command(format!(
            "sudo chown {}: {word} && chmod 700 {word}",
            self.me()
        ))
    }

    /// `/home/u/.ssh (mode 0700, owner u (uid 1000))`
    fn described(&self, part: &Part) -> String {
        tr!(
            "{path} (mode {mode}, owner {owner})",
            path = self.context.tilde.path(&part.path),
            mode = format_args!("{:04o}", part.permissions.mode),
            owner = self.context.owner(part.uid)
        )
    }

    fn me(&self) -> String {
        let uid = self.context.uid;
        self.context
            .users
            .get(&uid)
            .map_or_else(|| uid.0.to_string(), |name| text::shell_word(name.as_ref()))
    }
}

/// Whether logout or a restart removes a directory that would be made at `path`; `nearest` exists. A directory that the
/// user has made below `/tmp` is made again by the same means, with those in it.
fn is_emptied(path: &Path, nearest: Option<&Path>) -> bool {
    ["/run", "/var/run", "/dev/shm"]
        .iter()
        .any(|root| path.starts_with(root))
        || nearest == Some(Path::new("/tmp"))
}

fn not_created(step: Step, words: &str) -> String {
    let cause = text::line(words);
    let thing = match step {
        Step::Socket => tr!("a socket"),
        Step::HardLink => tr!("a hard link to a socket"),
        Step::Connect => {
            return tr!(
                "a socket cannot be connected to through a hard link: {cause}",
                cause
            );
        }
    };
    tr!("{thing} cannot be created: {cause}", thing, cause)
}

#[cfg(test)]
mod tests;
