//! Real masters and the sessions through them.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use super::lab::{Lab, PATH};
use super::process::{PATIENCE, Process, wait_for, wait_until};
use super::truth;
use super::user::User;

/// A master in the foreground (`ssh -N -M`), a child of the test.
pub(crate) struct Master {
    process: Process,
    path: PathBuf,
}

impl Lab {
    /// Starts a master for a host of the configuration, at its own ControlPath.
    #[track_caller]
    pub(crate) fn master(&self, alias: &str) -> Master {
        let path = self.control_path(alias);
        let mut command = self.ssh();
        command.args(["-N", "-M", "-o", "ControlPersist=no", alias]);
        Master::start(command, path)
    }

    /// Starts a master at this path.
    #[track_caller]
    pub(crate) fn master_at(&self, path: &Path) -> Master {
        let mut command = self.ssh();
        command
            .args(["-N", "-M", "-o", "ControlPersist=no", "-S"])
            .arg(path.to_str().unwrap().replace('%', "%%"))
            .arg("web");
        Master::start(command, path.to_owned())
    }

    /// Starts a master with a session of its own, as the first `ssh HOST` under ControlMaster does.
    #[track_caller]
    pub(crate) fn master_with_own_session(&self, alias: &str) -> Master {
        let path = self.control_path(alias);
        let mut command = self.ssh();
        command.args([
            "-M",
            "-o",
            "ControlPersist=no",
            alias,
            "echo open; exec cat",
        ]);
        let mut master = Master {
            process: Process::start_with_open_input(command),
            path,
        };
        master.process.wait_for_output("open", PATIENCE);
        master
    }

    /// Starts a master that ControlPersist leaves in the background after its first session, and returns its pid.
    /// `persist` is the value of ControlPersist.
    #[track_caller]
    pub(crate) fn persisted_master(&self, alias: &str, persist: &str) -> i32 {
        let path = self.control_path(alias);
        let mut command = self.ssh();
        command
            .args(["-M", "-o", &format!("ControlPersist={persist}")])
            .args([alias, "true"]);
        Process::run(command, PATIENCE).expect(0);
        let pid = wait_for("the persisted master is there", PATIENCE, || {
            truth::pid_of_persisted(&path)
        });
        self.end_with_lab(pid);
        pid
    }

    /// Starts a master in its own network namespace, as in a container that shares the home. Its server is at the other
    /// end of a pipe, because the namespace has no network. Returns the reason if that is not permitted.
    pub(crate) fn master_in_another_namespace(&self, alias: &str) -> Result<Master, String> {
        let user = User::get();
        let mut command = Command::new("unshare");
        if User::tests_are_root() {
            command.arg("--net");
        } else {
            command.args(["--user", "--map-current-user", "--net"]);
        }
        let mut probe = Command::new("unshare");
        probe.args(command.get_args()).arg("true").env("PATH", PATH);
        let probe = Process::run(probe, PATIENCE);
        if !probe.status.success() {
            return Err(format!(
                "a network namespace cannot be made: {}",
                probe.stderr.trim()
            ));
        }
        self.set_environment(&mut command);
        if User::tests_are_root() {
            command.args(["setpriv", "--clear-groups"]).args([
                "--reuid",
                &user.uid.to_string(),
                "--regid",
                &user.gid.to_string(),
            ]);
        }
        command
            .arg("ssh")
            .arg("-F")
            .arg(self.path("ssh_config"))
            .arg("-o")
            .arg(format!(
                "ProxyCommand=/usr/sbin/sshd -i -e -f {}",
                self.path("sshd_config").display()
            ))
            .args(["-N", "-M", "-o", "ControlPersist=no", alias]);
        let path = self.control_path(alias);
        let mut process = Process::start(command);
        wait_until(
            "the master in the other namespace has its socket",
            PATIENCE,
            || {
                assert!(process.is_running(), "it ended: {}", process.stderr());
                truth::is_socket(&path) && self.ssh_request("check", &path).status.success()
            },
        );
        Ok(Master { process, path })
    }
}

impl Master {
    #[track_caller]
    pub(crate) fn start(command: Command, path: PathBuf) -> Self {
        let before = std::fs::symlink_metadata(&path).ok();
        assert!(before.is_none(), "{} is taken already", path.display());
        let mut process = Process::start(command);
        wait_until("the master listens", PATIENCE, || {
            assert!(
                process.is_running(),
                "the master ended: {}",
                process.stderr()
            );
            truth::is_socket(&path) && truth::is_listening(&path)
        });
        Self { process, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Returns true if its process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Kills its process, which leaves a stale socket file behind.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.process.kill();
        wait_until("nobody listens any more", PATIENCE, || {
            !truth::is_listening(&self.path)
        });
    }

    /// Stops its process, which keeps the socket and answers nothing.
    #[track_caller]
    pub(crate) fn suspend(&self) {
        self.process.signal(Signal::SIGSTOP);
        wait_until("the process is stopped", PATIENCE, || {
            truth::process_state(self.pid()) == Some('T')
        });
    }

    /// Continues its process.
    #[track_caller]
    pub(crate) fn resume(&self) {
        self.process.signal(Signal::SIGCONT);
        wait_until("the process goes on", PATIENCE, || {
            truth::process_state(self.pid()) != Some('T')
        });
    }

    /// Waits until its process has ended.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) {
        wait_until("the master has ended", PATIENCE, || {
            !self.process.is_running()
        });
    }

    /// Opens a session through it.
    #[track_caller]
    pub(crate) fn session(&self, lab: &Lab) -> Session {
        Session::open(lab, &self.path)
    }
}

/// An open session through a master.
pub(crate) struct Session {
    process: Process,
}

impl Session {
    /// Opens a session through the master at this path. A direct connection is impossible, so the session is
    /// multiplexed or the test fails.
    #[track_caller]
    pub(crate) fn open(lab: &Lab, control_path: &Path) -> Self {
        Self::with(lab.ssh(), control_path)
    }

    /// Opens a session by an ssh that reads no configuration file, so that inotify reports nothing to a watcher.
    #[track_caller]
    pub(crate) fn open_unnoticed(lab: &Lab, control_path: &Path) -> Self {
        let mut ssh = lab.command("ssh");
        ssh.args(["-F", "none"]);
        Self::with(ssh, control_path)
    }

    #[track_caller]
    fn with(mut command: Command, control_path: &Path) -> Self {
        command
            .args(["-o", "ControlMaster=no", "-o", "ProxyCommand=/bin/false"])
            .arg("-S")
            .arg(control_path)
            .args(["web", "echo open; exec cat"]);
        let mut process = Process::start_with_open_input(command);
        process.wait_for_output("open", PATIENCE);
        Self { process }
    }

    pub(crate) fn is_open(&mut self) -> bool {
        self.process.is_running()
    }

    /// Ends it with SIGTERM.
    pub(crate) fn close(self) {
        self.process.signal(Signal::SIGTERM);
        self.process.finish(PATIENCE);
    }
}
