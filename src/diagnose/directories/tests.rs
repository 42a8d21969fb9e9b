use std::path::PathBuf;

use super::*;
use crate::model::directory::{Capacity, DirectoryId, NeededDirectory, Volume};
use crate::model::finding::Severity;
use crate::model::group::{AccessList, GroupId, Permissions, Writer};
use crate::model::places::{Places, WrittenBy};
use crate::model::samples::{
    ME, OWN_GROUP, STAFF, UNKNOWN_GROUP, context_with, path, permissions, places,
};
use crate::model::socket::Filesystem;

const ID: DirectoryId = DirectoryId {
    device: 1,
    inode: 2,
};

fn part(path: &str, uid: UserId, mode: u32) -> Part {
    Part {
        path: PathBuf::from(path),
        id: ID,
        uid,
        permissions: permissions(mode),
        is_symlink: false,
    }
}

const fn capacity(free: u64, total: u64) -> Capacity {
    Capacity { free, total }
}

/// A healthy `/s` of the user, the directory of the sample host's socket.
fn healthy() -> Directory {
    Directory {
        wanted: NeededDirectory {
            path: PathBuf::from("/s"),
            makes_masters: true,
            is_persons: true,
        },
        parts: vec![part("/", UserId(0), 0o755), part("/s", ME, 0o700)],
        end: End::Exists(Existing {
            access: Access::Full,
            volume: Some(Volume {
                kind: "ext4".to_owned(),
                filesystem: Filesystem::Local,
                space: capacity(5 << 20, 10 << 20),
                inodes: Some(capacity(10, 1000)),
            }),
            rehearsal: None,
        }),
    }
}

fn with_own(uid: UserId, mode: u32) -> Directory {
    let mut directory = healthy();
    directory.parts[1] = part("/s", uid, mode);
    directory
}

/// `/s` of the user with this mode, group and access control list.
fn shared(mode: u32, group: GroupId, acl: Option<AccessList>) -> Directory {
    let mut directory = with_own(ME, mode);
    directory.parts[1].permissions = Permissions { mode, group, acl };
    directory
}

fn there(directory: &mut Directory) -> &mut Existing {
    match &mut directory.end {
        End::Exists(there) => there,
        end => panic!("{end:?}"),
    }
}

