//! From facts to the report that is serialised. Pure.

use std::net::IpAddr;

use hostssl_certificate::{CertificateEvidence, RootStore, judge};
use hostssl_pgwire::text::{safe, safe_str};
use hostssl_pgwire::tls::{CipherSuite, ProtocolVersion, SuiteWeakness};

use crate::attempt::{Attempt, AttemptFailure};
use crate::certificate_report::certificate_report;
use crate::facts::{EndpointFacts, Enumerated};
use crate::offer::Handshake;
use crate::report::{
    CertificateReport, ClientCertificate, EndpointReport, Enumeration, Judgement, Negotiated, ReplicationMode,
    SeveralServers, SslRequestOutcome, StartupOutcome, StartupResult, Support, TlsReport, TransportAnswer, Unreachable,
    VersionSupport, Weakness, WireVerdict,
};
use crate::target::ProbeTarget;
use crate::transcript::TranscriptLine;
use crate::verdict::decide;

/// By what certificates are judged.
pub(crate) struct Judging<'a> {
    pub(crate) roots: &'a [RootStore],
    pub(crate) now: i64,
    pub(crate) expiry_days: Option<u32>,
}

/// The report of `facts`.
pub(crate) fn assemble(
    target: &ProbeTarget,
    address: Option<IpAddr>,
    facts: &EndpointFacts,
    judging: &Judging<'_>,
    transcript: Option<Vec<TranscriptLine>>,
) -> EndpointReport {
    let decision = decide(facts);
    let (certificate, of_certificates) = certificates(target, facts, judging);
    // What a peer that is no PostgreSQL seems to say about TLS is chance.
    let tls = tls_report(facts, &decision.startups).filter(|_| decision.verdict != WireVerdict::NotPostgresql);
    let mut weaknesses = transport_weaknesses(facts, &decision.startups, tls.as_ref());
    weaknesses.extend(of_certificates);
    weaknesses.sort_unstable();
    weaknesses.dedup();
    let mistaken_for_s = decision.verdict == WireVerdict::NotPostgresql && facts.ssl == SslRequestOutcome::S;
    EndpointReport {
        target: target.display(),
        host: target.host.clone(),
        port: target.port,
        address: address.map(|address| address.to_string()),
        verdict: decision.verdict,
        unreachable: facts.unreachable.as_ref().map(unreachable),
        reason: safe_str(&decision.reason),
        // A banner that begins with S.
        ssl_request: if mistaken_for_s { SslRequestOutcome::Garbage } else { facts.ssl },
        plaintext: decision.plaintext,
        encrypted: decision.encrypted,
        startups: decision.startups,
        tls,
        certificate,
        weaknesses,
        several_servers: several_servers(facts),
        failures: None,
        transcript,
        observed_ms: None,
    }
}

/// The certificate that `verify-full` likes least of all that were seen, the first one where they are alike; and the weaknesses of all.
fn certificates(
    target: &ProbeTarget,
    facts: &EndpointFacts,
    judging: &Judging<'_>,
) -> (Option<CertificateReport>, Vec<Weakness>) {
    let handshake = facts.handshake.completed();
    let first = handshake.map_or(&facts.hello_chain, |handshake| &handshake.chain);
    let first_proof = match handshake {
        Some(handshake) => handshake.key_proof.as_ref().map_err(String::as_str).copied(),
        None => Err("no handshake was completed"),
    };
    let others = facts.identity.chains().iter().filter(|seen| seen.certificates != *first);
    let others = others.map(|seen| (&seen.certificates, seen.key_proof.as_ref().map_err(String::as_str).copied()));
    let (mut worst, mut weaknesses) = (None::<CertificateReport>, Vec::new());
    for (chain, key_proof) in std::iter::once((first, first_proof)).chain(others) {
        let Some(assessment) = judge(&CertificateEvidence {
            chain,
            host: if target.named { &target.host } else { "" },
            roots: judging.roots,
            now: judging.now,
            revocation_lists: target.revocation_lists,
            key_proof,
        }) else {
            continue;
        };
        let (report, of_chain) = certificate_report(assessment, chain);
        // The first one alone is known to be what a handshake should have ended with.
        weaknesses.extend(
            of_chain.into_iter().filter(|weakness| chain == first || *weakness != Weakness::CertificateKeyUnproven),
        );
        if expires_soon(&report, judging) {
            weaknesses.push(Weakness::CertificateExpiresSoon);
        }
        // A server may have a certificate for each type of key. One that no handshake proved is not known to be bad.
        let open = report.verify_full.ok.is_none() && facts.identity.differences().is_empty();
        let rank = |report: &CertificateReport| report.verify_full.ok.map_or(1, |ok| if ok { 2 } else { 0 });
        if worst.as_ref().is_none_or(|worst| rank(&report) < rank(worst) && !open) {
            worst = Some(report);
        }
    }
    (worst.map(|report| doubted(report, facts)), weaknesses)
}

