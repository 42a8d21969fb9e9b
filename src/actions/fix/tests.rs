use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;

use super::*;
use crate::actions::held_socket::tests::target_of;
use crate::tests::skip;

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    (directory, path)
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn close(path: &Path) -> Fix {
    let metadata = path.symlink_metadata().unwrap();
    Fix::CloseDirectory {
        path: path.to_owned(),
        id: DirectoryId {
            device: metadata.dev(),
            inode: metadata.ino(),
        },
    }
}

#[test]
fn creates_missing_directories_with_mode_0700_once() {
    let (_kept, root) = scratch();
    let path = root.join("a/b");
    let fix = Fix::MakeDirectory(path.clone());
    let made = apply(&fix).unwrap().unwrap();
    assert_eq!((mode(&root.join("a")), mode(&path)), (0o700, 0o700));
    assert!(
        made.contains(&format!("(also created: {})", root.join("a").display())),
        "{made}"
    );

    chmod(&path, 0o750);
    assert_eq!(apply(&fix), Ok(None));
    assert_eq!(mode(&path), 0o750, "what was there is left as it is");
}

#[test]
fn creates_no_directory_through_a_symlink() {
    let (_kept, root) = scratch();
    fs::create_dir(root.join("elsewhere")).unwrap();
    symlink("elsewhere", root.join("link")).unwrap();
    let fix = Fix::MakeDirectory(root.join("link/s"));
    assert_eq!(apply(&fix), Err(ActionError::DirectoryChanged));
    assert!(!root.join("elsewhere/s").exists());
    fs::write(root.join("file"), "").unwrap();
    let fix = Fix::MakeDirectory(root.join("file/s"));
    assert_eq!(apply(&fix), Err(ActionError::DirectoryChanged));
}

#[test]
fn close_directory_removes_only_write_permission_of_others() {
    let (_kept, root) = scratch();
    for (from, to) in [
        (0o777, 0o755),
        (0o770, 0o750),
        (0o1777, 0o1755),
        (0o2775, 0o2755),
    ] {
        chmod(&root, from);
        assert!(apply(&close(&root)).unwrap().is_some());
        assert_eq!(mode(&root), to);
        assert_eq!(apply(&close(&root)), Ok(None));
    }
}

/// A directory that its owner may not read can only be opened so.
#[test]
fn mode_of_a_descriptor_without_access_is_set() {
    let (_kept, root) = scratch();
    chmod(&root, 0o333);
    let flags = FLAGS.union(OFlag::O_PATH);
    let directory = openat(AT_FDCWD, &root, flags, Mode::empty()).unwrap();
    assert!(change_mode(&directory, 0o333, 0o311).unwrap().is_some());
    assert_eq!(mode(&root), 0o311);
    chmod(&root, 0o700);
}

#[test]
fn leaves_replaced_directory_alone() {
    let (_kept, root) = scratch();
    let path = root.join("s");
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o777);
    let fix = close(&path);
    fs::rename(&path, root.join("old")).unwrap();
    fs::create_dir(&path).unwrap();
    chmod(&path, 0o777);
    assert_eq!(apply(&fix), Err(ActionError::DirectoryChanged));
    fs::remove_dir(&path).unwrap();
    assert_eq!(apply(&fix), Err(ActionError::DirectoryChanged));
    symlink("old", &path).unwrap();
    assert_eq!(apply(&fix), Err(ActionError::DirectoryChanged));
    assert_eq!(mode(&root.join("old")), 0o777);
}

#[test]
fn leaves_directory_of_other_user_alone() {
    if !nix::unistd::geteuid().is_root() {
        let test = "leaves_directory_of_other_user_alone";
        return skip(test, "only root can change the owner of a directory");
    }
    let (_kept, root) = scratch();
    chmod(&root, 0o777);
    chown(&root, Some(65534), None).unwrap();
    let not_ours = HoldError::NotOurs(UserId(65534));
    assert_eq!(apply(&close(&root)), Err(not_ours.into()));
    assert_eq!(mode(&root), 0o777);
}

#[test]
fn close_socket_changes_only_the_judged_socket() {
    let (_kept, root) = scratch();
    let path = root.join("u@h-22");
    let _listener = UnixListener::bind(&path).unwrap();
    chmod(&path, 0o666);
    let fix = Fix::CloseSocket(target_of(&path));
    let fixed = apply(&fix).unwrap();
    assert_eq!(fixed.as_deref(), Some("mode changed from 0666 to 0600"));
    assert_eq!(mode(&path), 0o600);
    let again = apply(&Fix::CloseSocket(target_of(&path)));
    assert_eq!(again, Ok(None));

    fs::remove_file(&path).unwrap();
    assert_eq!(apply(&fix), Ok(None));
    let _successor = UnixListener::bind(&path).unwrap();
    assert_eq!(apply(&fix), Err(HoldError::Changed.into()));
}
