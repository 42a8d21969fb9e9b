//! Sets `MUXTRAY_VERSION` to the version with the commit: "0.1.0 (1a2b3c4d5e)", or "0.1.0" if the commit is unknown.
//!
//! The commit is the environment variable `MUXTRAY_COMMIT` if set (empty means none), or else that of the git checkout.
//! Neither time nor machine matter, so builds are reproducible.
//!
//! Makes a table of each gettext catalogue in `src/po`, because reading one takes longer than a whole `muxtray list`.

#[path = "src/i18n/po.rs"]
mod po;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// Digits of the commit that are shown.
const LENGTH: usize = 10;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    make_tables()?;
    println!("cargo::rerun-if-env-changed=MUXTRAY_COMMIT");
    let mut version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = env::var("MUXTRAY_COMMIT").ok().or_else(head);
    let commit: String = commit
        .iter()
        .flat_map(|commit| commit.chars())
        .take_while(char::is_ascii_hexdigit)
        .take(LENGTH)
        .collect();
    if !commit.is_empty() {
        version += &format!(" ({commit})");
    }
    println!("cargo::rustc-env=MUXTRAY_VERSION={version}");
    Ok(())
}

/// Makes the table `de` of `src/po/de.po`, and so on.
fn make_tables() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/po");
    println!("cargo::rerun-if-changed=src/i18n/po.rs");
    let output = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    for entry in fs::read_dir("src/po")? {
        let path = entry?.path();
        if let Some(name) = path.file_stem()
            && path.extension() == Some(OsStr::new("po"))
        {
            let table = po::table(&fs::read_to_string(&path)?);
            fs::write(Path::new(&output).join(name), table)?;
        }
    }
    Ok(())
}

/// The commit that is checked out.
fn head() -> Option<String> {
    let root = env::var("CARGO_MANIFEST_DIR").ok()?;
    // A package may be built inside another repository.
    if !Path::new(&root).join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(&root)
            .args(arguments)
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
    };
    // git writes these with every commit and checkout.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        println!("cargo::rerun-if-changed={path}");
    }
    git(&["rev-parse", "HEAD"])
}
