use std::cell::{Cell, RefCell};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::*;
use crate::actions::held_socket::tests::target_of;
use crate::actions::kernel::LiveKernel;
use crate::model::socket::FileKind;

/// Cleans a file that an interrupted clean has left, whichever file it is.
fn recover(
    kernel: &impl Kernel,
    aside: &ControlPath,
    now: SystemTime,
) -> Result<Cleaned, CleanError> {
    let target = Target {
        path: aside.clone(),
        id: None,
        cookie: None,
    };
    clean(kernel, &target, Remnant::Aside, now)
}

/// A kernel with some answers replaced.
#[derive(Default)]
struct Answers {
    filesystem: Option<Filesystem>,
    connect: Option<Connect>,
    connects: Cell<u32>,
}

impl Kernel for Answers {
    fn filesystem(&self, directory: &Path) -> Filesystem {
        self.filesystem
            .clone()
            .unwrap_or_else(|| LiveKernel.filesystem(directory))
    }

    fn connect(&self, socket: &fs::File) -> Connect {
        self.connects.set(self.connects.get() + 1);
        self.connect
            .clone()
            .unwrap_or_else(|| LiveKernel.connect(socket))
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
        let mut names: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A time at which every socket of a test counts as old.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(61)
}

fn clean_now(path: &Path, remnant: Remnant) -> Result<Cleaned, CleanError> {
    clean(&LiveKernel, &target_of(path), remnant, SystemTime::now())
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
    let would = would_clean(&LiveKernel, &target, Remnant::Stale, SystemTime::now());
    assert_eq!(would, Ok(Cleaned::Removed));
    assert_eq!(scene.names(), ["u@h-22"]);
    let cleaned = clean(&LiveKernel, &target, Remnant::Stale, SystemTime::now());
    assert_eq!(cleaned, Ok(Cleaned::Removed));
    assert!(scene.names().is_empty());
    let again = clean(&LiveKernel, &target, Remnant::Stale, SystemTime::now());
    assert_eq!(again, Err(HoldError::Missing.into()));
}

#[test]
fn does_not_connect_to_live_socket() {
    let scene = Scene::new();
    let listener = UnixListener::bind(scene.at("u@h-22")).unwrap();
    let target = target_of(&scene.at("u@h-22"));
    for result in [
        would_clean(&LiveKernel, &target, Remnant::Stale, later()),
        clean(&LiveKernel, &target, Remnant::Stale, later()),
        clean(&LiveKernel, &target, Remnant::Leftover, later()),
    ] {
        assert_eq!(result, Err(CleanError::Live));
    }
    assert!(is_untouched(&listener));
    assert_eq!(scene.names(), ["u@h-22"]);
}

#[test]
fn keeps_socket_not_proven_stale() {
    let answers = |filesystem, connect| Answers {
        filesystem,
        connect,
        connects: Cell::new(0),
    };
    for (kernel, error, connects) in [
        (
            answers(Some(Filesystem::Network("nfs")), None),
            CleanError::NetworkFilesystem("nfs"),
            0,
        ),
        (
            answers(Some(Filesystem::Unknown), None),
            CleanError::UnknownFilesystem,
            0,
        ),
        // Another network namespace: missing in the table, but connect succeeds.
        (answers(None, Some(Connect::Accepted)), CleanError::Live, 1),
        (answers(None, Some(Connect::Full)), CleanError::Live, 1),
        (
            answers(None, Some(Connect::Denied)),
            CleanError::Unproven("permission denied on connect".to_owned()),
            1,
        ),
        (
            answers(None, Some(Connect::Failed("Wrong type".to_owned()))),
            CleanError::Unproven("Wrong type".to_owned()),
            1,
        ),
    ] {
        let scene = Scene::new();
        let target = target_of(&scene.stale("u@h-22"));
        let cleaned = clean(&kernel, &target, Remnant::Stale, later());
        assert_eq!(cleaned, Err(error.clone()));
        assert_eq!(kernel.connects.get(), connects);
        let would = would_clean(&kernel, &target, Remnant::Stale, later());
        assert_eq!(would, Err(error));
        assert_eq!(scene.names(), ["u@h-22"]);
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
    let cleaned = clean(&LiveKernel, &target, Remnant::Stale, later());
    assert_eq!(cleaned, Err(HoldError::Changed.into()));
    let unknown = Target {
        id: None,
        ..target.clone()
    };
    let cleaned = clean(&LiveKernel, &unknown, Remnant::Stale, later());
    assert_eq!(cleaned, Err(HoldError::Missing.into()));
    assert_eq!(scene.names(), ["u@h-22"]);
    fs::remove_dir_all(scene.directory.path()).unwrap();
    let cleaned = clean(&LiveKernel, &target, Remnant::Stale, later());
    assert_eq!(cleaned, Err(HoldError::Missing.into()));
}

#[test]
fn keeps_files_that_are_not_sockets() {
    let scene = Scene::new();
    std::os::unix::fs::symlink(scene.at("loop"), scene.at("loop")).unwrap();
    fs::create_dir(scene.at("directory")).unwrap();
    fs::write(scene.at("file"), "").unwrap();
    nix::unistd::mkfifo(&scene.at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let before = scene.names();
    for (name, kind) in [
        ("loop", FileKind::Symlink),
        ("directory", FileKind::Directory),
        ("file", FileKind::Regular),
        ("fifo", FileKind::Fifo),
    ] {
        let cleaned = clean(
            &LiveKernel,
            &target_of(&scene.at(name)),
            Remnant::Stale,
            later(),
        );
        assert_eq!(cleaned, Err(HoldError::NotASocket(kind).into()), "{name}");
    }
    assert_eq!(scene.names(), before);
}

#[test]
fn cleans_directory_behind_symlink() {
    let scene = Scene::new();
    fs::create_dir(scene.at("real")).unwrap();
    std::os::unix::fs::symlink(scene.at("real"), scene.at("link")).unwrap();
    drop(UnixListener::bind(scene.at("real/s")).unwrap());
    let cleaned = clean_now(&scene.at("link/s"), Remnant::Stale);
    assert_eq!(cleaned, Ok(Cleaned::Removed));
    assert!(!scene.at("real/s").exists());
    assert!(scene.at("link").is_symlink());
}

#[test]
fn keeps_temporary_name_for_a_minute() {
    const TEMPORARY: &str = "u@h-22.yDXYs2d7ScOlhAEI";
    let scene = Scene::new();
    for kind in [Remnant::Leftover, Remnant::Stale] {
        let path = scene.stale(TEMPORARY);
        let bound = fs::metadata(&path).unwrap().modified().unwrap();
        for (age, result) in [
            (Duration::ZERO, Err(CleanError::TooYoung)),
            (
                LEFTOVER_AFTER - Duration::from_nanos(1),
                Err(CleanError::TooYoung),
            ),
            (LEFTOVER_AFTER, Ok(Cleaned::Removed)),
        ] {
            let target = target_of(&path);
            let would = would_clean(&LiveKernel, &target, kind, bound + age);
            assert_eq!(would, result);
            assert_eq!(clean(&LiveKernel, &target, kind, bound + age), result);
        }
        assert!(scene.names().is_empty());
    }
    // With a clock that was set back.
    let path = scene.stale(TEMPORARY);
    let before = SystemTime::now() - Duration::from_secs(3600);
    let cleaned = clean(&LiveKernel, &target_of(&path), Remnant::Leftover, before);
    assert_eq!(cleaned, Err(CleanError::TooYoung));
}

/// Cleans a stale socket, calling `happen` at each step.
fn clean_with_changes(
    scene: &Scene,
    happen: &dyn Fn(CleanStep),
) -> (Result<Cleaned, CleanError>, Vec<CleanStep>) {
    let target = target_of(&scene.at("u@h-22"));
    let steps = RefCell::new(Vec::new());
    let cleaned = clean_with_hook(
        &LiveKernel,
        &target,
        Remnant::Stale,
        SystemTime::now(),
        &|step| {
            steps.borrow_mut().push(step);
            happen(step);
        },
    );
    (cleaned, steps.into_inner())
}

#[test]
fn puts_back_master_that_took_the_path() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let successor = RefCell::new(None);
    let (cleaned, steps) = clean_with_changes(&scene, &|step| {
        if step == CleanStep::Judged {
            fs::remove_file(&path).unwrap();
            successor.replace(Some(UnixListener::bind(&path).unwrap()));
        }
    });
    assert_eq!(cleaned, Err(HoldError::Changed.into()));
    assert_eq!(
        steps,
        [
            CleanStep::Judged,
            CleanStep::Renamed,
            CleanStep::PuttingBack,
            CleanStep::PutBack
        ]
    );
    assert_eq!(scene.names(), ["u@h-22"]);
    let successor = successor.into_inner().unwrap();
    assert!(is_untouched(&successor));
    let _client = UnixStream::connect(&path).unwrap();
    successor.accept().unwrap();
}

#[test]
fn puts_back_regular_file_that_took_the_path() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let (cleaned, _) = clean_with_changes(&scene, &|step| {
        if step == CleanStep::Judged {
            fs::remove_file(&path).unwrap();
            fs::write(&path, "precious").unwrap();
        }
    });
    assert_eq!(
        cleaned,
        Err(HoldError::NotASocket(FileKind::Regular).into())
    );
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn puts_back_socket_that_gets_a_listener() {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
    };
    let scene = Scene::new();
    let path = scene.at("u@h-22");
    let bound = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::empty(),
        None,
    )
    .unwrap();
    bind(bound.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    let (cleaned, steps) = clean_with_changes(&scene, &|step| {
        if step == CleanStep::Renamed {
            listen(&bound, Backlog::new(1).unwrap()).unwrap();
        }
    });
    assert_eq!(cleaned, Err(CleanError::Live));
    assert_eq!(steps.last(), Some(&CleanStep::PutBack));
    assert_eq!(scene.names(), ["u@h-22"]);
}

#[test]
fn keeps_both_of_two_masters() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let masters = RefCell::new(Vec::new());
    let (cleaned, steps) = clean_with_changes(&scene, &|step| match step {
        CleanStep::Judged => {
            fs::remove_file(&path).unwrap();
            masters
                .borrow_mut()
                .push(UnixListener::bind(&path).unwrap());
        }
        CleanStep::PuttingBack => masters
            .borrow_mut()
            .push(UnixListener::bind(&path).unwrap()),
        CleanStep::Renamed | CleanStep::Removing | CleanStep::PutBack => {}
    });
    let aside = scene.at(".muxtray-aside.u@h-22");
    let left = CleanError::LeftAside {
        aside: aside.clone(),
    };
    assert_eq!(cleaned, Err(left.clone()));
    assert_eq!(steps.last(), Some(&CleanStep::PuttingBack));
    let mut masters = masters.into_inner();
    let _clients = [
        UnixStream::connect(&aside).unwrap(),
        UnixStream::connect(&path).unwrap(),
    ];
    for master in &masters {
        master.accept().unwrap();
    }

