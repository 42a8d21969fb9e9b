//! Runs the built program and parses its reports.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

use super::lab::Lab;
use super::process::{Finished, Process};
use super::user::User;

/// The longest permitted run of the program, for any state of the sockets.
const DEADLINE: Duration = Duration::from_secs(30);

/// The options of a host with multiplexing and without findings.
pub(crate) const GOOD: &str =
    "    ControlMaster auto\n    ControlPersist 10m\n    ServerAliveInterval 15\n";

/// The program under test: built by cargo, or named by `MUXTRAY_BIN`, as tests of an installed package do.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        env::var_os("MUXTRAY_BIN")
            .map_or_else(|| env!("CARGO_BIN_EXE_muxtray").into(), PathBuf::from)
    });
    &PROGRAM
}

impl Lab {
    /// A laboratory in which the host `web` has no findings.
    #[track_caller]
    pub(crate) fn good() -> Self {
        let lab = Self::new();
        lab.configure(&format!("Host web\n{GOOD}"));
        lab
    }

    /// Returns a path at which the user can run the program: that of cargo, or a copy in the laboratory.
    pub(crate) fn reachable_program(&self) -> PathBuf {
        self.reachable(program())
    }

    /// Returns such a path of another build. A laboratory has at most one copy.
    fn reachable(&self, built: &Path) -> PathBuf {
        if User::get().can_reach(built) {
            return built.to_owned();
        }
        let directory = self.path("bin");
        let copy = directory.join("muxtray");
        if !copy.exists() {
            self.make_directory("bin");
            for name in ["muxtray", "muxtray-applet"] {
                let built = built.with_file_name(name);
                if built.exists() && fs::hard_link(&built, directory.join(name)).is_err() {
                    self.install(&built, Path::new("bin").join(name));
                }
            }
        }
        copy
    }

    /// A command that runs muxtray as the user with the laboratory's ssh configuration.
    pub(crate) fn muxtray_command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        self.command_of_build(program(), arguments)
    }

    /// A command that runs another build of muxtray in the same way.
    pub(crate) fn command_of_build<A: AsRef<OsStr>>(
        &self,
        built: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = self.command(self.reachable(built));
        command
            .arg("--ssh-config")
            .arg(self.path("ssh_config"))
            .args(arguments);
        command
    }

    /// Such a command, started by another program and its arguments, such as `prlimit` with its options.
    pub(crate) fn muxtray_behind<'a, A: AsRef<OsStr>>(
        &self,
        wrapper: impl IntoIterator<Item = &'a str>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut wrapper = wrapper.into_iter();
        let program = self.muxtray_command(arguments);
        let mut command = self.command(wrapper.next().expect("a program to start with"));
        command.args(wrapper).arg(program.get_program());
        command.args(program.get_args());
        command
    }

    #[track_caller]
    pub(crate) fn muxtray<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Finished {
        Process::run(self.muxtray_command(arguments), DEADLINE)
    }

    /// Runs `muxtray list --json`; any exit status is accepted that [`Report::of`] accepts.
    #[track_caller]
    pub(crate) fn list(&self) -> Report {
        Report::of(&self.muxtray(["list", "--json"]))
    }

    /// Runs `muxtray doctor --json`; any exit status is accepted that [`Report::of`] accepts.
    #[track_caller]
    pub(crate) fn doctor(&self) -> Report {
        Report::of(&self.muxtray(["doctor", "--json"]))
    }
}

/// The output of `list --json` or `doctor --json`.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) json: Value,
    pub(crate) status: i32,
}

impl Report {
    /// Parses one report; panics with the text if it is invalid.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let json: Value = serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("not one JSON value: {error}\n{text}"));
        assert_eq!(json["schema"], 1, "{json:#}");
        Self { json, status: 0 }
    }

    /// Parses the report of a command that must exit with 0 or 1 and print no diagnostic.
    #[track_caller]
    pub(crate) fn of(finished: &Finished) -> Self {
        let status = finished.code();
        assert!(
            matches!(status, 0 | 1) && finished.stderr.is_empty(),
            "found out, says 0 or 1 and nothing else: {finished:#?}"
        );
        Self {
            status,
            ..Self::parse(&finished.stdout)
        }
    }

    #[track_caller]
    pub(crate) fn sockets(&self) -> Vec<SocketReport> {
        self.json["sockets"]
            .as_array()
            .unwrap_or_else(|| panic!("no sockets in {:#}", self.json))
            .iter()
            .cloned()
            .map(SocketReport)
            .collect()
    }

    /// The sockets at this path, in the order of the report.
    #[track_caller]
    pub(crate) fn all_at(&self, path: &Path) -> Vec<SocketReport> {
        let path = path.to_str().unwrap();
        self.sockets()
            .into_iter()
            .filter(|socket| socket.0["path"] == path)
            .collect()
    }

    /// The one socket at this path.
    #[track_caller]
    pub(crate) fn at(&self, path: &Path) -> SocketReport {
        let mut found = self.all_at(path);
        assert_eq!(
            found.len(),
            1,
            "one socket at {}: {:#}",
            path.display(),
            self.json
        );
        found.remove(0)
    }

    /// The ids of all findings; those without a socket come first.
    pub(crate) fn all_ids(&self) -> Vec<String> {
        let of_sockets = self.sockets().into_iter();
        let of_sockets = of_sockets.flat_map(|socket| socket.finding_ids());
        self.finding_ids().into_iter().chain(of_sockets).collect()
    }

    /// The only finding with this id that belongs to no socket.
    #[track_caller]
    pub(crate) fn finding(&self, id: &str) -> Value {
        let all = self.json["findings"].as_array().expect("a list");
        let mut found = all.iter().filter(|finding| finding["id"] == id);
        match (found.next(), found.next()) {
            (Some(finding), None) => finding.clone(),
            _ => panic!("not one {id}: {:#}", self.json),
        }
    }

    /// The ids of the findings that belong to no socket.
    pub(crate) fn finding_ids(&self) -> Vec<String> {
        finding_ids(&self.json["findings"])
    }
}

/// One socket of a report.
#[derive(Debug, Clone)]
pub(crate) struct SocketReport(pub(crate) Value);

impl SocketReport {
    #[track_caller]
    pub(crate) fn state(&self) -> &str {
        self.0["state"]
            .as_str()
            .unwrap_or_else(|| panic!("no state in {:#}", self.0))
    }

    pub(crate) fn finding_ids(&self) -> Vec<String> {
        finding_ids(&self.0["findings"])
    }
}

/// Returns the ids; demands the fields that the contract promises in each finding.
#[track_caller]
fn finding_ids(findings: &Value) -> Vec<String> {
    let findings = findings.as_array().expect("findings are a list");
    for finding in findings {
        for text in ["subject", "evidence", "remedy"] {
            let shown = finding[text].as_str().unwrap_or_default();
            assert!(!shown.is_empty(), "{text} is missing in {finding:#}");
            assert!(
                !shown.contains(char::is_control),
                "{text} is one printable line: {finding:#}"
            );
        }
        let severity = finding["severity"].as_str().unwrap_or_default();
        assert!(
            ["info", "warning", "error"].contains(&severity),
            "{finding:#}"
        );
        assert!(finding["fixable"].is_boolean(), "{finding:#}");
    }
    findings
        .iter()
        .map(|finding| finding["id"].as_str().expect("an id").to_owned())
        .collect()
}
