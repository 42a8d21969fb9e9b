//! The notification before ControlPersist ends a master: its forwardings end with it.

use std::time::{Duration, Instant, SystemTime};

use tr::tr;

use super::announced::{self, Announced};
use super::intent::Intent;
use super::notice::{Button, Notice, NoticeKey, first_lines};
use super::policy::Policy;
use crate::model::keep::KeepTime;
use crate::model::socket::{Snapshot, Socket, Target};
use crate::model::text;

/// How long before the end the notification is shown.
const ANNOUNCED_BEFORE: Duration = Duration::from_secs(5 * 60);

/// The ends that were announced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ends {
    announced: Announced<Target, SystemTime>,
    /// When the next one is to be announced.
    pub(super) due: Option<Instant>,
}

impl Ends {
    /// Returns the notice of ends that are near, each once, and the notices to close: those of masters that are used or
    /// kept again, or have ended.
    pub(super) fn update(
        &mut self,
        snapshot: &Snapshot,
        policy: &Policy,
        is_quiet: bool,
        now: Instant,
    ) -> (Vec<NoticeKey>, Option<Notice>) {
        let ends = snapshot.sockets.iter().filter_map(|socket| {
            let end = socket.ends_at.filter(|_| is_announced(socket, policy))?;
            Some((socket, end, end.duration_since(snapshot.at).ok()?))
        });
        let (near, later): (Vec<_>, Vec<_>) =
            ends.partition(|(.., left)| *left <= ANNOUNCED_BEFORE);
        let times = later
            .iter()
            .map(|(.., left)| now + (*left - ANNOUNCED_BEFORE));
        self.due = times.min();

        let near = near.into_iter();
        let near: Vec<_> = near
            .map(|(socket, end, _)| (socket.target(), end, (socket, end)))
            .collect();
        announced::update(&mut self.announced, &near, is_quiet, |new| match new {
            [(socket, end)] => single(socket, text(socket, *end, snapshot), policy),
            _ => {
                let texts = new.iter().map(|(socket, end)| text(socket, *end, snapshot));
                summary(texts.collect(), policy)
            }
        })
    }
}

/// The number of forwardings that end with the master.
fn forwardings(socket: &Socket) -> usize {
    socket.forwards.len() + socket.remote_forwards.len()
}

fn is_announced(socket: &Socket, policy: &Policy) -> bool {
    let is_wanted = match forwardings(socket) {
        0 => policy.announce_other_ends,
        _ => policy.announce_end_with_forwards,
    };
    socket.state.is_usable() && is_wanted && socket.managed_by.is_none()
}

/// `web ends at 14:32 and closes 2 forwardings`
fn text(socket: &Socket, end: SystemTime, snapshot: &Snapshot) -> String {
    let (host, time) = (socket.title(), snapshot.clock().time(end));
    match forwardings(socket) {
        0 => tr!("{host} ends at {time}", host, time),
        n => tr!(
            "{host} ends at {time} and closes {n} forwarding"
                | "{host} ends at {time} and closes {n} forwardings" % n,
            host,
            time
        ),
    }
}

fn single(socket: &Socket, summary: String, policy: &Policy) -> Notice {
    const FORWARDS: usize = 3;
    let persist = Duration::from_secs(socket.own_persist_secs.unwrap_or_default().into());
    let cause = tr!(
        "No session is open, and ControlPersist is {time}",
        time = text::duration(persist)
    );
    let lines = [cause].into_iter().chain(socket.forward_lines(FORWARDS));
    let target = socket.target();
    let keep = Button {
        label: tr!("Keep open"),
        intent: Intent::KeepOpen {
            target: target.clone(),
            time: KeepTime::HOUR,
        },
    };
    let show = policy.can_show.then(|| Button::show(Some(target)));
    let command = format_args!("muxtray keep {}", socket.argument);
    let advice = tr!("to keep it open: {command}", command);
    let key = NoticeKey::End(Some(socket.path.clone()));
    Notice {
        advice: Some(text::remedy(&advice)),
        buttons: [keep].into_iter().chain(show).collect(),
        ..Notice::new(key, summary, lines.collect::<Vec<_>>().join("\n"))
    }
}

