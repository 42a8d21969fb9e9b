//! Masters that the ssh configuration does not explain, so that their sockets are known by name when they die.

use serde::{Deserialize, Serialize};

use super::control_path::{ControlPath, Destination, HostAlias};
use super::ids::SocketId;
use super::observation::{Facts, Origin, Stat};
use super::socket::Socket;

const KEPT: usize = 100;

/// A list in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SeenMasters(Vec<SeenMaster>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenMaster {
    path: ControlPath,
    file: SocketId,
    pub hosts: Vec<HostAlias>,
    pub destination: Option<Destination>,
    /// [`Socket::managed_by`]
    pub program: Option<String>,
}

impl SeenMasters {
    pub fn paths(&self) -> impl Iterator<Item = ControlPath> {
        self.0.iter().map(|seen| seen.path.clone())
    }

    pub fn at(&self, path: &ControlPath, stat: &Stat) -> Option<&SeenMaster> {
        let mut all = self.0.iter();
        all.find(|seen| seen.path == *path && seen.file == stat.id)
    }

    /// Adds the masters of a scan, and forgets the files that are gone.
    #[must_use]
    pub fn after(mut self, facts: &Facts, sockets: &[Socket]) -> Self {
        let by_kernel = facts
            .observations
            .iter()
            .filter(|observation| observation.origin == Origin::Kernel);
        let files: Vec<(&ControlPath, &Stat)> = by_kernel
            .filter_map(|it| Some((&it.path, it.file.socket()?)))
            .collect();
        if files.is_empty() && self.0.is_empty() {
            return self;
        }
        let is_there = |seen: &SeenMaster| {
            let mut files = files.iter();
            files.any(|(path, stat)| seen.path == **path && seen.file == stat.id)
        };
        self.0.retain(is_there);
        let is_by_kernel = |socket: &&Socket| files.iter().any(|(path, _)| **path == socket.path);
        let masters = sockets.iter().filter(|socket| socket.pid.is_some());
        for socket in masters.filter(is_by_kernel) {
            // JSON holds no other path.
            let is_text = socket.path.as_path().to_str().is_some();
            let Some(file) = socket.id.filter(|_| is_text) else {
                continue;
            };
            self.0.retain(|seen| seen.path != socket.path);
            self.0.push(SeenMaster {
                path: socket.path.clone(),
                file,
                hosts: socket.hosts.clone(),
                destination: socket.destination.clone(),
                program: socket.managed_by.map(|program| program.0.to_owned()),
            });
        }
        // The order of a scan may differ each time.
        self.0.sort_by(|a, b| a.path.cmp(&b.path));
        self.0.truncate(KEPT);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::Observation;
    use crate::model::places::Managed;
    use crate::model::samples::{facts, observation, running, seen};

    #[test]
    fn master_is_kept_until_its_file_is_gone() {
        let at = |observation| facts(vec![observation]);
        let by_kernel = || {
            let mut observation = running();
            observation.origin = Origin::Kernel;
            observation
        };
        let mut sockets = seen(vec![by_kernel()]).sockets;
        sockets[0].managed_by = Some(Managed("zed"));
        let masters = SeenMasters::default().after(&at(running()), &sockets);
        assert_eq!(masters, SeenMasters::default());
        let masters = masters.after(&at(by_kernel()), &sockets);
        let path = sockets[0].path.clone();
        assert!(masters.paths().eq([path.clone()]));
        let json = serde_json::to_string(&masters).unwrap();
        assert_eq!(serde_json::from_str::<SeenMasters>(&json).unwrap(), masters);

        let file = observation().file;
        let stat = file.socket().unwrap();
        let found = masters.at(&path, stat).unwrap();
        let program = found.program.as_deref();
        assert_eq!((&found.hosts, program), (&sockets[0].hosts, Some("zed")));
        let mut other = stat.clone();
        other.id.inode += 1;
        assert_eq!(masters.at(&path, &other), None);

        let dead = Observation {
            origin: Origin::Kernel,
            ..observation()
        };
        sockets[0].pid = None;
        assert_eq!(masters.clone().after(&at(dead), &sockets), masters);
        let gone = masters.after(&facts(Vec::new()), &[]);
        assert_eq!(gone, SeenMasters::default());
    }
}
