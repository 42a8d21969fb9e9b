//! Groups of users, and whether a group's write permission lets other users in.
//!
//! If each user has a group of their own and a umask of 0002 (Debian, Ubuntu, Fedora), most files are writable by the
//! group, and nobody else is in it.

use std::collections::BTreeMap;

use tr::tr;

use super::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u32);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: Option<String>,
    pub members: Members,
}

/// The members of a group, without the user and root: root may do anything anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    OnlyYou,
    Others(Vec<String>),
    Unknown,
}

/// The permissions of a file, with its group and access control list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// The permission bits, `st_mode & 0o7777`.
    pub mode: u32,
    pub group: GroupId,
    /// Whether it has an access control list. The group's bits are the mask of the list then (acl(5)), and apply to the
    /// users and groups that the list names. Looked up only if the group's write bit decides.
    pub has_acl: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups(pub BTreeMap<GroupId, Group>);

/// The others, beside the owner and root, that may write to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writers {
    Nobody,
    Everybody,
    Group(GroupId, Group),
    AccessList,
}

/// How many members are named; the others are counted.
const NAMED: usize = 3;

impl Permissions {
    /// Whether the members of the group decide if others may write.
    pub const fn depend_on_members(self) -> bool {
        self.mode & 0o022 == 0o020 && !self.has_acl
    }
}

impl Groups {
    /// Returns the others that may write to a file of the user's or of root's. A group that is not among these may have
    /// any member.
    pub fn writers(&self, permissions: Permissions) -> Writers {
        let Permissions { mode, group, .. } = permissions;
        if mode & 0o002 != 0 {
            return Writers::Everybody;
        }
        if mode & 0o020 == 0 {
            return Writers::Nobody;
        }
        if !permissions.depend_on_members() {
            return Writers::AccessList;
        }
        let unknown = || Group {
            name: None,
            members: Members::Unknown,
        };
        let known = self.0.get(&group).cloned().unwrap_or_else(unknown);
        match known.members {
            Members::OnlyYou => Writers::Nobody,
            Members::Others(_) | Members::Unknown => Writers::Group(group, known),
        }
    }
}

impl Writers {
    /// Adds the reason to the evidence: `mode 0775, group staff has other members (ada, bob)`.
    pub fn with_reason(&self, evidence: String) -> String {
        match self {
            Self::Nobody | Self::Everybody => evidence,
            Self::AccessList => tr!("{evidence}, with an access control list", evidence),
            Self::Group(id, Group { name, members }) => {
                let group = match name {
                    Some(name) => text::line(name),
                    None => id.0.to_string(),
                };
                match members {
                    Members::Others(names) => tr!(
                        "{evidence}, group {group} has other members ({names})",
                        evidence,
                        group,
                        names = listed(names)
                    ),
                    Members::OnlyYou | Members::Unknown => tr!(
                        "{evidence}, group {group} may have other members",
                        evidence,
                        group
                    ),
                }
            }
        }
    }
}

/// `ada, bob`, or `ada, bob, eve and 3 more`.
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
    use super::*;

    #[test]
    fn a_group_lets_others_write_if_it_has_or_may_have_another_member() {
        let others =
            |names: &[&str]| Members::Others(names.iter().map(|name| (*name).to_owned()).collect());
        let five = others(&["a", "b", "c", "d", "e\n"]);
        let groups = [
            (1000, "u", Members::OnlyYou),
            (50, "staff", others(&["ada", "bob\n"])),
            (51, "odd", Members::Unknown),
            (52, "five", five),
        ];
        let groups = Groups(BTreeMap::from(groups.map(|(id, name, members)| {
            let name = Some(name.to_owned());
            (GroupId(id), Group { name, members })
        })));
        for (group, mode, has_acl, expected) in [
            (1000, 0o775, false, None),
            (1000, 0o770, false, None),
            (1000, 0o2775, false, None),
            (1000, 0o755, false, None),
            (50, 0o755, false, None),
            (1000, 0o777, false, Some("")),
            (1000, 0o707, false, Some("")),
            (50, 0o777, false, Some("")),
            (
                50,
                0o775,
                false,
                Some(", group staff has other members (ada, bob\\u{a})"),
            ),
            (51, 0o775, false, Some(", group odd may have other members")),
            (
                52,
                0o720,
                false,
                Some(", group five has other members (a, b, c and 2 more)"),
            ),
            (7, 0o720, false, Some(", group 7 may have other members")),
            (1000, 0o770, true, Some(", with an access control list")),
            (1000, 0o777, true, Some("")),
        ] {
            let group = GroupId(group);
            let writers = groups.writers(Permissions {
                mode,
                group,
                has_acl,
            });
            let reason = (writers != Writers::Nobody).then(|| writers.with_reason(String::new()));
            assert_eq!(
                reason.as_deref(),
                expected,
                "{group:?} {mode:04o} {has_acl}"
            );
        }
    }
}
