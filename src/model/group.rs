//! Groups of users, access control lists, and whether they let others write.
//!
//! If each user has a group of their own and a umask of 0002 (Debian, Ubuntu, Fedora), most files are writable by the
//! group, and nobody else is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tr::tr;

use super::ids::UserId;
use super::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub u32);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub name: Option<String>,
    pub members: Members,
}

/// The members of a group, without the user and root: root may do anything anyway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Members {
    OnlyYou,
    Others(Vec<String>),
    Unknown(Doubt),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doubt {
    /// The databases of users and groups cannot be read, or have no such group.
    NoEntry,
    /// This source of nsswitch.conf(5) did not answer.
    NoAnswer(String),
    /// This source does not list all of its users, any of which may have the group as primary one.
    NotListed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    pub mode: u32,
    pub group: GroupId,
    /// Looked up only if the group's write bit decides.
    pub acl: Option<AccessList>,
}

/// An access control list. The group's bits of the mode are its mask (acl(5)): without a write bit there, nobody that it
/// names may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessList {
    /// The entries that may write, of the group of the file, too.
    Writers(Vec<Writer>),
    /// Of another kind, such as NFSv4's, or not readable.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Writer {
    User(UserId),
    Group(GroupId),
}

/// The groups that may write to some files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    pub by_id: BTreeMap<GroupId, Group>,
    pub user: UserId,
    pub names: BTreeMap<UserId, String>,
}

const NAMED: usize = 3;

impl Permissions {
    /// Returns the users and groups that decide if others may write; `None` if that is known without them.
    fn writers(&self) -> Option<Vec<Writer>> {
        match (self.mode & 0o022, &self.acl) {
            (0o020, None) => Some(vec![Writer::Group(self.group)]),
            (0o020, Some(AccessList::Writers(writers))) => Some(writers.clone()),
            _ => None,
        }
    }

    /// Returns the users and groups whose names or members decide if others may write.
    pub fn deciding(&self) -> impl Iterator<Item = Writer> {
        self.writers().into_iter().flatten()
    }
}

impl Groups {
    pub const fn of(user: UserId) -> Self {
        Self {
            by_id: BTreeMap::new(),
            user,
            names: BTreeMap::new(),
        }
    }

    /// Whether others than the owner and root may write to a file of the user's or of root's.
    pub fn let_others_write(&self, permissions: &Permissions) -> bool {
        self.with_writers(permissions, String::new()).is_some()
    }

    /// Adds to the evidence why others than the owner and root may write, or returns `None` if none may:
    /// `mode 0775, group staff has other members (ada, bob)`. A group that is not among these may have any member.
    pub fn with_writers(&self, permissions: &Permissions, evidence: String) -> Option<String> {
        let mode = permissions.mode & 0o022;
        if mode == 0 {
            return None;
        }
        if mode == 0o020 && permissions.acl == Some(AccessList::Unknown) {
            return Some(tr!(
                "{evidence}, with an access control list that muxtray cannot read",
                evidence
            ));
        }
        let Some(writers) = permissions.writers() else {
            return Some(evidence);
        };
        let mut reasons = writers
            .iter()
            .filter_map(|writer| match writer {
                Writer::User(id) => self.user_reason(*id),
                Writer::Group(id) => self.group_reason(*id),
            })
            .peekable();
        reasons.peek()?;
        Some(reasons.fold(evidence, |evidence, reason| format!("{evidence}, {reason}")))
    }

    pub fn lack_answers(&self) -> bool {
        let is_lacking =
            |group: &Group| matches!(group.members, Members::Unknown(Doubt::NoAnswer(_)));
        self.by_id.values().any(is_lacking)
    }

    fn user_reason(&self, id: UserId) -> Option<String> {
        let user = match self.names.get(&id) {
            _ if id == self.user || id == UserId(0) => return None,
            Some(name) => text::line(name),
            None => id.0.to_string(),
        };
        Some(tr!("its access control list lets {user} write", user))
    }

    fn group_reason(&self, id: GroupId) -> Option<String> {
        let known = self.by_id.get(&id);
        let name = known.and_then(|known| known.name.as_deref());
        let group = name.map_or_else(|| id.0.to_string(), text::line);
        let members = known.map(|known| &known.members);
        Some(match members.unwrap_or(&Members::Unknown(Doubt::NoEntry)) {
            Members::OnlyYou => return None,
            Members::Others(names) => tr!(
                "group {group} has other members ({names})",
                group,
                names = listed(names)
            ),
            Members::Unknown(Doubt::NoEntry) => {
                tr!("group {group} may have other members", group)
            }
            Members::Unknown(Doubt::NoAnswer(source)) => tr!(
                "group {group} may have other members (no answer from {source}, a source of nsswitch.conf)",
                group,
                source = text::line(source)
            ),
            Members::Unknown(Doubt::NotListed(source)) => tr!(
                "group {group} may have other members ({source}, a source of nsswitch.conf, does not list all users)",
                group,
                source = text::line(source)
            ),
        })
    }
}

