//! What muxtray promises never to do, held against every call that the built program makes.
//!
//! One play with a bit of everything is performed under strace by every command that looks or acts; then each promise is
//! held against the whole record. What is forbidden is everything that is not on a promise's list, so a call that nobody
//! thought of is seen. `tests/persist.rs` has what the kernel cannot show: that a watched master's ControlPersist runs
//! out. `tests/interleavings.rs` has what happens between two calls.

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

/// What was recorded, and what was on the stage.
struct Play {
    /// Of the commands that only look, by name.
    looking: Vec<(String, Vec<Call>)>,
    /// Of those that act, by name.
    acting: Vec<(String, Vec<Call>)>,
    root: PathBuf,
    /// Nobody listens there, and they are ours to judge.
    stale: Vec<PathBuf>,
    /// Somebody listens there, one of ours or not.
    live: Vec<PathBuf>,
    /// The one master whose process was to be ended.
    to_end: i32,
    /// How often each listener that counts was connected to while commands only looked.
    accepted_while_looking: usize,
    /// Of another user's listener, ever.
    accepted_by_root: Option<usize>,
    /// Device, inode, length and change of the ssh configuration, before and after.
    ssh_config: [(u64, u64, u64, i64); 2],
}

fn of_file(path: &Path) -> (u64, u64, u64, i64) {
    let found = fs::metadata(path).unwrap();
    (found.dev(), found.ino(), found.size(), found.ctime_nsec())
}

/// Performed once, for all tests; `None` where there is no strace.
static PLAY: LazyLock<Option<Play>> = LazyLock::new(|| strace().map(|_| perform()));

fn play(name: &str) -> Option<&'static Play> {
    if PLAY.is_none() {
        skip(name, "strace is not installed");
    }
    PLAY.as_ref()
}

