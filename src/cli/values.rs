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
}
