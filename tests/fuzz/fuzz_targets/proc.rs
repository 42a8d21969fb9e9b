//! The contents of `/proc`: the table of unix sockets, a process's status and arguments, the mounts, the link of a
//! descriptor.
//!
//! Any name of a program and any path of a mount is read unchanged.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use muxtray::model::control_path::ControlPath;
use muxtray::model::ssh_command_line::is_own_session;
use muxtray::observe::mounts::Mounts;
use muxtray::observe::{proc_net_unix, process};
use muxtray_fuzz::{choice, stat};

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    match choice % 6 {
        0 => net_unix(&bytes),
        1 => {
            let _ = process::parse_stat(&bytes);
        }
        2 => names(&bytes),
        3 => arguments(bytes),
        4 => mounts(&bytes),
        _ => links(&bytes),
    }
});

fn net_unix(text: &[u8]) {
    let table = proc_net_unix::parse(text);
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    assert!(table.listeners().count() <= lines);
    for listener in table.listeners() {
        let name = listener.name.as_os_str().as_bytes();
        assert!(!name.is_empty() && !name.starts_with(b"@") && !name.contains(&b'\n'));
        assert_eq!((listener.cookie, listener.vfs), (None, None));
        let Some(path) = ControlPath::new(&listener.name) else {
            continue;
        };
        let found = table.listener_of(&path, &stat(7, 1));
        let found = found.and_then(|found| ControlPath::new(&found.name));
        let is_it = |found: ControlPath| {
            found == path || found.without_temporary_suffix().as_ref() == Some(&path)
        };
        assert!(found.is_some_and(is_it), "{path} leads to another");
    }
}

/// A program can have any name; a status too.
fn names(name: &[u8]) {
    for (state, stopped) in [("S", false), ("T", true)] {
        let fields = format!(") {state} {}4711 1 2\n", "0 ".repeat(18));
        let line = [b"17 (", name, fields.as_bytes()].concat();
        let status = process::parse_stat(&line).expect("the line is whole");
        assert_eq!((status.stopped, status.start_ticks), (stopped, 4711));
        assert_eq!(process::parse_stat(&line[..line.len() - 10]), None);
    }
}

fn arguments(mut cmdline: Vec<u8>) {
    let title = [b"ssh: ", &cmdline[..], b" [mux]"].concat();
    assert!(!is_own_session(&title));
    let own = is_own_session(&cmdline);
    // A title is followed by the rest of the space for arguments.
    cmdline.extend([0; 3]);
    assert_eq!(is_own_session(&cmdline), own);
}

fn mounts(bytes: &[u8]) {
    let mounts = Mounts::parse(bytes);
    for path in ["/", "/home/u/.ssh/s", "/mnt/far away/s"] {
        if let Some(mount) = mounts.of(Path::new(path), "0:32") {
            assert!(Path::new(path).starts_with(&mount.point));
        }
    }
    if let Some(mount) = mounts.of_device("8:1") {
        assert_eq!(mount.device, "8:1");
    }
    // A directory can have any name, which the kernel escapes.
    let point = [b"/", bytes].concat();
    let mut line = b"1 2 8:1 / ".to_vec();
    for byte in &point {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => line.extend(format!("\\{byte:03o}").bytes()),
            plain => line.push(*plain),
        }
    }
    line.extend(b" rw shared:1 - ext4 /dev/a rw\n");
    let mounts = Mounts::parse(&line);
    let mount = mounts.of_device("8:1").expect("the line is whole");
    assert_eq!(mount.point.as_os_str().as_bytes(), point);
    assert_eq!((&*mount.kind, &*mount.options), ("ext4", "rw"));
}

fn links(target: &[u8]) {
    if let Some(number) = process::socket_inode(OsStr::from_bytes(target)) {
        let link = format!("socket:[{number}]");
        assert_eq!(process::socket_inode(OsStr::new(&link)), Some(number));
        assert!(target.len() >= link.len());
    }
}
