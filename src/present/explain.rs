//! What ssh says when multiplexing is broken, and what that means: the messages, each with the findings it can come
//! from. `doctor --explain` reads a line with it; the text of a finding quotes it.
//!
//! OpenSSH has no translations, so the fixed part of a message is matched and the path is taken out of it. Older
//! versions print a function's name in front, `-v` prints `debug1:`. What is true of the path now, a look has to tell.
//! Source: mux.c and misc.c of OpenSSH.

mod answer;

use std::path::Path;

use tr::tr;

pub use answer::{Answer, answer};

use crate::model::control_path::ControlPath;
use crate::model::finding::FindingId;

/// A message of ssh's that was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The line as it was given, without white space around it.
    pub line: String,
    /// Which message it is.
    pub kind: Kind,
    /// The ControlPath it names, where it names one.
    pub path: Option<ControlPath>,
}

macro_rules! kinds {
    ($($variant:ident $form:literal => $meaning:expr, [$($id:ident)*])*) => {
        /// A kind of message.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = concat!("`", $form, "`")] $variant,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// How ssh words it.
            #[must_use]
            pub const fn form(self) -> &'static str {
                match self { $(Self::$variant => $form,)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> String {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// The findings it can come from; none where nothing is wrong.
            #[must_use]
            pub const fn findings(self) -> &'static [FindingId] {
                match self { $(Self::$variant => &[$(FindingId::$id,)*],)* }
            }
        }
    };
}

