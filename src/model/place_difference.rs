//! Compares two hosts by the destination of their connections, the way to it, and the account and identity; and the
//! settings of one host at two times.

use std::path::Path;

use tr::tr;

use super::host_settings::{SETTINGS, Use};
use super::places::Host;
use super::text;

/// A setting with different values for two hosts, or at two times, each as a phrase such as `Port 22` or `no HostKeyAlias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub setting: &'static str,
    pub one: String,
    pub other: String,
}

impl Difference {
    fn of(setting: &'static str, one: &str, other: &str) -> Option<Self> {
        (one != other).then(|| Self {
            setting,
            one: phrase(setting, one),
            other: phrase(setting, other),
        })
    }
}

fn phrase(setting: &str, value: &str) -> String {
    if value.is_empty() {
        tr!("no {setting}", setting)
    } else {
        text::line(&format!("{setting} {value}"))
    }
}

/// Returns the first setting by which two hosts are different places: another machine or account, another way there, or
/// another identity. `home` is `~`.
pub fn place_difference(one: &Host, other: &Host, home: &Path) -> Option<Difference> {
    differences(one, other, home, |used| used != Use::Master).next()
}

/// Returns all settings that differ between two answers about a host, those of the place first.
pub fn master_differences(then: &Host, now: &Host, home: &Path) -> Vec<Difference> {
    // For a master only this matters: whether it asks before it accepts a session.
    let (before, after) = (then.control_master, now.control_master);
    let asking = (before.asks() != after.asks())
        .then(|| Difference::of("ControlMaster", before.as_str(), after.as_str()));
    let differences = differences(then, now, home, |_| true);
    differences.chain(asking.flatten()).collect()
}

fn differences<'a>(
    one: &'a Host,
    other: &'a Host,
    home: &'a Path,
    counts: impl Fn(Use) -> bool + 'a,
) -> impl Iterator<Item = Difference> + 'a {
    let (a, b) = (&one.destination, &other.destination);
    let of_host = |host: &Host| host.destination.host.to_ascii_lowercase();
    let port = |port: Option<u16>| port.map_or_else(String::new, |port| port.to_string());
    let user = |user: &Option<String>| user.clone().unwrap_or_default();
    let destination = [
        Difference::of("HostName", &of_host(one), &of_host(other)),
        Difference::of("User", &user(&a.user), &user(&b.user)),
        Difference::of("Port", &port(a.port), &port(b.port)),
        way_difference(one, other, home),
    ];
    let home = home.to_str().unwrap_or_default();
    let settings = SETTINGS.iter().filter(move |(_, used)| counts(*used));
    let settings = settings.filter_map(move |(setting, used)| {
        let value = |host| value(host, setting, *used, home);
        Difference::of(setting, &value(one), &value(other))
    });
    destination.into_iter().flatten().chain(settings)
}

fn value(host: &Host, setting: &str, used: Use, home: &str) -> String {
    // Its default is the agent of SSH_AUTH_SOCK, and `none` is no agent.
    let is_agent = setting == "IdentityAgent";
    let values = host.settings.values(setting);
    let values = values.filter(|value| is_agent || *value != "none");
    let values = values.map(|value| match used {
        Use::PlaceFile => {
            let value = expand(value, host, home).replace("${HOME}", home);
            let below = value
                .strip_prefix(home)
                .filter(|below| below.starts_with('/'));
            below.map_or_else(|| value.clone(), |below| format!("~{below}"))
        }
        Use::Place | Use::Master => value.to_owned(),
    });
    let mut values: Vec<String> = values.collect();
    match setting {
        // ssh adds the patterns once more if it reads the configuration twice (CanonicalizeHostname, Match final).
        "SendEnv" | "SetEnv" => {
            values.sort_unstable();
            values.dedup();
        }
        // `unbound` and `host-bound` are about the protocol: the keys are those of `yes`.
        "PubkeyAuthentication" if values != ["false"] => values = vec!["true".to_owned()],
        _ => {}
    }
    let value = values.join(", ");
    if is_agent && matches!(&*value, "" | "$SSH_AUTH_SOCK") {
        return "SSH_AUTH_SOCK".to_owned();
    }
    value
}

/// ssh ignores a ProxyCommand beside a ProxyJump.
fn way_difference(one: &Host, other: &Host, home: &Path) -> Option<Difference> {
    let way = |host: &Host| match (jump(host), proxy_command(host, home)) {
        (Some(jump), _) => ("ProxyJump", jump),
        (None, Some(command)) => ("ProxyCommand", command),
        (None, None) => ("", String::new()),
    };
    let ((a, one), (b, other)) = (way(one), way(other));
    let setting = if a.is_empty() { b } else { a };
    let name = |it: &'static str| if it.is_empty() { setting } else { it };
    ((a, &one) != (b, &other)).then(|| Difference {
        setting,
        one: phrase(name(a), &one),
        other: phrase(name(b), &other),
    })
}

