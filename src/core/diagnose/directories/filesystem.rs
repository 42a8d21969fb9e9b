//! What is wrong with the filesystem a directory lies on.

use super::{Case, step_phrase};
use crate::core::diagnose::{hosts, suggest};
use crate::core::directory::{Refusal, Rehearsal, Room, There, Volume};
use crate::core::finding::{Finding, FindingId};
use crate::core::text;

/// Filesystems without sockets or hard links, and Windows' own, which have them by some drivers and mounts only. A
/// rehearsal knows better.
const UNSUPPORTED: &[&str] = &[
    "vfat",
    "msdos",
    "umsdos",
    "exfat",
    "fuse.exfat",
    "ntfs",
    "ntfs3",
    "fuseblk",
    "fuse.ntfs-3g",
    "drvfs",
];

impl Case<'_> {
    /// Several things can be wrong at once.
    pub(super) fn filesystem(&self, there: &There) -> Vec<Finding> {
        let Some(volume) = &there.volume else {
            return Vec::new();
        };
        let unsupported = self.unsupported(volume, there.rehearsal.as_ref());
        // Where no socket can be made at all, nothing else matters.
        if unsupported.is_some() {
            return unsupported.into_iter().collect();
        }
        let full = self.full(volume, there.rehearsal.as_ref());
        full.into_iter().chain(self.network()).collect()
    }

    fn unsupported(&self, volume: &Volume, rehearsal: Option<&Rehearsal>) -> Option<Finding> {
        let kind = text::line(&volume.kind);
        let evidence = match rehearsal {
            Some(Rehearsal::Failed {
                step,
                refusal: Refusal::Unsupported,
                words,
            }) => format!(
                "{} cannot be made on {kind}: {}",
                step_phrase(*step),
                text::line(words)
            ),
            None if UNSUPPORTED.contains(&volume.kind.as_str()) => {
                format!("it is on {kind}, which has no sockets or no hard links")
            }
            Some(Rehearsal::Passed | Rehearsal::Failed { .. }) | None => return None,
        };
        let line = self.elsewhere();
        Some(
            Finding::new(
                FindingId::FilesystemUnsupported,
                self.subject(),
                format!("{evidence}{}", self.used_by()),
                format!("give ControlPath a directory on another filesystem: {line}"),
            )
            .with_lines(["Host *".to_owned(), format!("    {line}")]),
        )
    }

    fn full(&self, volume: &Volume, rehearsal: Option<&Rehearsal>) -> Option<Finding> {
        let tried = match rehearsal {
            Some(Rehearsal::Failed {
                step,
                refusal: Refusal::Full,
                words,
            }) => Some(format!(
                "{} cannot be made: {}; ",
                step_phrase(*step),
                text::line(words)
            )),
            Some(Rehearsal::Passed | Rehearsal::Failed { .. }) | None => None,
        };
        let no_space = volume.space.free == 0 && volume.space.total > 0;
        let no_inode = volume
            .inodes
            .is_some_and(|inodes| inodes.free == 0 && inodes.total > 0);
        if tried.is_none() && !no_space && !no_inode {
            return None;
        }
        // Only what is used up: a number that changes by itself would make every look news.
        let space = (no_space || tried.is_some()).then(|| {
            let Room { free, total } = volume.space;
            format!("{} of {} free", bytes(free), bytes(total))
        });
        let inodes = volume
            .inodes
            .filter(|_| no_inode || tried.is_some())
            .map(|Room { free, total }| format!("{free} of {total} inodes free"));
        let numbers: Vec<String> = space.into_iter().chain(inodes).collect();
        let word = text::shell_word(self.directory.path().as_os_str());
        let flag = if no_inode { "-i" } else { "-h" };
        Some(
            Finding::new(
                FindingId::FilesystemFull,
                self.subject(),
                format!(
                    "{}{} is full for you: {}{}",
                    tried.unwrap_or_default(),
                    text::line(&volume.kind),
                    numbers.join(", "),
                    self.used_by()
                ),
                "make room there, or look at your quota",
            )
            .with_command(format!("df {flag} {word}")),
        )
    }

    fn network(&self) -> Option<Finding> {
        let kind = hosts::network(self.directory)?;
        let line = suggest::RUNTIME;
        Some(
            Finding::new(
                FindingId::FilesystemNetwork,
                self.subject(),
                format!(
                    "it is on {}: sockets in it may be other machines', so muxtray cannot prove them stale{}",
                    text::line(kind),
                    self.used_by()
                ),
                format!("give ControlPath a directory of this machine's: {line}"),
            )
            .with_lines(["Host *".to_owned(), format!("    {line}")]),
        )
    }

    /// Where a ControlPath can well lie when this directory cannot be it: in the home, unless that is on the same.
    fn elsewhere(&self) -> String {
        let home = self.context.home;
        if self.directory.path().starts_with(home) {
            suggest::RUNTIME.to_owned()
        } else {
            suggest::control_path(&home.join(".ssh/s"), home)
        }
    }
}

/// `0 bytes`, `12.0 MiB`
fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return text::count(number, "byte");
    }
    // In tenths, by whole numbers: nobody needs more, and no float is rounded.
    let (mut tenths, mut unit) = (u128::from(number) * 10 / 1024, 0);
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_their_largest_unit() {
        for (number, told) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536 * 1024, "1.5 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(bytes(number), told);
        }
    }
}
