//! The words of each socket finding: what was seen, and what to do about it.

use std::time::Duration;

use tr::tr;

use super::history::IDLE_AFTER;
use crate::decide::ending::{self, WayOut};
use crate::decide::opening;
use crate::model::finding::{Finding, FindingId};
use crate::model::fix::Fix;
use crate::model::socket::{
    Denied, ForeignHolder, MasterPid, Socket, State, Unresponsive, Unverifiable,
};
use crate::model::text;

/// How many sessions a server takes on one connection where its administrator has not changed it (`MaxSessions` in
/// sshd_config(5)).
const DEFAULT_MAX_SESSIONS: u32 = 10;

/// Everything that is wrong with a socket, its state's own finding first.
///
/// `unused_for` is how long no connection to a master without sessions was noted.
#[must_use]
pub fn findings(socket: &Socket, listening: bool, unused_for: Option<Duration>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(id), Some(words)) = (socket.state.finding_id(), words(socket, listening)) {
        let finding = Finding::new(id, socket.path.to_string(), words.evidence, words.remedy);
        let finding = match words.command {
            Some(command) => finding.with_command(command),
            None => finding,
        };
        findings.push(finding.with_fix(fix(socket)));
    }
    if socket.is_running() || matches!(socket.state, State::Unresponsive(_)) {
        findings.extend(insecure_mode(socket));
        findings.extend(sessions_at_limit(socket));
        findings.extend(no_persist_expiry(socket, unused_for));
    }
    findings
}

/// What muxtray can do about the state itself.
fn fix(socket: &Socket) -> Option<Fix> {
    match &socket.state {
        State::Stale | State::Leftover => Some(Fix::Clean {
            target: socket.target(),
            is_leftover: socket.state == State::Leftover,
        }),
        // A socket of the user's own without the bits to connect; who may not look has no file to hold.
        State::Denied(Denied::Connect) if socket.id.is_some() => {
            Some(Fix::CloseSocket(socket.target()))
        }
        State::Running
        | State::Suspect(_)
        | State::Stranded(_)
        | State::Unresponsive(_)
        | State::Misowned(_)
        | State::Foreign(_)
        | State::NotASocket(_)
        | State::Denied(_)
        | State::Orphaned { .. }
        | State::Unverifiable(_) => None,
    }
}

/// ssh needs write permission to connect. The master refuses other users than its own and root (mux_client's peer
/// check in mux.c), but nothing else that listens there would.
fn insecure_mode(socket: &Socket) -> Option<Finding> {
    let mode = socket.mode.filter(|mode| mode & 0o022 != 0)?;
    let command = format!("chmod 600 {}", shell(socket));
    let finding = Finding::new(
        FindingId::InsecureMode,
        socket.path.to_string(),
        tr!(
            "mode {mode}: others than its owner may connect",
            mode = format_args!("{mode:04o}")
        ),
        command.clone(),
    );
    let fix = Fix::CloseSocket(socket.target());
    Some(finding.with_command(command).with_fix(fix))
}

/// The server counts every session of the connection, the master's own among them.
fn sessions_at_limit(socket: &Socket) -> Option<Finding> {
    let sessions = socket
        .sessions_at_stake()
        .filter(|sessions| *sessions >= DEFAULT_MAX_SESSIONS)?;
    let finding = Finding::new(
        FindingId::SessionsAtLimit,
        socket.path.to_string(),
        tr!(
            "{sessions} are open; a server takes {limit} on one connection unless its MaxSessions says \
             otherwise, which cannot be seen from here",
            sessions = text::sessions(sessions),
            limit = DEFAULT_MAX_SESSIONS
        ),
        tr!(
            "where the next one is refused, raise MaxSessions in the server's sshd_config, or open it beside the master"
        ),
    );
    Some(match socket.hosts.first() {
        Some(alias) => finding.with_command(format!(
            "ssh -o ControlPath=none {}",
            text::shell_word(alias.0.as_ref())
        )),
        None => finding,
    })
}

fn no_persist_expiry(socket: &Socket, unused_for: Option<Duration>) -> Option<Finding> {
    let unused = unused_for.filter(|unused| *unused > IDLE_AFTER)?;
    if socket.persist_secs != Some(0) || socket.managed_by.is_some() {
        return None;
    }
    let finding = Finding::new(
        FindingId::NoPersistExpiry,
        socket.path.to_string(),
        tr!(
            "ControlPersist never ends it; no session is open, and no connection was noted for {duration}",
            duration = text::duration(unused)
        ),
        tr!("give ControlPersist a time, such as 10m, and end this master"),
    );
    let finding = finding.with_command(format!("muxtray exit {}", shell(socket)));
    Some(match socket.hosts.first() {
        Some(alias) => {
            finding.with_lines([format!("Host {alias}"), "    ControlPersist 10m".to_owned()])
        }
        None => finding,
    })
}

/// What was seen, what to do, and the command for it alone.
struct Words {
    evidence: String,
    remedy: String,
    command: Option<String>,
}

impl Words {
    fn new(evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            evidence: evidence.into(),
            remedy: remedy.into(),
            command: None,
        }
    }

    /// The command is the whole remedy.
    fn run(evidence: impl Into<String>, command: impl Into<String>) -> Self {
        let command = command.into();
        Self {
            remedy: command.clone(),
            ..Self::new(evidence, "")
        }
        .with(command)
    }

    /// To end its process is what is left.
    fn way_out(evidence: String, WayOut { what, command }: WayOut) -> Self {
        Self {
            command,
            ..Self::new(evidence, what)
        }
    }

    fn with(self, command: impl Into<String>) -> Self {
        Self {
            command: Some(command.into()),
            ..self
        }
    }
}

