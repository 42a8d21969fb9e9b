//! The base of every command: settings, places and a scanner.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use tr::tr;

use crate::actions::rehearsal;
use crate::actions::ssh::Ssh;
use crate::config::{self, ConfigError, Settings};
use crate::decide::action_report::{Action, ActionOutcome, ActionReport, ReportTarget};
use crate::decide::ending;
use crate::diagnose::{self, taken_ports};
use crate::discover::{self, Discovered, Environment, Fingerprint, NoHost, Request};
use crate::model::control_path::{ControlPath, Destination, HostAlias};
use crate::model::finding::{Finding, FindingId};
use crate::model::interest::Interest;
use crate::model::place_difference::place_difference;
use crate::model::places::{Host, Places, WrittenBy};
use crate::model::recent::Recent;
use crate::model::socket::{Snapshot, Socket};
use crate::model::target::{self, TargetError, TargetName};
use crate::model::text;
use crate::observe::port_holders::port_holders;
use crate::present::doctor::Examined;
use crate::present::hosts::Hosts;
use crate::scan::{self, Scanner};

use super::args::Global;
use super::outcome::{Outcome, Output};
use super::progress;
use super::reports::{self, Resolved};

pub(super) struct Context {
    pub(super) scanner: Scanner,
    pub(super) places: Places,
    request: Request,
    fingerprint: Fingerprint,
    recent: Recent,
    finding: Option<Finding>,
    /// TARGETs that the ssh configuration refuses, with ssh's message.
    refused: BTreeMap<String, String>,
}

pub(super) struct HostToConnect {
    pub(super) ssh: Ssh,
    pub(super) host: Host,
    pub(super) snapshot: Snapshot,
}

pub(super) struct NotConnectable {
    pub(super) outcome: Outcome,
    pub(super) why: String,
    findings: Vec<Finding>,
}

impl Context {
    /// Reads the settings and discovers the places. If the configuration file is invalid, that is a finding, and the
    /// defaults apply.
    ///
    /// # Errors
    /// The file of `--config` does not exist: a [`ConfigError`] inside, which [`super::conclude`] recognises.
    pub(super) fn load(global: &Global) -> io::Result<Self> {
        Self::load_with_preview(global, &mut |_, _| {})
    }

    /// With `json`, texts contain absolute paths.
    pub(super) fn load_for(global: &Global, json: bool) -> io::Result<Self> {
        let mut context = Self::load(global)?;
        if json {
            context.scanner.keep_paths_absolute();
        }
        Ok(context)
    }

    /// Like [`Self::load`]. If ssh has to be asked about hosts, `preview` is called before, with what is known of the places.
    pub(super) fn load_with_preview(
        global: &Global,
        preview: &mut dyn FnMut(&Environment, &Places),
    ) -> io::Result<Self> {
        let (settings, error) = settings(global).map_err(io::Error::other)?;
        let environment = Environment::of_this_process();
        let request = crate::scan::request(&settings, global.ssh_config.as_deref(), &environment);
        let Discovered {
            mut places,
            fingerprint,
        } = progress::shown_during(|progress| {
            let preview = &mut |places: &Places| preview(&environment, places);
            discover::discover_with_progress(&request, &environment, preview, progress)
        });
        let recent = crate::scan::recent(&environment);
        let finding = error.map(|error| error.finding(global.config.as_deref()));
        complete(&mut places, &recent, finding.as_ref());
        Ok(Self {
            scanner: Scanner::new(environment),
            recent,
            places,
            request,
            fingerprint,
            finding,
            refused: BTreeMap::new(),
        })
    }

    /// Refuses to act on all sockets while the settings are invalid: they can name paths to leave alone. Returns the outcome.
    pub(super) fn refuse_without_settings(
        &self,
        json: bool,
        to: &mut Output<'_>,
    ) -> io::Result<Option<Outcome>> {
        let Some(finding) = &self.finding else {
            return Ok(None);
        };
        let findings = std::slice::from_ref(finding);
        if json {
            let _ = reports::print_with_findings(&[], findings, json, to)?;
        } else {
            reports::print_findings(findings, to.err)?;
        }
        Ok(Some(Outcome::Misused))
    }

