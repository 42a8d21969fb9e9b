use std::cell::{Cell, RefCell};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;
use crate::actions::held_socket::tests::target_of;
use crate::actions::kernel::LiveKernel;
use crate::model::socket::FileKind;

/// A kernel with some answers replaced.
#[derive(Default)]
struct Answers {
    filesystem: Option<Filesystem>,
    connect: Option<Connect>,
    connects: Cell<u32>,
}

impl Kernel for Answers {
    fn filesystem(&self, directory: &Path) -> Filesystem {
        let answer = self.filesystem.clone();
        answer.unwrap_or_else(|| LiveKernel.filesystem(directory))
    }

    fn connect(&self, socket: &fs::File) -> Connect {
        self.connects.set(self.connects.get() + 1);
        let answer = self.connect.clone();
        answer.unwrap_or_else(|| LiveKernel.connect(socket))
    }
}

struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A socket of this name that nobody listens on, however long the name is.
    fn stale(&self, name: &str) -> PathBuf {
        let made = self.at("made");
        drop(UnixListener::bind(&made).unwrap());
        fs::rename(&made, self.at(name)).unwrap();
        self.at(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }
}

/// A time at which every socket of a test counts as old.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(61)
}

fn clean_now(path: &Path) -> Result<Cleaned, ActionError> {
    clean(&LiveKernel, &target_of(path), SystemTime::now())
}

/// The result of a dry run, which must be that of the clean that follows.
fn clean_as_planned(
    kernel: &impl Kernel,
    target: &Target,
    now: SystemTime,
) -> Result<Cleaned, ActionError> {
    let planned = would_clean(kernel, target, now);
    assert_eq!(clean(kernel, target, now), planned);
    planned
}

fn is_untouched(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener
        .accept()
        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn removes_stale_socket() {
    let scene = Scene::new();
    let target = target_of(&scene.stale("u@h-22"));
    let planned = would_clean(&LiveKernel, &target, SystemTime::now());
    assert_eq!(planned, Ok(Cleaned::Removed));
    assert_eq!(scene.names(), ["u@h-22"]);
    let clean = || clean(&LiveKernel, &target, SystemTime::now());
    assert_eq!(clean(), Ok(Cleaned::Removed));
    assert!(scene.names().is_empty());
    assert_eq!(clean(), Err(HoldError::Missing.into()));
}

#[test]
fn does_not_connect_to_live_socket() {
    let scene = Scene::new();
    let listener = UnixListener::bind(scene.at("u@h-22")).unwrap();
    let target = target_of(&scene.at("u@h-22"));
    let cleaned = clean_as_planned(&LiveKernel, &target, later());
    assert_eq!(cleaned, Err(ActionError::Live));
    assert!(is_untouched(&listener));
    assert_eq!(scene.names(), ["u@h-22"]);
}

#[test]
fn keeps_socket_not_proven_stale() {
    for (filesystem, connect, error) in [
        (Some(Filesystem::Network("nfs")), None, "(nfs)"),
        (Some(Filesystem::Unknown), None, "type cannot be read"),
        // Another network namespace: missing in the table, but connect succeeds.
        (None, Some(Connect::Accepted), "a process listens on it"),
        (None, Some(Connect::Full), "a process listens on it"),
        (None, Some(Connect::Denied), "permission denied on connect"),
        (None, Some(Connect::Failed("Odd".to_owned())), "Odd"),
    ] {
        for name in ["u@h-22", ".muxtray-aside.u@h-22"] {
            let scene = Scene::new();
            let target = target_of(&scene.stale(name));
            let kernel = Answers {
                filesystem: filesystem.clone(),
                connect: connect.clone(),
                connects: Cell::new(0),
            };
            let cleaned = clean_as_planned(&kernel, &target, later());
            let connects = if connect.is_some() { 2 } else { 0 };
            assert_eq!(kernel.connects.get(), connects, "{error}");
            if connect.is_some() && name != "u@h-22" {
                assert!(matches!(cleaned, Ok(Cleaned::PutBack(_))), "{cleaned:?}");
            } else {
                assert!(cleaned.unwrap_err().to_string().contains(error), "{error}");
                assert_eq!(scene.names(), [name]);
            }
        }
    }
}

#[test]
fn keeps_file_other_than_judged() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let target = target_of(&path);
    // Keeps the inode from being reused: on some kernels the change time has a resolution of milliseconds.
    let _held = HeldSocket::open(&target).unwrap();
    fs::remove_file(&path).unwrap();
    scene.stale("u@h-22");
    let clean = |target: &Target| clean(&LiveKernel, target, later());
    assert_eq!(clean(&target), Err(HoldError::Changed.into()));
    let unknown = Target {
        id: None,
        ..target.clone()
    };
    assert_eq!(clean(&unknown), Err(HoldError::Missing.into()));
    assert_eq!(scene.names(), ["u@h-22"]);
    fs::remove_dir_all(scene.directory.path()).unwrap();
    assert_eq!(clean(&target), Err(HoldError::Missing.into()));
}

