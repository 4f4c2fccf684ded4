//! The states of a run and its steps, and the one function that moves between them.
//!
//! ```text
//!            +--------- rejected ---------+
//!            v                            |
//!   planned -+- intent -> intended -------+- accepted -> in flight -+- observed -> observed
//!     |                    | ^  | (once more, when nothing is known)|               |
//!     |                    | +--+                                   |               |
//!     +--------------------+---------------- ended -----------------+---------------+
//! ```
//!
//! A step has one such track for apply, and one for each undo. The machine itself keeps the promise that matters most:
//! it has no transition for a third write whose predecessors' outcomes are unknown, and none for a write after one that
//! was accepted. An end is an end, but for a second look: what had ended well is `reverted` when it is read again and is
//! another value, and `not-read-again` while it cannot be read. That may follow the end of the run too.

mod track;

pub use track::{Stage, Track};

use crate::{Direction, JournalEvent, JournalRecord, RunPace, SafeText, StepEvent, StepOutcome};
use hostssl_model::coded;
use std::collections::BTreeMap;
use track::name_of;

/// The event does not fit the state: the journal is damaged, or this program is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransition {
    /// The act does not fit where the step stands.
    #[error("step {step}: `{act}` cannot follow `{stage}`")]
    Step {
        /// The step.
        step: u32,
        /// Where it stands.
        stage: &'static str,
        /// What happened.
        act: &'static str,
    },
    /// The plan has no such step.
    #[error("the plan has no step {0}")]
    NoSuchStep(u32),
    /// The event does not fit where the run stands.
    #[error("`{event}` cannot follow while the run is `{phase:?}`")]
    Run {
        /// Where it stands.
        phase: RunPhase,
        /// What happened.
        event: &'static str,
    },
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepState {
    /// The way there.
    pub apply: Track,
    /// The way back, once it was asked for.
    pub undo: Option<Track>,
}

impl StepState {
    /// One way of it, where it goes that way.
    #[must_use]
    pub fn track(&self, direction: Direction) -> Option<&Track> {
        match direction {
            Direction::Apply => Some(&self.apply),
            Direction::Undo => self.undo.as_ref(),
        }
    }

    /// The step after an act on one of its tracks.
    fn next(&self, id: u32, direction: Direction, at_ms: i64, act: &StepEvent) -> Result<Self, InvalidTransition> {
        let track = self.track(direction);
        let stage = track.map_or("nothing to undo", |track| track.stage.name());
        let invalid = InvalidTransition::Step { step: id, stage, act: name_of(act) };
        let next = track.and_then(|track| track.next(at_ms, act)).ok_or(invalid)?;
        Ok(match direction {
            Direction::Apply => Self { apply: next, undo: self.undo.clone() },
            Direction::Undo => Self { apply: self.apply.clone(), undo: Some(next) },
        })
    }

    /// Whether there is, or may be, something to undo: a write was or may have been accepted, and the value was not
    /// restored yet. What others have set since is read first, and left alone.
    #[must_use]
    pub fn is_undoable(&self) -> bool {
        let ours = self.apply.touched && self.apply.ending().is_some();
        let settled = match self.undo.as_ref().map(Track::ending) {
            None => false,
            // What someone else had changed may be this run's value again.
            Some(Some(ending)) => ending.is_success() || *ending == StepOutcome::Forgotten,
            Some(None) => true,
        };
        ours && !settled
    }
}

coded! {
    /// Where a run stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum RunPhase {
        /// Nothing was recorded.
        New = "new",
        /// The plan is being applied, or applying it was stopped.
        Applying = "applying",
        /// Every step has ended.
        Finished = "finished",
        /// It is being undone, or the undo was stopped.
        Undoing = "undoing",
        /// Every step of the undo has ended.
        UndoFinished = "undo-finished",
    }
}

