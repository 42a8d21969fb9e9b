//! The ssh command of a new session in a terminal.

use std::ffi::OsString;
use std::path::Path;

use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::socket::Socket;
use crate::model::text;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NewSession {
    /// An alias as the configuration has it, or `user@host`.
    pub host: String,
    /// Of a destination without an alias.
    port: Option<u16>,
    /// The socket of a master that is not at the ControlPath of the host.
    path: Option<ControlPath>,
}

impl NewSession {
    pub fn of_host(alias: &HostAlias) -> Self {
        Self {
            host: alias.0.clone(),
            port: None,
            path: None,
        }
    }

    /// Returns `None` if the master takes no sessions, or if its host is not known.
    pub fn of_master(socket: &Socket) -> Option<Self> {
        if !socket.state.is_usable() || socket.refuses {
            return None;
        }
        let path = Some(socket.path.clone());
        match (socket.hosts.first(), &socket.destination) {
            (Some(host), _) if !socket.is_elsewhere => Some(Self::of_host(host)),
            (Some(host), _) => Some(Self {
                path,
                ..Self::of_host(host)
            }),
            (None, Some(destination)) => {
                let user = destination.user.iter();
                let user: String = user.map(|user| format!("{user}@")).collect();
                Some(Self {
                    host: format!("{user}{}", destination.host),
                    port: destination.port,
                    path,
                })
            }
            (None, None) => None,
        }
    }

    /// Returns the program and its arguments. `config` is the argument of `-F`.
    pub fn command(&self, ssh: &Path, config: Option<&Path>) -> Vec<OsString> {
        let config = config.map(|config| ("-F", config.into()));
        let options = config.into_iter().chain(self.options());
        let mut words = vec![ssh.into()];
        words.extend(options.flat_map(|(option, value)| [option.into(), value]));
        words.extend(self.end_of_options().map(Into::into));
        words.push((&self.host).into());
        words
    }

    /// Returns the command as a person types it. `ssh_option` is [`Socket::ssh_option`].
    pub fn typed(&self, ssh_option: &str) -> String {
        let typed =
            |(option, value): (_, OsString)| format!("{option} {} ", text::shell_word(&value));
        let options: String = self.options().map(typed).collect();
        let end: String = self.end_of_options().map(|end| format!("{end} ")).collect();
        let host = text::shell_word(self.host.as_ref());
        format!("ssh {ssh_option}{options}{end}{host}")
    }

    /// Only where ssh needs it: terminator 2.1.4, a possible x-terminal-emulator, takes each `--` for its own.
    fn end_of_options(&self) -> impl Iterator<Item = &'static str> {
        self.host.starts_with('-').then_some("--").into_iter()
    }

    fn options(&self) -> impl Iterator<Item = (&'static str, OsString)> {
        let path = self.path.as_ref().map(|path| ("-S", path.as_template()));
        let port = self.port.map(|port| ("-p", port.to_string().into()));
        path.into_iter().chain(port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::Destination;
    use crate::model::network::Cause;
    use crate::model::samples::{in_state, path};
    use crate::model::socket::State;

    #[test]
    fn a_session_uses_the_master_it_was_asked_of() {
        let web = Socket {
            hosts: vec![HostAlias("a b".to_owned())],
            ..in_state(State::Running)
        };
        let elsewhere = Socket {
            is_elsewhere: true,
            path: path("/s/100%h"),
            ..web.clone()
        };
        let unnamed = Socket {
            hosts: Vec::new(),
            destination: Some(Destination {
                user: Some("u".to_owned()),
                host: "::1".to_owned(),
                port: Some(2222),
            }),
            ..web.clone()
        };
        let unknown = Socket {
            destination: None,
            ..unnamed.clone()
        };
        let stranded = Socket {
            state: State::Stranded(Cause::AddressGone),
            ..web.clone()
        };
        let refuses = Socket {
            refuses: true,
            ..web.clone()
        };
        for (socket, typed) in [
            (web, Some("ssh -F /f 'a b'")),
            (elsewhere, Some("ssh -F /f -S /s/100%%h 'a b'")),
            (unnamed, Some("ssh -F /f -S /s/u@h-22 -p 2222 u@::1")),
            (unknown, None),
            (stranded, None),
            (refuses, None),
        ] {
            let session = NewSession::of_master(&socket);
            let shown = session.map(|session| session.typed("-F /f "));
            assert_eq!(shown.as_deref(), typed);
        }
    }

    #[test]
    fn the_host_is_never_an_option() {
        for (host, after) in [("we b", &["we b"][..]), ("-oX=y", &["--", "-oX=y"])] {
            let session = NewSession::of_host(&HostAlias(host.to_owned()));
            let command = session.command("/usr/bin/ssh".as_ref(), Some("/a b".as_ref()));
            assert_eq!(command[..3], ["/usr/bin/ssh", "-F", "/a b"]);
            assert_eq!(command[3..], *after);
        }
    }
}
