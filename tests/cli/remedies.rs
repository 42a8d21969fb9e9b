//! The remedy of every finding, run as a person would: the trouble is made with real ssh and files, the printed command is
//! pasted into a shell, the printed lines into the ssh configuration, and `doctor` reports the trouble no more.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muxtray::model::finding::FindingId;
use muxtray::present::ssh_messages::SSH_MESSAGES;
use nix::fcntl::AT_FDCWD;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{
    Finished, FuseMount, GOOD, Lab, NOBODY, PATH, PATIENCE, Process, Report, Session, User,
    pid_of_persisted, process_state, skip, wait_for, wait_until,
};

/// The trouble of one finding.
#[derive(Clone, Copy)]
enum Trouble {
    /// Made, and removed by the remedy, by one of the tests below.
    Removed,
    /// The reason why the remedy is not run here.
    NotRun(&'static str),
}
use Trouble::{NotRun, Removed};

/// One row for each finding; a finding without one fails the first test.
const TROUBLES: &[(&str, Trouble)] = &[
    (
        "suspect",
        NotRun("its remedy is to wait; tests/cli/network.rs does"),
    ),
    (
        "stranded",
        NotRun(
            "its network is cut in tests/cli/network.rs, which reconnects by `muxtray open --force`",
        ),
    ),
    ("unresponsive", Removed),
    ("stale", Removed),
    ("misowned", Removed),
    (
        "foreign",
        NotRun("its remedy is a decision: which program may have the path"),
    ),
    ("not-a-socket", Removed),
    ("denied", Removed),
    ("leftover", Removed),
    ("orphaned", Removed),
    (
        "unverifiable",
        NotRun("its remedy needs the other machine that shares the directory"),
    ),
    ("insecure-mode", Removed),
    ("sessions-at-limit", Removed),
    ("no-persist-expiry", Removed),
    ("directory-missing", Removed),
    ("directory-insecure", Removed),
    ("directory-misowned", Removed),
    ("directory-not-writable", Removed),
    ("filesystem-unsupported", Removed),
    (
        "filesystem-full",
        NotRun("its command only shows the space; which file may go is a decision"),
    ),
    ("filesystem-network", Removed),
    ("path-too-long", Removed),
    ("path-collision", Removed),
    ("path-not-per-machine", Removed),
    ("no-control-persist", Removed),
    ("no-keepalive", Removed),
    ("config-invalid", Removed),
    ("ssh-config-invalid", Removed),
    (
        "watch-limit",
        NotRun("its command changes a limit of the whole machine"),
    ),
    ("ssh-missing", NotRun("its remedy is to install a program")),
    ("path-not-per-host", Removed),
    ("master-outdated", Removed),
    (
        "not-multiplexed",
        NotRun("its remedy is to end a session; tests/cli/not_multiplexed.rs does"),
    ),
    ("forward-exposed", Removed),
    (
        "forward-port-taken",
        NotRun("its remedy is a decision: which program may have the port"),
    ),
    ("control-master-yes", Removed),
    ("control-master-ask", Removed),
    ("no-control-master", Removed),
    ("no-control-path", Removed),
    ("not-configured", Removed),
];

#[test]
fn every_finding_has_a_row() {
    let rows: BTreeSet<&str> = TROUBLES.iter().map(|(id, _)| *id).collect();
    assert_eq!(rows.len(), TROUBLES.len(), "an id has two rows");
    let ids: BTreeSet<&str> = FindingId::ALL.iter().map(|id| id.as_str()).collect();
    let missing: Vec<_> = ids.difference(&rows).collect();
    assert!(
        missing.is_empty(),
        "no row in tests/cli/remedies.rs for {missing:?}: make the trouble and run its remedy there"
    );
    let unknown: Vec<_> = rows.difference(&ids).collect();
    assert!(unknown.is_empty(), "rows of no finding: {unknown:?}");
    for (id, trouble) in TROUBLES {
        if let NotRun(why) = trouble {
            skip(id, why);
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A laboratory whose `muxtray` and `ssh` are found by a shell, as an installed package's are.
struct Desk {
    lab: Lab,
    bin: PathBuf,
    /// Whether ssh and muxtray read `~/.ssh/config` of the laboratory's home, below mounts, instead of a file of `-F`.
    is_home: bool,
}

impl Desk {
    fn new() -> Self {
        Self::of(Lab::good(), false)
    }

    fn of(lab: Lab, is_home: bool) -> Self {
        let bin = lab.reachable_program().parent().unwrap().to_owned();
        lab.make_directory("wrap");
        let words = lab.path("as-root");
        lab.script(
            "wrap/sudo",
            &format!("printf '%s\\0' \"$@\" > {}", words.display()),
        );
        Self { lab, bin, is_home }
    }

    /// The configuration is the one of the user's home.
    fn at_home(configuration: &str) -> Self {
        let lab = Lab::new();
        let text = format!("{configuration}\n{}", lab.standard_configuration());
        lab.write("home/.ssh/config", text);
        set_mode(&lab.path("home/.ssh"), 0o700);
        Self::of(lab, true)
    }

    fn config(&self) -> PathBuf {
        self.lab.path(if self.is_home {
            "home/.ssh/config"
        } else {
            "ssh_config"
        })
    }

    fn run(&self, command: Command) -> Finished {
        if self.is_home {
            self.lab.with_etc(&command).unwrap()
        } else {
            Process::run(command, PATIENCE)
        }
    }

    /// Runs a printed line in the user's shell; commands after sudo as root, with the words that the shell has made.
    #[track_caller]
    fn paste(&self, line: &str) {
        let finished = self.try_paste(line);
        assert!(finished.status.success(), "{line}: {finished:#?}");
    }

    fn try_paste(&self, line: &str) -> Finished {
        let parts: Vec<&str> = if line.contains("sudo ") {
            line.split(" && ").collect()
        } else {
            vec![line]
        };
        let mut finished = None;
        for part in parts {
            let path = format!(
                "{}:{}:{PATH}",
                self.lab.path("wrap").display(),
                self.bin.display()
            );
            let editor = self.lab.path("editor");
            let mut command = self.lab.command("sh");
            // The mounts of a home are made with another PATH.
            let script = format!("export PATH={path} EDITOR={}; {part}", editor.display());
            command.args(["-c", &script]);
            let mut last = self.run(command);
            if let Ok(words) = fs::read_to_string(self.lab.path("as-root")) {
                fs::remove_file(self.lab.path("as-root")).unwrap();
                let mut words = words.split_terminator('\0');
                let mut command = Command::new(words.next().unwrap());
                self.lab.set_environment(&mut command);
                command.args(words);
                last = Process::run(command, PATIENCE);
            }
            finished = Some(last);
        }
        finished.unwrap()
    }

    /// Stops the process of the master in the background at this path.
    fn stop_master(&self, path: &Path) {
        let pid = wait_for("the master is there", PATIENCE, || pid_of_persisted(path));
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
        wait_until("it is stopped", PATIENCE, || {
            process_state(pid) == Some('T')
        });
    }

    fn doctor(&self) -> Report {
        if self.is_home {
            Report::of(&self.lab.muxtray_with_etc(["doctor", "--json"]).unwrap())
        } else {
            self.lab.doctor()
        }
    }

    /// All findings with this id.
    fn findings(&self, id: &str) -> Vec<Value> {
        let report = self.doctor();
        let of_sockets = report
            .sockets()
            .into_iter()
            .map(|it| it.0["findings"].clone());
        of_sockets
            .chain([report.json["findings"].clone()])
            .flat_map(|findings| findings.as_array().unwrap().clone())
            .filter(|finding| finding["id"] == id)
            .collect()
    }

    /// Follows the remedy of the one finding with this id, and demands that it is gone. Returns the command.
    #[track_caller]
    fn remedy(&self, id: &str) -> String {
        let all = self.findings(id);
        assert_eq!(
            all.len(),
            1,
            "not one {id}: {all:#?} {:#?}",
            self.doctor().all_ids()
        );
        let finding = &all[0];
        let lines = finding["lines"].as_array().unwrap();
        let lines: String = lines
            .iter()
            .map(|line| format!("{}\n", line.as_str().unwrap()))
            .collect();
        let command = finding["command"].as_str().unwrap_or_default().to_owned();
        assert!(
            !lines.is_empty() || !command.is_empty(),
            "no remedy: {finding:#}"
        );
        if !command.is_empty() {
            self.paste(&command);
        }
        if !lines.is_empty() {
            // A ControlPath replaces the present one.
            let is_replaced =
                |line: &&str| lines.contains("ControlPath ") && line.contains("ControlPath ");
            let text = fs::read_to_string(self.config()).unwrap();
            let kept: Vec<&str> = text.lines().filter(|line| !is_replaced(line)).collect();
            fs::write(self.config(), format!("{lines}{}\n", kept.join("\n"))).unwrap();
        }
        let left = self.findings(id);
        assert_eq!(left, Vec::<Value>::new(), "after {command:?} and {lines:?}");
        command
    }
}

/// Sets the times of a socket file to two days ago.
fn age(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    let then = TimeSpec::from_duration(then.duration_since(UNIX_EPOCH).unwrap());
    utimensat(
        AT_FDCWD,
        path,
        &then,
        &then,
        UtimensatFlags::NoFollowSymlink,
    )
    .unwrap();
}

/// The names of sockets that a shell, ssh or a pattern could read in another way.
const NAMES: &[&str] = &["web", "a b", "it's", "-x 50%", "~$HOME\"q\""];

/// A laboratory with a directory of this name, in which the host `web` has its socket.
fn in_directory(name: &str) -> (Desk, PathBuf) {
    let desk = Desk::new();
    let directory = desk.lab.make_directory(Path::new("s").join(name));
    set_mode(&directory, 0o700);
    let path = directory.join("web");
    let written = path
        .display()
        .to_string()
        .replace('%', "%%")
        .replace('"', "\\\"");
    desk.lab
        .configure(&format!("Host web\n    ControlPath \"{written}\"\n{GOOD}"));
    (desk, path)
}

#[test]
fn commands_for_a_socket_work_for_every_name() {
    for name in NAMES {
        let (desk, path) = in_directory(name);
        let pattern = format!(
            "Host web\n    ControlPath {}/%n\n{GOOD}",
            desk.lab.path("s").display()
        );
        if *name == "web" {
            // The name of the file that is moved away must not be one of the pattern.
            fs::remove_dir(desk.lab.path("s/web")).unwrap();
            desk.lab.configure(&pattern);
            desk.lab.write("s/web", "");
            desk.remedy("not-a-socket");
            continue;
        }
        desk.lab.dead_socket(&path);
        desk.remedy("stale");
        assert!(!path.exists(), "{name}");

        desk.lab.leftover(&path, Duration::from_secs(90));
        desk.remedy("leftover");

        fs::write(&path, "").unwrap();
        User::get().own(&path);
        desk.remedy("not-a-socket");

        let mut master = desk.lab.master_at(&path);
        set_mode(&path, 0o666);
        desk.remedy("insecure-mode");
        set_mode(&path, 0o400);
        desk.remedy("denied");
        master.suspend();
        let command = desk.remedy("unresponsive");
        assert_eq!(command, format!("kill -CONT {}", master.pid()));
        fs::remove_file(&path).unwrap();
        desk.remedy("orphaned");
        master.wait_for_end();
    }
}

#[test]
fn remedies_for_masters_of_root() {
    let name = "remedies_for_masters_of_root";
    if !User::tests_are_root() {
        return skip(name, "only root can be root");
    }
    for name in NAMES {
        let (desk, path) = in_directory(name);
        desk.lab.dead_socket(&path);
        chown(&path, Some(0), Some(0)).unwrap();
        assert!(desk.remedy("misowned").starts_with("sudo rm "));

        let mut command = Command::new("ssh");
        desk.lab.set_environment(&mut command);
        let user = User::get();
        command.arg("-F").arg(desk.lab.path("ssh_config")).args([
            "-o",
            "ControlPersist=no",
            "-l",
            &user.name,
            "-N",
            "-M",
            "web",
        ]);
        let mut master = Process::start(command);
        wait_until("root's master listens", PATIENCE, || path.exists());
        let command = desk.remedy("misowned");
        assert!(command.starts_with("sudo ssh "), "{command}");
        wait_until("root's master ended", PATIENCE, || !master.is_running());
        assert!(!path.exists());
    }
}

#[test]
fn remedies_for_sessions_and_expiry() {
    let desk = Desk::new();
    let lab = &desk.lab;
    let master = lab.master("db");
    let sessions: Vec<Session> = (0..10).map(|_| master.session(lab)).collect();
    let all = desk.findings("sessions-at-limit");
    desk.paste(all[0]["command"].as_str().unwrap());
    drop(sessions);
    drop(master);

    lab.configure(&format!("Host web\n    ControlPersist yes\n{GOOD}"));
    lab.persisted_master("web", "yes");
    age(&lab.control_path("web"));
    desk.remedy("no-persist-expiry");
}

#[test]
fn remedies_for_directories() {
    type Make = fn(&Lab);
    let cases: &[(&str, &str, Make)] = &[
        ("directory-missing", "mkdir -m 700 ", |lab| {
            fs::remove_dir(lab.path("s")).unwrap();
        }),
        ("directory-missing", "(umask 077 ", |lab| {
            lab.configure(&format!(
                "Host web\n    ControlPath {}/%n\n{GOOD}",
                lab.path("new/deep").display()
            ));
        }),
        ("directory-missing", "mv ", |lab| {
            fs::remove_dir(lab.path("s")).unwrap();
            lab.write("s", "");
        }),
        ("directory-insecure", "chmod go-w ", |lab| {
            set_mode(&lab.path("s"), 0o777);
        }),
        ("directory-insecure", "chmod go-w ", |lab| {
            set_mode(&lab.path(""), 0o707);
        }),
        ("directory-not-writable", "chmod u+rwx ", |lab| {
            set_mode(&lab.path("s"), 0o500);
        }),
        ("directory-not-writable", "chmod u+rwx ", |lab| {
            set_mode(&lab.path("s"), 0o600);
        }),
        ("denied", "chmod u+rwx ", |lab| {
            let (path, options) = (lab.control_path("web"), lab.connection_options());
            let web = format!(
                "Host web\n    ControlPath {}\n{GOOD}{options}",
                path.display()
            );
            lab.write("ssh_config", web);
            set_mode(&lab.path("s"), 0);
        }),
    ];
    for (id, begin, make) in cases {
        let desk = Desk::new();
        make(&desk.lab);
        let command = desk.remedy(id);
        assert!(command.starts_with(begin), "{command}");
        let all = desk.doctor().all_ids();
        assert_eq!(all, [""; 0], "after {command}");
    }
}

#[test]
fn remedies_for_directories_of_others_last() {
    let name = "remedies_for_directories_of_others_last";
    if !User::tests_are_root() {
        return skip(name, "only root can give files away");
    }
    for (owner, mode) in [(0, 0o755), (NOBODY, 0o777), (0, 0o500)] {
        let desk = Desk::new();
        let directory = desk.lab.path("s");
        chown(&directory, Some(owner), Some(owner)).unwrap();
        set_mode(&directory, mode);
        assert!(desk.remedy("directory-misowned").starts_with("sudo chown "));
        assert_eq!(desk.doctor().all_ids(), [""; 0]);
    }

    // Below a directory of another user, and where a restart removes it, the ControlPath has to move.
    let emptied = format!("/tmp/muxtray-{}-missing", std::process::id());
    type Make = fn(&Lab) -> String;
    let cases: &[(&str, Make)] = &[
        ("directory-misowned", |lab| others(lab, 0, 0o755, "/d")),
        ("directory-insecure", |lab| others(lab, 0, 0o777, "")),
        ("directory-insecure", |lab| others(lab, 0, 0o1777, "")),
        ("directory-not-writable", |lab| others(lab, 0, 0o700, "/d")),
        ("misowned", |lab| {
            let directory = others(lab, 0, 0o1777, "");
            let path = Path::new(&directory).join("web");
            lab.dead_socket(&path);
            chown(&path, Some(NOBODY), None).unwrap();
            directory
        }),
        ("directory-missing", |_| String::new()),
    ];
    for (id, make) in cases {
        let desk = Desk::at_home("Host none");
        let mut directory = make(&desk.lab);
        let is_emptied = directory.is_empty();
        if is_emptied {
            directory.clone_from(&emptied);
            // The laboratory's configuration ignores everything outside of it.
            desk.lab.write("config/muxtray/config.toml", "");
        }
        let text = fs::read_to_string(desk.config()).unwrap();
        fs::write(
            desk.config(),
            format!("Host web\n    ControlPath {directory}/%n\n{GOOD}{text}"),
        )
        .unwrap();
        let command = desk.remedy(id);
        let made = desk.lab.path("home/.ssh/s");
        assert_eq!(
            command,
            format!(
                "mkdir -p -m 700 {} {}",
                desk.lab.path("home/.ssh").display(),
                made.display()
            ),
            "{id}"
        );
        assert!(made.is_dir());
        assert!(!Path::new(&emptied).exists());
        let report = desk.doctor();
        assert!(is_emptied || report.status == 0, "{:#}", report.json);
    }
}

/// Makes the directory `theirs` of another user, with `below` in it, and returns the path of the inner one.
fn others(lab: &Lab, owner: u32, mode: u32, below: &str) -> String {
    let outer = lab.path("theirs");
    fs::create_dir(&outer).unwrap();
    let inner = PathBuf::from(format!("{}{below}", outer.display()));
    fs::create_dir_all(&inner).unwrap();
    set_mode(&inner, 0o755);
    set_mode(&outer, mode);
    for path in [&outer, &inner] {
        chown(path, Some(owner), Some(owner)).unwrap();
    }
    inner.display().to_string()
}

#[test]
fn remedies_for_network_filesystems() {
    let name = "remedies_for_network_filesystems";
    if !User::tests_are_root() {
        return skip(name, "only root can mount the home");
    }
    for id in [
        "filesystem-unsupported",
        "filesystem-network",
        "path-not-per-machine",
    ] {
        let desk = Desk::at_home("Host none");
        let lab = &desk.lab;
        fs::copy(desk.config(), lab.path("ssh_config")).unwrap();
        let mount = match FuseMount::sshfs(lab, "s", "net") {
            Ok(mount) => mount,
            Err(why) => return skip(name, &why),
        };
        let text = fs::read_to_string(desk.config()).unwrap();
        let path = mount.directory().display();
        fs::write(
            desk.config(),
            format!("Host web\n    ControlPath {path}/%n\n{GOOD}{text}"),
        )
        .unwrap();
        if id == "filesystem-network" {
            // Only `list` says so: doctor tries, and sshfs refuses sockets.
            let list = desk.lab.muxtray_with_etc(["list", "--json"]).unwrap();
            let finding = Report::of(&list).finding(id);
            let unsupported = desk.findings("filesystem-unsupported");
            assert_eq!(finding["lines"], unsupported[0]["lines"]);
            assert_eq!(finding["command"], unsupported[0]["command"]);
        } else {
            desk.remedy(id);
        }
    }
}

#[test]
fn remedies_for_the_configuration() {
    type Lines = fn(&Lab) -> String;
    let cases: &[(&str, Lines)] = &[
        ("path-too-long", |lab| {
            let directory = lab.path("s").display().to_string();
            let name = "x".repeat(96 - directory.len());
            format!("Host web\n    ControlPath {directory}/{name}\n{GOOD}")
        }),
        ("path-collision", |lab| {
            let path = lab.path("s/one");
            let path = path.display();
            format!(
                "Host web\n    ControlPath {path}\n{GOOD}Host db\n    Port 1\n    ControlPath {path}\n{GOOD}"
            )
        }),
        ("no-keepalive", |_| {
            "Host web\n    ControlMaster auto\n    ControlPersist 5m\n".to_owned()
        }),
        ("no-keepalive", |_| {
            format!("Host web db\n    ServerAliveInterval 0\n{GOOD}")
        }),
        ("no-control-persist", |_| {
            "Host web\n    ControlMaster auto\n    ServerAliveInterval 15\n".to_owned()
        }),
        ("no-control-persist", |_| {
            format!("Host web db\n    ControlPersist no\n{GOOD}")
        }),
    ];
    for (id, lines) in cases {
        let desk = Desk::new();
        desk.lab.configure(&lines(&desk.lab));
        desk.remedy(id);
        assert_eq!(desk.doctor().all_ids(), [""; 0], "{id}");
    }
}

/// In a home, because the lines name `~/.ssh/s`.
#[test]
fn remedies_for_multiplexing() {
    let name = "remedies_for_multiplexing";
    if !User::tests_are_root() {
        return skip(name, "only root can mount the home");
    }
    let cases: &[(&str, &str)] = &[
        (
            "control-master-yes",
            "Host web\nControlMaster yes\nControlPath PATH/%C\n",
        ),
        (
            "control-master-ask",
            "Host web\nControlMaster autoask\nControlPath PATH/%C\n",
        ),
        ("no-control-master", "Host web\nControlPath PATH/%C\n"),
        ("no-control-path", "Host web\nControlMaster auto\n"),
        ("not-configured", "Host web\n"),
        (
            "path-not-per-host",
            "Host web\nHost *\nControlMaster auto\nControlPath PATH/mux\n",
        ),
        (
            "path-not-per-host",
            "Host web\nHost *\nControlMaster auto\nControlPath PATH/%n\n",
        ),
        // The suggested directory is another one, and missing.
        (
            "path-too-long",
            "Host web\nControlMaster auto\nControlPath PATH/LONG/%C\n",
        ),
        (
            "path-collision",
            "Host web db\nControlMaster auto\nControlPath PATH/LONG\nHost db\nPort 1\n",
        ),
        (
            "not-a-socket",
            "Host web\nControlMaster auto\nControlPath ~/.ssh/config\n",
        ),
        (
            "not-a-socket",
            "Host web\nControlMaster auto\nControlPath ~/.ssh\n",
        ),
    ];
    for (id, lines) in cases {
        let desk = Desk::at_home("");
        let lines = lines.replace("PATH", &desk.lab.path("s").display().to_string());
        let lines = lines.replace("LONG", &"x".repeat(60));
        if lines.contains("xx/") {
            desk.lab.make_directory(format!("s/{}", "x".repeat(60)));
        }
        let options = desk.lab.connection_options();
        fs::write(
            desk.config(),
            format!("{lines}Host *\n    ControlPersist 5m\n    ServerAliveInterval 15\n{options}"),
        )
        .unwrap();
        desk.remedy(id);
        let left = desk.doctor().all_ids();
        assert_eq!(left, [""; 0], "{id}");
    }
}

/// `/dev/null` is nobody's to move away.
#[test]
fn remedy_for_a_device_is_another_path() {
    let lab = Lab::new();
    for path in ["/dev/null", "/tmp"] {
        lab.configure(&format!("Host web\n    ControlPath {path}\n{GOOD}"));
        let report = lab.doctor();
        let mut findings = report.json["findings"].as_array().unwrap().clone();
        for socket in report.sockets() {
            findings.extend(socket.0["findings"].as_array().unwrap().clone());
        }
        let command = |it: &Value| it["command"].as_str().unwrap_or_default().to_owned();
        let commands: Vec<String> = findings.iter().map(command).collect();
        // The runtime directory is there already.
        let makes_at_most = |it: &String| it.is_empty() || it.starts_with("mkdir ");
        assert!(commands.iter().all(makes_at_most), "{path}: {commands:?}");
        let of_finding = |it: &Value| it["lines"].to_string() + &it["remedy"].to_string();
        let has_path = findings
            .iter()
            .map(of_finding)
            .any(|it| it.contains("ControlPath "));
        assert!(has_path, "{path}: {findings:?}");
        assert_eq!(report.status, 1, "{path}");
    }
}

#[test]
fn remedy_for_a_master_with_earlier_settings() {
    let desk = Desk::new();
    desk.lab.list();
    desk.lab.persisted_master("web", "600");
    desk.lab
        .configure(&format!("Host web\n    ForwardAgent yes\n{GOOD}"));
    desk.remedy("master-outdated");
}

#[test]
fn remedies_for_exposed_forwardings() {
    let desk = Desk::new();
    let lab = &desk.lab;
    let master = lab.master("web");
    let exposed = || ["-L", &format!("*:{}:h:9", Lab::free_port())].map(str::to_owned);
    for _ in 0..2 {
        let arguments = [["forward".to_owned(), "web".to_owned()], exposed()].concat();
        lab.muxtray(arguments).expect(0);
    }
    desk.remedy("forward-exposed");
    let forwards = lab.list().at(master.path()).0["forwards"].clone();
    assert_eq!(forwards.as_array().unwrap().len(), 2, "{forwards:#}");

    // Nobody knows how it was added.
    let mut command = lab.ssh();
    command.arg("-S").arg(master.path()).args(["-O", "forward"]);
    command.args(exposed()).arg("web");
    Process::run(command, PATIENCE).expect(0);
    desk.remedy("forward-exposed");
}

#[test]
fn remedies_for_invalid_configurations() {
    let desk = Desk::new();
    desk.lab.script(
        "editor",
        "grep -v interval \"$1\" > \"$1.new\"; cat \"$1.new\" > \"$1\"",
    );
    desk.lab.write_muxtray_config("interval_secs = 0\n");
    // Without its own configuration muxtray sees the sockets of other tests, too.
    assert_eq!(desk.remedy("config-invalid"), "muxtray config edit");
    if !User::tests_are_root() {
        return skip(
            "remedies_for_invalid_configurations",
            "only root can mount the home",
        );
    }
    let desk = Desk::at_home("Host web");
    set_mode(&desk.config(), 0o666);
    let command = desk.remedy("ssh-config-invalid");
    assert!(command.starts_with("chmod go-w "), "{command}");

    chown(desk.config(), Some(NOBODY), None).unwrap();
    let command = desk.remedy("ssh-config-invalid");
    assert!(command.starts_with("sudo chown "), "{command}");

    // A link to a file of a package manager, as Nix makes it.
    let store = desk.lab.path("store");
    fs::rename(desk.config(), &store).unwrap();
    chown(&store, Some(NOBODY), None).unwrap();
    set_mode(&store, 0o444);
    symlink(&store, desk.config()).unwrap();
    let command = desk.remedy("ssh-config-invalid");
    assert!(command.starts_with("cp --remove-destination "), "{command}");

    set_mode(&desk.config(), 0o600);
    let text = fs::read_to_string(desk.config()).unwrap();
    fs::write(desk.config(), format!("Include part\n{text}")).unwrap();
    let part = desk.lab.write("home/.ssh/part", "Host part\n");
    set_mode(&part, 0o000);
    let command = desk.remedy("ssh-config-invalid");
    assert!(command.starts_with("chmod u+r "), "{command}");
    chown(&part, Some(0), None).unwrap();
    set_mode(&part, 0o600);
    let command = desk.remedy("ssh-config-invalid");
    assert!(command.starts_with("sudo chown "), "{command}");

    fs::remove_file(&part).unwrap();
    let text = fs::read_to_string(desk.config()).unwrap();
    for begin in ["", "# comment\n", "\n"] {
        fs::write(desk.config(), format!("\u{feff}{begin}{text}")).unwrap();
        let command = desk.remedy("ssh-config-invalid");
        assert!(command.starts_with("sed -i "), "{command}");
    }

    // Options of another build, for one host; ssh reads them for all.
    let text = fs::read_to_string(desk.config()).unwrap();
    fs::write(
        desk.config(),
        format!("Host other\n    Nonsense yes\n    Folly no\n{text}"),
    )
    .unwrap();
    desk.remedy("ssh-config-invalid");

    // A command that shows the message until the line is corrected.
    fs::write(desk.config(), format!("AddressFamily nonsense\n{text}")).unwrap();
    let command = desk.findings("ssh-config-invalid")[0]["command"].clone();
    let command = command.as_str().unwrap();
    let shown = desk.try_paste(command).stderr;
    assert!(shown.contains("unsupported option \"nonsense\""), "{shown}");
}

/// Commands of explanations that are not run here, by a part of their text.
const NOT_RUN: &[(&str, &str)] = &[
    ("sshd -T", "it shows the configuration of the server"),
    (
        "ssh-keygen -R",
        "it changes the known_hosts of the home in the password file",
    ),
    ("ssh-add -l", "no agent runs here"),
    (
        "channeltimeout",
        "older versions of ssh have no such option",
    ),
    ("control_path = ", "it is a line for ansible"),
];

/// The words with which remedies of explanations begin that are lines of a configuration file.
const LINES: &[&str] = &["ControlPath ", "ControlMaster "];
const LINES_OF_SERVER: &[&str] = &["MaxSessions ", "ClientAliveInterval "];

/// Puts the values of the laboratory into a remedy.
fn filled(remedy: &str, values: &[(&str, String)]) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut text = String::new();
    for word in remedy.split_inclusive(|letter| !is_part(letter)) {
        let bare = word.trim_end_matches(|letter| !is_part(letter));
        match values.iter().find(|(name, _)| *name == bare) {
            Some((_, value)) => text.push_str(&format!("{value}{}", &word[bare.len()..])),
            None => text.push_str(word),
        }
    }
    text
}

#[test]
fn commands_of_explanations_run() {
    let desk = Desk::new();
    let lab = &desk.lab;
    let config = lab.path("ssh_config");
    let muxtray = lab.reachable_program();
    for (name, program) in [("ssh", Path::new("/usr/bin/ssh")), ("muxtray", &muxtray)] {
        let script = format!("exec {} -F {} \"$@\"", program.display(), config.display());
        lab.script(format!("wrap/{name}"), &script);
    }
    let path = lab.control_path("web");
    let values = [
        ("SERVERPORT", lab.port.to_string()),
        ("PORT", lab.port.to_string()),
        ("DIRECTORY", lab.path("s").display().to_string()),
        ("PATH", path.display().to_string()),
        ("HOST", "web".to_owned()),
    ];
    let rows = SSH_MESSAGES.iter().flat_map(|(_, messages)| *messages);
    let remedies: BTreeSet<&str> = rows
        .flat_map(|row| row.remedies.iter().chain(row.remedies_in_ansible).copied())
        .collect();
    let mut failed = Vec::new();
    for remedy in remedies {
        let plain = ["[create", "[show", "[make"]
            .iter()
            .any(|begin| remedy.starts_with(begin));
        let text = if plain {
            remedy.trim_start_matches('[').trim_end_matches(']')
        } else {
            remedy
        };
        let text = text
            .replace("['sport = :PORT']", "'sport = :PORT'")
            .replace("[HOST]", "HOST");
        let Some((_, command)) = text.rsplit_once(": ") else {
            failed.push(format!("no command: {remedy}"));
            continue;
        };
        if let Some((_, why)) = NOT_RUN.iter().find(|(part, _)| command.contains(part)) {
            skip(command, why);
            continue;
        }
        for command in command.split(", or ") {
            let mut command = filled(command, &values);
            let is_missing = |program: &&str| {
                command.contains(&format!("{program} -"))
                    && Command::new(program).arg("-V").output().is_err()
            };
            if let Some(program) = ["ss", "ip"].into_iter().find(is_missing) {
                skip(&command, &format!("{program} is not installed"));
                continue;
            }
            if LINES.iter().any(|begin| command.starts_with(begin)) {
                command = format!("ssh -o '{command}' -G web");
            } else if LINES_OF_SERVER
                .iter()
                .any(|begin| command.starts_with(begin))
            {
                let server = lab.path("sshd_config");
                command = format!("/usr/sbin/sshd -t -f {} -o '{command}'", server.display());
            }
            if !path.exists() {
                lab.persisted_master("web", "60");
            }
            if command.contains("-O cancel") {
                desk.paste(&command.replace("cancel", "forward"));
            }
            let is_hung = command.contains("--end-process");
            if is_hung {
                desk.stop_master(&path);
            }
            let finished = desk.try_paste(&command);
            if !finished.status.success() {
                failed.push(format!("{command}: {finished:?}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn commands_name_the_file_of_the_option() {
    let desk = Desk::new();
    let option = format!("-F {} ", desk.config().display());
    let explained = |line: &str| {
        let finished = desk.lab.muxtray(["doctor", "--explain", line]);
        finished.stdout
    };
    let told = explained(
        "u@here:~$ ssh web\nmux_client_request_session: session request failed: Session open refused by peer",
    );
    assert!(told.contains(&format!("ssh {option}-S none web")), "{told}");
    assert!(told.contains(&format!("muxtray {option}list")), "{told}");

    let file = desk.lab.write("other file.toml", "interval_secs = 0\n");
    desk.lab.script("editor", "echo > \"$1\"");
    let doctor = || {
        desk.lab
            .muxtray(["--config", file.to_str().unwrap(), "doctor", "--json"])
    };
    let report: Value = serde_json::from_str(&doctor().stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings
        .iter()
        .find(|it| it["id"] == "config-invalid")
        .unwrap();
    desk.paste(finding["command"].as_str().unwrap());
    assert!(!doctor().stdout.contains("config-invalid"));
}
