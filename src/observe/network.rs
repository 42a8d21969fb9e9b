//! The network behind each master: its connection, the state of our address, the route. No packet is sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::Observer;
use super::lone::LoneFinder;
use super::rtnetlink::{self, Endpoints};
use super::transport::{Master, Transport, TransportFinder};
use crate::model::ids::{MasterPid, UserId};
use crate::model::network::{Address, Connection, LoneSsh, NetworkFacts, Route};
use crate::model::observation::Facts;

/// Reads the networks behind masters. Remembers which connection is whose, because finding that out is costly.
#[derive(Debug)]
pub struct NetworkObserver {
    transports: TransportFinder,
    lone: LoneFinder,
}

impl NetworkObserver {
    pub fn new(uid: UserId) -> Self {
        Self {
            transports: TransportFinder::new(uid),
            lone: LoneFinder::new(uid),
        }
    }

    /// Observes the networks of the masters that `observer` has found.
    #[must_use]
    pub fn observe(&mut self, facts: &Facts, observer: &Observer) -> NetworkFacts {
        let listeners = facts
            .observations
            .iter()
            .filter_map(|observation| observation.listener.as_ref());
        let masters: BTreeSet<Master> = listeners
            .filter_map(|listener| listener.holder.ssh())
            .map(|process| (process.pid, process.started))
            .collect();
        let orphans = facts.orphans.iter().map(|orphan| &orphan.listener);
        let orphans = orphans.filter_map(|listener| Some(listener.holder.ssh()?.pid));
        let pids = masters.iter().map(|(pid, _)| *pid).chain(orphans).collect();
        let (connections, alone) = self.connections(&masters, &pids, observer);
        NetworkFacts {
            asleep: time_asleep(),
            connections,
            proxy_commands: self.transports.proxy_commands(),
            alone,
        }
    }

    fn connections(
        &mut self,
        masters: &BTreeSet<Master>,
        pids: &BTreeSet<MasterPid>,
        observer: &Observer,
    ) -> (BTreeMap<MasterPid, Connection>, Vec<LoneSsh>) {
        let now = Instant::now();
        let known = || observer.processes.all_descriptors();
        let transports = self.transports.find(masters, known, now);
        let rows = self.transports.take_rows();
        let alone = self.lone.find(&transports, pids, rows, now);
        if transports.is_empty() {
            return (BTreeMap::new(), alone);
        }
        let mut addresses = Addresses::read();
        let all = transports.values().map(endpoints).collect();
        let routes = rtnetlink::routes(all).unwrap_or_else(|error| {
            tracing::debug!("cannot read routes: {error}");
            HashMap::new()
        });
        let connections = transports.into_iter().filter_map(|(pid, transport)| {
            let endpoints = endpoints(&transport);
            let Transport {
                row,
                proxy,
                through,
            } = transport;
            let connection = Connection {
                cookie: row.id.cookie(),
                local: row.local,
                remote: row.remote,
                proxy,
                through,
                numbers: row.numbers?,
                address: addresses.state_of(row.local.ip()),
                route: routes.get(&endpoints).copied().unwrap_or(Route::Unknown),
            };
            Some((pid, connection))
        });
        (connections.collect(), alone)
    }
}

/// Returns the routes of new connections to these addresses.
#[must_use]
pub fn routes(to: BTreeSet<IpAddr>) -> BTreeMap<IpAddr, Route> {
    if to.is_empty() {
        return BTreeMap::new();
    }
    let endpoints = to.into_iter().map(|to| Endpoints {
        from: None,
        to,
        interface: 0,
    });
    let routes = rtnetlink::routes(endpoints.collect()).unwrap_or_default();
    let routes = routes
        .into_iter()
        .map(|(endpoints, route)| (endpoints.to, route));
    routes.collect()
}

fn endpoints(transport: &Transport) -> Endpoints {
    Endpoints {
        from: Some(transport.row.local.ip()),
        to: transport.row.remote.ip(),
        interface: transport.row.id.interface(),
    }
}

/// The addresses of the interfaces; `None` if they cannot be read.
struct Addresses(Option<HashMap<IpAddr, Option<Duration>>>);

impl Addresses {
    fn read() -> Self {
        let addresses = rtnetlink::addresses();
        if let Err(error) = &addresses {
            tracing::debug!("cannot read addresses: {error}");
        }
        Self(addresses.ok())
    }

    /// `Gone` only if that is certain.
    fn state_of(&mut self, address: IpAddr) -> Address {
        let Some(known) = &mut self.0 else {
            return Address::Present(None);
        };
        if let Some(age) = known.get(&address) {
            return Address::Present(*age);
        }
        // 127.0.0.0/8 is local as a whole, and so is what a local route covers.
        if address.is_loopback() || rtnetlink::is_local(address).unwrap_or(true) {
            known.insert(address, None);
            return Address::Present(None);
        }
        Address::Gone
    }
}

/// How long the machine has slept since it started: CLOCK_BOOTTIME counts sleep, CLOCK_MONOTONIC does not.
pub fn time_asleep() -> Duration {
    let now = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    now(ClockId::CLOCK_BOOTTIME).saturating_sub(now(ClockId::CLOCK_MONOTONIC))
}
