use super::*;
use crate::discover::ssh_config::Flavour;
use crate::discover::test_home::Scratch;

fn written(alias: &str) -> Written<String> {
    Written {
        text: alias.to_owned(),
        file: PathBuf::from("/home/u/.ssh/config"),
        line: 1,
        flavour: Flavour::User,
    }
}

/// Long enough for a busy machine.
fn patient<'a>(program: &'a Path, config: &'a Path) -> Asked<'a> {
    Asked {
        deadline: Duration::from_secs(60),
        ..Asked::new(program, Some(config))
    }
}

fn impatient(program: &Path) -> Asked<'_> {
    Asked {
        deadline: Duration::from_millis(50),
        ..Asked::new(program, None)
    }
}

#[test]
fn the_output_of_ssh_is_read() {
    let output =
        b"user me\nhostname h.example.org\nport 2222\ncontrolmaster auto\nserveraliveinterval 15\n\
        controlpath /s s/me@h\ncontrolpersist 600\nidentityfile ~/.ssh/id\n";
    let host = Expansion::parse(output).into_host(HostAlias("web".to_owned()), None);
    assert_eq!(host.control_path, ControlPath::new("/s s/me@h"));
    assert_eq!(host.destination.to_string(), "me@h.example.org:2222");
    assert_eq!(host.persist, Persist::Seconds(600));
    assert_eq!(
        (host.server_alive_interval, host.server_alive_count_max),
        (15, 3)
    );
    assert!(host.multiplexes && !host.asks && !host.has_connect_timeout);
    let output = b"controlmaster autoask\nconnecttimeout 5\n";
    let host = Expansion::parse(output).into_host(HostAlias("web".to_owned()), None);
    assert!(host.multiplexes && host.asks && host.has_connect_timeout);

    for (output, persist, multiplexes) in [
        (
            &b"controlmaster false\ncontrolpersist no\n"[..],
            Persist::No,
            false,
        ),
        (
            b"controlmaster no\ncontrolpersist yes\n",
            Persist::Forever,
            false,
        ),
        (
            b"controlmaster true\ncontrolpersist 0\n",
            Persist::Forever,
            true,
        ),
        (b"controlmaster autoask\n", Persist::No, true),
        (b"", Persist::No, false),
        (
            b"controlpersist x\ncontrolmaster\n\xff\n",
            Persist::No,
            false,
        ),
    ] {
        let host = Expansion::parse(output).into_host(HostAlias("web".to_owned()), None);
        assert_eq!((host.persist, host.multiplexes), (persist, multiplexes));
    }
    for (output, path) in [
        (&b"controlpath relative\n"[..], None),
        (b"controlpath /a/../b\n", None),
        (b"controlpath /a/b\n", Some("/a/b")),
    ] {
        let host = Expansion::parse(output).into_host(HostAlias("web".to_owned()), None);
        assert_eq!(host.control_path, path.and_then(ControlPath::new));
    }
}

#[test]
fn the_line_that_says_what_is_wrong_is_found() {
    for (stderr, complaint_in_it) in [
        (
            &b"Pseudo-terminal will not be allocated because stdin is not a terminal.\r\n\
               f: line 3: Bad configuration option: bogus\nf: terminating, 1 bad configuration options\n"[..],
            Some("f: line 3: Bad configuration option: bogus"),
        ),
        (
            b"vdollar_percent_expand: unknown key %z\npercent_dollar_expand: failed\n",
            Some("vdollar_percent_expand: unknown key %z"),
        ),
        (b"percent_dollar_expand: failed\n", Some("percent_dollar_expand: failed")),
        (b"a\x1b[31m\n\n", Some("a\\u{1b}[31m")),
        (b"", None),
    ] {
        assert_eq!(complaint(stderr).as_deref(), complaint_in_it);
    }
}

#[test]
fn ssh_itself_answers_for_each_host() {
    let scratch = Scratch::new();
    let config = scratch.write(
        "config",
        "Host web\n Hostname h.example.org\n User me\n Port 2222\n ControlPath /s/%r@%h:%p\n ControlMaster auto\n\
         \x20ControlPersist 10m\n ServerAliveInterval 20\nHost plain\n User u\nHost -x\n",
    );
    let answers = patient(Path::new("ssh"), &config)
        .ask(&["web", "plain", "web", "-x"], &|_, _| {})
        .unwrap();
    let expanded = |control_path: Option<&str>, user: &str, host: &str, port| Expansion {
        control_path: control_path.map(PathBuf::from),
        user: user.to_owned(),
        host: host.to_owned(),
        port: Some(port),
        multiplexes: control_path.is_some(),
        asks: false,
        has_connect_timeout: false,
        persist: control_path.map(|_| 600),
        server_alive_interval: if control_path.is_some() { 20 } else { 0 },
        server_alive_count_max: 3,
        is_by_systemd: false,
    };
    let web = Answer::Expanded(expanded(
        Some("/s/me@h.example.org:2222"),
        "me",
        "h.example.org",
        2222,
    ));
    let plain = Answer::Expanded(expanded(None, "u", "plain", 22));
    assert_eq!(answers[..3], [web.clone(), plain, web]);
    // Never an option, whatever ssh thinks of such a host.
    assert!(
        !matches!(&answers[3], Answer::Unanswered { .. }),
        "{answers:?}"
    );
}