/// A certificate that is good says nothing of one that may not have been seen.
fn doubted(mut report: CertificateReport, facts: &EndpointFacts) -> CertificateReport {
    let identity = &facts.identity;
    if identity.differences().is_empty() || identity.has_all_certificates() {
        return report;
    }
    let (servers, shown) = (identity.servers(), identity.certificates_shown());
    let why = format!(
        "at least {servers} servers answer here, and {shown} handshakes may not have shown the certificate of each: probe each \
         by its own address, or ask more often with --repeat"
    );
    for judgement in [&mut report.verify_full, &mut report.rfc9525] {
        if judgement.ok == Some(true) {
            *judgement = Judgement { ok: None, reason: Some(why.clone()) };
        }
    }
    report
}

fn several_servers(facts: &EndpointFacts) -> Option<SeveralServers> {
    let differences = facts.identity.differences();
    (!differences.is_empty()).then(|| SeveralServers {
        at_least: u32::try_from(facts.identity.servers()).unwrap_or(u32::MAX),
        differences: differences.into_iter().map(|mark| mark.name().to_owned()).collect(),
        plaintext_answers: facts.identity.plaintext_answers(),
    })
}

/// Whether a certificate has ended, or ends within the days that were asked about.
fn expires_soon(certificate: &CertificateReport, judging: &Judging<'_>) -> bool {
    match (certificate.days_left(judging.now), judging.expiry_days) {
        (Some(left), Some(days)) => certificate.expired || left < i64::from(days),
        _ => false,
    }
}

fn unreachable(reason: &AttemptFailure) -> Unreachable {
    match reason {
        AttemptFailure::Resolve(_) | AttemptFailure::Timeout("resolving the name") => Unreachable::Unresolved,
        AttemptFailure::ConnectionRefused => Unreachable::Refused,
        AttemptFailure::Timeout(_) => Unreachable::Timeout,
        _ => Unreachable::Network,
    }
}

/// The report of a target whose name has no address.
pub(crate) fn unresolved(target: &ProbeTarget, reason: &AttemptFailure) -> EndpointReport {
    EndpointReport {
        target: target.display(),
        host: target.host.clone(),
        port: target.port,
        address: None,
        verdict: WireVerdict::Unreachable,
        unreachable: Some(unreachable(reason)),
        reason: safe_str(&reason.to_string()),
        ssl_request: SslRequestOutcome::NotSent,
        plaintext: TransportAnswer::default(),
        encrypted: TransportAnswer::default(),
        startups: Vec::new(),
        tls: None,
        certificate: None,
        weaknesses: Vec::new(),
        several_servers: None,
        failures: None,
        transcript: None,
        observed_ms: None,
    }
}

/// The report of an address beyond the first `most` of a name.
pub(crate) fn unasked(target: &ProbeTarget, address: IpAddr, most: usize) -> EndpointReport {
    EndpointReport {
        verdict: WireVerdict::Inconclusive,
        unreachable: None,
        address: Some(address.to_string()),
        reason: format!("not probed: the name has more than {most} addresses; name this one as hostaddr"),
        ..unresolved(target, &AttemptFailure::NotAsked)
    }
}

/// The report of a target whose probe did not come to its end: a fault of this program, or the end of its runtime.
pub(crate) fn unfinished(target: &ProbeTarget) -> EndpointReport {
    EndpointReport {
        verdict: WireVerdict::Inconclusive,
        unreachable: None,
        reason: "the probe ended early".to_owned(),
        ..unresolved(target, &AttemptFailure::NotAsked)
    }
}

/// What is known of TLS; nothing when no question about it was ever put.
fn tls_report(facts: &EndpointFacts, startups: &[StartupResult]) -> Option<TlsReport> {
    let direct = facts.direct.completed() == Some(&true);
    if facts.ssl != SslRequestOutcome::S && !direct {
        return None;
    }
    let asked = |attempt: &Attempt<bool>| {
        (*attempt != Attempt::NotScheduled(AttemptFailure::NotAsked)).then(|| support(Some(attempt)))
    };
    let versions = ProtocolVersion::ALL
        .iter()
        .map(|version| VersionSupport { version: *version, support: support(facts.versions.get(version)) });
    Some(TlsReport {
        versions: if facts.versions.is_empty() { Vec::new() } else { versions.collect() },
        negotiated: facts.handshake.completed().map(negotiated),
        direct_tls: support(Some(&facts.direct)),
        client_certificate: client_certificate(facts, startups),
        channel_binding: channel_binding(facts),
        direct_tls_without_alpn: asked(&facts.direct_without_alpn),
        gss_encryption: asked(&facts.gss),
        startup_stuffing: asked(&facts.stuffing),
        cipher_suites: facts.suites.as_deref().map(enumerations),
        groups: facts.groups.as_deref().map(enumerations),
        post_quantum: facts.post_quantum.as_ref().map(enumeration),
    })
}

