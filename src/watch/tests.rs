use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use calloop::EventLoop;

use super::*;
use crate::model::interest::Names;

/// The data of a loop: a watch and its events.
struct Recorder {
    watch: Watch<Self>,
    events: Vec<Event>,
}

impl Watcher for Recorder {
    fn watch(&mut self) -> &mut Watch<Self> {
        &mut self.watch
    }

    fn on_event(&mut self, event: Event) {
        self.events.push(event);
    }
}

struct Lab {
    event_loop: EventLoop<'static, Recorder>,
    recorder: Recorder,
    directory: tempfile::TempDir,
    interests: Vec<Interest>,
}

impl Lab {
    fn new() -> Self {
        let event_loop = EventLoop::try_new().unwrap();
        // Without mounts, which other programs may change.
        let watch = Watch::without_sources(event_loop.handle());
        let events = Vec::new();
        Self {
            event_loop,
            recorder: Recorder { watch, events },
            directory: tempfile::tempdir().unwrap(),
            interests: Vec::new(),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        let root = self.directory.path().canonicalize().unwrap();
        root.join(below)
    }

    /// Watches one name in a directory, which may be missing.
    fn await_name(&mut self, directory: &str, name: &str) {
        self.interests.push(Interest::Names {
            directory: self.path(directory),
            names: Names::exactly(name),
            awaited: true,
        });
        self.follow();
    }

    fn await_file(&mut self, file: &str, reading: bool) {
        let path = self.path(file);
        self.interests.push(Interest::File { path, reading });
        self.follow();
    }

    fn follow(&mut self) -> bool {
        let watch = &mut self.recorder.watch;
        watch.follow_all(&self.interests, &BTreeSet::new())
    }

    /// The events since the last call. inotify queues an event before the system call that causes it returns, so
    /// nothing has to be waited for.
    fn events(&mut self) -> Vec<Event> {
        let recorder = &mut self.recorder;
        self.event_loop.dispatch(Duration::ZERO, recorder).unwrap();
        std::mem::take(&mut self.recorder.events)
    }

    fn events_of(&mut self, change: impl FnOnce(&Self)) -> Vec<Event> {
        assert_eq!(self.events(), [], "an earlier event");
        change(self);
        self.events()
    }
}

#[test]
fn link_and_removal_of_a_socket_are_events() {
    let mut lab = Lab::new();
    lab.await_name("", "web");
    let temporary = lab.path("web.abcdefghijklmnop");
    let socket = lab.path("web");
    let events = lab.events_of(|_| drop(UnixListener::bind(&temporary).unwrap()));
    assert_eq!(events, [], "a temporary name");
    let events = lab.events_of(|_| fs::hard_link(&temporary, &socket).unwrap());
    assert_eq!(events, [Event::Changed], "a link");
    let events = lab.events_of(|_| fs::remove_file(&temporary).unwrap());
    assert_eq!(events, [], "the temporary name goes");
    let events = lab.events_of(|_| fs::remove_file(&socket).unwrap());
    assert_eq!(events, [Event::Changed], "the socket goes");
}

#[test]
fn connect_is_no_event() {
    let mut lab = Lab::new();
    lab.await_name("", "web");
    let listener = UnixListener::bind(lab.path("web")).unwrap();
    assert_eq!(lab.events(), [Event::Changed]);
    let events = lab.events_of(|lab| {
        std::os::unix::net::UnixStream::connect(lab.path("web")).unwrap();
        listener.accept().unwrap();
    });
    assert_eq!(events, []);
}

#[test]
fn missing_directories_are_watched_one_by_one() {
    let mut lab = Lab::new();
    lab.await_name("a/b/s", "web");
    for part in ["a", "a/b", "a/b/s"] {
        let events = lab.events_of(|lab| fs::create_dir(lab.path(part)).unwrap());
        assert_eq!(events, [Event::Changed], "{part}");
        assert!(lab.follow(), "{part} leads further");
    }
    let events = lab.events_of(|lab| fs::write(lab.path("a/b/s/web"), "").unwrap());
    assert_eq!(events, [Event::Changed]);
}

#[test]
fn directory_that_is_not_awaited_is_no_event() {
    let mut lab = Lab::new();
    lab.interests.push(Interest::Names {
        directory: lab.path("a"),
        names: Names::exactly("web"),
        awaited: false,
    });
    lab.follow();
    let events = lab.events_of(|lab| fs::create_dir(lab.path("a")).unwrap());
    assert_eq!(events, []);
}

#[test]
fn replaced_directory_is_watched_again() {
    for replace in [
        // Removed and made again: the inode number may be the same.
        (|lab: &Lab| {
            fs::remove_dir(lab.path("s")).unwrap();
            fs::create_dir(lab.path("s")).unwrap();
        }) as fn(&Lab),
        |lab| {
            fs::rename(lab.path("s"), lab.path("old")).unwrap();
            fs::create_dir(lab.path("s")).unwrap();
        },
        |lab| {
            fs::create_dir(lab.path("elsewhere")).unwrap();
            fs::remove_dir(lab.path("s")).unwrap();
            symlink("elsewhere", lab.path("s")).unwrap();
        },
    ] {
        let mut lab = Lab::new();
        fs::create_dir(lab.path("s")).unwrap();
        lab.await_name("s", "web");
        assert_eq!(lab.events_of(replace), [Event::Changed]);
        assert!(lab.follow(), "another directory");
        let _ = lab.events();
        let events = lab.events_of(|lab| fs::write(lab.path("s/web"), "").unwrap());
        assert_eq!(events, [Event::Changed]);
    }
}

#[test]
fn a_link_on_the_way_that_leads_elsewhere_is_noticed() {
    let mut lab = Lab::new();
    for directory in ["one/s", "two/s"] {
        fs::create_dir_all(lab.path(directory)).unwrap();
    }
    symlink("one", lab.path("link")).unwrap();
    lab.await_name("link/s", "web");
    let events = lab.events_of(|lab| {
        symlink("two", lab.path("new")).unwrap();
        fs::rename(lab.path("new"), lab.path("link")).unwrap();
    });
    assert_eq!(events, [Event::Changed]);
    assert!(lab.follow());
    let _ = lab.events();
    let events = lab.events_of(|lab| fs::write(lab.path("one/s/web"), "").unwrap());
    assert_eq!(events, [], "the old directory is let go");
    let events = lab.events_of(|lab| fs::write(lab.path("two/s/web"), "").unwrap());
    assert_eq!(events, [Event::Changed]);
}

#[test]
fn rename_of_a_parent_is_an_event() {
    let mut lab = Lab::new();
    fs::create_dir_all(lab.path("a/b/s")).unwrap();
    lab.await_name("a/b/s", "web");
    let events = lab.events_of(|lab| fs::rename(lab.path("a"), lab.path("z")).unwrap());
    assert_eq!(events, [Event::Changed]);
}

#[test]
fn loop_of_symlinks_is_ignored() {
    let mut lab = Lab::new();
    symlink("b", lab.path("a")).unwrap();
    symlink("a", lab.path("b")).unwrap();
    lab.await_name("a/s", "web");
    lab.await_file("a", false);
    assert_eq!(lab.recorder.watch.limit(), None);
}

#[test]
fn every_way_of_writing_a_file_is_an_event() {
    let mut lab = Lab::new();
    lab.await_file("config", false);
    for write in [
        (|lab: &Lab| fs::write(lab.path("config"), "new").unwrap()) as fn(&Lab),
        |lab| fs::write(lab.path("config"), "in place").unwrap(),
        |lab| {
            fs::write(lab.path("config.swp"), "aside").unwrap();
            fs::rename(lab.path("config.swp"), lab.path("config")).unwrap();
        },
        |lab| fs::remove_file(lab.path("config")).unwrap(),
    ] {
        assert_eq!(lab.events_of(write), [Event::Changed]);
        lab.follow();
        let _ = lab.events();
    }
}

#[test]
fn file_and_its_symlink_are_watched() {
    let mut lab = Lab::new();
    fs::create_dir(lab.path("dotfiles")).unwrap();
    fs::write(lab.path("dotfiles/config"), "").unwrap();
    symlink("dotfiles/config", lab.path("config")).unwrap();
    lab.await_file("config", false);
    let events = lab.events_of(|lab| fs::write(lab.path("dotfiles/config"), "new").unwrap());
    assert_eq!(events, [Event::Changed], "the file");
    let events = lab.events_of(|lab| fs::remove_file(lab.path("config")).unwrap());
    assert_eq!(events, [Event::Changed], "the link");
}

#[test]
fn opening_is_an_event_only_if_requested() {
    let mut lab = Lab::new();
    fs::write(lab.path("config"), "").unwrap();
    fs::write(lab.path("other"), "").unwrap();
    lab.await_file("config", true);
    lab.await_file("other", false);
    let events = lab.events_of(|lab| drop(fs::read(lab.path("other")).unwrap()));
    assert_eq!(events, []);
    let events = lab.events_of(|lab| assert!(lab.path("config").exists()));
    assert_eq!(events, [], "a stat");
    let events = lab.events_of(|lab| drop(fs::read(lab.path("config")).unwrap()));
    assert_eq!(events, [Event::SshStarting]);
}

#[test]
fn removal_of_a_watched_inode_is_an_event() {
    let mut lab = Lab::new();
    let _listener = UnixListener::bind(lab.path("web")).unwrap();
    lab.interests.push(Interest::Inode(lab.path("web")));
    lab.follow();
    let events = lab.events_of(|lab| fs::write(lab.path("other"), "").unwrap());
    assert_eq!(events, []);
    let events = lab.events_of(|lab| fs::remove_file(lab.path("web")).unwrap());
    assert_eq!(events, [Event::Changed], "though the socket lives on");
}

#[test]
fn only_new_names_are_reported_as_new() {
    let mut lab = Lab::new();
    fs::create_dir(lab.path("s")).unwrap();
    lab.await_name("s", "web");
    assert!(!lab.follow());
    lab.interests.push(Interest::Names {
        directory: lab.path("s"),
        names: Names::exactly("db"),
        awaited: true,
    });
    assert!(lab.follow(), "another name");
    assert!(!lab.follow());
}

#[test]
fn queue_overflow_is_an_event_and_watches_are_made_again() {
    let mut lab = Lab::new();
    lab.await_name("", "web");
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // Events that are the same as the one before them are not queued again.
    for number in 0..=limit {
        fs::write(lab.path(&format!("other{}", number % 2)), "").unwrap();
        fs::remove_file(lab.path(&format!("other{}", number % 2))).unwrap();
    }
    assert_eq!(lab.events(), [Event::Changed]);
    assert!(lab.follow(), "everything is watched anew");
    let _ = lab.events();
    let events = lab.events_of(|lab| fs::write(lab.path("web"), "").unwrap());
    assert_eq!(events, [Event::Changed]);
}

struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("sleep").arg("60").spawn().unwrap())
    }

    fn pid(&self) -> MasterPid {
        MasterPid(i32::try_from(self.0.id()).unwrap())
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.kill();
    }
}

