//! Findings in the menu: the rows of one, and the submenu of those that do not belong to a socket.

use tr::tr;

use super::entry::Entry;
use super::shown_of;
use crate::decide::intent::Intent;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::fix::Fix;
use crate::model::text;

/// The number of findings of one kind that are shown: hundreds of hosts can have the same one.
const SHOWN: usize = 3;

/// Returns the submenu of the findings, if there are any.
pub(super) fn problems_menu(findings: &[Finding]) -> Option<Entry> {
    let mut kinds: Vec<(FindingId, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        match kinds.iter_mut().find(|(id, _)| *id == finding.id) {
            Some((_, findings)) => findings.push(finding),
            None => kinds.push((finding.id, vec![finding])),
        }
    }
    let (mut entries, mut number) = (Vec::new(), 0);
    for (id, findings) in kinds {
        let (shown, rest) = findings.split_at(shown_of(findings.len(), SHOWN));
        for finding in shown {
            let title = format!("{}: {}", finding.subject, id.title());
            entries.push(Entry::text(format!("title-{number}"), title));
            entries.extend(finding_rows(number, finding));
            entries.push(Entry::Separator);
            number += 1;
        }
        if !rest.is_empty() {
            let label = tr!(
                "\u{2026} {n} more {kind}: {command}",
                n = rest.len(),
                kind = id.as_str(),
                command = "muxtray doctor"
            );
            entries.push(Entry::text(format!("more-{}", id.as_str()), label));
            entries.push(Entry::Separator);
        }
    }
    // The last separator.
    entries.pop()?;
    Some(Entry::submenu("problems", label(findings), entries))
}

fn label(findings: &[Finding]) -> String {
    let is_problem = |finding: &&Finding| finding.severity >= Severity::Warning;
    let problems = findings.iter().filter(is_problem).count();
    match (problems, findings.len() - problems) {
        (0, notes) => tr!("Notes ({notes})", notes),
        (problems, 0) => tr!("Problems ({problems})", problems),
        (problems, notes) => tr!("Problems ({problems}) and notes ({notes})", problems, notes),
    }
}

/// Returns the evidence and the remedy of a finding, and the remedy as a click: applied if it is safe, else copied. The
/// number makes the keys unique.
pub(super) fn finding_rows(number: usize, finding: &Finding) -> Vec<Entry> {
    let mut entries = vec![
        Entry::text(
            format!("evidence-{number}"),
            text::sentence(&finding.evidence),
        ),
        Entry::text(format!("remedy-{number}"), text::remedy(&finding.remedy)),
    ];
    match (&finding.fix, &finding.command) {
        // The socket has a row Clean.
        (Some(Fix::Clean(_)), _) => {}
        (Some(fix), _) => entries.push(Entry::item(
            format!("fix-{number}"),
            fix.label(),
            Intent::Fix(fix.clone()),
        )),
        // The menu has rows for the commands of muxtray.
        (None, Some(command)) if !command.starts_with("muxtray ") => entries.push(Entry::item(
            format!("copy-command-{number}"),
            tr!("Copy command"),
            Intent::CopyText(command.clone()),
        )),
        (None, _) => {}
    }
    if !finding.lines.is_empty() {
        entries.push(Entry::item(
            format!("copy-lines-{number}"),
            tr!("Copy lines for ssh_config"),
            Intent::CopyText(format!("{}\n", finding.lines.join("\n"))),
        ));
    }
    entries
}
