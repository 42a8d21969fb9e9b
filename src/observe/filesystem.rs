//! Files and filesystems by lstat, statfs and the mount table. Opens no file.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use nix::sys::stat::{SFlag, major, minor};

use super::access_list;
use super::mounts::Mounts;
use crate::model::ids::{SocketId, UserId};
use crate::model::observation::{File, FileKind, Filesystem, Stat};

pub fn lstat(path: &Path) -> File {
    match path.symlink_metadata() {
        Ok(metadata) => file_at(Some(path), &metadata),
        Err(error) => unseen(&error),
    }
}

/// The facts in metadata, which must have been read without following a symlink; an access control list is not looked up.
pub(crate) fn file(metadata: &Metadata) -> File {
    file_at(None, metadata)
}

fn file_at(path: Option<&Path>, metadata: &Metadata) -> File {
    let stat = Stat {
        id: SocketId {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        },
        uid: UserId(metadata.uid()),
        permissions: access_list::permissions(path, metadata),
        modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        accessed: metadata.accessed().unwrap_or(SystemTime::UNIX_EPOCH),
    };
    let kind = match SFlag::from_bits_truncate(metadata.mode()) & SFlag::S_IFMT {
        SFlag::S_IFSOCK => return File::Socket(stat),
        SFlag::S_IFREG => FileKind::Regular,
        SFlag::S_IFDIR => FileKind::Directory,
        SFlag::S_IFLNK => FileKind::Symlink,
        SFlag::S_IFIFO => FileKind::Fifo,
        _ => FileKind::Device,
    };
    File::Other(kind, stat)
}

/// The facts in the error of an lstat or open.
pub(crate) fn unseen(error: &io::Error) -> File {
    match error.kind() {
        // ENOTDIR: a parent is not a directory, so nothing can exist below it.
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => File::Missing,
        io::ErrorKind::PermissionDenied => File::Denied,
        _ => File::Failed(text_of(error)),
    }
}

/// The text of an error without the number that Rust appends.
pub(super) fn text_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    }
}

/// Whether other users may create files in this directory: it is sticky, as `/tmp`, or belongs to another user and is
/// writable by all. `false` if stat fails.
pub fn is_shared(directory: &Path, uid: UserId) -> bool {
    directory.metadata().is_ok_and(|metadata| {
        let mode = metadata.mode();
        let sticky = mode & 0o1000 != 0 && mode & 0o022 != 0;
        sticky || (metadata.uid() != uid.0 && mode & 0o002 != 0)
    })
}

