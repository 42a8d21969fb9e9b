//! The network behind a master: the kernel's numbers of its connection, and the judgement made of them.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::time::Duration;

use super::ids::MasterPid;

/// What a look found of the networks behind the masters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// How long the machine has slept since it started.
    pub asleep: Duration,
    /// The one connection behind each master, where it was found for certain.
    pub connections: BTreeMap<MasterPid, Connection>,
}

/// A TCP connection as it is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Tells it from every other of this boot.
    pub cookie: u64,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The program that holds it in the master's stead: its ProxyCommand, or the ssh of its ProxyJump.
    pub proxy: Option<String>,
    /// The kernel's numbers.
    pub numbers: Numbers,
    /// What has become of our address.
    pub address: Address,
    /// The way to the other end.
    pub route: Route,
}

/// Whether an interface has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// One has, for so long where that is known.
    Present(Option<Duration>),
    /// None has.
    Gone,
}

/// Which way leads to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// This one.
    Via(Hop),
    /// None.
    None,
    /// It could not be asked.
    Unknown,
}

/// The next step of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The index of the interface that it leaves by.
    pub interface: u32,
    /// Who passes it on; `None` where the destination is on the link.
    pub gateway: Option<IpAddr>,
}

/// `struct tcp_info` and `struct inet_diag_msg`, as far as they tell whether a connection works. All times but
/// `expires` are ages; none of them counts the sleep of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Bytes that were not acknowledged, sent or not.
    pub queued_bytes: u32,
    /// Segments that were sent and not acknowledged.
    pub unacked: u32,
    /// How many timeouts in a row the oldest segment has met.
    pub retransmits: u8,
    /// How many probes in a row have met no answer, of a window that is closed, of a route that is none, or of an idle
    /// connection that is to be kept alive.
    pub probes: u8,
    /// How often the timeout was doubled.
    pub backoff: u8,
    /// The timeout, doubled that often; but not while probing.
    pub rto: Duration,
    /// The smoothed time of a round trip.
    pub round_trip: Duration,
    /// What the connection waits for.
    pub timer: Timer,
    /// When that is over.
    pub expires: Duration,
    /// When data was last sent, for the first time or again.
    pub last_data_sent: Duration,
    /// When data last came.
    pub last_data_received: Duration,
    /// When an acknowledgement last came.
    pub last_ack_received: Duration,
    /// How often and how long it has been sending again in all; `None` before Linux 6.7.
    pub recoveries: Option<Recoveries>,
}

/// A connection's times of sending again, the present one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recoveries {
    /// How many there were.
    pub count: u16,
    /// How long they lasted together, each from its first timeout on.
    pub time: Duration,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Nothing of interest.
    None,
    /// To send again.
    Retransmit,
    /// To see whether the other end is still there.
    KeepAlive,
    /// To try again whether it may send.
    Probe,
}

impl Connection {
    /// Whether it never leaves the machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.remote.ip().is_loopback() || self.remote.ip() == self.local.ip()
    }
}

impl Numbers {
    /// When anything last came.
    #[must_use]
    pub fn last_heard(&self) -> Duration {
        self.last_data_received.min(self.last_ack_received)
    }
}

/// What the numbers of a connection come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing speaks against it.
    Well,
    /// It may be broken.
    Suspect(Doubt),
    /// It cannot work any more.
    Stranded(Cause),
}

/// Why a connection is doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Data was sent again, and nothing has come back for a while.
    Unanswered,
    /// Nothing leads to the other end.
    NoRoute,
    /// Nothing was heard since the machine slept.
    Resumed,
    /// Nothing was heard since another way leads to the other end.
    Rerouted,
    /// Nothing was heard since our address was taken from its interface and given back.
    Readdressed,
}

/// Why a connection is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Our address is on no interface.
    AddressGone,
    /// Data has met no answer past the limit.
    Unanswered,
}

/// The judgement on one connection, with what it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The judgement.
    pub judgement: Judgement,
    /// The connection.
    pub connection: Connection,
    /// How long it has been waiting for an answer, where it is sending again.
    pub unanswered: Option<Duration>,
    /// How long ago the address went, or the doubt arose; `None` where that was not seen.
    pub since: Option<Duration>,
    /// After how long the judgement may be another although nothing else happens.
    pub look_again: Option<Duration>,
}
