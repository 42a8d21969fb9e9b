//! The files of the ssh configuration: which ControlPath templates they hold and which hosts they name.
//!
//! Conditions are not judged: a ControlPath in any `Host` or `Match` block is one that some connection can have.
//! What a host really gets is asked of ssh itself (`hosts`). Nothing here runs a program or writes.
//!
//! Source: readconf.c of OpenSSH, `read_config_file_depth()` and `process_config_line_depth()`.

mod fault;
mod line;
mod statements;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tr::tr;

use crate::discover::config_inputs::Trail;
use crate::discover::environment::Surroundings;
use crate::discover::file_stamp::Stamp;
use crate::model::places::WrittenBy;
use crate::model::text;
use fault::Fault;
pub(super) use fault::Remark;
use statements::At;

/// As many files are read.
const MAX_FILES: usize = 1_024;

/// As many bytes are read, of all files together.
const MAX_BYTES: u64 = 16 << 20;

/// What the files hold, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Configuration {
    /// Every ControlPath as it is written, each text once.
    pub(super) templates: Vec<Written<OsString>>,
    /// Every concrete name of `Host`, `Match host` and `Match originalhost`, each once.
    pub(super) aliases: Vec<Written<String>>,
    /// What was wrong.
    pub(super) remarks: Vec<Remark>,
}

/// Something and where it is written first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written<T> {
    pub(super) text: T,
    pub(super) file: PathBuf,
    pub(super) line: usize,
    pub(super) flavour: Flavour,
}

impl<T> Written<T> {
    /// The author of the file.
    pub(super) const fn by(&self) -> WrittenBy {
        match self.flavour {
            Flavour::User => WrittenBy::Person,
            Flavour::System => WrittenBy::Administrator,
        }
    }
}

/// A file and line as findings name them.
pub(super) fn place(file: &Path, line: usize) -> String {
    tr!("{file} line {line}", file = text::path(file), line)
}

/// Whose rules a file is read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Flavour {
    /// The user's, or one given with `-F`: Includes may begin with `~` and start from `~/.ssh`.
    User,
    /// The system's: Includes start from its directory.
    System,
}

/// How a file came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Given with `-F`: it has to be there.
    Named,
    /// One of the two files that ssh looks for by itself.
    Usual,
    /// By an Include.
    Included,
}

/// Reads the configuration that ssh would read: the file given with `-F`, none for "none", otherwise the user's
/// and the system's. Returns what they hold, the trail by which a change can be noticed, and whether nothing kept them
/// from being read that may be over by itself, such as a disk that fails.
pub(super) fn read(
    config: Option<&Path>,
    surroundings: &Surroundings,
) -> (Configuration, Trail, bool) {
    let mut reader = Reader {
        surroundings,
        configuration: Configuration::default(),
        trail: Trail::default(),
        seen: HashSet::new(),
        open: Vec::new(),
        templates: HashSet::new(),
        aliases: HashSet::new(),
        bytes_left: MAX_BYTES,
        is_read: true,
    };
    match config {
        // ssh.c compares without case.
        Some(config) if config.as_os_str().eq_ignore_ascii_case("none") => {}
        Some(config) => reader.file(config, Flavour::User, Way::Named),
        None => {
            reader.file(&surroundings.user_config(), Flavour::User, Way::Usual);
            reader.file(&surroundings.system_config, Flavour::System, Way::Usual);
        }
    }
    (reader.configuration, reader.trail, reader.is_read)
}

struct Reader<'a> {
    surroundings: &'a Surroundings,
    configuration: Configuration,
    trail: Trail,
    /// Files that were read, by device and inode; a second reading could add nothing.
    seen: HashSet<(u64, u64, Flavour)>,
    /// Files that are being read, the innermost last.
    open: Vec<(u64, u64)>,
    templates: HashSet<OsString>,
    aliases: HashSet<String>,
    bytes_left: u64,
    is_read: bool,
}

