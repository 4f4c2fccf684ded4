//! What probers saw, between what they say, what is kept, and what audits count.

use hostssl_formats::probe_json;
use hostssl_formats::prober_json::{ProberAnswer, TargetOutcome};
use hostssl_model::{Reading, WireObservation};
use hostssl_ops::{InvalidLooks, Looks, looks_of_zone};
use hostssl_store::{KeptAnswer, KeptLook, LookToKeep};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An answer to keep, and, where it is not believed, why.
pub(super) struct TakenAnswer {
    pub(super) answer: KeptAnswer,
    pub(super) unkept: Option<String>,
    /// Whether no honest prober says this.
    pub(super) is_violation: bool,
}

/// Takes an answer in.
pub(super) fn take_answer(zone: &str, answer: ProberAnswer, now: Timestamp) -> TakenAnswer {
    let ProberAnswer { host, port, outcome } = answer;
    let without = |missing: String| KeptAnswer { host: host.clone(), port, missing, looks: Vec::new() };
    let said = |missing: String| TakenAnswer { answer: without(missing), unkept: None, is_violation: false };
    let reports = match outcome {
        TargetOutcome::Looks(reports) => reports,
        TargetOutcome::Fenced(why) => return said(format!("refused by the prober: {why}")),
        TargetOutcome::Unsupported(why) | TargetOutcome::Unusable(why) => return said(format!("no look: {why}")),
    };
    match looks_of_zone(Some(zone), &reports, now) {
        Ok(looks) => {
            let looks = looks.looks.iter().zip(&reports);
            let looks = looks.filter_map(|((_, look), report)| to_keep(look, probe_json::to_text(report).ok()?));
            let answer = KeptAnswer { host, port, missing: String::new(), looks: looks.collect() };
            TakenAnswer { answer, unkept: None, is_violation: false }
        }
        Err(error) => {
            let why = error.to_string();
            let is_violation = !matches!(error, InvalidLooks::Future(_));
            TakenAnswer { answer: without(format!("refused: {why}")), unkept: Some(why), is_violation }
        }
    }
}

fn to_keep(look: &WireObservation, document: String) -> Option<LookToKeep> {
    let taken_ms = look.vantage.as_ref()?.observed_ms;
    let weight = match &look.listener {
        _ if look.is_decided() => 2,
        Reading::Unknown(unchecked) if unchecked.reason.is_no_way() => 0,
        _ => 1,
    };
    Some(LookToKeep { address: look.address.as_deref().unwrap_or_default().to_owned(), weight, taken_ms, document })
}

/// What audits count of what was kept: the looks of each prober. What this version cannot read is none: a newer one kept it.
#[must_use]
pub fn looks_of_probers(kept: Vec<KeptLook>, now: Timestamp) -> Vec<Looks> {
    let mut by_prober: BTreeMap<(String, String), Looks> = BTreeMap::new();
    for KeptLook { prober, zone, document, .. } in kept {
        let Ok(report) = probe_json::read(&document) else { continue };
        let Ok(read) = looks_of_zone(Some(&zone), &[report], now) else { continue };
        let name: Arc<str> = zone.as_str().into();
        let id: Arc<str> = prober.as_str().into();
        let taken_by = |(host, mut look): (Box<str>, WireObservation)| {
            if let Some(vantage) = look.vantage.as_mut() {
                vantage.prober = Some(Arc::clone(&id));
            }
            (host, look)
        };
        let own = by_prober.entry((zone, prober)).or_insert_with(|| Looks { zone: name, looks: Vec::new() });
        own.looks.extend(read.looks.into_iter().map(taken_by));
    }
    by_prober.into_values().collect()
}
