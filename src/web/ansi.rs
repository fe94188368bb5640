//! The colours of a terminal (ECMA-48, "select graphic rendition"), as classes for a style sheet.
//! Pure.

/// Text of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The text, without control sequences.
    pub text: String,
    /// Classes: `b` bold, `d` faint, `i` italic, `u` underlined, `f0` to `f15` the colour of the
    /// text and `k0` to `k15` that behind it.
    pub class: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    faint: bool,
    italic: bool,
    underlined: bool,
    swapped: bool,
    text: Option<u8>,
    behind: Option<u8>,
}

/// The spans of a line. Control sequences that are no colours are left out.
pub fn spans(line: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let (mut look, mut text) = (Look::default(), String::new());
    let mut rest = line.chars().peekable();
    let mut close = |text: &mut String, look: Look| {
        if !text.is_empty() {
            spans.push(Span { text: std::mem::take(text), class: look.class() });
        }
    };
    while let Some(character) = rest.next() {
        match (character, rest.peek()) {
            ('\u{1b}', Some('[')) | ('\u{9b}', _) => {
                if character == '\u{1b}' {
                    rest.next();
                }
                // Parameter and intermediate bytes, then a final one.
                let mut parameters = String::new();
                let mut last = None;
                for next in rest.by_ref() {
                    if ('\u{40}'..='\u{7e}').contains(&next) {
                        last = Some(next);
                        break;
                    }
                    parameters.push(next);
                }
                if last == Some('m') {
                    let before = look;
                    look.select(&parameters);
                    if look != before {
                        close(&mut text, before);
                    }
                }
            }
            // A string of the operating system's, a window's title or a link for example, up to BEL
            // or ST.
            ('\u{1b}', Some(']' | 'P' | '_' | '^' | 'X')) => {
                rest.next();
                while let Some(next) = rest.next() {
                    if next == '\u{7}' || (next == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                        break;
                    }
                }
            }
            // Intermediate bytes, then a final one: the choice of a character set, for example.
            ('\u{1b}', Some(_)) => {
                while rest.next_if(|next| ('\u{20}'..='\u{2f}').contains(next)).is_some() {}
                rest.next();
            }
            ('\t', _) => text.push('\t'),
            (control, _) if control.is_control() => {}
            (other, _) => text.push(other),
        }
    }
    close(&mut text, look);
    spans
}

impl Look {
    fn select(&mut self, parameters: &str) {
        let mut codes = parameters.split([';', ':']).map(|code| code.parse().unwrap_or(0u16));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                3 => self.italic = true,
                4 => self.underlined = true,
                7 => self.swapped = true,
                22 => (self.bold, self.faint) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                27 => self.swapped = false,
                30..=37 => self.text = u8::try_from(code - 30).ok(),
                38 => self.text = extended(&mut codes),
                39 => self.text = None,
                40..=47 => self.behind = u8::try_from(code - 40).ok(),
                48 => self.behind = extended(&mut codes),
                49 => self.behind = None,
                90..=97 => self.text = u8::try_from(code - 82).ok(),
                100..=107 => self.behind = u8::try_from(code - 92).ok(),
                _ => {}
            }
        }
    }

    fn class(self) -> String {
        let (text, behind) = match self.swapped {
            true => (self.behind.or(Some(0)), self.text.or(Some(7))),
            false => (self.text, self.behind),
        };
        let flags = [(self.bold, "b"), (self.faint, "d"), (self.italic, "i")];
        let flags = flags.into_iter().chain([(self.underlined, "u")]);
        let flags = flags.filter(|(is_set, _)| *is_set).map(|(_, class)| class.to_owned());
        let colours = [text.map(|n| format!("f{n}")), behind.map(|n| format!("k{n}"))];
        flags.chain(colours.into_iter().flatten()).collect::<Vec<_>>().join(" ")
    }
}

/// One of 256 colours or of all, as the nearest of the sixteen that have a class.
fn extended(codes: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match codes.next()? {
        5 => match codes.next()? {
            code @ 0..=15 => u8::try_from(code).ok(),
            code @ 16..=231 => {
                let level = |step: u16| (step * 51).min(255);
                let code = code - 16;
                Some(nearest([level(code / 36), level(code / 6 % 6), level(code % 6)]))
            }
            code => {
                let grey = (code.min(255) - 232) * 10 + 8;
                Some(nearest([grey; 3]))
            }
        },
        2 => {
            let mut part = || codes.next().map(|part| part.min(255));
            Some(nearest([part()?, part()?, part()?]))
        }
        _ => None,
    }
}

/// A bit for each of red, green and blue, and one for bright.
fn nearest([red, green, blue]: [u16; 3]) -> u8 {
    let strongest = red.max(green).max(blue);
    let is_on = |part: u16, bit: u8| if strongest > 40 && part * 2 > strongest { bit } else { 0 };
    let bright = if strongest > 200 { 8 } else { 0 };
    match is_on(red, 1) | is_on(green, 2) | is_on(blue, 4) {
        0 => 8,
        7 if strongest < 140 => 8,
        colour => colour | bright,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Vec<(String, String)> {
        spans(line).into_iter().map(|span| (span.text, span.class)).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = expected.iter().map(|(text, class)| ((*text).into(), (*class).into()));
        pairs.collect()
    }

    #[test]
    fn what_cargo_writes() {
        let line = "\u{1b}[0m\u{1b}[1m\u{1b}[38;5;9merror\u{1b}[0m\u{1b}[1m: no\u{1b}[0m";
        assert_eq!(shown(line), pairs(&[("error", "b f9"), (": no", "b")]));
    }

    #[test]
    fn colours_behind_swapped_and_of_all_kinds() {
        assert_eq!(shown("\u{1b}[7mx"), pairs(&[("x", "f0 k7")]));
        assert_eq!(shown("\u{1b}[31;44;4mx"), pairs(&[("x", "u f1 k4")]));
        assert_eq!(shown("\u{1b}[38;2;255;0;0mx\u{1b}[39my"), pairs(&[("x", "f9"), ("y", "")]));
        assert_eq!(shown("\u{1b}[95mx"), pairs(&[("x", "f13")]));
        assert_eq!(shown("\u{1b}[38;5;240mx"), pairs(&[("x", "f8")]));
    }

    #[test]
    fn what_is_no_colour_is_left_out() {
        let link = "a\u{1b}]8;;http://x\u{1b}\\b\u{1b}]0;t\u{7}c\u{1b}[2Kd\u{1b}(Be\r\u{8}";
        let text: String = shown(link).into_iter().map(|(text, _)| text).collect();
        assert_eq!(text, "abcde");
        for broken in ["\u{1b}", "\u{1b}[", "\u{1b}[38;5", "\u{1b}[38;2;1m", "\u{1b}]", "\u{9b}"] {
            assert_eq!(shown(broken), pairs(&[]), "{broken:?}");
        }
        assert_eq!(shown("\u{1b}[999999999999mx"), pairs(&[("x", "")]));
    }
}