/// Returns the ProxyCommand as the shell gets it, without `exec`.
pub fn proxy_command(host: &Host, home: &Path) -> Option<String> {
    let mut commands = host.settings.values("proxycommand");
    let command = commands.find(|command| *command != "none")?;
    let command = expand(command, host, home.to_str().unwrap_or_default());
    let command = command.trim();
    Some(command.strip_prefix("exec ").unwrap_or(command).to_owned())
}

pub fn has_proxy(host: &Host) -> bool {
    jump(host).is_some() || proxy_command(host, Path::new("")).is_some()
}

/// Returns the jump hosts in one spelling; a ProxyCommand that is only `ssh -W %h:%p JUMP` is one.
pub fn jump(host: &Host) -> Option<String> {
    let written = host
        .settings
        .values("proxyjump")
        .find(|value| *value != "none");
    let by_command = || {
        let command = host.settings.values("proxycommand").next()?;
        let words: Vec<&str> = command.split_ascii_whitespace().collect();
        match words[..] {
            ["ssh", "-W", "%h:%p" | "[%h]:%p", jump] | ["ssh", jump, "-W", "%h:%p" | "[%h]:%p"] => {
                (!jump.starts_with('-')).then_some(jump)
            }
            _ => None,
        }
    };
    let jumps = expand(written.or_else(by_command)?, host, "~");
    let jumps = jumps.split(',').map(|jump| {
        let jump = jump
            .strip_prefix("ssh://")
            .unwrap_or(jump)
            .trim_end_matches('/');
        let default = jump.strip_suffix(":22");
        // Without brackets the colon is one of an IPv6 address.
        let default = default.filter(|left| !left.contains(':') || left.ends_with(']'));
        let jump = default.unwrap_or(jump);
        match jump.rsplit_once('@') {
            Some((user, machine)) => format!("{user}@{}", machine.to_ascii_lowercase()),
            None => jump.to_ascii_lowercase(),
        }
    });
    Some(jumps.collect::<Vec<String>>().join(","))
}

