//! Resolves the path of a directory name by name, as the kernel does, and records every directory and symlink on the
//! way, so that each can be judged or watched.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use tr::tr;

use super::{access_list, filesystem};
use crate::model::directory::{DirectoryId, Part};
use crate::model::socket::{File, FileKind, UserId};

/// The kernel's limit of symlinks in one path; see path_resolution(7).
pub(crate) const MAX_SYMLINKS: usize = 40;

#[derive(Debug)]
pub(crate) struct Way {
    /// Every directory and symlink, from `/` on, each once. If the path leads to a directory, that is the last.
    pub(crate) parts: Vec<Part>,
    /// The last directory that was reached, without symlinks.
    pub(crate) at: PathBuf,
    pub(crate) stop: Stop,
}

#[derive(Debug)]
pub(crate) enum Stop {
    /// A directory with this `st_dev`.
    There {
        device: u64,
    },
    /// The first name of `rest` does not exist.
    Missing {
        rest: PathBuf,
    },
    Other {
        path: PathBuf,
        kind: FileKind,
    },
    /// The last part cannot be searched.
    Denied,
    Failed(String),
}

impl Way {
    pub(crate) fn to(path: &Path) -> Self {
        let mut way = Self {
            parts: Vec::new(),
            at: PathBuf::from("/"),
            stop: Stop::Denied,
        };
        way.stop = way.walk(path).unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Stop::Denied,
            _ => Stop::Failed(filesystem::text_of(&error)),
        });
        way
    }

    fn walk(&mut self, path: &Path) -> io::Result<Stop> {
        let mut ahead = names(path);
        let root = self.at.symlink_metadata()?;
        self.note(Path::new("/"), &root);
        let mut device = root.dev();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                self.at.pop();
                continue;
            }
            let next = self.at.join(&name);
            let metadata = match next.symlink_metadata() {
                Err(error) if filesystem::unseen(&error) == File::Missing => {
                    ahead.push_front(name);
                    let rest = ahead.into_iter().collect();
                    return Ok(Stop::Missing { rest });
                }
                result => result?,
            };
            if metadata.is_symlink() {
                self.note(&next, &metadata);
                links += 1;
                if links > MAX_SYMLINKS {
                    return Err(Errno::ELOOP.into());
                }
                let target = next.read_link()?;
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
                return Ok(match filesystem::file(&metadata) {
                    File::Other(kind, _) => Stop::Other { path: next, kind },
                    File::Socket(_) | File::Missing | File::Denied | File::Failed(_) => {
                        Stop::Failed(tr!("a socket stands on its path"))
                    }
                });
            }
        }
        // A path with `..` may end at a directory that it passed.
        if let Some(last) = self.parts.iter().rposition(|part| part.path == self.at) {
            let own = self.parts.remove(last);
            device = own.id.device;
            self.parts.push(own);
        }
        Ok(Stop::There { device })
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
            permissions: access_list::permissions(Some(path), metadata),
            is_symlink: metadata.is_symlink(),
        });
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}
