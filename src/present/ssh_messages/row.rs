//! A row of the table of ssh's messages, and texts that several rows share.

use crate::model::finding::FindingId;
use crate::model::text::marked;

#[derive(Debug, PartialEq, Eq)]
pub struct SshMessage {
    /// The texts that mean this, with `VARIABLES` of wording.rs for the variable parts. The first part is not variable.
    pub wordings: &'static [&'static str],
    pub meaning: &'static str,
    /// The usual causes, the most likely first.
    pub causes: &'static [&'static str],
    /// The findings that can cause it, the most likely first.
    pub findings: &'static [FindingId],
    /// Each ends with its command, if there is one. HOST, PATH, DIRECTORY and PORT stand for those in the message. A part
    /// in brackets is left out if they are unknown.
    pub remedies: &'static [&'static str],
    /// Replaces the remedies if ansible has started ssh, because it sets the ControlPath itself.
    pub remedies_in_ansible: &'static [&'static str],
}

impl SshMessage {
    /// Whether nothing is wrong if ssh prints it. After the first step of a request ssh can wait for ever.
    pub(super) fn is_normal(&self) -> bool {
        let is_first_step = self.wordings.iter().all(|it| it.starts_with("auto-mux: "));
        self.causes.is_empty()
            && self.remedies.is_empty()
            && (self.findings.is_empty() || is_first_step)
    }
}

pub(super) const ROW: SshMessage = SshMessage {
    wordings: &[],
    meaning: "",
    causes: &[],
    findings: &[],
    remedies: &[],
    remedies_in_ansible: &[],
};

/// A table of messages. `packaging/translations.py` takes every text in it but the wordings.
macro_rules! ssh_messages {
    ($(#[$doc:meta])* $name:ident: $([$($wording:literal),+ $(,)?] {
        meaning: $meaning:literal,
        $($field:ident: [$($value:expr),+ $(,)?],)*
    })+) => {
        $(#[$doc])*
        #[allow(clippy::needless_update, reason = "some rows have every field")]
        pub(super) static $name: &[super::row::SshMessage] = &[$(super::row::SshMessage {
            wordings: &[$($wording),+],
            meaning: $meaning,
            $($field: &[$($value),+],)*
            ..super::row::ROW
        }),+];
    };
}
pub(super) use ssh_messages;

pub(super) const WITHOUT_MASTER: &str = marked!("connect without the master: ssh -S none HOST");

pub(super) const WITHOUT_MASTER_IN_ANSIBLE: &str = marked!(
    "let ansible connect without a master, until the shell ends: export ANSIBLE_SSH_ARGS='-o ControlPath=none'"
);

pub(super) const SHOW_MASTERS: &str = marked!("show every master and its state: muxtray list");

pub(super) const EXAMINE: &str = marked!("find what is wrong now: muxtray doctor");

pub(super) const CLEAN: &str = marked!("remove the sockets that are proven stale: muxtray clean");

pub(super) const SHORT_PATH: &str =
    marked!("set in ~/.ssh/config, after mkdir -p -m 700 ~/.ssh/s: ControlPath ~/.ssh/s/%C");

pub(super) const LOCAL_PATH: &str =
    marked!("use a local filesystem, in ~/.ssh/config: ControlPath /run/user/%i/%C");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Multiplexing,
    Forwarding,
    /// Neither. The remedy has to keep away from sockets.
    Other,
}
