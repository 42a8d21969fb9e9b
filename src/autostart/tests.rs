use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

struct Machine {
    scratch: tempfile::TempDir,
    autostart: Autostart,
}

impl Machine {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let place = |name: &str| scratch.path().join(name);
        let program = place("bin/muxtray");
        fs::create_dir(place("bin")).unwrap();
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let autostart = Autostart {
            config_home: Some(place("config")),
            config_dirs: vec![place("etc/xdg")],
            desktops: vec!["XFCE".to_owned()],
            programs: vec![place("bin")],
            units: vec![place("config/systemd/user"), place("lib/systemd/user")],
            program: Some(program),
        };
        Self { scratch, autostart }
    }

    fn file(&self) -> PathBuf {
        self.autostart.file().unwrap()
    }

    fn write(&self, path: &Path, lines: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("[Desktop Entry]\nType=Application\n{lines}")).unwrap();
    }

    fn read(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn inactive(&self) -> Option<String> {
        let file = self.autostart.status().unwrap().file.unwrap();
        file.inactive.map(|inactive| inactive.why)
    }

    fn is_enabled(&self) -> bool {
        self.autostart.status().unwrap().is_enabled()
    }

    fn enable_unit(&self) -> PathBuf {
        let directory = self.scratch.path().join("config/systemd/user");
        let link = directory.join("graphical-session.target.wants/muxtray.service");
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(directory.join("muxtray.service"), "[Service]\n").unwrap();
        symlink("../muxtray.service", &link).unwrap();
        link
    }
}

#[test]
fn enable_and_disable_change_only_hidden() {
    let machine = Machine::new();
    let autostart = &machine.autostart;
    let file = machine.file();
    assert!(!machine.is_enabled());
    assert_eq!(autostart.disable().unwrap(), None);
    assert!(!file.exists(), "nothing to write");

    assert_eq!(autostart.enable().unwrap(), Enabled::Written(file.clone()));
    assert!(machine.is_enabled());
    let first = machine.read();
    assert_eq!(
        autostart.enable().unwrap(),
        Enabled::Unchanged(file.clone())
    );
    assert_eq!(autostart.disable().unwrap(), Some(file.clone()));
    assert_eq!(machine.read(), format!("{first}Hidden=true\n"));
    assert!(!machine.is_enabled());
    assert_eq!(autostart.disable().unwrap(), None);
    assert_eq!(autostart.enable().unwrap(), Enabled::Written(file));
    assert_eq!(machine.read(), format!("{first}Hidden=false\n"));
    assert!(machine.is_enabled());
}

#[test]
fn enable_changes_every_key_that_prevents_a_start() {
    let machine = Machine::new();
    let ours = machine.autostart.program().unwrap().to_owned();
    let mine = "Exec=muxtray run -v\n# mine\n";
    for (lines, inactive, enabled) in [
        (
            format!("{mine}Hidden=true\n"),
            "Hidden=true",
            format!("{mine}Hidden=false\n"),
        ),
        (
            format!("{mine}X-GNOME-Autostart-enabled=false\n"),
            "X-GNOME-Autostart-enabled=false",
            format!("{mine}X-GNOME-Autostart-enabled=true\n"),
        ),
        (
            format!("TryExec=/gone/muxtray\n{mine}"),
            "TryExec=/gone/muxtray: no such program",
            format!("TryExec={ours}\n{mine}"),
        ),
        (
            "# mine\nExec=/gone/muxtray run\n".to_owned(),
            "Exec names no program that exists",
            format!("# mine\nExec={ours} run\n"),
        ),
        (
            "Name=mine\n".to_owned(),
            "Exec names no program that exists",
            format!("Name=mine\nExec={ours} run\n"),
        ),
    ] {
        machine.write(&machine.file(), &lines);
        assert_eq!(machine.inactive(), Some(inactive.to_owned()), "{lines}");
        assert!(!machine.is_enabled());
        machine.autostart.enable().unwrap();
        assert_eq!(
            machine.read(),
            format!("[Desktop Entry]\nType=Application\n{enabled}")
        );
        assert_eq!(machine.inactive(), None, "{lines}");
    }
}

