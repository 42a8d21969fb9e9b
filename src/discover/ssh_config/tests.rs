use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::discover::test_home::Scratch;
use crate::model::interest::Interest;

fn aliases(configuration: &Configuration) -> Vec<&str> {
    configuration
        .aliases
        .iter()
        .map(|alias| alias.text.as_str())
        .collect()
}

fn templates(configuration: &Configuration) -> Vec<&str> {
    configuration
        .templates
        .iter()
        .map(|template| template.text.to_str().unwrap())
        .collect()
}

/// The remarks as `SUBJECT: EVIDENCE`, with the scratch directory left out.
fn remarks(configuration: &Configuration, scratch: &Scratch) -> Vec<String> {
    let root = format!("{}/", scratch.path("").display());
    configuration
        .remarks
        .iter()
        .map(|remark| {
            format!("{}: {}", remark.subject(), remark.fault.evidence())
                .replace(root.trim_end_matches('/'), "")
        })
        .collect()
}

fn read_user(contents: impl AsRef<[u8]>) -> (Configuration, Vec<String>) {
    let scratch = Scratch::new();
    scratch.user_config(contents);
    let (configuration, ..) = read(None, &scratch.surroundings);
    let remarks = remarks(&configuration, &scratch);
    (configuration, remarks)
}

#[test]
fn concrete_hosts_are_aliases() {
    let (configuration, remarks) = read_user(
        "Host web db *.example.org !mail ?x\n\
         HOST=\"quoted\" # comment\n\
         Host web\r\n\
         Match originalhost a,b* user me\n\
         Match all\n\
         Match exec \"true host no\" host=c,!d\n\
         Match !host e host f\n\
         Match final host g\n",
    );
    assert_eq!(
        aliases(&configuration),
        ["web", "db", "quoted", "a", "c", "f", "g"]
    );
    assert_eq!(remarks, [""; 0]);
    assert_eq!(configuration.aliases[1].line, 1);
    assert_eq!(configuration.aliases[2].line, 2);
}

#[test]
fn every_control_path_counts_once_wherever_it_stands() {
    let (configuration, remarks) = read_user(
        "ControlPath ~/.ssh/%C\nHost *.a\n  controlpath = \"/s s/%h\"\nMatch exec false\nControlPath none\nControlPath ~/.ssh/%C\n",
    );
    assert_eq!(templates(&configuration), ["~/.ssh/%C", "/s s/%h", "none"]);
    assert_eq!(remarks, [""; 0]);
}

#[test]
fn what_ssh_refuses_is_said_with_its_line() {
    for (contents, remark) in [
        (
            &b"\nHost \"a"[..],
            "/home/.ssh/config line 2: a quote after host is never closed; ssh refuses the line",
        ),
        (
            b"ControlPath",
            "/home/.ssh/config line 1: nothing follows controlpath; ssh refuses the line",
        ),
        (
            b"ControlPath \"\"",
            "/home/.ssh/config line 1: nothing follows controlpath; ssh refuses the line",
        ),
        (
            b"ControlPath a b",
            "/home/.ssh/config line 1: more than one word follows controlpath; ssh refuses the line",
        ),
        (
            b"Host -oProxyCommand=x",
            "/home/.ssh/config line 1: no command line of ssh can name the host -oProxyCommand=x",
        ),
        (
            b"Host u@h",
            "/home/.ssh/config line 1: no command line of ssh can name the host u@h",
        ),
        (
            b"Host a\xff\x1b",
            "/home/.ssh/config line 1: the host a\\xff\\u{1b} is not valid UTF-8",
        ),
        (
            b"Include ~nobody-at-all/x",
            "/home/.ssh/config line 1: Include ~nobody-at-all/x: there is no user nobody-at-all",
        ),
        (
            b"\xef\xbb\xbfControlPath /s/%h",
            "/home/.ssh/config line 1: the file begins with a byte order mark, which ssh takes for a part of the first keyword",
        ),
    ] {
        let (_, remarks) = read_user(contents);
        assert_eq!(remarks, [remark]);
    }
}

