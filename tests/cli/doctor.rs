//! `muxtray doctor`: one real cause for each finding, set-ups without findings, and the effect of `--fix` on both.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{GOOD, Lab, NOBODY, Report, Session, User, files_below, skip};
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use serde_json::json;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

#[test]
fn readme_configuration_has_no_findings() {
    let readme = fs::read_to_string("README.md").unwrap();
    let (_, rest) = readme.split_once("## A good ssh configuration").unwrap();
    let block = rest.split("```").nth(1).unwrap();
    assert!(block.contains("ControlPath ~/.ssh/s/%C"), "{block}");
    let lab = Lab::new();
    // ssh expands `~` to the home in the password database; the tests' user has none there.
    let directory = lab.path("s").display().to_string();
    let block = block.replace("~/.ssh/s", &directory);
    for hosts in ["", "Host web\nHost db\n    Port 2222\n"] {
        lab.write("ssh_config", format!("{hosts}{block}"));
        let text = lab.muxtray(["doctor"]).expect(0).stdout;
        assert!(text.starts_with("no problems found"), "{text}");
        assert_eq!(lab.doctor().all_ids(), [""; 0]);
    }
}

#[test]
fn healthy_setups_have_no_findings() {
    let lab = Lab::good();
    let scratch = lab.path("");
    let scratch = scratch.display();
    let cases = [
        (
            "%C",
            format!("Host web\n    ControlPath {scratch}/s/%C\n{GOOD}"),
        ),
        (
            "two names of one machine",
            format!(
                "Host web alias\n    HostName 127.0.0.1\n    ControlPath {scratch}/s/one\n{GOOD}"
            ),
        ),
        (
            "the runtime directory",
            format!("Host web\n    ControlPath ${{XDG_RUNTIME_DIR}}/%C\n{GOOD}"),
        ),
        (
            "a missing directory that nobody makes a master in",
            format!("Host web\n    ControlMaster no\n    ControlPath {scratch}/nowhere/%C\n"),
        ),
    ];
    for (what, configuration) in cases {
        lab.write("ssh_config", configuration);
        let report = lab.doctor();
        assert_eq!(report.all_ids(), [""; 0], "{what}: {:#}", report.json);
        assert_eq!(report.status, 0, "{what}");
    }
    lab.configure(&format!("Host web\n{GOOD}"));
    set_mode(&lab.path("s"), 0o755);
    let _master = lab.master("web");
    assert_eq!(lab.doctor().all_ids(), [""; 0]);
}

#[test]
fn every_cause_has_its_finding() {
    type Make = fn(&Lab);
    let cases: &[(&str, Make, &[&str], i32)] = &[
        (
            "no directory",
            |lab| fs::remove_dir(lab.path("s")).unwrap(),
            &["directory-missing"],
            1,
        ),
        (
            "a file in its place",
            |lab| {
                fs::remove_dir(lab.path("s")).unwrap();
                lab.write("s", "");
            },
            &["directory-missing"],
            1,
        ),
        (
            "a directory that others may write to",
            |lab| set_mode(&lab.path("s"), 0o777),
            &["directory-insecure"],
            1,
        ),
        (
            "a parent that others may write to",
            |lab| set_mode(&lab.path(""), 0o707),
            &["directory-insecure"],
            1,
        ),
        (
            "a directory without the write bit",
            |lab| set_mode(&lab.path("s"), 0o500),
            &["directory-not-writable"],
            1,
        ),
        (
            "a path of 97 bytes",
            |lab| {
                let directory = lab.path("s").display().to_string();
                let name = "x".repeat(96 - directory.len());
                lab.configure(&format!(
                    "Host web\n    ControlPath {directory}/{name}\n{GOOD}"
                ));
            },
            &["path-too-long"],
            1,
        ),
        (
            "one path for two ports",
            |lab| {
                let path = lab.path("s/one");
                let path = path.display();
                lab.configure(&format!(
                    "Host web\n    ControlPath {path}\n{GOOD}Host db\n    Port 1\n    ControlPath {path}\n{GOOD}"
                ));
            },
            &["path-collision"],
            1,
        ),
        (
            "ServerAliveInterval is not set",
            |lab| lab.configure("Host web\n    ControlMaster auto\n    ControlPersist 5m\n"),
            &["no-keepalive"],
            0,
        ),
        (
            "ControlPersist is not set",
            |lab| lab.configure("Host web\n    ControlMaster auto\n    ServerAliveInterval 15\n"),
            &["no-control-persist"],
            0,
        ),
        (
            "a bad file of muxtray's own",
            |lab| drop(lab.write_muxtray_config("interval_secs = 0\n")),
            &["config-invalid"],
            1,
        ),
        (
            "no ssh",
            |lab| drop(lab.write_muxtray_config("ssh_program = \"/nowhere/ssh\"\n")),
            &["ssh-missing"],
            1,
        ),
    ];
    for (what, make, expected, status) in cases {
        let lab = Lab::good();
        make(&lab);
        let report = lab.doctor();
        // Without its own configuration muxtray sees the sockets of other tests, too.
        assert_eq!(report.finding_ids(), *expected, "{what}: {:#}", report.json);
        assert_eq!(report.status, *status, "{what}");
        assert_eq!(
            lab.list().json["findings"],
            report.json["findings"],
            "{what}: list says the same"
        );
        set_mode(&lab.path(""), 0o700);
    }
}

