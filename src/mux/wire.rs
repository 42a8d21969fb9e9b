//! PROTOCOL.mux over bytes: requests to a packet, a packet to a reply. Pure; it knows no socket and no clock.
//!
//! Every packet is a `u32` length and that many bytes: a `u32` type and a body. All integers are big-endian, a
//! string is a `u32` length and its bytes. Source: PROTOCOL.mux of OpenSSH, and mux.c for the "info" extension,
//! which PROTOCOL.mux does not describe yet.

use thiserror::Error;

/// The only version of the protocol there is (`SSHMUX_VER`).
pub const VERSION: u32 = 4;

/// The longest packet that is read. OpenSSH itself stops at the same length.
pub const MAX_PACKET: usize = 256 * 1024;

/// The name of the extension that answers [`Request::ConnectionInfo`] (OpenSSH 10.3).
pub const INFO: &[u8] = b"info";

const HELLO: u32 = 0x0000_0001;
const ALIVE_CHECK: u32 = 0x1000_0004;
const TERMINATE: u32 = 0x1000_0005;
const STOP_LISTENING: u32 = 0x1000_0009;
const EXT_INFO: u32 = 0x2000_0001;
const OK: u32 = 0x8000_0001;
const PERMISSION_DENIED: u32 = 0x8000_0002;
const FAILURE: u32 = 0x8000_0003;
const ALIVE: u32 = 0x8000_0005;
const EXT_INFO_REPLY: u32 = 0x9000_0001;

/// The number a client gives a request and finds in its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(pub u32);

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The greeting, without extensions of our own.
    Hello,
    /// Are you there, and under which process id?
    AliveCheck(RequestId),
    /// End now.
    Terminate(RequestId),
    /// Accept no more sessions, and end with the last one.
    StopListening(RequestId),
    /// Tell of the connection to the other side. Only for masters that offered [`INFO`].
    ConnectionInfo(RequestId),
}

/// What a master says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The greeting.
    Hello {
        /// The protocol version it speaks.
        version: u32,
        /// Names and values; unknown ones are to be ignored.
        extensions: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// Done.
    Ok(RequestId),
    /// The person who was asked, or the master, said no.
    PermissionDenied(RequestId, Vec<u8>),
    /// It did not work.
    Failure(RequestId, Vec<u8>),
    /// The answer to an alive check.
    Alive {
        /// Of the request.
        id: RequestId,
        /// The master's process id, as it sees itself.
        pid: u32,
    },
    /// The answer to [`Request::ConnectionInfo`].
    Info {
        /// Of the request.
        id: RequestId,
        /// 1 where the text is what was asked for, 0 where it is the reason why not.
        status: u32,
        /// Lines of text.
        text: Vec<u8>,
    },
}

/// Why bytes are no packet of a master's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The length is beyond [`MAX_PACKET`], or too short to hold a type.
    #[error("it announced a packet of {0} bytes")]
    Length(u32),
    /// The packet ends before its message does.
    #[error("its message {kind:#010x} is cut short")]
    Short {
        /// The packet's type; 0 where even that is missing.
        kind: u32,
    },
    /// The type is none that a master answers with here.
    #[error("it sent an unknown message {0:#010x}")]
    UnknownType(u32),
}

impl Request {
    /// The whole packet, its length included.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut body = Vec::with_capacity(32);
        let put = |body: &mut Vec<u8>, number: u32| body.extend(number.to_be_bytes());
        match self {
            Self::Hello => {
                put(&mut body, HELLO);
                put(&mut body, VERSION);
            }
            Self::AliveCheck(id) => {
                put(&mut body, ALIVE_CHECK);
                put(&mut body, id.0);
            }
            Self::Terminate(id) => {
                put(&mut body, TERMINATE);
                put(&mut body, id.0);
            }
            Self::StopListening(id) => {
                put(&mut body, STOP_LISTENING);
                put(&mut body, id.0);
            }
            Self::ConnectionInfo(id) => {
                const SUBJECT: &[u8; 10] = b"connection";
                put(&mut body, EXT_INFO);
                put(&mut body, id.0);
                put(&mut body, 10);
                body.extend(SUBJECT);
            }
        }
        let length = u32::try_from(body.len()).expect("a request is a few dozen bytes");
        let mut packet = length.to_be_bytes().to_vec();
        packet.append(&mut body);
        packet
    }
}

