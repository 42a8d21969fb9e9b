//! The promises of what muxtray never does, checked against every system call of the built program.
//!
//! One scenario with sockets in many states is run under strace with every command that looks or acts; then each
//! promise is checked against the whole record. Everything that is not on a promise's list is forbidden, so an
//! unforeseen call is found too. `tests/cli/persist.rs` covers what the kernel cannot show: that a watched master's
//! ControlPersist runs out. `tests/interleavings` covers events between two calls.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use crate::support::{
    Behaviour, Call, GOOD, Lab, Listener, PATIENCE, Process, User, calls, process_state, skip,
    strace, traced_process, wait_for, wait_until,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The record, and the sockets of the scenario.
struct Recording {
    /// The calls of the commands that only look, by command.
    looking: Vec<(String, Vec<Call>)>,
    /// The calls of the commands that act, by command.
    acting: Vec<(String, Vec<Call>)>,
    root: PathBuf,
    /// Stale sockets of the user's.
    stale: Vec<PathBuf>,
    /// Sockets with a listener, the user's or not.
    live: Vec<PathBuf>,
    /// The one master with a process to end.
    to_end: i32,
    /// How often each listener that counts was connected to while commands only looked.
    accepted_while_looking: usize,
    /// How often another user's listener was connected to.
    accepted_by_root: Option<usize>,
    /// Device, inode, length and change time of the ssh configuration, before and after.
    ssh_config: [(u64, u64, u64, i64); 2],
}

fn version_of(path: &Path) -> (u64, u64, u64, i64) {
    let found = fs::metadata(path).unwrap();
    (found.dev(), found.ino(), found.size(), found.ctime_nsec())
}

/// Recorded once, for all tests; `None` without strace.
static RECORDING: LazyLock<Option<Recording>> =
    LazyLock::new(|| strace().map(|_| record_commands()));

fn recording(name: &str) -> Option<&'static Recording> {
    if RECORDING.is_none() {
        skip(name, "strace is not installed");
    }
    RECORDING.as_ref()
}

fn record_commands() -> Recording {
    let lab = Lab::new();
    let hosts = [
        "web", "db", "wedged", "other", "gone", "dead", "left", "link", "root",
    ];
    let blocks: String = hosts
        .iter()
        .map(|host| {
            let path = lab.control_path(host);
            format!("Host {host}\n    ControlPath {}\n{GOOD}", path.display())
        })
        .collect();
    lab.configure(&blocks);
    let at = |host: &str| lab.control_path(host);

    let web = lab.master("web");
    let _session = web.session(&lab);
    let recorder = Listener::called_ssh(&lab, &at("db"), Behaviour::Immortal);
    let wedged = lab.master("wedged");
    wedged.suspend();
    let foreign = Listener::foreign(&lab, &at("other"), Behaviour::Silent);
    let mut orphan = lab.master("gone");
    fs::remove_file(orphan.path()).unwrap();
    lab.dead_socket(&at("dead"));
    let leftover = lab.leftover(&at("left"), Duration::from_secs(3600));
    let young = lab.leftover(&at("web"), Duration::ZERO);
    std::os::unix::fs::symlink(at("dead"), at("link")).unwrap();
    let directory = at("web").parent().unwrap().to_owned();
    lab.write(
        directory.join("file").strip_prefix(lab.path("")).unwrap(),
        "no socket",
    );
    let of_root = User::tests_are_root().then(|| Listener::of_root(&at("root"), Behaviour::Silent));

    let ssh_config = lab.path("ssh_config");
    let before = version_of(&ssh_config);
    let run = |name: &str, arguments: &[&str]| {
        let (output, calls) = lab.traced(name, &[], arguments).run();
        assert!((0..=3).contains(&output.code()), "{output:?}");
        (name.to_owned(), calls)
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut looking = vec![
        run("list", &["list"]),
        run("json", &["list", "--json"]),
        run("doctor", &["doctor"]),
        run("dry", &["clean", "--dry-run"]),
        run(
            "explain",
            &[
                "doctor",
                "--explain",
                "mux_client_request_session: session request failed",
            ],
        ),
        watched(&lab, "watch", &["list", "--watch", "--json"]),
        watched(&lab, "run", &["run", "--no-tray", "-vv"]),
    ];
    looking.sort_by(|a, b| a.0.cmp(&b.0));
    let accepted_while_looking = recorder.accepted() + foreign.accepted();

    let everything: Vec<String> = hosts.iter().map(|host| text(&at(host))).collect();
    let with = |words: &[&'static str]| -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        words.chain(everything.clone()).collect()
    };
    let mut acting = Vec::new();
    let mut act = |name: &str, arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        acting.push(run(name, &arguments));
    };
    act("check", with(&["check"]));
    act(
        "end-foreign",
        vec![
            "exit".to_owned(),
            "--end-process".to_owned(),
            text(&at("other")),
        ],
    );
    act(
        "end-of-root",
        vec![
            "exit".to_owned(),
            "--end-process".to_owned(),
            text(&at("root")),
        ],
    );
    act(
        "end-wedged",
        vec![
            "exit".to_owned(),
            "--end-process".to_owned(),
            "--force".to_owned(),
            text(&at("wedged")),
        ],
    );
    act("fix", vec!["doctor".to_owned(), "--fix".to_owned()]);
    lab.dead_socket(&at("dead"));
    act("clean", with(&["clean"]));
    act("clean-all", vec!["clean".to_owned()]);
    act(
        "autostart",
        vec!["autostart".to_owned(), "enable".to_owned()],
    );
    act("config", vec!["config".to_owned(), "check".to_owned()]);
    act("exit", with(&["exit", "--force"]));
    let to_end = wedged.pid();
    orphan.kill();
    Recording {
        looking,
        acting,
        root: lab.path(""),
        stale: vec![
            at("dead"),
            leftover,
            at("left"),
            at("wedged"),
            at("web"),
            at("db"),
        ],
        live: vec![
            at("web"),
            at("db"),
            at("wedged"),
            at("other"),
            at("root"),
            young,
        ],
        to_end,
        accepted_while_looking,
        accepted_by_root: of_root.map(|listener| listener.accepted()),
        ssh_config: [before, version_of(&ssh_config)],
    }
}