#[test]
fn a_host_that_ssh_refuses_is_one_finding_in_its_own_words() {
    let scratch = Scratch::new();
    let config = scratch.write("config", "Host a b\nControlPath /s/%z\nHost c\n");
    let answers = patient(Path::new("ssh"), &config)
        .ask(&["a", "b", "c"], &|_, _| {})
        .unwrap();
    let mut findings = Vec::new();
    let aliases = ["a", "b", "c"].map(written);
    let hosts = judge(
        &aliases,
        answers,
        Some(Path::new("/my config")),
        &mut findings,
    );
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0].alias.0, "c");
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].subject, "host a and 1 more");
    assert!(
        findings[0].evidence.ends_with("unknown key %z"),
        "{findings:?}"
    );
    assert_eq!(
        findings[0].remedy,
        "mend the configuration until ssh -F '/my config' -G a prints it"
    );
}

#[test]
fn a_proxy_is_systemds_by_the_name_of_its_program() {
    for (command, is_systemds) in [
        (
            "/usr/lib/systemd/systemd-ssh-proxy unix/run/ssh-unix-local/socket %p",
            true,
        ),
        ("/lib/systemd/systemd-ssh-proxy %h %p", true),
        ("exec /usr/libexec/systemd-ssh-proxy %h %p", true),
        ("\"/usr/lib/systemd/systemd-ssh-proxy\" %h %p", true),
        ("systemd-ssh-proxy", true),
        ("/usr/lib/systemd/systemd-ssh-proxy-2 %h", false),
        ("nc /usr/lib/systemd/systemd-ssh-proxy", false),
        ("none", false),
        ("", false),
    ] {
        assert_eq!(is_systemd_proxy(command), is_systemds, "{command}");
    }
}

#[test]
fn what_keeps_ssh_from_telling_of_a_name_of_the_systems_is_no_finding() {
    let refused = || Answer::Refused(Refusal::Said("bad".to_owned()));
    let aliases = [".host", "machine/.host", "vsock/3", "web"].map(written);
    let answers = vec![
        refused(),
        Answer::unanswered(Silence::NotAsked),
        Answer::Expanded(Expansion::parse(b"controlpath /s/3\n")),
        refused(),
    ];
    let mut findings = Vec::new();
    let hosts = judge(&aliases, answers, None, &mut findings);
    let told: Vec<&str> = findings.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!(told, ["host web"]);
    let kept: Vec<_> = hosts
        .iter()
        .map(|it| (&*it.alias.0, it.written_by))
        .collect();
    assert_eq!(kept, [("vsock/3", WrittenBy::System)]);
}

#[test]
fn hosts_that_hang_are_given_up_one_by_one_then_altogether() {
    let scratch = Scratch::new();
    let program = scratch.program("ssh", "exec sleep 60");
    let aliases: Vec<String> = (0..100).map(|number| format!("h{number}")).collect();
    let aliases: Vec<&str> = aliases.iter().map(String::as_str).collect();
    let started = Instant::now();
    let answers = impatient(&program).ask(&aliases, &|_, _| {}).unwrap();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(answers.len(), 100);
    assert!(
        answers
            .iter()
            .all(|answer| answer.retry_at() > Some(SystemTime::now()))
    );
    let timed_out = |answer: &&Answer| matches!(answer, Answer::Unanswered { why, .. } if why.to_string() == "no answer within 0.05 s");
    let asked = answers.iter().filter(timed_out).count();
    assert!(
        (MAX_UNANSWERED..MAX_UNANSWERED + MAX_PARALLEL).contains(&asked),
        "{asked}"
    );

    let mut findings = Vec::new();
    let written: Vec<Written<String>> = aliases.iter().map(|alias| written(alias)).collect();
    assert_eq!(judge(&written, answers, None, &mut findings), []);
    assert_eq!(findings.len(), 2);
}

#[test]
fn a_program_that_cannot_be_started_is_an_error_and_asked_no_further() {
    let scratch = Scratch::new();
    for program in [scratch.path("missing"), scratch.write("no-program", "x")] {
        assert!(impatient(&program).ask(&["a", "b"], &|_, _| {}).is_err());
    }
    assert_eq!(
        impatient(Path::new("/nonexistent")).ask(&[], &|_, _| {}),
        Ok(vec![])
    );
}

#[test]
fn a_time_that_no_clock_will_show_is_none() {
    let answer = |at| Answer::Unanswered {
        why: Silence::NotAsked,
        at,
    };
    assert_eq!(answer(u64::MAX).retry_at(), None);
    assert_eq!(answer(0).retry_at(), Some(UNIX_EPOCH + RETRY_AFTER));
}
