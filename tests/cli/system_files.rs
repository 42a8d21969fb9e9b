//! Tests with replaced system files: the system's ssh configuration, and the user and group databases. Only root can
//! replace them, for one process each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{GOOD, Lab, NOBODY, PATH, PATIENCE, Process, Report, User, skip};

/// As systemd adds it to the system's ssh configuration since version 256, and with the `%` of version 258.
const OF_SYSTEMD: &str = "Host .host machine/.host machine%.host\n    \
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy unix/run/ssh-unix-local/socket %p\n    \
    ProxyUseFdpass yes\n    CheckHostIP no\n\
    Host unix/* unix%* vsock/* vsock%* machine/* machine%*\n    \
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy %h %p\n    \
    ProxyUseFdpass yes\n    CheckHostIP no\n    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n";

/// The form of what systems and programs write into the ssh configuration.
struct Written {
    by: &'static str,
    /// Files below the laboratory, and their lines. `RAN` is a program that leaves a trace if it runs.
    files: &'static [(&'static str, &'static str)],
    /// The number of hosts that are examined: those a person can open, and any other host if none of them has its
    /// ControlPath.
    hosts: usize,
    findings: &'static [&'static str],
}

const fn all_well(
    by: &'static str,
    hosts: usize,
    files: &'static [(&'static str, &'static str)],
) -> Written {
    Written {
        by,
        files,
        hosts,
        findings: &[],
    }
}

const USER: &str = "home/.ssh/config";
const SYSTEM: &str = "etc/ssh/ssh_config";
const PART: &str = "etc/ssh/ssh_config.d/50-part.conf";
const INCLUDE: &str = "# comment\nInclude /etc/ssh/ssh_config.d/*.conf\n";

