//! ControlPath templates, globs and Includes; the names that masters and `clean` give; reading a path backwards.
//!
//! A template's pattern matches every path that ssh could make of the template, and a destination read out of such a
//! path is the one it was made for, or none. This file has its own expander to find the paths that ssh would make.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use muxtray::model::control_path::{
    ControlPath, Known, Pattern, TemplateError, stem_of_aside, stem_of_temporary, variables,
};
use muxtray_fuzz::{assert_printable, choice, environment};

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    let known = environment(Path::new("/home/u")).known;
    // A text, and the text to compare it with.
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (text, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    let rest = rest.get(1..).unwrap_or_default();
    match choice % 5 {
        0 => template(text, rest, &known),
        1 => {
            of_pattern(Pattern::from_glob(OsStr::from_bytes(text), &known), rest);
        }
        2 => {
            of_pattern(Pattern::from_include(OsStr::from_bytes(text), &known), rest);
        }
        3 => names(&bytes),
        _ => referred(&bytes),
    }
});

fn of_pattern(pattern: Result<Pattern, TemplateError>, path: &[u8]) -> Option<Pattern> {
    let pattern = match pattern {
        Ok(pattern) => pattern,
        Err(error) => {
            assert_printable(&error.to_string());
            return None;
        }
    };
    assert!(pattern.root().is_absolute());
    assert!(!pattern.components().is_empty());
    let parts = || pattern.root().components();
    assert!(!parts().any(|part| matches!(part, std::path::Component::ParentDir)));
    if let Some(path) = pattern.as_literal() {
        // A name can be longer than any file's; then nothing matches it.
        assert_eq!(pattern.matches(&path), path.name().len() <= 255);
    }
    if let Some(path) = ControlPath::new(OsStr::from_bytes(path))
        && pattern.captures(&path).is_some()
    {
        assert!(pattern.matches(&path));
    }
    Some(pattern)
}

/// The values of a connection's tokens.
struct Connection<'a> {
    host: &'a str,
    alias: &'a str,
    user: &'a str,
    port: u16,
}

fn template(text: &[u8], rest: &[u8], known: &Known) {
    let pattern = match Pattern::from_template(OsStr::from_bytes(text), known) {
        Ok(Some(pattern)) => Ok(pattern),
        Ok(None) => return assert!(text.eq_ignore_ascii_case(b"none")),
        Err(error) => Err(error),
    };
    let Some(pattern) = of_pattern(pattern, rest) else {
        return;
    };
    let words = std::str::from_utf8(rest).unwrap_or_default();
    let mut words = words.split('\n').filter(|word| can_be_a_host(word));
    let connection = Connection {
        host: words.next().unwrap_or("web.example.org"),
        alias: words.next().unwrap_or("web"),
        user: words.next().unwrap_or("me"),
        port: u16::try_from(text.len() % 65_535).unwrap_or_default() + 1,
    };
    let path = expanded(text, &connection, known);
    let is_name = |name: &[u8]| name.len() <= 255 && !matches!(name, b"." | b"..");
    let is_a_path = path.split(|byte| *byte == b'/').all(is_name);
    let Some(path) = ControlPath::new(OsStr::from_bytes(&path)).filter(|_| is_a_path) else {
        return;
    };
    assert!(pattern.matches(&path), "{pattern:?} does not match {path}");
    if let Some(destination) = pattern.captures(&path) {
        let holds = |token: u8| text.windows(2).any(|pair| pair == [b'%', token]);
        // `%%h` holds no token though it looks like one; then there is nothing to compare with.
        if !text.windows(2).any(|pair| pair == b"%%") {
            let is_alias = !holds(b'h');
            let host = if is_alias {
                connection.alias
            } else {
                connection.host
            };
            assert_eq!(destination.host, host, "{path}");
            assert!(destination.user.is_none_or(|user| user == connection.user));
            assert!(destination.port.is_none_or(|port| port == connection.port));
        }
    }
}

fn can_be_a_host(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('.')
        && !word.contains(|character: char| matches!(character, '/' | '@' | '\0'))
}

/// `vdollar_percent_expand()` of a template that was accepted.
fn expanded(text: &[u8], connection: &Connection<'_>, known: &Known) -> Vec<u8> {
    let mut path = Vec::new();
    let mut rest = text;
    if let Some(below) = text.strip_prefix(b"~") {
        let end = below.iter().position(|byte| *byte == b'/');
        let (user, below) = below.split_at(end.unwrap_or(below.len()));
        let home = if user.is_empty() {
            Some(known.home.clone())
        } else {
            (known.home_of)(OsStr::from_bytes(user))
        };
        path.extend(home.expect("accepted").as_os_str().as_bytes());
        rest = below;
    }
    loop {
        match rest {
            [] => return path,
            [b'%', token, after @ ..] => {
                let port = connection.port.to_string();
                let uid = known.uid.to_string();
                path.extend(match token {
                    b'%' => b"%",
                    b'd' => known.home.as_os_str().as_bytes(),
                    b'i' => uid.as_bytes(),
                    b'u' => b"u",
                    b'l' => b"box.example.org",
                    b'L' => b"box",
                    b'h' => connection.host.as_bytes(),
                    b'n' | b'k' => connection.alias.as_bytes(),
                    b'r' => connection.user.as_bytes(),
                    b'j' => b"jump",
                    b'p' => port.as_bytes(),
                    b'C' => b"0123456789abcdef0123456789abcdef01234567",
                    other => panic!("a token %{other} was accepted"),
                });
                rest = after;
            }
            [b'$', b'{', after @ ..] => {
                let end = after.iter().position(|byte| *byte == b'}');
                let (name, after) = after.split_at(end.expect("accepted"));
                let value = known.variable(OsStr::from_bytes(name));
                path.extend(value.expect("accepted").as_bytes());
                rest = &after[1..];
            }
            [plain, after @ ..] => {
                path.push(*plain);
                rest = after;
            }
        }
    }
}

fn names(bytes: &[u8]) {
    if let Some(stem) = stem_of_temporary(bytes) {
        assert!(bytes.starts_with(stem) && bytes.len() == stem.len() + 17);
        assert_eq!(bytes[stem.len()], b'.');
    }
    if let Some(stem) = stem_of_aside(bytes) {
        assert_eq!([b".muxtray-aside.", stem].concat(), bytes);
    }
    let Some(path) = ControlPath::new(OsStr::from_bytes(bytes)) else {
        return;
    };
    assert_printable(&path.to_string());
    assert_eq!(ControlPath::new(&path.as_path()).as_ref(), Some(&path));
    assert_eq!(
        path.directory().join(OsStr::from_bytes(path.name())),
        path.as_path()
    );
    for (stem, is_one) in [
        (
            path.without_temporary_suffix(),
            stem_of_temporary(path.name()).is_some(),
        ),
        (
            path.without_aside_prefix(),
            stem_of_aside(path.name()).is_some(),
        ),
    ] {
        assert_eq!(stem.is_some(), is_one);
        if let Some(stem) = stem {
            assert_eq!(stem.directory(), path.directory());
            assert_eq!(ControlPath::new(stem.as_path()), Some(stem));
        }
    }
}

/// Names of variables are parts of a text, so together they are no longer than it.
fn referred(text: &[u8]) {
    let mut length = 0;
    for name in variables(text) {
        assert!(!name.is_empty() && !name.as_bytes().contains(&b'}'));
        length += name.len();
    }
    assert!(length <= text.len());
}
