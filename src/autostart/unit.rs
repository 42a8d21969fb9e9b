//! Reads the links that `systemctl --user enable` makes; systemd itself is not asked.

use std::fs;
use std::path::{Path, PathBuf};

const UNIT: &str = "muxtray.service";

/// Targets that start with a session.
const TARGETS: [&str; 2] = ["graphical-session.target", "default.target"];

/// The target of the link that `systemctl mask` makes.
const MASK: &str = "/dev/null";

/// Returns the link by which systemd starts the unit. `directories` are those of units, the most important first.
pub(super) fn enabled(directories: &[PathBuf]) -> Option<PathBuf> {
    let unit = directories
        .iter()
        .map(|directory| directory.join(UNIT))
        .find(|unit| unit.symlink_metadata().is_ok())?;
    if is_masked(&unit) || fs::metadata(&unit).is_err() {
        return None;
    }
    let wants = |directory: &PathBuf| {
        TARGETS.map(|target| directory.join(format!("{target}.wants")).join(UNIT))
    };
    directories
        .iter()
        .flat_map(wants)
        .find(|link| link.symlink_metadata().is_ok() && !is_masked(link))
}

fn is_masked(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target == Path::new(MASK))
        || fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn directories() -> (tempfile::TempDir, Vec<PathBuf>) {
        let scratch = tempfile::tempdir().unwrap();
        let directories = ["user", "system"].map(|name| scratch.path().join(name));
        for directory in &directories {
            fs::create_dir_all(directory.join("graphical-session.target.wants")).unwrap();
        }
        (scratch, directories.into())
    }

    #[test]
    fn a_link_counts_if_its_unit_exists_and_is_not_masked() {
        let (_scratch, directories) = directories();
        let [user, system] = &directories[..] else {
            unreachable!("there are two")
        };
        let link = user.join("graphical-session.target.wants").join(UNIT);
        symlink(system.join(UNIT), &link).unwrap();
        assert_eq!(enabled(&directories), None, "no unit");
        fs::write(system.join(UNIT), "[Service]\n").unwrap();
        assert_eq!(enabled(&directories), Some(link.clone()));
        symlink(MASK, user.join(UNIT)).unwrap();
        assert_eq!(enabled(&directories), None, "masked");
        fs::remove_file(user.join(UNIT)).unwrap();
        fs::remove_file(&link).unwrap();
        assert_eq!(enabled(&directories), None, "no link");
    }
}