/// How many bytes follow a packet's first four.
///
/// # Errors
/// [`WireError::Length`], before anything is allocated.
pub fn body_length(header: [u8; 4]) -> Result<usize, WireError> {
    let announced = u32::from_be_bytes(header);
    match usize::try_from(announced) {
        Ok(length) if (4..=MAX_PACKET).contains(&length) => Ok(length),
        _ => Err(WireError::Length(announced)),
    }
}

impl Reply {
    /// Reads what follows a packet's length. What comes after a complete message is ignored, as OpenSSH's own
    /// client does, so that a later version may say more.
    ///
    /// # Errors
    /// [`WireError::Short`] and [`WireError::UnknownType`].
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

    /// The request it answers; none for a greeting.
    #[must_use]
    pub fn id(&self) -> Option<RequestId> {
        match self {
            Self::Hello { .. } => None,
            Self::Ok(id)
            | Self::PermissionDenied(id, _)
            | Self::Failure(id, _)
            | Self::Alive { id, .. }
            | Self::Info { id, .. } => Some(*id),
        }
    }

    /// Its name in PROTOCOL.mux.
    #[must_use]
    pub const fn name(&self) -> &'static str {
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

/// Takes a message apart from the front.
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
        WireError::Short { kind: self.kind }
    }
}

#[cfg(test)]
impl Reply {
    /// The whole packet as a master sends it, for the fake one.
    pub(crate) fn encode(&self) -> Vec<u8> {
        fn string(body: &mut Vec<u8>, string: &[u8]) {
            body.extend(u32::try_from(string.len()).unwrap().to_be_bytes());
            body.extend(string);
        }
        let kind = match self {
            Self::Hello { .. } => HELLO,
            Self::Ok(_) => OK,
            Self::PermissionDenied(..) => PERMISSION_DENIED,
            Self::Failure(..) => FAILURE,
            Self::Alive { .. } => ALIVE,
            Self::Info { .. } => EXT_INFO_REPLY,
        };
        let mut body = kind.to_be_bytes().to_vec();
        if let Some(id) = self.id() {
            body.extend(id.0.to_be_bytes());
        }
        match self {
            Self::Hello {
                version,
                extensions,
            } => {
                body.extend(version.to_be_bytes());
                for (name, value) in extensions {
                    string(&mut body, name);
                    string(&mut body, value);
                }
            }
            Self::Ok(_) => {}
            Self::PermissionDenied(_, reason) | Self::Failure(_, reason) => {
                string(&mut body, reason);
            }
            Self::Alive { pid, .. } => body.extend(pid.to_be_bytes()),
            Self::Info { status, text, .. } => {
                body.extend(status.to_be_bytes());
                string(&mut body, text);
            }
        }
        let mut packet = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        packet.append(&mut body);
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests_are_the_bytes_of_the_protocol() {
        let id = RequestId(7);
        for (request, bytes) in [
            (Request::Hello, &b"\0\0\0\x08\0\0\0\x01\0\0\0\x04"[..]),
            (Request::AliveCheck(id), b"\0\0\0\x08\x10\0\0\x04\0\0\0\x07"),
            (Request::Terminate(id), b"\0\0\0\x08\x10\0\0\x05\0\0\0\x07"),
            (
                Request::StopListening(id),
                b"\0\0\0\x08\x10\0\0\x09\0\0\0\x07",
            ),
            (
                Request::ConnectionInfo(id),
                b"\0\0\0\x16\x20\0\0\x01\0\0\0\x07\0\0\0\x0aconnection",
            ),
        ] {
            assert_eq!(request.encode(), bytes, "{request:?}");
        }
    }

    #[test]
    fn replies_are_read_as_the_protocol_has_them() {
        let id = RequestId(7);
        for (body, reply) in [
            (
                &b"\0\0\0\x01\0\0\0\x04"[..],
                Ok(Reply::Hello {
                    version: 4,
                    extensions: vec![],
                }),
            ),
            (
                b"\0\0\0\x01\0\0\0\x04\0\0\0\x04info\0\0\0\x010",
                Ok(Reply::Hello {
                    version: 4,
                    extensions: vec![(b"info".to_vec(), b"0".to_vec())],
                }),
            ),
            (b"\x80\0\0\x01\0\0\0\x07", Ok(Reply::Ok(id))),
            (b"\x80\0\0\x01\0\0\0\x07more to come", Ok(Reply::Ok(id))),
            (
                b"\x80\0\0\x02\0\0\0\x07\0\0\0\x02no",
                Ok(Reply::PermissionDenied(id, b"no".to_vec())),
            ),
            (
                b"\x80\0\0\x03\0\0\0\x07\0\0\0\0",
                Ok(Reply::Failure(id, vec![])),
            ),
            (
                b"\x80\0\0\x05\0\0\0\x07\0\0\x12\x67",
                Ok(Reply::Alive { id, pid: 4711 }),
            ),
            (
                b"\x90\0\0\x01\0\0\0\x07\0\0\0\x01\0\0\0\x02ab",
                Ok(Reply::Info {
                    id,
                    status: 1,
                    text: b"ab".to_vec(),
                }),
            ),
            (b"", Err(WireError::Short { kind: 0 })),
            (b"\0\0\0", Err(WireError::Short { kind: 0 })),
            (b"\0\0\0\x01\0\0", Err(WireError::Short { kind: HELLO })),
            (
                b"\0\0\0\x01\0\0\0\x04\0\0\0\x04info",
                Err(WireError::Short { kind: HELLO }),
            ),
            (
                b"\x80\0\0\x02\0\0\0\x07\xff\xff\xff\xffno",
                Err(WireError::Short {
                    kind: PERMISSION_DENIED,
                }),
            ),
            (
                b"\x80\0\0\x06\0\0\0\x07",
                Err(WireError::UnknownType(0x8000_0006)),
            ),
        ] {
            assert_eq!(Reply::decode(body), reply, "{body:?}");
        }
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_allocated() {
        for (announced, length) in [
            (0, Err(WireError::Length(0))),
            (3, Err(WireError::Length(3))),
            (4, Ok(4)),
            (256 * 1024, Ok(MAX_PACKET)),
            (256 * 1024 + 1, Err(WireError::Length(256 * 1024 + 1))),
            (1 << 30, Err(WireError::Length(1 << 30))),
            (u32::MAX, Err(WireError::Length(u32::MAX))),
        ] {
            assert_eq!(body_length(announced.to_be_bytes()), length);
        }
    }

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..64)
    }

