use std::ffi::OsStr;

use super::*;
use crate::model::control_path::known_for_tests;
use crate::model::samples::{path, places};

fn place(pattern: Pattern) -> Place {
    Place {
        pattern,
        managed_by: None,
        written_by: WrittenBy::Person,
    }
}

fn template(text: &str) -> Place {
    let pattern = Pattern::from_template(OsStr::new(text), &known_for_tests());
    place(pattern.unwrap().unwrap())
}

fn glob(text: &str, managed_by: Option<Managed>) -> Place {
    let pattern = Pattern::from_glob(OsStr::new(text), &known_for_tests());
    Place {
        managed_by,
        ..place(pattern.unwrap())
    }
}

fn host(alias: &str, at: Option<&str>) -> Host {
    Host {
        alias: HostAlias(alias.to_owned()),
        control_path: at.map(path),
        ..places().hosts.remove(0)
    }
}

fn by(written_by: WrittenBy, host: Host) -> Host {
    Host { written_by, ..host }
}

#[test]
fn hosts_have_titles_limits_and_control_persist() {
    for (alias, title, name, heading) in [
        ("web", "host web", "web", "Host web"),
        ("a\nb", "host a\\u{a}b", "a\\u{a}b", "Host a\\u{a}b"),
        (UNNAMED_HOST, "any other host", "any other host", "Host *"),
    ] {
        let host = host(alias, None);
        let found = [host.title(), host.name(), host.heading()];
        assert_eq!(found, [title, name, heading]);
    }
    let max = u64::from(u32::MAX);
    for (interval, count, limit) in [
        (15, 3, Some(45)),
        (0, 3, None),
        (15, 0, None),
        (u32::MAX, u32::MAX, Some(max * max)),
    ] {
        let host = Host {
            server_alive_interval: interval,
            server_alive_count_max: count,
            ..host("web", None)
        };
        assert_eq!(host.unanswered_limit(), limit.map(Duration::from_secs));
    }
}

#[test]
fn local_names_are_those_of_systemd() {
    for (alias, is_local) in [
        (".host", true),
        ("machine/.host", true),
        ("unix/run/ssh-unix-local/socket", true),
        ("web.example.org", false),
        ("web.", false),
        ("::1", false),
    ] {
        assert_eq!(is_local_name(alias), is_local, "{alias}");
    }
}

#[test]
fn paths_are_ignored_managed_per_machine_or_lead_to_a_host() {
    let places = Places {
        ignored: vec![
            glob::Pattern::new("/ignored/*").unwrap(),
            glob::Pattern::new("/s/one").unwrap(),
        ],
        patterns: vec![
            glob("/s/*", None),
            template("/s/%r@%h:%p"),
            template("/s/%l-%n"),
            template("/s/%h"),
            template("/cp/%C"),
            glob("/cp/a*", Some(Managed("ansible"))),
            glob("/cp/ak*", Some(Managed("kitty"))),
        ],
        ..places()
    };
    let hash = format!("/cp/{}", "0".repeat(40));
    let annex = Some("git-annex");
    let local = "/s/box.example.org-web";
    for (file, is_ignored, managed_by, is_per_machine, destination) in [
        ("/ignored/a", true, None, None, None),
        ("/s/one", true, None, Some(false), Some("one")),
        ("/s/one.two", false, None, Some(false), Some("one.two")),
        ("/not/ignored/a", false, None, None, None),
        ("/cp/akssh", false, Some("ansible"), None, None),
        (&hash, false, None, Some(true), None),
        ("/r/.git/annex/ssh/u@h", false, annex, None, None),
        ("/r/.git/annex/ssh/below/u@h", false, None, None, None),
        ("/r/.git/xannex/ssh/u@h", false, None, None, None),
        ("/s/u@h:22", false, None, Some(false), Some("u@h:22")),
        (local, false, None, Some(true), Some("web")),
    ] {
        let path = path(file);
        assert_eq!(places.is_ignored(&path), is_ignored, "{file}");
        assert_eq!(places.managed_by(&path), managed_by.map(Managed), "{file}");
        assert_eq!(places.is_per_machine(&path), is_per_machine, "{file}");
        let found = places.destination_of(&path).map(|it| it.to_string());
        assert_eq!(found.as_deref(), destination, "{file}");
    }
}

