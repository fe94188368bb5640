//! Values as text for people: paths, commands, durations, sizes, counts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// A path that is safe to print on a terminal and to keep on one line: control characters and
/// bytes that are not UTF-8 are escaped. The empty path is the working directory.
pub fn path(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() { ".".into() } else { escape(bytes) }
}

fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                // Also what reorders text on a terminal (Unicode's bidirectional controls).
                '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    text.extend(character.escape_unicode());
                }
                _ if character.is_control() => text.extend(character.escape_default()),
                _ => text.push(character),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// A command as one could type it, quoted where needed.
pub fn command(words: &[OsString]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+~".contains(c);
    let quoted = words.iter().map(|word| {
        let word = escape(word.as_bytes());
        match !word.is_empty() && word.chars().all(is_plain) {
            true => word,
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// A duration to two or three digits: `340µs`, `12ms`, `1.2s`, `95s`.
pub fn duration(duration: Duration) -> String {
    match duration.as_micros() {
        micros @ 0..1_000 => format!("{micros}µs"),
        micros @ 1_000..999_500 => format!("{}ms", (micros + 500) / 1_000),
        micros @ ..9_950_000 => {
            let tenths = (micros + 50_000) / 100_000;
            match tenths % 10 {
                0 => format!("{}s", tenths / 10),
                rest => format!("{}.{rest}s", tenths / 10),
            }
        }
        micros => format!("{}s", (micros + 500_000) / 1_000_000),
    }
}

/// A count with what is counted, `1 file` or `12,345 files`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number as u64))
}

/// A number with its thousands separated.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in the largest binary unit that leaves a number above 1.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let exponent = size.ilog2() / 10;
    let value = size as f64 / f64::from(2_u32.pow(10)).powi(exponent as i32);
    format!("{value:.1} {}", UNITS[exponent as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn a_path_can_neither_break_a_line_nor_drive_a_terminal() {
        let nasty = Path::new(OsStr::from_bytes(b"a\nb\x1b[31m\xff\xe2\x80\xaeend"));
        assert_eq!(path(nasty), r"a\nb\u{1b}[31m\xff\u{202e}end");
        assert_eq!(path(Path::new("")), ".");
        assert_eq!(path(Path::new("grün/naïve.py")), "grün/naïve.py");
    }

    #[test]
    fn a_command_is_quoted_where_needed() {
        let words = ["sh", "-c", "echo 'a b'", ""].map(OsString::from);
        assert_eq!(command(&words), r"sh -c 'echo '\''a b'\''' ''");
    }

    #[test]
    fn durations_are_short() {
        let cases = [(340, "340µs"), (12_400, "12ms"), (999_700, "1s"), (1_250_000, "1.3s")];
        for (micros, text) in cases {
            assert_eq!(duration(Duration::from_micros(micros)), text);
        }
        assert_eq!(duration(Duration::from_secs(95)), "95s");
    }

    #[test]
    fn counts_and_sizes_are_readable() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(12_345, "file"), "12,345 files");
        assert_eq!(grouped(999), "999");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }
}
