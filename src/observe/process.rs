//! What `/proc` says of one process: which program, since when, stopped or not, with a session of its own or not.
//!
//! It reads and parses; it does not search, and remembers nothing. Sources: proc_pid_stat(5), proc_pid_exe(5), and
//! OpenSSH's ssh.c for its options and process titles.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::model::socket::MasterPid;

/// Ticks of `starttime` in a second: `USER_HZ`, which is 100 wherever Linux and Rust's standard library meet.
const TICKS: u64 = 100;

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Stopped by a signal or a tracer.
    pub stopped: bool,
    /// Ticks from the start of the system to that of the process: with the pid, its identity.
    pub start_ticks: u64,
}

/// The `/proc` directory of a process. What is read may be of another process by then; compare [`Status`].
pub(super) fn directory(pid: MasterPid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.0))
}

/// Its state; `None` once it is gone, or dead and not yet waited for.
pub(super) fn status(pid: MasterPid) -> Option<Status> {
    // The line is shorter, and comes in one piece; to ask for the end of the file would cost as much again.
    let mut buffer = [0; 2048];
    let mut file = fs::File::open(format!("/proc/{}/stat", pid.0)).ok()?;
    let length = file.read(&mut buffer).ok()?;
    parse_stat(buffer.get(..length)?)
}

/// The status in the text of `/proc/PID/stat`; `None` for a process that is dead, or a text that is none.
#[must_use]
pub fn parse_stat(text: &[u8]) -> Option<Status> {
    // The name is in parentheses and may hold any byte, parentheses and spaces too.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = text
        .get(end + 1..)?
        .trim_ascii()
        .split(|byte| *byte == b' ');
    let state = fields.next()?;
    if matches!(state, b"Z" | b"X" | b"x") {
        return None;
    }
    // `state` is field 3, `starttime` field 22.
    let start_ticks = std::str::from_utf8(fields.nth(22 - 4)?)
        .ok()?
        .parse()
        .ok()?;
    Some(Status {
        stopped: matches!(state, b"T" | b"t"),
        start_ticks,
    })
}

/// When the system started, by the wall clock as it is set now.
pub(super) fn boot_time() -> Option<SystemTime> {
    let text = fs::read("/proc/stat").ok()?;
    let line = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"btime "))?;
    let seconds = std::str::from_utf8(line).ok()?.trim().parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// When the process started, by the wall clock.
pub(super) fn started(status: &Status, boot: Option<SystemTime>) -> Option<SystemTime> {
    let millis = status.start_ticks.checked_mul(1000 / TICKS)?;
    boot?.checked_add(Duration::from_millis(millis))
}

/// The program's name: the last part of its executable, or what it calls itself where that cannot be read.
pub(super) fn name(pid: MasterPid) -> Option<String> {
    let directory = directory(pid);
    let name = match fs::read_link(directory.join("exe")) {
        Ok(executable) => program(&executable)?.to_vec(),
        Err(_) => fs::read(directory.join("comm"))
            .ok()?
            .trim_ascii_end()
            .to_vec(),
    };
    Some(String::from_utf8_lossy(&name).into_owned())
}

/// An executable that was replaced, by an upgrade say, is marked as deleted.
fn program(executable: &Path) -> Option<&[u8]> {
    let name = executable.file_name()?.as_bytes();
    Some(name.strip_suffix(b" (deleted)").unwrap_or(name))
}

/// Whether an ssh carries a session of its own beside the multiplexed ones, by its arguments or title.
///
/// Unreadable arguments count as one: what may be at stake is rather told than passed over.
pub(super) fn has_own_session(pid: MasterPid) -> bool {
    fs::read(directory(pid).join("cmdline")).map_or(true, |cmdline| own_session(&cmdline))
}

/// The options of ssh's `getopt` (ssh.c, `main()`); a colon follows those with an argument.
const OPTIONS: &[u8] = b"1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy";

fn takes_argument(letter: u8) -> bool {
    let mut options = OPTIONS.iter().skip_while(|option| **option != letter);
    options.next().is_some() && options.next() == Some(&b':')
}

/// The same of the bytes of `/proc/PID/cmdline`: arguments that each end with a NUL, or a title.
#[must_use]
pub fn own_session(cmdline: &[u8]) -> bool {
    // A master that ControlPersist sent to the background: `ssh: PATH [mux]`, later `ssh: [stopped mux]`.
    let end = cmdline
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let title = cmdline[..end].strip_prefix(b"ssh: ");
    if title.is_some_and(|title| title.ends_with(b"[mux]") || title.ends_with(b"[stopped mux]")) {
        return false;
    }

    let mut words = cmdline[..end].split(|byte| *byte == 0).skip(1);
    let (mut has_host, mut has_session, mut forwards_stdio) = (false, true, false);
    while let Some(word) = words.next() {
        let letters = match word.strip_prefix(b"-") {
            Some(b"-") => break,
            Some(letters) if !letters.is_empty() => letters,
            // The first word is the host, and more options may follow; the second begins the command.
            Some(_) | None if has_host => break,
            Some(_) | None => {
                has_host = true;
                continue;
            }
        };
        let with_argument = letters.iter().position(|letter| takes_argument(*letter));
        let (flags, argument) = letters.split_at(with_argument.unwrap_or(letters.len()));
        has_session &= !flags.contains(&b'N');
        if let [option, rest @ ..] = argument {
            let value = if rest.is_empty() {
                words.next().unwrap_or_default()
            } else {
                rest
            };
            forwards_stdio |= *option == b'W';
            has_session &= !(*option == b'o' && is_session_type_none(value));
        }
    }
    has_session || forwards_stdio
}

