//! Encodes requests and decodes replies of the mux protocol.
//!
//! Every packet is a `u32` length and that many bytes: a `u32` type and a body. All integers are big-endian, a
//! string is a `u32` length and its bytes. Source: PROTOCOL.mux of OpenSSH, and mux.c for the "info" extension,
//! which PROTOCOL.mux does not describe yet.

use std::os::unix::ffi::OsStrExt as _;

use thiserror::Error;
use tr::tr;

use crate::model::forwarding::{End, Forwarding, ForwardingKind};

/// The protocol version (`SSHMUX_VER`).
pub const VERSION: u32 = 4;

/// The longest packet that is read, as in OpenSSH.
pub const MAX_PACKET: usize = 256 * 1024;

/// The extension that answers [`Request::ConnectionInfo`] (OpenSSH 10.3).
pub const INFO: &[u8] = b"info";

const HELLO: u32 = 0x0000_0001;
const ALIVE_CHECK: u32 = 0x1000_0004;
const EXIT: u32 = 0x1000_0005;
const OPEN_FORWARD: u32 = 0x1000_0006;
const CLOSE_FORWARD: u32 = 0x1000_0007;
const STOP_LISTENING: u32 = 0x1000_0009;
const EXT_INFO: u32 = 0x2000_0001;
const OK: u32 = 0x8000_0001;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const ALIVE: u32 = 0x8000_0005;
const REMOTE_PORT: u32 = 0x8000_0007;
const EXT_INFO_REPLY: u32 = 0x9000_0001;

/// In place of a port if the host is a path (`PORT_STREAMLOCAL`, which is -2).
const NO_PORT: u32 = u32::MAX - 1;

/// The target that stands for SOCKS, with port 0.
const SOCKS: &[u8] = b"socks";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub u32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Offers no extensions.
    Hello,
    AliveCheck(RequestId),
    Exit(RequestId),
    /// Accept no more sessions and exit with the last one.
    StopListening(RequestId),
    /// Only for masters that offer [`INFO`].
    ConnectionInfo(RequestId),
    OpenForward(RequestId, Forwarding),
    CloseForward(RequestId, Forwarding),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Hello {
        version: u32,
        /// Names and values; unknown names must be ignored.
        extensions: Vec<(Vec<u8>, Vec<u8>)>,
    },
    Ok(RequestId),
    PermissionDenied(RequestId, Vec<u8>),
    Failure(RequestId, Vec<u8>),
    Alive {
        id: RequestId,
        /// The process id that the master has in its own namespace.
        pid: u32,
    },
    /// The port that the server chose for a remote forwarding.
    RemotePort {
        id: RequestId,
        port: u32,
    },
    Info {
        id: RequestId,
        /// 1 if the text is the info, 0 if it is the reason of a refusal.
        status: u32,
        text: Vec<u8>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// More than [`MAX_PACKET`], or too short for a type.
    #[error("{}", tr!("it announced a packet of {n} byte" | "it announced a packet of {n} bytes" % *.0))]
    Length(u32),
    /// The packet's type; 0 if that is missing.
    #[error("{}", tr!("its message {kind} is cut short", kind = format_args!("{:#010x}", .0)))]
    Short(u32),
    #[error("{}", tr!("it sent an unknown message {kind}", kind = format_args!("{:#010x}", .0)))]
    UnknownType(u32),
}

impl Request {
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut numbers = |all: &[u32]| body.extend(all.iter().flat_map(|it| it.to_be_bytes()));
        match self {
            Self::Hello => numbers(&[HELLO, VERSION]),
            Self::AliveCheck(id) => numbers(&[ALIVE_CHECK, id.0]),
            Self::Exit(id) => numbers(&[EXIT, id.0]),
            Self::StopListening(id) => numbers(&[STOP_LISTENING, id.0]),
            Self::ConnectionInfo(id) => {
                numbers(&[EXT_INFO, id.0]);
                string(&mut body, b"connection");
            }
            Self::OpenForward(id, forwarding) => {
                numbers(&[OPEN_FORWARD, id.0]);
                encode_forwarding(&mut body, forwarding);
            }
            Self::CloseForward(id, forwarding) => {
                numbers(&[CLOSE_FORWARD, id.0]);
                encode_forwarding(&mut body, forwarding);
            }
        }
        let mut packet = Vec::new();
        string(&mut packet, &body);
        packet
    }
}

