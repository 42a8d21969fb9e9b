use std::path::PathBuf;

use super::*;
use crate::model::directory::{Capacity, DirectoryId, NeededDirectory, Volume};
use crate::model::finding::Severity;
use crate::model::group::GroupId;
use crate::model::places::{Places, WrittenBy};
use crate::model::samples::{
    ME, OWN_GROUP, STAFF, UNKNOWN_GROUP, context_with, groups, path, permissions, places,
};
use crate::model::socket::Filesystem;

const MODE: u32 = 0o700;

fn part(path: &str, uid: UserId, mode: u32) -> Part {
    Part {
        path: PathBuf::from(path),
        id: DirectoryId {
            device: 1,
            inode: 2,
        },
        uid,
        permissions: permissions(mode),
        is_symlink: false,
    }
}

fn volume(kind: &str) -> Volume {
    Volume {
        kind: kind.to_owned(),
        filesystem: Filesystem::Local,
        space: Capacity {
            free: 5 << 20,
            total: 10 << 20,
        },
        inodes: Some(Capacity {
            free: 10,
            total: 1000,
        }),
    }
}

/// A healthy `/s` of ours, the directory of the sample host's socket.
fn healthy() -> Directory {
    Directory {
        wanted: NeededDirectory {
            path: PathBuf::from("/s"),
            makes_masters: true,
            is_persons: true,
        },
        parts: vec![part("/", UserId(0), 0o755), part("/s", ME, MODE)],
        end: End::Exists(Existing {
            access: Access::Full,
            volume: Some(volume("ext4")),
            rehearsal: None,
        }),
    }
}

fn with_own(uid: UserId, mode: u32) -> Directory {
    let mut directory = healthy();
    directory.parts[1] = part("/s", uid, mode);
    directory
}

/// The same directory, but its own part is of another group.
fn of_group(group: GroupId, mut directory: Directory) -> Directory {
    let own = directory.parts.last_mut().unwrap();
    own.permissions.group = group;
    directory
}

fn with_acl(mut directory: Directory) -> Directory {
    let own = directory.parts.last_mut().unwrap();
    own.permissions.has_acl = true;
    directory
}

fn with_there(change: impl FnOnce(&mut Existing)) -> Directory {
    let mut directory = healthy();
    if let End::Exists(there) = &mut directory.end {
        change(there);
    }
    directory
}

fn on(change: impl FnOnce(&mut Volume)) -> Directory {
    with_there(|there| change(there.volume.as_mut().unwrap()))
}

fn kind(kind: &str, filesystem: Filesystem) -> Directory {
    on(|volume| {
        volume.kind = kind.to_owned();
        volume.filesystem = filesystem;
    })
}

fn ending(end: End) -> Directory {
    let mut directory = healthy();
    directory.parts.pop();
    directory.end = end;
    directory
}

fn tried(step: Step, refusal: Refusal) -> Directory {
    with_there(|there| {
        there.rehearsal = Some(Rehearsal::Failed {
            step,
            refusal,
            words: "No such luck".to_owned(),
        });
    })
}

/// What is said of the directory, and of the hosts in it.
fn all(directory: Directory, places: &Places) -> Vec<Finding> {
    let directories = [directory];
    context_with(places, &directories, |context| {
        let mut findings = findings(context, &[]);
        findings.extend(hosts::findings(context));
        findings
    })
}

