//! Adds the forwardings of a master that has been replaced to the next one.

use std::path::Path;

use tr::tr;

use super::memory;
use super::request::request;
use crate::actions::ssh::master_at;
use crate::diagnose::forwards::of_forwarding;
use crate::model::control_path::HostAlias;
use crate::model::forward::Listening;
use crate::model::forwarding::Forwarding;
use crate::model::socket::Target;
use crate::model::text;

/// Adds those that a person asked muxtray for; `file` is that of the remembered ones. Returns the result as a part of
/// a sentence; `None` if there are none.
pub(in crate::actions) fn add_again(
    file: &Path,
    host: &HostAlias,
    before: &Target,
) -> Option<String> {
    let (target, master) = master_at(&before.path)?;
    let id = target.id?;
    let all = memory::read(file);
    let wanted = all.of_master(&before.path, before.id);
    let wanted: Vec<Forwarding> = wanted.map(|it| it.forwarding.clone()).collect();
    let pid = master.holder.ssh().map(|process| process.pid);
    let mut failed = Vec::new();
    for forwarding in &wanted {
        let is_there = |listening: &[Listening]| !of_forwarding(listening, forwarding).is_empty();
        let facts = request(&target, pid, forwarding, is_there, |client| {
            client.forward(forwarding)
        });
        let listens = facts.after.as_deref().is_none_or(is_there);
        match facts.answer {
            Ok(port) if listens => memory::change(file, |all| {
                all.add(host, &target.path, id, forwarding, port);
            }),
            _ => failed.push(forwarding.shell_words()),
        }
    }
    let number = wanted.len() - failed.len();
    let added = (number > 0)
        .then(|| tr!("{n} forwarding added again" | "{n} forwardings added again" % number));
    let failed = (!failed.is_empty()).then(|| {
        tr!(
            "not added again: {forwardings}",
            forwardings = text::list(failed)
        )
    });
    let parts: Vec<String> = added.into_iter().chain(failed).collect();
    (!parts.is_empty()).then(|| text::list(parts))
}