    /// Why no host is known, so that sockets can be missing.
    pub(super) fn unknown_hosts(&self, snapshot: &Snapshot) -> Vec<Finding> {
        Hosts::new(&self.places, snapshot).unknown_because()
    }

    pub(super) fn ssh_option(&self) -> &str {
        &self.places.ssh_option
    }

    /// Scans until it is known whether connections that wait to be accepted are stuck.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.scanner.scan_until_settled(&mut self.places, &[])
    }

    pub(super) fn note(&mut self, reports: &[ActionReport]) {
        for report in reports.iter().filter(|report| report.connect_refused) {
            if let ReportTarget::Socket { target, .. } = &report.target {
                self.scanner.note_refusal(target);
            }
        }
    }

    /// Like [`Self::snapshot`], with a rehearsal in each directory and with more paths.
    pub(super) fn examination(&mut self, named: &[ControlPath]) -> Snapshot {
        self.scanner
            .scan_with_rehearsal(&mut self.places, named, rehearsal::rehearse)
    }

    /// The same, with the ports that configured forwardings need.
    pub(super) fn full_examination(&mut self) -> Snapshot {
        let mut snapshot = self.examination(&[]);
        let ports = taken_ports::ports(&self.places);
        let holders = port_holders(ports).unwrap_or_else(|error| {
            tracing::debug!("cannot read listeners: {error}");
            BTreeMap::new()
        });
        let found = taken_ports::findings(&self.places, &snapshot.sockets, &holders);
        snapshot.findings.extend(found);
        diagnose::sort(&mut snapshot.findings);
        snapshot
    }

    pub(super) fn examined(&self) -> Examined {
        Examined {
            hosts: self.places.own_hosts().count(),
            directories: self.places.directories(&[]).len(),
        }
    }

    pub(super) fn refresh(&mut self) {
        let environment = self.scanner.environment();
        if !self.fingerprint.is_current(&self.request, environment) {
            let Discovered {
                places,
                fingerprint,
            } = discover::discover(&self.request, environment);
            self.fingerprint = fingerprint;
            self.places = places;
            complete(&mut self.places, &self.recent, self.finding.as_ref());
        }
    }

    pub(super) fn interests(&self) -> Vec<Interest> {
        let environment = self.scanner.environment();
        [
            discover::interests(&self.places),
            self.fingerprint.interests(environment),
            self.request.ssh.interests(environment),
            Vec::from_iter(scan::remembered_interest(environment)),
        ]
        .concat()
    }

    pub(super) fn resolve(&mut self, typed: &[OsString]) -> Vec<Resolved> {
        self.find(typed, |typed, named, snapshot| {
            target::resolve(typed, named, snapshot).map(|socket| vec![socket])
        })
    }

    /// Like [`Self::resolve`], but resolves a path to an orphan rather than to its successor; see [`ending::resolve`].
    pub(super) fn resolve_to_end(&mut self, typed: &[OsString]) -> Vec<Resolved> {
        self.find(typed, ending::resolve)
    }

    fn find(
        &mut self,
        typed: &[OsString],
        find: impl for<'a> Fn(&str, &TargetName, &'a Snapshot) -> Result<Vec<&'a Socket>, TargetError>,
    ) -> Vec<Resolved> {
        let directory = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let named: Vec<Result<TargetName, TargetError>> = typed
            .iter()
            .map(|typed| {
                let named = self.parse(typed, &directory)?;
                Ok(match self.replace_by_path(&text::typed(typed), named) {
                    TargetName::Path(path) => {
                        TargetName::Path(discover::known_path(&self.places, path))
                    }
                    other => other,
                })
            })
            .collect();
        let paths: Vec<ControlPath> = named
            .iter()
            .filter_map(|named| match named {
                Ok(TargetName::Path(path)) => Some(path.clone()),
                _ => None,
            })
            .collect();
        let snapshot = self.scanner.scan_until_settled(&mut self.places, &paths);
        let auth_sock = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
        let mut found = Vec::with_capacity(typed.len());
        for (typed, named) in typed.iter().zip(named) {
            let typed = &text::typed(typed);
            let sockets = named.and_then(|named| find(typed, &named, &snapshot));
            let sockets = sockets.and_then(|sockets| {
                let mut all = sockets.iter();
                all.try_for_each(|socket| {
                    target::reject_agent(socket, auth_sock.as_deref())?;
                    target::reject_other_file(socket, || self.is_candidate(&socket.path))
                })?;
                Ok(sockets)
            });
            match (sockets, self.refused.get(typed)) {
                (Ok(sockets), _) => {
                    let sockets = sockets.into_iter().cloned();
                    found.extend(sockets.map(|socket| (typed.clone(), Ok(socket))));
                }
                (Err(error), None) => found.push((typed.clone(), Err(error))),
                (Err(error), Some(message)) => {
                    let error = error.because(&refused(typed, message));
                    found.push((typed.clone(), Err(error)));
                }
            }
        }
        found
    }

    /// If a file exists at the ControlPath of a host without an alias of its own (from `Host *` or a pattern), or of one
    /// that only the system's configuration names, the TARGET is that path.
    fn replace_by_path(&mut self, typed: &str, named: TargetName) -> TargetName {
        let is_final = match &named {
            TargetName::Path(_) => true,
            TargetName::Host(host) => self
                .configured(host)
                .is_some_and(|known| known.written_by != WrittenBy::System),
            TargetName::Destination(_) => false,
        };
        if is_final {
            return named;
        }
        let host = match self.read_configuration(typed, &named) {
            Ok(host) => host,
            Err(NoHost::Refused(message)) => {
                self.refused.insert(typed.to_owned(), message);
                return named;
            }
            Err(_) => return named,
        };
        let home = &self.scanner.environment().known.home;
        let is_shared = host.control_path.as_ref().is_some_and(|path| {
            let mut others = self.places.hosts_at(path);
            let is_shared = self.places.shared_template(path).is_some();
            is_shared || others.any(|other| place_difference(other, &host, home).is_some())
        });
        if is_shared {
            self.places.hosts.push(host);
            return TargetName::Host(typed.to_owned());
        }
        let path = host
            .control_path
            .clone()
            .filter(|path| path.as_path().symlink_metadata().is_ok());
        let Some(path) = path else { return named };
        if self.places.hosts_at(&path).next().is_none() {
            self.places.hosts.push(host);
        }
        TargetName::Path(path)
    }

    fn is_candidate(&mut self, path: &ControlPath) -> bool {
        let candidates = discover::candidates(&mut self.places);
        candidates.iter().any(|candidate| candidate.path == *path)
    }

    /// A name in the configuration is a host even if it contains a slash (`machine/.host`). A `~` that the shell left, as in
    /// quotes, is the home directory; directories before `..` are followed.
    fn parse(&self, typed: &OsStr, directory: &Path) -> Result<TargetName, TargetError> {
        if let Some(host) = typed.to_str().and_then(|typed| self.configured(typed)) {
            return Ok(TargetName::Host(host.alias.0.clone()));
        }
        let mut path = directory.join(typed);
        match Path::new(typed).strip_prefix("~") {
            Ok(below) if below.as_os_str() != "" => {
                path = self.scanner.environment().known.home.join(below);
            }
            _ if !typed.as_bytes().contains(&b'/') => return TargetName::parse(typed, directory),
            _ => {}
        }
        let has_parent = path.components().any(|part| part == Component::ParentDir);
        if has_parent
            && let (Some(parent), Some(name)) = (path.parent(), path.file_name())
            && let Ok(parent) = parent.canonicalize()
        {
            path = parent.join(name);
        }
        TargetName::parse(path.as_os_str(), directory)
    }

    fn configured(&self, typed: &str) -> Option<&Host> {
        let mut hosts = self.places.hosts.iter();
        hosts.find(|host| host.alias.0 == typed)
    }

    /// The host's configuration by `ssh -G`. From now on the host counts as configured by the user.
    fn host(&mut self, typed: &str, named: &TargetName) -> Result<Host, NoHost> {
        // Not from the cache: a `Match exec` or the network may decide otherwise now.
        let host = self.read_configuration(typed, named)?;
        let mut hosts = self.places.hosts.iter_mut();
        match hosts.find(|known| known.alias.0 == typed) {
            Some(known) => {
                let source = known.source.take();
                *known = Host { source, ..host };
                Ok(known.clone())
            }
            None => {
                self.places.hosts.push(host.clone());
                Ok(host)
            }
        }
    }

    fn read_configuration(&self, typed: &str, named: &TargetName) -> Result<Host, NoHost> {
        let mut host = self.ask_ssh(&destination(named))?;
        host.alias = HostAlias(typed.to_owned());
        let path = host.control_path.take();
        host.control_path = path.map(|path| discover::known_path(&self.places, path));
        Ok(host)
    }

    fn ask_ssh(&self, destination: &str) -> Result<Host, NoHost> {
        discover::host(destination, &self.request, self.scanner.environment())
    }

    /// Returns the jump host to which the configuration refuses connections, and ssh's message. The ssh of a jump host
    /// prints none if ControlPersist is set (`ssh_proxy_connect()` in sshconnect.c).
    fn refused_jump(&self, host: &Host) -> Option<(String, String)> {
        let jumps = host.settings.values("proxyjump");
        jumps.flat_map(|jumps| jumps.split(',')).find_map(|jump| {
            let destination = match jump.contains(':') && !jump.starts_with("ssh://") {
                true => format!("ssh://{jump}"),
                false => jump.to_owned(),
            };
            match self.ask_ssh(&destination) {
                Err(NoHost::Refused(message)) => Some((text::line(jump), message)),
                _ => None,
            }
        })
    }

    /// The ControlPath of a host, whether the configuration names it or not; in a pasted command it can be a URI.
    pub(super) fn control_path(&self, typed: &str) -> Option<ControlPath> {
        let typed = &text::typed(target::without_scheme(typed.as_ref()));
        let named = self.parse(typed.as_ref(), Path::new("/")).ok()?;
        if let Some(host) = self.configured(typed) {
            return host.control_path.clone();
        }
        self.read_configuration(typed, &named).ok()?.control_path
    }

    pub(super) fn host_to_connect(&mut self, typed: &str) -> Result<HostToConnect, NotConnectable> {
        let shown = text::line(typed);
        let named = match self.parse(typed.as_ref(), Path::new("/")) {
            Ok(named) if named.is_host() => named,
            Ok(_) | Err(_) => {
                let why = tr!("`{host}` is not a host", host = shown);
                return Err(NotConnectable::new(Outcome::Misused, why));
            }
        };
        let host = match self.host(typed, &named) {
            Ok(host) => host,
            Err(no_host) => return Err(self.not_connectable(&shown, no_host)),
        };
        if let Some((jump, message)) = self.refused_jump(&host) {
            let why = refused(&jump, &message);
            let why = format!("{shown}: ProxyJump {jump}: {why}");
            return Err(NotConnectable::new(Outcome::Wrong, why));
        }
        // Its directory is needed even if the configuration lets ssh start no master there.
        let paths = Vec::from_iter(host.control_path.clone());
        let path = paths.first();
        let needed = path.and_then(|path| path.directory().canonicalize().ok());
        // If a link of a socket refuses, each start would leave a master that nothing reaches.
        let rehearse = |directory: &Path| {
            let is_needed = needed.as_deref() == Some(directory);
            is_needed.then(|| rehearsal::rehearse(directory)).flatten()
        };
        let snapshot = self
            .scanner
            .scan_with_rehearsal(&mut self.places, &paths, rehearse);
        let ssh = &self.request.ssh;
        let Some(program) = ssh.file(self.scanner.environment()) else {
            return Err(self.not_connectable(&shown, NoHost::NoSsh));
        };
        Ok(HostToConnect {
            ssh: Ssh {
                program,
                config: ssh.config_file(),
                host: destination(&named),
                command_options: host.command_options.clone(),
            },
            host,
            snapshot,
        })
    }

    fn not_connectable(&self, shown: &str, no_host: NoHost) -> NotConnectable {
        let findings = match no_host {
            NoHost::Refused(message) => {
                return NotConnectable::new(Outcome::Wrong, refused(shown, &message));
            }
            NoHost::BadName(message) => {
                let why = tr!("`{host}` is not a host", host = shown);
                return NotConnectable::new(Outcome::Misused, format!("{why}: {message}"));
            }
            NoHost::Failed(finding) => vec![*finding],
            NoHost::NoSsh => {
                let all = self.places.findings.iter();
                let missing = all.filter(|finding| finding.id == FindingId::SshMissing);
                missing.cloned().collect()
            }
        };
        let why = tr!("ssh prints no configuration for {host}", host = shown);
        NotConnectable {
            findings,
            ..NotConnectable::new(Outcome::Unknown, why)
        }
    }
}

