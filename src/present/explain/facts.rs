use std::collections::BTreeMap;

use crate::model::control_path::ControlPath;
use crate::model::port_holder::PortHolder;
use crate::model::socket::Snapshot;
use crate::present::ssh_messages::Recognised;

/// The present state, read after the messages.
#[derive(Debug)]
pub struct Facts<'a> {
    /// Includes the paths in the messages.
    pub snapshot: &'a Snapshot,
    /// The ControlPath of each host in the messages.
    pub control_paths: &'a BTreeMap<String, ControlPath>,
    /// The listeners on each port in the messages.
    pub ports: &'a BTreeMap<u16, Vec<PortHolder>>,
    /// See [`crate::model::places::Places::ssh_option`].
    pub ssh_option: &'a str,
}

/// Returns the path in the message, or that of its host. A master of ansible has another path than the host's.
pub(super) fn path_of(recognised: &Recognised, facts: &Facts<'_>) -> Option<ControlPath> {
    let of_host = || {
        let host = recognised
            .host
            .as_ref()
            .filter(|_| !recognised.is_of_ansible)?;
        facts.control_paths.get(host)
    };
    recognised.path.clone().or_else(|| of_host().cloned())
}
