//! Reads the files of the ssh configuration: which ControlPath templates they hold and which hosts they name.
//!
//! Conditions are not evaluated: a ControlPath in any `Host` or `Match` block can apply to some connection. `ssh -G`
//! evaluates them for each host (`ssh_query`), and reports the errors of the configuration. Nothing here runs a program.
//!
//! Source: `read_config_file_depth()` and `process_config_line_depth()` in readconf.c.

mod statement;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::config_contents::{
    ConfigProblem, Located, MAX_ALIASES, MAX_BYTES, MAX_FILES, MAX_WILDCARDS, ProblemCause, Scope,
    SshConfig,
};
use super::config_inputs::{ConfigInputs, Include};
use super::environment::Environment;
use crate::model::control_path;
use crate::model::places::SwitchedOff;
use crate::model::text;
use crate::observe::file_stamp::FileStamp;
use statement::Statement;

/// `READCONF_MAX_DEPTH` in readconf.c.
const MAX_DEPTH: usize = 16;

/// `/dev/null` on Linux: `makedev(1, 3)`.
const NULL_DEVICE: u64 = (1 << 8) | 3;

pub(super) struct ReadConfig {
    pub(super) contents: SshConfig,
    pub(super) inputs: ConfigInputs,
    /// A file could not be read for a reason that may go away without a change of it, such as a failing disk.
    pub(super) is_worth_retrying: bool,
}

/// Reads the configuration that ssh would read: the file given with `-F`, nothing for "none", otherwise the user's
/// and the system's.
pub(super) fn read(config: Option<&Path>, environment: &Environment) -> ReadConfig {
    let mut reader = Reader {
        environment,
        contents: SshConfig::default(),
        inputs: ConfigInputs::default(),
        seen: HashSet::new(),
        depth: 0,
        is_for_some: false,
        wildcard: None,
        variables: HashSet::new(),
        templates: HashSet::new(),
        aliases: HashSet::new(),
        bytes_left: MAX_BYTES,
        is_worth_retrying: false,
    };
    match config {
        // ssh.c compares without case.
        Some(config) if config.as_os_str().eq_ignore_ascii_case("none") => {}
        Some(config) => reader.file(config, Scope::User, true),
        None => {
            reader.file(&environment.user_config(), Scope::User, false);
            reader.file(&environment.system_config, Scope::System, false);
            if !environment.system_config.exists() {
                reader.file(&environment.vendor_config, Scope::System, false);
            }
        }
    }
    ReadConfig {
        contents: reader.contents,
        inputs: reader.inputs,
        is_worth_retrying: reader.is_worth_retrying,
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    contents: SshConfig,
    inputs: ConfigInputs,
    /// Device and inode of the files that were read; a second reading could add nothing.
    seen: HashSet<(u64, u64, Scope)>,
    /// The number of files that are being read, each included by the one before.
    depth: usize,
    /// Whether the line is in a `Host` or `Match` block that is not for all hosts.
    is_for_some: bool,
    wildcard: Option<String>,
    variables: HashSet<OsString>,
    templates: HashSet<OsString>,
    aliases: HashSet<String>,
    bytes_left: u64,
    is_worth_retrying: bool,
}

#[derive(Debug, Clone, Copy)]
struct Location<'a> {
    file: &'a Path,
    line: usize,
    scope: Scope,
}

impl Location<'_> {
    fn locate<T>(&self, text: T) -> Located<T> {
        Located {
            text,
            file: self.file.to_path_buf(),
            line: self.line,
            scope: self.scope,
        }
    }
}