/// Watches while a socket becomes stale and the configuration changes, until both were seen.
fn watched(lab: &Lab, name: &str, arguments: &[&str]) -> (String, Vec<Call>) {
    let (watcher, record) = lab.traced(name, &[], arguments).start();
    let output = |watcher: &Process| watcher.stdout() + &watcher.stderr();
    wait_until("the watcher sees the masters", PATIENCE, || {
        output(&watcher).contains("web") || output(&watcher).contains("masters")
    });
    let path = lab.control_path(&format!("{name}-later"));
    let config = fs::read_to_string(lab.path("ssh_config")).unwrap();
    let short_lived = Listener::called_ssh(lab, &path, Behaviour::Immortal);
    wait_until(
        "the new master is seen, or at least looked for",
        PATIENCE,
        || {
            // strace cannot show a look as such; but a look opens the kernel's table.
            output(&watcher).contains("later") || output(&watcher).matches("master").count() > 1
        },
    );
    let accepted = short_lived.accepted();
    drop(short_lived);
    wait_until("its end is seen", PATIENCE, || {
        output(&watcher).contains("stale") || output(&watcher).contains("problem")
    });
    assert_eq!(accepted, 0, "{name} connected to a master");
    fs::remove_file(&path).unwrap();
    assert_eq!(fs::read_to_string(lab.path("ssh_config")).unwrap(), config);
    // strace itself passes no signal on.
    let pid = wait_for("muxtray's process", PATIENCE, || {
        traced_process(watcher.pid())
    });
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    watcher.finish(PATIENCE);
    (name.to_owned(), calls(&record))
}

impl Recording {
    fn all(&self) -> impl Iterator<Item = (&str, &Call)> {
        let runs = self.looking.iter().chain(&self.acting);
        runs.flat_map(|(name, calls)| calls.iter().map(move |call| (name.as_str(), call)))
    }

    /// Whether muxtray keeps this file, or it is the temporary file of one.
    fn is_own(&self, file: &Path) -> bool {
        [
            "config/muxtray",
            "config/autostart",
            "cache/muxtray",
            "state/muxtray",
        ]
        .iter()
        .any(|own| file.starts_with(self.root.join(own)))
    }

