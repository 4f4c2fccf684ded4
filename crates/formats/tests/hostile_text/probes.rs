//! An endpoint that was probed.

use hostssl_formats::prober_json::ProberReply;
use hostssl_formats::probers_json::{ListedProber, ListedRefusal};
use hostssl_formats::targets_json::ZoneTargets;
use hostssl_model::ZoneRule;
use hostssl_probe::report::{
    EndpointReport, SeveralServers, SslRequestOutcome, StartupOutcome, TransportAnswer, WireVerdict,
};
use hostssl_probe::target::ProbeTarget;
use hostssl_probe::transcript::{MessageDirection, TranscriptLine};
use hostssl_test_support::hostile::hostile;

pub(crate) fn endpoint() -> EndpointReport {
    let hostile = hostile();
    let answer = TransportAnswer {
        outcome: StartupOutcome::Refused,
        sqlstate: Some(hostile.clone()),
        routine: Some(hostile.clone()),
        note: Some(hostile.clone()),
        ..TransportAnswer::default()
    };
    EndpointReport {
        target: hostile.clone(),
        host: hostile.clone(),
        port: 5432,
        address: Some(hostile.clone()),
        verdict: WireVerdict::Optional,
        unreachable: None,
        reason: hostile.clone(),
        ssl_request: SslRequestOutcome::NotSent,
        plaintext: answer.clone(),
        encrypted: answer,
        startups: Vec::new(),
        tls: None,
        certificate: None,
        weaknesses: Vec::new(),
        several_servers: Some(SeveralServers { at_least: 2, differences: vec![hostile.clone()], plaintext_answers: 1 }),
        failures: Some(vec![hostile.clone()]),
        transcript: Some(vec![TranscriptLine {
            micros: 1,
            connection: hostile.clone(),
            direction: MessageDirection::Received,
            message: hostile.clone(),
            text: hostile,
        }]),
        observed_ms: None,
    }
}

/// A rule of zones, as a file that was not read by hostssl would have it.
pub(crate) fn zone_rules() -> Vec<ZoneRule> {
    let hostile = hostile();
    vec![ZoneRule { zone: hostile.as_str().into(), server: Some(hostile), ..ZoneRule::default() }]
}

pub(crate) fn zone_targets() -> ZoneTargets {
    let hostile = hostile();
    let target = ProbeTarget {
        user: Some(hostile.clone()),
        databases: vec![hostile.clone()],
        ..ProbeTarget::new(hostile.clone(), 5432)
    };
    ZoneTargets { zone: hostile, made_at: jiff::Timestamp::UNIX_EPOCH, targets: vec![target] }
}

pub(crate) fn probers() -> Vec<ListedProber> {
    let at = || "2026-01-01T00:00:00Z".to_owned();
    vec![ListedProber {
        id: hostile(),
        zone: hostile(),
        status: "active",
        key_sha256: "ab".repeat(32),
        version: hostile(),
        enrolled_at: at(),
        last_contact: at(),
        asked: 1,
        answered: 0,
        without_look: 1,
        example: Some(hostile()),
        violations: 0,
    }]
}

pub(crate) fn refusals() -> Vec<ListedRefusal> {
    vec![ListedRefusal { prober: Some(hostile()), at: "2026-01-01T00:00:00Z".to_owned(), why: hostile() }]
}

pub(crate) fn prober_reply() -> ProberReply {
    ProberReply::Refused { what: hostile(), hint: hostile() }
}
