use std::cell::{Cell, RefCell};
use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::*;
use crate::actions::held::tests::target_of;
use crate::actions::{Master, System};
use crate::model::socket::{FileKind, Stat};

/// What the next clean does with a file that one which broke off has left, whichever it is.
fn recover(eyes: &impl Eyes, aside: &ControlPath, now: SystemTime) -> Result<Cleaned, CleanError> {
    let target = Target {
        path: aside.clone(),
        id: None,
        cookie: None,
    };
    clean(eyes, &target, Kind::Aside, now)
}

/// The real kernel, but for what a test wants it to say.
#[derive(Default)]
struct Says {
    filesystem: Option<Filesystem>,
    probe: Option<Connect>,
    probes: Cell<u32>,
}

impl Eyes for Says {
    fn is_listened(&self, path: &ControlPath, file: &Stat) -> bool {
        System.is_listened(path, file)
    }

    fn master(&self, _: &ControlPath, _: &Stat) -> Option<Master> {
        None
    }

    fn filesystem(&self, directory: &Path) -> Filesystem {
        self.filesystem
            .clone()
            .unwrap_or_else(|| System.filesystem(directory))
    }

    fn probe(&self, socket: &fs::File) -> Connect {
        self.probes.set(self.probes.get() + 1);
        self.probe.clone().unwrap_or_else(|| System.probe(socket))
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

/// Long after any socket of a test was made.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(61)
}

fn clean_now(path: &Path, kind: Kind) -> Result<Cleaned, CleanError> {
    clean(&System, &target_of(path), kind, SystemTime::now())
}

fn is_untouched(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener
        .accept()
        .is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_stale_socket_is_removed() {
    let scene = Scene::new();
    let target = target_of(&scene.stale("u@h-22"));
    let would = would_clean(&System, &target, Kind::Stale, SystemTime::now());
    assert_eq!(would, Ok(Cleaned::Removed));
    assert_eq!(scene.names(), ["u@h-22"]);
    let cleaned = clean(&System, &target, Kind::Stale, SystemTime::now());
    assert_eq!(cleaned, Ok(Cleaned::Removed));
    assert!(scene.names().is_empty());
    let again = clean(&System, &target, Kind::Stale, SystemTime::now());
    assert_eq!(again, Err(Unfit::Missing.into()));
}

#[test]
fn a_live_socket_is_not_even_connected_to() {
    let scene = Scene::new();
    let listener = UnixListener::bind(scene.at("u@h-22")).unwrap();
    let target = target_of(&scene.at("u@h-22"));
    for result in [
        would_clean(&System, &target, Kind::Stale, later()),
        clean(&System, &target, Kind::Stale, later()),
        clean(&System, &target, Kind::Leftover, later()),
    ] {
        assert_eq!(result, Err(CleanError::Live));
    }
    assert!(is_untouched(&listener));
    assert_eq!(scene.names(), ["u@h-22"]);
}

#[test]
fn what_is_not_proven_stale_stays() {
    let says = |filesystem, probe| Says {
        filesystem,
        probe,
        probes: Cell::new(0),
    };
    for (eyes, error, probes) in [
        (
            says(Some(Filesystem::Network("nfs")), None),
            CleanError::NetworkFilesystem("nfs"),
            0,
        ),
        (
            says(Some(Filesystem::Unknown), None),
            CleanError::UnknownFilesystem,
            0,
        ),
        // Another network namespace: absent from our table, and yet it accepts.
        (says(None, Some(Connect::Accepted)), CleanError::Live, 1),
        (says(None, Some(Connect::Full)), CleanError::Live, 1),
        (
            says(None, Some(Connect::Denied)),
            CleanError::Unproven("permission denied on connect".to_owned()),
            1,
        ),
        (
            says(None, Some(Connect::Failed("Wrong type".to_owned()))),
            CleanError::Unproven("Wrong type".to_owned()),
            1,
        ),
    ] {
        let scene = Scene::new();
        let target = target_of(&scene.stale("u@h-22"));
        let cleaned = clean(&eyes, &target, Kind::Stale, later());
        assert_eq!(cleaned, Err(error.clone()));
        assert_eq!(eyes.probes.get(), probes);
        let would = would_clean(&eyes, &target, Kind::Stale, later());
        assert_eq!(would, Err(error));
        assert_eq!(scene.names(), ["u@h-22"]);
    }
}

#[test]
fn another_file_than_the_one_judged_stays() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let target = target_of(&path);
    // On some kernels a change time has a grain of milliseconds: hold the inode, too, or the new file may have both.
    let _held = Held::of(&target).unwrap();
    fs::remove_file(&path).unwrap();
    scene.stale("u@h-22");
    let cleaned = clean(&System, &target, Kind::Stale, later());
    assert_eq!(cleaned, Err(Unfit::Changed.into()));
    let unknown = Target {
        id: None,
        ..target.clone()
    };
    let cleaned = clean(&System, &unknown, Kind::Stale, later());
    assert_eq!(cleaned, Err(Unfit::Missing.into()));
    assert_eq!(scene.names(), ["u@h-22"]);
    fs::remove_dir_all(scene.directory.path()).unwrap();
    let cleaned = clean(&System, &target, Kind::Stale, later());
    assert_eq!(cleaned, Err(Unfit::Missing.into()));
}

#[test]
fn what_is_no_socket_stays() {
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
        let cleaned = clean(&System, &target_of(&scene.at(name)), Kind::Stale, later());
        assert_eq!(cleaned, Err(Unfit::NotASocket(kind).into()), "{name}");
    }
    assert_eq!(scene.names(), before);
}