#[test]
fn keeps_file_that_is_not_a_socket() {
    let scene = Scene::new();
    for name in ["file", ".muxtray-aside.file"] {
        fs::write(scene.at(name), "").unwrap();
        let not_a_socket = HoldError::NotASocket(FileKind::Regular);
        assert_eq!(clean_now(&scene.at(name)), Err(not_a_socket.into()));
        assert!(scene.at(name).exists());
    }
}

#[test]
fn cleans_directory_behind_symlink() {
    let scene = Scene::new();
    fs::create_dir(scene.at("real")).unwrap();
    std::os::unix::fs::symlink(scene.at("real"), scene.at("link")).unwrap();
    drop(UnixListener::bind(scene.at("real/s")).unwrap());
    assert_eq!(clean_now(&scene.at("link/s")), Ok(Cleaned::Removed));
    assert!(!scene.at("real/s").exists());
    assert!(scene.at("link").is_symlink());
}

#[test]
fn keeps_temporary_name_for_a_minute() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22.yDXYs2d7ScOlhAEI");
    let bound = fs::metadata(&path).unwrap().modified().unwrap();
    let target = target_of(&path);
    let nanosecond = Duration::from_nanos(1);
    for (now, result) in [
        (bound, Err(ActionError::TooYoung)),
        // With a clock that was set back.
        (bound - LEFTOVER_AFTER, Err(ActionError::TooYoung)),
        (
            bound + LEFTOVER_AFTER - nanosecond,
            Err(ActionError::TooYoung),
        ),
        (bound + LEFTOVER_AFTER, Ok(Cleaned::Removed)),
    ] {
        assert_eq!(clean_as_planned(&LiveKernel, &target, now), result);
    }
    // After an interrupted clean it gets its name again.
    let aside = scene.stale(".muxtray-aside.u@h-22.yDXYs2d7ScOlhAEI");
    let home = ControlPath::new(&path).unwrap();
    assert_eq!(clean_now(&aside), Ok(Cleaned::PutBack(home)));
}

/// Cleans a stale socket, calling `happen` at each step.
fn clean_with_changes(
    scene: &Scene,
    happen: &dyn Fn(CleanStep),
) -> (Result<Cleaned, ActionError>, Vec<CleanStep>) {
    let target = target_of(&scene.at("u@h-22"));
    let steps = RefCell::new(Vec::new());
    let cleaned = clean_with_hook(&LiveKernel, &target, SystemTime::now(), &|step| {
        steps.borrow_mut().push(step);
        happen(step);
    });
    (cleaned, steps.into_inner())
}

#[test]
fn puts_back_file_that_took_the_path() {
    let master = RefCell::new(None);
    let bind = |path: &Path| drop(master.replace(Some(UnixListener::bind(path).unwrap())));
    let write = |path: &Path| fs::write(path, "precious").unwrap();
    for (take, error) in [
        (&bind as &dyn Fn(&Path), HoldError::Changed),
        (&write, HoldError::NotASocket(FileKind::Regular)),
    ] {
        let scene = Scene::new();
        let path = scene.stale("u@h-22");
        let (cleaned, steps) = clean_with_changes(&scene, &|step| {
            if step == CleanStep::Judged {
                fs::remove_file(&path).unwrap();
                take(&path);
            }
        });
        assert_eq!(cleaned, Err(error.into()));
        use CleanStep::{Judged, PutBack, PuttingBack, Renamed};
        assert_eq!(steps, [Judged, Renamed, PuttingBack, PutBack]);
        assert_eq!(scene.names(), ["u@h-22"]);
        match master.take() {
            Some(master) => assert!(is_untouched(&master)),
            None => assert_eq!(fs::read(&path).unwrap(), b"precious"),
        }
    }
}

