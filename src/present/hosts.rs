//! The table and the JSON of `muxtray hosts`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tr::tr;
use unicode_width::UnicodeWidthStr as _;

use super::report::{SCHEMA, path_for_json};
use super::styled::{Line, Style};
use super::summary::PROBLEM_MARK;
use super::table::pad;
use crate::diagnose::obstacle;
use crate::model::finding::{Finding, Group, Severity};
use crate::model::places::{Host, Persist, Places, WrittenBy};
use crate::model::socket::{Snapshot, Socket, State};
use crate::model::text;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostsReport {
    pub schema: u32,
    pub hosts: Vec<HostReport>,
    /// Findings about the whole configuration.
    pub findings: Vec<Finding>,
}

/// One host of the ssh configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostReport {
    pub host: String,
    /// `user@host:port`
    pub destination: String,
    /// ProxyJump, or else ProxyCommand.
    pub via: Option<String>,
    pub control_path: Option<String>,
    pub control_master: &'static str,
    /// Seconds, `yes` or `no`.
    pub control_persist: String,
    /// The state of its socket; null without one, and for a master that leads to another place.
    pub state: Option<&'static str>,
    pub findings: Vec<Finding>,
}

pub fn report(places: &Places, snapshot: &Snapshot) -> HostsReport {
    let hosts = listed(places).map(|host| HostReport {
        host: host.alias.0.clone(),
        destination: host.destination.to_string(),
        via: via(host).map(str::to_owned),
        control_path: host.control_path.as_ref().map(path_for_json),
        control_master: host.control_master.as_str(),
        control_persist: match host.persist {
            Persist::No => "no".to_owned(),
            Persist::Forever => "yes".to_owned(),
            Persist::Seconds(seconds) => seconds.to_string(),
        },
        state: socket(host, snapshot).map(|socket| socket.state.name()),
        findings: findings(host, snapshot).into_iter().cloned().collect(),
    });
    HostsReport {
        schema: SCHEMA,
        hosts: hosts.collect(),
        findings: general(places, snapshot).cloned().collect(),
    }
}

/// Returns a row for each host, with the ids of its findings, and a summary. `home` is shortened to `~`.
pub fn table(places: &Places, snapshot: &Snapshot, home: &Path) -> Vec<Line> {
    let hosts: Vec<&Host> = listed(places).chain(&places.unnamed_host).collect();
    let heads = [
        tr!("table" => "HOST"),
        tr!("table" => "MASTER"),
        tr!("table" => "LEADS TO"),
        tr!("table" => "MULTIPLEXES"),
        tr!("table" => "PATH"),
    ];
    let mut rows = vec![heads];
    rows.extend(hosts.iter().map(|host| cells(host, snapshot, home)));
    // The last cell is not padded, so that no line ends in blanks.
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.max().unwrap_or(0)
    });
    let line = |style, [cells @ .., path]: &[String; 5]| -> Line {
        let cells = cells.iter().zip(widths);
        let cells: String = cells.map(|(cell, width)| pad(cell, width) + "  ").collect();
        vec![(style, cells + path)]
    };
    let mut lines = Vec::new();
    if let ([heads, rows @ ..], false) = (rows.as_slice(), hosts.is_empty()) {
        lines.push(line(Style::Head, heads));
        for (host, row) in hosts.iter().zip(rows) {
            lines.push(line(Style::Plain, row));
            let findings = findings(host, snapshot);
            if let Some(worst) = findings.iter().map(|finding| finding.severity).max() {
                let ids = text::list(
                    findings
                        .iter()
                        .map(|finding| finding.id.as_str().to_owned()),
                );
                let mark = match worst {
                    Severity::Info => " ",
                    Severity::Warning | Severity::Error => PROBLEM_MARK,
                };
                lines.push(vec![(Style::Severity(worst), format!("  {mark} {ids}"))]);
            }
        }
        lines.push(Vec::new());
    }
    for finding in general(places, snapshot) {
        let style = Style::Severity(finding.severity);
        let headline = format!("{PROBLEM_MARK} {}: {}", finding.subject, finding.evidence);
        lines.push(vec![(style, headline)]);
        lines.push(vec![(
            Style::Remedy,
            format!("    \u{2192} {}", finding.remedy),
        )]);
        lines.extend(config_lines(finding));
    }
    let found = hosts
        .iter()
        .any(|host| !findings(host, snapshot).is_empty());
    let mut summary = tr!("{n} host" | "{n} hosts" % hosts.len());
    if found {
        let command = "muxtray doctor";
        summary = tr!("{summary}; remedies: {command}", summary, command);
    }
    lines.push(vec![(Style::Dim, summary)]);
    lines
}

