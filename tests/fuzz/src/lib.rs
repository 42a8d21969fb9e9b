//! Shared parts of the fuzz targets: the split of an input into choice and bytes, the check of printable text, and the
//! surroundings that the parsers need.
//!
//! No parser's rules are here; each target states its own properties.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

use muxtray::discover::Environment;
use muxtray::model::control_path::{ControlPath, Destination, HostAlias, Known};
use muxtray::model::finding::{Finding, FindingId};
use muxtray::model::group::{GroupId, Permissions};
use muxtray::model::ids::UserId;
use muxtray::model::socket::{Cookie, MasterPid, Owner, Snapshot, Socket, SocketId, Stat, State};
use muxtray::observe::accounts::Databases;

/// The half of a choice that asks for an enlarged input: rarely, as it takes long.
const ENLARGE: u8 = 0xf0;

/// The least length of an enlarged input: quadratic time takes minutes then, and libFuzzer's limit of seconds finds it.
const ENLARGED: usize = 256 * 1024;

/// In an enlarged input this byte becomes the number of the repetition, so that the repetitions can differ.
const NUMBER: u8 = 0x11;

/// Splits an input into a choice and the bytes it applies to. If the choice asks for it, the bytes are repeated many
/// times.
#[must_use]
pub fn choice(data: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (choice, bytes) = data.split_first()?;
    if choice & ENLARGE != ENLARGE || bytes.is_empty() {
        return Some((*choice, bytes.to_vec()));
    }
    let mut enlarged = Vec::with_capacity(ENLARGED + bytes.len());
    for number in 0_u32.. {
        for byte in bytes {
            if *byte == NUMBER {
                enlarged.extend(number.to_string().bytes());
            } else {
                enlarged.push(*byte);
            }
        }
        if enlarged.len() >= ENLARGED {
            break;
        }
    }
    Some((choice & !ENLARGE, enlarged))
}

/// Some places to cut bytes at: the ends, and a few between.
pub fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..8)
        .map(move |eighth| length * eighth / 8)
        .chain((1..=3).filter_map(move |less| length.checked_sub(less)))
}

/// Panics for text that must not reach a terminal, a menu or a notification: characters that move the cursor, change
/// the direction of the following text, or cannot be seen.
#[track_caller]
pub fn assert_printable(text: &str) {
    let hidden = text.chars().find(|character| is_hidden(*character));
    assert_eq!(hidden, None, "in {text:?}");
}

/// Panics for a finding that must not be shown.
#[track_caller]
pub fn assert_finding_printable(finding: &Finding) {
    assert_printable(&finding.subject);
    assert_printable(&finding.evidence);
    assert_printable(&finding.remedy);
}

/// Control characters, the property Bidi_Control, Default_Ignorable_Code_Point and the two separators, after the
/// Unicode Character Database. Written down again here, so that a gap in muxtray's own list is found.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// A directory of this process, below `$TMPDIR`. libFuzzer ends without dropping it, so tests/fuzz.sh removes it.
pub fn scratch() -> &'static Path {
    static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
        let temporary = std::env::temp_dir();
        let path = temporary.join(format!("muxtray-fuzz-{}", std::process::id()));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .expect("a scratch directory can be made");
        path.canonicalize().expect("it is there")
    });
    &SCRATCH
}

/// Writes a file that only its owner may read and write, in an existing directory.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .expect("a scratch file can be written");
}

/// A user `u` with this home on `box.example.org`. The user id is that of this process, whose files are read.
#[must_use]
pub fn environment(home: &Path) -> Environment {
    let environment: BTreeMap<OsString, OsString> = [
        ("WHERE".into(), home.join("where").into()),
        ("HOME".into(), home.into()),
    ]
    .into();
    Environment {
        known: Known {
            home: home.to_owned(),
            uid: uid(),
            user: "u".into(),
            host_name: "box.example.org".into(),
            runtime_dir: home.join("run"),
            environment,
            home_of: |user| (user == "v").then(|| PathBuf::from("/nonexistent/v")),
        },
        system_config: home.join("etc/ssh_config"),
        vendor_config: home.join("usr/etc/ssh_config"),
        databases: Databases::default(),
    }
}

#[must_use]
/// The user id of this process.
pub fn uid() -> u32 {
    fs::metadata("/proc/self").map_or(0, |stat| stat.uid())
}

/// The metadata of a socket file of the user's.
#[must_use]
pub fn stat(inode: u64, device: u64) -> Stat {
    Stat {
        id: SocketId {
            device,
            inode,
            changed: (0, 0),
        },
        uid: UserId(1000),
        permissions: Permissions {
            mode: 0o600,
            group: GroupId(1000),
            acl: None,
        },
        modified: SystemTime::UNIX_EPOCH,
        accessed: SystemTime::UNIX_EPOCH,
    }
}

/// A running master.
#[must_use]
pub fn socket(path: ControlPath, alias: &str, destination: Destination) -> Socket {
    Socket {
        argument: alias.to_owned(),
        ssh_option: String::new(),
        path,
        state: State::Running,
        id: None,
        cookie: Some(Cookie(1)),
        hosts: vec![HostAlias(alias.to_owned())],
        is_elsewhere: false,
        refuses: false,
        destination: Some(destination),
        pid: Some(MasterPid(4711)),
        sessions: Some(2),
        own_session: false,
        forwarded: Some(0),
        clients: None,
        is_kept: false,
        kept_until: None,
        forwards: Vec::new(),
        remote_forwards: Vec::new(),
        earlier_forwards: Vec::new(),
        ends_at: None,
        jumping: Vec::new(),
        strangers: Vec::new(),
        owner: Some(Owner {
            uid: UserId(1000),
            name: Some("u".to_owned()),
        }),
        mode: Some(0o600),
        since: None,
        persist_secs: None,
        own_persist_secs: None,
        managed_by: None,
        network: None,
        findings: Vec::new(),
    }
}

/// A snapshot with these sockets and the finding of a missing directory.
#[must_use]
pub fn snapshot(sockets: Vec<Socket>) -> Snapshot {
    Snapshot {
        at: SystemTime::UNIX_EPOCH,
        zone: Default::default(),
        sockets,
        findings: vec![Finding::new(
            FindingId::DirectoryMissing,
            "/home/u/.ssh/s",
            "there is no /home/u/.ssh/s",
            "mkdir -m 700 /home/u/.ssh/s",
        )],
        asides: Vec::new(),
    }
}
