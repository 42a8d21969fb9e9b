//! The directories in which masters make their sockets: every part of the path, access, and filesystem. It costs some
//! system calls for each, and opens and changes nothing.
//!
//! Only `actions::rehearsal` shows whether a socket can really be made there.

use std::cell::LazyCell;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, faccessat};
use tr::tr;

use super::filesystem;
use super::mounts::Mounts;
use super::path_walk::{Stop, Way};
use crate::model::directory::{
    Access, Capacity, Directory, End, Existing, NeededDirectory, Volume,
};
use crate::model::socket::Filesystem;

pub fn look(wanted: Vec<NeededDirectory>) -> Vec<Directory> {
    // Read on first use: the magic number is nearly always enough.
    let mounts: LazyCell<Mounts> = LazyCell::new(|| Mounts::read().unwrap_or_default());
    wanted
        .into_iter()
        .map(|wanted| look_at(wanted, &mounts))
        .collect()
}

fn look_at(wanted: NeededDirectory, mounts: &LazyCell<Mounts>) -> Directory {
    let way = Way::to(&wanted.path);
    let end = match way.stop {
        Stop::There { device } => End::Exists(Existing {
            access: access(&way.at),
            volume: volume(&way.at, device, mounts),
            rehearsal: None,
        }),
        Stop::Missing { rest } => End::Missing {
            can_make: access(&way.at) == Access::Full,
            path: way.at.join(rest),
        },
        Stop::Other { path, kind } => End::Other { path, kind },
        Stop::Denied => End::Denied,
        Stop::Failed(words) => End::Failed(words),
    };
    Directory {
        wanted,
        parts: way.parts,
        end,
    }
}

/// Whether the effective user can create files in the directory.
fn access(directory: &Path) -> Access {
    let mode = AccessFlags::W_OK | AccessFlags::X_OK;
    match faccessat(AT_FDCWD, directory, mode, AtFlags::AT_EACCESS) {
        Ok(()) => Access::Full,
        Err(Errno::EACCES | Errno::EPERM) => Access::Denied,
        Err(Errno::EROFS) => Access::ReadOnly,
        Err(errno) => Access::Failed(errno.desc().to_owned()),
    }
}

/// Filesystems with a magic number of their own.
const NAMES: &[(u32, &str)] = &[
    (0x0000_ef53, "ext4"),
    (0x0102_1994, "tmpfs"),
    (0x9123_683e, "btrfs"),
    (0x5846_5342, "xfs"),
    (0x2fc1_2fc1, "zfs"),
    (0xf2f5_2010, "f2fs"),
    (0x794c_7630, "overlay"),
    (0x0000_4d44, "vfat"),
    (0x2011_bab0, "exfat"),
    (0x5346_544e, "ntfs"),
    (0x7366_746e, "ntfs3"),
];

#[allow(
    clippy::useless_conversion,
    reason = "the fields have 32 bits on some machines"
)]
fn volume(directory: &Path, device: u64, mounts: &LazyCell<Mounts>) -> Option<Volume> {
    let magic = filesystem::magic_of(directory)?;
    let numbers = statvfs(directory).ok()?;
    let kind = match NAMES.iter().find(|(number, _)| *number == magic) {
        Some((_, name)) => (*name).to_owned(),
        None => name_from(mounts, directory, device),
    };
    let block = u64::from(numbers.fragment_size());
    let inodes = Capacity {
        free: u64::from(numbers.files_available()),
        total: u64::from(numbers.files()),
    };
    Some(Volume {
        filesystem: match filesystem::by_magic(magic, directory) {
            // WSL mounts the drives of Windows, which are local, by 9p.
            Filesystem::Network(_) if kind == DRVFS => Filesystem::Local,
            other => other,
        },
        kind,
        space: Capacity {
            free: u64::from(numbers.blocks_available()).saturating_mul(block),
            total: u64::from(numbers.blocks()).saturating_mul(block),
        },
        inodes: (inodes.total > 0).then_some(inodes),
    })
}

