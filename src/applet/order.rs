use muxtray::present::menu::TrayView;

/// A request to the tray, sent from any thread.
#[derive(Debug)]
pub(crate) enum Order {
    Draw(TrayView),
    /// Show a text to read and to copy. `text` contains line breaks.
    ShowDetails {
        title: String,
        text: String,
    },
    /// End `Tray::run`.
    End,
}
