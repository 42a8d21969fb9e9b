//! The ssh that is started: what each start has in common, and whether the master that came of it is ours.
//!
//! What a start is for (`trial`, `open`) decides the rest of its arguments and what becomes of the master.

pub mod interrupt;
pub mod session;

use std::ffi::OsString;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
};

use super::clean::{self, Kind};
use super::held::Held;
use super::{Eyes as _, System};
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, Target};
use crate::mux::client::path_of;
use crate::observe::filesystem;

/// Which ssh, and to which host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// The program's file.
    pub program: PathBuf,
    /// What it gets as `-F`.
    pub config: Option<PathBuf>,
    /// The host, as ssh is to get it: an alias, `user@host` or a `ssh://` URI.
    pub host: String,
}

impl Ssh {
    /// The program with its configuration; options are to follow, and then the host by [`Ssh::to_host`].
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(config) = &self.config {
            command.arg("-F").arg(config);
        }
        command
    }

    /// The host ends the options, whatever it is called.
    pub(super) fn to_host(&self, command: &mut Command) {
        command.arg("--").arg(&self.host);
    }
}

/// The path as a ControlPath that expands to it.
pub(super) fn escaped(path: &ControlPath) -> OsString {
    let mut bytes = Vec::new();
    for byte in path.as_path().as_os_str().as_bytes() {
        if *byte == b'%' {
            bytes.push(b'%');
        }
        bytes.push(*byte);
    }
    OsString::from_vec(bytes)
}

/// The master at this path, if the process of this id made its listener: SO_PEERCRED tells who called listen(), which
/// for a master that ControlPersist sent to the background is the ssh that was started.
pub(super) fn made_by(pid: u32, path: &ControlPath) -> Option<Target> {
    let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
        return None;
    };
    let mut target = Target {
        path: path.clone(),
        id: Some(stat.id),
        cookie: None,
    };
    let held = Held::of(&target).ok()?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let knock = socket(AddressFamily::Unix, SockType::Stream, flags, None).ok()?;
    let address = UnixAddr::new(&path_of(held.as_fd())).ok()?;
    connect(knock.as_raw_fd(), &address).ok()?;
    let maker = getsockopt(&knock, sockopt::PeerCredentials).ok()?;
    if u32::try_from(maker.pid()) != Ok(pid) {
        return None;
    }
    target.cookie = System.master(path, held.stat())?.cookie;
    Some(target)
}

/// Removes the socket that a killed start left behind, if there is one and it is proven stale. There was none before.
pub(super) fn sweep(path: &ControlPath) {
    let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
        return;
    };
    let target = Target {
        path: path.clone(),
        id: Some(stat.id),
        cookie: None,
    };
    if let Err(error) = clean::clean(&System, &target, Kind::Stale, SystemTime::now()) {
        tracing::debug!("{path} {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_master_is_ours_only_if_our_process_made_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = ControlPath::new(directory.path().join("u@h-22")).unwrap();
        let me = std::process::id();
        assert_eq!(made_by(me, &path), None);
        let _listener = UnixListener::bind(path.as_path()).unwrap();
        let target = made_by(me, &path).unwrap();
        assert!(target.id.is_some() && target.cookie.is_some());
        assert_eq!(made_by(me + 1, &path), None);
    }

    #[test]
    fn a_path_keeps_its_percent_signs() {
        for (path, escaped_path) in [("/s/u@h", "/s/u@h"), ("/s/100%h", "/s/100%%h")] {
            let path = ControlPath::new(path).unwrap();
            assert_eq!(escaped(&path), escaped_path);
        }
    }
}
