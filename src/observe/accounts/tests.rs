use std::fs;

use super::super::name_service::Entries;
use super::*;
use crate::model::group::AccessList;

const UNKNOWN: Members = Members::Unknown(Doubt::NoEntry);

fn me() -> Me {
    Me {
        id: UserId(1000),
        name: "u".to_owned(),
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    # a comment\n\
    u:x:1000:1000::/home/u:/bin/sh\n\
    ada:x:1001:1001::/home/ada:/bin/sh\n\
    bob:x:1002:100::/home/bob:/bin/sh\n\
    toor:x:0:0::/root:/bin/sh\n\
    broken:x\n";

const GROUP: &str = "root:x:0:\n\
    u:x:1000:\n\
    ada:x:1001:\n\
    users:x:100:\n\
    staff:x:50:u,ada\n\
    more:x:50:bob\n\
    mine:x:60:u,root,toor,\n\
    empty:x:61:\n\
    gone:x:62:zoe\n\
    broken:x\n";

fn databases(directory: &Path, passwd: &str, group: &str, sources: &str) -> Databases {
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    Databases {
        passwd: write("passwd", passwd),
        group: write("group", group),
        sources: write("nsswitch.conf", sources),
    }
}

fn group_with(
    databases: &Databases,
    id: u32,
    ask: impl Fn(&[&str], &[GroupId]) -> Vec<Answer>,
) -> Group {
    let wanted = BTreeSet::from([Writer::Group(GroupId(id))]);
    let mut groups = groups(databases, &wanted, &me(), ask);
    groups.by_id.remove(&GroupId(id)).unwrap()
}

fn group(databases: &Databases, id: u32) -> Group {
    group_with(databases, id, |sources, _| {
        assert_eq!(*sources, [""; 0]);
        Vec::new()
    })
}

#[test]
fn members_are_those_listed_and_those_that_have_it_as_primary() {
    let directory = tempfile::tempdir().unwrap();
    let databases = databases(directory.path(), PASSWD, GROUP, "");
    let others =
        |names: &[&str]| Members::Others(names.iter().map(|name| (*name).to_owned()).collect());
    for (id, name, members) in [
        (1000, Some("u"), Members::OnlyYou),
        (0, Some("root"), Members::OnlyYou),
        (1001, Some("ada"), others(&["ada"])),
        (100, Some("users"), others(&["bob"])),
        (50, Some("staff"), others(&["ada", "bob"])),
        (60, Some("mine"), Members::OnlyYou),
        (61, Some("empty"), Members::OnlyYou),
        (62, Some("gone"), others(&["zoe"])),
        (4711, None, UNKNOWN),
    ] {
        let name = name.map(str::to_owned);
        assert_eq!(group(&databases, id), Group { name, members }, "{id}");
    }
}

#[test]
fn other_sources_add_members_or_doubts() {
    let only_you = || Members::OnlyYou;
    let others =
        |names: &[&str]| Members::Others(names.iter().map(|name| (*name).to_owned()).collect());
    let no_answer = || Members::Unknown(Doubt::NoAnswer("ldap".to_owned()));
    let not_listed = || Members::Unknown(Doubt::NotListed("sss".to_owned()));
    let entries = |passwd: &str, group: &str| {
        Answer::Entries(Entries {
            passwd: passwd.to_owned(),
            group: group.to_owned(),
        })
    };
    for (sources, id, answer, expected) in [
        ("files systemd", 1000, entries("", ""), only_you()),
        (
            "files systemd",
            1000,
            entries("zoe:x:60501:60501::/:/x\n", ""),
            only_you(),
        ),
        (
            "files systemd",
            1000,
            entries("zoe:x:60501:1000::/:/x\n", ""),
            others(&["zoe"]),
        ),
        (
            "files systemd",
            50,
            entries("", "staff:x:50:zoe\n"),
            others(&["ada", "bob", "zoe"]),
        ),
        ("files sss", 1000, Answer::NotInUse, only_you()),
        ("files sss", 1000, entries("", ""), only_you()),
        ("files sss", 61, entries("", "empty:x:61:u\n"), not_listed()),
        (
            "files sss",
            61,
            entries("", "empty:x:61:zoe\n"),
            others(&["zoe"]),
        ),
        // The user and the group of the same name are of the directory service.
        ("files sss", 7000, entries("", "u:x:7000:\n"), only_you()),
        ("files sss", 7000, entries("", "u:x:7000:u\n"), only_you()),
        (
            "files sss",
            7001,
            entries("", "domain users:x:7001:\n"),
            not_listed(),
        ),
        (
            "files sss",
            7002,
            entries("", ""),
            Members::Unknown(Doubt::NoEntry),
        ),
        ("files ldap", 1000, Answer::None, no_answer()),
        ("files ldap", 7002, Answer::None, no_answer()),
        // A member that is known is one all the same.
        ("files ldap", 50, Answer::None, others(&["ada", "bob"])),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let sources = format!("passwd: {sources}\ngroup: {sources}\n");
        let databases = databases(directory.path(), PASSWD, GROUP, &sources);
        let group = group_with(&databases, id, |_, _| vec![answer.clone()]);
        assert_eq!(group.members, expected, "{sources}, {id}: {answer:?}");
    }
}

#[test]
fn databases_are_read_once_after_a_change() {
    let directory = tempfile::tempdir().unwrap();
    // The owner of the file that keeps them.
    let me = Me {
        id: UserId(nix::unistd::geteuid().as_raw()),
        ..me()
    };
    let databases = databases(directory.path(), PASSWD, GROUP, "");
    let permissions = |acl| Permissions {
        mode: 0o770,
        group: GroupId(50),
        acl,
    };
    let file = directory.path().join("cache/groups.json");
    let mut accounts = Accounts::new(Some(file.clone()));
    let mut read = |permissions: &Permissions| {
        let groups = accounts.groups(&databases, [permissions], &me);
        let at = accounts.known.as_ref().unwrap().at;
        (groups, at)
    };
    let (first, at) = read(&permissions(None));
    assert_eq!(first.by_id[&GroupId(50)].name.as_deref(), Some("staff"));
    assert_eq!(read(&permissions(None)), (first.clone(), at));
    let mut next = Accounts::new(Some(file));
    let same = permissions(None);
    assert_eq!(next.groups(&databases, [&same], &me), first);
    assert_eq!(next.known.unwrap().at, at);
    let named = AccessList::Writers(vec![Writer::User(UserId(1001))]);
    let (by_list, later) = read(&permissions(Some(named)));
    assert_eq!(by_list.names[&UserId(1001)], "ada");
    assert!(later > at);
    fs::write(&databases.group, "staff:x:50:\n").unwrap();
    let (changed, _) = read(&permissions(None));
    assert_eq!(changed.by_id[&GroupId(50)].members, Members::OnlyYou);
}

#[test]
fn what_cannot_be_read_whole_tells_nothing() {
    for (passwd, group_file) in [
        (format!("{PASSWD}+::::::\n"), GROUP.to_owned()),
        (PASSWD.to_owned(), format!("{GROUP}+:::\n")),
        (PASSWD.to_owned(), format!("-zoe\n{GROUP}")),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let databases = databases(directory.path(), &passwd, &group_file, "");
        assert_eq!(group(&databases, 1000).members, UNKNOWN);
    }
    for missing in ["passwd", "group"] {
        let directory = tempfile::tempdir().unwrap();
        let databases = databases(directory.path(), PASSWD, GROUP, "");
        fs::remove_file(directory.path().join(missing)).unwrap();
        assert_eq!(group(&databases, 1000).members, UNKNOWN);
    }
    // Without nsswitch.conf only the files count.
    let directory = tempfile::tempdir().unwrap();
    let databases = databases(directory.path(), PASSWD, GROUP, "group: sss\n");
    fs::remove_file(&databases.sources).unwrap();
    assert_eq!(group(&databases, 1000).members, Members::OnlyYou);
}
