use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;
use crate::discover::parse_host;
use crate::discover::test_home::Scratch;
use crate::model::control_path::{HostAlias, Pattern};
use crate::model::places::{Host, Place};

fn place(pattern: Pattern) -> Place {
    Place {
        pattern,
        managed_by: None,
        written_by: WrittenBy::Person,
    }
}

fn template(scratch: &Scratch, text: &str) -> Place {
    let pattern = Pattern::from_template(OsStr::new(text), &scratch.environment.known);
    place(pattern.unwrap().unwrap())
}

fn glob(scratch: &Scratch, text: &str) -> Place {
    place(Pattern::from_glob(OsStr::new(text), &scratch.environment.known).unwrap())
}

fn host(scratch: &Scratch, below: &str) -> Host {
    let output = format!("controlpath {}\n", scratch.path(below).display());
    parse_host(HostAlias("web".to_owned()), output.as_bytes())
}

fn sockets(scratch: &Scratch, all: &[&str]) {
    for below in all {
        let path = scratch.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        drop(UnixListener::bind(path).unwrap());
    }
}

/// Compares the candidates, below the scratch directory.
fn check(scratch: &Scratch, places: &Places, expected: &[(&str, Origin)]) {
    let root = scratch.path("");
    let found = candidates(&mut places.clone());
    let found: Vec<(&str, Origin)> = found
        .iter()
        .map(|candidate| {
            let below = candidate.path.as_path().strip_prefix(&root).unwrap();
            (below.to_str().unwrap(), candidate.origin)
        })
        .collect();
    assert_eq!(found, expected);
}

const TEMPORARY: &str = "home/.ssh/s/u@web:22.yDXYs2d7ScOlhAEI";

#[test]
fn finds_origin_by_form_of_name() {
    let scratch = Scratch::new();
    let names = [
        "home/.ssh/s/u@web:22",
        "home/.ssh/s/u@db:22",
        "home/.ssh/s/other",
        TEMPORARY,
        "home/.ssh/s/.muxtray-aside.u@web:22",
        "home/.ssh/s/.muxtray-aside.u@db:22.yDXYs2d7ScOlhAEI",
        "home/.ssh/s/.muxtray-aside.other",
    ];
    sockets(&scratch, &names);
    let places = Places {
        hosts: vec![
            host(&scratch, "home/.ssh/s/u@web:22"),
            host(&scratch, "home/.ssh/s/u@nobody:22"),
        ],
        patterns: vec![template(&scratch, "~/.ssh/s/%r@%h:%p")],
        ..Places::default()
    };
    check(
        &scratch,
        &places,
        &[
            (
                "home/.ssh/s/.muxtray-aside.u@db:22.yDXYs2d7ScOlhAEI",
                Origin::Aside,
            ),
            ("home/.ssh/s/.muxtray-aside.u@web:22", Origin::Aside),
            ("home/.ssh/s/u@db:22", Origin::Pattern),
            ("home/.ssh/s/u@web:22", Origin::Exact),
            (TEMPORARY, Origin::Temporary),
        ],
    );
}

#[test]
fn exact_path_that_looks_temporary_is_exact() {
    let scratch = Scratch::new();
    let names = [
        "home/.ssh/s/web.abcdefghijklmnop",
        "home/.ssh/s/db.abcdefghijklmnop",
    ];
    sockets(&scratch, &names);
    let places = Places {
        hosts: vec![host(&scratch, "home/.ssh/s/web.abcdefghijklmnop")],
        patterns: vec![template(&scratch, "~/.ssh/s/%h")],
        ..Places::default()
    };
    check(
        &scratch,
        &places,
        &[
            ("home/.ssh/s/db.abcdefghijklmnop", Origin::Temporary),
            ("home/.ssh/s/web.abcdefghijklmnop", Origin::Exact),
        ],
    );
}

#[test]
fn omits_files_in_vague_places() {
    let scratch = Scratch::new();
    sockets(&scratch, &["home/.ssh/web"]);
    scratch.write("home/.ssh/known_hosts", "");
    scratch.write("home/.ssh/known_hosts.yDXYs2d7ScOlhAEI", "");
    scratch.write("home/.ssh/exact", "");
    for directory in ["s", "t"] {
        scratch.write(&format!("home/.ssh/{directory}/file-22"), "");
        let link = format!("home/.ssh/{directory}/link-22");
        symlink("/nowhere", scratch.path(&link)).unwrap();
    }
    sockets(&scratch, &["home/extra/sock"]);
    scratch.write("home/extra/file", "");
    let places = Places {
        hosts: vec![host(&scratch, "home/.ssh/exact")],
        patterns: vec![
            template(&scratch, "~/.ssh/%h"),
            template(&scratch, "~/.ssh/s/%h"),
            template(&scratch, "~/.ssh/t/%h-%p"),
            glob(&scratch, "~/extra/*"),
        ],
        ..Places::default()
    };
    check(
        &scratch,
        &places,
        &[
            ("home/.ssh/exact", Origin::Exact),
            ("home/.ssh/t/file-22", Origin::Pattern),
            ("home/.ssh/t/link-22", Origin::Pattern),
            ("home/.ssh/web", Origin::VaguePattern),
            ("home/extra/sock", Origin::Pattern),
        ],
    );
}

