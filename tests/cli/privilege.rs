//! Rights of the built programs: refused elevation, running as root, private files.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{
    Behaviour, Finished, Lab, Listener, PATIENCE, Process, User, files_below, program, skip,
    wait_until,
};

/// Copies a built program to the lab, where the user can run it; `None` if this build has no such program.
fn copy(lab: &Lab, name: &str) -> Option<PathBuf> {
    let built = program().with_file_name(name);
    if !built.exists() {
        return None;
    }
    Some(lab.install(&built, name))
}

#[test]
fn refuses_setuid_setgid_and_file_capabilities() {
    let name = "refuses_setuid_setgid_and_file_capabilities";
    if !User::tests_are_root() {
        return skip(name, "only root can set them");
    }
    let lab = Lab::new();
    for built in ["muxtray", "muxtray-applet"] {
        let Some(program) = copy(&lab, built) else {
            skip(name, &format!("this build has no {built}"));
            continue;
        };
        let run = || Process::run(lab.command(&program), PATIENCE);
        let version = || {
            let mut command = lab.command(&program);
            command.arg("--version");
            Process::run(command, PATIENCE)
        };
        let refused = |output: Finished| {
            let output = output.expect(2);
            assert!(output.stderr.contains("refusing to run"), "{output:?}");
            assert_eq!(output.stdout, "");
        };
        chown(&program, Some(0), Some(0)).unwrap();
        version().expect(0);
        for mode in [0o4755, 0o2755, 0o6755] {
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
            refused(run());
            refused(version());
        }
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        version().expect(0);
        let mut setcap = Command::new("/sbin/setcap");
        setcap.arg("cap_dac_override+ep").arg(&program);
        if !Path::new("/sbin/setcap").exists() {
            skip(name, "setcap is not installed");
        } else if setcap.status().unwrap().success() {
            refused(version());
        } else {
            skip(name, "this filesystem keeps no file capabilities");
        }
    }
}

/// Runs muxtray as root with the user's environment, as `sudo -E` does.
fn as_root(lab: &Lab, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program());
    lab.set_environment(&mut command);
    command.arg("--ssh-config").arg(lab.path("ssh_config"));
    command.args(arguments);
    Process::run(command, PATIENCE)
}

#[test]
fn root_is_warned_and_sees_only_its_own_masters() {
    let name = "root_is_warned_and_sees_only_its_own_masters";
    if !User::tests_are_root() {
        return skip(name, "this is about root");
    }
    let lab = Lab::good();
    let path = lab.control_path("web");
    let listener = Listener::called_ssh(&lab, &path, Behaviour::Silent);
    let shown = path.to_str().unwrap();
    let of_user = lab.muxtray(["list"]);
    assert!(!of_user.stderr.contains("as root"), "{of_user:?}");
    assert!(of_user.stdout.contains(shown), "{of_user:?}");

    // The configuration names the path, so root sees the file of another user.
    let output = as_root(&lab, &["list"]);
    assert!(output.stderr.contains("running as root"), "{output:?}");
    assert!(output.stdout.contains("misowned"), "{output:?}");
    let output = as_root(&lab, &["list", "--json"]);
    assert_eq!(output.stderr, "");

    // Without a configuration only the kernel's table lists the socket; root sees the sockets of all users there.
    lab.write("ssh_config", "");
    for arguments in [&["list"][..], &["list", "--json"], &["doctor"]] {
        let output = as_root(&lab, arguments);
        assert!(!output.stdout.contains(shown), "{output:?}");
    }
    for action in ["check", "exit", "stop", "clean"] {
        let output = as_root(&lab, &[action, shown]);
        assert_ne!(output.code(), 0, "{output:?}");
        assert!(path.exists());
    }
    assert_eq!(listener.accepted(), 0);
}

#[test]
fn root_creates_no_file_in_a_users_home() {
    let name = "root_creates_no_file_in_a_users_home";
    if !User::tests_are_root() {
        return skip(name, "this is about root");
    }
    let lab = Lab::good();
    // An existing file would keep its owner.
    fs::remove_file(lab.path("config/muxtray/config.toml")).unwrap();
    let of_root = |lab: &Lab| -> Vec<PathBuf> {
        files_below(&lab.path("."))
            .into_iter()
            .filter(|file| fs::symlink_metadata(file).is_ok_and(|found| found.uid() == 0))
            .collect()
    };
    let before = of_root(&lab);
    as_root(&lab, &["list"]);
    let output = as_root(&lab, &["autostart", "enable"]);
    assert_ne!(output.code(), 0, "{output:?}");
    assert!(output.stderr.contains("file of root's"), "{output:?}");
    let mut command = Command::new(program());
    lab.set_environment(&mut command);
    command.args(["run", "--no-tray"]);
    let mut watching = Process::start(command);
    wait_until("it logs that it writes no file there", PATIENCE, || {
        watching.stderr().contains("file of root's")
    });
    watching.end();
    assert_eq!(of_root(&lab), before);
}

/// All files and directories below a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .flat_map(|entry| {
            let is_directory = entry.file_type().unwrap().is_dir();
            let inside = if is_directory {
                below(&entry.path())
            } else {
                Vec::new()
            };
            [inside, vec![entry.path()]].concat()
        })
        .collect()
}

#[test]
fn files_are_private_under_any_umask() {
    let lab = Lab::good();
    let path = lab.path("made/by/fix/%C");
    let path = path.display();
    let others = fs::read_to_string(lab.path("ssh_config")).unwrap();
    lab.write(
        "ssh_config",
        format!("Host deep\n    ControlPath {path}\n    ControlMaster auto\n{others}"),
    );
    // The lab has written one.
    let config = lab.path("config/muxtray/config.toml");
    fs::remove_file(&config).unwrap();
    let before = below(&lab.path("."));
    let program = lab.reachable_program();
    let open_umask = |arguments: &[&str]| {
        let mut command = lab.command("/bin/sh");
        command.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
        command.arg(&program).arg("--ssh-config");
        command.arg(lab.path("ssh_config")).args(arguments);
        command
    };
    Process::run(open_umask(&["list"]), PATIENCE).expect(1);
    Process::run(open_umask(&["doctor", "--fix"]), PATIENCE);
    Process::run(open_umask(&["autostart", "enable"]), PATIENCE).expect(0);
    let mut watching = Process::start(open_umask(&["run", "--no-tray"]));
    wait_until("the settings are written", PATIENCE, || config.exists());
    watching.end();

    let mut made = below(&lab.path("."));
    made.retain(|file| !before.contains(file) && !file.starts_with(lab.path("bin")));
    for expected in [
        config,
        lab.path("config/autostart/io.github.muxtray.Muxtray.desktop"),
        lab.path("cache/muxtray/hosts.json"),
        lab.path("made/by/fix"),
    ] {
        assert!(made.contains(&expected), "{expected:?} is not in {made:?}");
    }
    for file in made {
        let mode = fs::symlink_metadata(&file).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{} {mode:o}", file.display());
    }
}
