use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use calloop::EventLoop;

use super::*;
use crate::model::interest::Names;

/// A watch in a loop, and what it has heard.
struct Listening {
    watch: Watch<Self>,
    heard: Vec<News>,
}

impl Watcher for Listening {
    fn watch(&mut self) -> &mut Watch<Self> {
        &mut self.watch
    }

    fn heard(&mut self, news: News) {
        self.heard.push(news);
    }
}

struct Lab {
    events: EventLoop<'static, Listening>,
    listening: Listening,
    directory: tempfile::TempDir,
    interests: Vec<Interest>,
}

impl Lab {
    fn new() -> Self {
        let events = EventLoop::try_new().unwrap();
        // What other programs mount meanwhile is none of these tests' business.
        let watch = Watch::of_what_is_followed(events.handle());
        let heard = Vec::new();
        Self {
            events,
            listening: Listening { watch, heard },
            directory: tempfile::tempdir().unwrap(),
            interests: Vec::new(),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        let root = self.directory.path().canonicalize().unwrap();
        root.join(below)
    }

    /// Watches for one name in a directory.
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
        self.listening
            .watch
            .follow(&self.interests, &BTreeSet::new())
    }

    /// What was heard since this was last asked. inotify tells of a change before the system call that makes it
    /// returns, so there is nothing to wait for.
    fn news(&mut self) -> Vec<News> {
        self.events
            .dispatch(Duration::ZERO, &mut self.listening)
            .unwrap();
        std::mem::take(&mut self.listening.heard)
    }

    /// What is heard when this is done.
    fn news_of(&mut self, act: impl FnOnce(&Self)) -> Vec<News> {
        assert_eq!(self.news(), [], "nothing happened before");
        act(self);
        self.news()
    }
}

#[test]
fn a_socket_is_news_when_it_is_linked_into_place() {
    let mut lab = Lab::new();
    lab.await_name("", "web");
    let temporary = lab.path("web.abcdefghijklmnop");
    let socket = lab.path("web");
    let news = lab.news_of(|_| drop(UnixListener::bind(&temporary).unwrap()));
    assert_eq!(news, [], "a temporary name");
    let news = lab.news_of(|_| fs::hard_link(&temporary, &socket).unwrap());
    assert_eq!(news, [News::Changed], "a link");
    let news = lab.news_of(|_| fs::remove_file(&temporary).unwrap());
    assert_eq!(news, [], "the temporary name goes");
    let news = lab.news_of(|_| fs::remove_file(&socket).unwrap());
    assert_eq!(news, [News::Changed], "the socket goes");
}

#[test]
fn to_connect_is_no_news() {
    let mut lab = Lab::new();
    lab.await_name("", "web");
    let listener = UnixListener::bind(lab.path("web")).unwrap();
    assert_eq!(lab.news(), [News::Changed]);
    let news = lab.news_of(|lab| {
        std::os::unix::net::UnixStream::connect(lab.path("web")).unwrap();
        listener.accept().unwrap();
    });
    assert_eq!(news, []);
}

#[test]
fn a_directory_is_awaited_part_by_part() {
    let mut lab = Lab::new();
    lab.await_name("a/b/s", "web");
    for part in ["a", "a/b", "a/b/s"] {
        let news = lab.news_of(|lab| fs::create_dir(lab.path(part)).unwrap());
        assert_eq!(news, [News::Changed], "{part}");
        assert!(lab.follow(), "{part} leads further");
    }
    let news = lab.news_of(|lab| fs::write(lab.path("a/b/s/web"), "").unwrap());
    assert_eq!(news, [News::Changed]);
}

#[test]
fn a_directory_that_is_not_awaited_may_come() {
    let mut lab = Lab::new();
    lab.interests.push(Interest::Names {
        directory: lab.path("a"),
        names: Names::exactly("web"),
        awaited: false,
    });
    lab.follow();
    let news = lab.news_of(|lab| fs::create_dir(lab.path("a")).unwrap());
    assert_eq!(news, []);
}

#[test]
fn a_directory_that_becomes_another_is_watched_again() {
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
        assert_eq!(lab.news_of(replace), [News::Changed]);
        assert!(lab.follow(), "another directory");
        let _ = lab.news();
        let news = lab.news_of(|lab| fs::write(lab.path("s/web"), "").unwrap());
        assert_eq!(news, [News::Changed]);
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
    let news = lab.news_of(|lab| {
        symlink("two", lab.path("new")).unwrap();
        fs::rename(lab.path("new"), lab.path("link")).unwrap();
    });
    assert_eq!(news, [News::Changed]);
    assert!(lab.follow());
    let _ = lab.news();
    let news = lab.news_of(|lab| fs::write(lab.path("one/s/web"), "").unwrap());
    assert_eq!(news, [], "the old directory is let go");
    let news = lab.news_of(|lab| fs::write(lab.path("two/s/web"), "").unwrap());
    assert_eq!(news, [News::Changed]);
}

