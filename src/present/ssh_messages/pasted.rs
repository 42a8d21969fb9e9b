//! Text as people paste it: colours, escapes of JSON, a shell's prompt, another program's words around the message.

use std::borrow::Cow;
use std::iter;

use crate::model::ssh_command_line::{Part, parts};

/// JSON inside JSON, as in the log of a container that ran ansible.
const MAX_NESTED_ESCAPES: usize = 4;

/// Returns the text without terminal escapes, and with the line breaks and quotes that JSON or Python escape.
pub(super) fn plain_text(text: &str) -> String {
    let mut text = without_terminal_escapes(text);
    for _ in 0..MAX_NESTED_ESCAPES {
        match unescaped(&text) {
            Cow::Borrowed(_) => break,
            Cow::Owned(unescaped) => text = unescaped,
        }
    }
    // JSON escapes ESC, too.
    without_terminal_escapes(&text)
}

/// Removes CSI and OSC sequences (ECMA-48). ssh prints no ESC of its own: it writes one in a path in octal.
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
            _ => after,
        };
    }
    plain.push_str(rest);
    plain
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

/// A command line of ssh in the pasted text, after a prompt or in a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) host: String,
    /// The first local port of `-L` or `-D`.
    pub(super) port: Option<u16>,
}

/// Returns the command if the line is `ssh HOST`, with anything before it that can be a prompt.
pub(super) fn command(line: &str) -> Option<Command> {
    let (before, arguments) = line.split_once("ssh ")?;
    let prompt = before.trim_end();
    let is_path = before.ends_with('/') && prompt.contains(" /");
    let is_prompt =
        prompt.is_empty() || prompt.ends_with(['$', '#', '%', '>', '❯', '+', '`', ';', '&', '|']);
    let is_word =
        before.is_empty() || before.ends_with(char::is_whitespace) || before.ends_with('`');
    if !(is_path || is_prompt && is_word) {
        return None;
    }
    let words: Vec<&str> = iter::once("ssh")
        .chain(arguments.split_whitespace())
        .collect();
    let mut command = Command::default();
    parts(words.join("\0").as_bytes(), |part| match part {
        Part::Host(host) => {
            let host = String::from_utf8_lossy(host);
            host.trim_end_matches(['`', ';', '&', '|', '"', '\''])
                .clone_into(&mut command.host);
        }
        Part::Option(..) if command.port.is_none() => {
            let forwarding = part.forwarding(&|_| None);
            command.port = forwarding.and_then(|it| it.listen.port());
        }
        Part::Option(..) | Part::Flags(_) => {}
    });
    (!command.host.is_empty()).then_some(command)
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
            ("cut \u{1b}[3", "cut "),
            (
                r#""msg": "path \"/s/a\" x\r\ny""#,
                "\"msg\": \"path \"/s/a\" x\n\ny\"",
            ),
            (
                r#"{\"msg\": \"path \\\"/s/a\\\" x\\r\\ny\"}"#,
                "{\"msg\": \"path \"/s/a\" x\n\ny\"}",
            ),
            (r"red \u001b[31mx\x1b[0m", "red x"),
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
    fn host_and_port_of_a_command_line() {
        let of = |host: &str, port| {
            Some(Command {
                host: host.to_owned(),
                port,
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
