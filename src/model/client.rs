//! The process of a session: a client of a master.

use std::sync::Arc;
use std::time::SystemTime;

use tr::tr;

use super::ids::MasterPid;
use super::text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub pid: MasterPid,
    /// The program that the user started: that of the ssh's parent if the ssh has no terminal, as under git or scp.
    pub program: String,
    /// Its controlling terminal, `pts/4`.
    pub terminal: Option<String>,
    pub since: Option<SystemTime>,
}

/// The clients of one master; an unknown process is `None`, for example that of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clients(pub Vec<Option<Arc<Client>>>);

/// Returns one text for each session: `ssh on pts/4 for 2 h`. None if the clients are unknown. `own_session`: whether the
/// master has one of its own beside the clients.
pub fn session_texts(clients: Option<&Clients>, own_session: bool, at: SystemTime) -> Vec<String> {
    let Some(clients) = clients else {
        return Vec::new();
    };
    let own = own_session.then(|| tr!("its own session"));
    clients.texts(at).into_iter().chain(own).collect()
}

/// Returns the texts of [`session_texts`] in one line.
pub fn sessions_line(texts: Vec<String>) -> Option<String> {
    /// More would fill the line.
    const NAMED: usize = 6;
    (!texts.is_empty()).then(|| text::short_list(texts, NAMED))
}

impl FromIterator<Option<Client>> for Clients {
    fn from_iter<I: IntoIterator<Item = Option<Client>>>(clients: I) -> Self {
        Self(
            clients
                .into_iter()
                .map(|client| client.map(Arc::new))
                .collect(),
        )
    }
}

impl Clients {
    /// Returns `ssh on pts/4 for 2 h` for each known client, and one text for the hidden ones.
    pub fn texts(&self, at: SystemTime) -> Vec<String> {
        let known = self.0.iter().flatten().map(|client| client.describe(at));
        let hidden = self.0.iter().filter(|client| client.is_none()).count();
        let hidden = match hidden {
            0 => None,
            1 => Some(tr!("another session")),
            n => Some(tr!("{n} other sessions", n)),
        };
        known.chain(hidden).collect()
    }

    /// Returns the clients that are not this process.
    pub(crate) fn without(&self, pid: MasterPid) -> Self {
        let is_this = |client: &Arc<Client>| client.pid == pid;
        let others = self
            .0
            .iter()
            .filter(|client| !client.as_ref().is_some_and(is_this));
        Self(others.cloned().collect())
    }

    pub(crate) fn are_known(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }
}

impl Client {
    fn describe(&self, at: SystemTime) -> String {
        let program = text::line(&self.program);
        let program = match &self.terminal {
            Some(terminal) => tr!("{program} on {terminal}", program, terminal),
            None => program,
        };
        let age = self.since.and_then(|since| at.duration_since(since).ok());
        match age {
            Some(age) => tr!(
                "{client} for {time}",
                client = program,
                time = text::duration(age)
            ),
            None => program,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_clients_are_named_and_hidden_ones_counted() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let client = |program: &str, terminal: Option<&str>, age: Option<u64>| {
            Some(Client {
                pid: MasterPid(1),
                program: program.to_owned(),
                terminal: terminal.map(str::to_owned),
                since: age.map(|age| at - Duration::from_secs(age)),
            })
        };
        let ssh = client("ssh", Some("pts/4"), Some(7_200));
        for (clients, texts) in [
            (vec![], &[][..]),
            (vec![None], &["another session"]),
            (vec![ssh.clone()], &["ssh on pts/4 for 2 h"]),
            (
                vec![ssh.clone(), client("git", None, Some(180)), None],
                &["ssh on pts/4 for 2 h", "git for 3 min", "another session"],
            ),
            (
                vec![None, ssh, None],
                &["ssh on pts/4 for 2 h", "2 other sessions"],
            ),
            // The clock was set back, and a start that is unknown.
            (
                vec![
                    Some(Client {
                        since: Some(at + Duration::from_secs(9)),
                        ..client("z\ned", None, None).unwrap()
                    }),
                    client("scp", None, None),
                ],
                &["z\\u{a}ed", "scp"],
            ),
        ] {
            let clients: Clients = clients.into_iter().collect();
            assert_eq!(clients.texts(at), texts);
        }
    }
}
