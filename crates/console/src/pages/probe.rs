//! A probe that `hostssl probe` kept: its endpoints and their verdicts. All that was seen of them is in its JSON.

use super::runs::no_such_run;
use super::{Asked, Paging};
use crate::reply::{Failure, page};
use crate::state::Shared;
use crate::view::{Badge, Shell, When, count, plural, transport_badge};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_store::{Page, ProbeEntry};
use serde::Deserialize;

/// Endpoints on a page.
const SIZE: u32 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Looked {
    page: u32,
}

/// What the page shows of an endpoint, by the names of `hostssl/probe/v1`.
#[derive(Deserialize)]
struct Endpoint {
    target: String,
    address: Option<String>,
    verdict: String,
    reason: String,
    certificate: Option<Certificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    verify_full: Judgement,
    not_after: Option<String>,
}

#[derive(Deserialize)]
struct Judgement {
    ok: Option<bool>,
    reason: Option<String>,
}

/// The names that were tried.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tried {
    users: Vec<String>,
    databases: Vec<String>,
    replication: Vec<String>,
}

#[derive(Template)]
#[template(path = "probe.html")]
struct ProbePage {
    shell: Shell,
    probe: ProbeEntry,
    at: When,
    figures: [(Badge, String); 3],
    endpoints: String,
    /// What shows all that was seen.
    command: String,
    tried: Tried,
    rows: Vec<(Endpoint, Badge)>,
    paging: Paging,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(looked): Asked<Looked>,
    shell: Shell,
) -> Result<Response, Failure> {
    let at = Page { number: looked.page, size: SIZE };
    let found = shared
        .ask(move |store| {
            let Some(probe) = store.probe(&id)? else { return Ok(None) };
            let documents = store.endpoints(&id, at)?;
            Ok(Some((probe, documents)))
        })
        .await?;
    let Some((probe, documents)) = found else { return Err(no_such_run()) };
    let endpoints: Vec<Endpoint> = documents
        .iter()
        .map(|document| serde_json::from_str(document))
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::defect())?;
    let badge = |endpoint: &Endpoint| match endpoint.verdict.as_str() {
        "unreachable" => transport_badge("unseen"),
        verdict => transport_badge(verdict),
    };
    page(&ProbePage {
        shell: shell.titled("Probe", "runs"),
        at: When(probe.started_ms),
        figures: [
            (Badge { word: "not enforced", ..transport_badge("optional") }, count(probe.fail)),
            (Badge { word: "unknown", ..transport_badge("inconclusive") }, count(probe.unknown)),
            (Badge { word: "enforced", ..transport_badge("enforced") }, count(probe.pass)),
        ],
        endpoints: plural(probe.endpoints(), "endpoint"),
        command: format!("hostssl runs show {} -o json", probe.id),
        tried: serde_json::from_str(&probe.asked).unwrap_or_default(),
        paging: Paging::new(looked.page, SIZE, probe.endpoints(), |page| format!("/probes/{}?page={page}", probe.id)),
        rows: endpoints
            .into_iter()
            .map(|endpoint| {
                let badge = badge(&endpoint);
                (endpoint, badge)
            })
            .collect(),
        probe,
    })
}