    // Neither file is changed while both have a listener.
    let target = target_of(&aside);
    let would = would_clean(&LiveKernel, &target, Remnant::Aside, later());
    assert_eq!(would, Err(left.clone()));
    let recovered = clean(&LiveKernel, &target, Remnant::Aside, later());
    assert_eq!(recovered, Err(left));
    // The temporary name is not overwritten.
    drop(masters.pop());
    let taken = CleanError::AsideTaken(aside.clone());
    let target = target_of(&path);
    let would = would_clean(&LiveKernel, &target, Remnant::Stale, later());
    assert_eq!(would, Err(taken.clone()));
    assert_eq!(
        clean(&LiveKernel, &target, Remnant::Stale, later()),
        Err(taken)
    );
    drop(masters);
    for path in [aside, path] {
        assert_eq!(clean_now(&path, Remnant::Stale), Ok(Cleaned::Removed));
    }
    assert!(scene.names().is_empty());
}

#[test]
fn finishes_interrupted_clean() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let aside = ControlPath::new(scene.at(".muxtray-aside.u@h-22")).unwrap();
    let cut_short = |swap: bool| {
        let listener = RefCell::new(None);
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            clean_with_changes(&scene, &|step| match step {
                CleanStep::Judged if swap => {
                    fs::remove_file(&path).unwrap();
                    listener.replace(Some(UnixListener::bind(&path).unwrap()));
                }
                CleanStep::Judged => {}
                CleanStep::Renamed
                | CleanStep::Removing
                | CleanStep::PuttingBack
                | CleanStep::PutBack => std::panic::resume_unwind(Box::new("power failed")),
            })
        }));
        assert!(died.is_err());
        assert_eq!(scene.names(), [".muxtray-aside.u@h-22"]);
        listener.into_inner()
    };

    let listener = cut_short(true).unwrap();
    let home = ControlPath::new(&path).unwrap();
    let target = target_of(aside.as_path());
    let would = would_clean(&LiveKernel, &target, Remnant::Aside, SystemTime::now());
    assert_eq!(would, Ok(Cleaned::PutBack(home.clone())));
    let recovered = recover(&LiveKernel, &aside, SystemTime::now());
    assert_eq!(recovered, Ok(Cleaned::PutBack(home)));
    assert_eq!(scene.names(), ["u@h-22"]);
    assert!(is_untouched(&listener));
    drop(listener);

    assert!(cut_short(false).is_none());
    let target = target_of(aside.as_path());
    let would = would_clean(&LiveKernel, &target, Remnant::Aside, SystemTime::now());
    assert_eq!(would, Ok(Cleaned::Removed));
    let recovered = recover(&LiveKernel, &aside, SystemTime::now());
    assert_eq!(recovered, Ok(Cleaned::Removed));
    assert!(scene.names().is_empty());
    let again = recover(&LiveKernel, &aside, SystemTime::now());
    assert_eq!(again, Err(HoldError::Missing.into()));
}

