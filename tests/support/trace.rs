//! muxtray under strace; `tests/traced.py` names the calls to record, and judges them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lab::Lab;
use super::process::{PATIENCE, Process, wait_for};

const STRACE: &str = "/usr/bin/strace";

fn judge(arguments: &[&str]) -> Process {
    let mut judge = Command::new("python3");
    judge
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traced.py"))
        .args(arguments);
    Process::start(judge)
}

/// Returns the reason why calls cannot be recorded here.
pub(crate) fn no_trace() -> Option<&'static str> {
    let has_python = Command::new("python3").arg("--version").output().is_ok();
    match (Path::new(STRACE).exists(), has_python) {
        (false, _) => Some("strace is not installed"),
        (true, false) => Some("python3 is not installed"),
        (true, true) => None,
    }
}

/// Returns the judge's table of the records in a directory. Fails if a call breaks a rule. A look reads every process of
/// the machine, so beside other tests the records are long.
#[track_caller]
pub(crate) fn judged(records: &Path) -> String {
    judge(&[records.to_str().unwrap()])
        .finish(PATIENCE * 10)
        .expect(0)
        .stdout
}

impl Lab {
    /// Returns the directory of the records of [`Self::traced`].
    pub(crate) fn records(&self) -> PathBuf {
        self.path("tmp/records")
    }

    /// Returns muxtray under strace, with these further options of strace. strace runs beside muxtray (`-D`), which keeps
    /// its process id.
    pub(crate) fn traced(&self, name: &str, more: &[&str], arguments: &[&str]) -> Command {
        if !self.records().exists() {
            self.make_directory("tmp/records");
        }
        let calls = judge(&["--calls"]).finish(PATIENCE).expect(0).stdout;
        let mut command = self.command(STRACE);
        command
            .args(["-D", "-f", "--seccomp-bpf", "-y", "-v", "-s", "300", "-o"])
            .arg(self.records().join(name))
            .args(["-e", &format!("trace={}", calls.trim())])
            .args(more)
            .arg(self.reachable_program())
            .arg("--ssh-config")
            .arg(self.path("ssh_config"))
            .args(arguments);
        command
    }

    /// Returns the record of muxtray's process, which has ended.
    pub(crate) fn record(&self, name: &str, pid: i32) -> String {
        // strace pads a process id to five characters.
        let pid = pid.to_string();
        let is_end = |line: &str| {
            let line = line.strip_prefix(&pid);
            line.is_some_and(|rest| rest.starts_with(' ') && rest.trim_start().starts_with("+++ "))
        };
        wait_for("the record has its end", PATIENCE, || {
            let record = fs::read(self.records().join(name)).ok()?;
            let record = String::from_utf8_lossy(&record).into_owned();
            record.lines().any(is_end).then_some(record)
        })
    }
}
