//! The statements that matter here: `Host`, `Match`, `Include` and `ControlPath`. All others are ssh's business; it
//! says what it makes of them when it is asked about a host.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Flavour, Reader, Way, Written, line, place};
use crate::core::control_path::TemplateError;
use crate::core::text;
use crate::discover::trail::Include;

/// `READCONF_MAX_DEPTH`: Includes nest no deeper.
const MAX_DEPTH: usize = 16;

/// As many host aliases count. Each costs a run of `ssh -G` when the configuration changes.
const MAX_ALIASES: usize = 4_096;

/// As many different ControlPath templates count.
const MAX_TEMPLATES: usize = 4_096;

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
            Err(line::UnclosedQuote) => self.remark(
                at.to_string(),
                format!("a quote after {keyword} is never closed; ssh refuses the line"),
                "close the quote",
            ),
            Ok(words) if words.first().is_none_or(Vec::is_empty) => self.remark(
                at.to_string(),
                format!("nothing follows {keyword}; ssh refuses the line"),
                "complete or remove the line",
            ),
            Ok(words) => handle(self, &words, at),
        }
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
            self.remark(
                at.to_string(),
                format!(
                    "the host {} is not valid UTF-8",
                    text::os(OsStr::from_bytes(name))
                ),
                "write the name in UTF-8; until then muxtray does not ask ssh for its path",
            );
            return;
        };
        // ssh takes the part before an @ as the user, ssh:// as an address and a dash as an option.
        if alias.starts_with('-') || alias.starts_with("ssh://") || alias.contains('@') {
            self.remark(
                at.to_string(),
                format!(
                    "no command line of ssh can name the host {}",
                    text::line(alias)
                ),
                "give the host another name",
            );
            return;
        }
        if self.aliases.contains(alias) {
            return;
        }
        if self.aliases.len() >= MAX_ALIASES {
            self.too_much(at.file, &format!("more than {MAX_ALIASES} hosts"));
            return;
        }
        self.aliases.insert(alias.to_owned());
        self.configuration
            .aliases
            .push(at.written(alias.to_owned()));
    }

    fn control_path(&mut self, words: &[Vec<u8>], at: At<'_>) {
        let [template] = words else {
            self.remark(
                at.to_string(),
                "more than one word follows controlpath; ssh refuses the line",
                "put a ControlPath with spaces in double quotes",
            );
            return;
        };
        let template = OsString::from_vec(template.clone());
        if self.templates.contains(&template) {
            return;
        }
        if self.templates.len() >= MAX_TEMPLATES {
            self.too_much(
                at.file,
                &format!("more than {MAX_TEMPLATES} different ControlPaths"),
            );
            return;
        }
        self.templates.insert(template.clone());
        self.configuration.templates.push(at.written(template));
    }

    fn include(&mut self, words: &[Vec<u8>], at: At<'_>) {
        for word in words {
            if word.first() == Some(&b'~') && at.flavour == Flavour::System {
                self.remark(
                    at.to_string(),
                    "an Include of the system's configuration begins with ~; ssh refuses it",
                    "write an absolute path",
                );
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
                Err(error) => self.bad_include(word, &error, at),
            }
        }
    }

    fn bad_include(&mut self, word: &[u8], error: &TemplateError, at: At<'_>) {
        self.remark(
            at.to_string(),
            format!("Include {}: {error}", text::os(OsStr::from_bytes(word))),
            "mend the line; until then muxtray does not read what it means",
        );
    }

    fn included(&mut self, path: &Path, at: At<'_>) {
        let is_open =
            fs::metadata(path).is_ok_and(|stat| self.open.contains(&(stat.dev(), stat.ino())));
        if is_open {
            self.remark(
                at.to_string(),
                format!(
                    "it includes {}, which leads back here; ssh gives up on that",
                    text::path(path)
                ),
                "remove the Include, or make its pattern leave that file out",
            );
        } else if self.open.len() > MAX_DEPTH {
            self.remark(
                at.to_string(),
                format!("Includes nest deeper than {MAX_DEPTH}; ssh gives up on that"),
                "include the file from a file further up",
            );
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
        }
    }
}

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&place(self.file, self.line))
    }
}
