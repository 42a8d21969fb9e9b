//! Says which commit is built, as `MUXTRAY_VERSION`: "0.1.0 (1a2b3c4d5e)", or "0.1.0" where nothing tells.
//!
//! It reads what git keeps in `.git` beside the manifest and nothing above it: a package may be built inside another
//! repository. Source without `.git` gets its commit from the environment variable `MUXTRAY_COMMIT`, which wins where it
//! is set; set and empty, it leaves the plain version. No program is run, and nothing of the time or the machine goes
//! in, so the same source makes the same build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// How much of a commit's name is told. git takes any unambiguous part.
const LENGTH: usize = 10;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=MUXTRAY_COMMIT");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = match env::var("MUXTRAY_COMMIT") {
        Ok(given) => Some(given),
        Err(_) => env::var_os("CARGO_MANIFEST_DIR")
            .and_then(|root| head(&PathBuf::from(root).join(".git"))),
    };
    let commit: String = commit
        .unwrap_or_default()
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .take(LENGTH)
        .collect();
    let version = if commit.is_empty() {
        version
    } else {
        format!("{version} ({commit})")
    };
    println!("cargo::rustc-env=MUXTRAY_VERSION={version}");
}

/// The commit that is checked out. Cargo is told of every file that decided it, so that the next commit is seen.
fn head(git: &Path) -> Option<String> {
    let own = directory(git)?;
    let head = read(&own.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else {
        return Some(head);
    };
    // A worktree has a HEAD of its own, and shares the rest with the repository it belongs to.
    let shared = match fs::read_to_string(own.join("commondir")) {
        Ok(path) => own.join(path.trim_end()),
        Err(_) => own,
    };
    let loose = shared.join(reference);
    if loose.is_file() {
        return read(&loose);
    }
    // Packed now, it becomes a file of its own with the next commit.
    if let Some(there) = loose.ancestors().find(|path| path.is_dir()) {
        println!("cargo::rerun-if-changed={}", there.display());
    }
    let packed = read(&shared.join("packed-refs"))?;
    packed
        .lines()
        .find_map(|line| Some(line.strip_suffix(reference)?.strip_suffix(' ')?.to_owned()))
}

/// Where git keeps its files: `.git` itself, or what a file in its place names.
fn directory(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let named = read(git)?;
    Some(git.parent()?.join(named.strip_prefix("gitdir: ")?))
}

fn read(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    println!("cargo::rerun-if-changed={}", file.display());
    Some(text.trim_end().to_owned())
}
