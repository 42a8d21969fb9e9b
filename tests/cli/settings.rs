//! Saving of settings: the resulting file, and the files that must not change.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Lab, PATIENCE, Process, User, skip, wait_until};
use muxtray::config::{self, SetError};
use muxtray::model::finding::FindingId;
use muxtray::model::settings::{Change, Setting};
use nix::sys::signal::Signal;

fn file(lab: &Lab) -> PathBuf {
    lab.path("config/muxtray/config.toml")
}

#[test]
fn changed_setting_applies_and_the_rest_of_the_file_is_kept() {
    let lab = Lab::new();
    let mine = "# Mine.\n\n  clean_automatically = false   # for now\ninterval_secs = 7\n[notifications]\nstale = true\n";
    lab.write("config/muxtray/config.toml", mine);
    let before = fs::metadata(file(&lab)).unwrap();
    config::set(
        &file(&lab),
        &Change::Switch(Setting::CleanAutomatically, true),
    )
    .unwrap();
    config::set(
        &file(&lab),
        &Change::Switch(Setting::Kind(FindingId::Stale), false),
    )
    .unwrap();
    config::set(&file(&lab), &Change::Switch(Setting::ExitStranded, true)).unwrap();
    assert_eq!(
        fs::read_to_string(file(&lab)).unwrap(),
        "# Mine.\n\n  clean_automatically = true   # for now\ninterval_secs = 7\nexit_stranded = true\n\
         [notifications]\nstale = false\n"
    );
    let after = fs::metadata(file(&lab)).unwrap();
    let of = |file: &fs::Metadata| (file.mode(), file.uid(), file.gid());
    assert_eq!(of(&after), of(&before), "still the user's own");
    lab.muxtray(["config", "check"]).expect(0);
    let shown = lab.muxtray(["config", "show"]).expect(0).stdout;
    for line in [
        "clean_automatically = true",
        "exit_stranded = true",
        "interval_secs = 7",
        "stale = false",
        "misowned = true",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
}

#[test]
fn new_file_documents_every_setting() {
    let lab = Lab::new();
    // The file belongs to this process's user, because root writes no file in another user's directory.
    let own = tempfile::tempdir().unwrap();
    let new = own.path().join("muxtray/config.toml");
    config::set(&new, &Change::Switch(Setting::Notifications, false)).unwrap();
    let text = fs::read_to_string(new).unwrap();
    lab.write("config/muxtray/config.toml", &text);
    let shown = lab.muxtray(["config", "show"]).expect(0).stdout;
    assert_eq!(text, shown);
    assert!(text.contains("\nenabled = false\n"), "{text}");
}

#[test]
fn a_link_to_a_file_elsewhere_stays_a_link() {
    let lab = Lab::new();
    let elsewhere = lab.write("dotfiles.toml", "interval_secs = 7 # mine\n");
    fs::remove_file(file(&lab)).unwrap();
    symlink(&elsewhere, file(&lab)).unwrap();
    config::set(&file(&lab), &Change::Switch(Setting::ExitStranded, true)).unwrap();
    assert!(file(&lab).symlink_metadata().unwrap().is_symlink());
    assert_eq!(
        fs::read_to_string(elsewhere).unwrap(),
        "interval_secs = 7 # mine\nexit_stranded = true\n"
    );
}

#[test]
fn unreadable_file_is_left_unchanged() {
    let lab = Lab::new();
    for text in ["no_such_key = 1\n", "interval_secs = \n", "\u{0}"] {
        lab.write("config/muxtray/config.toml", text);
        let error =
            config::set(&file(&lab), &Change::Switch(Setting::ExitStranded, true)).unwrap_err();
        assert!(matches!(error, SetError::NotReadable(_)), "{error:?}");
        assert!(
            error.to_string().ends_with("muxtray config edit"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(file(&lab)).unwrap(), text);
    }
}

#[test]
fn file_changed_during_discovery_is_read() {
    let lab = Lab::new();
    let armed = lab.path("armed");
    let script = format!(
        "if rm {} 2>/dev/null; then echo 'interval_secs = 0' >> {}; fi\nexec ssh \"$@\"",
        armed.display(),
        file(&lab).display()
    );
    let ssh = lab.script("ssh", &script);
    lab.write_muxtray_config(&format!("ssh_program = \"{}\"\n", ssh.display()));
    let mut run = Process::start(lab.muxtray_command(["run", "--no-tray", "-v"]));
    wait_until("it has looked once", PATIENCE, || {
        assert!(run.is_running(), "{}", run.stderr());
        run.stderr().contains("no masters")
    });
    lab.write("armed", "");
    // Another program makes muxtray read the hosts again, and the script changes the file at that moment.
    let other = lab.install(&ssh, "other-ssh");
    lab.write_muxtray_config(&format!("ssh_program = \"{}\"\n", other.display()));
    wait_until("it says that the file is bad", PATIENCE, || {
        run.stderr().contains("1 problem")
    });
    run.signal(Signal::SIGTERM);
    run.finish(PATIENCE).expect(0);
}

/// Names the small filesystem in the environment of the test's second run.
const DISK: &str = "MUXTRAY_TEST_DISK";

#[test]
fn full_disk_leaves_the_file_unchanged() {
    let name = "full_disk_leaves_the_file_unchanged";
    if let Some(disk) = env::var_os(DISK) {
        return on_a_full_disk(Path::new(&disk));
    }
    if !User::tests_are_root() {
        return skip(name, "only root can mount");
    }
    let lab = Lab::new();
    let mut command = lab.command("unshare");
    command
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .arg(format!(
            "mount -t tmpfs -o size=32k tmpfs \"${DISK}\" || exit 77; exec \"$0\" --exact settings::{name}"
        ))
        .arg(env::current_exe().unwrap())
        .env(DISK, lab.path("data"));
    // The laboratory's commands do not run as root, and only root can mount.
    let mut as_root = std::process::Command::new(command.get_program());
    as_root.args(command.get_args()).envs(
        command
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    let finished = Process::run(as_root, PATIENCE);
    if finished.status.code() == Some(77) {
        return skip(name, "cannot mount");
    }
    let finished = finished.expect(0);
    assert!(finished.stdout.contains("1 passed"), "{finished:?}");
}

fn on_a_full_disk(disk: &Path) {
    let file = disk.join("config.toml");
    let text = "# mine\nexit_stranded = false\n";
    fs::write(&file, text).unwrap();
    let filled = fs::write(disk.join("full"), vec![0; 1 << 20]);
    assert!(filled.is_err(), "there is room for all of it");
    let error = config::set(&file, &Change::Switch(Setting::ExitStranded, true)).unwrap_err();
    assert!(matches!(error, SetError::NotWritable(_)), "{error:?}");
    assert!(error.to_string().contains("No space left"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let none = disk.join("none.toml");
    let error = config::set(&none, &Change::Switch(Setting::ExitStranded, true)).unwrap_err();
    assert!(matches!(error, SetError::NotWritable(_)), "{error:?}");
    assert_eq!(fs::read_dir(disk).unwrap().count(), 2, "nothing is left");
}
