//! `muxtray config`, and the findings for a bad configuration file, which is never overwritten.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::{Finished, Lab, PATIENCE, Process, Report, User, skip, wait_until};
use nix::sys::signal::Signal;

/// Invalid files, each with a word of the error message.
const BAD: &[(&str, &str)] = &[
    ("interval_secs = \"soon\"\n", "line 1"),
    ("interval_secs = 0\n", "interval_secs"),
    ("no_such_key = 1\n", "no_such_key"),
    ("interval_secs = \n", "line 1"),
    ("ignored_paths = [\"/a/***\"]\n", "***"),
    ("[notifications]\nno-such-kind = true\n", "no-such-kind"),
    ("\u{0}\u{1}\u{2}", "line 1"),
];

fn file(lab: &Lab) -> PathBuf {
    lab.path("config/muxtray/config.toml")
}

/// Runs `list --json` with a configuration file that ignores no paths.
fn list(lab: &Lab, arguments: &[&str]) -> Finished {
    lab.muxtray(["list", "--json"].iter().chain(arguments))
}

#[test]
fn path_prints_the_path_of_the_file() {
    let lab = Lab::new();
    let said = lab.muxtray(["config", "path"]).expect(0);
    assert_eq!(said.stdout.trim_end(), file(&lab).to_str().unwrap());
    let said = lab
        .muxtray(["config", "path", "--config", "/elsewhere.toml"])
        .expect(0);
    assert_eq!(said.stdout.trim_end(), "/elsewhere.toml");
}

#[test]
fn show_prints_a_valid_file_with_the_same_settings() {
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 7\nextra_paths = [\"~/with space/*\"]\n");
    let shown = lab.muxtray(["config", "show"]).expect(0).stdout;
    assert!(shown.contains("interval_secs = 7"), "{shown}");
    let copy = lab.write("copy.toml", &shown);
    let copy = copy.to_str().unwrap();
    lab.muxtray(["config", "check", "--config", copy]).expect(0);
    let again = lab.muxtray(["config", "show", "--config", copy]).expect(0);
    assert_eq!(again.stdout, shown);
}

#[test]
fn show_explains_every_key_without_a_file() {
    let lab = Lab::new();
    fs::remove_file(file(&lab)).unwrap();
    let shown = lab.muxtray(["config", "show"]).expect(0).stdout;
    let mut explained = false;
    for line in shown.lines() {
        let is_key = line.contains(" = ") && !line.starts_with('#');
        assert!(
            !is_key || explained,
            "nothing is said of {line:?} in\n{shown}"
        );
        explained = line.starts_with('#') || (is_key && explained);
    }
    assert!(!file(&lab).exists(), "showing writes nothing");
}

#[test]
fn check_accepts_a_missing_and_a_valid_file() {
    let lab = Lab::new();
    lab.muxtray(["config", "check"]).expect(0);
    fs::remove_file(file(&lab)).unwrap();
    lab.muxtray(["config", "check"]).expect(0);
}

#[test]
fn invalid_file_is_reported_and_kept() {
    let lab = Lab::new();
    for (text, word) in BAD {
        lab.write("config/muxtray/config.toml", text);
        let said = lab.muxtray(["config", "check"]).expect(2);
        assert!(said.stdout.contains(word), "{text:?}: {said:?}");
        assert!(
            said.stdout.contains(file(&lab).to_str().unwrap()),
            "{said:?}"
        );

        let listed = list(&lab, &[]);
        let report = Report::parse(&listed.stdout);
        assert!(
            report.finding_ids().contains(&"config-invalid".to_owned()),
            "{text:?}: {listed:?}"
        );
        assert_eq!(listed.code(), 1, "an error-level finding");
        assert_eq!(
            fs::read_to_string(file(&lab)).unwrap(),
            *text,
            "never overwritten"
        );
    }
}

#[test]
fn directory_or_binary_file_is_reported_and_kept() {
    let lab = Lab::new();
    lab.write("bytes.toml", b"interval_secs = \xff\n");
    lab.make_directory("directory.toml");
    lab.write("huge.toml", vec![b'#'; 2 << 20]);
    let fifo = lab.path("fifo.toml");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    User::get().own(&fifo);
    for name in ["bytes.toml", "directory.toml", "huge.toml", "fifo.toml"] {
        let path = lab.path(name);
        let before = fs::symlink_metadata(&path).unwrap().len();
        let said = lab
            .muxtray(["config", "check", "--config", path.to_str().unwrap()])
            .expect(2);
        assert!(said.stdout.contains(name), "{said:?}");
        assert_eq!(fs::symlink_metadata(&path).unwrap().len(), before);
    }
}

