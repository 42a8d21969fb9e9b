use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::test_home::Scratch;
use super::*;
use crate::model::interest::Interest;

fn places(request: &Request, environment: &Environment) -> Places {
    discover(request, environment).places
}

fn control_paths(places: &Places) -> Vec<String> {
    let paths = places
        .hosts
        .iter()
        .filter_map(|host| host.control_path.as_ref());
    paths.map(ToString::to_string).collect()
}

fn findings(places: &Places) -> Vec<(&str, &str)> {
    let findings = places.findings.iter();
    findings
        .map(|finding| (finding.id.as_str(), finding.subject.as_str()))
        .collect()
}

#[test]
fn asks_ssh_again_only_after_a_change_of_configuration() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    let included = scratch.path("conf.d");
    let config = scratch.write(
        "config",
        format!(
            "Include {}/*.conf\nHost web\nControlPath /s/%h\n",
            included.display()
        ),
    );
    let request = scratch.request(&ssh, Some(&config));
    let is_current = |discovered: &Discovered| {
        discovered
            .fingerprint
            .is_current(&request, &scratch.environment)
    };

    let first = discover(&request, &scratch.environment);
    assert_eq!(scratch.calls(), ["web"]);
    assert_eq!(control_paths(&first.places), ["/s/web"]);
    assert!(is_current(&first));
    assert_eq!(discover(&request, &scratch.environment), first);
    assert_eq!(scratch.calls(), [""; 0]);

    // A new file that an Include matches, and one that it does not match.
    scratch.write("conf.d/db.conf", "Host db\nControlPath /s/%n\n");
    assert!(!is_current(&first));
    let second = discover(&request, &scratch.environment);
    assert_eq!(scratch.calls(), ["db", "web"]);
    assert_eq!(control_paths(&second.places), ["/s/db", "/s/web"]);
    drop(std::os::unix::net::UnixListener::bind(included.join("u@web-22")).unwrap());
    assert!(is_current(&second));

    // Other contents.
    fs::write(&config, "Host mail\nControlPath /s/%h\n").unwrap();
    assert!(!is_current(&second));
    let third = discover(&request, &scratch.environment);
    assert_eq!(scratch.calls(), ["mail"]);
    assert_eq!(control_paths(&third.places), ["/s/mail"]);

    fs::remove_file(&config).unwrap();
    let fourth = discover(&request, &scratch.environment);
    assert_eq!(fourth.places.hosts, []);
    assert_eq!(fourth.places.findings[0].id, FindingId::SshConfigInvalid);
}

#[test]
fn fingerprint_depends_on_named_variables_user_and_program() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    let config = scratch.write("config", "Host web\nControlPath ${WHERE}/%h\n");
    let request = scratch.request(&ssh, Some(&config));
    let discovered = discover(&request, &scratch.environment);
    let path = ControlPath::new("/srv/mux/web").unwrap();
    assert!(discovered.places.patterns[0].pattern.matches(&path));

    let changed = |change: fn(&mut Environment)| {
        let mut other = scratch.environment.clone();
        change(&mut other);
        !discovered.fingerprint.is_current(&request, &other)
    };
    assert!(!changed(|_| {}));
    assert!(changed(|it| drop(
        it.known.environment.remove(OsStr::new("WHERE"))
    )));
    assert!(!changed(|it| drop(
        it.known.environment.insert("UNNAMED".into(), "x".into())
    )));
    assert!(changed(|it| it.known.host_name = "elsewhere".into()));
    for other in [
        scratch.request(Path::new("ssh"), Some(&config)),
        scratch.request(&ssh, None),
    ] {
        let fingerprint = &discovered.fingerprint;
        assert!(!fingerprint.is_current(&other, &scratch.environment));
    }
}

#[test]
fn ignores_invalid_and_unsafe_caches() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    let config = scratch.write("config", "Host web\nControlPath /s/%h\n");
    let request = scratch.request(&ssh, Some(&config));
    let cache = request.cache.clone().unwrap();
    let fresh = discover(&request, &scratch.environment);
    assert_eq!(scratch.calls(), ["web"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cache), 0o600);
    assert_eq!(mode(cache.parent().unwrap()), 0o700);
    let good = fs::read(&cache).unwrap();

    let other = |format: &str| {
        let text = String::from_utf8_lossy(&good);
        fs::write(&cache, text.replacen("\"format\":", format, 1)).unwrap();
    };
    let spoil: [&dyn Fn(); 9] = [
        // Those of other versions, with the same parts and with others, and no cache at all.
        &|| other("\"format\":1"),
        &|| other("\"version\":"),
        &|| fs::write(&cache, b"\x7fELF\xff\0").unwrap(),
        &|| fs::write(&cache, "[".repeat(1 << 20)).unwrap(),
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
        assert_eq!(discover(&request, &scratch.environment), fresh);
        assert_eq!(scratch.calls(), ["web"]);
        // A valid cache has replaced it.
        assert_eq!(discover(&request, &scratch.environment), fresh);
        assert_eq!(scratch.calls(), [""; 0]);
    }

    fs::remove_file(&cache).unwrap();
    fs::create_dir(&cache).unwrap();
    assert_eq!(places(&request, &scratch.environment), fresh.places);
}

