//! The directories that masters make their sockets in: everything on the way to each, whether the user may make files
//! there, and what it lies on. Some stats for each; nothing is opened or changed, and a look affords it every time.
//!
//! Whether a socket can really be made there, only a rehearsal tells (`act::rehearsal`).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, faccessat};

use super::filesystem;
use super::mounts::Mounts;
use crate::core::directory::{
    Access, Directory, DirectoryId, End, Part, Room, There, Volume, Wanted,
};
use crate::core::socket::{File, Filesystem, UserId};

/// As many symlinks may be on a way, as for the kernel.
const MAX_SYMLINKS: usize = 40;

/// What is there now of each, in their order.
#[must_use]
pub fn look(wanted: Vec<Wanted>) -> Vec<Directory> {
    let mut mounts = MountTable::default();
    wanted
        .into_iter()
        .map(|wanted| look_at(wanted, &mut mounts))
        .collect()
}

fn look_at(wanted: Wanted, mounts: &mut MountTable) -> Directory {
    let mut walk = Walk::default();
    let end = match walk.to(&wanted.path) {
        Err(end) => *end,
        Ok(device) => End::There(There {
            access: access(&walk.at),
            volume: volume(&walk.at, device, mounts),
            rehearsal: None,
        }),
    };
    Directory {
        wanted,
        parts: walk.parts,
        end,
    }
}

/// A way through directories and symlinks, noting each.
#[derive(Default)]
struct Walk {
    parts: Vec<Part>,
    /// Where it has come to, without symlinks.
    at: PathBuf,
    links: usize,
}

impl Walk {
    /// Goes to a directory and returns its device, or what the way ends in before.
    fn to(&mut self, path: &Path) -> Result<u64, Box<End>> {
        let mut ahead = names(path);
        let mut device = self.enter_root()?;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                self.at.pop();
                continue;
            }
            let next = self.at.join(&name);
            let metadata = match next.symlink_metadata() {
                Ok(metadata) => metadata,
                Err(error) => {
                    return Err(Box::new(match filesystem::unseen(&error) {
                        File::Missing => {
                            let mut path = next;
                            path.extend(ahead);
                            End::Missing {
                                path,
                                can_make: access(&self.at) == Access::Full,
                            }
                        }
                        File::Denied => End::Denied,
                        File::Failed(words) => End::Failed(words),
                        File::Socket(_) | File::Other(..) => End::Failed(error.to_string()),
                    }));
                }
            };
            if metadata.is_symlink() {
                self.note(&next, &metadata);
                self.links += 1;
                if self.links > MAX_SYMLINKS {
                    return Err(Box::new(End::Failed(Errno::ELOOP.desc().to_owned())));
                }
                let target = next.read_link().map_err(|error| failed(&error))?;
                if target.is_absolute() {
                    self.at = PathBuf::from("/");
                }
                let mut through = names(&target);
                through.append(&mut ahead);
                ahead = through;
            } else if metadata.is_dir() {
                self.note(&next, &metadata);
                device = metadata.dev();
                self.at = next;
            } else {
                return Err(Box::new(match filesystem::file(&metadata) {
                    File::Other(kind, _) => End::Other { path: next, kind },
                    File::Socket(_) | File::Missing | File::Denied | File::Failed(_) => {
                        End::Failed("a socket stands on its path".to_owned())
                    }
                }));
            }
        }
        // Where the way came back to a directory it had passed, that is the last part all the same.
        if let Some(last) = self.parts.iter().rposition(|part| part.path == self.at) {
            let own = self.parts.remove(last);
            device = own.id.device;
            self.parts.push(own);
        }
        Ok(device)
    }

    fn enter_root(&mut self) -> Result<u64, Box<End>> {
        self.at = PathBuf::from("/");
        let root = Path::new("/");
        let metadata = root.symlink_metadata().map_err(|error| failed(&error))?;
        self.note(root, &metadata);
        Ok(metadata.dev())
    }

    fn note(&mut self, path: &Path, metadata: &Metadata) {
        if self.parts.iter().any(|part| part.path == path) {
            return;
        }
        self.parts.push(Part {
            path: path.to_owned(),
            id: DirectoryId {
                device: metadata.dev(),
                inode: metadata.ino(),
            },
            uid: UserId(metadata.uid()),
            mode: metadata.mode() & 0o7777,
            is_symlink: metadata.is_symlink(),
        });
    }
}

