//! Listeners that are not masters; some imitate a broken master.
//!
//! They are a few lines of Python, run as the user. For one that counts as an ssh, the interpreter is copied under that
//! name, because muxtray recognises a master by its program's name before it connects.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lab::{Lab, PATH};
use super::process::{PATIENCE, Process};
use super::user::User;

/// The reaction of a listener to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Does not accept it, like a wedged master.
    NeverAccepts,
    /// Does not accept it, and ignores SIGTERM.
    Stubborn,
    /// Does not accept it, in a process with `/proc` files that belong to root.
    Hidden,
    /// Accepts it and sends nothing.
    Silent,
    /// Sends bytes that are not the mux protocol.
    Garbage,
    /// Announces a packet of a gigabyte and sends a little of it.
    Gigabyte,
    /// Closes it at once.
    Close,
    /// Sends a proper hello, then nothing.
    HelloOnly,
    /// Sends a hello with an unknown version.
    OtherVersion,
    /// Sends the answers of a master one byte every tenth of a second.
    Trickle,
    /// Answers the alive check with the id of another request.
    WrongId,
    /// Answers every request as a master does, and never ends.
    Immortal,
}

impl Behaviour {
    /// Every behaviour of a broken master during an alive check.
    pub(crate) const BROKEN: &[Self] = &[
        Self::NeverAccepts,
        Self::Silent,
        Self::Garbage,
        Self::Gigabyte,
        Self::Close,
        Self::HelloOnly,
        Self::OtherVersion,
        Self::Trickle,
        Self::WrongId,
    ];
}

/// A process that listens at a path.
pub(crate) struct Listener {
    process: Process,
    path: PathBuf,
}

/// Python for the mux protocol of a stand-in: writes a packet of words, reads a request of words.
pub(crate) const PACKETS: &str = r#"
import struct
packet = lambda *words: struct.pack(">%dI" % (len(words) + 1), 4 * len(words), *words)
def read(connection, length):
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part: raise EOFError
        data += part
    return data