#[test]
fn retries_only_hosts_without_an_answer() {
    let scratch = Scratch::new();
    let ssh = scratch.counting_ssh();
    // Its output for the host does not end until the file exists.
    let script = "for last; do :; done; \
        if [ \"$last\" = flood ] && ! [ -e FILE ]; then exec yes; fi; exec SSH \"$@\"";
    let script = script
        .replace("FILE", &scratch.path("ready").display().to_string())
        .replace("SSH", &ssh.display().to_string());
    let program = scratch.program("bin/flood", &script);
    let config = scratch.write("config", "Host web flood\nControlPath /s/%h\n");
    let request = scratch.request(&program, Some(&config));
    let first = discover(&request, &scratch.environment);
    assert_eq!(scratch.calls(), ["web"]);
    assert_eq!(
        findings(&first.places),
        [("ssh-config-invalid", "host flood")]
    );
    assert!(!first.fingerprint.is_settled());
    scratch.write("ready", "");
    assert_eq!(discover(&request, &scratch.environment), first);

    // As if the time for a retry had come.
    let cache = request.cache.clone().unwrap();
    let mut record = CacheRecord::load(&cache, scratch.environment.known.uid).unwrap();
    record.fingerprint.retry_at = Some(SystemTime::UNIX_EPOCH);
    record.store(&cache).unwrap();
    let is_current = |it: &Fingerprint| it.is_current(&request, &scratch.environment);
    assert!(!is_current(&record.fingerprint));
    let second = discover(&request, &scratch.environment);
    assert_eq!(scratch.calls(), ["flood"]);
    assert_eq!(control_paths(&second.places), ["/s/web", "/s/flood"]);
    assert_eq!(second.places.findings, []);
    assert!(is_current(&second.fingerprint) && second.fingerprint.is_settled());
}

#[test]
fn reads_templates_without_ssh() {
    let scratch = Scratch::new();
    scratch.user_config("Host a b\nControlPath ~/s/%h\n");
    for program in ["no-such-ssh", "/nonexistent/ssh"] {
        let request = scratch.request(Path::new(program), None);
        for _ in 0..2 {
            let places = places(&request, &scratch.environment);
            assert_eq!(findings(&places), [("ssh-missing", program)]);
            let path = ControlPath::new(scratch.path("home/s/web")).unwrap();
            assert!(places.patterns[0].pattern.matches(&path));
        }
    }
    // A program that exists and cannot be started for now is a reason to retry.
    let ssh = scratch.write("bin/ssh", "#!/nonexistent/interpreter\n");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700)).unwrap();
    let request = scratch.request(&ssh, None);
    let discovered = discover(&request, &scratch.environment);
    assert_eq!(discovered.places.findings[0].id, FindingId::SshMissing);
    assert!(!discovered.fingerprint.is_settled());
    assert!(!request.cache.unwrap().exists());
}

