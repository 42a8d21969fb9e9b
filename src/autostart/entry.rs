//! A desktop entry as text; changing a key keeps everything else.
//!
//! Desktop Entry Specification 1.5, as strict as GLib's parser, which most desktops use.

use tr::tr;

pub(super) const FILE_NAME: &str = "io.github.muxtray.Muxtray.desktop";

const GROUP: &str = "[Desktop Entry]";

/// Characters that need quotes in Exec.
const RESERVED: &str = " \t\n\"'\\><~|&;$*?#()`";

/// Characters that need a backslash inside these quotes.
const ESCAPED: &str = "\"`$\\";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// With their line ends.
    lines: Vec<String>,
    /// The lines of the group, without its heading.
    group: std::ops::Range<usize>,
}

impl Entry {
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let mut group: Option<std::ops::Range<usize>> = None;
        let mut is_open = false;
        for (index, line) in lines.iter().enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('[') && line.ends_with(']') {
                is_open = group.is_none();
                if is_open && line != GROUP {
                    return Err(tr!("the first group is not {group}", group = GROUP));
                }
                group.get_or_insert(index + 1..index + 1);
            } else if group.is_none() || key_of(line).is_none() {
                return Err(tr!("line {n} is not KEY=VALUE", n = index + 1));
            }
            if let (true, Some(group)) = (is_open, &mut group) {
                group.end = index + 1;
            }
        }
        let group = group.ok_or_else(|| tr!("no group {group}", group = GROUP))?;
        let entry = Self { lines, group };
        if entry.get("Type") != Some("Application") {
            return Err(tr!("Type is not Application"));
        }
        Ok(entry)
    }

    pub fn new(program: &str) -> Self {
        let text = format!(
            "{GROUP}\nType=Application\nVersion=1.0\nName=muxtray\n\
             Comment=Watches OpenSSH control sockets, without touching them\nExec={}\nTryExec={}\n\
             Icon={}\nTerminal=false\n",
            command(program),
            escaped(program),
            FILE_NAME.trim_end_matches(".desktop"),
        );
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let group = 1..lines.len();
        Self { lines, group }
    }

    /// Returns the value of a key with its escapes; the last of several, as GLib does.
    pub fn get(&self, key: &str) -> Option<&str> {
        let lines = self.lines[self.group.clone()].iter().rev();
        lines
            .map(|line| line.trim_ascii())
            .filter(|line| !line.starts_with('#'))
            .find(|line| key_of(line) == Some(key))
            .and_then(|line| line.split_once('='))
            .map(|(_, value)| value.trim_ascii())
    }

    /// Returns whether the key is true (or false). Old specifications had 1 and 0.
    pub fn is(&self, key: &str, truth: bool) -> bool {
        let words = if truth { ["true", "1"] } else { ["false", "0"] };
        self.get(key).is_some_and(|value| words.contains(&value))
    }

    /// Changes every line of the key in the group, or adds one at the end of the group.
    pub fn set(&mut self, key: &str, value: &str) {
        let mut is_set = false;
        for line in &mut self.lines[self.group.clone()] {
            let is_key =
                !line.trim_ascii_start().starts_with('#') && key_of(line.trim_ascii()) == Some(key);
            if let (true, Some(equals)) = (is_key, line.find('=')) {
                let rest = &line[equals + 1..];
                let value_at =
                    equals + 1 + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
                let end_at = line.trim_ascii_end().len().max(value_at);
                *line = format!("{}{value}{}", &line[..value_at], &line[end_at..]);
                is_set = true;
            }
        }
        if !is_set {
            let line_end = if self.lines[0].ends_with("\r\n") {
                "\r\n"
            } else {
                "\n"
            };
            let before = &mut self.lines[self.group.end - 1];
            if !before.ends_with('\n') {
                before.push_str(line_end);
            }
            let line = format!("{key}={value}{line_end}");
            self.lines.insert(self.group.end, line);
            self.group.end += 1;
        }
    }

    pub fn try_exec(&self) -> Option<String> {
        self.get("TryExec").map(unescaped)
    }

    pub fn program(&self) -> Option<String> {
        first_word(&unescaped(self.get("Exec")?))
    }

    pub fn text(&self) -> String {
        self.lines.concat()
    }
}

/// `Name[de]` is another key than `Name`.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim_ascii_end();
    (!key.is_empty()).then_some(key)
}

/// Returns the value of Exec for this program with the argument `run`.
pub(super) fn command(program: &str) -> String {
    let program = program.replace('%', "%%");
    let word = if program.contains(|character| RESERVED.contains(character)) {
        let escape = |character: char| {
            let backslash = ESCAPED.contains(character).then_some('\\');
            backslash.into_iter().chain([character])
        };
        format!(
            "\"{}\"",
            program.chars().flat_map(escape).collect::<String>()
        )
    } else {
        program
    };
    format!("{} run", escaped(&word))
}

