use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::test_home::Scratch;
use super::*;
use crate::model::control_path::ControlPath;

fn control_paths(places: &Places) -> Vec<String> {
    places
        .hosts
        .iter()
        .filter_map(|host| host.control_path.as_ref())
        .map(ToString::to_string)
        .collect()
}

#[test]
fn ssh_is_asked_once_and_again_when_its_configuration_changes() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    let included = scratch.path("conf.d");
    let config = scratch.write(
        "config",
        format!(
            "Include {}/*\nHost web\nControlPath /s/%h\n",
            included.display()
        ),
    );
    let request = scratch.request(&ssh, Some(&config));

    let first = discover(&request, &scratch.surroundings);
    assert_eq!(scratch.calls(), ["web"]);
    assert_eq!(control_paths(&first.places), ["/s/web"]);
    assert!(first.identity.still_holds(&request, &scratch.surroundings));

    assert_eq!(discover(&request, &scratch.surroundings), first);
    assert_eq!(scratch.calls(), [""; 0]);

    // A file that an Include begins to mean.
    scratch.write("conf.d/db", "Host db\nControlPath /s/%n\n");
    assert!(!first.identity.still_holds(&request, &scratch.surroundings));
    let second = discover(&request, &scratch.surroundings);
    assert_eq!(scratch.calls(), ["db", "web"]);
    assert_eq!(control_paths(&second.places), ["/s/db", "/s/web"]);

    // Another size.
    fs::write(&config, "Host mail\nControlPath /s/%h\n").unwrap();
    assert!(!second.identity.still_holds(&request, &scratch.surroundings));
    let third = discover(&request, &scratch.surroundings);
    assert_eq!(scratch.calls(), ["mail"]);
    assert_eq!(control_paths(&third.places), ["/s/mail"]);

    // The file is gone: said, and the old answer is not used.
    fs::remove_file(&config).unwrap();
    let fourth = discover(&request, &scratch.surroundings);
    assert_eq!(fourth.places.hosts, []);
    assert_eq!(fourth.places.findings.len(), 1);
    assert_eq!(fourth.places.findings[0].id, FindingId::SshConfigInvalid);
}

#[test]
fn a_directory_that_fills_with_sockets_changes_nothing() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    let directory = scratch.path("dir");
    let config = scratch.write(
        "config",
        format!("Include {}/*.conf\nHost web\n", directory.display()),
    );
    scratch.write("dir/a.conf", "Host a\n");
    let request = scratch.request(&ssh, Some(&config));
    let discovered = discover(&request, &scratch.surroundings);
    drop(std::os::unix::net::UnixListener::bind(directory.join("u@web-22")).unwrap());
    assert!(
        discovered
            .identity
            .still_holds(&request, &scratch.surroundings)
    );
}

#[test]
fn a_variable_the_user_or_the_program_can_change_the_answers() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    let config = scratch.write("config", "Host web\nControlPath ${WHERE}/%h\n");
    let request = scratch.request(&ssh, Some(&config));
    // ssh itself does not have the variable, so it refuses; the template has it from the surroundings.
    let discovered = discover(&request, &scratch.surroundings);
    let path = ControlPath::new("/srv/mux/web").unwrap();
    assert!(discovered.places.patterns[0].pattern.matches(&path));

    let holds = |surroundings: &Surroundings, request: &Request| {
        discovered.identity.still_holds(request, surroundings)
    };
    assert!(holds(&scratch.surroundings, &request));
    let mut other = scratch.surroundings.clone();
    other.known.environment.remove(OsStr::new("WHERE"));
    assert!(!holds(&other, &request));
    let mut other = scratch.surroundings.clone();
    other.known.environment.insert("UNNAMED".into(), "x".into());
    assert!(holds(&other, &request));
    let mut other = scratch.surroundings.clone();
    other.known.host_name = "elsewhere".into();
    assert!(!holds(&other, &request));
    assert!(!holds(
        &scratch.surroundings,
        &scratch.request(Path::new("ssh"), Some(&config))
    ));
    assert!(!holds(&scratch.surroundings, &scratch.request(&ssh, None)));
}

