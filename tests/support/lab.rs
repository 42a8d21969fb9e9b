//! The laboratory of one test: a scratch directory, keys, an sshd and an ssh configuration.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::iter;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::fcntl::AT_FDCWD;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::process::{Finished, PATIENCE, Process, wait_until};
use super::truth;
use super::user::User;

/// The PATH of every command, independent of the tests' own environment.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The server's program; sshd must be started by an absolute path.
const SSHD: &str = "/usr/sbin/sshd";

/// A scratch directory with an sshd and a configuration for it.
///
/// The directory is `/tmp/mt.XXXXXX`, short because a ControlPath has 90 bytes. The configuration names the hosts
/// `web`, `db` and `build`; all three are the same server, with the ControlPath `s/ALIAS-PORT`.
pub(crate) struct Lab {
    sshd: Process,
    /// The server's port on 127.0.0.1.
    pub(crate) port: u16,
    /// Masters that are not children of this process, each with its start time.
    daemons: RefCell<Vec<(i32, Option<u64>)>>,
    dir: TempDir,
}

impl Lab {
    /// Starts sshd and waits until it answers.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let user = User::get();
        let dir = tempfile::Builder::new()
            .prefix("mt.")
            .rand_bytes(6)
            .tempdir_in("/tmp")
            .unwrap();
        user.own(dir.path());
        for name in [
            "s", "home", "run", "config", "cache", "data", "state", "tmp",
        ] {
            let directory = dir.path().join(name);
            fs::create_dir(&directory).unwrap();
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
            user.own(&directory);
        }
        make_key(dir.path(), "host_key");
        make_key(dir.path(), "user_key");
        let (sshd, port) = start_sshd(dir.path());
        let lab = Self {
            sshd,
            port,
            daemons: RefCell::default(),
            dir,
        };
        let configuration = lab.standard_configuration();
        lab.write("ssh_config", &configuration);
        lab.write_muxtray_config("");
        lab
    }

    /// A port of 127.0.0.1 that nobody listens on, and that no other test gets: another one each time, and none of those
    /// that the kernel chooses from (`ip_local_port_range`).
    pub(crate) fn free_port() -> u16 {
        const FIRST: u32 = 10_000;
        const COUNT: u32 = 22_000;
        static TAKEN: AtomicU32 = AtomicU32::new(0);
        // Another program of tests begins elsewhere.
        let start = process::id().wrapping_mul(997);
        let next = || start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        iter::repeat_with(|| u16::try_from(FIRST + next()).unwrap())
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .unwrap()
    }

    /// The path of a file in the scratch directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that belongs to the user, and makes its directories.
    pub(crate) fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let missing: Vec<_> = path
            .ancestors()
            .take_while(|directory| !directory.exists())
            .skip(1)
            .collect();
        for directory in missing.into_iter().rev() {
            fs::create_dir(directory).unwrap();
            User::get().own(directory);
        }
        fs::write(&path, text).unwrap();
        User::get().own(&path);
        path
    }

    /// Copies a program to a directory in which the user can run it. Another process writes the copy: a fork of this
    /// one could keep it open for writing (ETXTBSY).
    #[track_caller]
    pub(crate) fn install(&self, program: &Path, name: impl AsRef<Path>) -> PathBuf {
        let path = self.path(name);
        let mut command = Command::new("install");
        command.args(["-m", "755"]).arg(program).arg(&path);
        Process::run(command, PATIENCE).expect(0);
        path
    }

    /// Makes a shell script that the user can run.
    #[track_caller]
    pub(crate) fn script(&self, name: impl AsRef<Path>, does: &str) -> PathBuf {
        let text = self.write("script", format!("#!/bin/sh\n{does}\n"));
        self.install(&text, name)
    }

    /// Makes a directory that belongs to the user.
    pub(crate) fn make_directory(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.path(name);
        self.place(&path, |path| {
            fs::create_dir(path).unwrap();
            User::get().own(path);
        });
        path
    }

    /// The ControlPath of a host of the standard configuration.
    pub(crate) fn control_path(&self, alias: &str) -> PathBuf {
        self.path(format!("s/{alias}-{}", self.port))
    }

    /// The destination of a host of the standard configuration, in ssh's notation.
    pub(crate) fn destination(&self) -> String {
        format!("{}@127.0.0.1:{}", User::get().name, self.port)
    }

    /// The options of every host, which lead to the laboratory's server only.
    pub(crate) fn connection_options(&self) -> String {
        format!(
            "    HostName 127.0.0.1\n    Port {port}\n    User {user}\n    IdentityFile {key}\n    \
             IdentitiesOnly yes\n    IdentityAgent none\n    UserKnownHostsFile {known}\n    \
             GlobalKnownHostsFile none\n    StrictHostKeyChecking no\n    LogLevel ERROR\n",
            port = self.port,
            user = User::get().name,
            key = self.path("user_key").display(),
            known = self.path("known_hosts").display(),
        )
    }

    /// The standard configuration.
    pub(crate) fn standard_configuration(&self) -> String {
        format!(
            "Host web\nHost db\nHost build\n    ControlMaster no\nHost *\n    ControlPath {}/%n-%p\n{}",
            self.path("s").display(),
            self.connection_options()
        )
    }

    /// Writes these lines before the standard configuration. ssh takes the first value of an option.
    pub(crate) fn configure(&self, lines: &str) {
        let standard = self.standard_configuration();
        self.write("ssh_config", format!("{lines}\n{standard}"));
    }

    /// Writes muxtray's configuration: these lines, after globs that ignore everything outside this laboratory. Other
    /// tests run at the same time as the same user, and a developer may have masters: with `clean_automatically` an
    /// applet would remove their sockets too.
    pub(crate) fn write_muxtray_config(&self, lines: &str) -> PathBuf {
        self.write_ignoring(&[], lines)
    }

    /// Writes muxtray's configuration with these further ignored globs.
    pub(crate) fn ignore(&self, globs: &[&str]) -> PathBuf {
        self.write_ignoring(globs, "")
    }

    fn write_ignoring(&self, globs: &[&str], lines: &str) -> PathBuf {
        let outside = globs_of_everything_outside(self.dir.path());
        let ignored: Vec<_> = outside
            .iter()
            .map(String::as_str)
            .chain(globs.iter().copied())
            .collect();
        let text = format!("ignored_paths = {ignored:?}\n{lines}");
        self.write("config/muxtray/config.toml", text)
    }

    /// A command that runs as the user in the laboratory's environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = User::get().command(program);
        self.set_environment(&mut command);
        command
    }

    /// Sets the environment of [`Lab::command`].
    pub(crate) fn set_environment(&self, command: &mut Command) {
        let user = &User::get().name;
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .env("USER", user)
            .env("LOGNAME", user)
            .env("SHELL", "/bin/sh")
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("TMPDIR", self.path("tmp"));
    }

    /// Returns ssh with the laboratory's configuration.
    pub(crate) fn ssh(&self) -> Command {
        let mut command = self.command("ssh");
        command.arg("-F").arg(self.path("ssh_config"));
        command
    }

    /// The same command, run as the user by `unshare` with these options. Returns `None` if that is not permitted.
    pub(crate) fn unshared(&self, options: &[&str], command: &Command) -> Option<Command> {
        let user = User::get();
        let mut base = vec!["unshare".to_owned()];
        let by_root = if User::tests_are_root() {
            let (uid, gid) = (
                format!("--reuid={}", user.uid),
                format!("--regid={}", user.gid),
            );
            vec!["setpriv".to_owned(), uid, gid, "--clear-groups".to_owned()]
        } else {
            Vec::new()
        };
        let is_users = options.contains(&"--user");
        if is_users {
            base.splice(0..0, by_root.clone());
        }
        base.extend(options.iter().map(|option| (*option).to_owned()));
        if !is_users {
            base.extend(by_root);
        }
        let unshared = |words: &[&OsStr]| {
            let mut command = Command::new(&base[0]);
            self.set_environment(&mut command);
            command.args(&base[1..]).args(words);
            command
        };
        let mut trial = unshared(&[OsStr::new("true")]);
        if !trial.output().is_ok_and(|output| output.status.success()) {
            return None;
        }
        let words: Vec<&OsStr> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .collect();
        let mut unshared = unshared(&words);
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                unshared.env(name, value);
            }
        }
        Some(unshared)
    }

    /// `ssh -O REQUEST` to the master at this path.
    #[track_caller]
    pub(crate) fn ssh_request(&self, request: &str, control_path: &Path) -> Finished {
        let mut command = self.ssh();
        command
            .arg("-S")
            .arg(control_path)
            .args(["-O", request, "web"]);
        Process::run(command, PATIENCE)
    }

    /// Changes a forwarding as `ssh -O REQUEST ARGUMENTS` does, without muxtray.
    #[track_caller]
    pub(crate) fn ssh_forwarding(&self, request: &str, control_path: &Path, arguments: &[&str]) {
        let mut command = self.ssh();
        command.arg("-S").arg(control_path).args(["-O", request]);
        command.args(arguments).arg("web");
        Process::run(command, PATIENCE).expect(0);
    }

    /// Makes a stale socket: bound by this process and closed again.
    #[track_caller]
    pub(crate) fn dead_socket(&self, path: &Path) {
        self.place(path, Self::bind_and_close);
    }

    #[track_caller]
    fn bind_and_close(path: &Path) {
        drop(UnixListener::bind(path).unwrap());
        // A child that another test forks now holds the listener until it executes its program.
        wait_until("nobody listens on it", PATIENCE, || {
            UnixStream::connect(path)
                .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        });
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        User::get().own(path);
    }

    /// Makes a file under another name, and renames it when it is complete: a watcher would see that it belonged to root
    /// first. On another filesystem it is made in its place.
    #[track_caller]
    fn place(&self, path: &Path, make: impl FnOnce(&Path)) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        if device(path.parent().unwrap()) != device(self.dir.path()) {
            return make(path);
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let new = self.path(format!(".new-{count}"));
        make(&new);
        assert!(path.symlink_metadata().is_err(), "{path:?} exists");
        fs::rename(new, path).unwrap();
    }

    /// Makes the temporary socket of a start that was interrupted this long ago.
    pub(crate) fn leftover(&self, control_path: &Path, age: Duration) -> PathBuf {
        let path = PathBuf::from(format!("{}.yDXYs2d7ScOlhAEI", control_path.display()));
        let then = (SystemTime::now() - age)
            .duration_since(UNIX_EPOCH)
            .unwrap();
        let then = TimeSpec::from_duration(then);
        self.place(&path, |path| {
            Self::bind_and_close(path);
            let flags = UtimensatFlags::NoFollowSymlink;
            utimensat(AT_FDCWD, path, &then, &then, flags).unwrap();
        });
        path
    }

    /// Ends this process with the laboratory, although it is not a child.
    pub(crate) fn end_with_lab(&self, pid: i32) {
        self.daemons
            .borrow_mut()
            .push((pid, truth::process_start(pid)));
    }

    /// The processes of the server: the listener and those for connections.
    fn server_processes(&self) -> Vec<i32> {
        let mut found = vec![self.sshd.pid()];
        let all = truth::processes();
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(
                all.iter()
                    .filter(|pid| truth::process_parent(**pid) == Some(parent)),
            );
            next += 1;
        }
        found
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let daemons = self.daemons.take().into_iter();
        let mut doomed: Vec<_> = daemons
            .filter(|(pid, start)| start.is_some() && truth::process_start(*pid) == *start)
            .map(|(pid, _)| pid)
            .collect();
        doomed.extend(self.server_processes());
        // The scratch directory's name is unique, so a process with it in its arguments belongs to this laboratory.
        let scratch = self.dir.path().display().to_string();
        doomed.extend(
            truth::processes()
                .into_iter()
                .filter(|pid| truth::command_line(*pid).contains(&scratch)),
        );
        for pid in doomed {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // An ordinary user cannot remove directories without permissions.
        let _ = Command::new("chmod")
            .args(["-R", "u+rwx"])
            .arg(self.dir.path())
            .stderr(std::process::Stdio::null())
            .status();
    }
}

