//! Requests of the desktop's launcher to the muxtray that runs already.

use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LauncherAction {
    /// The details, and the icon even if the setting hides it.
    Show,
    CheckAll,
    Clean,
    OpenConfiguration,
}

impl LauncherAction {
    pub const ALL: [Self; 4] = [
        Self::Show,
        Self::CheckAll,
        Self::Clean,
        Self::OpenConfiguration,
    ];

    /// The argument of `run --action`, and the name of the action for org.freedesktop.Application.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::CheckAll => "check-all",
            Self::Clean => "clean",
            Self::OpenConfiguration => "open-configuration",
        }
    }
}

impl FromStr for LauncherAction {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|action| action.name() == name)
            .ok_or_else(|| "no such action".to_owned())
    }
}
