//! The answers of connects, so that no socket is connected to twice.
//!
//! An accepted connect restarts a master's ControlPersist timer. If its listener is in no table that muxtray can read, a
//! second connect, also by the next run, would keep the master for ever. So these answers are kept in a file until the
//! socket's file or listener changes, or the system restarts. If the file cannot be written, as in a container that has
//! the home read-only, they are kept in a spare directory.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::file_stamp::FileStamp;
use crate::files;
use crate::model::ids::{Cookie, SocketId, UserId};
use crate::model::observation::Connect;

/// How long a refusal is kept for a socket without a listener. It is final, except for a program that has bound and not
/// yet called listen, because a file never gets a second socket. Before a removal it is proven again.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(600);

/// Answers in the file. Older ones are dropped.
const MAX_ANSWERS: usize = 500;
const MAX_BYTES: u64 = 1 << 17;

#[derive(Debug)]
pub(super) struct ConnectMemory {
    file: Option<PathBuf>,
    /// The file in the spare directory, until it is in use.
    spare: Option<PathBuf>,
    uid: UserId,
    /// The file when it was read.
    version: Option<FileStamp>,
    kept: Kept,
    /// Refusals by sockets without a listener.
    refusals: HashMap<SocketId, Instant>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    boot: String,
    /// The oldest first.
    answers: Vec<Answer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    #[serde(flatten)]
    id: SocketId,
    /// The listener that seems to be the file's; `None` if no table shows one.
    listener: Option<u64>,
    accepted: bool,
}

impl Answer {
    fn is_about(&self, id: &SocketId, listener: Option<Cookie>) -> bool {
        (&self.id, self.listener) == (id, listener.map(|cookie| cookie.0))
    }
}

impl ConnectMemory {
    /// Without a file and a spare directory the answers last as long as the process.
    pub(super) fn new(uid: UserId, file: Option<PathBuf>, spare: Option<&Path>) -> Self {
        let spare = spare.map(|directory| directory.join("connects.json"));
        let is_in_use = |file: &PathBuf| file.exists() && is_private(file, uid);
        let (file, spare) = match spare {
            Some(spare) if is_in_use(&spare) => (Some(spare), None),
            spare => (file, spare),
        };
        Self {
            file,
            spare,
            uid,
            version: None,
            kept: Kept::default(),
            refusals: HashMap::new(),
        }
    }

    /// Reads the file if another process has changed it.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.refusals
            .retain(|_, when| now.duration_since(*when) < REFUSAL_LIFETIME);
        let Some(file) = &self.file else { return };
        let version = Some(FileStamp::read(file));
        if version == self.version {
            return;
        }
        self.version = version;
        let kept: Option<Kept> = files::read_private_json(file, self.uid.0, MAX_BYTES);
        self.kept = kept
            .filter(|kept| kept.boot == boot_id())
            .unwrap_or_default();
    }

    /// The answer of the socket, which a table shows this listener for.
    pub(super) fn answer(&self, id: &SocketId, listener: Option<Cookie>) -> Option<Connect> {
        if listener.is_none() && self.refusals.contains_key(id) {
            return Some(Connect::Refused);
        }
        let mut answers = self.kept.answers.iter();
        let answer = answers.find(|answer| answer.is_about(id, listener))?;
        Some(if answer.accepted {
            Connect::Accepted
        } else {
            Connect::Refused
        })
    }

    pub(super) fn note(
        &mut self,
        id: &SocketId,
        listener: Option<Cookie>,
        answer: &Connect,
        now: Instant,
    ) {
        let accepted = match answer {
            Connect::Accepted => true,
            Connect::Refused => false,
            Connect::Full | Connect::Denied | Connect::Failed(_) => return,
        };
        if listener.is_none() && !accepted {
            self.refusals.insert(*id, now);
            let mut answers = self.kept.answers.iter();
            if !answers.any(|answer| answer.is_about(id, listener)) {
                return;
            }
        }
        // Another process may have changed the file since.
        self.refresh(now);
        self.kept
            .answers
            .retain(|answer| !answer.is_about(id, listener));
        if accepted || listener.is_some() {
            self.kept.answers.push(Answer {
                id: *id,
                listener: listener.map(|cookie| cookie.0),
                accepted,
            });
        }
        let excess = self.kept.answers.len().saturating_sub(MAX_ANSWERS);
        self.kept.answers.drain(..excess);
        self.kept.boot = boot_id();
        self.store();
    }

    /// Forgets refusals by sockets that exist no more: a directory may see thousands of them within the lifetime.
    pub(super) fn keep_refusals(&mut self, exists: impl Fn(&SocketId) -> bool) {
        self.refusals.retain(|id, _| exists(id));
    }

    fn store(&mut self) {
        let write = |file: Option<&PathBuf>| match file {
            Some(file) => files::write_private_json(file, &self.kept),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        if let Err(error) = write(self.file.as_ref()) {
            tracing::debug!("cannot keep the answer of a connect: {error}");
            let spare = self.spare.take();
            let made = spare.filter(|file| make_private_directory(file, self.uid));
            if made.is_some() && write(made.as_ref()).is_ok() {
                self.file = made;
            }
        }
        self.version = self.file.as_deref().map(FileStamp::read);
    }
}

