use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::discover::test_home::Scratch;

fn aliases(contents: &SshConfig) -> Vec<&str> {
    let aliases = contents.aliases.iter();
    aliases.map(|alias| alias.text.as_str()).collect()
}

fn templates(contents: &SshConfig) -> Vec<&[u8]> {
    let templates = contents.templates.iter();
    templates.map(|it| it.text.as_bytes()).collect()
}

/// Returns `SUBJECT: EVIDENCE` of each problem, without the scratch directory.
fn problems(contents: &SshConfig, scratch: &Scratch) -> Vec<String> {
    let root = scratch.path("").display().to_string();
    let findings = contents.problems.iter().map(ConfigProblem::finding);
    findings
        .map(|it| {
            format!("{}: {}", it.subject, it.evidence).replace(root.trim_end_matches('/'), "")
        })
        .collect()
}

fn read_default(scratch: &Scratch) -> SshConfig {
    read(None, &scratch.environment).contents
}

#[test]
fn reads_each_alias_and_template_once() {
    let scratch = Scratch::new();
    scratch.user_config(
        b"\xef\xbb\xbfControlPath ~/.ssh/%C\nHost web db *.a\n  controlpath = \"/s s/%h\"\r\nHost web\nMatch exec false\n\
          ControlPath none\nControlPath ~/.ssh/%C\nControlPath /s/\xff%h\nControlPath \"a\nHost c\n",
    );
    let contents = read_default(&scratch);
    assert_eq!(
        templates(&contents),
        [&b"~/.ssh/%C"[..], b"/s s/%h", b"/s/\xff%h"]
    );
    assert_eq!(aliases(&contents), ["web", "db", "c"]);
    assert_eq!(contents.aliases[1].line, 2);
    assert_eq!(contents.problems, []);
}

#[test]
fn reports_what_muxtray_cannot_read() {
    let scratch = Scratch::new();
    for (contents, problem) in [
        (
            &b"Host -oProxyCommand=x"[..],
            "ssh does not accept -oProxyCommand=x as a host name",
        ),
        (b"Host u@h", "ssh does not accept u@h as a host name"),
        (
            b"Include ~nobody-at-all/x",
            "Include ~nobody-at-all/x: unknown user nobody-at-all",
        ),
    ] {
        scratch.user_config(contents);
        let expected = format!("/home/.ssh/config line 1: {problem}");
        assert_eq!(problems(&read_default(&scratch), &scratch), [expected]);
    }
}

#[test]
fn block_that_switches_off_is_for_all_or_for_some_hosts() {
    use SwitchedOff::{ForAll, ForSome, No};
    let scratch = Scratch::new();
    scratch.write("home/.ssh/part", "ControlMaster no\n");
    for (contents, expected) in [
        ("ControlMaster no\n", ForAll),
        (
            "Host *\nControlMaster no\nMatch all\nControlPath none\n",
            ForAll,
        ),
        (
            "Host web\nControlMaster auto\nHost *\nControlMaster no\n",
            ForAll,
        ),
        ("Host web\nControlMaster no\n", ForSome),
        ("Host *.example.org\nControlPath none\n", ForSome),
        ("Match host web\nControlMaster=no\n", ForSome),
        ("Include part\n", ForAll),
        ("Host web\nControlMaster auto\n", No),
        ("Host web\nInclude part\n", ForSome),
    ] {
        scratch.user_config(contents);
        assert_eq!(read_default(&scratch).switched_off, expected, "{contents}");
    }
}

#[test]
fn reads_includes_sorted_and_once() {
    let scratch = Scratch::new();
    scratch.user_config(
        "Include conf.d/*.conf ~/.ssh/more missing\nHost last\nInclude conf.d/b.conf\n",
    );
    for (file, contents) in [
        ("home/.ssh/conf.d/b.conf", "Host b\n"),
        ("home/.ssh/conf.d/a.conf", "Host a\nInclude deep\n"),
        ("home/.ssh/conf.d/.hidden.conf", "Host hidden\n"),
        ("home/.ssh/conf.d/c.txt", "Host c\n"),
        ("home/.ssh/deep", "Host deep\n"),
        ("home/.ssh/more", "Host more\n"),
        (
            "etc/ssh_config",
            "Include ssh_config.d/*.conf ~/.ssh/system\nHost system\n",
        ),
        ("etc/ssh_config.d/x.conf", "Host x\n"),
        ("home/.ssh/system", "Host never\n"),
    ] {
        scratch.write(file, contents);
    }
    fs::create_dir(scratch.path("home/.ssh/conf.d/dir.conf")).unwrap();
    let contents = read_default(&scratch);
    assert_eq!(
        aliases(&contents),
        ["a", "deep", "b", "more", "last", "x", "system"]
    );
    assert_eq!(contents.problems, []);
}

