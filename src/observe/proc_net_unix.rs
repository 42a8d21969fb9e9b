//! Unix sockets from `/proc/net/unix`, for kernels and sandboxes without sock_diag.
//!
//! It has names, states and sockfs inodes, but no inodes of files: an orphan looks like its successor. Format: unix(7),
//! `unix_seq_show()` in af_unix.c.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::unix_table::{Row, UnixListener, UnixTable};
use crate::model::observation::Table;

/// `__SO_ACCEPTCON`: the socket listens.
const LISTENS: u32 = 1 << 16;
/// `SS_CONNECTED` of a socket that a process holds.
const CONNECTED: u32 = 3;

/// The table of our own network namespace; skips lines that cannot be parsed.
pub fn read_own() -> io::Result<UnixTable> {
    read(Path::new("/proc/net/unix"))
}

pub(super) fn read(file: &Path) -> io::Result<UnixTable> {
    Ok(parse(&std::fs::read(file)?))
}

/// Parses the file. A name ends at its first newline, which the kernel does not escape.
pub fn parse(text: &[u8]) -> UnixTable {
    let lines = text.split(|byte| *byte == b'\n').skip(1);
    UnixTable::new(Table::ProcNetUnix, lines.filter_map(row))
}

fn row(line: &[u8]) -> Option<Row<'_>> {
    // Num RefCount Protocol Flags Type St Inode Path; the inode is padded, and the path may contain spaces.
    let mut rest = line;
    let mut field = || {
        let text = rest.trim_ascii_start();
        let end = text.iter().position(|byte| *byte == b' ')?;
        rest = &text[end..];
        std::str::from_utf8(&text[..end]).ok()
    };
    let (_number, _references, _protocol) = (field()?, field()?, field()?);
    let flags = u32::from_str_radix(field()?, 16).ok()?;
    let _kind = field()?;
    let state = u32::from_str_radix(field()?, 16).ok()?;
    let socket_inode = field()?.parse().ok()?;
    let name = rest.strip_prefix(b" ")?;
    if name.is_empty() || name.starts_with(b"@") {
        return None;
    }
    let name = OsStr::from_bytes(name);
    if flags & LISTENS != 0 {
        Some(Row::Listener(UnixListener {
            socket_inode,
            name: name.into(),
            ..UnixListener::default()
        }))
    } else {
        (state == CONNECTED).then_some(Row::Accepted {
            socket_inode,
            vfs: None,
            name,
            peer: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "\
Num       RefCount Protocol Flags    Type St Inode Path
000000004b95531a: 00000003 00000000 00000000 0001 02     0 /s/a.yDXYs2d7ScOlhAEI
000000001a58ede0: 00000002 00000000 00010000 0001 01 22637 /s/a.yDXYs2d7ScOlhAEI
000000002938b2c5: 00000003 00000000 00000000 0001 03 22641 /s/a.yDXYs2d7ScOlhAEI
000000002938b2c6: 00000003 00000000 00000000 0001 03  1055
000000002938b2c7: 00000002 00000000 00010000 0001 01 12345678 @/tmp/.X11-unix/X0
000000002938b2c8: 00000002 00000000 00010000 0001 01   7 /with a space
0000000000000000: nonsense
";

    #[test]
    fn listeners_and_accepted_connections_are_parsed() {
        let table = parse(TEXT.as_bytes());
        let listeners: Vec<_> = table
            .listeners()
            .map(|listener| {
                let name = listener.name.to_str().unwrap();
                (listener.socket_inode, name, listener.sessions)
            })
            .collect();
        assert_eq!(
            listeners,
            [(7, "/with a space", 0), (22637, "/s/a.yDXYs2d7ScOlhAEI", 1)]
        );
        assert_eq!(table.source(), Table::ProcNetUnix);
    }

    #[test]
    fn table_of_this_kernel_is_parsed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let _bound = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let table = read_own().unwrap();
        assert!(table.listeners().any(|listener| listener.name == path));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
            prop_assert!(parse(&bytes).listeners().count() <= lines);
        }
    }
}