/// Makes the directory of the file, which may be below `/tmp`. Returns whether it is the user's alone.
fn make_private_directory(file: &Path, uid: UserId) -> bool {
    let directory = file.parent().unwrap_or(file);
    let made = fs::DirBuilder::new().mode(0o700).create(directory);
    tracing::debug!(directory = %directory.display(), ?made, "spare directory");
    is_private(file, uid)
}

fn is_private(file: &Path, uid: UserId) -> bool {
    let directory = file.parent().map(fs::symlink_metadata);
    matches!(directory, Some(Ok(it)) if it.is_dir() && it.uid() == uid.0 && it.mode() & 0o077 == 0)
}

/// Empty without `/proc`.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn answer_is_kept_for_the_same_file_and_listener() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cache/connects.json");
        let uid = UserId(nix::unistd::geteuid().as_raw());
        let memory = || {
            let mut memory = ConnectMemory::new(uid, Some(file.clone()), None);
            memory.refresh(Instant::now());
            memory
        };
        let id = |inode, nanoseconds| SocketId {
            device: 1,
            inode,
            changed: (7, nanoseconds),
        };
        let (mut one, mut other) = (memory(), memory());
        let now = Instant::now();
        one.note(&id(1, 1), None, &Connect::Accepted, now);
        other.note(&id(2, 1), Some(Cookie(5)), &Connect::Refused, now);
        other.note(&id(3, 1), None, &Connect::Refused, now);
        other.note(&id(4, 1), None, &Connect::Full, now);
        let next = memory();
        for (id, listener, answer) in [
            (id(1, 1), None, Some(Connect::Accepted)),
            (id(1, 2), None, None),
            (id(1, 1), Some(Cookie(5)), None),
            (id(2, 1), Some(Cookie(5)), Some(Connect::Refused)),
            (id(2, 1), Some(Cookie(6)), None),
            (id(3, 1), None, None),
            (id(4, 1), None, None),
        ] {
            assert_eq!(next.answer(&id, listener), answer, "{id:?} {listener:?}");
        }
        assert_eq!(other.answer(&id(3, 1), None), Some(Connect::Refused));
        // A later refusal replaces it, in every process.
        other.note(&id(1, 1), None, &Connect::Refused, now);
        assert_eq!(memory().answer(&id(1, 1), None), None);
        for inode in 0..u64::try_from(MAX_ANSWERS).unwrap() {
            one.note(&id(100 + inode, 1), None, &Connect::Accepted, now);
        }
        let next = memory();
        assert_eq!(next.kept.answers.len(), MAX_ANSWERS);
        assert_eq!(next.answer(&id(2, 1), Some(Cookie(5))), None);
    }

    #[test]
    fn spare_directory_is_used_if_the_file_cannot_be_written_and_it_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let uid = UserId(nix::unistd::geteuid().as_raw());
        let id = SocketId {
            device: 1,
            inode: 1,
            changed: (7, 1),
        };
        let blocked = directory.path().join("file");
        fs::write(&blocked, "").unwrap();
        for (name, mode, file, is_kept) in [
            ("none", None, None, true),
            ("blocked", None, Some(blocked.join("connects.json")), true),
            ("private", Some(0o700), None, true),
            ("shared", Some(0o770), None, false),
        ] {
            let spare = directory.path().join(name);
            if let Some(mode) = mode {
                fs::create_dir(&spare).unwrap();
                fs::set_permissions(&spare, fs::Permissions::from_mode(mode)).unwrap();
            }
            let memory = || {
                let mut memory = ConnectMemory::new(uid, file.clone(), Some(&spare));
                memory.refresh(Instant::now());
                memory
            };
            memory().note(&id, None, &Connect::Accepted, Instant::now());
            let expected = is_kept.then_some(Connect::Accepted);
            assert_eq!(memory().answer(&id, None), expected, "{name}");
        }
    }
}