fn told(directory: Directory) -> Vec<Finding> {
    all(directory, &places())
}

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn every_fact_has_its_finding() {
    let other = UserId(1234);
    let roots = UserId(0);
    let empty = Capacity {
        free: 0,
        total: 1000,
    };
    let missing = |can_make| {
        ending(End::Missing {
            path: PathBuf::from("/s"),
            can_make,
        })
    };
    let access = |access| with_there(|there| there.access = access);
    let cases: Vec<(&str, Directory, &[&str])> = vec![
        ("healthy", healthy(), &[]),
        ("mode 0755", with_own(ME, 0o755), &[]),
        ("no such directory", missing(true), &["directory-missing"]),
        (
            "no such directory in one of root's",
            missing(false),
            &["directory-missing"],
        ),
        (
            "a file in its place",
            ending(End::Other {
                path: PathBuf::from("/s"),
                kind: FileKind::Regular,
            }),
            &["directory-missing"],
        ),
        (
            "a closed parent",
            ending(End::Denied),
            &["directory-not-writable"],
        ),
        (
            "a way that cannot be gone",
            ending(End::Failed("loops".to_owned())),
            &["directory-not-writable"],
        ),
        ("a group of ours alone may write", with_own(ME, 0o770), &[]),
        (
            "a group with others may write",
            of_group(STAFF, with_own(ME, 0o770)),
            &["directory-insecure"],
        ),
        (
            "a group of which nothing is known may write",
            of_group(UNKNOWN_GROUP, with_own(ME, 0o770)),
            &["directory-insecure"],
        ),
        (
            "an access control list",
            with_acl(with_own(ME, 0o770)),
            &["directory-insecure"],
        ),
        (
            "others may write",
            with_own(ME, 0o707),
            &["directory-insecure"],
        ),
        (
            "others may write to root's",
            with_own(roots, 0o777),
            &["directory-insecure"],
        ),
        (
            "root's and closed",
            {
                let mut directory = access(Access::Denied);
                directory.parts[1] = part("/s", roots, 0o755);
                directory
            },
            &["directory-misowned"],
        ),
        (
            "another user's",
            with_own(other, 0o777),
            &["directory-misowned"],
        ),
        (
            "ours without the bits",
            access(Access::Denied),
            &["directory-not-writable"],
        ),
        (
            "mounted read-only",
            access(Access::ReadOnly),
            &["directory-not-writable"],
        ),
        (
            "no blocks",
            on(|volume| volume.space.free = 0),
            &["filesystem-full"],
        ),
        (
            "no inodes",
            on(|volume| volume.inodes = Some(empty)),
            &["filesystem-full"],
        ),
        (
            "inodes as they are needed",
            on(|volume| volume.inodes = None),
            &[],
        ),
        (
            "vfat",
            kind("vfat", Filesystem::Local),
            &["filesystem-unsupported"],
        ),
        (
            "exfat",
            kind("exfat", Filesystem::Local),
            &["filesystem-unsupported"],
        ),
        (
            "ntfs3",
            kind("ntfs3", Filesystem::Local),
            &["filesystem-unsupported"],
        ),
        (
            "fuseblk",
            kind("fuseblk", Filesystem::Local),
            &["filesystem-unsupported"],
        ),
        (
            "drvfs",
            kind("drvfs", Filesystem::Local),
            &["filesystem-unsupported"],
        ),
        (
            "nfs",
            kind("nfs4", Filesystem::Network("nfs")),
            &["filesystem-network"],
        ),
        (
            "cifs",
            kind("cifs", Filesystem::Network("cifs")),
            &["filesystem-network"],
        ),
        (
            "sshfs",
            kind("fuse.sshfs", Filesystem::Network("fuse.sshfs")),
            &["filesystem-network"],
        ),
        ("btrfs", kind("btrfs", Filesystem::Local), &[]),
        (
            "a rehearsal that passed",
            with_there(|there| there.rehearsal = Some(Rehearsal::Passed)),
            &[],
        ),
        (
            "a rehearsal that knows better than the type",
            {
                let mut directory = kind("ntfs3", Filesystem::Local);
                if let End::Exists(there) = &mut directory.end {
                    there.rehearsal = Some(Rehearsal::Passed);
                }
                directory
            },
            &[],
        ),
        (
            "no sockets",
            tried(Step::Socket, Refusal::Unsupported),
            &["filesystem-unsupported"],
        ),
        (
            "no hard links",
            tried(Step::HardLink, Refusal::Unsupported),
            &["filesystem-unsupported"],
        ),
        (
            "a quota",
            tried(Step::Socket, Refusal::Full),
            &["filesystem-full"],
        ),
        (
            "a security module",
            tried(Step::Socket, Refusal::Denied),
            &["directory-not-writable"],
        ),
    ];
    for (what, directory, expected) in cases {
        let findings = told(directory);
        assert_eq!(ids(&findings), expected, "{what}: {findings:#?}");
        for finding in findings {
            assert!(
                !finding.evidence.is_empty() && !finding.remedy.is_empty(),
                "{finding:?}"
            );
            assert_eq!(finding.severity, finding.id.severity(), "{what}");
            if let Some(command) = &finding.command {
                assert!(finding.remedy.contains(command), "{finding:?}");
            }
        }
    }
}

