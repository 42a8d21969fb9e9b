//! What is written about muxtray, held against muxtray: the man page, the completions and the README.
//!
//! Where a table of the README lacks a row, the failure prints the table as it has to be.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{program, skip};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use muxtray::cli::args::Arguments;
use muxtray::config::Settings;
use muxtray::model::guide::{self, Guide};
use muxtray::present::explain::Kind;

/// What `muxtray …` prints; it has to end well and say nothing else.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert!(
        status.success() && said.is_empty(),
        "{arguments:?}: {status}: {said}"
    );
    String::from_utf8(stdout).unwrap()
}

/// The page as it reads: without fonts and escapes, on one line.
fn man_page_as_read() -> String {
    let mut text = printed(&["man"]);
    for (roff, read) in [
        (r"\fB", ""),
        (r"\fI", ""),
        (r"\fR", ""),
        (r"\-", "-"),
        (r"\*(Aq", "'"),
        (r"\&", ""),
        (r"\\", r"\"),
    ] {
        text = text.replace(roff, read);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_marks(text: &str) -> String {
    text.replace('`', "")
}

fn program_is_there(name: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else {
        return false;
    };
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Runs a program on a file with this content, whose name follows the arguments; `None` where it is not installed.
fn checked(test: &str, name: &str, arguments: &[&str], content: &str) -> Option<Output> {
    if !program_is_there(name) {
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
fn the_man_page_tells_every_command_and_option() {
    let page = man_page_as_read();
    let command = Arguments::command();
    let commands: Vec<_> = command.get_subcommands().collect();
    assert!(commands.len() > 9);
    for command in &commands {
        let name = format!(".SS \"muxtray {}\"", command.get_name());
        assert!(page.contains(&name), "{name}");
        if let Some(more) = command.get_after_long_help() {
            assert!(page.contains(&more.to_string()), "{more}");
        }
        for nested in command.get_subcommands() {
            let about = nested.get_about().unwrap();
            let entry = format!(".TP {} {about}", nested.get_name());
            assert!(page.contains(&entry), "{entry}");
        }
    }
    for argument in commands
        .into_iter()
        .chain([&command])
        .flat_map(clap::Command::get_arguments)
    {
        let help = argument.get_help().unwrap().to_string();
        assert!(page.contains(&help), "{help}");
        if let Some(long) = argument.get_long() {
            assert!(page.contains(&format!("--{long}")), "{long}");
        }
    }
}

#[test]
fn the_man_page_tells_every_state_finding_message_and_setting() {
    let page = man_page_as_read();
    for Guide {
        name, means, help, ..
    } in guide::states()
    {
        let entry = without_marks(&format!(".TP {name} {means} .br To do: {help}"));
        assert!(page.contains(&entry), "{entry}");
    }
    for Guide {
        name,
        severity,
        means,
        help,
    } in guide::findings()
    {
        let severity = severity.unwrap().as_str();
        let entry = format!(".TP {name} ({severity}) {means} .br To do: {help}");
        assert!(page.contains(&without_marks(&entry)), "{entry}");
    }
    for kind in Kind::ALL {
        let entry = format!(".TP {} {}", kind.form(), kind.meaning());
        assert!(page.contains(&entry), "{entry}");
    }
    for setting in settings() {
        assert!(page.contains(&setting), "{setting}");
    }
}

#[test]
fn the_man_page_has_its_sections_in_order_and_names_no_page_that_is_not() {
    let page = printed(&["man"]);
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .map(|heading| heading.trim_matches('"'))
        .collect();
    assert_eq!(
        headings,
        [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "COMMANDS",
            "STATES",
            "FINDINGS",
            "MESSAGES OF SSH",
            "CONFIGURATION",
            "FILES",
            "ENVIRONMENT",
            "EXIT STATUS",
            "SECURITY",
            "EXAMPLES",
            "SEE ALSO",
        ]
    );
    for command in Arguments::command().get_subcommands() {
        let other = format!("muxtray-{}", command.get_name());
        assert!(
            !man_page_as_read().contains(&other),
            "there is one page only, no {other}"
        );
    }
}

#[test]
fn the_man_page_is_clean() {
    const TEST: &str = "the_man_page_is_clean";
    let page = printed(&["man"]);
    if let Some(said) = checked(TEST, "mandoc", &["-T", "lint", "-W", "all"], &page) {
        let said = String::from_utf8(said.stdout).unwrap();
        // The page of one version is always the same, so it has no date.
        let wrong: Vec<&str> = said
            .lines()
            .filter(|line| !line.contains("missing date"))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
    if let Some(said) = checked(TEST, "groff", &["-ww", "-man", "-Tutf8", "-z"], &page) {
        let said = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said, "");
    }
    if let Some(said) = checked(TEST, "lexgrog", &[], &page) {
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(
            said.contains("\"muxtray - Watches OpenSSH's control sockets"),
            "{said}"
        );
    }
}

#[test]
fn a_shell_accepts_its_completions() {
    for (name, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "-n")] {
        let script = printed(&["completions", name]);
        for command in Arguments::command().get_subcommands() {
            assert!(
                script.contains(command.get_name()),
                "{name}: {}",
                command.get_name()
            );
        }
        if let Some(said) = checked("a_shell_accepts_its_completions", name, &[check], &script) {
            let wrong = String::from_utf8(said.stderr).unwrap();
            assert!(said.status.success() && wrong.is_empty(), "{name}: {wrong}");
        }
    }
    for name in ["elvish", "powershell"] {
        let script = printed(&["completions", name]);
        assert!(script.contains("--end-process"), "{name}");
    }
}

/// What a shell offers: `ask` runs after muxtray's completions for it.
fn offered(test: &str, shell: &str, ask: &str) -> Option<BTreeSet<String>> {
    if !program_is_there(shell) {
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
    // fish explains each after a tab.
    let first = |line: &str| line.split('\t').next().unwrap().to_owned();
    Some(words.lines().map(first).collect())
}

#[test]
fn bash_completes_commands_options_and_hosts() {
    const TEST: &str = "bash_completes_commands_options_and_hosts";
    let complete = |typed: &str| {
        let words: Vec<&str> = typed.split(' ').collect();
        let (last, count) = (words.last().unwrap(), words.len());
        // bash-completion's own function stands in for itself: it may not be installed.
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

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// The rows of the table whose heading begins with this.
#[track_caller]
fn table<'a>(readme: &'a str, heading: &str) -> Vec<&'a str> {
    let (_, rest) = readme.split_once(&format!("\n{heading}")).unwrap();
    rest.lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect()
}

#[track_caller]
fn expect_table(heading: &str, rows: &[String]) {
    let readme = readme();
    let found = table(&readme, heading);
    assert!(
        found == rows,
        "the table `{heading}` of README.md has to be:\n{}\n",
        rows.join("\n")
    );
}

#[test]
fn the_readme_tells_every_state() {
    let row = |guide: Guide| format!("| `{}` | {} | {} |", guide.name, guide.means, guide.help);
    let rows: Vec<String> = guide::states().map(row).collect();
    expect_table("| state | means |", &rows);
}

#[test]
fn the_readme_tells_every_finding() {
    let row = |guide: Guide| {
        let severity = guide.severity.unwrap().as_str();
        format!(
            "| `{}` | {} | {} | {severity} |",
            guide.name, guide.means, guide.help
        )
    };
    let rows: Vec<String> = guide::findings().map(row).collect();
    expect_table("| finding | means |", &rows);
}

#[test]
fn the_readme_tells_every_message_of_ssh() {
    let row = |kind: &Kind| {
        let ids: Vec<String> = kind
            .findings()
            .iter()
            .map(|id| format!("`{}`", id.as_str()))
            .collect();
        format!(
            "| `{}` | {} | {} |",
            kind.form(),
            kind.meaning(),
            ids.join(", ")
        )
    };
    let rows: Vec<String> = Kind::ALL.iter().map(row).collect();
    expect_table("| ssh says | which means |", &rows);
}

/// The lines of the first-written configuration file that set something, but for the kinds of notifications.
fn settings() -> Vec<String> {
    let documented = Settings::default().documented();
    let kinds: BTreeSet<&str> = guide::states()
        .chain(guide::findings())
        .map(|guide| guide.name)
        .collect();
    documented
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter(|line| {
            line.split_once(" = ")
                .is_some_and(|(key, _)| !kinds.contains(key))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_readme_tells_every_setting_and_its_default() {
    let readme = readme();
    let rows = table(&readme, "| key | default |");
    let settings = settings();
    assert_eq!(rows.len(), settings.len(), "a row a setting: {settings:#?}");
    for setting in settings {
        let (key, value) = setting.split_once(" = ").unwrap();
        let cells = format!("`{key}` | `{value}` |");
        assert!(rows.iter().any(|row| row.contains(&cells)), "{cells}");
    }
}

#[test]
fn the_readme_tells_every_command() {
    let readme = readme();
    let rows = table(&readme, "| command | does |");
    for command in Arguments::command().get_subcommands() {
        let name = format!("`muxtray {}", command.get_name());
        assert!(rows.iter().any(|row| row.contains(&name)), "{name}");
    }
}

/// Every `muxtray …` that the README has between backticks or as a line of a block, with what it stands for.
fn commands(readme: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut is_block = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            let typed = line.strip_prefix("$ ").unwrap_or(line);
            commands.extend(typed.split(" | ").map(str::to_owned));
        } else {
            let line = line.replace("\\|", "|");
            commands.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    commands.retain(|command| command == "muxtray" || command.starts_with("muxtray "));
    commands
}

/// What to type for a command with placeholders: `muxtray config path|show` is two.
fn typed(command: &str) -> Vec<Vec<String>> {
    let (command, quoted) = match command.split_once(" \"") {
        Some((command, quoted)) => (command, Some(quoted.trim_end_matches('"').to_owned())),
        None => (command, None),
    };
    let plain = command
        .split(" | ")
        .next()
        .unwrap()
        .replace(['[', ']', '…'], "")
        .replace("SHELL", "bash");
    let (begin, last) = plain.rsplit_once(' ').unwrap_or((&plain, ""));
    let words = |last: &str| {
        let words = begin
            .split(' ')
            .chain([last])
            .filter(|word| !word.is_empty());
        words.map(str::to_owned).chain(quoted.clone()).collect()
    };
    last.split('|').map(words).collect()
}

#[test]
fn the_commands_in_the_readme_are_commands() {
    let readme = readme();
    let commands = commands(&readme);
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        for typed in typed(&command) {
            match Arguments::try_parse_from(&typed) {
                Ok(_) => {}
                // Spoken of without its TARGET.
                Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {}
                Err(error) => panic!("{command} ({typed:?}): {error}"),
            }
        }
    }
}

/// A heading as GitHub names it in a link.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    heading
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let readme = readme();
    let anchors: BTreeSet<String> = readme
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    let links: Vec<&str> = readme
        .match_indices("](")
        .map(|(at, begin)| readme[at + begin.len()..].split(')').next().unwrap())
        .collect();
    assert!(links.len() > 8, "{links:?}");
    for link in links {
        match link.strip_prefix('#') {
            Some(wanted) => assert!(anchors.contains(wanted), "#{wanted}: {anchors:?}"),
            None if link.starts_with("https://") => {}
            None => assert!(Path::new(link).exists(), "{link}"),
        }
    }
}

#[test]
fn ssh_takes_the_recommended_configuration() {
    let readme = readme();
    let (_, rest) = readme
        .split_once("## A good ssh configuration\n\n```\n")
        .unwrap();
    let (configuration, _) = rest.split_once("```").unwrap();
    let said = checked(
        "ssh_takes_the_recommended_configuration",
        "ssh",
        &["-G", "h", "-F"],
        configuration,
    );
    let Some(said) = said else { return };
    let said = String::from_utf8(said.stdout).unwrap();
    for wanted in [
        "controlmaster auto",
        "controlpersist 600",
        "serveraliveinterval 15",
    ] {
        assert!(said.lines().any(|line| line == wanted), "{wanted}: {said}");
    }
    let path = said
        .lines()
        .find_map(|line| line.strip_prefix("controlpath "))
        .unwrap();
    assert_eq!(Path::new(path).file_name().unwrap().len(), 40, "{path}");
}

#[test]
fn library_page_names_every_module() {
    let text = fs::read_to_string("src/lib.rs").unwrap();
    let (page, code) = text.split_once("\npub mod ").unwrap();
    let modules = code
        .split("pub mod ")
        .map(|line| line.split(';').next().unwrap());
    for module in modules {
        assert!(page.contains(&format!("[`{module}`]")), "{module}");
    }
}
