//! The results of a run and of its steps, in words and badges.

use crate::view::Badge;
use hostssl_remediation::{Direction, RunOutcome, StepReport, StepStatus};

/// How a run stands: its badge, what happened, and what to do. `manual` is that only steps for people are left.
pub(crate) fn outcome_words(outcome: RunOutcome, way: Direction, manual: bool) -> (Badge, &'static str, &'static str) {
    let (yes, no, unknown) = (("yes", "✓"), ("no", "✕"), ("unknown", "?"));
    let ((class, shape), word, said, todo) = match (outcome, way) {
        (RunOutcome::Done, Direction::Apply) => {
            (yes, "verified", "Every value was written and read back, or was already as planned.", "")
        }
        (RunOutcome::Done, Direction::Undo) => {
            (yes, "undone", "What this run had changed was restored and read back.", "")
        }
        (RunOutcome::Incomplete, Direction::Apply) if manual => (
            unknown,
            "manual steps left",
            "Every value that hostssl can write was written and read back, or was already as planned. The other steps are manual.",
            "Do the manual steps below, then audit again.",
        ),
        (RunOutcome::Incomplete, Direction::Apply) => (
            unknown,
            "incomplete",
            "Some steps were not started, or were left alone because someone else changed the value.",
            "Check the steps below, then plan again for the rest.",
        ),
        (RunOutcome::Incomplete, Direction::Undo) => (
            unknown,
            "incomplete",
            "Some steps were not restored, because the undo was stopped or because someone else has since changed the value.",
            "Check the steps below. Undo again to restore the rest.",
        ),
        (RunOutcome::Failed, _) => (
            no,
            "failed",
            "Some steps were refused, failed or timed out.",
            "Resolve the causes below, then plan again; or undo what was applied.",
        ),
        (RunOutcome::Open, Direction::Apply) => (
            unknown,
            "not ended",
            "The run has not ended: it continues elsewhere, or its process was stopped, and a write may still be in progress.",
            "Resume it: hostssl reads back what was in progress, writes nothing twice, and continues. No other run can start until then.",
        ),
        (RunOutcome::Open, Direction::Undo) => (
            unknown,
            "undo not ended",
            "The undo has not ended: it continues elsewhere, or its process was stopped, and some servers still have the run’s value.",
            "Resume it: hostssl reads back what was in progress, writes nothing twice, and restores the rest. No other run can start until then.",
        ),
        (RunOutcome::Stuck, _) => (
            no,
            "stuck",
            "Something could not be restored.",
            "Check the steps below. Where a write may still take effect, undo again later; otherwise set the value manually.",
        ),
    };
    (Badge { class, shape, word }, said, todo)
}

/// The same where the second look at some values failed, whatever else is left.
pub(super) const NOT_READ_AGAIN: (Badge, &str, &str) = (
    Badge { class: "unknown", shape: "?", word: "not read again" },
    "Some values were written and read back, but could not be read again before the end: whether they stayed is not known.",
    "Resume the run to read them again: nothing is written. The reasons are below.",
);

/// The status of a step.
pub(super) fn step_badge(told: &StepReport) -> Badge {
    match told {
        told if told.manual => MANUAL,
        told if told.open => OPEN,
        told if told.not_read_again => Badge { class: "unknown", shape: "?", word: status_words(told.status) },
        told => status_badge(told.status),
    }
}

/// A step with a write that is, or may be, in progress.
const OPEN: Badge = Badge { class: "unknown", shape: "?", word: "not settled" };

/// A step that hostssl does not write.
const MANUAL: Badge = Badge { class: "unknown", shape: "–", word: "manual" };

fn status_badge(status: StepStatus) -> Badge {
    let (class, shape) = match status {
        StepStatus::Applied | StepStatus::Already | StepStatus::Undone => ("yes", "✓"),
        StepStatus::Failed | StepStatus::Refused | StepStatus::TimedOut | StepStatus::Stuck => ("no", "✕"),
        StepStatus::ChangedSincePlan | StepStatus::NotStarted | StepStatus::WaitsForRestart | StepStatus::Forgotten => {
            ("unknown", "?")
        }
    };
    Badge { class, shape, word: status_words(status) }
}

/// The status in words, where its name in JSON is none.
fn status_words(status: StepStatus) -> &'static str {
    match status {
        StepStatus::ChangedSincePlan => "changed since the plan",
        StepStatus::TimedOut => "timed out",
        StepStatus::NotStarted => "not started",
        StepStatus::WaitsForRestart => "waits for a restart",
        StepStatus::Forgotten => "forgotten",
        other => other.as_str(),
    }
}
