//! Text as people paste it: colours, escapes of JSON, a shell's prompt, another program's words around the message.

use std::borrow::Cow;
use std::iter;

use crate::model::ssh_command_line::{Part, parts, sharing_arguments};

/// JSON inside JSON, as in the log of a container that ran ansible.
const MAX_NESTED_ESCAPES: usize = 4;

/// Returns the text without terminal escapes, and with the line breaks and quotes that JSON, Python or HTML escape.
pub(super) fn plain_text(text: &str) -> String {
    let mut text = without_entities(without_terminal_escapes(text));
    for _ in 0..MAX_NESTED_ESCAPES {
        match unescaped(&text) {
            Cow::Borrowed(_) => break,
            Cow::Owned(unescaped) => text = unescaped,
        }
    }
    // JSON escapes ESC, too.
    without_terminal_escapes(&text)
}

/// Removes escape sequences (ECMA-48). ssh prints no ESC of its own: it writes one in a path in octal.
fn without_terminal_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = match after.as_bytes().first() {
            Some(b'[') => {
                let end = after[1..].find(|character| matches!(character, '@'..='~'));
                end.map_or("", |end| &after[end + 2..])
            }
            Some(b']') => {
                let end = after.find(['\u{7}', '\u{1b}']);
                end.map_or("", |end| after[end..].trim_start_matches('\u{7}'))
            }
            // `ESC \`, which ends OSC, and `ESC ( B`, which tput prints.
            Some(b'\\') => &after[1..],
            Some(b'(') => {
                let mut after = after.chars();
                after.nth(1);
                after.as_str()
            }
            _ => after,
        };
    }
    plain.push_str(rest);
    plain
}

/// Replaces the character references of web pages, and the quotes, dashes and spaces of word processors. ssh prints
/// these characters in octal.
fn without_entities(text: String) -> String {
    const CHARACTERS: &[(&str, &str)] = &[
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#x22;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&apos;", "'"),
        ("&gt;", ">"),
        ("&lt;", "<"),
        ("&amp;", "&"),
        ("\u{201c}", "\""),
        ("\u{201d}", "\""),
        ("\u{2018}", "'"),
        ("\u{2019}", "'"),
        // Of an option.
        (" \u{2013}", " -"),
        (" \u{2014}", " --"),
        ("&nbsp;", " "),
        ("\u{a0}", " "),
        ("\u{202f}", " "),
        ("\u{200b}", ""),
        ("\u{feff}", ""),
    ];
    let present = CHARACTERS.iter().filter(|(from, _)| text.contains(from));
    let present: Vec<_> = present.collect();
    let replaced = present.iter();
    replaced.fold(text, |text, (from, to)| text.replace(from, to))
}

/// Reads UTF-16, which PowerShell writes to files, by its byte order mark, and everything else as UTF-8.
pub fn decoded(bytes: &[u8]) -> String {
    let order: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return String::from_utf8_lossy(bytes).into_owned(),
    };
    let (pairs, _) = bytes.as_chunks();
    let units: Vec<u16> = pairs.iter().copied().map(order).collect();
    String::from_utf16_lossy(&units)
}

/// Puts the home directory in place of `~/` and `$HOME/`, as people shorten paths.
pub fn with_home(text: &str, home: &str) -> String {
    let text = text.replace("${HOME}/", "~/").replace("$HOME/", "~/");
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("~/") {
        expanded.push_str(before);
        let is_word = !before.ends_with(|last: char| last.is_alphanumeric() || last == '/');
        expanded.push_str(if is_word { home } else { "~" });
        expanded.push('/');
        rest = after;
    }
    expanded + rest
}

