//! The pace: how often would be looked, what that costs, and how soon an edit is seen. Pure.

use std::time::Duration;

use serde::Serialize;

use super::facts::{Facts, Mount, Seconds};
use super::findings::{Finding, Level, finding, number_of};
use crate::ui::text;
use crate::watch::{Cadence, HotSet, Interval, Mode, SAFETY_NET};

/// Looks that come less often than this feel like none.
const SLOW: Duration = Duration::from_secs(2);

/// How much of one core looking may take before it is worth a word.
const DEAR: f64 = 25.0;

/// How soon an edit is seen, and how often is looked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Whether native events tell of it, as far as is known before the first one.
    pub by_events: bool,
    /// The time between looks.
    #[serde(rename = "interval_seconds")]
    pub interval: Seconds,
    /// The longest that an edit takes to be seen where edits were made lately.
    #[serde(rename = "edited_lately_seconds")]
    pub lately: Seconds,
    /// The longest that it takes anywhere else.
    #[serde(rename = "elsewhere_seconds")]
    pub elsewhere: Seconds,
}

/// How often is looked, and what that costs.
pub(super) struct Pace {
    interval: Duration,
    cpu: Duration,
    look: Duration,
    is_fixed: bool,
}

impl Pace {
    pub(super) fn of(facts: &Facts) -> Self {
        let chosen = facts.chosen.interval();
        let mut cadence = Cadence::new(chosen);
        cadence.looked(facts.looking.cpu.0);
        Self {
            interval: match facts.chosen.mode() {
                Mode::Native if matches!(chosen, Interval::Budget(_)) => SAFETY_NET,
                _ => cadence.interval(),
            },
            cpu: facts.looking.cpu.0,
            look: facts.looking.look.0,
            is_fixed: matches!(chosen, Interval::Fixed(_)),
        }
    }

    /// Of one core.
    pub(super) fn percent(&self) -> f64 {
        // Between two looks there is half an interval of rest at least.
        let between = self.interval.max(self.look + self.interval / 2);
        self.cpu.as_secs_f64() / between.as_secs_f64() * 100.0
    }

    pub(super) fn seen(&self, mount: &Mount, facts: &Facts) -> Seen {
        let mode = facts.chosen.mode();
        let is_heard = facts.events.errno.is_none();
        let by_events = mount.local && mode != Mode::Poll && is_heard;
        let elsewhere = if by_events { Duration::ZERO } else { self.interval + self.look };
        let directory = |all: Duration| all / u32::try_from(mount.directories.max(1)).unwrap_or(1);
        let mut hot = HotSet::default();
        hot.looked(directory(self.cpu));
        let hot = hot.rest() + directory(mount.look.0);
        let is_hot = !self.is_fixed && mode != Mode::Native;
        Seen {
            by_events,
            interval: Seconds(self.interval),
            lately: Seconds(if is_hot { hot.min(elsewhere) } else { elsewhere }),
            elsewhere: Seconds(elsewhere),
        }
    }

    pub(super) fn finding(&self, facts: &Facts) -> Finding {
        let files: usize = facts.mounts.iter().map(|mount| mount.files).sum();
        let directories = facts.mounts.iter().map(|mount| mount.directories).sum();
        let percent = self.percent();
        let mut line = format!(
            "{} in {}: a look takes {}, and comes every {}, for {percent:.1} % of one core",
            text::count(files, "file"),
            number_of(directories),
            text::duration(self.look),
            text::duration(self.interval),
        );
        let is_trusting = !self.is_fixed && facts.chosen.mode() == Mode::Auto;
        if is_trusting
            && facts.mounts.iter().all(|mount| mount.local)
            && facts.events.errno.is_none()
        {
            line += &format!(", or {} once events are trusted", text::duration(SAFETY_NET));
        }
        let budget = facts.chosen.cpu_budget_thousandths.filter(|_| !self.is_fixed);
        let is_over = budget.is_some_and(|most| percent > f64::from(most) / 10.0 * 1.1);
        let advice = "watch less, by -w or -i, or with -e only some kinds of files";
        match facts.chosen.mode() {
            _ if is_over || percent > DEAR => finding(Level::Warn, "looking", line).advise(advice),
            Mode::Auto | Mode::Poll if self.interval > SLOW && !self.is_fixed => {
                let advice = format!("{advice}; or allow more by --cpu-budget");
                finding(Level::Warn, "looking", line).advise(advice)
            }
            _ => finding(Level::Ok, "looking", line),
        }
    }
}