fn summary(texts: Vec<String>, policy: &Policy) -> Notice {
    let summary = tr!("{n} master ends soon" | "{n} masters end soon" % texts.len());
    let show = policy.can_show.then(|| Button::show(None));
    Notice {
        buttons: show.into_iter().collect(),
        ..Notice::new(NoticeKey::End(None), summary, first_lines(texts))
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::policy_for_tests;
    use super::*;
    use crate::model::forward::{Forward, ListensAt};
    use crate::model::places::Managed;
    use crate::model::samples::{at, in_state, path, seen};
    use crate::model::socket::State;

    /// An idle master with so many forwardings that ends at this second.
    fn master(name: &str, forwards: u16, end: Option<u64>) -> Socket {
        let forward = |port| Forward {
            at: ListensAt::Tcp(([127, 0, 0, 1], port).into()),
            is_both: false,
            connections: 0,
            forwarding: None,
            is_configured: false,
        };
        Socket {
            path: path(&format!("/s/{name}")),
            sessions: Some(0),
            forwards: (1..=forwards).map(forward).collect(),
            ends_at: end.map(|end| at() + Duration::from_secs(end)),
            ..in_state(State::Running)
        }
    }

    /// The state at this second.
    fn state(second: u64, sockets: &[Socket]) -> Snapshot {
        Snapshot {
            at: at() + Duration::from_secs(second),
            sockets: sockets.to_vec(),
            ..seen(Vec::new())
        }
    }

    /// The effects of successive scans in a few words, and the seconds until the next announcement.
    fn effects(policy: &Policy, scans: &[(Snapshot, bool)]) -> Vec<(String, Option<u64>)> {
        let (mut ends, now) = (Ends::default(), Instant::now());
        let closed = |key: &NoticeKey| match key {
            NoticeKey::End(Some(path)) => format!("-{path}"),
            other => format!("{other:?}"),
        };
        let scans = scans.iter().map(|(snapshot, is_quiet)| {
            let (over, notice) = ends.update(snapshot, policy, *is_quiet, now);
            let due = ends.due.map(|due| (due - now).as_secs());
            let shown = notice.map(|notice| format!("+{}", notice.summary));
            let effects: Vec<_> = over.iter().map(closed).chain(shown).collect();
            (effects.join(" "), due)
        });
        scans.collect()
    }

    #[test]
    fn end_is_announced_once_before_it_and_withdrawn_when_it_is_not_near() {
        let web = |end| master("web", 2, end);
        let (soon, later) = (Some(600), Some(1200));
        let shown = "+web ends at 08:10 and closes 2 forwardings";
        for (scans, expected) in [
            // (second, end, quiet) and (effects, due)
            (
                vec![(0, soon, false), (300, soon, false), (301, soon, false)],
                vec![("", Some(300)), (shown, None), ("", None)],
            ),
            // It is used or kept again; ends by itself, idle for the second time.
            (
                vec![(300, soon, false), (310, None, false)],
                vec![(shown, None), ("-/s/web", None)],
            ),
            (
                vec![(300, soon, false), (310, later, false), (900, later, false)],
                vec![
                    (shown, None),
                    ("-/s/web", Some(590)),
                    ("+web ends at 08:20 and closes 2 forwardings", None),
                ],
            ),
            // In the quiet time after a resume it waits. An end that is over is not announced.
            (
                vec![(400, soon, true), (415, soon, false)],
                vec![("", None), (shown, None)],
            ),
            (vec![(601, soon, false)], vec![("", None)]),
        ] {
            let scans: Vec<_> = scans
                .into_iter()
                .map(|(second, end, is_quiet)| (state(second, &[web(end)]), is_quiet))
                .collect();
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(effects, due): (&str, _)| (effects.to_owned(), due))
                .collect();
            assert_eq!(effects(&policy_for_tests(), &scans), expected);
        }
    }

    #[test]
    fn policy_chooses_masters_with_and_without_forwardings() {
        let kitty = Socket {
            managed_by: Some(Managed("kitty")),
            ..master("kitty", 1, Some(60))
        };
        let sockets = [master("db", 0, Some(60)), master("web", 1, Some(60)), kitty];
        let scan = [(state(0, &sockets), false)];
        for (with_forwards, others, expected) in [
            (true, false, "+web ends at 08:01 and closes 1 forwarding"),
            (false, true, "+web ends at 08:01"),
            (true, true, "+2 masters end soon"),
            (false, false, ""),
        ] {
            let policy = Policy {
                announce_end_with_forwards: with_forwards,
                announce_other_ends: others,
                ..policy_for_tests()
            };
            assert_eq!(effects(&policy, &scan)[0].0, expected);
        }
    }

    #[test]
    fn notice_names_the_forwardings_and_keeps_the_master_open() {
        let snapshot = state(0, &[master("web", 2, Some(60))]);
        let (_, notice) =
            Ends::default().update(&snapshot, &policy_for_tests(), false, Instant::now());
        let notice = notice.unwrap();
        let text = format!("{}\n{}", notice.summary, notice.body);
        let labels = notice.buttons.iter().map(|button| button.label.as_str());
        let labels: Vec<_> = labels.collect();
        insta::assert_snapshot!(format!("{text}\n{:?}\n{labels:?}", notice.advice));
    }
}
