//! Messages about the path of a control socket, its file and its directory.

use super::row::{
    CLEAN, EXAMINE, LOCAL_PATH, SHORT_PATH, SHOW_MASTERS, WITHOUT_MASTER,
    WITHOUT_MASTER_IN_ANSIBLE, ssh_messages,
};
use crate::model::finding::FindingId::{
    Denied, DirectoryMisowned, DirectoryMissing, DirectoryNotWritable, FilesystemFull,
    FilesystemNetwork, FilesystemUnsupported, Foreign, Leftover, Misowned, NotASocket, Orphaned,
    PathTooLong, Stale, Stranded, Unresponsive, Unverifiable,
};
use crate::model::text::marked;

const MAKE_DIRECTORY: &str = marked!("[create the directory: mkdir -p -m 700 DIRECTORY]");
const SHOW_OWNERS: &str = marked!("[show owners and modes along the path: namei -l PATH]");
const SHOW_FILESYSTEM: &str = marked!("[show the filesystem: findmnt -T DIRECTORY]");
const SHORT_PATH_IN_ANSIBLE: &str =
    marked!("set in ansible.cfg, below [ssh_connection]: control_path = %(directory)s/%%C");
const DIRECTORY_IN_ANSIBLE: &str = marked!(
    "let ansible use another directory, until the shell ends: export ANSIBLE_SSH_CONTROL_PATH_DIR=/tmp/ansible-$(id -u)"
);

