//! The row of one control socket and its submenu, and that of its forwardings if there are many.

use std::collections::BTreeMap;
use std::{iter, mem};

use tr::tr;

use super::entry::{Entry, separated, shown_of};
use super::problems::{copy_findings, finding_rows};
use super::setting_row::reopen_row;
use super::{forward_rows, keep_rows};
use crate::decide::ending;
use crate::decide::intent::Intent;
use crate::decide::new_session::NewSession;
use crate::decide::notice::Button;
use crate::decide::opening;
use crate::model::finding::Finding;
use crate::model::settings::Preferences;
use crate::model::socket::{Socket, State, Target};
use crate::model::text;
use crate::model::zone::Clock;
use crate::present::summary::mark;

/// The result of the last alive check or failed request of each target, in a few words.
pub type Answers = BTreeMap<Target, String>;

/// The most sessions with rows of their own, and with the rows of forwardings beside them.
const SESSIONS: usize = 4;
const SESSIONS_BESIDE_FORWARDS: usize = 2;

/// The values that the rows of all sockets depend on.
#[derive(Clone, Copy)]
pub(super) struct RowContext<'a> {
    pub(super) answers: &'a Answers,
    pub(super) clock: Clock<'a>,
    /// Whether the tray can show details.
    pub(super) can_show: bool,
    pub(super) preferences: &'a Preferences,
}

impl RowContext<'_> {
    pub(super) fn show(self, socket: &Socket) -> Option<Intent> {
        self.can_show.then(|| Intent::Show(Some(socket.target())))
    }
}

pub(super) fn socket_rows(socket: &Socket, context: RowContext<'_>) -> Vec<Entry> {
    let mut forwards = forward_rows::rows(socket, cannot_ask(&socket.state).is_none());
    let fold = forward_rows::fold_label(socket).map(|label| {
        let key = format!("forwards of {}", socket_key(socket));
        Entry::submenu(key, label, mem::take(&mut forwards))
    });
    let most_sessions = match forwards.is_empty() {
        true => SESSIONS,
        false => SESSIONS_BESIDE_FORWARDS,
    };
    let entries = separated([
        problem_rows(socket, context),
        request_rows(socket, context),
        forwards,
        detail_rows(socket, most_sessions, context),
    ]);
    let label = socket_label(socket, context.clock);
    let menu = Entry::submenu(socket_key(socket), label, entries);
    iter::once(menu).chain(fold).collect()
}

/// Returns the findings, and the result of the last request.
fn problem_rows(socket: &Socket, context: RowContext<'_>) -> Vec<Entry> {
    let show = context.show(socket);
    let findings = socket.findings.iter().enumerate();
    let rows = findings.flat_map(|(number, finding)| finding_rows(number, finding, show.as_ref()));
    let answer = context.answers.get(&socket.target());
    rows.chain(answer.map(|answer| Entry::text("answer", answer)))
        .collect()
}

fn request_rows(socket: &Socket, context: RowContext<'_>) -> Vec<Entry> {
    let (target, carried) = (socket.target(), socket.carried());
    let mut rows = Vec::new();
    if let Some(why) = cannot_ask(&socket.state) {
        rows.push(Entry::text("ask", tr!("Check, exit, stop: {why}", why)));
    } else {
        let session = NewSession::of_master(socket).map(Intent::NewSession);
        rows.extend(session.map(|intent| Entry::item("session", tr!("New session"), intent)));
        let check = Intent::Check(target.clone());
        rows.push(Entry::item("check", tr!("Check"), check));
        let reconnect = opening::reconnect(socket);
        rows.extend(reconnect.map(|button| Entry::button("reconnect", button.ask_first())));
        let exit = Button::exit(target.clone(), carried);
        rows.push(Entry::button("exit", exit.ask_first()));
        let stop = Intent::Stop(target.clone());
        rows.push(Entry::item("stop", tr!("Stop accepting sessions"), stop));
        rows.extend(keep_rows::rows(socket, context.clock));
        rows.extend(reopen_row(socket, context.preferences));
    }
    if ending::is_needed(&socket.state) {
        // An unknown number means that the kernel shows no listener. Ending the process then fails with the reason.
        let end = Button::end_process(target.clone(), carried.unwrap_or_default());
        rows.push(Entry::button("end-process", end.ask_first()));
    }
    if socket.state.is_cleanable() {
        rows.push(Entry::item("clean", tr!("Clean"), Intent::Clean(target)));
    }
    rows
}

