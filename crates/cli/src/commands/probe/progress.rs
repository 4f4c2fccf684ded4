//! How far a probe is: a line on a terminal that vanishes at the end, and otherwise a line a minute on stderr.

use crate::args::TerminalArgs;
use crate::progress::EachMinute;
use crate::stdout::stderr_is_terminal;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

pub(super) struct ProbeProgress {
    bar: ProgressBar,
    minute: EachMinute,
    done: u64,
}

impl ProbeProgress {
    pub(super) fn new(terminal: &TerminalArgs) -> Self {
        let shown = stderr_is_terminal() && terminal.verbose == 0 && !terminal.quiet;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} endpoints done: {pos}{msg}, {elapsed}") {
            bar.set_style(style);
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, minute: EachMinute::new(terminal), done: 0 }
    }

    /// One more is done; `failed` of all fail.
    pub(super) fn on(&mut self, failed: u64) {
        self.done += 1;
        self.bar.set_position(self.done);
        if failed > 0 {
            self.bar.set_message(format!(", {failed} fail"));
        }
    }

    /// Says how far it is, where nothing shows it and it has been quiet for long.
    pub(super) fn print(&mut self) {
        let done = self.done;
        self.minute.print_when_due(|| format!("probing: endpoints done: {done}"));
    }

    /// Does something that writes to the terminal.
    pub(super) fn suspended<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