#[test]
fn a_cache_that_is_not_whole_or_not_safe_is_none() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    let config = scratch.write("config", "Host web\nControlPath /s/%h\n");
    let request = scratch.request(&ssh, Some(&config));
    let cache = request.cache.clone().unwrap();
    let fresh = discover(&request, &scratch.surroundings);
    assert_eq!(scratch.calls(), ["web"]);
    assert_eq!(
        fs::metadata(&cache).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let directory = fs::metadata(cache.parent().unwrap()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    let good = fs::read(&cache).unwrap();

    let spoil: [&dyn Fn(); 5] = [
        &|| fs::write(&cache, b"{").unwrap(),
        &|| fs::write(&cache, &good[..good.len() / 2]).unwrap(),
        &|| {
            let text = String::from_utf8_lossy(&good);
            let short = text.replace("\"answers\":[{", "\"answers\":[],\"x\":[{");
            fs::write(&cache, short).unwrap();
        },
        &|| fs::set_permissions(&cache, fs::Permissions::from_mode(0o666)).unwrap(),
        &|| {
            fs::rename(&cache, scratch.path("moved")).unwrap();
            std::os::unix::fs::symlink(scratch.path("moved"), &cache).unwrap();
        },
    ];
    for spoil in spoil {
        spoil();
        assert_eq!(discover(&request, &scratch.surroundings), fresh);
        assert_eq!(scratch.calls(), ["web"]);
        // And a good one takes its place.
        assert_eq!(discover(&request, &scratch.surroundings), fresh);
        assert_eq!(scratch.calls(), [""; 0]);
    }

    fs::remove_file(&cache).unwrap();
    fs::create_dir(&cache).unwrap();
    assert_eq!(
        discover(&request, &scratch.surroundings).places,
        fresh.places
    );
}

#[test]
fn a_host_without_an_answer_is_asked_again_after_a_while_and_only_that() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    // An answer without end, until the file `calm` is there.
    let wrapper = scratch.program(
        "bin/moody",
        &format!(
            "for last; do :; done; if [ \"$last\" = moody ] && ! [ -e '{}' ]; then exec yes; fi; exec '{}' \"$@\"",
            scratch.path("calm").display(),
            ssh.display()
        ),
    );
    let config = scratch.write("config", "Host web moody\nControlPath /s/%h\n");
    let request = scratch.request(&wrapper, Some(&config));
    let first = discover(&request, &scratch.surroundings);
    assert_eq!(scratch.calls(), ["web"]);
    assert_eq!(first.places.findings.len(), 1);
    assert!(first.identity.still_holds(&request, &scratch.surroundings));
    scratch.write("calm", "");
    assert_eq!(discover(&request, &scratch.surroundings), first);

    // Some minutes later, told by moving what was remembered back in time.
    let cache = request.cache.clone().unwrap();
    let mut record = Record::load(&cache, scratch.surroundings.known.uid).unwrap();
    record.identity = record.identity.retried(Some(SystemTime::UNIX_EPOCH));
    record.store(&cache).unwrap();
    assert!(!record.identity.still_holds(&request, &scratch.surroundings));
    let second = discover(&request, &scratch.surroundings);
    assert_eq!(scratch.calls(), ["moody"]);
    assert_eq!(control_paths(&second.places), ["/s/web", "/s/moody"]);
    assert_eq!(second.places.findings, []);
    assert!(second.identity.still_holds(&request, &scratch.surroundings));
}

#[test]
fn a_missing_ssh_is_one_finding_and_patterns_remain() {
    let scratch = Scratch::new();
    scratch.user_config("Host a b\nControlPath ~/s/%h\n");
    for program in ["no-such-ssh", "/nonexistent/ssh"] {
        let request = scratch.request(Path::new(program), None);
        for _ in 0..2 {
            let places = places(&request, &scratch.surroundings);
            let ids: Vec<FindingId> = places.findings.iter().map(|finding| finding.id).collect();
            assert_eq!(ids, [FindingId::SshMissing]);
            let path = ControlPath::new(scratch.path("home/s/web")).unwrap();
            assert!(places.patterns[0].pattern.matches(&path));
        }
    }
}

