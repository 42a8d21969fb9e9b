//! Stand-ins for masters and their clients: processes named ssh that listen as masters do and answer the alive check at
//! once, or hold a connection to one of them. They are this benchmark, executed again under that name, because muxtray
//! recognises a master by the name of its program.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::stat::{Mode, umask};

/// Set in the environment of a stand-in for a master: to the TCP port of its server if it has a forwarding, or empty.
const MASTER: &str = "MUXTRAY_BENCH_STANDS_IN_FOR_A_MASTER";

/// Set in the environment of a stand-in for a client, to the path of its master.
const CLIENT: &str = "MUXTRAY_BENCH_STANDS_IN_FOR_A_CLIENT";

/// The processes. They end when this is dropped, or when this process ends.
#[derive(Debug)]
pub(crate) struct StandIns {
    ssh: PathBuf,
    children: Vec<Child>,
}

impl StandIns {
    /// Starts at most `most` processes that listen at all these paths. Each answers at its first path only, so the
    /// first `most` paths answer and the others only listen. If `forwarding`, each process has a connection and one
    /// forwarding.
    pub(crate) fn listen(
        directory: &Path,
        paths: &[PathBuf],
        most: usize,
        forwarding: bool,
    ) -> Self {
        let ssh = directory.join("ssh");
        let this = env::current_exe().unwrap();
        fs::hard_link(&this, &ssh)
            .or_else(|_| fs::copy(&this, &ssh).map(drop))
            .unwrap();
        let mut stand_ins = Self {
            ssh,
            children: Vec::new(),
        };
        let port = match forwarding {
            true => serve().to_string(),
            false => String::new(),
        };
        let processes = most.min(paths.len());
        for first in 0..processes {
            let its = paths.iter().skip(first).step_by(processes);
            let list: String = its.map(|path| format!("{}\n", path.display())).collect();
            stand_ins.start(MASTER, &port, &format!("{list}\n"));
        }
        stand_ins.wait_for_all();
        stand_ins
    }

    /// Starts a client for each of these paths.
    pub(crate) fn connect<'a>(&mut self, paths: impl Iterator<Item = &'a PathBuf>) {
        for path in paths {
            self.start(CLIENT, path, "");
        }
        self.wait_for_all();
    }

    fn start(&mut self, role: &str, value: impl AsRef<OsStr>, input: &str) {
        // The arguments of a master without its own session.
        let mut child = Command::new(&self.ssh)
            .args(["-N", "-M", "host"])
            .env(role, value)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.as_mut().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        self.children.push(child);
    }

    fn wait_for_all(&mut self) {
        for mut stdout in self.children.iter_mut().filter_map(|it| it.stdout.take()) {
            stdout.read_exact(&mut [0]).unwrap();
        }
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// If this process was started as a stand-in, serves as one and never returns. Call it first in `main`.
pub(crate) fn serve_if_stand_in() {
    if let Some(path) = env::var_os(CLIENT) {
        let _connection = UnixStream::connect(path).unwrap();
        report_readiness();
        end_with_parent();
    }
    let Ok(port) = env::var(MASTER) else {
        return;
    };
    umask(Mode::from_bits_truncate(0o177));
    let paths: Vec<String> = io::stdin()
        .lock()
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let listeners: Vec<UnixListener> = paths.iter().map(|path| listen(path)).collect();
    let _forwarding = port.parse().ok().map(|port: u16| {
        let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        (connection, TcpListener::bind("127.0.0.1:0").unwrap())
    });
    report_readiness();
    thread::spawn(end_with_parent);
    for stream in listeners[0].incoming().flatten() {
        thread::spawn(|| answer(stream));
    }
}

/// Accepts the connections of masters, and returns the port.
fn serve() -> u16 {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    thread::spawn(move || server.incoming().flatten().collect::<Vec<TcpStream>>());
    port
}

fn report_readiness() {
    let mut stdout = io::stdout();
    stdout.write_all(b"!").unwrap();
    stdout.flush().unwrap();
}

/// Waits for the end of standard input.
fn end_with_parent() -> ! {
    let _ = io::stdin().read(&mut [0]);
    std::process::exit(0);
}

/// Binds as a master does: to a temporary name first, which stays in the kernel's table.
fn listen(path: &str) -> UnixListener {
    let temporary = format!("{path}.AAAAAAAAAAAAAAAA");
    let listener = UnixListener::bind(&temporary).unwrap();
    fs::hard_link(&temporary, path).unwrap();
    fs::remove_file(&temporary).unwrap();
    listener
}

/// The master's side of PROTOCOL.mux: hello, then "alive" as the answer to every request.
fn answer(mut stream: UnixStream) {
    let hello = [0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4];
    let mut request = [0; 24];
    if stream.write_all(&hello).is_ok() && stream.read_exact(&mut request).is_ok() {
        let mut alive = vec![0, 0, 0, 12, 0x80, 0, 0, 5];
        alive.extend_from_slice(&request[20..24]);
        alive.extend_from_slice(&std::process::id().to_be_bytes());
        let _ = stream.write_all(&alive);
        let _ = stream.read(&mut request);
    }
}