#[test]
fn vendor_file_replaces_a_missing_system_file() {
    let scratch = Scratch::new();
    scratch.write(
        "usr/etc/ssh_config",
        "Include ssh_config.d/*.conf\nHost vendor\n",
    );
    scratch.write("etc/ssh_config.d/x.conf", "Host x\n");
    assert_eq!(aliases(&read_default(&scratch)), ["x", "vendor"]);
    scratch.write("etc/ssh_config", "Host system\n");
    assert_eq!(aliases(&read_default(&scratch)), ["system"]);
}

#[test]
fn relative_include_starts_from_home_of_environment() {
    let mut scratch = Scratch::new();
    scratch.user_config("Include x\n");
    scratch.write("elsewhere/.ssh/x", "Host elsewhere\n");
    let elsewhere = scratch.path("elsewhere");
    let variables = &mut scratch.environment.known.environment;
    variables.insert("HOME".into(), elsewhere.into());
    assert_eq!(aliases(&read_default(&scratch)), ["elsewhere"]);
}

#[test]
fn ends_include_loops_and_limits_depth() {
    let scratch = Scratch::new();
    scratch.user_config("Include a\nInclude deep0\nHost end\n");
    scratch.write("home/.ssh/a", "Include b\n");
    scratch.write("home/.ssh/b", "Host b\nInclude a config\n");
    for depth in 0..20 {
        let contents = format!("Host h{depth}\nInclude deep{}\n", depth + 1);
        scratch.write(&format!("home/.ssh/deep{depth}"), contents);
    }
    let contents = read_default(&scratch);
    let aliases = aliases(&contents);
    assert_eq!(aliases[..2], ["b", "h0"]);
    assert_eq!(aliases[aliases.len() - 2..], ["h15", "end"]);
}

#[test]
fn missing_file_is_a_problem_only_if_given() {
    let scratch = Scratch::new();
    assert_eq!(read_default(&scratch), SshConfig::default());
    let given = read(Some(&scratch.path("given")), &scratch.environment);
    assert_eq!(
        problems(&given.contents, &scratch),
        ["/given: not readable: No such file or directory (os error 2)"]
    );
    scratch.user_config("Host web\n");
    for config in ["none", "NONE", "/dev/null"] {
        let read = read(Some(Path::new(config)), &scratch.environment);
        assert_eq!(read.contents, SshConfig::default());
    }
}

#[test]
fn does_not_wait_for_a_pipe() {
    let scratch = Scratch::new();
    scratch.user_config("Include pipe loop\nHost web\n");
    let pipe = scratch.path("home/.ssh/pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    symlink("loop", scratch.path("home/.ssh/loop")).unwrap();
    let contents = read_default(&scratch);
    assert_eq!(aliases(&contents), ["web"]);
    let [pipe, link] = &problems(&contents, &scratch)[..] else {
        panic!("{contents:?}");
    };
    assert!(pipe.starts_with("/home/.ssh/pipe: not a regular file"));
    assert!(link.starts_with("/home/.ssh/loop: not readable: "));
}

#[test]
fn limits_bytes_and_hosts() {
    let scratch = Scratch::new();
    let mut text = b"Host first\n".to_vec();
    text.resize(usize::try_from(MAX_BYTES).unwrap() + 10, b'#');
    text.extend_from_slice(b"\nHost never\n");
    scratch.user_config(&text);
    let contents = read_default(&scratch);
    assert_eq!(aliases(&contents), ["first"]);
    assert_eq!(contents.problems[0].cause, ProblemCause::TooLarge);

    let hosts: Vec<String> = (0..5_000).map(|number| format!("Host h{number}")).collect();
    scratch.user_config(hosts.join("\n"));
    let contents = read_default(&scratch);
    assert_eq!(contents.aliases.len(), MAX_ALIASES);
    assert_eq!(contents.problems.len(), 1);
    assert_eq!(contents.problems[0].cause, ProblemCause::TooManyHosts);
}

/// A list of variables instead of a map took minutes.
#[test]
fn reads_very_many_variables_in_linear_time() {
    let scratch = Scratch::new();
    let lines: Vec<String> = (0..100_000).map(|it| format!("User ${{V{it}}}")).collect();
    scratch.user_config(lines.join("\n"));
    let read = read(None, &scratch.environment);
    assert!(read.inputs.are_unchanged(&scratch.environment));
}