#[test]
fn enable_does_not_change_the_list_of_desktops() {
    let mut machine = Machine::new();
    for (line, is_for_xfce) in [
        ("OnlyShowIn=XFCE;MATE;", true),
        ("OnlyShowIn=GNOME;", false),
        ("NotShowIn=GNOME", true),
        ("NotShowIn=KDE;XFCE", false),
    ] {
        let lines = format!("Exec=muxtray run\n{line}\n");
        machine.write(&machine.file(), &lines);
        assert_eq!(machine.is_enabled(), is_for_xfce, "{line}");
        if !is_for_xfce {
            let before = machine.read();
            let error = machine.autostart.enable().unwrap_err();
            assert!(error.to_string().contains(line), "{error}");
            assert_eq!(machine.read(), before);
        }
    }
    machine.autostart.desktops.clear();
    assert!(machine.is_enabled(), "the desktop is unknown");
}

#[test]
fn the_users_file_overrides_the_system_wide_one() {
    let machine = Machine::new();
    let system = machine
        .scratch
        .path()
        .join("etc/xdg/autostart")
        .join(FILE_NAME);
    machine.write(&system, "Exec=muxtray run\n");
    let before = fs::read(&system).unwrap();
    assert!(machine.is_enabled());
    assert_eq!(
        machine.autostart.enable().unwrap(),
        Enabled::Unchanged(system.clone())
    );
    assert!(!machine.file().exists());
    assert_eq!(machine.autostart.disable().unwrap(), Some(machine.file()));
    assert!(!machine.is_enabled());
    assert!(
        machine.read().ends_with("Hidden=true\n"),
        "{}",
        machine.read()
    );
    machine.autostart.enable().unwrap();
    assert!(machine.is_enabled());
    assert_eq!(fs::read(&system).unwrap(), before);

    fs::remove_file(machine.file()).unwrap();
    machine.write(&system, "Exec=muxtray run\nHidden=true\n");
    assert!(!machine.is_enabled());
    machine.autostart.enable().unwrap();
    assert!(machine.is_enabled());
}

#[test]
fn a_file_that_is_no_desktop_entry_is_not_changed() {
    let machine = Machine::new();
    let file = machine.file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    for text in [&b"what is this\n"[..], b"", b"[Desktop Entry]\nType=\xff\n"] {
        fs::write(&file, text).unwrap();
        for error in [
            machine.autostart.enable().unwrap_err(),
            machine.autostart.disable().unwrap_err(),
            machine.autostart.status().unwrap_err(),
        ] {
            assert!(
                matches!(error, AutostartError::NotAnEntry { .. }),
                "{error:?}"
            );
        }
        assert_eq!(fs::read(&file).unwrap(), text);
    }
}

#[test]
fn an_enabled_unit_counts_beside_the_file() {
    let machine = Machine::new();
    let link = machine.enable_unit();
    assert_eq!(
        machine.autostart.enable().unwrap(),
        Enabled::BySystemd(link.clone())
    );
    assert!(!machine.file().exists());
    let status = machine.autostart.status().unwrap();
    assert_eq!((status.file, status.unit), (None, Some(link.clone())));

    machine.write(&machine.file(), "Exec=muxtray run\n");
    let status = machine.autostart.status().unwrap();
    assert_eq!(status.unit, Some(link));
    let file = AutostartFile {
        path: machine.file(),
        inactive: None,
    };
    assert_eq!(status.file, Some(file));
    machine.autostart.disable().unwrap();
    assert!(machine.is_enabled(), "systemd still starts it");
}

#[test]
fn without_a_home_there_is_no_file() {
    let mut machine = Machine::new();
    machine.autostart.config_home = None;
    assert!(matches!(
        machine.autostart.enable(),
        Err(AutostartError::NoPlace)
    ));
    assert!(!machine.is_enabled());
}

#[test]
fn enable_needs_an_installed_program() {
    let mut machine = Machine::new();
    machine.autostart.program = None;
    assert!(matches!(
        machine.autostart.enable(),
        Err(AutostartError::NoProgram)
    ));
    machine.autostart.program = Some(machine.scratch.path().join("gone/muxtray"));
    assert!(matches!(
        machine.autostart.enable(),
        Err(AutostartError::NoProgram)
    ));
    assert!(!machine.file().exists());
}
