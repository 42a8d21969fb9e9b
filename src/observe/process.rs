//! Processes as `/proc` shows them. Sources: proc_pid_stat(5), proc_pid_exe(5).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read as _;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags, RawDir, open, readlinkat_raw};

use crate::model::ids::{MasterPid, UserId};
use crate::model::observation::SshArguments;
use crate::model::ssh_command_line::{is_own_session, ssh_arguments};

pub(super) const SSH: &str = "ssh";

/// `USER_HZ`, the unit of `starttime`: 100 on every architecture that Rust's standard library supports.
const TICKS_PER_SECOND: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Stopped by a signal or a tracer.
    pub stopped: bool,
    pub parent: MasterPid,
    /// The controlling terminal, in the encoding of `tty_nr`.
    tty: i32,
    /// The start time in ticks since boot; together with the pid it identifies the process.
    pub start_ticks: u64,
}

/// The user's processes, the newest first, since kernel threads and system services are rarely searched for. Each is
/// examined only when the iterator reaches it.
pub(crate) fn of_user(uid: UserId) -> impl Iterator<Item = MasterPid> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let processes = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((MasterPid(pid), entry))
    });
    let processes: Vec<_> = processes.collect();
    let is_of_user = move |entry: &fs::DirEntry| {
        entry
            .metadata()
            .is_ok_and(|metadata| metadata.uid() == uid.0)
    };
    let newest_first = processes.into_iter().rev();
    newest_first.filter_map(move |(pid, entry)| is_of_user(&entry).then_some(pid))
}

/// Calls `visit` with each process of the user and its name, first with those that `is_likely`, until it returns whether
/// all is found.
pub(super) fn search(
    uid: UserId,
    is_likely: impl Fn(&str) -> bool,
    mut visit: impl FnMut(MasterPid, String) -> bool,
) {
    let mut others = Vec::new();
    for pid in of_user(uid) {
        let Some(name) = name(pid) else {
            continue;
        };
        if !is_likely(&name) {
            others.push((pid, name));
        } else if visit(pid, name) {
            return;
        }
    }
    for (pid, name) in others {
        if visit(pid, name) {
            return;
        }
    }
}

/// The `/proc` directory of a process. The pid may be reused between two reads; compare [`Status`].
pub(super) fn directory(pid: MasterPid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", pid.0))
}

/// Reads a file that has no size, as those of `/proc`: without room, the first reads would be of some bytes each.
fn read(path: impl AsRef<Path>) -> Option<Vec<u8>> {
    let mut content = Vec::with_capacity(4096);
    let mut file = fs::File::open(path).ok()?;
    file.read_to_end(&mut content).ok()?;
    Some(content)
}

pub(super) fn own_pid() -> MasterPid {
    MasterPid(std::process::id().cast_signed())
}

/// `None` if the process has exited, even if it was not waited for.
pub(super) fn status(pid: MasterPid) -> Option<Status> {
    // One read returns the whole line; a second one, for the end of the file, would double the cost.
    let mut buffer = [0; 2048];
    let mut file = fs::File::open(format!("/proc/{}/stat", pid.0)).ok()?;
    let length = file.read(&mut buffer).ok()?;
    parse_stat(buffer.get(..length)?)
}

/// Parses `/proc/PID/stat`; `None` for a process that has exited, or invalid text.
pub fn parse_stat(text: &[u8]) -> Option<Status> {
    // The name is in parentheses and may contain parentheses and spaces.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = text
        .get(end + 1..)?
        .trim_ascii()
        .split(|byte| *byte == b' ');
    let state = fields.next()?;
    if matches!(state, b"Z" | b"X" | b"x") {
        return None;
    }
    // `state` is field 3, `ppid` field 4, `tty_nr` field 7, `starttime` field 22.
    let parent = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let tty = std::str::from_utf8(fields.nth(7 - 5)?).ok()?.parse().ok()?;
    let start_ticks = std::str::from_utf8(fields.nth(22 - 8)?)
        .ok()?
        .parse()
        .ok()?;
    Some(Status {
        stopped: matches!(state, b"T" | b"t"),
        parent: MasterPid(parent),
        tty,
        start_ticks,
    })
}

