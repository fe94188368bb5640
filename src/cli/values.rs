//! Values of options, read from what was typed.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(10);

/// A time with its unit, up to a day.
pub fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let duration = match humantime::parse_duration(text) {
        Ok(duration) => duration,
        Err(humantime::DurationError::UnknownUnit { unit, .. }) if unit.is_empty() => {
            return Err(format!("it needs a unit; write {text}ms or {text}s"));
        }
        Err(error) => return Err(format!("{error}; write for example 500ms or 2s")),
    };
    if duration > LONGEST {
        return Err("it is longer than a day".into());
    }
    Ok(duration)
}

/// A percentage as thousandths.
pub fn thousandths(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.1..=100.0).contains(&percent) => Ok((percent * 10.0).round() as u32),
        Ok(_) => Err("it is not between 0.1% and 100%".into()),
        Err(_) => Err("it is no percentage; write for example 2% or 0.5%".into()),
    }
}

/// A time between looks.
pub fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST {
        return Err("looking more often than every 10ms leaves no time for the program".into());
    }
    Ok(interval)
}

/// A time within which a program has to do something.
pub fn period(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        period if period < SHORTEST => Err("no program can be held to less than 10ms".into()),
        period => Ok(period),
    }
}

/// A number of bytes with its unit; `none` is more than there are.
pub fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("b", 1),
        ("kb", 1000),
        ("kib", 1 << 10),
        ("mb", 1_000_000),
        ("mib", 1 << 20),
        ("gb", 1_000_000_000),
        ("gib", 1 << 30),
    ];
    if text == "none" {
        return Ok(u64::MAX);
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
    let number = number.parse::<u64>().ok();
    let size = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    size.ok_or_else(|| "it is no size; write for example 64MiB, or none".into())
}

/// A variable with its value.
pub fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        _ => Err("it is no NAME=VALUE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_want_a_unit_and_sense() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(duration("5").unwrap_err().contains("5s"));
        assert!(duration("soon").unwrap_err().contains("for example 500ms"));
        assert!(duration("3days").is_err());
        assert!(interval("1ms").is_err());
        assert!(period("1ms").is_err() && period("10ms").is_ok());
    }

    #[test]
    fn a_budget_is_a_percentage() {
        assert_eq!(
            [thousandths("2%"), thousandths("0.5"), thousandths("100 %")],
            [Ok(20), Ok(5), Ok(1000)]
        );
        assert!(thousandths("0%").unwrap_err().contains("0.1%"));
        assert!(thousandths("much").unwrap_err().contains("for example"));
        assert!(thousandths("NaN").is_err());
    }

    #[test]
    fn a_size_has_a_unit_or_counts_bytes() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("2 kB"), Ok(2000));
        assert_eq!(size("7"), Ok(7));
        assert_eq!(size("none"), Ok(u64::MAX));
        for text in ["", "MiB", "64 MiX", "-1", "99999999999GiB"] {
            assert!(size(text).unwrap_err().contains("64MiB"), "{text}");
        }
    }

    #[test]
    fn a_variable_has_a_name() {
        assert_eq!(variable("A=b=c").as_deref(), Ok("A=b=c"));
        assert!(variable("=b").is_err() && variable("A").is_err() && variable("A B=c").is_err());
    }
}
