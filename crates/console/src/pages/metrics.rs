//! `/metrics`: what is known, in numbers, for Prometheus. It names no server and no client, and needs no session.

use crate::reply::Failure;
use crate::state::Shared;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hostssl_formats::METRICS_TYPE;
use hostssl_formats::fleet_metrics::{FleetFigures, FleetMetrics, write};
use hostssl_store::{AuditEntry, AuditStore, Page, StoreError};
use jiff::Timestamp;

/// Audits among which the newest complete one is looked for.
const RECENT: Page = Page { number: 0, size: 100 };

pub(crate) async fn show(State(shared): State<Shared>) -> Result<Response, Failure> {
    let version = shared.options.version.clone();
    let metrics = shared.ask(move |store| measured(store, version)).await?;
    let mut body = Vec::new();
    write(&mut body, &metrics).map_err(|_| Failure::defect())?;
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], body).into_response())
}

fn measured(store: &AuditStore, version: String) -> Result<FleetMetrics, StoreError> {
    let audit = store.latest()?.map(|audit| figures(store, &audit)).transpose()?;
    let (recent, _) = store.audits(RECENT)?;
    // An audit of a part of the servers says nothing of the others.
    let last_complete = recent.iter().find(|audit| audit.complete && audit.whole).and_then(finished);
    Ok(FleetMetrics { version, audit, last_complete })
}

fn figures(store: &AuditStore, audit: &AuditEntry) -> Result<FleetFigures, StoreError> {
    let controls = store.control_tallies(audit)?.into_iter();
    let gaps = store.gap_groups(audit)?.into_iter();
    Ok(FleetFigures {
        finished: finished(audit),
        complete: audit.complete,
        standings: audit.standings,
        controls: controls
            .map(|(control, tally)| (control.to_string(), [tally.pass, tally.fail, tally.unknown]))
            .collect(),
        gaps: gaps.map(|group| (group.reason.to_string(), [group.servers, group.places])).collect(),
        expiries: store.facets(audit)?.expiries.iter().map(|end_ms| end_ms.div_euclid(1000)).collect(),
    })
}

/// When an audit ended, in seconds since 1970-01-01T00:00:00Z.
fn finished(audit: &AuditEntry) -> Option<i64> {
    audit.finished_at.parse::<Timestamp>().ok().map(Timestamp::as_second)
}
