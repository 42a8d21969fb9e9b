//! Messages about masters, and about the conversation with them.

use super::row::{
    CLEAN, EXAMINE, LOCAL_PATH, SHORT_PATH, SHOW_MASTERS, WITHOUT_MASTER,
    WITHOUT_MASTER_IN_ANSIBLE, ssh_messages,
};
use crate::model::finding::FindingId::{
    DirectoryInsecure, DirectoryMissing, DirectoryNotWritable, FilesystemNetwork,
    FilesystemUnsupported, Foreign, InsecureMode, Misowned, Orphaned, SessionsAtLimit,
    SshConfigInvalid, Stale, Stranded, Suspect, Unresponsive,
};
use crate::model::text::marked;

const MASTER_ENDED: &str = marked!(
    "the master ended at that moment: ControlPersist ran out, its connection broke, or somebody ended it"
);

const FEWER_SESSIONS: &str =
    marked!("close sessions that are not needed; show how many each master has: muxtray list");
const MORE_SESSIONS: &str = marked!(
    "raise the limit in the server's sshd_config, for connections made afterwards: MaxSessions 50"
);

ssh_messages! {
    MESSAGES:
    ["multiplex uid mismatch: peer euid NUMBER != uid NUMBER"] {
        meaning: "another user, often through sudo, asked the master for a session, and the master refused",
        causes: [
            "ssh runs with another user id but with the same ControlPath, for example through sudo -E",
            "the socket or its directory may be used by a group",
        ],
        findings: [Misowned, InsecureMode, DirectoryInsecure],
        remedies: [
            "run ssh as the user who started the master, without sudo: ssh HOST",
            "as the other user, connect without the master: ssh -S none HOST",
        ],
    }
    ["session request failed: Session open refused by peer", "Session open refused by peer"] {
        meaning: "the server opens no more sessions on this connection (MaxSessions in its sshd_config, 10 by default)",
        causes: [
            "as many sessions as MaxSessions allows are open through the master, those of editors, scripts and forgotten terminals included",
            "MaxSessions is 1 or 0 on the server, as on some appliances and git servers",
            "the server is about to end, or a forced command ends the connection",
        ],
        findings: [SessionsAtLimit],
        remedies: [
            WITHOUT_MASTER,
            FEWER_SESSIONS,
            MORE_SESSIONS,
        ],
        remedies_in_ansible: [WITHOUT_MASTER_IN_ANSIBLE, FEWER_SESSIONS, MORE_SESSIONS],
    }
    [
        "Master refused session request: ...",
        "Master refused forwarding request: ...",
        "Master refused termination request: ...",
        "Master refused stop listening request: ...",
        "Master refused stdio forwarding request: ...",
    ] {
        meaning: "the master asks before each request (ControlMaster ask or autoask), and the answer was no or nobody could be asked",
        causes: [
            "no ssh-askpass program is installed, or it has no display",
            "the question was answered with no",
        ],
        remedies: [
            WITHOUT_MASTER,
            "set in ~/.ssh/config, in place of ask or autoask: ControlMaster auto",
            "end the process of the master: muxtray exit --end-process HOST",
        ],
    }
    [
        "read from master failed: Broken pipe",
        "read from master failed: Connection reset by peer",
        "read from master failed: ...",
        "Control master terminated unexpectedly",
        "master alive check failed",
        "master alive request failed",
    ] {
        meaning: "the master ended, or closed the connection, while ssh talked to it",
        causes: [
            MASTER_ENDED,
            "the network of the master failed, and ServerAliveInterval ended it",
            "another user's ssh asked, and the master refuses other users",
            "the program that listens on the control socket is not ssh",
        ],
        findings: [Stale, Foreign, Unresponsive],
        remedies: ["connect again, which starts a new master: ssh HOST", CLEAN, WITHOUT_MASTER],
    }
    ["master hello exchange failed"] {
        meaning: "a program listened on the control socket, but the conversation with it did not begin; ssh goes on without the master",
        causes: [
            MASTER_ENDED,
            "the master did not answer within ConnectTimeout: it is stopped or hung",
            "another user's ssh asked, and the master refuses other users (multiplex uid mismatch)",
            "the program that listens on the control socket is not ssh",
        ],
        findings: [Stale, Unresponsive, Stranded, Foreign, Misowned],
        remedies: [
            "connect again, which starts a new master: ssh HOST",
            "ask the masters whether they answer: muxtray check",
            WITHOUT_MASTER,
        ],
    }
    ["Failed to connect to new control master"] {
        meaning: "ssh had put its master into the background, and could not connect to it by the ControlPath; the session did not start, but the master may run on",
        causes: [
            "another program removed or replaced the socket at that moment: a second ssh, or a script that cleans up",
            "the directory is on a filesystem that copies on link (bindfs, FUSE, some container volumes), so the path leads to no listener",
            "the server closed the connection just after the login, and the master ended",
        ],
        findings: [FilesystemUnsupported, Orphaned, Stale, FilesystemNetwork],
        remedies: [
            "connect again: ssh HOST",
            "show whether masters were left without a socket: muxtray list",
            LOCAL_PATH,
            WITHOUT_MASTER,
        ],
    }
    [
        "Unsupported multiplexing protocol version NUMBER (expected NUMBER)",
        "unsupported multiplexing protocol version NUMBER (expected NUMBER)",
        "expected HELLO (NUMBER) got NUMBER",
        "master returned unexpected message NUMBER",
        "unexpected response from master ...",
        "unsupported mux message ...",
        "expected MUX_MSG_HELLO(...",
        "HELLO received twice",
        "out of sequence reply: my id NUMBER theirs NUMBER",
        "exit on unknown session: my id NUMBER theirs NUMBER",
        "tty alloc fail on unknown session: my id NUMBER theirs NUMBER",
        "exitval sent twice",
    ] {
        meaning: "the program that listens on the control socket does not speak OpenSSH's protocol, or another version of it",
        causes: [
            "another program has the path of the control socket, for example an ssh-agent",
            "the master is from another version of OpenSSH, from before an update or in a container",
        ],
        findings: [Foreign],
        remedies: [
            WITHOUT_MASTER,
            "[show which process listens: ss -xlp src PATH]",
            "after an update of OpenSSH, end the old master: muxtray exit HOST",
        ],
    }
    ["mux server does not support info request", "info request failed"] {
        meaning: "the master cannot answer -O conninfo and -O channels, which need OpenSSH 10.3 or later",
        causes: ["the master was started before OpenSSH was updated"],
        remedies: ["end the old master, then connect again: muxtray exit HOST"],
    }
    ["termination request failed: ...", "stop listening request failed: ..."] {
        meaning: "the master could not do what -O exit or -O stop asked for",
        causes: ["the master is from another version of OpenSSH"],
        remedies: ["end the process of the master: muxtray exit --end-process HOST"],
    }
    ["session request failed: ..."] {
        meaning: "the master opened no session",
        causes: ["the master's connection was about to end"],
        findings: [SessionsAtLimit, Stranded],
        remedies: [WITHOUT_MASTER, SHOW_MASTERS],
    }
    [
        "mm_send_fd: ...",
        "mm_receive_fd: ...",
        "send fds failed",
        "failed to receive fd NUMBER from client",
        // The ssh of Windows.
        "getsockname failed: ...",
    ] {
        meaning: "ssh could not hand its terminal or pipes to the master",
        causes: [
            MASTER_ENDED,
            "the system cannot pass files through sockets, as ssh of Windows and Cygwin",
            "the limit of open files of the master is reached",
        ],
        findings: [Foreign, Unresponsive],
        remedies: [WITHOUT_MASTER, SHOW_MASTERS],
    }
    ["write packet: ..."] {
        meaning: "the master ended before ssh could send it a request",
        causes: [MASTER_ENDED],
        findings: [Stale, Foreign],
        remedies: ["connect again, which starts a new master: ssh HOST", WITHOUT_MASTER],
    }
    ["No ControlPath specified for \"-O\" command"] {
        meaning: "the ssh configuration sets no ControlPath for this host",
        causes: [
            "the host has no ControlPath, or ControlPath none",
            "the master was started with -M or -S, and this command does not name its path",
        ],
        remedies: [
            "show what ssh uses for the host: ssh -G HOST | grep -i control",
            SHOW_MASTERS,
            "set in ~/.ssh/config, after mkdir -p -m 700 ~/.ssh/s: ControlPath ~/.ssh/s/%C",
        ],
    }
    [
        "Invalid multiplex command.",
        "Multiplexing command already specified",
        "Cannot specify multiplexing command with -W",
        "Cannot specify stdio forward with -O",
    ] {
        meaning: "the arguments of ssh are wrong: -O takes one of check, forward, cancel, exit, stop, proxy",
        causes: [
            "a misspelt command, or -O twice or together with -W",
            "conninfo and channels need OpenSSH 10.3 or later",
        ],
        remedies: ["show the version of ssh: ssh -V"],
    }
    ["Missing ControlPersist argument", "Bad ControlPersist argument"] {
        meaning: "ssh refuses its configuration: ControlPersist takes yes, no, or a time such as 10m",
        causes: ["a misspelt value in the file and line that the message names"],
        findings: [SshConfigInvalid],
        remedies: ["correct the line, then test it: ssh -G HOST"],
    }
    [
        "no argument after keyword \"control...",
        "keyword controlmaster extra arguments",
        "keyword controlpath extra arguments",
        "keyword controlpersist extra arguments",
    ] {
        meaning: "ssh refuses its configuration: ControlMaster, ControlPath and ControlPersist take one value each",
        causes: ["a value is missing, or has a space and no quotes, in the file and line that the message names"],
        findings: [SshConfigInvalid],
        remedies: ["correct the line, then test it: ssh -G HOST"],
    }
    [
        "vdollar_percent_expand: unknown key ...",
        "percent_dollar_expand: unknown key ...",
        "percent_expand: unknown key ...",
        "env var ${...",
        "invalid environment variable expansion",
        "vdollar_percent_expand: ...",
        "percent_expand: failed",
        "percent_dollar_expand: failed",
        "tilde_expand: ...",
        "ssh_connection_hash: ...",
    ] {
        meaning: "ssh cannot expand a % token or a variable in its configuration, such as in ControlPath",
        causes: [
            "the token is newer than this ssh, such as %j before OpenSSH 9.6 or %k before 8.5",
            "a literal % has to be written as %%",
            "the environment variable is not set here, as in cron, systemd and sudo",
        ],
        findings: [SshConfigInvalid],
        remedies: ["correct the option, then test it: ssh -G HOST", SHORT_PATH],
    }
    ["escape not available to multiplexed sessions"] {
        meaning: "this escape character works only in the first session of a master",
        causes: ["the session runs through a master, which holds the connection"],
        remedies: [
            "for a forwarding, ask the master: ssh -O forward -L 8080:localhost:80 HOST",
            WITHOUT_MASTER,
        ],
    }
    ["Shared connection to HOST closed"] {
        meaning: "a session through a master ended normally",
    }
    ["Master running (pid=NUMBER)"] {
        meaning: "the process of the master answers; that says nothing about its network, so a session can still hang",
        findings: [Stranded, Suspect],
        remedies: ["check its network as well: muxtray check [HOST]"],
    }
    ["Exit request sent.", "Stop listening request sent."] {
        meaning: "the master accepted the request; after stop it ends with its last session",
    }
    ["auto-mux: Trying existing master at 'PATH'", "auto-mux: Trying existing master"] {
        meaning: "ssh asks a running master for a session; if ssh waits after this line, the master does not answer",
        findings: [Unresponsive, Stranded, Suspect],
    }
    [
        "temporary control path PATH.RANDOM",
        "setting up multiplex master socket",
        "multiplexing control connection",
        "control_persist_detach: ...",
        "ControlPersist timeout expired",
        "mux_client_request_session: master session id: NUMBER",
        "mux_client_request_session: entering",
        "mux_client_request_alive: entering",
        "mux_client_hello_exchange: master version NUMBER",
        "mux_client_forwards: request forwardings: NUMBER local, NUMBER remote",
    ] {
        meaning: "a normal step of multiplexing",
    }
    ["muxserver_listen: ..."] {
        meaning: "ssh could not become a master",
        findings: [DirectoryMissing, DirectoryNotWritable, FilesystemUnsupported],
        remedies: [EXAMINE, WITHOUT_MASTER],
    }
    [
        "muxclient: ...",
        "mux_client_...",
        "mux_master_...",
        "mux_session_confirm: ...",
        "mux_stdio_confirm: ...",
        "mux_confirm_remote_forward: ...",
        "mux_exit_message: ...",
        "mux_tty_alloc_failed: ...",
        "env_permitted: ...",
        "unrecognised muxclient_command ...",
        "channel_post_mux_listener: ...",
    ] {
        meaning: "the conversation between ssh and its master failed",
        causes: [
            MASTER_ENDED,
            "the master is from another version of OpenSSH, or the program that listens is not ssh",
        ],
        findings: [Stale, Unresponsive, Foreign],
        remedies: ["connect again: ssh HOST", WITHOUT_MASTER, EXAMINE],
    }
}