impl Reader<'_> {
    /// About a file as a whole.
    fn remark(&mut self, file: &Path, fault: Fault) {
        self.remark_line(file, None, fault);
    }

    fn remark_line(&mut self, file: &Path, line: Option<usize>, fault: Fault) {
        let file = file.to_path_buf();
        let remark = Remark { file, line, fault };
        // What stops the reading is met again with every line.
        if self.configuration.remarks.last() != Some(&remark) {
            self.configuration.remarks.push(remark);
        }
    }

    fn file(&mut self, path: &Path, flavour: Flavour, way: Way) {
        let stat = fs::metadata(path);
        self.trail.note_file(path, Stamp::of_stat(stat.as_ref()));
        let stat = match stat {
            Ok(stat) => stat,
            Err(error) => {
                if way == Way::Named || Stamp::of_stat(Err(&error)) != Stamp::Missing {
                    self.unreadable(path, &error);
                }
                return;
            }
        };
        let kind = stat.file_type();
        // ssh reads a directory as an empty file, and so is the null device.
        if kind.is_dir() || (kind.is_char_device() && stat.rdev() == NULL_DEVICE) {
            return;
        }
        if !kind.is_file() {
            self.remark(path, Fault::NoRegularFile);
            return;
        }
        let id = (stat.dev(), stat.ino());
        if !self.seen.insert((id.0, id.1, flavour)) {
            return;
        }
        if self.seen.len() > MAX_FILES {
            self.remark(path, Fault::TooManyFiles);
            return;
        }
        if way == Way::Included || (way == Way::Usual && flavour == Flavour::User) {
            self.check_permissions(path, &stat);
        }
        match self.contents(path) {
            Ok(contents) => {
                self.open.push(id);
                self.lines(path, &contents, flavour);
                self.open.pop();
            }
            Err(error) => self.unreadable(path, &error),
        }
    }

    /// At most as many bytes as are left of all, whole lines only where that cuts the file.
    fn contents(&mut self, path: &Path) -> std::io::Result<Vec<u8>> {
        // O_NONBLOCK: were it a named pipe by now, opening it would wait for a writer.
        let file = File::options()
            .read(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(path)?;
        let mut contents = Vec::new();
        file.take(self.bytes_left + 1).read_to_end(&mut contents)?;
        let length = contents.len() as u64;
        if length > self.bytes_left {
            let end = contents.iter().rposition(|byte| *byte == b'\n');
            contents.truncate(end.unwrap_or(0));
            self.remark(path, Fault::TooLarge);
        }
        self.bytes_left = self.bytes_left.saturating_sub(length);
        Ok(contents)
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        // These are over by a change, which the trail shows.
        self.is_read &= matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
        );
        let fault = Fault::Unreadable {
            is_missing: error.kind() == ErrorKind::NotFound,
            error: text::line(&error.to_string()),
        };
        self.remark(path, fault);
    }

    /// Checks what `SSHCONF_CHECKPERM` checks; ssh refuses to start if it fails. For some ssh it depends on the members
    /// of a group that may write ([`Fault::depends_on_ssh`]), so a change of those may change every answer.
    fn check_permissions(&mut self, path: &Path, stat: &fs::Metadata) {
        let user = self.surroundings.known.uid;
        if stat.uid() != 0 && stat.uid() != user {
            let owner = stat.uid();
            self.remark(path, Fault::Misowned { owner, user });
        } else if stat.mode() & 0o022 != 0 {
            let fault = Fault::Writable {
                mode: stat.mode() & 0o7777,
            };
            if fault.depends_on_ssh() {
                for file in self.surroundings.databases.files() {
                    self.trail.note_file(file, Stamp::of(file));
                }
            }
            self.remark(path, fault);
        }
    }

    fn lines(&mut self, path: &Path, contents: &[u8], flavour: Flavour) {
        let contents = match contents.strip_prefix(b"\xef\xbb\xbf") {
            None => contents,
            Some(contents) => {
                self.remark_line(path, Some(1), Fault::ByteOrderMark);
                contents
            }
        };
        for (number, line) in contents.split(|byte| *byte == b'\n').enumerate() {
            if let Some((keyword, rest)) = line::keyword(line) {
                self.trail.note_variables(rest, self.surroundings);
                let at = At {
                    file: path,
                    line: number + 1,
                    flavour,
                };
                self.statement(&keyword, rest, at);
            }
        }
    }
}

/// `/dev/null` on Linux: `makedev(1, 3)`.
const NULL_DEVICE: u64 = (1 << 8) | 3;

#[cfg(test)]
mod tests;
