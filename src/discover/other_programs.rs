//! The control sockets that other programs make for themselves: one row for each place, from the programs' sources.

use std::path::{Path, PathBuf};

use crate::model::control_path::{Known, Pattern};
use crate::model::places::{Managed, Place, WrittenBy};

#[derive(Clone, Copy)]
enum Base {
    Home,
    /// The directory in this variable, or this one below the home directory.
    Variable(&'static str, &'static str),
    Runtime,
    /// `$TMPDIR` and `/tmp`: the program may have another environment. Other users have files there, too.
    Temporary,
    /// `/var/tmp`, likewise.
    VarTmp,
}

use Base::{Home, Runtime, Temporary, VarTmp, Variable};

const CONFIG: Base = Variable("XDG_CONFIG_HOME", ".config");
const STATE: Base = Variable("XDG_STATE_HOME", ".local/state");
const CACHE: Base = Variable("XDG_CACHE_HOME", ".cache");
const DATA: Base = Variable("XDG_DATA_HOME", ".local/share");
const COLIMA: Base = Variable("COLIMA_HOME", ".colima");
const ANSIBLE_DIRECTORY: Base = Variable("ANSIBLE_SSH_CONTROL_PATH_DIR", ".ansible/cp");
/// The first ten digits of a hash.
const ANSIBLE_NAME: &str =
    "[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]";

/// Program, base, and a glob below the base. git-annex is in
/// [`Places::managed_by`](crate::model::places::Places::managed_by).
const ROWS: &[(&str, Base, &str)] = &[
    // `control_path` can be any template below the directory.
    ("ansible", Variable("ANSIBLE_HOME", ".ansible"), "cp/*"),
    ("ansible", ANSIBLE_DIRECTORY, ANSIBLE_NAME),
    // Any `control_path_dir`.
    ("ansible", Temporary, ANSIBLE_NAME),
    ("btrfs-backup-ng", Runtime, "btrfs-backup-ng-cm-*/cm*.sock"),
    (
        "btrfs-backup-ng",
        Temporary,
        "btrfs-backup-ng-cm-*/cm*.sock",
    ),
    ("bzfs", Home, ".ssh/bzfs/x/s*"),
    ("bzfs", Home, ".ssh/bzfs/*/c/s*"),
    ("clan", Temporary, "clan-ssh*/socket"),
    ("colima", COLIMA, "_lima/*/ssh.sock"),
    ("colima", CONFIG, "colima/_lima/*/ssh.sock"),
    ("datalad", CACHE, "datalad/sockets/*"),
    ("dstack", Home, ".dstack/ssh/*.control.sock"),
    // The wrappers before `ghostty +ssh` made a directory.
    ("ghostty", Temporary, "ghostty-ssh-*"),
    ("ghostty", Temporary, "ghostty-ssh-*/socket"),
    ("git-lfs", Runtime, "sock-*/lfs.sock"),
    ("git-lfs", Temporary, "sock-*/lfs.sock"),
    ("gvfs", Runtime, "gvfsd-sftp/*"),
    ("hermes", Temporary, "hermes-ssh*/*.sock"),
    ("kitty", Runtime, "kssh-[0-9]*-*"),
    // A link to a long runtime directory.
    ("kitty", Temporary, "kssh-rdir-*/kssh-[0-9]*-*"),
    ("kitty", Home, ".ssh/kitty-rf-[0-9]*-*"),
    ("labgrid", Temporary, "lg-con-*/control-*"),
    ("labgrid", Temporary, "lg-ssh-*/control-*"),
    (
        "lapce",
        Home,
        ".ssh/cm_????????????????????????????????????????",
    ),
    ("lima", Variable("LIMA_HOME", ".lima"), "*/ssh.sock"),
    ("net-openssh", Home, ".libnet-openssh-perl/*"),
    ("nix", Temporary, "nix-*/ssh.sock"),
    ("nixops", Temporary, "nixops-ssh-tmp*/master-socket"),
    ("nixos-rebuild", Temporary, "nixos-rebuild.*/ssh-*"),
    // GNU parallel.
    ("parallel", Temporary, "control_path_dir-*/ssh-*"),
    ("pyznap", Temporary, "pyznap_*"),
    ("rancher-desktop", DATA, "rancher-desktop/lima/*/ssh.sock"),
    ("ray", Temporary, "ray_ssh_*/*/*"),
    // The `repo` of Android. The sockets of ssh-agent beside it are called `agent.*`.
    ("repo", Temporary, "ssh-*/master-*"),
    // The crate `openssh`.
    ("rust-openssh", STATE, ".ssh-connection*/master"),
    ("rust-openssh", Temporary, ".ssh-connection*/master"),
    ("skypilot", Temporary, "skypilot_ssh_*/*/*"),
    ("syncoid", Temporary, "syncoid-*"),
    ("tmt", VarTmp, "tmt/*/ssh-sockets/*.socket"),
    // `tramp.%C`, and `tramp.XXXXXX.%C` before Tramp 2.2.12.
    ("tramp", Temporary, "tramp.*"),
    ("tramp-rpc", Home, ".ssh/tramp-rpc/*"),
    // Before Vagrant 2.2, and since.
    ("vagrant", Temporary, "ssh.[0-9][0-9][0-9]"),
    ("vagrant", Temporary, "vagrant-rsync-*"),
    ("vagrant", Temporary, "vagrant-rsync-*/*"),
    // A random number of 64 bits.
    (
        "warp",
        Home,
        ".ssh/[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]*",
    ),
    ("zed", Temporary, "zed-ssh-session*/ssh.sock"),
];

