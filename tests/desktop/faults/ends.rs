//! The applet is ended in the middle of an action; or the display, or the reader of its log or output, ends first.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::stand_in::{Manner, StandIn};
use super::{BARE, make_stale_sockets, wait_for_log};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{
    GOOD, Lab, PATIENCE, Process, User, files_below, is_socket, wait_for, wait_until,
};

/// The deadline of the end: two seconds for the notifications and one for the rest.
const END_LIMIT: Duration = Duration::from_secs(4);

const LEAN: bool = cfg!(feature = "lean-tray");

/// The command in a shell that redirects some of its descriptors.
fn in_shell(lab: &Lab, script: &str, inner: &Command) -> Command {
    let mut command = lab.command("sh");
    command
        .args(["-c", script])
        .arg(inner.get_program())
        .args(inner.get_args());
    command
}

#[test]
fn closed_log_pipe_ends_nothing() {
    let Some(lab) = lab("closed_log_pipe_ends_nothing") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    let fifo = lab.path("log");
    mkfifo(&fifo, Mode::from_bits_truncate(0o600)).unwrap();
    User::get().own(&fifo);
    let mut reader: File = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(&fifo)
        .unwrap();
    let script = format!("exec \"$0\" \"$@\" 2>{}", fifo.display());
    let command = in_shell(
        &lab,
        &script,
        &lab.muxtray_command(["-v", "run", "--no-tray"]),
    );
    let mut muxtray = Process::start(desktop.join(command));
    let mut output = Vec::new();
    wait_until("it watches", PATIENCE, || {
        let _ = reader.read_to_end(&mut output);
        String::from_utf8_lossy(&output).contains("no masters")
    });
    drop(reader);
    for host in ["web", "db"] {
        make_stale_sockets(&lab, &[host]);
        daemon.notification(&format!("{host}: stale control socket"));
    }
    assert!(muxtray.is_running());
    end(muxtray);
}

#[test]
fn closed_output_pipe_is_no_failure() {
    let Some(lab) = lab("closed_output_pipe_is_no_failure") else {
        return;
    };
    let hosts: Vec<String> = (0..300).map(|number| format!("host{number}")).collect();
    make_stale_sockets(&lab, &hosts.iter().map(String::as_str).collect::<Vec<_>>());
    for words in [&["list"][..], &["list", "--json"], &["doctor"]] {
        let inner = lab.muxtray_command(words);
        let script = "{ \"$0\" \"$@\"; echo $? >status; } | head -c 1";
        let output = Process::run(in_shell(&lab, script, &inner), PATIENCE).expect(0);
        let status = fs::read_to_string(lab.path("status")).unwrap();
        assert_eq!(output.stderr, "", "{words:?}");
        assert!(["0", "1"].contains(&status.trim()), "{words:?}: {status}");
        // If it is closed from the beginning, nobody reads it either.
        let script = "exec \"$0\" \"$@\" >&- 2>&-";
        let output = Process::run(in_shell(&lab, script, &inner), PATIENCE);
        assert!(matches!(output.code(), 0 | 1), "{output:?}");
        let script = "exec \"$0\" \"$@\" >/dev/full";
        let output = Process::run(in_shell(&lab, script, &inner), PATIENCE).expect(3);
        assert!(
            output.stderr.starts_with("muxtray: No space left"),
            "{output:?}"
        );
    }
}

