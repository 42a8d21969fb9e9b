use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use tr::tr;

use super::askpass;
use super::config_contents::{ConfigProblem, Located, SshConfig};
use super::environment::Environment;
use super::other_programs;
use super::request::Request;
use crate::model::control_path::{Known, Pattern, TemplateError};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::places::{Host, Place, Places, WrittenBy};
use crate::model::text;

/// Combines the hosts with the places of the ssh configuration, of muxtray's configuration and of other programs.
/// Adds the findings of both configurations to `findings`.
pub(super) fn assemble(
    request: &Request,
    environment: &Environment,
    config: &SshConfig,
    hosts: Vec<Host>,
    unnamed_host: Option<Host>,
    mut findings: Vec<Finding>,
) -> Places {
    // ssh's own message about a file comes first.
    let rejected: HashSet<String> = findings.iter().map(|it| it.subject.clone()).collect();
    let problems = config.problems.iter().map(ConfigProblem::finding);
    findings.extend(problems.filter(|problem| !rejected.contains(&problem.subject)));
    let known = &environment.known;
    let mut patterns = own_places(request, config, known, &mut findings);
    patterns.extend(other_programs::places(known));
    let ignored = ignored_paths(request, known, &mut findings);
    Places {
        switched_off: config.switched_off,
        refuses_hosts: false,
        nobody_confirms: !askpass::can_ask(known),
        lacks_runtime_directory: !Path::new("/run/user").join(known.uid.to_string()).is_dir(),
        hosts,
        unnamed_host,
        default_templates: Vec::new(),
        wildcard_hosts: Vec::new(),
        earlier_hosts: Vec::new(),
        patterns,
        starters: other_programs::STARTERS,
        ignored,
        findings,
        has_other_config: request.ssh.config.is_some(),
        ssh_option: text::option_of(request.ssh.config_file().as_deref()),
    }
}

/// Returns the places of the ssh configuration and of the setting `extra_paths`, each once.
fn own_places(
    request: &Request,
    config: &SshConfig,
    known: &Known,
    findings: &mut Vec<Finding>,
) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for template in &config.templates {
        match Pattern::from_template(&template.text, known) {
            Ok(Some(pattern)) => places.push(Place {
                written_by: template.written_by(),
                ..own_place(pattern)
            }),
            Ok(None) => {}
            Err(error) => findings.push(bad_template(template, &error)),
        }
    }
    for glob in &request.extra_paths {
        match Pattern::from_glob(OsStr::new(glob), known) {
            Ok(pattern) => places.push(own_place(pattern)),
            Err(error) => findings.push(bad_glob(
                tr!("extra path {glob}", glob = text::line(glob)),
                &error.to_string(),
            )),
        }
    }
    let mut seen = HashSet::new();
    places.retain(|place| seen.insert(place.pattern.clone()));
    places
}

fn ignored_paths(
    request: &Request,
    known: &Known,
    findings: &mut Vec<Finding>,
) -> Vec<glob::Pattern> {
    let mut ignored = Vec::new();
    for glob in &request.ignored_paths {
        match ignored_glob(glob, &known.home) {
            Ok(pattern) => ignored.push(pattern),
            Err(error) => findings.push(bad_glob(
                tr!("ignored path {glob}", glob = text::line(glob)),
                error.msg,
            )),
        }
    }
    ignored
}

fn own_place(pattern: Pattern) -> Place {
    Place {
        pattern,
        managed_by: None,
        written_by: WrittenBy::Person,
    }
}

/// Replaces `~` by the home directory, in which no character is a wildcard.
fn ignored_glob(glob: &str, home: &Path) -> Result<glob::Pattern, glob::PatternError> {
    match glob.strip_prefix('~') {
        Some(below) if below.is_empty() || below.starts_with('/') => {
            let home = glob::Pattern::escape(&home.to_string_lossy());
            glob::Pattern::new(&format!("{home}{below}"))
        }
        _ => glob::Pattern::new(glob),
    }
}

fn bad_template(template: &Located<OsString>, error: &TemplateError) -> Finding {
    let remedy = match error {
        TemplateError::UnsetVariable(_) => tr!(
            "set the variable for the whole session, or write the path out; until then muxtray ignores this ControlPath"
        ),
        TemplateError::Relative | TemplateError::ParentDirectory => tr!(
            "write an absolute path, or one that begins with ~/; until then muxtray ignores this ControlPath"
        ),
        _ => tr!("correct the line; until then muxtray ignores this ControlPath"),
    };
    Finding::new(
        FindingId::SshConfigInvalid,
        template.place(),
        format!("ControlPath {}: {error}", text::os(&template.text)),
        remedy,
    )
    .with_severity(Severity::Warning)
}

fn bad_glob(subject: String, error: &str) -> Finding {
    Finding::new(
        FindingId::ConfigInvalid,
        subject,
        error,
        tr!("correct the glob in muxtray's configuration"),
    )
}
