use super::line::WORDINGS;
use super::*;

/// Returns the first wording of the only message in the text, and its path.
fn only(text: &str) -> (&'static str, Option<String>) {
    let all = recognise(text);
    assert_eq!(all.len(), 1, "{text}: {all:?}");
    let path = all[0].path.as_ref().map(ToString::to_string);
    (all[0].message.wordings[0], path)
}

/// Splits a line from what is expected of it, which may be missing.
fn with_expected(line: &'static str) -> (&'static str, Option<&'static str>) {
    let split = line.split_once(" | ");
    split.map_or((line, None), |(line, expected)| (line, Some(expected)))
}

/// The line that ssh prints for a wording.
fn printed(wording: &str, suffix: &str) -> String {
    wording
        .replace(".RANDOM", suffix)
        .replace("PATH", "/s/u@h-22")
        .replace("ADDRESS", "127.0.0.1")
        .replace("SERVERPORT", "8080")
        .replace("PORT", "1080")
        .replace("NUMBER", "17")
        .replace("HOST ", "web ")
        .replace("HOST:", "web:")
        .replace("...", "Something new")
}

#[test]
fn every_wording_is_recognised_with_its_values() {
    for wording in WORDINGS.iter() {
        for (prefix, suffix) in [
            ("debug1: ", ".yDXYs2d7ScOlhAEI"),
            ("[12:00:00.123] > ", ""),
            ("2026-01-01T00:00:00.0000000Z ", ""),
            ("web_1  | ", ""),
            ("default: ", ""),
        ] {
            let line = format!("{prefix}{}", printed(wording.text, suffix));
            let all = recognise(&line);
            let [found] = &all[..] else {
                panic!("{line}: {all:#?}");
            };
            let expected = (wording.subject, wording.message);
            assert_eq!((found.subject, found.message), expected, "{line}");
            let has_path = wording.text.contains("PATH");
            let path = has_path.then(|| "/s/u@h-22".to_owned());
            assert_eq!(found.path.as_ref().map(ToString::to_string), path, "{line}");
        }
    }
}

#[test]
fn lines_of_each_version_are_recognised() {
    for (wording, lines) in [
        (
            "cannot bind to path PATH.RANDOM: Permission denied",
            &[
                "unix_listener: cannot bind to path /s/a.yDXYs2d7ScOlhAEI: Permission denied | /s/a",
                // Before 8.9.
                "unix_listener: cannot bind to path: /s/a: Permission denied | /s/a",
            ][..],
        ),
        (
            "path \"PATH.RANDOM\" too long for Unix domain socket",
            &[
                "unix_listener: \"/s/a.yDXYs2d7ScOlhAEI\" too long for Unix domain socket | /s/a",
                "unix_listener: path \"/s/a.yDXYs2d7ScOlhAEI\" too long for Unix domain socket | /s/a",
            ],
        ),
        (
            "auto-mux: Trying existing master at 'PATH'",
            // From 9.6.
            &["debug1: auto-mux: Trying existing master at '/s/a' | /s/a"],
        ),
        (
            "session request failed: Session open refused by peer",
            &["mux_client_request_session: session request failed: Session open refused by peer"],
        ),
        (
            "link mux listener PATH.RANDOM => PATH: Operation not permitted",
            &[
                "muxserver_listen: link mux listener /s/a.yDXYs2d7ScOlhAEI => /s/a: Operation not permitted | /s/a",
            ],
        ),
        (
            "Shared connection to HOST closed",
            &["Shared connection to h closed.\r"],
        ),
        (
            "muxclient: ...",
            &["mux_client_request_session: parse: incomplete message"],
        ),
        // Paths with the text of messages in them, and some that are not absolute or cut.
        (
            "Control socket connect(PATH): Connection refused",
            &[
                "Control socket connect(/s/a): b): Connection refused | /s/a): b",
                "Control socket connect(\u{2026}): Connection refused",
                "Control socket connect(/home/u/\u{2026}/a): Connection refused",
                r"Control socket connect(/home/j\303\266rg/a): Connection refused | /home/jörg/a",
            ],
        ),
        (
            "ControlSocket PATH already exists, disabling multiplexing",
            &[
                "ControlSocket /my sockets/[::1] => \"b\" already exists, disabling multiplexing | /my sockets/[::1] => \"b\"",
            ],
        ),
    ] {
        for line in lines {
            let (line, path) = with_expected(line);
            assert_eq!(only(line), (wording, path.map(str::to_owned)), "{line}");
        }
    }
}

