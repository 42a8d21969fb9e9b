//! A desktop entry as text: what its keys say, and changing one while all else stays as it is.
//!
//! Pure. After the Desktop Entry Specification 1.5, as strict as GLib's reader, which most desktops use: what GLib
//! would not read no desktop starts.

use tr::tr;
/// The group that says what is started.
const GROUP: &str = "[Desktop Entry]";

/// What needs quotes in Exec, by the specification.
const RESERVED: &str = " \t\n\"'\\><~|&;$*?#()`";

/// What a backslash has to stand before inside those quotes.
const ESCAPED: &str = "\"`$\\";

/// A desktop entry that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Every line, with its end.
    lines: Vec<String>,
    /// Which of them stand in the group.
    group: std::ops::Range<usize>,
}

impl Entry {
    /// Reads it.
    ///
    /// # Errors
    /// Why no desktop would, in a few words.
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
                    return Err(tr!("its first group is not {group}", group = GROUP));
                }
                group.get_or_insert(index + 1..index + 1);
            } else if group.is_none() || key_of(line).is_none() {
                return Err(tr!("line {n} is no key with a value", n = index + 1));
            }
            if let (true, Some(group)) = (is_open, &mut group) {
                group.end = index + 1;
            }
        }
        let group = group.ok_or_else(|| tr!("it has no group {group}", group = GROUP))?;
        let entry = Self { lines, group };
        if entry.get("Type") != Some("Application") {
            return Err(tr!("its Type is not Application"));
        }
        Ok(entry)
    }

    /// A new one that starts this program with the argument `run`.
    pub fn new(program: &str) -> Self {
        let text = format!(
            "{GROUP}\nType=Application\nVersion=1.0\nName=muxtray\n\
             Comment=Watches OpenSSH control sockets, without touching them\nExec={}\nTryExec={}\n\
             Icon={}\nTerminal=false\n",
            command(program),
            escaped(program),
            super::NAME.trim_end_matches(".desktop"),
        );
        let lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let group = 1..lines.len();
        Self { lines, group }
    }

    /// The value of a key as it is written; of several the last, as GLib has it.
    pub fn get(&self, key: &str) -> Option<&str> {
        let lines = self.lines[self.group.clone()].iter().rev();
        lines
            .map(|line| line.trim_ascii())
            .filter(|line| !line.starts_with('#'))
            .find(|line| key_of(line) == Some(key))
            .and_then(|line| line.split_once('='))
            .map(|(_, value)| value.trim_ascii())
    }

    /// Whether a key is there and true; an older specification had numbers.
    pub fn is(&self, key: &str, truth: bool) -> bool {
        let words = if truth { ["true", "1"] } else { ["false", "0"] };
        self.get(key).is_some_and(|value| words.contains(&value))
    }

    /// A list, its separator being a semicolon.
    pub fn list(&self, key: &str) -> Option<Vec<&str>> {
        let value = self.get(key)?;
        Some(value.split(';').filter(|name| !name.is_empty()).collect())
    }

    /// Gives a key this value, wherever it stands in the group, or at its end.
    pub fn set(&mut self, key: &str, value: &str) {
        let mut is_set = false;
        for line in &mut self.lines[self.group.clone()] {
            let is_it =
                !line.trim_ascii_start().starts_with('#') && key_of(line.trim_ascii()) == Some(key);
            if let (true, Some(equals)) = (is_it, line.find('=')) {
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

    /// Has it start this program with the argument `run`.
    pub fn start(&mut self, program: &str) {
        self.set("Exec", &command(program));
    }

    /// Has it depend on this program's being there.
    pub fn depend_on(&mut self, program: &str) {
        self.set("TryExec", &escaped(program));
    }

    /// The program in TryExec.
    pub fn tried(&self) -> Option<String> {
        self.get("TryExec").map(unescaped)
    }

    /// The program that Exec begins with.
    pub fn started(&self) -> Option<String> {
        first_word(&unescaped(self.get("Exec")?))
    }

    /// The file's text.
    pub fn text(&self) -> String {
        self.lines.concat()
    }
}

/// The key of a line, without a locale: `Name[de]` is another key.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim_ascii_end();
    (!key.is_empty()).then_some(key)
}

/// The value of Exec: the program, quoted where it has to be, and `run`.
fn command(program: &str) -> String {
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

/// A value of the type string: the second layer of escapes, which Exec has around its quotes. A space at the end would be
/// taken for one between the value and its line's end.
fn escaped(text: &str) -> String {
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
        let escaped = if character == '\\' {
            characters.next()
        } else {
            None
        };
        match escaped {
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

/// The first word of a command line, without its quotes. What parts words is what GLib's shell parser takes for it; other
/// white space belongs to a name.
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

    const MINE: &str = "# mine\n[Desktop Entry]\nType=Application\nName=My mux\nName[de]=Mein\n\
                        Exec=sh -c \"sleep 5; muxtray run\"\nHidden = true \n# Hidden=false\n\n\
                        [Desktop Action x]\nHidden=true\n";

    #[test]
    fn a_key_is_changed_where_it_stands() {
        let mut entry = Entry::parse(MINE).unwrap();
        assert!(entry.is("Hidden", true) && !entry.is("Hidden", false));
        entry.set("Hidden", "false");
        assert_eq!(
            entry.text(),
            MINE.replacen("Hidden = true ", "Hidden = false ", 1)
        );
        assert_eq!(Entry::parse(&entry.text()).unwrap(), entry);
    }

    #[test]
    fn a_new_key_ends_its_group() {
        let mut entry = Entry::parse(MINE).unwrap();
        entry.set("X-GNOME-Autostart-enabled", "true");
        // Comments are no keys: it comes after the last key of the group.
        let expected = MINE.replace(
            "Hidden = true \n",
            "Hidden = true \nX-GNOME-Autostart-enabled=true\n",
        );
        assert_eq!(entry.text(), expected);
        assert_eq!(Entry::parse(&entry.text()).unwrap(), entry);
    }

    #[test]
    fn a_last_line_without_an_end_gets_one() {
        let mut entry = Entry::parse("[Desktop Entry]\nType=Application").unwrap();
        entry.set("Hidden", "true");
        assert_eq!(
            entry.text(),
            "[Desktop Entry]\nType=Application\nHidden=true\n"
        );
    }

    #[test]
    fn windows_line_ends_stay() {
        let mut entry =
            Entry::parse("[Desktop Entry]\r\nType=Application\r\nHidden=true\r\n").unwrap();
        entry.set("Hidden", "false");
        entry.set("TryExec", "a");
        assert_eq!(
            entry.text(),
            "[Desktop Entry]\r\nType=Application\r\nHidden=false\r\nTryExec=a\r\n"
        );
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_counts_and_both_are_changed() {
        let text = "[Desktop Entry]\nType=Application\nHidden=false\nHidden=true\n";
        let mut entry = Entry::parse(text).unwrap();
        assert!(entry.is("Hidden", true));
        entry.set("Hidden", "false");
        assert_eq!(entry.text(), text.replace("true", "false"));
    }

    #[test]
    fn what_no_desktop_would_read_is_no_entry() {
        for (text, why) in [
            ("", "no group"),
            ("# only a comment\n", "no group"),
            ("Type=Application\n", "line 1"),
            ("[Other]\nType=Application\n", "first group"),
            ("[Desktop Entry]\nType=Application\nwhat\n", "line 3"),
            ("[Desktop Entry]\nType=Link\n", "Type"),
            ("[Desktop Entry]\nName=x\n", "Type"),
        ] {
            let said = Entry::parse(text).unwrap_err();
            assert!(said.contains(why), "{text:?}: {said}");
        }
    }

    #[test]
    fn any_path_survives_exec_and_tryexec() {
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
            assert_eq!(entry.started().as_deref(), Some(path));
            assert_eq!(entry.tried().as_deref(), Some(path));
            assert_eq!(Entry::parse(&entry.text()).unwrap(), entry);
        }
    }
}