fn detail_rows(socket: &Socket, most_sessions: usize, context: RowContext<'_>) -> Vec<Entry> {
    let mut rows = session_rows(socket, most_sessions, context);
    let jumping = socket.jumping_text();
    rows.extend(jumping.map(|text| Entry::text("jumping", text)));
    if let (Some(destination), false) = (&socket.destination, socket.hosts.is_empty()) {
        rows.push(Entry::text("destination", destination.to_string()));
    }
    rows.push(Entry::text("path", socket.path.to_string()));
    let copy = Intent::Copy(socket.path.as_path().to_owned());
    rows.push(Entry::item("copy", tr!("Copy path"), copy));
    rows.extend(NewSession::of_master(socket).map(|session| {
        let copy = Intent::CopyText(session.typed(&socket.ssh_option));
        Entry::item("copy-ssh", tr!("Copy ssh command"), copy)
    }));
    if !socket.findings.is_empty() {
        rows.push(copy_findings(Some(socket.target())));
    }
    rows
}

/// Returns a row for each session, or one that shows them if there are more than `most`.
fn session_rows(socket: &Socket, most: usize, context: RowContext<'_>) -> Vec<Entry> {
    let texts = socket.session_texts(context.clock.at);
    if texts.len() > most
        && let Some(show) = context.show(socket)
    {
        let label = tr!("Show {n} session" | "Show {n} sessions" % texts.len());
        return vec![Entry::item("sessions", label, show)];
    }
    let (shown, rest) = texts.split_at(shown_of(texts.len(), most));
    let row = |(number, text): (usize, &String)| Entry::text(format!("session {number}"), text);
    let mut rows: Vec<Entry> = shown.iter().enumerate().map(row).collect();
    let command = format!("muxtray check {}", socket.argument);
    rows.extend(Entry::more(rest.len(), &command));
    rows
}

/// Returns the reason why requests to the master are disabled, if they are.
fn cannot_ask(state: &State) -> Option<String> {
    Some(match state {
        // An unresponsive master may answer after all; the request has a deadline.
        State::Running | State::Suspect(_) | State::Stranded(_) | State::Unresponsive(_) => {
            return None;
        }
        State::Stale | State::Leftover => tr!("no process listens"),
        State::Misowned(_) => tr!("owned by another user"),
        State::Foreign(_) => tr!("not held by your ssh"),
        State::NotASocket(_) => tr!("not a socket"),
        State::Denied(_) => tr!("no permission"),
        State::Orphaned { .. } => tr!("its socket file is gone"),
        State::Unverifiable(_) => tr!("no process of this machine listens"),
    })
}

pub(super) fn socket_key(socket: &Socket) -> String {
    // An orphaned master and its successor have the same path.
    match (&socket.state, socket.cookie) {
        (State::Orphaned { .. }, Some(cookie)) => format!("orphan {} {}", cookie.0, socket.path),
        _ => format!("socket {}", socket.path),
    }
}

pub(super) fn socket_label(socket: &Socket, clock: Clock<'_>) -> String {
    let managed = socket.managed_by.map(|program| format!(" ({program})"));
    // Any other state is a problem itself. A screen reader may pass over the mark.
    let is_problem = |finding: &&Finding| finding.severity.is_problem();
    let problems = match socket.state {
        State::Running => socket.findings.iter().filter(is_problem).count(),
        _ => 0,
    };
    let problems = (problems > 0).then(|| format!(", {}", text::problems(problems)));
    let end = socket.kept_text(clock).or_else(|| socket.end_text(clock));
    let end = end.map(|end| format!(", {end}"));
    format!(
        "{} {}{} \u{2014} {}{}{}",
        mark(socket),
        socket.title(),
        managed.unwrap_or_default(),
        state_and_carried(socket),
        problems.unwrap_or_default(),
        end.unwrap_or_default()
    )
}

