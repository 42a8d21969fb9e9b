//! Masters by the dozen: one process called ssh that forks a stand-in for each, and does to them what it is told, many
//! things at once.
//!
//! A stand-in listens as mux.c does it (bind a temporary name, listen, link, unlink), answers the alive check and the
//! exit request, and removes its socket when it ends in order. Whoever takes the path of a dead master removes its
//! socket first, as ssh does. The process that forks them reaps them, so an id that it is told is never another's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::support::{Lab, PACKETS, PATIENCE, python_called_ssh};

const SCRIPT: &str = r#"
import json, os, random, select, signal, socket, sys
os.umask(0o177)
linked, tell = os.pipe()

def serve(connection, end):
    try:
        connection.settimeout(10)
        connection.sendall(packet(1, 4))
        request(connection)
        kind, identifier = request(connection)[:2]
        if kind == 0x10000004: connection.sendall(packet(0x80000005, identifier, os.getpid()))
        if kind == 0x10000005:
            connection.sendall(packet(0x80000001, identifier))
            end()
        connection.recv(1)
    except (OSError, EOFError, struct.error): pass
    connection.close()

def master(path, then):
    for descriptor in (0, 1, linked): os.close(descriptor)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path + ".%016x" % random.getrandbits(64)
    def end(*_):
        os.unlink(path)
        os._exit(255)
    signal.signal(signal.SIGTERM, end)
    listener.bind(temporary)
    listener.listen(64)
    os.link(temporary, path)
    os.unlink(temporary)
    os.write(tell, b".")
    if then == "visit": end()
    while True:
        connection, _ = listener.accept()
        serve(connection, end)

def start(path, then):
    random.seed()
    pid = os.fork()
    if pid: return pid
    try: master(path, then)
    finally: os._exit(1)

alive = set()
def gone(pid):
    os.waitpid(pid, 0)
    alive.discard(pid)

for line in sys.stdin:
    acts, pids, ending, starting = json.loads(line), [], [], 0
    for what, argument in acts:
        pid = 0
        if what in ("start", "replace", "visit"):
            if what == "replace": os.unlink(argument)
            pid = start(argument, what)
            starting += 1
            if what == "visit": ending.append(pid)
            else: alive.add(pid)
        elif what == "remove": os.unlink(argument)
        elif what == "kill":
            os.kill(argument, signal.SIGKILL)
            gone(argument)
        elif what == "end":
            os.kill(argument, signal.SIGTERM)
            ending.append(argument)
        elif what == "stop":
            os.kill(argument, signal.SIGSTOP)
            os.waitpid(argument, os.WUNTRACED)
        elif what == "continue": os.kill(argument, signal.SIGCONT)
        pids.append(pid)
    while starting:
        if not select.select([linked], [], [], 20)[0]: sys.exit("a master does not start")
        starting -= len(os.read(linked, starting))
    for pid in ending: gone(pid)
    print(json.dumps(pids), flush=True)
for pid in alive: os.kill(pid, signal.SIGKILL)
"#;

/// What to do to a master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// It comes, where nothing is.
    Start(PathBuf),
    /// It comes, and removes the socket of a dead one first.
    Replace(PathBuf),
    /// It comes and ends in order, as soon as it can.
    Visit(PathBuf),
    /// It dies: its socket stays.
    Kill(i32),
    /// It is asked to end, and does so in order.
    End(i32),
    /// It is stopped, and answers nothing.
    Stop(i32),
    /// It goes on.
    Continue(i32),
    /// Somebody removes a socket.
    Remove(PathBuf),
}

impl Act {
    fn as_json(&self) -> serde_json::Value {
        let path = |what: &str, path: &Path| serde_json::json!([what, path]);
        let pid = |what: &str, pid: i32| serde_json::json!([what, pid]);
        match self {
            Self::Start(at) => path("start", at),
            Self::Replace(at) => path("replace", at),
            Self::Visit(at) => path("visit", at),
            Self::Remove(at) => path("remove", at),
            Self::Kill(of) => pid("kill", *of),
            Self::End(of) => pid("end", *of),
            Self::Stop(of) => pid("stop", *of),
            Self::Continue(of) => pid("continue", *of),
        }
    }
}

/// The process that forks them. They end with it.
pub(crate) struct Masters {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Masters {
    /// None yet.
    pub(crate) fn new(lab: &Lab) -> Self {
        let mut command = python_called_ssh(lab);
        command
            // What follows is for ssh's getopt: a master without a session of its own.
            .args(["-c", &format!("{PACKETS}{SCRIPT}"), "-N", "host"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let orders = process.stdin.take();
        let answered = BufReader::new(process.stdout.take().unwrap());
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in answered.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            orders,
            answers,
        }
    }

    /// Does all of this, one right after the other, and waits until it has come about. Gives the process id of each
    /// that came, and 0 for the other acts.
    pub(crate) fn perform(&mut self, acts: &[Act]) -> Vec<i32> {
        let order: Vec<_> = acts.iter().map(Act::as_json).collect();
        let order = serde_json::to_string(&order).unwrap();
        let orders = self.orders.as_mut().unwrap();
        writeln!(orders, "{order}").unwrap();
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.unwrap_or_else(|error| panic!("{error}, asked for {acts:?}"));
        serde_json::from_str(&answer).unwrap()
    }
}

impl Drop for Masters {
    fn drop(&mut self) {
        // The end of its orders is its own and that of all it has started.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}
