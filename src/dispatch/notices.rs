//! What programs say of themselves (sd_notify(3)), carried out.

use super::Shared;
use super::service::Service;
use crate::engine::{Event, Instance};
use crate::process::notify::{Notice, Word};
use crate::ready::Probe;
use crate::ui::{Kind, Line, text};

impl Service {
    /// Takes a message from an instance.
    pub(super) fn take_notice(&mut self, instance: Instance, notice: Notice, shared: &mut Shared) {
        let Notice { pid, words, malformed, descriptors, is_cut } = notice;
        if malformed > 0 && !std::mem::replace(&mut self.has_heard_nonsense, true) {
            let line = format!(
                "process {pid} has sent {} to NOTIFY_SOCKET that mean nothing; they are passed over",
                text::count(malformed, "line")
            );
            self.log(Line::problem(Kind::BadNotice, line), shared);
        }
        if is_cut {
            let line = "descriptors that the program has sent are lost: the limit on open files is \
                        reached; raise it (ulimit -n)";
            self.log(Line::problem(Kind::BadNotice, line), shared);
        }
        let name = words.iter().find_map(|word| match word {
            Word::Name(name) => Some(name.as_str()),
            _ => None,
        });
        if words.contains(&Word::Store) {
            let is_polled = !words.contains(&Word::NoPoll);
            if !self.supply.store(name.unwrap_or("stored"), descriptors, is_polled) {
                let most = self.supply.most_stored();
                let line = format!("more than {most} descriptors are stored; the rest is closed");
                self.log(Line::problem(Kind::BadNotice, line), shared);
            }
        }
        if let (true, Some(name)) = (words.contains(&Word::Remove), name) {
            self.supply.remove(name);
        }
        for word in words {
            self.take_word(instance, word, shared);
        }
    }

    fn take_word(&mut self, instance: Instance, word: Word, shared: &mut Shared) {
        let line = match word {
            Word::Ready => {
                if matches!(self.spec.ready, Some(Probe::Notify)) {
                    self.tell(Event::Ready(instance), shared);
                }
                return;
            }
            Word::Extend(by) => return self.tell(Event::Extended(instance, by), shared),
            Word::Trigger => return self.tell(Event::Hung(instance), shared),
            Word::Watchdog => return self.supply.feed(instance),
            Word::WatchdogEvery(every) => return self.supply.feed_every(instance, every),
            Word::Status(status) => {
                let line = format!("the program says: {}", status.escape_debug());
                let line = Line::event(Kind::Says, line).with("status", status.as_str());
                self.status = Some(status);
                line
            }
            Word::Errno(errno) => {
                let reason = crate::scan::reason(&std::io::Error::from_raw_os_error(errno));
                Line::problem(Kind::Says, format!("the program says that it fails: {reason}"))
                    .with("errno", errno)
            }
            Word::Reloading => Line::detail(Kind::Says, "the program reads its settings again"),
            Word::Stopping => Line::detail(Kind::Says, "the program says that it is stopping"),
            Word::Other(line) => {
                let line = line.escape_debug();
                let line = format!("the program says what is passed over here: {line}");
                Line::detail(Kind::Says, line)
            }
            // Done by having come this far, and done above.
            Word::Barrier | Word::Store | Word::Remove | Word::Name(_) | Word::NoPoll => return,
        };
        self.log(line, shared);
    }
}