fn support(attempt: Option<&Attempt<bool>>) -> Support {
    match attempt.and_then(Attempt::completed) {
        Some(true) => Support::Accepted,
        Some(false) => Support::Refused,
        None => Support::Unknown,
    }
}

fn negotiated(handshake: &Handshake) -> Negotiated {
    Negotiated {
        version: Some(handshake.version),
        cipher_suite: Some(handshake.suite.to_string()),
        group: handshake.group.map(|group| group.to_string()),
        alpn: handshake.alpn.as_deref().map(safe),
    }
}

fn enumerations<T: std::fmt::Display>(lists: &[Enumerated<T>]) -> Vec<Enumeration> {
    lists.iter().map(enumeration).collect()
}

fn enumeration<T: std::fmt::Display>(list: &Enumerated<T>) -> Enumeration {
    Enumeration {
        version: list.version,
        names: list.chosen.iter().map(T::to_string).collect(),
        complete: list.complete,
    }
}

fn client_certificate(facts: &EndpointFacts, startups: &[StartupResult]) -> ClientCertificate {
    let demanded = startups.iter().any(|startup| startup.encrypted.authentication.as_deref() == Some("cert"));
    let handshake = facts.handshake.completed();
    let requested = handshake.map_or(facts.hello_certificate_requested, |handshake| handshake.certificate_requested);
    match (demanded, requested, handshake) {
        (true, _, _) => ClientCertificate::Required,
        (false, true, _) => ClientCertificate::Requested,
        (false, false, Some(_)) => ClientCertificate::NotRequested,
        (false, false, None) => ClientCertificate::Unknown,
    }
}

/// Whether SCRAM-SHA-256-PLUS was offered to any startup over TLS.
fn channel_binding(facts: &EndpointFacts) -> Option<bool> {
    let offers = facts.startups.iter().filter_map(|startup| match startup.encrypted.completed()? {
        crate::startup_answer::StartupReply::Authentication(request) => request.channel_binding(),
        crate::startup_answer::StartupReply::AuthenticationBegun | crate::startup_answer::StartupReply::Error(_) => {
            None
        }
    });
    offers.reduce(|one, other| one || other)
}

/// Whether one of several servers chose less, where versions were asked for.
fn one_lacks_tls13(facts: &EndpointFacts) -> bool {
    !facts.versions.is_empty() && facts.identity.lacks_tls13()
}

fn transport_weaknesses(facts: &EndpointFacts, startups: &[StartupResult], tls: Option<&TlsReport>) -> Vec<Weakness> {
    let mut found = Vec::new();
    for startup in startups.iter().filter(|startup| startup.plaintext.outcome == StartupOutcome::Allowed) {
        found.push(match startup.replication {
            ReplicationMode::None => Weakness::PlaintextAccepted,
            ReplicationMode::Physical | ReplicationMode::Logical => Weakness::PlaintextReplicationAccepted,
        });
        match startup.plaintext.authentication.as_deref() {
            Some("trust") => found.push(Weakness::PlaintextTrust),
            Some("password") => found.push(Weakness::PlaintextPassword),
            Some("md5") => found.push(Weakness::PlaintextMd5),
            _ => {}
        }
    }
    let accepted = |version: &ProtocolVersion| facts.versions.get(version).and_then(Attempt::completed);
    let listed = facts.suites.iter().flatten().flat_map(|list| &list.chosen).copied();
    // What a server chose of all suites is its choice, not ours: it counts where our client could not continue with it.
    let chosen = facts.hello_suite.filter(|_| facts.handshake.completed().is_none());
    let suites = listed.chain(chosen).filter_map(CipherSuite::weakness);
    for weakness in suites {
        found.push(match weakness {
            SuiteWeakness::NoForwardSecrecy => Weakness::NoForwardSecrecy,
            _ => Weakness::WeakCipherSuite,
        });
    }
    let deprecated =
        ProtocolVersion::ALL.iter().any(|version| version.is_deprecated() && accepted(version) == Some(&true));
    for (is_so, weakness) in [
        (deprecated, Weakness::DeprecatedTlsVersion),
        (
            tls.is_some() && (accepted(&ProtocolVersion::Tls13) == Some(&false) || one_lacks_tls13(facts)),
            Weakness::NoTls13,
        ),
        (tls.is_some_and(|tls| tls.channel_binding == Some(false)), Weakness::NoChannelBinding),
        (facts.direct_without_alpn.completed() == Some(&true), Weakness::DirectTlsWithoutAlpn),
        (facts.bytes_before_handshake, Weakness::BytesBeforeHandshake),
        (facts.stuffing.completed() == Some(&true), Weakness::StartupStuffing),
    ] {
        if is_so {
            found.push(weakness);
        }
    }
    found
}