fn perform() -> Play {
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
    let before = of_file(&ssh_config);
    let run = |name: &str, arguments: &[&str]| {
        let (said, calls) = lab.traced(name, &[], arguments).run();
        assert!((0..=3).contains(&said.code()), "{said:?}");
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
    Play {
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
        ssh_config: [before, of_file(&ssh_config)],
    }
}

/// Watches while a socket becomes stale and the configuration changes, until both were seen.
fn watched(lab: &Lab, name: &str, arguments: &[&str]) -> (String, Vec<Call>) {
    let (watcher, record) = lab.traced(name, &[], arguments).start();
    let said = |watcher: &Process| watcher.stdout() + &watcher.stderr();
    wait_until("the watcher sees the masters", PATIENCE, || {
        said(&watcher).contains("web") || said(&watcher).contains("masters")
    });
    let path = lab.control_path(&format!("{name}-later"));
    let config = fs::read_to_string(lab.path("ssh_config")).unwrap();
    let brief = Listener::called_ssh(lab, &path, Behaviour::Immortal);
    wait_until(
        "the new master is seen, or at least looked for",
        PATIENCE,
        || {
            // strace shows no look as such; a look opens the kernel's table.
            said(&watcher).contains("later") || said(&watcher).matches("master").count() > 1
        },
    );
    let accepted = brief.accepted();
    drop(brief);
    wait_until("its end is seen", PATIENCE, || {
        said(&watcher).contains("stale") || said(&watcher).contains("problem")
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

impl Play {
    fn all(&self) -> impl Iterator<Item = (&str, &Call)> {
        let runs = self.looking.iter().chain(&self.acting);
        runs.flat_map(|(name, calls)| calls.iter().map(move |call| (name.as_str(), call)))
    }

    /// Whether it is a file that muxtray keeps, or its temporary name beside it.
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

    /// The file without the name that clean gives it meanwhile.
    fn home(file: &Path) -> PathBuf {
        let name = file.file_name().unwrap().to_str().unwrap();
        file.with_file_name(name.strip_prefix(".muxtray-aside.").unwrap_or(name))
    }

    fn is_rehearsal(file: &Path) -> bool {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.starts_with(".muxtray-rehearsal.")
    }
}

#[test]
fn watching_connects_to_no_master() {
    let Some(play) = play("watching_connects_to_no_master") else {
        return;
    };
    let mut knocked = 0;
    for (run, calls) in &play.looking {
        for call in calls.iter().filter(|call| call.name == "connect") {
            let [file] = call.files.as_slice() else {
                panic!("{run}: connect({}", call.text);
            };
            // The C library asks its own cache of users, where there is one; and there may be a session bus.
            if *file == play.root.join("run/bus")
                || file.starts_with("/var/run/nscd")
                || file.starts_with("/run/systemd/userdb")
            {
                continue;
            }
            assert!(!play.live.contains(file), "{run}: connect({}", call.text);
            let is_brief = file.to_string_lossy().ends_with("-later");
            assert!(
                play.stale.contains(file) || is_brief,
                "{run}: connect({}",
                call.text
            );
            assert!(
                call.text.contains("ECONNREFUSED"),
                "{run}: connect({}",
                call.text
            );
            knocked += 1;
        }
    }
    assert!(knocked > 0, "no proof of staleness was recorded");
    assert_eq!(play.accepted_while_looking, 0);
}

#[test]
fn nothing_but_proven_stale_sockets_loses_its_name() {
    let Some(play) = play("nothing_but_proven_stale_sockets_loses_its_name") else {
        return;
    };
    let mut removed = Vec::new();
    for (run, call) in play.all() {
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
            let home = Play::home(file);
            let allowed =
                play.is_own(file) || Play::is_rehearsal(file) || play.stale.contains(&home);
            assert!(allowed, "{run}: {}({}", call.name, call.text);
            if play.stale.contains(&home) {
                // Never by its own name: what is removed was taken aside and looked at again.
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
                removed.push(home);
            }
        }
        assert!(
            !play.looking.iter().any(|(name, _)| name == run)
                || call
                    .files
                    .iter()
                    .all(|file| play.is_own(file) || Play::is_rehearsal(file)),
            "{run} only looks: {}({}",
            call.name,
            call.text
        );
    }
    assert!(
        removed.contains(&play.stale[0]) && removed.contains(&play.stale[1]),
        "{removed:?}"
    );
}

#[test]
fn no_process_is_signalled_but_the_one_to_end() {
    let Some(play) = play("no_process_is_signalled_but_the_one_to_end") else {
        return;
    };
    let mut signalled = 0;
    for (run, call) in play.all() {
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
            assert_eq!(call.pid, Some(play.to_end), "{call:?}");
            signalled += 1;
        }
    }
    assert!(signalled > 0, "the wedged master was not ended");
}

#[test]
fn no_other_users_socket_is_connected_to() {
    let Some(play) = play("no_other_users_socket_is_connected_to") else {
        return;
    };
    let Some(accepted) = play.accepted_by_root else {
        return skip(
            "no_other_users_socket_is_connected_to",
            "only root can make one",
        );
    };
    assert_eq!(accepted, 0);
    let of_root = &play.live[4];
    for (run, call) in play.all() {
        let reaches = call.name == "connect" && call.files.contains(of_root);
        assert!(!reaches, "{run}: connect({}", call.text);
    }
}

#[test]
fn nothing_but_its_own_files_is_opened_for_writing() {
    let Some(play) = play("nothing_but_its_own_files_is_opened_for_writing") else {
        return;
    };
    let mut written = 0;
    for (run, call) in play.all() {
        let is_open =
            ["open", "openat", "openat2", "creat", "truncate"].contains(&call.name.as_str());
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"]
            .iter()
            .any(|flag| call.text.contains(flag));
        if !is_open || !writes && !["creat", "truncate"].contains(&call.name.as_str()) {
            continue;
        }
        let file = call.files.last().unwrap();
        let allowed = play.is_own(file) || file == Path::new("/dev/null");
        assert!(allowed, "{run}: {}({}", call.name, call.text);
        written += usize::from(play.is_own(file));
    }
    assert!(written > 0, "not even its own files were written");
    assert_eq!(
        play.ssh_config[0], play.ssh_config[1],
        "the ssh configuration has changed"
    );
}

#[test]
fn it_has_no_use_for_the_network() {
    let Some(play) = play("it_has_no_use_for_the_network") else {
        return;
    };
    let mut sockets = 0;
    for (run, call) in play.all().filter(|(_, call)| call.name == "socket") {
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

/// Between the look and the pidfd the process ends, and another gets its number.
#[test]
fn a_process_that_got_the_number_of_a_master_is_not_signalled() {
    let name = "a_process_that_got_the_number_of_a_master_is_not_signalled";
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
        let mut victim = lab.command("sleep");
        victim.arg("600");
        let mut victim = Process::start(victim);
        let said = muxtray.finish(PATIENCE);
        let signals: Vec<Call> = calls(&record)
            .into_iter()
            .filter(|call| ["kill", "pidfd_send_signal"].contains(&call.name.as_str()))
            .collect();
        assert!(signals.is_empty(), "{signals:?}");
        assert!(victim.is_running(), "{said:?}");
        let was_reused = victim.pid() == pid;
        victim.end();
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

/// Whether a thread of muxtray, which strace has started, stands before pidfd_open(2).
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