    fn any_reply() -> impl Strategy<Value = Reply> {
        let id = any::<u32>().prop_map(RequestId);
        prop_oneof![
            (
                any::<u32>(),
                proptest::collection::vec((any_bytes(), any_bytes()), 0..4)
            )
                .prop_map(|(version, extensions)| Reply::Hello {
                    version,
                    extensions
                }),
            id.clone().prop_map(Reply::Ok),
            (id.clone(), any_bytes()).prop_map(|(id, reason)| Reply::PermissionDenied(id, reason)),
            (id.clone(), any_bytes()).prop_map(|(id, reason)| Reply::Failure(id, reason)),
            (id.clone(), any::<u32>()).prop_map(|(id, pid)| Reply::Alive { id, pid }),
            (id, any::<u32>(), any_bytes()).prop_map(|(id, status, text)| Reply::Info {
                id,
                status,
                text
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_reply_survives_the_wire(reply in any_reply()) {
            let packet = reply.encode();
            let (header, body) = packet.split_first_chunk().unwrap();
            prop_assert_eq!(body_length(*header), Ok(body.len()));
            prop_assert_eq!(Reply::decode(body), Ok(reply));
        }

        #[test]
        fn a_reply_cut_anywhere_is_short_or_a_shorter_greeting(reply in any_reply(), cut in any::<prop::sample::Index>()) {
            let packet = reply.encode();
            let body = &packet[4..];
            let cut = cut.index(body.len());
            match Reply::decode(&body[..cut]) {
                Err(WireError::Short { .. }) | Ok(Reply::Hello { .. }) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any_bytes(), kind in prop::sample::select(vec![HELLO, OK, FAILURE, ALIVE, EXT_INFO_REPLY])) {
            let _ = Reply::decode(&bytes);
            let mut body = kind.to_be_bytes().to_vec();
            body.extend(&bytes);
            let decoded = Reply::decode(&body);
            prop_assert!(!matches!(decoded, Err(WireError::UnknownType(_))));
        }
    }
}