#[test]
fn reports_invalid_parts_and_uses_the_rest() {
    let scratch = Scratch::new();
    let config = scratch.write(
        "config",
        "Host a\nControlPath /s/%z\nHost b\nControlPath ${NOWHERE_TO_GO}/%C\nHost c\nControlPath /good/%h\n",
    );
    let mut request = scratch.request(Path::new("ssh"), Some(&config));
    request.extra_paths = vec!["~/extra/*".to_owned(), "relative/*".to_owned()];
    request.ignored_paths = vec!["~/ignored/*".to_owned(), "[".to_owned()];
    let places = places(&request, &scratch.environment);
    let line = |number: usize| format!("{} line {number}", config.display());
    assert_eq!(
        findings(&places),
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
    assert!(places.is_ignored(&in_home("ignored/x")));
    let extra = in_home("extra/x");
    assert!(places.patterns.iter().any(|it| it.pattern.matches(&extra)));
}

#[test]
fn finds_nothing_of_the_users_without_multiplexing() {
    let scratch = Scratch::new();
    for contents in ["Host web\n", "Host web\nControlPath none\n", ""] {
        let config = scratch.write("config", contents);
        let request = scratch.request(Path::new("ssh"), Some(&config));
        let places = places(&request, &scratch.environment);
        assert!(places.patterns.iter().all(|it| it.managed_by.is_some()));
        assert_eq!(places.own_hosts().count(), 0);
        assert_eq!(places.findings, []);
    }
}

/// Lines of which neither muxtray nor a host of the user's shows that ssh rejects them.
#[test]
fn reports_what_ssh_rejects_if_no_host_is_named() {
    let scratch = Scratch::new();
    for contents in [
        "UseKeychain yes",
        "Host \"a",
        "ControlPath",
        "ControlPath a b",
        "\u{feff}ControlPath /s/%h",
        "Include ROOT/home/.ssh/config",
    ] {
        let root = scratch.path("").display().to_string();
        let config = scratch.user_config(contents.replace("ROOT", &root));
        let request = scratch.request(Path::new("ssh"), Some(&config));
        let places = places(&request, &scratch.environment);
        let file = config.display().to_string();
        let is_marked = contents.starts_with('\u{feff}');
        let subject = if is_marked { &*file } else { "every host" };
        assert_eq!(
            findings(&places),
            [("ssh-config-invalid", subject)],
            "{contents}"
        );
    }
}

/// OpenSSH is the reference: a template's pattern matches and parses the path to which ssh expands it.
#[test]
fn patterns_match_paths_that_ssh_expands() {
    let scratch = Scratch::new();
    let mut environment = Environment::of_this_process();
    environment.system_config = scratch.environment.system_config.clone();
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
    let request = scratch.request(Path::new("ssh"), Some(&config));
    let places = places(&request, &environment);
    assert_eq!(places.findings, []);
    assert_eq!(places.hosts.len(), cases.len());
    for ((host, place), (template, has_host)) in
        places.hosts.iter().zip(&places.patterns).zip(cases)
    {
        let path = host.control_path.as_ref().unwrap();
        assert!(place.pattern.matches(path), "{template} {path}");
        let captured = place.pattern.captures(path);
        assert_eq!(captured.is_some(), has_host, "{template} {path}");
        if let Some(captured) = captured {
            let host = &host.destination;
            assert_eq!(captured.host, host.host, "{template} {path}");
            assert!(captured.user.is_none() || captured.user == host.user);
            assert!(captured.port.is_none() || captured.port == host.port);
        }
    }
}

#[test]
fn parses_lines_as_ssh_does() {
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
        let places = places(&request, &scratch.environment);
        let literal = places.patterns[0].pattern.as_literal();
        assert!(literal.is_some(), "{line}");
        assert_eq!(places.hosts[0].control_path, literal, "{line}");
    }
}

#[test]
fn watches_the_program_or_the_places_where_it_would_be() {
    let scratch = Scratch::new();
    let ssh = scratch.program("bin/ssh", "");
    let mut environment = scratch.environment.clone();
    let path = format!("{}:relative:/other", ssh.parent().unwrap().display());
    let variables = &mut environment.known.environment;
    variables.insert("PATH".into(), path.into());
    for (program, expected) in [
        (ssh.clone(), vec![ssh.clone()]),
        ("ssh".into(), vec![ssh.clone()]),
        (
            "none".into(),
            vec![ssh.with_file_name("none"), "/other/none".into()],
        ),
        ("/gone/ssh".into(), vec!["/gone/ssh".into()]),
    ] {
        let interests = scratch.request(&program, None).ssh.interests(&environment);
        let file = |path| Interest::File {
            path,
            reading: false,
        };
        let expected: Vec<Interest> = expected.into_iter().map(file).collect();
        assert_eq!(interests, expected);
    }
}

/// As systemd installs it in the configuration of every system.
const SYSTEMD_CONFIG: &str = "Host .host machine/.host\n\
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy unix/run/ssh-unix-local/socket %p\n\
    ProxyUseFdpass yes\n\
    Host unix/* vsock/* machine/*\n\
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy %h %p\n\
    ProxyUseFdpass yes\n";

