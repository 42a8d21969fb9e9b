//! The details window, the About window, questions, and the clipboard.

use std::collections::BTreeMap;

use gtk::gdk_pixbuf::Pixbuf;
use gtk::prelude::*;
use muxtray::decide::intent::Intent;
use muxtray::decide::notice::{Button, Notice, NoticeKey};
use muxtray::desktop::APP_ID;
use tr::tr;
use unicode_width::UnicodeWidthStr;

/// The longest line that is shown without a break: `muxtray hosts` with `%C` in a ControlPath.
const MOST_COLUMNS: usize = 140;

/// The pixels at the sides of a text: margins and the scroll bar.
const BESIDE_TEXT: i32 = 48;

/// Each window is open at most once.
#[derive(Default)]
pub(crate) struct Windows {
    details: Option<Details>,
    about: Option<gtk::AboutDialog>,
    questions: BTreeMap<NoticeKey, gtk::MessageDialog>,
}

struct Details {
    window: gtk::Dialog,
    text: gtk::TextView,
}

impl Windows {
    /// Shows the text in the details window, which is reused if it is open.
    pub(crate) fn show_details(&mut self, title: &str, text: &str) {
        self.details_window().fill(title, text);
    }

    /// Shows the text with a Copy button.
    pub(crate) fn show_to_copy(&mut self, text: &str) {
        self.details_window().fill(&tr!("Copy"), text);
    }

    pub(crate) fn show_about(&mut self) {
        let about = self.about.get_or_insert_with(|| {
            let about = gtk::AboutDialog::builder()
                .program_name("muxtray")
                .version(muxtray::VERSION)
                .comments(tr!(
                    "Watches OpenSSH control sockets, without touching them"
                ))
                .copyright(env!("CARGO_PKG_LICENSE"))
                .title(tr!("About muxtray"))
                // GNOME's header bar would replace the title and the Close button.
                .use_header_bar(0)
                .build();
            // By its name GTK draws it for the scale of the screen, but only if it is installed.
            match gtk::IconTheme::default() {
                Some(theme) if theme.has_icon(APP_ID) => about.set_logo_icon_name(Some(APP_ID)),
                _ => about.set_logo(application_icon().as_ref()),
            }
            about.set_icon(application_icon().as_ref());
            about.connect_response(|about, _| about.hide());
            about.connect_delete_event(|about, _| about.hide_on_delete());
            about
        });
        present(about);
    }

    /// Asks a question, in place of an earlier one with the same key. Calls `answer` with the intent of the pressed
    /// button, once; a closed window is no answer.
    pub(crate) fn ask(&mut self, notice: Notice, answer: impl Fn(Intent) + 'static) {
        let dialog = gtk::MessageDialog::builder()
            .message_type(gtk::MessageType::Question)
            .title("muxtray")
            .text(shown(&notice.summary))
            .secondary_text(shown(&notice.body))
            .skip_taskbar_hint(false)
            .build();
        dialog.set_icon(application_icon().as_ref());
        let is_answer = |button: &&Button| !matches!(button.intent, Intent::Show(_));
        let buttons: Vec<Button> = notice.buttons.iter().filter(is_answer).cloned().collect();
        for (index, button) in (0..).zip(&buttons) {
            let label = shown(&button.label).replace('_', "__");
            let widget = dialog.add_button(&label, gtk::ResponseType::Other(index));
            if button.intent == Intent::Keep {
                widget.grab_focus();
            }
        }
        dialog.connect_response(move |dialog, response| {
            let gtk::ResponseType::Other(index) = response else {
                return;
            };
            // This also destroys the window, so there is one answer.
            dialog.close();
            if let Some(button) = buttons.get(usize::from(index)) {
                answer(button.intent.clone());
            }
        });
        present(&dialog);
        if let Some(earlier) = self.questions.insert(notice.key, dialog) {
            earlier.close();
        }
    }

    fn details_window(&mut self) -> &Details {
        self.details.get_or_insert_with(Details::new)
    }
}

