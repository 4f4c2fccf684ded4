//! One run that changed servers: every step, and the receipt of every write. For reading.

use super::runs::no_such_run;
use crate::reply::{Failure, page};
use crate::state::Shared;
use crate::view::{Badge, Shell, When, plural};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_remedy::{Direction, LoadedRun, Report, RunId, RunOutcome, Status, StepReport};
use hostssl_store::{Receipt, StoreError, StoreReader};

#[derive(Template)]
#[template(path = "apply.html")]
struct ApplyPage {
    shell: Shell,
    report: Report,
    by: String,
    cloud: String,
    steps: Vec<StepRow>,
    receipts: Vec<ReceiptRow>,
    counts: String,
    next: Option<String>,
}

struct StepRow {
    badge: Badge,
    server: String,
    group: String,
    step: StepReport,
}

struct ReceiptRow {
    receipt: Receipt,
    way: &'static str,
    sent: When,
    read_back: Option<When>,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    shell: Shell,
) -> Result<Response, Failure> {
    let run = RunId::new(&id).map_err(|_| no_such_run())?;
    let found = shared
        .ask(move |store| {
            let journal = match StoreReader::open(store.directory()) {
                Err(StoreError::NoState(_)) => return Ok(None),
                opened => opened?,
            };
            let stored = match journal.load(&run) {
                Err(StoreError::NoSuchRun(_)) => return Ok(None),
                loaded => loaded?,
            };
            let by = stored.principal.name.clone();
            let loaded = stored.load().map_err(|error| StoreError::Corrupt(error.to_string()))?;
            Ok(Some((by, loaded, journal.receipts(&run)?)))
        })
        .await?;
    let (by, loaded, receipts) = found.ok_or_else(no_such_run)?;
    page(&apply_page(shell, by, &loaded, receipts))
}

fn apply_page(shell: Shell, by: String, loaded: &LoadedRun, receipts: Vec<Receipt>) -> ApplyPage {
    let report = loaded.report();
    let mut steps: Vec<StepRow> = report.steps.iter().cloned().map(StepRow::from).collect();
    // What needs a person comes first.
    steps.sort_by_key(|row| match row.badge.class {
        "no" => 0,
        "unknown" => 1,
        _ => 2,
    });
    let receipts = receipts.into_iter().map(ReceiptRow::from).collect();
    ApplyPage {
        shell: shell.titled(format!("Apply {}", report.run), "runs"),
        by,
        cloud: loaded.plan.cloud().to_owned(),
        counts: plural(report.summary.steps.into(), "step"),
        next: next(&report),
        steps,
        receipts,
        report,
    }
}

/// The command to run next, where there is one: a run is continued and taken back on the command line.
fn next(report: &Report) -> Option<String> {
    match report.outcome {
        RunOutcome::Open => Some(format!("hostssl resume {}", report.run)),
        RunOutcome::Stuck => Some(format!("hostssl undo {}", report.run)),
        _ if report.summary.applied > 0 => Some(format!("hostssl undo {}", report.run)),
        _ => None,
    }
}

impl From<StepReport> for StepRow {
    fn from(step: StepReport) -> Self {
        let (class, shape) = match step.status {
            Status::Applied | Status::Already | Status::Undone => ("yes", "✓"),
            Status::Failed | Status::Refused | Status::TimedOut | Status::Stuck => ("no", "✕"),
            Status::ChangedSincePlan | Status::NotStarted => ("unknown", "?"),
        };
        let segment = |index| step.server.split('/').nth(index).unwrap_or_default().to_owned();
        Self { badge: Badge { class, shape, word: step.status.as_str() }, server: segment(8), group: segment(4), step }
    }
}

impl From<Receipt> for ReceiptRow {
    fn from(receipt: Receipt) -> Self {
        Self {
            way: match receipt.direction {
                Direction::Apply => "apply",
                Direction::Undo => "undo",
            },
            sent: When(receipt.intended_at_ms),
            read_back: receipt.observed_at_ms.map(When),
            receipt,
        }
    }
}
