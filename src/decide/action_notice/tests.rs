use super::*;
use crate::model::carried::Carried;
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::samples::{in_state, seen, stranded_master};
use crate::model::socket::State;

fn report(action: Action, outcome: ActionOutcome, message: &str) -> ActionReport {
    let target = ReportTarget::Socket {
        name: "web".to_owned(),
        target: in_state(State::Running).target(),
    };
    ActionReport::new(target, action, outcome, message.to_owned())
}

#[test]
fn notice_of_each_report() {
    use Scope::{AllTargets, OneTarget, Policy};
    let done = report(Action::Exit, ActionOutcome::Done, "exited");
    let checked = report(Action::Check, ActionOutcome::Done, "answered");
    let failed = report(Action::Check, ActionOutcome::Failed, "no answer");
    let refused = report(Action::Exit, ActionOutcome::REFUSED, "2 sessions open")
        .with_advice(Some("to close them: muxtray exit --force web".to_owned()));
    let target = in_state(State::Running).target();
    let exit = Button::exit(target, Some(Carried::sessions(2)));
    let asking = ActionReport {
        outcome: ActionOutcome::Refused(Refusal::ConnectionsOpen),
        ..refused.clone().with_button(Some(exit))
    };
    let reconnecting = ActionReport {
        action: Action::Open,
        ..asking.clone()
    };
    let removed = report(Action::Clean, ActionOutcome::Done, "removed (stale)");
    let host = ReportTarget::Host {
        alias: HostAlias("db".to_owned()),
        path: ControlPath::new("/s/db"),
    };
    let open = ActionReport {
        target: host,
        ..report(Action::Open, ActionOutcome::Failed, "ssh: timed out")
    }
    .with_advice(Some("ssh -v db says more".to_owned()));
    let opened = report(Action::Open, ActionOutcome::Done, "opened in 0.4 s");
    let reconnect = |host: &str| ActionReport {
        action: Action::Open,
        ..asking.clone().with_button(Some(Button::reconnect(
            HostAlias(host.to_owned()),
            Some(Carried::sessions(2)),
        )))
    };
    let texts = [
        (OneTarget, vec![done.clone()]),
        (OneTarget, vec![refused]),
        (OneTarget, vec![asking.clone()]),
        (OneTarget, vec![reconnecting]),
        (OneTarget, vec![open.clone()]),
        (AllTargets, vec![checked.clone(), checked.clone()]),
        (AllTargets, vec![checked, failed.clone()]),
        (AllTargets, vec![failed; 6]),
        (AllTargets, vec![removed.clone(), done.clone()]),
        (AllTargets, vec![done.clone(), asking.clone()]),
        (AllTargets, vec![asking.clone(), asking.clone()]),
        (AllTargets, vec![opened.clone(), opened.clone()]),
        (AllTargets, vec![opened, reconnect("web"), open.clone()]),
        (AllTargets, vec![reconnect("web"), reconnect("db")]),
        (AllTargets, vec![]),
        (Policy, vec![done.clone()]),
        (Policy, vec![done.clone(), done]),
        (Policy, vec![removed]),
    ]
    .map(|(scope, reports)| {
        let Some(notice) = notice(&reports, scope, true) else {
            return format!("{scope:?}: none");
        };
        let labels: Vec<String> = notice.buttons.into_iter().map(|one| one.label).collect();
        let kind = match (notice.transient, notice.is_question) {
            (true, false) => " (transient)",
            (false, true) => " (question)",
            _ => "",
        };
        let (summary, body) = (notice.summary, notice.body);
        let advice = notice.advice.unwrap_or_default();
        format!("{scope:?}: {summary}{kind}\n{body}\n{advice}\n{labels:?}")
    });
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn one_question_before_several_masters_are_reconnected() {
    let stranded = |host: &str, sessions| Socket {
        sessions,
        hosts: vec![HostAlias(host.to_owned())],
        ..stranded_master()
    };
    let snapshot = Snapshot {
        sockets: vec![
            stranded("web", Some(2)),
            stranded("db", Some(0)),
            stranded("hidden", None),
            stranded("other", Some(7)),
        ],
        ..seen(Vec::new())
    };
    let agreed = |consents: &[(&str, u32)]| {
        let consent = |(host, sessions): &(&str, u32)| {
            let carried = Carried::sessions(*sessions);
            (HostAlias((*host).to_owned()), SessionConsent::UpTo(carried))
        };
        let hosts: Vec<_> = consents.iter().map(consent).collect();
        let question = question_to_reconnect(&hosts, &snapshot)?;
        assert!(question.is_question);
        let labels: Vec<String> = question.buttons.into_iter().map(|it| it.label).collect();
        Some(format!(
            "{}\n{}\n{labels:?}",
            question.summary, question.body
        ))
    };
    assert_eq!(agreed(&[("web", 2), ("db", 0)]), None);
    assert_eq!(agreed(&[("db", 0), ("gone", 0)]), None);
    let texts = [
        agreed(&[("web", 1), ("db", 0)]),
        agreed(&[("web", 0), ("db", 0), ("hidden", 0)]),
    ];
    insta::assert_snapshot!(texts.map(Option::unwrap).join("\n\n"));
}