ssh_messages! {
    MESSAGES:
    ["Control socket connect(PATH): Connection refused"] {
        meaning: "no process listens on the control socket: its master ended without removing it",
        causes: [
            "the master was killed, or the machine lost power, so the socket file remained",
            "the file is no socket",
            "the directory is on a filesystem that copies on link (bindfs, some container volumes), so the path leads to no listener",
            "the master runs on another machine that shares the directory",
        ],
        findings: [
            Stale, NotASocket, Leftover, Unverifiable, FilesystemUnsupported, FilesystemNetwork,
        ],
        remedies: [CLEAN, "start a master: muxtray open HOST"],
    }
    ["Control socket connect(PATH): Permission denied"] {
        meaning: "you may not use the control socket, or a directory on its path",
        causes: [
            "another user started the master, often root through sudo",
            "a directory on the path belongs to another user, or its mode denies access",
        ],
        findings: [Denied, Misowned, DirectoryMisowned, DirectoryNotWritable],
        remedies: [WITHOUT_MASTER, SHOW_OWNERS],
    }
    ["Control socket connect(PATH): No such file or directory"] {
        meaning: "no master is running, or the directory of the ControlPath is missing",
        causes: [
            "no connection to the host was open, so there was nothing to ask",
            "the master was started with another ControlPath, user, port or name of the host",
        ],
        findings: [DirectoryMissing, Orphaned],
        remedies: ["start a master: muxtray open HOST", SHOW_MASTERS],
    }
    [
        "Control socket connect(PATH): Socket operation on non-socket",
        "ControlPath PATH is not a socket",
    ] {
        meaning: "a file of another type is in the place of the control socket",
        causes: ["ControlPath names a file or directory that something else uses"],
        findings: [NotASocket],
        remedies: [
            "[show the file: ls -ld PATH]",
            "move the file away, or set in ~/.ssh/config: ControlPath ~/.ssh/s/%C",
        ],
    }
    ["Control socket connect(PATH): Resource temporarily unavailable"] {
        meaning: "a master holds the control socket but accepts no connections: it is stopped, hung or overloaded",
        causes: [
            "the process of the master is stopped (Ctrl-Z, SIGSTOP)",
            "more sessions are opened at once than the master can accept",
        ],
        findings: [Unresponsive, Foreign, Stranded],
        remedies: [
            WITHOUT_MASTER,
            "end the process of the master: muxtray exit --end-process HOST",
        ],
    }
    ["Control socket connect(PATH): ..."] {
        meaning: "ssh could not connect to the control socket",
        findings: [Stale, Denied, Foreign, Unresponsive, Unverifiable],
        remedies: [EXAMINE, WITHOUT_MASTER],
    }
    ["Control socket \"PATH\" does not exist"] {
        meaning: "no master is running, which is normal on a first connection",
        findings: [DirectoryMissing],
    }
    ["Stale control socket PATH, unlinking"] {
        meaning: "ssh found a stale control socket and removed it",
        findings: [Stale],
    }
    [
        "ControlSocket PATH already exists, disabling multiplexing",
        "already exists, disabling multiplexing",
    ] {
        meaning: "the path was taken when ssh wanted to listen on it, so this connection works but is not shared",
        causes: [
            "two connections to the host started at the same moment, as scripts and parallel jobs do",
            "ControlMaster is yes, which never uses a running master",
            "the master at the path did not answer (another message says so), or it refused the session",
            "the socket is stale and ControlMaster is yes, so ssh does not replace it",
        ],
        findings: [Stale, Orphaned, Unresponsive, Stranded, Misowned, NotASocket, Foreign],
        remedies: [
            "set in ~/.ssh/config, in place of yes: ControlMaster auto",
            "start the master before the parallel jobs: muxtray open HOST",
            CLEAN,
        ],
        remedies_in_ansible: [WITHOUT_MASTER_IN_ANSIBLE, CLEAN],
    }
    ["cannot bind to path PATH.RANDOM: No such file or directory"] {
        meaning: "the directory of the socket does not exist, so ssh gave up",
        causes: [
            "the directory was never created; ssh does not create it",
            "the directory is on a filesystem that is emptied at logout or restart (/run, /tmp)",
        ],
        findings: [DirectoryMissing],
        remedies: [
            MAKE_DIRECTORY,
            "create the directories that the ssh configuration names: muxtray doctor --fix",
            "if it is below /run or /tmp, which a restart empties, set in ~/.ssh/config, after mkdir -p -m 700 ~/.ssh/s: ControlPath ~/.ssh/s/%C",
        ],
        remedies_in_ansible: [MAKE_DIRECTORY],
    }
    ["cannot bind to path PATH.RANDOM: Permission denied"] {
        meaning: "ssh may not create its socket in the directory, so it gave up",
        causes: [
            "the directory belongs to another user, often root after sudo",
            "the mode of the directory denies write access",
            "SELinux, AppArmor or a container forbids it",
        ],
        findings: [DirectoryNotWritable, DirectoryMisowned],
        remedies: [
            SHOW_OWNERS,
            "[make the directory yours: sudo chown \"$(id -u)\" DIRECTORY && chmod 700 DIRECTORY]",
            WITHOUT_MASTER,
        ],
        remedies_in_ansible: [SHOW_OWNERS, DIRECTORY_IN_ANSIBLE],
    }
    ["cannot bind to path PATH.RANDOM: Read-only file system"] {
        meaning: "the filesystem is read-only, so ssh gave up",
        causes: ["the home directory is mounted read-only, as in containers and on NixOS"],
        findings: [DirectoryNotWritable],
        remedies: [LOCAL_PATH, WITHOUT_MASTER],
        remedies_in_ansible: [DIRECTORY_IN_ANSIBLE],
    }
    [
        "cannot bind to path PATH.RANDOM: No space left on device",
        "cannot bind to path PATH.RANDOM: Disk quota exceeded",
    ] {
        meaning: "the filesystem or your quota has no space or no inode left for the socket, so ssh gave up",
        causes: ["the filesystem is full", "your quota is used up"],
        findings: [FilesystemFull],
        remedies: ["[show free space and inodes: df -h DIRECTORY && df -i DIRECTORY]", LOCAL_PATH],
        remedies_in_ansible: [DIRECTORY_IN_ANSIBLE],
    }
    [
        "cannot bind to path PATH.RANDOM: Operation not supported",
        "cannot bind to path PATH.RANDOM: Operation not permitted",
        "cannot bind to path PATH.RANDOM: Invalid argument",
    ] {
        meaning: "the filesystem cannot hold sockets, so ssh gave up",
        causes: [
            "the directory is on vfat, exfat, a Windows drive, or a shared folder of a virtual machine or container",
        ],
        findings: [FilesystemUnsupported],
        remedies: [LOCAL_PATH, SHOW_FILESYSTEM],
        remedies_in_ansible: [DIRECTORY_IN_ANSIBLE, SHOW_FILESYSTEM],
    }
    ["cannot bind to path PATH.RANDOM: Address already in use"] {
        meaning: "a file is in the place of the socket that ssh wants to listen on",
        causes: [
            "a forwarding to a socket (-L PATH:…) ended earlier, and ssh does not remove its socket",
            "another ssh listens on it now",
        ],
        findings: [NotASocket],
        remedies: [
            "let ssh replace the file: ssh -o StreamLocalBindUnlink=yes HOST",
            "[show which process listens on it: ss -xlp src PATH]",
        ],
    }
    ["cannot bind to path PATH.RANDOM: ..."] {
        meaning: "ssh could not create its socket, so it gave up",
        findings: [DirectoryMissing, DirectoryNotWritable, FilesystemFull, FilesystemUnsupported],
        remedies: [EXAMINE, WITHOUT_MASTER],
    }
    ["cannot listen on path PATH.RANDOM: ...", "unix_listener: socket: ...", "unlink(PATH): ..."] {
        meaning: "ssh could not prepare its socket",
        causes: ["a limit of open files, or the permissions of the directory"],
        findings: [DirectoryNotWritable, DirectoryMisowned],
        remedies: [SHOW_OWNERS, "show the limit of open files: ulimit -n"],
    }
    [
        "path \"PATH.RANDOM\" too long for Unix domain socket",
        "ControlPath too long ('PATH' >= NUMBER bytes)",
        "ControlPath too long for Unix domain socket",
        "too long for Unix domain socket",
    ] {
        meaning: "the ControlPath does not fit a socket address with the 17 bytes that ssh appends while it starts",
        causes: [
            "ControlPath contains the name of the host or user, and this one is long",
            "the home directory, or the one of a job or container, has a long path",
        ],
        findings: [PathTooLong],
        remedies: [SHORT_PATH, WITHOUT_MASTER],
        remedies_in_ansible: [
            SHORT_PATH_IN_ANSIBLE,
            "or until the shell ends: export ANSIBLE_SSH_CONTROL_PATH='%(directory)s/%%C'",
            "if the directory is too long: export ANSIBLE_SSH_CONTROL_PATH_DIR=/tmp/ansible-$(id -u)",
        ],
    }
    [
        "link mux listener PATH.RANDOM => PATH: Operation not permitted",
        "link mux listener PATH.RANDOM => PATH: No space left on device",
        "link mux listener PATH.RANDOM => PATH: ...",
    ] {
        meaning: "the master could not link its socket to its final name and exited: the filesystem has no hard links, or is full",
        causes: [
            "the directory is on a filesystem without hard links: FUSE, vfat, exfat, a shared folder, some container volumes",
            "the filesystem or your quota is full",
            "a program removed the temporary socket while the master started",
        ],
        findings: [FilesystemUnsupported, FilesystemFull],
        remedies: [LOCAL_PATH, SHOW_FILESYSTEM],
        remedies_in_ansible: [DIRECTORY_IN_ANSIBLE, SHOW_FILESYSTEM],
    }
}