fn config_lines(finding: &Finding) -> impl Iterator<Item = Line> {
    let lines = finding.lines.iter();
    lines.map(|line| vec![(Style::Plain, format!("        {line}"))])
}

fn listed(places: &Places) -> impl Iterator<Item = &Host> {
    let hosts = places.hosts.iter();
    hosts.filter(|host| host.written_by != WrittenBy::System)
}

fn cells(host: &Host, snapshot: &Snapshot, home: &Path) -> [String; 5] {
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let destination = host.destination.to_string();
    let master = host.control_master.as_str();
    let lasts = match host.persist {
        Persist::No => None,
        Persist::Forever => Some("yes".to_owned()),
        Persist::Seconds(seconds) => {
            let time = Duration::from_secs(u64::from(seconds));
            Some(humantime::format_duration(time).to_string())
        }
    };
    let tilde = text::Tilde { home: Some(home) };
    let path = host.control_path.as_ref();
    [
        host.name(),
        known(socket(host, snapshot).map(|socket| socket.state.name().to_owned())),
        match via(host) {
            Some(way) => tr!(
                "{destination} via {way}",
                destination,
                way = text::line(way)
            ),
            None => destination,
        },
        match lasts {
            _ if path.is_none() => "no".to_owned(),
            Some(time) if host.control_master.starts_masters() => format!("{master}, {time}"),
            _ => master.to_owned(),
        },
        known(path.map(|path| tilde.path(path.as_path()))),
    ]
}

fn via(host: &Host) -> Option<&str> {
    let values = |keyword| host.settings.values(keyword);
    let mut ways = values("proxyjump").chain(values("proxycommand"));
    ways.find(|way| *way != "none")
}

/// Returns the socket of the host's own master.
fn socket<'a>(host: &Host, snapshot: &'a Snapshot) -> Option<&'a Socket> {
    let path = host.control_path.as_ref()?;
    let is_orphan =
        |socket: &&Socket| socket.path == *path && matches!(socket.state, State::Orphaned { .. });
    let at_path = obstacle::socket_at(path, snapshot);
    let socket = at_path.or_else(|| snapshot.sockets.iter().find(is_orphan))?;
    let is_strangers = socket.is_running() && socket.stranger(&host.alias.0).is_some();
    (!is_strangers).then_some(socket)
}

/// Returns the findings about the host, its path and its socket.
fn findings<'a>(host: &Host, snapshot: &'a Snapshot) -> Vec<&'a Finding> {
    let path = host.control_path.as_ref();
    let is_about = |finding: &&Finding| {
        finding.hosts.contains(&host.alias) || path.is_some_and(|path| finding.is_about(path))
    };
    let of_socket = socket(host, snapshot).map_or(&[][..], |socket| &socket.findings);
    let others = snapshot.findings.iter().filter(is_about);
    of_socket.iter().chain(others).collect()
}

/// Returns what is wrong with the ssh configuration, or missing in it, beside its hosts.
fn general<'a>(places: &Places, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Finding> {
    let of_hosts = listed(places).flat_map(|host| findings(host, snapshot));
    let of_hosts: Vec<&Finding> = of_hosts.collect();
    let all = snapshot.findings.iter();
    let of_configuration = all.filter(|finding| finding.id.row().group == Group::Configuration);
    of_configuration.filter(move |finding| !of_hosts.contains(finding))
}

/// Whether the hosts are unknown, because ssh printed no configuration.
pub fn is_unknown(report: &HostsReport) -> bool {
    let mut findings = report.findings.iter();
    report.hosts.is_empty() && findings.any(|finding| finding.severity == Severity::Error)
}
