//! Progress on stderr, when that is a terminal.

use crate::args::OutputArgs;
use crate::stdout::stderr_is_terminal;
use hostssl_model::Outcome;
use hostssl_ops::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A bar that follows the events of an audit and vanishes at the end.
pub(crate) struct Progress {
    bar: ProgressBar,
    subscriptions: (usize, usize),
    failed: usize,
    unknown: usize,
}

impl Progress {
    pub(crate) fn new(talk: &OutputArgs) -> Self {
        let shown = stderr_is_terminal() && !talk.quiet && !talk.verbose;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} servers {wide_bar} {msg} {elapsed}") {
            bar.set_style(style);
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, subscriptions: (0, 0), failed: 0, unknown: 0 }
    }

    pub(crate) fn on(&mut self, event: &Event<'_>) {
        match event {
            Event::Subscriptions(count) => self.subscriptions.1 = *count,
            Event::Found(count) => self.bar.inc_length(*count as u64),
            Event::Looked => self.bar.inc(1),
            Event::Subscription(_, _, servers) => {
                self.subscriptions.0 += 1;
                self.failed += servers.iter().filter(|server| server.outcome == Outcome::Fail).count();
                self.unknown += servers.iter().filter(|server| server.outcome == Outcome::Unknown).count();
            }
        }
        if !matches!(event, Event::Looked) {
            let (done, all) = self.subscriptions;
            let (failed, unknown) = (self.failed, self.unknown);
            self.bar.set_message(format!("{done}/{all} subscriptions, {failed} fail, {unknown} unknown"));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
