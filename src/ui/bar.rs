//! How something that takes long looks in one line, of whatever width: a bar where the whole is
//! known, otherwise a count. indicatif makes it, and writes nothing itself: it would do that from
//! threads of its own, between the lines of others.

use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::{
    HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike,
};

use super::text;

/// How far something has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The same in words.
    pub words: String,
    /// So much of so much, where that is known.
    pub part: Option<(usize, usize)>,
}

impl Reached {
    /// In hundredths, where the whole is known.
    pub(super) fn percent(&self) -> Option<u8> {
        let (done, all) = self.part?;
        u8::try_from((done.min(all) * 100).checked_div(all)?).ok()
    }
}

/// How far looking at a tree has come, in so much time: files that were found, and of these read.
pub fn looking(found: usize, read: usize, since: Instant) -> Reached {
    match read {
        0 => {
            let (files, seconds) = (text::count(found, "file"), since.elapsed().as_secs());
            let words = format!("looking at the tree: {files} so far ({seconds}s)");
            Reached { words, part: None }
        }
        read => reading(read, found),
    }
}

/// How far reading the files of a tree has come.
pub fn reading(read: usize, files: usize) -> Reached {
    // Some are read once more.
    let read = read.min(files);
    let words =
        format!("reading: {} of {}", text::grouped(read as u64), text::count(files, "file"));
    Reached { words, part: Some((read, files)) }
}

/// A line that is drawn again and again.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    page: Page,
    /// Columns that the prefix takes.
    indent: usize,
}

/// Wider it is not easier to read.
const WIDEST: u16 = 100;

/// Columns of a bar that is worth drawing, with what is beside it.
const BAR: usize = 10 + " [] 100%, 59m left".len();

impl Bar {
    /// A line that begins with this, which may have colours and is so wide without.
    pub(super) fn new(prefix: String, indent: usize) -> Self {
        let page = Page::default();
        let target = ProgressDrawTarget::term_like(Box::new(page.clone()));
        let bar = ProgressBar::with_draw_target(None, target).with_prefix(prefix);
        Self { bar, page, indent }
    }

    /// The line for a terminal of so many columns.
    pub(super) fn line(&self, reached: &Reached, columns: u16) -> String {
        // The last column stays free: in it, some terminals break the line.
        let width = columns.saturating_sub(1).clamp(1, WIDEST);
        self.page.text().columns = width;
        let room = usize::from(width).saturating_sub(self.indent + 1 + reached.words.len());
        let words = match (reached.part, reached.percent()) {
            (Some(_), Some(percent)) if room < BAR => format!("{} ({percent}%)", reached.words),
            _ => reached.words.clone(),
        };
        self.bar.set_style(if reached.part.is_some() && room >= BAR {
            with_bar()
        } else {
            plain()
        });
        self.bar.set_message(words);
        match (reached.part, self.bar.length()) {
            (None, None) => {}
            (None, Some(_)) => self.bar.unset_length(),
            (Some((done, all)), before) => {
                self.bar.set_length(all as u64);
                self.bar.set_position(done as u64);
                if before.is_none() {
                    // What came before went at another pace.
                    self.bar.tick();
                    self.bar.reset_eta();
                }
            }
        }
        self.page.text().line.clear();
        self.bar.tick();
        std::mem::take(&mut self.page.text().line).trim_end().to_owned()
    }
}

fn plain() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_msg}").expect("a template")
}

fn with_bar() -> ProgressStyle {
    let style = ProgressStyle::with_template("{prefix} {msg} [{wide_bar}] {hundredths}%{left}");
    // At first it is not known. It always takes the same room, or else the bar would jump.
    let left = |state: &ProgressState, words: &mut dyn Write| {
        let left = state.eta();
        let left = (left.as_secs() > 0).then(|| format!(", {:#} left", HumanDuration(left)));
        _ = write!(words, "{:<10}", left.unwrap_or_default());
    };
    // As the terminal's own indicator has it: not 100 before all is done.
    let hundredths = |state: &ProgressState, words: &mut dyn Write| {
        let percent = (state.pos() * 100).checked_div(state.len().unwrap_or_default());
        _ = write!(words, "{:>3}", percent.unwrap_or(100));
    };
    let style = style.expect("a template").progress_chars("=> ");
    style.with_key("left", left).with_key("hundredths", hundredths)
}

/// Where indicatif draws.
#[derive(Clone, Debug, Default)]
struct Page(Arc<Mutex<Text>>);

#[derive(Debug, Default)]
struct Text {
    line: String,
    columns: u16,
}

impl Page {
    fn text(&self) -> MutexGuard<'_, Text> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is one line, so the cursor has nowhere to go.
impl TermLike for Page {
    fn width(&self) -> u16 {
        self.text().columns
    }

    fn height(&self) -> u16 {
        u16::MAX
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.text().line.push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.text().line.clear();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar() -> Bar {
        Bar::new("stakeout:".into(), 9)
    }

    #[test]
    fn looking_is_counted_and_then_reading() {
        let since = Instant::now();
        let found = looking(1234, 0, since);
        assert_eq!(found.words, "looking at the tree: 1,234 files so far (0s)");
        assert_eq!((found.part, found.percent()), (None, None));
        let read = looking(1234, 1000, since);
        assert_eq!(read.words, "reading: 1,000 of 1,234 files");
        assert_eq!((read.part, read.percent()), (Some((1000, 1234)), Some(81)));
        assert_eq!(reading(5, 0).percent(), None);
        assert_eq!(reading(5, 4).percent(), Some(100), "one was read twice");
    }

    #[test]
    fn what_is_known_of_the_whole_is_drawn() {
        let bar = bar();
        let since = Instant::now();
        let line = bar.line(&looking(1234, 0, since), 80);
        assert_eq!(line, "stakeout: looking at the tree: 1,234 files so far (0s)");
        let line = bar.line(&reading(500, 1000), 80);
        let drawn = "stakeout: reading: 500 of 1,000 files [============>           ]  50%";
        assert_eq!(line, drawn);
        assert!(bar.line(&reading(999, 1000), 80).contains("]  99%"), "not all is read");
        let line = bar.line(&looking(1234, 0, since), 80);
        assert_eq!(line, "stakeout: looking at the tree: 1,234 files so far (0s)");
    }

    #[test]
    fn it_fits_into_any_width() {
        let bar = bar();
        let reached = [reading(500, 1000), looking(1234, 0, Instant::now())];
        for columns in (0..300).rev().chain(0..300) {
            for reached in &reached {
                let line = bar.line(reached, columns);
                let width = usize::from(columns).saturating_sub(1).max(10);
                assert!(line.len() <= width, "{columns}: {line:?}");
            }
        }
        assert_eq!(bar.line(&reached[0], 45), "stakeout: reading: 500 of 1,000 files (50%)");
        let widest = bar.line(&reached[0], 300);
        assert!(widest.len() > usize::from(WIDEST) - 11, "{widest}");
    }

    #[test]
    fn colours_take_no_room() {
        let bar = Bar::new("\x1b[36mstakeout:\x1b[0m".into(), 9);
        let line = bar.line(&looking(1, 0, Instant::now()), 40);
        assert_eq!(line, "\x1b[36mstakeout:\x1b[0m looking at the tree: 1 file s");
    }
}
