//! The report of `muxtray doctor` as text: every finding at length, with what ssh says because of it, so that who
//! searches for that finds it here.

use tr::tr;

use super::explain::{Answer, ssh_says};
use super::table::{Line, Style};
use crate::decide::headline;
use crate::model::finding::{Finding, Severity};
use crate::model::socket::{Snapshot, Socket};
use crate::model::text;

/// How much was looked at, for the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// Hosts of the ssh configuration that have a ControlPath.
    pub hosts: usize,
    /// Directories of control sockets.
    pub directories: usize,
}

/// The whole report: errors first, then warnings, then notes.
#[must_use]
pub fn report(snapshot: &Snapshot, examined: Examined) -> Vec<Line> {
    let mut all: Vec<(&Finding, Option<&Socket>)> = snapshot
        .sockets
        .iter()
        .flat_map(|socket| {
            socket
                .findings
                .iter()
                .map(move |finding| (finding, Some(socket)))
        })
        .chain(snapshot.findings.iter().map(|finding| (finding, None)))
        .collect();
    // A stable sort: within a severity, sockets come first, as the list has them.
    all.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.severity));
    let mut lines = Vec::new();
    for (finding, socket) in &all {
        lines.extend(super::doctor::finding(finding, *socket, Place::Report));
        lines.push(Vec::new());
    }
    let findings: Vec<&Finding> = all.iter().map(|(finding, _)| *finding).collect();
    lines.push(vec![(Style::Dim, summary(&findings, snapshot, examined))]);
    lines
}

/// The answer to a message of ssh's.
#[must_use]
pub fn answer(answer: &Answer) -> Vec<Line> {
    let mut lines = vec![
        vec![(Style::Head, answer.line.clone())],
        labelled(&tr!("means"), &answer.meaning),
        labelled(&tr!("now"), &answer.now),
    ];
    for finding in &answer.findings {
        lines.push(Vec::new());
        lines.extend(super::doctor::finding(finding, None, Place::Answer));
    }
    lines
}

/// Where a finding is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among all there are: at length.
    Report,
    /// Under a message of ssh's, which need not be quoted again, on a path that need not be a configured one.
    Answer,
}

fn finding(finding: &Finding, socket: Option<&Socket>, place: Place) -> Vec<Line> {
    let style = style_of(finding.severity);
    let hosts = socket
        .filter(|socket| !socket.hosts.is_empty())
        .map_or_else(String::new, |socket| format!(" ({})", socket.title()));
    let mut lines = vec![
        vec![
            (style, format!("{} ", word(finding.severity))),
            (Style::Plain, format!("{}{hosts}", finding.subject)),
        ],
        vec![
            (Style::Plain, format!("    {}", headline(finding.id))),
            (Style::Dim, format!(" [{}]", finding.id.as_str())),
        ],
        labelled(&tr!("seen"), &finding.evidence),
    ];
    if place == Place::Report {
        lines.extend(ssh_says(finding.id).map(|said| labelled(&tr!("ssh says"), said)));
    }
    lines.push(vec![(
        Style::Remedy,
        format!("    \u{2192} {}", finding.remedy),
    )]);
    lines.extend(
        finding
            .lines
            .iter()
            .map(|line| vec![(Style::Plain, format!("          {line}"))]),
    );
    if finding.fix.is_some() && place == Place::Report {
        lines.push(vec![(
            Style::Dim,
            format!(
                "      {}",
                tr!("{command} does this", command = "muxtray doctor --fix")
            ),
        )]);
    }
    lines
}

fn labelled(label: &str, text: &str) -> Line {
    vec![
        (Style::Dim, format!("    {label}: ")),
        (Style::Plain, text.to_owned()),
    ]
}

fn word(severity: Severity) -> String {
    match severity {
        Severity::Info => tr!("note"),
        Severity::Warning => tr!("warning"),
        Severity::Error => tr!("error"),
    }
}

fn count(severity: Severity, number: usize) -> String {
    match severity {
        Severity::Info => tr!("{n} note" | "{n} notes" % number),
        Severity::Warning => tr!("{n} warning" | "{n} warnings" % number),
        Severity::Error => tr!("{n} error" | "{n} errors" % number),
    }
}

const fn style_of(severity: Severity) -> Style {
    match severity {
        Severity::Info => Style::Info,
        Severity::Warning => Style::Warning,
        Severity::Error => Style::Error,
    }
}

/// `1 error, 2 notes; muxtray doctor --fix mends 1`, or what was looked at.
fn summary(findings: &[&Finding], snapshot: &Snapshot, examined: Examined) -> String {
    let looked_at = text::list([
        tr!("{n} host" | "{n} hosts" % examined.hosts),
        tr!("{n} directory" | "{n} directories" % examined.directories),
        tr!("{n} socket" | "{n} sockets" % snapshot.sockets.len()),
    ]);
    let counts = [Severity::Error, Severity::Warning, Severity::Info]
        .into_iter()
        .filter_map(|severity| {
            let number = findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count();
            (number > 0).then(|| count(severity, number))
        });
    let counts = text::list(counts);
    if counts.is_empty() {
        return tr!("all is well ({looked_at})", looked_at);
    }
    let fixable = findings
        .iter()
        .filter(|finding| finding.fix.is_some())
        .count();
    if fixable == 0 {
        return tr!("{counts} ({looked_at})", counts, looked_at);
    }
    tr!(
        "{counts} ({looked_at}); {command} mends {n}"
            | "{counts} ({looked_at}); {command} mends {n}" % fixable,
        counts,
        looked_at,
        command = "muxtray doctor --fix"
    )
}

#[cfg(test)]
mod tests;
