//! The findings of one socket: the facts, and the way out.

use std::path::Path;
use std::time::Duration;

use tr::tr;

use super::commands::{self, WayOut};
use super::history::IDLE_AFTER;
use super::suggest::Elsewhere;
use crate::model::finding::{Finding, FindingId};
use crate::model::fix::Fix;
use crate::model::ids::MasterPid;
use crate::model::observation::Owner;
use crate::model::socket::Socket;
use crate::model::state::{Denied, ForeignHolder, State, Unresponsive, Unverifiable};
use crate::model::text::{self, Tilde};

/// MaxSessions of sshd_config(5), unless the server's administrator changes it.
const DEFAULT_MAX_SESSIONS: u32 = 10;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extra<'a> {
    pub(super) tilde: Tilde<'a>,
    /// Its mode and the reason why others than its owner and root may connect; `None` if none may.
    pub(super) open_mode: Option<&'a str>,
    pub(super) is_listening: bool,
    /// A ControlPath elsewhere, if other users have their sockets in its directory, as in `/tmp`, or if the file at the
    /// path has another use.
    pub(super) elsewhere: Option<&'a Elsewhere>,
    /// A directory of the user's on its path that may not be searched.
    pub(super) closed: Option<&'a Path>,
    /// The time since the last use of a master without sessions.
    pub(super) unused_for: Option<Duration>,
}

pub(super) fn findings(socket: &Socket, extra: Extra<'_>) -> Vec<Finding> {
    let case = Case { socket, extra };
    let mut findings = Vec::from_iter(case.state());
    if socket.is_running() || matches!(socket.state, State::Unresponsive(_)) {
        findings.extend(case.insecure_mode());
        findings.extend(case.sessions_at_limit());
        findings.extend(case.no_persist_expiry());
    }
    findings
}

struct Case<'a> {
    socket: &'a Socket,
    extra: Extra<'a>,
}

