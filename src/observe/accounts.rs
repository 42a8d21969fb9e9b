//! The members of a group, from the databases of users and groups; and whether a file has an access control list.
//!
//! The files are read directly: getgrgid(3) returns the members that a group lists, but no call returns the users that
//! have it as their primary group. So users and groups from other sources (LDAP, sssd, NIS) are not seen here; if
//! nsswitch.conf(5) names such a source, every group may have unknown members. systemd's source only adds users with
//! groups of their own: those of services, containers and homes.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{fgetxattr_query, lgetxattr_query};
use rustix::io::Errno;

use crate::model::group::{Group, GroupId, Groups, Members, Permissions};
use crate::model::ids::UserId;

/// No database of users or groups is larger; of a larger one nothing is known.
const MAX_BYTES: u64 = 64 << 20;

/// The sources of nsswitch.conf(5) that add no member to a group of the files. `compat` is `files` unless an entry
/// begins with `+` or `-`.
const KNOWN_SOURCES: [&str; 3] = ["files", "compat", "systemd"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Databases {
    pub passwd: PathBuf,
    pub group: PathBuf,
    /// nsswitch.conf(5), the list of sources.
    pub sources: PathBuf,
}

impl Default for Databases {
    fn default() -> Self {
        Self {
            passwd: PathBuf::from("/etc/passwd"),
            group: PathBuf::from("/etc/group"),
            sources: PathBuf::from("/etc/nsswitch.conf"),
        }
    }
}

impl Databases {
    pub fn files(&self) -> [&Path; 3] {
        [&self.passwd, &self.group, &self.sources]
    }
}

/// Returns the groups that decide who may write by these permissions, with their members beside this user. If there is
/// none, as usual, the databases are not read.
pub(crate) fn groups(
    databases: &Databases,
    permissions: impl IntoIterator<Item = Permissions>,
    user: UserId,
) -> Groups {
    let permissions = permissions.into_iter();
    let wanted: BTreeSet<GroupId> = permissions
        .filter(|permissions| permissions.depend_on_members())
        .map(|permissions| permissions.group)
        .collect();
    if wanted.is_empty() {
        return Groups::default();
    }
    let tables = Tables::read(databases);
    let groups = wanted.into_iter().map(|id| (id, tables.group(id, user)));
    Groups(groups.collect())
}

#[derive(Debug, Default)]
struct Tables {
    users: HashMap<String, UserId>,
    /// The users that have a group as their primary one.
    primary: HashMap<GroupId, Vec<String>>,
    /// The first name of each group, and the members that all its entries list.
    groups: HashMap<GroupId, (String, Vec<String>)>,
    /// Whether there may be users or members that the files do not have.
    is_partial: bool,
}

impl Tables {
    fn read(databases: &Databases) -> Self {
        let sources = match contents(&databases.sources) {
            // The C library reads only the files then.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            sources => sources,
        };
        let read = |sources: String| {
            let (passwd, group) = (contents(&databases.passwd)?, contents(&databases.group)?);
            let mut tables = Self {
                is_partial: !are_known(&sources),
                ..Self::default()
            };
            tables.parse(&passwd, &group);
            Ok(tables)
        };
        sources.and_then(read).unwrap_or_else(|_| Self {
            is_partial: true,
            ..Self::default()
        })
    }

    fn parse(&mut self, passwd: &str, group: &str) {
        for fields in entries(passwd) {
            match fields.as_slice() {
                [name, ..] if takes_in_others(name) => self.is_partial = true,
                [name, _, uid, gid, ..] => {
                    if let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) {
                        let name = (*name).to_owned();
                        let primary = self.primary.entry(GroupId(gid)).or_default();
                        primary.push(name.clone());
                        self.users.entry(name).or_insert(UserId(uid));
                    }
                }
                _ => {}
            }
        }
        for fields in entries(group) {
            match fields.as_slice() {
                [name, ..] if takes_in_others(name) => self.is_partial = true,
                [name, _, gid, members] => {
                    if let Ok(gid) = gid.parse() {
                        let entry = self.groups.entry(GroupId(gid));
                        let new = || ((*name).to_owned(), Vec::new());
                        let (_, listed) = entry.or_insert_with(new);
                        let members = members.split(',').map(str::trim);
                        listed.extend(members.filter(|name| !name.is_empty()).map(str::to_owned));
                    }
                }
                _ => {}
            }
        }
    }

    fn group(&self, id: GroupId, user: UserId) -> Group {
        let Some((name, listed)) = self.groups.get(&id) else {
            return Group {
                name: None,
                members: Members::Unknown,
            };
        };
        // Some other source may know a user that is not in the files.
        let is_other = |name: &&String| {
            let uid = self.users.get(*name);
            uid.is_none_or(|uid| *uid != user && *uid != UserId(0))
        };
        let primary = self.primary.get(&id).into_iter().flatten();
        let others: BTreeSet<&String> = listed.iter().chain(primary).filter(is_other).collect();
        Group {
            name: Some(name.clone()),
            members: if !others.is_empty() {
                Members::Others(others.into_iter().cloned().collect())
            } else if self.is_partial {
                Members::Unknown
            } else {
                Members::OnlyYou
            },
        }
    }
}