/// `running, 2 sessions`
pub(super) fn state_and_carried(socket: &Socket) -> String {
    let carried = socket.carried().filter(|carried| !carried.is_none());
    let carried = carried.map(|carried| format!(", {carried}"));
    format!("{}{}", socket.state.word(), carried.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::client::Client;
    use crate::model::finding::FindingId;
    use crate::model::ids::{Cookie, MasterPid};
    use crate::model::network::Cause;
    use crate::model::samples::{at, clock, in_state, states};
    use crate::present::menu::tests::{context, drawn_rows};

    fn rows(socket: &Socket) -> String {
        drawn_rows(socket_rows(socket, context()))
    }

    #[test]
    fn every_state_has_its_rows() {
        let mut all: Vec<String> = states()
            .into_iter()
            .map(|state| rows(&in_state(state)))
            .collect();
        // Most states have the same rows for every cause.
        all.dedup();
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn problems_of_a_running_master_are_words_too() {
        let finding = |id| Finding::new(id, "web", "seen", "do");
        let with = |findings| Socket {
            findings,
            ..in_state(State::Running)
        };
        use FindingId::{InsecureMode, SessionsAtLimit, Stale};
        let stale = Socket {
            findings: vec![finding(Stale)],
            ..in_state(State::Stale)
        };
        for (socket, label) in [
            (
                with(vec![finding(SessionsAtLimit)]),
                "\u{25cf} web \u{2014} running, 2 sessions",
            ),
            (
                with(vec![finding(SessionsAtLimit), finding(InsecureMode)]),
                "\u{25b2} web \u{2014} running, 2 sessions, 1 problem",
            ),
            (stale, "\u{25b2} web \u{2014} stale, 2 sessions"),
        ] {
            assert_eq!(socket_label(&socket, clock()), label);
        }
    }

    #[test]
    fn requests_name_the_sessions_and_agree_to_close_none() {
        let mut all = Vec::new();
        for state in [
            State::Stranded(Cause::AddressGone),
            State::Orphaned { successor: true },
        ] {
            for sessions in [Some(0), Some(1), None] {
                let socket = Socket {
                    sessions,
                    ..in_state(state.clone())
                };
                let rows = rows(&socket);
                let requests = rows.lines().take_while(|line| !line.contains("----"));
                all.extend(requests.map(str::to_owned));
            }
        }
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn forwarded_connections_and_jumping_masters_are_named() {
        let socket = Socket {
            forwarded: Some(1),
            jumping: vec!["db".to_owned()],
            ..in_state(State::Running)
        };
        insta::assert_snapshot!(rows(&socket));
    }

    #[test]
    fn sessions_have_rows_or_one_that_shows_them() {
        let client = |number: u64| {
            Some(Client {
                pid: MasterPid(99),
                program: "ssh".to_owned(),
                terminal: Some(format!("pts/{number}")),
                since: Some(at() - Duration::from_secs(3600 * number)),
            })
        };
        let rows = [0, 1, 4, 5].map(|number| {
            let socket = Socket {
                clients: Some((3..3 + number).map(client).chain([None]).collect()),
                own_session: number == 1,
                ..in_state(State::Running)
            };
            let shown = [true, false].map(|can_show| {
                let context = RowContext {
                    can_show,
                    ..context()
                };
                let rows = drawn_rows(socket_rows(&socket, context));
                let (_, rows) = rows.rsplit_once("----\n").unwrap();
                rows.to_owned()
            });
            shown.join("without details:\n")
        });
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn label_of_an_idle_master_has_its_end() {
        let label = |hours: u64| {
            let socket = Socket {
                sessions: Some(0),
                ends_at: Some(at() + Duration::from_secs(3600 * hours)),
                ..in_state(State::Running)
            };
            socket_label(&socket, clock())
        };
        insta::assert_snapshot!(format!("{}\n{}", label(2), label(48)));
    }

    #[test]
    fn an_orphaned_master_and_its_successor_have_different_keys() {
        let orphan = |cookie| Socket {
            cookie: Some(Cookie(cookie)),
            ..in_state(State::Orphaned { successor: true })
        };
        let sockets = [in_state(State::Running), orphan(1), orphan(2)];
        let keys = sockets.map(|socket| socket_key(&socket));
        assert_eq!(
            keys,
            ["socket", "orphan 1", "orphan 2"].map(|key| format!("{key} /s/u@h-22"))
        );
    }
}
