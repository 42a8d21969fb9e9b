//! Turns a [`Notice`] into a notification that fits the capabilities of the daemon. Pure.
//!
//! Source: the Desktop Notifications Specification 1.2, "Markup", "Actions" and "Hints".

use std::collections::HashMap;

use notify_rust::{Hint, Notification, Timeout, Urgency};

use crate::decide::intent::Intent;
use crate::decide::notice::Notice;
use crate::desktop::APP_ID;

/// The action that a click on the notification itself invokes.
pub(super) const DEFAULT_ACTION: &str = "default";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Capabilities {
    /// The daemon shows buttons and reports the pressed one.
    pub(super) actions: bool,
    /// The daemon renders markup in the body, so `&`, `<` and `>` must be escaped.
    pub(super) body_markup: bool,
}

impl Capabilities {
    pub(super) fn new(names: &[String]) -> Self {
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        Self {
            actions: has("actions"),
            body_markup: has("body-markup"),
        }
    }
}

/// The intents by the name of the action.
pub(super) type Actions = HashMap<String, Intent>;

pub(super) fn compose(notice: &Notice, capabilities: Capabilities) -> (Notification, Actions) {
    let mut notification = Notification::new();
    notification
        .appname("muxtray")
        .icon(APP_ID)
        .summary(&printable(&notice.summary))
        .body(&body(notice, capabilities))
        .urgency(Urgency::Normal)
        .hint(Hint::Category("network".to_owned()))
        .hint(Hint::DesktopEntry(APP_ID.to_owned()));
    if notice.transient {
        notification
            .hint(Hint::Transient(true))
            .timeout(Timeout::Default);
    } else {
        notification.timeout(Timeout::Never);
    }

    let mut actions = Actions::new();
    if capabilities.actions {
        // A click on the notification itself shows details if the notice offers them; it never acts on a master. Some
        // daemons (xfce4-notifyd) show the default action as a button too, so Show becomes the default action instead
        // of another button.
        let show = notice
            .buttons
            .iter()
            .position(|button| matches!(button.intent, Intent::Show(_)));
        for (index, button) in notice.buttons.iter().enumerate() {
            let name = if show == Some(index) {
                DEFAULT_ACTION.to_owned()
            } else {
                format!("button-{index}")
            };
            notification.action(&name, &printable(&button.label));
            actions.insert(name, button.intent.clone());
        }
    }
    (notification, actions)
}

fn body(notice: &Notice, capabilities: Capabilities) -> String {
    let mut text = printable(&notice.body);
    // Some daemons that report actions show no buttons (dunst), and a question must have an answer there too.
    if (!capabilities.actions || notice.is_question)
        && let Some(advice) = &notice.advice
    {
        text = format!("{text}\n{}", printable(advice));
    }
    if capabilities.body_markup {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    } else {
        text
    }
}

/// Replaces control characters except newline: D-Bus rejects NUL, and daemons render the others differently.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' => '\n',
            hidden if hidden.is_control() => '\u{fffd}',
            plain => plain,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::notice::{Button, NoticeKey};

    const PLAIN: Capabilities = Capabilities {
        actions: false,
        body_markup: false,
    };
    const FULL: Capabilities = Capabilities {
        actions: true,
        body_markup: true,
    };

    fn notice(body: &str, buttons: Vec<Button>) -> Notice {
        let summary = "web & <b>db</b>".to_owned();
        Notice {
            buttons,
            ..Notice::new(NoticeKey::Summary, summary, body.to_owned())
        }
    }

    fn button(label: &str, intent: Intent) -> Button {
        Button {
            label: label.to_owned(),
            intent,
        }
    }

    #[test]
    fn capabilities_are_found_by_name() {
        let names = ["body", "actions", "icon-static"].map(str::to_owned);
        let capabilities = Capabilities::new(&names);
        assert!(capabilities.actions && !capabilities.body_markup);
    }

    #[test]
    fn escapes_body_only_for_markup() {
        let notice = notice("1 < 2 & <i>x</i>\nnext", Vec::new());
        let (escaped, _) = compose(&notice, FULL);
        assert_eq!(escaped.body, "1 &lt; 2 &amp; &lt;i&gt;x&lt;/i&gt;\nnext");
        assert_eq!(escaped.summary, "web & <b>db</b>");
        let (plain, _) = compose(&notice, PLAIN);
        assert_eq!(plain.body, "1 < 2 & <i>x</i>\nnext");
    }

    #[test]
    fn replaces_control_characters() {
        let (notification, _) = compose(&notice("a\0b\u{1b}[31m", Vec::new()), PLAIN);
        assert_eq!(notification.body, "a\u{fffd}b\u{fffd}[31m");
    }

    #[test]
    fn buttons_are_actions_and_show_is_the_default_one() {
        let buttons = vec![
            button("Clean all", Intent::CleanAll(Vec::new())),
            button("Show", Intent::Show(None)),
        ];
        let (notification, actions) = compose(&notice("", buttons), FULL);
        assert_eq!(
            notification.actions,
            ["button-0", "Clean all", "default", "Show"]
        );
        assert_eq!(
            actions,
            Actions::from([
                ("button-0".to_owned(), Intent::CleanAll(Vec::new())),
                ("default".to_owned(), Intent::Show(None)),
            ])
        );
    }

    #[test]
    fn clean_is_never_the_default_action() {
        let buttons = vec![button("Clean all", Intent::CleanAll(Vec::new()))];
        let (_, actions) = compose(&notice("", buttons), FULL);
        assert!(!actions.contains_key(DEFAULT_ACTION));
    }

    #[test]
    fn no_buttons_without_actions_capability() {
        let buttons = vec![button("Show", Intent::Show(None))];
        let (notification, actions) = compose(&notice("", buttons), PLAIN);
        assert!(notification.actions.is_empty() && actions.is_empty());
    }

    #[test]
    fn advice_replaces_missing_buttons_and_completes_questions() {
        let problem = Notice {
            advice: Some("\u{2192} do it".to_owned()),
            ..notice("cause", Vec::new())
        };
        let question = Notice {
            is_question: true,
            ..problem.clone()
        };
        for (notice, capabilities, body) in [
            (&problem, FULL, "cause"),
            (&problem, PLAIN, "cause\n\u{2192} do it"),
            (&question, FULL, "cause\n\u{2192} do it"),
        ] {
            assert_eq!(compose(notice, capabilities).0.body, body);
        }
    }

    #[test]
    fn only_transient_notice_times_out() {
        let mut notice = notice("", Vec::new());
        let (problem, _) = compose(&notice, FULL);
        assert_eq!(problem.timeout, Timeout::Never);
        notice.transient = true;
        let (answer, _) = compose(&notice, FULL);
        assert_eq!(answer.timeout, Timeout::Default);
    }
}
