//! The system calls of a program, recorded by strace.
//!
//! Only calls of the program itself count, on all of its threads. Its children are traced as well, to recognise calls
//! of other programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lab::Lab;
use super::process::{Finished, PATIENCE, Process};
use super::truth::{process_parent, processes};

/// Calls that connect, change a name or a file, or end a process; and those that identify the calling program.
const TRACED: &str = "connect,unlink,unlinkat,rename,renameat,renameat2,rmdir,link,linkat,kill,tkill,tgkill,\
    rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_open,pidfd_send_signal,socket,open,openat,openat2,creat,truncate,\
    execve,execveat,clone,clone3,fork,vfork";

/// Returns the path of strace, or `None` if it is not installed.
pub(crate) fn strace() -> Option<PathBuf> {
    ["/usr/bin/strace", "/usr/local/bin/strace"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

/// A command under strace, and the path of its record.
pub(crate) struct Traced {
    pub(crate) command: Command,
    record: PathBuf,
}

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// Its arguments and result, as strace writes them; each descriptor is followed by its path.
    pub(crate) text: String,
    /// The files in its arguments, with a descriptor in `/proc/self/fd` resolved.
    pub(crate) files: Vec<PathBuf>,
    /// The process that is signalled.
    pub(crate) pid: Option<i32>,
}

impl Lab {
    /// Returns muxtray under strace with these further options; `name` is the name of the record.
    pub(crate) fn traced(&self, name: &str, more: &[&str], arguments: &[&str]) -> Traced {
        let strace = strace().expect("strace is there where this is called");
        let record = self.path(format!("tmp/{name}.strace"));
        let mut command = self.command(strace);
        command
            .args(["-f", "-q", "-y", "-s", "4096", "-o"])
            .arg(&record)
            .args(["-e", &format!("trace={TRACED}")])
            .args(more)
            .arg("--")
            .arg(self.reachable_program())
            .arg("--ssh-config")
            .arg(self.path("ssh_config"))
            .args(arguments);
        Traced { command, record }
    }
}

impl Traced {
    #[track_caller]
    pub(crate) fn run(self) -> (Finished, Vec<Call>) {
        let finished = Process::run(self.command, PATIENCE);
        (finished, calls(&self.record))
    }

    /// Starts the command; returns its process and the path of the record.
    pub(crate) fn start(self) -> (Process, PathBuf) {
        (Process::start(self.command), self.record)
    }
}

/// Returns the child process of strace.
pub(crate) fn traced_process(strace: i32) -> Option<i32> {
    processes()
        .into_iter()
        .find(|pid| process_parent(*pid) == Some(strace))
}

/// Returns the calls in this record that the traced program made itself.
pub(crate) fn calls(record: &Path) -> Vec<Call> {
    let record = String::from_utf8_lossy(&fs::read(record).unwrap()).into_owned();
    let mut unfinished: BTreeMap<&str, String> = BTreeMap::new();
    let mut others: BTreeSet<String> = BTreeSet::new();
    let mut parents: BTreeMap<String, String> = BTreeMap::new();
    let mut lines: Vec<(&str, String)> = Vec::new();
    for line in record.lines() {
        let (pid, rest) = line.split_once(' ').expect("a line begins with a process");
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(pid, begun.to_owned());
            continue;
        }
        let whole = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let end = resumed.split_once(" resumed>").map_or("", |(_, end)| end);
                unfinished.remove(pid).unwrap_or_default() + end
            }
            None => rest.to_owned(),
        };
        if matches!(name_of(&whole), "clone" | "clone3" | "fork" | "vfork")
            && let Some(child) = returned(&whole)
        {
            parents.insert(child.to_owned(), pid.to_owned());
        }
        lines.push((pid, whole));
    }
    // A child's calls may be recorded before its parent's clone has returned, so all parents are collected first.
    let mut is_first = true;
    let mut calls = Vec::new();
    let mut descriptors: BTreeMap<String, String> = BTreeMap::new();
    for (pid, line) in lines {
        let is_other = is_other(pid, &others, &parents);
        if name_of(&line).starts_with("execve") {
            if line.ends_with("= 0") && !std::mem::take(&mut is_first) {
                others.insert(pid.to_owned());
            }
            continue;
        }
        if is_other {
            continue;
        }
        let call = call(&line, &descriptors);
        if let (Some(fd), Some(target)) = (returned(&line), opened(&line)) {
            descriptors.insert(fd.to_owned(), target);
        }
        calls.push(call);
    }
    assert!(!calls.is_empty(), "strace has recorded nothing");
    calls
}

/// Returns true if the process or one of its ancestors has executed another program.
fn is_other(pid: &str, others: &BTreeSet<String>, parents: &BTreeMap<String, String>) -> bool {
    let mut pid = pid;
    loop {
        if others.contains(pid) {
            return true;
        }
        match parents.get(pid) {
            Some(parent) => pid = parent,
            None => return false,
        }
    }
}

fn name_of(line: &str) -> &str {
    line.split('(').next().unwrap_or_default()
}

/// Returns the result of a call if it is a number.
fn returned(line: &str) -> Option<&str> {
    let (_, value) = line.rsplit_once(" = ")?;
    let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
    (!digits.is_empty()).then_some(digits)
}

/// The object behind a new descriptor: a path, or `pid N`.
fn opened(line: &str) -> Option<String> {
    match name_of(line) {
        "open" | "openat" | "openat2" => {
            let (_, value) = line.rsplit_once(" = ")?;
            Some(value.split_once('<')?.1.trim_end_matches('>').to_owned())
        }
        "pidfd_open" => {
            let pid = line.strip_prefix("pidfd_open(")?.split(',').next()?;
            Some(format!("pid {pid}"))
        }
        _ => None,
    }
}

fn call(line: &str, descriptors: &BTreeMap<String, String>) -> Call {
    let name = name_of(line).to_owned();
    let arguments = line[name.len()..].trim_start_matches('(');
    let mut files = Vec::new();
    // Strings in quotation marks, each after its directory descriptor if it has one.
    let mut rest = arguments;
    while let Some(start) = rest.find('"') {
        let directory = rest[..start]
            .rfind('<')
            .map(|at| &rest[at + 1..start])
            .and_then(|inside| inside.split('>').next());
        let after = &rest[start + 1..];
        let end = after.find('"').unwrap_or(after.len());
        let named = &after[..end];
        let resolved = match named.strip_prefix("/proc/self/fd/") {
            Some(fd) => descriptors.get(fd).map_or(named, String::as_str),
            None => named,
        };
        let base = match name.as_str() {
            "connect" => None,
            _ => directory,
        };
        files.push(base.map_or_else(|| resolved.into(), |base| Path::new(base).join(resolved)));
        rest = after.get(end + 1..).unwrap_or_default();
    }
    let first = arguments.split([',', ')', '<']).next().unwrap_or_default();
    let pid = match name.as_str() {
        "kill" | "tkill" | "tgkill" | "pidfd_open" | "rt_sigqueueinfo" | "rt_tgsigqueueinfo" => {
            first.parse().ok()
        }
        "pidfd_send_signal" => descriptors
            .get(first)
            .and_then(|what| what.strip_prefix("pid "))
            .and_then(|pid| pid.parse().ok()),
        _ => None,
    };
    Call {
        name,
        text: arguments.to_owned(),
        files,
        pid,
    }
}
