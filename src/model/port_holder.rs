use core::net::SocketAddr;

use super::ids::{MasterPid, UserId};

/// A listener on a TCP port of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortHolder {
    pub address: SocketAddr,
    pub uid: UserId,
    /// Its process and the name of that; `None` if it is another user's, or in another container.
    pub process: Option<(MasterPid, String)>,
}

impl PortHolder {
    pub fn pid(&self) -> Option<MasterPid> {
        self.process.as_ref().map(|(pid, _)| *pid)
    }
}
