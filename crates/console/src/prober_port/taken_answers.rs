//! What probers saw, between what they say, what is kept, and what audits count.

use hostssl_formats::probe_json;
use hostssl_formats::prober_json::{ProberAnswer, TargetOutcome};
use hostssl_model::{Reading, WireObservation};
use hostssl_ops::{InvalidLooks, Looks, looks_of_zone};
use hostssl_store::{KeptAnswer, KeptLook, LookToKeep, StoredListener};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most that is kept of what a look says, in bytes: audits hold all of them in memory. An honest one is a tenth of it.
const LARGEST: usize = 8 << 10;

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
        Ok(looks) if looks.looks.iter().any(|(_, look)| size_of(look) > LARGEST) => {
            let why = format!("what a look in it says is longer than {} KiB", LARGEST >> 10);
            TakenAnswer { answer: without(format!("refused: {why}")), unkept: Some(why), is_violation: false }
        }
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

/// The size of what an audit would keep of a look, in bytes.
fn size_of(look: &WireObservation) -> usize {
    serde_json::to_vec(&StoredListener::from(look)).map_or(usize::MAX, |bytes| bytes.len())
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

/// What audits count of what is kept: the looks of each prober. What this version cannot read is none: a newer one kept it.
///
/// # Errors
///
/// Those of `each`, which hands over one look after the other.
pub fn looks_of_probers<E>(
    each: impl FnOnce(&mut dyn FnMut(KeptLook)) -> Result<(), E>,
    now: Timestamp,
) -> Result<Vec<Looks>, E> {
    let mut by_prober: BTreeMap<(String, String), Looks> = BTreeMap::new();
    each(&mut |KeptLook { prober, zone, document, .. }| {
        let Ok(report) = probe_json::read(&document) else { return };
        let Ok(read) = looks_of_zone(Some(&zone), &[report], now) else { return };
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
    })?;
    Ok(by_prober.into_values().collect())
}
