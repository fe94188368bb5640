//! How a line looks: for people, with colours and times or without, or as JSON.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style as Colours};
use serde_json::{Map, Value};

use super::line::{Kind, Level, Line};

/// The version of the JSON lines. It changes when a name or a meaning does; new events and fields
/// do not change it.
pub const SCHEMA: u32 = 1;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For people.
    Human {
        /// With colours.
        colour: bool,
        /// With the time of each line (UTC, RFC 3339).
        time: bool,
        /// How wide the names of services are, so that what programs write is below each other.
        width: usize,
    },
    /// One JSON object a line; see docs/events.md.
    Json,
}

const PLAIN: Colours = Colours::new();
const OURS: Colours = AnsiColor::Cyan.on_default();
const WRONG: Colours = AnsiColor::Red.on_default().bold();
const GOOD: Colours = AnsiColor::Green.on_default();
const FAINT: Colours = Colours::new().dimmed();
const DOUBTFUL: Colours = AnsiColor::Yellow.on_default();

/// What is meant by a colour, outside of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// All is well.
    Good,
    /// It could be better.
    Doubtful,
    /// Something is wrong.
    Wrong,
    /// Of less interest than what is around it.
    Faint,
}

impl Tone {
    /// The text in its colour, if colours are wanted.
    pub fn paint(self, text: &str, colour: bool) -> String {
        let colours = match self {
            Self::Plain => PLAIN,
            Self::Good => GOOD,
            Self::Doubtful => DOUBTFUL,
            Self::Wrong => WRONG,
            Self::Faint => FAINT,
        };
        paint(colours, text, colour)
    }
}

fn paint(colours: Colours, text: &str, colour: bool) -> String {
    match colour {
        true if colours != PLAIN => format!("{colours}{text}{colours:#}"),
        _ => text.to_owned(),
    }
}

/// What services are told apart by.
const SERVICES: [AnsiColor; 7] = [
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightYellow,
    AnsiColor::BrightBlue,
];

impl Style {
    /// The same, where services have these names, if there are several.
    #[must_use]
    pub fn of_services<'a>(mut self, names: impl Iterator<Item = &'a str>) -> Self {
        if let Self::Human { width, .. } = &mut self {
            *width = names.map(|name| name.chars().count()).max().unwrap_or_default();
        }
        self
    }

    /// Whether lines are for programs.
    pub fn is_json(self) -> bool {
        self == Self::Json
    }

    /// What our lines begin with; at the left edge one sees that something is wrong.
    pub(super) fn prefix(self, level: Level) -> String {
        let colours = if level == Level::Problem { WRONG } else { OURS };
        match self {
            Self::Human { colour: true, .. } => format!("{colours}stakeout:{colours:#}"),
            _ => "stakeout:".to_owned(),
        }
    }

    /// The line with its newline.
    pub(super) fn render(self, line: &Line, now: SystemTime) -> String {
        match self {
            Self::Json => json(line, now),
            Self::Human { colour, time, width } => {
                let paint = |colours: Colours, text: &str| paint(colours, text, colour);
                let mut words = String::new();
                if time {
                    let time = humantime::format_rfc3339_millis(now).to_string();
                    words += &paint(FAINT, &time);
                    words += " ";
                }
                // What another program wrote comes after a prefix that says which.
                if line.kind == Kind::Output {
                    let source = line.fields.get("source").and_then(Value::as_str);
                    let prefix = match (&line.service, source) {
                        (Some(service), Some(source)) => format!("{service} {source}"),
                        (service, source) => {
                            service.as_deref().or(source).unwrap_or_default().to_owned()
                        }
                    };
                    let width = if line.service.is_some() { width } else { 0 };
                    words +=
                        &paint(of_service(line.service.as_deref()), &format!("{prefix:<width$} |"));
                    return format!("{words} {}\n", line.text);
                }
                words += &self.prefix(line.level);
                if let Some(service) = &line.service {
                    words += " ";
                    words += &paint(of_service(Some(service)), &format!("{service}:"));
                }
                format!("{words} {}\n", paint(of_line(line), &line.text))
            }
        }
    }
}

fn of_line(line: &Line) -> Colours {
    match (line.level, line.kind) {
        (Level::Problem, _) => WRONG,
        (Level::Detail, _) => FAINT,
        (_, Kind::Built | Kind::Ready | Kind::HandedOver | Kind::CheckPassed) => GOOD,
        _ => PLAIN,
    }
}

