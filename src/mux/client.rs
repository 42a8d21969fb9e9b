//! One connection to a master, with one deadline for connect, greeting, requests and replies together.
//!
//! It connects to the file behind an `O_PATH` descriptor: the very socket that the caller has checked, even if its path
//! leads to another file, and even if the path is longer than a socket address.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::deadline::{Deadline, poll_timeout};
use super::error::{Awaited, MuxError};
use super::wire::{self, Reply, Request, RequestId};
use crate::files::path_of;
use crate::model::forwarding::Forwarding;
use crate::model::socket::MasterPid;
use crate::model::text::{self, marked};

#[derive(Debug)]
pub(crate) struct Client {
    connection: OwnedFd,
    deadline: Deadline,
    last_id: u32,
    offers_info: bool,
}

impl Client {
    /// Connects and exchanges greetings. `socket` must be a socket: another kind of file yields [`MuxError::Refused`].
    pub(crate) fn connect(socket: BorrowedFd<'_>, deadline: Deadline) -> Result<Self, MuxError> {
        let mut client = Self {
            connection: open(socket, &deadline)?,
            deadline,
            last_id: 0,
            offers_info: false,
        };
        client.send(&Request::Hello, Awaited::Hello)?;
        match client.receive(Awaited::Hello)? {
            Reply::Hello {
                version: wire::VERSION,
                extensions,
            } => client.offers_info = extensions.iter().any(|(name, _)| name == wire::INFO),
            Reply::Hello { version, .. } => return Err(MuxError::Version(version)),
            other => return Err(unexpected(&other, Awaited::Hello)),
        }
        Ok(client)
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }

    /// Returns the process id that the master has in its own namespace; `None` if the number is not a process id.
    pub(crate) fn alive(&mut self) -> Result<Option<MasterPid>, MuxError> {
        match self.request(Request::AliveCheck, Awaited::AliveCheck)? {
            Reply::Alive { pid, .. } => {
                let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0);
                Ok(pid.map(MasterPid))
            }
            other => Err(unexpected(&other, Awaited::AliveCheck)),
        }
    }

    /// Returns several lines of unescaped text; `None` if the master does not offer the `info` extension.
    pub(crate) fn connection_info(&mut self) -> Result<Option<Vec<u8>>, MuxError> {
        if !self.offers_info {
            return Ok(None);
        }
        match self.request(Request::ConnectionInfo, Awaited::ConnectionInfo)? {
            Reply::Info { status, text, .. } => Ok((status == 1).then_some(text)),
            other => Err(unexpected(&other, Awaited::ConnectionInfo)),
        }
    }

    /// Succeeds as well if the connection is closed: mux.c often exits before its OK is sent. Neither proves that the
    /// master has exited.
    pub(crate) fn exit(&mut self) -> Result<(), MuxError> {
        match self.acknowledged(Request::Exit, Awaited::Exit) {
            Err(MuxError::Closed(_)) => Ok(()),
            result => result,
        }
    }

    pub(crate) fn stop_listening(&mut self) -> Result<(), MuxError> {
        self.acknowledged(Request::StopListening, Awaited::Stop)
    }

    fn acknowledged(
        &mut self,
        request: impl FnOnce(RequestId) -> Request,
        waiting: Awaited,
    ) -> Result<(), MuxError> {
        match self.request(request, waiting)? {
            Reply::Ok(_) => Ok(()),
            other => Err(unexpected(&other, waiting)),
        }
    }

    pub(crate) fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Returns the port that the server chose for a remote forwarding.
    pub(crate) fn forward(&mut self, forwarding: &Forwarding) -> Result<Option<u16>, MuxError> {
        let open = |id| Request::OpenForward(id, forwarding.clone());
        match self.request(open, Awaited::Forward)? {
            Reply::Ok(_) => Ok(None),
            Reply::RemotePort { port, .. } => Ok(u16::try_from(port).ok()),
            other => Err(unexpected(&other, Awaited::Forward)),
        }
    }

    /// Before OpenSSH 10.1 this also succeeds for a forwarding that is not there.
    pub(crate) fn cancel_forward(&mut self, forwarding: &Forwarding) -> Result<(), MuxError> {
        let close = |id| Request::CloseForward(id, forwarding.clone());
        self.acknowledged(close, Awaited::CancelForward)
    }

    /// Waits for the master to close the connection. Returns whether it did before the deadline.
    pub(crate) fn wait_closed(&mut self, deadline: Deadline) -> bool {
        self.deadline = deadline;
        let mut scrap = [0; 512];
        loop {
            match self.receive_some(&mut scrap, Awaited::Exit) {
                // A listener may send without end.
                Ok(_) if deadline.remaining().is_some() => {}
                Err(MuxError::Closed(_)) => return true,
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// Sends a request with a new id and reads the reply to that id.
    fn request(
        &mut self,
        request: impl FnOnce(RequestId) -> Request,
        waiting: Awaited,
    ) -> Result<Reply, MuxError> {
        self.last_id += 1;
        let id = RequestId(self.last_id);
        self.send(&request(id), waiting)?;
        let reply = self.receive(waiting)?;
        if reply.id() != Some(id) {
            return Err(unexpected(&reply, waiting));
        }
        match reply {
            Reply::PermissionDenied(_, reason) => {
                Err(MuxError::RefusedByMaster(waiting, reason_line(&reason)))
            }
            Reply::Failure(_, reason) => Err(MuxError::Failed(waiting, reason_line(&reason))),
            reply => Ok(reply),
        }
    }

    fn send(&mut self, request: &Request, waiting: Awaited) -> Result<(), MuxError> {
        let packet = request.encode();
        let mut rest = &packet[..];
        while !rest.is_empty() {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            match send(self.connection.as_raw_fd(), rest, flags) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLOUT, waiting)?,
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE | Errno::ECONNRESET) => {
                    return Err(MuxError::Closed(waiting));
                }
                Err(errno) => return Err(MuxError::Io(marked!("send"), errno)),
            }
        }
        Ok(())
    }

    fn receive(&mut self, waiting: Awaited) -> Result<Reply, MuxError> {
        let mut header = [0; 4];
        self.fill(&mut header, waiting)?;
        let mut body = vec![0; wire::body_length(header)?];
        self.fill(&mut body, waiting)?;
        Ok(Reply::decode(&body)?)
    }

    fn fill(&mut self, mut buffer: &mut [u8], waiting: Awaited) -> Result<(), MuxError> {
        while !buffer.is_empty() {
            let received = self.receive_some(buffer, waiting)?;
            buffer = &mut buffer[received..];
        }
        Ok(())
    }

    /// Returns at least one byte; at the end of the stream [`MuxError::Closed`].
    fn receive_some(&mut self, buffer: &mut [u8], waiting: Awaited) -> Result<usize, MuxError> {
        loop {
            match recv(self.connection.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET | Errno::EPIPE) => {
                    return Err(MuxError::Closed(waiting));
                }
                Ok(received) => return Ok(received),
                Err(Errno::EAGAIN) => self.wait(PollFlags::POLLIN, waiting)?,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(MuxError::Io(marked!("receive"), errno)),
            }
        }
    }

    fn wait(&self, flags: PollFlags, waiting: Awaited) -> Result<(), MuxError> {
        let timeout = poll_timeout(remaining(&self.deadline, waiting)?);
        match poll(&mut [PollFd::new(self.connection.as_fd(), flags)], timeout) {
            // Ready, timed out or interrupted: in each case the caller tries again.
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(MuxError::Io(marked!("poll"), errno)),
        }
    }
}