impl Case<'_> {
    fn finding(&self, id: FindingId, evidence: String, remedy: impl Into<String>) -> Finding {
        let path = self.socket.path.as_path();
        Finding::new(id, self.extra.tilde.path(path), evidence, remedy).with_paths([path])
    }

    /// The path for a shell.
    fn word(&self) -> String {
        self.extra.tilde.shell_word(self.socket.path.as_path())
    }

    /// connect(2) needs write permission. A master refuses users other than its own and root (peer check of mux.c), but
    /// another program that listens there would not.
    fn insecure_mode(&self) -> Option<Finding> {
        let mode = self.extra.open_mode?;
        let evidence = tr!("mode {mode}: other users may connect", mode);
        let remedy = tr!("restrict it with");
        Some(
            self.finding(FindingId::InsecureMode, evidence, remedy)
                .with_command(format!("chmod 600 {}", self.word()))
                .with_fix(Fix::CloseSocket(self.socket.target())),
        )
    }

    /// The server counts every session of the connection, including the master's own.
    fn sessions_at_limit(&self) -> Option<Finding> {
        let socket = self.socket;
        let carried = socket.carried().map(|carried| carried.sessions);
        let sessions = carried.filter(|sessions| *sessions >= DEFAULT_MAX_SESSIONS)?;
        let evidence = tr!(
            "{sessions} are open; a server allows {limit} on one connection unless its MaxSessions is changed",
            sessions = text::sessions(sessions),
            limit = DEFAULT_MAX_SESSIONS
        );
        let remedy = tr!(
            "if the server refuses the next session, raise MaxSessions in its sshd_config, or use another connection"
        );
        let finding = self.finding(FindingId::SessionsAtLimit, evidence, remedy);
        Some(match socket.hosts.first() {
            Some(alias) => finding.with_command(format!(
                "ssh {}-o ControlPath=none {}",
                socket.ssh_option,
                text::shell_word(alias.0.as_ref())
            )),
            None => finding,
        })
    }

    fn no_persist_expiry(&self) -> Option<Finding> {
        let socket = self.socket;
        let unused = self
            .extra
            .unused_for
            .filter(|unused| *unused > IDLE_AFTER)?;
        if socket.own_persist_secs != Some(0) || socket.managed_by.is_some() {
            return None;
        }
        let evidence = tr!(
            "ControlPersist has no time limit; no session is open, and the last connection was {duration} ago",
            duration = text::duration(unused)
        );
        let remedy = tr!("set a time, such as ControlPersist 10m, and end this master");
        let finding = self.finding(FindingId::NoPersistExpiry, evidence, remedy);
        let finding = finding.with_command(commands::exit(socket));
        Some(match socket.hosts.first() {
            Some(alias) => {
                finding.with_lines([format!("Host {alias}"), "    ControlPersist 10m".to_owned()])
            }
            None => finding,
        })
    }

    fn state(&self) -> Option<Finding> {
        let socket = self.socket;
        let id = socket.state.finding_id()?;
        let path = self.word();
        let found = |evidence, remedy: String| self.finding(id, evidence, remedy);
        let by_way_out = |evidence| {
            let WayOut { remedy, command } = commands::way_out(socket);
            let finding = found(evidence, remedy);
            match command {
                Some(command) => finding.with_command(command),
                None => finding,
            }
        };
        Some(match &socket.state {
            State::Running => return None,
            State::Suspect(_) | State::Stranded(_) => {
                let verdict = socket.network.as_ref()?;
                let exit = commands::exit(socket);
                let reconnect = commands::reconnect(socket);
                let remedy = verdict.remedy(&exit, reconnect.as_deref());
                found(verdict.problem()?, remedy).with_command(reconnect.unwrap_or(exit))
            }
            State::Stale | State::Leftover => {
                let is_leftover = socket.state == State::Leftover;
                let evidence = if is_leftover {
                    tr!(
                        "temporary socket of a start that was interrupted; connection refused: no process listens"
                    )
                } else {
                    tr!("connection refused: no process listens")
                };
                // Another program cleans its sockets up itself, so `clean` without a TARGET skips them, too.
                let is_own = socket.managed_by.is_none();
                found(evidence, tr!("remove it with"))
                    .with_command(commands::clean(socket))
                    .with_fix(is_own.then(|| Fix::Clean(socket.target())))
            }
            State::Misowned(owner) => self.misowned(id, owner),
            State::Foreign(holder) => {
                let (evidence, remedy) = foreign(holder);
                found(evidence, remedy)
            }
            State::NotASocket(kind) => {
                let kind = kind.phrase();
                let evidence = tr!("{kind} is in the place of the control socket", kind);
                if let Some(place) = self.extra.elsewhere {
                    return Some(place.add_to(found(evidence, String::new())));
                }
                found(evidence, tr!("move it away with"))
                    .with_command(format!("mv {path} {}", saved(socket)))
            }
            State::Denied(Denied::Look) => {
                let evidence = tr!("permission denied for a directory of its path");
                match self.extra.closed {
                    Some(directory) => found(evidence, tr!("give yourself access with"))
                        .with_command(commands::open_directory(directory, self.extra.tilde)),
                    None => found(evidence, tr!("find the directory with"))
                        .with_command(format!("namei -l {path}")),
                }
            }
            State::Denied(Denied::Connect) => {
                let evidence = match socket.mode {
                    Some(mode) => tr!(
                        "permission denied to connect (mode {mode})",
                        mode = format_args!("{mode:04o}")
                    ),
                    None => tr!("permission denied to connect"),
                };
                // Only a socket that the user owns has an id here.
                let fix = socket.id.map(|_| Fix::CloseSocket(socket.target()));
                found(evidence, tr!("correct its mode with"))
                    .with_command(format!("chmod 600 {path}"))
                    .with_fix(fix)
            }
            State::Unverifiable(Unverifiable::Network(name)) => found(
                tr!(
                    "on {filesystem}, and no process of this machine listens: another machine's may",
                    filesystem = name
                ),
                tr!(
                    "check the machines that share this directory, or put %C or %L into ControlPath so that they do not \
                 share sockets"
                ),
            ),
            State::Unverifiable(Unverifiable::Failed(cause)) => found(
                tr!("not verified: {cause}", cause = text::line(cause)),
                tr!("fix the cause; only sockets that are proven stale are removed"),
            ),
            State::Unresponsive(why) => {
                let evidence = unresponsive(socket, *why);
                match (why, socket.pid) {
                    (Unresponsive::Stopped, Some(pid)) => {
                        let command = format!("kill -CONT {}", pid.0);
                        let remedy = tr!(
                            "continue it with: {command}; or {way_out}",
                            command,
                            way_out = commands::way_out(socket)
                        );
                        found(evidence, remedy).with_command(command)
                    }
                    _ => by_way_out(evidence),
                }
            }
            // An exit request or SIGTERM would make an orphan unlink its ControlPath, which may be the socket of its successor
            // (`client_loop()` and `cleanup_exit()`). SIGKILL runs no clean-up.
            State::Orphaned { successor } => {
                let evidence = orphaned(socket, *successor);
                by_way_out(evidence)
            }
        })
    }

    fn misowned(&self, id: FindingId, owner: &Owner) -> Finding {
        let evidence = tr!("the file belongs to {owner}, not to you", owner);
        let found = |remedy: String| self.finding(id, evidence, remedy);
        if let Some(place) = self.extra.elsewhere {
            // That user's ssh would make it again.
            return place.add_to(found(String::new()));
        }
        let path = self.word();
        if !self.extra.is_listening {
            return found(tr!("remove it with")).with_command(format!("sudo rm {path}"));
        }
        // ssh expands % and wants a name of a host, which it does not use.
        let path = path.replace('%', "%%");
        found(tr!(
            "a master of that user listens; end it, which removes the file, with"
        ))
        .with_command(format!("sudo ssh -F none -S {path} -O exit localhost"))
    }
}