#[test]
fn puts_back_socket_that_gets_a_listener() {
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
    use nix::sys::socket::{bind, listen, socket};
    let scene = Scene::new();
    let path = scene.at("u@h-22");
    let flags = SockFlag::empty();
    let bound = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    bind(bound.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    let (cleaned, steps) = clean_with_changes(&scene, &|step| {
        if step == CleanStep::Renamed {
            listen(&bound, Backlog::new(1).unwrap()).unwrap();
        }
    });
    assert_eq!(cleaned, Err(ActionError::Live));
    assert_eq!(steps.last(), Some(&CleanStep::PutBack));
    assert_eq!(scene.names(), ["u@h-22"]);
}

#[test]
fn keeps_both_of_two_masters() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let masters = RefCell::new(Vec::new());
    let bind = || {
        let master = UnixListener::bind(&path).unwrap();
        masters.borrow_mut().push(master);
    };
    let (cleaned, steps) = clean_with_changes(&scene, &|step| match step {
        CleanStep::Judged => {
            fs::remove_file(&path).unwrap();
            bind();
        }
        CleanStep::PuttingBack => bind(),
        CleanStep::Renamed | CleanStep::Removing | CleanStep::PutBack => {}
    });
    let aside = ControlPath::new(scene.at(".muxtray-aside.u@h-22")).unwrap();
    let left = Err(ActionError::LeftAside(aside.clone()));
    assert_eq!(cleaned, left);
    assert_eq!(steps.last(), Some(&CleanStep::PuttingBack));
    let mut masters = masters.into_inner();

    // Neither file is changed while both have a listener.
    let target = target_of(aside.as_path());
    assert_eq!(clean_as_planned(&LiveKernel, &target, later()), left);
    assert!(masters.iter().all(is_untouched));
    // The temporary name is not overwritten.
    drop(masters.pop());
    let taken = Err(ActionError::AsideTaken(aside.clone()));
    let target = target_of(&path);
    assert_eq!(clean_as_planned(&LiveKernel, &target, later()), taken);
    drop(masters);
    for path in [aside.as_path(), &path] {
        assert_eq!(clean_now(path), Ok(Cleaned::Removed));
    }
    assert!(scene.names().is_empty());
}

#[test]
fn cleans_long_names_up_to_the_limit_of_the_filesystem() {
    for (length, fits) in [(107, true), (240, true), (241, false), (255, false)] {
        let scene = Scene::new();
        let path = scene.stale(&"n".repeat(length));
        assert_eq!(clean_now(&path).is_ok(), fits, "{length}");
        assert_eq!(path.exists(), !fits);
    }
}

#[test]
fn waits_for_lock_of_directory() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let lock = fs::File::open(scene.directory.path()).unwrap();
    lock.lock().unwrap();
    assert_eq!(clean_now(&path), Err(ActionError::Busy));
    drop(lock);
    assert_eq!(clean_now(&path), Ok(Cleaned::Removed));
}

#[test]
fn reports_directory_without_write_permission() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(&path, 0o777);
    set_mode(scene.directory.path(), 0o555);
    let target = target_of(&path);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if nix::unistd::geteuid().is_root() {
                // Root may write anywhere, but this thread gives that up: it ends with the test.
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            }
            let cleaned = clean_as_planned(&LiveKernel, &target, later());
            assert_eq!(cleaned, Err(directory_error(Errno::EACCES)));
        });
    });
    set_mode(scene.directory.path(), 0o755);
    assert_eq!(fs::metadata(&path).unwrap().ino(), target.id.unwrap().inode);
}
