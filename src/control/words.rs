//! How a running stakeout is, in words: the same for `stakeout status` and for the key `s`.

use super::{Service, State, Status};
use crate::ui::text;

impl Status {
    /// A line for each thing that there is to know.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.all.lines();
        for service in &self.services {
            let name = service.name.iter().map(|name| format!("{name}:"));
            lines.extend(name);
            lines.extend(service.lines().iter().map(|line| format!("  {line}")));
        }
        if let Some(watching) = &self.watching {
            let roots = watching.roots.join(", ");
            let files = text::count(watching.files, "file");
            let read = watching.read.map(|read| text::grouped(read as u64));
            let read = read.map(|read| format!(", {read} read so far")).unwrap_or_default();
            lines.push(format!("watching  {roots} ({files}{read})"));
            let silent = watching.silent.iter();
            lines.extend(
                silent.map(|silence| format!("silent    {} does not answer", silence.root)),
            );
            let unreadable = watching.unreadable.iter();
            lines.extend(unreadable.map(|path| format!("unread    {path} cannot be read")));
        }
        if let Some(changes) = &self.changes {
            lines.push(format!("changed   {}", changes.summary));
        }
        lines
    }
}

impl Service {
    /// How it is, in one line.
    pub fn summary(&self) -> String {
        let state = match self.state {
            State::Watching => "watching",
            State::Waiting => "not started yet",
            State::Starting => "starting",
            State::Ready => "ready",
            State::Handover => "ready, and another is about to take over",
            State::Stopping => "stopping",
            State::Retrying => "failed, about to be started again",
            State::Failed => "failed, waiting for a change",
            State::Done => "ended, waiting for a change",
        };
        let building = if self.building { ", building" } else { "" };
        let paused = if self.paused { ", paused" } else { "" };
        format!("{state}{building}{paused} (generation {})", self.generation)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("state     {}", self.summary())];
        if let Some(program) = &self.program {
            let pid = program.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            lines.push(format!("program   {}{pid}", program.command));
            let restarts = program.restarts;
            lines.push(format!(
                "restarts  {} by changes, {} by failures ({}), {} by request",
                restarts.by_change, restarts.by_failure, program.restart, restarts.by_request
            ));
            let retry = program.retry_in_ms.map(|wait| format!("retrying  in {wait}ms"));
            let last = program.last_exit.as_ref().map(|exit| format!("last exit {exit}"));
            let says =
                program.says.as_ref().map(|says| format!("it says   {}", says.escape_debug()));
            let lacks =
                program.lacks.as_ref().map(|lacks| format!("not ready {}", lacks.escape_debug()));
            lines.extend(last.into_iter().chain(retry).chain(says).chain(lacks));
        }
        if let Some(build) = &self.build {
            let how = match &build.failure {
                Some(failure) => format!("failed: {failure}"),
                None => format!("{:?}", build.result).to_lowercase(),
            };
            lines.push(format!("build     {how} ({}ms)", build.took_ms));
            lines.extend(build.output.iter().map(|line| format!("          {}", line.trim_end())));
        }
        lines
    }
}
