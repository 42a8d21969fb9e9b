//! A forwarding as ssh's options and configuration name it: `-L 5432:db:5432`.
//!
//! The syntax is that of `parse_forward()` and `parse_fwd_field()` in readconf.c, and of `dump_cfg_forwards()` there for
//! the output of `ssh -G`.

use core::net::{IpAddr, SocketAddr};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tr::tr;

use super::text;

/// `sizeof(sun_path)`, and `NI_MAXHOST`; both count the final NUL.
const MAX_PATH: usize = 108;
const MAX_HOST: usize = 1025;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardingKind {
    Local,
    Remote,
    Dynamic,
}

impl ForwardingKind {
    pub const fn option(self) -> &'static str {
        match self {
            Self::Local => "-L",
            Self::Remote => "-R",
            Self::Dynamic => "-D",
        }
    }

    pub fn of_option(option: &str) -> Option<Self> {
        let all = [Self::Local, Self::Remote, Self::Dynamic];
        all.into_iter().find(|kind| kind.option() == option)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    Port {
        /// As it was written; `*` and an empty host mean every address.
        host: Option<String>,
        port: u16,
    },
    Path(PathBuf),
}

/// Two of them are the same for a master only if they are equal, the written host included (`compare_forward()` in mux.c).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Forwarding {
    pub kind: ForwardingKind,
    pub listen: End,
    /// `None` if each connection names its own target by SOCKS.
    pub target: Option<End>,
}

/// How well an address fits a forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The forwarding names a host, which may have this address.
    Name,
    Address,
}

impl Forwarding {
    /// Parses the argument of an option as ssh does, except that `${…}` is not expanded. `service` returns the port of a
    /// service's name (services(5)).
    pub fn parse(
        kind: ForwardingKind,
        argument: &OsStr,
        service: &dyn Fn(&str) -> Option<u16>,
    ) -> Option<Self> {
        let fields = fields(argument.as_bytes())?;
        let port = |field: &Field| {
            let name = std::str::from_utf8(&field.text).ok()?;
            name.trim_start().parse().ok().or_else(|| service(name))
        };
        let parsed = match kind {
            ForwardingKind::Dynamic => dynamic(kind, &fields, &port),
            ForwardingKind::Local => with_target(kind, &fields, &port),
            ForwardingKind::Remote => {
                with_target(kind, &fields, &port).or_else(|| dynamic(kind, &fields, &port))
            }
        }?;
        let is_zero = matches!(parsed.listen, End::Port { port: 0, .. });
        let fits = [Some(&parsed.listen), parsed.target.as_ref()];
        let fits = fits.into_iter().flatten().all(|end| match end {
            End::Port { host, .. } => host.as_ref().is_none_or(|host| host.len() < MAX_HOST),
            End::Path(path) => path.as_os_str().len() < MAX_PATH,
        });
        (fits && (kind == ForwardingKind::Remote || !is_zero)).then_some(parsed)
    }

    /// Parses the value of `localforward` or `dynamicforward` in the output of `ssh -G`.
    pub fn parse_resolved(kind: ForwardingKind, value: &str) -> Option<Self> {
        let (listen, target) = match kind {
            ForwardingKind::Dynamic => (value, None),
            _ => {
                // A path may contain blanks.
                let split = match value.ends_with(|last: char| last.is_ascii_digit()) {
                    true => value.rsplit_once(" [").map(|(listen, _)| listen.len()),
                    false => None,
                };
                let split = split.or_else(|| value.rfind(" /"));
                let (listen, target) = value.split_at(split.or_else(|| value.rfind(' '))?);
                (listen, Some(resolved_end(&target[1..])?))
            }
        };
        Some(Self {
            kind,
            listen: resolved_end(listen)?,
            target,
        })
    }

    /// Whether a master with this forwarding would listen on the address (`channel_fwd_bind_addr()` in channels.c).
    pub fn fits(&self, address: SocketAddr, gateway_ports: bool) -> Option<Fit> {
        let End::Port { host, port } = &self.listen else {
            return None;
        };
        if *port != address.port() {
            return None;
        }
        let ip = address.ip();
        let is_loopback =
            ip == IpAddr::from([127, 0, 0, 1]) || ip == IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]);
        let is_exact = match host.as_deref() {
            None if gateway_ports => ip.is_unspecified(),
            Some("" | "*") => ip.is_unspecified(),
            None | Some("localhost") => is_loopback,
            Some(host) => match host.parse::<IpAddr>() {
                Ok(literal) => literal == ip,
                Err(_) => return (!is_loopback && !ip.is_unspecified()).then_some(Fit::Name),
            },
        };
        is_exact.then_some(Fit::Address)
    }

    /// Whether a listener on the address prevents it from listening on one of its own.
    pub fn collides_with(&self, address: SocketAddr) -> bool {
        let fits = |address| {
            let mut gateway_ports = [false, true].into_iter();
            gateway_ports.any(|gateway_ports| self.fits(address, gateway_ports).is_some())
        };
        let is_any = |host: &str| matches!(host, "" | "*" | "0.0.0.0" | "::");
        let (port, ip) = (address.port(), address.ip());
        match &self.listen {
            // A listener on every address takes the port of each.
            End::Port { port: own, host } => {
                *own == port
                    && (fits(address) || ip.is_unspecified() || host.as_deref().is_some_and(is_any))
            }
            End::Path(_) => false,
        }
    }

    /// The argument of the option, so that ssh parses the same.
    pub fn argument(&self) -> OsString {
        let mut argument = Vec::new();
        for end in [Some(&self.listen), self.target.as_ref()]
            .into_iter()
            .flatten()
        {
            if !argument.is_empty() {
                argument.push(b':');
            }
            match end {
                End::Port { host, port } => {
                    if let Some(host) = host {
                        argument.extend(bracketed(host).into_bytes());
                        argument.push(b':');
                    }
                    argument.extend(port.to_string().into_bytes());
                }
                End::Path(path) => argument.extend(escaped(path.as_os_str().as_bytes())),
            }
        }
        OsString::from_vec(argument)
    }

    /// `-L 5432:db:5432`, for a shell.
    pub fn shell_words(&self) -> String {
        let argument = text::shell_word(&self.argument());
        format!("{} {argument}", self.kind.option())
    }

    /// `db:5432`; `None` for SOCKS.
    pub fn target_text(&self) -> Option<String> {
        self.target.as_ref().map(ToString::to_string)
    }

    /// The target for a person.
    pub fn target_or_any(&self) -> String {
        self.target_text().unwrap_or_else(|| tr!("any (SOCKS)"))
    }
}