/// Escapes a value of the type string, which is done after quoting. A space at the end would be trimmed.
pub(super) fn escaped(text: &str) -> String {
    let value = text
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace('\r', "\\r");
    let plain = value.trim_end_matches(' ');
    format!("{plain}{}", "\\s".repeat(value.len() - plain.len()))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let is_escape = character == '\\';
        match is_escape.then(|| characters.next()).flatten() {
            None => plain.push(character),
            Some('s') => plain.push(' '),
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('\\') => plain.push('\\'),
            Some(other) => plain.extend(['\\', other]),
        }
    }
    plain
}

/// Returns the first word of a command line without quotes. As in GLib's shell parser, only space, tab and newline
/// separate words.
fn first_word(command: &str) -> Option<String> {
    let command = command.trim_start_matches([' ', '\t', '\n']);
    let word = match command.strip_prefix('"') {
        Some(quoted) => {
            let mut word = String::new();
            let mut characters = quoted.chars();
            loop {
                match characters.next()? {
                    '"' => break word,
                    '\\' => word.extend(characters.next()),
                    other => word.push(other),
                }
            }
        }
        None => {
            let word = command.split([' ', '\t', '\n']).next()?;
            (!word.is_empty()).then(|| word.to_owned())?
        }
    };
    Some(word.replace("%%", "%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_key_keeps_the_rest_of_the_file() {
        let mine = "# mine\n[Desktop Entry]\nType=Application\nName=My mux\nName[de]=Mein\n\
                    Exec=sh -c \"sleep 5; muxtray run\"\nHidden = true \n# Hidden=false\n\n\
                    [Desktop Action x]\nHidden=true\n";
        let changed = mine.replacen("Hidden = true ", "Hidden = false ", 1);
        let added = mine.replace("Hidden = true \n", "Hidden = true \nTryExec=false\n");
        for (before, key, after) in [
            (mine, "Hidden", changed.as_str()),
            (mine, "TryExec", &added),
            (
                "[Desktop Entry]\nType=Application",
                "Hidden",
                "[Desktop Entry]\nType=Application\nHidden=false\n",
            ),
            (
                "[Desktop Entry]\r\nType=Application\r\n",
                "Hidden",
                "[Desktop Entry]\r\nType=Application\r\nHidden=false\r\n",
            ),
            (
                "[Desktop Entry]\nType=Application\nHidden=false\nHidden=true\n",
                "Hidden",
                "[Desktop Entry]\nType=Application\nHidden=false\nHidden=false\n",
            ),
        ] {
            let mut entry = Entry::parse(before).unwrap();
            assert!(!entry.is(key, false));
            entry.set(key, "false");
            assert_eq!(entry.text(), after);
            assert_eq!(Entry::parse(after).unwrap(), entry);
        }
    }

    #[test]
    fn rejects_text_that_glib_would_not_read() {
        for (text, reason) in [
            ("", "no group"),
            ("# only a comment\n", "no group"),
            ("Type=Application\n", "line 1"),
            ("[Other]\nType=Application\n", "first group"),
            ("[Desktop Entry]\nType=Application\nwhat\n", "line 3"),
            ("[Desktop Entry]\nType=Link\n", "Type"),
            ("[Desktop Entry]\nName=x\n", "Type"),
        ] {
            let error = Entry::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn exec_and_tryexec_hold_any_path() {
        for (path, exec) in [
            ("/usr/bin/muxtray", "/usr/bin/muxtray run"),
            ("/opt/my bin/muxtray", "\"/opt/my bin/muxtray\" run"),
            ("/o/100%/muxtray", "/o/100%%/muxtray run"),
            ("/o/$h`\"/muxtray", "\"/o/\\\\$h\\\\`\\\\\"/muxtray\" run"),
            ("/o/a\\b/muxtray", "\"/o/a\\\\\\\\b/muxtray\" run"),
            ("/o/\u{fc}/muxtray", "/o/\u{fc}/muxtray run"),
            ("/o/a\u{3000}b\u{b}", "/o/a\u{3000}b\u{b} run"),
            ("/o/a\rb\u{a0}", "/o/a\\rb\u{a0} run"),
            ("/o/end  ", "\"/o/end  \" run"),
        ] {
            let entry = Entry::new(path);
            assert_eq!(entry.get("Exec"), Some(exec));
            assert_eq!(entry.program().as_deref(), Some(path));
            assert_eq!(entry.try_exec().as_deref(), Some(path));
            assert_eq!(Entry::parse(&entry.text()).unwrap(), entry);
        }
    }
}