#[test]
fn a_directory_behind_a_symlink_is_cleaned_in_its_place() {
    let scene = Scene::new();
    fs::create_dir(scene.at("real")).unwrap();
    std::os::unix::fs::symlink(scene.at("real"), scene.at("link")).unwrap();
    drop(UnixListener::bind(scene.at("real/s")).unwrap());
    let cleaned = clean_now(&scene.at("link/s"), Kind::Stale);
    assert_eq!(cleaned, Ok(Cleaned::Removed));
    assert!(!scene.at("real/s").exists());
    assert!(scene.at("link").is_symlink());
}

#[test]
fn a_temporary_name_must_be_a_minute_old() {
    const TEMPORARY: &str = "u@h-22.yDXYs2d7ScOlhAEI";
    let scene = Scene::new();
    for kind in [Kind::Leftover, Kind::Stale] {
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
            let would = would_clean(&System, &target, kind, bound + age);
            assert_eq!(would, result);
            assert_eq!(clean(&System, &target, kind, bound + age), result);
        }
        assert!(scene.names().is_empty());
    }
    // A clock that was set back proves nothing either.
    let path = scene.stale(TEMPORARY);
    let before = SystemTime::now() - Duration::from_secs(3600);
    let cleaned = clean(&System, &target_of(&path), Kind::Leftover, before);
    assert_eq!(cleaned, Err(CleanError::TooYoung));
}

/// Cleans a stale socket while `happen` meddles at each step.
fn clean_meddled(scene: &Scene, happen: &dyn Fn(Step)) -> (Result<Cleaned, CleanError>, Vec<Step>) {
    let target = target_of(&scene.at("u@h-22"));
    let steps = RefCell::new(Vec::new());
    let cleaned = clean_witnessed(&System, &target, Kind::Stale, SystemTime::now(), &|step| {
        steps.borrow_mut().push(step);
        happen(step);
    });
    (cleaned, steps.into_inner())
}

#[test]
fn a_master_that_comes_in_between_keeps_its_place() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let successor = RefCell::new(None);
    let (cleaned, steps) = clean_meddled(&scene, &|step| {
        if step == Step::Judged {
            fs::remove_file(&path).unwrap();
            successor.replace(Some(UnixListener::bind(&path).unwrap()));
        }
    });
    assert_eq!(cleaned, Err(Unfit::Changed.into()));
    assert_eq!(
        steps,
        [Step::Judged, Step::Taken, Step::PuttingBack, Step::PutBack]
    );
    assert_eq!(scene.names(), ["u@h-22"]);
    let successor = successor.into_inner().unwrap();
    assert!(is_untouched(&successor));
    let _client = UnixStream::connect(&path).unwrap();
    successor.accept().unwrap();
}

