//! An ssh that is missing, hangs or prints garbage when asked for its configuration, and one that is replaced by a
//! working ssh while a watcher runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{RUN, end, wait_for_line};
use crate::support::{
    Finished, GOOD, Lab, PATIENCE, Process, Report, User, process_parent, process_state, processes,
    skip, wait_until,
};

/// A script in place of ssh, the finding it causes, and a word of the evidence.
const WRONG: &[(&str, &str, &str)] = &[
    ("exec sleep 600", "ssh-config-invalid", "no answer within"),
    ("exec cat /dev/zero", "ssh-config-invalid", "of output"),
    (
        "head -c 8000000 /dev/urandom",
        "ssh-config-invalid",
        "of output",
    ),
    (
        "exec yes 'controlpath /' >&2",
        "ssh-config-invalid",
        "of output",
    ),
    ("exit 255", "ssh-config-invalid", "255"),
    (
        "printf 'b\\377d \\033[31mline\\n' >&2; exit 255",
        "ssh-config-invalid",
        "line",
    ),
    ("kill -SEGV $$", "ssh-config-invalid", "signal"),
];

/// Replaces ssh by the script, atomically.
fn install(lab: &Lab, script: &str) -> PathBuf {
    let program = lab.path("program/ssh");
    if !program.parent().unwrap().exists() {
        lab.make_directory("program");
    }
    // Another process writes it: a file that this process has open for writing could not be executed yet.
    let mut command = lab.command("sh");
    command
        .args([
            "-c",
            "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1.new\" && chmod 700 \"$1.new\" && mv \"$1.new\" \"$1\"",
            "sh",
        ])
        .arg(&program)
        .arg(script);
    Process::run(command, PATIENCE).expect(0);
    program
}

fn settings(lab: &Lab, program: &Path) {
    lab.write_muxtray_config(&format!(
        "interval_secs = 3600\nssh_program = {program:?}\n"
    ));
}

/// The children of a process, with zombies.
fn children(pid: i32) -> Vec<(i32, Option<char>)> {
    let of_it = |child: &i32| process_parent(*child) == Some(pid);
    let found = processes().into_iter().filter(of_it);
    found.map(|child| (child, process_state(child))).collect()
}

#[track_caller]
fn assert_no_child_remains(run: &Process) {
    wait_until("no child remains, not even a dead one", PATIENCE, || {
        children(run.pid()).is_empty()
    });
}

#[test]
fn broken_ssh_is_reported_and_asked_again_once_replaced() {
    let lab = Lab::new();
    // One host only, because each one that does not answer takes up its deadline.
    lab.write(
        "ssh_config",
        format!(
            "Host web\n    ControlPath {}\n{GOOD}{}",
            lab.control_path("web").display(),
            lab.connection_options()
        ),
    );
    let master = lab.master("web");
    for (script, id, word) in WRONG {
        let program = install(&lab, script);
        settings(&lab, &program);
        let report = lab.list();
        assert_eq!(report.finding_ids(), [*id], "{script}: {:#}", report.json);
        let evidence = report.finding(id)["evidence"].to_string();
        assert!(evidence.contains(word), "{script}: {evidence}");
        assert_eq!(report.at(master.path()).state(), "running", "{script}");
    }
    // Text that is no configuration, with status 0, is an empty configuration; the masters come from the kernel's
    // tables.
    let program = install(&lab, "head -c 100000 /dev/urandom; exit 0");
    settings(&lab, &program);
    assert_eq!(lab.list().at(master.path()).state(), "running");

    let mut run = Process::start(lab.muxtray_command(RUN));
    wait_for_line(&mut run, 0, "1 master");
    for (script, ..) in WRONG {
        let before = run.stderr().len();
        install(&lab, script);
        wait_for_line(&mut run, before, "problem");
        assert_no_child_remains(&run);
        let before = run.stderr().len();
        install(&lab, "exec ssh \"$@\"");
        wait_for_line(&mut run, before, "1 master\n");
        assert_no_child_remains(&run);
    }
    end(run);
}

