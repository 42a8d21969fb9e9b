//! The names of sockets of ssh agents, which are no control sockets.

use std::path::Path;

/// Ends of paths at which agents listen, beside [`is_agent_name`]: GNOME's, Ubuntu's unit, 1Password, Bitwarden and
/// units that people write for ssh-agent.
const ENDS: &[&str] = &[
    "gcr/ssh",
    "keyring/ssh",
    "keyring/.ssh",
    "openssh_agent",
    "ssh-agent",
    "ssh-agent.sock",
    "ssh-agent.socket",
    ".1password/agent.sock",
    ".bitwarden-ssh-agent.sock",
    "yubikey-agent.sock",
];

/// Whether an agent chose this name itself:
/// - `agent.4711`: ssh-agent, and sshd for a forwarded one, before OpenSSH 10.1;
/// - `s.AAAAAAAAAA.agent.BBBBBBBBBB`, `s.AAAAAAAAAA.sshd.BBBBBBBBBB`: since 10.1 (`agent_listener()` in misc-agent.c);
/// - `s.AAAAAAAAAA.local.4711.BBBBBBBBBB`, `s.AAAAAAAAAA.sshd.4711.BBBBBBBBBB`: since 10.6;
/// - `S.gpg-agent.ssh`: GnuPG.
pub fn is_agent_name(name: &[u8]) -> bool {
    const RANDOM: usize = 10;
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b'.').collect();
    let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    match parts.as_slice() {
        [b"agent", pid] => is_number(pid),
        [b"s", _, b"agent" | b"sshd", _] => true,
        [b"s", hash, _, pid, random] => {
            is_number(pid) && hash.len() == RANDOM && random.len() == RANDOM
        }
        [b"S", program, ..] => program.ends_with(b"-agent") || *program == b"scdaemon",
        _ => false,
    }
}

/// Whether the socket at this path is an agent's. `auth_sock` is the value of SSH_AUTH_SOCK.
pub fn is_agent_path(path: &Path, auth_sock: Option<&Path>) -> bool {
    let name = path.file_name().unwrap_or_default();
    auth_sock == Some(path)
        || is_agent_name(name.as_encoded_bytes())
        || ENDS.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_known_by_name_and_variable() {
        for (path, expected) in [
            ("/tmp/ssh-AbCdEfGhIj/agent.4711", true),
            ("/home/u/.ssh/agent/s.jHvKNnBtHq.agent.vLpaQ1tXzR", true),
            ("/home/u/.ssh/agent/s.jHvKNnBtHq.sshd.vLpaQ1tXzR", true),
            (
                "/home/u/.ssh/agent/s.2N0me1rP8M.sshd.16320.pNNwqfrVmq",
                true,
            ),
            (
                "/home/u/.ssh/agent/s.2N0me1rP8M.local.18429.Jmfu64Q8VQ",
                true,
            ),
            ("/run/user/1000/gnupg/S.gpg-agent.ssh", true),
            ("/run/user/1000/gnupg/S.gpg-agent", true),
            ("/run/user/1000/gcr/ssh", true),
            ("/run/user/1000/keyring/ssh", true),
            ("/run/user/1000/ssh-agent.socket", true),
            ("/home/u/.1password/agent.sock", true),
            ("/home/u/mine", true),
            ("/home/u/.ssh/s/agent.example.org", false),
            ("/home/u/.ssh/s/build-agent", false),
            ("/home/u/.ssh/s/ssh", false),
            ("/home/u/.ssh/s/s.x.web.y", false),
            ("/home/u/.ssh/s/s.web.local.22.lan", false),
            ("/home/u/.ssh/agent/0123456789abcdef", false),
        ] {
            let is_agents = is_agent_path(Path::new(path), Some(Path::new("/home/u/mine")));
            assert_eq!(is_agents, expected, "{path}");
        }
        assert!(!is_agent_path(Path::new("/home/u/mine"), None));
    }
}
