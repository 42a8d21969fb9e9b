use std::ffi::OsStr;

use proptest::prelude::*;

use super::*;
use crate::model::control_path::{ControlPath, Destination};

fn template(text: &str) -> Pattern {
    Pattern::from_template(OsStr::new(text), &known_for_tests())
        .unwrap()
        .unwrap()
}

fn glob(text: &str) -> Pattern {
    Pattern::from_glob(OsStr::new(text), &known_for_tests()).unwrap()
}

fn path(text: &str) -> ControlPath {
    ControlPath::new(text).unwrap()
}

const HASH: &str = "753a402d6e1222f9e166ff6663c842a3cdfb37e8";

#[test]
fn a_template_matches_what_ssh_makes_of_it() {
    for (text, expanded, matches) in [
        ("~/.ssh/s/%r@%h-%p", "/home/u/.ssh/s/u@h-22", true),
        ("~/.ssh/s/%r@%h-%p", "/home/u/.ssh/s/u@h-", false),
        ("~/.ssh/s/%r@%h-%p", "/home/u/.ssh/s/u@h-123456", false),
        ("~/.ssh/s/%r@%h-%p", "/home/u/.ssh/s/x/u@h-22", false),
        ("~/.ssh/s/%r@%h-%p", "/home/u/.ssh/su@h-22", false),
        ("~v/%h", "/home/v/web", true),
        (
            "%d/.cm/%i-%u-%l-%L-%n",
            "/home/u/.cm/1000-u-box.example.org-box-web",
            true,
        ),
        (
            "${WHERE}/%C",
            "/srv/mux/753a402d6e1222f9e166ff6663c842a3cdfb37e8",
            true,
        ),
        (
            "${WHERE}/%C",
            "/srv/mux/753a402d6e1222f9e166ff6663c842a3cdfb37eg",
            false,
        ),
        ("/s/100%%-%h", "/s/100%-web", true),
        ("/s//./cm-%h", "/s/cm-web", true),
        ("/s/%r/%h/sock", "/s/me/web/sock", true),
        ("/s/%r/%h/sock", "/s/me/sock", false),
        ("/s/%h%j", "/s/h", true),
        ("/%C", "/753a402d6e1222f9e166ff6663c842a3cdfb37e8", true),
        ("/s/*%h", "/s/axb", false),
        ("/s/master", "/s/master", true),
        ("/s/master", "/s/masters", false),
    ] {
        assert_eq!(
            template(text).matches(&path(expanded)),
            matches,
            "{text} {expanded}"
        );
    }
}

#[test]
fn a_template_that_ssh_or_we_cannot_use_says_why() {
    for (text, error) in [
        ("/s/%z", TemplateError::UnknownToken("z".into())),
        ("/s/%\u{e9}", TemplateError::UnknownToken("\u{e9}".into())),
        ("/s/%", TemplateError::LoneEscape),
        ("/s/${WHERE", TemplateError::BadVariable),
        ("/s/${}", TemplateError::BadVariable),
        (
            "/s/${NOWHERE}",
            TemplateError::UnsetVariable("NOWHERE".into()),
        ),
        (
            "~nobody-at-all/%h",
            TemplateError::UnknownUser("nobody-at-all".into()),
        ),
        ("s/%h", TemplateError::Relative),
        ("%h", TemplateError::Relative),
        ("", TemplateError::Relative),
        ("/s/../%h", TemplateError::ParentDirectory),
        ("/", TemplateError::NoName),
        ("/a\0/%h", TemplateError::NoName),
        ("/s/a\0%h", TemplateError::NoName),
    ] {
        assert_eq!(
            Pattern::from_template(OsStr::new(text), &known_for_tests()),
            Err(error),
            "{text}"
        );
    }
    for none in ["none", "NONE"] {
        let pattern = Pattern::from_template(OsStr::new(none), &known_for_tests());
        assert_eq!(pattern, Ok(None));
    }
}