/// Removed and installed again, as an upgrade may do it, without any other event.
#[test]
fn ssh_installed_later_is_found() {
    let lab = Lab::new();
    let program = install(&lab, "exec ssh \"$@\"");
    settings(&lab, &program);
    let mut run = Process::start(lab.muxtray_command(RUN));
    wait_for_line(&mut run, 0, "no masters");
    super::wait_for_watch(&run, program.parent().unwrap());
    let before = run.stderr().len();
    fs::remove_file(&program).unwrap();
    wait_for_line(&mut run, before, "no masters, 1 problem");
    let before = run.stderr().len();
    install(&lab, "exec ssh \"$@\"");
    wait_for_line(&mut run, before, "no masters\n");
    end(run);
}

/// The same with a program that is only a name, and is not in PATH when the watcher starts.
#[test]
fn ssh_added_to_path_is_found() {
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 3600\nssh_program = \"muxtray-ssh\"\n");
    lab.make_directory("program");
    let mut command = lab.muxtray_command(RUN);
    let path = format!("{}:{}", lab.path("program").display(), crate::support::PATH);
    command.env("PATH", path);
    let mut run = Process::start(command);
    wait_for_line(&mut run, 0, "no masters, 1 problem");
    super::wait_for_watch(&run, &lab.path("program"));
    let before = run.stderr().len();
    let program = install(&lab, "exec ssh \"$@\"");
    fs::rename(&program, program.with_file_name("muxtray-ssh")).unwrap();
    wait_for_line(&mut run, before, "no masters\n");
    end(run);
}

/// Runs muxtray under strace, which injects these results.
fn injected(lab: &Lab, inject: &[&str], arguments: &[&str]) -> Result<Finished, String> {
    if Command::new("strace").arg("-V").output().is_err() {
        return Err("strace is not installed".to_owned());
    }
    let wrapper = ["strace", "-qq", "-o", "/dev/null"];
    let wrapper = wrapper.into_iter().chain(inject.iter().copied());
    let finished = Process::run(lab.muxtray_behind(wrapper, arguments), PATIENCE);
    if finished.stderr.starts_with("strace:") {
        return Err(finished.stderr);
    }
    Ok(finished)
}

/// A disk that fails for a moment: the failure is reported, and not remembered as a result.
#[test]
fn configuration_with_read_error_is_read_at_next_look() {
    let name = "configuration_with_read_error_is_read_at_next_look";
    let lab = Lab::good();
    let master = lab.master("web");
    let of_ssh = lab.path("ssh_config");
    let own = lab.path("config/muxtray/config.toml");
    for (file, id) in [(&of_ssh, "ssh-config-invalid"), (&own, "config-invalid")] {
        let file = file.to_str().unwrap();
        let before = fs::read(file).unwrap();
        let inject = ["-P", file, "-e", "inject=read:error=EIO"];
        let finished = match injected(&lab, &inject, &["list", "--json"]) {
            Ok(finished) => finished,
            Err(why) => return skip(name, &why),
        };
        let report = Report::parse(&finished.stdout);
        let finding = report.finding(id);
        assert!(finding["subject"].to_string().contains(file), "{finding:#}");
        assert!(
            finding["evidence"]
                .to_string()
                .contains("Input/output error"),
            "{finding:#}"
        );
        assert_eq!(report.at(master.path()).state(), "running");
        assert_eq!(fs::read(file).unwrap(), before, "never overwritten");
        let report = lab.list();
        assert!(report.finding_ids().is_empty(), "{:#}", report.json);
        assert_eq!(report.at(master.path()).0["hosts"][0], "web");
    }
}

/// The file's mode is no part of its version, but decides whether it can be read.
#[test]
fn configuration_made_readable_takes_effect() {
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 3600\n");
    let file = lab.path("config/muxtray/config.toml");
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o000);
    if User::get().uid == 0 {
        return skip(
            "configuration_made_readable_takes_effect",
            "root reads every file",
        );
    }
    let mut run = Process::start(lab.muxtray_command(RUN));
    wait_for_line(&mut run, 0, "Permission denied");
    let before = run.stderr().len();
    mode(0o600);
    // Until then the sockets of other tests were counted, too.
    wait_for_line(&mut run, before, "no masters\n");
    let finished = end(run);
    assert_eq!(
        finished.stderr.matches("Permission denied").count(),
        1,
        "{finished:#?}"
    );
}
