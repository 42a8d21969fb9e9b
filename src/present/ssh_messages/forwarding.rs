//! Messages about forwarded ports, sockets, X11 displays and agents.

use super::row::ssh_messages;
use crate::model::finding::FindingId;
use crate::model::text::marked;

const ANOTHER_PORT: &str = marked!(
    "use another local port, for example: ssh -D 1081 HOST, or ssh -L 8081:localhost:80 HOST"
);
const SHOW_LISTENER: &str =
    marked!("[show the process that listens there: ss -ltnp 'sport = :PORT']");
const SHOW_LISTENER_OF_SERVER: &str =
    marked!("[show the process that listens there: ssh HOST ss -ltnp 'sport = :SERVERPORT']");
const VERBOSE: &str = marked!("show the reason: ssh -v HOST");

ssh_messages! {
    MESSAGES:
    ["Stdio forwarding request failed: Session open refused by peer"] {
        meaning: "the jump host did not connect to the target (ssh -W or ProxyJump through a master)",
        causes: [
            "the target's name or port is wrong, or the jump host cannot reach it",
            "sshd on the jump host forbids it (AllowTcpForwarding, PermitOpen)",
        ],
        remedies: [
            "try it without the master of the jump host: ssh -S none HOST",
            "show what the jump host refuses: ssh -v HOST",
        ],
    }
    ["stdio forwarding failed", "Stdio forwarding request failed: ..."] {
        meaning: "the jump host did not connect to the target (ssh -W or ProxyJump)",
        causes: [
            "the target's name or port is wrong, or the jump host cannot reach it (the line before says so)",
            "sshd on the jump host forbids forwardings (AllowTcpForwarding, PermitOpen)",
        ],
        remedies: [
            "try the target from the jump host, for example: ssh HOST getent hosts localhost",
            VERBOSE,
        ],
    }
    [
        "bind [ADDRESS]:PORT: Address already in use",
        "listen [ADDRESS]:PORT: Address already in use",
        "cannot listen to port: PORT",
    ] {
        meaning: "ssh could not listen on the local port of a forwarding, so that forwarding does not exist",
        causes: [
            "a master of yours forwards the port already, from an earlier connection that still runs in the background",
            "another ssh or another program listens on the port",
            "each session of a host with LocalForward or DynamicForward asks for the port again",
            "the port is below 1024, or its address is not one of this machine (the line before says so)",
        ],
        remedies: [
            SHOW_LISTENER,
            "end the master that forwards it: muxtray exit HOST",
            ANOTHER_PORT,
        ],
    }
    ["bind [ADDRESS]:PORT: Permission denied"] {
        meaning: "you may not listen on this port",
        causes: [
            "ports below 1024 are for root, unless net.ipv4.ip_unprivileged_port_start is lower",
            "SELinux or a container forbids it",
        ],
        remedies: [
            "use a port from 1024 on, for example: ssh -L 8080:localhost:80 HOST",
            "show the first port for everybody: sysctl net.ipv4.ip_unprivileged_port_start",
        ],
    }
    ["bind [ADDRESS]:PORT: Cannot assign requested address"] {
        meaning: "the address of the forwarding is not one of this machine",
        causes: [
            "IPv6 is switched off (::1), as in many containers; the forwarding works for IPv4 all the same",
            "the address belongs to a network that is not connected, such as a VPN",
        ],
        remedies: [
            "show the addresses of this machine: ip -brief address",
            "forward for IPv4 only: ssh -o AddressFamily=inet HOST",
        ],
    }
    [
        "bind [ADDRESS]:PORT: ...",
        "listen [ADDRESS]:PORT: ...",
        "socket [ADDRESS]:PORT: ...",
        "channel_setup_fwd_listener_tcpip: ...",
        "channel_setup_fwd_listener_streamlocal: ...",
    ] {
        meaning: "ssh could not listen on the local side of a forwarding",
        causes: [
            "the address of the forwarding is misspelt, or its name cannot be resolved",
            "the address or its family (IPv6) does not exist on this machine",
        ],
        remedies: [SHOW_LISTENER, "show the addresses of this machine: ip -brief address"],
    }
    [
        "remote port forwarding failed for listen port SERVERPORT",
        "remote port forwarding failed for listen path ...",
        "remote port forwarding failed",
        "Could not request remote forwarding.",
    ] {
        meaning: "the server did not listen on the port or socket of a remote forwarding (-R)",
        causes: [
            "an earlier connection of yours still holds the port on the server: another master, or one whose network failed and which sshd has not noticed",
            "another program on the server listens on the port",
            "sshd forbids it (AllowTcpForwarding, PermitListen, AllowStreamLocalForwarding), or the port is below 1024",
        ],
        findings: [FindingId::Stranded],
        remedies: [
            SHOW_LISTENER_OF_SERVER,
            "end the master that forwards it: muxtray exit HOST",
            "let the server choose a free port: ssh -R 0:localhost:80 HOST",
            "let sshd notice dead connections, in the server's sshd_config: ClientAliveInterval 15",
        ],
    }
    [
        "forwarding request failed: port not forwarded",
        "forwarding request failed: port not found",
        "forwarding request failed: port not in permitted opens",
        "master cancel forward request failed",
    ] {
        meaning: "the master has no such forwarding to cancel",
        causes: [
            "-O cancel needs exactly the specification with which the forwarding was added, the address to listen on included",
            "the forwarding belongs to another ssh, or has ended already",
        ],
        remedies: [
            "show which process listens on which port: ss -ltnp",
            "cancel it as it was added, for example: ssh -O cancel -L 8080:localhost:80 HOST",
            "end the master with all its forwardings: muxtray exit HOST",
        ],
    }
    [
        "Could not request local forwarding.",
        "forwarding request failed: Port forwarding failed",
        "forwarding request failed: ...",
        "master forward request failed",
        "mux_master_process_open_fwd: requested ...",
        "Port forwarding failed.",
    ] {
        meaning: "a local forwarding could not be set up; after this ssh may connect without the master",
        causes: [
            "the local port is taken, by another master of yours or by another program",
            "the port is below 1024, or the address to listen on is not one of this machine",
        ],
        remedies: [
            "show the process that listens on it: ss -ltnp ['sport = :PORT']",
            ANOTHER_PORT,
            "if the host's configuration names the port, connect without it: ssh -o ClearAllForwardings=yes HOST",
        ],
    }
    ["open failed: administratively prohibited"] {
        meaning: "the server forbids the connection that a forwarding or a jump asked for",
        causes: [
            "sshd forbids forwardings (AllowTcpForwarding, DisableForwarding, restrict in authorized_keys)",
            "sshd allows other targets only (PermitOpen)",
            "the server forbids forwardings to sockets (AllowStreamLocalForwarding)",
        ],
        remedies: [
            "show what sshd allows, on the server: sudo sshd -T | grep -i -E 'forward|permitopen'",
            VERBOSE,
        ],
    }
    ["open failed: connect failed: open failed"] {
        meaning: "the server opened no channel: the session limit of the connection is reached (MaxSessions), or the target of a forwarding cannot be reached",
        causes: [
            "as many sessions as MaxSessions allows are open through this connection",
            "the server cannot reach the target of a forwarding",
        ],
        findings: [FindingId::SessionsAtLimit],
        remedies: [
            "connect without the master: ssh -S none HOST",
            "show how many sessions each master has: muxtray list",
        ],
    }
    ["open failed: connect failed: Connection refused"] {
        meaning: "the forwarding works, but nothing listens on its target",
        causes: [
            "the service does not run on the target, or listens on another port or address",
            "localhost in a forwarding is the server's own; it can mean ::1 there while the service listens on 127.0.0.1",
        ],
        remedies: [
            "show what listens on the server: ssh HOST ss -ltn",
            "name the address in the forwarding, for example: ssh -L 8080:127.0.0.1:80 HOST",
        ],
    }
    [
        "open failed: connect failed: ...",
        "open failed: unknown channel type: ...",
        "open failed: resource shortage: ...",
        "open failed: ...",
    ] {
        meaning: "the server could not connect to the target of a forwarding",
        causes: [
            "the server cannot resolve or reach the target's name or address",
            "the server's sshd does not know this kind of forwarding",
        ],
        remedies: [
            "try the target from the server, for example: ssh HOST getent hosts localhost",
            VERBOSE,
        ],
    }
    [
        "connect_to ADDRESS port NUMBER: failed",
        "connect_to ADDRESS: unknown host ...",
        "connect to ADDRESS port NUMBER failed: ...",
    ] {
        meaning: "this machine could not connect to the target of a remote forwarding (-R), which is reached from here",
        causes: ["the service does not run here, or listens on another port or address"],
        remedies: ["show what listens on this machine: ss -ltn"],
    }
    [
        "Server requests forwarding for unknown listen_port NUMBER",
        "Server requests forwarding for unknown path ...",
        "Received request from ADDRESS port NUMBER to connect to host ...",
        "Received request to connect to path ...",
        "Received request from ADDRESS port NUMBER to remote forward...",
        "ssh server tried agent forwarding",
        "ssh server tried X11 forwarding",
        "this is probably a break-in attempt by a malicious server",
    ] {
        meaning: "the server asked for a forwarding that this connection did not request, and ssh refused it",
        causes: [
            "the forwarding was cancelled a moment before, or belongs to an earlier session of the same master",
            "the master began before ForwardAgent or ForwardX11 was set, or without it",
            "the server is malicious",
        ],
        remedies: [
            "end the master, so that the next one asks for what is configured: muxtray exit HOST",
        ],
    }
    [
        "Bad local forwarding specification ...",
        "Bad remote forwarding specification ...",
        "Bad dynamic forwarding specification ...",
        "Bad stdio forwarding specification ...",
        "Bad forwarding specification",
        "Bad forwarding close specification",
        "Bad local forwarding specification",
        "Bad remote forwarding specification",
        "Unknown port forwarding",
        "Missing target argument",
        "no argument after keyword \"localforward\"",
        "no argument after keyword \"remoteforward\"",
        "no argument after keyword \"dynamicforward\"",
        "missing host in permitremoteopen",
        "bad port number in permitremoteopen",
        "stdio forward already specified",
        "Cannot fork into background without a command",
    ] {
        meaning: "ssh cannot read the specification of a forwarding",
        causes: [
            "-L and -R need [address:]port:host:hostport, -D [address:]port, -W host:port; an IPv6 address needs brackets",
            "in ~/.ssh/config the two parts of LocalForward and RemoteForward are separated by a space",
        ],
        findings: [FindingId::SshConfigInvalid],
        remedies: ["correct it, then test it: ssh -G HOST | grep -i forward"],
    }
    [
        "Local connecting path too long: ...",
        "Local listening path too long: ...",
        "No forward host name",
        "No forward path name",
        "Forward host name too long",
    ] {
        meaning: "a name or path in a forwarding is missing or too long; a socket's path has 107 bytes at most",
        causes: ["the socket of the forwarding is in a directory with a long path"],
        remedies: [
            "use a short path, for example: ssh -L /tmp/db.sock:/run/postgresql/.s.PGSQL.5432 HOST",
        ],
    }
    [
        "Allocated port NUMBER for remote forward to ...",
        "Allocated port NUMBER for mux remote forward to ...",
        "Local forwarding listening on ...",
        "Local connections to ...",
        "Remote connections from ...",
        "Requesting forwarding of ...",
        "Requesting cancellation of ...",
        "remote forward success for: ...",
        "Forwarding port.",
        "Canceled forwarding.",
    ] {
        meaning: "a normal step of forwarding",
    }
    ["remote forward failure for: ...", "Invalid allocated port ...", "tcpip-forward for ..."] {
        meaning: "the server did not set up a remote forwarding (-R)",
        causes: ["the port is taken on the server, or sshd forbids it"],
        remedies: [
            "let the server choose a free port: ssh -R 0:localhost:80 HOST",
            "end the master that forwards it: muxtray exit HOST",
        ],
    }
    [
        "Error: forwarding disabled due to host key check failure",
        "Port forwarding is disabled to avoid man-in-the-middle attacks",
        "Agent forwarding is disabled to avoid man-in-the-middle attacks",
        "X11 forwarding is disabled to avoid man-in-the-middle attacks",
        "Tunnel forwarding is disabled to avoid man-in-the-middle attacks",
    ] {
        meaning: "the server's host key is not the known one, so ssh forwards nothing in this session",
        causes: [
            "another machine answers at this address, or the server was reinstalled, and StrictHostKeyChecking no lets ssh connect all the same",
        ],
        remedies: [
            "compare the key with its administrator's, and only then remove the old one: ssh-keygen -R HOST",
        ],
    }
    ["closing after NUMBER seconds of inactivity"] {
        meaning: "ssh closed a forwarded connection or a session that was not used (ChannelTimeout)",
        causes: ["ChannelTimeout is set, here or on the server"],
        remedies: ["show the value: ssh -G HOST | grep -i channeltimeout"],
    }
}