const WRITTEN: &[Written] = &[
    all_well("systemd", 1, &[(SYSTEM, OF_SYSTEMD)]),
    all_well("systemd, in the user's file", 1, &[(USER, OF_SYSTEMD)]),
    all_well(
        "Debian, Ubuntu",
        1,
        &[
            (
                SYSTEM,
                "Include /etc/ssh/ssh_config.d/*.conf\nHost *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n",
            ),
            (PART, OF_SYSTEMD),
        ],
    ),
    all_well(
        "Fedora",
        1,
        &[
            (SYSTEM, INCLUDE),
            (
                PART,
                "Match final all\n\tInclude /etc/crypto-policies/back-ends/openssh.config\n\tForwardX11Trusted yes\n",
            ),
            (
                "etc/crypto-policies/back-ends/openssh.config",
                "Ciphers aes256-ctr\nMACs hmac-sha2-256\nKexAlgorithms curve25519-sha256\nPubkeyAcceptedAlgorithms ssh-ed25519\n",
            ),
        ],
    ),
    all_well("Arch, Alpine", 1, &[(SYSTEM, INCLUDE)]),
    all_well(
        "NixOS",
        1,
        &[(
            SYSTEM,
            "Host *\n\nGlobalKnownHostsFile /etc/ssh/ssh_known_hosts\nForwardX11 no\n\nInclude /nix/store/a-b/ssh_config.d/*.conf\n",
        )],
    ),
    all_well(
        "FreeIPA",
        1,
        &[
            (SYSTEM, INCLUDE),
            (
                PART,
                "GlobalKnownHostsFile /var/lib/x\nMatch exec true\n    ProxyCommand RAN -p %p %h\n",
            ),
        ],
    ),
    all_well(
        "the administrator",
        2,
        &[
            (SYSTEM, INCLUDE),
            (PART, "Host jump\nHost *.corp !jump\n    ProxyJump jump\n"),
        ],
    ),
    all_well(
        "gcloud compute config-ssh",
        2,
        &[(
            USER,
            "# Google\nHost a.zone.p\n    HostName 192.0.2.1\n    UserKnownHostsFile=/home/u/k\n    HostKeyAlias=compute.1\n    IdentitiesOnly=yes\n    CheckHostIP=no\n\nHost b.zone.p\n    HostName 192.0.2.2\n    HostKeyAlias=compute.2\n",
        )],
    ),
    all_well(
        "AWS Session Manager",
        1,
        &[(
            USER,
            "host i-* mi-*\n    ProxyCommand sh -c \"RAN --target %h --parameters 'portNumber=%p'\"\n",
        )],
    ),
    all_well(
        "tsh config",
        1,
        &[(
            USER,
            "Host *.tp.example.com tp.example.com\n    IdentityFile \"/home/u/.tsh/k\"\nHost *.tp.example.com !tp.example.com\n    Port 3022\n    ProxyCommand \"RAN\" proxy %r@%h:%p\n",
        )],
    ),
    all_well(
        "Tailscale",
        1,
        &[(
            USER,
            "Match host *.ts.net exec \"RAN\"\n    ProxyCommand RAN nc %h %p\nHost nas\n    HostName 192.0.2.3\n",
        )],
    ),
    all_well(
        "cloudflared",
        1,
        &[(
            USER,
            "Host ssh.example.com\n  ProxyCommand RAN --hostname %h\n",
        )],
    ),
    all_well(
        "coder config-ssh",
        1,
        &[(
            USER,
            "Host coder.*\n\tConnectTimeout=0\n\tLogLevel ERROR\n\tProxyCommand RAN --stdio %h\nHost *.coder\n\tConnectTimeout=0\nMatch host *.coder !exec \"RAN exists %h\"\n\tProxyCommand RAN %h\n",
        )],
    ),
    all_well(
        "gh codespace ssh --config",
        1,
        &[
            (USER, "Match all\nInclude ~/.ssh/codespaces\n"),
            (
                "home/.ssh/codespaces",
                "Host cs.x.main\n\tUser c\n\tProxyCommand RAN\n\tUserKnownHostsFile=/dev/null\n\tControlMaster auto\n\n",
            ),
        ],
    ),
    all_well(
        "DevPod",
        2,
        &[(
            USER,
            "Host a.devpod\n  ProxyCommand \"RAN\" ssh a\n  User v\nHost b.devpod\n  ProxyCommand \"RAN\" ssh b\n  User v\n",
        )],
    ),
    all_well(
        "lima, Colima",
        1,
        &[
            (USER, "Include ~/.lima/*/ssh.config ~/.colima/ssh_config\n"),
            (
                "home/.lima/default/ssh.config",
                "Host lima-default\n  User u\n  ControlMaster auto\n  ControlPath \"~/.lima/default/ssh.sock\"\n  ControlPersist yes\n  Hostname 127.0.0.1\n  Port 60022\n",
            ),
        ],
    ),
    all_well(
        "vagrant ssh-config",
        2,
        &[(
            USER,
            "Host default\n  HostName 127.0.0.1\n  Port 2222\n  User vagrant\n  IdentityFile \"/home/u/a b/k\"\nHost db\n  HostName 127.0.0.1\n  Port 2200\n  User vagrant\n",
        )],
    ),
    all_well(
        "OrbStack",
        1,
        &[
            (USER, "Include ~/.orbstack/ssh/config\n"),
            (
                "home/.orbstack/ssh/config",
                "Host orb\n  HostName 127.0.0.1\n  Port 32222\n  # comment\n  User default\n  ProxyCommand 'RAN' ssh-proxy-fdpass 501\n  ProxyUseFdpass yes\n",
            ),
        ],
    ),
    all_well(
        "1Password",
        1,
        &[
            (
                USER,
                "Host *\n\tIdentityAgent ~/.1password/agent.sock\nInclude ~/.ssh/1Password/config\n",
            ),
            (
                "home/.ssh/1Password/config",
                "Match Host \"github.com\"\n  IdentitiesOnly yes\n",
            ),
        ],
    ),
    all_well(
        "Windows",
        1,
        &[(
            USER,
            "Host \"web\"\r\n\tHostName=web.example.org\r\n\tPort = 2222\r\n\r\n",
        )],
    ),
    all_well(
        "canonical names",
        1,
        &[(
            USER,
            "CanonicalizeHostname yes\nCanonicalDomains invalid\nMatch canonical host *.invalid\n  User c\nMatch final all\n  Compression yes\nHost srv\n",
        )],
    ),
    all_well(
        "programs that are gone",
        1,
        &[(
            USER,
            "IgnoreUnknown UseKeychain\nUseKeychain yes\nInclude gone/config\nInclude ~/.ssh\nInclude /nonexistent/*/x\nInclude /root/*.conf /root/x\n",
        )],
    ),
    Written {
        by: "canonical names without network",
        files: &[(
            USER,
            "CanonicalizeHostname always\nCanonicalDomains invalid\nCanonicalizeFallbackLocal no\nHost srv.invalid\n",
        )],
        hosts: 0,
        findings: &["ssh-config-invalid: warning"],
    },
    Written {
        by: "a name that ssh does not accept",
        files: &[(USER, "Host \"a b\"\nHost web\n")],
        hosts: 1,
        findings: &["ssh-config-invalid: warning"],
    },
];

