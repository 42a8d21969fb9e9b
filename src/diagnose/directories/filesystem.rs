//! What is wrong with the filesystem a directory lies on.

use tr::tr;

use super::{Case, step_phrase};
use crate::diagnose::{hosts, suggest};
use crate::model::directory::{Refusal, Rehearsal, Room, There, Volume};
use crate::model::finding::{Finding, FindingId};
use crate::model::text;

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
            }) => tr!(
                "{thing} cannot be made on {filesystem}: {cause}",
                thing = step_phrase(*step),
                filesystem = kind,
                cause = text::line(words)
            ),
            None if UNSUPPORTED.contains(&volume.kind.as_str()) => tr!(
                "it is on {filesystem}, which has no sockets or no hard links",
                filesystem = kind
            ),
            Some(Rehearsal::Passed | Rehearsal::Failed { .. }) | None => return None,
        };
        let line = self.elsewhere();
        Some(
            Finding::new(
                FindingId::FilesystemUnsupported,
                self.subject(),
                self.with_use(evidence),
                tr!(
                    "give ControlPath a directory on another filesystem: {line}",
                    line
                ),
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
            }) => Some(tr!(
                "{thing} cannot be made: {cause}",
                thing = step_phrase(*step),
                cause = text::line(words)
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
            tr!(
                "{free} of {total} free",
                free = text::size(free),
                total = text::size(total)
            )
        });
        let inodes = volume
            .inodes
            .filter(|_| no_inode || tried.is_some())
            .map(|Room { free, total }| tr!("{free} of {total} inodes free", free, total));
        let room = text::list(space.into_iter().chain(inodes));
        let full = tr!(
            "{filesystem} is full for you: {room}",
            filesystem = text::line(&volume.kind),
            room
        );
        let evidence = match tried {
            Some(tried) => tr!("{tried}; {full}", tried, full),
            None => full,
        };
        let word = text::shell_word(self.directory.path().as_os_str());
        let flag = if no_inode { "-i" } else { "-h" };
        Some(
            Finding::new(
                FindingId::FilesystemFull,
                self.subject(),
                self.with_use(evidence),
                tr!("make room there, or look at your quota"),
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
                self.with_use(tr!(
                    "it is on {filesystem}: sockets in it may be other machines', so muxtray cannot prove them stale",
                    filesystem = text::line(kind)
                )),
                tr!(
                    "give ControlPath a directory of this machine's: {line}",
                    line
                ),
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
