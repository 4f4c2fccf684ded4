//! The second look: whether the values that a run wrote have stayed, before the next wave and before the report.

use super::event::ExecutionEvent;
use super::recorder::RunRecorder;
use super::{Abort, Executor, ended};
use crate::{Direction, ParameterRef, ParameterWriter, SafeText, Step, StepEvent, StepOutcome};
use hostssl_model::same_value;

impl<W: ParameterWriter> Executor<'_, W> {
    /// Reads the values of steps that ended well once more: what something else has set meanwhile is not success.
    pub(super) async fn look_again<'s>(
        &self,
        recorder: &RunRecorder<'_, W>,
        steps: impl IntoIterator<Item = &'s Step>,
        direction: Direction,
    ) -> Result<(), Abort> {
        let held = steps.into_iter().filter(|step| recorder.holds(step, direction));
        self.in_parallel(held.map(|step| async move {
            let found = tokio::select! {
                biased;
                // Who resumes a run that has not ended looks at all of it; one that is only settled ends now.
                () = self.stopped() => return match recorder.all_ended(direction) || recorder.only_settles() {
                    true => self.note_unread(recorder, step, direction, "the run was stopped before that").await,
                    false => Ok(()),
                },
                found = self.writer.read(ParameterRef::from(step)) => found,
                () = self.clock.sleep(self.options.read_patience) => {
                    return self.note_unread(recorder, step, direction, "no answer in time").await;
                }
            };
            let act = match found {
                Ok(parameter) if !same_value(parameter.value(), step.values(direction).1) => {
                    StepEvent::Reverted { found: SafeText::new(parameter.value()) }
                }
                Ok(_) if recorder.not_read_again(step, direction).is_some() => StepEvent::ReadAgain,
                Ok(_) => return Ok(()),
                Err(unchecked) => return self.note_unread(recorder, step, direction, &unchecked.detail).await,
            };
            recorder.record(step, direction, vec![act]).await
        }))
        .await
    }

    /// Keeps that a value could not be read again. It was read once, and this says nothing else about it; but no one has
    /// seen that it stayed.
    async fn note_unread(
        &self,
        recorder: &RunRecorder<'_, W>,
        step: &Step,
        direction: Direction,
        why: &str,
    ) -> Result<(), Abort> {
        let known = recorder.not_read_again(step, direction);
        let why = SafeText::new(why);
        if known.as_ref() == Some(&why) {
            return Ok(());
        }
        if known.is_none() {
            self.events.emit(&ExecutionEvent::NotReadAgain { step, why: why.as_str() });
        }
        recorder.record(step, direction, vec![StepEvent::NotReadAgain { why }]).await
    }

    /// Ends the steps whose value cannot be read again, and whose server is to be forgotten: it is gone, and reading it would
    /// never succeed.
    async fn forget_unread(&self, recorder: &RunRecorder<'_, W>, direction: Direction) -> Result<(), Abort> {
        let gone = recorder
            .plan
            .steps()
            .iter()
            .filter(|step| recorder.forgets(&step.server) && recorder.not_read_again(step, direction).is_some());
        recorder.record_many(gone.map(|step| ended(step, direction, StepOutcome::Forgotten)).collect()).await
    }

    /// Reads what an earlier look could not.
    pub(super) async fn look_at_unread_again(
        &self,
        recorder: &RunRecorder<'_, W>,
        direction: Direction,
    ) -> Result<(), Abort> {
        self.forget_unread(recorder, direction).await?;
        let steps = recorder.plan.steps().iter();
        self.look_again(recorder, steps.filter(|step| recorder.not_read_again(step, direction).is_some()), direction)
            .await
    }

    /// Before the report. The last wave of an apply gets the time of every other one, so that a requested soak reports
    /// its result.
    pub(super) async fn look_at_all_again<'s>(
        &self,
        recorder: &RunRecorder<'_, W>,
        steps: impl IntoIterator<Item = &'s Step> + Clone,
        direction: Direction,
    ) -> Result<(), Abort> {
        if !steps.clone().into_iter().any(|step| recorder.holds(step, direction)) {
            return Ok(());
        }
        if direction == Direction::Apply && self.options.soak > self.options.second_look && !self.is_stopped() {
            self.soak(self.options.soak).await;
        } else {
            self.sleep_until_stopped(self.options.second_look).await;
        }
        self.look_again(recorder, steps, direction).await?;
        self.forget_unread(recorder, direction).await
    }
}