impl RunPhase {
    /// Whether the run must be resumed before anything else may change servers.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Applying | Self::Undoing)
    }

    /// Which way its steps go, or went last.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::New | Self::Applying | Self::Finished => Direction::Apply,
            Self::Undoing | Self::UndoFinished => Direction::Undo,
        }
    }

    /// Whether an act of a step may be recorded now: only a second look follows the end of a run.
    fn takes(self, direction: Direction, act: &StepEvent) -> bool {
        self != Self::New && direction == self.direction() && (self.is_unfinished() || act.is_second_look())
    }
}

/// The whole state of a run: what replaying its journal gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    phase: RunPhase,
    steps: Vec<StepState>,
    reason: Option<SafeText>,
    undo_reason: Option<SafeText>,
    pace: RunPace,
}

impl RunState {
    /// A run of a plan with this many steps, before its first record.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        let steps = vec![StepState { apply: Track::new(), undo: None }; steps];
        Self { phase: RunPhase::New, steps, reason: None, undo_reason: None, pace: RunPace::default() }
    }

    /// Replays a journal.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] when a record does not fit those before it.
    pub fn replay<'a>(
        steps: usize,
        records: impl IntoIterator<Item = &'a JournalRecord>,
    ) -> Result<Self, InvalidTransition> {
        records.into_iter().try_fold(Self::new(steps), |mut state, record| {
            state.advance(record)?;
            Ok(state)
        })
    }

    /// Where the run stands.
    #[must_use]
    pub fn phase(&self) -> RunPhase {
        self.phase
    }

    /// Why the plan was approved, where a reason was given.
    #[must_use]
    pub fn reason(&self) -> Option<&SafeText> {
        self.reason.as_ref()
    }

    /// How it was to be applied.
    #[must_use]
    pub fn pace(&self) -> RunPace {
        self.pace
    }

    /// Why it is or was undone, where a reason was given.
    #[must_use]
    pub fn undo_reason(&self) -> Option<&SafeText> {
        self.undo_reason.as_ref()
    }

    /// The steps, in the order of the plan.
    #[must_use]
    pub fn steps(&self) -> &[StepState] {
        &self.steps
    }

    /// Whether there is something to resume: the run has not ended, or a value of it could not be read again.
    #[must_use]
    pub fn can_resume(&self) -> bool {
        let way = self.phase.direction();
        let mut tracks = self.steps.iter().filter_map(|step| step.track(way));
        self.phase.is_unfinished() || tracks.any(|track| track.not_read_again.is_some())
    }

    /// The step with this id.
    #[must_use]
    pub fn step(&self, id: u32) -> Option<&StepState> {
        self.steps.get(index(id)?)
    }

    /// Moves the run on by one record: the transition function. It is total, and a record that does not fit changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] when the record does not fit.
    pub fn advance(&mut self, record: &JournalRecord) -> Result<(), InvalidTransition> {
        let (phase, event) = (self.phase, &record.event);
        let refuse = |event| Err(InvalidTransition::Run { phase, event });
        self.phase = match (phase, event) {
            (RunPhase::New, JournalEvent::RunStarted { reason, pace }) => {
                self.reason.clone_from(reason);
                self.pace = pace.unwrap_or_default();
                RunPhase::Applying
            }
            (RunPhase::Applying | RunPhase::Undoing, JournalEvent::RunResumed) => phase,
            (_, JournalEvent::Step { direction, act, .. }) if phase.takes(*direction, act) => {
                let changed = self.preview_steps(std::slice::from_ref(record))?;
                self.commit_steps(changed);
                phase
            }
            (RunPhase::Applying, JournalEvent::RunFinished)
                if self.steps.iter().all(|step| step.apply.ending().is_some()) =>
            {
                RunPhase::Finished
            }
            (RunPhase::Finished | RunPhase::UndoFinished, JournalEvent::UndoStarted { reason }) => {
                let mut is_idle = true;
                for step in self.steps.iter_mut().filter(|step| step.is_undoable()) {
                    step.undo = Some(step.undo.as_ref().unwrap_or(&step.apply).successor());
                    is_idle = false;
                }
                // Why nothing was restored says nothing of what was.
                let reason = reason.clone().filter(|_| !is_idle || self.undo_reason.is_none());
                self.undo_reason = both(self.undo_reason.take(), reason);
                RunPhase::Undoing
            }
            (RunPhase::Undoing, JournalEvent::UndoFinished)
                if self.steps.iter().filter_map(|step| step.undo.as_ref()).all(|undo| undo.ending().is_some()) =>
            {
                RunPhase::UndoFinished
            }
            // What becomes of sessions changes no step.
            (RunPhase::Finished, JournalEvent::SessionsEnding { .. } | JournalEvent::SessionsEnded { .. }) => phase,
            (_, JournalEvent::RunStarted { .. }) => return refuse("run-started"),
            (_, JournalEvent::RunResumed) => return refuse("run-resumed"),
            (_, JournalEvent::Step { .. }) => return refuse("step"),
            (_, JournalEvent::RunFinished) => return refuse("run-finished"),
            (_, JournalEvent::UndoStarted { .. }) => return refuse("undo-started"),
            (_, JournalEvent::UndoFinished) => return refuse("undo-finished"),
            (_, JournalEvent::SessionsEnding { .. }) => return refuse("sessions-ending"),
            (_, JournalEvent::SessionsEnded { .. }) => return refuse("sessions-ended"),
        };
        Ok(())
    }

    /// What these records of steps would make of the steps that they name, without changing anything.
    pub(crate) fn preview_steps(
        &self,
        records: &[JournalRecord],
    ) -> Result<BTreeMap<u32, StepState>, InvalidTransition> {
        let mut changed: BTreeMap<u32, StepState> = BTreeMap::new();
        for record in records {
            let JournalEvent::Step { step: id, direction, act } = &record.event else { continue };
            if !self.phase.takes(*direction, act) {
                return Err(InvalidTransition::Run { phase: self.phase, event: "step" });
            }
            let current = changed.get(id).or_else(|| self.step(*id)).ok_or(InvalidTransition::NoSuchStep(*id))?;
            let next = current.next(*id, *direction, record.at_ms, act)?;
            changed.insert(*id, next);
        }
        Ok(changed)
    }

    /// Takes over what [`RunState::preview_steps`] foresaw.
    pub(crate) fn commit_steps(&mut self, changed: BTreeMap<u32, StepState>) {
        for (id, next) in changed {
            if let Some(step) = index(id).and_then(|index| self.steps.get_mut(index)) {
                *step = next;
            }
        }
    }
}

