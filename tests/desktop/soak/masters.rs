//! Many masters: one process called ssh forks a stand-in for each, and carries out the test's orders, many at once.
//!
//! A stand-in listens as mux.c does (bind a temporary name, listen, link, unlink), answers the alive check and the exit
//! request, and removes its socket when it ends in order. A master at the path of a dead one removes its socket first,
//! as ssh does. The parent reaps the children, so the process id in an order is never another process's.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::support::{Lab, PACKETS, PATIENCE, python_called_ssh};

const SCRIPT: &str = r#"
import json, os, random, select, signal, socket, sys, threading
os.umask(0o177)
linked, tell = os.pipe()

def serve(connection, end):
    try:
        connection.settimeout(10)
        connection.sendall(packet(1, 4))
        request(connection)
        connection.settimeout(None)
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
        threading.Thread(target=serve, args=(connection, end), daemon=True).start()

def join(path):
    for descriptor in (0, 1, linked): os.close(descriptor)
    session = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    session.connect(path)
    session.sendall(packet(1, 4))
    request(session)
    os.write(tell, b".")
    session.recv(1)

def start(path, then):
    random.seed()
    pid = os.fork()
    if pid: return pid
    try: join(path) if then == "join" else master(path, then)
    finally: os._exit(1)

alive = set()
def gone(pid):
    os.waitpid(pid, 0)
    alive.discard(pid)

for line in sys.stdin:
    acts, pids, ending, starting = json.loads(line), [], [], 0
    for what, argument in acts:
        pid = 0
        if what in ("start", "replace", "visit", "join"):
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

/// An order about a master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Start on a free path.
    Start(PathBuf),
    /// Start, and remove the socket of a dead master first.
    Replace(PathBuf),
    /// Start, and end in order as soon as possible.
    Visit(PathBuf),
    /// A session of the master at this path.
    Join(PathBuf),
    /// End at once: the socket stays.
    Kill(i32),
    /// Receive an exit request, and end in order.
    End(i32),
    /// Stop, and answer nothing.
    Stop(i32),
    /// Continue.
    Continue(i32),
    /// Remove the socket from outside.
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
            Self::Join(at) => path("join", at),
            Self::Remove(at) => path("remove", at),
            Self::Kill(of) => pid("kill", *of),
            Self::End(of) => pid("end", *of),
            Self::Stop(of) => pid("stop", *of),
            Self::Continue(of) => pid("continue", *of),
        }
    }
}

/// Returns the command of the process that forks masters.
pub(crate) fn command(lab: &Lab) -> Command {
    let mut command = python_called_ssh(lab);
    // The arguments after the script are for ssh's getopt: a master without a session of its own.
    command.args(["-c", &format!("{PACKETS}{SCRIPT}"), "-N", "host"]);
    command
}

/// The process that forks them. They end with it.
pub(crate) struct Masters {
    process: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Masters {
    /// No masters yet.
    pub(crate) fn new(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
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

    /// Carries out these orders, one right after the other, and waits for their effect. Returns the process id of each
    /// started master, and 0 for the other orders.
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
        // The parent and all its children end when their input ends.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}