impl Reader<'_> {
    fn problem(&mut self, file: &Path, line: Option<usize>, cause: ProblemCause) {
        let file = file.to_path_buf();
        let problem = ConfigProblem { file, line, cause };
        // A limit is met again by every following line.
        if self.contents.problems.last() != Some(&problem) {
            self.contents.problems.push(problem);
        }
    }

    fn line_problem(&mut self, location: Location<'_>, cause: ProblemCause) {
        self.problem(location.file, Some(location.line), cause);
    }

    /// Reads a file. One given with `-F` has to exist.
    fn file(&mut self, path: &Path, scope: Scope, is_given: bool) {
        let stat = fs::metadata(path);
        self.inputs
            .add_file(path, FileStamp::from_stat(stat.as_ref()));
        let stat = match stat {
            Ok(stat) => stat,
            Err(error) => {
                // glob(3), which ssh uses for an Include, finds nothing in a directory that may not be searched.
                let is_missing = FileStamp::from_stat(Err(&error)) == FileStamp::Missing
                    || (self.depth > 0 && error.kind() == ErrorKind::PermissionDenied);
                if is_given || !is_missing {
                    self.unreadable(path, &error);
                }
                return;
            }
        };
        let kind = stat.file_type();
        // ssh reads a directory as an empty file.
        if kind.is_dir() || (kind.is_char_device() && stat.rdev() == NULL_DEVICE) {
            return;
        }
        if !kind.is_file() {
            self.problem(path, None, ProblemCause::NotRegularFile);
            return;
        }
        if !self.seen.insert((stat.dev(), stat.ino(), scope)) {
            return;
        }
        if self.seen.len() > MAX_FILES {
            self.problem(path, None, ProblemCause::TooManyFiles);
            return;
        }
        // Debian's and Ubuntu's ssh accepts such a file if the group has no other members (user-group-modes.patch).
        if stat.mode() & 0o020 != 0 && !is_given {
            for file in self.environment.databases.files() {
                self.inputs.add_file(file, FileStamp::read(file));
            }
        }
        match self.read(path) {
            Ok(contents) => {
                self.depth += 1;
                let is_for_some = self.is_for_some;
                self.lines(path, &contents, scope);
                self.is_for_some = is_for_some;
                self.depth -= 1;
            }
            Err(error) => self.unreadable(path, &error),
        }
    }

    /// Reads a file up to the last line that fits into the limit of all files.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        // O_NONBLOCK: if the file has become a named pipe since, opening it would wait for a writer.
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
            self.problem(path, None, ProblemCause::TooLarge);
        }
        self.bytes_left = self.bytes_left.saturating_sub(length);
        Ok(contents)
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        // These go away by a change, which the inputs show.
        self.is_worth_retrying |= !matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
        );
        let cause = ProblemCause::Unreadable {
            is_missing: error.kind() == ErrorKind::NotFound,
            error: text::line(&error.to_string()),
        };
        self.problem(path, None, cause);
    }

    fn lines(&mut self, path: &Path, contents: &[u8], scope: Scope) {
        // ssh rejects a byte order mark; without it, the templates can be read until the user removes it.
        let contents = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
        for (number, line) in contents.split(|byte| *byte == b'\n').enumerate() {
            if let Some((keyword, arguments)) = statement::split(line) {
                // The answers of ssh may depend on variables of any line.
                control_path::variables(arguments).for_each(|name| self.variable(name));
                let location = Location {
                    file: path,
                    line: number + 1,
                    scope,
                };
                self.is_for_some = match &*keyword {
                    b"host" => arguments.trim_ascii() != b"*",
                    b"match" => !arguments.trim_ascii().eq_ignore_ascii_case(b"all"),
                    _ => self.is_for_some,
                };
                if matches!(&*keyword, b"host" | b"match") {
                    let wildcard = statement::wildcard(&keyword, arguments);
                    self.wildcard = wildcard.and_then(|it| String::from_utf8(it).ok());
                }
                if scope == Scope::User && statement::contains_name(&keyword, arguments) {
                    self.contents.names_count = true;
                    self.keep_wildcard();
                }
                if scope == Scope::User && keyword == b"controlmaster" && self.wildcard.is_some() {
                    self.contents.wildcards_have_masters = true;
                    self.keep_wildcard();
                }
                match statement::parse(&keyword, arguments) {
                    Some(Statement::Hosts(names)) => {
                        names.iter().for_each(|name| self.alias(name, location));
                    }
                    Some(Statement::ControlPath(template)) => {
                        self.template(OsString::from_vec(template), location);
                    }
                    Some(Statement::SwitchOff) if scope == Scope::User => {
                        let switched_off = if self.is_for_some {
                            SwitchedOff::ForSome
                        } else {
                            SwitchedOff::ForAll
                        };
                        let known = self.contents.switched_off;
                        self.contents.switched_off = known.max(switched_off);
                    }
                    Some(Statement::Include(words)) => {
                        words.iter().for_each(|word| self.include(word, location));
                    }
                    Some(Statement::SwitchOff) | None => {}
                }
            }
        }
    }

    fn variable(&mut self, name: &OsStr) {
        if self.variables.insert(name.to_owned()) {
            self.inputs.add_variable(name, self.environment);
        }
    }

    fn alias(&mut self, name: &[u8], location: Location<'_>) {
        let Ok(alias) = std::str::from_utf8(name) else {
            return;
        };
        // ssh parses user@host, ssh://host and options.
        if alias.starts_with('-') || alias.starts_with("ssh://") || alias.contains('@') {
            let host = text::line(alias);
            self.line_problem(location, ProblemCause::HostNotUsable(host));
            return;
        }
        if self.aliases.contains(alias) {
            return;
        }
        if self.aliases.len() >= MAX_ALIASES {
            self.problem(location.file, None, ProblemCause::TooManyHosts);
            return;
        }
        self.aliases.insert(alias.to_owned());
        let alias = location.locate(alias.to_owned());
        self.contents.aliases.push(alias);
    }

    fn keep_wildcard(&mut self) {
        let known = &mut self.contents.wildcards;
        if let Some(wildcard) = &self.wildcard
            && !known.contains(wildcard)
            && known.len() < MAX_WILDCARDS
        {
            known.push(wildcard.clone());
        }
    }

    fn template(&mut self, template: OsString, location: Location<'_>) {
        if location.scope == Scope::User {
            self.keep_wildcard();
        }
        if self.templates.insert(template.clone()) {
            self.contents.templates.push(location.locate(template));
        }
    }

    fn include(&mut self, word: &[u8], location: Location<'_>) {
        let system_dir = match location.scope {
            // ssh rejects this.
            Scope::System if word.first() == Some(&b'~') => return,
            Scope::System => self.environment.system_config.parent(),
            Scope::User => None,
        };
        self.variable(OsStr::new("HOME"));
        let include = Include::new(OsStr::from_bytes(word), system_dir);
        match self.inputs.add_include(include, self.environment) {
            // ssh rejects a greater depth, and loops.
            Ok(paths) if self.depth <= MAX_DEPTH => {
                for path in paths {
                    self.file(&path, location.scope, false);
                }
            }
            Ok(_) => {}
            Err(error) => {
                let include = text::os(OsStr::from_bytes(word));
                self.line_problem(location, ProblemCause::BadInclude { include, error });
            }
        }
    }
}

#[cfg(test)]
mod tests;
