//! The languages: that the texts in the source and in the catalogues agree, and who is spoken to in which.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Finished, GOOD, Lab, PATIENCE, Process};
use unicode_width::UnicodeWidthStr as _;

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
    write("src/model/a.rs", source);
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

/// The output has all of these.
#[track_caller]
fn has(output: &str, words: &[&str]) {
    for word in words {
        assert!(output.contains(word), "no {word:?} in\n{output}");
    }
}

#[test]
fn actions_are_told_in_german() {
    let lab = Lab::good();
    let german = |arguments: &[&str]| muxtray(&lab, "de_DE.UTF-8", arguments);
    let mut master = lab.master("web");
    let session = master.session(&lab);
    let stale = lab.control_path("db");
    lab.dead_socket(&stale);
    let path = stale.to_str().unwrap();

    let said = german(&["check"]).expect(0);
    has(
        &said.stdout,
        &["web: Antwort in ", ", 1 Sitzung, Netz in Ordnung: "],
    );
    let said = german(&["check", path]).expect(1);
    let stale_is = "muxtray: db: tot: Verbindung abgelehnt: kein Prozess lauscht; ";
    has(&said.stderr, &[stale_is]);
    let said = german(&["open", "web"]).expect(0);
    let running = format!("web: es läuft schon ein Master, PID {}\n", master.pid());
    assert_eq!(said.stdout, running);
    let said = german(&["open", "-x"]).code();
    assert_eq!(said, 2);

    let said = german(&["clean", "web"]).expect(1);
    has(&said.stderr, &[": läuft, also nicht tot: nichts entfernt"]);
    let said = german(&["clean", "--dry-run"]).expect(0);
    assert_eq!(said.stdout, format!("würde {path} entfernen (tot)\n"));
    let said = german(&["clean"]).expect(0);
    assert_eq!(said.stdout, format!("{path} entfernt (tot)\n"));
    let said = german(&["clean"]).expect(0);
    assert_eq!(said.stdout, "nichts aufzuräumen\n");

    let said = german(&["exit", "web"]).expect(1);
    has(&said.stderr, &["muxtray: web: hat 1 offene Sitzung; "]);
    let said = german(&["exit", "--all"]).expect(1);
    let counts = "0 Master beendet, 0 Sockets aufgeräumt, 1 unverändert\n";
    has(&said.stdout, &[counts]);
    let said = german(&["exit", "web", "--force"]).expect(0);
    assert_eq!(said.stdout, "web: beendet, 1 Sitzung geschlossen\n");
    master.wait_for_end();
    session.close();
    let said = german(&["check"]).expect(0);
    assert_eq!(said.stdout, "keine Kontroll-Sockets\n");
    let said = german(&["doctor", "--explain", "nothing of ssh's"]).expect(3);
    has(
        &said.stderr,
        &["`muxtray doctor` sagt, was jetzt nicht stimmt"],
    );
}

#[test]
fn settings_and_start_at_login_are_told_in_german() {
    let lab = Lab::good();
    let german = |arguments: &[&str]| muxtray(&lab, "de_DE.UTF-8", arguments);
    let said = german(&["autostart", "status"]).expect(1);
    assert_eq!(
        said.stdout,
        "startet nicht beim Anmelden; muxtray autostart enable\n"
    );
    let file = lab.path("config/autostart/io.github.muxtray.Muxtray.desktop");
    let shown = file.display();
    let said = german(&["autostart", "disable"]).expect(0);
    assert_eq!(said.stdout, "keine Autostart-Datei startet es\n");
    lab.write(&file, "[Desktop Entry]\nType=Link\n");
    let said = german(&["autostart", "enable"]).expect(2);
    let refused = format!("{shown} ist kein Desktop-Eintrag: Type ist nicht Application; ");
    has(&said.stderr, &[&refused]);

    let file = lab.write_muxtray_config("");
    let shown = file.display();
    let said = german(&["config", "check"]).expect(0);
    assert_eq!(said.stdout, format!("{shown}: gültig\n"));
    lab.write(&file, "interval_secs = 0\n");
    let why = "interval_secs ist 0, muss aber von 1 bis 86400 sein";
    let said = german(&["config", "check"]).expect(2);
    let invalid = format!("muxtray: Konfigurationsdatei {shown} ist ungültig: {why}\n");
    assert_eq!(said.stderr, invalid);
    let said = german(&["doctor"]).stdout;
    has(
        &said,
        &[why, "in Ordnung bringen: muxtray config edit; bis dahin"],
    );
    fs::remove_file(&file).unwrap();
    let said = german(&["config", "check"]).expect(0);
    has(
        &said.stdout,
        &["nicht vorhanden, es gelten die Voreinstellungen"],
    );
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
fn columns_line_up_where_characters_are_wide() {
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
    // Where a cell begins on the screen, in columns of a terminal.
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