#[test]
fn what_is_wrong_is_said_and_the_rest_works() {
    let scratch = Scratch::new();
    let config = scratch.write(
        "config",
        "Host a\nControlPath /s/%z\nHost b\nControlPath ${NOWHERE_TO_GO}/%C\nHost c\nControlPath /good/%h\n",
    );
    let mut request = scratch.request(Path::new("ssh"), Some(&config));
    request.extra_paths = vec!["~/extra/*".to_owned(), "relative/*".to_owned()];
    request.ignored_paths = vec!["~/ignored/*".to_owned(), "[".to_owned()];
    let places = places(&request, &scratch.surroundings);
    let told: Vec<(&str, &str)> = places
        .findings
        .iter()
        .map(|finding| (finding.id.as_str(), finding.subject.as_str()))
        .collect();
    let line = |number: usize| format!("{} line {number}", config.display());
    assert_eq!(
        told,
        [
            ("ssh-config-invalid", "host a"),
            ("ssh-config-invalid", "host b"),
            ("ssh-config-invalid", &line(2)),
            ("ssh-config-invalid", &line(4)),
            ("config-invalid", "extra path relative/*"),
            ("config-invalid", "ignored path ["),
        ]
    );
    assert_eq!(control_paths(&places), ["/good/c"]);
    let in_home = |below: &str| ControlPath::new(scratch.path("home").join(below)).unwrap();
    assert!(places.ignores(&in_home("ignored/x")));
    assert!(
        places
            .patterns
            .iter()
            .any(|place| place.pattern.matches(&in_home("extra/x")))
    );
}

#[test]
fn without_multiplexing_there_is_nothing_of_the_users() {
    let scratch = Scratch::new();
    for contents in ["Host web\n", "Host web\nControlPath none\n", ""] {
        let config = scratch.write("config", contents);
        let request = scratch.request(Path::new("ssh"), Some(&config));
        let places = places(&request, &scratch.surroundings);
        assert!(
            places
                .patterns
                .iter()
                .all(|place| place.managed_by.is_some())
        );
        assert_eq!(control_paths(&places), [""; 0]);
        assert_eq!(places.findings, []);
    }
}

/// OpenSSH is the reference: what it makes of a template, the template's pattern matches and reads back.
#[test]
fn patterns_match_what_ssh_expands() {
    let scratch = Scratch::new();
    let mut surroundings = Surroundings::of_this_process();
    surroundings.system_config = scratch.surroundings.system_config.clone();
    let cases = [
        ("/s/%r@%h:%p", true),
        ("\"/s s/%h-%p\"", true),
        ("/s/%C", false),
        ("~/.ssh/%n:%k", true),
        ("%d/s/%i.%u.%l.%L/%h", true),
        ("=/s/100%%/%r/%h/%p", true),
        ("${PATH}/%h", true),
        ("/s/a\\ b'c d'\\\"/%h # comment", true),
        ("/s//./%h", true),
        ("/s/literal", false),
    ];
    let config: String = cases
        .iter()
        .enumerate()
        .map(|(number, (template, _))| {
            format!("Host h-{number}\nHostname h{number}.example.org\nHostKeyAlias h{number}.example.org\nUser me@corp\nPort 2222\nControlPath {template}\n")
        })
        .collect();
    let config = scratch.write("config", config);
    let places = places(
        &scratch.request(Path::new("ssh"), Some(&config)),
        &surroundings,
    );
    assert_eq!(places.findings, []);
    assert_eq!(places.hosts.len(), cases.len());
    for ((host, place), (template, tells)) in places.hosts.iter().zip(&places.patterns).zip(cases) {
        let path = host.control_path.as_ref().unwrap();
        assert!(place.pattern.matches(path), "{template} {path}");
        let told = place.pattern.captures(path);
        assert_eq!(told.is_some(), tells, "{template} {path}");
        if let Some(told) = told {
            let host = &host.destination;
            assert_eq!(told.host, host.host, "{template} {path}");
            assert!(
                told.user.is_none_or(|user| Some(user) == host.user),
                "{template} {path}"
            );
            assert!(
                told.port.is_none_or(|port| Some(port) == host.port),
                "{template} {path}"
            );
        }
    }
}

