//! Full disks: a file that muxtray writes stays unchanged or is replaced as a whole.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use muxtray::config;
use muxtray::model::settings::{Change, Setting};

use super::{RUN, end, orderly, wait_for_line};
use crate::support::{Lab, PATIENCE, Process, User, skip, wait_until};

/// A filesystem of 64 KiB mounted over a directory, until this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn over(lab: &Lab, directory: &str) -> Result<Self, String> {
        let User { uid, gid, .. } = User::get();
        if !User::tests_are_root() {
            return Err("only root can mount".to_owned());
        }
        let directory = lab.path(directory);
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size=64k,mode=700,uid={uid},gid={gid}"))
            .arg("muxtray-test")
            .arg(&directory)
            .output()
            .unwrap();
        if mount.status.success() {
            Ok(Self(directory))
        } else {
            Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned())
        }
    }

    /// Fills the disk.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        let error = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Asserts that the message names the file, the cause and the way out.
#[track_caller]
fn assert_message_names(finished: &str, file: &Path) {
    for part in [
        file.to_str().unwrap(),
        "No space left on device",
        "free some space",
    ] {
        assert!(finished.contains(part), "no {part:?} in {finished:?}");
    }
}

#[test]
fn setting_on_full_disk_leaves_old_file_complete() {
    let name = "setting_on_full_disk_leaves_old_file_complete";
    let lab = Lab::new();
    let disk = match SmallDisk::over(&lab, "config") {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    lab.write_muxtray_config("interval_secs = 7 # mine\n");
    let file = lab.path("config/muxtray/config.toml");
    let old = fs::read(&file).unwrap();
    disk.fill();
    let error = config::set(&file, &Change::Switch(Setting::CleanAutomatically, true)).unwrap_err();
    assert_message_names(&error.to_string(), &file);
    assert_eq!(fs::read(&file).unwrap(), old);
    assert_eq!(names(file.parent().unwrap()), ["config.toml"]);
    lab.muxtray(["config", "check"]).expect(0);
    disk.make_room();
    config::set(&file, &Change::Switch(Setting::CleanAutomatically, true)).unwrap();
    assert!(config::load(&file).unwrap().clean_automatically);
}

#[test]
fn first_configuration_on_full_disk_is_not_written() {
    let name = "first_configuration_on_full_disk_is_not_written";
    let lab = Lab::new();
    let disk = match SmallDisk::over(&lab, "config") {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    let file = lab.path("config/muxtray/config.toml");
    let edit = || {
        let mut command = lab.muxtray_command(["config", "edit"]);
        command.env("EDITOR", "true");
        orderly(command)
    };
    disk.fill();
    assert_message_names(&edit().expect(2).stderr, &file);
    assert!(!file.exists());
    lab.muxtray(["config", "check"]).expect(0);
    // A watcher logs it too, and uses the defaults.
    let mut run = Process::start(lab.muxtray_command(RUN));
    wait_for_line(&mut run, 0, "master");
    assert_message_names(&end(run).stderr, &file);
    assert_eq!(names(file.parent().unwrap()), [""; 0]);
    disk.make_room();
    edit().expect(0);
    assert!(config::load(&file).is_ok());
}

#[test]
fn autostart_on_full_disk_leaves_old_file_complete() {
    let name = "autostart_on_full_disk_leaves_old_file_complete";
    let lab = Lab::new();
    let disk = match SmallDisk::over(&lab, "config") {
        Ok(disk) => disk,
        Err(why) => return skip(name, &why),
    };
    let file = lab.path("config/autostart/io.github.muxtray.Muxtray.desktop");
    disk.fill();
    assert_message_names(
        &lab.muxtray(["autostart", "enable"]).expect(3).stderr,
        &file,
    );
    assert!(!file.exists());
    disk.make_room();
    lab.muxtray(["autostart", "enable"]).expect(0);
    let old = fs::read(&file).unwrap();
    disk.fill();
    assert_message_names(
        &lab.muxtray(["autostart", "disable"]).expect(3).stderr,
        &file,
    );
    assert_eq!(fs::read(&file).unwrap(), old);
    assert_eq!(
        names(file.parent().unwrap()),
        [file.file_name().unwrap().to_str().unwrap()]
    );
    lab.muxtray(["autostart", "status"]).expect(0);
    disk.make_room();
    lab.muxtray(["autostart", "disable"]).expect(0);
    lab.muxtray(["autostart", "status"]).expect(1);
}

#[test]
fn caches_on_full_disk_are_skipped_silently() {
    let name = "caches_on_full_disk_are_skipped_silently";
    let lab = Lab::new();
    let disks = SmallDisk::over(&lab, "cache")
        .and_then(|cache| Ok((cache, SmallDisk::over(&lab, "state")?)));
    let (cache, state) = match disks {
        Ok(disks) => disks,
        Err(why) => return skip(name, &why),
    };
    cache.fill();
    state.fill();
    let master = lab.master("web");
    // The list is complete, and standard error is empty.
    assert_eq!(lab.list().at(master.path()).state(), "running");
    let mut run = super::watcher(&lab);
    wait_for_line(&mut run, 0, "1 master");
    for (disk, directory) in [(&cache, "cache/muxtray"), (&state, "state/muxtray")] {
        assert_eq!(names(&lab.path(directory)), [""; 0]);
        disk.make_room();
    }
    // The next change is kept.
    let _second = lab.master("db");
    wait_for_line(&mut run, 0, "2 masters");
    wait_until("the recent hosts are kept", PATIENCE, || {
        lab.path("state/muxtray/recent-hosts.json").exists()
    });
    lab.list();
    assert!(lab.path("cache/muxtray/hosts.json").exists());
    end(run);
}

#[test]
fn unprintable_result_exits_with_3() {
    let lab = Lab::new();
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["doctor"],
        &["config", "show"],
        &["completions", "bash"],
        &["man"],
    ] {
        let wrapper = ["sh", "-c", "exec \"$0\" \"$@\" >/dev/full"];
        let finished = orderly(lab.muxtray_behind(wrapper, arguments)).expect(3);
        assert!(
            finished.stderr.contains("No space left on device"),
            "{finished:#?}"
        );
    }
}
