//! Sets `MUXTRAY_VERSION` to the version with the commit: "0.1.0 (1a2b3c4d5e)", or "0.1.0" if the commit is unknown.
//!
//! The commit is the environment variable `MUXTRAY_COMMIT` if set (empty means none), or else read from `.git` beside the
//! manifest. Directories above are ignored, since a package may be built inside another repository. No program runs, and
//! neither time nor machine matter, so builds are reproducible.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Digits of the commit that are shown.
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

/// The commit that is checked out. Registers every file that decides it, so that the next commit causes a rebuild.
fn head(git: &Path) -> Option<String> {
    let own = directory(git)?;
    let head = read(&own.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else {
        return Some(head);
    };
    // A worktree has its own HEAD and shares the rest with its repository; see gitrepository-layout(5).
    let shared = match fs::read_to_string(own.join("commondir")) {
        Ok(path) => own.join(path.trim_end()),
        Err(_) => own,
    };
    let loose = shared.join(reference);
    if loose.is_file() {
        return read(&loose);
    }
    // The next commit creates the file of a packed reference.
    if let Some(there) = loose.ancestors().find(|path| path.is_dir()) {
        println!("cargo::rerun-if-changed={}", there.display());
    }
    let packed = read(&shared.join("packed-refs"))?;
    packed
        .lines()
        .find_map(|line| Some(line.strip_suffix(reference)?.strip_suffix(' ')?.to_owned()))
}

/// The git directory: `.git` itself, or the one that a file in its place names, as in a worktree.
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
