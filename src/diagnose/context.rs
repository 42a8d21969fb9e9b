//! [`Context`]: everything the judgement needs beside the observation.

use std::collections::BTreeMap;
use std::path::Path;

use super::history::History;
use crate::model::directory::Directory;
use crate::model::ids::UserId;
use crate::model::observation::Owner;
use crate::model::places::Places;
use crate::model::text::Tilde;

/// What the judgement needs beside the look itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whose sockets are "ours".
    pub uid: UserId,
    /// Names for the user ids that occur.
    pub users: &'a BTreeMap<UserId, String>,
    /// The home directory that ssh means by `~`.
    pub home: &'a Path,
    /// Writes paths in texts.
    pub tilde: Tilde<'a>,
    /// Where sockets can be, and whose they are.
    pub places: &'a Places,
    /// The directories of those places.
    pub directories: &'a [Directory],
    /// What earlier looks and checks tell of the listeners, this look included.
    pub history: &'a History,
}

impl Context<'_> {
    /// The user with this id, with a name where there is one.
    pub(super) fn owner(&self, uid: UserId) -> Owner {
        Owner {
            uid,
            name: self.users.get(&uid).cloned(),
        }
    }
}