#[test]
fn puts_back_start_in_progress() {
    let scene = Scene::new();
    let aside = scene.stale(".muxtray-aside.u@h-22.yDXYs2d7ScOlhAEI");
    let home = ControlPath::new(scene.at("u@h-22.yDXYs2d7ScOlhAEI")).unwrap();
    assert_eq!(
        clean_now(&aside, Remnant::Aside),
        Ok(Cleaned::PutBack(home))
    );
    assert_eq!(scene.names(), ["u@h-22.yDXYs2d7ScOlhAEI"]);
}

#[test]
fn finishes_only_names_of_muxtray() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    assert_eq!(clean_now(&path, Remnant::Aside), Err(CleanError::NotAside));
    fs::write(scene.at(".muxtray-aside.file"), "").unwrap();
    assert_eq!(
        clean_now(&scene.at(".muxtray-aside.file"), Remnant::Aside),
        Err(HoldError::NotASocket(FileKind::Regular).into())
    );
    let network = Answers {
        filesystem: Some(Filesystem::Network("nfs")),
        ..Answers::default()
    };
    let target = target_of(&scene.stale(".muxtray-aside.s"));
    let cleaned = clean(&network, &target, Remnant::Aside, later());
    assert_eq!(cleaned, Err(CleanError::NetworkFilesystem("nfs")));
    assert_eq!(
        scene.names(),
        [".muxtray-aside.file", ".muxtray-aside.s", "u@h-22"]
    );
}

