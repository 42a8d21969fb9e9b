//! Directories that users other than the user and root may write to.

use std::collections::BTreeMap;
use std::path::Path;

use tr::tr;

use crate::diagnose::{Context, suggest};
use crate::model::directory::{Directory, Part};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::fix::Fix;
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
            let entry = found.entry(&weak.part.path);
            entry.or_insert((weak, Vec::new())).1.push(directory);
        }
    }
    found
        .into_values()
        .filter_map(move |(weak, directories)| insecure_finding(&weak, &directories, context))
}

struct Weak<'a> {
    part: &'a Part,
    /// Whether the sticky bit protects its sockets, so that others can only create one first.
    is_sticky: bool,
}

fn weak_parts<'a>(
    directory: &'a Directory,
    context: Context<'a>,
) -> impl Iterator<Item = Weak<'a>> {
    let is_trusted = move |uid: UserId| uid == context.uid || directory.is_root(uid);
    let own = directory.own().map(|(own, _)| own);
    directory.parts.iter().filter_map(move |part| {
        if part.is_symlink || !context.groups.let_others_write(&part.permissions) {
            return None;
        }
        let is_own = own == Some(part);
        let is_sticky = part.permissions.mode & STICKY != 0;
        let is_weak = if is_own {
            // Another finding reports directories of other users.
            is_trusted(part.uid)
        } else {
            // With the sticky bit only the owner of a file and of the directory can rename or remove it.
            let mut parts = directory.parts.iter();
            let is_safe =
                |entry: &Part| entry.path.parent() != Some(&part.path) || is_trusted(entry.uid);
            !(is_sticky && is_trusted(part.uid) && parts.all(is_safe))
        };
        is_weak.then_some(Weak {
            part,
            is_sticky: is_own && is_sticky,
        })
    })
}

fn insecure_finding(
    weak: &Weak<'_>,
    directories: &[&Directory],
    context: Context<'_>,
) -> Option<Finding> {
    let part = weak.part;
    let below = directories
        .iter()
        .find(|directory| directory.own().is_none_or(|(own, _)| own != part));
    let mode = format!("{:04o}", part.permissions.mode);
    let owner = context.owner(part.uid).to_string();
    let owner = context.groups.with_writers(&part.permissions, owner)?;
    let paths = std::iter::once(part.path.as_path()).chain(directories.iter().map(|it| it.path()));
    let finding = |evidence: String, remedy: String| {
        let subject = context.tilde.path(&part.path);
        Finding::new(FindingId::DirectoryInsecure, subject, evidence, remedy).with_paths(paths)
    };
    let (evidence, severity) = if weak.is_sticky {
        let evidence = tr!(
            "mode {mode}, owner {owner}: the sticky bit protects its sockets, but other users can create one at a \
             ControlPath before ssh does",
            mode,
            owner
        );
        (evidence, Severity::Info)
    } else {
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
        let evidence = with_sticky_parent(evidence, part, directories, context);
        (evidence, FindingId::DirectoryInsecure.severity())
    };
    // One elsewhere, such as root's /tmp, is shared on purpose.
    let is_private = context.home.parent().is_some() && part.path.starts_with(context.home);
    let may_close = !weak.is_sticky || is_private;
    if part.uid == context.uid && may_close {
        let word = context.tilde.shell_word(&part.path);
        let (path, id) = (part.path.clone(), part.id);
        let finding = finding(evidence, tr!("remove their write permission with"))
            .with_severity(severity)
            .with_command(format!("chmod go-w {word}"));
        return Some(finding.with_fix(Fix::CloseDirectory { path, id }));
    }
    let finding = finding(evidence, String::new()).with_severity(severity);
    Some(suggest::elsewhere(&part.path, context).add_to(finding))
}

/// Adds a parent that others may write to, but that its sticky bit protects: `…; its parent /tmp is sticky`.
fn with_sticky_parent(
    evidence: String,
    part: &Part,
    directories: &[&Directory],
    context: Context<'_>,
) -> String {
    let mut parts = directories.iter().flat_map(|directory| &directory.parts);
    let parent = parts.find(|parent| part.path.parent() == Some(&parent.path));
    let parent = parent.filter(|parent| parent.permissions.mode & STICKY != 0);
    match parent {
        None => evidence,
        Some(parent) => tr!(
            "{evidence}; its parent {directory} is sticky",
            evidence,
            directory = context.tilde.path(&parent.path)
        ),
    }
}
