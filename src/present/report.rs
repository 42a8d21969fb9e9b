//! The JSON of `list` and `doctor`. Names and types of fields are a promise: see [`SCHEMA`].

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::model::client::Client;
use crate::model::control_path::ControlPath;
use crate::model::finding::Finding;
use crate::model::forward::Forward;
use crate::model::forwarding::Forwarding;
use crate::model::network::Verdict;
use crate::model::places::Managed;
use crate::model::socket::{Owner, Snapshot, Socket};
use crate::model::text;

/// The version of the format. Fields may be added; renaming or removing one needs a new version.
pub const SCHEMA: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub schema: u32,
    pub sockets: Vec<SocketReport>,
    /// Findings about directories, hosts and configuration.
    pub findings: Vec<Finding>,
}

/// One socket. Unknown values are null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SocketReport {
    pub path: String,
    pub state: &'static str,
    /// The configured aliases with this ControlPath.
    pub hosts: Vec<String>,
    /// `user@host:port`.
    pub destination: Option<String>,
    pub pid: Option<i32>,
    pub sessions: Option<u32>,
    /// The processes of the sessions; null if the kernel hides all, and null in each field of one that it hides.
    pub clients: Option<Vec<ClientReport>>,
    /// Whether a muxtray keeps it open.
    pub kept: bool,
    /// Whether the master has a session of its own beside those. `exit` counts it.
    pub own_session: bool,
    /// Connections that run through the forwardings of the master.
    pub forwarded: Option<u32>,
    /// The forwardings that listen on this machine.
    pub forwards: Vec<ForwardReport>,
    /// The forwardings of server ports that muxtray asked for.
    pub remote_forwards: Vec<RemoteForwardReport>,
    /// The masters that jump through this one, as `list` names them.
    pub jumping: Vec<String>,
    pub owner: Option<Owner>,
    /// The permission bits, octal.
    pub mode: Option<String>,
    /// The modification time of the file, RFC 3339, UTC.
    pub since: Option<String>,
    /// ControlPersist in seconds; 0 for no limit, null for none or unknown.
    pub persist_secs: Option<u32>,
    /// When ControlPersist ends it, RFC 3339, UTC; null while it is used or if that is unknown. `--watch` alone sees sessions end.
    pub ends_at: Option<String>,
    pub managed_by: Option<Managed>,
    /// Null if the master's connection was not identified with certainty.
    pub network: Option<NetworkReport>,
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClientReport {
    pub pid: Option<i32>,
    pub program: Option<String>,
    /// `pts/4`
    pub tty: Option<String>,
    /// RFC 3339, UTC.
    pub since: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForwardReport {
    /// `local`, `dynamic` or `unix`; `local` if it is unknown which of the first two.
    pub kind: &'static str,
    /// `address:port`, with `*` for every address, or the path.
    pub listen: String,
    /// `host:port`, or a path; null for `dynamic`, and if unknown.
    pub target: Option<String>,
    pub connections: u32,
    /// Whether other machines can connect.
    pub exposed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoteForwardReport {
    /// On the server.
    pub listen: String,
    pub target: Option<String>,
}

/// The TCP connection of a master, or of its ProxyCommand or ProxyJump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkReport {
    /// `well`, `suspect` or `stranded`.
    pub state: &'static str,
    /// `address:port`
    pub local: String,
    pub remote: String,
    /// The program that holds the connection for the master.
    pub proxy: Option<String>,
    /// Smoothed, in microseconds.
    pub round_trip_us: u64,
    /// Seconds since the last packet arrived, without suspended time.
    pub last_heard_secs: u64,
    /// Seconds since the oldest unacknowledged data was sent, if it was retransmitted.
    pub unanswered_secs: Option<u64>,
}

impl From<&Snapshot> for Report {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            schema: SCHEMA,
            sockets: snapshot.sockets.iter().map(SocketReport::from).collect(),
            findings: snapshot.findings.clone(),
        }
    }
}

impl From<&Socket> for SocketReport {
    fn from(socket: &Socket) -> Self {
        Self {
            path: path_for_json(&socket.path),
            state: socket.state.name(),
            hosts: socket.hosts.iter().map(|alias| alias.0.clone()).collect(),
            destination: socket.destination.as_ref().map(ToString::to_string),
            pid: socket.pid.map(|pid| pid.0),
            sessions: socket.sessions,
            clients: socket
                .clients
                .as_ref()
                .map(|clients| clients.0.iter().map(client).collect()),
            kept: socket.is_kept,
            own_session: socket.own_session,
            forwarded: socket.forwarded,
            forwards: socket.forwards.iter().map(ForwardReport::from).collect(),
            remote_forwards: socket
                .remote_forwards
                .iter()
                .map(|it| RemoteForwardReport {
                    listen: it.listen(),
                    target: it.forwarding.target_text(),
                })
                .collect(),
            jumping: socket.jumping.clone(),
            owner: socket.owner.clone(),
            mode: socket.mode.map(|mode| format!("{mode:04o}")),
            since: socket.since.map(rfc3339),
            persist_secs: socket.persist_secs,
            ends_at: socket.ends_at.map(rfc3339),
            managed_by: socket.managed_by,
            network: socket.network.as_ref().map(NetworkReport::from),
            findings: socket.findings.clone(),
        }
    }
}