#[test]
fn a_template_after_a_byte_order_mark_and_one_that_is_no_text_are_kept() {
    let (configuration, _) = read_user(b"\xef\xbb\xbfControlPath /s/%h\r\nControlPath /s/\xff%h\n");
    let texts: Vec<&[u8]> = configuration
        .templates
        .iter()
        .map(|template| std::os::unix::ffi::OsStrExt::as_bytes(template.text.as_os_str()))
        .collect();
    assert_eq!(texts, [&b"/s/%h"[..], b"/s/\xff%h"]);
}

#[test]
fn includes_are_read_in_the_order_of_their_names_and_once() {
    let scratch = Scratch::new();
    scratch.user_config(
        "Include conf.d/*.conf ~/.ssh/more missing\nHost last\nInclude conf.d/b.conf\n",
    );
    scratch.write("home/.ssh/conf.d/b.conf", "Host b\n");
    scratch.write("home/.ssh/conf.d/a.conf", "Host a\nInclude deep\n");
    scratch.write("home/.ssh/conf.d/.hidden.conf", "Host hidden\n");
    scratch.write("home/.ssh/conf.d/c.txt", "Host c\n");
    scratch.write("home/.ssh/deep", "Host deep\n");
    scratch.write("home/.ssh/more", "Host more\n");
    fs::create_dir(scratch.path("home/.ssh/conf.d/dir.conf")).unwrap();
    scratch.write(
        "etc/ssh_config",
        "Include ssh_config.d/*.conf\nHost system\n",
    );
    scratch.write("etc/ssh_config.d/x.conf", "Host x\n");
    let (configuration, ..) = read(None, &scratch.surroundings);
    assert_eq!(
        aliases(&configuration),
        ["a", "deep", "b", "more", "last", "x", "system"]
    );
    assert_eq!(remarks(&configuration, &scratch), [""; 0]);
}

#[test]
fn a_relative_include_starts_from_the_home_of_the_environment() {
    let mut scratch = Scratch::new();
    scratch.user_config("Include x\n");
    scratch.write("elsewhere/.ssh/x", "Host elsewhere\n");
    let elsewhere = scratch.path("elsewhere");
    let environment = &mut scratch.surroundings.known.environment;
    environment.insert("HOME".into(), elsewhere.into());
    let (configuration, ..) = read(None, &scratch.surroundings);
    assert_eq!(aliases(&configuration), ["elsewhere"]);
}

#[test]
fn includes_that_lead_back_or_nest_too_deep_end() {
    let scratch = Scratch::new();
    scratch.user_config("Include a\nInclude deep0\nHost end\n");
    scratch.write("home/.ssh/a", "Include b\n");
    scratch.write("home/.ssh/b", "Host b\nInclude *\n");
    for depth in 0..20 {
        let next = format!(
            "Host h{depth}\nInclude {}/deep{}\n",
            scratch.path("home/.ssh").display(),
            depth + 1
        );
        scratch.write(&format!("home/.ssh/deep{depth}"), next);
    }
    let (configuration, ..) = read(None, &scratch.surroundings);
    let remarks = remarks(&configuration, &scratch);
    assert!(aliases(&configuration).contains(&"end"));
    assert!(
        remarks.contains(
            &"/home/.ssh/b line 2: it includes /home/.ssh/config, which leads back here; ssh gives up on that".to_owned()
        ),
        "{remarks:?}"
    );
    assert!(
        remarks
            .iter()
            .any(|remark| remark.ends_with("Includes nest deeper than 16; ssh gives up on that")),
        "{remarks:?}"
    );
}

