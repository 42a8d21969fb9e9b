//! Messages about the path of a control socket, its file and its directory.

use super::row::{
    CLEAN, EXAMINE, LOCAL_PATH, ROW, SHORT_PATH, SHOW_MASTERS, SshMessage, WITHOUT_MASTER,
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

pub(super) static MESSAGES: &[SshMessage] = &[
    SshMessage {
        wordings: &["Control socket connect(PATH): Connection refused"],
        meaning: marked!(
            "no process listens on the control socket: its master ended without removing it"
        ),
        causes: &[
            marked!(
                "the master was killed, or the machine lost power, so the socket file remained"
            ),
            marked!("the file is no socket"),
            marked!(
                "the directory is on a filesystem that copies on link (bindfs, some container volumes), so the path leads to no listener"
            ),
            marked!("the master runs on another machine that shares the directory"),
        ],
        findings: &[
            Stale,
            NotASocket,
            Leftover,
            Unverifiable,
            FilesystemUnsupported,
            FilesystemNetwork,
        ],
        remedies: &[CLEAN, marked!("start a master: muxtray open HOST")],
        ..ROW
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): Permission denied"],
        meaning: marked!("you may not use the control socket, or a directory on its path"),
        causes: &[
            marked!("another user started the master, often root through sudo"),
            marked!("a directory on the path belongs to another user, or its mode denies access"),
        ],
        findings: &[Denied, Misowned, DirectoryMisowned, DirectoryNotWritable],
        remedies: &[WITHOUT_MASTER, SHOW_OWNERS],
        ..ROW
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): No such file or directory"],
        meaning: marked!("no master is running, or the directory of the ControlPath is missing"),
        causes: &[
            marked!("no connection to the host was open, so there was nothing to ask"),
            marked!(
                "the master was started with another ControlPath, user, port or name of the host"
            ),
        ],
        findings: &[DirectoryMissing, Orphaned],
        remedies: &[marked!("start a master: muxtray open HOST"), SHOW_MASTERS],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "Control socket connect(PATH): Socket operation on non-socket",
            "ControlPath PATH is not a socket",
        ],
        meaning: marked!("a file of another type is in the place of the control socket"),
        causes: &[marked!(
            "ControlPath names a file or directory that something else uses"
        )],
        findings: &[NotASocket],
        remedies: &[
            marked!("[show the file: ls -ld PATH]"),
            marked!("move the file away, or set in ~/.ssh/config: ControlPath ~/.ssh/s/%C"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): Resource temporarily unavailable"],
        meaning: marked!(
            "a master holds the control socket but accepts no connections: it is stopped, hung or overloaded"
        ),
        causes: &[
            marked!("the process of the master is stopped (Ctrl-Z, SIGSTOP)"),
            marked!("more sessions are opened at once than the master can accept"),
        ],
        findings: &[Unresponsive, Foreign, Stranded],
        remedies: &[
            WITHOUT_MASTER,
            marked!("end the process of the master: muxtray exit --end-process HOST"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): ..."],
        meaning: marked!("ssh could not connect to the control socket"),
        findings: &[Stale, Denied, Foreign, Unresponsive, Unverifiable],
        remedies: &[EXAMINE, WITHOUT_MASTER],
        ..ROW
    },
    SshMessage {
        wordings: &["Control socket \"PATH\" does not exist"],
        meaning: marked!("no master is running, which is normal on a first connection"),
        findings: &[DirectoryMissing],
        ..ROW
    },
    SshMessage {
        wordings: &["Stale control socket PATH, unlinking"],
        meaning: marked!("ssh found a stale control socket and removed it"),
        findings: &[Stale],
        ..ROW
    },
    SshMessage {
        wordings: &["ControlSocket PATH already exists, disabling multiplexing"],
        meaning: marked!(
            "the path was taken when ssh wanted to listen on it, so this connection works but is not shared"
        ),
        causes: &[
            marked!(
                "two connections to the host started at the same moment, as scripts and parallel jobs do"
            ),
            marked!("ControlMaster is yes, which never uses a running master"),
            marked!(
                "the master at the path did not answer (another message says so), or it refused the session"
            ),
            marked!("the socket is stale and ControlMaster is yes, so ssh does not replace it"),
        ],
        findings: &[
            Stale,
            Orphaned,
            Unresponsive,
            Stranded,
            Misowned,
            NotASocket,
            Foreign,
        ],
        remedies: &[
            marked!("set in ~/.ssh/config, in place of yes: ControlMaster auto"),
            marked!("start the master before the parallel jobs: muxtray open HOST"),
            CLEAN,
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: No such file or directory"],
        meaning: marked!("the directory of the socket does not exist, so ssh gave up"),
        causes: &[
            marked!("the directory was never created; ssh does not create it"),
            marked!(
                "the directory is on a filesystem that is emptied at logout or restart (/run, /tmp)"
            ),
        ],
        findings: &[DirectoryMissing],
        remedies: &[
            MAKE_DIRECTORY,
            marked!(
                "create the directories that the ssh configuration names: muxtray doctor --fix"
            ),
            marked!(
                "if it is below /run or /tmp, which a restart empties, set in ~/.ssh/config, after mkdir -p -m 700 ~/.ssh/s: ControlPath ~/.ssh/s/%C"
            ),
        ],
        remedies_in_ansible: &[MAKE_DIRECTORY],
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: Permission denied"],
        meaning: marked!("ssh may not create its socket in the directory, so it gave up"),
        causes: &[
            marked!("the directory belongs to another user, often root after sudo"),
            marked!("the mode of the directory denies write access"),
            marked!("SELinux, AppArmor or a container forbids it"),
        ],
        findings: &[DirectoryNotWritable, DirectoryMisowned],
        remedies: &[
            SHOW_OWNERS,
            marked!(
                "[make the directory yours: sudo chown \"$(id -u)\" DIRECTORY && chmod 700 DIRECTORY]"
            ),
            WITHOUT_MASTER,
        ],
        remedies_in_ansible: &[SHOW_OWNERS, DIRECTORY_IN_ANSIBLE],
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: Read-only file system"],
        meaning: marked!("the filesystem is read-only, so ssh gave up"),
        causes: &[marked!(
            "the home directory is mounted read-only, as in containers and on NixOS"
        )],
        findings: &[DirectoryNotWritable],
        remedies: &[LOCAL_PATH, WITHOUT_MASTER],
        remedies_in_ansible: &[DIRECTORY_IN_ANSIBLE],
    },
    SshMessage {
        wordings: &[
            "cannot bind to path PATH.RANDOM: No space left on device",
            "cannot bind to path PATH.RANDOM: Disk quota exceeded",
        ],
        meaning: marked!(
            "the filesystem or your quota has no space or no inode left for the socket, so ssh gave up"
        ),
        causes: &[
            marked!("the filesystem is full"),
            marked!("your quota is used up"),
        ],
        findings: &[FilesystemFull],
        remedies: &[
            marked!("[show free space and inodes: df -h DIRECTORY && df -i DIRECTORY]"),
            LOCAL_PATH,
        ],
        remedies_in_ansible: &[DIRECTORY_IN_ANSIBLE],
    },
    SshMessage {
        wordings: &[
            "cannot bind to path PATH.RANDOM: Operation not supported",
            "cannot bind to path PATH.RANDOM: Operation not permitted",
            "cannot bind to path PATH.RANDOM: Invalid argument",
        ],
        meaning: marked!("the filesystem cannot hold sockets, so ssh gave up"),
        causes: &[marked!(
            "the directory is on vfat, exfat, a Windows drive, or a shared folder of a virtual machine or container"
        )],
        findings: &[FilesystemUnsupported],
        remedies: &[LOCAL_PATH, SHOW_FILESYSTEM],
        remedies_in_ansible: &[DIRECTORY_IN_ANSIBLE, SHOW_FILESYSTEM],
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: Address already in use"],
        meaning: marked!("a file is in the place of the socket that ssh wants to listen on"),
        causes: &[
            marked!(
                "a forwarding to a socket (-L PATH:…) ended earlier, and ssh does not remove its socket"
            ),
            marked!("another ssh listens on it now"),
        ],
        findings: &[NotASocket],
        remedies: &[
            marked!("let ssh replace the file: ssh -o StreamLocalBindUnlink=yes HOST"),
            marked!("[show which process listens on it: ss -xlp src PATH]"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: ..."],
        meaning: marked!("ssh could not create its socket, so it gave up"),
        findings: &[
            DirectoryMissing,
            DirectoryNotWritable,
            FilesystemFull,
            FilesystemUnsupported,
        ],
        remedies: &[EXAMINE, WITHOUT_MASTER],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "cannot listen on path PATH.RANDOM: ...",
            "unix_listener: socket: ...",
            "unlink(PATH): ...",
        ],
        meaning: marked!("ssh could not prepare its socket"),
        causes: &[marked!(
            "a limit of open files, or the permissions of the directory"
        )],
        findings: &[DirectoryNotWritable, DirectoryMisowned],
        remedies: &[
            SHOW_OWNERS,
            marked!("show the limit of open files: ulimit -n"),
        ],
        ..ROW
    },
    SshMessage {
        wordings: &[
            "path \"PATH.RANDOM\" too long for Unix domain socket",
            "ControlPath too long ('PATH' >= NUMBER bytes)",
            "ControlPath too long for Unix domain socket",
            "too long for Unix domain socket",
        ],
        meaning: marked!(
            "the ControlPath does not fit a socket address with the 17 bytes that ssh appends while it starts"
        ),
        causes: &[
            marked!("ControlPath contains the name of the host or user, and this one is long"),
            marked!("the home directory, or the one of a job or container, has a long path"),
        ],
        findings: &[PathTooLong],
        remedies: &[SHORT_PATH, WITHOUT_MASTER],
        remedies_in_ansible: &[
            SHORT_PATH_IN_ANSIBLE,
            marked!("or until the shell ends: export ANSIBLE_SSH_CONTROL_PATH='%(directory)s/%%C'"),
            marked!(
                "if the directory is too long: export ANSIBLE_SSH_CONTROL_PATH_DIR=/tmp/ansible-$(id -u)"
            ),
        ],
    },
    SshMessage {
        wordings: &[
            "link mux listener PATH.RANDOM => PATH: Operation not permitted",
            "link mux listener PATH.RANDOM => PATH: No space left on device",
            "link mux listener PATH.RANDOM => PATH: ...",
        ],
        meaning: marked!(
            "the master could not link its socket to its final name and exited: the filesystem has no hard links, or is full"
        ),
        causes: &[
            marked!(
                "the directory is on a filesystem without hard links: FUSE, vfat, exfat, a shared folder, some container volumes"
            ),
            marked!("the filesystem or your quota is full"),
            marked!("a program removed the temporary socket while the master started"),
        ],
        findings: &[FilesystemUnsupported, FilesystemFull],
        remedies: &[LOCAL_PATH, SHOW_FILESYSTEM],
        remedies_in_ansible: &[DIRECTORY_IN_ANSIBLE, SHOW_FILESYSTEM],
    },
];