#[test]
fn path_of_administrators_host_is_vague() {
    let scratch = Scratch::new();
    let names = [
        "home/.ssh/s/web",
        "home/.ssh/s/web.yDXYs2d7ScOlhAEI",
        "home/.ssh/s/u@jump:22",
    ];
    sockets(&scratch, &names);
    scratch.write("home/.ssh/s/file", "");
    symlink("loop", scratch.path("home/loop")).unwrap();
    for written_by in [WrittenBy::Administrator, WrittenBy::System] {
        let host = |below: &str| Host {
            written_by,
            ..host(&scratch, below)
        };
        let places = Places {
            hosts: vec![
                host("home/.ssh/s/web"),
                host("home/.ssh/s/file"),
                host("home/.ssh/s/u@jump:22"),
                host("home/loop/web"),
            ],
            patterns: vec![template(&scratch, "~/.ssh/s/%r@%h:%p")],
            ..Places::default()
        };
        check(
            &scratch,
            &places,
            &[
                ("home/.ssh/s/u@jump:22", Origin::Pattern),
                ("home/.ssh/s/web", Origin::VaguePattern),
                ("home/.ssh/s/web.yDXYs2d7ScOlhAEI", Origin::Temporary),
            ],
        );
    }
}

#[test]
fn directory_wildcards_match_no_links() {
    let scratch = Scratch::new();
    let names = [
        "home/vm/a/ssh.sock",
        "home/vm/b/ssh.sock",
        "home/vm/b/other",
        "home/elsewhere/ssh.sock",
    ];
    sockets(&scratch, &names);
    scratch.write("home/vm/file", "");
    symlink(scratch.path("home/elsewhere"), scratch.path("home/vm/link")).unwrap();
    let places = Places {
        patterns: vec![glob(&scratch, "~/vm/*/ssh.sock")],
        ..Places::default()
    };
    check(
        &scratch,
        &places,
        &[
            ("home/vm/a/ssh.sock", Origin::Pattern),
            ("home/vm/b/ssh.sock", Origin::Pattern),
        ],
    );
    // Links are followed without wildcards.
    let places = Places {
        patterns: vec![glob(&scratch, "~/vm/link/*")],
        ..Places::default()
    };
    let linked = [("home/vm/link/ssh.sock", Origin::Pattern)];
    check(&scratch, &places, &linked);
}

#[test]
fn exact_path_in_unlistable_directory_is_a_candidate() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("home")).unwrap();
    symlink("loop", scratch.path("home/loop")).unwrap();
    let places = Places {
        hosts: vec![
            host(&scratch, "home/loop/web"),
            host(&scratch, "home/missing/web"),
        ],
        patterns: vec![
            template(&scratch, "~/loop/%h"),
            template(&scratch, "~/missing/%h"),
        ],
        ..Places::default()
    };
    let unlisted = [("home/loop/web", Origin::Exact)];
    check(&scratch, &places, &unlisted);
}

#[test]
fn omits_ignored_paths_under_all_their_names() {
    let scratch = Scratch::new();
    let names = [
        "home/.ssh/s/u@web:22",
        TEMPORARY,
        "home/.ssh/s/.muxtray-aside.u@web:22",
        "home/.ssh/s/u@db:22",
    ];
    sockets(&scratch, &names);
    let places = Places {
        patterns: vec![template(&scratch, "~/.ssh/s/%r@%h:%p")],
        ignored: vec![glob::Pattern::new("*/u@web:22").unwrap()],
        ..Places::default()
    };
    let left = [("home/.ssh/s/u@db:22", Origin::Pattern)];
    check(&scratch, &places, &left);
}

#[test]
fn limits_files_but_not_sockets() {
    use std::os::unix::ffi::OsStringExt as _;
    let scratch = Scratch::new();
    let directory = scratch.path("home/.ssh/s");
    fs::create_dir_all(&directory).unwrap();
    for number in 0..3_000 {
        fs::File::create(directory.join(format!("u@h{number}:22"))).unwrap();
    }
    for name in [&b"a\nb"[..], b"\xff\x1b[31m", &[b'x'; 252]] {
        let name = std::ffi::OsString::from_vec([name, b":22"].concat());
        fs::File::create(directory.join(name)).unwrap();
    }
    let mut places = Places {
        patterns: vec![template(&scratch, "~/.ssh/s/%h:%p")],
        ..Places::default()
    };
    let found = candidates(&mut places);
    assert_eq!(found.len(), MAX_OTHERS);
    assert!(found.is_sorted());
    for number in 0..MAX_OTHERS {
        sockets(&scratch, &[&format!("home/.ssh/s/z{number}:22")]);
    }
    let more = candidates(&mut places);
    assert_eq!(more.len(), 2 * MAX_OTHERS);
    assert_eq!(more[..MAX_OTHERS], found);
}
