//! The table and the JSON of `muxtray hosts`.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tr::tr;

use super::report::{SCHEMA, path_for_json};
use super::styled::{Line, Style};
use super::summary::PROBLEM_MARK;
use super::table::{aligned, evidence_and_remedy, known};
use crate::diagnose::obstacle;
use crate::model::finding::{Finding, FindingId, Group, Severity};
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

/// The hosts of a configuration with what a scan found about them.
pub struct Hosts<'a> {
    ssh_option: &'a str,
    named: Vec<Row<'a>>,
    unnamed: Option<Row<'a>>,
    /// Findings about the whole configuration, beside those of single hosts.
    general: Vec<&'a Finding>,
}

struct Row<'a> {
    host: &'a Host,
    /// Of its own master.
    socket: Option<&'a Socket>,
    findings: Vec<&'a Finding>,
}

impl<'a> Hosts<'a> {
    pub fn new(places: &'a Places, snapshot: &'a Snapshot) -> Self {
        let row = |host| {
            let socket = socket(host, snapshot);
            Row {
                host,
                socket,
                findings: findings(host, socket, snapshot),
            }
        };
        let hosts = places.hosts.iter();
        let listed = hosts.filter(|host| host.written_by != WrittenBy::System);
        let named: Vec<Row<'a>> = listed.map(row).collect();
        let of_hosts: Vec<&Finding> = named
            .iter()
            .flat_map(|row| &row.findings)
            .copied()
            .collect();
        let is_general = |finding: &&Finding| {
            finding.id.row().group == Group::Configuration && !of_hosts.contains(finding)
        };
        let general = snapshot.findings.iter().filter(is_general).collect();
        Self {
            ssh_option: &places.ssh_option,
            named,
            unnamed: places.unnamed_host.as_ref().map(row),
            general,
        }
    }

    fn rows(&self) -> impl Iterator<Item = &Row<'a>> + Clone {
        self.named.iter().chain(&self.unnamed)
    }

    /// The JSON has no row for hosts without a name.
    pub fn report(&self) -> HostsReport {
        HostsReport {
            schema: SCHEMA,
            hosts: self.named.iter().map(Row::report).collect(),
            findings: self.general.iter().copied().cloned().collect(),
        }
    }

    /// Returns a row for each host, with the ids of its findings, and a summary. `home` is shortened to `~`.
    pub fn table(&self, home: &Path) -> Vec<Line> {
        let heads = [
            tr!("table" => "HOST"),
            tr!("table" => "MASTER"),
            tr!("table" => "LEADS TO"),
            tr!("table" => "MULTIPLEXES"),
            tr!("table" => "PATH"),
        ];
        let mut lines = Vec::new();
        let aligned = aligned(heads, self.rows().map(|row| row.cells(home)));
        if let [heads, cells @ ..] = &aligned[..]
            && !cells.is_empty()
        {
            lines.push(vec![(Style::Head, heads.concat())]);
            for (row, cells) in self.rows().zip(cells) {
                lines.push(vec![(Style::Plain, cells.concat())]);
                lines.extend(row.ids());
            }
            lines.push(Vec::new());
        }
        let of_unnamed = self.unnamed.iter().flat_map(|row| &row.findings);
        let of_unnamed: Vec<&&Finding> = of_unnamed.collect();
        for finding in self.general.iter().filter(|it| !of_unnamed.contains(it)) {
            let style = Style::Severity(finding.severity);
            lines.push(vec![(style, format!("{PROBLEM_MARK} {}", finding.subject))]);
            lines.extend(evidence_and_remedy(finding));
        }
        let mut summary = tr!("{n} host" | "{n} hosts" % self.named.len());
        if self.rows().any(|row| !row.findings.is_empty()) {
            let command = format!("muxtray {}doctor", self.ssh_option);
            summary = tr!("{summary}; remedies: {command}", summary, command);
        }
        lines.push(vec![(Style::Dim, summary)]);
        lines
    }

    /// Whether the hosts are unknown, because ssh printed no configuration.
    pub fn are_unknown(&self) -> bool {
        !self.unknown_because().is_empty()
    }

    /// The errors because of which no host is known.
    pub fn unknown_because(&self) -> Vec<Finding> {
        let general = self.general.iter().copied();
        let is_reason = |finding: &&Finding| {
            let hides_hosts = matches!(
                finding.id,
                FindingId::SshMissing | FindingId::SshConfigInvalid
            );
            hides_hosts && finding.severity == Severity::Error && self.named.is_empty()
        };
        general.filter(is_reason).cloned().collect()
    }
}

impl Row<'_> {
    fn report(&self) -> HostReport {
        let host = self.host;
        HostReport {
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
            state: self.socket.map(|socket| socket.state.name()),
            findings: self.findings.iter().copied().cloned().collect(),
        }
    }

    fn cells(&self, home: &Path) -> [String; 5] {
        let host = self.host;
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
            known(self.socket.map(|socket| socket.state.name())),
            match via(host) {
                _ if host.is_unnamed_host() => "-".to_owned(),
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

    /// The line with the ids of its findings, if there are any.
    fn ids(&self) -> Option<Line> {
        let worst = self.findings.iter().map(|finding| finding.severity).max()?;
        let ids = self
            .findings
            .iter()
            .map(|finding| finding.id.as_str().to_owned());
        let mark = if worst.is_problem() {
            PROBLEM_MARK
        } else {
            " "
        };
        let line = format!("  {mark} {}", text::list(ids));
        Some(vec![(Style::Severity(worst), line)])
    }
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
pub(super) fn findings<'a>(
    host: &Host,
    socket: Option<&'a Socket>,
    snapshot: &'a Snapshot,
) -> Vec<&'a Finding> {
    let path = host.control_path.as_ref();
    let is_about = |finding: &&Finding| {
        finding.hosts.contains(&host.alias) || path.is_some_and(|path| finding.is_about(path))
    };
    let of_socket = socket.map_or(&[][..], |socket| &socket.findings);
    let others = snapshot.findings.iter().filter(is_about);
    of_socket.iter().chain(others).collect()
}