impl Status {
    /// Returns the controlling terminal: `pts/4`, or `tty1` for a console. The numbers of devices are in devices.txt of Linux.
    pub(super) fn terminal(&self) -> Option<String> {
        let tty = u64::from(self.tty.cast_unsigned());
        let (major, minor) = (tty >> 8 & 0xfff, tty & 0xff | tty >> 12 & 0xf_ff00);
        match major {
            136..=143 => Some(format!("pts/{}", (major - 136) * 256 + minor)),
            4 if minor < 64 => Some(format!("tty{minor}")),
            _ => None,
        }
    }
}

/// The start time of the system, by the wall clock as it is set now.
pub(super) fn boot_time() -> Option<SystemTime> {
    let text = read("/proc/stat")?;
    let line = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"btime "))?;
    let seconds = std::str::from_utf8(line).ok()?.trim().parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

pub(super) fn started(status: &Status, boot: Option<SystemTime>) -> Option<SystemTime> {
    let millis = status.start_ticks.checked_mul(1000 / TICKS_PER_SECOND)?;
    boot?.checked_add(Duration::from_millis(millis))
}

/// The file name of the executable, or `comm` if that cannot be read.
pub(super) fn name(pid: MasterPid) -> Option<String> {
    let directory = directory(pid);
    let name = match fs::read_link(directory.join("exe")) {
        Ok(executable) => program(&executable)?.to_vec(),
        Err(_) => read(directory.join("comm"))?.trim_ascii_end().to_vec(),
    };
    Some(String::from_utf8_lossy(&name).into_owned())
}

pub(super) fn is_ssh(pid: MasterPid) -> bool {
    name(pid).is_some_and(|name| is_ssh_client(pid, &name))
}

/// Whether the program is OpenSSH's client: by its name (also that of a wrapper: trzsz's `tssh`, Nix's `.ssh-wrapped`), or
/// by its content for a copy under another name. The sources of the client alone have the marker, as the name of a function
/// in its messages.
pub(super) fn is_ssh_client(pid: MasterPid, name: &str) -> bool {
    const NAMES: &[&str] = &[SSH, "tssh", ".ssh-wrapped"];
    const MARKER: &[u8] = b"muxserver_listen";
    /// A static build has less.
    const MAX_BYTES: u64 = 16 << 20;
    if NAMES.contains(&name) {
        return true;
    }
    let executable = fs::File::open(directory(pid).join("exe"));
    let Ok(executable) = executable else {
        return false;
    };
    let is_small = |file: &fs::File| file.metadata().is_ok_and(|it| it.len() <= MAX_BYTES);
    let mut content = Vec::new();
    is_small(&executable)
        && executable.take(MAX_BYTES).read_to_end(&mut content).is_ok()
        && content
            .split(|byte| *byte == 0)
            .any(|text| text.ends_with(MARKER))
}

/// The kernel marks an executable as deleted after an upgrade replaced it.
fn program(executable: &Path) -> Option<&[u8]> {
    let name = executable.file_name()?.as_bytes();
    Some(name.strip_suffix(b" (deleted)").unwrap_or(name))
}

/// The content of `/proc/PID/cmdline`: arguments that each end with NUL, or a title.
pub(super) fn cmdline(pid: MasterPid) -> Option<Vec<u8>> {
    read(directory(pid).join("cmdline"))
}

/// Reads whether an ssh has a session of its own beside the multiplexed ones, by its arguments or title, and its
/// [`SshArguments`]. `true` if they cannot be read, since ending the process might close a session.
pub(super) fn session_and_arguments(pid: MasterPid) -> (bool, Option<SshArguments>) {
    cmdline(pid).map_or((true, None), |cmdline| {
        (is_own_session(&cmdline), ssh_arguments(&cmdline, &service))
    })
}

