//! The target of forwardings.

use std::net::{TcpListener, TcpStream};

/// A server that keeps its connections open and answers nothing.
pub(crate) struct Target(TcpListener);

impl Target {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    pub(crate) fn accept(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}
