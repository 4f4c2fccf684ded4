//! A run while it goes on: what needs eyes first.

use super::SHOWN;
use crate::jobs::change::{ChangeJob, ChangeProgress};
use crate::reply::{Failure, page};
use crate::view::{Shell, When};
use askama::Template;
use axum::response::Response;
use hostssl_remediation::{Direction, Step};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "apply_live.html")]
struct LivePage {
    shell: Shell,
    job: Arc<ChangeJob>,
    progress: ChangeProgress,
    stopping: bool,
    started: When,
    title: &'static str,
    steps: Vec<LiveStep>,
    more: usize,
}

/// A step while its run goes on.
struct LiveStep {
    id: u32,
    wave: u32,
    server: String,
    parameter: &'static str,
    from: String,
    to: String,
    word: &'static str,
    reason: Option<String>,
}

impl LiveStep {
    /// The place of the step on the page: what needs eyes first, then what is in progress, then what waits, then what is done.
    fn attention(&self) -> u8 {
        match self.word {
            "failed" | "refused" | "timed out" | "changed by someone else" | "reverted" | "overwritten" => 0,
            "waiting" => 2,
            "verified" | "restored" | "already compliant" | "already restored" => 3,
            _ => 1,
        }
    }

    /// Whether it needs someone.
    fn is_bad(&self) -> bool {
        self.attention() == 0
    }
}

pub(super) fn live(shell: Shell, job: Arc<ChangeJob>) -> Result<Response, Failure> {
    let status = job.status();
    let (stopping, progress) = (status.is_stopping(), status.progress);
    let undo = job.work.from.way == Direction::Undo;
    let row = |step: &Step| {
        let (from, to) = if undo { (&step.after, &step.undo) } else { (&step.before, &step.after) };
        let word = progress.words.get(&step.id).copied().unwrap_or("waiting");
        LiveStep {
            id: step.id,
            wave: step.wave,
            server: step.server.name().to_owned(),
            parameter: step.parameter.as_str(),
            from: from.to_string(),
            to: to.to_string(),
            word,
            reason: progress.reasons.get(&step.id).cloned(),
        }
    };
    let going = job.work.plan.steps().iter().filter(|step| job.work.from.steps.contains(&step.id));
    let mut steps: Vec<LiveStep> = going.clone().map(row).collect();
    steps.sort_by_key(|step| (step.attention(), step.id));
    steps.truncate(SHOWN);
    let title = if undo { "Undo in progress" } else { "Change in progress" };
    page(&LivePage {
        shell: shell.titled(title, "runs"),
        title,
        started: When(job.started_ms),
        steps,
        more: going.count().saturating_sub(SHOWN),
        progress: progress.clone(),
        stopping,
        job: job.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_first_and_what_is_done_last() {
        let step = |word| LiveStep {
            id: 1,
            wave: 1,
            server: String::new(),
            parameter: "",
            from: String::new(),
            to: String::new(),
            word,
            reason: None,
        };
        let mut words = ["verified", "waiting", "writing", "refused", "already compliant", "failed"];
        words.sort_by_key(|word| step(word).attention());
        assert_eq!(words, ["refused", "failed", "writing", "waiting", "verified", "already compliant"]);
        assert!(step("timed out").is_bad() && !step("reading back").is_bad());
    }
}
