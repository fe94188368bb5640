//! Routing: what a signal that was sent to us means for the program.

use std::collections::BTreeMap;

use super::signals;

/// What to do with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Nothing.
    Drop,
    /// Pass this signal on to the program.
    Pass(i32),
    /// Stop the program by this signal, and end.
    End(i32),
}

/// What the user chose about signals.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    /// What the program gets in the place of a signal; nothing for those to be dropped.
    pub map: BTreeMap<i32, Option<i32>>,
    /// The signal that stops the program, if one was chosen. Otherwise it is stopped by the very
    /// signal that we got, as behind any init.
    pub stop: Option<i32>,
    /// Whether SIGHUP says that our terminal is gone. Without one, as in a container, it is a
    /// signal like others, by which servers read their configuration again.
    pub has_terminal: bool,
}

impl Routing {
    /// What to do with a signal that was sent to us.
    pub fn route(&self, signal: i32) -> Route {
        let mapped = self.map.get(&signal).copied();
        match mapped.unwrap_or(Some(signal)) {
            None => Route::Drop,
            Some(sent) if self.is_end(signal) || self.is_end(sent) => match (mapped, self.stop) {
                (None, Some(stop)) => Route::End(stop),
                _ => Route::End(sent),
            },
            Some(sent) => Route::Pass(sent),
        }
    }

    fn is_end(&self, signal: i32) -> bool {
        match signal {
            libc::SIGINT | libc::SIGQUIT | libc::SIGTERM => true,
            libc::SIGHUP => self.has_terminal,
            _ => false,
        }
    }
}

/// Reads `TERM:QUIT`; `TERM:` and `TERM:0` mean to drop it.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_mapping(text: &str) -> Result<(i32, Option<i32>), String> {
    let (from, to) = text.split_once(':').ok_or_else(|| {
        format!("`{text}` maps nothing; write for example TERM:QUIT, or TERM: to drop it")
    })?;
    let from = signals::parse(from)?;
    if !signals::is_heard(from) {
        let name = signals::name(from);
        return Err(format!("{name} cannot be mapped: stakeout does not hear it, or needs it"));
    }
    match to {
        "" | "0" => Ok((from, None)),
        to => Ok((from, Some(signals::parse(to)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libc::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

    fn routing(map: &[&str], stop: Option<i32>) -> Routing {
        let map = map.iter().map(|text| parse_mapping(text).unwrap()).collect();
        Routing { map, stop, has_terminal: false }
    }

    #[test]
    fn what_means_ending_stops_the_program_by_the_same_signal_or_the_chosen_one() {
        for signal in [SIGINT, SIGQUIT, SIGTERM] {
            assert_eq!(routing(&[], None).route(signal), Route::End(signal));
            assert_eq!(routing(&[], Some(SIGUSR1)).route(signal), Route::End(SIGUSR1));
        }
        for signal in [SIGUSR1, SIGWINCH, libc::SIGRTMAX()] {
            assert_eq!(routing(&[], Some(SIGINT)).route(signal), Route::Pass(signal));
        }
    }

    #[test]
    fn a_hangup_means_ending_where_there_is_a_terminal() {
        assert_eq!(routing(&[], None).route(SIGHUP), Route::Pass(SIGHUP));
        let with_terminal = Routing { has_terminal: true, ..Routing::default() };
        assert_eq!(with_terminal.route(SIGHUP), Route::End(SIGHUP));
    }

    #[test]
    fn signals_are_mapped() {
        let maps = ["TERM:QUIT", "HUP:TERM", "USR1:usr2", "USR2:", "INT:0"];
        let routing = routing(&maps, Some(SIGUSR1));
        assert_eq!(routing.route(SIGTERM), Route::End(SIGQUIT));
        assert_eq!(routing.route(SIGHUP), Route::End(SIGTERM));
        assert_eq!(routing.route(SIGUSR1), Route::Pass(SIGUSR2));
        assert_eq!(routing.route(SIGUSR2), Route::Drop);
        assert_eq!(routing.route(SIGINT), Route::Drop);
        assert_eq!(routing.route(SIGQUIT), Route::End(SIGUSR1));
    }

    #[test]
    fn what_maps_nothing_is_refused() {
        for text in ["TERM", "", ":", "FOO:TERM", "TERM:FOO", "KILL:TERM", "CHLD:TERM", "SEGV:0"] {
            assert!(parse_mapping(text).is_err(), "{text}");
        }
    }
}