kinds! {
    ConnectRefused "Control socket connect(PATH): Connection refused"
        => tr!("nobody listened on the socket: its master had ended without removing it"),
        [Stale Leftover Unverifiable]
    ConnectDenied "Control socket connect(PATH): Permission denied"
        => tr!("the socket, or a directory on the way to it, was closed to you"),
        [Denied Misowned DirectoryMisowned DirectoryNotWritable]
    ConnectMissing "Control socket connect(PATH): No such file or directory"
        => tr!("there was no master; that is wrong only where one was expected, or its directory is missing"),
        [DirectoryMissing]
    ConnectNoSocket "Control socket connect(PATH): Socket operation on non-socket"
        => tr!("something that is no socket stood where the control socket should be"),
        [NotASocket]
    NoSocket "ControlPath PATH is not a socket"
        => tr!("something that is no socket stood where the control socket should be"),
        [NotASocket]
    ConnectFull "Control socket connect(PATH): Resource temporarily unavailable"
        => tr!("a master held the socket but accepted no more connections: it is stopped, wedged, or very busy"),
        [Unresponsive]
    ConnectOther "Control socket connect(PATH): ..."
        => tr!("ssh could not reach the master"),
        [Stale Denied Foreign Unresponsive Unverifiable]
    NotThere "Control socket \"PATH\" does not exist"
        => tr!("there was no master: normal on a first connection"),
        [DirectoryMissing]
    Healed "Stale control socket PATH, unlinking"
        => tr!("ssh met a stale socket and removed it by itself"),
        [Stale]
    AlreadyThere "ControlSocket PATH already exists, disabling multiplexing"
        => tr!("the name was taken when ssh wanted to listen: two starts at once, or a stale socket under ControlMaster yes; that connection runs alone"),
        [Stale Orphaned]
    BindMissing "unix_listener: cannot bind to path PATH: No such file or directory"
        => tr!("the directory of the ControlPath was not there, so ssh gave up"),
        [DirectoryMissing]
    BindDenied "unix_listener: cannot bind to path PATH: Permission denied"
        => tr!("ssh was not allowed to make its socket in the directory, so it gave up"),
        [DirectoryNotWritable DirectoryMisowned]
    BindReadOnly "unix_listener: cannot bind to path PATH: Read-only file system"
        => tr!("ssh was not allowed to make its socket in the directory, so it gave up"),
        [DirectoryNotWritable]
    BindFull "unix_listener: cannot bind to path PATH: No space left on device"
        => tr!("the filesystem had no room or no inode left for the socket, so ssh gave up"),
        [FilesystemFull]
    BindQuota "unix_listener: cannot bind to path PATH: Disk quota exceeded"
        => tr!("your quota had no room for the socket, so ssh gave up"),
        [FilesystemFull]
    BindUnsupported "unix_listener: cannot bind to path PATH: Operation not supported"
        => tr!("the filesystem takes no sockets, so ssh gave up"),
        [FilesystemUnsupported]
    BindForbidden "unix_listener: cannot bind to path PATH: Operation not permitted"
        => tr!("the filesystem takes no sockets, so ssh gave up"),
        [FilesystemUnsupported]
    BindOther "unix_listener: cannot bind to path PATH: ..."
        => tr!("ssh could not make its socket, so it gave up"),
        [DirectoryMissing DirectoryNotWritable FilesystemFull FilesystemUnsupported]
    TooLong "path \"PATH\" too long for Unix domain socket"
        => tr!("the ControlPath, with the 17 bytes that ssh adds while it starts, does not fit a socket's address"),
        [PathTooLong]
    ControlPathTooLong "ControlPath too long ('PATH' >= N bytes)"
        => tr!("the ControlPath does not fit a socket's address"),
        [PathTooLong]
    Link "link mux listener PATH => PATH: ..."
        => tr!("the master could not link its socket to its name, and died: the filesystem has no hard links, or is full"),
        [FilesystemUnsupported FilesystemFull]
    UidMismatch "multiplex uid mismatch: peer euid N != uid N"
        => tr!("another user than its own asked the master for a session, often through sudo; it refused"),
        [Misowned InsecureMode]
    OpenRefused "mux_client_request_session: session request failed: Session open refused by peer"
        => tr!("the server takes no more sessions on this connection: its MaxSessions, 10 by default"),
        [SessionsAtLimit]
    MasterDied "read from master failed: Broken pipe"
        => tr!("the master ended while it was asked, or is no ssh"),
        [Stale Foreign Unresponsive]
    MasterReset "read from master failed: Connection reset by peer"
        => tr!("the master ended while it was asked, or is no ssh"),
        [Stale Foreign Unresponsive]
    Unexpected "master returned unexpected message N"
        => tr!("what listens there does not speak ssh's protocol, or another version of it"),
        [Foreign]
    NoControlPath "No ControlPath specified for \"-O\" command"
        => tr!("ssh knows no ControlPath for this host: the configuration has none for it"),
        []
    SharedClosed "Shared connection to HOST closed."
        => tr!("the normal end of a session through a master"),
        []
}

/// How ssh words what a finding of this kind makes it say.
pub fn ssh_says(id: FindingId) -> impl Iterator<Item = &'static str> {
    Kind::ALL
        .iter()
        .filter(move |kind| kind.findings().contains(&id) && !kind.is_catch_all())
        .map(|kind| kind.form())
}

impl Kind {
    /// Whether its form names no one cause.
    const fn is_catch_all(self) -> bool {
        matches!(self, Self::ConnectOther | Self::BindOther)
    }
}

/// The messages in what was pasted, in their order, each once; the lines between them say nothing here.
#[must_use]
pub fn read(text: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for message in text.split(['\n', '\r']).filter_map(read_line) {
        if !messages.contains(&message) {
            messages.push(message);
        }
    }
    messages
}

fn read_line(line: &str) -> Option<Message> {
    let line = line.trim();
    let (kind, path) = connect(line)
        .or_else(|| bind(line))
        .or_else(|| named(line))
        .or_else(|| plain(line).map(|kind| (kind, None)))?;
    Some(Message {
        line: line.to_owned(),
        kind,
        path: path.and_then(|path| ControlPath::new(Path::new(path))),
    })
}

