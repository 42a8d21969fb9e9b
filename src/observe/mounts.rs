//! The mount table: `/proc/self/mountinfo`, see proc_pid_mountinfo(5). It knows what is mounted where and as what; what that
//! means for a socket it does not know.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `MAJOR:MINOR` of the files on it, but for some filesystems with several (btrfs).
    pub device: String,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The filesystem's type, with its subtype: `ext4`, `fuse.sshfs`.
    pub kind: String,
    /// Its own options, comma-separated: `rw,aname=drvfs`.
    pub options: String,
}

/// The whole table, in the order of the mounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// This process's table.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read() -> io::Result<Self> {
        std::fs::read("/proc/self/mountinfo").map(|text| Self::parse(&text))
    }

    /// The table of a text. Lines that are none are passed over.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        Self(text.split(|byte| *byte == b'\n').filter_map(line).collect())
    }

    /// The mount that a path without symlinks lies on: the longest mount point above it, the last where several lie
    /// over each other. One with the path's own device (`MAJOR:MINOR`) is preferred: what was mounted over a
    /// directory that is in use does not hide it from its users.
    #[must_use]
    pub fn of(&self, path: &Path, device: &str) -> Option<&Mount> {
        let above = || self.0.iter().filter(|mount| path.starts_with(&mount.point));
        let deepest = |mount: &&Mount| mount.point.as_os_str().len();
        above()
            .filter(|mount| mount.device == device)
            .max_by_key(deepest)
            .or_else(|| above().max_by_key(deepest))
    }

    /// Any mount of this device, wherever it is.
    #[must_use]
    pub fn of_device(&self, device: &str) -> Option<&Mount> {
        self.0.iter().find(|mount| mount.device == device)
    }
}

fn line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = text(fields.nth(2)?);
    let point = fields.nth(1)?;
    // Any number of optional fields ends with a single hyphen.
    fields.find(|field| *field == b"-")?;
    let kind = text(fields.next()?);
    let options = fields.nth(1).map(text).unwrap_or_default();
    Some(Mount {
        device,
        point: OsString::from_vec(unescaped(point)).into(),
        kind,
        options,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&unescaped(bytes)).into_owned()
}

/// Space, tab, newline and backslash stand as `\` and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let code = after
            .get(..3)
            .filter(|_| *byte == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(code) = code {
            plain.push(code);
            rest = &after[3..];
        } else {
            plain.push(*byte);
            rest = after;
        }
    }
    plain
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
    fn a_path_is_on_the_deepest_and_last_mount_above_it() {
        let mounts = Mounts::parse(TABLE);
        for (path, device, kind) in [
            ("/etc", "8:1", Some("ext4")),
            ("/mnt/far away/s", "0:32", Some("fuse.sshfs")),
            ("/mnt/far", "8:1", Some("ext4")),
            ("/home/v", "0:50", Some("nfs4")),
            // A subvolume of btrfs has a device of its own, which the table does not show.
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
    fn options_tell_windows_drives_from_other_shares() {
        let mounts = Mounts::parse(TABLE);
        let mount = mounts.of(Path::new("/mnt/c/s"), "0:60").unwrap();
        assert_eq!(mount.options, "rw,dirsync,aname=drvfs;path=C:\\");
    }

    #[test]
    fn a_device_is_found_wherever_it_is_mounted() {
        let mounts = Mounts::parse(TABLE);
        let kind = |device| mounts.of_device(device).map(|mount| mount.kind.as_str());
        assert_eq!(kind("0:32"), Some("fuse.sshfs"));
        assert_eq!(kind("0:3"), None);
    }
}
