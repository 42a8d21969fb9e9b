//! The masters that wait to be opened.

use std::collections::VecDeque;

use crate::decide::action_report::ActionReport;
use crate::decide::intent::SessionConsent;
use crate::model::control_path::HostAlias;
use crate::model::socket::Target;

/// A master to open.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) alias: HostAlias,
    /// For the sessions of a stranded master.
    pub(super) consent: SessionConsent,
    pub(super) by: Opener,
    /// The stranded master that it replaces, if that may have ended before.
    pub(super) lost: Option<Target>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Opener {
    Person,
    /// A person, for several masters.
    Series,
    /// The setting `reopen`.
    Setting,
}

/// Masters that are opened one after the other.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) rest: VecDeque<(HostAlias, SessionConsent)>,
    pub(super) reports: Vec<ActionReport>,
}