#[test]
fn another_kind_of_file_that_comes_in_between_is_put_back() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let (cleaned, _) = clean_meddled(&scene, &|step| {
        if step == Step::Judged {
            fs::remove_file(&path).unwrap();
            fs::write(&path, "precious").unwrap();
        }
    });
    assert_eq!(cleaned, Err(Unfit::NotASocket(FileKind::Regular).into()));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_socket_that_goes_live_while_it_is_taken_is_put_back() {
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
    let (cleaned, steps) = clean_meddled(&scene, &|step| {
        if step == Step::Taken {
            listen(&bound, Backlog::new(1).unwrap()).unwrap();
        }
    });
    assert_eq!(cleaned, Err(CleanError::Live));
    assert_eq!(steps.last(), Some(&Step::PutBack));
    assert_eq!(scene.names(), ["u@h-22"]);
}

#[test]
fn of_two_masters_in_between_both_live_on() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let masters = RefCell::new(Vec::new());
    let (cleaned, steps) = clean_meddled(&scene, &|step| match step {
        Step::Judged => {
            fs::remove_file(&path).unwrap();
            masters
                .borrow_mut()
                .push(UnixListener::bind(&path).unwrap());
        }
        Step::PuttingBack => masters
            .borrow_mut()
            .push(UnixListener::bind(&path).unwrap()),
        Step::Taken | Step::Removing | Step::PutBack => {}
    });
    let aside = scene.at(".muxtray-aside.u@h-22");
    let left = CleanError::LeftAside {
        aside: aside.clone(),
    };
    assert_eq!(cleaned, Err(left.clone()));
    assert_eq!(steps.last(), Some(&Step::PuttingBack));
    let mut masters = masters.into_inner();
    let _clients = [
        UnixStream::connect(&aside).unwrap(),
        UnixStream::connect(&path).unwrap(),
    ];
    for master in &masters {
        master.accept().unwrap();
    }

    // Nothing can be done about it while both live.
    let target = target_of(&aside);
    let would = would_clean(&System, &target, Kind::Aside, later());
    assert_eq!(would, Err(left.clone()));
    let recovered = clean(&System, &target, Kind::Aside, later());
    assert_eq!(recovered, Err(left));
    // And nothing else is taken aside over it.
    drop(masters.pop());
    let taken = CleanError::AsideTaken(aside.clone());
    let target = target_of(&path);
    let would = would_clean(&System, &target, Kind::Stale, later());
    assert_eq!(would, Err(taken.clone()));
    assert_eq!(clean(&System, &target, Kind::Stale, later()), Err(taken));
    drop(masters);
    for path in [aside, path] {
        assert_eq!(clean_now(&path, Kind::Stale), Ok(Cleaned::Removed));
    }
    assert!(scene.names().is_empty());
}

