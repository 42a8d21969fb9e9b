//! `muxtray autostart`: the file it writes, the changes it keeps, its output, and the file read by GLib, systemd and
//! desktop-file-validate.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Finished, Lab, PATH, PATIENCE, Process, User, program, skip, wait_until};

const NAME: &str = "io.github.muxtray.Muxtray.desktop";

/// systemd's reader of autostart files.
const GENERATOR: &str = "/usr/lib/systemd/user-generators/systemd-xdg-autostart-generator";

fn file(lab: &Lab) -> PathBuf {
    lab.path("config/autostart").join(NAME)
}

/// Runs `muxtray autostart ACTION` as on an Xfce desktop.
#[track_caller]
fn autostart(lab: &Lab, action: &str) -> Finished {
    let mut command = lab.muxtray_command(["autostart", action]);
    command
        .env("XDG_CURRENT_DESKTOP", "XFCE")
        .env("XDG_CONFIG_DIRS", lab.path("etc/xdg"));
    Process::run(command, PATIENCE)
}

fn is_installed(program: &str) -> bool {
    PATH.split(':')
        .any(|directory| Path::new(directory).join(program).is_file())
}

#[test]
fn enable_disable_and_status_report_the_state() {
    let lab = Lab::new();
    let path = file(&lab);
    let shown = path.to_str().unwrap();
    let status = autostart(&lab, "status").expect(1);
    assert!(
        status.stdout.starts_with("does not start at login"),
        "{status:?}"
    );
    let said = autostart(&lab, "enable").expect(0);
    assert!(
        said.stdout.contains("enabled: ") && said.stdout.contains(shown),
        "{said:?}"
    );
    let said = autostart(&lab, "enable").expect(0);
    assert!(said.stdout.contains("already"), "{said:?}");
    let status = autostart(&lab, "status").expect(0);
    assert_eq!(
        status.stdout,
        format!("starts at login\nautostart file: {shown}\n")
    );
    let said = autostart(&lab, "disable").expect(0);
    assert!(said.stdout.contains("Hidden=true"), "{said:?}");
    let said = autostart(&lab, "disable").expect(0);
    assert_eq!(said.stdout, "no autostart file is active\n");
    let status = autostart(&lab, "status").expect(1);
    assert!(
        status
            .stdout
            .contains(&format!("inactive: {shown} (Hidden=true)")),
        "{status:?}"
    );
}

#[test]
fn enable_keeps_edits_of_the_user() {
    let lab = Lab::new();
    let mine = "#!/usr/bin/env xdg-open\n[Desktop Entry]\nType=Application\nName=Mine\n\
                Exec=sh -c \"sleep 1; exec muxtray run -v\"\nX-Mine = yes \n\n[Desktop Action Quit]\nName=Quit\n";
    lab.write(file(&lab), mine);
    autostart(&lab, "disable").expect(0);
    let hidden = mine.replace("X-Mine = yes \n", "X-Mine = yes \nHidden=true\n");
    assert_eq!(fs::read_to_string(file(&lab)).unwrap(), hidden);
    autostart(&lab, "enable").expect(0);
    let shown = hidden.replace("Hidden=true", "Hidden=false");
    assert_eq!(fs::read_to_string(file(&lab)).unwrap(), shown);
    autostart(&lab, "status").expect(0);
}

#[test]
fn a_link_to_a_file_elsewhere_stays_a_link() {
    let lab = Lab::new();
    autostart(&lab, "enable").expect(0);
    let elsewhere = lab.path("dotfiles.desktop");
    fs::rename(file(&lab), &elsewhere).unwrap();
    symlink(&elsewhere, file(&lab)).unwrap();
    autostart(&lab, "disable").expect(0);
    assert!(file(&lab).symlink_metadata().unwrap().is_symlink());
    let text = fs::read_to_string(elsewhere).unwrap();
    assert!(text.contains("\nHidden=true\n"), "{text}");
}

