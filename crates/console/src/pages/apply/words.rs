//! The results of a run and of its steps, in words and badges.

use crate::view::Badge;
use hostssl_remediation::{RunEnd, StepReport, StepStatus};

/// How a run stands: its badge, what happened, and what to do.
pub(crate) fn end_words(end: RunEnd) -> (Badge, &'static str, &'static str) {
    let (yes, no, unknown) = (("yes", "✓"), ("no", "✕"), ("unknown", "?"));
    let ((class, shape), said, todo) = match end {
        RunEnd::Verified => (yes, "Every value was written and read back, or was already as planned.", ""),
        RunEnd::Undone => (yes, "What this run had changed was restored and read back.", ""),
        RunEnd::ManualLeft => (
            unknown,
            "Every value that hostssl can write was written and read back, or was already as planned. The other steps are manual.",
            "Do the manual steps below, then audit again.",
        ),
        RunEnd::NotProbed => (
            unknown,
            "Every value was written and read back. Some listeners could not be probed, so that it is not proven on the wire.",
            "Probe the servers from a network that reaches them.",
        ),
        RunEnd::Incomplete => (
            unknown,
            "Some steps were not started, or were left alone because someone else changed the value.",
            "Check the steps below, then plan again for the rest.",
        ),
        RunEnd::UndoIncomplete => (
            unknown,
            "Some steps were not restored, because the undo was stopped or because someone else has since changed the value.",
            "Check the steps below. Undo again to restore the rest.",
        ),
        RunEnd::Failed => (
            no,
            "Some steps were refused, failed or timed out.",
            "Resolve the causes below, then plan again; or undo what was applied.",
        ),
        RunEnd::Open => (
            unknown,
            "The run has not ended: it continues elsewhere, or its process was stopped, and a write may still be in progress.",
            "Resume it: hostssl reads back what was in progress, writes nothing twice, and continues. No other run can start until then.",
        ),
        RunEnd::UndoOpen => (
            unknown,
            "The undo has not ended: it continues elsewhere, or its process was stopped, and some servers still have the run’s value.",
            "Resume it: hostssl reads back what was in progress, writes nothing twice, and restores the rest. No other run can start until then.",
        ),
        RunEnd::Stuck => (
            no,
            "Something could not be restored.",
            "Check the steps below. Where a write may still take effect, undo again later; otherwise set the value manually.",
        ),
        RunEnd::NotReadAgain => (
            unknown,
            "Some values were written and read back, but could not be read again before the end: whether they stayed is not known.",
            "Resume the run to read them again: nothing is written. The reasons are below.",
        ),
    };
    (Badge { class, shape, word: end.words() }, said, todo)
}

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
