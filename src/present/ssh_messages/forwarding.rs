//! Messages about forwarded ports, sockets, X11 displays and agents.

use super::row::{ROW, SshMessage};
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

pub(super) static MESSAGES: &[SshMessage] = &[
    SshMessage {
        wordings: &["Stdio forwarding request failed: Session open refused by peer"],
        meaning: marked!(
            "the jump host did not connect to the target (ssh -W or ProxyJump through a master)"
        ),
        causes: &[
            marked!("the target's name or port is wrong, or the jump host cannot reach it"),
            marked!("sshd on the jump host forbids it (AllowTcpForwarding, PermitOpen)"),
        ],
        remedies: &[
            marked!("try it without the master of the jump host: ssh -S none HOST"),
            marked!("show what the jump host refuses: ssh -v HOST"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "stdio forwarding failed",
            "Stdio forwarding request failed: ...",
        ],
        meaning: marked!("the jump host did not connect to the target (ssh -W or ProxyJump)"),
        causes: &[
            marked!(
                "the target's name or port is wrong, or the jump host cannot reach it (the line before says so)"
            ),
            marked!("sshd on the jump host forbids forwardings (AllowTcpForwarding, PermitOpen)"),
        ],
        remedies: &[
            marked!(
                "try the target from the jump host, for example: ssh HOST getent hosts localhost"
            ),
            VERBOSE,
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "bind [ADDRESS]:PORT: Address already in use",
            "listen [ADDRESS]:PORT: Address already in use",
            "cannot listen to port: PORT",
        ],
        meaning: marked!(
            "ssh could not listen on the local port of a forwarding, so that forwarding does not exist"
        ),
        causes: &[
            marked!(
                "a master of yours forwards the port already, from an earlier connection that still runs in the background"
            ),
            marked!("another ssh or another program listens on the port"),
            marked!(
                "each session of a host with LocalForward or DynamicForward asks for the port again"
            ),
            marked!(
                "the port is below 1024, or its address is not one of this machine (the line before says so)"
            ),
        ],
        remedies: &[
            SHOW_LISTENER,
            marked!("end the master that forwards it: muxtray exit HOST"),
            ANOTHER_PORT,
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["bind [ADDRESS]:PORT: Permission denied"],
        meaning: marked!("you may not listen on this port"),
        causes: &[
            marked!(
                "ports below 1024 are for root, unless net.ipv4.ip_unprivileged_port_start is lower"
            ),
            marked!("SELinux or a container forbids it"),
        ],
        remedies: &[
            marked!("use a port from 1024 on, for example: ssh -L 8080:localhost:80 HOST"),
            marked!(
                "show the first port for everybody: sysctl net.ipv4.ip_unprivileged_port_start"
            ),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["bind [ADDRESS]:PORT: Cannot assign requested address"],
        meaning: marked!("the address of the forwarding is not one of this machine"),
        causes: &[
            marked!(
                "IPv6 is switched off (::1), as in many containers; the forwarding works for IPv4 all the same"
            ),
            marked!("the address belongs to a network that is not connected, such as a VPN"),
        ],
        remedies: &[
            marked!("show the addresses of this machine: ip -brief address"),
            marked!("forward for IPv4 only: ssh -o AddressFamily=inet HOST"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "bind [ADDRESS]:PORT: ...",
            "listen [ADDRESS]:PORT: ...",
            "socket [ADDRESS]:PORT: ...",
            "channel_setup_fwd_listener_tcpip: ...",
            "channel_setup_fwd_listener_streamlocal: ...",
        ],
        meaning: marked!("ssh could not listen on the local side of a forwarding"),
        causes: &[
            marked!("the address of the forwarding is misspelt, or its name cannot be resolved"),
            marked!("the address or its family (IPv6) does not exist on this machine"),
        ],
        remedies: &[
            SHOW_LISTENER,
            marked!("show the addresses of this machine: ip -brief address"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "remote port forwarding failed for listen port SERVERPORT",
            "remote port forwarding failed for listen path ...",
            "remote port forwarding failed",
            "Could not request remote forwarding.",
        ],
        meaning: marked!(
            "the server did not listen on the port or socket of a remote forwarding (-R)"
        ),
        causes: &[
            marked!(
                "an earlier connection of yours still holds the port on the server: another master, or one whose network failed and which sshd has not noticed"
            ),
            marked!("another program on the server listens on the port"),
            marked!(
                "sshd forbids it (AllowTcpForwarding, PermitListen, AllowStreamLocalForwarding), or the port is below 1024"
            ),
        ],
        findings: &[FindingId::Stranded],
        remedies: &[
            SHOW_LISTENER_OF_SERVER,
            marked!("end the master that forwards it: muxtray exit HOST"),
            marked!("let the server choose a free port: ssh -R 0:localhost:80 HOST"),
            marked!(
                "let sshd notice dead connections, in the server's sshd_config: ClientAliveInterval 15"
            ),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "forwarding request failed: port not forwarded",
            "forwarding request failed: port not found",
            "forwarding request failed: port not in permitted opens",
            "master cancel forward request failed",
        ],
        meaning: marked!("the master has no such forwarding to cancel"),
        causes: &[
            marked!(
                "-O cancel needs exactly the specification with which the forwarding was added, the address to listen on included"
            ),
            marked!("the forwarding belongs to another ssh, or has ended already"),
        ],
        remedies: &[
            marked!("show which process listens on which port: ss -ltnp"),
            marked!(
                "cancel it as it was added, for example: ssh -O cancel -L 8080:localhost:80 HOST"
            ),
            marked!("end the master with all its forwardings: muxtray exit HOST"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "Could not request local forwarding.",
            "forwarding request failed: Port forwarding failed",
            "forwarding request failed: ...",
            "master forward request failed",
            "mux_master_process_open_fwd: requested ...",
            "Port forwarding failed.",
        ],
        meaning: marked!(
            "a local forwarding could not be set up; after this ssh may connect without the master"
        ),
        causes: &[
            marked!("the local port is taken, by another master of yours or by another program"),
            marked!(
                "the port is below 1024, or the address to listen on is not one of this machine"
            ),
        ],
        remedies: &[
            marked!("show the process that listens on it: ss -ltnp ['sport = :PORT']"),
            ANOTHER_PORT,
            marked!(
                "if the host's configuration names the port, connect without it: ssh -o ClearAllForwardings=yes HOST"
            ),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["open failed: administratively prohibited"],
        meaning: marked!(
            "the server forbids what a forwarding, or a jump through it, wanted to connect to"
        ),
        causes: &[
            marked!(
                "sshd forbids forwardings (AllowTcpForwarding, DisableForwarding, restrict in authorized_keys)"
            ),
            marked!("sshd allows other targets only (PermitOpen)"),
            marked!("the server forbids forwardings to sockets (AllowStreamLocalForwarding)"),
        ],
        remedies: &[
            marked!(
                "show what sshd allows, on the server: sudo sshd -T | grep -i -E 'forward|permitopen'"
            ),
            VERBOSE,
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["open failed: connect failed: open failed"],
        meaning: marked!(
            "the server opened no channel: the session limit of the connection is reached (MaxSessions), or the target of a forwarding cannot be reached"
        ),
        causes: &[
            marked!("as many sessions as MaxSessions allows are open through this connection"),
            marked!("the server cannot reach the target of a forwarding"),
        ],
        findings: &[FindingId::SessionsAtLimit],
        remedies: &[
            marked!("connect without the master: ssh -S none HOST"),
            marked!("show how many sessions each master has: muxtray list"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["open failed: connect failed: Connection refused"],
        meaning: marked!("the forwarding works, but nothing listens on its target"),
        causes: &[
            marked!(
                "the service does not run on the target, or listens on another port or address"
            ),
            marked!(
                "localhost in a forwarding is the server's own; it can mean ::1 there while the service listens on 127.0.0.1"
            ),
        ],
        remedies: &[
            marked!("show what listens on the server: ssh HOST ss -ltn"),
            marked!(
                "name the address in the forwarding, for example: ssh -L 8080:127.0.0.1:80 HOST"
            ),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "open failed: connect failed: ...",
            "open failed: unknown channel type: ...",
            "open failed: resource shortage: ...",
            "open failed: ...",
        ],
        meaning: marked!("the server could not connect to the target of a forwarding"),
        causes: &[
            marked!("the server cannot resolve or reach the target's name or address"),
            marked!("the server's sshd does not know this kind of forwarding"),
        ],
        remedies: &[
            marked!("try the target from the server, for example: ssh HOST getent hosts localhost"),
            VERBOSE,
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "connect_to ADDRESS port NUMBER: failed",
            "connect_to ADDRESS: unknown host ...",
            "connect to ADDRESS port NUMBER failed: ...",
        ],
        meaning: marked!(
            "this machine could not connect to the target of a remote forwarding (-R), which is reached from here"
        ),
        causes: &[marked!(
            "the service does not run here, or listens on another port or address"
        )],
        remedies: &[marked!("show what listens on this machine: ss -ltn")],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "Server requests forwarding for unknown listen_port NUMBER",
            "Server requests forwarding for unknown path ...",
            "Received request from ADDRESS port NUMBER to connect to host ...",
            "Received request to connect to path ...",
            "Received request from ADDRESS port NUMBER to remote forward...",
            "ssh server tried agent forwarding",
            "ssh server tried X11 forwarding",
            "this is probably a break-in attempt by a malicious server",
        ],
        meaning: marked!(
            "the server asked for a forwarding that this connection did not request, and ssh refused it"
        ),
        causes: &[
            marked!(
                "the forwarding was cancelled a moment before, or belongs to an earlier session of the same master"
            ),
            marked!("the master began before ForwardAgent or ForwardX11 was set, or without it"),
            marked!("the server is malicious"),
        ],
        remedies: &[marked!(
            "end the master, so that the next one asks for what is configured: muxtray exit HOST"
        )],
        ..ROW
    },
    SshMessage {
        wordings: &[
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
            "missing host in permitremoteopen",
            "bad port number in permitremoteopen",
            "stdio forward already specified",
            "Cannot fork into background without a command",
        ],
        meaning: marked!("ssh cannot read the specification of a forwarding"),
        causes: &[
            marked!(
                "-L and -R need [address:]port:host:hostport, -D [address:]port, -W host:port; an IPv6 address needs brackets"
            ),
            marked!(
                "in ~/.ssh/config the two parts of LocalForward and RemoteForward are separated by a space"
            ),
        ],
        findings: &[FindingId::SshConfigInvalid],
        remedies: &[marked!(
            "correct it, then test it: ssh -G HOST | grep -i forward"
        )],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "Local connecting path too long: ...",
            "Local listening path too long: ...",
            "No forward host name",
            "No forward path name",
            "Forward host name too long",
        ],
        meaning: marked!(
            "a name or path in a forwarding is missing or too long; a socket's path has 107 bytes at most"
        ),
        causes: &[marked!(
            "the socket of the forwarding is in a directory with a long path"
        )],
        remedies: &[marked!(
            "use a short path, for example: ssh -L /tmp/db.sock:/run/postgresql/.s.PGSQL.5432 HOST"
        )],
        ..ROW
    },
    SshMessage {
        wordings: &[
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
        ],
        meaning: marked!("a normal step of forwarding"),
        ..ROW
    },
    SshMessage {
        wordings: &[
            "remote forward failure for: ...",
            "Invalid allocated port ...",
            "tcpip-forward for ...",
        ],
        meaning: marked!("the server did not set up a remote forwarding (-R)"),
        causes: &[marked!(
            "the port is taken on the server, or sshd forbids it"
        )],
        remedies: &[
            marked!("let the server choose a free port: ssh -R 0:localhost:80 HOST"),
            marked!("end the master that forwards it: muxtray exit HOST"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["closing after NUMBER seconds of inactivity"],
        meaning: marked!(
            "ssh closed a forwarded connection or a session that was not used (ChannelTimeout)"
        ),
        causes: &[marked!("ChannelTimeout is set, here or on the server")],
        remedies: &[marked!(
            "show the value: ssh -G HOST | grep -i channeltimeout"
        )],
        ..ROW
    },
];

/// All that the functions of channels.c print.
pub(super) static INTERNAL: &[SshMessage] = &[SshMessage {
    wordings: &[
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
        "decode socks...",
        "dynamic request: ...",
    ],
    meaning: marked!("ssh could not handle a session or a forwarded connection"),
    causes: &[
        marked!("the connection ended at that moment"),
        marked!(
            "a program that uses the forwarding, or the server, sent what ssh does not understand"
        ),
    ],
    remedies: &[VERBOSE],
    ..ROW
}];
