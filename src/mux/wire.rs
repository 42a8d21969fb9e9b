//! Encodes requests and decodes replies of the mux protocol.
//!
//! Every packet is a `u32` length and that many bytes: a `u32` type and a body. All integers are big-endian, a
//! string is a `u32` length and its bytes. Source: PROTOCOL.mux of OpenSSH, and mux.c for the "info" extension,
//! which PROTOCOL.mux does not describe yet.

use thiserror::Error;
use tr::tr;

/// The protocol version (`SSHMUX_VER`).
pub const VERSION: u32 = 4;

/// The longest packet that is read, as in OpenSSH.
pub const MAX_PACKET: usize = 256 * 1024;

/// The extension that answers [`Request::ConnectionInfo`] (OpenSSH 10.3).
pub const INFO: &[u8] = b"info";

const HELLO: u32 = 0x0000_0001;
const ALIVE_CHECK: u32 = 0x1000_0004;
const EXIT: u32 = 0x1000_0005;
const STOP_LISTENING: u32 = 0x1000_0009;
const EXT_INFO: u32 = 0x2000_0001;
const OK: u32 = 0x8000_0001;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const ALIVE: u32 = 0x8000_0005;
const EXT_INFO_REPLY: u32 = 0x9000_0001;

/// Connects a reply to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Offers no extensions.
    Hello,
    AliveCheck(RequestId),
    Exit(RequestId),
    /// Accept no more sessions and exit with the last one.
    StopListening(RequestId),
    /// Only for masters that offer [`INFO`].
    ConnectionInfo(RequestId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Hello {
        version: u32,
        /// Names and values; unknown names must be ignored.
        extensions: Vec<(Vec<u8>, Vec<u8>)>,
    },
    Ok(RequestId),
    /// Refused, with the reason.
    PermissionDenied(RequestId, Vec<u8>),
    /// With the reason.
    Failure(RequestId, Vec<u8>),
    Alive {
        id: RequestId,
        /// The process id that the master has in its own namespace.
        pid: u32,
    },
    Info {
        id: RequestId,
        /// 1 if the text is the info, 0 if it is the reason of a refusal.
        status: u32,
        text: Vec<u8>,
    },
}

/// Why a packet is not a valid reply.
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
    pub fn encode(self) -> Vec<u8> {
        const SUBJECT: &[u8; 10] = b"connection";
        let (numbers, text): (&[u32], &[u8]) = match self {
            Self::Hello => (&[HELLO, VERSION], b""),
            Self::AliveCheck(id) => (&[ALIVE_CHECK, id.0], b""),
            Self::Exit(id) => (&[EXIT, id.0], b""),
            Self::StopListening(id) => (&[STOP_LISTENING, id.0], b""),
            Self::ConnectionInfo(id) => (&[EXT_INFO, id.0, 10], SUBJECT),
        };
        let length = u32::try_from(4 * numbers.len() + text.len());
        let length = length.expect("a request is a few dozen bytes");
        let numbers = [&[length], numbers].concat();
        let mut packet: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
        packet.extend(text);
        packet
    }
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