#[test]
fn what_no_host_makes_masters_in_may_be_missing() {
    for end in [
        End::Missing {
            path: PathBuf::from("/s"),
            can_make: true,
        },
        End::Denied,
        End::Other {
            path: PathBuf::from("/s"),
            kind: FileKind::Fifo,
        },
    ] {
        let mut directory = ending(end);
        directory.wanted.makes_masters = false;
        assert_eq!(told(directory), []);
    }
    let mut nowhere = below((UserId(0), 0o777), (ME, 0o700));
    nowhere.wanted.makes_masters = false;
    nowhere.end = End::Denied;
    assert_eq!(told(nowhere), []);
    // One that is there counts all the same.
    let mut open = with_own(ME, 0o777);
    open.wanted.makes_masters = false;
    assert_eq!(ids(&told(open)), ["directory-insecure"]);
}

#[test]
fn a_directory_of_the_administrators_counts_once_the_person_has_a_socket_there() {
    use crate::model::samples::in_state;
    use crate::model::socket::{Owner, State};
    let mut jump = places();
    jump.hosts[0].written_by = WrittenBy::Administrator;
    let missing = End::Missing {
        path: PathBuf::from("/s"),
        can_make: true,
    };
    let unusable = [
        (ending(missing), "directory-missing"),
        (ending(End::Denied), "directory-not-writable"),
        (with_own(UserId(7), 0o755), "directory-misowned"),
        (with_own(ME, 0o777), "directory-insecure"),
        (on(|volume| volume.space.free = 0), "filesystem-full"),
    ];
    let elsewhere = Socket {
        path: path("/t/u@h-22"),
        ..in_state(State::Running)
    };
    let anothers = Socket {
        owner: Some(Owner {
            uid: UserId(7),
            name: None,
        }),
        ..in_state(State::Running)
    };
    let orphan = Socket {
        owner: None,
        ..in_state(State::Orphaned { successor: false })
    };
    for (mut directory, id) in unusable {
        directory.wanted.is_persons = false;
        let directories = [directory];
        for (sockets, is_told) in [
            (vec![], false),
            (vec![elsewhere.clone(), anothers.clone()], false),
            (vec![in_state(State::Running)], true),
            (vec![in_state(State::Stale)], true),
            (vec![orphan.clone()], true),
        ] {
            let findings = context_with(&jump, &directories, |context| findings(context, &sockets));
            let expected: &[&str] = if is_told { &[id] } else { &[] };
            assert_eq!(ids(&findings), expected, "{sockets:#?}");
        }
    }
}

/// `/tmp/mine/s`, with these owners and modes.
fn below(tmp: (UserId, u32), mine: (UserId, u32)) -> Directory {
    Directory {
        parts: vec![
            part("/", UserId(0), 0o755),
            part("/tmp", tmp.0, tmp.1),
            part("/tmp/mine", mine.0, mine.1),
            part("/tmp/mine/s", ME, 0o700),
        ],
        ..healthy()
    }
}