/// `mux_client_forward()` in mux.c.
fn encode_forwarding(body: &mut Vec<u8>, forwarding: &Forwarding) {
    let kind: u32 = match forwarding.kind {
        ForwardingKind::Local => 1,
        ForwardingKind::Remote => 2,
        ForwardingKind::Dynamic => 3,
    };
    body.extend(kind.to_be_bytes());
    let mut end = |host: &[u8], port: u32| {
        string(body, host);
        body.extend(port.to_be_bytes());
    };
    match &forwarding.listen {
        // An empty string stands for no host.
        End::Port { host, port } => match host.as_deref() {
            None => end(b"", (*port).into()),
            Some("") => end(b"*", (*port).into()),
            Some(host) => end(host.as_bytes(), (*port).into()),
        },
        End::Path(path) => end(path.as_os_str().as_bytes(), NO_PORT),
    }
    match &forwarding.target {
        None => end(SOCKS, 0),
        Some(End::Port { host, port }) => {
            end(
                host.as_deref().unwrap_or_default().as_bytes(),
                (*port).into(),
            );
        }
        Some(End::Path(path)) => end(path.as_os_str().as_bytes(), NO_PORT),
    }
}

fn string(to: &mut Vec<u8>, string: &[u8]) {
    let length = u32::try_from(string.len()).expect("a request is a few kilobytes at most");
    to.extend(length.to_be_bytes());
    to.extend(string);
}

/// Returns the number of bytes after the first four of a packet.
pub fn body_length(header: [u8; 4]) -> Result<usize, WireError> {
    let announced = u32::from_be_bytes(header);
    match usize::try_from(announced) {
        Ok(length) if (4..=MAX_PACKET).contains(&length) => Ok(length),
        _ => Err(WireError::Length(announced)),
    }
}

impl Reply {
    /// Decodes a packet without its length. Bytes after a complete message are ignored, as in OpenSSH's client: a later
    /// version may add fields.
    pub fn decode(body: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader {
            kind: 0,
            rest: body,
        };
        reader.kind = reader.number()?;
        Ok(match reader.kind {
            HELLO => {
                let version = reader.number()?;
                let mut extensions = Vec::new();
                while !reader.rest.is_empty() {
                    extensions.push((reader.string()?, reader.string()?));
                }
                Self::Hello {
                    version,
                    extensions,
                }
            }
            OK => Self::Ok(reader.id()?),
            PERMISSION_DENIED => Self::PermissionDenied(reader.id()?, reader.string()?),
            FAILURE => Self::Failure(reader.id()?, reader.string()?),
            ALIVE => Self::Alive {
                id: reader.id()?,
                pid: reader.number()?,
            },
            REMOTE_PORT => Self::RemotePort {
                id: reader.id()?,
                port: reader.number()?,
            },
            EXT_INFO_REPLY => Self::Info {
                id: reader.id()?,
                status: reader.number()?,
                text: reader.string()?,
            },
            unknown => return Err(WireError::UnknownType(unknown)),
        })
    }

    /// The request that it answers; `None` for HELLO.
    pub(super) fn id(&self) -> Option<RequestId> {
        match self {
            Self::Hello { .. } => None,
            Self::Ok(id)
            | Self::PermissionDenied(id, _)
            | Self::Failure(id, _)
            | Self::Alive { id, .. }
            | Self::RemotePort { id, .. }
            | Self::Info { id, .. } => Some(*id),
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "HELLO",
            Self::Ok(_) => "OK",
            Self::PermissionDenied(..) => "PERMISSION_DENIED",
            Self::Failure(..) => "FAILURE",
            Self::Alive { .. } => "ALIVE",
            Self::RemotePort { .. } => "REMOTE_PORT",
            Self::Info { .. } => "EXT_INFO",
        }
    }
}

struct Reader<'a> {
    kind: u32,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Result<u32, WireError> {
        let (number, rest) = self.rest.split_first_chunk().ok_or(self.short())?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn id(&mut self) -> Result<RequestId, WireError> {
        self.number().map(RequestId)
    }

    fn string(&mut self) -> Result<Vec<u8>, WireError> {
        let length = usize::try_from(self.number()?).map_err(|_| self.short())?;
        let (string, rest) = self.rest.split_at_checked(length).ok_or(self.short())?;
        self.rest = rest;
        Ok(string.to_vec())
    }

    const fn short(&self) -> WireError {
        WireError::Short(self.kind)
    }
}

#[cfg(test)]
mod tests;