    /// The file's name before clean took it aside.
    fn original_path(file: &Path) -> PathBuf {
        let name = file.file_name().unwrap().to_str().unwrap();
        file.with_file_name(name.strip_prefix(".muxtray-aside.").unwrap_or(name))
    }

    fn is_filesystem_test(file: &Path) -> bool {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.starts_with(".muxtray-rehearsal.")
    }
}

#[test]
fn watching_connects_to_no_master() {
    let Some(recording) = recording("watching_connects_to_no_master") else {
        return;
    };
    let mut refused = 0;
    for (run, calls) in &recording.looking {
        for call in calls.iter().filter(|call| call.name == "connect") {
            let [file] = call.files.as_slice() else {
                panic!("{run}: connect({}", call.text);
            };
            // The C library may ask the name service cache; and there may be a session bus.
            if *file == recording.root.join("run/bus")
                || file.starts_with("/var/run/nscd")
                || file.starts_with("/run/systemd/userdb")
            {
                continue;
            }
            assert!(
                !recording.live.contains(file),
                "{run}: connect({}",
                call.text
            );
            let is_short_lived = file.to_string_lossy().ends_with("-later");
            assert!(
                recording.stale.contains(file) || is_short_lived,
                "{run}: connect({}",
                call.text
            );
            assert!(
                call.text.contains("ECONNREFUSED"),
                "{run}: connect({}",
                call.text
            );
            refused += 1;
        }
    }
    assert!(refused > 0, "no proof of staleness was recorded");
    assert_eq!(recording.accepted_while_looking, 0);
}

#[test]
fn only_proven_stale_sockets_are_removed() {
    let Some(recording) = recording("only_proven_stale_sockets_are_removed") else {
        return;
    };
    let mut removed = Vec::new();
    for (run, call) in recording.all() {
        let is_change = [
            "unlink",
            "unlinkat",
            "rename",
            "renameat",
            "renameat2",
            "rmdir",
        ]
        .contains(&call.name.as_str());
        if !is_change {
            continue;
        }
        assert_ne!(call.name, "rmdir", "{run}: {call:?}");
        for file in &call.files {
            let original = Recording::original_path(file);
            let allowed = recording.is_own(file)
                || Recording::is_filesystem_test(file)
                || recording.stale.contains(&original);
            assert!(allowed, "{run}: {}({}", call.name, call.text);
            if recording.stale.contains(&original) {
                // Never by its own name: a file to be removed is first taken aside and looked at again.
                let is_aside = file
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(".muxtray-aside.");
                assert!(
                    is_aside || call.name.starts_with("rename"),
                    "{run}: {}({}",
                    call.name,
                    call.text
                );
                removed.push(original);
            }
        }
        assert!(
            !recording.looking.iter().any(|(name, _)| name == run)
                || call
                    .files
                    .iter()
                    .all(|file| recording.is_own(file) || Recording::is_filesystem_test(file)),
            "{run} only looks: {}({}",
            call.name,
            call.text
        );
    }
    assert!(
        removed.contains(&recording.stale[0]) && removed.contains(&recording.stale[1]),
        "{removed:?}"
    );
}

#[test]
fn only_the_master_to_end_is_signalled() {
    let Some(recording) = recording("only_the_master_to_end_is_signalled") else {
        return;
    };
    let mut signalled = 0;
    for (run, call) in recording.all() {
        let by_number = [
            "kill",
            "tkill",
            "tgkill",
            "rt_sigqueueinfo",
            "rt_tgsigqueueinfo",
        ]
        .contains(&call.name.as_str());
        assert!(!by_number, "{run}: {}({}", call.name, call.text);
        if call.name == "pidfd_send_signal" {
            assert_eq!(run, "end-wedged", "{call:?}");
            assert_eq!(call.pid, Some(recording.to_end), "{call:?}");
            signalled += 1;
        }
    }
    assert!(signalled > 0, "the wedged master was not ended");
}

