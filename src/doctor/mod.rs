//! The doctor: finding out whether changes would be seen here, how soon, and at what cost.
//!
//! `survey` measures what the roots lie on, in a process of its own that may hang with them
//! (`examiner`); `machine` asks what is around it. Both give `facts`. What they mean is decided in
//! `findings` and `pace`, which are pure, and shown by `sheet`. Only a trial that was asked for (`trial`)
//! writes anything.

mod examiner;
mod facts;
mod findings;
mod inotify;
mod machine;
mod mount_table;
mod pace;
mod sheet;
mod survey;
mod times;
mod trial;

pub use examiner::{Course, Examined, answer, examine};
pub use facts::{
    Chosen, Events, Facts, Looking, Machine, Mount, NameTimes, Root, RootState, Seconds, Tried,
    Unread,
};
pub use findings::{Finding, Level, Report, assess};
pub use machine::machine;
pub use pace::Seen;
pub use sheet::sheet;
pub use survey::survey;