/// The words for the state; none for a running master.
fn words(socket: &Socket, listening: bool) -> Option<Words> {
    let path = shell(socket);
    Some(match &socket.state {
        State::Running => return None,
        State::Suspect(_) | State::Stranded(_) => {
            let verdict = socket.network.as_ref()?;
            let exit = exit(socket);
            let reopen = opening::command(socket);
            let remedy = verdict.remedy(&exit, reopen.as_deref());
            Words::new(verdict.evidence()?, remedy).with(reopen.unwrap_or(exit))
        }
        State::Stale => Words::run(
            tr!("connection refused: no process listens"),
            format!("muxtray clean {path}"),
        ),
        State::Leftover => Words::run(
            tr!(
                "the temporary name of a start that broke off; connection refused: no process listens"
            ),
            format!("muxtray clean {path}"),
        ),
        State::Misowned(owner) => {
            let evidence = tr!("the file belongs to {owner}, not to you", owner);
            if listening {
                Words::new(
                    evidence,
                    tr!("a master of theirs listens there; end it, then remove the file"),
                )
                .with(format!("sudo ssh -S {path} -O exit -"))
            } else {
                Words::run(evidence, format!("sudo rm {path}"))
            }
        }
        State::Foreign(ForeignHolder::Program { name, pid }) => Words::new(
            tr!(
                "{program} (pid {pid}) listens there, which is not an ssh",
                program = text::line(name),
                pid = pid.0
            ),
            tr!("do not connect through it; end that program, or give ssh another ControlPath"),
        ),
        State::Foreign(ForeignHolder::User(owner)) => Words::new(
            tr!("a process of {owner} listens there", owner),
            tr!(
                "do not connect through it: it would receive your sessions; use a directory only you can write to"
            ),
        ),
        State::NotASocket(kind) => Words::new(
            tr!(
                "{kind} stands where the control socket should be",
                kind = kind.phrase()
            ),
            tr!("move it away"),
        )
        .with(format!("mv {path} {path}.saved")),
        State::Denied(Denied::Look) => Words::new(
            tr!("you may not look there: permission denied on a directory of its path"),
            tr!("see which one"),
        )
        .with(format!("namei -l {path}")),
        State::Denied(Denied::Connect) => Words::run(
            match socket.mode {
                Some(mode) => tr!(
                    "you may not connect: permission denied (mode {mode})",
                    mode = format_args!("{mode:04o}")
                ),
                None => tr!("you may not connect: permission denied"),
            },
            format!("chmod 600 {path}"),
        ),
        State::Orphaned { successor } => orphaned(socket, *successor),
        State::Unverifiable(Unverifiable::Network(name)) => Words::new(
            tr!(
                "on {filesystem}, and nobody on this machine listens: it may be another machine's",
                filesystem = name
            ),
            tr!(
                "look on the machines that share this directory, or put %C or %L into ControlPath so that they do \
                 not share sockets"
            ),
        ),
        State::Unverifiable(Unverifiable::Failed(cause)) => Words::new(
            tr!(
                "nothing could be proven: {cause}",
                cause = text::line(cause)
            ),
            tr!("mend that cause first; nothing is removed on a guess"),
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

fn unresponsive(socket: &Socket, why: Unresponsive) -> Words {
    let who = process(socket.pid);
    let evidence = match why {
        Unresponsive::Stopped => {
            tr!("{master} is stopped, so it cannot answer", master = who)
        }
        Unresponsive::Backlog(waiting) => tr!(
            "{master} does not accept: {n} connection waiting over two looks"
                | "{master} does not accept: {n} connections waiting over two looks" % waiting,
            master = who
        ),
        Unresponsive::BacklogFull => tr!("connections are not accepted: its queue is full"),
        Unresponsive::CheckTimedOut => tr!(
            "{master} did not answer the last alive check in time",
            master = who
        ),
    };
    let way_out = ending::way_out(socket);
    match (why, socket.pid) {
        (Unresponsive::Stopped, Some(pid)) => {
            let go_on = format!("kill -CONT {}", pid.0);
            let remedy = tr!(
                "let it go on: {command}; or {way_out}",
                command = go_on,
                way_out
            );
            Words::new(evidence, remedy).with(go_on)
        }
        _ => Words::way_out(evidence, way_out),
    }
}

/// An orphan must not be asked to end, nor get SIGTERM: either makes it unlink its ControlPath, which by then may
/// be its successor's socket (`client_loop()` and `cleanup_exit()`). SIGKILL runs no clean-up.
fn orphaned(socket: &Socket, successor: bool) -> Words {
    let (master, sessions) = (process(socket.pid), sessions(socket));
    let evidence = if successor {
        tr!(
            "{master} lives on with {sessions}, but another socket stands at its path",
            master,
            sessions
        )
    } else {
        tr!(
            "{master} lives on with {sessions}, but its socket file is gone",
            master,
            sessions
        )
    };
    match socket.sessions_at_stake() {
        // Without --force it refuses while they are open.
        Some(1..) | None if socket.cookie.is_some() => {
            Words::new(evidence, tr!("let its sessions end, then"))
                .with(ending::command(&socket.path, false))
        }
        Some(_) | None => Words::way_out(evidence, ending::way_out(socket)),
    }
}

fn process(pid: Option<MasterPid>) -> String {
    match pid {
        Some(pid) => tr!("the master (pid {pid})", pid = pid.0),
        None => tr!("the master"),
    }
}

fn sessions(socket: &Socket) -> String {
    match socket.sessions_at_stake() {
        Some(sessions) => text::sessions(sessions),
        None => tr!("its sessions"),
    }
}

fn shell(socket: &Socket) -> String {
    text::shell_word(socket.path.as_path().as_os_str())
}

#[cfg(test)]
mod tests;
