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
    /// The user.
    pub uid: UserId,
    /// The names of the user ids that occur.
    pub users: &'a BTreeMap<UserId, String>,
    /// The groups that may write to a directory or socket that was seen.
    pub groups: &'a Groups,
    /// The home directory in the password file, `~` of a ControlPath.
    pub home: &'a Path,
    /// Writes paths in texts.
    pub tilde: Tilde<'a>,
    pub places: &'a Places,
    /// The directories of `places`.
    pub directories: &'a [Directory],
    /// The facts of earlier looks and checks, including this look.
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
