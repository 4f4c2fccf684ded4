//! One batch of targets: each is probed, or there is a reason why not.

use crate::fence::FencedDial;
use futures::StreamExt as _;
use futures::stream;
use hostssl_formats::probe_json;
use hostssl_formats::prober_json::{
    MAX_ANSWERS, MAX_BODY, MAX_LOOK, ProberAnswer, ProberRequest, QUESTION, TargetBatch, TargetOutcome,
};
use hostssl_probe::Prober;
use hostssl_probe::report::EndpointReport;
use hostssl_probe::target::ProbeTarget;
use jiff::{SignedDuration, Timestamp};

/// The size of a message beyond which another is begun.
const FULL: usize = MAX_BODY / 2;

/// What probes, and within which fence.
pub(crate) struct RoundTools<'a> {
    pub(crate) prober: &'a Prober,
    pub(crate) fence: &'a FencedDial,
    pub(crate) at_once: usize,
}

/// Probes a batch. Times are the console's, as far as its clock and this one differ.
pub(crate) async fn probe_batch(tools: &RoundTools<'_>, batch: TargetBatch) -> Vec<ProberAnswer> {
    let ahead = batch.now.duration_since(Timestamp::now());
    stream::iter(batch.targets)
        .map(|(target, question)| async move { answer(tools, &target, &question, ahead).await })
        .buffer_unordered(tools.at_once.max(1))
        .collect()
        .await
}

async fn answer(tools: &RoundTools<'_>, target: &ProbeTarget, question: &str, ahead: SignedDuration) -> ProberAnswer {
    let (host, port) = (target.host.clone(), target.port);
    if question != QUESTION {
        let why = format!("this version of the prober does not know the question {question}");
        return ProberAnswer { host, port, outcome: TargetOutcome::Unsupported(why) };
    }
    if let Some(why) = tools.fence.refuses(&host, port).await {
        return ProberAnswer { host, port, outcome: TargetOutcome::Fenced(why) };
    }
    // As old as its beginning: what changes while it runs may have changed behind its back.
    let taken = Timestamp::now().saturating_add(ahead).map_or(0, Timestamp::as_millisecond);
    let mut reports = tools.prober.probe(target).await;
    reports.iter_mut().for_each(|report| report.observed_ms = Some(taken));
    ProberAnswer { host, port, outcome: usable(reports) }
}

/// The looks, if each can be handed over.
fn usable(reports: Vec<EndpointReport>) -> TargetOutcome {
    let is_too_large = |report: &EndpointReport| probe_json::to_text(report).map_or(true, |text| text.len() > MAX_LOOK);
    if reports.iter().any(is_too_large) {
        return TargetOutcome::Unusable("what was seen is more than 64 KiB".to_owned());
    }
    TargetOutcome::Looks(reports)
}

/// The messages that say all of this, none larger than the console takes; the last one ends the round, if it ends.
pub(crate) fn messages(answers: Vec<ProberAnswer>, ended: Option<u64>) -> Result<Vec<Vec<u8>>, serde_json::Error> {
    let mut messages = Vec::new();
    let (mut part, mut bytes) = (Vec::new(), 0);
    for answer in answers {
        let size = match &answer.outcome {
            TargetOutcome::Looks(reports) => {
                reports.iter().map(|report| probe_json::to_text(report).map_or(0, |text| text.len())).sum()
            }
            _ => 0_usize,
        };
        if !part.is_empty() && (part.len() >= MAX_ANSWERS || bytes + size > FULL) {
            messages.push(message(std::mem::take(&mut part), None)?);
            bytes = 0;
        }
        bytes += size;
        part.push(answer);
    }
    if !part.is_empty() || ended.is_some() {
        messages.push(message(part, ended)?);
    }
    Ok(messages)
}

fn message(answers: Vec<ProberAnswer>, ended: Option<u64>) -> Result<Vec<u8>, serde_json::Error> {
    Ok(ProberRequest::Looks { answers, ended }.value()?.to_string().into_bytes())
}
