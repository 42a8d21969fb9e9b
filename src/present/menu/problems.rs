//! Findings in the menu: the rows of one, and the submenu of those that do not belong to a socket.

use std::collections::BTreeMap;

use tr::tr;

use super::entry::{Entry, shown_of};
use crate::decide::intent::Intent;
use crate::model::finding::{Finding, FindingId};
use crate::model::fix::Fix;
use crate::model::socket::Target;
use crate::model::text;

/// The number of findings of one kind that are shown: hundreds of hosts can have the same one.
const SHOWN: usize = 3;

/// Returns the submenu of the findings, if there are any.
pub(super) fn problems_menu(findings: &[Finding], can_show: bool) -> Option<Entry> {
    let mut kinds: BTreeMap<FindingId, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        kinds.entry(finding.id).or_default().push(finding);
    }
    let show = can_show.then_some(Intent::Show(None));
    let (mut entries, mut number) = (Vec::new(), 0);
    for (id, findings) in kinds {
        let (shown, rest) = findings.split_at(shown_of(findings.len(), SHOWN));
        for finding in shown {
            let title = format!("{}: {}", finding.subject, id.title());
            entries.push(Entry::text(format!("title-{number}"), title));
            entries.extend(finding_rows(number, finding, show.as_ref()));
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
    if entries.is_empty() {
        return None;
    }
    entries.push(copy_findings(None));
    Some(Entry::submenu("problems", label(findings), entries))
}

pub(super) fn copy_findings(of: Option<Target>) -> Entry {
    let label = tr!("Copy for a bug report");
    Entry::item("copy-findings", label, Intent::CopyFindings(of))
}

fn label(findings: &[Finding]) -> String {
    let is_problem = |finding: &&Finding| finding.severity.is_problem();
    let problems = findings.iter().filter(is_problem).count();
    match (problems, findings.len() - problems) {
        (0, notes) => tr!("Notes ({notes})", notes),
        (problems, 0) => tr!("Problems ({problems})", problems),
        (problems, notes) => tr!("Problems ({problems}) and notes ({notes})", problems, notes),
    }
}

/// Returns the evidence and the remedy of a finding, and the remedy as a click: applied if it is safe, else copied. The
/// number makes the keys unique.
///
/// A click on the texts asks for `show`: some themes draw disabled rows too pale to read.
pub(super) fn finding_rows(number: usize, finding: &Finding, show: Option<&Intent>) -> Vec<Entry> {
    let text = |name: &str, label: String| Entry::Item {
        key: format!("{name}-{number}"),
        label,
        intent: show.cloned(),
    };
    let mut entries = vec![
        text("evidence", text::sentence(&finding.evidence)),
        text("remedy", text::remedy(&finding.remedy)),
    ];
    let lines = finding.lines_beside_remedy().enumerate();
    entries.extend(lines.map(|(line, label)| text(&format!("line-{line}"), label.to_owned())));
    let command = finding.command.as_ref();
    // The menu has rows for the commands of muxtray.
    let command = command.filter(|command| !command.starts_with("muxtray "));
    match (&finding.fix, command) {
        // The socket has a row Clean.
        (Some(Fix::Clean(_)), _) | (None, None) => {}
        (Some(fix), _) => {
            let (key, fix) = (format!("fix-{number}"), fix.clone());
            entries.push(Entry::item(key, fix.label(), Intent::Fix(fix)));
        }
        (None, Some(command)) => {
            let (key, copy) = (format!("copy-command-{number}"), command.clone());
            entries.push(Entry::item(
                key,
                tr!("Copy command"),
                Intent::CopyText(copy),
            ));
        }
    }
    entries.extend(copy_lines(format!("copy-lines-{number}"), finding));
    entries
}

/// Returns the row that copies the lines for the ssh configuration, if the finding has some.
pub(super) fn copy_lines(key: impl Into<String>, finding: &Finding) -> Option<Entry> {
    let copy = || Intent::CopyText(finding.lines.join("\n") + "\n");
    let label = || tr!("Copy recommended configuration");
    (!finding.lines.is_empty()).then(|| Entry::item(key, label(), copy()))
}
