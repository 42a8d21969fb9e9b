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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    pub mode: u32,
    pub group: GroupId,
    /// Whether it has an access control list. The group's bits are the mask of the list then (acl(5)), and apply to the
    /// users and groups that the list names. Looked up only if the group's write bit decides.
    pub has_acl: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups(pub BTreeMap<GroupId, Group>);

const NAMED: usize = 3;

impl Permissions {
    /// Whether the members of the group decide if others may write.
    pub const fn depend_on_members(self) -> bool {
        self.mode & 0o022 == 0o020 && !self.has_acl
    }
}

impl Groups {
    /// Whether others than the owner and root may write to a file of the user's or of root's.
    pub fn let_others_write(&self, permissions: Permissions) -> bool {
        self.with_writers(permissions, String::new()).is_some()
    }

    /// Adds to the evidence why others than the owner and root may write, or returns `None` if none may:
    /// `mode 0775, group staff has other members (ada, bob)`. A group that is not among these may have any member.
    pub fn with_writers(&self, permissions: Permissions, evidence: String) -> Option<String> {
        let Permissions {
            mode,
            group: id,
            has_acl,
        } = permissions;
        match mode & 0o022 {
            0 => return None,
            0o020 if has_acl => {
                return Some(tr!("{evidence}, with an access control list", evidence));
            }
            0o020 => {}
            _ => return Some(evidence),
        }
        let known = self.0.get(&id);
        let name = known.and_then(|known| known.name.as_deref());
        let group = name.map_or_else(|| id.0.to_string(), text::line);
        match known.map(|known| &known.members) {
            Some(Members::OnlyYou) => None,
            Some(Members::Others(names)) => Some(tr!(
                "{evidence}, group {group} has other members ({names})",
                evidence,
                group,
                names = listed(names)
            )),
            Some(Members::Unknown) | None => Some(tr!(
                "{evidence}, group {group} may have other members",
                evidence,
                group
            )),
        }
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
            let permissions = Permissions {
                mode,
                group,
                has_acl,
            };
            let reason = groups.with_writers(permissions, String::new());
            assert_eq!(
                reason.as_deref(),
                expected,
                "{group:?} {mode:04o} {has_acl}"
            );
        }
    }
}
