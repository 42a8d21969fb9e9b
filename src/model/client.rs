//! The process of a session: a client of a master.

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
pub struct Clients(pub Vec<Option<Client>>);

impl Clients {
    /// `ssh on pts/4 for 2h, git for 3m`; `None` without a client.
    pub fn describe(&self, at: SystemTime) -> Option<String> {
        /// More would fill the line.
        const NAMED: usize = 6;
        let named = self.0.iter().take(NAMED).map(|client| match client {
            Some(client) => client.describe(at),
            None => tr!("session" => "another"),
        });
        let rest = self.0.len().saturating_sub(NAMED);
        let rest = (rest > 0).then(|| tr!("{n} more" | "{n} more" % rest));
        (!self.0.is_empty()).then(|| text::list(named.chain(rest)))
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