#[test]
fn other_users_socket_is_never_connected_to() {
    let Some(recording) = recording("other_users_socket_is_never_connected_to") else {
        return;
    };
    let Some(accepted) = recording.accepted_by_root else {
        return skip(
            "other_users_socket_is_never_connected_to",
            "only root can make one",
        );
    };
    assert_eq!(accepted, 0);
    let of_root = &recording.live[4];
    for (run, call) in recording.all() {
        let reaches = call.name == "connect" && call.files.contains(of_root);
        assert!(!reaches, "{run}: connect({}", call.text);
    }
}

#[test]
fn only_own_files_are_opened_for_writing() {
    let Some(recording) = recording("only_own_files_are_opened_for_writing") else {
        return;
    };
    let mut written = 0;
    for (run, call) in recording.all() {
        let is_open =
            ["open", "openat", "openat2", "creat", "truncate"].contains(&call.name.as_str());
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"]
            .iter()
            .any(|flag| call.text.contains(flag));
        if !is_open || !writes && !["creat", "truncate"].contains(&call.name.as_str()) {
            continue;
        }
        let file = call.files.last().unwrap();
        let allowed = recording.is_own(file) || file == Path::new("/dev/null");
        assert!(allowed, "{run}: {}({}", call.name, call.text);
        written += usize::from(recording.is_own(file));
    }
    assert!(written > 0, "not even its own files were written");
    assert_eq!(
        recording.ssh_config[0], recording.ssh_config[1],
        "the ssh configuration has changed"
    );
}

#[test]
fn no_network_socket_is_opened() {
    let Some(recording) = recording("no_network_socket_is_opened") else {
        return;
    };
    let mut sockets = 0;
    for (run, call) in recording.all().filter(|(_, call)| call.name == "socket") {
        let family = call.text.split(',').next().unwrap();
        assert!(
            ["AF_UNIX", "AF_NETLINK"].contains(&family),
            "{run}: socket({}",
            call.text
        );
        sockets += 1;
    }
    assert!(sockets > 0);
}

/// Between look and pidfd the process ends, and another one gets its id.
#[test]
fn process_with_reused_master_pid_is_not_signalled() {
    let name = "process_with_reused_master_pid_is_not_signalled";
    if strace().is_none() {
        return skip(name, "strace is not installed");
    }
    if !User::tests_are_root() {
        return skip(name, "only root can choose a process id");
    }
    let lab = Lab::good();
    let path = lab.control_path("web");
    for attempt in 0.. {
        let master = Listener::called_ssh(&lab, &path, Behaviour::NeverAccepts);
        let pid = master.pid();
        let traced = lab.traced(
            &format!("reuse-{attempt}"),
            &["-e", "inject=pidfd_open:delay_enter=2s"],
            &["exit", "--end-process", "--force", path.to_str().unwrap()],
        );
        let (muxtray, record) = traced.start();
        wait_until("it is about to hold the process", PATIENCE, || {
            is_at_pidfd_open(muxtray.pid())
        });
        drop(master);
        wait_until("the master is gone", PATIENCE, || {
            process_state(pid).is_none()
        });
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut successor = lab.command("sleep");
        successor.arg("600");
        let mut successor = Process::start(successor);
        let output = muxtray.finish(PATIENCE);
        let signals: Vec<Call> = calls(&record)
            .into_iter()
            .filter(|call| ["kill", "pidfd_send_signal"].contains(&call.name.as_str()))
            .collect();
        assert!(signals.is_empty(), "{signals:?}");
        assert!(successor.is_running(), "{output:?}");
        let was_reused = successor.pid() == pid;
        successor.end();
        let _ = fs::remove_file(&path);
        if was_reused {
            let held = wait_for("the record", PATIENCE, || {
                calls(&record)
                    .into_iter()
                    .find(|call| call.name == "pidfd_open")
            });
            assert_eq!(held.pid, Some(pid), "it never held the other process");
            return;
        }
        assert!(attempt < 20, "the number was never given out again");
    }
}

/// Whether a thread of muxtray, which strace has started, is about to call pidfd_open(2).
fn is_at_pidfd_open(strace: i32) -> bool {
    const NUMBER: &str = "434 ";
    let Some(pid) = traced_process(strace) else {
        return false;
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    tasks.into_iter().flatten().flatten().any(|task| {
        fs::read_to_string(task.path().join("syscall")).is_ok_and(|call| call.starts_with(NUMBER))
    })
}