const DRVFS: &str = "drvfs";

fn name_from(mounts: &Mounts, directory: &Path, device: u64) -> String {
    match mounts.of(directory, &filesystem::device_name(device)) {
        Some(mount) if mount.kind == "9p" && mount.options.contains("aname=drvfs") => {
            DRVFS.to_owned()
        }
        Some(mount) => mount.kind.clone(),
        None => tr!("a filesystem of unknown type"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;
    use crate::model::socket::FileKind;

    fn seen(path: &Path) -> Directory {
        let wanted = NeededDirectory {
            path: path.to_owned(),
            makes_masters: true,
            is_persons: true,
        };
        look(vec![wanted]).remove(0)
    }

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    #[test]
    fn directory_has_all_parts_of_its_path() {
        let (_kept, root) = scratch();
        std::fs::create_dir(root.join("s")).unwrap();
        std::fs::set_permissions(root.join("s"), Permissions::from_mode(0o755)).unwrap();
        let directory = seen(&root.join("s"));
        let (own, there) = directory.own().unwrap();
        assert_eq!(
            (own.path.as_path(), own.permissions.mode),
            (root.join("s").as_path(), 0o755)
        );
        assert_eq!(there.access, Access::Full);
        let volume = there.volume.as_ref().unwrap();
        assert!(
            volume.space.total > 0 && !volume.kind.is_empty(),
            "{volume:?}"
        );
        let above: Vec<_> = directory
            .parts
            .iter()
            .map(|part| part.path.as_path())
            .collect();
        let mut expected: Vec<_> = own.path.ancestors().collect();
        expected.reverse();
        assert_eq!(above, expected);
    }

    #[test]
    fn symlink_is_recorded_and_followed() {
        let (_kept, root) = scratch();
        std::fs::create_dir_all(root.join("real/s")).unwrap();
        symlink("real/../real", root.join("link")).unwrap();
        let directory = seen(&root.join("link/s"));
        let (own, _) = directory.own().unwrap();
        assert_eq!(own.path, root.join("real/s"));
        assert!(
            directory
                .parts
                .iter()
                .any(|part| part.is_symlink && part.path == root.join("link"))
        );
        // The path ends above a directory that it passed.
        symlink("real/s/..", root.join("up")).unwrap();
        assert_eq!(
            seen(&root.join("up")).own().unwrap().0.path,
            root.join("real")
        );
    }

    #[test]
    fn end_of_a_path_that_is_no_directory() {
        let (_kept, root) = scratch();
        std::fs::write(root.join("file"), "").unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("nowhere/at", root.join("dangling")).unwrap();
        for (name, end) in [
            (
                "a/b",
                End::Missing {
                    path: root.join("a/b"),
                    can_make: true,
                },
            ),
            (
                "dangling/s",
                End::Missing {
                    path: root.join("nowhere/at/s"),
                    can_make: true,
                },
            ),
            (
                "file/s",
                End::Other {
                    path: root.join("file"),
                    kind: FileKind::Regular,
                },
            ),
            (
                "loop/s",
                End::Failed("Too many symbolic links encountered".to_owned()),
            ),
        ] {
            assert_eq!(seen(&root.join(name)).end, end);
        }
    }

    #[test]
    fn name_of_filesystem_is_read_from_mount_table() {
        let mounts = Mounts::parse(
            b"1 0 0:9 / / rw - 9p share rw\n2 1 0:10 / /mnt/c rw - 9p C: rw,aname=drvfs;path=C:\\134\n",
        );
        let device = |minor| nix::sys::stat::makedev(0, minor);
        assert_eq!(name_from(&mounts, Path::new("/s"), device(9)), "9p");
        assert_eq!(name_from(&mounts, Path::new("/mnt/c/s"), device(10)), DRVFS);
    }
}