/// Returns the evidence and the remedy.
fn foreign(holder: &ForeignHolder) -> (String, String) {
    let evidence = match holder {
        ForeignHolder::Program { name, pid } => tr!(
            "{program} (pid {pid}) listens, which is not ssh",
            program = text::line(name),
            pid = pid.0
        ),
        ForeignHolder::Hidden => {
            tr!("a program listens that did not bind it as ssh does, such as ssh-agent")
        }
        ForeignHolder::User(owner) => {
            let remedy = tr!(
                "do not connect through it: that process would receive your sessions; use a directory that only you can \
                 write to"
            );
            return (tr!("a process of {owner} listens", owner), remedy);
        }
    };
    let remedy = tr!("do not connect through it; end that program, or set another ControlPath");
    (evidence, remedy)
}

/// Returns a name in the home: beside the file, a ControlPath such as `%n` would match it.
fn saved(socket: &Socket) -> String {
    let name = socket.path.as_path().file_name().unwrap_or_default();
    format!("~/{}.saved", text::shell_word(name))
}

fn unresponsive(socket: &Socket, why: Unresponsive) -> String {
    let master = master(socket.pid);
    match why {
        Unresponsive::Stopped => tr!("{master} is stopped, so it cannot answer", master),
        Unresponsive::Backlog(waiting) => tr!(
            "{master} does not accept: {n} connection still waiting"
                | "{master} does not accept: {n} connections still waiting" % waiting,
            master
        ),
        Unresponsive::BacklogFull => tr!("connections are not accepted: the queue is full"),
        Unresponsive::CheckTimedOut => tr!(
            "{master} did not answer the last alive check in time",
            master
        ),
    }
}

fn orphaned(socket: &Socket, successor: bool) -> String {
    let master = master(socket.pid);
    let sessions = match socket.carried() {
        Some(carried) => carried.to_string(),
        None => tr!("its sessions"),
    };
    if successor {
        tr!(
            "{master} still runs with {sessions}, but another socket is at its path",
            master,
            sessions
        )
    } else {
        tr!(
            "{master} still runs with {sessions}, but its socket file is gone",
            master,
            sessions
        )
    }
}

fn master(pid: Option<MasterPid>) -> String {
    match pid {
        Some(pid) => tr!("the master (pid {pid})", pid = pid.0),
        None => tr!("the master"),
    }
}

#[cfg(test)]
mod tests;