#[test]
fn exit_is_an_event_once() {
    let mut lab = Lab::new();
    let mut sleeper = Sleeper::new();
    let masters = BTreeSet::from([sleeper.pid()]);
    assert!(!lab.recorder.watch.follow_all(&[], &masters));
    assert_eq!(lab.events(), []);
    sleeper.kill();
    let deadline = Instant::now() + Duration::from_secs(10);
    while lab.recorder.events.is_empty() && Instant::now() < deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        lab.event_loop.dispatch(left, &mut lab.recorder).unwrap();
    }
    assert_eq!(lab.events(), [Event::Changed]);
    assert!(
        !lab.recorder.watch.follow_all(&[], &masters),
        "known to be dead"
    );
    assert_eq!(lab.events(), []);
}

#[test]
fn earlier_exit_is_reported_by_follow() {
    let mut lab = Lab::new();
    let mut sleeper = Sleeper::new();
    let masters = BTreeSet::from([sleeper.pid()]);
    sleeper.kill();
    assert!(lab.recorder.watch.follow_all(&[], &masters));
}

/// The scan has read the file or process, or found no process for the socket, while it ended.
#[test]
fn end_during_a_scan_is_reported_by_follow() {
    let mut lab = Lab::new();
    let _listener = UnixListener::bind(lab.path("web")).unwrap();
    lab.interests.push(Interest::Inode(lab.path("web")));
    lab.follow();
    fs::remove_file(lab.path("web")).unwrap();
    assert!(lab.follow(), "the file");
    assert!(!lab.follow());

    let mut sleeper = Sleeper::new();
    let masters = BTreeSet::from([sleeper.pid()]);
    lab.interests.clear();
    lab.follow();
    assert!(!lab.recorder.watch.follow_all(&[], &masters));
    sleeper.kill();
    assert!(lab.follow(), "the process");
    assert!(!lab.follow());
    assert_eq!(lab.events(), []);
}
