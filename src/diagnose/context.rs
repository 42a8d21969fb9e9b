//! [`Context`]: everything the judgement needs beside the observation.

use std::collections::BTreeMap;
use std::path::Path;

use super::history::History;
use crate::model::directory::Directory;
use crate::model::group::Groups;
use crate::model::ids::UserId;
use crate::model::observation::Owner;
use crate::model::places::Places;
use crate::model::text::Tilde;

#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub uid: UserId,
    pub users: &'a BTreeMap<UserId, String>,
    pub groups: &'a Groups,
    /// The home directory in the password file, `~` of a ControlPath.
    pub home: &'a Path,
    pub tilde: Tilde<'a>,
    pub places: &'a Places,
    pub directories: &'a [Directory],
    /// The facts of earlier scans and checks, including this scan.
    pub history: &'a History,
}

impl Context<'_> {
    pub(super) fn owner(&self, uid: UserId) -> Owner {
        Owner {
            uid,
            name: self.users.get(&uid).cloned(),
        }
    }
}