/// Replaces the tokens that depend on the host, except `%C`, and `%d`. The others are the same for all hosts of a machine.
pub fn expand(text: &str, host: &Host, home: &str) -> String {
    let to = &host.destination;
    let port = to.port.map_or_else(String::new, |port| port.to_string());
    let user = to.user.clone().unwrap_or_default();
    let alias = host.alias.0.as_str();
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        expanded += before;
        let token = after.chars().next();
        match token {
            Some('h') => expanded += &to.host,
            Some('n') => expanded += alias,
            Some('p') => expanded += &port,
            Some('r') => expanded += &user,
            Some('k') => expanded += host.settings.values("hostkeyalias").next().unwrap_or(alias),
            Some('j') => expanded += host.settings.values("proxyjump").next().unwrap_or_default(),
            Some('d') => expanded += home,
            Some(other) => expanded.extend(['%', other]),
            None => expanded.push('%'),
        }
        rest = token.map_or(after, |token| &after[token.len_utf8()..]);
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::HostAlias;
    use crate::model::host_settings::HostSettings;
    use crate::model::places::ControlMaster;
    use crate::model::samples::places;

    fn host(alias: &str, answer: &str) -> Host {
        let mut host = places().hosts.remove(0);
        host.alias = HostAlias(alias.to_owned());
        host.settings = HostSettings::parse(answer.as_bytes());
        host
    }

    #[test]
    fn two_names_of_one_place_and_of_two() {
        let long = |end| format!("proxycommand {}{end}\n", "x".repeat(200));
        // The lines of one name and of the other, and the difference.
        for row in [
            " |  | ",
            "identityfile ~/.ssh/k | identityfile /home/u/.ssh/k | ",
            "identityfile ~/.ssh/k | identityfile %d/.ssh/k | ",
            "identityfile ~/%h | identityfile ~/h | ",
            "identityfile ~/.ssh/k | identityfile ${HOME}/.ssh/k | ",
            "proxyjump gw | proxyjump GW:22 | ",
            "proxyjump u@[::1]:22 | proxyjump ssh://u@[::1]/ | ",
            "proxyjump gw | proxycommand ssh -W [%h]:%p gw | ",
            "proxycommand nc %h 22 | proxycommand exec nc h %p | ",
            "proxycommand none |  | ",
            "forwardagent yes | localforward 1 [h]:2 | ",
            "identityagent SSH_AUTH_SOCK |  | ",
            "identityagent $SSH_AUTH_SOCK |  | ",
            "proxycommand nc 1 %p | proxycommand nc 2 %p | ProxyCommand nc 1 22 / ProxyCommand nc 2 22",
            "proxycommand nc %n | proxycommand nc %n | ProxyCommand nc a / ProxyCommand nc b",
            "proxyjump gw |  | ProxyJump gw / no ProxyJump",
            "proxyjump a,b | proxyjump b,a | ProxyJump a,b / ProxyJump b,a",
            "proxyjump gw:2 | proxyjump gw | ProxyJump gw:2 / ProxyJump gw",
            "proxyjump gw | proxycommand nc gw | ProxyJump gw / ProxyCommand nc gw",
            "identityfile ~/%n | identityfile ~/%n | IdentityFile ~/a / IdentityFile ~/b",
            "identityfile a;identityfile b | identityfile b;identityfile a | IdentityFile a, b / IdentityFile b, a",
            "certificatefile ~/c |  | CertificateFile ~/c / no CertificateFile",
            "identityagent none |  | IdentityAgent none / IdentityAgent SSH_AUTH_SOCK",
            "identityagent ~/a | identityagent ~/b | IdentityAgent ~/a / IdentityAgent ~/b",
            "securitykeyprovider ~/p.so | securitykeyprovider internal | SecurityKeyProvider ~/p.so / SecurityKeyProvider internal",
            "pubkeyauthentication false | pubkeyauthentication true | PubkeyAuthentication false / PubkeyAuthentication true",
            "pubkeyauthentication unbound | pubkeyauthentication host-bound | ",
            "pubkeyauthentication true | pubkeyauthentication host-bound | ",
            "hostkeyalias x |  | HostKeyAlias x / no HostKeyAlias",
            "identitiesonly yes | identitiesonly no | IdentitiesOnly yes / IdentitiesOnly no",
            "bindinterface tun0 |  | BindInterface tun0 / no BindInterface",
        ] {
            let fields: Vec<String> = row.split(" | ").map(|it| it.replace(';', "\n")).collect();
            let [one, other, expected] = &fields[..] else {
                panic!("{row}");
            };
            let (one, other) = (host("a", one), host("b", other));
            let difference = place_difference(&one, &other, Path::new("/home/u"));
            let found = difference.map(|it| format!("{} / {}", it.one, it.other));
            assert_eq!(found.unwrap_or_default(), *expected, "{row}");
        }
        let of = |one, other| {
            let [one, other] = [one, other].map(|end| host("a", &long(end)));
            place_difference(&one, &other, Path::new("/"))
        };
        assert!(of("1", "2").is_some_and(|it| it.one.len() < 250));
        assert_eq!(of("", ""), None);
    }

    #[test]
    fn settings_of_each_session_are_not_the_masters() {
        let then = host(
            "a",
            "forwardagent no\nsetenv A=b\nlocalforward 1 [h]:2\nescapechar ~\n",
        );
        let now = host("a", "forwardagent yes\nsendenv X\nrequesttty yes\n");
        let found = master_differences(&then, &now, Path::new("/home/u"));
        let shown = |it: &Difference| format!("{} / {}", it.one, it.other);
        let found: Vec<String> = found.iter().map(shown).collect();
        let expected =
            "ForwardAgent no / ForwardAgent yes, no SendEnv / SendEnv X, SetEnv A=b / no SetEnv";
        assert_eq!(found.join(", "), expected);

        // As CanonicalizeHostname makes ssh print it, and in another order.
        let one = host("a", "sendenv LANG\nsendenv LC_*\nsetenv A=1\nsetenv B=2\n");
        let twice = "sendenv LC_*\nsendenv LANG\nsendenv LC_*\nsetenv B=2\nsetenv A=1\n";
        let found = master_differences(&one, &host("a", twice), Path::new("/"));
        assert_eq!(found, []);

        let with = |control_master| Host {
            control_master,
            ..host("a", "")
        };
        for (then, now, count) in [
            (ControlMaster::Ask, ControlMaster::Auto, 1),
            (ControlMaster::Auto, ControlMaster::AutoAsk, 1),
            (ControlMaster::Ask, ControlMaster::AutoAsk, 0),
            (ControlMaster::Yes, ControlMaster::Auto, 0),
        ] {
            let found = master_differences(&with(then), &with(now), Path::new("/"));
            assert_eq!(found.len(), count, "{then:?} {now:?}");
        }
    }
}
