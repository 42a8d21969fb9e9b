//! The words of each socket finding: what was seen, and what to do about it.

use super::ending;
use super::finding::{Finding, FindingId};
use super::socket::{Denied, ForeignHolder, MasterPid, Socket, State, Unresponsive, Unverifiable};
use super::text;

/// Everything that is wrong with a socket, its state's own finding first.
#[must_use]
pub fn findings(socket: &Socket, listening: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(id), Some((evidence, remedy))) =
        (socket.state.finding_id(), words(socket, listening))
    {
        let finding = Finding::new(id, socket.path.to_string(), evidence, remedy);
        findings.push(if socket.state.is_cleanable() {
            finding.fixable()
        } else {
            finding
        });
    }
    // ssh needs write permission to connect. The master refuses other users than its own and root
    // (mux_client's peer check in mux.c), but nothing else that listens there would.
    if let Some(mode) = socket.mode
        && mode & 0o022 != 0
        && (socket.is_running() || matches!(socket.state, State::Unresponsive(_)))
    {
        findings.push(Finding::new(
            FindingId::InsecureMode,
            socket.path.to_string(),
            format!("mode {mode:04o}: others than its owner may connect"),
            format!("chmod 600 {}", shell(socket)),
        ));
    }
    findings
}

/// Evidence and remedy of the state; none for a running master.
fn words(socket: &Socket, listening: bool) -> Option<(String, String)> {
    let path = shell(socket);
    Some(match &socket.state {
        State::Running => return None,
        State::Suspect(_) | State::Stranded(_) => {
            let verdict = socket.network.as_ref()?;
            (verdict.evidence()?, verdict.remedy(&exit(socket)))
        }
        State::Stale => (
            "connection refused: no process listens".to_owned(),
            format!("muxtray clean {path}"),
        ),
        State::Leftover => (
            "the temporary name of a start that broke off; connection refused: no process listens".to_owned(),
            format!("muxtray clean {path}"),
        ),
        State::Misowned(owner) => (
            format!("the file belongs to {owner}, not to you"),
            if listening {
                format!("a master of theirs listens there; end it, then remove the file: sudo ssh -S {path} -O exit -")
            } else {
                format!("sudo rm {path}")
            },
        ),
        State::Foreign(ForeignHolder::Program { name, pid }) => (
            format!("{} (pid {}) listens there, which is not an ssh", text::line(name), pid.0),
            "do not connect through it; end that program, or give ssh another ControlPath".to_owned(),
        ),
        State::Foreign(ForeignHolder::User(owner)) => (
            format!("a process of {owner} listens there"),
            "do not connect through it: it would receive your sessions; use a directory only you can write to"
                .to_owned(),
        ),
        State::NotASocket(kind) => (
            format!("{} stands where the control socket should be", kind.phrase()),
            format!("move it away: mv {path} {path}.saved"),
        ),
        State::Denied(Denied::Look) => (
            "you may not look there: permission denied on a directory of its path".to_owned(),
            format!("see which one: namei -l {path}"),
        ),
        State::Denied(Denied::Connect) => (
            format!("you may not connect: permission denied{}", mode(socket)),
            format!("chmod 600 {path}"),
        ),
        State::Orphaned { successor } => orphaned(socket, *successor),
        State::Unverifiable(Unverifiable::Network(name)) => (
            format!("on {name}, and nobody on this machine listens: it may be another machine's"),
            "look on the machines that share this directory, or put %C or %L into ControlPath so that they do not \
             share sockets"
                .to_owned(),
        ),
        State::Unverifiable(Unverifiable::Failed(cause)) => (
            format!("nothing could be proven: {}", text::line(cause)),
            "mend that cause first; nothing is removed on a guess".to_owned(),
        ),
        State::Unresponsive(why) => unresponsive(socket, *why),
    })
}

/// What ends a master that can be asked.
fn exit(socket: &Socket) -> String {
    let force = match socket.sessions_at_stake() {
        Some(0) => "",
        Some(_) | None => "--force ",
    };
    format!("muxtray exit {force}{}", shell(socket))
}

fn unresponsive(socket: &Socket, why: Unresponsive) -> (String, String) {
    let end = || ending::way_out(socket);
    match why {
        Unresponsive::Stopped => (
            format!("{} is stopped, so it cannot answer", process(socket.pid)),
            socket.pid.map_or_else(end, |pid| {
                format!("let it go on: kill -CONT {}; or {}", pid.0, end())
            }),
        ),
        Unresponsive::Backlog(waiting) => (
            format!(
                "{} does not accept: {} waiting over two looks",
                process(socket.pid),
                text::count(waiting, "connection")
            ),
            end(),
        ),
        Unresponsive::BacklogFull => (
            "connections are not accepted: its queue is full".to_owned(),
            end(),
        ),
        Unresponsive::CheckTimedOut => (
            format!(
                "{} did not answer the last alive check in time",
                process(socket.pid)
            ),
            end(),
        ),
    }
}

/// An orphan must not be asked to end, nor get SIGTERM: either makes it unlink its ControlPath, which by then may
/// be its successor's socket (`client_loop()` and `cleanup_exit()`). SIGKILL runs no clean-up.
fn orphaned(socket: &Socket, successor: bool) -> (String, String) {
    let gone = if successor {
        "another socket stands at its path"
    } else {
        "its socket file is gone"
    };
    let evidence = format!(
        "{} lives on with {}, but {gone}",
        process(socket.pid),
        sessions(socket)
    );
    let remedy = match socket.sessions_at_stake() {
        // Without --force it refuses while they are open.
        Some(1..) | None if socket.cookie.is_some() => format!(
            "let its sessions end, then: {}",
            ending::command(&socket.path, false)
        ),
        Some(_) | None => ending::way_out(socket),
    };
    (evidence, remedy)
}

fn process(pid: Option<MasterPid>) -> String {
    pid.map_or_else(
        || "the master".to_owned(),
        |pid| format!("the master (pid {})", pid.0),
    )
}

fn sessions(socket: &Socket) -> String {
    match socket.sessions_at_stake() {
        Some(sessions) => text::count(sessions, "session"),
        None => "its sessions".to_owned(),
    }
}

fn mode(socket: &Socket) -> String {
    socket
        .mode
        .map_or_else(String::new, |mode| format!(" (mode {mode:04o})"))
}

fn shell(socket: &Socket) -> String {
    text::shell_word(socket.path.as_path().as_os_str())
}
