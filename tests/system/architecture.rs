//! The modules that each module may use. The source is scanned as text, and a failure names the line. Cargo runs tests
//! in the directory of the manifest, so paths are relative to it.

use std::fs;
use std::path::{Path, PathBuf};

/// A line of code.
struct Line {
    file: PathBuf,
    number: usize,
    code: String,
}

/// Every line of a module (`src/MODULE.rs` and `src/MODULE/`) that is neither a comment nor a test.
fn lines(module: &str) -> Vec<Line> {
    let mut files = Vec::new();
    collect(Path::new(&format!("src/{module}.rs")), &mut files);
    collect(Path::new(&format!("src/{module}")), &mut files);
    assert!(!files.is_empty(), "src has no module {module}");
    files.iter().flat_map(|file| code_of(file)).collect()
}

/// Every line of the source outside of these files and directories.
fn all_lines_but(except: &[&str]) -> Vec<Line> {
    let mut files = Vec::new();
    collect(Path::new("src"), &mut files);
    files.retain(|file| !except.iter().any(|path| file.starts_with(path)));
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

/// Whether the file holds tests: its parent declares it under `#[cfg(test)]`.
fn is_test(path: &Path) -> bool {
    matches!(
        path.file_stem().and_then(|stem| stem.to_str()),
        Some("tests" | "samples")
    )
}

fn code_of(file: &Path) -> Vec<Line> {
    let text = fs::read_to_string(file).unwrap();
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    before_tests
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| Line {
            file: file.to_owned(),
            number: number + 1,
            code: line.to_owned(),
        })
        .collect()
}

/// Fails with every line that breaks the rule.
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

/// The first segments of the paths that a line names: `crate::model`, `std`, `serde`.
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

/// The modules that a line names by `crate::MODULE`.
fn modules(code: &str) -> impl Iterator<Item = &str> {
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
    let text = fs::read_to_string("Cargo.toml").unwrap();
    let (_, rest) = text.split_once("\n[dependencies]\n").unwrap();
    rest.lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

/// The pure modules.
const CORE: [&str; 4] = ["model", "diagnose", "decide", "present"];

fn core() -> impl Iterator<Item = Line> {
    CORE.into_iter().flat_map(lines)
}

#[test]
fn pure_modules_use_no_system() {
    let allowed = [
        "serde",
        "serde_json",
        "glob",
        "thiserror",
        "tr",
        "humantime",
        "tz",
        "unicode_width",
    ];
    let others: Vec<_> = dependencies()
        .into_iter()
        .filter(|name| !allowed.contains(&name.as_str()))
        .collect();
    assert!(
        others.contains(&"nix".to_owned()),
        "the manifest was read: {others:?}"
    );
    demand(
        "pure modules use the standard library and a few pure crates",
        core(),
        |code| paths(code).any(|head| others.iter().any(|other| other == head)),
    );
    demand("pure modules use no other module", core(), |code| {
        modules(code).any(|module| !CORE.contains(&module))
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
        "pure modules touch no file, network, process, thread or clock",
        core(),
        |code| touching.iter().any(|name| code.contains(name)),
    );
}

#[test]
fn cli_and_desktop_do_not_use_each_other() {
    demand("cli does not use desktop", lines("cli"), |code| {
        modules(code).any(|module| module == "desktop")
    });
    demand("desktop does not use cli", lines("desktop"), |code| {
        modules(code).any(|module| module == "cli")
    });
}

#[test]
fn only_ssh_query_runs_ssh_g() {
    let runs_ssh_g = |code: &str| code.contains("\"-G\"");
    demand(
        "ssh -G runs Match exec commands: only discover::ssh_query runs it",
        all_lines_but(&["src/discover/ssh_query.rs"]),
        runs_ssh_g,
    );
    assert!(
        lines("discover/ssh_query")
            .iter()
            .any(|line| runs_ssh_g(&line.code)),
        "this test does not find how ssh -G is run"
    );
}

#[test]
fn only_actions_mux_and_observe_connect_to_sockets() {
    let connects = |code: &str| {
        code.contains("UnixStream::connect")
            || code.contains("socket::connect")
            || code.contains("::connect(")
    };
    let may = [
        "src/actions",
        "src/mux.rs",
        "src/mux",
        "src/observe/connect.rs",
    ];
    demand(
        "only actions, mux and observe::connect connect to a control socket",
        all_lines_but(&may),
        connects,
    );
}

#[test]
fn user_interface_does_not_sleep() {
    let drawing = lines("desktop").into_iter().chain(lines("applet"));
    demand("a sleeping thread draws nothing", drawing, |code| {
        code.contains("thread::sleep")
    });
}