#[test]
fn invalid_or_protected_file_is_left_unchanged() {
    let lab = Lab::new();
    lab.write(file(&lab), "my notes\n");
    for action in ["enable", "disable", "status"] {
        let said = autostart(&lab, action).expect(2);
        assert!(
            said.stderr.contains(NAME) && said.stderr.contains("not a desktop entry"),
            "{said:?}"
        );
        assert_eq!(fs::read_to_string(file(&lab)).unwrap(), "my notes\n");
    }
    fs::remove_file(file(&lab)).unwrap();
    autostart(&lab, "enable").expect(0);
    if User::get().uid == 0 {
        return skip("a protected file is left alone", "root writes every file");
    }
    let before = fs::read(file(&lab)).unwrap();
    fs::set_permissions(file(&lab), fs::Permissions::from_mode(0o400)).unwrap();
    let said = autostart(&lab, "disable").expect(3);
    assert!(said.stderr.contains("Permission denied"), "{said:?}");
    assert_eq!(fs::read(file(&lab)).unwrap(), before);
}

#[test]
fn full_disk_leaves_the_file_unchanged() {
    let name = "full_disk_leaves_the_file_unchanged";
    let lab = Lab::new();
    let User { uid, gid, .. } = User::get();
    let script = format!(
        "mount -t tmpfs -o mode=700,uid={uid},gid={gid},size=16k tmpfs \"$1/config\"\n\
         mkdir -p \"$1/config/autostart\"\n\
         printf '[Desktop Entry]\\nType=Application\\nExec=sh\\n' > \"$1/config/autostart/{NAME}\"\n\
         chown -R {uid}:{gid} \"$1/config\"\n\
         head -c 64k /dev/zero > \"$1/config/full\" 2>/dev/null || :"
    );
    let said = match lab.muxtray_below_mounts(&script, ["autostart", "disable"]) {
        Ok(said) => said.expect(3),
        Err(why) => return skip(name, &why),
    };
    assert!(
        said.stderr.contains("No space left on device") && said.stderr.contains("unchanged"),
        "{said:?}"
    );
    // Disabling has failed; `status` below the same mounts reports the unchanged file as enabled.
    let script = format!(
        "{script}\nsetpriv --reuid={uid} --regid={gid} --clear-groups \"$2\" autostart disable 2>/dev/null || :\n\
         test \"$(ls -A \"$1/config/autostart\")\" = {NAME}"
    );
    lab.muxtray_below_mounts(&script, ["autostart", "status"])
        .unwrap()
        .expect(0);
}

#[test]
fn file_of_the_user_overrides_that_of_the_system() {
    let lab = Lab::new();
    let system = lab.write(
        Path::new("etc/xdg/autostart").join(NAME),
        "[Desktop Entry]\nType=Application\nName=muxtray\nExec=sh run\n",
    );
    let status = autostart(&lab, "status").expect(0);
    assert!(
        status.stdout.contains(system.to_str().unwrap()),
        "{status:?}"
    );
    autostart(&lab, "enable").expect(0);
    assert!(!file(&lab).exists());
    autostart(&lab, "disable").expect(0);
    autostart(&lab, "status").expect(1);
    autostart(&lab, "enable").expect(0);
    autostart(&lab, "status").expect(0);
}

#[test]
fn enable_refuses_to_change_only_show_in() {
    let lab = Lab::new();
    let text = "[Desktop Entry]\nType=Application\nExec=sh\nOnlyShowIn=GNOME;\n";
    lab.write(file(&lab), text);
    let output = autostart(&lab, "enable").expect(2);
    assert!(output.stderr.contains("OnlyShowIn=GNOME;"), "{output:?}");
    assert_eq!(fs::read_to_string(file(&lab)).unwrap(), text);
    let status = autostart(&lab, "status").expect(1);
    assert!(status.stdout.contains("OnlyShowIn=GNOME;"), "{status:?}");
}

