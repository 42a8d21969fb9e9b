//! The system calls with which OpenSSH changes names in the directory.
//!
//! After `muxclient()`, `muxserver_listen()` and `main()` in OpenSSH's mux.c and ssh.c: a refused client unlinks the
//! ControlPath, even if another socket has it meanwhile; a master binds a temporary name, listens, links it to the
//! ControlPath and unlinks the temporary name; at an orderly end it unlinks the ControlPath, again by name.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};

use super::directory::{CONTROL_NAME, Caller, Directory};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Looks for a master: with one the client is done, and without a socket there is none to unlink.
    Connect,
    /// Removes the socket that refused.
    Unlink,
    Bind,
    Listen,
    /// Takes the path, or goes on without a socket if the path is taken.
    Link,
    UnlinkTemporary,
    /// The master ends in order: its cleanup unlinks its path ...
    UnlinkOwn,
    /// ... and then the process ends. Without the call before it was killed.
    Close,
}

/// The calls of a starting master.
const START: [Call; 4] = [Call::Bind, Call::Listen, Call::Link, Call::UnlinkTemporary];

/// The result of an ssh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It ended before it was client or master.
    Unfinished,
    /// It is the client of this ssh's master.
    Joined(Option<usize>),
    /// "ControlSocket … already exists, disabling multiplexing".
    Disabled,
    /// It is a master, and has had the path.
    Master,
    /// It was a master, and has ended.
    Ended,
}

/// One ssh.
#[derive(Debug)]
pub(crate) struct Ssh {
    number: usize,
    /// The calls of each remaining turn, in reverse.
    turns: Vec<Vec<Call>>,
    listener: Option<OwnedFd>,
    pub(crate) state: State,
}

impl Ssh {
    fn new(number: usize, mut turns: Vec<Vec<Call>>) -> Self {
        turns.reverse();
        Self {
            number,
            turns,
            listener: None,
            state: State::Unfinished,
        }
    }

    /// `ssh -M`: starts a master without looking for one, one call per turn.
    pub(crate) fn master(number: usize) -> Self {
        Self::new(number, START.map(|call| vec![call]).to_vec())
    }

    /// With ControlMaster auto: looks for a master, removes a socket that refuses, and becomes a master, one call per
    /// turn.
    pub(crate) fn client(number: usize) -> Self {
        let mut turns = vec![vec![Call::Connect], vec![Call::Unlink]];
        turns.extend(START.map(|call| vec![call]));
        Self::new(number, turns)
    }

    /// Like [`Self::client`], but starts in a single turn. Only the link concerns a shared name.
    pub(crate) fn client_with_atomic_start(number: usize) -> Self {
        let turns = vec![vec![Call::Connect], vec![Call::Unlink], START.to_vec()];
        Self::new(number, turns)
    }

    /// Like [`Self::master`], in a single turn.
    pub(crate) fn master_with_atomic_start(number: usize) -> Self {
        Self::new(number, vec![START.to_vec()])
    }

    /// Adds a turn in which it ends in order, if it is a master.
    pub(crate) fn that_ends(mut self) -> Self {
        self.turns.insert(0, vec![Call::UnlinkOwn]);
        self.turns.insert(0, vec![Call::Close]);
        self
    }

    /// Adds a turn in which it is killed, if it is a master.
    pub(crate) fn that_is_killed(mut self) -> Self {
        self.turns.insert(0, vec![Call::Close]);
        self
    }

    /// The largest number of turns left.
    pub(crate) fn turns(&self) -> usize {
        self.turns.len()
    }

    pub(crate) fn turn(&mut self, directory: &mut Directory) {
        for call in self.turns.pop().unwrap_or_default() {
            if self.is_over() {
                break;
            }
            self.call(call, directory);
            directory.look(Caller::Ssh(self.number), &format!("{call:?}"));
        }
        if self.is_over() {
            self.turns.clear();
        }
    }

    /// Kills it, if it is a master.
    pub(crate) fn kill(&mut self, directory: &mut Directory) {
        if self.listener.take().is_some() {
            directory.mark_closed(self.number);
            self.state = State::Ended;
        }
    }

    fn is_over(&self) -> bool {
        let is_disabled = self.state == State::Disabled && self.listener.is_none();
        is_disabled || matches!(self.state, State::Joined(_) | State::Ended)
    }

    fn temporary(&self) -> String {
        format!("{CONTROL_NAME}.{:016}", self.number)
    }

    fn call(&mut self, call: Call, directory: &mut Directory) {
        let (control_path, temporary) =
            (directory.at(CONTROL_NAME), directory.at(&self.temporary()));
        match call {
            Call::Connect => {
                let there = directory
                    .socket(CONTROL_NAME)
                    .map(|socket| (socket.owner, socket.live));
                match (UnixStream::connect(control_path), there) {
                    (Ok(_), Some((owner, true))) => self.state = State::Joined(owner),
                    (Err(error), Some((_, false)))
                        if error.kind() == ErrorKind::ConnectionRefused => {}
                    (Err(error), None) if error.kind() == ErrorKind::NotFound => {
                        self.turns.retain(|turn| *turn != [Call::Unlink]);
                    }
                    (result, _) => directory.fail(&format!("connect: {result:?}, but {there:?}")),
                }
            }
            Call::Unlink | Call::UnlinkOwn => drop(fs::remove_file(control_path)),
            Call::Bind => {
                let listener = socket(
                    AddressFamily::Unix,
                    SockType::Stream,
                    SockFlag::SOCK_CLOEXEC,
                    None,
                )
                .unwrap();
                bind(listener.as_raw_fd(), &UnixAddr::new(&temporary).unwrap()).unwrap();
                self.listener = Some(listener);
                directory.add_bound(&self.temporary(), Some(self.number));
            }
            Call::Listen => {
                let listener = self.listener.as_ref().unwrap();
                listen(listener, Backlog::new(64).unwrap()).unwrap();
            }
            Call::Link => match fs::hard_link(temporary, control_path) {
                Ok(()) => self.state = State::Master,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if directory.socket(CONTROL_NAME).is_none() {
                        directory.fail("the path is free, but link fails with EEXIST");
                    }
                    self.state = State::Disabled;
                }
                Err(error) => {
                    directory.fail(&format!("ssh {}'s start was broken: {error}", self.number))
                }
            },
            Call::UnlinkTemporary => {
                if let Err(error) = fs::remove_file(temporary) {
                    directory.fail(&format!("ssh {}'s start was broken: {error}", self.number));
                }
                if self.state == State::Disabled {
                    self.listener = None;
                    directory.mark_closed(self.number);
                }
            }
            Call::Close => {
                self.listener = None;
                directory.mark_closed(self.number);
                self.state = State::Ended;
            }
        }
    }
}
