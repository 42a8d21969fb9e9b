//! The compared builds of the applet, and their commands.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{program, skip};

#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// The label in tables.
    pub(crate) name: &'static str,
    /// Its `muxtray`; the applet is in the same directory.
    pub(crate) program: PathBuf,
    /// Arguments after `muxtray run`.
    pub(crate) arguments: &'static [&'static str],
}

impl Build {
    pub(crate) fn has_icon(&self) -> bool {
        self.arguments.is_empty()
    }
}

/// The builds with an icon. A build that cannot be made is reported as skipped, with the name of the bench.
pub(crate) fn with_icon(bench: &str) -> Vec<Build> {
    let default = if cfg!(feature = "tray") {
        Ok(program().to_owned())
    } else {
        Err("this bench was built without the feature tray".to_owned())
    };
    let mut builds = Vec::new();
    for (name, program) in [("default build", default), ("lean build", lean())] {
        match program {
            Ok(program) => builds.push(Build {
                name,
                program,
                arguments: &[],
            }),
            Err(why) => skip(&format!("{bench}, {name}"), &why),
        }
    }
    builds
}

/// `muxtray run --no-tray`, which is the same in all builds.
pub(crate) fn without_icon() -> Build {
    Build {
        name: "`--no-tray`",
        program: program().to_owned(),
        arguments: &["--no-tray"],
    }
}

/// Builds the lean build, or returns the reason why not. It has its own target directory, because its file names are
/// those of the default build.
fn lean() -> Result<PathBuf, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let profile = program().parent();
    let target = profile
        .and_then(Path::parent)
        .ok_or("cargo builds into target/PROFILE")?
        .join("lean");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--bins"])
        .args(["--no-default-features", "--features", "lean-tray"])
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match built {
        Ok(status) if status.success() => Ok(target.join("release/muxtray")),
        Ok(status) => Err(format!("cargo build: {status}")),
        Err(error) => Err(format!("cargo cannot be started: {error}")),
    }
}