fn entries(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split(':').collect())
}

/// Whether an entry stands for those of another source (`compat` in nsswitch.conf(5)).
fn takes_in_others(name: &str) -> bool {
    name.starts_with(['+', '-'])
}

/// Whether every source of users and groups is one that is known here.
fn are_known(nsswitch: &str) -> bool {
    nsswitch.lines().all(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else {
            return true;
        };
        if !matches!(database.trim(), "passwd" | "group" | "initgroups") {
            return true;
        }
        // Brackets hold actions, not sources: `files [SUCCESS=merge] systemd`.
        let mut sources = sources.split(['[', ']']).step_by(2);
        sources.all(|part| {
            part.split_whitespace()
                .all(|source| KNOWN_SOURCES.contains(&source))
        })
    })
}

/// The whole file, as text; an error if it is too large.
fn contents(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The permissions of the file at a path, symlinks not followed. Without a path, its access control list is not looked up.
pub(super) fn permissions(path: Option<&Path>, stat: &Metadata) -> Permissions {
    of_stat(stat, || match path {
        Some(path) => lgetxattr_query(path, ACCESS_LIST),
        None => Err(Errno::NODATA),
    })
}

/// Whether others than this user and root may write to an open file of the user's.
#[must_use]
pub fn lets_others_write(file: &File, stat: &Metadata, user: UserId) -> bool {
    let permissions = of_stat(stat, || fgetxattr_query(file, ACCESS_LIST));
    let groups = groups(&Databases::default(), [permissions], user);
    groups.let_others_write(permissions)
}

/// The attribute with the access control list of acl(5). The kernel keeps none that only repeats the mode.
const ACCESS_LIST: &CStr = c"system.posix_acl_access";

fn of_stat(stat: &Metadata, list: impl FnOnce() -> rustix::io::Result<usize>) -> Permissions {
    let mode = stat.mode() & 0o7777;
    // If everybody may write, as in /tmp, the list changes nothing.
    // After another error it may have one.
    let has_acl = mode & 0o022 == 0o020
        && !matches!(list(), Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS));
    Permissions {
        mode,
        group: GroupId(stat.gid()),
        has_acl,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ME: UserId = UserId(1000);

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
        # a comment\n\
        u:x:1000:1000::/home/u:/bin/sh\n\
        ada:x:1001:1001::/home/ada:/bin/sh\n\
        bob:x:1002:100::/home/bob:/bin/sh\n\
        toor:x:0:0::/root:/bin/sh\n\
        broken:x\n";

    const GROUP: &str = "root:x:0:\n\
        u:x:1000:\n\
        ada:x:1001:\n\
        users:x:100:\n\
        staff:x:50:u,ada\n\
        more:x:50:bob\n\
        mine:x:60:u,root,toor,\n\
        empty:x:61:\n\
        gone:x:62:zoe\n\
        broken:x\n";

    fn databases(directory: &Path, passwd: &str, group: &str, sources: &str) -> Databases {
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        Databases {
            passwd: write("passwd", passwd),
            group: write("group", group),
            sources: write("nsswitch.conf", sources),
        }
    }

    fn group(databases: &Databases, id: u32) -> Group {
        Tables::read(databases).group(GroupId(id), ME)
    }

    #[test]
    fn members_are_those_listed_and_those_that_have_it_as_primary() {
        let directory = tempfile::tempdir().unwrap();
        let databases = databases(directory.path(), PASSWD, GROUP, "");
        let others =
            |names: &[&str]| Members::Others(names.iter().map(|name| (*name).to_owned()).collect());
        for (id, name, members) in [
            (1000, Some("u"), Members::OnlyYou),
            (0, Some("root"), Members::OnlyYou),
            (1001, Some("ada"), others(&["ada"])),
            (100, Some("users"), others(&["bob"])),
            (50, Some("staff"), others(&["ada", "bob"])),
            (60, Some("mine"), Members::OnlyYou),
            (61, Some("empty"), Members::OnlyYou),
            (62, Some("gone"), others(&["zoe"])),
            (4711, None, Members::Unknown),
        ] {
            let name = name.map(str::to_owned);
            assert_eq!(group(&databases, id), Group { name, members }, "{id}");
        }
    }

    #[test]
    fn a_source_that_is_not_read_may_add_members() {
        for (sources, is_known) in [
            ("", true),
            ("passwd: files\ngroup: files\nhosts: files dns\n", true),
            (
                "passwd:\tfiles systemd\ngroup: files [SUCCESS=merge] systemd # x\n",
                true,
            ),
            (
                "group: files [!UNAVAIL=return SUCCESS=merge] systemd\n",
                true,
            ),
            ("passwd: compat\n", true),
            ("passwd: files sss\n", false),
            ("group: ldap files\n", false),
            ("initgroups: files sss\n", false),
            ("  group : files winbind\n", false),
            ("#group: files sss\n", true),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let databases = databases(directory.path(), PASSWD, GROUP, sources);
            let expected = Group {
                name: Some("u".to_owned()),
                members: if is_known {
                    Members::OnlyYou
                } else {
                    Members::Unknown
                },
            };
            assert_eq!(group(&databases, 1000), expected, "{sources}");
            // A member that is known is one all the same.
            let staff = group(&databases, 50).members;
            assert!(matches!(staff, Members::Others(_)), "{sources}");
        }
    }

    #[test]
    fn what_cannot_be_read_whole_tells_nothing() {
        for (passwd, group_file) in [
            (format!("{PASSWD}+::::::\n"), GROUP.to_owned()),
            (PASSWD.to_owned(), format!("{GROUP}+:::\n")),
            (PASSWD.to_owned(), format!("-zoe\n{GROUP}")),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let databases = databases(directory.path(), &passwd, &group_file, "");
            assert_eq!(group(&databases, 1000).members, Members::Unknown);
        }
        for missing in ["passwd", "group"] {
            let directory = tempfile::tempdir().unwrap();
            let databases = databases(directory.path(), PASSWD, GROUP, "");
            fs::remove_file(directory.path().join(missing)).unwrap();
            assert_eq!(group(&databases, 1000).members, Members::Unknown);
        }
        // Without nsswitch.conf only the files count.
        let directory = tempfile::tempdir().unwrap();
        let databases = databases(directory.path(), PASSWD, GROUP, "group: sss\n");
        fs::remove_file(&databases.sources).unwrap();
        assert_eq!(group(&databases, 1000).members, Members::OnlyYou);
    }

    /// `user::rwx, user:1001:rwx, group::r-x, mask::rwx, other::r-x` as the kernel keeps it (acl(5),
    /// linux/posix_acl_xattr.h): a version, then a tag, permissions and an id each.
    const LIST: [(u16, u16, u32); 5] = [
        (0x01, 7, u32::MAX),
        (0x02, 7, 1001),
        (0x04, 5, u32::MAX),
        (0x10, 7, u32::MAX),
        (0x20, 5, u32::MAX),
    ];

    #[test]
    fn an_access_control_list_is_seen_where_the_group_may_write() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = File::create(&path).unwrap();
        let user = UserId(nix::unistd::geteuid().as_raw());
        let seen = || {
            let stat = file.metadata().unwrap();
            let permissions = permissions(Some(&path), &stat);
            (permissions.has_acl, lets_others_write(&file, &stat, user))
        };
        for (mode, is_open) in [(0o644, false), (0o646, true), (0o666, true)] {
            file.set_permissions(fs::Permissions::from_mode(mode))
                .unwrap();
            assert_eq!(seen(), (false, is_open), "{mode:o}");
        }
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, may, id) in LIST {
            list.extend(tag.to_le_bytes());
            list.extend(may.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        match rustix::fs::fsetxattr(&file, ACCESS_LIST, &list, rustix::fs::XattrFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOTSUP) => {
                return eprintln!("skipped: this filesystem has no access control lists");
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(seen(), (true, true));
        // Without its write bit the mask takes that permission from every entry of the list.
        file.set_permissions(fs::Permissions::from_mode(0o645))
            .unwrap();
        assert_eq!(seen(), (false, false));
    }
}
