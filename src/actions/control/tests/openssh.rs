//! The requests to masters of the installed OpenSSH. Each has an sshd of its own behind a pipe
//! (`ProxyCommand sshd -i`), so there is no port, no daemon, and nothing left when the master ends.

use std::process::{Child, Command, Stdio};

use super::*;
use crate::tests::skip;

const SSHD: &str = "/usr/sbin/sshd";

/// A scratch directory with keys and configuration.
struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    /// `None`, with the reason on standard error, if OpenSSH cannot be run here.
    fn new(test: &str) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            skip(test, &format!("{SSHD} is not installed"));
            return None;
        }
        if nix::unistd::geteuid().is_root() && !Path::new("/run/sshd").is_dir() {
            skip(test, "sshd as root needs /run/sshd, which is missing");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at(key))
                .status();
            if !made.is_ok_and(|status| status.success()) {
                skip(test, "ssh-keygen makes no key");
                return None;
            }
        }
        let server = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n",
            at("host").display(),
            at("user.pub").display(),
        );
        fs::write(at("sshd_config"), server).unwrap();
        let client = format!(
            "Host *\n IdentityFile {}\n IdentitiesOnly yes\n UserKnownHostsFile /dev/null\n \
             GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking no\n LogLevel ERROR\n BatchMode yes\n \
             ProxyCommand {SSHD} -i -f {}\n ControlPath {}\n",
            at("user").display(),
            at("sshd_config").display(),
            at("s").display(),
        );
        fs::write(at("ssh_config"), client).unwrap();
        Some(Self { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn ssh(&self, arguments: &[&str]) -> Child {
        Command::new("ssh")
            .arg("-F")
            .arg(self.directory.path().join("ssh_config"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap()
    }

    /// Runs ssh until its socket is there.
    fn master(&self, arguments: &[&str]) -> Ssh {
        let mut master = Ssh(self.ssh(arguments));
        until("the master listens", || {
            assert_eq!(master.0.try_wait().unwrap(), None, "the master has ended");
            self.is_up()
        });
        master
    }

    /// Whether the socket has its name and the temporary name is removed, after which its change time stays.
    fn is_up(&self) -> bool {
        let is_temporary = |name: &str| name.starts_with("s.");
        let mut entries = fs::read_dir(self.directory.path()).unwrap();
        self.path().exists()
            && !entries.any(|entry| is_temporary(&entry.unwrap().file_name().to_string_lossy()))
    }

    /// Waits until the session is open.
    fn session(&self) -> Ssh {
        let mut session = Ssh(self.ssh(&["-o", "ControlMaster=no", "h", "echo on; cat"]));
        let mut said = [0; 3];
        let output = session.0.stdout.as_mut().unwrap();
        std::io::Read::read_exact(output, &mut said).unwrap();
        assert_eq!(&said, b"on\n");
        session
    }
}

/// Killed when dropped.
struct Ssh(Child);

impl Ssh {
    fn pid(&self) -> MasterPid {
        MasterPid(i32::try_from(self.0.id()).unwrap())
    }

    fn wait(&mut self) {
        until("ssh ends", || self.0.try_wait().unwrap().is_some());
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

const BACKGROUND: &[&str] = &["-o", "ControlMaster=yes", "-N", "h"];

#[test]
fn openssh_master_answers_check() {
    let Some(host) = Host::new("openssh_master_answers_check") else {
        return;
    };
    let master = host.master(BACKGROUND);
    let checked = check(&target_of(&host.path()), LONG).unwrap();
    assert_eq!(checked.pid, Some(master.pid()));
}

#[test]
fn check_of_stopped_openssh_master_times_out() {
    let Some(host) = Host::new("check_of_stopped_openssh_master_times_out") else {
        return;
    };
    let master = host.master(BACKGROUND);
    let pid = nix::unistd::Pid::from_raw(master.pid().0);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let checked = check(&target_of(&host.path()), SHORT);
    let silence = MuxError::TimedOut {
        waiting: Awaited::Hello,
        limit: SHORT,
    };
    assert_eq!(checked, Err(silence.into()));
}

#[test]
fn openssh_master_exits() {
    let Some(host) = Host::new("openssh_master_exits") else {
        return;
    };
    let mut master = host.master(BACKGROUND);
    let exited = exit(
        &LiveKernel,
        &target_of(&host.path()),
        SessionConsent::UpTo(0),
        LONG,
    )
    .unwrap();
    assert_eq!(exited.closed, Some(0));
    assert!(!host.path().exists());
    master.wait();
}

#[test]
fn openssh_master_exits_with_sessions_only_by_consent() {
    let Some(host) = Host::new("openssh_master_exits_with_sessions_only_by_consent") else {
        return;
    };
    let mut master = host.master(BACKGROUND);
    let mut sessions = [host.session(), host.session()];
    let target = target_of(&host.path());
    let exited = exit(&LiveKernel, &target, SessionConsent::UpTo(1), LONG);
    assert_eq!(exited, Err(ControlError::SessionsOpen { sessions: 2 }));
    assert_eq!(check(&target, LONG).unwrap().pid, Some(master.pid()));
    let exited = exit(&LiveKernel, &target, SessionConsent::UpTo(2), LONG).unwrap();
    assert_eq!(exited.closed, Some(2));
    master.wait();
    for session in &mut sessions {
        session.wait();
    }
}

#[test]
fn own_session_of_openssh_master_counts() {
    let Some(host) = Host::new("own_session_of_openssh_master_counts") else {
        return;
    };
    let mut master = host.master(&["-o", "ControlMaster=auto", "h", "cat"]);
    let target = target_of(&host.path());
    let exited = exit(&LiveKernel, &target, SessionConsent::UpTo(0), LONG);
    assert_eq!(exited, Err(ControlError::SessionsOpen { sessions: 1 }));
    let exited = exit(&LiveKernel, &target, SessionConsent::Any, LONG).unwrap();
    assert_eq!(exited.closed, Some(1));
    master.wait();
}

#[test]
fn stopped_openssh_master_keeps_its_session() {
    let Some(host) = Host::new("stopped_openssh_master_keeps_its_session") else {
        return;
    };
    let mut master = host.master(BACKGROUND);
    let mut session = host.session();
    let stopped = stop(&LiveKernel, &target_of(&host.path()), LONG).unwrap();
    assert_eq!(stopped.sessions, Some(1));
    assert!(!host.path().exists());
    // The session goes on.
    session
        .0
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"still\n")
        .unwrap();
    let mut said = [0; 6];
    let output = session.0.stdout.as_mut().unwrap();
    std::io::Read::read_exact(output, &mut said).unwrap();
    assert_eq!(&said, b"still\n");
    assert_eq!(master.0.try_wait().unwrap(), None);
    // And the master ends with it.
    drop(session.0.stdin.take());
    session.wait();
    master.wait();
}

#[test]
fn refusal_by_askpass_is_reported() {
    let Some(host) = Host::new("refusal_by_askpass_is_reported") else {
        return;
    };
    let askpass = host.directory.path().join("askpass");
    fs::write(&askpass, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(
        &askpass,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let child = Command::new("ssh")
        .arg("-F")
        .arg(host.directory.path().join("ssh_config"))
        .args(["-o", "ControlMaster=ask", "-N", "h"])
        .env("SSH_ASKPASS", &askpass)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("DISPLAY", ":none")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let _master = Ssh(child);
    until("the master listens", || host.is_up());
    let target = target_of(&host.path());
    let refused = |waiting| MuxError::RefusedByMaster {
        waiting,
        reason: "Permission denied".to_owned(),
    };
    let exited = exit(&LiveKernel, &target, SessionConsent::UpTo(0), LONG);
    assert_eq!(exited, Err(refused(Awaited::Exit).into()));
    let stopped = stop(&LiveKernel, &target, LONG);
    assert_eq!(stopped, Err(refused(Awaited::Stop).into()));
}
