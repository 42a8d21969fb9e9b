use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;

use super::*;
use crate::actions::held::tests::target_of;
use crate::tests::skip;

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    (directory, path)
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
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
fn a_missing_directory_is_made_for_the_user_alone_and_once() {
    let (_kept, root) = scratch();
    let path = root.join("a/b");
    let fix = Fix::MakeDirectory(path.clone());
    let made = mend(&fix).unwrap();
    assert_eq!(made, Mended::Made(vec![root.join("a"), path.clone()]));
    assert_eq!((mode(&root.join("a")), mode(&path)), (0o700, 0o700));
    assert!(made.to_string().ends_with("/a/b, mode 0700"), "{made}");

    set_mode(&path, 0o750);
    let again = mend(&fix).unwrap();
    assert!(!again.is_change());
    assert_eq!(mode(&path), 0o750, "what was there is left as it is");
}

#[test]
fn a_directory_is_not_made_through_a_symlink() {
    let (_kept, root) = scratch();
    fs::create_dir(root.join("elsewhere")).unwrap();
    symlink("elsewhere", root.join("link")).unwrap();
    let fix = Fix::MakeDirectory(root.join("link/s"));
    assert_eq!(mend(&fix), Err(MendError::Changed));
    assert!(!root.join("elsewhere/s").exists());
    fs::write(root.join("file"), "").unwrap();
    let fix = Fix::MakeDirectory(root.join("file/s"));
    assert_eq!(mend(&fix), Err(MendError::Changed));
}

#[test]
fn others_lose_the_write_permission_and_nothing_else() {
    let (_kept, root) = scratch();
    for (from, to) in [
        (0o777, 0o755),
        (0o770, 0o750),
        (0o1777, 0o1755),
        (0o2775, 0o2755),
    ] {
        set_mode(&root, from);
        let mended = mend(&close(&root)).unwrap();
        assert_eq!(
            mended,
            Mended::Closed {
                path: root.clone(),
                from,
                to
            }
        );
        assert_eq!(mode(&root), to);
        assert!(!mend(&close(&root)).unwrap().is_change());
    }
}

#[test]
fn another_directory_at_the_path_is_left_alone() {
    let (_kept, root) = scratch();
    let path = root.join("s");
    fs::create_dir(&path).unwrap();
    set_mode(&path, 0o777);
    let fix = close(&path);
    fs::rename(&path, root.join("old")).unwrap();
    fs::create_dir(&path).unwrap();
    set_mode(&path, 0o777);
    assert_eq!(mend(&fix), Err(MendError::Changed));
    fs::remove_dir(&path).unwrap();
    assert_eq!(mend(&fix), Err(MendError::Changed));
    symlink("old", &path).unwrap();
    assert_eq!(mend(&fix), Err(MendError::Changed));
    assert_eq!(mode(&root.join("old")), 0o777);
}

#[test]
fn another_users_directory_is_left_alone() {
    if !nix::unistd::geteuid().is_root() {
        return skip(
            "another_users_directory_is_left_alone",
            "only root can give a directory away",
        );
    }
    let (_kept, root) = scratch();
    let path = root.join("s");
    fs::create_dir(&path).unwrap();
    set_mode(&path, 0o777);
    chown(&path, Some(65534), None).unwrap();
    assert_eq!(mend(&close(&path)), Err(MendError::NotOurs(UserId(65534))));
    assert_eq!(mode(&path), 0o777);
}

#[test]
fn a_socket_is_closed_to_others_and_only_the_one_that_was_judged() {
    let (_kept, root) = scratch();
    let path = root.join("u@h-22");
    let _listener = UnixListener::bind(&path).unwrap();
    set_mode(&path, 0o666);
    let fix = Fix::CloseSocket(target_of(&path));
    let mended = mend(&fix).unwrap();
    assert_eq!(
        mended.to_string(),
        format!("changed the mode of {} from 0666 to 0600", path.display())
    );
    assert_eq!(mode(&path), 0o600);
    assert!(
        !mend(&Fix::CloseSocket(target_of(&path)))
            .unwrap()
            .is_change()
    );

    fs::remove_file(&path).unwrap();
    assert_eq!(mend(&fix), Ok(Mended::Nothing(path.clone())));
    let _successor = UnixListener::bind(&path).unwrap();
    assert_eq!(mend(&fix), Err(MendError::Unfit(Unfit::Changed)));
}

#[test]
fn a_stale_socket_is_cleaned_and_a_live_one_is_not() {
    let (_kept, root) = scratch();
    let path = root.join("u@h-22");
    let listener = UnixListener::bind(&path).unwrap();
    let fix = Fix::Clean {
        target: target_of(&path),
        is_leftover: false,
    };
    assert_eq!(mend(&fix), Err(MendError::Clean(CleanError::Live)));
    drop(listener);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    // A child that another test forks at this moment holds the listener until it has become its program.
    while mend(&fix) == Err(MendError::Clean(CleanError::Live)) {
        assert!(std::time::Instant::now() < deadline);
    }
    assert!(!path.exists());
    assert_eq!(mend(&fix), Ok(Mended::Nothing(path)));
}
