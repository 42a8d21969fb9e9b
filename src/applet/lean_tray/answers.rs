//! The answers to the calls of panels.

use std::collections::HashMap;
use std::time::Instant;

use muxtray::decide::intent::Intent;
use zbus::message::Flags;
use zbus::{Message, ObjectPath, OwnedVariant, Variant};

use super::Panel;
use super::bus::{ITEM, MENU, MENU_PATH};
use super::drawn_menu::{Properties, TOP};
use crate::icons;

const INVALID_ARGUMENTS: &str = "org.freedesktop.DBus.Error.InvalidArgs";
const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";

/// Programs such as gdbus read the types of arguments in it.
const INTROSPECTION: &str = include_str!("introspection.xml");

/// An event of a row: its id, name, data and time.
type Event = (i32, String, OwnedVariant, u32);

impl<F: Fn(Intent)> Panel<F> {
    /// Answers a call, and handles its event.
    pub(super) fn answer(&mut self, call: &Message) {
        let header = call.header();
        let refuse = |error: zbus::Error| {
            Message::error(&header, INVALID_ARGUMENTS).build(&error.to_string())
        };
        let answer = self.answer_to(call).or_else(refuse);
        if !header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
            self.bus.send(answer);
        }
        if let Some(reader) = header.sender()
            && let Some(id) = self.read_level.take()
        {
            self.report_submenus(reader, id);
        }
    }

    fn answer_to(&mut self, call: &Message) -> zbus::Result<Message> {
        let (header, body) = (call.header(), call.body());
        let reply = Message::method_return(&header);
        let no_row = || Message::error(&header, INVALID_ARGUMENTS).build(&"no such row");
        match header.member().map_or("", |member| member.as_str()) {
            "Get" => {
                let (interface, name): (String, String) = body.deserialize()?;
                match self.object_properties(&interface).remove(name.as_str()) {
                    Some(value) => reply.build(&value),
                    None => Message::error(&header, INVALID_ARGUMENTS).build(&"no such property"),
                }
            }
            "GetAll" => reply.build(&self.object_properties(&body.deserialize::<String>()?)),
            "GetLayout" => {
                let (id, depth, names): (i32, i32, Vec<String>) = body.deserialize()?;
                let Some(layout) = self.menu.layout(id, depth, &names) else {
                    return no_row();
                };
                self.read_level = (depth == 1).then_some(id);
                reply.build(&(self.revision, layout))
            }
            "GetGroupProperties" => {
                let (mut ids, names): (Vec<i32>, Vec<String>) = body.deserialize()?;
                if ids.is_empty() {
                    ids = self.menu.all_ids();
                }
                let row = |id| Some((id, self.menu.properties(id, &names)?));
                let rows: Vec<(i32, Properties)> = ids.into_iter().filter_map(row).collect();
                reply.build(&rows)
            }
            "GetProperty" => {
                let (id, name): (i32, String) = body.deserialize()?;
                let property = self.menu.properties(id, &[]);
                match property.and_then(|mut property| property.remove(name.as_str())) {
                    Some(value) => reply.build(&value),
                    None => no_row(),
                }
            }
            "Event" => {
                let (id, name, _, _): Event = body.deserialize()?;
                match self.event(id, &name) {
                    Some(()) => reply.build(&()),
                    None => no_row(),
                }
            }
            "EventGroup" => {
                let mut events: Vec<Event> = body.deserialize()?;
                events.retain(|(id, name, _, _)| self.event(*id, name).is_none());
                let missing: Vec<i32> = events.into_iter().map(|event| event.0).collect();
                reply.build(&missing)
            }
            "AboutToShow" => match self.about_to_show(body.deserialize()?) {
                // Changes are reported before: if the reply is true, Plasma ignores the next report.
                Some(()) => reply.build(&false),
                None => no_row(),
            },
            "AboutToShowGroup" => {
                let mut ids: Vec<i32> = body.deserialize()?;
                ids.retain(|&id| self.about_to_show(id).is_none());
                self.open_menu.asked_for_changes(Instant::now());
                reply.build(&(Vec::<i32>::new(), ids))
            }
            "SecondaryActivate" | "Scroll" | "Ping" => reply.build(&()),
            "Introspect" => reply.build(&INTROSPECTION),
            // Panels open the menu if Activate is unknown, also some that do not read ItemIsMenu.
            member => Message::error(&header, UNKNOWN_METHOD).build(&format!("no method {member}")),
        }
    }

    fn object_properties(&self, interface: &str) -> Properties {
        match interface {
            ITEM => {
                let no_pixels = Vec::<(i32, i32, Vec<u8>)>::new();
                // In one line: LXQt shows the title only.
                let title = format!("muxtray: {}", self.summary);
                let tooltip = ("", no_pixels, title, "");
                HashMap::from([
                    ("Category", "ApplicationStatus".into()),
                    ("Id", "muxtray".into()),
                    ("Title", "muxtray".into()),
                    ("Status", self.status().into()),
                    ("WindowId", 0.into()),
                    ("IconThemePath", self.icons.clone().into()),
                    ("IconName", icons::name(self.look).into()),
                    ("ToolTip", Variant::new(tooltip)),
                    ("ItemIsMenu", true.into()),
                    (
                        "Menu",
                        ObjectPath::from_static_str_unchecked(MENU_PATH).into(),
                    ),
                ])
            }
            MENU => HashMap::from([
                ("Version", 3_u32.into()),
                ("TextDirection", "ltr".into()),
                ("Status", "normal".into()),
                ("IconThemePath", Vec::<String>::new().into()),
            ]),
            _ => HashMap::new(),
        }
    }

    /// Returns `None` if there is no such row.
    ///
    /// GNOME calls it for the menu itself after "opened", and also when it adds the icon; Plasma calls it before.
    fn about_to_show(&mut self, id: i32) -> Option<()> {
        if id != TOP {
            return self.menu.find_entry(id).map(drop);
        }
        if !self.open_menu.reports_top() {
            self.top_menu_opens();
        }
        (self.send)(Intent::Scan);
        Some(())
    }
}
