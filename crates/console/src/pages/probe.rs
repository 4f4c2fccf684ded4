//! A probe that `hostssl probe` kept: its endpoints and their verdicts. All that was seen of them is in its JSON.

use super::runs::no_such_run;
use super::{Asked, Paging};
use crate::reply::{Failure, page};
use crate::state::Shared;
use crate::view::{Badge, Shell, When, count, plural};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use hostssl_formats::probe_json::ProbeAsked;
use hostssl_model::WorstListener;
use hostssl_store::{Enforcement, Page, ProbeEntry};
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
    verdict: Verdict,
    reason: String,
    certificate: Option<Certificate>,
}

/// What an endpoint does with encryption. What another version found is not known to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Enforced,
    Optional,
    PlaintextOnly,
    BrokenTls,
    NotPostgresql,
    Unreachable,
    #[serde(other)]
    Inconclusive,
}

impl From<Verdict> for Badge {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Enforced => WorstListener::Enforced.into(),
            Verdict::Optional => WorstListener::Optional.into(),
            Verdict::PlaintextOnly => WorstListener::PlaintextOnly.into(),
            Verdict::BrokenTls => WorstListener::BrokenTls.into(),
            Verdict::NotPostgresql => Self { word: "not PostgreSQL", ..WorstListener::Inconclusive.into() },
            Verdict::Unreachable => WorstListener::Unseen.into(),
            Verdict::Inconclusive => WorstListener::Inconclusive.into(),
        }
    }
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
    rows: Vec<(Badge, Endpoint)>,
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
        paging: Paging::new(looked.page, SIZE, probe.endpoints(), |page| format!("/probes/{}?page={page}", probe.id)),
        rows: endpoints.into_iter().map(|endpoint| (Badge::from(endpoint.verdict), endpoint)).collect(),
        probe,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_badge_and_a_new_one_proves_nothing() {
        let badge = |word: &str| Badge::from(serde_json::from_value::<Verdict>(word.into()).unwrap());
        assert_eq!(badge("enforced").class, "yes");
        for word in ["optional", "plaintext-only", "broken-tls"] {
            assert_eq!(badge(word).class, "no", "{word}");
        }
        for word in ["unreachable", "not-postgresql", "inconclusive", "of-a-later-version"] {
            assert_eq!(badge(word).class, "unknown", "{word}");
        }
    }
}