impl NotConnectable {
    fn new(outcome: Outcome, why: String) -> Self {
        Self {
            outcome,
            why,
            findings: Vec::new(),
        }
    }

    pub(super) fn print(&self, to: &mut Output<'_>) -> io::Result<Outcome> {
        let outcome = to.fail(self.outcome, &self.why)?;
        for finding in &self.findings {
            writeln!(to.err, "    {}: {}", finding.subject, finding.evidence)?;
            writeln!(to.err, "    \u{2192} {}", reports::remedy(finding))?;
        }
        Ok(outcome)
    }

    /// The result for programs, in one line.
    pub(super) fn report(&self, typed: &str) -> ActionReport {
        let target = ReportTarget::Unresolved(typed.to_owned());
        let (outcome, why) = (ActionOutcome::REFUSED, self.why.clone());
        let report = ActionReport::new(target, Action::Open, outcome, why);
        match self.findings.first() {
            Some(finding) => ActionReport {
                message: format!("{}: {}", self.why, finding.evidence),
                ..report.with_advice(Some(reports::remedy(finding)))
            },
            None => report,
        }
    }

    /// Prints it for a command with only this result.
    pub(super) fn conclude(
        &self,
        typed: &str,
        json: bool,
        to: &mut Output<'_>,
    ) -> io::Result<Outcome> {
        if !json {
            return self.print(to);
        }
        let _ = reports::print(&[self.report(typed)], json, to)?;
        Ok(self.outcome)
    }
}

