//! The invariants of the source that no lint knows: which room may use which. A scan of the text, so that breaking
//! one says which line does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// A line of code: where, and what without its comment.
struct Line {
    file: PathBuf,
    number: usize,
    code: String,
}

/// Every line of a room (`src/ROOM.rs` and `src/ROOM/`) that is neither a comment nor a test.
fn lines(room: &str) -> Vec<Line> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src.join(format!("{room}.rs")), &mut files);
    collect(&src.join(room), &mut files);
    assert!(!files.is_empty(), "there is no room {room} in src/");
    files.iter().flat_map(|file| code_of(file)).collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else if path.is_file()
        && path.extension().is_some_and(|extension| extension == "rs")
        && !is_test(path)
    {
        files.push(path.to_owned());
    }
}

/// A file of tests: its module stands under `#[cfg(test)]` where it is declared.
fn is_test(path: &Path) -> bool {
    matches!(
        path.file_stem().and_then(|stem| stem.to_str()),
        Some("tests" | "samples")
    )
}

fn code_of(file: &Path) -> Vec<Line> {
    let text = fs::read_to_string(file).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    before_tests
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| Line {
            file: file.strip_prefix(root).unwrap_or(file).to_owned(),
            number: number + 1,
            code: line.to_owned(),
        })
        .collect()
}

/// Panics with every line that breaks the rule.
#[track_caller]
fn demand(rule: &str, lines: impl IntoIterator<Item = Line>, breaks: impl Fn(&str) -> bool) {
    let broken: Vec<_> = lines
        .into_iter()
        .filter(|line| breaks(&line.code))
        .map(|line| {
            format!(
                "  {}:{}: {}",
                line.file.display(),
                line.number,
                line.code.trim()
            )
        })
        .collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// The first segments of the paths that a line names: `crate::core`, `std`, `serde`.
fn paths(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("::").filter_map(|(at, _)| {
        let head = &code[..at];
        let start = head
            .rfind(|character: char| {
                !(character.is_alphanumeric() || character == '_' || character == ':')
            })
            .map_or(0, |before| before + 1);
        let head = &head[start..];
        (!head.is_empty() && !head.contains("::")).then_some(head)
    })
}

/// The rooms that a line names by `crate::ROOM`.
fn rooms(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("crate::").map(|(at, prefix)| {
        let rest = &code[at + prefix.len()..];
        let end = rest
            .find(|character: char| !(character.is_alphanumeric() || character == '_'))
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

/// The other crates in Cargo.toml, as code spells them.
fn dependencies() -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let text = fs::read_to_string(manifest).unwrap();
    let (_, rest) = text.split_once("\n[dependencies]\n").unwrap();
    rest.lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

#[test]
fn core_is_pure() {
    let allowed = ["serde", "glob", "thiserror", "humantime", "unicode_width"];
    let others: Vec<_> = dependencies()
        .into_iter()
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(
        others.contains(&"nix".to_owned()),
        "the manifest was read: {others:?}"
    );
    demand(
        "core uses the standard library and a few crates that compute, no other",
        lines("core"),
        |code| paths(code).any(|head| others.iter().any(|other| other == head)),
    );
    demand("core knows no other room", lines("core"), |code| {
        rooms(code).any(|room| room != "core")
    });
    let touching = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "std::io",
        "SystemTime::now",
        "Instant::now",
        "std::os::unix::net",
        "std::os::unix::fs",
        "UnixStream",
        ".exists()",
        ".metadata()",
        ".canonicalize()",
        ".read_dir()",
        ".is_file()",
        ".is_dir()",
    ];
    demand(
        "core touches no file, network, process, thread or clock",
        lines("core"),
        |code| touching.iter().any(|name| code.contains(name)),
    );
}

#[test]
fn command_line_and_desktop_do_not_know_each_other() {
    demand("cli does not use desktop", lines("cli"), |code| {
        rooms(code).any(|room| room == "desktop")
    });
    demand("desktop does not use cli", lines("desktop"), |code| {
        rooms(code).any(|room| room == "cli")
    });
}

#[test]
fn only_hosts_asks_ssh_for_its_configuration() {
    let all = [
        "act", "cli", "config", "core", "desktop", "discover", "engine", "mux", "observe", "run",
        "survey", "applet",
    ];
    let runs_ssh_g = |code: &str| code.contains("\"-G\"") || code.contains("\"-TG\"");
    let elsewhere = all.iter().flat_map(|room| lines(room)).filter(|line| {
        !line.file.starts_with("src/discover/hosts")
            && line.file != Path::new("src/discover/hosts.rs")
    });
    demand(
        "ssh -G runs Match exec commands: only discover::hosts runs it",
        elsewhere,
        runs_ssh_g,
    );
    let hosts = lines("discover").into_iter().filter(|line| {
        line.file.starts_with("src/discover/hosts")
            || line.file == Path::new("src/discover/hosts.rs")
    });
    assert!(
        hosts.into_iter().any(|line| runs_ssh_g(&line.code)),
        "this test no longer knows where ssh -G is run"
    );
}

#[test]
fn only_act_and_observe_connect_to_sockets() {
    let others = [
        "cli", "config", "core", "desktop", "discover", "engine", "run", "survey", "applet",
    ];
    demand(
        "only act, mux and observe::connect connect to a control socket",
        others.iter().flat_map(|room| lines(room)),
        |code| code.contains("UnixStream::connect") || code.contains("socket::connect"),
    );
    let observing = lines("observe")
        .into_iter()
        .filter(|line| line.file != Path::new("src/observe/connect.rs"));
    demand("observe connects in connect.rs only", observing, |code| {
        code.contains("UnixStream::connect") || code.contains("socket::connect")
    });
}

#[test]
fn nothing_waits_by_sleeping_on_the_user_interface_thread() {
    let drawing = lines("desktop").into_iter().chain(lines("applet"));
    demand("the desktop does not sleep", drawing, |code| {
        code.contains("thread::sleep")
    });
}