#[test]
fn a_parent_that_is_renamed_is_noticed() {
    let mut lab = Lab::new();
    fs::create_dir_all(lab.path("a/b/s")).unwrap();
    lab.await_name("a/b/s", "web");
    let news = lab.news_of(|lab| fs::rename(lab.path("a"), lab.path("z")).unwrap());
    assert_eq!(news, [News::Changed]);
}

#[test]
fn a_loop_of_links_leads_nowhere() {
    let mut lab = Lab::new();
    symlink("b", lab.path("a")).unwrap();
    symlink("a", lab.path("b")).unwrap();
    lab.await_name("a/s", "web");
    lab.await_file("a", false);
    assert_eq!(lab.listening.watch.shortage(), None);
}

#[test]
fn a_file_is_news_however_it_is_written() {
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
        assert_eq!(lab.news_of(write), [News::Changed]);
        lab.follow();
        let _ = lab.news();
    }
}

#[test]
fn a_file_behind_links_is_watched_with_them() {
    let mut lab = Lab::new();
    fs::create_dir(lab.path("dotfiles")).unwrap();
    fs::write(lab.path("dotfiles/config"), "").unwrap();
    symlink("dotfiles/config", lab.path("config")).unwrap();
    lab.await_file("config", false);
    let news = lab.news_of(|lab| fs::write(lab.path("dotfiles/config"), "new").unwrap());
    assert_eq!(news, [News::Changed], "the file");
    let news = lab.news_of(|lab| fs::remove_file(lab.path("config")).unwrap());
    assert_eq!(news, [News::Changed], "the link");
}

#[test]
fn reading_is_news_only_where_it_was_asked_for() {
    let mut lab = Lab::new();
    fs::write(lab.path("config"), "").unwrap();
    fs::write(lab.path("other"), "").unwrap();
    lab.await_file("config", true);
    lab.await_file("other", false);
    let news = lab.news_of(|lab| drop(fs::read(lab.path("other")).unwrap()));
    assert_eq!(news, []);
    let news = lab.news_of(|lab| assert!(lab.path("config").exists()));
    assert_eq!(news, [], "a stat");
    let news = lab.news_of(|lab| drop(fs::read(lab.path("config")).unwrap()));
    assert_eq!(news, [News::Begun]);
}

#[test]
fn one_inode_is_watched_for_itself() {
    let mut lab = Lab::new();
    let _listener = UnixListener::bind(lab.path("web")).unwrap();
    lab.interests.push(Interest::Inode(lab.path("web")));
    lab.follow();
    let news = lab.news_of(|lab| fs::write(lab.path("other"), "").unwrap());
    assert_eq!(news, []);
    let news = lab.news_of(|lab| fs::remove_file(lab.path("web")).unwrap());
    assert_eq!(news, [News::Changed], "though the socket lives on");
}

#[test]
fn what_is_watched_already_is_not_new() {
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
fn a_lost_event_is_a_look_at_everything() {
    let mut lab = Lab::new();
    lab.await_name("", "web");
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // Events that are the same as the one before them are not queued again.
    for number in 0..=limit {
        fs::write(lab.path(&format!("other{}", number % 2)), "").unwrap();
        fs::remove_file(lab.path(&format!("other{}", number % 2))).unwrap();
    }
    assert_eq!(lab.news(), [News::Changed]);
    assert!(lab.follow(), "everything is watched anew");
    let _ = lab.news();
    let news = lab.news_of(|lab| fs::write(lab.path("web"), "").unwrap());
    assert_eq!(news, [News::Changed]);
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
fn a_death_is_news_once() {
    let mut lab = Lab::new();
    let mut sleeper = Sleeper::new();
    let masters = BTreeSet::from([sleeper.pid()]);
    assert!(!lab.listening.watch.follow(&[], &masters));
    assert_eq!(lab.news(), []);
    sleeper.kill();
    let deadline = Instant::now() + Duration::from_secs(10);
    while lab.listening.heard.is_empty() && Instant::now() < deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        lab.events.dispatch(left, &mut lab.listening).unwrap();
    }
    assert_eq!(lab.news(), [News::Changed]);
    assert!(
        !lab.listening.watch.follow(&[], &masters),
        "known to be dead"
    );
    assert_eq!(lab.news(), []);
}

#[test]
fn who_is_dead_already_is_news_at_once() {
    let mut lab = Lab::new();
    let mut sleeper = Sleeper::new();
    let masters = BTreeSet::from([sleeper.pid()]);
    sleeper.kill();
    assert!(lab.listening.watch.follow(&[], &masters));
}

#[test]
fn who_is_let_go_may_die() {
    let mut lab = Lab::new();
    let mut sleeper = Sleeper::new();
    let masters = BTreeSet::from([sleeper.pid()]);
    assert!(!lab.listening.watch.follow(&[], &masters));
    assert!(!lab.listening.watch.follow(&[], &BTreeSet::new()));
    sleeper.kill();
    assert_eq!(lab.news(), []);
}
