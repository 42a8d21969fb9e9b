//! Masters that began with other settings than a new one would have.

use std::path::Path;
use std::time::SystemTime;

use tr::tr;

use super::commands;
use crate::model::finding::{Finding, FindingId};
use crate::model::place_difference::{Difference, master_differences};
use crate::model::places::{EarlierHost, Host, Places};
use crate::model::socket::Socket;
use crate::model::text::{self, Tilde};

/// Returns nothing unless the settings of every host of the master have changed, and are known for the time when it began.
pub(super) fn finding(
    socket: &Socket,
    places: &Places,
    home: &Path,
    tilde: Tilde<'_>,
) -> Option<Finding> {
    if places.earlier_hosts.is_empty() || !socket.is_running() || socket.managed_by.is_some() {
        return None;
    }
    let began = socket.since?;
    let hosts = places.hosts_at(&socket.path);
    let own = hosts.filter(|host| socket.hosts.contains(&host.alias));
    let changes: Option<Vec<(&Host, Vec<Difference>)>> = own
        .map(|host| Some((host, changes(host, began, &places.earlier_hosts, home)?)))
        .collect();
    let (host, differences) = changes?.into_iter().next()?;
    let change = |it: &Difference| tr!("{before}, now {after}", before = it.one, after = it.other);
    let evidence = tr!(
        "it began before the configuration changed: {changes}",
        changes = text::list(differences.iter().take(3).map(change))
    );
    let (option, host) = (&socket.ssh_option, text::shell_word(host.alias.0.as_ref()));
    let open = format!("muxtray {option}open {host}");
    let command = format!("{} && {open}", commands::exit(socket));
    let path = socket.path.as_path();
    let remedy = tr!("replace it with");
    let finding = Finding::new(
        FindingId::MasterOutdated,
        tilde.path(path),
        evidence,
        remedy,
    );
    Some(finding.with_paths([path]).with_command(command))
}

fn changes(
    host: &Host,
    began: SystemTime,
    earlier: &[EarlierHost],
    home: &Path,
) -> Option<Vec<Difference>> {
    let mut earlier = earlier.iter();
    let then = earlier.find(|it| it.host.alias == host.alias && it.held_at(began))?;
    let differences = master_differences(&then.host, host, home);
    (!differences.is_empty()).then_some(differences)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::host_settings::HostSettings;
    use crate::model::places::Managed;
    use crate::model::samples::{at, in_state, places};
    use crate::model::socket::State;

    #[test]
    fn settings_at_the_time_of_the_start_are_compared() {
        let before = |seconds| at() - Duration::from_secs(seconds);
        let agent = |value: &str| Host {
            settings: HostSettings::parse(format!("forwardagent {value}\n").as_bytes()),
            ..places().hosts.remove(0)
        };
        let earlier = |from, until, value| EarlierHost {
            from: before(from),
            until: before(until),
            host: agent(value),
        };
        let found = |began, managed_by| {
            let places = Places {
                hosts: vec![agent("yes")],
                earlier_hosts: vec![
                    earlier(1000, 500, "no"),
                    earlier(500, 400, "yes"),
                    earlier(300, 200, "/agent"),
                ],
                ..Places::default()
            };
            let socket = Socket {
                since: Some(before(began)),
                managed_by,
                ..in_state(State::Running)
            };
            let finding = finding(&socket, &places, Path::new("/"), Tilde { home: None });
            finding.map(|it| it.evidence)
        };
        let changed = |then| {
            let text = "it began before the configuration changed: ForwardAgent";
            Some(format!("{text} {then}, now ForwardAgent yes"))
        };
        for (began, expected) in [
            (1001, None),
            (1000, changed("no")),
            (501, changed("no")),
            (500, None),
            (350, None),
            (250, changed("/agent")),
            (200, None),
        ] {
            assert_eq!(found(began, None), expected, "{began}");
        }
        assert_eq!(found(600, Some(Managed("lima"))), None);
    }
}
