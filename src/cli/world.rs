//! What every command starts from: settings, places, and a survey of them.

use std::io::{self, Write};

use crate::act::trial;
use crate::config::{self, ConfigError, Settings};
use crate::core::control_path::{ControlPath, HostAlias};
use crate::core::doctor::Examined;
use crate::core::finding::Finding;
use crate::core::places::Places;
use crate::core::socket::{Snapshot, Socket};
use crate::core::target::{self, Named, TargetError};
use crate::discover::{self, Discovered, Identity, Request, Surroundings};
use crate::survey::Survey;

use super::args::Global;
use super::{Outcome, progress};

/// The settings and the places they lead to.
pub(super) struct World {
    pub(super) survey: Survey,
    places: Places,
    request: Request,
    identity: Identity,
    finding: Option<Finding>,
}

impl World {
    /// Reads the settings and discovers the places. A bad file of muxtray's is a finding, and the defaults hold.
    ///
    /// # Errors
    /// A file named with `--config` that is not there.
    pub(super) fn open(global: &Global) -> Result<Self, ConfigError> {
        let (settings, error) = settings(global)?;
        let surroundings = Surroundings::of_this_process();
        let request =
            crate::survey::request(&settings, global.ssh_config.as_deref(), &surroundings);
        let Discovered {
            mut places,
            identity,
        } = progress::telling(|progress| {
            discover::discover_telling(&request, &surroundings, progress)
        });
        let finding = error.map(|error| error.finding());
        places.findings.extend(finding.clone());
        Ok(Self {
            survey: Survey::new(surroundings),
            places,
            request,
            identity,
            finding,
        })
    }

    /// One look; what waits to be accepted gets the time to prove itself stuck or not.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.survey.settled(&self.places, &[])
    }

    /// Like [`Self::snapshot`], with a trial of the directories, and with these paths beside the known ones.
    pub(super) fn examination(&mut self, named: &[ControlPath]) -> Snapshot {
        self.survey.examined(&self.places, named, trial::trial)
    }

    /// How much there is to examine.
    pub(super) fn examined(&self) -> Examined {
        Examined {
            hosts: self.places.own_hosts().count(),
            directories: self.places.directories(&[]).len(),
        }
    }

    /// Discovers again where something that decides it has changed.
    pub(super) fn refresh(&mut self) {
        let surroundings = self.survey.surroundings();
        if !self.identity.still_holds(&self.request, surroundings) {
            let Discovered { places, identity } = discover::discover(&self.request, surroundings);
            self.identity = identity;
            self.places = places;
            self.places.findings.extend(self.finding.clone());
        }
    }

    /// One look, and the sockets that were named in it, each or why not.
    pub(super) fn resolve(&mut self, typed: &[String]) -> Vec<Result<Socket, TargetError>> {
        let directory = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let named: Vec<Result<Named, TargetError>> = typed
            .iter()
            .map(|typed| Named::parse(typed, &directory).map(|named| self.expanded(typed, named)))
            .collect();
        let path = |named: &Named| match named {
            Named::Path(path) => Some(path.clone()),
            Named::Host(_) | Named::Destination { .. } => None,
        };
        let paths: Vec<ControlPath> = named.iter().flatten().filter_map(path).collect();
        let snapshot = self.survey.settled(&self.places, &paths);
        let find = |(typed, named): (&String, Result<Named, TargetError>)| {
            target::resolve(typed, &named?, &snapshot).cloned()
        };
        typed.iter().zip(named).map(find).collect()
    }

    /// A host that has no alias of its own may have a ControlPath all the same, by `Host *` or a pattern: ssh knows.
    /// Where something is at that path, that is what was meant.
    fn expanded(&mut self, typed: &str, named: Named) -> Named {
        let destination = match &named {
            Named::Path(_) => return named,
            Named::Host(host) if self.places.hosts.iter().any(|known| known.alias.0 == *host) => {
                return named;
            }
            Named::Host(_) | Named::Destination { port: None, .. } => typed.to_owned(),
            Named::Destination { port: Some(_), .. } => format!("ssh://{typed}"),
        };
        let Some(mut host) =
            discover::host(&destination, &self.request, self.survey.surroundings())
        else {
            return named;
        };
        let path = host
            .control_path
            .clone()
            .filter(|path| path.as_path().symlink_metadata().is_ok());
        let Some(path) = path else { return named };
        if self.places.hosts_at(&path).next().is_none() {
            host.alias = HostAlias(typed.to_owned());
            self.places.hosts.push(host);
        }
        Named::Path(path)
    }
}

/// The settings in force, and what keeps the file from being it.
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

/// Says why a command could not begin.
pub(super) fn misused(error: &ConfigError, err: &mut dyn Write) -> io::Result<Outcome> {
    writeln!(err, "muxtray: {error}")?;
    Ok(Outcome::Misused)
}