def request(connection):
    (length,) = struct.unpack(">I", read(connection, 4))
    return struct.unpack(">%dI" % (length // 4), read(connection, length // 4 * 4))
"#;

const SCRIPT: &str = r#"
import os, signal, socket, sys, threading, time
path, behaviour = sys.argv[1:3]
os.umask(0o177)
if behaviour == "Stubborn": signal.signal(signal.SIGTERM, signal.SIG_IGN)
if behaviour == "Hidden":
    import ctypes
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
temporary = path + ".AAAAAAAAAAAAAAAA"
listener.bind(temporary)
listener.listen(64)
os.link(temporary, path)
os.unlink(temporary)
print("ready", flush=True)
hello = packet(1, 4)
def serve(connection):
    try:
        if behaviour == "Garbage": connection.sendall(os.urandom(1 << 16))
        if behaviour == "Gigabyte": connection.sendall(struct.pack(">II", 1 << 30, 1) + bytes(1 << 16))
        if behaviour == "Close": connection.close()
        if behaviour == "HelloOnly": connection.sendall(hello)
        if behaviour == "OtherVersion": connection.sendall(packet(1, 99))
        if behaviour == "Trickle":
            for byte in hello + packet(0x80000005, 0, os.getpid()):
                connection.sendall(bytes([byte])); time.sleep(0.1)
        if behaviour in ("WrongId", "Immortal"):
            connection.sendall(hello)
            request(connection)
            kind, identifier = request(connection)[:2]
            if behaviour == "WrongId": identifier += 77
            if kind == 0x10000004: connection.sendall(packet(0x80000005, identifier, os.getpid()))
            else: connection.sendall(packet(0x80000001, identifier))
        while connection.recv(65536): pass
    except (OSError, EOFError): pass
while behaviour in ("NeverAccepts", "Stubborn", "Hidden"): time.sleep(60)
while True:
    connection, _ = listener.accept()
    print("accepted", flush=True)
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
"#;

impl Listener {
    /// Starts a listener of the user that is not ssh.
    #[track_caller]
    pub(crate) fn foreign(lab: &Lab, path: &Path, behaviour: Behaviour) -> Self {
        let (python, _) = python();
        Self::start(lab.command(python), path, behaviour)
    }

    /// Starts a listener with a program named ssh.
    #[track_caller]
    pub(crate) fn called_ssh(lab: &Lab, path: &Path, behaviour: Behaviour) -> Self {
        Self::start(python_called_ssh(lab), path, behaviour)
    }

    /// Starts a listener with a program named ssh by `unshare` with these options. Returns `None` if that is not
    /// permitted.
    #[track_caller]
    pub(crate) fn unshared(lab: &Lab, options: &[&str], path: &Path) -> Option<Self> {
        let command = lab.unshared(options, &python_called_ssh(lab))?;
        Some(Self::start(command, path, Behaviour::Immortal))
    }

    /// Starts a listener that belongs to root, as another user's; for tests that run as root.
    #[track_caller]
    pub(crate) fn of_root(path: &Path, behaviour: Behaviour) -> Self {
        assert!(User::tests_are_root());
        Self::start(Command::new(python().0), path, behaviour)
    }

    #[track_caller]
    fn start(mut command: Command, path: &Path, behaviour: Behaviour) -> Self {
        command
            .args(["-c", &format!("{PACKETS}{SCRIPT}")])
            .arg(path)
            .arg(format!("{behaviour:?}"));
        let mut process = Process::start(command);
        process.wait_for_output("ready", PATIENCE);
        Self {
            process,
            path: path.to_owned(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Kills the process, so that its socket file stays behind.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    pub(crate) fn accepted(&self) -> usize {
        self.process.stdout().matches("accepted").count()
    }
}

/// One process named ssh that listens at many paths.
pub(crate) struct Listeners {
    process: Process,
}

const MANY: &str = r#"
import os, signal, socket, sys
os.umask(0o177)
held = []
for path in sys.argv[1:]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path + ".AAAAAAAAAAAAAAAA"
    listener.bind(temporary)
    listener.listen(64)
    os.link(temporary, path)
    os.unlink(temporary)
    held.append(listener)
print("ready", flush=True)
signal.pause()
"#;

/// One process per path, forked from one and ended with it.
const EACH: &str = r#"
import ctypes, os, signal, socket, sys
os.umask(0o177)
for path in sys.argv[1:]:
    if os.fork(): continue
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path + ".AAAAAAAAAAAAAAAA"
    listener.bind(temporary)
    listener.listen(64)
    os.link(temporary, path)
    os.unlink(temporary)
    os.write(1, b"ready")
    signal.pause()
signal.pause()
"#;

impl Listeners {
    /// Listens at each path in its own process.
    #[track_caller]
    pub(crate) fn each_called_ssh(lab: &Lab, paths: &[PathBuf]) -> Self {
        let mut command = python_called_ssh(lab);
        command.args(["-c", EACH]).args(paths);
        let mut process = Process::start(command);
        process.wait_for_output(&"ready".repeat(paths.len()), PATIENCE);
        Self { process }
    }

    /// Listens at all paths, each under a temporary name first, as masters do.
    #[track_caller]
    pub(crate) fn called_ssh(lab: &Lab, paths: &[PathBuf]) -> Self {
        let mut command = python_called_ssh(lab);
        command.args(["-c", MANY]).args(paths);
        let mut process = Process::start(command);
        process.wait_for_output("ready", PATIENCE);
        Self { process }
    }

    /// Kills the process, so that its socket files stay behind.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// The system's Python under the name ssh.
#[track_caller]
pub(crate) fn python_called_ssh(lab: &Lab) -> Command {
    let (python, home) = python();
    let ssh = lab.path("fake-ssh/ssh");
    if !ssh.exists() {
        lab.make_directory("fake-ssh");
        // Another process writes the copy: a fork of this one could keep it open for writing (ETXTBSY).
        let copied = Command::new("cp").arg("--").args([&python, &ssh]).status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "no copy of {python:?}"
        );
    }
    let mut command = lab.command(ssh);
    command.env("PYTHONHOME", home);
    command
}

/// The system's Python and its directory. The tests' user could not read a version manager's Python in a private home.
fn python() -> (PathBuf, String) {
    let mut command = Command::new("python3");
    command.env("PATH", PATH).args([
        "-c",
        "import os, sys; print(os.path.realpath(sys.executable)); print(sys.base_prefix)",
    ]);
    let answer = Process::run(command, PATIENCE).expect(0).stdout;
    let mut lines = answer.lines();
    let (program, home) = (lines.next().unwrap(), lines.next().unwrap());
    (PathBuf::from(program), home.to_owned())
}
