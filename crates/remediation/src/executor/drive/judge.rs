//! The wire as the last judge of a value that was read back.

use super::wait::{Bounded, Pace};
use super::{Drive, Flow};
use crate::executor::Abort;
use crate::{Direction, ParameterWriter, SafeText, StepOutcome, Unproven, WireCheck};

impl<W: ParameterWriter> Drive<'_, W> {
    /// Only what makes a server stricter is proven on the wire; putting back restores a value, whatever it does.
    pub(super) fn asks_the_wire(&self) -> bool {
        self.executor.judge.is_some() && self.direction == Direction::Apply
    }

    /// Ends a step whose value was read back.
    pub(super) async fn judge_observed(&self, pending_restart: bool) -> Result<Flow, Abort> {
        let Some(judge) = self.executor.judge.filter(|_| self.asks_the_wire()) else {
            return self.end(reached(pending_restart, None)).await;
        };
        let began = self.executor.clock.elapsed();
        let mut pace = Pace::new(&self.executor.options);
        loop {
            let asked = judge.judge(self.place(), self.wanted);
            let verdict = match self.while_patient(self.executor.options.busy_patience, asked).await {
                Bounded::Done(verdict) => verdict,
                Bounded::TooLong => WireCheck::NotChecked(SafeText::new("it took too long")),
                Bounded::Stopped => return Ok(Flow::Leave),
            };
            match verdict {
                WireCheck::Confirmed => return self.end(reached(pending_restart, None)).await,
                WireCheck::NotChecked(why) => {
                    return self.end(reached(pending_restart, Some(Unproven::NotProbed(why)))).await;
                }
                WireCheck::NotShown(why) => {
                    return self.end(reached(pending_restart, Some(Unproven::NotShown { not_shown: why }))).await;
                }
                WireCheck::Contradicted(what) if self.since(began) >= self.executor.options.judge_patience => {
                    let text = format!("Azure declares the value, but the probe contradicts it: {what}");
                    return self.end(StepOutcome::Failed { detail: SafeText::new(&text), vanished: false }).await;
                }
                WireCheck::Contradicted(_) => {}
            }
            if self.is_out_of_patience() {
                return Ok(Flow::Leave);
            }
            self.pause(pace.next()).await;
        }
    }
}

/// The ending of a step whose value was read back.
pub(super) fn reached(pending_restart: bool, note: Option<Unproven>) -> StepOutcome {
    StepOutcome::Reached { note, waits_for_restart: pending_restart }
}
