//! OpenSSH's part: what an ssh does with the names in the directory, in single system calls.
//!
//! After `muxclient()`, `muxserver_listen()` and `main()` in OpenSSH's mux.c and ssh.c: a client that is refused
//! unlinks the ControlPath, whatever stands there by then; a master binds a temporary name, listens, links it to the
//! ControlPath and unlinks the temporary name; and when it ends in order it unlinks the ControlPath, by name again.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};

use super::stage::{HOME, Stage, Who};

/// A system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Looks for a master: with one it is done, and without a socket there is none to unlink.
    Connect,
    /// Removes the socket that refused.
    Unlink,
    Bind,
    Listen,
    /// Takes the path, or goes on without a socket where it is taken.
    Link,
    UnlinkTemporary,
    /// The master ends in order: its cleanup unlinks its path ...
    UnlinkOwn,
    /// ... and then it is gone. Without the one before: it was killed.
    Close,
}

/// The calls of a master that starts.
const START: [Call; 4] = [Call::Bind, Call::Listen, Call::Link, Call::UnlinkTemporary];

/// What became of an ssh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It has not come so far, and never will.
    Unfinished,
    /// It is the client of this one's master.
    Joined(Option<usize>),
    /// "ControlSocket … already exists, disabling multiplexing".
    Disabled,
    /// It is a master, and has had the path.
    Master,
    /// It was one.
    Ended,
}

/// One ssh.
#[derive(Debug)]
pub(crate) struct Ssh {
    number: usize,
    /// The calls of each turn that is left, in reverse.
    turns: Vec<Vec<Call>>,
    listener: Option<OwnedFd>,
    pub(crate) fate: Fate,
}

impl Ssh {
    fn new(number: usize, mut turns: Vec<Vec<Call>>) -> Self {
        turns.reverse();
        Self {
            number,
            turns,
            listener: None,
            fate: Fate::Unfinished,
        }
    }

    /// `ssh -M`: starts a master without looking for one, a call a turn.
    pub(crate) fn master(number: usize) -> Self {
        Self::new(number, START.map(|call| vec![call]).to_vec())
    }

    /// With ControlMaster auto: looks for a master, removes what refuses, and becomes one, a call a turn.
    pub(crate) fn client(number: usize) -> Self {
        let mut turns = vec![vec![Call::Connect], vec![Call::Unlink]];
        turns.extend(START.map(|call| vec![call]));
        Self::new(number, turns)
    }

    /// Like [`Self::client`], but starts in a single turn. All but the link is about a name that is nobody else's.
    pub(crate) fn brief_client(number: usize) -> Self {
        let turns = vec![vec![Call::Connect], vec![Call::Unlink], START.to_vec()];
        Self::new(number, turns)
    }

    /// Like [`Self::master`], in a single turn.
    pub(crate) fn brief_master(number: usize) -> Self {
        Self::new(number, vec![START.to_vec()])
    }

    /// The same, and if it is a master by then it ends in order.
    pub(crate) fn that_ends(mut self) -> Self {
        self.turns.insert(0, vec![Call::UnlinkOwn]);
        self.turns.insert(0, vec![Call::Close]);
        self
    }

    /// The same, and if it is a master by then it is killed.
    pub(crate) fn that_is_killed(mut self) -> Self {
        self.turns.insert(0, vec![Call::Close]);
        self
    }

    /// How many turns it has left at most.
    pub(crate) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Takes a turn.
    pub(crate) fn turn(&mut self, stage: &mut Stage) {
        for call in self.turns.pop().unwrap_or_default() {
            if self.is_over() {
                break;
            }
            self.call(call, stage);
            stage.look(Who::Ssh(self.number), &format!("{call:?}"));
        }
        if self.is_over() {
            self.turns.clear();
        }
    }

    /// Kills it, if it is a master.
    pub(crate) fn kill(&mut self, stage: &mut Stage) {
        if self.listener.take().is_some() {
            stage.died(self.number);
            self.fate = Fate::Ended;
        }
    }

    fn is_over(&self) -> bool {
        let is_disabled = self.fate == Fate::Disabled && self.listener.is_none();
        is_disabled || matches!(self.fate, Fate::Joined(_) | Fate::Ended)
    }

    fn temporary(&self) -> String {
        format!("{HOME}.{:016}", self.number)
    }

    fn call(&mut self, call: Call, stage: &mut Stage) {
        let (home, temporary) = (stage.at(HOME), stage.at(&self.temporary()));
        match call {
            Call::Connect => {
                let there = stage.socket(HOME).map(|socket| (socket.owner, socket.live));
                match (UnixStream::connect(home), there) {
                    (Ok(_), Some((owner, true))) => self.fate = Fate::Joined(owner),
                    (Err(error), Some((_, false)))
                        if error.kind() == ErrorKind::ConnectionRefused => {}
                    (Err(error), None) if error.kind() == ErrorKind::NotFound => {
                        self.turns.retain(|turn| *turn != [Call::Unlink]);
                    }
                    (result, _) => stage.fail(&format!("connect: {result:?}, but {there:?}")),
                }
            }
            Call::Unlink | Call::UnlinkOwn => drop(fs::remove_file(home)),
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
                stage.born(&self.temporary(), Some(self.number));
            }
            Call::Listen => {
                let listener = self.listener.as_ref().unwrap();
                listen(listener, Backlog::new(64).unwrap()).unwrap();
            }
            Call::Link => match fs::hard_link(temporary, home) {
                Ok(()) => self.fate = Fate::Master,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if stage.socket(HOME).is_none() {
                        stage.fail("nothing is in the way, but link says so");
                    }
                    self.fate = Fate::Disabled;
                }
                Err(error) => {
                    stage.fail(&format!("ssh {}'s start was broken: {error}", self.number))
                }
            },
            Call::UnlinkTemporary => {
                if let Err(error) = fs::remove_file(temporary) {
                    stage.fail(&format!("ssh {}'s start was broken: {error}", self.number));
                }
                if self.fate == Fate::Disabled {
                    self.listener = None;
                    stage.died(self.number);
                }
            }
            Call::Close => {
                self.listener = None;
                stage.died(self.number);
                self.fate = Fate::Ended;
            }
        }
    }
}
