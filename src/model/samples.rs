//! Facts and sockets for the tests of the pure modules. A test changes the fields that it is about.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::control_path::{ControlPath, Destination, HostAlias};
use super::directory::Directory;
use super::forward::{Listening, ListensAt};
use super::forwarding::Forwarding;
use super::group::{Group, GroupId, Groups, Members, Permissions};
use super::host_settings::HostSettings;
use super::socket::{
    Cookie, Denied, Facts, File, FileKind, Filesystem, ForeignHolder, Holder, Listener, MasterPid,
    Observation, Owner, Process, Snapshot, Socket, SocketId, Stat, State, Table, Unresponsive,
    Unverifiable, UserId,
};
use super::zone::{Clock, Zone};
use crate::diagnose::{Context, History, snapshot};
use crate::model::network::{
    Address, Cause, Connection, Doubt, Judgement, NetworkFacts, Numbers, Route,
};
use crate::model::places::{ControlMaster, Host, Origin, Persist, Places, WrittenBy};

pub(crate) const ME: UserId = UserId(1000);

pub(crate) fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) fn path(path: &str) -> ControlPath {
    ControlPath::new(path).unwrap()
}

pub(crate) fn users() -> BTreeMap<UserId, String> {
    BTreeMap::from([(UserId(0), "root".to_owned()), (ME, "u".to_owned())])
}

/// Permissions with the user's own group.
pub(crate) fn permissions(mode: u32) -> Permissions {
    Permissions {
        mode,
        group: OWN_GROUP,
        acl: None,
    }
}

pub(crate) const OWN_GROUP: GroupId = GroupId(1000);

/// A group with other members, and some of which nothing is known.
pub(crate) const STAFF: GroupId = GroupId(50);
pub(crate) const UNKNOWN_GROUP: GroupId = GroupId(51);

pub(crate) fn groups() -> Groups {
    let named = |name: &str, members| Group {
        name: Some(name.to_owned()),
        members,
    };
    let others = Members::Others(vec!["ada".to_owned(), "bob".to_owned()]);
    Groups {
        by_id: BTreeMap::from([
            (OWN_GROUP, named("u", Members::OnlyYou)),
            (STAFF, named("staff", others)),
        ]),
        ..Groups::of(ME)
    }
}

pub(crate) fn stat() -> Stat {
    Stat {
        id: SocketId {
            device: 1,
            inode: 7,
            changed: (1_799_999_000, 0),
        },
        uid: ME,
        permissions: permissions(0o600),
        modified: at() - Duration::from_secs(1000),
        accessed: at() - Duration::from_secs(1000),
    }
}

/// At [`at`], in UTC.
pub(crate) fn clock() -> Clock<'static> {
    const UTC: &Zone = &Zone(None);
    Clock {
        at: at(),
        zone: UTC,
    }
}

pub(crate) fn process(name: &str) -> Process {
    Process {
        pid: MasterPid(4711),
        name: name.to_owned(),
        started: None,
        stopped: false,
        own_session: false,
        arguments: None,
        starter: None,
    }
}

pub(crate) fn listener(holder: Holder) -> Listener {
    Listener {
        clients: None,
        is_kept: false,
        cookie: Some(Cookie(99)),
        bound_name: PathBuf::from("/s/u@h-22.yDXYs2d7ScOlhAEI"),
        backlog: 0,
        sessions: 2,
        forwarded: Some(0),
        listening: Vec::new(),
        uid: Some(ME),
        holder,
    }
}

/// A socket file of the user at the ControlPath of host `web`, without a listener or a connect.
pub(crate) fn observation() -> Observation {
    Observation {
        path: path("/s/u@h-22"),
        origin: Origin::Exact,
        file: File::Socket(stat()),
        filesystem: Filesystem::Local,
        shared_directory: false,
        listener: None,
        connect: None,
    }
}

/// As [`observation`], with a running master.
pub(crate) fn running() -> Observation {
    Observation {
        listener: Some(listener(Holder::Ssh(process("ssh")))),
        ..observation()
    }
}

pub(crate) fn facts(observations: Vec<Observation>) -> Facts {
    Facts {
        at: at(),
        observations,
        orphans: Vec::new(),
        table: Table::SockDiag,
    }
}

pub(crate) fn places() -> Places {
    let web = Host {
        alias: HostAlias("web".to_owned()),
        source: None,
        written_by: WrittenBy::Person,
        control_path: Some(path("/s/u@h-22")),
        destination: Destination {
            user: Some("u".to_owned()),
            host: "h".to_owned(),
            port: Some(22),
        },
        control_master: ControlMaster::Auto,
        has_connect_timeout: false,
        command_options: Vec::new(),
        persist: Persist::Seconds(600),
        server_alive_interval: 15,
        server_alive_count_max: 3,
        settings: HostSettings::default(),
    };
    Places {
        hosts: vec![web],
        ..Places::default()
    }
}

