//! One control socket in the menu: its row, and what can be done with it below that.

use tr::tr;

use super::{Answers, Entry, mark, remark};
use crate::decide::ending;
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::opening::{self, Reconnect};
use crate::model::socket::{Socket, State};
use crate::model::text;

/// The socket's row with all below it.
pub(super) fn socket_menu(socket: &Socket, answers: &Answers) -> Entry {
    let target = socket.target();
    let mut entries = Vec::new();
    for (number, finding) in socket.findings.iter().enumerate() {
        entries.extend(remark(number, finding));
    }
    if let Some(answer) = answers.get(&target) {
        entries.push(Entry::text("answer", answer.clone()));
    }
    if !entries.is_empty() {
        entries.push(Entry::Separator);
    }
    match cannot_ask(&socket.state) {
        None => {
            entries.push(Entry::item(
                "check",
                tr!("Check"),
                Intent::Check(target.clone()),
            ));
            entries.extend(reconnect(socket));
            entries.push(exit(socket));
            entries.push(Entry::item(
                "stop",
                tr!("Stop accepting sessions"),
                Intent::Stop(target.clone()),
            ));
        }
        // One reason for all three is read once.
        Some(why) => entries.push(Entry::text("ask", tr!("Check, exit, stop: {why}", why))),
    }
    if ending::is_needed(&socket.state) {
        entries.push(end_process(socket));
    }
    if socket.state.is_cleanable() {
        entries.push(Entry::item("clean", tr!("Clean"), Intent::Clean(target)));
    }
    entries.push(Entry::Separator);
    if let (Some(destination), false) = (&socket.destination, socket.hosts.is_empty()) {
        entries.push(Entry::text("destination", destination.to_string()));
    }
    entries.push(Entry::text("path", socket.path.to_string()));
    entries.push(Entry::item(
        "copy",
        tr!("Copy path"),
        Intent::Copy(socket.path.as_path().to_owned()),
    ));
    Entry::Submenu {
        key: socket_key(socket),
        label: socket_label(socket),
        entries,
    }
}

/// Why a master cannot be asked anything, as a menu says it; `None` where it can.
fn cannot_ask(state: &State) -> Option<String> {
    Some(match state {
        // An unresponsive master may answer yet, and the deadline bounds the wait.
        State::Running | State::Suspect(_) | State::Stranded(_) | State::Unresponsive(_) => {
            return None;
        }
        State::Stale | State::Leftover => tr!("nobody listens"),
        State::Misowned(_) => tr!("it is another user's"),
        State::Foreign(_) => tr!("no ssh of yours listens"),
        State::NotASocket(_) => tr!("it is not a socket"),
        State::Denied(_) => tr!("no permission"),
        State::Orphaned { .. } => tr!("its socket file is gone"),
        State::Unverifiable(_) => tr!("nobody here listens"),
    })
}

/// For a master whose network is gone: ended, and opened anew, in one.
fn reconnect(socket: &Socket) -> Option<Entry> {
    let Reconnect {
        label,
        host,
        consent,
    } = opening::reconnect(socket)?;
    let intent = Intent::Open { host, consent };
    Some(if consent == SessionConsent::NONE {
        Entry::item("reconnect", label, intent)
    } else {
        Entry::Submenu {
            key: "reconnect-closing".to_owned(),
            label,
            entries: vec![Entry::item("reconnect-now", tr!("Reconnect now"), intent)],
        }
    })
}

fn exit(socket: &Socket) -> Entry {
    match socket.sessions_at_stake() {
        Some(0) => Entry::item(
            "exit",
            ending::exit_label(Some(0)),
            Intent::Exit {
                target: socket.target(),
                consent: SessionConsent::NONE,
            },
        ),
        Some(sessions) => Entry::Submenu {
            key: "exit-closing".to_owned(),
            label: ending::exit_label(Some(sessions)),
            entries: vec![Entry::item(
                "exit-now",
                tr!("Exit now"),
                Intent::Exit {
                    target: socket.target(),
                    consent: SessionConsent::UpTo(sessions),
                },
            )],
        },
        None => Entry::Submenu {
            key: "exit-closing".to_owned(),
            label: ending::exit_label(None),
            entries: vec![Entry::item(
                "exit-now",
                tr!("Exit now"),
                Intent::Exit {
                    target: socket.target(),
                    consent: SessionConsent::Any,
                },
            )],
        },
    }
}

/// What is left where a master cannot be asked.
fn end_process(socket: &Socket) -> Entry {
    let intent = |sessions| Intent::EndProcess {
        target: socket.target(),
        consent: SessionConsent::UpTo(sessions),
    };
    // Without a number there is no listener in our table, and no proof of whose process it is: the error says so.
    match socket.sessions_at_stake() {
        None | Some(0) => Entry::item("end-process", ending::end_process_label(0), intent(0)),
        Some(sessions) => Entry::Submenu {
            key: "end-process-closing".to_owned(),
            label: ending::end_process_label(sessions),
            entries: vec![Entry::item(
                "end-process-now",
                tr!("End process now"),
                intent(sessions),
            )],
        },
    }
}

fn socket_key(socket: &Socket) -> String {
    // An orphan shares its path with its successor.
    match (&socket.state, socket.cookie) {
        (State::Orphaned { .. }, Some(cookie)) => format!("orphan {} {}", cookie.0, socket.path),
        _ => format!("socket {}", socket.path),
    }
}

fn socket_label(socket: &Socket) -> String {
    let mark = mark(socket);
    let managed = socket
        .managed_by
        .map_or_else(String::new, |program| format!(" ({program})"));
    let sessions = match socket.sessions {
        Some(sessions) if sessions > 0 => format!(", {}", text::sessions(sessions)),
        Some(_) | None => String::new(),
    };
    format!(
        "{mark} {}{managed} \u{2014} {}{sessions}",
        socket.title(),
        socket.state.word()
    )
}

#[cfg(test)]
mod tests;
