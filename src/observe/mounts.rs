//! The mount table, `/proc/self/mountinfo`; see proc_pid_mountinfo(5).

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::model::text::octal_decoded;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `MAJOR:MINOR`, the `st_dev` of its files except on btrfs.
    pub device: String,
    pub point: PathBuf,
    /// A device, `HOST:/DIRECTORY`, or for some FUSE filesystems the directory below.
    pub source: PathBuf,
    /// The filesystem type with its subtype: `ext4`, `fuse.sshfs`.
    pub kind: String,
    /// The options of the superblock: `rw,aname=drvfs`.
    pub options: String,
}

/// The table in mount order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    pub fn read() -> io::Result<Self> {
        std::fs::read("/proc/self/mountinfo").map(|text| Self::parse(&text))
    }

    /// Parses the file; skips invalid lines.
    pub fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(line).collect())
    }

    /// The mount of a path without symlinks: the longest mount point above it, and the last mount at that point. Mounts
    /// with the path's device (`MAJOR:MINOR`) come first, because a process can use a directory below a later mount.
    pub fn of(&self, path: &Path, device: &str) -> Option<&Mount> {
        let above = || self.0.iter().filter(|mount| path.starts_with(&mount.point));
        let deepest = |mount: &&Mount| mount.point.as_os_str().len();
        above()
            .filter(|mount| mount.device == device)
            .max_by_key(deepest)
            .or_else(|| above().max_by_key(deepest))
    }

    pub fn of_device(&self, device: &str) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.device == device)
    }
}

fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = text(fields.nth(2)?);
    let point = fields.nth(1)?;
    // A hyphen ends the optional fields.
    fields.find(|field| *field == b"-")?;
    let kind = text(fields.next()?);
    let source = OsString::from_vec(octal_decoded(fields.next()?)).into();
    let options = fields.next().map(text).unwrap_or_default();
    Some(Mount {
        device,
        source,
        point: OsString::from_vec(octal_decoded(point)).into(),
        kind,
        options,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&octal_decoded(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
24 22 0:20 / /sys rw,relatime shared:7 - sysfs sysfs rw
36 22 0:32 / /mnt/far\\040away rw shared:8 master:1 - fuse.sshfs host: rw,user_id=1000
37 22 0:50 / /home rw - nfs4 server:/home rw,vers=4.2
38 37 0:51 /u /home/u rw - btrfs /dev/sdb rw
39 22 0:60 / /mnt/c rw - 9p C:\\134 rw,dirsync,aname=drvfs;path=C:\\134
41 22 0:61 / /over rw - tmpfs tmpfs rw
42 41 0:62 / /over rw - vfat /dev/sdc rw
nonsense
";

    #[test]
    fn path_is_on_the_deepest_and_last_mount() {
        let mounts = Mounts::parse(TABLE);
        for (path, device, kind) in [
            ("/etc", "8:1", Some("ext4")),
            ("/mnt/far away/s", "0:32", Some("fuse.sshfs")),
            ("/mnt/far", "8:1", Some("ext4")),
            ("/home/v", "0:50", Some("nfs4")),
            // A btrfs subvolume has a device that is not in the table.
            ("/home/u/.ssh", "0:77", Some("btrfs")),
            ("/over/s", "0:62", Some("vfat")),
            ("/over/s", "0:61", Some("tmpfs")),
            ("/over/s", "0:99", Some("vfat")),
        ] {
            let mount = mounts.of(Path::new(path), device);
            assert_eq!(mount.map(|mount| mount.kind.as_str()), kind, "{path}");
        }
        assert_eq!(Mounts::default().of(Path::new("/"), "8:1"), None);
    }

    #[test]
    fn options_are_decoded() {
        let mounts = Mounts::parse(TABLE);
        let mount = mounts.of(Path::new("/mnt/c/s"), "0:60").unwrap();
        assert_eq!(mount.options, "rw,dirsync,aname=drvfs;path=C:\\");
    }

    #[test]
    fn mount_is_found_by_device() {
        let mounts = Mounts::parse(TABLE);
        let kind = |device| mounts.of_device(device).map(|mount| mount.kind.as_str());
        assert_eq!(kind("0:32"), Some("fuse.sshfs"));
        assert_eq!(kind("0:3"), None);
    }
}
