//! The kernel's answers to sock_diag and rtnetlink.
//!
//! There are no more rows than messages fit; a truncated answer gives the first of its rows or an error; and a socket
//! in the table is found by its file.
#![no_main]

use std::fmt::Debug;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use muxtray::model::control_path::ControlPath;
use muxtray::observe::unix_table::{UnixListener, UnixTable};
use muxtray::observe::{inet_diag, rtnetlink, sock_diag};
use muxtray_fuzz::{choice, cuts, stat};

/// `struct nlmsghdr`.
const HEADER: usize = 16;

/// A time since the start of the system.
const NOW: Duration = Duration::from_secs(100_000);

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    // Unchanged, or as the body of one message, so that its length need not be guessed.
    let (kind, in_message) = (choice & 3, choice & 4 != 0);
    let answer = if in_message {
        message([20, 20, 20, 24][usize::from(kind)], &bytes)
    } else {
        bytes
    };
    match kind {
        0 => unix(&answer),
        1 => rows(&answer, inet_diag::parse, |row| {
            let _ = (row.id.cookie(), row.id.interface());
        }),
        2 => rows(
            &answer,
            |answer| rtnetlink::parse_addresses(answer, NOW),
            |(_, age)| assert!(age.is_none_or(|age| age <= Duration::from_millis(10) * (1 << 31))),
        ),
        _ => rows(&answer, rtnetlink::parse_routes, |_| {}),
    }
});

fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).expect("inputs are small");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([2, 0]);
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

fn rows<T: PartialEq + Debug>(
    answer: &[u8],
    parse: impl Fn(&[u8]) -> io::Result<Vec<T>>,
    check: impl Fn(&T),
) {
    let Ok(rows) = parse(answer) else {
        return;
    };
    assert!(rows.len() <= answer.len() / HEADER);
    rows.iter().for_each(check);
    for cut in cuts(answer.len()) {
        if let Ok(first) = parse(&answer[..cut]) {
            assert!(rows.starts_with(&first), "{first:?} of {rows:?}");
        }
    }
}

fn unix(answer: &[u8]) {
    let Ok(table) = sock_diag::parse(answer) else {
        return;
    };
    assert!(table.listeners().count() <= answer.len() / HEADER);
    for listener in table.listeners().take(64) {
        let name = listener.name.as_os_str().as_bytes();
        assert!(!name.is_empty() && !name.contains(&0));
        is_found(&table, listener);
    }
    for cut in cuts(answer.len()) {
        let Ok(first) = sock_diag::parse(&answer[..cut]) else {
            continue;
        };
        for listener in first.listeners() {
            assert!(table.contains(listener), "{listener:?}");
        }
    }
}

/// The file of a listener leads back to it, or to one with the very same file.
fn is_found(table: &UnixTable, listener: &UnixListener) {
    let Some((vfs, path)) = listener.vfs.zip(ControlPath::new(&listener.name)) else {
        return;
    };
    let (major, minor) = (
        u64::from(vfs.device >> 20),
        u64::from(vfs.device & 0xf_ffff),
    );
    let device = major << 8 | (minor & 0xff) | (minor & !0xff) << 12;
    let found = table.listener_of(&path, &stat(vfs.inode.into(), device));
    assert_eq!(found.and_then(|found| found.vfs), Some(vfs));
}