#[test]
fn enabled_systemd_unit_is_reported_and_not_duplicated() {
    let lab = Lab::new();
    let unit = fs::read("packaging/muxtray.service").unwrap();
    lab.write("config/systemd/user/muxtray.service", unit);
    let link = lab.path("config/systemd/user/graphical-session.target.wants/muxtray.service");
    autostart(&lab, "status").expect(1);
    if is_installed("systemctl") {
        let mut command = lab.command("systemctl");
        command
            .args(["--user", "enable", "muxtray.service"])
            .env("SYSTEMD_OFFLINE", "1");
        Process::run(command, PATIENCE).expect(0);
    } else {
        lab.write(&link, "");
        fs::remove_file(&link).unwrap();
        symlink("../muxtray.service", &link).unwrap();
    }
    let said = autostart(&lab, "enable").expect(0);
    assert!(
        said.stdout.contains("already enabled by systemd")
            && said.stdout.contains(link.to_str().unwrap()),
        "{said:?}"
    );
    assert!(!file(&lab).exists());
    let status = autostart(&lab, "status").expect(0);
    assert!(status.stdout.contains("systemd unit: "), "{status:?}");

    lab.write(file(&lab), "[Desktop Entry]\nType=Application\nExec=sh\n");
    let status = autostart(&lab, "status").expect(0);
    assert!(status.stdout.contains("both start muxtray"), "{status:?}");
    let said = autostart(&lab, "disable").expect(1);
    assert!(
        said.stdout
            .contains("systemctl --user disable muxtray.service"),
        "{said:?}"
    );
}

/// Installs muxtray in a directory with this name, enables start at login there, and replaces the program with a
/// script. Returns the file in which the script records its arguments.
fn installed_in(lab: &Lab, name: &str) -> PathBuf {
    let name = lab.make_directory(name).join("muxtray");
    let mut command = lab.command(lab.install(program(), &name));
    command.args(["autostart", "enable"]);
    Process::run(command, PATIENCE).expect(0);
    let kept = lab.path("kept");
    let does = format!("echo \"$#:$*\" > {0}.new\nmv {0}.new {0}", kept.display());
    lab.script(&name, &does);
    kept
}

/// The path has no per cent sign: GLib looks for the program before it decodes `%%`, so it finds none.
const ODD: &str = "my $HOME \"bin\" `a` \\b 'c' \u{fc};&";

#[test]
fn glib_reads_and_starts_it_from_any_path() {
    if !is_installed("gio") {
        return skip(
            "glib_reads_and_starts_it_from_any_path",
            "gio is not installed",
        );
    }
    let lab = Lab::new();
    let kept = installed_in(&lab, ODD);
    let mut command = lab.command("gio");
    command.arg("launch").arg(file(&lab));
    Process::run(command, PATIENCE).expect(0);
    wait_until("it is started", PATIENCE, || kept.exists());
    assert_eq!(fs::read_to_string(kept).unwrap(), "1:run\n");
}

#[test]
fn systemds_generator_takes_it_unless_hidden() {
    let name = "systemds_generator_takes_it_unless_hidden";
    if !Path::new(GENERATOR).is_file() {
        return skip(name, "there is no systemd");
    }
    let lab = Lab::new();
    autostart(&lab, "enable").expect(0);
    let units = || {
        let out = lab.path("units");
        let _ = fs::remove_dir_all(&out);
        lab.make_directory("units");
        let mut command = lab.command(GENERATOR);
        command
            .args([&out, &out, &out])
            .env("XDG_CONFIG_DIRS", lab.path("etc/xdg"));
        Process::run(command, PATIENCE).expect(0);
        let unit = out.join("app-io.github.muxtray.Muxtray@autostart.service");
        fs::read_to_string(unit).ok()
    };
    let unit = units().expect("a unit for the file");
    let exec = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap_or_default();
    assert!(
        exec.contains(lab.reachable_program().to_str().unwrap()) && exec.contains("run"),
        "{unit}"
    );
    autostart(&lab, "disable").expect(0);
    assert_eq!(units(), None);
}

#[test]
fn desktop_file_validate_accepts_the_file() {
    if !is_installed("desktop-file-validate") {
        return skip(
            "desktop_file_validate_accepts_the_file",
            "desktop-file-validate is not installed",
        );
    }
    let lab = Lab::new();
    for action in ["enable", "disable", "enable"] {
        autostart(&lab, action).expect(0);
        let mut command = lab.command("desktop-file-validate");
        command.arg(file(&lab));
        let said = Process::run(command, PATIENCE).expect(0);
        assert!(said.stdout.is_empty(), "{said:?}");
    }
}
