use super::*;
use crate::model::samples::forwarding;
use proptest::prelude::*;

/// The whole packet, for a fake master.
impl Reply {
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
            Self::RemotePort { .. } => REMOTE_PORT,
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
            Self::Alive { pid: number, .. } | Self::RemotePort { port: number, .. } => {
                body.extend(number.to_be_bytes());
            }
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

#[test]
fn encodes_requests() {
    let id = RequestId(7);
    for (request, bytes) in [
        (Request::Hello, &b"\0\0\0\x08\0\0\0\x01\0\0\0\x04"[..]),
        (Request::AliveCheck(id), b"\0\0\0\x08\x10\0\0\x04\0\0\0\x07"),
        (Request::Exit(id), b"\0\0\0\x08\x10\0\0\x05\0\0\0\x07"),
        (
            Request::StopListening(id),
            b"\0\0\0\x08\x10\0\0\x09\0\0\0\x07",
        ),
        (
            Request::ConnectionInfo(id),
            b"\0\0\0\x16\x20\0\0\x01\0\0\0\x07\0\0\0\x0aconnection",
        ),
        (
            Request::OpenForward(id, forwarding("-L 80:db:81")),
            b"\0\0\0\x1e\x10\0\0\x06\0\0\0\x07\0\0\0\x01\0\0\0\0\0\0\0\x50\0\0\0\x02db\0\0\0\x51",
        ),
        (
            Request::OpenForward(id, forwarding("-R :0:/a")),
            b"\0\0\0\x1f\x10\0\0\x06\0\0\0\x07\0\0\0\x02\0\0\0\x01*\0\0\0\0\0\0\0\x02/a\xff\xff\xff\xfe",
        ),
        (
            Request::CloseForward(id, forwarding("-D [::1]:80")),
            b"\0\0\0\x24\x10\0\0\x07\0\0\0\x07\0\0\0\x03\0\0\0\x03::1\0\0\0\x50\0\0\0\x05socks\0\0\0\0",
        ),
        (
            Request::CloseForward(id, forwarding("-L /s:h:80")),
            b"\0\0\0\x1f\x10\0\0\x07\0\0\0\x07\0\0\0\x01\0\0\0\x02/s\xff\xff\xff\xfe\0\0\0\x01h\0\0\0\x50",
        ),
    ] {
        assert_eq!(request.encode(), bytes, "{request:?}");
    }
}

#[test]
fn decodes_replies() {
    let id = RequestId(7);
    let hello = |extensions| Reply::Hello {
        version: 4,
        extensions,
    };
    let info = vec![(b"info".to_vec(), b"0".to_vec())];
    let (status, text) = (1, b"ab".to_vec());
    for (body, reply) in [
        (&b"\0\0\0\x01\0\0\0\x04"[..], hello(vec![])),
        (
            b"\0\0\0\x01\0\0\0\x04\0\0\0\x04info\0\0\0\x010",
            hello(info),
        ),
        (b"\x80\0\0\x01\0\0\0\x07", Reply::Ok(id)),
        (b"\x80\0\0\x01\0\0\0\x07more to come", Reply::Ok(id)),
        (
            b"\x80\0\0\x02\0\0\0\x07\0\0\0\x02no",
            Reply::PermissionDenied(id, b"no".to_vec()),
        ),
        (
            b"\x80\0\0\x03\0\0\0\x07\0\0\0\0",
            Reply::Failure(id, vec![]),
        ),
        (
            b"\x80\0\0\x05\0\0\0\x07\0\0\x12\x67",
            Reply::Alive { id, pid: 4711 },
        ),
        (
            b"\x80\0\0\x07\0\0\0\x07\0\0\x9c\x40",
            Reply::RemotePort { id, port: 40_000 },
        ),
        (
            b"\x90\0\0\x01\0\0\0\x07\0\0\0\x01\0\0\0\x02ab",
            Reply::Info { id, status, text },
        ),
    ] {
        assert_eq!(Reply::decode(body), Ok(reply), "{body:?}");
    }
    for (body, error) in [
        (&b""[..], WireError::Short(0)),
        (b"\0\0\0", WireError::Short(0)),
        (b"\0\0\0\x01\0\0", WireError::Short(HELLO)),
        (
            b"\0\0\0\x01\0\0\0\x04\0\0\0\x04info",
            WireError::Short(HELLO),
        ),
        (
            b"\x80\0\0\x02\0\0\0\x07\xff\xff\xff\xffno",
            WireError::Short(PERMISSION_DENIED),
        ),
        (
            b"\x80\0\0\x06\0\0\0\x07",
            WireError::UnknownType(0x8000_0006),
        ),
    ] {
        assert_eq!(Reply::decode(body), Err(error), "{body:?}");
    }
}

#[test]
fn rejects_lengths_out_of_bounds() {
    for (announced, is_valid) in [
        (0, false),
        (3, false),
        (4, true),
        (256 * 1024, true),
        (256 * 1024 + 1, false),
        (u32::MAX, false),
    ] {
        let length = body_length(announced.to_be_bytes());
        let expected = if is_valid {
            Ok(announced as usize)
        } else {
            Err(WireError::Length(announced))
        };
        assert_eq!(length, expected);
    }
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..64)
}

fn any_reply() -> impl Strategy<Value = Reply> {
    let id = any::<u32>().prop_map(RequestId);
    let extensions = proptest::collection::vec((any_bytes(), any_bytes()), 0..4);
    prop_oneof![
        (any::<u32>(), extensions).prop_map(|(version, extensions)| Reply::Hello {
            version,
            extensions
        }),
        id.clone().prop_map(Reply::Ok),
        (id.clone(), any_bytes()).prop_map(|(id, reason)| Reply::PermissionDenied(id, reason)),
        (id.clone(), any_bytes()).prop_map(|(id, reason)| Reply::Failure(id, reason)),
        (id.clone(), any::<u32>()).prop_map(|(id, pid)| Reply::Alive { id, pid }),
        (id.clone(), any::<u32>()).prop_map(|(id, port)| Reply::RemotePort { id, port }),
        (id, any::<u32>(), any_bytes()).prop_map(|(id, status, text)| Reply::Info {
            id,
            status,
            text
        }),
    ]
}

proptest! {
    #[test]
    fn encoded_reply_decodes_to_itself(reply in any_reply()) {
        let packet = reply.encode();
        let (header, body) = packet.split_first_chunk().unwrap();
        prop_assert_eq!(body_length(*header), Ok(body.len()));
        prop_assert_eq!(Reply::decode(body), Ok(reply));
    }

    #[test]
    fn truncated_reply_is_short_or_a_shorter_hello(reply in any_reply(), cut in any::<prop::sample::Index>()) {
        let packet = reply.encode();
        let body = &packet[4..];
        let cut = cut.index(body.len());
        match Reply::decode(&body[..cut]) {
            Err(WireError::Short(_)) | Ok(Reply::Hello { .. }) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn decodes_any_bytes_without_panic(bytes in any_bytes(), kind in prop::sample::select(vec![HELLO, OK, FAILURE, ALIVE, EXT_INFO_REPLY])) {
        let _ = Reply::decode(&bytes);
        let mut body = kind.to_be_bytes().to_vec();
        body.extend(&bytes);
        let decoded = Reply::decode(&body);
        prop_assert!(!matches!(decoded, Err(WireError::UnknownType(_))));
    }
}