fn listed(names: &[String]) -> String {
    let (named, others) = names.split_at(NAMED.min(names.len()));
    let named = text::list(named.iter().map(|name| text::line(name)));
    if others.is_empty() {
        named
    } else {
        tr!(
            "{names} and {n} more" | "{names} and {n} more" % others.len(),
            names = named
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Writer::User;
    use super::*;

    const ADA: UserId = UserId(1001);

    fn groups() -> Groups {
        let others =
            |names: &[&str]| Members::Others(names.iter().map(|name| (*name).to_owned()).collect());
        let unknown = |doubt: fn(String) -> Doubt| Members::Unknown(doubt("sss".to_owned()));
        let groups = [
            (1000, "u", Members::OnlyYou),
            (50, "staff", others(&["ada", "bob\n"])),
            (51, "odd", Members::Unknown(Doubt::NoEntry)),
            (52, "five", others(&["a", "b", "c", "d", "e\n"])),
            (53, "domain", unknown(Doubt::NotListed)),
            (54, "slow", unknown(Doubt::NoAnswer)),
        ];
        let groups = groups.map(|(id, name, members)| {
            let name = Some(name.to_owned());
            (GroupId(id), Group { name, members })
        });
        Groups {
            by_id: BTreeMap::from(groups),
            user: UserId(1000),
            names: BTreeMap::from([(ADA, "ada".to_owned())]),
        }
    }

    fn reason(mode: u32, group: u32, acl: Option<AccessList>) -> Option<String> {
        let permissions = Permissions {
            mode,
            group: GroupId(group),
            acl,
        };
        groups().with_writers(&permissions, "x".to_owned())
    }

    #[test]
    fn a_group_lets_others_write_if_it_has_or_may_have_another_member() {
        for (group, mode, expected) in [
            (1000, 0o775, None),
            (1000, 0o770, None),
            (1000, 0o2775, None),
            (1000, 0o755, None),
            (50, 0o755, None),
            (1000, 0o777, Some("x")),
            (1000, 0o707, Some("x")),
            (50, 0o777, Some("x")),
            (
                50,
                0o775,
                Some("x, group staff has other members (ada, bob\\u{a})"),
            ),
            (51, 0o775, Some("x, group odd may have other members")),
            (
                52,
                0o720,
                Some("x, group five has other members (a, b, c and 2 more)"),
            ),
            (
                53,
                0o770,
                Some(
                    "x, group domain may have other members (sss, a source of nsswitch.conf, does not list all users)",
                ),
            ),
            (
                54,
                0o770,
                Some(
                    "x, group slow may have other members (no answer from sss, a source of nsswitch.conf)",
                ),
            ),
            (7, 0o720, Some("x, group 7 may have other members")),
        ] {
            assert_eq!(
                reason(mode, group, None).as_deref(),
                expected,
                "{group} {mode:04o}"
            );
        }
    }

    #[test]
    fn an_access_control_list_lets_others_write_if_it_names_them() {
        let group = |id| Writer::Group(GroupId(id));
        let list = |writers: &[Writer]| Some(AccessList::Writers(writers.to_vec()));
        for (mode, acl, expected) in [
            (0o770, list(&[]), None),
            (0o770, list(&[User(UserId(1000)), User(UserId(0))]), None),
            (0o770, list(&[group(1000)]), None),
            (
                0o775,
                list(&[User(ADA), User(UserId(7)), group(1000)]),
                Some(
                    "x, its access control list lets ada write, its access control list lets 7 write",
                ),
            ),
            (
                0o770,
                list(&[group(50)]),
                Some("x, group staff has other members (ada, bob\\u{a})"),
            ),
            (0o777, list(&[]), Some("x")),
            (0o750, list(&[User(ADA)]), None),
            (
                0o770,
                Some(AccessList::Unknown),
                Some("x, with an access control list that muxtray cannot read"),
            ),
            (0o750, Some(AccessList::Unknown), None),
        ] {
            let reason = reason(mode, 50, acl.clone());
            assert_eq!(reason.as_deref(), expected, "{mode:04o} {acl:?}");
        }
    }
}
