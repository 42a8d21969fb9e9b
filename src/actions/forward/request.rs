//! The request to a master, and what the kernel shows before and after it.

use std::os::fd::AsFd as _;
use std::time::Duration;

use crate::actions::control::CHECK_LIMIT;
use crate::actions::error::ActionError;
use crate::actions::held_socket::HeldSocket;
use crate::decide::forwarding::Facts;
use crate::model::forward::Listening;
use crate::model::forwarding::{Forwarding, ForwardingKind};
use crate::model::socket::{MasterPid, Target};
use crate::mux::client::Client;
use crate::mux::deadline::Deadline;
use crate::mux::error::MuxError;
use crate::observe::forwarded;

/// How long a person may take to confirm, or a server to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// How long the kernel may take to show the result: a master answers after it has listened or closed its listener.
const VERIFY_LIMIT: Duration = Duration::from_secs(1);
const VERIFY_POLL: Duration = Duration::from_millis(10);

/// Sends a request, and waits until the listeners of the master are as expected.
pub(super) fn request(
    target: &Target,
    pid: Option<MasterPid>,
    forwarding: &Forwarding,
    is_expected: impl Fn(&[Listening]) -> bool,
    ask: impl FnOnce(&mut Client) -> Result<Option<u16>, MuxError>,
) -> Facts {
    let is_remote = forwarding.kind == ForwardingKind::Remote;
    let read = || pid.filter(|_| !is_remote).and_then(listening);
    let before = read();
    let answer = asked(target, ask);
    let mut after = None;
    let until = Deadline::within(match &answer {
        Ok(_) => VERIFY_LIMIT,
        Err(_) => Duration::ZERO,
    });
    until.poll(VERIFY_POLL, || {
        after = read();
        after.as_deref().is_none_or(&is_expected).then_some(())
    });
    Facts {
        before,
        answer: answer.map_err(|error| (error.outcome(), error.to_string())),
        after,
        holders: Vec::new(),
        is_path_taken: false,
    }
}

fn asked(
    target: &Target,
    ask: impl FnOnce(&mut Client) -> Result<Option<u16>, MuxError>,
) -> Result<Option<u16>, ActionError> {
    let held = HeldSocket::open(target)?;
    let mut client = Client::connect(held.file.as_fd(), Deadline::within(CHECK_LIMIT))?;
    client.alive()?;
    client.set_deadline(Deadline::within(ANSWER_LIMIT));
    let answer = ask(&mut client);
    tracing::debug!(path = %target.path, ?answer, "forwarding request sent");
    Ok(answer?)
}

pub(super) fn listening(pid: MasterPid) -> Option<Vec<Listening>> {
    let read = forwarded::listening(pid);
    read.inspect_err(|error| tracing::debug!("cannot read listeners: {error}"))
        .ok()
}