/// What we take for an alias and a ControlPath, ssh does too.
#[test]
fn lines_mean_what_they_mean_to_ssh() {
    let scratch = Scratch::new();
    for line in [
        "ControlPath /s/a",
        "controlpath=/s/a",
        "  CONTROLPATH = /s/a  ",
        "ControlPath\t\"/s/a b\"",
        "ControlPath '/s/a b'",
        "ControlPath /s/a\\ b",
        "ControlPath /s/a#b #c",
        "\"ControlPath\" /s/a",
        "ControlPath /s/\"a b\"c",
        "ControlPath /s/a\r",
    ] {
        let config = scratch.write("config", format!("Host web\n{line}\n"));
        let request = scratch.request(Path::new("ssh"), Some(&config));
        let places = places(&request, &scratch.surroundings);
        let literal = places.patterns[0].pattern.as_literal();
        assert!(literal.is_some(), "{line}");
        assert_eq!(places.hosts[0].control_path, literal, "{line}");
    }
}

#[test]
fn an_ssh_that_cannot_be_started_is_tried_again() {
    let scratch = Scratch::new();
    let config = scratch.write("config", "Host web\nControlPath /s/%h\n");
    // The program is there and stays the same; what it needs is not.
    let ssh = scratch.write("bin/ssh", "#!/nonexistent/interpreter\n");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700)).unwrap();
    let request = scratch.request(&ssh, Some(&config));
    let discovered = discover(&request, &scratch.surroundings);
    assert_eq!(discovered.places.findings[0].id, FindingId::SshMissing);
    assert!(!discovered.identity.is_settled());
    assert!(!request.cache.unwrap().exists());
}

#[test]
fn whether_ssh_is_another_is_seen_where_it_is_or_could_be() {
    let scratch = Scratch::new();
    let ssh = scratch.program("bin/ssh", "");
    let mut surroundings = scratch.surroundings.clone();
    let path = format!("{}:relative:/other", ssh.parent().unwrap().display());
    surroundings
        .known
        .environment
        .insert("PATH".into(), path.into());
    let files = |program: &Path| -> Vec<PathBuf> {
        let request = scratch.request(program, None);
        let interests = request.ssh.interests(&surroundings).into_iter();
        interests
            .map(|interest| match interest {
                Interest::File { path, .. } => path,
                other => panic!("not a file: {other:?}"),
            })
            .collect()
    };
    assert_eq!(files(&ssh), std::slice::from_ref(&ssh));
    assert_eq!(files(Path::new("ssh")), std::slice::from_ref(&ssh));
    assert_eq!(
        files(Path::new("none")),
        [ssh.with_file_name("none"), "/other/none".into()]
    );
    assert_eq!(files(Path::new("/gone/ssh")), [PathBuf::from("/gone/ssh")]);
}

/// As systemd installs it in every system's configuration.
const OF_SYSTEMD: &str = "Host .host machine/.host\n\
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy unix/run/ssh-unix-local/socket %p\n\
    ProxyUseFdpass yes\n\
    Host unix/* vsock/* machine/*\n\
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy %h %p\n\
    ProxyUseFdpass yes\n";

/// An ssh that takes the scratch directory's files for the user's and the system's, whose places are compiled into the
/// real one: it gives that both in one file.
fn ssh_with_system_config(scratch: &Scratch) -> PathBuf {
    let script = "for last; do :; done; echo \"$last\" >> 'ROOT/calls'; \
        cat 'ROOT/home/.ssh/config' 'ROOT/etc/ssh_config' > 'ROOT/both-'$$; exec ssh -F 'ROOT/both-'$$ \"$@\"";
    let root = scratch.path("").display().to_string();
    scratch.program("bin/ssh", &script.replace("ROOT", &root))
}