#[test]
fn a_glob_matches_like_a_shell() {
    for (text, file, matches) in [
        ("~/s/*", "/home/u/s/web", true),
        ("~/s/*", "/home/u/s/.hidden", false),
        ("~/s/.*", "/home/u/s/.hidden", true),
        ("~/s/**", "/home/u/s/web", true),
        ("~/s/*", "/home/u/s/x/web", false),
        ("~/*/ssh.sock", "/home/u/vm/ssh.sock", true),
        ("~/*/ssh.sock", "/home/u/.vm/ssh.sock", false),
        ("/s/?b", "/s/ab", true),
        ("/s/?b", "/s/\u{e4}b", true),
        ("/s/?b", "/s/b", false),
        ("/s/a?", "/s/a", false),
        ("/s/a[x]", "/s/a", false),
        ("/s/[a-c]x", "/s/bx", true),
        ("/s/[a-c]x", "/s/dx", false),
        ("/s/[!a-c]x", "/s/dx", true),
        ("/s/[^a-c]x", "/s/ax", false),
        ("/s/[]x]", "/s/]", true),
        ("/s/[x", "/s/[x", true),
        ("/s/\\*", "/s/*", true),
        ("/s/\\*", "/s/a", false),
        ("/s/%h", "/s/%h", true),
        ("/s/a*b*c", "/s/a-b-b-c", true),
    ] {
        assert_eq!(glob(text).matches(&path(file)), matches, "{text} {file}");
    }
}

#[test]
fn an_include_has_tokens_and_wildcards() {
    let pattern = Pattern::from_include(OsStr::new("~/.ssh/%u-*/%h.conf"), &known_for_tests());
    assert!(pattern.unwrap().matches(&path("/home/u/.ssh/u-x/web.conf")));
}

#[test]
fn vague_is_what_other_files_match_too() {
    for (text, vague) in [
        ("~/.ssh/%h", true),
        ("~/.ssh/cm-%r@%h", true),
        ("~/%h", true),
        ("/tmp/%r@%h", true),
        ("/home/%h", true),
        ("/run/user/1000/%h", true),
        ("~/.ssh/%r@%h:%p", false),
        ("~/.ssh/%C", false),
        ("/tmp/%C", false),
        ("~/.ssh/cm/%h", false),
        ("/run/user/1000/ssh/%h", false),
        ("~/.ssh/master", false),
    ] {
        assert_eq!(template(text).is_vague(), vague, "{text}");
    }
    assert!(glob("/tmp/nix-*/ssh.sock").is_vague());
    assert!(!glob("~/.lima/*/ssh.sock").is_vague());
    assert!(!glob("/tmp/syncoid-*").distinct().is_vague());
}