/// The program that started the process, without a shell or sshpass between; `None` if it has exited.
pub(super) fn starter(pid: MasterPid) -> Option<String> {
    let mut pid = pid;
    for _ in 0..4 {
        pid = status(pid)?.parent;
        if pid.0 <= 1 {
            return None;
        }
        // The executable of a script is its interpreter.
        let comm = read(directory(pid).join("comm"))?;
        let name = String::from_utf8_lossy(comm.trim_ascii_end()).into_owned();
        if !matches!(name.as_str(), "sh" | "dash" | "sshpass") {
            return Some(name);
        }
    }
    None
}

/// The arguments of a process with blanks between them; `None` if they cannot be read.
pub(super) fn command_line(pid: MasterPid) -> Option<String> {
    let cmdline = cmdline(pid)?;
    let words = cmdline.trim_ascii_end().split(|byte| *byte == 0);
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    Some(words.join(" "))
}

/// The TCP port of a service in /etc/services.
pub fn service(name: &str) -> Option<u16> {
    let services = fs::read_to_string("/etc/services").ok()?;
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let (first, place) = (words.next()?, words.next()?);
        let port = place.strip_suffix("/tcp")?.parse().ok()?;
        (first == name || words.any(|alias| alias == name)).then_some(port)
    })
}

/// Whether the process has our root directory and mount namespace, so that paths mean the same. `false` if unknown.
pub(super) fn shares_our_files(pid: MasterPid) -> bool {
    let target = |directory: &Path, link| fs::read_link(directory.join(link)).ok();
    let process = directory(pid);
    ["root", "ns/mnt"].iter().all(|link| {
        let target_of_process = target(&process, link);
        target_of_process.is_some() && target_of_process == target(Path::new("/proc/self"), link)
    })
}

#[derive(Debug, Clone, Default)]
pub(super) struct Descriptors {
    /// Those that are sockets, with their inodes in sockfs, the lowest first; without the standard streams.
    pub(super) sockets: Vec<(OsString, u32)>,
    /// The same for the standard streams.
    pub(super) stream_sockets: Vec<(OsString, u32)>,
    /// The number of sockets before the first pipe that is not a standard stream; `None` without such a pipe.
    pub(super) before_pipe: Option<usize>,
    /// Those that are pipes, with their inodes in pipefs; without the standard streams.
    pub(super) pipes: Vec<(OsString, u64)>,
    /// The pipe that is its standard output.
    pub(super) stdout_pipe: Option<u64>,
    /// Whether its standard input or output is a terminal. With -v an ssh in the background keeps it as standard error
    /// (`fork_postauth()` in ssh.c).
    pub(super) has_terminal: bool,
}

impl Descriptors {
    /// The pipes that the process can read, and those that it can write. The mode of a link shows which end of the pipe it
    /// is; see proc_pid_fd(5).
    pub(super) fn pipe_ends(&self, pid: MasterPid) -> [Vec<u64>; 2] {
        let directory = directory(pid).join("fd");
        let can = |bit: u32| {
            let is_open = |descriptor: &OsString| {
                let link = fs::symlink_metadata(directory.join(descriptor));
                link.is_ok_and(|link| link.mode() & bit != 0)
            };
            let ends = self
                .pipes
                .iter()
                .filter(|(descriptor, _)| is_open(descriptor));
            ends.map(|(_, inode)| *inode).collect()
        };
        [can(0o400), can(0o200)]
    }