#[test]
fn cleans_long_names_up_to_the_limit_of_the_filesystem() {
    for (length, result) in [
        (107, Ok(Cleaned::Removed)),
        (240, Ok(Cleaned::Removed)),
        (241, Err(CleanError::NameTooLong)),
        (255, Err(CleanError::NameTooLong)),
    ] {
        let scene = Scene::new();
        let path = scene.stale(&"n".repeat(length));
        assert_eq!(clean_now(&path, Remnant::Stale), result, "{length}");
        assert_eq!(scene.names().len(), usize::from(result.is_err()));
    }
}

#[test]
fn waits_for_lock_of_directory() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let lock = fs::File::open(scene.directory.path()).unwrap();
    lock.lock().unwrap();
    assert_eq!(clean_now(&path, Remnant::Stale), Err(CleanError::Busy));
    drop(lock);
    assert_eq!(clean_now(&path, Remnant::Stale), Ok(Cleaned::Removed));
}

#[test]
fn reports_directory_without_write_permission() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let set_mode = |mode| {
        fs::set_permissions(scene.directory.path(), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(0o555);
    let target = target_of(&path);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if nix::unistd::geteuid().is_root() {
                // Root may write anywhere, but this thread gives that up: it ends with the test.
                nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            }
            let would = would_clean(&LiveKernel, &target, Remnant::Stale, later());
            assert_eq!(would, Err(CleanError::DirectoryDenied));
            let cleaned = clean(&LiveKernel, &target, Remnant::Stale, later());
            assert_eq!(cleaned, Err(CleanError::DirectoryDenied));
        });
    });
    set_mode(0o755);
    assert_eq!(fs::metadata(&path).unwrap().ino(), target.id.unwrap().inode);
}