fn remaining(deadline: &Deadline, waiting: Awaited) -> Result<Duration, MuxError> {
    (deadline.remaining()).ok_or(MuxError::TimedOut(waiting, deadline.limit))
}

/// Connects; waits until the deadline for a place in the backlog.
fn open(file: BorrowedFd<'_>, deadline: &Deadline) -> Result<OwnedFd, MuxError> {
    let address = UnixAddr::new(&path_of(&file))
        .map_err(|errno| MuxError::Io(marked!("name the socket"), errno))?;
    let flags = SockFlag::SOCK_CLOEXEC;
    let connection = socket(AddressFamily::Unix, SockType::Stream, flags, None)
        .map_err(|errno| MuxError::Io(marked!("make a socket"), errno))?;
    loop {
        // With a full backlog, a non-blocking connect of a unix socket fails at once, and poll(2) does not report
        // when there is a place. A blocking one waits as long as SO_SNDTIMEO (unix_stream_connect() in the kernel's
        // net/unix/af_unix.c; not in unix(7)).
        let left = remaining(deadline, Awaited::Connect)?;
        let micros = i64::try_from(left.as_micros()).unwrap_or(i64::MAX).max(1);
        setsockopt(&connection, SendTimeout, &TimeVal::microseconds(micros))
            .map_err(|errno| MuxError::Io(marked!("set a time limit"), errno))?;
        match connect(connection.as_raw_fd(), &address) {
            Ok(()) => return Ok(connection),
            // Timed out, or interrupted by a signal.
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(Errno::ECONNREFUSED) => return Err(MuxError::Refused),
            Err(Errno::EACCES | Errno::EPERM) => return Err(MuxError::Denied),
            // The descriptor exists, so /proc/self/fd does not.
            Err(Errno::ENOENT) => return Err(MuxError::NoProc),
            Err(errno) => return Err(MuxError::Io(marked!("connect"), errno)),
        }
    }
}

fn unexpected(reply: &Reply, waiting: Awaited) -> MuxError {
    MuxError::Unexpected(waiting, reply.name())
}

/// One printable line of at most 200 bytes of the master's text.
fn reason_line(reason: &[u8]) -> String {
    const MAX_BYTES: usize = 200;
    text::os(OsStr::from_bytes(&reason[..reason.len().min(MAX_BYTES)]))
}

#[cfg(test)]
mod tests;