#[test]
fn a_clean_that_was_cut_short_is_settled() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let aside = ControlPath::new(scene.at(".muxtray-aside.u@h-22")).unwrap();
    let cut_short = |swap: bool| {
        let listener = RefCell::new(None);
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            clean_meddled(&scene, &|step| match step {
                Step::Judged if swap => {
                    fs::remove_file(&path).unwrap();
                    listener.replace(Some(UnixListener::bind(&path).unwrap()));
                }
                Step::Judged => {}
                Step::Taken | Step::Removing | Step::PuttingBack | Step::PutBack => {
                    std::panic::resume_unwind(Box::new("power failed"))
                }
            })
        }));
        assert!(died.is_err());
        assert_eq!(scene.names(), [".muxtray-aside.u@h-22"]);
        listener.into_inner()
    };

    let listener = cut_short(true).unwrap();
    let home = ControlPath::new(&path).unwrap();
    let target = target_of(aside.as_path());
    let would = would_clean(&System, &target, Kind::Aside, SystemTime::now());
    assert_eq!(would, Ok(Cleaned::PutBack(home.clone())));
    let recovered = recover(&System, &aside, SystemTime::now());
    assert_eq!(recovered, Ok(Cleaned::PutBack(home)));
    assert_eq!(scene.names(), ["u@h-22"]);
    assert!(is_untouched(&listener));
    drop(listener);

    assert!(cut_short(false).is_none());
    let target = target_of(aside.as_path());
    let would = would_clean(&System, &target, Kind::Aside, SystemTime::now());
    assert_eq!(would, Ok(Cleaned::Removed));
    let recovered = recover(&System, &aside, SystemTime::now());
    assert_eq!(recovered, Ok(Cleaned::Removed));
    assert!(scene.names().is_empty());
    let again = recover(&System, &aside, SystemTime::now());
    assert_eq!(again, Err(Unfit::Missing.into()));
}

#[test]
fn a_start_in_progress_that_lies_aside_is_put_back() {
    let scene = Scene::new();
    let aside = scene.stale(".muxtray-aside.u@h-22.yDXYs2d7ScOlhAEI");
    let home = ControlPath::new(scene.at("u@h-22.yDXYs2d7ScOlhAEI")).unwrap();
    assert_eq!(clean_now(&aside, Kind::Aside), Ok(Cleaned::PutBack(home)));
    assert_eq!(scene.names(), ["u@h-22.yDXYs2d7ScOlhAEI"]);
}

#[test]
fn only_names_of_our_own_are_settled() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    assert_eq!(clean_now(&path, Kind::Aside), Err(CleanError::NotAside));
    fs::write(scene.at(".muxtray-aside.file"), "").unwrap();
    assert_eq!(
        clean_now(&scene.at(".muxtray-aside.file"), Kind::Aside),
        Err(Unfit::NotASocket(FileKind::Regular).into())
    );
    let network = Says {
        filesystem: Some(Filesystem::Network("nfs")),
        ..Says::default()
    };
    let target = target_of(&scene.stale(".muxtray-aside.s"));
    let cleaned = clean(&network, &target, Kind::Aside, later());
    assert_eq!(cleaned, Err(CleanError::NetworkFilesystem("nfs")));
    assert_eq!(
        scene.names(),
        [".muxtray-aside.file", ".muxtray-aside.s", "u@h-22"]
    );
}

#[test]
fn long_names_are_cleaned_as_far_as_the_filesystem_carries_them() {
    for (length, result) in [
        (107, Ok(Cleaned::Removed)),
        (240, Ok(Cleaned::Removed)),
        (241, Err(CleanError::NameTooLong)),
        (255, Err(CleanError::NameTooLong)),
    ] {
        let scene = Scene::new();
        let path = scene.stale(&"n".repeat(length));
        assert_eq!(clean_now(&path, Kind::Stale), result, "{length}");
        assert_eq!(scene.names().len(), usize::from(result.is_err()));
    }
}

#[test]
fn two_cleans_of_one_directory_take_turns() {
    let scene = Scene::new();
    let path = scene.stale("u@h-22");
    let lock = fs::File::open(scene.directory.path()).unwrap();
    lock.lock().unwrap();
    assert_eq!(clean_now(&path, Kind::Stale), Err(CleanError::Busy));
    drop(lock);
    assert_eq!(clean_now(&path, Kind::Stale), Ok(Cleaned::Removed));
}

#[test]
fn a_directory_that_may_not_be_written_is_told() {
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
            let would = would_clean(&System, &target, Kind::Stale, later());
            assert_eq!(would, Err(CleanError::DirectoryDenied));
            let cleaned = clean(&System, &target, Kind::Stale, later());
            assert_eq!(cleaned, Err(CleanError::DirectoryDenied));
        });
    });
    set_mode(0o755);
    assert_eq!(fs::metadata(&path).unwrap().ino(), target.id.unwrap().inode);
}
