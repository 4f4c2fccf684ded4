//! A probe that `hostssl probe` kept: its endpoints and their verdicts. All that was seen of them is in its JSON.

use super::{Asked, PageQuery, Paging};
use crate::reply::{Failure, page};
use crate::shared::Shared;
use crate::view::{Badge, Shell, When, count, plural};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_formats::probe_json::{self, EndpointSummary, ProbeAsked, WireVerdict};
use hostssl_model::WorstListener;
use hostssl_store::{Enforcement, Page, ProbeEntry};

/// Endpoints on a page.
const SIZE: u32 = 50;

/// What the word of a verdict looks like. One that this version does not know proves nothing.
fn verdict_badge(verdict: Option<WireVerdict>) -> Badge {
    match verdict {
        Some(WireVerdict::Enforced) => WorstListener::Enforced.into(),
        Some(WireVerdict::Optional) => WorstListener::Optional.into(),
        Some(WireVerdict::PlaintextOnly) => WorstListener::PlaintextOnly.into(),
        Some(WireVerdict::BrokenTls) => WorstListener::BrokenTls.into(),
        Some(WireVerdict::NotPostgresql) => Badge { word: "not PostgreSQL", ..WorstListener::Inconclusive.into() },
        Some(WireVerdict::Unreachable) => WorstListener::Unseen.into(),
        Some(WireVerdict::Inconclusive) | None => WorstListener::Inconclusive.into(),
    }
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
    tried: ProbeAsked,
    rows: Vec<(Badge, EndpointSummary)>,
    paging: Paging,
}

pub(crate) async fn show(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Asked(query): Asked<PageQuery>,
    shell: Shell,
) -> Result<Response, Failure> {
    let at = Page { number: query.page, size: SIZE };
    let found = shared
        .ask(move |store| {
            let Some(probe) = store.probe(&id)? else { return Ok(None) };
            let documents = store.endpoints(&id, at)?;
            Ok(Some((probe, documents)))
        })
        .await?;
    let Some((probe, documents)) = found else { return Err(Failure::no_such_run()) };
    let endpoints: Vec<EndpointSummary> = documents
        .iter()
        .map(|document| probe_json::read_summary(document))
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::defect())?;
    page(&ProbePage {
        shell: shell.titled("Probe", "runs"),
        at: When(probe.started_ms),
        figures: [
            (Enforcement::NotEnforced.into(), count(probe.fail)),
            (Enforcement::Unknown.into(), count(probe.unknown)),
            (Enforcement::Enforced.into(), count(probe.pass)),
        ],
        endpoints: plural(probe.endpoints(), "endpoint"),
        command: format!("hostssl runs show {} -o json", probe.id),
        tried: ProbeAsked::read(&probe.asked).unwrap_or_default(),
        paging: Paging::new(query.page, SIZE, probe.endpoints(), |page| format!("/probes/{}?page={page}", probe.id)),
        rows: endpoints.into_iter().map(|endpoint| (verdict_badge(endpoint.verdict), endpoint)).collect(),
        probe,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_badge_and_a_new_one_proves_nothing() {
        for verdict in WireVerdict::ALL {
            let class = match verdict {
                WireVerdict::Enforced => "yes",
                WireVerdict::Optional | WireVerdict::PlaintextOnly | WireVerdict::BrokenTls => "no",
                WireVerdict::Unreachable | WireVerdict::NotPostgresql | WireVerdict::Inconclusive => "unknown",
            };
            assert_eq!(verdict_badge(Some(verdict)).class, class, "{verdict:?}");
        }
        assert_eq!(verdict_badge(None).class, "unknown");
    }
}