#[test]
fn unreadable_file_is_reported() {
    let lab = Lab::new();
    let path = file(&lab);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if User::get().uid == 0 {
        return skip("unreadable_file_is_reported", "root reads every file");
    }
    let said = lab.muxtray(["config", "check"]).expect(2);
    assert!(
        said.stdout.to_lowercase().contains("permission denied"),
        "{said:?}"
    );
    let finding = lab.list().finding("config-invalid");
    let mut shell = lab.command("sh");
    shell.args(["-c", finding["command"].as_str().unwrap()]);
    Process::run(shell, PATIENCE).expect(0);
    lab.muxtray(["config", "check"]).expect(0);
}

#[test]
fn missing_config_argument_file_is_wrong_usage() {
    let lab = Lab::new();
    let said = list(&lab, &["--config", "/nowhere.toml"]).expect(2);
    assert!(
        said.stderr.contains("/nowhere.toml") && said.stdout.is_empty(),
        "{said:?}"
    );
}

#[test]
fn edit_writes_the_documented_file_once_and_checks_the_result() {
    let lab = Lab::new();
    fs::remove_file(file(&lab)).unwrap();
    let edit = |editor: &str| {
        let mut command = lab.muxtray_command(["config", "edit"]);
        command.env("EDITOR", editor);
        Process::run(command, PATIENCE)
    };
    edit("test -s").expect(0);
    let first = fs::read_to_string(file(&lab)).unwrap();
    assert!(first.contains("interval_secs = 300"), "{first}");
    let mode = fs::metadata(file(&lab)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let said = edit("sed -i 's/interval_secs = 300/interval_secs = never/'").expect(2);
    assert!(said.stdout.contains("line"), "{said:?}");
    let changed = fs::read_to_string(file(&lab)).unwrap();
    assert!(
        changed.contains("interval_secs = never"),
        "what was typed is kept: {changed}"
    );

    edit("sed -i 's/interval_secs = never/interval_secs = 5/'").expect(0);
    let failed = edit("false");
    assert_ne!(failed.code(), 0, "{failed:?}");
    assert!(
        fs::read_to_string(file(&lab))
            .unwrap()
            .contains("interval_secs = 5")
    );
}

#[test]
fn running_watcher_applies_changes_and_ignores_an_invalid_file() {
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 1\n");
    let mut run = Process::start(lab.muxtray_command(["run", "--no-tray", "-v"]));
    wait_until("it has looked once", PATIENCE, || {
        assert!(run.is_running(), "{}", run.stderr());
        run.stderr().contains("no masters")
    });
    let good = fs::read_to_string(file(&lab)).unwrap();
    lab.write("config/muxtray/config.toml", "interval_secs = \"soon\"\n");
    wait_until("it says that the file is bad", PATIENCE, || {
        run.stderr().contains("interval_secs") || run.stderr().contains("1 problem")
    });
    // The last valid settings apply: the interval is still one second, so a new master is seen at once.
    let mut master = lab.master("web");
    wait_until("it goes on looking", PATIENCE, || {
        run.stderr().contains("1 master")
    });

    lab.write(
        "config/muxtray/config.toml",
        format!("clean_automatically = true\n{good}"),
    );
    master.kill();
    wait_until("the new settings clean", PATIENCE, || {
        !master.path().exists()
    });
    assert!(run.is_running());
    run.signal(Signal::SIGTERM);
    run.finish(PATIENCE).expect(0);
}

#[test]
fn ignored_paths_are_not_listed_and_extra_paths_are() {
    let lab = Lab::new();
    let master = lab.master("web");
    let extra = lab.path("extra.sock");
    lab.dead_socket(&extra);
    assert_eq!(lab.list().sockets().len(), 1, "{:#}", lab.list().json);
    lab.write_muxtray_config(&format!(
        "extra_paths = [\"{}/*.sock\"]\n",
        lab.path("").display()
    ));
    assert_eq!(lab.list().at(&extra).state(), "stale");

    lab.ignore(&[&format!("{}/web-*", lab.path("s").display())]);
    assert!(lab.list().all_at(master.path()).is_empty());
}