/// Calls `work` with the context of a first scan.
pub(crate) fn context_with<R>(
    places: &Places,
    directories: &[Directory],
    work: impl FnOnce(Context<'_>) -> R,
) -> R {
    context_after(&History::default(), places, directories, work)
}

/// The same with the facts of earlier scans.
pub(crate) fn context_after<R>(
    history: &History,
    places: &Places,
    directories: &[Directory],
    work: impl FnOnce(Context<'_>) -> R,
) -> R {
    work(Context {
        uid: ME,
        users: &users(),
        groups: &groups(),
        home: Path::new("/home/u"),
        tilde: Default::default(),
        places,
        directories,
        history,
    })
}

/// A connection without data for a minute.
pub(crate) fn connection() -> Connection {
    let minute = Duration::from_secs(60);
    Connection {
        cookie: 5,
        local: SocketAddr::from(([10, 8, 0, 6], 40_000)),
        remote: SocketAddr::from(([10, 99, 0, 9], 22)),
        proxy: None,
        through: Vec::new(),
        numbers: Numbers {
            rto: Duration::from_millis(208),
            round_trip: Duration::from_millis(6),
            last_data_sent: minute,
            last_data_received: minute,
            last_ack_received: minute,
            ..Numbers::default()
        },
        address: Address::Present(None),
        route: Route::Unknown,
    }
}

/// The snapshot of a first scan.
pub(crate) fn seen(observations: Vec<Observation>) -> Snapshot {
    seen_over(observations, BTreeMap::new())
}

/// The same with the connections of the masters.
pub(crate) fn seen_over(
    observations: Vec<Observation>,
    connections: BTreeMap<MasterPid, Connection>,
) -> Snapshot {
    let network = NetworkFacts {
        proxy_commands: BTreeMap::new(),
        alone: Vec::new(),
        asleep: Duration::ZERO,
        connections,
    };
    let history = History::default().after_network(network, Instant::now());
    context_after(&history, &places(), &[], |context| {
        snapshot(&facts(observations), context)
    })
}

/// The socket of host `web` with a healthy master, but in this state.
pub(crate) fn in_state(state: State) -> Socket {
    let mut socket = seen(vec![running()]).sockets.remove(0);
    socket.state = state;
    socket
}

/// The master of host `web`, whose local address is gone.
pub(crate) fn stranded_master() -> Socket {
    let gone = Connection {
        address: Address::Gone,
        ..connection()
    };
    let connections = BTreeMap::from([(MasterPid(4711), gone)]);
    seen_over(vec![running()], connections).sockets.remove(0)
}

pub(crate) fn root() -> Owner {
    Owner {
        uid: UserId(0),
        name: Some("root".to_owned()),
    }
}

const DOUBTS: [Doubt; 5] = [
    Doubt::Unanswered,
    Doubt::NoRoute,
    Doubt::Resumed,
    Doubt::Rerouted,
    Doubt::Readdressed,
];
const CAUSES: [Cause; 2] = [Cause::AddressGone, Cause::Unanswered];

/// Every state with every cause.
pub(crate) fn states() -> Vec<State> {
    let program = ForeignHolder::Program {
        name: "nc".to_owned(),
        pid: MasterPid(17),
    };
    let mut states = vec![
        State::Running,
        State::Unresponsive(Unresponsive::Stopped),
        State::Unresponsive(Unresponsive::Backlog(3)),
        State::Unresponsive(Unresponsive::BacklogFull),
        State::Unresponsive(Unresponsive::CheckTimedOut),
        State::Stale,
        State::Misowned(root()),
        State::Foreign(program),
        State::Foreign(ForeignHolder::User(root())),
        State::Foreign(ForeignHolder::Hidden),
        State::NotASocket(FileKind::Regular),
        State::NotASocket(FileKind::Directory),
        State::NotASocket(FileKind::Symlink),
        State::NotASocket(FileKind::Fifo),
        State::NotASocket(FileKind::Device),
        State::Denied(Denied::Look),
        State::Denied(Denied::Connect),
        State::Leftover,
        State::Orphaned { successor: true },
        State::Orphaned { successor: false },
        State::Unverifiable(Unverifiable::Network("nfs")),
        State::Unverifiable(Unverifiable::Failed("EIO".to_owned())),
    ];
    states.splice(1..1, DOUBTS.map(State::Suspect));
    states.splice(6..6, CAUSES.map(State::Stranded));
    states
}

/// Every judgement on a network with every cause.
pub(crate) fn judgements() -> Vec<Judgement> {
    let mut judgements = vec![Judgement::Well];
    judgements.extend(DOUBTS.map(Judgement::Suspect));
    judgements.extend(CAUSES.map(Judgement::Stranded));
    judgements
}

/// A forwarding as `Forwarding::shell_words` prints it.
pub(crate) fn forwarding(text: &str) -> Forwarding {
    Forwarding::try_from(text.to_owned()).unwrap()
}

/// Listeners at these addresses or paths, each with so many connections.
pub(crate) fn listening(all: &[&str], connections: u32) -> Vec<Listening> {
    let listening = |text: &&str| Listening {
        at: match text.parse() {
            Ok(address) => ListensAt::Tcp(address),
            Err(_) => ListensAt::Unix(text.into()),
        },
        connections,
    };
    all.iter().map(listening).collect()
}