/// With each usual ControlPath for all hosts, everything is well, and no program of a ProxyCommand runs.
#[test]
fn configurations_of_other_programs_are_no_problem() {
    let name = "configurations_of_other_programs_are_no_problem";
    let lab = Lab::new();
    let program = lab.script("ran", "echo >> \"$0.trace\"\nexit 1");
    for written in WRITTEN {
        for directory in ["etc", "home"] {
            let _ = fs::remove_dir_all(lab.path(directory));
        }
        for directory in ["home", "home/.ssh", "home/.ssh/s"] {
            lab.make_directory(directory);
        }
        for path in ["%r@%h:%p", "%C", "%n", "%k"] {
            let own = format!("Host *\n{GOOD}    ControlPath ~/.ssh/s/{path}\n");
            lab.write(SYSTEM, "");
            lab.write(USER, &own);
            for (file, lines) in written.files {
                let lines = lines.replace("RAN", program.to_str().unwrap());
                let own = if *file == USER { &*own } else { "" };
                lab.write(file, format!("{lines}{own}"));
            }
            let context = format!("{}, {path}", written.by);
            // Without port and user, if ssh answers.
            let is_partial = matches!(path, "%n" | "%k") && written.hosts > 0;
            let mut expected: Vec<&str> = written.findings.to_vec();
            expected.extend(is_partial.then_some("path-not-per-host: warning"));
            expected.sort_unstable();
            let list = match lab.muxtray_with_etc(["list", "--json"]) {
                Ok(said) => Report::of(&said),
                Err(why) => return skip(name, &why),
            };
            let findings = list.json["findings"].as_array().unwrap();
            let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
            let mut found: Vec<String> = findings
                .iter()
                .map(|it| format!("{}: {}", text(it, "id"), text(it, "severity")))
                .collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{context}: {:#}", list.json);
            assert_eq!((list.status, list.sockets().len()), (0, 0), "{context}");
            if is_partial {
                continue;
            }
            let doctor = lab.muxtray_with_etc(["doctor"]).unwrap().expect(0);
            let last = doctor.stdout.lines().last().unwrap();
            let problems = match expected.len() {
                0 => "no problems found".to_owned(),
                1 => "1 warning".to_owned(),
                number => format!("{number} warnings"),
            };
            let hosts = match written.hosts {
                1 => "1 host".to_owned(),
                number => format!("{number} hosts"),
            };
            let summary = format!("{problems} ({hosts}, ");
            assert!(last.starts_with(&summary), "{context}: {last}");
        }
        assert!(!lab.path("ran.trace").exists(), "{}", written.by);
    }
}

/// A laboratory in which the user has the directory `~/.ssh/s`.
fn lab_with_home() -> Lab {
    let lab = Lab::new();
    for directory in ["home/.ssh", "home/.ssh/s"] {
        lab.make_directory(directory);
    }
    lab
}

#[test]
fn systemd_host_names_are_not_listed_as_hosts() {
    let name = "systemd_host_names_are_not_listed_as_hosts";
    let lab = lab_with_home();
    lab.write("etc/ssh/ssh_config", OF_SYSTEMD);
    for path in ["%r@%h-%p", "%r@%n:%p", "%k.%r.%p", "%n.%k.%r-%p", "%C"] {
        let config = format!("Host *\n{GOOD}    ControlPath ~/.ssh/s/{path}\n");
        lab.write("home/.ssh/config", config);
        for command in ["list", "doctor"] {
            let report = match lab.muxtray_with_etc([command, "--json"]) {
                Ok(said) => Report::of(&said),
                Err(why) => return skip(name, &why),
            };
            let is_well = (report.status, report.all_ids()) == (0, Vec::new());
            assert!(is_well, "{command}, {path}: {:#}", report.json);
            assert_eq!(report.sockets().len(), 0, "{:#}", report.json);
        }
        let doctor = lab.muxtray_with_etc(["doctor"]).unwrap().expect(0);
        assert_eq!(
            doctor.stdout,
            "no problems found (1 host, 1 directory, 0 sockets)\n"
        );
        let list = lab.muxtray_with_etc(["list"]).unwrap().expect(0);
        assert_eq!(list.stdout, "no masters\n");
    }

    // A missing directory of the user's own hosts is still a finding.
    let config = format!("Host *\n{GOOD}    ControlPath ~/.ssh/none/%C\n");
    lab.write("home/.ssh/config", config);
    let report = Report::of(&lab.muxtray_with_etc(["list", "--json"]).unwrap());
    assert_eq!(report.all_ids(), ["directory-missing"]);
    assert_eq!(report.status, 1);
    let evidence = report.finding("directory-missing")["evidence"].to_string();
    assert!(
        evidence.contains("any other host") && !evidence.contains(".host"),
        "{evidence}"
    );
}

#[test]
fn texts_shorten_the_home_directory_and_json_does_not() {
    let lab = lab_with_home();
    let config = format!("Host web\n{GOOD}    ControlPath ~/.ssh/none/%n\n");
    lab.write("home/.ssh/config", config);
    let directory = lab.path("home/.ssh/none");
    for command in ["list", "doctor"] {
        let json = match lab.muxtray_with_etc([command, "--json"]) {
            Ok(output) => output.expect(1),
            Err(why) => {
                return skip("texts_shorten_the_home_directory_and_json_does_not", &why);
            }
        };
        let report = Report::of(&json);
        assert_eq!(
            report.json["findings"][0]["subject"],
            directory.display().to_string()
        );
        assert!(!json.stdout.contains("~/"), "{}", json.stdout);
        let text = lab.muxtray_with_etc([command]).unwrap().expect(1).stdout;
        assert!(text.contains("~/.ssh/none"), "{text}");
        assert!(!text.contains(directory.to_str().unwrap()), "{text}");
    }
}

#[test]
fn missing_directory_of_a_system_host_is_a_finding_once_used() {
    let name = "missing_directory_of_a_system_host_is_a_finding_once_used";
    let lab = lab_with_home();
    let missing = lab.path("shared/mux");
    lab.write(
        "etc/ssh/ssh_config",
        format!(
            "Host jump\n    ControlPath {}/%n\n{GOOD}",
            missing.display()
        ),
    );
    lab.write("home/.ssh/config", "");
    let report = |command: &str| -> Result<Report, String> {
        lab.muxtray_with_etc([command, "--json"])
            .map(|said| Report::of(&said))
    };
    for command in ["list", "doctor"] {
        match report(command) {
            Ok(report) => {
                assert_eq!((report.status, report.all_ids()), (0, vec![]), "{command}");
            }
            Err(why) => return skip(name, &why),
        }
    }
    // `open` checks the directory before it starts ssh.
    let opened = lab.muxtray_with_etc(["open", "jump"]);
    let opened = opened.unwrap().expect(1);
    assert!(
        opened.stdout.contains("the directory does not exist"),
        "{opened:?}"
    );

    lab.write("state/muxtray/recent-hosts.json", r#"["jump"]"#);
    assert_eq!(report("list").unwrap().all_ids(), ["directory-missing"]);

    lab.write("state/muxtray/recent-hosts.json", "[]");
    lab.make_directory("shared");
    lab.make_directory("shared/mux");
    let socket = missing.join("jump");
    lab.dead_socket(&socket);
    let parent = missing.parent().unwrap();
    fs::set_permissions(parent, fs::Permissions::from_mode(0o777)).unwrap();
    let told = report("list").unwrap();
    assert_eq!(told.all_ids(), ["directory-insecure", "stale"]);
    assert_eq!(told.at(&socket).0["hosts"], json!(["jump"]));
}

/// The user's lines of the group database, with these additional members.
fn groups(members: &str) -> String {
    let User { name, gid, .. } = User::get();
    format!("root:x:0:\n{name}:x:{gid}:{members}\n")
}

#[test]
fn group_writable_directory_is_insecure_if_the_group_has_another_member() {
    let name = "group_writable_directory_is_insecure_if_the_group_has_another_member";
    let lab = Lab::new();
    fs::set_permissions(lab.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let (home, directory) = (lab.path("home/.ssh"), lab.path("home/.ssh/s"));
    // The modes that a umask of 0002 gives.
    let mut shell = lab.command("sh");
    shell.args([
        "-c",
        "umask 0002 && mkdir -p \"$HOME/.ssh/s\" && printf %s \"$1\" > \"$HOME/.ssh/config\"",
        "sh",
        &format!("Host web\n{GOOD}    ControlPath ~/.ssh/s/%r@%h-%p\n"),
    ]);
    Process::run(shell, PATIENCE).expect(0);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let config = home.join("config");
    assert_eq!((mode(&directory), mode(&config)), (0o775, 0o664));

    // Members, `nsswitch.conf` line for groups, whether other sources are visible, and the reason in the finding.
    let other = "has other members (daemon)";
    let unknown = "may have other members (no answer from ldap, a source of nsswitch.conf)";
    for (members, sources, reason) in [
        ("", "files systemd", None),
        (&*User::get().name, "files", None),
        ("root", "files", None),
        ("daemon", "files", Some(other)),
        ("", "files ldap", Some(unknown)),
        // The daemon of sssd does not run.
        ("", "sss files [SUCCESS=merge] systemd", None),
    ] {
        lab.write("etc/group", groups(members));
        lab.write(
            "etc/nsswitch.conf",
            format!("passwd: files\ngroup: {sources}\n"),
        );
        let with_umask = |program: &str, arguments: &[&str]| {
            let mut command = lab.command("sh");
            command.args(["-c", "umask 0002; exec \"$@\"", "sh", program]);
            command.args(arguments);
            lab.with_etc(&command)
        };
        // ssh decides if its configuration is acceptable: Debian's accepts a group without other members, others do
        // not.
        let ssh = match with_umask("ssh", &["-G", "web"]) {
            Ok(said) => said,
            Err(why) => return skip(name, &why),
        };
        let is_refused = ssh.stderr.contains("Bad owner or permissions on");
        assert_eq!(ssh.status.success(), !is_refused, "{ssh:?}");
        let mut expected = Vec::new();
        if reason.is_some() {
            // One finding for ~/.ssh, because the directory in it could be replaced, and one for that directory.
            expected.extend(["directory-insecure", "directory-insecure"]);
        }
        if is_refused {
            expected.push("ssh-config-invalid");
        }
        let program = lab.reachable_program();
        for command in ["list", "doctor"] {
            let said = with_umask(program.to_str().unwrap(), &[command, "--json"]).unwrap();
            let report = Report::of(&said);
            assert_eq!(report.all_ids(), expected, "{members}: {:#}", report.json);
            let findings = report.json["findings"].as_array().unwrap();
            let of_directories = findings
                .iter()
                .filter(|finding| finding["id"] == "directory-insecure");
            for finding in of_directories {
                let evidence = finding["evidence"].as_str().unwrap();
                let group = &User::get().name;
                let reason = format!("mode 0775, owner {group}");
                assert!(evidence.starts_with(&reason), "{evidence}");
            }
            let told = said.stdout.contains(&format!(
                ", group {} {}:",
                User::get().name,
                reason.unwrap_or("is not told")
            ));
            assert_eq!(told, reason.is_some(), "{said:?}");
        }
    }

    // `--fix` changes nothing if the modes are safe.
    lab.write("etc/group", groups(""));
    lab.write("etc/nsswitch.conf", "passwd: files\ngroup: files\n");
    lab.muxtray_with_etc(["doctor", "--fix"]).unwrap();
    assert_eq!((mode(&home), mode(&directory)), (0o775, 0o775));
    lab.write("etc/group", groups("daemon"));
    lab.muxtray_with_etc(["doctor", "--fix"]).unwrap();
    assert_eq!((mode(&home), mode(&directory)), (0o755, 0o755));
}

/// The evidence of `directory-insecure` about `~/.ssh/s`, or `None` if it is safe. Only programs in `bin` of the
/// laboratory come before the machine's.
fn evidence_of_insecure_directory(lab: &Lab) -> Result<Option<String>, String> {
    let mut command = lab.command("env");
    command
        .arg(format!("PATH={}:{PATH}", lab.path("bin").display()))
        .arg(lab.reachable_program())
        .args(["doctor", "--json"]);
    let report = Report::of(&lab.with_etc(&command)?);
    let findings = report.json["findings"].as_array().unwrap();
    assert!(findings.len() <= 1, "{:#}", report.json);
    Ok(findings.first().map(|finding| {
        assert_eq!(finding["id"], "directory-insecure");
        finding["evidence"].as_str().unwrap().to_owned()
    }))
}

/// A laboratory in which only `~/.ssh/s` is writable by the user's group.
fn lab_with_shared_directory() -> Lab {
    let lab = lab_with_home();
    fs::set_permissions(lab.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mode = fs::Permissions::from_mode(0o770);
    fs::set_permissions(lab.path("home/.ssh/s"), mode).unwrap();
    let config = format!("Host web\n{GOOD}    ControlPath ~/.ssh/s/%r@%h-%p\n");
    lab.write("home/.ssh/config", config);
    lab.write("etc/group", groups(""));
    lab
}

#[test]
fn members_from_other_sources_than_the_files() {
    let name = "members_from_other_sources_than_the_files";
    let User {
        name: user, gid, ..
    } = User::get();
    let zoe = |gid: u32| format!("echo 'zoe:x:60501:{gid}:zoe:/:/bin/sh'");
    let member = format!("group {user} has other members (zoe)");
    let no_answer = format!("group {user} may have other members (no answer from ldap");
    // The commands in place of `getent -s ldap passwd` and `getent -s ldap group`, and the reason in the finding.
    for (passwd, group, reason) in [
        (zoe(60501), "exit 2".to_owned(), None),
        (zoe(*gid), "exit 2".to_owned(), Some(&member)),
        (
            zoe(60501),
            format!("echo '{user}:x:{gid}:zoe'"),
            Some(&member),
        ),
        (zoe(60501), format!("echo '{user}:x:{gid}:{user}'"), None),
        ("exit 0".to_owned(), "exit 2".to_owned(), Some(&no_answer)),
        ("exit 1".to_owned(), "exit 1".to_owned(), Some(&no_answer)),
        (
            "exec sleep 60".to_owned(),
            "exit 2".to_owned(),
            Some(&no_answer),
        ),
    ] {
        let lab = lab_with_shared_directory();
        lab.write(
            "etc/nsswitch.conf",
            "passwd: files ldap\ngroup: files ldap\n",
        );
        lab.make_directory("bin");
        let script = format!(
            "[ \"$1 $2\" = '-s ldap' ] || exit 1\ncase $3 in\n\
             passwd) {passwd};;\ngroup) [ \"$4\" = {gid} ] && {group};;\nesac"
        );
        lab.script("bin/getent", &script);
        let evidence = match evidence_of_insecure_directory(&lab) {
            Ok(evidence) => evidence,
            Err(why) => return skip(name, &why),
        };
        let is_right = match (&evidence, reason) {
            (Some(evidence), Some(reason)) => evidence.contains(reason),
            (evidence, reason) => evidence.is_none() && reason.is_none(),
        };
        assert!(is_right, "{passwd}, {group}: {evidence:?}");
    }

    // A user record of systemd, by the machine's own name service.
    let lab = lab_with_shared_directory();
    lab.write(
        "etc/nsswitch.conf",
        "passwd: files systemd\ngroup: files systemd\n",
    );
    assert_eq!(evidence_of_insecure_directory(&lab), Ok(None));
    let record = format!(r#"{{"userName":"zoe","uid":60501,"gid":{gid},"disposition":"regular"}}"#);
    for file in ["zoe.user", "60501.user"] {
        lab.write(Path::new("etc/userdb").join(file), &record);
    }
    let mut getent = lab.command("getent");
    getent.args(["-s", "systemd", "passwd"]);
    if !lab.with_etc(&getent).unwrap().stdout.starts_with("zoe:") {
        return skip(name, "the machine has no name service of systemd");
    }
    let evidence = evidence_of_insecure_directory(&lab).unwrap();
    assert!(evidence.unwrap().contains(&member));
}

/// An entry of an access control list that lets a user write, in the form of linux/posix_acl_xattr.h, with the mask
/// `rwx` and nothing for the group.
fn access_list(user: u32) -> Vec<u8> {
    let (owner, named, group, mask, other) = (0x01, 0x02, 0x04, 0x10, 0x20);
    let nobody = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (owner, 7, nobody),
        (named, 7, user),
        (group, 0, nobody),
        (mask, 7, nobody),
        (other, 0, nobody),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, may, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(may.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn directory_is_insecure_if_its_access_control_list_lets_others_write() {
    let name = "directory_is_insecure_if_its_access_control_list_lets_others_write";
    let User { uid, .. } = User::get();
    let other = Some("its access control list lets nobody write");
    for (attribute, directory, user, reason) in [
        ("system.posix_acl_access", "home/.ssh/s", *uid, None),
        ("system.posix_acl_access", "home/.ssh/s", 0, None),
        ("system.posix_acl_access", "home/.ssh/s", NOBODY, other),
        ("system.posix_acl_access", "home/.ssh", NOBODY, other),
        ("system.posix_acl_default", "home/.ssh", NOBODY, None),
    ] {
        let lab = lab_with_shared_directory();
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(lab.path("home/.ssh/s"), mode).unwrap();
        let path = lab.path(directory);
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::setxattr(&path, attribute, &access_list(user), flags).is_err() {
            return skip(name, "this filesystem has no access control lists");
        }
        let evidence = match evidence_of_insecure_directory(&lab) {
            Ok(evidence) => evidence,
            Err(why) => return skip(name, &why),
        };
        match reason {
            Some(reason) => assert!(evidence.unwrap().contains(reason)),
            None => assert_eq!(evidence, None, "{attribute} of {user}"),
        }
        if reason.is_some() {
            lab.muxtray_with_etc(["doctor", "--fix"]).unwrap();
            assert_eq!(evidence_of_insecure_directory(&lab), Ok(None));
        }
    }
}