#[test]
fn names_of_the_systems_are_known_and_stand_for_no_host() {
    let scratch = Scratch::new();
    let ssh = ssh_with_system_config(&scratch);
    scratch.write(
        "etc/ssh_config",
        format!("{OF_SYSTEMD}Host jump\nHost vm\nProxyCommand systemd-ssh-proxy x\n"),
    );
    scratch.user_config("Host *\nControlMaster auto\nControlPath /s/%n\n");
    let request = scratch.request(&ssh, None);
    let discovered = discover(&request, &scratch.surroundings);
    let places = &discovered.places;
    assert_eq!(places.findings, []);
    let hosts: Vec<(&str, WrittenBy)> = places
        .hosts
        .iter()
        .map(|host| (&*host.alias.0, host.written_by))
        .collect();
    assert_eq!(
        hosts,
        [
            (".host", WrittenBy::System),
            ("machine/.host", WrittenBy::System),
            ("jump", WrittenBy::Administrator),
            ("vm", WrittenBy::System),
        ]
    );
    // None of these shows the person's ControlPath, so a host that nobody named was asked about.
    let other = places.other.as_ref().unwrap();
    assert_eq!(other.control_path, ControlPath::new("/s/host.invalid"));
    assert_eq!(
        scratch.calls(),
        [".host", "host.invalid", "jump", "machine/.host", "vm"]
    );
    assert_eq!(discover(&request, &scratch.surroundings), discovered);
    assert_eq!(scratch.calls(), [""; 0], "the cache has all of it");

    // A host of the person's shows it.
    scratch.user_config("Host web *\nControlMaster auto\nControlPath /s/%n\n");
    let places = discover(&request, &scratch.surroundings).places;
    assert_eq!(places.hosts[0].written_by, WrittenBy::Person);
    assert_eq!(places.other, None);

    // And the administrator's shows the administrator's.
    scratch.user_config("");
    scratch.write("etc/ssh_config", "Host jump\nControlPath /s/%n\n");
    let places = discover(&request, &scratch.surroundings).places;
    assert_eq!(places.other, None);
    assert_eq!(places.patterns[0].written_by, WrittenBy::Administrator);
}

#[test]
fn what_ssh_refuses_altogether_is_told_though_only_the_system_names_hosts() {
    let scratch = Scratch::new();
    let ssh = ssh_with_system_config(&scratch);
    scratch.write("etc/ssh_config", OF_SYSTEMD);
    scratch.user_config("UseKeychain yes\n");
    let places = places(&scratch.request(&ssh, None), &scratch.surroundings);
    let told: Vec<(&str, &str)> = places
        .findings
        .iter()
        .map(|finding| (finding.id.as_str(), finding.subject.as_str()))
        .collect();
    assert_eq!(told, [("ssh-config-invalid", "every host")]);
    assert!(places.findings[0].evidence.ends_with("usekeychain"));
}

#[test]
fn what_the_group_may_write_to_is_wrong_only_if_ssh_refuses_it() {
    let scratch = Scratch::new();
    let config = scratch.path("home/.ssh/config");
    // ssh's own places are compiled in, so one that accepts the file and one that refuses it stand in for the two kinds.
    let accepting = scratch.program("bin/accepting", "echo controlmaster auto");
    let refusing = scratch.program(
        "bin/refusing",
        "echo \"Bad owner or permissions on ROOT//.ssh/config\" >&2; exit 255"
            .replace("ROOT", &scratch.path("home").display().to_string())
            .as_str(),
    );
    let told = |ssh: &Path| -> Vec<(&'static str, String)> {
        let request = scratch.request(ssh, None);
        // The second time the cache answers.
        let places = places(&request, &scratch.surroundings);
        assert_eq!(super::places(&request, &scratch.surroundings), places);
        let findings = places.findings.into_iter();
        findings
            .map(|finding| (finding.id.as_str(), finding.subject))
            .collect()
    };
    let refused = || vec![("ssh-config-invalid", config.display().to_string())];
    for contents in ["Host web db\n", "Host *\nControlPath /s/%h\n", "User me\n"] {
        scratch.user_config(contents);
        fs::set_permissions(&config, fs::Permissions::from_mode(0o664)).unwrap();
        assert_eq!(told(&accepting), [], "{contents}");
        assert_eq!(told(&refusing), refused(), "{contents}");
        assert_eq!(
            told(Path::new("/nonexistent/ssh")),
            [("ssh-missing", "/nonexistent/ssh".to_owned())],
            "{contents}"
        );
        // Every ssh refuses this.
        fs::set_permissions(&config, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(told(&accepting), refused(), "{contents}");
    }
}
