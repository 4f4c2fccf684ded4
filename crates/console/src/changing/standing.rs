//! Where the steps of a run stand, in a word or two each, on the way there or on the way back.

use hostssl_remediation::{Act, Direction, Ending, LoadedRun, Phase, Plan, Stage, Step};
use std::collections::{BTreeMap, BTreeSet};

/// Where a run stands when somebody begins to work on it.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Which way it goes.
    pub(crate) way: Direction,
    /// The steps that go that way.
    pub(crate) steps: BTreeSet<u32>,
    /// Of those, how many have ended.
    pub(crate) ended: usize,
    /// And how many of these not well.
    pub(crate) failed: usize,
    /// Where each step stands that has begun.
    pub(crate) words: BTreeMap<u32, &'static str>,
}

impl Standing {
    /// A plan that nobody has begun to apply.
    pub(crate) fn new(plan: &Plan) -> Self {
        let steps = plan.steps().iter().filter(|step| step.is_executable()).map(|step| step.id).collect();
        Self { way: Direction::Apply, steps, ended: 0, failed: 0, words: BTreeMap::new() }
    }

    /// A run that is put back from its end.
    pub(crate) fn to_undo(loaded: &LoadedRun) -> Self {
        let steps = loaded.plan.steps().iter().zip(loaded.state.steps());
        let steps = steps.filter(|(_, at)| at.is_undoable()).map(|(step, _)| step.id).collect();
        Self { way: Direction::Undo, steps, ended: 0, failed: 0, words: BTreeMap::new() }
    }

    /// A run that was broken off, on whichever way it was.
    pub(crate) fn to_resume(loaded: &LoadedRun) -> Self {
        let way = if loaded.state.phase() == Phase::Undoing { Direction::Undo } else { Direction::Apply };
        let mut standing = Self { way, steps: BTreeSet::new(), ended: 0, failed: 0, words: BTreeMap::new() };
        for (step, at) in loaded.plan.steps().iter().zip(loaded.state.steps()) {
            let track = match way {
                Direction::Apply => Some(&at.apply).filter(|_| step.is_executable()),
                Direction::Undo => at.undo.as_ref(),
            };
            if let Some(track) = track {
                standing.add(step, &track.stage);
            }
        }
        standing
    }

    fn add(&mut self, step: &Step, stage: &Stage) {
        self.steps.insert(step.id);
        if let Stage::Ended(ending) = stage {
            self.ended += 1;
            self.failed += usize::from(ending.is_failure());
        }
        let word = match stage {
            Stage::Planned => return,
            Stage::Intended => "answer not seen",
            Stage::InFlight => "accepted, under way",
            Stage::Observed { .. } => "reading back",
            Stage::Ended(ending) => ending_word(ending, self.way),
        };
        self.words.insert(step.id, word);
    }
}

/// What an act makes of a step.
pub(super) fn word_of(act: &Act, way: Direction) -> &'static str {
    match act {
        Act::Intent { .. } => "writing",
        Act::Accepted { .. } => "accepted, under way",
        Act::Rejected { .. } => "not taken",
        Act::Observed { .. } => "reading back",
        Act::Ended { ending } => ending_word(ending, way),
    }
}

fn ending_word(ending: &Ending, way: Direction) -> &'static str {
    match ending {
        Ending::Reached { .. } if way == Direction::Undo => "put back",
        Ending::Reached { .. } => "verified",
        Ending::Already if way == Direction::Undo => "was back already",
        Ending::Already => "was right already",
        Ending::Changed { .. } => "changed by somebody else",
        Ending::Refused { .. } => "refused",
        Ending::Failed { .. } => "failed",
        Ending::TimedOut { .. } => "timed out",
        Ending::NotStarted { .. } => "not started",
    }
}
