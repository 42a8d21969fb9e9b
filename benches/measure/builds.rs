//! The builds of the applet that are compared, each with how it is started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::program;
use crate::support::skip;

/// A build of muxtray and the way it is run.
#[derive(Debug, Clone)]
pub(crate) struct Build {
    /// What a table calls it.
    pub(crate) name: &'static str,
    /// Its `muxtray`, beside which its applet lies.
    pub(crate) program: PathBuf,
    /// What follows `muxtray run`.
    pub(crate) arguments: &'static [&'static str],
}

impl Build {
    /// Whether it shows an icon.
    pub(crate) fn has_icon(&self) -> bool {
        self.arguments.is_empty()
    }
}

/// The builds with an icon, as far as there are any; `bench` says by name what is left out.
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

/// `muxtray run --no-tray`, which is the same in every build.
pub(crate) fn without_icon() -> Build {
    Build {
        name: "`--no-tray`",
        program: program().to_owned(),
        arguments: &["--no-tray"],
    }
}

/// Builds the lean build, or says why there is none. It gets a target directory of its own, for it has the same
/// file names as the default build.
fn lean() -> Result<PathBuf, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
    if !text.lines().any(|line| line.starts_with("lean-tray =")) {
        return Err("this crate has no feature lean-tray".to_owned());
    }
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
