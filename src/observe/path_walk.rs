//! The way to a directory: every directory and symlink it leads over, walked name by name as the kernel does, so that
//! each can be looked at, or watched, for itself.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use tr::tr;

use super::filesystem;
use crate::model::directory::{DirectoryId, Part};
use crate::model::socket::{File, FileKind, UserId};

/// As many symlinks may be on a way, as for the kernel (path_resolution(7)).
pub(crate) const MAX_SYMLINKS: usize = 40;

/// A way that was walked.
#[derive(Debug)]
pub(crate) struct Way {
    /// Everything on it, from `/` on, each once. Where it ends in a directory, that is the last.
    pub(crate) parts: Vec<Part>,
    /// How far it has come, without symlinks.
    pub(crate) at: PathBuf,
    /// Why it goes no further.
    pub(crate) stop: Stop,
}

/// Why a way goes no further.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It has come where it was to lead.
    There {
        /// What the directory lies on, `st_dev`.
        device: u64,
    },
    /// The first of these names is not there.
    Missing {
        /// What was still to go.
        rest: PathBuf,
    },
    /// Something else stands there.
    Other {
        /// Where.
        path: PathBuf,
        /// What.
        kind: FileKind,
    },
    /// The last part may not be searched.
    Denied,
    /// The system's words.
    Failed(String),
}

impl Way {
    /// Walks to the directory at this absolute path.
    pub(crate) fn to(path: &Path) -> Self {
        let mut way = Self {
            parts: Vec::new(),
            at: PathBuf::from("/"),
            stop: Stop::Denied,
        };
        way.stop = match way.walk(path) {
            Ok(device) => Stop::There { device },
            Err(stop) => *stop,
        };
        way
    }

    fn walk(&mut self, path: &Path) -> Result<u64, Box<Stop>> {
        let mut ahead = names(path);
        let mut device = self.enter_root()?;
        let mut links = 0;
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
                            ahead.push_front(name);
                            Stop::Missing {
                                rest: ahead.into_iter().collect(),
                            }
                        }
                        File::Denied => Stop::Denied,
                        File::Failed(words) => Stop::Failed(words),
                        File::Socket(_) | File::Other(..) => Stop::Failed(error.to_string()),
                    }));
                }
            };
            if metadata.is_symlink() {
                self.note(&next, &metadata);
                links += 1;
                if links > MAX_SYMLINKS {
                    return Err(Box::new(Stop::Failed(Errno::ELOOP.desc().to_owned())));
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
                    File::Other(kind, _) => Stop::Other { path: next, kind },
                    File::Socket(_) | File::Missing | File::Denied | File::Failed(_) => {
                        Stop::Failed(tr!("a socket stands on its path"))
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

    fn enter_root(&mut self) -> Result<u64, Box<Stop>> {
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

fn failed(error: &io::Error) -> Box<Stop> {
    Box::new(Stop::Failed(filesystem::text_of(error)))
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
