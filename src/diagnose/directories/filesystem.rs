//! The findings of the filesystem of a directory.

use tr::tr;

use super::{Case, not_created};
use crate::diagnose::hosts;
use crate::model::directory::{Capacity, Existing, Refusal, Rehearsal, Volume};
use crate::model::finding::{Finding, FindingId};
use crate::model::text;

/// Filesystems without sockets or hard links, and those of Windows, which have them with some drivers and mounts only. A
/// rehearsal shows which.
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
    pub(super) fn filesystem(&self, there: &Existing) -> Vec<Finding> {
        let Some(volume) = &there.volume else {
            return Vec::new();
        };
        // If no socket can be created at all, nothing else matters.
        if let Some(unsupported) = self.unsupported(volume, there.rehearsal.as_ref()) {
            return vec![unsupported];
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
                "it is on {filesystem}; {tried}",
                filesystem = kind,
                tried = not_created(*step, words)
            ),
            None if UNSUPPORTED.contains(&volume.kind.as_str()) => tr!(
                "it is on {filesystem}, which has no sockets or no hard links",
                filesystem = kind
            ),
            Some(Rehearsal::Passed | Rehearsal::Failed { .. }) | None => return None,
        };
        let evidence = self.with_hosts(evidence);
        Some(self.elsewhere(FindingId::FilesystemUnsupported, evidence))
    }

    fn full(&self, volume: &Volume, rehearsal: Option<&Rehearsal>) -> Option<Finding> {
        let tried = match rehearsal {
            Some(Rehearsal::Failed {
                step,
                refusal: Refusal::Full,
                words,
            }) => Some(not_created(*step, words)),
            Some(Rehearsal::Passed | Rehearsal::Failed { .. }) | None => None,
        };
        let is_empty = |capacity: &Capacity| capacity.free == 0 && capacity.total > 0;
        let no_inode = volume.inodes.as_ref().is_some_and(is_empty);
        // Only the exhausted number: another one would change with every look, and so the finding.
        let space = (is_empty(&volume.space) || tried.is_some()).then(|| {
            tr!(
                "{free} of {total} free",
                free = text::size(volume.space.free),
                total = text::size(volume.space.total)
            )
        });
        if space.is_none() && !no_inode {
            return None;
        }
        let inodes = volume
            .inodes
            .filter(|_| no_inode || tried.is_some())
            .map(|Capacity { free, total }| tr!("{free} of {total} inodes free", free, total));
        let full = tr!(
            "no space left for you on {filesystem}: {room}",
            filesystem = text::line(&volume.kind),
            room = text::list(space.into_iter().chain(inodes))
        );
        let evidence = self.with_hosts(match tried {
            Some(tried) => tr!("{tried}; {full}", tried, full),
            None => full,
        });
        let word = self.context.tilde.shell_word(self.directory.path());
        let flag = if no_inode { "-i" } else { "-h" };
        let remedy = tr!("free some space, or check your quota; see");
        let finding = self.finding(FindingId::FilesystemFull, evidence, remedy);
        Some(finding.with_command(format!("df {flag} {word}")))
    }

    fn network(&self) -> Option<Finding> {
        let kind = hosts::network_filesystem(self.directory)?;
        let evidence = self.with_hosts(tr!(
            "it is on {filesystem}: its sockets may belong to other machines, so none can be proven stale",
            filesystem = text::line(kind)
        ));
        Some(self.elsewhere(FindingId::FilesystemNetwork, evidence))
    }
}
