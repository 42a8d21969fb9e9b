//! One connection to one master, under one deadline for everything: connecting, greeting, requests, replies.
//!
//! It connects to the file behind an `O_PATH` descriptor, not to a path: so it reaches exactly the socket its caller
//! has looked at, whatever takes the path meanwhile, and a path longer than a socket address does not matter. Who
//! owns that file and whether it should be asked at all is the caller's business (`act`).

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::deadline::Deadline;
use super::error::{MuxError, Step};
use super::wire::{self, Reply, Request, RequestId};
use crate::model::socket::MasterPid;
use crate::model::text::{self, marked};

/// How a master took an exit request. Either is success of the request, neither proves that it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Leave {
    /// It said OK.
    Agreed,
    /// It closed the connection: mux.c often exits before its OK is out.
    Closed,
}

/// An open connection whose greeting is done.
#[derive(Debug)]
pub struct Client {
    connection: OwnedFd,
    deadline: Deadline,
    last_id: u32,
    offers_info: bool,
}

/// The path under which a descriptor's file can be connected to, whatever its name is.
#[must_use]
pub fn path_of(descriptor: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

impl Client {
    /// Connects to the socket file behind the descriptor and exchanges greetings.
    ///
    /// `socket` must be a socket: connecting to another kind of file looks like [`MuxError::Refused`].
    ///
    /// # Errors
    /// Every kind of [`MuxError`] but those that answer a request.
    pub fn connect(socket: BorrowedFd<'_>, deadline: Deadline) -> Result<Self, MuxError> {
        let mut client = Self {
            connection: open(socket, &deadline)?,
            deadline,
            last_id: 0,
            offers_info: false,
        };
        client.send(Request::Hello, Step::Hello)?;
        match client.receive(Step::Hello)? {
            Reply::Hello {
                version: wire::VERSION,
                extensions,
            } => client.offers_info = extensions.iter().any(|(name, _)| name == wire::INFO),
            Reply::Hello { version, .. } => return Err(MuxError::Version(version)),
            other => return Err(unexpected(&other, Step::Hello)),
        }
        Ok(client)
    }

    /// The alive check: the master's process id, as it sees itself (another one in a container). `None` where it is
    /// no process id at all.
    ///
    /// # Errors
    /// Any [`MuxError`] but those of connecting.
    pub fn alive(&mut self) -> Result<Option<MasterPid>, MuxError> {
        match self.ask(Request::AliveCheck, Step::AliveCheck)? {
            Reply::Alive { pid, .. } => Ok(i32::try_from(pid)
                .ok()
                .filter(|pid| *pid > 0)
                .map(MasterPid)),
            other => Err(unexpected(&other, Step::AliveCheck)),
        }
    }

    /// The master's account of its connection as it sent it: several lines of text, not safe to show as they are.
    /// `None` where it does not offer one.
    ///
    /// # Errors
    /// Any [`MuxError`] but those of connecting.
    pub fn connection_info(&mut self) -> Result<Option<Vec<u8>>, MuxError> {
        if !self.offers_info {
            return Ok(None);
        }
        match self.ask(Request::ConnectionInfo, Step::ConnectionInfo)? {
            Reply::Info {
                status: 1, text, ..
            } => Ok(Some(text)),
            Reply::Info { .. } => Ok(None),
            other => Err(unexpected(&other, Step::ConnectionInfo)),
        }
    }

    /// The exit request.
    ///
    /// # Errors
    /// Any [`MuxError`] but those of connecting and [`MuxError::Closed`].
    pub fn terminate(&mut self) -> Result<Leave, MuxError> {
        match self.ask(Request::Terminate, Step::Exit) {
            Ok(Reply::Ok(_)) => Ok(Leave::Agreed),
            Ok(other) => Err(unexpected(&other, Step::Exit)),
            Err(MuxError::Closed { .. }) => Ok(Leave::Closed),
            Err(error) => Err(error),
        }
    }

    /// The stop request.
    ///
    /// # Errors
    /// Any [`MuxError`] but those of connecting.
    pub fn stop_listening(&mut self) -> Result<(), MuxError> {
        match self.ask(Request::StopListening, Step::Stop)? {
            Reply::Ok(_) => Ok(()),
            other => Err(unexpected(&other, Step::Stop)),
        }
    }

    /// Waits until the other side has closed the connection, by this deadline. Whether it has.
    #[must_use]
    pub fn wait_closed(&mut self, deadline: Deadline) -> bool {
        self.deadline = deadline;
        let mut scrap = [0; 512];
        loop {
            match self.receive_some(&mut scrap, Step::Exit) {
                Ok(_) => {}
                Err(MuxError::Closed { .. }) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Sends a request under a number of its own and reads the reply that carries it.
    fn ask(
        &mut self,
        request: impl FnOnce(RequestId) -> Request,
        waiting: Step,
    ) -> Result<Reply, MuxError> {
        self.last_id += 1;
        let id = RequestId(self.last_id);
        self.send(request(id), waiting)?;
        let reply = self.receive(waiting)?;
        if reply.id() != Some(id) {
            return Err(unexpected(&reply, waiting));
        }
        match reply {
            Reply::PermissionDenied(_, reason) => Err(MuxError::RefusedByMaster {
                waiting,
                reason: words(&reason),
            }),
            Reply::Failure(_, reason) => Err(MuxError::Failed {
                waiting,
                reason: words(&reason),
            }),
            Reply::Hello { .. } | Reply::Ok(_) | Reply::Alive { .. } | Reply::Info { .. } => {
                Ok(reply)
            }
        }
    }

    fn send(&mut self, request: Request, waiting: Step) -> Result<(), MuxError> {
        let packet = request.encode();
        let mut rest = &packet[..];
        while !rest.is_empty() {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match send(self.connection.as_raw_fd(), rest, flags) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLOUT, waiting)?,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => {
                    return Err(MuxError::Closed { waiting });
                }
                Err(errno) => {
                    return Err(MuxError::Io {
                        doing: marked!("send"),
                        errno,
                    });
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, waiting: Step) -> Result<Reply, MuxError> {
        let mut header = [0; 4];
        self.fill(&mut header, waiting)?;
        let mut body = vec![0; wire::body_length(header)?];
        self.fill(&mut body, waiting)?;
        Ok(Reply::decode(&body)?)
    }

    fn fill(&mut self, mut buffer: &mut [u8], waiting: Step) -> Result<(), MuxError> {
        while !buffer.is_empty() {
            let received = self.receive_some(buffer, waiting)?;
            buffer = &mut buffer[received..];
        }
        Ok(())
    }

    /// At least one byte; [`MuxError::Closed`] at the end of the stream.
    fn receive_some(&mut self, buffer: &mut [u8], waiting: Step) -> Result<usize, MuxError> {
        loop {
            match recv(self.connection.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET | Errno::EPIPE) => {
                    return Err(MuxError::Closed { waiting });
                }
                Ok(received) => return Ok(received),
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLIN, waiting)?,
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    return Err(MuxError::Io {
                        doing: marked!("receive"),
                        errno,
                    });
                }
            }
        }
    }

    fn wait(&self, flags: PollFlags, waiting: Step) -> Result<(), MuxError> {
        let left = remaining(&self.deadline, waiting)?;
        // Rounded up: a poll of zero milliseconds would spin through the last one.
        let timeout =
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.connection.as_fd(), flags)], timeout) {
            // What was waited for, or the deadline, or a signal: the caller tries again and comes back here.
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(MuxError::Io {
                doing: marked!("poll"),
                errno,
            }),
        }
    }
}

