//! Where other programs keep masters of their own. Each line is that program's documented or observed default.

use std::path::{Path, PathBuf};

use crate::model::control_path::{Known, Pattern};
use crate::model::places::{Managed, Place, WrittenBy};

/// The places of known programs, for this user and environment. git-annex is not among them: its sockets lie in
/// repositories, anywhere ([`crate::model::places::Places::managed_by`] knows them by their form).
pub(super) fn places(known: &Known) -> Vec<Place> {
    let home = |below: &str| known.home.join(below);
    let directory = |name: &str| {
        known
            .variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = directory("XDG_CACHE_HOME").unwrap_or_else(|| home(".cache"));
    let config = directory("XDG_CONFIG_HOME").unwrap_or_else(|| home(".config"));
    let temporary = known.temporary_dir().to_path_buf();
    let lima = directory("LIMA_HOME").unwrap_or_else(|| home(".lima"));
    let colima = directory("COLIMA_HOME").unwrap_or_else(|| home(".colima"));
    let ten_digits = "[0-9a-f]".repeat(10);
    let own = Reach::Own;
    [
        (
            Managed("ansible"),
            home(".ansible/cp"),
            ten_digits.as_str(),
            own,
        ),
        (
            Managed("kitty"),
            known.runtime_dir.clone(),
            "kssh-[0-9]*-*",
            own,
        ),
        (Managed("lima"), lima, "*/ssh.sock", own),
        (Managed("colima"), colima.join("_lima"), "*/ssh.sock", own),
        (
            Managed("colima"),
            config.join("colima/_lima"),
            "*/ssh.sock",
            own,
        ),
        (Managed("datalad"), cache.join("datalad/sockets"), "*", own),
        (
            Managed("nix"),
            temporary,
            "nix-*/ssh.sock",
            Reach::Everybody,
        ),
        (
            Managed("syncoid"),
            PathBuf::from("/tmp"),
            "syncoid-*",
            Reach::Everybody,
        ),
    ]
    .into_iter()
    .filter_map(|(managed, directory, glob, reach)| place(managed, &directory, glob, reach, known))
    .collect()
}

/// Whose files lie in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Only the user's: what has the form is the program's.
    Own,
    /// Everybody's: what has the form may be another user's, and then nobody's problem here.
    Everybody,
}

fn place(
    managed: Managed,
    directory: &Path,
    glob: &str,
    reach: Reach,
    known: &Known,
) -> Option<Place> {
    // Fails only where the directory itself holds `..`.
    let pattern = Pattern::below(directory, glob, known).ok()?;
    Some(Place {
        pattern: match reach {
            Reach::Own => pattern.distinct(),
            Reach::Everybody => pattern,
        },
        managed_by: Some(managed),
        written_by: WrittenBy::Person,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::{ControlPath, known_for_tests};
    use crate::model::places::Places;

    #[test]
    fn programs_are_known_by_where_their_sockets_lie() {
        let places = Places {
            patterns: places(&known_for_tests()),
            ..Places::default()
        };
        for (path, managed) in [
            ("/home/u/.ansible/cp/0a1b2c3d4e", Some(Managed("ansible"))),
            ("/home/u/.ansible/cp/0a1b2c3d4e5", None),
            ("/home/u/.ansible/cp/web", None),
            ("/run/user/1000/kssh-4711-0a1b2c", Some(Managed("kitty"))),
            ("/run/user/1000/kssh-x-0a1b2c", None),
            ("/home/u/.lima/default/ssh.sock", Some(Managed("lima"))),
            ("/home/u/.lima/default/other.sock", None),
            (
                "/home/u/.colima/_lima/colima/ssh.sock",
                Some(Managed("colima")),
            ),
            (
                "/home/u/.config/colima/_lima/x/ssh.sock",
                Some(Managed("colima")),
            ),
            (
                "/home/u/.cache/datalad/sockets/64c612f8",
                Some(Managed("datalad")),
            ),
            ("/tmp/nix-4711-0/ssh.sock", Some(Managed("nix"))),
            ("/tmp/syncoid-web-1700000000", Some(Managed("syncoid"))),
            ("/srv/repo/.git/annex/ssh/u@web", Some(Managed("git-annex"))),
            ("/srv/repo.git/annex/ssh/u@web", Some(Managed("git-annex"))),
            ("/home/u/.ssh/s/u@web-22", None),
        ] {
            let path = ControlPath::new(path).unwrap();
            assert_eq!(places.managed_by(&path), managed, "{path}");
        }
    }

    #[test]
    fn only_directories_of_everybody_are_vague() {
        for place in places(&known_for_tests()) {
            let everybody = matches!(place.managed_by, Some(Managed("nix") | Managed("syncoid")));
            assert_eq!(
                place.pattern.is_vague(),
                everybody,
                "{:?}",
                place.managed_by
            );
        }
    }

    #[test]
    fn a_moved_home_of_a_program_is_followed() {
        let mut known = known_for_tests();
        known
            .environment
            .insert("LIMA_HOME".into(), "/vm/[1]".into());
        let places = Places {
            patterns: places(&known),
            ..Places::default()
        };
        let path = ControlPath::new("/vm/[1]/default/ssh.sock").unwrap();
        assert_eq!(places.managed_by(&path), Some(Managed("lima")));
    }
}
