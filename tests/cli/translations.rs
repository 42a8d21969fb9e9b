//! The languages: the catalogues agree with the source, and each output is in the language it should be in.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Finished, GOOD, Lab, PATIENCE, Process};
use unicode_width::UnicodeWidthStr as _;

const SCRIPT: &str = "packaging/translations.py";

/// Runs `translations.py` on the tree at `root`.
#[track_caller]
fn translations(root: &Path, action: &str) -> Output {
    let mut python = Command::new("python3");
    let output = python.arg(root.join(SCRIPT)).arg(action).output();
    output.expect("python3 is among the tools of the tests; see packaging/packages.sh")
}

#[test]
fn source_and_catalogues_agree() {
    let checked = translations(Path::new(env!("CARGO_MANIFEST_DIR")), "check");
    let problems = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{problems}");
}

/// The problems of a tree with this source and this German catalogue.
#[track_caller]
fn problems(source: &str, plural_rule: &str, entries: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(SCRIPT, &fs::read_to_string(SCRIPT).unwrap());
    write("src/a.rs", source);
    write("src/po/muxtray.pot", "");
    translations(root.path(), "update");
    let header = format!(
        r#"msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: {plural_rule}\n"
"#
    );
    write("src/po/de.po", &format!("{header}\n{entries}\n"));
    let checked = translations(root.path(), "check");
    assert!(!checked.status.success());
    String::from_utf8(checked.stderr).unwrap()
}

const TWO_FORMS: &str = "nplurals=2; plural=(n != 1);";

