use std::time::Duration;

use super::*;
use crate::decide::intent::{Intent, SessionConsent};
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::samples::in_state;
use crate::model::socket::State;

fn report(action: Action, outcome: ActionOutcome, message: &str) -> ActionReport {
    let target = ReportTarget::Socket {
        name: "web".to_owned(),
        target: in_state(State::Running).target(),
    };
    ActionReport::new(target, action, outcome, message.to_owned())
}

fn exit_button() -> Button {
    Button {
        label: "Exit, closing 2 sessions".to_owned(),
        intent: Intent::Exit {
            target: in_state(State::Running).target(),
            consent: SessionConsent::UpTo(2),
        },
    }
}

fn text(reports: &[ActionReport], scope: Scope) -> Option<String> {
    let notice = notice(reports, scope, true)?;
    let labels: Vec<String> = notice.buttons.into_iter().map(|one| one.label).collect();
    let transient = if notice.transient { " (transient)" } else { "" };
    let body = notice.body.replace('\n', " / ");
    Some(format!("{} | {body} {labels:?}{transient}", notice.summary))
}

#[test]
fn notice_of_each_report() {
    let done = report(Action::Exit, ActionOutcome::Done, "exited");
    let checked = ActionReport {
        alive_check: Some(AliveCheck::Answered(Duration::from_millis(2))),
        ..report(Action::Check, ActionOutcome::Done, "answered")
    };
    let failed = report(Action::Check, ActionOutcome::Failed, "no answer");
    let refused = report(Action::Exit, ActionOutcome::REFUSED, "2 sessions are open")
        .with_advice(Some("to close them: muxtray exit --force web".to_owned()));
    let with_button = refused.clone().with_button(Some(exit_button()));
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
    for (reports, scope, expected) in [
        (
            vec![done.clone()],
            Scope::OneTarget,
            Some("web | Exited [] (transient)"),
        ),
        (
            vec![refused],
            Scope::OneTarget,
            Some(
                "web | 2 sessions are open / \u{2192} to close them: muxtray exit --force web [\"Show\"]",
            ),
        ),
        (
            vec![with_button],
            Scope::OneTarget,
            Some("web | 2 sessions are open [\"Exit, closing 2 sessions\", \"Show\"]"),
        ),
        (
            vec![open],
            Scope::OneTarget,
            Some("db: no master was opened | ssh: timed out / \u{2192} ssh -v db says more []"),
        ),
        (
            vec![checked.clone(), checked.clone()],
            Scope::AllTargets,
            Some("2 masters answered | The slowest in 2.0 ms: web [] (transient)"),
        ),
        (
            vec![checked, failed.clone()],
            Scope::AllTargets,
            Some("1 master answered, 1 failed | web: no answer [\"Show\"]"),
        ),
        (
            vec![done.clone(), removed.clone()],
            Scope::AllTargets,
            Some("1 master ended, 1 socket removed |  [] (transient)"),
        ),
        (vec![], Scope::AllTargets, None),
        (
            vec![done.clone()],
            Scope::Policy,
            Some("web: had lost its network | Exited []"),
        ),
        (
            vec![done.clone(), done],
            Scope::Policy,
            Some("2 masters ended that had lost their network |  []"),
        ),
        (vec![removed], Scope::Policy, None),
    ] {
        assert_eq!(text(&reports, scope).as_deref(), expected);
    }
    let six = vec![failed; 6];
    let notice = text(&six, Scope::AllTargets).unwrap();
    assert!(notice.contains("web: no answer / and 1 more"), "{notice}");
}
