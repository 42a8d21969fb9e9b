use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;

use super::*;
use crate::observe::tests::{eventually, own_pid, own_uid};

fn inode(socket: &impl AsRawFd) -> u32 {
    let metadata = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd()));
    u32::try_from(metadata.unwrap().ino()).unwrap()
}

#[test]
fn links_tell_sockets_and_pipes() {
    for (target, expected) in [
        ("socket:[4711]", Some((true, 4711))),
        ("pipe:[12]", Some((false, 12))),
        ("socket:[4711", None),
        ("socket:[-1]", None),
        ("socket:[4294967296]", None),
        ("anon_inode:[eventpoll]", None),
        ("/dev/null", None),
        ("", None),
    ] {
        let told = kind(Path::new(target)).map(|kind| match kind {
            Kind::Socket(inode) => (true, u64::from(inode)),
            Kind::Pipe(inode) => (false, inode),
        });
        assert_eq!(told, expected, "{target}");
    }
}

#[test]
fn what_came_in_is_not_its_own_connection() {
    let forwards = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let out = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let _client = TcpStream::connect(forwards.local_addr().unwrap()).unwrap();
    let (came_in, _) = forwards.accept().unwrap();
    let search = Search::new(own_uid(), inet_diag::dump().unwrap());
    let descriptors = Descriptors {
        // As if the listener and what came in had been opened first.
        sockets: vec![inode(&forwards), inode(&came_in), inode(&out), 1],
        ..Descriptors::default()
    };
    assert_eq!(search.own_connections(&descriptors), [inode(&out)]);
}

#[test]
fn both_ends_of_pipes_are_told_apart() {
    let (reader, writer) = std::io::pipe().unwrap();
    let pipe = fs::metadata(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let pipe = pipe.unwrap().ino();
    let descriptors = Descriptors::of(own_pid());
    assert!(descriptors.reads.contains(&pipe) && descriptors.writes.contains(&pipe));
    drop(writer);
    // A child that another test forks at this moment is another process.
    assert!(!Descriptors::of(own_pid()).writes.contains(&pipe));
}

/// A proxy is found by its pipes alone, whosever child it is; where it has no connection there is none.
#[test]
fn a_proxy_is_who_has_the_other_ends() {
    let (from_ssh, to_proxy) = std::io::pipe().unwrap();
    let (from_proxy, to_ssh) = std::io::pipe().unwrap();
    let mut proxy = std::process::Command::new("cat")
        .stdin(from_ssh)
        .stdout(to_ssh)
        .spawn()
        .unwrap();
    let pid = MasterPid(i32::try_from(proxy.id()).unwrap());
    eventually("it is found", || {
        let mut search = Search::new(own_uid(), Vec::new());
        let descriptors = search.descriptors(own_pid());
        let proxies = search.proxies(own_pid(), &descriptors);
        let found: Vec<_> = proxies.iter().filter(|proxy| proxy.pid == pid).collect();
        let [one] = found[..] else {
            return false;
        };
        search.of_proxy(*one, 0).is_none() && search.proxies(pid, &Descriptors::of(pid)).is_empty()
    });
    drop((to_proxy, from_proxy));
    proxy.wait().unwrap();
}

#[test]
fn a_search_in_vain_is_repeated_later_and_later() {
    let mut transports = Transports::new(own_uid());
    let nobody = (MasterPid(-1), None);
    let masters = BTreeSet::from([nobody]);
    let start = Instant::now();
    let mut next = |seconds| {
        let now = start + Duration::from_secs(seconds);
        assert!(transports.of(&masters, now).is_empty());
        match transports.known.get(&nobody) {
            Some(Transport::None { next, .. }) => next.duration_since(start).as_secs(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        [next(0), next(0), next(1), next(2), next(3)],
        [1, 1, 3, 3, 7]
    );
    assert!(transports.of(&BTreeSet::new(), start).is_empty());
    assert!(transports.known.is_empty());
}