/// The argument of `-o`: a line of ssh_config(5).
fn is_session_type_none(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let end = line
        .iter()
        .position(|byte| *byte == b'=' || byte.is_ascii_whitespace())
        .unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let value = rest.trim_ascii_start();
    let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
    let value = value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value);
    keyword.eq_ignore_ascii_case(b"sessiontype") && value.eq_ignore_ascii_case(b"none")
}

/// Whether paths mean the same to the process as to us: same root, same mount namespace. `false` where that cannot
/// be told.
pub(super) fn shares_our_files(pid: MasterPid) -> bool {
    let theirs = directory(pid);
    let ours = Path::new("/proc/self");
    ["root", "ns/mnt"].iter().all(|link| {
        let (theirs, ours) = (
            fs::read_link(theirs.join(link)),
            fs::read_link(ours.join(link)),
        );
        matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs == ours)
    })
}

/// Every descriptor of the process that is a socket, with the socket's number in sockfs.
pub(super) fn sockets(pid: MasterPid) -> impl Iterator<Item = (OsString, u32)> {
    let descriptors = fs::read_dir(directory(pid).join("fd"))
        .into_iter()
        .flatten();
    descriptors.filter_map(|entry| {
        let entry = entry.ok()?;
        let target = fs::read_link(entry.path()).ok()?;
        Some((entry.file_name(), socket_number(target.as_os_str())?))
    })
}

/// Whether this descriptor of the process is still that socket.
pub(super) fn holds(pid: MasterPid, descriptor: &OsStr, socket: u32) -> bool {
    fs::read_link(directory(pid).join("fd").join(descriptor))
        .is_ok_and(|target| socket_number(target.as_os_str()) == Some(socket))
}

/// The number in sockfs of what a link in `/proc/PID/fd` leads to: `socket:[4711]`; `None` for anything else.
#[must_use]
pub fn socket_number(target: &OsStr) -> Option<u32> {
    let number = target
        .as_bytes()
        .strip_prefix(b"socket:[")?
        .strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arguments_and_titles_tell_of_an_own_session() {
        for (cmdline, own) in [
            ("ssh: /home/u/.ssh/s/u@h-22 [mux]\0\0\0\0", false),
            ("ssh: [stopped mux]\0\0", false),
            ("ssh\0h\0", true),
            ("ssh\0-M\0-N\0h\0", false),
            ("ssh\0-fMN\0h\0", false),
            ("ssh\0h\0-N\0", false),
            ("ssh\0h\0ls\0-N\0", true),
            ("ssh\0-p\x0022\0-N\0h\0", false),
            // -N is the argument of another option.
            ("ssh\0-l\0-N\0h\0", true),
            ("ssh\0-lN\0h\0", true),
            ("ssh\0-vp22\0-S/s/%C\0h\0", true),
            ("ssh\0-o\0SessionType=none\0h\0", false),
            ("ssh\0-osessiontype none\0h\0", false),
            ("ssh\0-o\0SessionType = \"none\"\0h\0", false),
            ("ssh\0-o\0SessionType=default\0h\0", true),
            ("ssh\0-W\0h:22\0j\0", true),
            ("ssh\0-N\0-W\0h:22\0j\0", true),
            ("ssh\0--\0-N\0", true),
            ("ssh\0-o\0", true),
            ("", true),
        ] {
            assert_eq!(own_session(cmdline.as_bytes()), own, "{cmdline:?}");
        }
    }

    #[test]
    fn a_stat_line_is_read_past_any_name() {
        let line = |state: &str, name: &str| {
            let zeros = "0 ".repeat(18);
            format!("17 ({name}) {state} {zeros}4711 9 9\n")
        };
        let status = |stopped| {
            Some(Status {
                stopped,
                start_ticks: 4711,
            })
        };
        for (text, parsed) in [
            (line("S", "ssh"), status(false)),
            (line("T", "ssh"), status(true)),
            (line("t", "a) S 1 (b"), status(true)),
            (line("Z", "ssh"), None),
            ("17 (ssh) S 1".to_owned(), None),
            ("17 ssh S 1".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse_stat(text.as_bytes()), parsed, "{text:?}");
        }
    }

    #[test]
    fn an_upgraded_program_keeps_its_name() {
        for (executable, expected) in [
            ("/usr/bin/ssh", Some(&b"ssh"[..])),
            ("/usr/bin/ssh (deleted)", Some(b"ssh")),
            ("/", None),
        ] {
            assert_eq!(program(Path::new(executable)), expected);
        }
    }

    #[test]
    fn this_process_is_found_as_it_is() {
        let pid = MasterPid(std::process::id().cast_signed());
        let (left, _right) = std::os::unix::net::UnixStream::pair().unwrap();
        let inode = nix::sys::stat::fstat(&left).unwrap().st_ino;
        let status = status(pid).unwrap();
        assert!(!status.stopped);
        let started = started(&status, boot_time()).unwrap();
        let age = SystemTime::now()
            .duration_since(started)
            .unwrap_or_default();
        assert!(age < Duration::from_secs(24 * 3600), "{age:?}");
        let executable = std::env::current_exe().unwrap();
        assert_eq!(
            name(pid).as_deref(),
            executable.file_name().unwrap().to_str()
        );
        let mut sockets = sockets(pid);
        let (descriptor, socket) = sockets
            .find(|(_, socket)| u64::from(*socket) == inode)
            .unwrap();
        assert!(holds(pid, &descriptor, socket));
        assert!(!holds(pid, &descriptor, socket.wrapping_add(1)));
        assert!(shares_our_files(pid));
        assert!(!shares_our_files(MasterPid(-1)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_stat(&bytes);
            let none_mentioned = !bytes.contains(&b'N') && !bytes.contains(&b'o') && !bytes.starts_with(b"ssh: ");
            prop_assert!(own_session(&bytes) || !none_mentioned);
        }
    }
}
