//! A fake master for tests: a listening socket and a thread that answers as the test wants.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use nix::libc;

use super::wire::Reply;

/// Serves one connection. Its thread ends with that connection; drop waits for it.
pub(crate) struct FakeMaster {
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl FakeMaster {
    /// Listens at `path`, accepts one connection and passes it to `behave`.
    pub(crate) fn serve(
        path: &Path,
        behave: impl FnOnce(UnixStream, UnixListener) + Send + 'static,
    ) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let thread = std::thread::spawn(move || {
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            behave(stream, listener);
        });
        Self {
            path: path.to_owned(),
            thread: Some(thread),
        }
    }

    /// Sends the greeting, then answers each packet by its type and id; ends when `answer` returns `None` or the client
    /// disconnects.
    pub(crate) fn answering(
        path: &Path,
        hello: Reply,
        answer: impl Fn(u32, u32) -> Option<Vec<u8>> + Send + 'static,
    ) -> Self {
        Self::serve(path, move |mut stream, _listener| {
            let _ = stream.write_all(&hello.encode());
            let mut has_greeted = false;
            while let Some((kind, id)) = read_request(&mut stream) {
                if !has_greeted {
                    has_greeted = true;
                    continue;
                }
                match answer(kind, id) {
                    Some(bytes) => drop(stream.write_all(&bytes)),
                    None => return,
                }
            }
        })
    }
}

impl Drop for FakeMaster {
    fn drop(&mut self) {
        // For a thread that still waits in accept.
        let _ = UnixStream::connect(&self.path);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the fake master at {} panicked", self.path.display());
        }
    }
}

/// Blocks until the client has closed its side.
pub(crate) fn until_closed(mut stream: UnixStream) {
    let mut scrap = [0; 64];
    while matches!(stream.read(&mut scrap), Ok(read) if read > 0) {}
}

/// Returns type and first number of the next packet.
pub(crate) fn read_request(stream: &mut UnixStream) -> Option<(u32, u32)> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut body = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut body).ok()?;
    let number = |at: usize| {
        body.get(at..at + 4)
            .map_or(0, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()))
    };
    Some((number(0), number(4)))
}

pub(crate) fn hello() -> Reply {
    Reply::Hello {
        version: 4,
        extensions: Vec::new(),
    }
}

/// The greeting of OpenSSH 10.3 and later.
pub(crate) fn hello_with_info() -> Reply {
    Reply::Hello {
        version: 4,
        extensions: vec![(b"info".to_vec(), b"0".to_vec())],
    }
}

pub(crate) fn handle(path: &Path) -> std::fs::File {
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
        .open(path)
        .unwrap()
}
