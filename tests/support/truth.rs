//! Facts about sockets and processes, read without muxtray and without connecting.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// Returns true if the path itself is a socket.
pub(crate) fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// Returns true if the kernel has a listener bound for this ControlPath: at the path itself, or, as masters do, at the
/// path with a dot and 16 characters.
pub(crate) fn is_listening(path: &Path) -> bool {
    let path = path.as_os_str().as_bytes();
    fs::read("/proc/net/unix")
        .unwrap()
        .split(|byte| *byte == b'\n')
        .any(|row| {
            let mut columns = row.splitn(8, |byte| *byte == b' ').skip(3);
            // __SO_ACCEPTCON: the socket listens.
            let listens = columns.next() == Some(b"00010000");
            let name = row
                .iter()
                .position(|byte| *byte == b'/')
                .map_or(&row[..0], |start| &row[start..]);
            listens
                && name.strip_prefix(path).is_some_and(|rest| {
                    rest.is_empty() || (rest.len() == 17 && rest.starts_with(b"."))
                })
        })
}

/// Returns the process state in `/proc`: `S` sleeping, `T` stopped; `None` if the process has ended.
pub(crate) fn process_state(pid: i32) -> Option<char> {
    stat(pid)?.chars().next()
}

/// The start time of the process in clock ticks since boot; with the pid, its identity.
pub(crate) fn process_start(pid: i32) -> Option<u64> {
    // Counted from the state, the third field of proc(5)'s list; starttime is the 22nd.
    stat(pid)?.split(' ').nth(19)?.parse().ok()
}

pub(crate) fn process_parent(pid: i32) -> Option<i32> {
    stat(pid)?.split(' ').nth(1)?.parse().ok()
}

/// `/proc/PID/stat` from the third field on: the second, the name, may hold spaces and parentheses.
fn stat(pid: i32) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    Some(stat[stat.rfind(')')? + 2..].to_owned())
}

pub(crate) fn processes() -> Vec<i32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// Threads that a library starts once, when it is used first, and keeps: Pango's for fonts (pangofc-fontmap.c), GLib's for
/// thread pools (gthreadpool.c). The kernel cuts names at 15 bytes.
const THREADS_OF_LIBRARIES: [&str; 2] = ["[pango] fontcon", "pool-spawner"];

/// The number of threads of a process, except [`THREADS_OF_LIBRARIES`].
pub(crate) fn threads(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok())
        .filter(|name| !THREADS_OF_LIBRARIES.contains(&name.trim()))
        .count()
}

/// Whether GTK loads images with glycin (gdk-pixbuf 2.44). From the first image, which may be an icon without a panel, its
/// threads and descriptors stay.
pub(crate) fn has_glycin(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/maps"))
        .unwrap()
        .contains("libglycin")
}

/// The command line, arguments separated by spaces.
pub(crate) fn command_line(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// The master that ControlPersist left in the background: ssh names it `ssh: PATH [mux]`.
pub(crate) fn pid_of_persisted(path: &Path) -> Option<i32> {
    let title = format!("ssh: {} [mux]", path.display());
    processes()
        .into_iter()
        .find(|pid| command_line(*pid).starts_with(&title))
}

/// The files in a directory and below it.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .flat_map(|entry| {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The network namespace of a process; `None` if the process has ended.
pub(super) fn network_of(pid: i32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}
