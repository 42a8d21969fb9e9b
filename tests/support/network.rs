//! Network namespaces joined by virtual cables that a test can cut.

use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::lab::{Lab, PATH};
use super::muxtray::{Report, SocketReport};
use super::process::{Finished, PATIENCE, Process, wait_for, wait_until};
use super::truth;
use super::user::User;

/// The port of every server.
const PORT: u16 = 2222;

/// A network namespace, removed on drop.
struct Namespace(Process);

/// A client with two cables: `web` is the server at the end of the first, behind a route, `db` at the end of the
/// second. `build` is a machine behind `web`, reached by a ProxyJump over `hop`, another name of `web`.
///
/// muxtray considers data lost that is unacknowledged for 4 seconds; the masters themselves have no such limit.
pub(crate) struct Network {
    pub(crate) lab: Lab,
    /// That of `web` is the first.
    servers: Vec<Process>,
    client: Namespace,
    web: Namespace,
    _db: Namespace,
}

/// The client's address on the first cable.
pub(crate) const CLIENT: &str = "10.77.1.1";
/// The address of `web`.
pub(crate) const WEB: &str = "10.99.0.9";
/// The hosts at the ends of the cables.
pub(crate) const SERVERS: [&str; 2] = ["web", "db"];

impl Network {
    /// Builds the network. Returns the reason if that is not permitted.
    pub(crate) fn new() -> Result<Self, String> {
        let network = Self::of(Lab::new()).map_err(|refused| refused.1)?;
        network.lab.configure(&format!(
            "Host web build\n    ServerAliveInterval 2\n    ServerAliveCountMax 2\n{}\
             Host hop\n    HostName {WEB}\n\
             Host build\n    ProxyJump hop\n\
             Host *\n    Port {PORT}\n",
            Self::addresses()
        ));
        Ok(network)
    }

    /// Builds the network of a laboratory, without its configuration. Returns the laboratory and the reason if that is not
    /// permitted.
    pub(crate) fn of(lab: Lab) -> Result<Self, Box<(Lab, String)>> {
        let [client, web, db] = match Namespace::joined() {
            Ok(namespaces) => namespaces,
            Err(why) => return Err(Box::new((lab, why))),
        };
        let servers = [&web, &db].map(|namespace| lab.server_in(namespace));
        Ok(Self {
            lab,
            servers: servers.into(),
            client,
            web,
            _db: db,
        })
    }

    /// The configuration of [`SERVERS`] that leads to their servers.
    pub(crate) fn addresses() -> String {
        format!(
            "Host web\n    HostName {WEB}\nHost db\n    HostName 10.77.2.2\nHost web db\n    Port {PORT}\n"
        )
    }

    /// Gives the client other addresses, or its first ones again, without a moment without a route.
    #[track_caller]
    pub(crate) fn move_client(&self, to_others: bool) {
        for (number, device) in [(1, "a0"), (2, "b0")] {
            // With the same length, the second address would go with the first.
            let [first, other] = ["1/24", "7/25"].map(|end| format!("10.77.{number}.{end}"));
            let (old, new) = if to_others {
                (first, other)
            } else {
                (other, first)
            };
            self.ip(&format!("address add {new} dev {device}"));
            self.ip(&format!("address del {old} dev {device}"));
        }
    }

    /// Starts a master on the client.
    #[track_caller]
    pub(crate) fn master(&self, alias: &str) -> Process {
        self.master_with(alias, &[])
    }

    #[track_caller]
    pub(crate) fn master_with(&self, alias: &str, options: &[&str]) -> Process {
        let mut command = self.lab.ssh();
        command.args(options);
        command.args(["-N", "-M", "-o", "ControlPersist=no"]);
        command.args(["-o", "ServerAliveInterval=0", alias]);
        let mut master = Process::start(self.client.enter(&command));
        wait_until("the master has its socket", PATIENCE, || {
            assert!(master.is_running(), "it ended: {}", master.stderr());
            truth::is_socket(&self.lab.control_path_on(alias, PORT))
        });
        master
    }

    /// Starts a master on the client that ControlPersist sends to the background.
    #[track_caller]
    pub(crate) fn persisted_master(&self, alias: &str) {
        let mut command = self.lab.ssh();
        command.args(["-M", "-o", "ControlPersist=yes"]);
        command.args(["-o", "ServerAliveInterval=0", alias, "true"]);
        Process::run(self.client.enter(&command), PATIENCE).expect(0);
        let path = self.lab.control_path_on(alias, PORT);
        let pid = wait_for("the persisted master is there", PATIENCE, || {
            truth::pid_of_persisted(&path)
        });
        self.lab.end_with_lab(pid);
    }

    /// Starts a session through a master, with the output of `input` as its standard input.
    pub(crate) fn session(&self, alias: &str, input: &str) -> Process {
        let mut ssh = self.lab.ssh();
        let path = self.lab.control_path_on(alias, PORT);
        ssh.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=/bin/false"]);
        ssh.arg("-S").arg(path).args([alias, "cat >/dev/null"]);
        let mut command = self.lab.command("sh");
        command
            .arg("-c")
            .arg(format!("{input} | exec \"$0\" \"$@\""));
        command.arg("ssh").args(ssh.get_args());
        Process::start(self.client.enter(&command))
    }

