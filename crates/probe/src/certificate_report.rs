//! From the judgement of a certificate to its part of the report that is serialised. Pure.

use hostssl_certificate::{Assessment, CertificateFacts, Flaw};
use hostssl_pgwire::text::safe_str;

use crate::report::{CertificateReport, Judgement, Weakness};

/// The report of `assessment`, which is of `chain`, and its weaknesses.
pub(crate) fn certificate_report(assessment: Assessment, chain: &[Vec<u8>]) -> (CertificateReport, Vec<Weakness>) {
    let weaknesses: Vec<_> = assessment.flaws.iter().copied().map(weakness).collect();
    let report = CertificateReport {
        verify_full: safe(assessment.verify_full),
        rfc9525: safe(assessment.rfc9525),
        chain_ok: assessment.chain_ok,
        host_ok: assessment.host_ok,
        expired: assessment.flaws.contains(&Flaw::Expired),
        not_yet_valid: assessment.flaws.contains(&Flaw::NotYetValid),
        root: assessment.root.as_deref().map(safe_str),
        root_checks: assessment.root_checks,
        chain: chain.to_vec(),
        ..assessment.facts.map(facts).unwrap_or_default()
    };
    (report, weaknesses)
}

fn facts(facts: CertificateFacts) -> CertificateReport {
    CertificateReport {
        self_signed: facts.self_signed,
        not_before: rfc3339(facts.not_before),
        not_after: rfc3339(facts.not_after),
        expires_at: Some(facts.not_after),
        key_type: Some(facts.key_type),
        key_bits: facts.key_bits,
        signature_algorithm: Some(facts.signature_algorithm),
        subject: Some(safe_str(&facts.subject)),
        issuer: Some(safe_str(&facts.issuer)),
        ..CertificateReport::default()
    }
}

fn safe(judgement: Judgement) -> Judgement {
    Judgement { ok: judgement.ok, reason: judgement.reason.as_deref().map(safe_str) }
}

fn weakness(flaw: Flaw) -> Weakness {
    match flaw {
        Flaw::Expired => Weakness::CertificateExpired,
        Flaw::NotYetValid => Weakness::CertificateNotYetValid,
        Flaw::SelfSigned => Weakness::CertificateSelfSigned,
        Flaw::Untrusted => Weakness::CertificateUntrusted,
        Flaw::ChainIncomplete => Weakness::CertificateChainIncomplete,
        Flaw::HostMismatch => Weakness::CertificateHostMismatch,
        Flaw::LegacyName => Weakness::CertificateLegacyName,
        Flaw::WeakKey => Weakness::CertificateWeakKey,
        Flaw::WeakSignature => Weakness::CertificateWeakSignature,
        Flaw::KeyUnproven => Weakness::CertificateKeyUnproven,
    }
}

fn rfc3339(seconds: i64) -> Option<String> {
    /// The last second of the year 9999: "no end" (RFC 5280, section 4.1.2.5), and more than jiff's clock has.
    const NO_END: i64 = 253_402_300_799;
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => Some(time.to_string()),
        Err(_) => (seconds == NO_END).then(|| "9999-12-31T23:59:59Z".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(rfc3339(253_402_300_799).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