#[test]
fn a_path_tells_where_its_master_leads() {
    let full = |user: Option<&str>, host: &str, port| {
        Some(Destination {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    };
    for (text, file, destination) in [
        ("/s/%r@%h:%p", "/s/u@h:22", full(Some("u"), "h", Some(22))),
        (
            "/s/%r@%h-%p",
            "/s/u@my-host-22",
            full(Some("u"), "my-host", Some(22)),
        ),
        (
            "/s/%r@%h-%p",
            "/s/u@corp@h-22",
            full(Some("u@corp"), "h", Some(22)),
        ),
        (
            "/s/%r@%h:%p",
            "/s/u@fe80::1:22",
            full(Some("u"), "fe80::1", Some(22)),
        ),
        ("/s/%h", "/s/web", full(None, "web", None)),
        ("/s/%n-%h", "/s/web-web", full(None, "web", None)),
        ("/s/%k:%p", "/s/key:2222", full(None, "key", Some(2222))),
        ("/s/%r/%h/%p", "/s/u/h/22", full(Some("u"), "h", Some(22))),
        (
            "/s/%h-%C",
            &format!("/s/web-{HASH}"),
            full(None, "web", None),
        ),
        // One host, but the user could be "a" or "a-b".
        ("/s/%h:%r-%j", "/s/web:a-b-c", full(None, "web", None)),
        // Two readings, two hosts.
        ("/s/%r-%h", "/s/a-b-c", None),
        ("/s/%h%p", "/s/host22", None),
        ("/s/%h%h", "/s/webweb", full(None, "web", None)),
        ("/s/%h%h", "/s/webwob", None),
        ("/s/%h:%p", "/s/web:022", None),
        ("/s/%h:%p", "/s/web:70000", None),
        ("/s/%C", &format!("/s/{HASH}"), None),
        ("/s/%r:%p", "/s/u:22", None),
        ("/s/%h", "/t/web", None),
    ] {
        assert_eq!(
            template(text).captures(&path(file)),
            destination,
            "{text} {file}"
        );
    }
    assert_eq!(glob("/s/*").captures(&path("/s/web")), None);
}

#[test]
fn a_name_with_too_many_readings_ends_soon_and_tells_nothing() {
    let pattern = template(&format!("/s/{}%h", "%j-".repeat(40)));
    let file = path(&format!("/s/{}", "-".repeat(200)));
    assert_eq!(pattern.captures(&file), None);
}

#[test]
fn readings_that_agree_tell_however_many_they_are() {
    let jumps = |number: usize| {
        let pattern = template(&format!("/s/{}/%h", "%j".repeat(number)));
        let file = path(&format!("/s/{}/web", "a".repeat(100)));
        assert!(pattern.matches(&file));
        pattern.captures(&file).map(|told| told.host)
    };
    assert_eq!(jumps(2).as_deref(), Some("web"));
    assert_eq!(jumps(20).as_deref(), Some("web"));
}

#[test]
fn a_glob_has_no_tokens_and_a_template_no_wildcards() {
    for (pattern, file, other) in [
        (glob("/s/%h*"), "/s/%hx", "/s/web"),
        (glob("/s/${HOME}*"), "/s/${HOME}x", "/s/home/u"),
        (template("/s/?%h"), "/s/?web", "/s/xweb"),
        (template("/s/*%h"), "/s/*web", "/s/xweb"),
        (template("/s/[x]%h"), "/s/[x]web", "/s/xweb"),
        (template("/s/\\x%h"), "/s/\\xweb", "/s/xweb"),
    ] {
        assert!(pattern.matches(&path(file)), "{file}");
        assert!(!pattern.matches(&path(other)), "{other}");
    }
}

#[test]
fn a_host_or_a_user_is_never_empty_but_a_jump_may_be() {
    for (token, may_be_empty) in [
        ("%h", false),
        ("%n", false),
        ("%k", false),
        ("%r", false),
        ("%j", true),
    ] {
        let pattern = template(&format!("/s/a{token}b"));
        assert!(pattern.matches(&path("/s/axb")), "{token}");
        assert_eq!(pattern.matches(&path("/s/ab")), may_be_empty, "{token}");
    }
}

/// 200 `a` are shared out to four tokens in more ways than may be tried, though all of them tell the same.
#[test]
fn readings_too_many_to_try_tell_nothing() {
    let pattern = template("/s/%j%r%j%r@%h");
    let told = |length: usize| {
        let file = path(&format!("/s/{}@web", "a".repeat(length)));
        assert!(pattern.matches(&file));
        pattern.captures(&file).map(|told| told.host)
    };
    assert_eq!(told(8).as_deref(), Some("web"));
    assert_eq!(told(200), None);
}

#[test]
fn a_literal_is_one_path() {
    assert_eq!(
        template("~/.ssh/master").as_literal(),
        Some(path("/home/u/.ssh/master"))
    );
    assert_eq!(template("~/.ssh/%h").as_literal(), None);
    assert_eq!(template("/%h").root(), Path::new("/"));
}

/// Each of these took a time or a room of its square, or a stack as deep as it is long.
#[test]
fn a_long_text_is_read_in_its_own_time() {
    let known = known_for_tests();
    for hostile in ["[", "[/", "[]"] {
        let text = format!("/s/{}", hostile.repeat(1 << 18));
        let _ = Pattern::from_glob(OsStr::new(&text), &known);
        let _ = Pattern::from_include(OsStr::new(&text), &known);
    }
    let broken = [b"/s/", &b"[a\xff".repeat(1 << 18)[..], b"]"].concat();
    assert!(Pattern::from_glob(OsStr::from_bytes(&broken), &known).is_ok());
    let endless = template(&format!("/s/{}%h", "%j".repeat(100_000)));
    let destination = endless.captures(&path("/s/web"));
    assert_eq!(
        destination, None,
        "a jump host may be the whole name or none of it"
    );
    assert_eq!(variables(&b"${".repeat(1 << 20)).count(), 0);
    let nested = [b"${".repeat(1 << 20), b"}".to_vec()].concat();
    assert_eq!(variables(&nested).count(), 1);
}

#[test]
fn a_bracket_that_is_not_closed_in_its_part_means_itself() {
    for (text, name, matches) in [
        ("/s/[a/x]", "/s/[a/x]", true),
        ("/s/[[a]", "/s/a", true),
        ("/s/[[a]", "/s/[", true),
        ("/s/[a[b", "/s/[a[b", true),
        ("/[x/[ab]", "/[x/b", true),
        ("/s/[]a]", "/s/]", true),
        ("/s/[!]a]", "/s/]", false),
        ("/s/[]", "/s/[]", true),
    ] {
        assert_eq!(glob(text).matches(&path(name)), matches, "{text} {name}");
    }
}

#[test]
fn a_byte_that_is_no_text_is_no_token() {
    use std::os::unix::ffi::OsStrExt as _;
    let refused = |bytes| Pattern::from_template(OsStr::from_bytes(bytes), &known_for_tests());
    assert_eq!(
        refused(b"/s/%\xff"),
        Err(TemplateError::UnknownToken("\\xff".into()))
    );
    assert_eq!(
        refused(b"/s/%\n"),
        Err(TemplateError::UnknownToken("\\u{a}".into()))
    );
}

#[test]
fn every_refusal_has_its_words() {
    for (error, words) in [
        (
            TemplateError::UnknownToken("z".into()),
            "there is no token %z in a ControlPath",
        ),
        (TemplateError::LoneEscape, "it ends in a lone %"),
        (
            TemplateError::BadVariable,
            "a variable is not written ${NAME}",
        ),
        (
            TemplateError::UnsetVariable("NOWHERE".into()),
            "the environment variable NOWHERE is not set here",
        ),
        (
            TemplateError::UnknownUser("nobody".into()),
            "there is no user nobody",
        ),
        (
            TemplateError::Relative,
            "it is not absolute, so where it leads depends on where ssh is started",
        ),
        (TemplateError::ParentDirectory, "it has .. in it"),
        (TemplateError::NoName, "it names no file"),
    ] {
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn temporary_files_lie_where_the_environment_says_an_absolute_path() {
    let with = |value: Option<&str>| {
        let mut known = known_for_tests();
        if let Some(value) = value {
            known.environment.insert("TMPDIR".into(), value.into());
        }
        known
    };
    for (value, directory) in [
        (None, "/tmp"),
        (Some("/scratch"), "/scratch"),
        (Some("scratch"), "/tmp"),
        (Some(""), "/tmp"),
    ] {
        assert_eq!(with(value).temporary_dir(), Path::new(directory));
    }
    let here = with(Some("/scratch"));
    let vague = |text: &str, known: &Known| {
        let pattern = Pattern::from_template(OsStr::new(text), known);
        pattern.unwrap().unwrap().is_vague()
    };
    assert!(vague("/scratch/%h", &here));
    assert!(!vague("/scratch/%h", &with(None)));
    assert!(vague("/tmp/%h", &here), "others use it still");
}

#[test]
fn directories_that_many_use_are_shared() {
    for directory in [
        "/",
        "/home",
        "/home/u",
        "/home/u/.ssh",
        "/run",
        "/run/user",
        "/run/user/1000",
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/var/run",
        "/var",
        "/etc",
    ] {
        assert!(
            known_for_tests().is_shared(Path::new(directory)),
            "{directory}"
        );
    }
    for directory in [
        "/home/v",
        "/home/u/.ssh/s",
        "/home/u/s",
        "/run/user/1001",
        "/run/user/1000/s",
        "/tmp/s",
        "/srv",
    ] {
        assert!(
            !known_for_tests().is_shared(Path::new(directory)),
            "{directory}"
        );
    }
    // The runtime directory of the environment need not be the usual one, which counts all the same.
    let elsewhere = Known {
        runtime_dir: PathBuf::from("/elsewhere"),
        ..known_for_tests()
    };
    assert!(elsewhere.is_shared(Path::new("/elsewhere")));
    assert!(elsewhere.is_shared(Path::new("/run/user/1000")));
}

#[test]
fn a_pattern_below_a_directory_takes_its_name_as_it_is() {
    let below = |directory: &str, glob: &str| {
        Pattern::below(Path::new(directory), glob, &known_for_tests()).unwrap()
    };
    let pattern = below("/a*b/%h", "*/ssh.sock");
    assert_eq!(pattern.root(), Path::new("/a*b/%h"));
    assert!(pattern.matches(&path("/a*b/%h/vm/ssh.sock")));
    assert!(!pattern.matches(&path("/axb/%h/vm/ssh.sock")));
    assert!(pattern.is_glob() && !pattern.is_per_machine());
    assert_eq!(
        Pattern::below(Path::new("relative"), "*", &known_for_tests()),
        Err(TemplateError::Relative)
    );
}

#[test]
fn only_tokens_of_the_machine_make_a_path_of_it() {
    for (text, is_per_machine) in [
        ("/s/%C", true),
        ("/s/%l-%h", true),
        ("/s/%L-%h", true),
        ("/s/%h-%r-%p-%n-%k-%j-%i-%u", false),
        ("%d/s/%h", false),
        ("/s/%%C", false),
    ] {
        assert_eq!(template(text).is_per_machine(), is_per_machine, "{text}");
        assert!(!template(text).is_glob());
    }
}

#[test]
fn a_class_is_read_like_a_shells() {
    for (text, file, matches) in [
        ("/s/[abc]", "/s/c", true),
        ("/s/[abc]", "/s/d", false),
        ("/s/[a-cx-z]", "/s/y", true),
        ("/s/[a-cx-z]", "/s/m", false),
        ("/s/[a-]", "/s/-", true),
        ("/s/[a-]", "/s/b", false),
        ("/s/[!]x]", "/s/]", false),
        ("/s/[!]x]", "/s/y", true),
        ("/s/[\u{e0}-\u{ff}]", "/s/\u{e9}", true),
        ("/s/[\u{e0}-\u{ff}]", "/s/e", false),
        // One character, however many bytes.
        ("/s/[!a]x", "/s/\u{e9}x", true),
        ("/s/[!a]x", "/s/x", false),
        // Not closed in this part of the path: the bracket means itself.
        ("/s/[a/b]", "/s/[a/b]", true),
        ("/s/[", "/s/[", true),
        ("/s/[]", "/s/[]", true),
        ("/s/x\\", "/s/x\\", true),
        ("/s/\\[a]", "/s/[a]", true),
        ("/s/a?c*", "/s/abc", true),
        ("/s/a?c*", "/s/ac", false),
        ("/s/$*{x}", "/s/$y{x}", true),
    ] {
        assert_eq!(glob(text).matches(&path(file)), matches, "{text} {file}");
    }
}

#[test]
fn a_name_that_is_no_text_matches_byte_by_byte() {
    use std::os::unix::ffi::OsStrExt as _;
    let file = |name: &[u8]| path_of(&[b"/s/", name].concat());
    fn path_of(bytes: &[u8]) -> ControlPath {
        ControlPath::new(OsStr::from_bytes(bytes)).unwrap()
    }
    assert!(glob("/s/?b").matches(&file(b"\xffb")));
    assert!(!glob("/s/?b").matches(&file(b"\xff\xffb")));
    assert!(glob("/s/[!a]b").matches(&file(b"\xffb")));
    assert!(!glob("/s/[a-z]b").matches(&file(b"\xffb")));
    assert!(template("/s/%r@%h").matches(&file(b"\xff@h")));
    assert_eq!(template("/s/%r@%h").captures(&file(b"\xff@h")), None);
    assert_eq!(template("/s/%h").captures(&file(b"\xff")), None);
}

#[test]
fn a_dollar_alone_means_itself() {
    for (text, file) in [
        ("/s/$%h", "/s/$web"),
        ("/s/a$", "/s/a$"),
        ("/s/$(x)", "/s/$(x)"),
    ] {
        assert!(template(text).matches(&path(file)), "{text}");
    }
    assert!(
        glob("/s/${WHERE}*").matches(&path("/s/${WHERE}x")),
        "a glob has no variables"
    );
}

#[test]
fn a_literal_below_a_wildcard_is_no_one_path() {
    assert_eq!(template("/s/%h/sock").as_literal(), None);
    assert_eq!(template("/s/sock").as_literal(), Some(path("/s/sock")));
    let pattern = template("/a/b/%h/c");
    assert_eq!(pattern.root(), Path::new("/a/b"));
    assert_eq!(pattern.components().len(), 2);
}

#[test]
fn names_that_no_file_has_match_nothing() {
    let star = glob("/s/*").components()[0].clone();
    let any = template("/s/%h%j").components()[0].clone();
    for name in ["", ".", ".."] {
        assert!(
            !star.matches(name.as_bytes()) && !any.matches(name.as_bytes()),
            "{name}"
        );
    }
    assert!(any.matches("x".repeat(255).as_bytes()));
    assert!(!any.matches("x".repeat(256).as_bytes()));
    assert!(any.matches(b"..."));
    assert!(any.matches(b".hidden"), "a template is no glob");
}

#[test]
fn a_port_has_one_to_five_digits_and_tells_itself_without_a_leading_zero() {
    let port = |file: &str| {
        let told = template("/s/%h:%p").captures(&path(file));
        told.and_then(|told| told.port)
    };
    for (file, told) in [
        ("/s/h:1", Some(1)),
        ("/s/h:65535", Some(65535)),
        ("/s/h:65536", None),
        ("/s/h:022", None),
        ("/s/h:0", None),
        ("/s/h:", None),
        ("/s/h:x", None),
    ] {
        assert_eq!(port(file), told, "{file}");
    }
    assert!(template("/s/%p").matches(&path("/s/99999")));
    assert!(!template("/s/%p").matches(&path("/s/100000")));
}

#[test]
fn readings_that_differ_tell_only_what_they_share() {
    for (text, file, told) in [
        // Either user, but one host.
        ("/s/%r-%r@%h", "/s/a-a@h", Some("a@h")),
        ("/s/%j%r@%h", "/s/ab@h", Some("h")),
        ("/s/%h:%p%j", "/s/h:22", Some("h")),
        // Either host: nothing is told.
        ("/s/%h-%j", "/s/a-b-c", None),
        ("/s/%h%j", "/s/ab", None),
        // The same token stands for the same text.
        ("/s/%h/%h", "/s/a/b", None),
        ("/s/%h/%h", "/s/a/a", Some("a")),
        ("/s/%p/%h-%p", "/s/22/a-22", Some("a:22")),
        ("/s/%p/%h-%p", "/s/22/a-23", None),
        // The host name rather than a key's or the alias.
        ("/s/%n/%k/%h", "/s/alias/key/host", Some("host")),
        ("/s/%n/%k", "/s/alias/key", Some("key")),
        ("/s/%n", "/s/alias", Some("alias")),
        ("/s/%n/%n", "/s/a/b", None),
        ("/s/%k/%k", "/s/a/b", None),
        ("/s/%r/%h/%r", "/s/u/h/v", None),
        // What ssh takes for a user is in no host.
        ("/s/%h", "/s/u@h", None),
        ("/s/%n", "/s/u@h", None),
        ("/s/%k", "/s/u@h", None),
    ] {
        let destination = template(text).captures(&path(file));
        let destination = destination.map(|it| it.to_string());
        assert_eq!(destination.as_deref(), told, "{text} {file}");
    }
}

#[test]
fn variables_are_found_wherever_they_stand() {
    let names: Vec<&OsStr> = variables(b"${ONE}a long way ${TWO}/${} ${THREE}${").collect();
    assert_eq!(names, ["ONE", "TWO", "THREE"]);
}

/// The value that ssh would put for a token, and the token.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    User,
    Host,
    Alias,
    Port,
    Hash,
    Home,
    Slash,
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        "[a-z.@:_-]{1,3}".prop_map(Part::Text),
        Just(Part::User),
        Just(Part::Host),
        Just(Part::Alias),
        Just(Part::Port),
        Just(Part::Hash),
        Just(Part::Home),
        Just(Part::Slash),
    ]
}

proptest! {
    #[test]
    fn an_expanded_template_matches_its_own_pattern(
        parts in proptest::collection::vec(part(), 1..8),
        user in "[a-z][a-z0-9_.@-]{0,12}",
        host in "[a-z0-9][a-z0-9.:-]{0,20}",
        port in 1..=u16::MAX,
    ) {
        let (mut text, mut expanded) = (String::from("/srv/x"), String::from("/srv/x"));
        for part in &parts {
            let (token, value) = match part {
                Part::Text(plain) => (plain.as_str(), plain.clone()),
                Part::User => ("%r", user.clone()),
                Part::Host => ("%h", host.clone()),
                Part::Alias => ("%n", host.clone()),
                Part::Port => ("%p", port.to_string()),
                Part::Hash => ("%C", HASH.to_owned()),
                Part::Home => ("%d", "/home/u".to_owned()),
                Part::Slash => ("/x", "/x".to_owned()),
            };
            text.push_str(token);
            expanded.push_str(&value);
        }
        let file = path(&expanded);
        prop_assume!(file.name().len() <= 255);
        let pattern = template(&text);
        prop_assert!(pattern.matches(&file), "{text} {expanded}");
        // What is told is never wrong, however ambiguous the template.
        if let Some(told) = pattern.captures(&file) {
            prop_assert_eq!(&told.host, &host);
            prop_assert!(told.user.is_none_or(|told| told == user));
            prop_assert!(told.port.is_none_or(|told| told == port));
        }
    }

    #[test]
    fn the_usual_templates_tell_everything(
        shape in proptest::sample::select(vec!["~/.ssh/s/%r@%h:%p", "~/.ssh/%r@%h-%p", "/tmp/cm_%r@%h_%p", "~/cm/%p.%h/%r"]),
        user in "[a-z][a-z0-9_.@-]{0,12}",
        host in "[a-z0-9][a-z0-9.:-]{0,20}",
        port in 1..=u16::MAX,
    ) {
        let expanded = shape
            .replacen('~', "/home/u", 1)
            .replace("%r", &user)
            .replace("%h", &host)
            .replace("%p", &port.to_string());
        let told = template(shape).captures(&path(&expanded));
        prop_assert_eq!(told, Some(Destination { user: Some(user), host, port: Some(port) }));
    }

    #[test]
    fn no_text_and_no_path_is_too_strange(text in "\\PC{0,40}|[%$*?\\[\\]{}~/.a\\\\!^-]{0,40}", file in "/[\\PC]{1,40}") {
        let known = known_for_tests();
        let patterns = [
            Pattern::from_template(OsStr::new(&text), &known).ok().flatten(),
            Pattern::from_glob(OsStr::new(&text), &known).ok(),
            Pattern::from_include(OsStr::new(&text), &known).ok(),
        ];
        for pattern in patterns.into_iter().flatten() {
            prop_assert!(!pattern.components().is_empty());
            prop_assert!(pattern.root().is_absolute());
            if let Some(file) = ControlPath::new(&file) {
                prop_assert!(pattern.matches(&file) || pattern.captures(&file).is_none());
            }
        }
    }
}
