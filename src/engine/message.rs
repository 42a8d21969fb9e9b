use calloop::channel::{self, Channel, Sender};

use super::wanted::Wanted;
use crate::actions::keep::Kept;
use crate::actions::perform::Subject;
use crate::decide::action_notice::Scope;
use crate::decide::action_report::ActionReport;
use crate::decide::intent::Intent;
use crate::decide::notice::Notice;
use crate::discover::{Discovered, Request};
use crate::model::keep::KeepTime;

/// A message to the engine from another thread.
#[derive(Debug)]
pub(super) enum Message {
    Intent(Intent),
    Discovered(Box<Discovered>, Box<Request>),
    Performed(Vec<ActionReport>, Scope),
    Opened(Wanted, Box<ActionReport>),
    Kept(Box<Subject>, KeepTime, Result<Kept, Box<ActionReport>>),
    ToCopy(String),
    /// The title and text to show after a job about the settings, if any; or a notice of its failure.
    Settings(Result<Option<(String, String)>, Box<Notice>>),
}

/// Sends intents to the engine. Cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub struct IntentSender(Sender<Message>);

impl IntentSender {
    /// Does nothing after the engine has ended.
    pub fn send(&self, intent: Intent) {
        let _ = self.0.send(Message::Intent(intent));
    }
}

/// The messages to an engine. It exists before the engine, as the desktop needs the [`IntentSender`] first.
#[derive(Debug)]
pub struct Inbox {
    pub(super) receiver: Channel<Message>,
    pub(super) sender: Sender<Message>,
}

#[must_use]
pub fn inbox() -> (IntentSender, Inbox) {
    let (sender, receiver) = channel::channel();
    let intents = IntentSender(sender.clone());
    (intents, Inbox { receiver, sender })
}