#[test]
fn check_refuses_calls_that_tr_would_not_fill_in() {
    for (source, problem) in [
        (r#"tr!("{a} is {b}", a)"#, "the placeholders of"),
        (r#"tr!("{a}", a, b = 1)"#, "the placeholders of"),
        (r#"tr!("{n} host" | "hosts" % n)"#, "the placeholders of"),
        (r#"tr!("{} is", a)"#, "the placeholders of"),
        (r#"tr!("{a:?} is", a)"#, "the placeholders of"),
        (r#"tr!("a {name}")"#, "the placeholders of"),
        (r#"tr!("{{a}} {a}", a)"#, "the placeholders of"),
        (r#"tr!("{a}", 1 + 2)"#, "neither tr!"),
        ("tr!(words)", "neither tr!"),
        (
            r#"tr!("{n} host" | "{n} hosts" % a); tr!("{n} host", n = 1)"#,
            "another plural",
        ),
    ] {
        let found = problems(source, TWO_FORMS, "");
        assert!(found.contains(problem), "{source}: {found}");
    }
}

#[test]
fn check_refuses_incomplete_catalogues() {
    let source = r#"tr!("a {name} is", name); tr!("{n} host" | "{n} hosts" % hosts)"#;
    let text = "msgid \"a {name} is\"\nmsgstr \"ein {name} ist\"\n";
    let host = "msgid \"{n} host\"\nmsgid_plural \"{n} hosts\"\n\
                msgstr[0] \"{n} Host\"\nmsgstr[1] \"{n} Hosts\"\n";
    let flag = "#, python-brace-format\n";
    for (rule, entries, problem) in [
        (TWO_FORMS, String::new(), "not defined in"),
        (
            TWO_FORMS,
            text.replace("ein {name} ist", ""),
            "untranslated",
        ),
        (
            TWO_FORMS,
            format!("{flag}{}", text.replace("ein {name}", "ein {nam}")),
            "'nam'",
        ),
        (
            TWO_FORMS,
            format!("#, fuzzy\n{text}"),
            "needs to be reviewed",
        ),
        (
            TWO_FORMS,
            format!("{text}\n{host}\nmsgid \"old\"\nmsgstr \"alt\"\n"),
            "not used",
        ),
        (
            TWO_FORMS,
            format!("{text}\n{}", host.replace("msgstr[1] \"{n} Hosts\"\n", "")),
            "only one plural form",
        ),
        (
            "nplurals=3; plural=(n % 3);",
            format!("{text}\n{host}"),
            "Plural-Forms is not one of",
        ),
    ] {
        let found = problems(source, rule, &entries);
        assert!(found.contains(problem), "{entries}: {found}");
    }
}

/// Runs muxtray in this locale.
#[track_caller]
fn muxtray(lab: &Lab, locale: &str, arguments: &[&str]) -> Finished {
    let mut command = lab.muxtray_command(arguments);
    command.env("LANG", locale);
    Process::run(command, PATIENCE)
}

#[test]
fn output_is_in_the_language_of_the_locale() {
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
        // States in the table are ids, and commands are for a shell.
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
fn every_command_answers_in_german() {
    let lab = Lab::good();
    let mut master = lab.master("web");
    let session = master.session(&lab);
    let stale = lab.control_path("db");
    lab.dead_socket(&stale);
    let config = lab.write_muxtray_config("");
    let stale = stale.to_str().unwrap();
    let check = |arguments: &[&str], status: i32, word: &str| {
        let output = muxtray(&lab, "de_DE.UTF-8", arguments).expect(status);
        let text = output.stdout + &output.stderr;
        assert!(text.contains(word), "{arguments:?}: no {word:?} in {text}");
    };
    for (arguments, status, word) in [
        (&["check"][..], 0, "Antwort"),
        (&["check", stale], 1, "Verbindung"),
        (&["open", "web"], 0, "läuft"),
        (&["clean", "web"], 1, "entfernt"),
        (&["clean", "--dry-run"], 0, "würde entfernt"),
        (&["clean"], 0, "entfernt"),
        (&["exit", "web"], 1, "Sitzung"),
        (&["exit", "web", "--force"], 0, "beendet"),
        (&["doctor", "--explain", "nothing of ssh's"], 3, "Meldung"),
        (&["autostart", "status"], 1, "Anmelden"),
        (&["autostart", "disable"], 0, "Datei"),
        (&["config", "check"], 0, "gültig"),
    ] {
        check(arguments, status, word);
    }
    master.wait_for_end();
    session.close();
    lab.write(&config, "interval_secs = 0\n");
    check(&["config", "check"], 2, "muss 1 bis");
}

#[test]
fn files_are_the_same_in_every_language() {
    let lab = Lab::new();
    let english = muxtray(&lab, "C.UTF-8", &["config", "show"]).expect(0);
    let entry = lab.path("config/autostart/io.github.muxtray.Muxtray.desktop");
    muxtray(&lab, "C.UTF-8", &["autostart", "enable"]).expect(0);
    let english_entry = fs::read(&entry).unwrap();
    for locale in ["de_DE.UTF-8", "zh_CN.UTF-8"] {
        let shown = muxtray(&lab, locale, &["config", "show"]).expect(0);
        assert_eq!(shown.stdout, english.stdout);
        fs::remove_file(&entry).unwrap();
        muxtray(&lab, locale, &["autostart", "enable"]).expect(0);
        assert_eq!(fs::read(&entry).unwrap(), english_entry);
    }
}

#[test]
fn columns_line_up_with_wide_characters() {
    let lab = Lab::new();
    lab.configure(&format!("Host web 数据库\n{GOOD}"));
    let _running = lab.master("web");
    lab.dead_socket(&lab.control_path("数据库"));
    let list = muxtray(&lab, "zh_CN.UTF-8", &["list"]).expect(0).stdout;
    let head = list.lines().next().unwrap();
    let rows: Vec<&str> = list
        .lines()
        .filter(|line| line.contains(" stale ") || line.contains(" running "))
        .collect();
    assert_eq!(rows.len(), 2, "{list}");
    // The terminal column in which a cell begins.
    let at = |line: &str, cell: &str| {
        let (before, _) = line.split_once(cell).expect("the line has the cell");
        before.width()
    };
    for row in rows {
        let state = if row.contains("stale") {
            "stale"
        } else {
            "running"
        };
        assert_eq!(at(row, state), at(head, "状态"), "{list}");
        let path = row.split_whitespace().last().unwrap();
        assert_eq!(at(row, path), at(head, "路径"), "{list}");
    }
}

#[test]
fn json_is_english_in_every_locale() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlMaster \"yes\nHost broken \"quote\nInclude ~nobody-here/x");
    lab.dead_socket(&lab.control_path("db"));
    // The first run writes the cache of hosts, in German.
    let output = muxtray(&lab, "de_DE.UTF-8", &["doctor"]).stdout;
    assert!(output.contains("Benutzer nobody-here"), "{output}");
    for command in ["list", "doctor"] {
        let english = muxtray(&lab, "C.UTF-8", &[command, "--json"]).stdout;
        assert!(english.contains("unknown user nobody-here"), "{english}");
        for locale in ["de_DE.UTF-8", "zh_CN.UTF-8"] {
            assert_eq!(muxtray(&lab, locale, &[command, "--json"]).stdout, english);
        }
    }
    let output = muxtray(&lab, "de_DE.UTF-8", &["doctor"]).stdout;
    assert!(output.contains("Benutzer nobody-here"), "{output}");
}

#[test]
fn placeholder_in_a_path_is_printed_unchanged() {
    let lab = Lab::good();
    let path = lab.control_path("{path}{0}{}{state}{{n}}");
    lab.dead_socket(&path);
    for locale in ["C.UTF-8", "de_DE.UTF-8", "zh_CN.UTF-8"] {
        let message = format!(
            "Control socket connect({}): Connection refused",
            path.display()
        );
        let mut command = lab.muxtray_command(["doctor", "--explain", &message]);
        command.env("LANG", locale);
        let output = Process::run(command, PATIENCE).stdout;
        let shown = path.to_str().unwrap();
        let now = output.lines().nth(2).unwrap();
        assert!(now.contains(shown), "{locale}: {output}");
    }
}
