//! The command line of an ssh, as ssh itself parses it. Source: `main()` in ssh.c, for its options and process titles.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::control_path::Destination;
use super::forwarding::{Forwarding, ForwardingKind};
use super::network::SharingArguments;
use super::observation::SshArguments;
use super::persist::Persist;

/// The option string of getopt in `main()` of ssh.c; a colon follows options with an argument.
const OPTIONS: &[u8] = b"1246ab:c:e:fgi:kl:m:no:p:qstvxAB:CD:E:F:GI:J:KL:MNO:P:Q:R:S:TVw:W:XYy";

fn takes_argument(letter: u8) -> bool {
    let mut options = OPTIONS.iter().skip_while(|option| **option != letter);
    options.next().is_some() && options.next() == Some(&b':')
}

/// A part of the command line of an ssh.
pub enum Part<'a> {
    Flags(&'a [u8]),
    Option(u8, &'a [u8]),
    Host(&'a [u8]),
}

impl Part<'_> {
    /// The forwarding of `-L` or `-D`.
    pub fn forwarding(&self, service: &dyn Fn(&str) -> Option<u16>) -> Option<Forwarding> {
        let (kind, argument) = match self {
            Self::Option(b'L', argument) => (ForwardingKind::Local, argument),
            Self::Option(b'D', argument) => (ForwardingKind::Dynamic, argument),
            _ => return None,
        };
        Forwarding::parse(kind, OsStr::from_bytes(argument), service)
    }
}

/// Calls `each` with the parts before the command. Returns false for the title of a master in the background.
pub fn parts<'a>(cmdline: &'a [u8], mut each: impl FnMut(Part<'a>)) -> bool {
    let end = cmdline
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    // The title of a master in the background: `ssh: PATH [mux]`, and after a stop request `ssh: [stopped mux]`. It begins
    // with the last part of the first argument.
    let title = &cmdline[..end];
    let has_name = title.split(|byte| *byte == b' ').next();
    if has_name.is_some_and(|name| name.ends_with(b":") && !name.contains(&0))
        && (title.ends_with(b" [mux]") || title.ends_with(b" [stopped mux]"))
    {
        return false;
    }
    let mut words = cmdline[..end].split(|byte| *byte == 0).skip(1);
    let mut has_host = false;
    while let Some(word) = words.next() {
        let letters = match word.strip_prefix(b"-") {
            Some(b"-") => {
                // After `--` the host may still follow.
                if let (false, Some(host)) = (has_host, words.next()) {
                    each(Part::Host(host));
                }
                break;
            }
            Some(letters) if !letters.is_empty() => letters,
            // The first word is the host, after which more options may follow; the second begins the command.
            Some(_) | None if has_host => break,
            Some(_) | None => {
                has_host = true;
                each(Part::Host(word));
                continue;
            }
        };
        let with_argument = letters.iter().position(|letter| takes_argument(*letter));
        let (flags, argument) = letters.split_at(with_argument.unwrap_or(letters.len()));
        each(Part::Flags(flags));
        if let [option, rest @ ..] = argument {
            let value = if rest.is_empty() {
                words.next().unwrap_or_default()
            } else {
                rest
            };
            each(Part::Option(*option, value));
        }
    }
    true
}

/// Whether the content of `/proc/PID/cmdline` shows a session: arguments that each end with NUL, or a title.
pub fn is_own_session(cmdline: &[u8]) -> bool {
    let (mut has_session, mut forwards_stdio) = (true, false);
    let has_arguments = parts(cmdline, |part| match part {
        Part::Flags(flags) => has_session &= !flags.contains(&b'N'),
        Part::Option(b'W', _) => forwards_stdio = true,
        Part::Option(b'o', line) => {
            has_session &= option_line(line) != Some(("sessiontype".to_owned(), "none".to_owned()));
        }
        Part::Option(..) | Part::Host(_) => {}
    });
    has_arguments && (has_session || forwards_stdio)
}

/// The server and the forwardings in the content of `/proc/PID/cmdline`. As in ssh, the first of several users or ports
/// counts. `service` returns the port of a service's name (services(5)).
pub fn ssh_arguments(
    cmdline: &[u8],
    service: &dyn Fn(&str) -> Option<u16>,
) -> Option<SshArguments> {
    let (mut user, mut host, mut port, mut has_other_config) = (None, None, None, false);
    let (mut forwardings, mut gateway_ports, mut persist) = (Vec::new(), false, None);
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    parts(cmdline, |part| match part {
        Part::Host(word) => {
            let word = std::str::from_utf8(word).unwrap_or_default();
            let (by_word, name, number) = destination(word);
            user = user.take().or(by_word.map(str::to_owned));
            host = Some(name.to_owned());
            port = port.or(number);
        }
        Part::Flags(flags) => gateway_ports |= flags.contains(&b'g'),
        Part::Option(b'F', _) => has_other_config = true,
        Part::Option(b'L' | b'D', _) => forwardings.extend(part.forwarding(service)),
        Part::Option(b'l', value) => user = user.take().or_else(|| text(value)),
        Part::Option(b'p', value) => port = port.or_else(|| text(value)?.parse().ok()),
        Part::Option(b'o', line) => match option_line(line) {
            Some((keyword, value)) if keyword == "user" => user = user.take().or(Some(value)),
            Some((keyword, value)) if keyword == "port" => port = port.or(value.parse().ok()),
            Some((keyword, value)) if keyword == "controlpersist" => {
                persist = persist.or_else(|| Persist::parse(&value));
            }
            _ => {}
        },
        Part::Option(..) => {}
    });
    let host = host.filter(|host| !host.is_empty())?;
    Some(SshArguments {
        server: Destination { user, host, port },
        has_other_config,
        forwardings,
        gateway_ports,
        persist,
    })
}

/// Returns the user, host and port of `user@host` or `ssh://user@host:port`.
fn destination(word: &str) -> (Option<&str>, &str, Option<u16>) {
    let uri = word.strip_prefix("ssh://");
    let rest = uri.map_or(word, |uri| uri.trim_end_matches('/'));
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let with_port = uri.and_then(|_| {
        let (host, port) = rest.rsplit_once(':')?;
        Some((host, port.parse().ok()?))
    });
    let (host, port) = with_port.unzip();
    (user, host.unwrap_or(rest).trim_matches(['[', ']']), port)
}

/// The arguments in the content of `/proc/PID/cmdline` that decide whether the ssh uses a master. As in ssh, the last `-S`
/// counts before the first `-o`.
pub fn sharing_arguments(cmdline: &[u8]) -> SharingArguments {
    let (mut by_flag, mut by_option) = (None, None);
    let mut found = SharingArguments::default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    parts(cmdline, |part| match part {
        Part::Flags(flags) if flags.contains(&b'M') => {
            found.has_master_flag = true;
        }
        Part::Option(b'S', path) => by_flag = Some(text(path)),
        Part::Option(b'W', _) => found.is_proxy = true,
        Part::Option(b'o', line) => match option_line(line) {
            Some((keyword, path)) if keyword == "controlpath" => {
                by_option.get_or_insert(path);
            }
            Some((keyword, value)) if keyword == "controlmaster" => {
                let value = value.to_ascii_lowercase();
                found.control_master.get_or_insert(value);
            }
            _ => {}
        },
        Part::Flags(_) | Part::Option(..) | Part::Host(_) => {}
    });
    found.control_path = by_flag.or(by_option);
    found
}

/// The keyword in lower case and the first word of its value in the argument of `-o`, a line of ssh_config(5).
fn option_line(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let is_between = |it: char| it.is_ascii_whitespace() || matches!(it, '=' | '"');
    let mut words = line.split(is_between).filter(|word| !word.is_empty());
    Some((words.next()?.to_ascii_lowercase(), words.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn own_session_by_arguments_and_titles() {
        for (cmdline, own) in [
            ("ssh: /home/u/.ssh/s/u@h-22 [mux]\0\0\0\0", false),
            ("ssh: [stopped mux]\0\0", false),
            ("tssh: /s/u@h-22 [mux]\0", false),
            ("ssh\0-M\0h:\0x [mux]\0", true),
            ("ssh\0h\0", true),
            ("ssh\0-M\0-N\0h\0", false),
            ("ssh\0-fMN\0h\0", false),
            ("ssh\0h\0-N\0", false),
            ("ssh\0h\0ls\0-N\0", true),
            ("ssh\0-p\x0022\0-N\0h\0", false),
            // -N is the argument of another option.
            ("ssh\0-l\0-N\0h\0", true),
            ("ssh\0-lN\0h\0", true),
            ("ssh\0-vp22\0-S/s/%C\0h\0", true),
            ("ssh\0-o\0SessionType=none\0h\0", false),
            ("ssh\0-osessiontype none\0h\0", false),
            ("ssh\0-o\0SessionType = \"none\"\0h\0", false),
            ("ssh\0-o\0SessionType=default\0h\0", true),
            ("ssh\0-W\0h:22\0j\0", true),
            ("ssh\0-N\0-W\0h:22\0j\0", true),
            ("ssh\0--\0-N\0", true),
            ("ssh\0-o\0", true),
            ("", true),
        ] {
            assert_eq!(is_own_session(cmdline.as_bytes()), own, "{cmdline:?}");
        }
    }

    #[test]
    fn arguments_about_sharing_are_found() {
        for (line, path, master, is_proxy) in [
            ("ssh web", None, None, false),
            ("ssh -S none web -S x", Some("x"), None, false),
            ("ssh -oControlPath=none -Snew web", Some("new"), None, false),
            (
                "ssh -o ControlPath=a -o ControlPath=b web",
                Some("a"),
                None,
                false,
            ),
            ("ssh -o ControlMaster=yes web", None, Some("yes"), false),
            ("ssh -o ControlMaster=Ask web", None, Some("ask"), false),
            ("ssh web true -M", None, None, false),
            ("ssh -W [db]:22 web", None, None, true),
        ] {
            let found = sharing_arguments(line.replace(' ', "\0").as_bytes());
            let expected = SharingArguments {
                control_path: path.map(str::to_owned),
                control_master: master.map(str::to_owned),
                has_master_flag: false,
                is_proxy,
            };
            assert_eq!(found, expected, "{line}");
        }
        assert!(sharing_arguments(b"ssh\0-NM\0web").has_master_flag);
    }

    #[test]
    fn server_is_in_the_arguments() {
        for (cmdline, server, has_other_config) in [
            ("ssh\0web", "web", false),
            (
                "ssh\0-M\0-N\0-S\0/s/x\0u@web\0-p\x002222\0",
                "u@web:2222",
                false,
            ),
            ("ssh\0-fNMl\0u\0-p22\0web\0", "u@web:22", false),
            ("ssh\0-l\0first\0second@web\0", "first@web", false),
            (
                "ssh\0-oPort=22\0-o\0User \"u\"\0-p\x0023\0web\0",
                "u@web:22",
                false,
            ),
            ("ssh\0-F\0none\0web\0ls\0-l\0u\0", "web", true),
            ("ssh\0ssh://u@[::1]:2222\0", "u@[::1]:2222", false),
            ("ssh\0ssh://web\0", "web", false),
            ("ssh\0u@realm@web\0", "u@realm@web", false),
            ("ssh\0-N\0--\0web\0", "web", false),
            ("ssh: /s/x [mux]\0", "", false),
            ("ssh\0-N\0", "", false),
            ("", "", false),
        ] {
            let found = ssh_arguments(cmdline.as_bytes(), &|_| None);
            let shown = found.as_ref().map(|found| found.server.to_string());
            assert_eq!(shown.unwrap_or_default(), server, "{cmdline:?}");
            let other = found.is_some_and(|found| found.has_other_config);
            assert_eq!(other, has_other_config, "{cmdline:?}");
        }
    }

    #[test]
    fn control_persist_of_the_arguments_as_the_first_of_them() {
        use Persist::{Forever, No, Seconds};
        for (line, persist) in [
            ("ssh -N web", None),
            ("ssh -NM -o ControlPersist=no web", Some(No)),
            ("ssh -ocontrolpersist=YES web", Some(Forever)),
            ("ssh -o ControlPersist=0 web", Some(Forever)),
            ("ssh -o ControlPersist=90 web", Some(Seconds(90))),
            (
                "ssh -o ControlPersist=1h30M -o ControlPersist=no web",
                Some(Seconds(5400)),
            ),
            ("ssh -o ControlPersist=soon web", None),
        ] {
            let found = ssh_arguments(line.replace(' ', "\0").as_bytes(), &|_| None);
            assert_eq!(found.unwrap().persist, persist, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ssh_arguments(&bytes, &|_| None);
            let has_no_option = !bytes.contains(&b'N') && !bytes.contains(&b'o') && !bytes.contains(&b']');
            prop_assert!(is_own_session(&bytes) || !has_no_option);
        }
    }
}