#[test]
fn a_parent_counts_unless_it_is_sticky_and_what_is_in_it_ours() {
    let (root, other) = (UserId(0), UserId(1234));
    for (tmp, mine, insecure) in [
        ((root, 0o1777), (ME, 0o700), &[][..]),
        ((root, 0o1777), (root, 0o755), &[]),
        ((root, 0o777), (ME, 0o700), &["/tmp"]),
        // Its owner can put another in its place.
        ((root, 0o1777), (other, 0o755), &["/tmp"]),
        ((other, 0o1777), (ME, 0o700), &["/tmp"]),
        ((root, 0o1777), (ME, 0o775), &[]),
        ((root, 0o1777), (ME, 0o777), &["/tmp/mine"]),
        ((root, 0o775), (ME, 0o775), &[]),
        ((root, 0o755), (ME, 0o755), &[]),
    ] {
        let findings = told(below(tmp, mine));
        let subjects: Vec<&str> = findings.iter().map(|it| it.subject.as_str()).collect();
        assert_eq!(subjects, insecure, "{tmp:?} {mine:?}");
        assert!(
            findings
                .iter()
                .all(|it| it.id == FindingId::DirectoryInsecure)
        );
    }
}

#[test]
fn a_symlink_in_an_open_directory_can_be_replaced() {
    let mut directory = below((UserId(0), 0o777), (ME, 0o700));
    directory.parts[2].is_symlink = true;
    directory.parts[3].path = PathBuf::from("/data");
    let findings = told(directory);
    assert_eq!(findings[0].subject, "/tmp");
    assert_eq!(findings.len(), 1);
}

#[test]
fn an_open_parent_of_several_directories_is_told_once() {
    let first = below((UserId(0), 0o777), (ME, 0o700));
    let mut second = first.clone();
    second.parts[3].path = PathBuf::from("/tmp/mine/t");
    let directories = [first, second];
    let findings = context_with(&places(), &directories, |context| findings(context, &[]));
    assert_eq!(ids(&findings), ["directory-insecure"]);
}

#[test]
fn a_socket_directly_in_tmp_is_a_note() {
    let mut directory = with_own(UserId(0), 0o1777);
    directory.parts[1].path = PathBuf::from("/s");
    let findings = told(directory);
    assert_eq!(ids(&findings), ["directory-insecure"]);
    assert_eq!(findings[0].severity, Severity::Info);
}

#[test]
fn ours_is_mended_and_anothers_told() {
    let fix = |directory| told(directory)[0].fix.clone();
    let command = |directory| told(directory)[0].command.clone().unwrap();
    let missing = |can_make| {
        ending(End::Missing {
            path: PathBuf::from("/s"),
            can_make,
        })
    };
    assert_eq!(
        fix(missing(true)),
        Some(Fix::MakeDirectory(PathBuf::from("/s")))
    );
    assert_eq!(command(missing(true)), "mkdir -m 700 /s");
    assert_eq!(fix(missing(false)), None);
    assert_eq!(command(missing(false)), "sudo install -d -m 700 -o u /s");
    let deep = ending(End::Missing {
        path: PathBuf::from("/a b/s"),
        can_make: true,
    });
    assert_eq!(command(deep), "(umask 077 && mkdir -p '/a b/s')");
    assert!(matches!(
        fix(with_own(ME, 0o777)),
        Some(Fix::CloseDirectory { .. })
    ));
    assert_eq!(command(with_own(ME, 0o777)), "chmod go-w /s");
    assert_eq!(fix(with_own(UserId(0), 0o777)), None);
    assert_eq!(command(with_own(UserId(0), 0o777)), "sudo chmod go-w /s");
    assert_eq!(command(with_own(UserId(7), 0o755)), "sudo chown u: /s");
    let runtime = ending(End::Missing {
        path: PathBuf::from("/run/user/1000"),
        can_make: false,
    });
    assert_eq!(command(runtime), "sudo loginctl enable-linger u");
}

