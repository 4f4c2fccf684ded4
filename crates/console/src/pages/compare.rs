//! Two audits side by side: what of the later one is not as in the earlier one.

use crate::reply::{Failure, page};
use crate::shared::Shared;
use crate::trouble::Trouble;
use crate::view::{Badge, Shell, When, count};
use crate::waivers::WaiverSource;
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use hostssl_formats::diff_text;
use hostssl_model::{AuditReport, Outcome};
use hostssl_ops::{AuditChange, Difference, compare_audits};
use hostssl_store::{AuditEntry, AuditStore, ServerFilter, StoreError, server_key};

/// Changes on a page; `hostssl diff` has them all.
const SHOWN: usize = 500;

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    shell: Shell,
    /// The earlier one and the later one, under their titles.
    sides: [(&'static str, Side); 2],
    /// The command that has every change.
    command: String,
    /// How many changes of each kind there are, in one sentence.
    counts: String,
    unchanged: String,
    notes: Vec<String>,
    rows: Vec<ChangeRow>,
    more: usize,
}

/// One of the audits.
struct Side {
    audit: AuditEntry,
    at: When,
    servers: String,
}

struct ChangeRow {
    badge: Badge,
    key: String,
    name: String,
    group: String,
    control: Option<&'static str>,
    what: String,
}

/// The earlier audit, the later one, and their comparison, or why the waivers cannot be laid over it.
type FoundPair = (AuditEntry, AuditEntry, Result<Compared, Trouble>);

/// What the page needs of the comparison, without the reports.
struct Compared {
    counts: String,
    unchanged: u64,
    notes: Vec<String>,
    rows: Vec<ChangeRow>,
    more: usize,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    shell: Shell,
) -> Result<Response, Failure> {
    let query = query.unwrap_or_default();
    let chosen = form_urlencoded::parse(query.as_bytes());
    let chosen: Vec<String> = chosen.filter(|(name, _)| name == "run").map(|(_, run)| run.into_owned()).collect();
    let [one, other] = <[String; 2]>::try_from(chosen).map_err(|_| Failure::two_audits())?;
    // Whole reports are in memory.
    let _turn = shared.reports.acquire().await.map_err(|_| Failure::defect())?;
    let source = shared.options.waivers.clone();
    let found = shared.ask(move |store| compare(store, &one, &other, source.as_ref())).await?;
    let (before, after, compared) = found.ok_or_else(Failure::no_such_run)?;
    let compared = compared.map_err(|trouble| Failure::of_waivers(&trouble))?;
    page(&ComparePage {
        shell: shell.titled("Two audits compared", "runs"),
        command: format!("hostssl diff {} {}", before.id, after.id),
        sides: [("Before", Side::of(before)), ("After", Side::of(after))],
        counts: compared.counts,
        unchanged: count(compared.unchanged),
        notes: compared.notes.iter().map(crate::reply::sentence).collect(),
        rows: compared.rows,
        more: compared.more,
    })
}

fn compare(
    store: &AuditStore,
    one: &str,
    other: &str,
    waivers: Option<&WaiverSource>,
) -> Result<Option<FoundPair>, StoreError> {
    let Some((one, other)) = store.audit(one)?.zip(store.audit(other)?) else { return Ok(None) };
    let (before, after) = if one.is_before(&other) { (one, other) } else { (other, one) };
    let report = |audit: &AuditEntry| store.report(audit, &ServerFilter::default());
    let (earlier, mut later) = (report(&before)?, report(&after)?);
    let laid = waivers.map_or(Ok(()), |source| source.apply_to(&mut later));
    let compared = laid.map(|()| Compared::of(&earlier, &later));
    Ok(Some((before, after, compared)))
}

impl Compared {
    fn of(before: &AuditReport, after: &AuditReport) -> Self {
        let compared = compare_audits(before, after);
        Self {
            counts: crate::reply::sentence(diff_text::counts(&compared)),
            unchanged: compared.unchanged,
            notes: diff_text::notes(before, after, &compared),
            rows: compared.changes.iter().take(SHOWN).map(ChangeRow::of).collect(),
            more: compared.changes.len().saturating_sub(SHOWN),
        }
    }
}

impl Side {
    fn of(audit: AuditEntry) -> Self {
        Self { at: When(audit.told_ms()), servers: crate::view::plural(audit.tally.servers(), "server"), audit }
    }
}

impl ChangeRow {
    fn of(change: &AuditChange<'_>) -> Self {
        let (word, outcome) = diff_text::word(change.difference);
        let (class, shape) = match outcome {
            Outcome::Fail => ("no", if change.difference == Difference::New { "▲" } else { "✕" }),
            Outcome::Unknown => ("unknown", "?"),
            Outcome::Pass => ("yes", "✓"),
            Outcome::NotApplicable => ("none", "–"),
        };
        Self {
            badge: Badge { class, shape, word },
            key: server_key(&change.server.id),
            name: change.server.name().to_owned(),
            group: change.server.id.resource_group().to_owned(),
            control: change.control().map(|control| control.as_str()),
            what: match diff_text::waiver(change) {
                Some(waiver) => format!("{}; {waiver}", diff_text::what(change)),
                None => diff_text::what(change),
            },
        }
    }
}