fn with_there(change: impl FnOnce(&mut Existing)) -> Directory {
    let mut directory = healthy();
    change(there(&mut directory));
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

fn missing(path: &str, can_make: bool) -> Directory {
    let path = PathBuf::from(path);
    ending(End::Missing { path, can_make })
}

fn tried(step: Step, refusal: Refusal) -> Directory {
    let words = "No such luck".to_owned();
    with_there(|there| {
        there.rehearsal = Some(Rehearsal::Failed {
            step,
            refusal,
            words,
        });
    })
}

/// Returns the findings of the directory and of the hosts in it.
fn all(directory: Directory, places: &Places) -> Vec<Finding> {
    let directories = [directory];
    context_with(places, &directories, |context| {
        let mut findings = findings(context, &[]);
        findings.extend(hosts::findings(context));
        findings
    })
}

fn found(directory: Directory) -> Vec<Finding> {
    all(directory, &places())
}

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

/// The cases of `snapshot_of_every_finding` are not repeated here.
#[test]
fn finding_of_each_fact() {
    let rehearsed = with_there(|there| {
        there.volume.as_mut().unwrap().kind = "ntfs3".to_owned();
        there.rehearsal = Some(Rehearsal::Passed);
    });
    let with_access = |uid, access| {
        let mut directory = with_own(uid, 0o755);
        there(&mut directory).access = access;
        directory
    };
    let nothing = capacity(0, 0);
    let full_network = |rehearsal| {
        with_there(|there| {
            let volume = there.volume.as_mut().unwrap();
            (volume.space.free, volume.filesystem) = (0, Filesystem::Network("cifs"));
            there.rehearsal = rehearsal;
        })
    };
    let rehearsal = there(&mut tried(Step::Socket, Refusal::Unsupported))
        .rehearsal
        .clone();
    let root = UserId(0);
    for (directory, expected) in [
        (healthy(), ""),
        (with_own(ME, 0o755), ""),
        (with_own(ME, 0o770), ""),
        (with_own(ME, 0o707), "directory-insecure"),
        (with_own(UserId(1234), 0o777), "directory-misowned"),
        (with_access(root, Access::Full), ""),
        (with_access(root, Access::ReadOnly), "directory-misowned"),
        (with_access(UserId(7), Access::Full), "directory-misowned"),
        (with_access(ME, Access::Denied), "directory-not-writable"),
        (on(|volume| volume.inodes = None), ""),
        // Some filesystems do not report their size.
        (on(|volume| volume.space = nothing), ""),
        (on(|volume| volume.inodes = Some(nothing)), ""),
        (on(|volume| volume.space.free = 1), ""),
        (on(|volume| volume.space.free = 0), "filesystem-full"),
        (with_there(|there| there.volume = None), ""),
        (kind("btrfs", Filesystem::Local), ""),
        (kind("fuseblk", Filesystem::Local), "filesystem-unsupported"),
        (rehearsed, ""),
        (full_network(None), "filesystem-full filesystem-network"),
        // If no socket can be created, nothing else matters.
        (full_network(rehearsal), "filesystem-unsupported"),
    ] {
        let found = ids(&found(directory.clone())).join(" ");
        assert_eq!(found, expected, "{directory:#?}");
    }
}

#[test]
fn nothing_is_made_in_place_of_the_home_directory() {
    for (wanted, nearest, missing_path, is_home) in [
        ("/home/u", "/home", "/home/u", true),
        ("/home/u/.ssh/s", "/", "/home/u/.ssh/s", true),
        ("/home/u/.ssh/s", "/home", "/home/u/.ssh/s", true),
        ("/home/u/.ssh/s", "/var/home", "/var/home/u/.ssh/s", true),
        ("/home/u/.ssh/s", "/home/u", "/home/u/.ssh/s", false),
        ("/home/u/.ssh/s", "/var/home/u", "/var/home/u/.ssh/s", false),
        // A symlink in the home leads out of it.
        ("/home/u/.ssh/s", "/mnt", "/mnt/sockets", false),
        ("/home/user/s", "/home", "/home/user/s", false),
    ] {
        let mut directory = missing(missing_path, true);
        directory.wanted.path = PathBuf::from(wanted);
        directory.parts.push(part(nearest, UserId(0), 0o755));
        let findings = found(directory);
        assert_eq!(ids(&findings), ["directory-missing"], "{wanted} {nearest}");
        let finding = &findings[0];
        assert_eq!(finding.evidence.contains("the home directory"), is_home);
        let has_advice = finding.fix.is_some() && finding.command.is_some();
        assert_eq!(has_advice, !is_home, "{finding:?}");
    }
}

#[test]
fn directory_without_masters_may_be_missing() {
    for end in [missing("/s", true), ending(End::Denied)] {
        let mut directory = end;
        directory.wanted.makes_masters = false;
        assert_eq!(found(directory), []);
    }
    // It counts if it exists.
    let mut open = with_own(ME, 0o777);
    open.wanted.makes_masters = false;
    assert_eq!(ids(&found(open)), ["directory-insecure"]);
}

#[test]
fn administrators_directory_counts_if_the_user_has_a_socket_there() {
    use crate::model::samples::in_state;
    use crate::model::socket::{Owner, State};
    let mut jump = places();
    jump.hosts[0].written_by = WrittenBy::Administrator;
    let unusable = [
        (missing("/s", true), "directory-missing"),
        (with_own(UserId(7), 0o755), "directory-misowned"),
        (with_own(ME, 0o777), "directory-insecure"),
        (on(|volume| volume.space.free = 0), "filesystem-full"),
    ];
    let elsewhere = Socket {
        path: path("/t/u@h-22"),
        ..in_state(State::Running)
    };
    let owned_by = |uid: Option<UserId>, state| Socket {
        owner: uid.map(|uid| Owner { uid, name: None }),
        ..in_state(state)
    };
    let anothers = owned_by(Some(UserId(7)), State::Running);
    let orphan = owned_by(None, State::Orphaned { successor: false });
    for (mut directory, id) in unusable {
        directory.wanted.is_persons = false;
        let directories = [directory];
        for (sockets, is_reported) in [
            (vec![], false),
            (vec![elsewhere.clone(), anothers.clone()], false),
            (vec![in_state(State::Stale)], true),
            (vec![orphan.clone()], true),
        ] {
            let findings = context_with(&jump, &directories, |context| findings(context, &sockets));
            let expected: &[&str] = if is_reported { &[id] } else { &[] };
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
fn writable_parent_is_insecure_unless_sticky_protects_the_entry() {
    let (root, other) = (UserId(0), UserId(1234));
    for (tmp, mine, insecure) in [
        ((root, 0o1777), (ME, 0o700), &[][..]),
        ((root, 0o1777), (root, 0o755), &[]),
        ((root, 0o777), (ME, 0o700), &["/tmp"]),
        // Its owner can replace it.
        ((root, 0o1777), (other, 0o755), &["/tmp"]),
        ((other, 0o1777), (ME, 0o700), &["/tmp"]),
        ((root, 0o1777), (ME, 0o775), &[]),
        ((root, 0o1777), (ME, 0o777), &["/tmp/mine"]),
        ((root, 0o775), (ME, 0o775), &[]),
        ((root, 0o755), (ME, 0o755), &[]),
    ] {
        let findings = found(below(tmp, mine));
        let subjects: Vec<&str> = findings.iter().map(|it| it.subject.as_str()).collect();
        assert_eq!(subjects, insecure, "{tmp:?} {mine:?}");
        let is_insecure = |it: &Finding| it.id == FindingId::DirectoryInsecure;
        assert!(findings.iter().all(is_insecure));
    }
}

#[test]
fn one_finding_for_a_parent_or_symlink_of_several_directories() {
    let first = below((UserId(0), 0o777), (ME, 0o700));
    let mut second = first.clone();
    second.parts[2].is_symlink = true;
    second.parts[3].path = PathBuf::from("/data");
    let directories = [first, second];
    let findings = context_with(&places(), &directories, |context| findings(context, &[]));
    assert_eq!(ids(&findings), ["directory-insecure"]);
    assert_eq!(findings[0].subject, "/tmp");
}

#[test]
fn network_filesystem_needs_a_path_for_each_machine() {
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
    let hash = format!("/s/{}", "0".repeat(40));
    for (template, expanded, is_shared) in [
        ("/s/%r@%h-%p", "/s/u@h-22", true),
        ("/s/%C", &hash, false),
        ("/s/%L-%h", "/s/box-h", false),
        // No template matches.
        ("/t/%h", "/s/u@h-22", false),
    ] {
        let all = ["filesystem-network", "path-not-per-machine"];
        assert_eq!(of(template, expanded), all[..1 + usize::from(is_shared)]);
    }
}

#[test]
fn snapshot_of_every_finding() {
    let (root, other) = (UserId(0), UserId(1234));
    let nothing_there = |mut directory: Directory| {
        directory.parts.clear();
        directory
    };
    let ours = |end| Directory {
        parts: vec![part("/", root, 0o755), part("/a b", ME, 0o600)],
        ..ending(end)
    };
    let access = |access| with_there(|there| there.access = access);
    let of_mode = |mode, mut directory: Directory| {
        directory.parts.last_mut().unwrap().permissions.mode = mode;
        directory
    };
    let empty = capacity(0, 9);
    let at_home = |mut directory: Directory| {
        directory.wanted.path = PathBuf::from("/home/u/s");
        directory.parts[1].path = PathBuf::from("/home/u/s");
        directory
    };
    let in_home = |path: &str| {
        let mut directory = missing(path, true);
        directory.wanted.path = PathBuf::from(path);
        directory
    };
    let by_symlink = |mut directory: Directory| {
        directory.parts.push(Part {
            is_symlink: true,
            ..part("/s", ME, 0o777)
        });
        directory
    };
    let under = |path: &str, mut directory: Directory| {
        directory.parts.push(part(path, root, 0o755));
        directory
    };
    let cases = [
        missing("/s", true),
        missing("/s", false),
        in_home("/home/u/.ssh/s"),
        missing("/t/s", true),
        by_symlink(missing("/t/s", true)),
        missing("/run/user/1000", false),
        under("/run/user", missing("/run/user/1000", false)),
        missing("/run/user/1000/s", true),
        missing("/running/s", false),
        nothing_there(missing("/s", true)),
        ending(End::Other {
            path: PathBuf::from("/a b"),
            kind: FileKind::Fifo,
        }),
        ending(End::Other {
            path: PathBuf::from("/dev/null"),
            kind: FileKind::Device,
        }),
        ending(End::Denied),
        ours(End::Denied),
        nothing_there(ending(End::Denied)),
        ending(End::Failed("Too many levels\n".to_owned())),
        shared(0o770, STAFF, None),
        shared(0o770, UNKNOWN_GROUP, None),
        shared(0o1775, STAFF, None),
        shared(0o777, STAFF, None),
        shared(0o770, OWN_GROUP, Some(AccessList::Unknown)),
        shared(
            0o770,
            OWN_GROUP,
            Some(AccessList::Writers(vec![Writer::User(other)])),
        ),
        with_own(root, 0o777),
        with_own(root, 0o1777),
        with_own(ME, 0o1777),
        below((root, 0o777), (ME, 0o700)),
        below((root, 0o1777), (ME, 0o777)),
        below((root, 0o755), (ME, 0o777)),
        with_own(other, 0o700),
        access(Access::Denied),
        of_mode(0o500, access(Access::Denied)),
        access(Access::ReadOnly),
        with_there(|there| (there.access, there.volume) = (Access::ReadOnly, None)),
        access(Access::Failed("EIO".to_owned())),
        tried(Step::Socket, Refusal::Denied),
        tried(Step::HardLink, Refusal::Other),
        tried(Step::Socket, Refusal::Unsupported),
        tried(Step::Connect, Refusal::Unsupported),
        tried(Step::Socket, Refusal::Full),
        on(|volume| (volume.space, volume.inodes) = (empty, Some(empty))),
        on(|volume| volume.inodes = Some(empty)),
        kind("vfat", Filesystem::Local),
        at_home(kind("vfat", Filesystem::Local)),
        kind("nfs4", Filesystem::Network("nfs")),
    ];
    let show = |it: &Finding| {
        let head = format!(
            "{} ({}): {}",
            it.id.as_str(),
            it.severity.as_str(),
            it.subject
        );
        let tail = format!("{:?} {:?} {:?}", it.command, it.lines, it.fix);
        format!(
            "{head}\n    {}\n    -> {}\n    {tail}",
            it.evidence, it.remedy
        )
    };
    let texts = cases.map(|directory| {
        let findings: Vec<String> = found(directory).iter().map(show).collect();
        findings.join("\n")
    });
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn only_write_bits_of_others_are_insecure() {
    for (mode, group, others) in
        (0..=0o7777_u32).flat_map(|mode| [(mode, OWN_GROUP, 0o002), (mode, STAFF, 0o022)])
    {
        let findings = found(shared(mode, group, None));
        let is_open = mode & others != 0;
        assert_eq!(!findings.is_empty(), is_open, "{mode:04o} {group:?}");
        if let Some(finding) = findings.first() {
            let is_sticky = mode & 0o1000 != 0;
            assert_eq!(finding.severity == Severity::Info, is_sticky, "{mode:04o}");
        }
    }
}

#[test]
fn only_a_sticky_directory_in_the_home_directory_is_closed() {
    let fixes = |directory: &str| {
        let mut sticky = with_own(ME, 0o1777);
        sticky.wanted.path = directory.into();
        sticky.parts[1].path = directory.into();
        found(sticky)[0].fix.is_some()
    };
    assert!(fixes("/home/u/s"));
    assert!(!fixes("/tmp"));
}

#[test]
fn in_a_user_namespace_without_root_the_owner_of_the_top_is_root() {
    let nobody = UserId(65534);
    let mut shared = with_own(nobody, 0o1777);
    assert_eq!(ids(&found(shared.clone())), ["directory-misowned"]);
    shared.parts[0].uid = nobody;
    let findings = found(shared);
    assert_eq!(ids(&findings), ["directory-insecure"]);
    assert_eq!(findings[0].severity, Severity::Info);
    let mut below = below((nobody, 0o1777), (ME, 0o700));
    below.parts[0].uid = nobody;
    assert_eq!(ids(&found(below)), [""; 0]);
}

#[test]
fn entries_elsewhere_do_not_make_a_parent_insecure() {
    // /tmp is sticky, and another user's directory in /tmp/mine gives no access to /tmp.
    let mut directory = below((UserId(0), 0o1777), (ME, 0o700));
    directory.parts[3].uid = UserId(1234);
    assert_eq!(ids(&found(directory)), ["directory-misowned"]);
}
