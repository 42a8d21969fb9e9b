//! The settings that decide about notifications, and about actions without a request.

use std::collections::BTreeSet;

use crate::model::control_path::HostAlias;
use crate::model::finding::FindingId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub announce: BTreeSet<FindingId>,
    pub clean_automatically: bool,
    pub exit_stranded: bool,
    /// A stranded master of these hosts is replaced without asking.
    pub reopen: BTreeSet<HostAlias>,
    /// Whether the ends of masters that forward ports are announced.
    pub announce_end_with_forwards: bool,
    /// Whether those of the others are.
    pub announce_other_ends: bool,
    /// Whether details can be shown in a window; without one, no notification has a "Show" button.
    pub can_show: bool,
}

#[cfg(test)]
pub(super) fn policy_for_tests() -> Policy {
    Policy {
        announce: FindingId::ALL.iter().copied().collect(),
        clean_automatically: false,
        exit_stranded: false,
        reopen: BTreeSet::new(),
        announce_end_with_forwards: true,
        announce_other_ends: true,
        can_show: true,
    }
}