/// `Control socket connect(PATH): WORDS`; the path may hold brackets and colons.
fn connect(line: &str) -> Option<(Kind, Option<&str>)> {
    let (_, rest) = line.split_once("ontrol socket connect(")?;
    let (path, words) = rest.rsplit_once("):")?;
    let kind = match words.trim() {
        words if words.starts_with("Connection refused") => Kind::ConnectRefused,
        words if words.starts_with("Permission denied") => Kind::ConnectDenied,
        words if words.starts_with("No such file or directory") => Kind::ConnectMissing,
        words if words.starts_with("Socket operation on non-socket") => Kind::ConnectNoSocket,
        words if words.starts_with("Resource temporarily unavailable") => Kind::ConnectFull,
        _ => Kind::ConnectOther,
    };
    Some((kind, Some(path)))
}

/// `cannot bind to path PATH: WORDS`, by older versions with a colon before the path, which is a master's temporary name.
fn bind(line: &str) -> Option<(Kind, Option<&str>)> {
    let (_, rest) = line.split_once("cannot bind to path")?;
    let rest = rest.trim_start_matches(':').trim_start();
    let (path, words) = rest.rsplit_once(": ").unwrap_or((rest, ""));
    let kind = match words.trim() {
        words if words.starts_with("No such file or directory") => Kind::BindMissing,
        words if words.starts_with("Permission denied") => Kind::BindDenied,
        words if words.starts_with("Read-only file system") => Kind::BindReadOnly,
        words if words.starts_with("No space left on device") => Kind::BindFull,
        words if words.starts_with("Disk quota exceeded") => Kind::BindQuota,
        words if words.starts_with("Operation not supported") => Kind::BindUnsupported,
        words if words.starts_with("Operation not permitted") => Kind::BindForbidden,
        _ => Kind::BindOther,
    };
    Some((kind, Some(without_suffix(path))))
}

/// The name a master's temporary one is to become.
fn without_suffix(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, suffix))
            if suffix.len() == 16 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            stem
        }
        Some(_) | None => path,
    }
}

/// Messages that hold a path between fixed words.
fn named(line: &str) -> Option<(Kind, Option<&str>)> {
    let between = |start: &str, end: &str| {
        let (_, rest) = line.split_once(start)?;
        rest.rsplit_once(end).map(|(path, _)| path)
    };
    let found = |kind, path| Some((kind, Some(path)));
    if let Some(path) = between("link mux listener ", ": ") {
        let path = path.rsplit_once(" => ").map_or(path, |(_, path)| path);
        return found(Kind::Link, path);
    }
    let rows = [
        (Kind::NotThere, "ontrol socket \"", "\" does not exist"),
        (Kind::Healed, "tale control socket ", ", unlinking"),
        (Kind::AlreadyThere, "ControlSocket ", " already exists"),
        (Kind::NoSocket, "ControlPath ", " is not a socket"),
        (Kind::ControlPathTooLong, "ControlPath too long ('", "' >="),
    ];
    if let Some((kind, path)) = rows
        .into_iter()
        .find_map(|(kind, start, end)| Some((kind, between(start, end)?)))
    {
        return found(kind, path);
    }
    let (before, _) = line.split_once(" too long for Unix domain socket")?;
    // A master's temporary name; versions differ in the quotes.
    let path = before
        .strip_suffix('"')
        .and_then(|before| before.split_once('"'))
        .map(|(_, path)| without_suffix(path));
    Some((Kind::TooLong, path))
}

/// Messages without a path.
fn plain(line: &str) -> Option<Kind> {
    let has = |part: &str| line.contains(part);
    Some(if has("multiplex uid mismatch") {
        Kind::UidMismatch
    } else if has("Session open refused by peer") {
        Kind::OpenRefused
    } else if has("read from master failed") {
        if has("reset by peer") {
            Kind::MasterReset
        } else {
            Kind::MasterDied
        }
    } else if has("master returned unexpected message") || has("master hello exchange failed") {
        Kind::Unexpected
    } else if has("No ControlPath specified") {
        Kind::NoControlPath
    } else if has("Shared connection to ") && has(" closed") {
        Kind::SharedClosed
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests;