/// The processes that start a master and stay, for paths that a person configured in the program: `emacs` covers
/// `emacs-gtk`, too.
pub(super) const STARTERS: &[(&str, Managed)] = &[
    ("ansible", Managed("ansible")),
    ("emacs", Managed("tramp")),
    ("git-annex", Managed("git-annex")),
    ("gvfsd-sftp", Managed("gvfs")),
    ("kitten", Managed("kitty")),
    ("limactl", Managed("lima")),
    ("nix", Managed("nix")),
    ("zed", Managed("zed")),
];

impl Base {
    fn directories(self, known: &Known) -> Vec<PathBuf> {
        match self {
            Home => vec![known.home.clone()],
            Variable(variable, default) => {
                let directory = known.variable(variable).map(Path::new);
                let directory = directory.filter(|path| path.is_absolute());
                vec![directory.map_or_else(|| known.home.join(default), Path::to_path_buf)]
            }
            Runtime => vec![known.runtime_dir.clone()],
            Temporary => {
                let mut directories = vec![known.temporary_dir().to_path_buf(), "/tmp".into()];
                directories.dedup();
                directories
            }
            VarTmp => vec!["/var/tmp".into()],
        }
    }

    /// Whether a file that matches may be another user's; `None` if the pattern's own directory decides.
    fn is_shared(self) -> Option<bool> {
        match self {
            Home | Variable(..) => None,
            Runtime => Some(false),
            Temporary | VarTmp => Some(true),
        }
    }
}

