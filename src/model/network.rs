//! The network connection of a master: the numbers of the kernel, and the judgement on them.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::ids::MasterPid;
use super::observation::SshArguments;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// The time that the machine was suspended since its boot.
    pub asleep: Duration,
    /// Masters without a certain connection are left out.
    pub connections: BTreeMap<MasterPid, Connection>,
    /// The command lines of the ProxyCommand or ProxyJump of each master that has one.
    pub proxy_commands: BTreeMap<MasterPid, Vec<String>>,
    /// The ssh processes that are no masters and connect to the server of one.
    pub alone: Vec<LoneSsh>,
}

/// An ssh of the user that is no master and has a connection of its own, without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoneSsh {
    pub pid: MasterPid,
    pub started: Option<SystemTime>,
    pub remote: SocketAddr,
    pub arguments: SshArguments,
    pub sharing: SharingArguments,
}

/// The arguments of an ssh that decide whether it uses a master.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharingArguments {
    /// `-S` or `-o ControlPath`, as typed.
    pub control_path: Option<String>,
    /// The value of `-o ControlMaster`, in lower case.
    pub control_master: Option<String>,
    /// `-M`
    pub has_master_flag: bool,
    /// `-W`: it is the proxy of another ssh.
    pub is_proxy: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The kernel's id, unique until the next boot.
    pub cookie: u64,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// The process that has the connection, if it is not the master: its ProxyCommand, or the ssh of its ProxyJump.
    pub proxy: Option<String>,
    /// The masters that the connection runs through (ProxyJump), the nearest first.
    pub through: Vec<MasterPid>,
    pub numbers: Numbers,
    pub address: Address,
    pub route: Route,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    Present(Option<Duration>),
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Via(Hop),
    None,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    pub interface: u32,
    /// `None` if the destination is on the link.
    pub gateway: Option<IpAddr>,
}

/// The parts of `struct tcp_info` and `struct inet_diag_msg` that show whether a connection works. All times but `expires`
/// are ages; none includes the time that the machine was suspended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Bytes that are not acknowledged, sent or not.
    pub queued_bytes: u32,
    pub unacked: u32,
    pub retransmits: u8,
    /// Successive probes without an answer: of a closed window, of a missing route, or to keep an idle connection alive.
    pub probes: u8,
    pub backoff: u8,
    /// The timeout, doubled `backoff` times unless the connection is probing.
    pub rto: Duration,
    pub round_trip: Duration,
    pub timer: Timer,
    pub expires: Duration,
    pub last_data_sent: Duration,
    pub last_data_received: Duration,
    pub last_ack_received: Duration,
    /// `None` before Linux 6.7.
    pub recoveries: Option<Recoveries>,
}

/// All periods of retransmission of a connection, the present one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recoveries {
    pub count: u16,
    /// Their total duration, each from its first timeout on.
    pub time: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Timer {
    #[default]
    None,
    Retransmit,
    KeepAlive,
    /// To probe a closed window or a missing route.
    Probe,
}

impl Connection {
    pub fn is_loopback(&self) -> bool {
        self.remote.ip().is_loopback() || self.remote.ip() == self.local.ip()
    }
}

impl Numbers {
    pub fn last_heard(&self) -> Duration {
        self.last_data_received.min(self.last_ack_received)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    Well,
    Suspect(Doubt),
    Stranded(Cause),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Data was retransmitted, and nothing has arrived for a while.
    Unanswered,
    NoRoute,
    Resumed,
    Rerouted,
    /// Nothing has arrived since the local address was removed from its interface and added again.
    Readdressed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    AddressGone,
    Unanswered,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub judgement: Judgement,
    pub connection: Connection,
    pub unanswered: Option<Duration>,
    /// Since the address was removed or the doubt began, if that was seen.
    pub since: Option<Duration>,
    /// When the judgement can change without another event.
    pub look_again: Option<Duration>,
}