/// Replaces stale sockets by others until `is_over`.
fn flap(directory: &Path, new: &Path, is_over: &AtomicBool) {
    let mut number = 0;
    while !is_over.load(Ordering::Acquire) {
        drop(UnixListener::bind(new).unwrap());
        User::get().own(new);
        fs::rename(new, directory.join(format!("flap{}-22", number % 50))).unwrap();
        number += 1;
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Sets the flag, however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn signal_ends_it_in_order_even_if_busy() {
    let Some(lab) = lab("signal_ends_it_in_order_even_if_busy") else {
        return;
    };
    lab.write_muxtray_config("interval_secs = 3600\nclean_automatically = true\n");
    let desktop = Desktop::new(&lab, BARE);
    let _daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    let is_over = AtomicBool::new(false);
    let (directory, new) = (lab.path("s"), lab.path("tmp/new"));
    thread::scope(|scope| {
        scope.spawn(|| flap(&directory, &new, &is_over));
        let _over = Over(&is_over);
        for signal in [Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT] {
            let mut muxtray = desktop.muxtray_run(&["--no-tray", "-v"]);
            wait_for_log(&muxtray, "problem");
            // The end of a reader must not end the applet.
            muxtray.signal(Signal::SIGPIPE);
            assert!(muxtray.is_running());
            let begun = Instant::now();
            muxtray.signal(signal);
            let output = muxtray.finish(PATIENCE);
            assert_eq!(output.status.code(), Some(0), "{signal}: {output:?}");
            assert!(begun.elapsed() < END_LIMIT, "{signal}: {output:?}");
        }
    });
    // A remaining file is settled by the next clean.
    lab.muxtray(["clean"]);
    lab.muxtray(["clean"]).expect(0);
    assert_eq!(files_below(&directory), Vec::<PathBuf>::new());
}

#[test]
fn lost_display_ends_it_and_leaves_no_files() {
    let test = "lost_display_ends_it_and_leaves_no_files";
    let Some(lab) = lab(test) else {
        return;
    };
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let mut desktop = Desktop::new(&lab, parts);
    let mut applet = desktop.muxtray_run(&[]);
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["no masters"]);
    let pictures = || {
        let mut files = files_below(&lab.path("run"));
        files.retain(|file| file.extension().is_some_and(|extension| extension == "png"));
        files
    };
    let before = pictures();
    desktop.end_display();
    if LEAN {
        make_stale_sockets(&lab, &["web"]);
        assert!(applet.is_running(), "{}", applet.stderr());
        return end(applet);
    }
    let output = applet.finish(PATIENCE);
    // GDK ends the program without a message when the connection to the X server breaks. For systemd that is a failure,
    // as it should be.
    assert_eq!(output.status.code(), Some(1), "{output:?}");

    desktop.start_display();
    desktop.start_panel();
    let again = desktop.muxtray_run(&[]);
    desktop.tray_icon(again.pid()).wait_for_row(&["no masters"]);
    wait_until("the pictures of the first are gone", PATIENCE, || {
        pictures().len() == before.len() && before.iter().all(|file| !file.exists())
    });
    end(again);
}

#[test]
fn master_being_opened_at_logout_starts() {
    let Some(lab) = lab("master_being_opened_at_logout_starts") else {
        return;
    };
    let (begun, go_on) = (lab.path("begun"), lab.path("go-on"));
    lab.configure(&format!(
        "Host web\n{GOOD}    ProxyCommand sh -c ': >{}; until [ -e {} ]; do sleep 0.05; done; exec /usr/sbin/sshd -i -f {}'",
        begun.display(),
        go_on.display(),
        lab.path("sshd_config").display()
    ));
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let desktop = Desktop::new(&lab, parts);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.click(&["Hosts", "web"]);
    wait_until("ssh connects", PATIENCE, || begun.exists());
    let signalled = Instant::now();
    end(applet);
    assert!(signalled.elapsed() < END_LIMIT);

    lab.write("go-on", "");
    let path = lab.control_path("web");
    let pid = wait_for("it is a master", PATIENCE, || {
        let seen = lab.list();
        let socket = seen.all_at(&path).into_iter().next()?;
        (socket.state() == "running").then(|| socket.0["pid"].as_i64().unwrap())
    });
    lab.end_with_lab(i32::try_from(pid).unwrap());
    wait_until("it serves", PATIENCE, || {
        lab.ssh_request("check", &path).status.success()
    });
    assert_eq!(files_below(&lab.path("s")), [path]);
}

#[test]
fn clean_interrupted_by_logout_is_settled_by_next_clean() {
    let Some(lab) = lab("clean_interrupted_by_logout_is_settled_by_next_clean") else {
        return;
    };
    let live = lab.master("live");
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut ended = 0;
        let dead: Vec<PathBuf> = (0..200)
            .map(|number| lab.control_path(&format!("h{number}")))
            .collect();
        for path in &dead {
            lab.dead_socket(path);
        }
        let clean = Process::start(lab.muxtray_command(["clean"]));
        wait_until("it has begun", PATIENCE, || {
            dead.iter().any(|path| !path.exists())
        });
        clean.signal(signal);
        let output = clean.finish(PATIENCE);
        ended += usize::from(output.status.signal() == Some(signal as i32));
        assert!(ended == 1 || output.code() == 0, "{output:?}");
        lab.muxtray(["clean"]).expect(0);
        assert_eq!(files_below(&lab.path("s")), [live.path()], "{signal}");
        assert!(is_socket(live.path()));
    }
    lab.muxtray(["check", "live"]).expect(0);
}