#[test]
fn message_is_found_in_what_other_programs_print() {
    let ansible = r#"fatal: [web]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh: unix_listener: path \"/home/u/.ansible/cp/ansible-ssh-long-22-deploy.Xa1b2C3d4E5f6G7h\" too long for Unix domain socket\r\n", "unreachable": true}"#;
    let all = recognise(ansible);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(
        all[0].line,
        "unix_listener: path \"/home/u/.ansible/cp/ansible-ssh-long-22-deploy.Xa1b2C3d4E5f6G7h\" too long for Unix domain socket"
    );
    assert_eq!(all[0].host.as_deref(), Some("web"));
    assert!(all[0].is_of_ansible);

    let refused = "Control socket connect(PATH): Connection refused";
    let session = "session request failed: Session open refused by peer";
    let exists = "ControlSocket PATH already exists, disabling multiplexing";
    for (line, expected) in [
        // colima and lima
        (
            r#"time="2026-01-01T00:00:00Z" level=fatal msg="failed to run [ssh -F /dev/null]: stdout=\"\", stderr=\"Control socket connect(/u/.lima/d/ssh.sock): Connection refused\\r\\n\": exit status 255""#,
            &[(refused, "/u/.lima/d/ssh.sock")][..],
        ),
        // docker's log of a container that runs ansible
        (
            r#"{"log":"web | UNREACHABLE! =\u003e {\\\"msg\\\": \\\"mux_client_request_session: session request failed: Session open refused by peer\\\\r\\\\nControlSocket /s/a already exists, disabling multiplexing\\\"}\n"}"#,
            &[(session, "/s/a"), (exists, "/s/a")],
        ),
        // Python
        (
            r"'stderr': 'Control socket connect(/s/a): Connection refused\r\n', 'rc': 255",
            &[(refused, "/s/a")],
        ),
        (
            "Control socket connect(/s/a): Connection refused Control socket connect(/s/b): Connection refused",
            &[(refused, "/s/a"), (refused, "/s/b")],
        ),
        (
            "mux_client_request_session: read from master failed: Broken pipe ControlSocket /s/a already exists, disabling multiplexing",
            &[
                ("read from master failed: Broken pipe", "/s/a"),
                (exists, "/s/a"),
            ],
        ),
        (
            "\u{1b}[0;31mControl socket connect(\u{1b}[1m/s/a\u{1b}[0m): Connection refused\u{1b}[0m",
            &[(refused, "/s/a")],
        ),
        // Wrapped by a terminal and by a YAML printer.
        (
            "ControlSocket /home/u/.ssh/s/u@long.example.or\ng-22 already exists, disabling mult\niplexing",
            &[(exists, "/home/u/.ssh/s/u@long.example.org-22")],
        ),
        (
            "msg: 'Control socket connect(/s/a):\n    Connection refused'",
            &[(refused, "/s/a")],
        ),
        (
            "Control socket connect(/home/u/.ssh/s/u@long.exam\nple.org-22): Connection refused\nShared connection to h closed",
            &[(refused, "/home/u/.ssh/s/u@long.example.org-22")],
        ),
        (
            "│ Output: Control\n│ socket connect(/s/a):\n│ Connection refused\n│ mux_client_request_session: session\n│ request failed: Session open\n│ refused by peer",
            &[(refused, "/s/a"), (session, "/s/a")],
        ),
        (
            "> ControlSocket /s/a b already\n> exists, disabling multiplexing",
            &[(exists, "/s/a b")],
        ),
        (
            "path &#x22;/s/a.yDXYs2d7ScOlhAEI&#x22; too long for Unix domain socket",
            &[(
                "path \"PATH.RANDOM\" too long for Unix domain socket",
                "/s/a",
            )],
        ),
        (
            "ControlSocket already exists, disabling multiplexing",
            &[(exists, "")],
        ),
        // Not wrapped: the second line is another program's.
        (
            "Control socket connect(/s/a): gesperrt\nx): Connection refused",
            &[("Control socket connect(PATH): ...", "/s/a")],
        ),
        // Cut off.
        (
            "mux_client_request_session: session request failed: Session open ref\u{2026}",
            &[(session, "")],
        ),
        (
            "Control socket connect(/home/u/.ssh/s/\u{2026}",
            &[("Control socket connect(PATH): ...", "")],
        ),
        (
            "Control socket connect(/s/a): Connection ref...",
            &[(refused, "")],
        ),
    ] {
        let all = recognise(line);
        let path = |one: &Recognised| one.path.as_ref().map_or(String::new(), ToString::to_string);
        let found = all.iter().map(|one| (one.message.wordings[0], path(one)));
        let expected = expected
            .iter()
            .map(|(wording, path)| (*wording, (*path).to_owned()));
        assert!(found.eq(expected), "{line}: {all:#?}");
    }
}

#[test]
fn path_may_contain_the_beginning_of_another_message() {
    for path in [
        "/s/mux_client_request_session: x",
        "/s/1channel_post_mux_listener:2",
    ] {
        let line = format!("Control socket connect({path}): Connection refused");
        let (wording, found) = only(&line);
        assert_eq!(wording, "Control socket connect(PATH): Connection refused");
        assert_eq!(found.as_deref(), Some(path));
    }
}

