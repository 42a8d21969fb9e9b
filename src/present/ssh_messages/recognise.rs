//! Finds the messages of the table in pasted text.

mod line;
mod wrapped;

use std::ptr;

pub use line::Recognised;
use line::{Found, messages_of_line};
use wrapped::unwrapped;

use super::pasted;
use super::row::{SshMessage, Subject};
use crate::model::control_path::ControlPath;
use crate::model::finding::FindingId;

const FORWARD_FAILED: &str = "master forward request failed";
const CONFIGURATION_REFUSED: &str = "bad configuration options";

/// Returns the known messages in a text, in its order, each once. Normal steps count only if there is nothing else.
pub fn recognise(text: &str) -> Vec<Recognised> {
    // The forms before OpenSSH 8.9.
    let text = pasted::plain_text(text)
        .replace("cannot bind to path: ", "cannot bind to path ")
        .replace("unix_listener: \"", "unix_listener: path \"");
    let lines: Vec<&str> = text.lines().flat_map(|line| line.split('\r')).collect();
    let lines = unwrapped(&lines);
    let lines: Vec<&str> = lines.iter().map(|line| &**line).collect();
    let mut all = messages(&lines);
    // Messages without a path are mostly about the path beside them.
    let mut paths = all.iter().filter_map(|message| message.path.clone());
    if let Some(path) = paths.next()
        && paths.all(|other| other == path)
    {
        for message in &mut all {
            if message.subject == Subject::Multiplexing && message.path.is_none() {
                message.path = Some(path.clone());
            }
        }
    }
    if !all.iter().all(|message| message.is_step) {
        all.retain(|message| !message.is_step);
    } else if all.iter().any(|it| it.message.is_normal()) {
        // The detail of a step is no failure, and several steps have one meaning.
        let mut rows: Vec<*const SshMessage> = Vec::new();
        all.retain(|it| {
            let is_new = !rows.contains(&ptr::from_ref(it.message));
            rows.push(it.message);
            is_new && it.message.is_normal()
        });
    }
    // Follows the message with the cause (`muxclient()` in mux.c).
    let has_cause = |message: &Recognised| !message.line.contains(FORWARD_FAILED);
    let mut forwardings = all.iter().filter(|it| it.subject == Subject::Forwarding);
    if forwardings.any(has_cause) {
        all.retain(has_cause);
    }
    // Follows the line with the cause (`read_config_file_depth()` in readconf.c).
    let names_line = |it: &Recognised| it.message.findings.contains(&FindingId::SshConfigInvalid);
    if all.iter().any(names_line) {
        all.retain(|it| !it.line.contains(CONFIGURATION_REFUSED));
    }
    all
}

fn messages(lines: &[&str]) -> Vec<Recognised> {
    let mut all: Vec<Recognised> = Vec::new();
    let mut command = pasted::Command::default();
    let mut ansible_host: Option<&str> = None;
    let is_of_ansible = lines
        .iter()
        .any(|line| line.contains("/.ansible/") || line.contains("to the host via ssh: "));
    for line in lines {
        if let Some(found) = pasted::command(line) {
            command = found;
        }
        ansible_host = pasted::host_of_ansible(line).or(ansible_host);
        for Found { mut recognised, .. } in messages_of_line(line) {
            recognised.is_of_ansible = is_of_ansible || ansible_host.is_some();
            let named = [ansible_host, Some(command.host.as_str())];
            let named = named.into_iter().flatten().find(|host| !host.is_empty());
            recognised.host = recognised.host.or_else(|| named.map(str::to_owned));
            if recognised.subject == Subject::Forwarding {
                recognised.port = recognised.port.or(command.port);
            }
            if let Some(path) = &command.control_path {
                recognised.has_own_path = true;
                recognised.path = recognised.path.or_else(|| typed_path(path));
            }
            // A playbook has many hosts.
            let is_of_any_host = recognised.path.is_some() || recognised.is_of_ansible;
            let is_same = |other: &Recognised| {
                ptr::eq(other.message, recognised.message)
                    && (&other.path, other.port, other.server_port)
                        == (&recognised.path, recognised.port, recognised.server_port)
                    && (is_of_any_host || other.host == recognised.host)
            };
            if !all.iter().any(is_same) {
                all.push(recognised);
            }
        }
    }
    all
}

/// The ControlPath of a command; `None` if only ssh or the shell knows it.
fn typed_path(typed: &str) -> Option<ControlPath> {
    let is_plain = !typed.contains(['%', '$', '*', '\\']);
    is_plain.then(|| ControlPath::new(typed))?
}

#[cfg(test)]
mod tests;