/// An ssh that reads the scratch directory's configuration files of user and system. The real one has their paths compiled
/// in, so it gets both in one file.
fn ssh_with_system_config(scratch: &Scratch) -> PathBuf {
    let script = "for last; do :; done; echo \"$last\" >> 'ROOT/calls'; \
        cat 'ROOT/home/.ssh/config' 'ROOT/etc/ssh_config' > 'ROOT/both-'$$; exec ssh -F 'ROOT/both-'$$ \"$@\"";
    let root = scratch.path("").display().to_string();
    scratch.program("bin/ssh", &script.replace("ROOT", &root))
}

#[test]
fn asks_about_an_unnamed_host_if_only_the_system_names_hosts() {
    let scratch = Scratch::new();
    let ssh = ssh_with_system_config(&scratch);
    scratch.write(
        "etc/ssh_config",
        format!("{SYSTEMD_CONFIG}Host jump\nHost vm\nProxyCommand systemd-ssh-proxy x\n"),
    );
    scratch.user_config("Host *\nControlMaster auto\nControlPath /s/%n\n");
    let request = scratch.request(&ssh, None);
    let discovered = discover(&request, &scratch.environment);
    let places = &discovered.places;
    assert_eq!(places.findings, []);
    let hosts = places.hosts.iter();
    let hosts: Vec<(&str, WrittenBy)> = hosts.map(|it| (&*it.alias.0, it.written_by)).collect();
    assert_eq!(
        hosts,
        [
            (".host", WrittenBy::System),
            ("machine/.host", WrittenBy::System),
            ("jump", WrittenBy::Administrator),
            ("vm", WrittenBy::System),
        ]
    );
    let unnamed_host = places.unnamed_host.as_ref().unwrap();
    assert_eq!(
        unnamed_host.control_path,
        ControlPath::new("/s/host.invalid")
    );
    assert_eq!(
        scratch.calls(),
        [".host", "host.invalid", "jump", "machine/.host", "vm"]
    );
    assert_eq!(discover(&request, &scratch.environment), discovered);
    assert_eq!(scratch.calls(), [""; 0]);

    // A host of the user's shows the ControlPath of the user's file.
    scratch.user_config("Host web *\nControlMaster auto\nControlPath /s/%n\n");
    let places = discover(&request, &scratch.environment).places;
    assert_eq!(places.hosts[0].written_by, WrittenBy::Person);
    assert_eq!(places.unnamed_host, None);

    // A host of the administrator's shows that of the system's file.
    scratch.user_config("");
    scratch.write("etc/ssh_config", "Host jump\nControlPath /s/%n\n");
    let places = discover(&request, &scratch.environment).places;
    assert_eq!(places.unnamed_host, None);
    assert_eq!(places.patterns[0].written_by, WrittenBy::Administrator);

    scratch.write("etc/ssh_config", SYSTEMD_CONFIG);
    scratch.user_config("UseKeychain yes\n");
    let places = discover(&request, &scratch.environment).places;
    assert_eq!(findings(&places), [("ssh-config-invalid", "every host")]);
    assert!(places.findings[0].evidence.ends_with("usekeychain"));
}

#[test]
fn permissions_are_wrong_only_if_ssh_rejects_them() {
    let scratch = Scratch::new();
    let config = scratch.path("home/.ssh/config");
    // The paths of the default files are compiled into ssh.
    let accepting = scratch.program(
        "bin/accepting",
        "echo hostname web; echo controlmaster auto",
    );
    let message = format!("Bad owner or permissions on {}", config.display());
    let message = message.replace("/.ssh", "//.ssh");
    let rejecting = scratch.program("bin/rejecting", &format!("echo '{message}' >&2; exit 255"));
    for contents in ["Host web db\n", "Host *\nControlPath /s/%h\n", "User me\n"] {
        scratch.user_config(contents);
        fs::set_permissions(&config, fs::Permissions::from_mode(0o664)).unwrap();
        let request = scratch.request(&accepting, None);
        let accepted = discover(&request, &scratch.environment);
        assert_eq!(accepted.places.findings, []);
        // A change of the group may change what ssh accepts.
        let group = Interest::File {
            path: scratch.environment.databases.group.clone(),
            reading: false,
        };
        let interests = accepted.fingerprint.interests(&scratch.environment);
        assert!(interests.contains(&group));
        let request = scratch.request(&rejecting, None);
        let rejected = places(&request, &scratch.environment);
        let file = config.display().to_string();
        assert_eq!(findings(&rejected), [("ssh-config-invalid", &*file)]);
        assert_eq!(
            rejected.findings[0].remedy,
            format!("correct it with: chmod go-w {}", config.display())
        );
        assert_eq!(places(&request, &scratch.environment), rejected, "cached");
    }
}
