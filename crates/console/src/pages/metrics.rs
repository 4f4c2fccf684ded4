//! `/metrics`: what is known, in numbers, for Prometheus. It names no server and no client, and needs no session.

use super::health::is_preparing;
use crate::reply::Failure;
use crate::shared::Shared;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hostssl_formats::METRICS_TYPE;
use hostssl_formats::fleet_metrics::{FleetAges, FleetFigures, FleetMetrics, write};
use hostssl_model::ControlId;
use hostssl_ops::Profile;
use hostssl_store::{AuditEntry, AuditStore, EvidenceAges, Page, StoreError};
use jiff::Timestamp;
use std::io;

/// Audits among which the newest complete one is looked for.
const RECENT: Page = Page { number: 0, size: 100 };

pub(crate) async fn show(State(shared): State<Shared>) -> Result<Response, Failure> {
    if is_preparing(&shared) {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, "preparing\n").into_response());
    }
    let version = shared.options.version.clone();
    let figures = shared.ask(move |store| fleet_figures(store, version)).await?;
    answer(&figures).map_err(|_| Failure::defect())
}

/// What Prometheus reads.
pub(crate) fn answer(figures: &FleetMetrics) -> io::Result<Response> {
    let mut body = Vec::new();
    write(&mut body, figures)?;
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], body).into_response())
}

/// What is known, in numbers, by what is kept.
///
/// # Errors
///
/// [`StoreError`] when the state cannot be read.
pub fn fleet_figures(store: &AuditStore, version: String) -> Result<FleetMetrics, StoreError> {
    let audit = store.latest()?.map(|audit| figures(store, &audit)).transpose()?;
    let (recent, _) = store.audits(RECENT)?;
    let mut last_complete = None;
    // An audit of a part of the servers, or of some of the controls, says nothing of the others.
    for audit in recent.iter().filter(|audit| audit.complete && audit.whole) {
        if checked_its_profile(store, audit)? {
            last_complete = finished(audit);
            break;
        }
    }
    Ok(FleetMetrics { version, audit, last_complete })
}

/// Whether an audit checked every control of its profile; one of no server had nothing to check.
fn checked_its_profile(store: &AuditStore, audit: &AuditEntry) -> Result<bool, StoreError> {
    if audit.asked.is_narrowed() {
        return Ok(false);
    }
    // An audit that an older version kept does not say which controls it was asked for.
    let Ok(profile) = Profile::find(&audit.profile) else { return Ok(false) };
    let tallies = store.control_tallies(audit)?;
    let checked = |id: ControlId| tallies.iter().any(|(control, _)| control.known() == Some(id));
    Ok(audit.summary.servers == 0 || profile.controls.iter().all(|control| checked(control.id)))
}

fn figures(store: &AuditStore, audit: &AuditEntry) -> Result<FleetFigures, StoreError> {
    let controls = store.control_tallies(audit)?.into_iter();
    let gaps = store.gap_groups(audit)?.into_iter();
    Ok(FleetFigures {
        finished: finished(audit),
        // Servers of another cloud, tenant or scope count with the audits that listed them.
        complete: audit.complete && checked_its_profile(store, audit)? && store.out_of_sight(audit)? == 0,
        standings: audit.standings,
        controls: controls
            .map(|(control, tally)| (control.to_string(), [tally.pass, tally.fail, tally.unknown]))
            .collect(),
        gaps: gaps.map(|group| (group.reason.to_string(), [group.servers, group.places])).collect(),
        ages: ages(&store.evidence_ages(audit)?),
        expiries: store.facets(audit)?.expiries.iter().map(|end_ms| end_ms.div_euclid(1000)).collect(),
    })
}

/// In seconds.
fn ages(known: &EvidenceAges) -> FleetAges {
    let seconds = |at: Option<[i64; 2]>| at.map(|at| at.map(|at_ms| at_ms.div_euclid(1000)));
    FleetAges {
        audited: seconds(known.audited_ms),
        probed: seconds(known.probed_ms),
        probed_servers: known.probed_servers,
    }
}

/// When an audit ended, in seconds since 1970-01-01T00:00:00Z.
fn finished(audit: &AuditEntry) -> Option<i64> {
    audit.finished_at.parse::<Timestamp>().ok().map(Timestamp::as_second)
}
