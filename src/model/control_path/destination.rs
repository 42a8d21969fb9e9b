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

/// Returns the arguments with which ssh connects to an alias, `user@host` or a `ssh://` URI. ssh refuses an IPv6 address in a
/// URI, because it is no domain name (`parse_uri()` in misc.c).
pub fn ssh_arguments(destination: &str) -> Vec<String> {
    let address = || {
        let (user, rest) = destination.strip_prefix("ssh://")?.split_once('[')?;
        let (host, port) = rest.split_once("]:")?;
        Some((port, format!("{user}{host}")))
    };
    match address() {
        Some((port, host)) => vec!["-p".to_owned(), port.to_owned(), "--".to_owned(), host],
        None => vec!["--".to_owned(), destination.to_owned()],
    }
}

/// The same, for a shell.
pub fn ssh_words(destination: &str) -> String {
    match ssh_arguments(destination).as_slice() {
        [options @ .., _, host] => {
            let host = text::shell_word(host.as_ref());
            options
                .iter()
                .map(|it| format!("{it} "))
                .collect::<String>()
                + &host
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_in_a_uri_becomes_arguments_that_ssh_accepts() {
        for (destination, arguments) in [
            ("web", "-- web"),
            ("u@::1", "-- u@::1"),
            ("ssh://u@h:22", "-- ssh://u@h:22"),
            ("ssh://u@[::1]:22", "-p 22 -- u@::1"),
            ("ssh://[::1]:22", "-p 22 -- ::1"),
        ] {
            assert_eq!(ssh_arguments(destination).join(" "), arguments);
        }
    }

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
