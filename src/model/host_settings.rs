//! The settings in the answer of `ssh -G` that a master takes up when it starts.
//!
//! Sources: `dump_client_config()` in readconf.c; `mux_client_request_session()` and `mux_master_process_new_session()` in
//! mux.c, which show the settings that each client applies anew: forwardings, terminal, command.

use serde::{Deserialize, Serialize};

use super::forwarding::{Forwarding, ForwardingKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It changes the destination of a connection, the way to it, or the account and identity.
    Place,
    /// The same, and the value is a file: `~` and `%d` are the home directory.
    PlaceFile,
    /// It decides something else for as long as the master lives.
    Master,
}

/// The settings with their effect, beside [`WAY`] and [`Host::destination`]. ssh prints their names in lower case.
pub(super) const SETTINGS: &[(&str, Use)] = &[
    ("HostKeyAlias", Use::Place),
    ("IdentityFile", Use::PlaceFile),
    ("CertificateFile", Use::PlaceFile),
    ("IdentityAgent", Use::PlaceFile),
    ("IdentitiesOnly", Use::Place),
    ("PKCS11Provider", Use::PlaceFile),
    ("PubkeyAuthentication", Use::Place),
    ("SecurityKeyProvider", Use::PlaceFile),
    ("BindAddress", Use::Place),
    ("BindInterface", Use::Place),
    ("AddressFamily", Use::Place),
    ("GSSAPIClientIdentity", Use::Place),
    ("ChannelTimeout", Use::Master),
    ("Ciphers", Use::Master),
    ("Compression", Use::Master),
    ("ControlPersist", Use::Master),
    ("ForwardAgent", Use::Master),
    ("ForwardX11", Use::Master),
    ("ForwardX11Timeout", Use::Master),
    ("ForwardX11Trusted", Use::Master),
    ("GatewayPorts", Use::Master),
    ("GSSAPIDelegateCredentials", Use::Master),
    ("HostKeyAlgorithms", Use::Master),
    ("IPQoS", Use::Master),
    ("KexAlgorithms", Use::Master),
    ("MACs", Use::Master),
    ("ObscureKeystrokeTiming", Use::Master),
    ("PermitRemoteOpen", Use::Master),
    ("RekeyLimit", Use::Master),
    ("SendEnv", Use::Master),
    ("ServerAliveCountMax", Use::Master),
    ("ServerAliveInterval", Use::Master),
    ("SetEnv", Use::Master),
    ("StreamLocalBindMask", Use::Master),
    ("StreamLocalBindUnlink", Use::Master),
    ("TCPKeepAlive", Use::Master),
    ("Tunnel", Use::Master),
    ("TunnelDevice", Use::Master),
    ("XAuthLocation", Use::Master),
];

/// They are compared together, and `proxyusefdpass` only shows whose connection a master has.
const WAY: [&str; 3] = ["proxyjump", "proxycommand", "proxyusefdpass"];

/// Each client applies them anew; they explain the listeners of a master.
const FORWARDINGS: [&str; 2] = ["localforward", "dynamicforward"];

/// Longer values are cut, with a checksum that keeps them distinct: the default lists of algorithms have a kilobyte.
const MAX_VALUE_BYTES: usize = 160;

/// The lines of `SETTINGS`, `WAY` and `FORWARDINGS` in the answer of `ssh -G`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSettings(String);

impl HostSettings {
    pub fn parse(output: &[u8]) -> Self {
        let mut kept = String::new();
        for line in String::from_utf8_lossy(output).lines() {
            let Some((keyword, value)) = line.split_once(' ') else {
                continue;
            };
            let is_setting = |known: &str| known.eq_ignore_ascii_case(keyword);
            let is_forwarding = FORWARDINGS.contains(&keyword);
            let is_kept = is_forwarding
                || WAY.contains(&keyword)
                || SETTINGS.iter().any(|(known, _)| is_setting(known));
            if !is_kept {
                continue;
            }
            let mut starts = value.char_indices().map(|(start, _)| start);
            let cut = starts.find(|start| *start >= MAX_VALUE_BYTES && !is_forwarding);
            let cut = cut.unwrap_or(value.len());
            kept += keyword;
            kept += " ";
            kept += &value[..cut];
            if cut < value.len() {
                kept += &format!("\u{2026} ({:x})", checksum(value.as_bytes()));
            }
            kept += "\n";
        }
        Self(kept)
    }

    pub fn values(&self, keyword: &str) -> impl Iterator<Item = &str> {
        let lines = self.0.lines().filter_map(|line| line.split_once(' '));
        lines.filter_map(move |(known, value)| known.eq_ignore_ascii_case(keyword).then_some(value))
    }

    pub fn gateway_ports(&self) -> bool {
        self.values("gatewayports").any(|value| value == "yes")
    }

    /// Returns the local and dynamic forwardings. A local one to a socket is also a line `dynamicforward` of ssh's
    /// answer (`dump_cfg_forwards()` in readconf.c), and comes first here.
    pub fn forwardings(&self) -> impl Iterator<Item = Forwarding> {
        let of = |kind, keyword| {
            let values = self.values(keyword);
            values.filter_map(move |value| Forwarding::parse_resolved(kind, value))
        };
        let local = of(ForwardingKind::Local, "localforward");
        local.chain(of(ForwardingKind::Dynamic, "dynamicforward"))
    }
}

/// FNV-1a, which stays the same in every build.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
