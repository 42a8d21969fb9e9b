//! The forwardings that a person asked muxtray for.

use serde::{Deserialize, Serialize};

use super::control_path::{ControlPath, HostAlias};
use super::forwarding::Forwarding;
use super::ids::SocketId;

const KEPT: usize = 500;

/// A larger file is not one of muxtray's.
pub const MAX_REMEMBERED_BYTES: u64 = 1 << 18;

/// The last one first. A list in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RememberedForwards(Vec<RememberedForward>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedForward {
    pub host: HostAlias,
    path: String,
    pub forwarding: Forwarding,
    /// The socket of the master that has it; `None` after it was cancelled.
    master: Option<SocketId>,
    /// The port that the server chose.
    pub port: Option<u16>,
}

impl RememberedForwards {
    /// Returns those of the master with this socket, the first one first.
    pub fn of_master(
        &self,
        path: &ControlPath,
        id: Option<SocketId>,
    ) -> impl Iterator<Item = &RememberedForward> {
        self.of_path(path)
            .filter(move |it| id.is_some() && it.master == id)
    }

    fn of_path(&self, path: &ControlPath) -> impl Iterator<Item = &RememberedForward> {
        let path = path.as_path().to_str();
        let all = self.0.iter().rev();
        all.filter(move |it| Some(it.path.as_str()) == path)
    }

    /// Returns those of this path that the master with this socket does not have.
    pub fn to_offer(
        &self,
        path: &ControlPath,
        id: Option<SocketId>,
    ) -> impl Iterator<Item = &RememberedForward> {
        self.of_path(path)
            .filter(move |it| it.master.is_none() || it.master != id)
    }

    /// Adds one that a master has now. One that does not fit into JSON is not remembered.
    pub fn add(
        &mut self,
        host: &HostAlias,
        path: &ControlPath,
        master: SocketId,
        forwarding: &Forwarding,
        port: Option<u16>,
    ) {
        let (Some(path), Some(_)) = (path.as_path().to_str(), forwarding.argument().to_str())
        else {
            return;
        };
        self.0
            .retain(|it| it.path != path || it.forwarding != *forwarding);
        let added = RememberedForward {
            host: host.clone(),
            path: path.to_owned(),
            forwarding: forwarding.clone(),
            master: Some(master),
            port,
        };
        self.0.insert(0, added);
        self.0.truncate(KEPT);
    }

    /// Keeps a cancelled one to offer it again.
    pub fn cancelled(&mut self, path: &ControlPath, forwarding: &Forwarding) {
        let path = path.as_path().to_str();
        for it in &mut self.0 {
            if Some(it.path.as_str()) == path && it.forwarding == *forwarding {
                it.master = None;
                it.port = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{forwarding, path, stat};

    #[test]
    fn forwardings_belong_to_the_master_that_has_them() {
        let (web, id) = (HostAlias("web".to_owned()), stat().id);
        let (local, remote) = (forwarding("-L 1:h:2"), forwarding("-R 0:h:2"));
        let mut all = RememberedForwards::default();
        all.add(&web, &path("/s/web"), id, &local, None);
        all.add(&web, &path("/s/web"), id, &remote, Some(40_000));
        all.add(&web, &path("/s/web"), id, &local, None);
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(
            serde_json::from_str::<RememberedForwards>(&json).unwrap(),
            all
        );
        let of_master = |all: &RememberedForwards, path: &ControlPath, id| {
            let found = all.of_master(path, id);
            found
                .map(|it| (String::from(it.forwarding.clone()), it.port))
                .collect::<Vec<_>>()
        };
        let both = [
            ("-R 0:h:2".to_owned(), Some(40_000)),
            ("-L 1:h:2".to_owned(), None),
        ];
        assert_eq!(of_master(&all, &path("/s/web"), Some(id)), both);
        assert_eq!(of_master(&all, &path("/s/db"), Some(id)), []);
        assert_eq!(of_master(&all, &path("/s/web"), None), []);
        let mut other = id;
        other.inode += 1;
        assert_eq!(of_master(&all, &path("/s/web"), Some(other)), []);
        all.cancelled(&path("/s/web"), &remote);
        assert_eq!(of_master(&all, &path("/s/web"), Some(id)), both[1..]);
        let web = path("/s/web");
        let offered = all.to_offer(&web, Some(id));
        let offered: Vec<_> = offered.map(|it| &it.forwarding).collect();
        assert_eq!(offered, [&remote]);
    }
}