pub(super) fn places(known: &Known) -> impl Iterator<Item = Place> + '_ {
    ROWS.iter().flat_map(move |&(program, base, sockets)| {
        let place = move |directory: PathBuf| {
            // An error means that the directory contains `..`.
            let pattern = Pattern::below(&directory, sockets, known).ok()?;
            let is_vague = base.is_shared().unwrap_or(pattern.is_vague());
            Some(Place {
                pattern: pattern.with_vagueness(is_vague),
                managed_by: Some(Managed(program)),
                written_by: WrittenBy::Person,
            })
        };
        base.directories(known).into_iter().filter_map(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::{ControlPath, known_for_tests};
    use crate::model::places::Places;

    const C: &str = "356a192b7913b04c54574d18c28d46e6395428ab";

    #[test]
    fn finds_program_by_path() {
        let mut known = known_for_tests();
        let places = |known: &Known| Places {
            patterns: places(known).collect(),
            ..Places::default()
        };
        let default = places(&known);
        for (path, program) in [
            ("/home/u/.ansible/cp/0a1b2c3d4e", "ansible"),
            ("/home/u/.ansible/cp/ansible-ssh-web-22-u", "ansible"),
            ("/home/u/.ansible/pc/web", ""),
            (
                "/run/user/1000/btrfs-backup-ng-cm-x1/cm-0a1b2c3d4e5f.sock",
                "btrfs-backup-ng",
            ),
            ("/home/u/.ssh/bzfs/x/s4711@Ab@c@web@u", "bzfs"),
            ("/home/u/.ssh/bzfs/0a1b/c/sAb", "bzfs"),
            ("/home/u/.ssh/bzfs/0a1b/free/sAb", ""),
            ("/tmp/clan-sshab12/socket", "clan"),
            ("/home/u/.colima/_lima/colima/ssh.sock", "colima"),
            ("/home/u/.config/colima/_lima/x/ssh.sock", "colima"),
            ("/home/u/.cache/datalad/sockets/64c612f8", "datalad"),
            ("/home/u/.dstack/ssh/run-1.control.sock", "dstack"),
            ("/tmp/ghostty-ssh-Ab_1", "ghostty"),
            ("/tmp/ghostty-ssh-u.ab12/socket", "ghostty"),
            ("/run/user/1000/sock-4711/lfs.sock", "git-lfs"),
            ("/tmp/sock-4711/lfs.sock", "git-lfs"),
            (&format!("/run/user/1000/gvfsd-sftp/{C}"), "gvfs"),
            ("/run/user/1000/gvfsd/socket-Ab1", ""),
            ("/tmp/hermes-ssh/0a1b2c3d4e5f6a7b.sock", "hermes"),
            ("/run/user/1000/kssh-4711-0a1b2c", "kitty"),
            ("/run/user/1000/kssh-x-0a1b2c", ""),
            (&format!("/home/u/.ssh/kitty-rf-4711-{C}"), "kitty"),
            ("/tmp/lg-ssh-ab12/control-web", "labgrid"),
            (&format!("/home/u/.ssh/cm_{C}"), "lapce"),
            ("/home/u/.ssh/cm_web", ""),
            ("/home/u/.lima/default/ssh.sock", "lima"),
            ("/home/u/.lima/default/other.sock", ""),
            (
                &format!("/home/u/.libnet-openssh-perl/{}", &C[..32]),
                "net-openssh",
            ),
            ("/tmp/nix-4711-0/ssh.sock", "nix"),
            ("/tmp/nixops-ssh-tmpab12/master-socket", "nixops"),
            ("/tmp/nixos-rebuild.ab12/ssh-web", "nixos-rebuild"),
            ("/tmp/control_path_dir-Ab12/ssh-u@web:22", "parallel"),
            ("/tmp/pyznap_u@web:22_2026-01-01_10:00:00", "pyznap"),
            (
                "/home/u/.local/share/rancher-desktop/lima/0/ssh.sock",
                "rancher-desktop",
            ),
            (&format!("/tmp/ray_ssh_0a1b2c3d4e/5f6a7b8c9d/{C}"), "ray"),
            (&format!("/tmp/ssh-ab12/master-{C}"), "repo"),
            ("/tmp/ssh-Ab12/agent.4711", ""),
            (
                "/home/u/.local/state/.ssh-connectionAb12/master",
                "rust-openssh",
            ),
            ("/tmp/.ssh-connectionAb12/master", "rust-openssh"),
            (&format!("/tmp/skypilot_ssh_0a1b/web/{C}"), "skypilot"),
            ("/tmp/syncoid-web-1700000000", "syncoid"),
            ("/var/tmp/tmt/run-001/ssh-sockets/default-0.socket", "tmt"),
            (&format!("/tmp/tramp.{C}"), "tramp"),
            (&format!("/tmp/tramp.Ab12Cd.{C}"), "tramp"),
            ("/tmp/tramp.u@web:22", "tramp"),
            (&format!("/home/u/.ssh/tramp-rpc/{C}"), "tramp-rpc"),
            ("/tmp/ssh.123", "vagrant"),
            ("/tmp/vagrant-rsync-20260101-4711-ab12", "vagrant"),
            ("/home/u/.ssh/17325468123456789", "warp"),
            ("/home/u/.ssh/10.0.0.1-22", ""),
            ("/tmp/zed-ssh-sessionAb12/ssh.sock", "zed"),
            ("/srv/repo/.git/annex/ssh/u@web", "git-annex"),
            ("/home/u/.ssh/s/u@web-22", ""),
        ] {
            let found = default.managed_by(&ControlPath::new(path).unwrap());
            assert_eq!(found.map_or("", |managed| managed.0), program, "{path}");
        }
        for place in &default.patterns {
            let shared = ["/tmp", "/var/tmp", "/home/u/.ssh"];
            let is_shared = shared.contains(&place.pattern.root().to_str().unwrap())
                || place.pattern.root().starts_with("/tmp")
                || place.pattern.root().starts_with("/var/tmp");
            assert_eq!(place.pattern.is_vague(), is_shared, "{place:?}");
        }

        let variables = &mut known.environment;
        for (variable, directory) in [
            ("LIMA_HOME", "/vm/[1]"),
            ("TMPDIR", "/scratch"),
            ("ANSIBLE_HOME", "not/absolute"),
            ("ANSIBLE_SSH_CONTROL_PATH_DIR", "/dev/shm/cp"),
        ] {
            variables.insert(variable.into(), directory.into());
        }
        let places = places(&known);
        for (path, program) in [
            ("/vm/[1]/default/ssh.sock", "lima"),
            ("/scratch/zed-ssh-session1/ssh.sock", "zed"),
            ("/tmp/zed-ssh-session1/ssh.sock", "zed"),
            ("/home/u/.ansible/cp/0a1b2c3d4e", "ansible"),
            ("/dev/shm/cp/0a1b2c3d4e", "ansible"),
            ("/dev/shm/cp/web", ""),
        ] {
            let found = places.managed_by(&ControlPath::new(path).unwrap());
            assert_eq!(found.map_or("", |managed| managed.0), program, "{path}");
        }
    }
    #[test]
    fn names_decide_elsewhere_unless_the_path_is_configured() {
        let known = known_for_tests();
        let template = |text: &str| Place {
            pattern: Pattern::from_template(text.as_ref(), &known)
                .unwrap()
                .unwrap(),
            managed_by: None,
            written_by: WrittenBy::Person,
        };
        let mut patterns: Vec<Place> = places(&known).collect();
        patterns.extend(["~/.lima/%n/ssh.sock", "/tmp/tramp.%n", "~/.ssh/cm_%C"].map(template));
        let places = Places {
            patterns,
            ..Places::default()
        };
        for (path, program) in [
            ("/scratch/1/zed-ssh-sessionAb12/ssh.sock", "zed"),
            ("/scratch/1/web/ssh.sock", ""),
            ("/srv/cp/0a1b2c3d4e", "ansible"),
            ("/srv/cp/0a1b2c3d4e5", ""),
            ("/tmp/kssh-rdir-1000/kssh-4711-0a1b2c", "kitty"),
            ("/srv/datalad/sockets/64c612f8", ""),
            ("/home/u/.lima/web/ssh.sock", "lima"),
            ("/tmp/tramp.web", ""),
            (&format!("/home/u/.ssh/cm_{C}"), ""),
        ] {
            let found = places.managed_by(&ControlPath::new(path).unwrap());
            assert_eq!(found.map_or("", |managed| managed.0), program, "{path}");
        }
    }
}
