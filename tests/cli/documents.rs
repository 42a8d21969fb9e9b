//! The generated documents: pages of `docs/`, man page and completions.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::generated_pages;
use crate::support::{program, skip};
use clap::CommandFactory as _;
use muxtray::cli::args::Arguments;

const UPDATE: &str = "MUXTRAY_UPDATE_DOCS";

#[test]
fn generated_documents_are_fresh() {
    let mut stale = Vec::new();
    for (path, page) in generated_pages::pages() {
        if fs::read_to_string(path).is_ok_and(|file| file == page) {
            continue;
        }
        if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
            fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
            fs::write(path, page).unwrap();
        } else {
            stale.push(path);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} differ from the tables in src; update them with: \
         {UPDATE}=1 cargo test --test cli documents"
    );
}

#[test]
fn ssh_accepts_the_recommended_configuration() {
    let output = run_on_file(
        "ssh_accepts_the_recommended_configuration",
        "ssh",
        &["-G", "h", "-F"],
        &generated_pages::ssh_configuration(),
    );
    let Some(output) = output else { return };
    let options = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "controlmaster auto",
        "controlpersist 600",
        "serveraliveinterval 15",
    ] {
        let is_set = options.lines().any(|line| line == expected);
        assert!(is_set, "{expected}: {options}");
    }
    let path = options
        .lines()
        .find_map(|line| line.strip_prefix("controlpath "))
        .unwrap();
    assert_eq!(Path::new(path).file_name().unwrap().len(), 40, "{path}");
}

/// Returns the output of `muxtray` with these arguments, which must succeed without a diagnostic.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = Command::new(program()).args(arguments).output().unwrap();
    let diagnostics = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && diagnostics.is_empty(),
        "{arguments:?}: {}: {diagnostics}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

fn is_installed(name: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Runs a program on a file with this content; `None` if it is not installed.
fn run_on_file(test: &str, name: &str, arguments: &[&str], content: &str) -> Option<Output> {
    if !is_installed(name) {
        skip(test, &format!("{name} is not installed"));
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("muxtray.1");
    fs::write(&file, content).unwrap();
    let mut command = Command::new(name);
    command.args(arguments).arg(&file).stdin(Stdio::null());
    Some(command.output().unwrap())
}

#[test]
fn man_page_has_every_command_and_option() {
    let page = printed(&["man"]).replace(r"\-", "-");
    let command = Arguments::command();
    for command in command.get_subcommands() {
        let heading = format!(".SS \"muxtray {}\"", command.get_name());
        assert!(page.contains(&heading), "{heading}");
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(page.contains(&format!("--{option}")), "{option}");
        }
    }
}

#[test]
fn man_page_lints_clean() {
    const TEST: &str = "man_page_lints_clean";
    let page = printed(&["man"]);
    if let Some(said) = run_on_file(TEST, "mandoc", &["-T", "lint", "-W", "all"], &page) {
        let said = String::from_utf8(said.stdout).unwrap();
        // The page has no date, so that it is reproducible. Nobody reads its source, so lines may be long.
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| !line.contains("missing date") && !line.contains("longer than 80 bytes"))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    if let Some(said) = run_on_file(TEST, "groff", &["-ww", "-man", "-Tutf8", "-z"], &page) {
        let said = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said, "");
    }
    if let Some(said) = run_on_file(TEST, "lexgrog", &[], &page) {
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(
            said.contains("\"muxtray - Watches OpenSSH's control sockets"),
            "{said}"
        );
    }
}

#[test]
fn shells_accept_their_completions() {
    for (name, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")] {
        let script = printed(&["completions", name]);
        for command in Arguments::command().get_subcommands() {
            assert!(
                script.contains(command.get_name()),
                "{name}: {}",
                command.get_name()
            );
        }
        if let Some(said) = run_on_file("shells_accept_their_completions", name, &[check], &script)
        {
            let wrong = String::from_utf8(said.stderr).unwrap();
            assert!(said.status.success() && wrong.is_empty(), "{name}: {wrong}");
        }
    }
    for name in ["elvish", "powershell"] {
        let script = printed(&["completions", name]);
        assert!(script.contains("--end-process"), "{name}");
    }
}

/// Returns the completions that a shell prints for `ask`, a script that runs after muxtray's.
fn offered(test: &str, shell: &str, ask: &str) -> Option<BTreeSet<String>> {
    if !is_installed(shell) {
        skip(test, &format!("{shell} is not installed"));
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".ssh")).unwrap();
    fs::write(
        home.path().join(".ssh/config"),
        "Host webserver .host machine/.host\n",
    )
    .unwrap();
    let script = home.path().join("script");
    fs::write(&script, printed(&["completions", shell]) + ask).unwrap();
    let output = Command::new(shell)
        .arg(&script)
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    // fish prints a description after a tab.
    let first = |line: &str| line.split('\t').next().unwrap().to_owned();
    Some(words.lines().map(first).collect())
}

#[test]
fn bash_completes_commands_options_and_hosts() {
    const TEST: &str = "bash_completes_commands_options_and_hosts";
    let complete = |typed: &str| {
        let words: Vec<&str> = typed.split(' ').collect();
        let (last, count) = (words.last().unwrap(), words.len());
        // bash-completion may not be installed.
        let ask = format!(
            "\n_known_hosts_real() {{ [ \"$1\" = -a ] && COMPREPLY+=(webserver .host u@.host machine/.host); }}\nCOMP_WORDS=({}) COMP_CWORD={}\n\
             _muxtray_with_hosts muxtray '{last}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            typed.replace(last, &format!("'{last}'")),
            count - 1,
            words[count - 2],
        );
        offered(TEST, "bash", &ask)
    };
    for (typed, wanted, unwanted) in [
        ("muxtray do", "doctor", "webserver"),
        ("muxtray check webs", "webserver", "check"),
        ("muxtray check webs", "webserver", ".host"),
        ("muxtray check webs", "webserver", "u@.host"),
        ("muxtray check webs", "webserver", "machine/.host"),
        ("muxtray exit --force webs", "webserver", "--force"),
        ("muxtray list --js", "--json", "webserver"),
        ("muxtray completions zs", "zsh", "webserver"),
    ] {
        let Some(words) = complete(typed) else {
            return;
        };
        assert!(
            words.contains(wanted) && !words.contains(unwanted),
            "{typed}: {words:?}"
        );
    }
}

#[test]
fn fish_completes_commands_options_and_hosts() {
    const TEST: &str = "fish_completes_commands_options_and_hosts";
    for (typed, wanted, unwanted) in [
        ("muxtray do", "doctor", "webserver"),
        ("muxtray check webs", "webserver", "check"),
        ("muxtray check ", "webserver", ".host"),
        ("muxtray check ", "webserver", "machine/.host"),
        ("muxtray list --js", "--json", "webserver"),
        ("muxtray completions ", "zsh", "webserver"),
    ] {
        let ask = format!("\ncomplete -C '{typed}'\n");
        let Some(words) = offered(TEST, "fish", &ask) else {
            return;
        };
        assert!(
            words.contains(wanted) && !words.contains(unwanted),
            "{typed}: {words:?}"
        );
    }
}
