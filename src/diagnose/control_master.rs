//! The findings of hosts whose `ssh HOST` shares nothing, and of a configuration without any that does.

use std::collections::BTreeMap;

use tr::tr;

use super::context::Context;
use super::hosts::about_first;
use super::suggest;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::places::{ControlMaster, Host, SwitchedOff, WrittenBy};

pub(super) fn findings(context: Context<'_>) -> Vec<Finding> {
    let places = context.places;
    let mut lacking: BTreeMap<FindingId, Vec<&Host>> = BTreeMap::new();
    let persons = places.hosts.iter().chain(&places.unnamed_host);
    let persons = persons.chain(&places.wildcard_hosts);
    for host in persons.filter(|host| is_judged(host, context)) {
        if let Some(id) = problem(host, places.nobody_confirms) {
            let is_on_purpose = places.switched_off == SwitchedOff::ForSome && is_half(id);
            if !is_on_purpose {
                lacking.entry(id).or_default().push(host);
            }
        }
    }
    // Hosts whose configuration ssh or muxtray cannot read may well multiplex.
    let is_unread =
        |it: &Finding| matches!(it.id, FindingId::SshConfigInvalid | FindingId::SshMissing);
    let is_known = !places.refuses_hosts && !places.findings.iter().any(is_unread);
    if !is_known {
        lacking.remove(&FindingId::NoControlPath);
    }
    let has_path = places.own_hosts().next().is_some();
    let mut templates = places.default_templates.iter();
    let is_configured = places.own_hosts().any(|(host, _)| host.multiplexes())
        || templates.any(|template| template.multiplexes)
        || !lacking.is_empty()
        || (places.switched_off == SwitchedOff::ForSome && has_path);
    let mut findings: Vec<Finding> = lacking
        .into_iter()
        .map(|(id, hosts)| finding(id, &hosts, context))
        .collect();
    findings.extend((is_known && !is_configured).then(|| not_configured(context)));
    findings
}

/// Whether one of ControlMaster and ControlPath is there without the other.
const fn is_half(id: FindingId) -> bool {
    matches!(id, FindingId::NoControlMaster | FindingId::NoControlPath)
}

/// Whether the user wrote the host's settings. Masters of other programs have their own.
fn is_judged(host: &Host, context: Context<'_>) -> bool {
    let places = context.places;
    let is_persons = |path| {
        let mut of_path = places.patterns.iter().filter(|it| it.pattern.matches(path));
        let is_unnamed = places.unnamed_host.as_ref() == Some(host);
        !is_unnamed || of_path.any(|it| it.written_by == WrittenBy::Person)
    };
    host.written_by == WrittenBy::Person
        && host
            .control_path
            .as_ref()
            .is_none_or(|path| is_persons(path) && places.is_own(path))
}

/// Returns why `ssh HOST` shares nothing.
pub fn problem(host: &Host, nobody_confirms: bool) -> Option<FindingId> {
    match (host.control_master, host.control_path.is_some()) {
        (ControlMaster::No, true) => Some(FindingId::NoControlMaster),
        (ControlMaster::No, false) => None,
        (_, false) => Some(FindingId::NoControlPath),
        (kind, true) if kind.asks() && nobody_confirms => Some(FindingId::ControlMasterAsk),
        (kind, true) => (!kind.shares()).then_some(FindingId::ControlMasterYes),
    }
}

pub fn evidence(id: FindingId, kind: ControlMaster) -> String {
    let kind = kind.as_str();
    match id {
        FindingId::ControlMasterYes => tr!(
            "ControlMaster is {kind}: ssh starts a master, but never uses one that runs, so every further ssh connects by itself",
            kind
        ),
        FindingId::ControlMasterAsk => tr!(
            "ControlMaster is {kind}, and nobody can be asked: there is no ssh-askpass program, or neither DISPLAY nor WAYLAND_DISPLAY is set, so the master refuses every session",
            kind
        ),
        FindingId::NoControlPath => tr!(
            "ControlMaster is {kind}, but there is no ControlPath, so nothing is shared",
            kind
        ),
        _ => tr!("there is a ControlPath, but ControlMaster is no, so ssh starts no master"),
    }
}

fn finding(id: FindingId, hosts: &[&Host], context: Context<'_>) -> Finding {
    let usual = (id == FindingId::NoControlPath).then(|| suggest::for_every_host(context));
    let line = match &usual {
        Some(usual) => usual.line.clone(),
        None => "ControlMaster auto".to_owned(),
    };
    let kind = hosts.first().map(|host| host.control_master);
    let evidence = evidence(id, kind.unwrap_or_default());
    let mut finding = about_first(hosts, id, evidence, |line| remedy(id, line), &line);
    if is_half(id) && context.places.switched_off == SwitchedOff::ForAll {
        finding = finding.with_severity(Severity::Info);
    }
    match usual {
        Some(usual) => usual.add_command_to(finding),
        None => finding,
    }
}

pub fn remedy(id: FindingId, line: &str) -> String {
    match id {
        FindingId::ControlMasterAsk => tr!(
            "put this before any other ControlMaster, or install an ssh-askpass program: {line}",
            line
        ),
        FindingId::NoControlPath => tr!("put this before any other ControlPath: {line}", line),
        _ => tr!("put this before any other ControlMaster: {line}", line),
    }
}

fn not_configured(context: Context<'_>) -> Finding {
    let usual = suggest::for_every_host(context);
    let named = context.places.ssh_option.trim().strip_prefix("-F ");
    let file = named.unwrap_or("~/.ssh/config");
    let remedy = match context.places.switched_off {
        _ if file.eq_ignore_ascii_case("none") || file == "/dev/null" => tr!(
            "with {option} ssh reads no configuration; without it, put these lines at the end of {file}",
            option = format_args!("-F {file}"),
            file = "~/.ssh/config"
        ),
        SwitchedOff::ForAll => tr!(
            "put these lines before any other ControlMaster and ControlPath in {file}",
            file
        ),
        SwitchedOff::No | SwitchedOff::ForSome => {
            tr!("put these lines at the end of {file}", file)
        }
    };
    let finding = Finding::new(
        FindingId::NotConfigured,
        tr!("ssh configuration"),
        tr!(
            "no host multiplexes: none has both ControlMaster and ControlPath, so every ssh makes a connection of its own"
        ),
        remedy,
    );
    let finding = finding.with_lines([
        "Host *".to_owned(),
        "    ControlMaster auto".to_owned(),
        format!("    {line}", line = usual.line),
        "    ControlPersist 10m".to_owned(),
        "    ServerAliveInterval 15".to_owned(),
    ]);
    usual.add_command_to(finding)
}

#[cfg(test)]
mod tests;
