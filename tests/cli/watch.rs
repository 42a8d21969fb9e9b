//! Changes are noticed through events: the interval of the timer is an hour in these tests.

use std::fs;
use std::process::Command;

use crate::support::{Lab, PATIENCE, Process, User, skip, wait_until};
use nix::sys::signal::Signal;

/// The engine without an icon, after its first scan.
fn watcher(lab: &Lab) -> Process {
    lab.write_muxtray_config("interval_secs = 3600\n");
    let run = Process::start(lab.muxtray_command(["run", "--no-tray", "-v"]));
    after_first_scan(run)
}

fn after_first_scan(mut run: Process) -> Process {
    wait_until("the first scan is over", PATIENCE, || {
        assert!(run.is_running(), "{}", run.stderr());
        run.stderr().contains("no masters")
    });
    run
}

/// Waits until the text is in the log after the first `before` bytes.
#[track_caller]
fn wait_for_line(run: &mut Process, before: usize, text: &str) {
    wait_until(&format!("the log contains {text:?}"), PATIENCE, || {
        assert!(run.is_running(), "{}", run.stderr());
        run.stderr()[before..].contains(text)
    });
}

fn end(run: Process) {
    run.signal(Signal::SIGTERM);
    run.finish(PATIENCE).expect(0);
}

#[test]
fn start_and_kill_of_a_master() {
    let lab = Lab::new();
    let mut run = watcher(&lab);
    let mut master = lab.master("web");
    wait_for_line(&mut run, 0, "1 master");
    let before = run.stderr().len();
    master.kill();
    wait_for_line(&mut run, before, "no masters, 1 problem");
    let before = run.stderr().len();
    lab.muxtray(["clean", "web"]).expect(0);
    wait_for_line(&mut run, before, "no masters\n");
    end(run);
}

#[test]
fn exit_of_a_master() {
    let lab = Lab::new();
    let mut run = watcher(&lab);
    let _master = lab.master("web");
    wait_for_line(&mut run, 0, "1 master");
    let before = run.stderr().len();
    lab.ssh_request("exit", &lab.control_path("web")).expect(0);
    wait_for_line(&mut run, before, "no masters\n");
    assert!(!run.stderr().contains("problem"), "{}", run.stderr());
    end(run);
}

/// The kernel sends no event for a stopped process; but an ssh that waits for it has opened the ssh configuration.
#[test]
fn stopped_master_when_ssh_waits_for_it() {
    let lab = Lab::new();
    let mut run = watcher(&lab);
    let master = lab.master("web");
    wait_for_line(&mut run, 0, "1 master");
    let before = run.stderr().len();
    master.suspend();
    let mut check = lab.ssh();
    check.args(["-O", "check", "web"]);
    let _waits = Process::start(check);
    wait_for_line(&mut run, before, "master does not answer");
    master.resume();
    end(run);
}

#[test]
fn directory_is_made_and_removed() {
    let lab = Lab::new();
    let far = lab.path("far/away/u@h-22");
    lab.configure(&format!(
        "Host far\n  ControlPath {}\n  ControlMaster auto\n",
        far.display()
    ));
    let mut run = watcher(&lab);
    wait_for_line(&mut run, 0, "Control socket directory does not exist");
    let before = run.stderr().len();
    lab.make_directory("far");
    lab.make_directory("far/away");
    wait_for_line(&mut run, before, "no masters\n");
    let before = run.stderr().len();
    lab.dead_socket(&far);
    wait_for_line(&mut run, before, "stale control socket");
    let before = run.stderr().len();
    fs::remove_dir_all(lab.path("far")).unwrap();
    wait_for_line(&mut run, before, "Control socket directory does not exist");
    end(run);
}

#[test]
fn change_of_ssh_configuration() {
    let lab = Lab::new();
    let elsewhere = lab.path("elsewhere/u@h-22");
    lab.make_directory("elsewhere");
    lab.dead_socket(&elsewhere);
    let mut run = watcher(&lab);
    lab.configure(&format!(
        "Host far\n  ControlPath {}\n",
        elsewhere.display()
    ));
    wait_for_line(&mut run, 0, "1 problem");
    end(run);
}

#[test]
fn change_of_own_configuration() {
    let lab = Lab::new();
    let elsewhere = lab.path("elsewhere/cm-web");
    lab.make_directory("elsewhere");
    lab.dead_socket(&elsewhere);
    let mut run = watcher(&lab);
    let glob = lab.path("elsewhere/cm-*");
    lab.write_muxtray_config(&format!(
        "interval_secs = 3600\nextra_paths = [\"{}\"]\n",
        glob.display()
    ));
    wait_for_line(&mut run, 0, "1 problem");
    end(run);
}

/// Unmounts on drop.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn mount_over_the_directory() {
    if !User::tests_are_root() {
        return skip("mount_over_the_directory", "only root can mount");
    }
    let lab = Lab::new();
    let far = lab.path("far/u@h-22");
    lab.make_directory("far");
    lab.dead_socket(&far);
    lab.configure(&format!("Host far\n  ControlPath {}\n", far.display()));
    lab.write_muxtray_config("interval_secs = 3600\n");
    let mut run = Process::start(lab.muxtray_command(["run", "--no-tray", "-v"]));
    wait_for_line(&mut run, 0, "1 problem");
    let before = run.stderr().len();
    let directory = lab.path("far");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "muxtray-test"])
        .arg(&directory)
        .output()
        .unwrap();
    if !mount.status.success() {
        let why = String::from_utf8_lossy(&mount.stderr);
        return skip("mount_over_the_directory", why.trim());
    }
    let mounted = Mounted(directory);
    wait_for_line(&mut run, before, "no masters\n");
    let before = run.stderr().len();
    drop(mounted);
    wait_for_line(&mut run, before, "1 problem");
    end(run);
}

/// Without inotify watches, shown by a limit of a user namespace, a finding appears and the timer notices changes.
#[test]
fn no_inotify_watch_left() {
    let name = "no_inotify_watch_left";
    let lab = Lab::new();
    let script = "echo 1 >/proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"";
    let inside = |lab: &Lab, arguments: &[&str]| {
        let mut command = lab.command("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script]);
        command.args(arguments);
        command
    };
    if Process::run(inside(&lab, &["true"]), PATIENCE).code() != 0 {
        return skip(name, "no user namespace can be made here");
    }
    lab.write_muxtray_config("interval_secs = 1\n");
    let program = lab.muxtray_command(["run", "--no-tray", "-v"]);
    let mut words = vec![program.get_program().to_str().unwrap()];
    words.extend(program.get_args().map(|word| word.to_str().unwrap()));
    let mut run = after_first_scan(Process::start(inside(&lab, &words)));
    wait_for_line(&mut run, 0, "max_user_watches");
    lab.dead_socket(&lab.control_path("web"));
    wait_for_line(&mut run, 0, "1 problem");
    assert_eq!(
        run.stderr().matches("max_user_watches is reached").count(),
        1,
        "{}",
        run.stderr()
    );
    end(run);
}
