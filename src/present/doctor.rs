//! The text of `muxtray doctor`.

use tr::tr;

use super::explain::Answer;
use super::ssh_messages::printed_because_of;
use super::styled::{Line, Style};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::socket::Snapshot;
use crate::model::text;

/// The number of examined items, for the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// Hosts of the ssh configuration with a ControlPath.
    pub hosts: usize,
    pub directories: usize,
}

/// Returns all findings, errors first, and a summary. See [`Places::ssh_option`](crate::model::places::Places::ssh_option).
pub fn report(snapshot: &Snapshot, examined: Examined, ssh_option: &str) -> Vec<Line> {
    let fix = format!("muxtray {ssh_option}doctor --fix");
    let mut all: Vec<_> = snapshot.all_findings().collect();
    all.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.severity));
    let mut lines = Vec::new();
    for (finding, socket) in &all {
        let socket = socket.filter(|socket| !socket.hosts.is_empty());
        let hosts = socket.map(|socket| format!(" ({})", socket.title()));
        lines.extend(headline(finding, &hosts.unwrap_or_default()));
        // The evidence of a rejected configuration has ssh's own message.
        let is_quoted = finding.id == FindingId::SshConfigInvalid;
        let messages = printed_because_of(finding.id).filter(|_| !is_quoted);
        lines.extend(messages.map(|message| labelled(&tr!("ssh prints"), message)));
        lines.extend(remedy_and_lines(finding));
        if finding.fix.is_some() {
            let text = tr!("{command} does this", command = fix);
            lines.push(vec![(Style::Dim, format!("      {text}"))]);
        }
        lines.push(Vec::new());
    }
    let findings: Vec<&Finding> = all.iter().map(|(finding, _)| *finding).collect();
    lines.push(vec![(
        Style::Dim,
        summary(&findings, snapshot, examined, &fix),
    )]);
    lines
}

/// Returns the text of an answer to a message that ssh printed. It does not name `--fix`, which fixes configured paths
/// only.
pub fn answer_lines(answer: &Answer) -> Vec<Line> {
    let mut lines = vec![
        vec![(Style::Head, answer.line.clone())],
        labelled(&tr!("meaning"), &answer.meaning),
    ];
    lines.extend(answer.now.iter().map(|now| labelled(&tr!("now"), now)));
    lines.extend(
        answer
            .causes
            .iter()
            .map(|cause| labelled(&tr!("usual cause"), cause)),
    );
    lines.extend(answer.remedies.iter().map(|text| remedy(text)));
    for finding in &answer.findings {
        lines.push(Vec::new());
        lines.extend(headline(finding, ""));
        lines.extend(remedy_and_lines(finding));
    }
    lines
}

fn headline(finding: &Finding, hosts: &str) -> [Line; 3] {
    let severity = match finding.severity {
        Severity::Info => tr!("note"),
        Severity::Warning => tr!("warning"),
        Severity::Error => tr!("error"),
    };
    [
        vec![
            (Style::Severity(finding.severity), format!("{severity} ")),
            (Style::Plain, format!("{}{hosts}", finding.subject)),
        ],
        vec![
            (Style::Plain, format!("    {}", finding.id.title())),
            (Style::Dim, format!(" [{}]", finding.id.as_str())),
        ],
        labelled(&tr!("evidence"), &finding.evidence),
    ]
}

fn remedy_and_lines(finding: &Finding) -> impl Iterator<Item = Line> {
    let lines = finding.lines.iter();
    let lines = lines.map(|line| vec![(Style::Plain, format!("          {line}"))]);
    std::iter::once(remedy(&finding.remedy)).chain(lines)
}

fn remedy(text: &str) -> Line {
    vec![(Style::Remedy, format!("    {}", text::remedy(text)))]
}

fn labelled(label: &str, text: &str) -> Line {
    vec![
        (Style::Dim, format!("    {label}: ")),
        (Style::Plain, text.to_owned()),
    ]
}

