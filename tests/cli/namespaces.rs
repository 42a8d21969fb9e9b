//! A control socket is reachable from every network namespace, but in the kernel's table of one only.

use nix::sys::signal::Signal;

use crate::support::{Behaviour, GOOD, Lab, Listener, PATIENCE, Process, Report, skip, wait_until};

/// Every command that only looks.
const LOOKING: &[&[&str]] = &[
    &["list"],
    &["list", "--json"],
    &["doctor"],
    &["doctor", "--json"],
    &["clean", "--dry-run"],
    &["clean"],
    &[
        "doctor",
        "--explain",
        "mux_client_request_session: session request failed: Session open refused by peer",
    ],
];
const WATCHING: &[&[&str]] = &[&["list", "--watch", "--json"], &["run", "--no-tray", "-v"]];

const NETWORK: &[&str] = &["--net"];
const AS_ROOT_OF_ITS_OWN: &[&str] = &["--user", "--map-root-user", "--net"];
const HIDDEN: &[&str] = &["--net", "--pid", "--fork", "--mount-proc", "--kill-child"];

struct Scene {
    lab: Lab,
    master: Listener,
    muxtray_in: Option<&'static [&'static str]>,
}

impl Scene {
    /// A master and muxtray, each in new namespaces or our own. `None` if that is not permitted.
    fn new(
        master_in: Option<&[&str]>,
        muxtray_in: Option<&'static [&'static str]>,
    ) -> Option<Self> {
        let lab = Lab::new();
        lab.configure(&format!("Host web\n{GOOD}"));
        lab.write_muxtray_config("interval_secs = 1\n");
        let path = lab.control_path("web");
        let master = match master_in {
            Some(options) => Listener::unshared(&lab, options, &path)?,
            None => Listener::called_ssh(&lab, &path, Behaviour::Immortal),
        };
        Some(Self {
            lab,
            master,
            muxtray_in,
        })
    }

    fn start(&self, arguments: &[&str]) -> Option<Process> {
        let command = self.lab.muxtray_command(arguments);
        Some(Process::start(match self.muxtray_in {
            Some(options) => self.lab.unshared(options, &command)?,
            None => command,
        }))
    }

    fn run(&self, arguments: &[&str]) -> Option<crate::support::Finished> {
        Some(self.start(arguments)?.finish(PATIENCE))
    }

    /// Runs every command that looks, and demands that each sees a running master.
    fn look(&self) -> Option<()> {
        for arguments in LOOKING {
            let finished = self.run(arguments)?;
            assert!(
                finished.code() <= 1 || arguments.contains(&"--explain"),
                "{arguments:?} {finished:#?}"
            );
        }
        let report = Report::of(&self.run(&["list", "--json"])?);
        let socket = report.at(self.master.path());
        assert_eq!(socket.state(), "running", "{:#}", report.json);
        for arguments in WATCHING {
            let watcher = self.start(arguments)?;
            let looks = |text: &str| {
                wait_until("it has looked", PATIENCE, || {
                    (watcher.stdout() + &watcher.stderr()).contains(text)
                });
            };
            looks(if arguments[0] == "run" {
                "1 master"
            } else {
                "running"
            });
            // A change after which it looks again.
            let dead = self.lab.control_path("db");
            self.lab.dead_socket(&dead);
            looks(if arguments[0] == "run" {
                "problem"
            } else {
                "stale"
            });
            std::fs::remove_file(&dead).unwrap();
            watcher.signal(Signal::SIGTERM);
        }
        Some(())
    }
}

#[test]
fn master_in_other_network_namespace_is_not_connected_to() {
    let name = "master_in_other_network_namespace_is_not_connected_to";
    for (master_in, muxtray_in) in [
        (None, Some(NETWORK)),
        (Some(NETWORK), None),
        (Some(NETWORK), Some(NETWORK)),
        (None, Some(AS_ROOT_OF_ITS_OWN)),
    ] {
        let Some(scene) = Scene::new(master_in, muxtray_in) else {
            skip(name, "namespaces cannot be made");
            continue;
        };
        if scene.look().is_none() {
            skip(name, "namespaces cannot be made");
            continue;
        }
        assert_eq!(scene.master.accepted(), 0, "{master_in:?} {muxtray_in:?}");
        // A request does connect.
        let checked = scene.run(&["check", "web"]).unwrap().expect(0);
        assert!(checked.stdout.contains("answered"), "{checked:#?}");
        assert_eq!(scene.master.accepted(), 1);
    }
}

/// Root is not in the namespace, so its directories seem to be another user's.
#[test]
fn temporary_directory_of_root_is_no_error_in_a_user_namespace_without_root() {
    let name = "temporary_directory_of_root_is_no_error_in_a_user_namespace_without_root";
    let lab = Lab::new();
    let path = "/tmp/muxtray-test-%C";
    lab.configure(&format!("Host web\n    ControlPath {path}\n{GOOD}"));
    let command = lab.muxtray_command(["doctor", "--json"]);
    let Some(command) = lab.unshared(&["--user", "--map-current-user"], &command) else {
        return skip(name, "namespaces cannot be made");
    };
    let report = Report::of(&Process::start(command).finish(PATIENCE));
    let errors = report.json["findings"].as_array().unwrap().iter();
    let errors: Vec<_> = errors.filter(|it| it["severity"] == "error").collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn hidden_master_is_connected_to_once() {
    let name = "hidden_master_is_connected_to_once";
    for (master_in, muxtray_in) in [(None, Some(HIDDEN)), (Some(NETWORK), Some(HIDDEN))] {
        let Some(mut scene) = Scene::new(master_in, muxtray_in) else {
            return skip(name, "namespaces cannot be made");
        };
        if scene.look().is_none() {
            return skip(name, "namespaces cannot be made");
        }
        assert_eq!(scene.master.accepted(), 1, "{master_in:?} {muxtray_in:?}");
        // A refused request replaces the answer that was kept.
        scene.master.kill();
        let checked = scene.run(&["check", "web"]).unwrap().expect(1);
        assert!(checked.stdout.contains("refused"), "{checked:#?}");
        let report = Report::of(&scene.run(&["list", "--json"]).unwrap());
        assert_eq!(report.at(scene.master.path()).state(), "stale");
    }
}

/// As in a container that has the home read-only: the answer is kept elsewhere.
#[test]
fn hidden_master_is_connected_to_once_without_a_cache() {
    let name = "hidden_master_is_connected_to_once_without_a_cache";
    for home in [Some("blocked"), None] {
        let Some(scene) = Scene::new(None, Some(HIDDEN)) else {
            return skip(name, "namespaces cannot be made");
        };
        let lab = &scene.lab;
        lab.write("blocked", "");
        for _ in 0..3 {
            let command = lab.muxtray_command(["list", "--json"]);
            let Some(mut command) = lab.unshared(HIDDEN, &command) else {
                return skip(name, "namespaces cannot be made");
            };
            command.env_remove("XDG_CACHE_HOME").env_remove("HOME");
            if let Some(home) = home {
                command.env("XDG_CACHE_HOME", lab.path(home));
            }
            let report = Report::of(&Process::run(command, PATIENCE));
            let state = report.at(scene.master.path()).state().to_owned();
            assert_eq!(state, "running", "{:#}", report.json);
        }
        assert_eq!(scene.master.accepted(), 1, "{home:?}");
    }
}