fn refused(host: &str, message: &str) -> String {
    tr!(
        "the ssh configuration refuses connections to {host}: {message}",
        host = text::line(host),
        message
    )
}

fn complete(places: &mut Places, recent: &Recent, finding: Option<&Finding>) {
    recent.note_in(places);
    discover::unify_directories(places);
    places.findings.extend(finding.cloned());
}

/// The argument for ssh: with a port, a URI.
fn destination(named: &TargetName) -> String {
    match named {
        TargetName::Path(path) => path.to_string(),
        TargetName::Host(host) => host.clone(),
        TargetName::Destination(Destination { user, host, port }) => {
            let user = user
                .as_ref()
                .map_or(String::new(), |user| format!("{user}@"));
            match port {
                None => format!("{user}{host}"),
                Some(port) if host.contains(':') => format!("ssh://{user}[{host}]:{port}"),
                Some(port) => format!("ssh://{user}{host}:{port}"),
            }
        }
    }
}

/// The current settings, and why the configuration file was not used.
pub(super) fn settings(global: &Global) -> Result<(Settings, Option<ConfigError>), ConfigError> {
    let loaded = match &global.config {
        Some(path) => config::load(path),
        None => config::default_path().and_then(|path| config::load(&path)),
    };
    match loaded {
        Ok(settings) => Ok((settings, None)),
        Err(error @ ConfigError::Missing(_)) if global.config.is_some() => Err(error),
        Err(ConfigError::Missing(_) | ConfigError::NoPlace) => Ok((Settings::default(), None)),
        Err(error) => Ok((Settings::default(), Some(error))),
    }
}