/// `1 error, 2 notes (3 hosts, …); muxtray doctor --fix fixes 1`
fn summary(findings: &[&Finding], snapshot: &Snapshot, examined: Examined, fix: &str) -> String {
    let examined = text::list([
        tr!("{n} host" | "{n} hosts" % examined.hosts),
        tr!("{n} directory" | "{n} directories" % examined.directories),
        tr!("{n} socket" | "{n} sockets" % snapshot.sockets.len()),
    ]);
    if findings.is_empty() {
        return tr!("no problems found ({examined})", examined);
    }
    let number = |severity| {
        let findings = findings.iter();
        findings.filter(|it| it.severity == severity).count()
    };
    let [errors, warnings, notes] =
        [Severity::Error, Severity::Warning, Severity::Info].map(number);
    let counts = [
        (errors, tr!("{n} error" | "{n} errors" % errors)),
        (warnings, tr!("{n} warning" | "{n} warnings" % warnings)),
        (notes, tr!("{n} note" | "{n} notes" % notes)),
    ];
    let counts = counts.into_iter().filter(|(number, _)| *number > 0);
    let counts = text::list(counts.map(|(_, text)| text));
    let fixable = findings.iter().filter(|it| it.fix.is_some()).count();
    if fixable == 0 {
        return tr!("{counts} ({examined})", counts, examined);
    }
    tr!(
        "{counts} ({examined}); {command} fixes {n}"
            | "{counts} ({examined}); {command} fixes {n}" % fixable,
        counts,
        examined,
        command = fix
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fix::Fix;
    use crate::model::observation::{Connect, Observation};
    use crate::model::samples::{observation, seen};
    use crate::present::styled::plain;

    const EXAMINED: Examined = Examined {
        hosts: 1,
        directories: 2,
    };

    #[test]
    fn findings_come_with_messages_fixes_and_lines_the_worst_first() {
        let mut snapshot = seen(vec![Observation {
            connect: Some(Connect::Refused),
            ..observation()
        }]);
        snapshot.findings = vec![
            Finding::new(FindingId::NoKeepalive, "host web", "seen", "set it").with_lines([
                "Host web".to_owned(),
                "    ServerAliveInterval 15".to_owned(),
            ]),
            Finding::new(FindingId::DirectoryMissing, "/t", "seen", "make it")
                .with_fix(Fix::MakeDirectory("/t".into())),
        ];
        insta::assert_snapshot!(plain(&report(&snapshot, EXAMINED, "")));
    }

    #[test]
    fn an_answer_quotes_no_messages() {
        let answer = Answer {
            line: "Control socket connect(/s/a): Connection refused".to_owned(),
            meaning: "no process listens".to_owned(),
            now: vec!["/s/a is stale".to_owned()],
            findings: vec![
                Finding::new(FindingId::Stale, "/s/a", "refused", "clean it")
                    .with_fix(Fix::MakeDirectory("/s".into())),
            ],
            causes: vec!["it was killed".to_owned()],
            remedies: vec!["remove it".to_owned()],
        };
        insta::assert_snapshot!(plain(&answer_lines(&answer)));
    }

    #[test]
    fn the_last_line_counts_findings_and_fixes() {
        let finding = |severity| {
            let finding = Finding::new(FindingId::Stale, "/s/a", "seen", "do");
            finding.with_severity(severity)
        };
        let fixable = |severity| finding(severity).with_fix(Fix::MakeDirectory("/s".into()));
        let (warning, note) = (Severity::Warning, Severity::Info);
        let summaries = [
            vec![],
            vec![finding(warning), finding(note), finding(warning)],
            vec![fixable(note), fixable(note), fixable(Severity::Error)],
        ]
        .map(|findings| {
            let mut snapshot = seen(Vec::new());
            snapshot.findings = findings;
            let text = plain(&report(&snapshot, EXAMINED, ""));
            text.lines().last().unwrap().to_owned()
        });
        insta::assert_snapshot!(summaries.join("\n"));
    }
}
