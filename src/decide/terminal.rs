//! The terminal in which a new session opens: its program, with the option after which it takes a command as arguments.

use tr::tr;

/// A terminal by its program, the words after which it takes a command, and the desktop that it belongs to.
type Terminal = (&'static str, &'static [&'static str], &'static str);

/// In order of preference. Terminals that pass a command to a shell, as terminology does, are left out.
const TERMINALS: [Terminal; 22] = [
    ("xdg-terminal-exec", &[], ""),
    // Debian's alternatives understand it, some by a wrapper (Debian policy, 11.8.3).
    ("x-terminal-emulator", &["-e"], ""),
    // It replaces `$NAME` in arguments.
    ("konsole", &["-e"], "KDE"),
    ("ptyxis", &["--"], "GNOME"),
    ("kgx", &["--"], "GNOME"),
    ("gnome-terminal", &["--"], "GNOME"),
    ("xfce4-terminal", &["-x"], "XFCE"),
    ("mate-terminal", &["-x"], "MATE"),
    ("qterminal", &["-e"], "LXQt"),
    ("lxterminal", &["-e"], "LXDE"),
    ("tilix", &["-e"], "Budgie"),
    ("deepin-terminal", &["-e"], "Deepin"),
    ("terminator", &["-x"], ""),
    ("ghostty", &["-e"], ""),
    ("kitty", &[], ""),
    ("alacritty", &["-e"], ""),
    ("wezterm", &["start", "--"], ""),
    ("foot", &[], ""),
    ("rxvt", &["-e"], ""),
    ("urxvt", &["-e"], ""),
    ("st", &["-e"], ""),
    ("xterm", &["-e"], ""),
];

/// The wishes of the user and the desktop: commands as words, empty if there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The setting `terminal`.
    pub setting: Vec<String>,
    /// The terminal that was chosen in the settings of the desktop.
    pub chosen: Vec<String>,
    /// `$TERMINAL`.
    pub variable: Vec<String>,
    /// The names in `$XDG_CURRENT_DESKTOP`.
    pub desktops: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTerminal {
    #[error("{}", tr!("the terminal {program} in the configuration is not installed", program = .0))]
    NotInstalled(String),
    #[error("{}", tr!("no terminal is installed that muxtray knows"))]
    Unknown,
}

/// Returns the words before the command that runs in the terminal.
///
/// # Errors
/// The setting names a program that is not installed, or none that is known is installed.
pub fn terminal(
    wishes: &Wishes,
    is_installed: impl Fn(&str) -> bool,
) -> Result<Vec<String>, NoTerminal> {
    let installed = |words: &[String]| words.first().is_some_and(|program| is_installed(program));
    if let Some(program) = wishes.setting.first() {
        return match installed(&wishes.setting) {
            true => Ok(completed(&wishes.setting)),
            false => Err(NoTerminal::NotInstalled(program.clone())),
        };
    }
    let standard = TERMINALS[..1].iter();
    let of_desktop = TERMINALS
        .iter()
        .filter(|(.., desktop)| wishes.desktops.iter().any(|name| name == desktop));
    let program = |(program, ..): &Terminal| vec![(*program).to_owned()];
    let wanted = standard
        .map(program)
        .chain([wishes.chosen.clone(), wishes.variable.clone()])
        .chain(of_desktop.chain(&TERMINALS).map(program))
        .find(|words| installed(words));
    wanted.map_or(Err(NoTerminal::Unknown), |words| Ok(completed(&words)))
}

/// Adds the option of the terminal to a program without arguments. An unknown one understands `-e` as xterm does.
fn completed(words: &[String]) -> Vec<String> {
    let [program] = words else {
        return words.to_vec();
    };
    let option = option_of(program)
        .unwrap_or(&["-e"])
        .iter()
        .map(|word| (*word).to_owned());
    std::iter::once(program.clone()).chain(option).collect()
}

/// Whether muxtray knows how this program takes a command.
pub fn is_known_terminal(program: &str) -> bool {
    option_of(program).is_some()
}

fn option_of(program: &str) -> Option<&'static [&'static str]> {
    let name = program.rsplit('/').next();
    let known = TERMINALS.iter().find(|(known, ..)| Some(*known) == name);
    known.map(|(_, option, _)| *option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_setting_comes_first_and_the_list_last() {
        const ALL: &str = "kitty foot xterm konsole xfce4-terminal x-terminal-emulator /opt/term";
        let with_standard = format!("{ALL} xdg-terminal-exec");
        // The setting, the desktop's choice, $TERMINAL, the desktops, the installed programs, and the result.
        for (setting, chosen, variable, desktops, installed, terminal) in [
            ("foot", "konsole", "kitty", "KDE", &*with_standard, "foot"),
            ("xterm -hold -e", "", "", "", ALL, "xterm -hold -e"),
            ("/opt/term", "", "", "", ALL, "/opt/term -e"),
            (
                "",
                "konsole",
                "kitty",
                "KDE",
                &with_standard,
                "xdg-terminal-exec",
            ),
            (
                "",
                "xfce4-terminal",
                "kitty",
                "XFCE",
                ALL,
                "xfce4-terminal -x",
            ),
            ("", "gone", "kitty", "XFCE", ALL, "kitty"),
            ("", "", "xterm -fs 14 -e", "XFCE", ALL, "xterm -fs 14 -e"),
            ("", "", "gone", "ubuntu KDE", ALL, "konsole -e"),
            ("", "", "", "", ALL, "x-terminal-emulator -e"),
            ("", "", "", "KDE", "wezterm xterm", "wezterm start --"),
            ("", "", "", "", "gnome-terminal", "gnome-terminal --"),
        ] {
            let wishes = Wishes {
                setting: words(setting),
                chosen: words(chosen),
                variable: words(variable),
                desktops: words(desktops),
            };
            let is_installed = |program: &str| words(installed).iter().any(|one| one == program);
            assert_eq!(
                super::terminal(&wishes, is_installed),
                Ok(words(terminal)),
                "{wishes:?}"
            );
        }
    }

    #[test]
    fn a_missing_terminal_is_named() {
        let wishes = |setting| Wishes {
            setting: words(setting),
            ..Wishes::default()
        };
        for (wishes, error) in [
            (
                wishes("gone -e"),
                NoTerminal::NotInstalled("gone".to_owned()),
            ),
            (wishes(""), NoTerminal::Unknown),
        ] {
            assert_eq!(terminal(&wishes, |_| false), Err(error));
        }
    }
}
