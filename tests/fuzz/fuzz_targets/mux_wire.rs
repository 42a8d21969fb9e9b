//! The packets of a master: PROTOCOL.mux.
//!
//! The bytes of a reply that is understood are those that this file's own encoder, written after PROTOCOL.mux, makes of
//! it; anything shorter is refused. A length is refused before anything could be allocated for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muxtray::mux::wire::{MAX_PACKET, Reply, Request, RequestId, WireError, body_length};
use muxtray_fuzz::{assert_printable, cuts};

fuzz_target!(|data: &[u8]| {
    let Some((header, body)) = data.split_first_chunk::<4>() else {
        return;
    };
    length(*header);
    requests(RequestId(u32::from_be_bytes(*header)));
    match Reply::decode(body) {
        Ok(reply) => understood(&reply, body),
        Err(error) => assert_printable(&error.to_string()),
    }
});

fn length(header: [u8; 4]) {
    let announced = u32::from_be_bytes(header);
    match body_length(header) {
        Ok(length) => {
            assert_eq!(u32::try_from(length), Ok(announced));
            assert!((4..=MAX_PACKET).contains(&length));
        }
        Err(error) => {
            assert_eq!(error, WireError::Length(announced));
            assert!(!(4..=MAX_PACKET as u64).contains(&u64::from(announced)));
        }
    }
}

/// Every request is one packet of the right length.
fn requests(id: RequestId) {
    for request in [
        Request::Hello,
        Request::AliveCheck(id),
        Request::Exit(id),
        Request::StopListening(id),
        Request::ConnectionInfo(id),
    ] {
        let packet = request.encode();
        let (header, body) = packet.split_first_chunk::<4>().expect("it has a length");
        assert_eq!(body_length(*header), Ok(body.len()));
    }
}

fn understood(reply: &Reply, body: &[u8]) {
    let again = encoded(reply);
    assert!(body.starts_with(&again), "{reply:?} is not what was sent");
    assert_eq!(Reply::decode(&again).as_ref(), Ok(reply));
    for cut in cuts(again.len()) {
        match (Reply::decode(&again[..cut]), reply) {
            // A greeting that ends between two extensions is a greeting with fewer.
            (
                Ok(Reply::Hello { extensions, .. }),
                Reply::Hello {
                    extensions: all, ..
                },
            ) => {
                assert!(all.starts_with(&extensions));
            }
            (Ok(cut_off), _) => panic!("{cut_off:?} in {cut} bytes of {reply:?}"),
            (Err(error), _) => assert_printable(&error.to_string()),
        }
    }
}

fn encoded(reply: &Reply) -> Vec<u8> {
    let number = |number: u32| number.to_be_bytes().to_vec();
    let string = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("it came in a packet");
        [&length.to_be_bytes()[..], bytes].concat()
    };
    match reply {
        Reply::Hello {
            version,
            extensions,
        } => {
            let mut body = [number(1), number(*version)].concat();
            for (name, value) in extensions {
                body.extend(string(name));
                body.extend(string(value));
            }
            body
        }
        Reply::Ok(id) => [number(0x8000_0001), number(id.0)].concat(),
        Reply::PermissionDenied(id, reason) => {
            [number(0x8000_0002), number(id.0), string(reason)].concat()
        }
        Reply::Failure(id, reason) => [number(0x8000_0003), number(id.0), string(reason)].concat(),
        Reply::Alive { id, pid } => [number(0x8000_0005), number(id.0), number(*pid)].concat(),
        Reply::RemotePort { id, port } => {
            [number(0x8000_0007), number(id.0), number(*port)].concat()
        }
        Reply::Info { id, status, text } => [
            number(0x9000_0001),
            number(id.0),
            number(*status),
            string(text),
        ]
        .concat(),
    }
}