#[test]
fn another_users_directory_is_misowned_with_a_remedy() {
    let name = "another_users_directory_is_misowned_with_a_remedy";
    if !User::tests_are_root() {
        return skip(name, "only root can give files away");
    }
    let lab = Lab::good();
    let directory = lab.path("s");
    for (owner, mode) in [(0, 0o755), (NOBODY, 0o777)] {
        chown(&directory, Some(owner), Some(owner)).unwrap();
        set_mode(&directory, mode);
        let before = directory.metadata().unwrap().mode();
        let text = lab.muxtray(["doctor", "--fix"]).expect(1).stdout;
        let command = format!("sudo chown {}: {}", User::get().name, directory.display());
        assert!(text.contains(&command), "{text}");
        assert_eq!(directory.metadata().unwrap().mode(), before);
        assert_eq!(lab.doctor().all_ids(), ["directory-misowned"]);
    }
}

#[test]
fn every_socket_problem_has_its_finding() {
    let lab = Lab::new();
    lab.configure(&format!(
        "Host web\n    ControlPersist yes\nHost db\n{GOOD}"
    ));
    let persisted = lab.persisted_master("web", "yes");
    assert!(persisted > 0);
    let then = (SystemTime::now() - Duration::from_secs(2 * 24 * 3600))
        .duration_since(UNIX_EPOCH)
        .unwrap();
    let then = TimeSpec::from_duration(then);
    let path = lab.control_path("web");
    utimensat(
        AT_FDCWD,
        &path,
        &then,
        &then,
        UtimensatFlags::NoFollowSymlink,
    )
    .unwrap();
    let report = lab.doctor();
    assert_eq!(report.at(&path).finding_ids(), ["no-persist-expiry"]);

    let master = lab.master("db");
    let _sessions: Vec<Session> = (0..10).map(|_| master.session(&lab)).collect();
    let report = lab.doctor();
    assert_eq!(
        report.at(master.path()).finding_ids(),
        ["sessions-at-limit"]
    );
    assert_eq!(report.status, 0, "notes are no errors: {:#}", report.json);
}

#[test]
fn fix_repairs_what_is_safe_once() {
    let lab = Lab::good();
    let (open, missing) = (lab.path("s"), lab.path("new/deep"));
    lab.configure(&format!(
        "Host web\n{GOOD}Host db\n    ControlPath {}/%n\n{GOOD}",
        missing.display()
    ));
    let mut stale = lab.master("web");
    stale.kill();
    let leftover = lab.leftover(&lab.control_path("web"), Duration::from_secs(90));
    let live = lab.master("build");
    set_mode(live.path(), 0o666);
    set_mode(&open, 0o777);

    let before = lab.doctor();
    assert_eq!(before.status, 1);
    // Without the configuration it would fix nothing of this.
    let configuration = lab.path("ssh_config");
    let fix = format!("muxtray -F {} doctor --fix", configuration.display());
    let printed = lab.muxtray(["doctor"]).expect(1).stdout;
    assert!(printed.contains(&format!("{fix} does this")), "{printed}");
    assert!(printed.contains(&format!("{fix} fixes 5")), "{printed}");
    let told = lab.muxtray(["doctor", "--fix"]).expect(0).stdout;
    for done in [
        format!(
            "{}: created with mode 0700 (also created: {})",
            missing.display(),
            lab.path("new").display()
        ),
        format!("{}: mode changed from 0777 to 0755", open.display()),
        format!("{}: mode changed from 0666 to 0600", live.path().display()),
        format!("{}: removed", stale.path().display()),
        format!("{}: removed", leftover.display()),
        "no problems found".to_owned(),
    ] {
        assert!(told.contains(&done), "no {done:?} in\n{told}");
    }
    assert_eq!(
        (mode(&missing), mode(&open), mode(live.path())),
        (0o700, 0o755, 0o600)
    );
    assert!(!stale.path().exists() && !leftover.exists() && live.path().exists());

    let there = files_below(&lab.path("s"));
    let again = lab.muxtray(["doctor", "--fix"]).expect(0).stdout;
    assert!(
        again.starts_with("no problems found") && again.lines().count() == 1,
        "{again}"
    );
    assert_eq!(files_below(&lab.path("s")), there);
}

#[test]
fn unfixable_finding_remains_and_sets_the_status() {
    let lab = Lab::good();
    set_mode(&lab.path("s"), 0o500);
    lab.configure(&format!(
        "Host web\n{GOOD}Host db\n    ControlPath {}/%n\n{GOOD}",
        lab.path("new").display()
    ));
    let finished = lab.muxtray(["doctor", "--fix", "--json"]).expect(1);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.all_ids(), ["directory-not-writable"]);
    let remains = report.finding("directory-not-writable");
    assert_eq!(remains["fixable"], json!(false));
    let command = format!("chmod u+rwx {}", lab.path("s").display());
    assert_eq!(remains["command"], json!(command));
    let result = &report.json["results"][0];
    assert_eq!(result["target"], json!(lab.path("new")));
    assert_eq!(result["message"], "created with mode 0700");
}

#[test]
fn list_and_doctor_leave_directories_unchanged() {
    let lab = Lab::good();
    let directory = lab.path("s");
    let changed = || {
        let metadata = directory.metadata().unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    let before = changed();
    lab.list();
    assert_eq!(changed(), before, "list changes nothing");
    assert_eq!(lab.doctor().all_ids(), [""; 0]);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}
