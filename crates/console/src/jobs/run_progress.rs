//! Where the steps of a run are, in a word or two each, while it is applied or undone.

use hostssl_remediation::{Direction, LoadedRun, Plan, Stage, Step, StepEvent, StepOutcome};
use std::collections::{BTreeMap, BTreeSet};

/// How far a run is when someone begins to work on it.
#[derive(Debug, Clone)]
pub(crate) struct RunProgress {
    /// Whether it is applied or undone.
    pub(crate) way: Direction,
    /// The steps that this concerns.
    pub(crate) steps: BTreeSet<u32>,
    /// Of those, how many have ended.
    pub(crate) ended: usize,
    /// And how many of these failed.
    pub(crate) failed: usize,
    /// The word of each step that has begun.
    pub(crate) words: BTreeMap<u32, &'static str>,
    /// Why steps ended as they did, where there is more to say than the word.
    pub(crate) reasons: BTreeMap<u32, String>,
}

impl RunProgress {
    fn of(way: Direction, steps: BTreeSet<u32>) -> Self {
        Self { way, steps, ended: 0, failed: 0, words: BTreeMap::new(), reasons: BTreeMap::new() }
    }

    /// A plan whose apply has not begun.
    pub(crate) fn new(plan: &Plan) -> Self {
        let steps = plan.steps().iter().filter(|step| step.is_executable()).map(|step| step.id).collect();
        Self::of(Direction::Apply, steps)
    }

    /// A run that has ended and is undone.
    pub(crate) fn to_undo(loaded: &LoadedRun) -> Self {
        let steps = loaded.plan.steps().iter().zip(loaded.state.steps());
        let steps = steps.filter(|(_, at)| at.is_undoable()).map(|(step, _)| step.id).collect();
        Self::of(Direction::Undo, steps)
    }

    /// A run that was interrupted, while it was applied or undone.
    pub(crate) fn to_resume(loaded: &LoadedRun) -> Self {
        let way = loaded.state.phase().direction();
        let mut progress = Self::of(way, BTreeSet::new());
        for (step, at) in loaded.plan.steps().iter().zip(loaded.state.steps()) {
            let track = match way {
                Direction::Apply => Some(&at.apply).filter(|_| step.is_executable()),
                Direction::Undo => at.undo.as_ref(),
            };
            if let Some(track) = track {
                progress.add(step, &track.stage);
            }
        }
        progress
    }

    fn add(&mut self, step: &Step, stage: &Stage) {
        self.steps.insert(step.id);
        if let Stage::Ended(ending) = stage {
            self.ended += 1;
            self.failed += usize::from(ending.is_failure());
            if let Some(reason) = ending.reason(self.way == Direction::Undo) {
                self.reasons.insert(step.id, reason);
            }
        }
        let word = match stage {
            Stage::Planned => return,
            Stage::Intended => "answer not received",
            Stage::InFlight => "accepted, in progress",
            Stage::Observed { .. } => "reading back",
            Stage::Ended(ending) => ending_word(ending, self.way),
        };
        self.words.insert(step.id, word);
    }
}

/// What an act makes of a step.
pub(crate) fn word_of(act: &StepEvent, way: Direction) -> &'static str {
    match act {
        StepEvent::Intent { .. } => "writing",
        StepEvent::Accepted { .. } => "accepted, in progress",
        StepEvent::Rejected { .. } => "refused",
        StepEvent::Observed { .. } => "reading back",
        StepEvent::Ended { ending } => ending_word(ending, way),
        StepEvent::Reverted { .. } => "reverted",
        StepEvent::NotReadAgain { .. } => "not read again",
        StepEvent::ReadAgain => "read again",
    }
}

fn ending_word(ending: &StepOutcome, way: Direction) -> &'static str {
    match ending {
        ending if ending.waits_for_restart() => "waits for a restart",
        StepOutcome::Reached { .. } if way == Direction::Undo => "restored",
        StepOutcome::Reached { .. } => "verified",
        StepOutcome::Already { .. } if way == Direction::Undo => "already restored",
        StepOutcome::Already { .. } => "already compliant",
        StepOutcome::Changed { .. } => "changed by someone else",
        StepOutcome::Overwritten { .. } => "overwritten",
        StepOutcome::Refused { .. } => "refused",
        StepOutcome::Failed { .. } => "failed",
        StepOutcome::TimedOut { .. } => "timed out",
        StepOutcome::NotStarted { .. } => "not started",
        StepOutcome::Reverted { .. } => "reverted",
        StepOutcome::Forgotten => "forgotten",
        StepOutcome::Unexplained => "changed since the plan",
    }
}
