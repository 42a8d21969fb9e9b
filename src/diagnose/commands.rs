//! The commands that findings and errors name, each one line that can be pasted into a shell.

use std::fmt;
use std::path::Path;

use tr::tr;

use crate::model::carried::Carried;
use crate::model::control_path::HostAlias;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::text::{self, Tilde};

pub(super) fn clean(socket: &Socket) -> String {
    format!("muxtray clean {}", socket.argument)
}

/// Returns the command that gives the owner of a directory access.
pub(super) fn open_directory(directory: &Path, tilde: Tilde<'_>) -> String {
    format!("chmod u+rwx {}", tilde.shell_word(directory))
}

/// Returns the command that ends the master, with `--force` unless it carries nothing.
pub fn exit(socket: &Socket) -> String {
    if socket.refuses {
        return end_process(socket, socket.carried() != Some(Carried::NONE));
    }
    let force = match socket.carried() {
        Some(Carried::NONE) => "",
        Some(_) | None => "--force ",
    };
    format!("muxtray exit {force}{}", socket.argument)
}

/// Returns the command that ends the process of the master. With `force` it closes open sessions.
pub fn end_process(socket: &Socket, force: bool) -> String {
    let force = if force { " --force" } else { "" };
    format!("muxtray exit --end-process{force} {}", socket.argument)
}

pub fn host_to_reconnect(socket: &Socket) -> Option<&HostAlias> {
    let is_its = socket.state.is_stranded() && socket.is_own_at_control_path();
    socket.hosts.first().filter(|_| is_its)
}

pub fn reconnect(socket: &Socket) -> Option<String> {
    let host = text::shell_word(host_to_reconnect(socket)?.0.as_ref());
    let option = &socket.ssh_option;
    Some(match socket.carried() {
        Some(Carried::NONE) => format!("muxtray {option}open {host}"),
        Some(_) | None => format!("muxtray {option}open --force {host}"),
    })
}

/// A remedy, with its command if there is one. Displayed as `end its process: muxtray exit --end-process web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    pub remedy: String,
    pub command: Option<String>,
}

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "{}: {command}", self.remedy),
            None => f.write_str(&self.remedy),
        }
    }
}

/// Returns how to end a master that does not answer or refuses, or that has no socket to be asked by.
pub fn way_out(socket: &Socket) -> WayOut {
    way_out_after(socket, false)
}

/// Returns how to end a master that has refused an exit request.
pub fn way_out_of_refusal(socket: &Socket) -> WayOut {
    way_out_after(socket, true)
}

fn way_out_after(socket: &Socket, is_refused: bool) -> WayOut {
    let carried = socket.carried();
    let remedy = match carried {
        Some(Carried::NONE) => tr!("end its process"),
        Some(carried) => tr!("end its process, which closes {carried}", carried),
        None => tr!("end its process, which closes its sessions"),
    };
    // muxtray signals only a process that it can prove to hold the listener, by the listener's cookie.
    let command = match (socket.cookie, socket.pid, &socket.state) {
        // A master that answers and is not known to refuse gets no signal from muxtray. It removes its own socket.
        (Some(_), Some(pid), State::Running | State::Suspect(_) | State::Stranded(_))
            if !socket.refuses && is_refused =>
        {
            format!("kill {}", pid.0)
        }
        (Some(_), ..) => end_process(socket, carried != Some(Carried::NONE)),
        // SIGTERM would make an orphan remove the socket of its successor.
        (None, Some(pid), State::Orphaned { .. }) => format!("kill -KILL {}", pid.0),
        (None, Some(pid), _) => format!("kill {}", pid.0),
        (None, None, _) => {
            return WayOut {
                remedy: tr!("{remedy}, from where it runs (perhaps a container)", remedy),
                command: None,
            };
        }
    };
    WayOut {
        remedy,
        command: Some(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::MasterPid;
    use crate::model::samples::in_state;
    use crate::model::state::Unresponsive;

    #[test]
    fn way_out_depends_on_sessions_cookie_and_process() {
        let hung = || in_state(State::Unresponsive(Unresponsive::Stopped));
        let orphan = || in_state(State::Orphaned { successor: true });
        let ended = "end its process: muxtray exit --end-process web";
        let forced =
            "end its process, which closes 1 session: muxtray exit --end-process --force web";
        let killed = "end its process, which closes its sessions: kill 7";
        let elsewhere =
            "end its process, which closes 2 sessions, from where it runs (perhaps a container)";
        for (socket, sessions, has_cookie, pid, way) in [
            (hung(), Some(0), true, Some(7), ended),
            (hung(), Some(1), true, Some(7), forced),
            (hung(), None, false, Some(7), killed),
            (
                orphan(),
                Some(0),
                false,
                Some(7),
                "end its process: kill -KILL 7",
            ),
            (orphan(), Some(2), false, None, elsewhere),
        ] {
            let socket = Socket {
                sessions,
                cookie: socket.cookie.filter(|_| has_cookie),
                pid: pid.map(MasterPid),
                ..socket
            };
            assert_eq!(way_out(&socket).to_string(), way);
        }
    }
}
