//! Directories that others than the user and root may write to.

use std::collections::BTreeMap;
use std::path::Path;

use tr::tr;

use crate::diagnose::{Context, suggest};
use crate::model::directory::{Directory, Part};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::fix::Fix;
use crate::model::socket::UserId;
use crate::model::text;

/// Whoever may write to a directory, beside its owner.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// The directories, each once, in which others than the user and root can replace or plant what a ControlPath names.
pub(super) fn findings<'a>(
    directories: &[&'a Directory],
    context: Context<'a>,
) -> impl Iterator<Item = Finding> + use<'a> {
    let mut found: BTreeMap<&Path, (&Part, Why, Vec<&Directory>)> = BTreeMap::new();
    let used = |directory: &&Directory| directory.wanted.makes_masters || directory.own().is_some();
    for directory in directories.iter().copied().filter(used) {
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
