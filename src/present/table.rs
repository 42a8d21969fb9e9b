//! The table of `muxtray list`, and the details of one socket.

use std::path::Path;
use std::time::SystemTime;

use tr::tr;
use unicode_width::UnicodeWidthStr as _;

use super::styled::{Line, Style};
use super::summary::{PROBLEM_MARK, mark, summary};
use crate::model::carried::Carried;
use crate::model::finding::Finding;
use crate::model::socket::{Snapshot, Socket};
use crate::model::text;
use crate::model::zone::Clock;

const GAP: &str = "  ";

/// The most forwardings of one master in the table.
const MAX_FORWARDS: usize = 10;

/// Returns the table of sockets with their findings, the other findings, and the summary. `home` is shortened to `~` in
/// paths, which ssh and shells expand again.
pub fn report(snapshot: &Snapshot, home: Option<&Path>) -> Vec<Line> {
    let mut lines = Vec::new();
    if !snapshot.sockets.is_empty() {
        lines.extend(sockets(snapshot, home));
    }
    for finding in &snapshot.findings {
        let style = Style::Severity(finding.severity);
        lines.push(vec![
            (style, format!("{PROBLEM_MARK} ")),
            (Style::Plain, finding.subject.clone()),
            (style, format!("  {}", finding.id.as_str())),
        ]);
        lines.extend(evidence_and_remedy(finding));
    }
    if !lines.is_empty() {
        lines.push(Vec::new());
    }
    lines.push(vec![(Style::Dim, summary(snapshot))]);
    lines
}

pub fn details(socket: &Socket, clock: Clock<'_>) -> Vec<Line> {
    let mut rows = vec![
        (tr!("state"), socket.state.name().to_owned()),
        (tr!("path"), socket.path.to_string()),
        (tr!("destination"), known(socket.destination.as_ref())),
        (tr!("pid"), known(socket.pid.map(|pid| pid.0))),
        (tr!("sessions"), known(socket.sessions)),
        (tr!("owner"), known(socket.owner.as_ref())),
        (
            tr!("mode"),
            known(socket.mode.map(|mode| format!("{mode:04o}"))),
        ),
        (tr!("age"), age(socket, clock.at)),
    ];
    rows.extend(socket.ends_at.map(|end| (tr!("ends at"), clock.time(end))));
    rows.extend(beside_sessions(socket).map(|carried| (tr!("carries"), carried)));
    let sessions = socket.session_texts(clock.at).into_iter();
    rows.extend(sessions.map(|session| (tr!("session"), session)));
    let forwards = socket.forward_lines(MAX_FORWARDS).into_iter();
    rows.extend(forwards.map(|forward| (tr!("forwards"), forward)));
    let managed = socket.managed_by.map(|program| program.to_string());
    rows.extend(managed.map(|program| (tr!("managed by"), program)));
    let width = rows.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let row = |(name, value): (String, String)| {
        let name = format!("{} ", pad(&name, width));
        vec![(Style::Dim, name), (Style::Plain, value)]
    };
    let mut lines: Vec<Line> = rows.into_iter().map(row).collect();
    for finding in &socket.findings {
        lines.push(Vec::new());
        let id = finding.id.as_str().to_owned();
        lines.push(vec![(Style::Severity(finding.severity), id)]);
        lines.extend(evidence_and_remedy(finding));
    }
    lines
}

fn sockets(snapshot: &Snapshot, home: Option<&Path>) -> Vec<Line> {
    let sockets = snapshot.sockets.iter();
    let heads = [
        tr!("table" => "HOST"),
        tr!("table" => "STATE"),
        tr!("table" => "SESSIONS"),
        tr!("table" => "PID"),
        tr!("table" => "AGE"),
        tr!("table" => "PATH"),
    ];
    let cells = sockets.map(|socket| cells(socket, snapshot.at, home));
    let [heads, rows @ ..] = &aligned(heads, cells)[..] else {
        return Vec::new();
    };
    let line = |mark: &str, [host, state, rest @ ..]: &[String; 6], style, plain| -> Line {
        vec![
            (style, format!("{mark} ")),
            (plain, host.clone()),
            (style, state.clone()),
            (plain, rest.concat()),
        ]
    };
    let mut lines = vec![line(" ", heads, Style::Head, Style::Head)];
    for (socket, row) in snapshot.sockets.iter().zip(rows) {
        let style = socket.worst().map_or(Style::Good, Style::Severity);
        lines.push(line(mark(socket), row, style, Style::Plain));
        let carries = |carried| format!("    {}", tr!("carries {carried}", carried));
        let beside = beside_sessions(socket).map(carries);
        lines.extend(beside.map(|text| vec![(Style::Plain, text)]));
        let end = socket.end_text(snapshot.clock());
        lines.extend(end.map(|text| vec![(Style::Plain, format!("    {text}"))]));
        let kept = socket.kept_text(snapshot.clock());
        lines.extend(kept.map(|text| vec![(Style::Plain, format!("    {text}"))]));
        let forwards = socket.forward_lines(MAX_FORWARDS).into_iter();
        lines.extend(forwards.map(|text| vec![(Style::Plain, format!("    {text}"))]));
        lines.extend(socket.findings.iter().flat_map(evidence_and_remedy));
    }
    lines
}