#[test]
fn host_and_ports_come_from_the_message_or_its_command() {
    // The host, the port here, and the port of the server.
    for (text, expected) in [
        ("u@h:~$ ssh web\nSession open refused by peer", "web - -"),
        ("bind [127.0.0.1]:1080: Address already in use", "- 1080 -"),
        (
            "channel_setup_fwd_listener_tcpip: cannot listen to port: 1080",
            "- 1080 -",
        ),
        (
            "$ ssh -O forward -L 8080:db:80 web\nmuxclient: master forward request failed",
            "web 8080 -",
        ),
        (
            "Warning: remote port forwarding failed for listen port 8080",
            "- - 8080",
        ),
        (
            "git@github.com: Permission denied (publickey).",
            "git@github.com - -",
        ),
        (
            "ssh: Could not resolve hostname web: Name or service not known",
            "web - -",
        ),
        (
            "ssh: connect to host web port 22: Connection timed out",
            "web - -",
        ),
    ] {
        let all = recognise(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        let found = &all[0];
        let port = |port: Option<u16>| port.map_or("-".to_owned(), |port| port.to_string());
        let host = found.host.as_deref().unwrap_or("-");
        let shown = format!("{host} {} {}", port(found.port), port(found.server_port));
        assert_eq!(shown, expected, "{text}");
    }
}

#[test]
fn message_of_two_hosts_has_two_answers_and_that_of_a_playbook_one() {
    let hosts = |text: &str| -> Vec<String> {
        let all = recognise(text).into_iter();
        all.filter_map(|message| message.host).collect()
    };
    let refused = "Session open refused by peer";
    let commands = format!("$ ssh a\n{refused}\n{refused}\n$ ssh b\n{refused}");
    assert_eq!(hosts(&commands), ["a", "b"]);
    let playbook = format!("a | UNREACHABLE! {refused}\nb | UNREACHABLE! {refused}");
    assert_eq!(hosts(&playbook), ["a"]);
}

#[test]
fn repetitions_and_normal_steps_are_left_out() {
    let text = "debug1: auto-mux: Trying existing master\r\n\
                Control socket connect(/s/a): Connection refused\r\n\
                debug1: Authentication succeeded (publickey).\n\
                Control socket connect(/s/a): Connection refused\r\n  \
                cannot bind to path /s/b.yDXYs2d7ScOlhAEI: Permission denied\n";
    assert_eq!(recognise(text).len(), 2);
    assert_eq!(
        recognise("debug1: auto-mux: Trying existing master").len(),
        1
    );
    // A session through a master, with -vvv.
    let steps = recognise(
        "debug1: auto-mux: Trying existing master\r\n\
         debug2: mux_client_hello_exchange: master version 4\r\n\
         debug3: mux_client_forwards: request forwardings: 0 local, 0 remote\r\n\
         debug3: mm_receive_fd: recvmsg: Resource temporarily unavailable\r\n",
    );
    let lines: Vec<&str> = steps.iter().map(|step| &*step.line).collect();
    let first = "debug1: auto-mux: Trying existing master";
    let second = "debug2: mux_client_hello_exchange: master version 4";
    assert_eq!(lines, [first, second]);
    for line in [
        "",
        "Hello world",
        "Shared connection to h",
        "Control socket connect(/s/a) failed",
        "ControlSocket /s/a was made",
        "link mux listener /s/a",
        "bind [::1]:x: Address already in use",
        "loading\u{2026}",
        "E: Unable to locate package muxtray",
    ] {
        assert_eq!(recognise(line), [], "{line}");
    }
}

/// Each of these once took quadratic time or more.
#[test]
fn long_lines_take_linear_time() {
    let refused =
        "mux_client_request_session: session request failed: Session open refused by peer";
    let json = format!(
        "{{\"msg\": \"{refused}\", \"stdout\": \"{}\"}},",
        "x".repeat(400)
    );
    for (part, number) in [
        (json.as_str(), 1),
        ("Control socket connect(", 0),
        ("mux_client_x: ", 1),
        ("session request failed: ", 1),
        ("bind [", 0),
        ("a=b ssh ", 0),
    ] {
        let line = part.repeat((1 << 13) / part.len());
        assert_eq!(recognise(&line).len(), number, "{part}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "(\\PC|[\\\\\"'\u{1b}\n]|ControlSocket | already exists|bind \\[){0,60}") {
        let _ = recognise(&text);
    }
}

#[test]
fn the_failure_of_a_request_adds_nothing_to_its_cause() {
    let cause = "remote port forwarding failed for listen port 22";
    let found = recognise(&format!(
        "mux_client_forward: forwarding request failed: {cause}\nmuxclient: master forward request failed"
    ));
    let lines: Vec<&str> = found.iter().map(|message| &*message.line).collect();
    assert_eq!(lines, [cause]);
    assert_eq!(
        recognise("muxclient: master forward request failed").len(),
        1
    );
}
