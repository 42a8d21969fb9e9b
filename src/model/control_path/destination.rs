//! The destination of a connection, and the alias of a host.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::text;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostAlias(pub String);

impl fmt::Display for HostAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::line(&self.0))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Destination {
    /// `None` if a ControlPath without `%r` is the only source.
    pub user: Option<String>,
    pub host: String,
    /// `None` if a ControlPath without `%p` is the only source.
    pub port: Option<u16>,
}

/// `user@host:port`, with an IPv6 address in brackets before a port.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{}@", text::line(user))?;
        }
        let host = text::line(&self.host);
        match self.port {
            Some(port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Some(port) => write!(f, "{host}:{port}"),
            None => f.write_str(&host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_destinations_as_ssh_writes_them() {
        for (user, host, port, shown) in [
            (Some("u"), "h", Some(22), "u@h:22"),
            (None, "::1", Some(22), "[::1]:22"),
            (Some("u"), "::1", None, "u@::1"),
            (Some("a\nb"), "c\td", None, "a\\u{a}b@c\\u{9}d"),
        ] {
            let destination = Destination {
                user: user.map(str::to_owned),
                host: host.to_owned(),
                port,
            };
            assert_eq!(destination.to_string(), shown);
        }
        assert_eq!(HostAlias("a\nb".to_owned()).to_string(), "a\\u{a}b");
    }
}