/// Filesystems that other machines may share, by the magic number of statfs(2); see `linux/magic.h` and the sources of
/// each. Cluster filesystems are among them: their disk is shared, their sockets are not.
const NETWORK: &[(u32, &str)] = &[
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smbfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb3"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x00c3_6400, "ceph"),
    (0x7375_7245, "coda"),
    (0x0000_564c, "ncpfs"),
    (0x7461_636f, "ocfs2"),
    (0x0116_1970, "gfs2"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
    (0x2003_0528, "orangefs"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
];

const FUSE: u32 = 0x6573_5546;

/// Whether a hard link of a socket may be another socket for the kernel, so that nobody listens at it: FUSE can have an
/// inode in memory for each name (bindfs, container volumes). Others share it; overlayfs since Linux 4.8.
pub(super) fn copies_links(directory: &Path) -> bool {
    magic_of(directory) == Some(FUSE)
}

/// FUSE filesystems with local storage.
const LOCAL_FUSE: &[&str] = &[
    "fuseblk",
    "fuse.ntfs-3g",
    "fuse.exfat",
    "fuse.fuse-overlayfs",
    "fuse.gocryptfs",
    "fuse.encfs",
    "fuse.cryfs",
    "fuse.securefs",
];

/// FUSE filesystems that other machines share, with the names to report. One in neither list counts as such too.
const NETWORK_FUSE: &[&str] = &[
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.glusterfs",
    "fuse.davfs",
    "fuse.gvfsd-fuse",
    "fuse.mfs",
    "fuse.juicefs",
    "virtiofs",
];

/// The kind of filesystem of a path, with symlinks resolved. For a socket call it with the directory.
pub fn filesystem_of(path: &Path) -> Filesystem {
    magic_of(path).map_or(Filesystem::Unknown, |magic| by_magic(magic, path))
}

pub(super) fn by_magic(magic: u32, path: &Path) -> Filesystem {
    if magic == FUSE {
        return fuse(path);
    }
    match NETWORK.iter().find(|(number, _)| *number == magic) {
        Some((_, name)) => Filesystem::Network(name),
        None => Filesystem::Local,
    }
}

pub(super) fn magic_of(path: &Path) -> Option<u32> {
    let statfs = nix::sys::statfs::statfs(path).ok()?;
    // The field has 32 or 64 bits and may be signed; the magic number is its low 32 bits.
    let magic = i128::from(statfs.filesystem_type().0) & i128::from(u32::MAX);
    u32::try_from(magic).ok()
}

/// `MAJOR:MINOR` as in the mount table.
pub(super) fn device_name(device: u64) -> String {
    format!("{}:{}", major(device), minor(device))
}

/// statfs has one magic number for all FUSE filesystems; the mount table has their names.
fn fuse(path: &Path) -> Filesystem {
    let (Ok(metadata), Ok(mounts)) = (path.metadata(), Mounts::read()) else {
        return Filesystem::Unknown;
    };
    let device = device_name(metadata.dev());
    let Some(mount) = mounts.of_device(&device) else {
        return Filesystem::Unknown;
    };
    // bindfs and its like show a directory, which may be remote itself.
    let below = mount
        .source
        .metadata()
        .ok()
        .filter(|_| mount.source.is_absolute());
    match below {
        Some(below) if below.is_dir() && magic_of(&mount.source) != Some(FUSE) => {
            filesystem_of(&mount.source)
        }
        _ => fuse_kind(&mount.kind),
    }
}

fn fuse_kind(kind: &str) -> Filesystem {
    if LOCAL_FUSE.contains(&kind) {
        return Filesystem::Local;
    }
    let known = NETWORK_FUSE.iter().find(|name| **name == kind);
    Filesystem::Network(known.unwrap_or(&"fuse"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn kinds_of_files_are_distinguished() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let _bound = UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        symlink(at("socket"), at("link")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRUSR).unwrap();
        let kind = |path: &Path| match lstat(path) {
            File::Other(kind, _) => Some(kind),
            File::Socket(_) | File::Missing | File::Denied | File::Failed(_) => None,
        };
        assert!(matches!(lstat(&at("socket")), File::Socket(_)));
        assert_eq!(kind(&at("file")), Some(FileKind::Regular));
        assert_eq!(kind(&at("link")), Some(FileKind::Symlink));
        assert_eq!(kind(&at("loop")), Some(FileKind::Symlink));
        assert_eq!(kind(&at("fifo")), Some(FileKind::Fifo));
        assert_eq!(kind(directory.path()), Some(FileKind::Directory));
        assert_eq!(kind(Path::new("/dev/null")), Some(FileKind::Device));
        assert_eq!(lstat(&at("nothing")), File::Missing);
        assert_eq!(lstat(&at("file/below")), File::Missing);
        assert_eq!(
            lstat(&at("loop/below")),
            File::Failed("Too many symbolic links encountered".to_owned())
        );
        let denied = io::Error::from_raw_os_error(nix::libc::EACCES);
        assert_eq!(unseen(&denied), File::Denied);
    }

    #[test]
    fn stat_has_identity_owner_and_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _bound = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let File::Socket(stat) = lstat(&path) else {
            panic!("not a socket");
        };
        let metadata = path.symlink_metadata().unwrap();
        assert_eq!(stat.id.inode, metadata.ino());
        assert_eq!(stat.permissions.mode, 0o600);
        assert_eq!(stat.uid, UserId(nix::unistd::geteuid().as_raw()));
        assert_eq!(stat.modified, metadata.modified().unwrap());
    }

    #[test]
    fn directory_that_others_may_write_is_shared() {
        let directory = tempfile::tempdir().unwrap();
        let own = UserId(nix::unistd::geteuid().as_raw());
        let other = UserId(own.0 + 1);
        for (mode, uid, shared) in [
            (0o700, own, false),
            (0o1777, own, true),
            (0o1777, other, true),
            (0o1755, other, false),
            (0o777, other, true),
            (0o777, own, false),
            (0o755, other, false),
        ] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(directory.path(), permissions).unwrap();
            assert_eq!(is_shared(directory.path(), uid), shared, "{mode:o}");
        }
        assert!(!is_shared(&directory.path().join("nothing"), own));
    }

    #[test]
    fn filesystems_are_local_network_or_unknown() {
        assert_eq!(filesystem_of(Path::new("/proc")), Filesystem::Local);
        assert_eq!(
            filesystem_of(Path::new("/nowhere/at/all")),
            Filesystem::Unknown
        );
        for (kind, filesystem) in [
            ("fuseblk", Filesystem::Local),
            ("fuse.sshfs", Filesystem::Network("fuse.sshfs")),
            ("virtiofs", Filesystem::Network("virtiofs")),
            ("fuse.something-new", Filesystem::Network("fuse")),
        ] {
            assert_eq!(fuse_kind(kind), filesystem);
        }
    }
}