/// A service has the same colour for as long as it has its name, and another than those before it,
/// as far as there are enough.
fn of_service(service: Option<&str>) -> Colours {
    static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let Some(service) = service else { return FAINT };
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    colour_of(service, &mut names).on_default()
}

/// The colour of a service, where those with these names were seen before it.
fn colour_of(service: &str, names: &mut Vec<String>) -> AnsiColor {
    let number = names.iter().position(|name| name == service).unwrap_or_else(|| {
        names.push(service.to_owned());
        names.len() - 1
    });
    SERVICES[number % SERVICES.len()]
}

fn json(line: &Line, now: SystemTime) -> String {
    let mut object = Map::new();
    object.insert("schema".into(), SCHEMA.into());
    object.insert("time".into(), humantime::format_rfc3339_millis(now).to_string().into());
    object.insert("level".into(), line.level.name().into());
    object.insert("event".into(), line.kind.name().into());
    if let Some(service) = &line.service {
        object.insert("service".into(), service.as_str().into());
    }
    object.insert("message".into(), line.text.as_str().into());
    object.extend(line.fields.clone());
    format!("{}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn built() -> Line {
        Line::event(Kind::Built, "built in 1.5s").with_ms("took_ms", Duration::from_millis(1500))
    }

    fn output() -> Line {
        Line::event(Kind::Output, "warning: \u{1b}[1m").with("source", "build")
    }

    #[test]
    fn a_line_for_people() {
        let plain = Style::Human { colour: false, time: false, width: 0 };
        assert_eq!(plain.render(&built(), UNIX_EPOCH), "stakeout: built in 1.5s\n");
        assert_eq!(plain.render(&output(), UNIX_EPOCH), "build | warning: \u{1b}[1m\n");
        let of_service = plain.render(&built().of(Some("web")), UNIX_EPOCH);
        assert_eq!(of_service, "stakeout: web: built in 1.5s\n");
        let of_service = plain.render(&output().of(Some("web")), UNIX_EPOCH);
        assert_eq!(of_service, "web build | warning: \u{1b}[1m\n");
    }

    #[test]
    fn what_services_write_is_below_each_other() {
        let style = Style::Human { colour: false, time: false, width: 0 };
        let style = style.of_services(["web", "worker"].into_iter());
        let render = |line: Line| style.render(&line, UNIX_EPOCH);
        let said = |service| render(Line::event(Kind::Output, "hello").of(service));
        assert_eq!(said(Some("web")), "web    | hello\n");
        assert_eq!(said(Some("worker")), "worker | hello\n");
        assert_eq!(render(output().of(Some("web"))), "web build | warning: \u{1b}[1m\n");
        assert_eq!(render(output()), "build | warning: \u{1b}[1m\n");
        assert_eq!(render(built().of(Some("web"))), "stakeout: web: built in 1.5s\n");
    }

    #[test]
    fn services_have_colours_of_their_own() {
        let mut names = Vec::new();
        let services = (0..SERVICES.len()).map(|number| format!("service-{number}"));
        let colours: Vec<_> = services.map(|name| colour_of(&name, &mut names)).collect();
        assert_eq!(colours, SERVICES);
        assert_eq!(colour_of("service-2", &mut names), SERVICES[2]);
    }

    #[test]
    fn a_line_with_its_time_and_colours() {
        let timed = Style::Human { colour: false, time: true, width: 0 };
        let line = timed.render(&built(), UNIX_EPOCH + Duration::from_millis(1234));
        assert_eq!(line, "1970-01-01T00:00:01.234Z stakeout: built in 1.5s\n");
        let coloured = Style::Human { colour: true, time: false, width: 0 };
        let line = coloured.render(&Line::problem(Kind::Hung, "hung"), UNIX_EPOCH);
        assert_eq!(
            line,
            "\u{1b}[1m\u{1b}[31mstakeout:\u{1b}[0m \u{1b}[1m\u{1b}[31mhung\u{1b}[0m\n"
        );
    }

    #[test]
    fn a_line_for_programs() {
        let line = Style::Json.render(&built().of(Some("web")), UNIX_EPOCH);
        let expected = concat!(
            r#"{"schema":1,"time":"1970-01-01T00:00:00.000Z","level":"event","event":"built","#,
            r#""service":"web","message":"built in 1.5s","took_ms":1500}"#,
            "\n"
        );
        assert_eq!(line, expected);
        assert!(Style::Json.render(&output(), UNIX_EPOCH).contains(r"\u001b[1m"));
    }
}
