//! A run's progress on stderr: a bar on a terminal, otherwise a line for each wave and for each step that did not succeed.

use crate::args::TerminalArgs;
use crate::stdout::stderr_is_terminal;
use hostssl_formats::safe;
use hostssl_remediation::{EventSink, ExecutionEvent, JournalEvent, JournalRecord, Plan, StepEvent, StepOutcome};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Follows the events of a run.
pub(crate) struct RunReporter<'a> {
    plan: &'a Plan,
    bar: ProgressBar,
    quiet: bool,
    /// What was reported as waited for, and when.
    told: Mutex<HashMap<String, Instant>>,
}

/// How long a wait goes unreported.
const QUIET: Duration = Duration::from_secs(60);

impl<'a> RunReporter<'a> {
    pub(crate) fn new(plan: &'a Plan, terminal: &TerminalArgs) -> Self {
        let shown = stderr_is_terminal() && !terminal.quiet && terminal.verbose == 0;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let steps = plan.steps().iter().filter(|step| step.is_executable()).count();
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} steps {wide_bar} {msg} {elapsed}") {
            bar.set_style(style);
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { plan, bar, quiet: terminal.quiet, told: Mutex::default() }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn print(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| stderr!("{line}"));
        }
    }

    /// Says what is waited for where no bar shows it: once, and then once a minute.
    fn waiting(&self, name: &str, why: &str) {
        if !self.bar.is_hidden() {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{name}: {why}");
        if told.get(&key).is_none_or(|told| told.elapsed() >= QUIET) {
            self.print(&key);
            told.insert(key, Instant::now());
        }
    }

    fn recorded(&self, record: &JournalRecord) {
        let JournalEvent::Step { step, act, .. } = &record.event else { return };
        let Some(step) = self.plan.step(*step) else { return };
        let ending = match act {
            StepEvent::Ended { ending } => ending,
            StepEvent::Reverted { found } => {
                let (name, found) = (safe(step.server.name()), safe(found.as_str()));
                return self
                    .print(&format!("{name}: failed: {} is {found} again: something else resets it", step.parameter));
            }
            _ => return,
        };
        self.bar.inc(u64::from(step.is_executable()));
        let name = safe(step.server.name());
        match ending {
            ending if ending.waits_for_restart() => {
                self.print(&format!("{name}: {} waits for a restart of the server", step.parameter));
            }
            StepOutcome::Reached { .. }
            | StepOutcome::Already { .. }
            | StepOutcome::NotStarted { .. }
            | StepOutcome::Reverted { .. }
            | StepOutcome::Unexplained
            | StepOutcome::Forgotten => {}
            StepOutcome::Changed { found } => {
                self.print(&format!("{name}: skipped: {} is {} now", step.parameter, safe(found.as_str())));
            }
            StepOutcome::Overwritten { found, .. } => {
                let found = safe(found.as_str());
                self.print(&format!(
                    "{name}: failed: {} was written, then it was {found}: something else set it",
                    step.parameter
                ));
            }
            StepOutcome::Refused { by, name: what, .. } => {
                self.print(&format!("{name}: refused: {} {}", by.as_str(), safe(what.as_str())));
            }
            StepOutcome::Failed { detail, .. } => self.print(&format!("{name}: failed: {}", safe(detail.as_str()))),
            StepOutcome::TimedOut { detail, .. } => {
                self.print(&format!("{name}: timed out: {}", safe(detail.as_str())))
            }
        }
    }
}

impl EventSink for RunReporter<'_> {
    fn emit(&self, event: &ExecutionEvent<'_>) {
        match event {
            ExecutionEvent::Begun(run) => self.print(&format!("run {run}")),
            ExecutionEvent::Wave { wave, servers } => {
                let servers = if *servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") };
                self.bar.set_message(format!("wave {wave}: {servers}"));
                if self.bar.is_hidden() {
                    self.print(&format!("wave {wave}: {servers}"));
                }
            }
            ExecutionEvent::Soaking { delay } => {
                let text = format!("waiting {} s, then reading the values of the wave again", delay.as_secs());
                self.bar.set_message(text.clone());
                if self.bar.is_hidden() {
                    self.print(&text);
                }
            }
            ExecutionEvent::JournalBusy { waited } => {
                let waited = waited.as_secs();
                let what = "another process is writing to the state, or its store cannot be reached";
                self.bar.set_message(format!("{what}, for {waited} s"));
                self.waiting("the journal", what);
            }
            ExecutionEvent::Recorded(record) => self.recorded(record),
            ExecutionEvent::NotReadAgain { step, why } => {
                let name = safe(step.server.name());
                // With --quiet too: a run that ends well does not show it otherwise.
                self.bar.suspend(|| {
                    stderr!(
                        "warning: {name}: whether the value stayed is not known, as it cannot be read again: {}",
                        safe(why)
                    );
                });
            }
            ExecutionEvent::Waiting { step, why, delay } => {
                let name = safe(step.server.name());
                self.bar.set_message(format!("{name}: {why}, again in {} s", delay.as_secs()));
                self.waiting(&name, why);
            }
        }
    }
}