/// Returns what the master carries beside the sessions of the table.
fn beside_sessions(socket: &Socket) -> Option<String> {
    let shown = socket.sessions.map(Carried::sessions);
    let has_more = socket.carried() != shown || !socket.jumping.is_empty();
    socket.carried_text().filter(|_| has_more)
}

fn cells(socket: &Socket, at: SystemTime, home: Option<&Path>) -> [String; 6] {
    // Without a name the title is the path, which is in the last column.
    let is_named = !socket.hosts.is_empty() || socket.destination.is_some();
    let mut host = known(is_named.then(|| socket.title()));
    if let Some(program) = socket.managed_by {
        host = format!("{host} ({program})");
    }
    [
        host,
        socket.state.name().to_owned(),
        known(socket.sessions),
        known(socket.pid.map(|pid| pid.0)),
        age(socket, at),
        text::Tilde { home }.path(socket.path.as_path()),
    ]
}

pub(super) fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn age(socket: &Socket, at: SystemTime) -> String {
    let age = socket.since.and_then(|since| at.duration_since(since).ok());
    known(age.map(text::duration))
}

/// Returns the evidence and the remedy, with lines to paste.
pub(super) fn evidence_and_remedy(finding: &Finding) -> impl Iterator<Item = Line> {
    let texts = [
        (Style::Plain, format!("    {}", finding.evidence)),
        (
            Style::Remedy,
            format!("    {}", text::remedy(&finding.remedy)),
        ),
    ];
    let lines = finding.lines_beside_remedy();
    let lines = lines.map(|line| (Style::Plain, format!("        {line}")));
    texts.into_iter().chain(lines).map(|text| vec![text])
}

/// Returns the rows, the heads first, with all cells of a column but the last padded to one width and a gap. So no line ends in
/// blanks.
pub(super) fn aligned<const N: usize>(
    heads: [String; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Vec<[String; N]> {
    let mut rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    for column in 0..N.saturating_sub(1) {
        let widths = rows.iter().map(|row| row[column].width());
        let width = widths.max().unwrap_or(0);
        for row in &mut rows {
            row[column] = format!("{}{GAP}", pad(&row[column], width));
        }
    }
    rows
}

fn pad(cell: &str, width: usize) -> String {
    format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::control_path::HostAlias;
    use crate::model::finding::{FindingId, Severity};
    use crate::model::observation::{Connect, Observation};
    use crate::model::places::Managed;
    use crate::model::samples::{at, clock, in_state, observation, path, running, seen};
    use crate::model::socket::State;
    use crate::present::styled::plain;

    fn report_on(sockets: Vec<Socket>) -> String {
        let snapshot = Snapshot {
            sockets,
            ..seen(Vec::new())
        };
        plain(&report(&snapshot, None))
    }

    #[test]
    fn sockets_and_findings_in_a_table() {
        let stale = Observation {
            path: path("/home/u/.ssh/s/d\nb"),
            connect: Some(Connect::Refused),
            ..observation()
        };
        let mut snapshot = seen(vec![running(), stale]);
        let finding = Finding::new(FindingId::PathTooLong, "host web", "91 bytes", "do");
        let info = finding.clone().with_severity(Severity::Info);
        snapshot.findings = vec![finding, info];
        let lines = report(&snapshot, Some(Path::new("/home/u")));
        insta::assert_snapshot!(plain(&lines));
        let details = details(&snapshot.sockets[0], clock());
        insta::assert_snapshot!(plain(&details));
    }

    #[test]
    fn end_of_an_idle_master_is_a_line() {
        let idle = Socket {
            sessions: Some(0),
            ends_at: Some(at() + Duration::from_secs(600)),
            ..in_state(State::Running)
        };
        let details = plain(&details(&idle, clock()));
        insta::assert_snapshot!(format!("{}\n{details}", report_on(vec![idle])));
    }

    #[test]
    fn unknown_values_are_dashes() {
        let unknown = Socket {
            destination: None,
            hosts: Vec::new(),
            pid: None,
            sessions: None,
            owner: None,
            mode: None,
            // A file from the future.
            since: Some(at() + Duration::from_secs(60)),
            managed_by: Some(Managed("lima")),
            ..in_state(State::Running)
        };
        let text = report_on(vec![unknown.clone()]);
        let details = plain(&details(&unknown, clock()));
        insta::assert_snapshot!(format!("{text}\n{details}"));
    }

    #[test]
    fn columns_line_up_after_wide_characters() {
        let named = |name: &str| Socket {
            hosts: vec![HostAlias(name.to_owned())],
            ..in_state(State::Running)
        };
        insta::assert_snapshot!(report_on(vec![named("\u{6f22}\u{5b57}"), named("abcd")]));
    }
}
