//! Directories that users other than the user and root may write to.

use std::collections::BTreeMap;
use std::path::Path;

use tr::tr;

use crate::diagnose::{Context, suggest};
use crate::model::directory::{Directory, Part};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::fix::Fix;
use crate::model::group::Writers;
use crate::model::ids::UserId;

const STICKY: u32 = 0o1000;

/// Returns one finding for each directory in which other users can replace or create the socket of a ControlPath.
pub(super) fn findings<'a>(
    directories: &[&'a Directory],
    context: Context<'a>,
) -> impl Iterator<Item = Finding> + use<'a> {
    let mut found: BTreeMap<&Path, (Weak<'_>, Vec<&Directory>)> = BTreeMap::new();
    let used = |directory: &&Directory| directory.wanted.makes_masters || directory.own().is_some();
    for directory in directories.iter().copied().filter(used) {
        for weak in weak_parts(directory, context) {
            found
                .entry(&weak.part.path)
                .or_insert((weak, Vec::new()))
                .1
                .push(directory);
        }
    }
    found
        .into_values()
        .map(move |(weak, directories)| insecure_finding(&weak, &directories, context))
}

/// A directory that others may write to.
struct Weak<'a> {
    part: &'a Part,
    writers: Writers,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Others can replace its files.
    Open,
    /// The sticky bit protects sockets, but others can create one first.
    SharedAndSticky,
}

fn weak_parts<'a>(
    directory: &'a Directory,
    context: Context<'a>,
) -> impl Iterator<Item = Weak<'a>> {
    let uid = context.uid;
    let own = directory.own().map(|(own, _)| own);
    directory.parts.iter().filter_map(move |part| {
        let writers = context.groups.writers(part.permissions);
        if part.is_symlink || writers == Writers::Nobody {
            return None;
        }
        let weak = |why| Weak { part, writers, why };
        let is_sticky = part.permissions.mode & STICKY != 0;
        if own == Some(part) {
            // Another finding reports directories of other users.
            let is_ours = part.uid == uid || part.uid == UserId(0);
            let why = if is_sticky {
                Why::SharedAndSticky
            } else {
                Why::Open
            };
            return is_ours.then(|| weak(why));
        }
        // With the sticky bit only the owner of a file and of the directory can rename or remove it.
        let mut entries = directory
            .parts
            .iter()
            .filter(|entry| entry.path.parent() == Some(&part.path));
        let is_protected = is_sticky
            && (part.uid == UserId(0) || part.uid == uid)
            && entries.all(|entry| entry.uid == uid || entry.uid == UserId(0));
        (!is_protected).then(|| weak(Why::Open))
    })
}

fn insecure_finding(weak: &Weak<'_>, directories: &[&Directory], context: Context<'_>) -> Finding {
    let (part, why) = (weak.part, weak.why);
    let below = directories
        .iter()
        .find(|directory| directory.own().is_none_or(|(own, _)| own != part));
    let mode = format!("{:04o}", part.permissions.mode);
    let owner = weak
        .writers
        .with_reason(context.owner(part.uid).to_string());
    let paths = std::iter::once(part.path.as_path()).chain(directories.iter().map(|it| it.path()));
    let finding = |evidence: String, remedy: String| {
        let subject = context.tilde.path(&part.path);
        Finding::new(FindingId::DirectoryInsecure, subject, evidence, remedy)
            .with_paths(paths.clone())
    };
    let line = suggest::control_path(&context.home.join(".ssh/s"), context.home);
    let lines = ["Host *".to_owned(), format!("    {line}")];
    if why == Why::SharedAndSticky {
        return finding(
            tr!(
                "mode {mode}, owner {owner}: the sticky bit protects its sockets, but other users can create one at a \
                 ControlPath before ssh does",
                mode,
                owner
            ),
            tr!("set a ControlPath in a directory of your own: {line}", line),
        )
        .with_severity(Severity::Info)
        .with_lines(lines);
    }
    let evidence = match below {
        Some(directory) => tr!(
            "mode {mode}, owner {owner}: other users can replace {path}",
            mode,
            owner,
            path = context.tilde.path(directory.path())
        ),
        None => tr!(
            "mode {mode}, owner {owner}: other users can replace its sockets",
            mode,
            owner
        ),
    };
    let finding = finding(
        with_sticky_parent(evidence, part, directories, context),
        tr!("remove their write permission with"),
    );
    let word = context.tilde.shell_word(&part.path);
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
            "set a ControlPath in a directory of your own ({line}), or remove their write permission with",
            line
        ),
        ..finding
    }
    .with_command(command)
    .with_lines(lines)
}

/// Adds a parent that others may write to, but that its sticky bit protects: `…; its parent /tmp is sticky`.
fn with_sticky_parent(
    evidence: String,
    part: &Part,
    directories: &[&Directory],
    context: Context<'_>,
) -> String {
    let parent = directories
        .first()
        .and_then(|directory| {
            directory
                .parts
                .iter()
                .find(|parent| part.path.parent() == Some(&parent.path))
        })
        .filter(|parent| parent.permissions.mode & STICKY != 0);
    match parent {
        None => evidence,
        Some(parent) => tr!(
            "{evidence}; its parent {directory} is sticky",
            evidence,
            directory = context.tilde.path(&parent.path)
        ),
    }
}
