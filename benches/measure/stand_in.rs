//! Stand-ins for masters: processes named ssh that listen as masters do and answer the alive check at once. They are
//! this benchmark, executed again under that name, because muxtray recognises a master by the name of its program.

use std::env;
use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::stat::{Mode, umask};

/// Set in the environment of a stand-in.
const MARK: &str = "MUXTRAY_BENCH_STANDS_IN_FOR_A_MASTER";

/// The processes. They end when this is dropped, or when this process ends.
#[derive(Debug)]
pub(crate) struct StandIns(Vec<Child>);

impl StandIns {
    /// Starts at most `most` processes that listen at all these paths. Each answers at its first path only, so the
    /// first `most` paths answer and the others only listen.
    pub(crate) fn listen(directory: &Path, paths: &[PathBuf], most: usize) -> Self {
        let ssh = directory.join("ssh");
        let this = env::current_exe().unwrap();
        fs::hard_link(&this, &ssh)
            .or_else(|_| fs::copy(&this, &ssh).map(drop))
            .unwrap();
        let processes = most.min(paths.len());
        let mut children = Vec::with_capacity(processes);
        for first in 0..processes {
            // The arguments of a master without its own session.
            let mut child = Command::new(&ssh)
                .args(["-N", "-M", "host"])
                .env(MARK, "1")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let its = paths.iter().skip(first).step_by(processes);
            let list: String = its.map(|path| format!("{}\n", path.display())).collect();
            let stdin = child.stdin.as_mut().unwrap();
            stdin.write_all(format!("{list}\n").as_bytes()).unwrap();
            children.push(child);
        }
        for child in &mut children {
            let stdout = child.stdout.as_mut().unwrap();
            let mut ready = [0];
            stdout.read_exact(&mut ready).unwrap();
        }
        Self(children)
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

/// If this process was started as a stand-in, serves as one and never returns. Call it first in `main`.
pub(crate) fn serve_if_stand_in() {
    if env::var_os(MARK).is_none() {
        return;
    }
    umask(Mode::from_bits_truncate(0o177));
    let paths: Vec<String> = io::stdin()
        .lock()
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let listeners: Vec<UnixListener> = paths.iter().map(|path| listen(path)).collect();
    let mut stdout = io::stdout();
    stdout.write_all(b"!").unwrap();
    stdout.flush().unwrap();
    thread::spawn(|| {
        // End of file: the parent has ended.
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    for stream in listeners[0].incoming().flatten() {
        answer(stream);
    }
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
