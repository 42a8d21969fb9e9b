//! The statements that matter here: `Host`, `Match`, `Include` and `ControlPath`. All others are ssh's business; it
//! says what it makes of them when it is asked about a host.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::fault::Fault;
use super::{Flavour, Reader, Way, Written, line};
use crate::discover::config_inputs::Include;
use crate::model::text;

/// `READCONF_MAX_DEPTH`: Includes nest no deeper.
pub(super) const MAX_DEPTH: usize = 16;

/// As many host aliases count. Each costs a run of `ssh -G` when the configuration changes.
pub(super) const MAX_ALIASES: usize = 4_096;

/// As many different ControlPath templates count.
pub(super) const MAX_TEMPLATES: usize = 4_096;

impl Reader<'_> {
    pub(super) fn statement(&mut self, keyword: &[u8], rest: &[u8], at: At<'_>) {
        let handle = match keyword {
            b"host" => Self::host,
            b"match" => Self::matching,
            b"include" => Self::include,
            b"controlpath" => Self::control_path,
            _ => return,
        };
        let keyword = String::from_utf8_lossy(keyword);
        match line::words(rest) {
            Err(line::UnclosedQuote) => {
                let keyword = keyword.into_owned();
                self.fault(at, Fault::UnclosedQuote { keyword });
            }
            Ok(words) if words.first().is_none_or(Vec::is_empty) => {
                let keyword = keyword.into_owned();
                self.fault(at, Fault::NothingFollows { keyword });
            }
            Ok(words) => handle(self, &words, at),
        }
    }

    /// About one line.
    fn fault(&mut self, at: At<'_>, fault: Fault) {
        self.remark_line(at.file, Some(at.line), fault);
    }

    fn host(&mut self, words: &[Vec<u8>], at: At<'_>) {
        for word in words {
            self.alias(word, at);
        }
    }

    /// `Match host a,b` and `Match originalhost a,b` name hosts too. `attribute=value` is one word of two.
    fn matching(&mut self, words: &[Vec<u8>], at: At<'_>) {
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let (attribute, value) = match word.iter().position(|byte| *byte == b'=') {
                Some(end) => (&word[..end], Some(&word[end + 1..])),
                None => (word.as_slice(), None),
            };
            let attribute = attribute.to_ascii_lowercase();
            if matches!(
                attribute.strip_prefix(b"!").unwrap_or(&attribute),
                b"all" | b"canonical" | b"final"
            ) {
                continue;
            }
            let Some(value) = value.or_else(|| rest.next().map(Vec::as_slice)) else {
                return;
            };
            if matches!(attribute.as_slice(), b"host" | b"originalhost") {
                for name in value.split(|byte| *byte == b',') {
                    self.alias(name, at);
                }
            }
        }
    }

    /// Notes a name that stands for itself: no wildcard, no negation.
    fn alias(&mut self, name: &[u8], at: At<'_>) {
        if name.is_empty() || name[0] == b'!' || name.iter().any(|byte| b"*?".contains(byte)) {
            return;
        }
        let Ok(alias) = std::str::from_utf8(name) else {
            let host = text::os(OsStr::from_bytes(name));
            self.fault(at, Fault::NotUtf8 { host });
            return;
        };
        // ssh takes the part before an @ as the user, ssh:// as an address and a dash as an option.
        if alias.starts_with('-') || alias.starts_with("ssh://") || alias.contains('@') {
            let host = text::line(alias);
            self.fault(at, Fault::NotNameable { host });
            return;
        }
        if self.aliases.contains(alias) {
            return;
        }
        if self.aliases.len() >= MAX_ALIASES {
            self.remark(at.file, Fault::TooManyHosts);
            return;
        }
        self.aliases.insert(alias.to_owned());
        self.configuration
            .aliases
            .push(at.written(alias.to_owned()));
    }

    fn control_path(&mut self, words: &[Vec<u8>], at: At<'_>) {
        let [template] = words else {
            self.fault(at, Fault::SeveralWords);
            return;
        };
        let template = OsString::from_vec(template.clone());
        if self.templates.contains(&template) {
            return;
        }
        if self.templates.len() >= MAX_TEMPLATES {
            self.remark(at.file, Fault::TooManyTemplates);
            return;
        }
        self.templates.insert(template.clone());
        self.configuration.templates.push(at.written(template));
    }

    fn include(&mut self, words: &[Vec<u8>], at: At<'_>) {
        for word in words {
            if word.first() == Some(&b'~') && at.flavour == Flavour::System {
                self.fault(at, Fault::SystemTilde);
                continue;
            }
            let include = Include::new(
                OsStr::from_bytes(word),
                match at.flavour {
                    Flavour::User => None,
                    Flavour::System => self.surroundings.system_config.parent(),
                },
            );
            match self.trail.note_include(include, self.surroundings) {
                Ok(paths) => {
                    for path in paths {
                        self.included(&path, at);
                    }
                }
                Err(error) => {
                    let include = text::os(OsStr::from_bytes(word));
                    self.fault(at, Fault::BadInclude { include, error });
                }
            }
        }
    }

    fn included(&mut self, path: &Path, at: At<'_>) {
        let is_open =
            fs::metadata(path).is_ok_and(|stat| self.open.contains(&(stat.dev(), stat.ino())));
        if is_open {
            let file = text::path(path);
            self.fault(at, Fault::IncludesItself { file });
        } else if self.open.len() > MAX_DEPTH {
            self.fault(at, Fault::TooDeep);
        } else {
            self.file(path, at.flavour, Way::Included);
        }
    }
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) file: &'a Path,
    pub(super) line: usize,
    pub(super) flavour: Flavour,
}

impl At<'_> {
    fn written<T>(&self, text: T) -> Written<T> {
        Written {
            text,
            file: self.file.to_path_buf(),
            line: self.line,
            flavour: self.flavour,
        }
    }
}