ssh_messages! {
    /// All that the functions of channels.c print.
    INTERNAL:
    [
        "channel_...",
        "port_open_helper: ...",
        "client_request_forwarded_tcpip: ...",
        "client_request_forwarded_streamlocal: ...",
        "client_request_x11: ...",
        "client_x11_get_proto: ...",
        "x11_request_forwarding...",
        "x11_open_helper: ...",
        "ssh_init_forward_permissions: ...",
        "ssh_init_stdio_forwarding: ...",
        "ssh_confirm_remote_forward: ...",
        "rdynamic_connect_...",
        "channel NUMBER: rcvd big packet ...",
        "channel NUMBER: rcvd too much ...",
        "channel NUMBER: peer ignored channel window",
        "channel NUMBER: protocol error: ...",
        "packet referred to nonexistent channel NUMBER",
        "Received window adjust for non-open channel NUMBER",
        "Received open confirmation for non-opening channel NUMBER",
        "Received open failure for non-opening channel NUMBER",
        "Received extended_data after EOF on channel NUMBER",
        "decode socks...",
        "dynamic request: ...",
        "accept: Too many open files",
    ] {
        meaning: "ssh could not handle a session or a forwarded connection",
        causes: [
            "the connection ended at that moment",
            "a program that uses the forwarding, or the server, sent what ssh does not understand",
        ],
        remedies: [VERBOSE],
    }
}