    /// Returns the same command on the client, as the user.
    pub(crate) fn enter(&self, command: &Command) -> Command {
        self.client.enter(command)
    }

    /// Runs a shell command on the client.
    pub(crate) fn shell(&self, command: &str) -> Process {
        let mut bash = self.lab.command("bash");
        bash.args(["-c", command]);
        Process::start(self.client.enter(&bash))
    }

    /// The bytes queued in the connections to `web`, according to ss(8).
    #[track_caller]
    pub(crate) fn queued_bytes(&self) -> u32 {
        let listed = self.shell(&format!("ss -Htn dst {WEB}"));
        let listed = listed.finish(PATIENCE).expect(0).stdout;
        let queued = listed
            .lines()
            .filter_map(|line| line.split_whitespace().nth(2));
        queued.map(|bytes| bytes.parse::<u32>().unwrap()).sum()
    }

    /// Requests a forwarding of a client's port to another port of the server.
    #[track_caller]
    pub(crate) fn forward(&self, alias: &str, forwarding: &str) {
        let mut command = self.lab.ssh();
        let path = self.lab.control_path_on(alias, PORT);
        command.arg("-S").arg(path).args(["-O", "forward"]);
        command.args([forwarding, alias]);
        Process::run(self.client.enter(&command), PATIENCE).expect(0);
    }

    /// `list --json` on the client.
    #[track_caller]
    pub(crate) fn list(&self) -> Report {
        let finished = self.muxtray(&["list", "--json"]);
        assert!(finished.stderr.is_empty(), "{finished:#?}");
        Report {
            status: finished.code(),
            ..Report::parse(&finished.stdout)
        }
    }

    /// Runs muxtray on the client.
    #[track_caller]
    pub(crate) fn muxtray(&self, arguments: &[&str]) -> Finished {
        let command = self.lab.muxtray_command(arguments);
        Process::run(self.client.enter(&command), PATIENCE)
    }

    /// Starts the watcher without an icon on the client, and waits until it logs this number of masters. Its timer is
    /// disabled in effect.
    #[track_caller]
    pub(crate) fn watcher(&self, masters: &str, configuration: &str) -> Process {
        let configuration = format!("interval_secs = 3600\n{configuration}");
        self.lab.write_muxtray_config(&configuration);
        let command = self.lab.muxtray_command(["run", "--no-tray", "-v"]);
        let mut run = Process::start(self.client.enter(&command));
        wait_until("it has looked", PATIENCE, || {
            assert!(run.is_running(), "{}", run.stderr());
            run.stderr().contains(masters)
        });
        run
    }

    /// The report on the socket of a master.
    #[track_caller]
    pub(crate) fn report(&self, alias: &str) -> SocketReport {
        self.list().at(&self.lab.control_path_on(alias, PORT))
    }

    /// The reports on the socket of a master; none if there is no socket.
    #[track_caller]
    pub(crate) fn reports(&self, alias: &str) -> Vec<SocketReport> {
        self.list().all_at(&self.lab.control_path_on(alias, PORT))
    }

    /// Waits until a master has this state. Demands one of the states in `between` until then, and that `db` keeps
    /// running.
    #[track_caller]
    pub(crate) fn wait_for_state(
        &self,
        alias: &str,
        state: &str,
        between: &[&str],
    ) -> SocketReport {
        let what = format!("{alias} is {state}");
        wait_for(&what, PATIENCE, || {
            let list = self.list();
            let at = |alias| list.at(&self.lab.control_path_on(alias, PORT));
            assert_eq!(at("db").state(), "running", "the neighbour is well");
            let report = at(alias);
            let is_there = report.state() == state;
            assert!(
                is_there || between.contains(&report.state()),
                "{alias} is {} on its way to {state}: {:#}",
                report.state(),
                report.0
            );
            is_there.then_some(report)
        })
    }

    /// `ip …` on the client.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &str) {
        self.client.ip(arguments).unwrap();
    }

    /// Cuts the first cable in its middle, or repairs it: both ends keep their addresses.
    #[track_caller]
    pub(crate) fn cut(&self, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        self.web.ip(&format!("link set a1 {state}")).unwrap();
    }

    /// Ends the server of `web`: connections to it are refused.
    pub(crate) fn stop_server(&mut self) {
        self.servers[0].end();
    }

    /// Starts the server of `web` again. If it has `no_keys`, it would ask for a password.
    #[track_caller]
    pub(crate) fn start_server(&mut self, no_keys: bool) {
        self.stop_server();
        let own = std::fs::read_to_string(self.lab.path("sshd_config")).unwrap();
        let keys = format!(
            "AuthorizedKeysFile {}",
            self.lab.path("user_key.pub").display()
        );
        let other = "AuthorizedKeysFile none";
        let new = match no_keys {
            true => own.replacen(&keys, other, 1),
            false => own.replacen(other, &keys, 1),
        };
        self.lab.write("sshd_config", new);
        self.servers[0] = self.lab.server_in(&self.web);
    }

    /// Makes the first cable slow, with a queue so short that packets are lost. Returns the reason if that is not
    /// possible.
    pub(crate) fn slow_down(&self) -> Result<(), String> {
        let shaped = "tc qdisc add dev a0 root tbf rate 400kbit burst 4kb latency 40ms";
        self.client.run(shaped)
    }
}

