//! Requests of the desktop's launcher to the muxtray that runs already.

use clap::ValueEnum;

/// The names are arguments of `run --action`, and those of org.freedesktop.Application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum LauncherAction {
    // The details, and the icon even if the setting hides it.
    Show,
    CheckAll,
    Clean,
    OpenConfiguration,
}

impl LauncherAction {
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
