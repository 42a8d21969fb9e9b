//! What the kernel knows of the networks behind masters: their connections, our addresses, the ways. Nothing is sent.
//!
//! It has no opinion on the numbers; `diagnose::network` has. Where the kernel does not answer there are none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::rtnetlink::{self, Way};
use super::time_asleep;
use super::transport::{Connected, Master, Transports};
use crate::model::network::{Address, Connection, Facts, Route};
use crate::model::socket::{Holder, Look, MasterPid, UserId};

/// Looks at the networks behind masters, and remembers which connections those are.
#[derive(Debug)]
pub struct Networks {
    transports: Transports,
}

impl Networks {
    /// For the processes of this user.
    #[must_use]
    pub fn new(uid: UserId) -> Self {
        Self {
            transports: Transports::new(uid),
        }
    }

    /// What can be told of the masters that a look saw.
    #[must_use]
    pub fn look(&mut self, look: &Look) -> Facts {
        let listeners = look
            .observations
            .iter()
            .filter_map(|seen| seen.listener.as_ref());
        let masters: BTreeSet<Master> = listeners
            .filter_map(|listener| match &listener.holder {
                Holder::Ssh(process) => Some((process.pid, process.started)),
                Holder::Other(_) | Holder::Unknown => None,
            })
            .collect();
        Facts {
            asleep: time_asleep(),
            connections: self.connections(&masters),
        }
    }

    fn connections(&mut self, masters: &BTreeSet<Master>) -> BTreeMap<MasterPid, Connection> {
        let connected = self.transports.of(masters, Instant::now());
        if connected.is_empty() {
            return BTreeMap::new();
        }
        let mut addresses = Addresses::read();
        let routes = routes(connected.values());
        let connections = connected.into_iter().filter_map(|(pid, connected)| {
            let way = way(&connected);
            let Connected { row, proxy } = connected;
            let connection = Connection {
                cookie: row.id.cookie(),
                local: row.local,
                remote: row.remote,
                proxy,
                numbers: row.numbers?,
                address: addresses.what_became_of(row.local.ip()),
                route: routes.get(&way).copied().unwrap_or(Route::Unknown),
            };
            Some((pid, connection))
        });
        connections.collect()
    }
}

fn way(connected: &Connected) -> Way {
    Way {
        from: connected.row.local.ip(),
        to: connected.row.remote.ip(),
        interface: connected.row.id.interface(),
    }
}

/// Where the way of each connection leads; each way is asked for once.
fn routes<'a>(connected: impl Iterator<Item = &'a Connected>) -> HashMap<Way, Route> {
    let ways: BTreeSet<Way> = connected.map(way).collect();
    let ways: Vec<Way> = ways.into_iter().collect();
    let routes = rtnetlink::routes(&ways).unwrap_or_else(|error| {
        tracing::debug!("the kernel does not tell of routes: {error}");
        Vec::new()
    });
    ways.into_iter().zip(routes).collect()
}

/// The addresses of the interfaces; `None` where the kernel does not tell.
struct Addresses(Option<HashMap<IpAddr, Option<Duration>>>);

impl Addresses {
    fn read() -> Self {
        let addresses = rtnetlink::addresses();
        if let Err(error) = &addresses {
            tracing::debug!("the kernel does not tell of addresses: {error}");
        }
        Self(addresses.ok())
    }

    fn what_became_of(&mut self, address: IpAddr) -> Address {
        let Some(known) = &mut self.0 else {
            return Address::Present(None);
        };
        if let Some(age) = known.get(&address) {
            return Address::Present(*age);
        }
        // All of 127.0.0.0/8 is ours, and whatever a local route covers. In doubt nothing is gone.
        if address.is_loopback() || rtnetlink::is_local(address).unwrap_or(true) {
            known.insert(address, None);
            return Address::Present(None);
        }
        Address::Gone
    }
}