#[test]
fn evidence_has_the_numbers() {
    for (directory, seen) in [
        (
            on(|volume| volume.space.free = 0),
            "no space left for you on ext4: 0 bytes of 10.0 MiB free; the ControlPath of host web is there",
        ),
        (
            with_own(ME, 0o777),
            "mode 0777, owner u (uid 1000): other users can replace its sockets",
        ),
        (
            tried(Step::HardLink, Refusal::Unsupported),
            "a hard link to a socket cannot be created on ext4: No such luck; the ControlPath of host web is there",
        ),
    ] {
        assert_eq!(told(directory)[0].evidence, seen);
    }
    for (directory, seen) in [
        (
            of_group(STAFF, with_own(ME, 0o775)),
            "mode 0775, owner u (uid 1000), group staff has other members (ada, bob): other users can replace",
        ),
        (
            of_group(UNKNOWN_GROUP, with_own(ME, 0o775)),
            "mode 0775, owner u (uid 1000), group 51 may have other members: other users can replace",
        ),
        (
            of_group(STAFF, with_own(ME, 0o1775)),
            "mode 1775, owner u (uid 1000), group staff has other members (ada, bob): the sticky bit",
        ),
        (
            with_acl(with_own(ME, 0o775)),
            "mode 0775, owner u (uid 1000), with an access control list: other users can replace",
        ),
        (
            of_group(STAFF, with_own(ME, 0o777)),
            "mode 0777, owner u (uid 1000): other users can replace",
        ),
    ] {
        let evidence = told(directory)[0].evidence.clone();
        assert!(evidence.starts_with(seen), "{evidence}");
    }
    let sticky = below((UserId(0), 0o1777), (ME, 0o777));
    assert!(
        told(sticky)[0]
            .evidence
            .ends_with("can replace /s; its parent /tmp is sticky"),
        "{:?}",
        told(below((UserId(0), 0o1777), (ME, 0o777)))
    );
}

#[test]
fn a_shared_home_wants_a_path_for_each_machine() {
    use crate::model::control_path::{Pattern, known_for_tests};
    use crate::model::places::Place;
    let of = |template: &str, expanded: &str| {
        let pattern = Pattern::from_template(template.as_ref(), &known_for_tests())
            .unwrap()
            .unwrap();
        let mut places = places();
        places.hosts[0].control_path = Some(path(expanded));
        places.patterns = vec![Place {
            pattern,
            managed_by: None,
            written_by: WrittenBy::Person,
        }];
        ids(&all(kind("nfs4", Filesystem::Network("nfs")), &places))
    };
    let hash = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(
        of("/s/%r@%h-%p", "/s/u@h-22"),
        ["filesystem-network", "path-not-per-machine"]
    );
    assert_eq!(of("/s/%C", &format!("/s/{hash}")), ["filesystem-network"]);
    assert_eq!(of("/s/%L-%h", "/s/box-h"), ["filesystem-network"]);
    // What no template explains is not judged.
    assert_eq!(of("/t/%h", "/s/u@h-22"), ["filesystem-network"]);
}

