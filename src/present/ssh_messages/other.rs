//! The most usual messages of ssh that are not about multiplexing or forwarding, so that nobody looks for their cause at
//! sockets.

use super::row::ssh_messages;
use crate::model::text::marked;

const VERBOSE: &str = marked!("show each step: ssh -v HOST");

ssh_messages! {
    MESSAGES:
    ["Permission denied (...", "Permission denied, please try again"] {
        meaning: "the server accepts none of your keys or passwords",
        remedies: ["show which user and keys are tried: ssh -v HOST"],
    }
    ["Too many authentication failures", "Authentication failed."] {
        meaning: "the server gave up before the right key was offered",
        remedies: ["offer only the configured key: ssh -o IdentitiesOnly=yes HOST"],
    }
    [
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "Host key verification failed",
        "IDENTIFICATION HAS CHANGED",
        "POSSIBLE DNS SPOOFING DETECTED",
        "Host key for ...",
        "REVOKED HOST KEY DETECTED",
        "No matching host key",
        "host key is known for ...",
        "Someone could be eavesdropping on you right now",
    ] {
        meaning: "the server's host key is not the known one: another machine answers, or it was reinstalled",
        remedies: [
            "compare the key with its administrator's, and only then remove the old one: ssh-keygen -R HOST",
        ],
    }
    [
        "Could not resolve hostname HOST: ...",
        "Could not resolve hostname",
        "Could not resolve host \"",
    ] {
        meaning: "no name server knows the host's name",
        remedies: ["show the name that ssh looks up: ssh -G HOST | grep -i ^hostname"],
    }
    ["Connection timed out during banner exchange", "banner exchange: ..."] {
        meaning: "something accepted the connection and did not answer as an ssh server",
        remedies: [VERBOSE],
    }
    [
        "kex_exchange_identification: ...",
        "ssh_exchange_identification: ...",
        "kex_protocol_error: ...",
    ] {
        meaning: "the server closed the connection before the login: it is overloaded (MaxStartups), blocks your address, or no ssh server listens there",
        remedies: [VERBOSE],
    }
    [
        "Unable to negotiate with",
        "no matching host key type found",
        "no matching key exchange method found",
        "no matching cipher found",
        "no matching MAC found",
    ] {
        meaning: "client and server have no algorithm in common, as with very old servers",
        remedies: [VERBOSE],
    }
    ["Timeout, server HOST not responding"] {
        meaning: "the server did not answer ServerAliveInterval's requests, so ssh ended the connection with all its sessions",
        remedies: ["connect again once the network works: ssh HOST"],
    }
    [
        "client_loop: send disconnect: ...",
        "packet_write_wait: ...",
        "Write failed: Broken pipe",
        "Connection closed by ...",
        "closed by remote host",
        "Connection reset by ...",
        "Disconnected from ...",
        "Received disconnect from ...",
        "Connection corrupted",
        "Bad packet length ...",
        "Corrupted MAC on input",
        "Connection to HOST timed out",
        "ssh_dispatch_run_fatal: ...",
    ] {
        meaning: "the network or the server ended the connection",
        remedies: ["show when it ends: ssh -v HOST"],
    }
    [
        "connect to host HOST port NUMBER: ...",
        "connect to host ...",
        "connect to address ADDRESS port NUMBER: ...",
    ] {
        meaning: "no connection to the server's port: a firewall, a wrong address or port, or the server is down",
        remedies: [
            "show the address and port that ssh uses: ssh -G HOST | grep -i -E '^(hostname|port) '",
        ],
    }
    [
        "Bad configuration option: ...",
        "unsupported option \"...",
        "bad configuration options",
        "Bad owner or permissions on ...",
        "no argument after keyword ...",
        "extra arguments at end of line",
        "Can't open user config file ...",
    ] {
        meaning: "ssh refuses its configuration, so every connection fails",
        remedies: ["correct the file and line in the message, then test it: ssh -G HOST"],
    }
    [
        "UNPROTECTED PRIVATE KEY FILE",
        "are too open.",
        "Load key ...",
        "bad permissions",
        "incorrect passphrase supplied",
        "not accessible: No such file or directory",
        "Enter passphrase for key",
        "agent refused operation",
        "Could not open a connection to your authentication agent",
        "Agent admitted failure",
    ] {
        meaning: "ssh cannot use a private key: its file, its mode or its passphrase is wrong",
        remedies: ["show which keys are tried: ssh -v HOST"],
    }
    [
        "PTY allocation request failed",
        "shell request failed",
        "exec request failed",
        "subsystem request failed",
    ] {
        meaning: "the session has no terminal or no command: the server or the input of ssh does not allow it",
        remedies: [VERBOSE],
    }
    ["Unsupported option \"..."] {
        meaning: "this ssh was built without the option, such as those of GSSAPI, and ignores the line; nothing is wrong",
    }
    ["RefuseConnection: ..."] {
        meaning: "the ssh configuration refuses connections to this host on purpose, for the reason in the message",
        remedies: ["show whether this host is still refused: ssh -G HOST"],
    }
    ["hostname contains invalid characters", "remote username contains invalid characters"] {
        meaning: "the name of the host or user has characters that ssh refuses since version 9.6",
        remedies: ["show the name that ssh uses: ssh -G HOST | grep -i -E '^(hostname|user) '"],
    }
    [
        "Connection to HOST closed",
        "Pseudo-terminal will not be allocated",
        "Warning: Permanently added ...",
        "Authenticated to ...",
    ] {
        meaning: "a normal message of a connection",
    }
}