fn remaining(deadline: &Deadline, waiting: Step) -> Result<Duration, MuxError> {
    deadline.remaining().ok_or(MuxError::TimedOut {
        waiting,
        limit: deadline.limit(),
    })
}

/// Connects, waiting for a place in the backlog no longer than the deadline.
fn open(file: BorrowedFd<'_>, deadline: &Deadline) -> Result<OwnedFd, MuxError> {
    let io = |doing| move |errno| MuxError::Io { doing, errno };
    let address = UnixAddr::new(&path_of(file)).map_err(io(marked!("name the socket")))?;
    let connection = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .map_err(io(marked!("make a socket")))?;
    loop {
        // A unix socket does not connect in the background: with a full backlog a non-blocking connect fails at
        // once and poll tells nothing. A blocking one waits for a place as long as SO_SNDTIMEO says (unix(7) is
        // silent; unix_stream_connect() in the kernel's net/unix/af_unix.c).
        let left = remaining(deadline, Step::Connect)?;
        let micros = i64::try_from(left.as_micros()).unwrap_or(i64::MAX).max(1);
        setsockopt(&connection, SendTimeout, &TimeVal::microseconds(micros))
            .map_err(io(marked!("set a time limit")))?;
        match connect(connection.as_raw_fd(), &address) {
            Ok(()) => return Ok(connection),
            // The time is up, or a signal came.
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(Errno::ECONNREFUSED) => return Err(MuxError::Refused),
            Err(Errno::EACCES | Errno::EPERM) => return Err(MuxError::Denied),
            // The descriptor holds the file, so it is the way to it that is missing.
            Err(Errno::ENOENT) => return Err(MuxError::NoProc),
            Err(errno) => return Err(io(marked!("connect"))(errno)),
        }
    }
}

fn unexpected(reply: &Reply, waiting: Step) -> MuxError {
    MuxError::Unexpected {
        reply: reply.name(),
        waiting,
    }
}

/// A master's reason as one printable line of bearable length.
fn words(reason: &[u8]) -> String {
    const ENOUGH: usize = 200;
    text::os(OsStr::from_bytes(&reason[..reason.len().min(ENOUGH)]))
}

#[cfg(test)]
mod tests;