fn index(id: u32) -> Option<usize> {
    usize::try_from(id.checked_sub(1)?).ok()
}

/// The reasons of an undo and of its retry.
fn both(earlier: Option<SafeText>, reason: Option<SafeText>) -> Option<SafeText> {
    match (earlier, reason) {
        (Some(earlier), Some(reason)) if earlier != reason => Some(SafeText::new(&format!("{earlier}; {reason}"))),
        (earlier, reason) => earlier.or(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::track::MAX_UNANSWERED;
    use super::*;
    use crate::{NotStarted, RefusedBy, RequestId};
    use proptest::prelude::*;

    fn text() -> SafeText {
        SafeText::new("on")
    }

    fn any_ending() -> impl Strategy<Value = StepOutcome> {
        prop_oneof![
            any::<bool>().prop_map(|waits_for_restart| StepOutcome::Reached { note: None, waits_for_restart }),
            any::<bool>().prop_map(|waits_for_restart| StepOutcome::Already { waits_for_restart }),
            Just(StepOutcome::Reverted { found: text() }),
            Just(StepOutcome::Forgotten),
            Just(StepOutcome::Unexplained),
            Just(StepOutcome::Changed { found: text() }),
            any::<bool>().prop_map(|accepted| StepOutcome::Overwritten { found: text(), accepted }),
            Just(StepOutcome::Refused { by: RefusedBy::Lock, name: text(), detail: text() }),
            Just(StepOutcome::Failed { detail: text(), vanished: false }),
            Just(StepOutcome::TimedOut { detail: text(), vanished: false }),
            Just(StepOutcome::NotStarted { why: NotStarted::Interrupted }),
        ]
    }

    fn any_act() -> impl Strategy<Value = StepEvent> {
        prop_oneof![
            3 => any::<bool>().prop_map(|was_default| StepEvent::Intent { found: text(), was_default }),
            1 => Just(StepEvent::Reverted { found: text() }),
            1 => Just(StepEvent::NotReadAgain { why: text() }),
            1 => Just(StepEvent::ReadAgain),
            3 => Just(StepEvent::Accepted { request_id: RequestId::new("r-1").ok() }),
            3 => Just(StepEvent::Rejected { detail: text() }),
            3 => Just(StepEvent::Observed { found: text(), pending_restart: false }),
            2 => any_ending().prop_map(|ending| StepEvent::Ended { ending }),
        ]
    }

    fn any_event() -> impl Strategy<Value = JournalEvent> {
        let direction = prop_oneof![3 => Just(Direction::Apply), 1 => Just(Direction::Undo)];
        prop_oneof![
            1 => any::<bool>().prop_map(|said| JournalEvent::RunStarted { reason: said.then(text), pace: None }),
            1 => Just(JournalEvent::RunResumed),
            20 => (0_u32..4, direction, any_act()).prop_map(|(step, direction, act)| JournalEvent::Step { step, direction, act }),
            1 => Just(JournalEvent::RunFinished),
            1 => any::<bool>().prop_map(|said| JournalEvent::UndoStarted { reason: said.then(text) }),
            1 => Just(JournalEvent::UndoFinished),
        ]
    }

    fn any_journal() -> impl Strategy<Value = Vec<JournalRecord>> {
        let record = (any::<i64>(), any_event()).prop_map(|(at_ms, event)| JournalRecord { at_ms, event });
        proptest::collection::vec(record, 0..60).prop_map(|mut records| {
            records.insert(0, JournalRecord { at_ms: 0, event: JournalEvent::RunStarted { reason: None, pace: None } });
            records
        })
    }

    proptest! {
        #[test]
        fn any_sequence_is_answered_and_what_does_not_fit_changes_nothing(records in any_journal()) {
            let mut state = RunState::new(2);
            let mut kept = Vec::new();
            for record in records {
                let before = state.clone();
                match state.advance(&record) {
                    Ok(()) => kept.push(record),
                    Err(_) => prop_assert_eq!(&state, &before),
                }
                for (old, new) in before.steps.iter().zip(&state.steps) {
                    // An end is an end, but that a success may turn out to be none, or be forgotten once it could not be read
                    // again; only a new undo opens a new track.
                    if let Some(ending) = old.apply.ending() {
                        let reverted = ending.is_success() && matches!(new.apply.ending(), Some(StepOutcome::Reverted { .. }));
                        let is_unread = ending.is_success() && old.apply.not_read_again.is_some();
                        let forgotten = is_unread && matches!(new.apply.ending(), Some(StepOutcome::Forgotten));
                        prop_assert!(reverted || forgotten || Some(ending) == new.apply.ending());
                    }
                    prop_assert!(new.apply.unanswered <= MAX_UNANSWERED);
                    prop_assert!(!old.apply.touched || new.apply.touched);
                }
            }
            prop_assert_eq!(RunState::replay(2, &kept).unwrap(), state);
        }

        #[test]
        fn no_write_follows_an_accepted_one_and_no_success_is_unread(acts in proptest::collection::vec(any_act(), 0..40)) {
            let mut track = Track::new();
            let (mut accepted, mut unanswered, mut observed) = (false, 0_i32, false);
            for act in acts {
                let Some(next) = track.next(7, &act) else { continue };
                match &act {
                    StepEvent::Intent { .. } => {
                        prop_assert!(!accepted);
                        unanswered += 1;
                        prop_assert!(unanswered <= 2);
                    }
                    StepEvent::Accepted { .. } => (accepted, unanswered) = (true, unanswered - 1),
                    StepEvent::Rejected { .. } => unanswered -= 1,
                    StepEvent::Observed { .. } => observed = true,
                    StepEvent::Reverted { .. } => prop_assert!(track.ending().is_some_and(StepOutcome::is_success)),
                    StepEvent::NotReadAgain { .. } => {
                        prop_assert!(track.ending().is_some_and(StepOutcome::is_success) && next.not_read_again.is_some());
                    }
                    StepEvent::ReadAgain => prop_assert!(track.not_read_again.is_some() && next.not_read_again.is_none()),
                    StepEvent::Ended { ending } => {
                        let forgets = *ending == StepOutcome::Forgotten && track.not_read_again.is_some();
                        prop_assert!(track.ending().is_none() || forgets);
                        prop_assert!(next.not_read_again.is_none());
                        let reached = matches!(ending, StepOutcome::Reached { .. } | StepOutcome::Overwritten { .. });
                        prop_assert!(!reached || observed);
                        let wrote_nothing = matches!(ending, StepOutcome::Already { .. } | StepOutcome::NotStarted { .. });
                        prop_assert!(!wrote_nothing || (!accepted && unanswered == 0));
                        prop_assert_eq!(next.touched, accepted || observed || unanswered > 0);
                    }
                }
                track = next;
            }
        }

        #[test]
        fn a_record_survives_its_json(at_ms in any::<i64>(), event in any_event()) {
            let record = JournalRecord { at_ms, event };
            let json = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<JournalRecord>(&json).unwrap(), record);
        }
    }

    #[test]
    fn a_stuck_undo_may_be_tried_again_and_a_finished_one_may_not() {
        let mut state = RunState::new(1);
        let mut go = |event: JournalEvent| state.advance(&JournalRecord { at_ms: 0, event }).map(|()| state.clone());
        let step = |direction, act| JournalEvent::Step { step: 1, direction, act };
        go(JournalEvent::RunStarted { reason: None, pace: None }).unwrap();
        for act in [
            StepEvent::Intent { found: text(), was_default: false },
            StepEvent::Accepted { request_id: None },
            StepEvent::Observed { found: text(), pending_restart: false },
            StepEvent::Ended { ending: StepOutcome::Reached { note: None, waits_for_restart: false } },
        ] {
            go(step(Direction::Apply, act)).unwrap();
        }
        go(JournalEvent::RunFinished).unwrap();
        let stuck = go(JournalEvent::UndoStarted { reason: Some(SafeText::new("INC-1")) }).unwrap();
        assert!(stuck.steps()[0].undo.is_some());
        go(step(Direction::Undo, StepEvent::Ended { ending: StepOutcome::Failed { detail: text(), vanished: false } }))
            .unwrap();
        go(JournalEvent::UndoFinished).unwrap();
        let again = go(JournalEvent::UndoStarted { reason: Some(text()) }).unwrap();
        assert_eq!(again.steps()[0].undo.as_ref().unwrap().stage, Stage::Planned);
        go(step(Direction::Undo, StepEvent::Ended { ending: StepOutcome::Already { waits_for_restart: false } }))
            .unwrap();
        go(JournalEvent::UndoFinished).unwrap();
        for idle in [None, Some(SafeText::new("typo"))] {
            let done = go(JournalEvent::UndoStarted { reason: idle }).unwrap();
            assert!(done.steps()[0].undo.as_ref().unwrap().ending().is_some());
            assert_eq!(done.undo_reason().unwrap().to_string(), format!("INC-1; {}", text()), "it restored nothing");
            go(JournalEvent::UndoFinished).unwrap();
        }
    }
}