impl End {
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Port { port, .. } => Some(*port),
            Self::Path(_) => None,
        }
    }
}

/// `db:5432`, `[::1]:80`, `5432`, or the path as one printable line.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { host: None, port } => write!(f, "{port}"),
            Self::Port {
                host: Some(host),
                port,
            } => {
                let host = match host.as_str() {
                    "" => "*",
                    host => &text::line(&bracketed(host)),
                };
                write!(f, "{host}:{port}")
            }
            Self::Path(path) => f.write_str(&text::path(path)),
        }
    }
}

impl From<Forwarding> for String {
    fn from(forwarding: Forwarding) -> Self {
        let argument = forwarding.argument();
        format!(
            "{} {}",
            forwarding.kind.option(),
            argument.to_string_lossy()
        )
    }
}

impl TryFrom<String> for Forwarding {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once(' ').and_then(|(option, argument)| {
            let kind = ForwardingKind::of_option(option)?;
            Self::parse(kind, argument.as_ref(), &|_| None)
        });
        parsed.ok_or("not a forwarding")
    }
}

#[derive(Default)]
struct Field {
    text: Vec<u8>,
    is_path: bool,
}

impl Field {
    fn path(&self) -> Option<End> {
        let path = || PathBuf::from(OsString::from_vec(self.text.clone()));
        self.is_path.then(|| End::Path(path()))
    }

    fn host(&self) -> Option<String> {
        String::from_utf8(self.text.clone()).ok()
    }
}

type Port<'a> = &'a dyn Fn(&Field) -> Option<u16>;

fn dynamic(kind: ForwardingKind, fields: &[Field], port: Port<'_>) -> Option<Forwarding> {
    let listen = match fields {
        [only] => end(None, only, port)?,
        [host, number] if !number.is_path => end(Some(host), number, port)?,
        _ => return None,
    };
    Some(Forwarding {
        kind,
        listen,
        target: None,
    })
}

fn with_target(kind: ForwardingKind, fields: &[Field], port: Port<'_>) -> Option<Forwarding> {
    let (listen, target) = match fields {
        [listen, target] => (end(None, listen, port)?, target.path()?),
        [path, host, number] if path.is_path => (path.path()?, end(Some(host), number, port)?),
        [host, number, path] if path.is_path => (end(Some(host), number, port)?, path.path()?),
        [listen, host, number] => (end(None, listen, port)?, end(Some(host), number, port)?),
        [listens_on, listen, host, number] => (
            end(Some(listens_on), listen, port)?,
            end(Some(host), number, port)?,
        ),
        _ => return None,
    };
    let is_zero = matches!(target, End::Port { port: 0, .. });
    (!is_zero).then_some(Forwarding {
        kind,
        listen,
        target: Some(target),
    })
}

fn end(host: Option<&Field>, field: &Field, port: Port<'_>) -> Option<End> {
    if let (None, Some(path)) = (host, field.path()) {
        return Some(path);
    }
    let host = match host {
        Some(host) => Some(host.host()?),
        None => None,
    };
    let port = port(field)?;
    Some(End::Port { host, port })
}

/// At most four fields with colons between them. Brackets and backslashes protect a colon.
fn fields(argument: &[u8]) -> Option<Vec<Field>> {
    let mut rest = argument.trim_ascii_start();
    if rest.windows(2).any(|pair| pair == b"${") {
        return None;
    }
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let mut field = Field::default();
        if let Some(inner) = rest.strip_prefix(b"[") {
            let length = inner.iter().position(|byte| *byte == b']')?;
            let (text, after) = inner.split_at(length);
            rest = match after {
                [_] => b"",
                [_, b':', after @ ..] => after,
                _ => return None,
            };
            field.is_path = text.contains(&b'/');
            field.text = text.to_vec();
        } else {
            let mut bytes = rest.iter();
            while let Some(byte) = bytes.next() {
                match byte {
                    b':' => break,
                    b'\\' => field.text.push(*bytes.next()?),
                    byte => {
                        field.is_path |= *byte == b'/';
                        field.text.push(*byte);
                    }
                }
            }
            rest = bytes.as_slice();
        }
        fields.push(field);
    }
    (fields.len() <= 4).then_some(fields)
}

/// `[host]:port`, `port` or a path.
fn resolved_end(text: &str) -> Option<End> {
    if let Some((host, port)) = text.strip_prefix('[').and_then(|it| it.rsplit_once("]:")) {
        let host = Some(host.to_owned());
        return port.parse().ok().map(|port| End::Port { host, port });
    }
    match text.parse() {
        Ok(port) => Some(End::Port { host: None, port }),
        Err(_) => text.contains('/').then(|| End::Path(text.into())),
    }
}

fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

fn escaped(path: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for byte in path {
        let is_first = escaped.is_empty() && (*byte == b'[' || byte.is_ascii_whitespace());
        if is_first || matches!(byte, b':' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

#[cfg(test)]
mod tests;
