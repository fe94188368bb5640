//! Files of environment variables, written as docker's `--env-file` takes them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use anyhow::{Context, bail};

use crate::ui::text;

/// The variables that a file sets; none if its name begins with `-` and it is not there, as in
/// EnvironmentFile= of systemd.exec(5).
///
/// # Errors
/// When it cannot be read, or has a line that is no variable.
pub fn read(path: &Path) -> anyhow::Result<Vec<(OsString, OsString)>> {
    let (path, is_optional) = match path.as_os_str().as_bytes() {
        [b'-', rest @ ..] => (Path::new(OsStr::from_bytes(rest)), true),
        _ => (path, false),
    };
    let shown = text::path(path);
    let bytes = match fs::read(path) {
        Err(error) if is_optional && error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(|| format!("cannot read the env file {shown}"))?,
    };
    parse(&bytes).with_context(|| format!("in the env file {shown}"))
}

/// A line is `KEY=VALUE`, taken as it is, without quotes or expansion; or `KEY` alone, which
/// keeps what the environment has; or a comment after `#`; or empty.
fn parse(bytes: &[u8]) -> anyhow::Result<Vec<(OsString, OsString)>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut variables = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let mut parts = line.splitn(2, |byte| *byte == b'=');
        let key = parts.next().unwrap_or_default();
        if key.is_empty() || key.iter().any(u8::is_ascii_whitespace) || line.contains(&0) {
            bail!("line {} is no KEY=VALUE", index + 1);
        }
        if let Some(value) = parts.next() {
            variables.push((OsString::from_vec(key.to_vec()), OsString::from_vec(value.to_vec())));
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_as_they_are() {
        let text = b"\xef\xbb\xbf# comment\nA=1\r\n\n  B='two words' # x\nC=\nKEPT\nD=a=b";
        let variables = parse(text).unwrap();
        let variables: Vec<_> =
            variables.iter().map(|(k, v)| (k.to_str().unwrap(), v.to_str().unwrap())).collect();
        assert_eq!(variables, [("A", "1"), ("B", "'two words' # x"), ("C", ""), ("D", "a=b")]);
    }

    #[test]
    fn what_is_no_variable_is_named_by_its_line() {
        for text in ["A=1\nno good\n", "A=1\n=x", "A=1\nB=\0"] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().to_string(), "line 2 is no KEY=VALUE");
        }
    }
}