/// Every finding whole: what is seen, what helps, the command, the lines and the fix.
#[test]
fn every_finding_has_its_words() {
    let (root, other) = (UserId(0), UserId(1234));
    let missing = |path: &str, can_make| {
        ending(End::Missing {
            path: PathBuf::from(path),
            can_make,
        })
    };
    let nothing_there = |mut directory: Directory| {
        directory.parts.clear();
        directory
    };
    let ours = |end| Directory {
        parts: vec![part("/", root, 0o755), part("/a b", ME, 0o600)],
        ..ending(end)
    };
    let access = |access| with_there(|there| there.access = access);
    let read_only = || access(Access::ReadOnly);
    let empty = Capacity { free: 0, total: 9 };
    let at_home = |mut directory: Directory| {
        directory.wanted.path = PathBuf::from("/home/u/s");
        directory.parts[1].path = PathBuf::from("/home/u/s");
        directory
    };
    let cases = [
        missing("/s", true),
        missing("/s", false),
        missing("/t/s", true),
        missing("/run/user/1000", false),
        missing("/run/user/1000/s", true),
        missing("/running/s", false),
        nothing_there(missing("/s", true)),
        ending(End::Other {
            path: PathBuf::from("/a b"),
            kind: FileKind::Fifo,
        }),
        ending(End::Denied),
        ours(End::Denied),
        nothing_there(ending(End::Denied)),
        ending(End::Failed("Too many levels\n".to_owned())),
        of_group(STAFF, with_own(ME, 0o770)),
        with_own(root, 0o777),
        with_own(root, 0o1777),
        with_own(ME, 0o1777),
        below((root, 0o777), (ME, 0o700)),
        below((root, 0o1777), (ME, 0o777)),
        with_own(other, 0o700),
        access(Access::Denied),
        read_only(),
        {
            let mut directory = read_only();
            if let End::Exists(there) = &mut directory.end {
                there.volume = None;
            }
            directory
        },
        access(Access::Failed("EIO".to_owned())),
        tried(Step::Socket, Refusal::Denied),
        tried(Step::HardLink, Refusal::Other),
        tried(Step::Socket, Refusal::Unsupported),
        tried(Step::Socket, Refusal::Full),
        on(|volume| {
            volume.space = empty;
            volume.inodes = Some(empty);
        }),
        on(|volume| volume.inodes = Some(empty)),
        kind("vfat", Filesystem::Local),
        at_home(kind("vfat", Filesystem::Local)),
        kind("nfs4", Filesystem::Network("nfs")),
    ];
    let told = cases.map(|directory| {
        let case = format!(
            "{:?} {:?}",
            directory.end,
            directory.parts.last().map(|it| it.permissions.mode)
        );
        let findings = told(directory);
        let findings: Vec<String> = findings
            .iter()
            .map(|it| {
                format!(
                    "{} ({}): {}\n    {}\n    -> {}\n    {:?} {:?} {:?}",
                    it.id.as_str(),
                    it.severity.as_str(),
                    it.subject,
                    it.evidence,
                    it.remedy,
                    it.command,
                    it.lines,
                    it.fix
                )
            })
            .collect();
        assert!(!findings.is_empty(), "{case}");
        findings.join("\n")
    });
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn what_has_no_room_at_all_is_not_full() {
    let nothing = Capacity { free: 0, total: 0 };
    // Some filesystems tell nothing of their size, and others make inodes as they need them.
    let directory = on(|volume| {
        volume.space = nothing;
        volume.inodes = Some(nothing);
    });
    assert_eq!(told(directory), []);
    let one_left = on(|volume| {
        volume.space.free = 1;
        volume.inodes = Some(Capacity { free: 1, total: 9 });
    });
    assert_eq!(told(one_left), []);
}

#[test]
fn where_nothing_is_known_of_the_filesystem_nothing_is_said_of_it() {
    let directory = with_there(|there| there.volume = None);
    assert_eq!(told(directory), []);
}

#[test]
fn what_no_socket_can_be_made_on_is_nothing_else() {
    let mut directory = tried(Step::Socket, Refusal::Unsupported);
    if let End::Exists(there) = &mut directory.end {
        let volume = there.volume.as_mut().unwrap();
        volume.space.free = 0;
        volume.filesystem = Filesystem::Network("cifs");
    }
    assert_eq!(ids(&told(directory)), ["filesystem-unsupported"]);
    let full = Directory {
        end: on(|volume| {
            volume.space.free = 0;
            volume.filesystem = Filesystem::Network("cifs");
        })
        .end,
        ..healthy()
    };
    assert_eq!(ids(&told(full)), ["filesystem-full", "filesystem-network"]);
}

#[test]
fn the_hosts_of_a_directory_are_named_with_it() {
    let hosts = |number: usize| {
        let mut places = places();
        let host = places.hosts.remove(0);
        places.hosts = (0..number)
            .map(|number| Host {
                alias: crate::model::control_path::HostAlias(format!("h{number}")),
                ..host.clone()
            })
            .collect();
        places
    };
    let missing = || {
        ending(End::Missing {
            path: PathBuf::from("/s"),
            can_make: true,
        })
    };
    let evidence = |number| all(missing(), &hosts(number))[0].evidence.clone();
    let seen = "the directory does not exist; the nearest that exists is / (mode 0755, owner root (uid 0))";
    assert_eq!(evidence(0), seen);
    assert_eq!(
        evidence(1),
        format!("{seen}; the ControlPath of host h0 is there")
    );
    assert_eq!(
        evidence(2),
        format!("{seen}; the ControlPaths of hosts h0 and h1 are there")
    );
    let mut elsewhere = hosts(1);
    elsewhere.hosts[0].control_path = Some(path("/t/web"));
    assert_eq!(all(missing(), &elsewhere)[0].evidence, seen);
}

#[test]
fn a_user_without_a_name_is_told_by_number() {
    use std::collections::BTreeMap;
    let directories = [with_own(UserId(7), 0o755)];
    let (users, places, history) = (BTreeMap::new(), places(), Default::default());
    let context = Context {
        uid: ME,
        users: &users,
        groups: &groups(),
        home: Path::new("/home/u"),
        tilde: Default::default(),
        places: &places,
        directories: &directories,
        history: &history,
    };
    let finding = findings(context, &[]).remove(0);
    assert_eq!(finding.command.as_deref(), Some("sudo chown 1000: /s"));
    assert!(
        finding
            .evidence
            .starts_with("it belongs to uid 7, not to you; mode 0755")
    );
}

#[test]
fn a_directory_for_all_is_ours_to_use_where_root_lets_us() {
    for (uid, access, expected) in [
        (UserId(0), Access::Full, &[][..]),
        (UserId(0), Access::Denied, &["directory-misowned"]),
        (UserId(0), Access::ReadOnly, &["directory-misowned"]),
        (UserId(7), Access::Full, &["directory-misowned"]),
        (ME, Access::Full, &[]),
        (ME, Access::Denied, &["directory-not-writable"]),
    ] {
        let mut directory = with_own(uid, 0o755);
        if let End::Exists(there) = &mut directory.end {
            there.access = access.clone();
        }
        assert_eq!(ids(&told(directory)), expected, "{uid:?} {access:?}");
    }
}

#[test]
fn every_write_bit_of_others_counts_and_no_other_bit() {
    for (mode, group, others) in
        (0..=0o7777_u32).flat_map(|mode| [(mode, OWN_GROUP, 0o002), (mode, STAFF, 0o022)])
    {
        let findings = told(of_group(group, with_own(ME, mode)));
        let is_open = mode & others != 0;
        assert_eq!(!findings.is_empty(), is_open, "{mode:04o} {group:?}");
        if let Some(finding) = findings.first() {
            let is_sticky = mode & 0o1000 != 0;
            assert_eq!(finding.severity == Severity::Info, is_sticky, "{mode:04o}");
        }
    }
}

#[test]
fn a_sticky_parent_is_named_only_where_it_is_one() {
    let root = UserId(0);
    let evidence = |tmp: u32, mine: u32| {
        let findings = told(below((root, tmp), (ME, mine)));
        findings[0].evidence.clone()
    };
    assert!(evidence(0o1777, 0o777).ends_with("its parent /tmp is sticky"));
    assert!(!evidence(0o755, 0o777).contains("sticky"));
}

#[test]
fn what_lies_elsewhere_does_not_make_a_parent_weak() {
    // /tmp is sticky, and what is another's lies in /tmp/mine, where its owner can do nothing to ours.
    let mut directory = below((UserId(0), 0o1777), (ME, 0o700));
    directory.parts[3].uid = UserId(1234);
    assert_eq!(ids(&told(directory)), ["directory-misowned"]);
}
