//! The languages: that the texts in the source and in the catalogues agree, and who is spoken to in which.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::{Finished, Lab, PATIENCE, Process};

const SCRIPT: &str = "packaging/translations.py";

/// `translations.py check` of the tree in this directory.
#[track_caller]
fn check(root: &Path) -> Output {
    let mut python = Command::new("python3");
    let checked = python.arg(root.join(SCRIPT)).arg("check").output();
    checked.expect("python3 is among what the tests drive; see packaging/packages.sh")
}

#[test]
fn source_and_catalogues_agree() {
    let checked = check(Path::new(env!("CARGO_MANIFEST_DIR")));
    let problems = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{problems}");
}

/// What the check says of a tree with this one source, and this German catalogue of it.
#[track_caller]
fn problems(source: &str, entries: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(SCRIPT, &fs::read_to_string(SCRIPT).unwrap());
    write("src/core/a.rs", source);
    let header = r#"msgstr "Plural-Forms: nplurals=2; plural=(n != 1);\n""#;
    write(
        "src/po/de.po",
        &format!("msgid \"\"\n{header}\n\n{entries}\n"),
    );
    let checked = check(root.path());
    assert!(!checked.status.success());
    String::from_utf8(checked.stderr).unwrap()
}

#[test]
fn the_check_sees_what_the_compiler_does_not() {
    for (source, problem) in [
        (r#"tr!("{a} is {b}", a)"#, "does not have the placeholders"),
        (r#"tr!("{a}", a, b = 1)"#, "does not have the placeholders"),
        (
            r#"tr!("{n} host" | "hosts" % n)"#,
            "does not have the placeholders",
        ),
        (r#"tr!("{} is", a)"#, "the placeholder {}"),
        (r#"tr!("{a:?} is", a)"#, "the placeholder {a:?}"),
        (r#"tr!("{a}", 1 + 2)"#, "an argument without a name"),
        (r#"tr!("a {name}")"#, "has braces but no argument"),
        (r#"tr!("{{a}} {a}", a)"#, "a doubled brace"),
        ("tr!(text)", "no string to translate"),
        (r#"f("two words")"#, "not translated: 'two words'"),
        (r#"f.write_str("ended")"#, "not translated: 'ended'"),
        (r#"#[error("gone")] Gone,"#, "not translated: 'gone'"),
        (r#"format!("{a} is not there")"#, "not translated"),
        (
            r#"tr!("{n} host" | "{n} hosts" % a); tr!("{n} host", n = 1)"#,
            "another plural",
        ),
    ] {
        let said = problems(source, "");
        assert!(said.contains(problem), "{source}: {said}");
    }
    let told = problems(r#"tracing::info!("for the log alone"); // "a b c""#, "");
    assert!(!told.contains("not translated"), "{told}");
}

#[test]
fn the_check_sees_what_a_catalogue_lacks() {
    let source = r#"tr!("a {name} is", name); tr!("{n} host" | "{n} hosts" % hosts)"#;
    let host = "msgid \"{n} host\"\nmsgid_plural \"{n} hosts\"\n";
    for (entries, problem) in [
        ("msgid \"a {name} is\"\nmsgstr \"\"", "is not translated"),
        (
            "msgid \"a {name} is\"\nmsgstr \"ein {nam} ist\"",
            "the placeholders are not",
        ),
        (
            "msgid \"a {name} is\"\nmsgstr \"ein {name ist\"",
            "placeholder",
        ),
        (
            "#, fuzzy\nmsgid \"a {name} is\"\nmsgstr \"ein {name} ist\"",
            "fuzzy",
        ),
        (
            "msgid \"old\"\nmsgstr \"alt\"",
            "not in the source any more",
        ),
        ("", "has no 'a {name} is'"),
        (
            &*format!("{host}msgstr[0] \"{{n}} Host\""),
            "has 1 forms instead of 2",
        ),
        (
            &*format!("{host}msgstr[0] \"{{n}} Host\"\nmsgstr[1] \"Hosts\""),
            "the placeholders are not",
        ),
    ] {
        let said = problems(source, entries);
        assert!(said.contains(problem), "{entries}: {said}");
    }
}

/// Runs muxtray for a person who speaks this.
#[track_caller]
fn muxtray(lab: &Lab, locale: &str, arguments: &[&str]) -> Finished {
    let mut command = lab.muxtray_command(arguments);
    command.env("LANG", locale);
    Process::run(command, PATIENCE)
}

#[test]
fn a_person_is_answered_in_their_language() {
    let lab = Lab::good();
    let _running = lab.master("web");
    let stale = lab.control_path("db");
    lab.dead_socket(&stale);
    for (locale, words) in [
        (
            "C.UTF-8",
            [
                "STATE",
                "connection refused: no process listens",
                "1 warning (3 hosts",
                "answered in",
            ],
        ),
        (
            "de_DE.UTF-8",
            [
                "ZUSTAND",
                "Verbindung abgelehnt: kein Prozess lauscht",
                "1 Warnung (3 Hosts",
                "Antwort in",
            ],
        ),
        (
            "zh_CN.UTF-8",
            [
                "状态",
                "连接被拒绝：没有进程监听",
                "1 个警告（3 台主机",
                "毫秒内应答",
            ],
        ),
    ] {
        let list = muxtray(&lab, locale, &["list"]).expect(0).stdout;
        let doctor = muxtray(&lab, locale, &["doctor"]).expect(0).stdout;
        let check = muxtray(&lab, locale, &["check", "web"]).expect(0).stdout;
        let [head, evidence, summary, answer] = words;
        for (text, word) in [
            (&list, head),
            (&list, evidence),
            (&doctor, summary),
            (&check, answer),
        ] {
            assert!(text.contains(word), "no {word:?} in\n{text}");
        }
        // The states of the table are ids, and commands are for a shell.
        let command = format!("muxtray clean {}", stale.display());
        for id in [" stale ", " running ", &command] {
            assert!(list.contains(id), "no {id:?} in\n{list}");
        }
        // The time is in milliseconds with tenths.
        let separator = if locale.starts_with("de") { ',' } else { '.' };
        let is_tenth = |word: &str| {
            word.split_once(separator).is_some_and(|(whole, tenth)| {
                let is_digit = |character: char| character.is_ascii_digit();
                !whole.is_empty() && whole.chars().all(is_digit) && tenth.starts_with(is_digit)
            })
        };
        assert!(check.split_whitespace().any(is_tenth), "{check}");
    }
}

#[test]
fn programs_are_answered_in_english_whatever_the_person_speaks() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlMaster \"yes\nHost broken \"quote\nInclude ~nobody-here/x");
    lab.dead_socket(&lab.control_path("db"));
    // First a person, so that what is kept from run to run is written in their time.
    let told = muxtray(&lab, "de_DE.UTF-8", &["doctor"]).stdout;
    assert!(told.contains("Benutzer nobody-here"), "{told}");
    for command in ["list", "doctor"] {
        let english = muxtray(&lab, "C.UTF-8", &[command, "--json"]).stdout;
        assert!(
            english.contains("there is no user nobody-here"),
            "{english}"
        );
        for locale in ["de_DE.UTF-8", "zh_CN.UTF-8"] {
            assert_eq!(muxtray(&lab, locale, &[command, "--json"]).stdout, english);
        }
    }
    let told = muxtray(&lab, "de_DE.UTF-8", &["doctor"]).stdout;
    assert!(told.contains("Benutzer nobody-here"), "{told}");
}

#[test]
fn a_name_that_looks_like_a_placeholder_comes_through_unharmed() {
    let lab = Lab::good();
    let path = lab.control_path("{path}{0}{}{state}{{n}}");
    lab.dead_socket(&path);
    for locale in ["C.UTF-8", "de_DE.UTF-8", "zh_CN.UTF-8"] {
        let said = format!(
            "Control socket connect({}): Connection refused",
            path.display()
        );
        let mut command = lab.muxtray_command(["doctor", "--explain", &said]);
        command.env("LANG", locale);
        let told = Process::run(command, PATIENCE).stdout;
        let shown = path.to_str().unwrap();
        let now = told.lines().nth(2).unwrap();
        assert!(now.contains(shown), "{locale}: {told}");
    }
}
