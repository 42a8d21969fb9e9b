use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::*;
use crate::observe::tests::{eventually, own_pid, own_uid};

fn inode(socket: &impl AsRawFd) -> u32 {
    let metadata = fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd()));
    u32::try_from(metadata.unwrap().ino()).unwrap()
}

#[test]
fn accepted_connection_is_not_its_own() {
    let forwards = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let out = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let _client = TcpStream::connect(forwards.local_addr().unwrap()).unwrap();
    let (accepted, _) = forwards.accept().unwrap();
    let search = Search::new(own_uid(), inet_diag::dump().unwrap(), HashMap::new());
    let descriptors = Descriptors {
        // As if the listener and the accepted connection had been opened first.
        sockets: [inode(&forwards), inode(&accepted), inode(&out), 1]
            .map(|inode| ("3".into(), inode))
            .into(),
        ..Descriptors::default()
    };
    assert_eq!(search.own_connections(&descriptors), [inode(&out)]);
}

#[test]
fn read_and_write_ends_of_pipes_are_distinguished() {
    let (reader, writer) = std::io::pipe().unwrap();
    let pipe = fs::metadata(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    let pipe = pipe.unwrap().ino();
    let can = || {
        let ends = Descriptors::read(own_pid()).pipe_ends(own_pid());
        ends.map(|ends| ends.contains(&pipe))
    };
    assert_eq!(can(), [true, true]);
    drop(writer);
    assert_eq!(can(), [true, false]);
}

#[test]
fn proxy_is_found_by_its_pipes() {
    let (from_ssh, to_proxy) = std::io::pipe().unwrap();
    let (from_proxy, to_ssh) = std::io::pipe().unwrap();
    let mut proxy = std::process::Command::new("cat")
        .stdin(from_ssh)
        .stdout(to_ssh)
        .spawn()
        .unwrap();
    let pid = MasterPid(i32::try_from(proxy.id()).unwrap());
    eventually("the proxy is found", || {
        let mut search = Search::new(own_uid(), Vec::new(), HashMap::new());
        let descriptors = search.descriptors(own_pid());
        let proxies = search.proxies(own_pid(), &descriptors);
        let found: Vec<_> = proxies.iter().filter(|proxy| proxy.pid == pid).collect();
        let [one] = found[..] else {
            return false;
        };
        search.proxy_connection(*one, 0).is_none()
            && search.proxies(pid, &Descriptors::read(pid)).is_empty()
    });
    drop((to_proxy, from_proxy));
    proxy.wait().unwrap();
}

#[test]
fn pause_doubles_after_each_search_that_found_nothing() {
    let mut finder = TransportFinder::new(own_uid());
    let no_process = (MasterPid(-1), None);
    let masters = BTreeSet::from([no_process]);
    let start = Instant::now();
    let mut next = |seconds| {
        let now = start + Duration::from_secs(seconds);
        assert!(finder.find(&masters, HashMap::new, now).is_empty());
        match finder.results.get(&no_process) {
            Some(Err(next)) => next.at.duration_since(start).as_secs(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        [next(0), next(0), next(1), next(2), next(3)],
        [1, 1, 3, 3, 7]
    );
    assert!(
        finder
            .find(&BTreeSet::new(), HashMap::new, start)
            .is_empty()
    );
    assert!(finder.results.is_empty());
}
