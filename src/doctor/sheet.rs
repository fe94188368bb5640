//! The sheet: a report as people read it, a table of mounts and a line for each finding.

use std::fmt::Write as _;
use std::time::Duration;

use super::facts::{Events, Mount, NameTimes, Seconds};
use super::findings::{Finding, Level, Report};
use super::pace::Seen;
use crate::ui::{Tone, text};

/// The columns of the table, and whether they are numbers.
const COLUMNS: [(&str, bool); 10] = [
    ("on", false),
    ("type", false),
    ("files", true),
    ("events", false),
    ("inodes", false),
    ("names by", false),
    ("times", true),
    ("stat", true),
    ("a look", true),
    ("an edit is seen", false),
];

/// The report as text, with colours or without.
pub fn sheet(report: &Report, colour: bool) -> String {
    let mut text = String::new();
    if !report.facts.mounts.is_empty() {
        text += &table(report, colour);
        text.push('\n');
    }
    for Finding { level, topic, text: found, advice } in &report.findings {
        let (mark, tone) = match level {
            Level::Ok => ("ok  ", Tone::Good),
            Level::Warn => ("warn", Tone::Doubtful),
            Level::Fail => ("FAIL", Tone::Wrong),
        };
        let mark = tone.paint(mark, colour);
        _ = writeln!(text, "{mark}  {}  {found}", Tone::Faint.paint(&format!("{topic:8}"), colour));
        if let Some(advice) = advice {
            _ = writeln!(text, "{:16}→ {advice}", "");
        }
    }
    text
}

fn table(report: &Report, colour: bool) -> String {
    let head = COLUMNS.map(|(name, _)| name.to_owned());
    let rows = report.facts.mounts.iter().zip(&report.seen);
    let rows = rows.map(|(mount, seen)| row(mount, *seen, &report.facts.events));
    let rows: Vec<[String; COLUMNS.len()]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(COLUMNS).enumerate().map(|(column, (cell, (_, is_number)))| {
            let width = width(column).unwrap_or_default();
            match is_number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let tone = if number == 0 { Tone::Faint } else { Tone::Plain };
        _ = writeln!(text, "{}", tone.paint(line.trim_end(), colour));
    }
    text
}

fn row(mount: &Mount, seen: Seen, events: &Events) -> [String; COLUMNS.len()] {
    let time = |time: &Option<Seconds>| time.map_or_else(|| "?".to_owned(), |time| short(time.0));
    let yes = |is: bool, yes: &str, no: &str| if is { yes } else { no }.to_owned();
    [
        mount.path.clone(),
        mount.kind.clone(),
        text::grouped(mount.files as u64),
        expected(mount.local, events).to_owned(),
        yes(mount.inodes_last, "last", "change"),
        yes(mount.directory_times == NameTimes::ReliedUpon, "time", "listing"),
        time(&mount.time_steps),
        time(&mount.stat_uncached.or(mount.stat)),
        short(mount.look.0),
        within(seen),
    ]
}

/// Which events can be expected: where a limit is in the way, that is of all mounts together.
fn expected(is_local: bool, events: &Events) -> &'static str {
    match *events {
        _ if !is_local => "none",
        Events { wanted: 0, .. } => "unasked",
        Events { errno: Some(_), watched: 0, .. } => "refused",
        Events { errno: Some(_), .. } => "some",
        _ => "expected",
    }
}

fn within(seen: Seen) -> String {
    match seen {
        Seen { by_events: true, .. } => "at once".to_owned(),
        Seen { lately, elsewhere, .. } if lately == elsewhere => {
            format!("within {}", short(elsewhere.0))
        }
        Seen { lately, elsewhere, .. } => {
            format!("within {}, or {} where edited lately", short(elsewhere.0), short(lately.0))
        }
    }
}

/// A duration that may be below a microsecond.
fn short(time: Duration) -> String {
    match time.as_nanos() {
        nanos @ 1..1_000 => format!("{nanos}ns"),
        _ => text::duration(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_expected_only_where_they_can_be_had() {
        let of = |wanted, watched, errno| Events { wanted, watched, errno, ..Events::default() };
        let limit = Some(libc::ENOSPC);
        for (is_local, events, word) in [
            (true, of(31, 31, None), "expected"),
            (true, of(31, 0, limit), "refused"),
            (true, of(31, 30, limit), "some"),
            (true, of(0, 0, None), "unasked"),
            (false, of(31, 31, None), "none"),
        ] {
            assert_eq!(expected(is_local, &events), word);
        }
    }
}
