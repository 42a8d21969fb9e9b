//! Configured forwardings with a port that something else holds. Only `doctor` reads the listeners of other programs.

use std::collections::{BTreeMap, BTreeSet};

use tr::tr;

use super::port_holders::{held_by, master, ways_to_free};
use crate::model::finding::{Finding, FindingId};
use crate::model::forwarding::{Forwarding, ForwardingKind};
use crate::model::places::{Host, Places, WrittenBy};
use crate::model::port_holder::PortHolder;
use crate::model::socket::Socket;

/// Returns the ports that masters of configured hosts listen on.
pub fn ports(places: &Places) -> BTreeSet<u16> {
    let forwardings = hosts(places).flat_map(|host| host.settings.forwardings());
    forwardings.filter_map(|it| it.listen.port()).collect()
}

pub fn findings(
    places: &Places,
    sockets: &[Socket],
    holders: &BTreeMap<u16, Vec<PortHolder>>,
) -> Vec<Finding> {
    let finding = |host: &Host| {
        let mut forwardings = host.settings.forwardings();
        forwardings.find_map(|forwarding| finding(host, &forwarding, sockets, holders))
    };
    hosts(places).filter_map(finding).collect()
}

/// The hosts of the user whose ssh becomes a master, which keeps the port when its first session ends.
fn hosts(places: &Places) -> impl Iterator<Item = &Host> {
    let own = places.own_hosts().map(|(host, _)| host);
    own.filter(|host| host.control_master.starts_masters() && host.written_by == WrittenBy::Person)
}

fn finding(
    host: &Host,
    forwarding: &Forwarding,
    sockets: &[Socket],
    holders: &BTreeMap<u16, Vec<PortHolder>>,
) -> Option<Finding> {
    let is_own = |holder: &&PortHolder| {
        let master = master(holder, sockets);
        master.is_some_and(|it| Some(&it.path) == host.control_path.as_ref())
    };
    let mut on_port = holders.get(&forwarding.listen.port()?)?.iter();
    let holder = on_port.find(|it| forwarding.collides_with(it.address) && !is_own(it))?;
    let keyword = match forwarding.kind {
        ForwardingKind::Dynamic => "DynamicForward",
        ForwardingKind::Local | ForwardingKind::Remote => "LocalForward",
    };
    let evidence = tr!(
        "{keyword} {listen} cannot listen: {held}",
        keyword,
        listen = forwarding.listen,
        held = held_by(holder, sockets)
    );
    let ways = ways_to_free(holder, sockets).into_iter();
    let remedy = tr!("use another port in the ssh configuration");
    let remedy = ways
        .take(1)
        .fold(remedy, |remedy, way| tr!("{remedy}, or {way}", remedy, way));
    let finding = Finding::new(FindingId::ForwardPortTaken, host.title(), evidence, remedy);
    Some(finding.with_hosts([host.alias.clone()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host_settings::HostSettings;
    use crate::model::ids::{MasterPid, UserId};
    use crate::model::places::ControlMaster;
    use crate::model::samples::{in_state, path, places};
    use crate::model::state::State;

    #[test]
    fn holders_other_than_the_hosts_own_master_are_named() {
        let mut places = places();
        let settings = b"localforward [127.0.0.1]:5 [db]:80\ndynamicforward 6\n";
        places.hosts[0].settings = HostSettings::parse(settings);
        assert_eq!(ports(&places), [5, 6].into());
        let web = in_state(State::Running);
        let db = Socket {
            path: path("/s/db"),
            pid: Some(MasterPid(9)),
            ..web.clone()
        };
        for (address, pid, control_master, found) in [
            (
                "127.0.0.1:5",
                7,
                ControlMaster::Auto,
                Some(
                    "LocalForward 127.0.0.1:5 cannot listen: 127.0.0.1:5 is held by nginx (pid 7)",
                ),
            ),
            (
                "0.0.0.0:5",
                7,
                ControlMaster::Auto,
                Some("LocalForward 127.0.0.1:5 cannot listen: 0.0.0.0:5 is held by nginx (pid 7)"),
            ),
            (
                "[::1]:6",
                9,
                ControlMaster::Auto,
                Some(
                    "DynamicForward 6 cannot listen: [::1]:6 is held by the master of web (pid 9)",
                ),
            ),
            ("127.0.0.1:5", 4711, ControlMaster::Auto, None),
            ("127.0.0.2:5", 7, ControlMaster::Auto, None),
            ("127.0.0.1:5", 7, ControlMaster::No, None),
        ] {
            places.hosts[0].control_master = control_master;
            let holder = PortHolder {
                address: address.parse().unwrap(),
                uid: UserId(0),
                process: Some((MasterPid(pid), "nginx".to_owned())),
            };
            let holders = BTreeMap::from([(holder.address.port(), vec![holder])]);
            let findings = findings(&places, &[web.clone(), db.clone()], &holders);
            let evidence = findings.first().map(|it| it.evidence.as_str());
            assert_eq!(evidence, found, "{address} {pid}");
        }
    }
}
