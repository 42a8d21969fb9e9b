//! The output of `muxtray list`: order, table, colour, and `--watch`.

use std::process::Command;

use crate::support::{Lab, PATIENCE, Process, Report, skip, wait_until};

#[test]
fn problems_come_first_in_json_and_text() {
    let lab = Lab::new();
    let _running = lab.master("build");
    let mut stale = lab.master("web");
    stale.kill();
    let suspended = lab.master("db");
    suspended.suspend();
    let report = lab.list();
    let states: Vec<_> = report
        .sockets()
        .iter()
        .map(|socket| socket.state().to_owned())
        .collect();
    assert_eq!(states, ["unresponsive", "stale", "running"]);

    let text = lab.muxtray(["list"]).expect(1).stdout;
    let at = |word: &str| {
        text.find(word)
            .unwrap_or_else(|| panic!("no {word:?} in\n{text}"))
    };
    assert!(
        at("unresponsive") < at("stale") && at("stale") < at("running"),
        "{text}"
    );
}

#[test]
fn table_is_aligned_without_colour_and_has_remedies() {
    let lab = Lab::new();
    let running = lab.master("build");
    let mut stale = lab.master("web");
    stale.kill();
    let text = lab.muxtray(["list"]).expect(0).stdout;
    let lines: Vec<_> = text.lines().collect();
    assert!(!text.contains('\u{1b}'), "no colour in a pipe: {text:?}");
    assert!(lines.iter().all(|line| !line.ends_with(' ')), "{text:?}");

    let column = |word: &str, line: &str| {
        line.find(word)
            .map(|at| line[..at].chars().count())
            .unwrap_or_else(|| panic!("no {word:?} in {line:?}"))
    };
    let row = |word: &str| {
        *lines
            .iter()
            .find(|line| line.contains(word) && line.contains("/s/"))
            .unwrap_or_else(|| panic!("no row with {word:?} in\n{text}"))
    };
    let (stale_row, running_row) = (row(" stale "), row(" running "));
    assert_eq!(
        column("stale", stale_row),
        column("running", running_row),
        "{text}"
    );
    assert_eq!(
        column("/tmp/", stale_row),
        column("/tmp/", running_row),
        "{text}"
    );
    assert!(running_row.contains(&running.pid().to_string()), "{text}");
    let below = lines.iter().position(|line| *line == stale_row).unwrap() + 1;
    let remedy = format!("muxtray clean {}", stale.path().display());
    assert!(
        lines[below..below + 2]
            .iter()
            .any(|line| line.contains(&remedy)),
        "{text}"
    );
}

#[test]
fn colour_is_used_on_a_terminal_without_no_color() {
    let name = "colour_is_used_on_a_terminal_without_no_color";
    if Command::new("script").arg("--version").output().is_err() {
        return skip(name, "script(1), which makes terminals, is not installed");
    }
    let lab = Lab::new();
    let _master = lab.master("web");
    let on_a_terminal = |no_color: bool| {
        let muxtray = lab.muxtray_command(["list"]);
        let line: Vec<_> = std::iter::once(muxtray.get_program())
            .chain(muxtray.get_args())
            .map(|word| word.to_str().unwrap())
            .collect();
        // script(1) provides a terminal.
        let mut script = lab.command("script");
        script.args([
            "--quiet",
            "--return",
            "--command",
            &line.join(" "),
            "/dev/null",
        ]);
        script.env("TERM", "xterm-256color");
        if no_color {
            script.env("NO_COLOR", "1");
        }
        Process::run(script, PATIENCE).expect(0).stdout
    };
    assert!(on_a_terminal(false).contains("\u{1b}["));
    let plain = on_a_terminal(true);
    assert!(
        plain.contains("running") && !plain.contains("\u{1b}["),
        "{plain:?}"
    );
}

#[test]
fn watch_prints_one_json_line_per_change() {
    let lab = Lab::new();
    let mut watch = Process::start(lab.muxtray_command(["list", "--watch", "--json"]));
    // The states in each complete line.
    let lines = |watch: &Process| -> Vec<Vec<String>> {
        let text = watch.stdout();
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let states = |report: Report| {
            let sockets = report.sockets();
            sockets
                .iter()
                .map(|socket| socket.state().to_owned())
                .collect()
        };
        complete.lines().map(Report::parse).map(states).collect()
    };
    let last_is =
        |watch: &Process, states: &[&str]| lines(watch).last().is_some_and(|last| last == states);
    wait_until("it prints the beginning", PATIENCE, || last_is(&watch, &[]));
    let mut master = lab.master("web");
    wait_until("it prints the new master", PATIENCE, || {
        last_is(&watch, &["running"])
    });
    master.kill();
    wait_until("it prints the stale socket", PATIENCE, || {
        last_is(&watch, &["stale"])
    });
    assert!(watch.is_running(), "{}", watch.stderr());
    assert_eq!(lines(&watch), [vec![], vec!["running"], vec!["stale"]]);
}

#[test]
fn watch_ends_when_nothing_reads_it() {
    let lab = Lab::new();
    for format in ["{summary}", "waybar", "json", "table"] {
        let mut command = lab.muxtray_command(["list", "--watch", "--format", format]);
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = lab.command("sh");
        command.args(["-c", "\"$@\" | head -n 1", "sh"]);
        command.arg(program).args(arguments);
        Process::run(command, PATIENCE).expect(0);
    }
}
