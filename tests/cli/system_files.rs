//! What the machine's own files decide: the system's ssh configuration, and the databases of users and groups. Only root
//! can put others in their place, for one process each.

use crate::support::{Finished, GOOD, Lab, Report, skip};
use serde_json::json;

/// As systemd puts it into the system's configuration, since version 256.
const OF_SYSTEMD: &str = "Host .host machine/.host\n    \
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy unix/run/ssh-unix-local/socket %p\n    \
    ProxyUseFdpass yes\n    CheckHostIP no\n\
    Host unix/* vsock/* machine/*\n    \
    ProxyCommand /usr/lib/systemd/systemd-ssh-proxy %h %p\n    \
    ProxyUseFdpass yes\n    CheckHostIP no\n    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n";

/// What a call printed, if machine files can be replaced here at all.
type Said = Result<Finished, String>;

/// A laboratory whose user has the directory `~/.ssh/s`.
fn lab_with_home() -> Lab {
    let lab = Lab::new();
    for directory in ["home/.ssh", "home/.ssh/s"] {
        lab.make_directory(directory);
    }
    lab
}

#[test]
fn names_of_systemds_are_no_hosts() {
    let name = "names_of_systemds_are_no_hosts";
    let lab = lab_with_home();
    lab.write("etc/ssh/ssh_config", OF_SYSTEMD);
    for path in ["%r@%h-%p", "%n", "%k", "%h.%n.%k", "%C"] {
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

    // What is missing for the hosts that a person goes to is told as ever.
    let config = format!("Host *\n{GOOD}    ControlPath ~/.ssh/none/%n\n");
    lab.write("home/.ssh/config", config);
    let report = Report::of(&lab.muxtray_with_etc(["list", "--json"]).unwrap());
    assert_eq!(report.all_ids(), ["directory-missing"]);
    assert_eq!(report.status, 1);
    let evidence = report.finding("directory-missing")["evidence"].to_string();
    assert!(
        evidence.contains("any host not named") && !evidence.contains(".host"),
        "{evidence}"
    );
}

#[test]
fn a_directory_that_only_an_administrators_host_needs_counts_once_that_is_used() {
    let name = "a_directory_that_only_an_administrators_host_needs_counts_once_that_is_used";
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
    // By name it is looked at before ssh is started.
    let opened: Said = lab.muxtray_with_etc(["open", "jump"]);
    let opened = opened.unwrap().expect(1);
    assert!(
        opened.stderr.contains("the directory does not exist"),
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
    std::fs::set_permissions(parent, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let told = report("list").unwrap();
    assert_eq!(told.all_ids(), ["directory-insecure", "stale"]);
    assert_eq!(told.at(&socket).0["hosts"], json!(["jump"]));
}
