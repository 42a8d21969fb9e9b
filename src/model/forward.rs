//! A forwarding that a master has, as the kernel shows its listener.

use core::net::SocketAddr;
use std::fmt;
use std::path::PathBuf;

use tr::tr;

use super::forwarding::{End, Forwarding, ForwardingKind};
use super::text;

/// A listening socket of a master beside its control socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    pub at: ListensAt,
    /// The connections that it has accepted, or is about to.
    pub connections: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListensAt {
    Tcp(SocketAddr),
    /// The name of the bind.
    Unix(PathBuf),
}

/// One listener, or that of IPv4 with that of IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub at: ListensAt,
    /// Whether it listens on `at` and on the same address of IPv6.
    pub is_both: bool,
    pub connections: u32,
    /// The forwarding as it was asked for; `None` if that is unknown.
    pub forwarding: Option<Forwarding>,
    /// Whether the ssh configuration exposes it.
    pub is_configured: bool,
}

/// A forwarding of a port of the server. The kernel of this machine does not show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteForward {
    pub forwarding: Forwarding,
    /// The port that the server chose.
    pub port: Option<u16>,
}

impl Forward {
    /// The name in JSON.
    pub fn kind(&self) -> &'static str {
        match (&self.at, &self.forwarding) {
            (ListensAt::Unix(_), _) => "unix",
            (ListensAt::Tcp(_), Some(known)) if known.kind == ForwardingKind::Dynamic => "dynamic",
            (ListensAt::Tcp(_), _) => "local",
        }
    }

    pub const fn is_exposed(&self) -> bool {
        match &self.at {
            ListensAt::Tcp(address) => !address.ip().is_loopback(),
            ListensAt::Unix(_) => false,
        }
    }

    /// Returns the address for a program on this machine.
    pub fn address(&self) -> String {
        match &self.at {
            ListensAt::Tcp(address) if address.ip().is_unspecified() => {
                let loopback = if address.is_ipv4() {
                    "127.0.0.1"
                } else {
                    "[::1]"
                };
                format!("{loopback}:{}", address.port())
            }
            ListensAt::Tcp(address) => address.to_string(),
            ListensAt::Unix(path) => text::path(path),
        }
    }

    /// Returns the address for a browser. Nothing proves that a web server is behind it, but a SOCKS proxy is none.
    pub fn url(&self) -> Option<String> {
        let is_local = self.kind() == "local";
        is_local.then(|| format!("http://{}", self.address()))
    }

    /// `127.0.0.1:5432`, `*:5432`, or the path as one printable line.
    pub fn listen(&self) -> String {
        match &self.at {
            ListensAt::Tcp(address) if self.is_both && address.ip().is_unspecified() => {
                format!("*:{}", address.port())
            }
            ListensAt::Tcp(address) => address.to_string(),
            ListensAt::Unix(path) => text::path(path),
        }
    }

    pub fn listens_on(&self, address: SocketAddr) -> bool {
        let ListensAt::Tcp(own) = &self.at else {
            return false;
        };
        let is_same_kind = own.ip().is_unspecified() == address.ip().is_unspecified();
        own.port() == address.port()
            && (*own == address || (self.is_both && is_same_kind && address.is_ipv6()))
    }

    pub fn fits(&self, forwarding: &Forwarding) -> bool {
        match (&self.at, &forwarding.listen) {
            (ListensAt::Tcp(address), _) => [false, true]
                .into_iter()
                .any(|gateway_ports| forwarding.fits(*address, gateway_ports).is_some()),
            (ListensAt::Unix(path), End::Path(listen)) => path == listen,
            (ListensAt::Unix(_), End::Port { .. }) => false,
        }
    }

    /// Whether it listens on the port of a forwarding that names no address.
    pub fn has_port_of(&self, forwarding: &Forwarding) -> bool {
        let ListensAt::Tcp(address) = &self.at else {
            return false;
        };
        matches!(forwarding.listen, End::Port { host: None, port } if port == address.port())
    }
}

impl RemoteForward {
    pub fn listen(&self) -> String {
        match self.port {
            Some(port) => port.to_string(),
            None => self.forwarding.listen.to_string(),
        }
    }
}

/// `127.0.0.1:5432 → db:5432 (2 connections)`
impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = match &self.forwarding {
            None => tr!("target unknown"),
            Some(known) => known.target_or_any(),
        };
        write!(f, "{} \u{2192} {target}", self.listen())?;
        if self.connections > 0 {
            let number = tr!("{n} connection" | "{n} connections" % self.connections);
            write!(f, " ({number})")?;
        }
        Ok(())
    }
}

/// `on the server 40000 → localhost:80 (from memory)`
impl fmt::Display for RemoteForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&tr!(
            "on the server {listen} \u{2192} {target} (from memory)",
            listen = self.listen(),
            target = self.forwarding.target_or_any()
        ))
    }
}