    pub(super) fn read(pid: MasterPid) -> Self {
        let mut found = Self::default();
        // By the path of each link, reading it would be twice as costly.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = open(directory(pid).join("fd"), flags, Mode::empty()) else {
            return found;
        };
        let mut names = [MaybeUninit::uninit(); 2048];
        // Longer paths are cut.
        let mut target = [MaybeUninit::uninit(); 64];
        let mut entries = RawDir::new(&directory, &mut names);
        // The kernel lists descriptors in their order (`proc_readfd_common()` in fs/proc/fd.c).
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name();
            let Ok((target, _)) = readlinkat_raw(&directory, name, &mut target) else {
                continue;
            };
            found.add(
                OsStr::from_bytes(name.to_bytes()),
                OsStr::from_bytes(target),
            );
        }
        found
    }

    fn add(&mut self, name: &OsStr, target: &OsStr) {
        let is_standard = matches!(name.as_bytes(), b"0" | b"1" | b"2");
        if let Some(inode) = socket_inode(target) {
            let sockets = match is_standard {
                true => &mut self.stream_sockets,
                false => &mut self.sockets,
            };
            sockets.push((name.to_owned(), inode));
        } else if let Some(inode) = pipe_inode(target) {
            if name == "1" {
                self.stdout_pipe = Some(inode);
            } else if !is_standard {
                self.before_pipe.get_or_insert(self.sockets.len());
                self.pipes.push((name.to_owned(), inode));
            }
        } else if is_standard {
            self.has_terminal |= name != "2" && is_terminal(target);
        }
    }

    pub(super) fn has_socket(&self, inode: u32) -> bool {
        let mut all = self.sockets.iter().chain(&self.stream_sockets);
        all.any(|(_, socket)| *socket == inode)
    }
}

fn is_terminal(device: &OsStr) -> bool {
    let device = device.as_bytes();
    device.starts_with(b"/dev/pts/") || device.starts_with(b"/dev/tty")
}

/// Whether this descriptor of the process is the socket with this inode.
pub(super) fn holds(pid: MasterPid, descriptor: &OsStr, socket: u32) -> bool {
    fs::read_link(directory(pid).join("fd").join(descriptor))
        .is_ok_and(|target| socket_inode(target.as_os_str()) == Some(socket))
}

/// The inode in the target of a `/proc/PID/fd` link such as `socket:[4711]`; `None` for anything else.
pub fn socket_inode(target: &OsStr) -> Option<u32> {
    number_in(target, b"socket:[")
}

/// The same for a pipe: `pipe:[4711]`.
fn pipe_inode(target: &OsStr) -> Option<u64> {
    number_in(target, b"pipe:[")
}

fn number_in<T: FromStr>(target: &OsStr, before: &[u8]) -> Option<T> {
    let number = target.as_bytes().strip_prefix(before)?;
    let number = number.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

pub(super) fn stdin_pipe(pid: MasterPid) -> Option<u64> {
    pipe_inode(fs::read_link(directory(pid).join("fd/0")).ok()?.as_os_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stat_line_is_parsed_after_any_name() {
        let line = |state: &str, name: &str| {
            let zeros = "0 ".repeat(18);
            format!("17 ({name}) {state} {zeros}4711 9 9\n")
        };
        let status = |stopped| {
            Some(Status {
                stopped,
                parent: MasterPid(0),
                tty: 0,
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
    fn inode_is_parsed_from_link() {
        for (target, socket, pipe) in [
            ("pipe:[12]", None, Some(12)),
            ("pipe:[12", None, None),
            ("pipe:[-1]", None, None),
            ("socket:[4711]", Some(4711), None),
            ("/dev/null", None, None),
        ] {
            let found = (socket_inode(target.as_ref()), pipe_inode(target.as_ref()));
            assert_eq!(found, (socket, pipe), "{target}");
        }
    }

    #[test]
    fn program_of_deleted_executable_keeps_its_name() {
        for (executable, expected) in [
            ("/usr/bin/ssh", Some(&b"ssh"[..])),
            ("/usr/bin/ssh (deleted)", Some(b"ssh")),
            ("/", None),
        ] {
            assert_eq!(program(Path::new(executable)), expected);
        }
    }

    #[test]
    fn reads_this_process() {
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
        let Descriptors { sockets, .. } = Descriptors::read(pid);
        let (descriptor, socket) = sockets
            .iter()
            .find(|(_, socket)| u64::from(*socket) == inode)
            .unwrap();
        assert!(holds(pid, descriptor, *socket));
        assert!(!holds(pid, descriptor, socket.wrapping_add(1)));
        assert!(shares_our_files(pid));
        assert!(!shares_our_files(MasterPid(-1)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_stat(&bytes);
        }
    }
}
