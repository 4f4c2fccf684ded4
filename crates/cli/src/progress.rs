//! Progress on stderr: a bar on a terminal, otherwise a line a minute.

use crate::args::TerminalArgs;
use crate::stdout::stderr_is_terminal;
use hostssl_model::Outcome;
use hostssl_ops::AuditEvent;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Where stderr is not a terminal, the time between two lines.
const SILENCE: Duration = Duration::from_secs(60);

/// Says how far something is, once a minute, where no bar shows it.
pub(crate) struct EachMinute {
    /// When something was said last; `None` when nothing is to be.
    told: Option<Instant>,
}

impl EachMinute {
    pub(crate) fn new(terminal: &TerminalArgs) -> Self {
        Self::since(Instant::now(), stderr_is_terminal(), terminal.quiet)
    }

    /// On a terminal a bar shows it, and `--quiet` asks for none.
    fn since(now: Instant, terminal: bool, quiet: bool) -> Self {
        Self { told: (!terminal && !quiet).then_some(now) }
    }

    /// Says it if a minute has passed.
    pub(crate) fn print_when_due(&mut self, what: impl FnOnce() -> String) {
        if self.is_due(Instant::now()) {
            stderr!("{}", what());
        }
    }

    /// Whether a minute has passed since something was said; the next one begins now if so.
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.told.is_some_and(|told| now.saturating_duration_since(told) >= SILENCE);
        if due {
            self.told = Some(now);
        }
        due
    }
}

/// A bar that follows the events of an audit and vanishes at the end.
pub(crate) struct AuditBar {
    bar: ProgressBar,
    minute: EachMinute,
    servers: (u64, u64),
    subscriptions: (usize, usize),
    failed: usize,
    unknown: usize,
}

impl AuditBar {
    pub(crate) fn new(terminal: &TerminalArgs) -> Self {
        let shown = stderr_is_terminal() && !terminal.quiet && terminal.verbose == 0;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} servers {wide_bar} {msg} {elapsed}") {
            bar.set_style(style);
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, minute: EachMinute::new(terminal), servers: (0, 0), subscriptions: (0, 0), failed: 0, unknown: 0 }
    }

    pub(crate) fn on(&mut self, event: &AuditEvent<'_>) {
        match event {
            AuditEvent::Subscriptions(count) => self.subscriptions.1 = *count,
            AuditEvent::Found(count) => {
                self.servers.1 += *count as u64;
                self.bar.inc_length(*count as u64);
            }
            AuditEvent::Looked => {
                self.servers.0 += 1;
                self.bar.inc(1);
            }
            AuditEvent::Reading(what) => {
                self.bar.set_message(what.to_string());
                self.minute.print_when_due(|| what.to_string());
                return;
            }
            AuditEvent::Subscription(_, _, servers) => {
                self.subscriptions.0 += 1;
                self.failed += servers.iter().filter(|server| server.outcome == Outcome::Fail).count();
                self.unknown += servers.iter().filter(|server| server.outcome == Outcome::Unknown).count();
            }
        }
        let (servers, (done, all)) = (self.servers, self.subscriptions);
        self.minute
            .print_when_due(|| format!("{} of {} servers, {done} of {all} subscriptions done", servers.0, servers.1));
        if !matches!(event, AuditEvent::Looked) {
            let (done, all) = self.subscriptions;
            let (failed, unknown) = (self.failed, self.unknown);
            self.bar.set_message(format!("{done}/{all} subscriptions, {failed} fail, {unknown} unknown"));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tenth of a second of five minutes that something is told, in seconds.
    fn seconds_printed(terminal: bool, quiet: bool) -> Vec<u64> {
        let start = Instant::now();
        let mut minute = EachMinute::since(start, terminal, quiet);
        let tenths = (0..=3000).map(|tenth| Duration::from_millis(tenth * 100));
        tenths.filter(|after| minute.is_due(start + *after)).map(|after| after.as_secs()).collect()
    }

    #[test]
    fn without_a_terminal_something_is_said_once_a_minute_and_otherwise_nothing() {
        assert_eq!(seconds_printed(false, false), [60, 120, 180, 240, 300]);
        assert_eq!(seconds_printed(true, false), [0; 0]);
        assert_eq!(seconds_printed(false, true), [0; 0]);
        assert_eq!(seconds_printed(true, true), [0; 0]);
    }

    #[test]
    fn a_minute_begins_when_something_was_said() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut minute = EachMinute::since(start, false, false);
        assert!(!minute.is_due(at(59)));
        assert!(minute.is_due(at(95)));
        assert!(!minute.is_due(at(130)), "35 s after the last line");
        assert!(minute.is_due(at(155)));
    }
}