fn failed(error: &std::io::Error) -> Box<End> {
    Box::new(End::Failed(filesystem::text_of(error)))
}

/// The names in a path; a `..` stays one.
fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

/// Whether names can be made in a directory, by the effective ids.
fn access(directory: &Path) -> Access {
    let mode = AccessFlags::W_OK | AccessFlags::X_OK;
    match faccessat(AT_FDCWD, directory, mode, AtFlags::AT_EACCESS) {
        Ok(()) => Access::Full,
        Err(Errno::EACCES | Errno::EPERM) => Access::Denied,
        Err(Errno::EROFS) => Access::ReadOnly,
        Err(errno) => Access::Failed(errno.desc().to_owned()),
    }
}

/// The mount table, read when it is needed first: nearly always the magic number tells enough.
#[derive(Default)]
struct MountTable(Option<Mounts>);

impl MountTable {
    fn get(&mut self) -> &Mounts {
        self.0
            .get_or_insert_with(|| Mounts::read().unwrap_or_default())
    }
}

/// Names of filesystems that the magic number tells for sure.
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
    reason = "the kernel's words are narrower on some machines"
)]
fn volume(directory: &Path, device: u64, mounts: &mut MountTable) -> Option<Volume> {
    let magic = filesystem::magic_of(directory)?;
    let numbers = statvfs(directory).ok()?;
    let kind = match NAMES.iter().find(|(number, _)| *number == magic) {
        Some((_, name)) => (*name).to_owned(),
        None => name_from(mounts.get(), directory, device),
    };
    let block = u64::from(numbers.fragment_size());
    let bytes = |blocks: u64| blocks.saturating_mul(block);
    let inodes = Room {
        free: u64::from(numbers.files_available()),
        total: u64::from(numbers.files()),
    };
    Some(Volume {
        filesystem: match filesystem::by_magic(magic, directory) {
            // Windows' drives in WSL come by 9p and are this machine's.
            Filesystem::Network(_) if kind == DRVFS => Filesystem::Local,
            other => other,
        },
        kind,
        space: Room {
            free: bytes(u64::from(numbers.blocks_available())),
            total: bytes(u64::from(numbers.blocks())),
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
        None => "a filesystem of unknown type".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::core::socket::FileKind;

    fn seen(path: &Path) -> Directory {
        look_at(
            Wanted {
                path: path.to_owned(),
                makes_masters: true,
            },
            &mut MountTable::default(),
        )
    }

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    #[test]
    fn a_directory_is_seen_with_everything_above_it() {
        let (_kept, root) = scratch();
        std::fs::create_dir(root.join("s")).unwrap();
        std::fs::set_permissions(root.join("s"), Permissions::from_mode(0o755)).unwrap();
        let directory = seen(&root.join("s"));
        let (own, there) = directory.own().unwrap();
        assert_eq!(
            (own.path.as_path(), own.mode),
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
    fn a_symlink_is_noted_and_followed() {
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
        // Where the way ends above what it has passed, that is the directory.
        symlink("real/s/..", root.join("up")).unwrap();
        assert_eq!(
            seen(&root.join("up")).own().unwrap().0.path,
            root.join("real")
        );
    }

    #[test]
    fn a_way_that_ends_early_says_in_what() {
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
    fn the_mount_table_names_what_no_magic_number_tells() {
        let mounts = Mounts::parse(
            b"1 0 0:9 / / rw - 9p share rw\n2 1 0:10 / /mnt/c rw - 9p C: rw,aname=drvfs;path=C:\\134\n",
        );
        let device = |minor| nix::sys::stat::makedev(0, minor);
        assert_eq!(name_from(&mounts, Path::new("/s"), device(9)), "9p");
        assert_eq!(name_from(&mounts, Path::new("/mnt/c/s"), device(10)), DRVFS);
    }
}
