//! Options, hosts and names that one version or build of OpenSSH accepts and another does not. The installed ssh is the
//! reference; `tests/openssh.sh` runs this with another.

use crate::support::{Finished, GOOD, Lab, PATIENCE, Process, skip};

/// Returns false if this ssh does not know the option, and prints that the test is skipped.
fn knows(lab: &Lab, test: &str, option: &str) -> bool {
    let mut ssh = lab.command("ssh");
    ssh.args(["-F", "none", "-G", "-o", option, "web"]);
    let asked = Process::run(ssh, PATIENCE);
    let known = !asked.stderr.contains("Bad configuration option");
    if !known {
        skip(test, &format!("{} has no {option}", version(lab)));
    }
    known
}

/// `OpenSSH_9.2p1 Debian-2+deb12u10`
fn version(lab: &Lab) -> String {
    let mut ssh = lab.command("ssh");
    ssh.arg("-V");
    let printed = Process::run(ssh, PATIENCE).stderr;
    printed.split(',').next().unwrap().to_owned()
}

fn ask_ssh(lab: &Lab, host: &str) -> Finished {
    let mut ssh = lab.ssh();
    ssh.args(["-G", "--", host]);
    Process::run(ssh, PATIENCE)
}

#[test]
fn host_refused_on_purpose_is_no_invalid_configuration() {
    let lab = Lab::good();
    let name = "host_refused_on_purpose_is_no_invalid_configuration";
    if !knows(&lab, name, "RefuseConnection=x") {
        return;
    }
    lab.configure(&format!(
        "Host old\n    RefuseConnection \"moved to new\"\nMatch host away exec true\n    RefuseConnection vpn\n\
         Host jump\n    ProxyJump web,old\nHost web\n{GOOD}Host away\nHost jump\n{GOOD}"
    ));
    let report = lab.doctor();
    assert_eq!(
        (report.all_ids(), report.status),
        (Vec::new(), 0),
        "{:#}",
        report.json
    );
    for (host, reason) in [
        ("old", "moved to new"),
        ("away", "vpn"),
        ("jump", "moved to new"),
        ("somebody@old", "moved to new"),
    ] {
        for command in ["open", "test"] {
            let said = lab.muxtray([command, host]).expect(1);
            let is_named = said.stderr.contains("refuses connections") && said.stdout.is_empty();
            assert!(is_named && said.stderr.contains(reason), "{said:#?}");
            assert_eq!(said.stderr.lines().count(), 1, "{said:#?}");
        }
    }
    for command in ["check", "exit", "stop", "clean"] {
        let said = lab.muxtray([command, "old"]).expect(1);
        assert!(said.stderr.contains("moved to new"), "{said:#?}");
    }
    // A master from before the refusal.
    lab.configure(&format!("Host web\n{GOOD}"));
    let _master = lab.master("web");
    lab.configure(&format!(
        "Host web\n    RefuseConnection closed\nHost db\n{GOOD}"
    ));
    let listed = lab.list();
    let web = listed.at(&lab.control_path("web"));
    assert_eq!(web.state(), "running", "{:#}", web.0);
    lab.muxtray(["exit", "web"]).expect(0);
    // Every host.
    let standard = lab.standard_configuration();
    lab.write("ssh_config", format!("RefuseConnection closed\n{standard}"));
    let report = lab.doctor();
    assert!(
        !report.all_ids().contains(&"ssh-config-invalid".to_owned()),
        "{:#}",
        report.json
    );
}

#[test]
fn name_that_ssh_does_not_accept_is_a_warning() {
    let lab = Lab::good();
    for host in ["(servers)", "web;db", "$HOME"] {
        lab.configure(&format!("Host web\n{GOOD}Host {host}"));
        if ask_ssh(&lab, host).status.success() {
            let test = "name_that_ssh_does_not_accept_is_a_warning";
            skip(test, &format!("{} accepts {host}", version(&lab)));
            continue;
        }
        let report = lab.doctor();
        let finding = report.finding("ssh-config-invalid");
        assert_eq!(finding["severity"], "warning", "{finding:#}");
        let subject = finding["subject"].as_str().unwrap();
        assert!(subject.contains(" line "), "{finding:#}");
        assert_eq!(report.status, 0);
        for command in ["open", "test"] {
            let said = lab.muxtray([command, host]).expect(2);
            assert!(said.stderr.contains("invalid characters"), "{said:#?}");
        }
    }
}

/// An option that another build knows is an error only if this ssh refuses it, and the lines of the finding end that.
#[test]
fn options_of_other_builds_are_judged_by_ssh() {
    let lab = Lab::good();
    for option in [
        "GSSAPIAuthentication yes",
        "GSSAPIDelegateCredentials no",
        "GSSAPIKeyExchange yes",
        "GSSAPIKexAlgorithms gss-curve25519-sha256-",
        "GSSAPIRenewalForcesRekey yes",
        "GSSAPITrustDns yes",
        "KexAlgorithms gss-nistp256-sha256-,curve25519-sha256",
        "KexAlgorithms mlkem768x25519-sha256,curve25519-sha256",
        "HostKeyAlgorithms ssh-dss,ssh-ed25519",
        "PubkeyAcceptedKeyTypes +ssh-rsa",
        "RequiredRSASize 2048",
        "ChannelTimeout session=1h",
        "ObscureKeystrokeTiming no",
        "WarnWeakCrypto no",
        "UseKeychain no",
        "SmartcardDevice /nowhere",
        "Protocol 2",
    ] {
        lab.configure(&format!("{option}\nHost web\n{GOOD}"));
        let asked = ask_ssh(&lab, "web");
        let report = lab.doctor();
        if asked.status.success() {
            let found = (report.all_ids(), report.status);
            assert_eq!(found, (Vec::new(), 0), "{option}: {:#}", report.json);
            continue;
        }
        let finding = report.finding("ssh-config-invalid");
        assert_eq!(finding["severity"], "error", "{option}: {finding:#}");
        assert_eq!(report.status, 1, "{option}");
        let lines = finding["lines"].as_array().unwrap();
        if asked.stderr.contains("Bad configuration option") {
            let line = lines[0].as_str().unwrap();
            lab.configure(&format!("{line}\n{option}\nHost web\n{GOOD}"));
            let report = lab.doctor();
            assert_eq!((report.all_ids(), report.status), (Vec::new(), 0), "{line}");
        } else {
            assert!(lines.is_empty(), "{finding:#}");
        }
    }
}

#[test]
fn check_shows_the_connection_of_any_version() {
    let lab = Lab::new();
    let _master = lab.master("web");
    let said = lab.muxtray(["check", "web"]).expect(0).stdout;
    // Since 10.3.
    let asked = lab.ssh_request("conninfo", &lab.control_path("web"));
    let tcp = asked
        .stdout
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("tcp "));
    match tcp {
        Some(tcp) => assert!(said.contains(tcp), "{said}"),
        None => skip(
            "check_shows_the_connection_of_any_version",
            &format!("{} has no -O conninfo", version(&lab)),
        ),
    }
    assert!(!said.contains("versions"), "{said}");
}
