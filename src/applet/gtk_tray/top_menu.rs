//! Reports an opened and closed top menu, for panels that send these events (Plasma, GNOME).
//!
//! AppIndicator handles them for submenus only (libdbusmenu 18.10, parser.c, `item_handle_event`), so they are read from
//! the messages of its bus connection.

use gtk::gio::{self, DBusMessageType};
use gtk::glib::{self, Variant};

use super::layout_updated::{INTERFACE, MENU_PATH};

/// Calls `report` with whether the top menu is open now, on a thread of GLib.
pub(super) fn watch(report: impl Fn(bool) + Send + Sync + 'static) {
    glib::spawn_future_local(async move {
        // AppIndicator uses the same connection.
        match gio::bus_get_future(gio::BusType::Session).await {
            Ok(connection) => {
                connection.add_filter(move |_, message, is_incoming| {
                    if is_incoming
                        && message.message_type() == DBusMessageType::MethodCall
                        && message.interface().as_deref() == Some(INTERFACE)
                        && message.path().as_deref() == Some(MENU_PATH)
                        && let (Some(member), Some(body)) = (message.member(), message.body())
                        && let Some(is_open) = is_top_open(&member, &body)
                    {
                        report(is_open);
                    }
                    Some(message.clone())
                });
            }
            Err(error) => tracing::debug!("cannot see when the top menu is opened: {error}"),
        }
    });
}

/// Returns whether the call reports an opened or closed top menu; `None` if it reports neither.
fn is_top_open(member: &str, body: &Variant) -> Option<bool> {
    let events: Vec<Variant> = match member {
        "Event" => vec![body.clone()],
        "EventGroup" => body.try_child_value(0)?.iter().collect(),
        _ => return None,
    };
    let of_top = |event: &Variant| {
        let id: i32 = event.try_child_value(0)?.get()?;
        let name: String = event.try_child_value(1)?.get()?;
        match (id, name.as_str()) {
            (0, "opened") => Some(true),
            (0, "closed") => Some(false),
            _ => None,
        }
    };
    events.iter().rev().find_map(of_top)
}

#[cfg(test)]
mod tests {
    use gtk::glib::prelude::*;

    use super::*;

    #[test]
    fn finds_events_of_the_top_menu() {
        let event = |id: i32, name: &str| (id, name, 0_i32.to_variant(), 0_u32).to_variant();
        let group = |events: Vec<Variant>| {
            Variant::tuple_from_iter([Variant::array_from_iter_with_type(
                &glib::VariantType::new("(isvu)").unwrap(),
                events,
            )])
        };
        for (member, body, is_open) in [
            ("Event", event(0, "opened"), Some(true)),
            ("Event", event(0, "closed"), Some(false)),
            ("Event", event(3, "opened"), None),
            ("Event", event(0, "hovered"), None),
            ("AboutToShow", (0_i32,).to_variant(), None),
            ("Event", ().to_variant(), None),
            (
                "EventGroup",
                group(vec![event(0, "opened"), event(3, "closed")]),
                Some(true),
            ),
            (
                "EventGroup",
                group(vec![event(0, "opened"), event(0, "closed")]),
                Some(false),
            ),
        ] {
            assert_eq!(is_top_open(member, &body), is_open, "{member} {body:?}");
        }
    }
}