impl Details {
    fn new() -> Self {
        let text = gtk::TextView::builder()
            .editable(false)
            .cursor_visible(false)
            .monospace(true)
            .wrap_mode(gtk::WrapMode::WordChar)
            .left_margin(12)
            .right_margin(12)
            .top_margin(12)
            .bottom_margin(12)
            .build();
        let scrolled = gtk::ScrolledWindow::builder()
            .hscrollbar_policy(gtk::PolicyType::Never)
            .child(&text)
            .build();

        let window = gtk::Dialog::builder()
            .type_hint(gtk::gdk::WindowTypeHint::Dialog)
            .default_width(640)
            .default_height(400)
            .build();
        window.set_icon(application_icon().as_ref());
        window.content_area().pack_start(&scrolled, true, true, 0);
        window.add_button(&tr!("_Copy"), gtk::ResponseType::Apply);
        let close = window.add_button(&tr!("C_lose"), gtk::ResponseType::Close);
        scrolled.show_all();

        let buffer = text.buffer();
        window.connect_response(move |window, response| {
            if response != gtk::ResponseType::Apply {
                window.hide();
            } else if let Some(text) = buffer.as_ref().and_then(all_text) {
                set_clipboard(&text);
            }
        });
        window.connect_delete_event(|window, _| window.hide_on_delete());
        close.grab_focus();
        Self { window, text }
    }

    fn fill(&self, title: &str, text: &str) {
        self.window.set_title(title);
        if let Some(buffer) = self.text.buffer() {
            buffer.set_text(&shown(text));
        }
        self.widen(text);
        present(&self.window);
    }

    /// Makes the window wide enough for the lines, so that tables keep their columns. Longer lines are wrapped.
    fn widen(&self, text: &str) {
        let columns = text.lines().map(UnicodeWidthStr::width).max();
        let columns = columns.unwrap_or_default().min(MOST_COLUMNS);
        let column = self.text.pango_context().metrics(None, None);
        let column = column.approximate_digit_width();
        let needed =
            i32::try_from(columns).unwrap_or_default() * column / gtk::pango::SCALE + BESIDE_TEXT;
        let (width, height) = self.window.size();
        if needed > width {
            self.window.resize(needed.min(widest()).max(width), height);
        }
    }
}

fn all_text(buffer: &gtk::TextBuffer) -> Option<String> {
    let (start, end) = buffer.bounds();
    Some(buffer.text(&start, &end, false)?.to_string())
}

/// Shows the window before others. The click was in the panel, so GTK does not know its time, and KWin places windows
/// without a time behind the active one. The time of an X server on Linux is that of the monotonic clock.
fn present(window: &impl IsA<gtk::Window>) {
    let milliseconds = gtk::glib::monotonic_time() / 1000;
    let time = u32::try_from(milliseconds & i64::from(u32::MAX));
    window.present_with_time(time.unwrap_or_default());
}

/// The width of the screen, with room for the borders of a window.
fn widest() -> i32 {
    let display = gtk::gdk::Display::default();
    // Wayland has no primary monitor.
    let monitor = display.and_then(|it| it.primary_monitor().or_else(|| it.monitor(0)));
    monitor.map_or(0, |monitor| monitor.workarea().width() - BESIDE_TEXT)
}

/// The application icon, built in so that it does not need to be installed.
fn application_icon() -> Option<Pixbuf> {
    let file: &[u8] =
        include_bytes!("../../../icons/hicolor/128x128/apps/io.github.muxtray.Muxtray.png");
    Pixbuf::from_read(file)
        .inspect_err(|error| tracing::error!("cannot decode the built-in icon: {error}"))
        .ok()
}

pub(crate) fn is_wayland() -> bool {
    gtk::gdk::Display::default()
        .is_some_and(|display| display.backend() == gtk::gdk::Backend::Wayland)
}

pub(crate) fn set_clipboard(text: &str) {
    let buffer = gtk::TextBuffer::builder().text(shown(text)).build();
    buffer.select_range(&buffer.start_iter(), &buffer.end_iter());
    // Unlike `gtk::Clipboard::set_text`, this lets a clipboard manager store the text.
    buffer.copy_clipboard(&clipboard());
}

/// Stores the clipboard in the clipboard manager, if there is one: on X11 its content is lost when the program exits.
pub(crate) fn keep_clipboard() {
    clipboard().store();
}

/// GTK strings end at a NUL.
fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn clipboard() -> gtk::Clipboard {
    gtk::Clipboard::get(&gtk::gdk::SELECTION_CLIPBOARD)
}