/// Removes one level of escapes, if there are any. ssh itself writes a backslash only before another one and before octal
/// digits.
fn unescaped(text: &str) -> Cow<'_, str> {
    let has_escape = |pair: &[u8]| pair[0] == b'\\' && b"\"'nrtu/x".contains(&pair[1]);
    if !text.as_bytes().windows(2).any(has_escape) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut characters = after.chars();
        let escape = characters.next();
        rest = characters.as_str();
        match escape {
            Some('n' | 'r') => plain.push('\n'),
            Some('t') => plain.push(' '),
            Some(quoted @ ('"' | '\'' | '/' | '\\')) => plain.push(quoted),
            Some(kind @ ('u' | 'x')) => {
                let digits = rest.get(..if kind == 'u' { 4 } else { 2 });
                let digits = digits.filter(|it| it.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match (number.and_then(char::from_u32), digits) {
                    (Some(character), Some(digits)) => {
                        plain.push(character);
                        rest = &rest[digits.len()..];
                    }
                    _ => plain.extend(['\\', kind]),
                }
            }
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The places in a line that can be the command. The limit keeps the time for a long line linear.
const MAX_PLACES: usize = 8;

/// A command line of ssh in the pasted text, after a prompt or in a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) host: String,
    /// The first local port of `-L` or `-D`.
    pub(super) port: Option<u16>,
    /// The ControlPath of `-S` or `-o`, as typed.
    pub(super) control_path: Option<String>,
}

/// Returns the command if the line is `ssh HOST`, with anything before it that can be a prompt.
pub(super) fn command(line: &str) -> Option<Command> {
    let starts = line.match_indices("ssh ").take(MAX_PLACES);
    let mut starts = starts.map(|(start, _)| start);
    let start = starts.find(|start| is_command(&line[..*start]))?;
    let unquoted = |word| str::trim_matches(word, ['`', ';', '&', '|', '"', '\'']);
    let words: Vec<&str> = iter::once("ssh")
        .chain(line[start..].split_whitespace().skip(1).map(unquoted))
        .collect();
    let cmdline = words.join("\0").into_bytes();
    let mut command = Command {
        control_path: sharing_arguments(&cmdline).control_path,
        ..Command::default()
    };
    parts(&cmdline, |part| match part {
        Part::Host(host) => command.host = String::from_utf8_lossy(host).into_owned(),
        Part::Option(..) if command.port.is_none() => {
            let forwarding = part.forwarding(&|_| None);
            command.port = forwarding.and_then(|it| it.listen.port());
        }
        Part::Option(..) | Part::Flags(_) => {}
    });
    (!command.host.is_empty()).then_some(command)
}

/// Whether a command begins after this text. sudo is left out: root has another configuration.
fn is_command(before: &str) -> bool {
    const STARTERS: &[&str] = &[
        "command", "env", "exec", "nohup", "setsid", "sshpass", "time", "timeout",
    ];
    let is_starter = |word: &str| {
        let variable = word.split_once('=').map_or("", |(name, _)| name);
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        STARTERS.contains(&word) || !variable.is_empty() && variable.chars().all(is_name)
    };
    let words = before
        .split_inclusive(char::is_whitespace)
        .scan(0, |end, word| {
            *end += word.len();
            Some((*end - word.len(), word.trim_end()))
        });
    let mut starters = words.filter(|(_, word)| is_starter(word));
    is_prompt(before) || starters.any(|(start, _)| is_prompt(&before[..start]))
}

fn is_prompt(before: &str) -> bool {
    let prompt = before.trim_end();
    let is_path = before.ends_with('/') && prompt.contains(" /");
    let is_end =
        prompt.is_empty() || prompt.ends_with(['$', '#', '%', '>', '❯', '+', '`', ';', '&', '|']);
    let is_word =
        before.is_empty() || before.ends_with(char::is_whitespace) || before.ends_with('`');
    // `<web> SSH: EXEC ssh …`
    let is_of_ansible = prompt.ends_with(": EXEC");
    is_path || (is_end || is_of_ansible) && is_word
}

/// Returns the name of the host that another program prints before its error: `fatal: [web]: …` and `web | UNREACHABLE!`
/// of ansible.
pub(super) fn host_of_ansible(line: &str) -> Option<&str> {
    for before in ["fatal: [", "failed: [", "unreachable: ["] {
        if let Some((_, after)) = line.split_once(before) {
            let (host, _) = after.split_once(']')?;
            // A delegated task: `fatal: [web -> db]`.
            let (_, host) = host.rsplit_once(" -> ").unwrap_or(("", host));
            return Some(host);
        }
    }
    let (host, _) = line
        .split_once(" | UNREACHABLE!")
        .or_else(|| line.split_once(" | FAILED"))?;
    host.split_whitespace().next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_terminals_and_json_are_removed() {
        for (text, plain) in [
            ("\u{1b}[0;31mfatal\u{1b}[0m: x", "fatal: x"),
            ("\u{1b}]8;;file:///a\u{7}a\u{1b}]8;;\u{7}b", "ab"),
            ("\u{1b}]8;;ssh://h\u{1b}\\a\u{1b}]8;;\u{1b}\\b", "ab"),
            ("\u{1b}[1ma\u{1b}(B\u{1b}[mb", "ab"),
            ("cut \u{1b}[3", "cut "),
            ("cut \u{1b}(", "cut "),
            ("ssh \u{2013}O check a\u{2013}b", "ssh -O check a\u{2013}b"),
            ("a\u{a0}b\u{200b}", "a b"),
            (
                r#""msg": "path \"/s/a\" x\r\ny""#,
                "\"msg\": \"path \"/s/a\" x\n\ny\"",
            ),
            (
                r#"{\"msg\": \"path \\\"/s/a\\\" x\\r\\ny\"}"#,
                "{\"msg\": \"path \"/s/a\" x\n\ny\"}",
            ),
            (r"red \u001b[31mx\x1b[0m", "red x"),
            (
                "path &quot;/s/a&quot; =&gt; \u{201c}b&#39;s\u{201d} &amp;gt;",
                "path \"/s/a\" => \"b's\" &gt;",
            ),
            // Of ssh itself.
            (r"/home/j\303\266rg/a\\b", r"/home/j\303\266rg/a\\b"),
            (r"ends with \u12", r"ends with \u12"),
            (r"no digit \x+4", r"no digit \x+4"),
            (r"\", r"\"),
        ] {
            assert_eq!(plain_text(text), plain, "{text}");
        }
    }

    #[test]
    fn file_of_powershell_is_read() {
        let units = "\u{feff}a\u{e9}".encode_utf16();
        let bytes = |of: fn(u16) -> [u8; 2]| -> Vec<u8> { units.clone().flat_map(of).collect() };
        assert_eq!(decoded(&bytes(u16::to_le_bytes)), "\u{feff}a\u{e9}");
        assert_eq!(decoded(&bytes(u16::to_be_bytes)), "\u{feff}a\u{e9}");
        assert_eq!(decoded(b"a\xff"), "a\u{fffd}");
    }

    #[test]
    fn tilde_is_the_home_directory() {
        for (text, expanded) in [
            ("connect(~/.ssh/s/a): x", "connect(/h/.ssh/s/a): x"),
            ("connect($HOME/s/a) ${HOME}/b", "connect(/h/s/a) /h/b"),
            ("$ ssh -S ~/a -F ~/b web", "$ ssh -S /h/a -F /h/b web"),
            ("/s/a~/b /~/c ~u/d ~", "/s/a~/b /~/c ~u/d ~"),
        ] {
            assert_eq!(with_home(text, "/h"), expanded);
        }
    }

    #[test]
    fn host_and_port_of_a_command_line() {
        let of = |host: &str, port| {
            Some(Command {
                host: host.to_owned(),
                port,
                control_path: None,
            })
        };
        for (line, expected) in [
            ("$ ssh web", of("web", None)),
            ("u@h:~/src$ ssh -v web uptime", of("web", None)),
            ("ssh -p 2222 -i ~/.ssh/k u@h", of("u@h", None)),
            (
                "[u@h ~]# /usr/bin/ssh -4fND 1080 web",
                of("web", Some(1080)),
            ),
            (
                "PS C:\\> ssh -L127.0.0.1:8080:db:80 web",
                of("web", Some(8080)),
            ),
            ("+ ssh -o ControlMaster=auto web", of("web", None)),
            ("❯ ssh -R 80:localhost:80 web", of("web", None)),
            ("git via `ssh web`", of("web", None)),
            ("$ ssh \"web\"", of("web", None)),
            ("$ LC_ALL=C ssh web", of("web", None)),
            ("$ time sshpass -f pw ssh -v web", of("web", None)),
            ("u@my-ssh ~ $ ssh web", of("web", None)),
            (
                "$ ssh -S /s/x -O exit web",
                Some(Command {
                    control_path: Some("/s/x".to_owned()),
                    ..of("web", None).unwrap()
                }),
            ),
            (
                "<web> SSH: EXEC ssh -C -o 'ControlPath=\"/cp/a\"' web '/bin/sh -c \"echo\"'",
                Some(Command {
                    control_path: Some("/cp/a".to_owned()),
                    ..of("web", None).unwrap()
                }),
            ),
            ("$ sudo ssh web", None),
            ("all the time ssh web", None),
            ("$ ssh", None),
            ("$ ssh -v", None),
            ("Failed to connect to the host via ssh: x", None),
            ("an openssh server", None),
            ("the ssh client", None),
            ("$ cat ~/.ssh/config", None),
        ] {
            assert_eq!(command(line), expected, "{line}");
        }
    }

    #[test]
    fn host_that_ansible_names() {
        for (line, host) in [
            ("fatal: [web]: UNREACHABLE! => {", Some("web")),
            ("fatal: [web -> db]: UNREACHABLE! => {", Some("db")),
            ("web | UNREACHABLE! => {", Some("web")),
            ("12:00 web | FAILED! => {", Some("web")),
            ("failed: [web] (item=a) => {", Some("web")),
            ("fatal: not a git repository", None),
        ] {
            assert_eq!(host_of_ansible(line), host, "{line}");
        }
    }
}