fn client(client: &Option<Arc<Client>>) -> ClientReport {
    let Some(client) = client else {
        return ClientReport::default();
    };
    ClientReport {
        pid: Some(client.pid.0),
        program: Some(client.program.clone()),
        tty: client.terminal.clone(),
        since: client.since.map(rfc3339),
    }
}

impl From<&Forward> for ForwardReport {
    fn from(forward: &Forward) -> Self {
        let known = forward.forwarding.as_ref();
        Self {
            kind: forward.kind(),
            listen: forward.listen(),
            target: known.and_then(Forwarding::target_text),
            connections: forward.connections,
            exposed: forward.is_exposed(),
        }
    }
}

impl From<&Verdict> for NetworkReport {
    fn from(verdict: &Verdict) -> Self {
        let connection = &verdict.connection;
        let round_trip = connection.numbers.round_trip.as_micros();
        Self {
            state: verdict.judgement.name(),
            local: connection.local.to_string(),
            remote: connection.remote.to_string(),
            proxy: connection.proxy.clone(),
            round_trip_us: u64::try_from(round_trip).unwrap_or(u64::MAX),
            last_heard_secs: connection.numbers.last_heard().as_secs(),
            unanswered_secs: verdict.unanswered.map(|unanswered| unanswered.as_secs()),
        }
    }
}

/// Returns the path; bytes that are not UTF-8 are `\x…`.
pub(super) fn path_for_json(path: &ControlPath) -> String {
    text::typed(path.as_path().as_os_str())
}

/// A file's time can be before the epoch, and on tmpfs after the year 9999. humantime accepts neither.
fn rfc3339(time: SystemTime) -> String {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since_epoch = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let time = SystemTime::UNIX_EPOCH + since_epoch.min(LAST);
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;
    use crate::model::finding::FindingId;
    use crate::model::forward::{ListensAt, RemoteForward};
    use crate::model::network::Address;
    use crate::model::samples::{connection, forwarding, in_state, running, seen_over};
    use crate::model::socket::{MasterPid, State};

    #[test]
    fn the_format_is_frozen() {
        let mut gone = connection();
        gone.address = Address::Gone;
        gone.proxy = Some("ssh".to_owned());
        gone.numbers.round_trip = Duration::from_micros(6_250);
        gone.numbers.last_ack_received = Duration::from_millis(2_999);
        let mut snapshot = seen_over(vec![running()], [(MasterPid(4711), gone)].into());
        let full = &mut snapshot.sockets[0];
        full.mode = Some(0o60);
        full.own_session = true;
        let forward = |at: ListensAt, forwarding| Forward {
            at,
            is_both: true,
            connections: 2,
            forwarding,
            is_configured: false,
        };
        let tcp = |address: &str| ListensAt::Tcp(address.parse().unwrap());
        full.forwards = vec![
            forward(
                tcp("127.0.0.1:5432"),
                Some(forwarding("-L 5432:[::1]:5432")),
            ),
            forward(tcp("0.0.0.0:1080"), Some(forwarding("-D *:1080"))),
            forward(tcp("[::1]:80"), None),
            forward(
                ListensAt::Unix("/run/a b".into()),
                Some(forwarding("-L /run/a b:/run/db")),
            ),
        ];
        full.remote_forwards = vec![RemoteForward {
            forwarding: forwarding("-R 0:localhost:80"),
            port: Some(40_000),
        }];
        full.managed_by = Some(Managed("git-annex"));
        full.persist_secs = Some(0);
        if let Some(verdict) = &mut full.network {
            verdict.unanswered = Some(Duration::from_millis(17_800));
        }
        snapshot.sockets.push(Socket {
            hosts: Vec::new(),
            destination: None,
            pid: None,
            sessions: None,
            owner: None,
            mode: None,
            since: None,
            persist_secs: None,
            path: ControlPath::new(OsStr::from_bytes(b"/s/a\xff")).unwrap(),
            ..in_state(State::Orphaned { successor: false })
        });
        let finding = Finding::new(FindingId::NoKeepalive, "host web", "seen", "do");
        snapshot.findings = vec![finding.with_lines(["Host web".to_owned()])];
        insta::assert_snapshot!(serde_json::to_string_pretty(&Report::from(&snapshot)).unwrap());
    }

    #[test]
    fn times_without_four_digits_of_a_year_are_the_nearest_with_them() {
        let epoch = SystemTime::UNIX_EPOCH;
        let before = epoch - Duration::from_secs(3600);
        let last = epoch + Duration::from_secs(i64::MAX.unsigned_abs());
        assert_eq!(rfc3339(before), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(last), "9999-12-31T23:59:59Z");
    }
}