#[test]
fn own_hosts_have_a_path_of_the_user() {
    let places = Places {
        hosts: vec![
            host("web", Some("/s/web")),
            host("none", None),
            host("lima", Some("/lima/ssh.sock")),
            host("left", Some("/ignored/a")),
            by(WrittenBy::Administrator, host("jump", Some("/s/jump"))),
            by(WrittenBy::System, host(".host", Some("/s/.host"))),
        ],
        unnamed_host: Some(host(UNNAMED_HOST, Some("/s/other"))),
        patterns: vec![glob("/lima/*", Some(Managed("lima")))],
        ignored: vec![glob::Pattern::new("/ignored/*").unwrap()],
        findings: Vec::new(),
        ..Places::default()
    };
    let own: Vec<String> = places
        .own_hosts()
        .map(|(host, path)| format!("{} {path}", host.alias))
        .collect();
    assert_eq!(own, ["web /s/web", "jump /s/jump", "host.invalid /s/other"]);
}

#[test]
fn hosts_at_a_path_keep_their_order_and_precede_those_of_the_system() {
    let systems = |alias, at| by(WrittenBy::System, host(alias, Some(at)));
    let places = Places {
        hosts: vec![
            systems(".host", "/s/one"),
            host("b", Some("/s/one")),
            host("c", Some("/s/two")),
            host("a", Some("/s/one")),
            systems("machine/.host", "/s/m"),
        ],
        unnamed_host: Some(host(UNNAMED_HOST, Some("/s/one"))),
        ..Places::default()
    };
    for (at, expected) in [("/s/one", &["b", "a"][..]), ("/s/m", &["machine/.host"])] {
        let at = path(at);
        let names: Vec<&str> = places.hosts_at(&at).map(|it| it.alias.0.as_str()).collect();
        assert_eq!(names, expected);
    }
}

#[test]
fn directories_are_those_of_hosts_templates_and_named_paths() {
    let quiet = |alias, at| Host {
        control_master: ControlMaster::No,
        ..host(alias, Some(at))
    };
    let administrators = |host| by(WrittenBy::Administrator, host);
    let places = Places {
        hosts: vec![
            host("web", Some("/hosts/web")),
            quiet("q", "/quiet/q"),
            // One that makes masters is enough.
            quiet("r", "/both/r"),
            administrators(host("db", Some("/both/db"))),
            administrators(host("jump", Some("/admin/jump"))),
            administrators(quiet("n", "/named/n")),
            by(WrittenBy::System, host(".host", Some("/systems/.host"))),
        ],
        unnamed_host: Some(host(UNNAMED_HOST, Some("/unnamed/x"))),
        patterns: vec![
            template("/template/%h"),
            template("/hosts/%h"),
            template("/each/%h/sock"),
            Place {
                written_by: WrittenBy::Administrator,
                ..template("/admin-template/%h")
            },
            glob("/glob/*", None),
            glob("/lima/*", Some(Managed("lima"))),
            Place {
                managed_by: Some(Managed("kitty")),
                ..template("/kitty/%h")
            },
        ],
        ..Places::default()
    };
    let found: Vec<_> = places
        .directories(&[path("/named/a"), path("/other/a")])
        .into_iter()
        .map(|it| (it.path, it.makes_masters, it.is_persons))
        .collect();
    let expected = [
        ("/admin", true, false),
        ("/admin-template", false, false),
        ("/both", true, true),
        ("/hosts", true, true),
        ("/named", true, true),
        ("/other", true, true),
        ("/quiet", false, true),
        ("/template", false, true),
        ("/unnamed", true, true),
    ];
    assert_eq!(
        found,
        expected.map(|(path, makes, is)| (PathBuf::from(path), makes, is))
    );
}