#[test]
fn a_missing_file_matters_only_where_it_was_named() {
    let scratch = Scratch::new();
    let (configuration, ..) = read(None, &scratch.surroundings);
    assert_eq!(configuration, Configuration::default());
    let (configuration, ..) = read(Some(&scratch.path("named")), &scratch.surroundings);
    assert_eq!(
        remarks(&configuration, &scratch),
        ["/named: it cannot be read: No such file or directory (os error 2)"]
    );
}

#[test]
fn none_and_the_null_device_hold_nothing() {
    let scratch = Scratch::new();
    scratch.user_config("Host web\n");
    for config in ["none", "NONE", "/dev/null"] {
        let (configuration, ..) = read(Some(Path::new(config)), &scratch.surroundings);
        assert_eq!(configuration, Configuration::default());
    }
}

#[test]
fn what_is_no_readable_file_is_said_and_never_waited_for() {
    let scratch = Scratch::new();
    scratch.user_config("Include pipe loop\nHost web\n");
    nix::unistd::mkfifo(
        &scratch.path("home/.ssh/pipe"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    symlink("loop", scratch.path("home/.ssh/loop")).unwrap();
    let (configuration, ..) = read(None, &scratch.surroundings);
    let remarks = remarks(&configuration, &scratch);
    assert_eq!(aliases(&configuration), ["web"]);
    assert_eq!(remarks.len(), 2);
    assert_eq!(
        remarks[0],
        "/home/.ssh/pipe: it is no regular file, so muxtray does not read it"
    );
    assert!(
        remarks[1].starts_with("/home/.ssh/loop: it cannot be read: "),
        "{remarks:?}"
    );
}

#[test]
fn a_file_that_others_may_write_to_is_said_as_ssh_refuses_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let path = scratch.user_config("Host web\n");
    for (mode, depends_on_ssh) in [(0o664, true), (0o666, false), (0o646, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (configuration, trail, _) = read(None, &scratch.surroundings);
        assert_eq!(
            remarks(&configuration, &scratch),
            [format!(
                "/home/.ssh/config: ssh refuses it: group or others may write to it (mode {mode:04o})"
            )]
        );
        assert_eq!(configuration.remarks[0].depends_on_ssh(), depends_on_ssh);
        // The answer depends on the members of the group then.
        let interests = trail.interests(&[], &scratch.surroundings);
        let groups = Interest::File {
            path: scratch.surroundings.databases.group.clone(),
            reading: false,
        };
        assert_eq!(interests.contains(&groups), depends_on_ssh, "{mode:o}");
    }
    // ssh does not look at the permissions of a file given with -F.
    let (configuration, ..) = read(Some(&path), &scratch.surroundings);
    assert_eq!(remarks(&configuration, &scratch), [""; 0]);
}

#[test]
fn a_flood_of_bytes_files_or_hosts_is_cut() {
    let scratch = Scratch::new();
    let mut contents = b"Host first\n".to_vec();
    contents.resize(usize::try_from(MAX_BYTES).unwrap() + 10, b'#');
    contents.extend_from_slice(b"\nHost never\n");
    scratch.user_config(&contents);
    let (configuration, ..) = read(None, &scratch.surroundings);
    assert_eq!(aliases(&configuration), ["first"]);
    assert_eq!(configuration.remarks.len(), 1);

    let hosts: String = (0..5_000)
        .map(|number| format!("Host h{number}\n"))
        .collect();
    scratch.user_config(hosts);
    let (configuration, ..) = read(None, &scratch.surroundings);
    assert_eq!(configuration.aliases.len(), 4_096);
    assert_eq!(configuration.remarks.len(), 1);
}

/// Noting each took a time of the square of their number.
#[test]
fn very_many_variables_are_noted_in_their_own_time() {
    use std::fmt::Write as _;
    let mut contents = String::new();
    for number in 0..100_000 {
        let _ = writeln!(contents, "User ${{V{number}}}");
    }
    let scratch = Scratch::new();
    scratch.user_config(contents);
    let (_, trail, _) = read(None, &scratch.surroundings);
    assert!(trail.still_holds(&scratch.surroundings));
}
