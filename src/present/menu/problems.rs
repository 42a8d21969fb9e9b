//! What is wrong with directories, hosts and configuration: the submenu that tells each with its remedy.

use tr::tr;

use super::{Entry, remark};
use crate::model::finding::{Finding, FindingId, Severity};

/// Findings of one kind that are told. Three hundred hosts can have the same one, and the third tells no more than
/// the second did.
const TOLD: usize = 3;

/// The submenu.
pub(super) fn problems_menu(findings: &[Finding]) -> Entry {
    let mut kinds: Vec<(FindingId, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        match kinds.iter_mut().find(|(id, _)| *id == finding.id) {
            Some((_, findings)) => findings.push(finding),
            None => kinds.push((finding.id, vec![finding])),
        }
    }
    let mut entries = Vec::new();
    let mut number = 0;
    for (id, findings) in kinds {
        // A line that stands for one would take the room of that one.
        let told = if findings.len() > TOLD + 1 {
            TOLD
        } else {
            findings.len()
        };
        for finding in &findings[..told] {
            if number > 0 {
                entries.push(Entry::Separator);
            }
            let title = format!("{}: {}", finding.subject, finding.id.title());
            entries.push(Entry::text(&format!("title-{number}"), title));
            entries.extend(remark(number, finding));
            number += 1;
        }
        if told < findings.len() {
            entries.push(Entry::Separator);
            let more = findings.len() - told;
            let label = tr!(
                "\u{2026} {n} more {kind}: {command}",
                n = more,
                kind = id.as_str(),
                command = "muxtray doctor"
            );
            entries.push(Entry::text(&format!("more-{}", id.as_str()), label));
        }
    }
    Entry::Submenu {
        key: "problems".to_owned(),
        label: label(findings),
        entries,
    }
}

/// What is only worth knowing is no problem.
fn label(findings: &[Finding]) -> String {
    let is_problem = |finding: &&Finding| finding.severity >= Severity::Warning;
    let problems = findings.iter().filter(is_problem).count();
    match (problems, findings.len() - problems) {
        (0, notes) => tr!("Notes ({notes})", notes),
        (problems, 0) => tr!("Problems ({problems})", problems),
        (problems, notes) => tr!("Problems ({problems}) and notes ({notes})", problems, notes),
    }
}
