//! The permissions of a file: its mode, group and access control list.

use std::ffi::CStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{lgetxattr, lgetxattr_query};
use rustix::io::Errno;

use crate::model::group::{AccessList, GroupId, Permissions, Writer};
use crate::model::ids::UserId;

/// The attribute with the list of acl(5). The kernel keeps none that only repeats the mode. A default list, which new
/// files get, is another attribute, and lets nobody write.
const POSIX_LIST: &CStr = c"system.posix_acl_access";

/// The attribute with the list of a file on NFSv4.
const NFS_LIST: &CStr = c"system.nfs4_acl";

/// `XATTR_SIZE_MAX` in linux/limits.h.
const MAX_BYTES: usize = 1 << 16;

/// `ACL_WRITE` and the tags in linux/posix_acl.h.
const WRITE: u16 = 2;
const NAMED_USER: u16 = 0x02;
const OWN_GROUP: u16 = 0x04;
const NAMED_GROUP: u16 = 0x08;

/// The permissions of the file at a path, symlinks not followed. Without a path, its access control list is not looked up.
pub(super) fn permissions(path: Option<&Path>, stat: &Metadata) -> Permissions {
    let mode = stat.mode() & 0o7777;
    let group = GroupId(stat.gid());
    // If everybody may write, as in /tmp, the list changes nothing.
    let acl = path
        .filter(|_| mode & 0o022 == 0o020)
        .and_then(|path| read(path, group));
    Permissions { mode, group, acl }
}

fn read(path: &Path, group: GroupId) -> Option<AccessList> {
    let mut bytes = vec![0; MAX_BYTES];
    match lgetxattr(path, POSIX_LIST, &mut bytes[..]) {
        Ok(length) => Some(parse(&bytes[..length], group)),
        Err(Errno::NODATA) => None,
        Err(Errno::NOTSUP | Errno::NOSYS) => match lgetxattr_query(path, NFS_LIST) {
            Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => None,
            Ok(_) | Err(_) => Some(AccessList::Unknown),
        },
        Err(_) => Some(AccessList::Unknown),
    }
}

/// Parses the form of linux/posix_acl_xattr.h: a version, then a tag, permissions and an id for each entry. The mask lets
/// write, because it is the group's bits of the mode.
fn parse(bytes: &[u8], group: GroupId) -> AccessList {
    let Some((&[2, 0, 0, 0], entries)) = bytes.split_first_chunk() else {
        return AccessList::Unknown;
    };
    let (entries, []) = entries.as_chunks::<8>() else {
        return AccessList::Unknown;
    };
    let writers = entries.iter().filter_map(|&[t0, t1, p0, p1, id @ ..]| {
        let id = u32::from_le_bytes(id);
        let writer = match u16::from_le_bytes([t0, t1]) {
            NAMED_USER => Writer::User(UserId(id)),
            OWN_GROUP => Writer::Group(group),
            NAMED_GROUP => Writer::Group(GroupId(id)),
            _ => return None,
        };
        (u16::from_le_bytes([p0, p1]) & WRITE != 0).then_some(writer)
    });
    AccessList::Writers(writers.collect())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const STAFF: GroupId = GroupId(50);

    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, may, id) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(may.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        list
    }

    /// `user::rwx, group::r-x, mask::rwx, other::r-x`
    const BASE: [(u16, u16, u32); 4] = [
        (0x01, 7, u32::MAX),
        (0x04, 5, u32::MAX),
        (0x10, 7, u32::MAX),
        (0x20, 5, u32::MAX),
    ];

    #[test]
    fn writers_are_the_named_and_the_group_with_a_write_bit() {
        let with = |more: &[(u16, u16, u32)]| list(&[&BASE[..], more].concat());
        let writers = |writers: &[Writer]| AccessList::Writers(writers.to_vec());
        for (bytes, expected) in [
            (with(&[]), writers(&[])),
            (
                with(&[(0x02, 7, 1001), (0x02, 5, 1002)]),
                writers(&[Writer::User(UserId(1001))]),
            ),
            (
                with(&[(0x08, 2, 60), (0x08, 4, 61)]),
                writers(&[Writer::Group(GroupId(60))]),
            ),
            (
                list(&[(0x04, 7, u32::MAX)]),
                writers(&[Writer::Group(STAFF)]),
            ),
            (list(&[])[1..].to_vec(), AccessList::Unknown),
            (3_u32.to_le_bytes().to_vec(), AccessList::Unknown),
            (with(&[])[..9].to_vec(), AccessList::Unknown),
        ] {
            assert_eq!(parse(&bytes, STAFF), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_list_is_read_where_the_group_may_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = File::create(&path).unwrap();
        let set_mode = |mode| {
            file.set_permissions(fs::Permissions::from_mode(mode))
                .unwrap();
        };
        let seen = || permissions(Some(&path), &file.metadata().unwrap()).acl;
        for mode in [0o644, 0o666, 0o664] {
            set_mode(mode);
            assert_eq!(seen(), None, "{mode:o}");
        }
        let named = list(&[&BASE[..1], &[(0x02, 7, 1001)], &BASE[1..]].concat());
        let flags = rustix::fs::XattrFlags::empty();
        match rustix::fs::fsetxattr(&file, POSIX_LIST, &named, flags) {
            Ok(()) => {}
            Err(Errno::NOTSUP) => {
                return eprintln!("skipped: this filesystem has no access control lists");
            }
            Err(error) => panic!("{error}"),
        }
        let writers = vec![Writer::User(UserId(1001))];
        assert_eq!(seen(), Some(AccessList::Writers(writers)));
        // Without its write bit the mask takes that permission from every entry of the list.
        set_mode(0o645);
        assert_eq!(seen(), None);
        // New files get a default list; the directory itself is not open by it.
        let default = c"system.posix_acl_default";
        rustix::fs::setxattr(directory.path(), default, &named, flags).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o770)).unwrap();
        let stat = directory.path().metadata().unwrap();
        assert_eq!(permissions(Some(directory.path()), &stat).acl, None);
    }
}
