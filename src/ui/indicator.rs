//! The terminal's own indicator, in its tab or the taskbar: how far something has come, or that
//! something is wrong. Neither the cursor nor the text is touched, so it is for times when a program
//! has the terminal, too; and what it shows does not scroll away.
//!
//! The sequence is ConEmu's (OSC 9;4, <https://conemu.github.io/en/AnsiEscapeCodes.html>). Elsewhere
//! OSC 9 is a notification, so it is written only where it is known to be taken.

/// What is indicated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Indication {
    /// All is well, and nothing goes on.
    #[default]
    Nothing,
    /// Something goes on, of which so many hundredths are done, where the whole is known.
    Working(Option<u8>),
    /// A build or a program has failed.
    Wrong,
}

impl Indication {
    /// What has the terminal show it.
    pub(super) fn sequence(self) -> String {
        let (state, percent) = match self {
            Self::Nothing => (0, 0),
            Self::Working(Some(percent)) => (1, percent),
            Self::Wrong => (2, 100),
            Self::Working(None) => (3, 0),
        };
        format!("\x1b]9;4;{state};{percent}\x1b\\")
    }
}

/// Whether the terminal takes it, by the environment, as cargo decides that. One within tmux or
/// screen is theirs, whatever variables it has of the terminal around.
pub(super) fn is_taken(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, value: &str| variable(name).is_some_and(|it| it == value);
    let terminal = variable("TERM").unwrap_or_default();
    if terminal == "dumb" || terminal.starts_with("screen") || terminal.starts_with("tmux") {
        return false;
    }
    variable("WT_SESSION").is_some()
        || is("ConEmuANSI", "ON")
        || is("TERM_PROGRAM", "WezTerm")
        || is("TERM_PROGRAM", "ghostty")
        || terminal == "xterm-ghostty"
        // Only its newer versions, which say so.
        || is("TERM_PROGRAM", "iTerm.app")
            && variable("TERM_FEATURES").is_some_and(|features| has_progress(&features))
}

/// Whether there is a `P` among the features, each of which is a capital with what follows
/// (<https://iterm2.com/feature-reporting/>).
fn has_progress(features: &str) -> bool {
    let goes_on = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    features.match_indices('P').any(|(place, _)| !features[place + 1..].starts_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_sequence() {
        let cases = [
            (Indication::Nothing, "\x1b]9;4;0;0\x1b\\"),
            (Indication::Working(Some(7)), "\x1b]9;4;1;7\x1b\\"),
            (Indication::Wrong, "\x1b]9;4;2;100\x1b\\"),
            (Indication::Working(None), "\x1b]9;4;3;0\x1b\\"),
        ];
        for (indication, sequence) in cases {
            assert_eq!(indication.sequence(), sequence);
        }
    }

    #[test]
    fn terminals_are_known_by_their_variables() {
        let is_taken = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(it, _)| *it == name);
            super::is_taken(|name| find(name).map(|(_, value)| (*value).to_owned()))
        };
        assert!(is_taken(&[("WT_SESSION", "0a"), ("TERM", "xterm-256color")]));
        assert!(is_taken(&[("ConEmuANSI", "ON")]));
        assert!(is_taken(&[("TERM_PROGRAM", "WezTerm")]));
        assert!(is_taken(&[("TERM_PROGRAM", "ghostty")]));
        assert!(is_taken(&[("TERM", "xterm-ghostty")]));
        assert!(is_taken(&[("TERM_PROGRAM", "iTerm.app"), ("TERM_FEATURES", "T2CwBPUw")]));
        assert!(is_taken(&[("TERM_PROGRAM", "iTerm.app"), ("TERM_FEATURES", "CwP")]));
        assert!(!is_taken(&[("TERM_PROGRAM", "iTerm.app"), ("TERM_FEATURES", "T2PxUw")]));
        assert!(!is_taken(&[("TERM_PROGRAM", "iTerm.app")]));
        assert!(!is_taken(&[("TERM", "xterm-256color")]));
        assert!(!is_taken(&[("ConEmuANSI", "OFF")]));
        assert!(!is_taken(&[("WT_SESSION", "0a"), ("TERM", "tmux-256color")]));
        assert!(!is_taken(&[("WT_SESSION", "0a"), ("TERM", "screen")]));
        assert!(!is_taken(&[("WT_SESSION", "0a"), ("TERM", "dumb")]));
        assert!(!is_taken(&[]));
    }
}
