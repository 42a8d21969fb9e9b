use std::ffi::OsStr;

use proptest::prelude::*;

use super::*;
use crate::model::control_path::ControlPath;

fn template(text: &str) -> Pattern {
    Pattern::from_template(OsStr::new(text), &known_for_tests())
        .unwrap()
        .unwrap()
}

fn glob(text: &str) -> Pattern {
    Pattern::from_glob(OsStr::new(text), &known_for_tests()).unwrap()
}

fn path(path: impl AsRef<Path>) -> ControlPath {
    ControlPath::new(path).unwrap()
}

fn bytes(path: &[u8]) -> ControlPath {
    ControlPath::new(OsStr::from_bytes(path)).unwrap()
}

const HASH: &str = "753a402d6e1222f9e166ff6663c842a3cdfb37e8";

/// A pattern, paths that it matches, and paths that it does not match, separated by spaces.
type Case<'a> = (&'a str, &'a str, &'a str);

fn check(cases: &[Case<'_>], parse: fn(&str) -> Pattern) {
    for (text, matching, others) in cases {
        let pattern = parse(text);
        let others = others.split_whitespace().map(|file| (file, false));
        for (file, matches) in matching.split(' ').map(|file| (file, true)).chain(others) {
            assert_eq!(pattern.matches(&path(file)), matches, "{text} {file}");
        }
    }
}

#[test]
fn templates_match_their_expansions() {
    let (hash, no_hash) = (
        format!("/srv/mux/{HASH}"),
        format!("/srv/mux/{HASH}0 /srv/mux/web"),
    );
    let local = "/home/u/.cm/1000-u-box.example.org-box-web";
    let no_users = "/home/u/.ssh/s/u@h- /home/u/.ssh/s/u@h-123456 /home/u/.ssh/s/x/u@h-22 /home/u/.ssh/su@h-22";
    check(
        &[
            ("~/.ssh/s/%r@%h-%p", "/home/u/.ssh/s/u@h-22", no_users),
            ("~v/%h", "/home/v/web", "/home/u/web"),
            ("%d/.cm/%i-%u-%l-%L-%n", local, ""),
            ("${WHERE}/%C", &hash, &no_hash),
            ("/s/100%%-%h", "/s/100%-web", ""),
            ("/s//./cm-%h", "/s/cm-web", ""),
            ("/s/%r/%h/sock", "/s/me/web/sock", "/s/me/sock"),
            ("/s/%p", "/s/99999", "/s/100000 /s/x"),
            // A host or user is never empty, a jump host may be.
            ("/s/a%hb", "/s/axb", "/s/ab"),
            ("/s/a%rb", "/s/axb", "/s/ab"),
            ("/s/a%jb", "/s/axb /s/ab", ""),
            // No wildcards.
            ("/s/?%h", "/s/?web", "/s/xweb"),
            ("/s/*%h", "/s/*web", "/s/xweb"),
            ("/s/[x]%h", "/s/[x]web", "/s/xweb"),
            ("/s/\\x%h", "/s/\\xweb", "/s/xweb"),
            ("/s/$%h", "/s/$web", ""),
            ("/s/$(x)", "/s/$(x)", ""),
            ("/s/master", "/s/master", "/s/masters"),
        ],
        template,
    );
    assert!(template("/s/%r@%h").matches(&bytes(b"/s/\xff@h")));
    let component = template("/s/%h%j").components()[0].clone();
    let long = "x".repeat(255);
    for (name, matches) in [
        ("", false),
        (".", false),
        ("..", false),
        ("...", true),
        (".hidden", true),
        (&long, true),
        (&format!("{long}x"), false),
    ] {
        assert_eq!(component.matches(name.as_bytes()), matches, "{name}");
    }
}

#[test]
fn globs_match_as_in_a_shell() {
    check(
        &[
            (
                "~/s/*",
                "/home/u/s/web",
                "/home/u/s/.hidden /home/u/s/x/web",
            ),
            ("~/s/.*", "/home/u/s/.hidden", "/home/u/s/web"),
            ("~/s/**", "/home/u/s/web", ""),
            ("~/*/sock", "/home/u/vm/sock", "/home/u/.vm/sock"),
            ("/s/?b", "/s/ab /s/\u{e4}b", "/s/b"),
            ("/s/a?c*", "/s/abc", "/s/ac /s/a"),
            ("/s/a*b*c", "/s/a-b-b-c", "/s/ab"),
            ("/s/[a-cx-z]", "/s/c /s/y", "/s/m"),
            ("/s/[a-]", "/s/-", "/s/b"),
            ("/s/[!a-c]x", "/s/dx /s/\u{e9}x", "/s/ax /s/x"),
            ("/s/[^a-c]x", "/s/dx", "/s/ax"),
            ("/s/[!]x]", "/s/y", "/s/]"),
            ("/s/[]x]", "/s/]", "/s/y"),
            ("/s/[\u{e0}-\u{ff}]", "/s/\u{e9}", "/s/e"),
            // A bracket that is not closed before the next slash is a plain character.
            ("/s/[x", "/s/[x", ""),
            ("/s/[a/x]", "/s/[a/x]", ""),
            ("/s/[[a]", "/s/a /s/[", ""),
            ("/s/[a[b", "/s/[a[b", ""),
            ("/[x/[ab]", "/[x/b", ""),
            ("/s/[]", "/s/[]", ""),
            ("/s/\\*", "/s/*", "/s/a"),
            ("/s/\\[a]", "/s/[a]", "/s/a"),
            ("/s/x\\", "/s/x\\", ""),
            // No tokens or variables.
            ("/s/%h*", "/s/%hx", "/s/web"),
            ("/s/${WHERE}*", "/s/${WHERE}x", ""),
        ],
        glob,
    );
    for (text, file, matches) in [
        ("/s/?b", &b"/s/\xffb"[..], true),
        ("/s/?b", b"/s/\xff\xffb", false),
        ("/s/[!a]b", b"/s/\xffb", true),
        ("/s/[a-z]b", b"/s/\xffb", false),
    ] {
        assert_eq!(glob(text).matches(&bytes(file)), matches, "{text}");
    }
    let include = Pattern::from_include(OsStr::new("~/.ssh/%u-*/%h.conf"), &known_for_tests());
    assert!(include.unwrap().matches(&path("/home/u/.ssh/u-x/web.conf")));
    let below = Pattern::below(Path::new("/a*b/%h"), "*/ssh.sock", &known_for_tests()).unwrap();
    assert_eq!(below.root(), Path::new("/a*b/%h"));
    assert!(below.matches(&path("/a*b/%h/vm/ssh.sock")) && below.is_glob());
}

#[test]
fn invalid_templates_have_an_error() {
    let unknown = |token: &str| TemplateError::UnknownToken(token.into());
    let unset = |name: &str| TemplateError::UnsetVariable(name.into());
    for (text, error) in [
        (&b"/s/%z"[..], unknown("z")),
        ("/s/%\u{e9}".as_bytes(), unknown("\u{e9}")),
        (b"/s/%\xff", unknown("\\xff")),
        (b"/s/%\n", unknown("\\u{a}")),
        (b"/s/%", TemplateError::LoneEscape),
        (b"/s/${WHERE", TemplateError::BadVariable),
        (b"/s/${}", TemplateError::BadVariable),
        (b"/s/${NOWHERE}", unset("NOWHERE")),
        (b"~nobody/%h", TemplateError::UnknownUser("nobody".into())),
        (b"s/%h", TemplateError::Relative),
        (b"", TemplateError::Relative),
        (b"/s/../%h", TemplateError::ParentDirectory),
        (b"/", TemplateError::NoName),
        (b"/a\0/%h", TemplateError::NoName),
        (b"/s/a\0%h", TemplateError::NoName),
    ] {
        let pattern = Pattern::from_template(OsStr::from_bytes(text), &known_for_tests());
        assert_eq!(pattern, Err(error), "{text:?}");
    }
    for none in ["none", "NONE"] {
        let pattern = Pattern::from_template(OsStr::new(none), &known_for_tests());
        assert_eq!(pattern, Ok(None));
    }
    let relative = Pattern::below(Path::new("relative"), "*", &known_for_tests());
    assert_eq!(relative, Err(TemplateError::Relative));
}

#[test]
fn destination_is_what_all_readings_have_in_common() {
    let hash = format!("/s/{HASH}");
    let host_and_hash = format!("/s/web-{HASH}");
    for (text, file, destination) in [
        ("/s/%r@%h:%p", "/s/u@h:22", Some("u@h:22")),
        ("/s/%r@%h-%p", "/s/u@my-host-22", Some("u@my-host:22")),
        ("/s/%r@%h-%p", "/s/u@corp@h-22", Some("u@corp@h:22")),
        ("/s/%r@%h:%p", "/s/u@fe80::1:22", Some("u@[fe80::1]:22")),
        ("/s/%k:%p", "/s/key:2222", Some("key:2222")),
        ("/s/%r/%h/%p", "/s/u/h/22", Some("u@h:22")),
        ("/s/%h-%C", &host_and_hash, Some("web")),
        // Several users, one host.
        ("/s/%h:%r-%j", "/s/web:a-b-c", Some("web")),
        ("/s/%j%r@%h", "/s/ab@h", Some("h")),
        ("/s/%h:%p%j", "/s/h:22", Some("h")),
        // Several hosts.
        ("/s/%r-%h", "/s/a-b-c", None),
        ("/s/%h%p", "/s/host22", None),
        ("/s/%h-%j", "/s/a-b-c", None),
        ("/s/%h%j", "/s/ab", None),
        // The same token has the same value.
        ("/s/%h%h", "/s/webweb", Some("web")),
        ("/s/%h%h", "/s/webwob", None),
        ("/s/%r-%r@%h", "/s/a-a@h", Some("a@h")),
        ("/s/%r/%h/%r", "/s/u/h/v", None),
        ("/s/%n/%n", "/s/a/b", None),
        ("/s/%k/%k", "/s/a/b", None),
        ("/s/%p/%h-%p", "/s/22/a-22", Some("a:22")),
        ("/s/%p/%h-%p", "/s/22/a-23", None),
        // The host name before the key alias and the alias.
        ("/s/%n/%k/%h", "/s/alias/key/host", Some("host")),
        ("/s/%n/%k", "/s/alias/key", Some("key")),
        ("/s/%n", "/s/alias", Some("alias")),
        // Ports without a leading zero, and hosts without an @.
        ("/s/%h:%p", "/s/h:65535", Some("h:65535")),
        ("/s/%h:%p", "/s/h:65536", None),
        ("/s/%h:%p", "/s/h:022", None),
        ("/s/%h:%p", "/s/h:0", None),
        ("/s/%h", "/s/u@h", None),
        ("/s/%n", "/s/u@h", None),
        ("/s/%k", "/s/u@h", None),
        // No host in the template, or no match.
        ("/s/%C", &hash, None),
        ("/s/%r:%p", "/s/u:22", None),
        ("/s/%h", "/t/web", None),
    ] {
        let found = template(text).captures(&path(file));
        let found = found.map(|destination| destination.to_string());
        assert_eq!(found.as_deref(), destination, "{text} {file}");
    }
    assert_eq!(glob("/s/*").captures(&path("/s/web")), None);
    assert_eq!(template("/s/%r@%h").captures(&bytes(b"/s/\xff@h")), None);
    assert_eq!(template("/s/%h").captures(&bytes(b"/s/\xff")), None);
}

#[test]
fn number_of_readings_is_limited() {
    let jumps = format!("/s/{}%h", "%j-".repeat(40));
    let jumps_and_users = "/s/%j%r%j%r@%h";
    let same_jumps = format!("/s/{}/%h", "%j".repeat(20));
    for (text, file, host) in [
        (jumps.as_str(), "-".repeat(200), None),
        (&same_jumps, format!("{}/web", "a".repeat(100)), Some("web")),
        (
            jumps_and_users,
            format!("{}@web", "a".repeat(8)),
            Some("web"),
        ),
        (jumps_and_users, format!("{}@web", "a".repeat(200)), None),
    ] {
        let found = template(text).captures(&path(format!("/s/{file}")));
        assert_eq!(found.map(|it| it.host).as_deref(), host, "{text}");
    }
}

/// Each of these once took quadratic time or memory, or a stack of its length.
#[test]
fn long_texts_take_linear_time() {
    let known = known_for_tests();
    for hostile in ["[", "[/", "[]"] {
        let text = format!("/s/{}", hostile.repeat(1 << 18));
        let _ = Pattern::from_glob(OsStr::new(&text), &known);
        let _ = Pattern::from_include(OsStr::new(&text), &known);
    }
    let broken = [b"/s/", &b"[a\xff".repeat(1 << 18)[..], b"]"].concat();
    assert!(Pattern::from_glob(OsStr::from_bytes(&broken), &known).is_ok());
    let endless = template(&format!("/s/{}%h", "%j".repeat(100_000)));
    assert_eq!(endless.captures(&path("/s/web")), None);
    assert_eq!(variables(&b"${".repeat(1 << 20)).count(), 0);
    let nested = [b"${".repeat(1 << 20), b"}".to_vec()].concat();
    assert_eq!(variables(&nested).count(), 1);
}

#[test]
fn patterns_are_vague_literal_or_per_machine() {
    // The text, whether it is vague, the literal path, whether it is per machine.
    for (text, is_vague, literal, is_per_machine) in [
        ("~/.ssh/%h", true, None, false),
        ("~/%h", true, None, false),
        ("/tmp/%r@%h", true, None, false),
        ("~/.ssh/%r@%h:%p", false, None, false),
        ("~/.ssh/%C", false, None, true),
        ("/tmp/%C", false, None, true),
        ("~/.ssh/cm/%h", false, None, false),
        ("~/.ssh/master", false, Some("/home/u/.ssh/master"), false),
        ("/s/%h/sock", false, None, false),
        ("/s/%l-%h", false, None, true),
        ("/s/%L-%h", false, None, true),
        ("/s/%r-%n-%k-%j-%i-%u", false, None, false),
        ("/s/%%C", false, Some("/s/%C"), false),
    ] {
        let pattern = template(text);
        assert_eq!(pattern.is_vague(), is_vague, "{text}");
        assert_eq!(pattern.as_literal(), literal.map(path), "{text}");
        assert_eq!(pattern.is_per_machine(), is_per_machine, "{text}");
    }
    assert!(glob("/tmp/nix-*/ssh.sock").is_vague());
    assert!(!glob("~/.lima/*/ssh.sock").is_vague());
    assert!(!glob("/tmp/syncoid-*").with_vagueness(false).is_vague());
    let pattern = template("/a/b/%h/c");
    assert_eq!(pattern.root(), Path::new("/a/b"));
    assert_eq!(pattern.components().len(), 2);
    assert_eq!(template("/%h").root(), Path::new("/"));
}

#[test]
fn shared_directories_are_parents_of_home_and_public_ones() {
    let known = Known {
        runtime_dir: PathBuf::from("/elsewhere"),
        environment: [("TMPDIR".into(), "/scratch".into())].into(),
        ..known_for_tests()
    };
    let shared = "/ /home /home/u /home/u/.ssh /run /run/user/1000 /elsewhere /tmp /var/tmp /dev/shm /var /etc /scratch";
    let own = "/home/v /home/u/.ssh/s /home/u/s /run/user/1001 /run/user/1000/s /tmp/s /srv";
    for (directories, is_shared) in [(shared, true), (own, false)] {
        for directory in directories.split(' ').map(Path::new) {
            assert_eq!(known.is_shared(directory), is_shared, "{directory:?}");
        }
    }
    for (value, directory) in [("/scratch", "/scratch"), ("scratch", "/tmp"), ("", "/tmp")] {
        let known = Known {
            environment: [("TMPDIR".into(), value.into())].into(),
            ..known_for_tests()
        };
        assert_eq!(known.temporary_dir(), Path::new(directory));
    }
    assert_eq!(known_for_tests().temporary_dir(), Path::new("/tmp"));
}

#[test]
fn finds_variables() {
    let names: Vec<&OsStr> = variables(b"${ONE}a long way ${TWO}/${} ${THREE}${").collect();
    assert_eq!(names, ["ONE", "TWO", "THREE"]);
}

/// Parts of a template.
const PARTS: [&str; 14] = [
    "%r", "%h", "%n", "%p", "%C", "%d", "/x", "a", "bc", ".", "@", ":", "_", "-",
];

proptest! {
    #[test]
    fn expanded_templates_match_their_pattern(
        parts in proptest::collection::vec(proptest::sample::select(PARTS.to_vec()), 1..8),
        user in "[a-z][a-z0-9_.@-]{0,12}",
        host in "[a-z0-9][a-z0-9.:-]{0,20}",
        port in 1..=u16::MAX,
    ) {
        let (mut text, mut expanded) = (String::from("/srv/x"), String::from("/srv/x"));
        for part in &parts {
            let value = match *part {
                "%r" => user.clone(),
                "%h" | "%n" => host.clone(),
                "%p" => port.to_string(),
                "%C" => HASH.to_owned(),
                "%d" => "/home/u".to_owned(),
                plain => plain.to_owned(),
            };
            text.push_str(part);
            expanded.push_str(&value);
        }
        let file = path(&expanded);
        prop_assume!(file.name().len() <= 255);
        let pattern = template(&text);
        prop_assert!(pattern.matches(&file), "{text} {expanded}");
        // A destination is never wrong, however ambiguous the template.
        if let Some(found) = pattern.captures(&file) {
            prop_assert_eq!(&found.host, &host);
            prop_assert!(found.user.is_none_or(|found| found == user));
            prop_assert!(found.port.is_none_or(|found| found == port));
        }
    }

}

#[test]
fn tokens_of_the_connection() {
    for (template, parts) in [
        ("~/.ssh/s/mux", ""),
        ("~/.ssh/s/%%C-%%h", ""),
        ("~/%d/%i-%u-%l-%j", ""),
        ("~/.ssh/%C", "host user port"),
        ("/s/%r@%h:%p", "host user port"),
        ("/s/%n/%p/%r", "host user port"),
        ("/s/%k", "host"),
        ("/s/%%%n-%", "host"),
        ("/s/%r", "user"),
        ("/s/%h-%p", "host port"),
    ] {
        let tokens = ConnectionTokens::of(template);
        let named = [
            (tokens.host, "host"),
            (tokens.user, "user"),
            (tokens.port, "port"),
        ];
        let named: Vec<&str> = named.iter().filter(|it| it.0).map(|it| it.1).collect();
        assert_eq!(named.join(" "), parts, "{template}");
        assert_eq!(tokens.are_complete(), named.len() == 3);
    }
}
