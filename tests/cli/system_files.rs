//! Tests with replaced system files: the system's ssh configuration, and the user and group databases. Only root can
//! replace them, for one process each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;

use crate::support::{GOOD, Lab, PATIENCE, Process, Report, User, skip};

/// As systemd adds it to the system's ssh configuration since version 256.
const OF_SYSTEMD: &str = "Host .host machine/.host\n    \
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy unix/run/ssh-unix-local/socket %p\n    \
    ProxyUseFdpass yes\n    CheckHostIP no\n\
    Host unix/* vsock/* machine/*\n    \
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy %h %p\n    \
    ProxyUseFdpass yes\n    CheckHostIP no\n    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n";

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
    let unknown = "may have other members";
    for (members, sources, reason) in [
        ("", "files systemd", None),
        (&*User::get().name, "files", None),
        ("root", "files", None),
        ("daemon", "files", Some(other)),
        ("", "files ldap", Some(unknown)),
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