fn make_key(dir: &Path, name: &str) {
    let mut command = User::get().command("ssh-keygen");
    command
        .env("PATH", PATH)
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "muxtray-test", "-f"])
        .arg(dir.join(name));
    Process::run(command, PATIENCE).expect(0);
}

/// Starts sshd on a free port. Tries another port if a program takes it first.
#[track_caller]
fn start_sshd(dir: &Path) -> (Process, u16) {
    let mut problems = Vec::new();
    for _ in 0..10 {
        let port = Lab::free_port();
        let configuration = dir.join("sshd_config");
        fs::write(&configuration, server_configuration(dir, port)).unwrap();
        let mut command = User::get().command(SSHD);
        command
            .env("PATH", PATH)
            .current_dir(dir)
            .args(["-D", "-e", "-f"])
            .arg(&configuration);
        let mut sshd = Process::start(command);
        let ready = format!("Server listening on 127.0.0.1 port {port}");
        wait_until("sshd listens or has ended", PATIENCE, || {
            sshd.stderr().contains(&ready) || !sshd.is_running()
        });
        if sshd.is_running() {
            return (sshd, port);
        }
        problems.push(sshd.stderr());
    }
    panic!("sshd does not start: {problems:#?}");
}

fn server_configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {dir}/host_key\nAuthorizedKeysFile {dir}/user_key.pub\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n\
         MaxStartups 100\nMaxSessions 10\nUseDNS no\nSubsystem sftp internal-sftp\nPrintMotd no\nPrintLastLog no\n"
    )
}

/// Globs that together match every absolute path except those in this directory and its ancestors: one for each
/// position at which a path can differ from the name.
fn globs_of_everything_outside(directory: &Path) -> Vec<String> {
    let name = format!("{}/", directory.display());
    name.char_indices()
        .skip(1)
        .map(|(at, character)| format!("{}[!{character}]*", &name[..at]))
        .collect()
}
