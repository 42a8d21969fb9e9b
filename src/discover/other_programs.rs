//! The control sockets that other programs make for themselves: one row for each place.

use std::path::{Path, PathBuf};

use crate::model::control_path::{Known, Pattern};
use crate::model::places::{Managed, Place, WrittenBy};

struct Row {
    program: &'static str,
    directory: fn(&Known) -> PathBuf,
    /// A glob of paths below the directory.
    sockets: &'static str,
    /// Other users use the directory too, so a file that matches may be another user's.
    is_shared: bool,
}

/// Documented or observed defaults. git-annex is in [`Places::managed_by`](crate::model::places::Places::managed_by).
const ROWS: &[Row] = &[
    Row {
        program: "ansible",
        directory: |known| known.home.join(".ansible/cp"),
        sockets: "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]",
        is_shared: false,
    },
    Row {
        program: "kitty",
        directory: |known| known.runtime_dir.clone(),
        sockets: "kssh-[0-9]*-*",
        is_shared: false,
    },
    Row {
        program: "lima",
        directory: |known| directory(known, "LIMA_HOME", ".lima"),
        sockets: "*/ssh.sock",
        is_shared: false,
    },
    Row {
        program: "colima",
        directory: |known| directory(known, "COLIMA_HOME", ".colima").join("_lima"),
        sockets: "*/ssh.sock",
        is_shared: false,
    },
    Row {
        program: "colima",
        directory: |known| directory(known, "XDG_CONFIG_HOME", ".config").join("colima/_lima"),
        sockets: "*/ssh.sock",
        is_shared: false,
    },
    Row {
        program: "datalad",
        directory: |known| directory(known, "XDG_CACHE_HOME", ".cache").join("datalad/sockets"),
        sockets: "*",
        is_shared: false,
    },
    Row {
        program: "nix",
        directory: |known| known.temporary_dir().to_path_buf(),
        sockets: "nix-*/ssh.sock",
        is_shared: true,
    },
    Row {
        program: "syncoid",
        directory: |_| PathBuf::from("/tmp"),
        sockets: "syncoid-*",
        is_shared: true,
    },
];

/// Returns the directory in this variable, or the default below the home directory.
fn directory(known: &Known, variable: &str, default: &str) -> PathBuf {
    let directory = known.variable(variable).map(Path::new);
    match directory.filter(|path| path.is_absolute()) {
        Some(directory) => directory.to_path_buf(),
        None => known.home.join(default),
    }
}

pub(super) fn places(known: &Known) -> impl Iterator<Item = Place> + '_ {
    ROWS.iter().filter_map(|row| {
        // An error means that the directory contains `..`.
        let pattern = Pattern::below(&(row.directory)(known), row.sockets, known).ok()?;
        Some(Place {
            pattern: if row.is_shared {
                pattern
            } else {
                pattern.distinct()
            },
            managed_by: Some(Managed(row.program)),
            written_by: WrittenBy::Person,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::{ControlPath, known_for_tests};
    use crate::model::places::Places;

    #[test]
    fn finds_program_by_path() {
        let mut known = known_for_tests();
        let places = |known: &Known| Places {
            patterns: places(known).collect(),
            ..Places::default()
        };
        let default = places(&known);
        for (path, program) in [
            ("/home/u/.ansible/cp/0a1b2c3d4e", Some("ansible")),
            ("/home/u/.ansible/cp/0a1b2c3d4e5", None),
            ("/home/u/.ansible/cp/web", None),
            ("/run/user/1000/kssh-4711-0a1b2c", Some("kitty")),
            ("/run/user/1000/kssh-x-0a1b2c", None),
            ("/home/u/.lima/default/ssh.sock", Some("lima")),
            ("/home/u/.lima/default/other.sock", None),
            ("/home/u/.colima/_lima/colima/ssh.sock", Some("colima")),
            ("/home/u/.config/colima/_lima/x/ssh.sock", Some("colima")),
            ("/home/u/.cache/datalad/sockets/64c612f8", Some("datalad")),
            ("/tmp/nix-4711-0/ssh.sock", Some("nix")),
            ("/tmp/syncoid-web-1700000000", Some("syncoid")),
            ("/srv/repo/.git/annex/ssh/u@web", Some("git-annex")),
            ("/home/u/.ssh/s/u@web-22", None),
        ] {
            let path = ControlPath::new(path).unwrap();
            let found = default.managed_by(&path);
            assert_eq!(found, program.map(Managed), "{path}");
        }
        for place in &default.patterns {
            let is_shared = matches!(place.managed_by, Some(Managed("nix" | "syncoid")));
            assert_eq!(place.pattern.is_vague(), is_shared, "{place:?}");
        }

        let variables = &mut known.environment;
        variables.insert("LIMA_HOME".into(), "/vm/[1]".into());
        let path = ControlPath::new("/vm/[1]/default/ssh.sock").unwrap();
        let found = places(&known).managed_by(&path);
        assert_eq!(found, Some(Managed("lima")));
    }
}