impl Lab {
    /// The ControlPath of a host with another port.
    fn control_path_on(&self, alias: &str, port: u16) -> std::path::PathBuf {
        self.path(format!("s/{alias}-{port}"))
    }

    /// Starts an sshd in another namespace, with the laboratory's keys.
    #[track_caller]
    fn server_in(&self, namespace: &Namespace) -> Process {
        let own = std::fs::read_to_string(self.path("sshd_config")).unwrap();
        let everywhere = own.replacen(
            &format!("ListenAddress 127.0.0.1:{}", self.port),
            &format!("ListenAddress 0.0.0.0:{PORT}"),
            1,
        );
        assert_ne!(own, everywhere);
        let configuration = self.write("sshd_config_everywhere", everywhere);
        let mut command = self.command("/usr/sbin/sshd");
        command.args(["-D", "-e", "-f"]).arg(configuration);
        let mut sshd = Process::start(namespace.enter(&command));
        wait_until("sshd listens", PATIENCE, || {
            assert!(sshd.is_running(), "{}", sshd.stderr());
            sshd.stderr().contains("Server listening on")
        });
        sshd
    }
}

impl Drop for Namespace {
    /// Kills every process in the namespace: a server process of a cut connection would wait for hours.
    fn drop(&mut self) {
        let own = truth::network_of(self.0.pid());
        let inside = |pid: &i32| own.is_some() && truth::network_of(*pid) == own;
        for pid in truth::processes().into_iter().filter(inside) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Namespace {
    /// Those of the client, of `web` and of `db`.
    fn joined() -> Result<[Self; 3], String> {
        if !User::tests_are_root() {
            return Err("only root can make network namespaces and join them".to_owned());
        }
        let [client, web, db] = [Self::new()?, Self::new()?, Self::new()?];
        client.join(&web, "a", 1)?;
        client.join(&db, "b", 2)?;
        web.ip(&format!("address add {WEB}/32 dev lo"))?;
        client.ip(&format!("route add {WEB}/32 via 10.77.1.2"))?;
        Ok([client, web, db])
    }

    fn new() -> Result<Self, String> {
        let mut command = Command::new("unshare");
        // It ends with the test, however long that takes.
        command.args(["--net", "setpriv", "--pdeathsig", "KILL"]);
        command.args(["sh", "-c", "echo there; exec sleep infinity"]);
        command.env("PATH", PATH);
        let mut holder = Process::start(command);
        let there = wait_for("the namespace is there, or not", PATIENCE, || {
            let is_there = !holder.stdout().is_empty();
            (is_there || !holder.is_running()).then_some(is_there)
        });
        if !there {
            return Err(format!(
                "a network namespace cannot be made: {}",
                holder.stderr().trim()
            ));
        }
        let namespace = Self(holder);
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Adds a cable to another namespace: `NAME0` here, `NAME1` there, 10.77.`number`.1 and .2.
    fn join(&self, other: &Self, name: &str, number: u8) -> Result<(), String> {
        let theirs = other.0.pid();
        self.ip(&format!(
            "link add {name}0 type veth peer name {name}1 netns {theirs}"
        ))?;
        for (namespace, end) in [(self, 0), (other, 1)] {
            namespace.ip(&format!(
                "address add 10.77.{number}.{}/24 dev {name}{end}",
                end + 1
            ))?;
            namespace.ip(&format!("link set {name}{end} up"))?;
        }
        Ok(())
    }

    fn ip(&self, arguments: &str) -> Result<(), String> {
        self.run(&format!("ip {arguments}"))
    }

    /// Runs a command without quoting, as root.
    fn run(&self, words: &str) -> Result<(), String> {
        let mut command = Command::new("nsenter");
        command
            .env("PATH", PATH)
            .arg(self.option())
            .args(words.split(' '));
        let finished = Process::run(command, PATIENCE);
        if finished.status.success() {
            Ok(())
        } else {
            Err(format!("{words}: {}", finished.stderr.trim()))
        }
    }

    /// Returns the same command in this namespace, as the user.
    fn enter(&self, command: &Command) -> Command {
        let user = User::get();
        let mut entered = Command::new("nsenter");
        entered
            .arg(self.option())
            .args(["setpriv", "--clear-groups"])
            .args(["--reuid", &user.uid.to_string()])
            .args(["--regid", &user.gid.to_string()])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                entered.env(name, value);
            }
        }
        if let Some(directory) = command.get_current_dir() {
            entered.current_dir(directory);
        }
        entered
    }

    fn option(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.0.pid())
    }
}
