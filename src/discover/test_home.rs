//! For tests: a temporary home directory, and an ssh that logs its calls.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{Environment, Request, Ssh};
use crate::model::control_path::known_for_tests;
use crate::observe::accounts::Databases;

pub(super) struct Scratch {
    directory: TempDir,
    pub(super) environment: Environment,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let mut known = known_for_tests();
        known.home = root.join("home");
        known.runtime_dir = root.join("run");
        known.uid = nix::unistd::getuid().as_raw();
        known
            .environment
            .insert("PATH".into(), std::env::var_os("PATH").unwrap());
        known
            .environment
            .insert("HOME".into(), known.home.clone().into());
        known
            .environment
            .insert("TMPDIR".into(), root.join("tmp").into());
        fs::create_dir_all(root.join("tmp")).unwrap();
        let environment = Environment {
            known,
            system_config: root.join("etc/ssh_config"),
            vendor_config: root.join("usr/etc/ssh_config"),
            databases: Databases::default(),
        };
        Self {
            directory,
            environment,
        }
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(below)
    }

    /// Writes a file that only its owner may access, and creates its directories.
    pub(super) fn write(&self, below: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(super) fn user_config(&self, contents: impl AsRef<[u8]>) -> PathBuf {
        self.write("home/.ssh/config", contents)
    }

    /// Writes a shell script through another process: a file that this process has open for writing, also in a copy that
    /// a fork of another test holds, cannot be executed.
    pub(super) fn program(&self, below: &str, script: &str) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "cat > \"$1\" && chmod 700 \"$1\"", "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input
            .write_all(format!("#!/bin/sh\n{script}\n").as_bytes())
            .unwrap();
        drop(input);
        assert!(shell.wait().unwrap().success());
        path
    }

    /// Writes an ssh that logs the last argument of each call and runs the real one.
    pub(super) fn counting_ssh(&self) -> PathBuf {
        let calls = self.path("calls");
        self.program(
            "bin/ssh",
            &format!(
                "for last; do :; done; echo \"$last\" >> '{}'; exec ssh \"$@\"",
                calls.display()
            ),
        )
    }

    /// Returns the hosts that [`Self::counting_ssh`] was asked about since the last call, sorted.
    pub(super) fn calls(&self) -> Vec<String> {
        let path = self.path("calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(&path);
        let mut calls: Vec<String> = text.lines().map(str::to_owned).collect();
        calls.sort();
        calls
    }

    pub(super) fn request(&self, program: &Path, config: Option<&Path>) -> Request {
        Request {
            ssh: Ssh {
                program: program.to_path_buf(),
                config: config.map(Path::to_path_buf),
            },
            extra_paths: Vec::new(),
            ignored_paths: Vec::new(),
            cache: Some(self.path("cache/muxtray/hosts.json")),
        }
    }
}
