//! What of a probed endpoint decides the exit code.

use hostssl_formats::probe_text::outcome;
use hostssl_model::Outcome;
use hostssl_probe::ProbeOptions;
use hostssl_probe::report::{EndpointReport, Weakness};
use std::str::FromStr;

/// Something that may count as a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeFinding {
    /// Plaintext is accepted, or TLS is broken.
    NotEnforced,
    /// libpq with `sslmode=verify-full` would refuse the certificate.
    VerifyFull,
    /// A weakness of the report.
    Weakness(Weakness),
}

impl ProbeFinding {
    /// Its name on the command line and in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotEnforced => "not-enforced",
            Self::VerifyFull => "verify-full",
            Self::Weakness(weakness) => weakness.as_str(),
        }
    }
}

/// The name of everything that may count.
pub(super) fn findings() -> Vec<String> {
    let weaknesses = Weakness::ALL.into_iter().map(ProbeFinding::Weakness);
    [ProbeFinding::NotEnforced, ProbeFinding::VerifyFull]
        .into_iter()
        .chain(weaknesses)
        .map(|finding| finding.name().to_owned())
        .collect()
}

impl FromStr for ProbeFinding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "not-enforced" => Ok(Self::NotEnforced),
            "verify-full" => Ok(Self::VerifyFull),
            name => {
                Weakness::ALL.into_iter().find(|weakness| weakness.as_str() == name).map(Self::Weakness).ok_or_else(
                    || "expected not-enforced, verify-full, or a weakness as docs/probing.md lists them".to_owned(),
                )
            }
        }
    }
}

/// Fewer days than these are soon, as for an audit by the profile baseline.
const EXPIRES_SOON_DAYS: u32 = 30;

/// Turns on the tests that findings need: what was not tested for would be no finding.
pub(super) fn test_for(options: &mut ProbeOptions, findings: &[ProbeFinding]) {
    let named = |weakness| findings.contains(&ProbeFinding::Weakness(weakness));
    options.cipher_suites |= named(Weakness::WeakCipherSuite) || named(Weakness::NoForwardSecrecy);
    options.direct_tls_without_alpn |= named(Weakness::DirectTlsWithoutAlpn);
    options.startup_stuffing |= named(Weakness::StartupStuffing);
    if named(Weakness::CertificateExpiresSoon) {
        options.expiry_days.get_or_insert(EXPIRES_SOON_DAYS);
    }
}

/// What counts: everything, by default.
#[derive(Debug)]
pub(super) struct Policy {
    only: Vec<ProbeFinding>,
    allowed: Vec<ProbeFinding>,
}

impl Policy {
    /// Counts `only`, or everything if that is empty, without what is `allowed`.
    pub(super) fn new(only: &[ProbeFinding], allowed: &[ProbeFinding]) -> Self {
        Self { only: only.to_vec(), allowed: allowed.to_vec() }
    }

    fn counts(&self, finding: ProbeFinding) -> bool {
        (self.only.is_empty() || self.only.contains(&finding)) && !self.allowed.contains(&finding)
    }

    /// What an endpoint comes to for the exit code, and by which findings.
    ///
    /// A certificate that could not be judged is not known to pass, as a server that could not be asked is not known to
    /// enforce TLS.
    pub(super) fn judge(&self, report: &EndpointReport) -> (Outcome, Vec<String>) {
        let of_verdict = outcome(report.verdict);
        let verify_full = report.certificate.as_ref().and_then(|certificate| certificate.verify_full.ok);
        let found = [
            (of_verdict == Outcome::Fail).then_some(ProbeFinding::NotEnforced),
            (verify_full == Some(false)).then_some(ProbeFinding::VerifyFull),
        ];
        let weaknesses = report.weaknesses.iter().copied().map(ProbeFinding::Weakness);
        let all = found.into_iter().flatten().chain(weaknesses);
        let failures: Vec<String> =
            all.filter(|finding| self.counts(*finding)).map(|one| one.name().to_owned()).collect();
        let unjudged = verify_full.is_none() && self.counts(ProbeFinding::VerifyFull);
        let outcome = match of_verdict {
            _ if !failures.is_empty() => Outcome::Fail,
            Outcome::Unknown => Outcome::Unknown,
            Outcome::Pass if unjudged => Outcome::Unknown,
            _ => Outcome::Pass,
        };
        (outcome, failures)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use hostssl_probe::report::{CertificateReport, Judgement, SslRequestOutcome, TransportAnswer, WireVerdict};

    pub(in crate::commands::probe) fn report(
        verdict: WireVerdict,
        verify_full: Option<bool>,
        weaknesses: &[Weakness],
    ) -> EndpointReport {
        let certificate = CertificateReport {
            verify_full: Judgement { ok: verify_full, reason: None },
            ..CertificateReport::default()
        };
        EndpointReport {
            target: "db:5432".to_owned(),
            host: "db".to_owned(),
            port: 5432,
            address: None,
            verdict,
            unreachable: None,
            reason: String::new(),
            ssl_request: SslRequestOutcome::S,
            plaintext: TransportAnswer::default(),
            encrypted: TransportAnswer::default(),
            startups: Vec::new(),
            tls: None,
            certificate: Some(certificate),
            weaknesses: weaknesses.to_vec(),
            several_servers: None,
            failures: None,
            transcript: None,
            observed_ms: None,
        }
    }

    #[test]
    fn everything_counts_unless_told_otherwise() {
        let all = Policy::new(&[], &[]);
        let weak = [Weakness::NoTls13];
        for (endpoint, outcome, failures) in [
            (report(WireVerdict::Enforced, Some(true), &[]), Outcome::Pass, &[][..]),
            (report(WireVerdict::Enforced, None, &[]), Outcome::Unknown, &[]),
            (report(WireVerdict::Enforced, Some(false), &[]), Outcome::Fail, &["verify-full"]),
            (report(WireVerdict::Enforced, Some(true), &weak), Outcome::Fail, &["no-tls13"]),
            (report(WireVerdict::Optional, Some(true), &[]), Outcome::Fail, &["not-enforced"]),
            (report(WireVerdict::Inconclusive, Some(true), &[]), Outcome::Unknown, &[]),
            (report(WireVerdict::Unreachable, None, &[]), Outcome::Unknown, &[]),
        ] {
            let (found, why) = all.judge(&endpoint);
            assert_eq!(
                (found, why.as_slice()),
                (outcome, failures.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>().as_slice())
            );
        }
        let enforced = report(WireVerdict::Enforced, Some(false), &weak);
        let lenient = Policy::new(&[], &[ProbeFinding::VerifyFull, ProbeFinding::Weakness(Weakness::NoTls13)]);
        assert_eq!(lenient.judge(&enforced).0, Outcome::Pass);
        let only = Policy::new(&[ProbeFinding::NotEnforced], &[]);
        assert_eq!(only.judge(&enforced).0, Outcome::Pass);
        assert_eq!(only.judge(&report(WireVerdict::Enforced, None, &[])).0, Outcome::Pass);
        assert_eq!(only.judge(&report(WireVerdict::PlaintextOnly, None, &weak)).1, ["not-enforced"]);
    }

    #[test]
    fn a_finding_that_counts_is_tested_for() {
        let tests = |name: &str| {
            let mut options = ProbeOptions::default();
            test_for(&mut options, &[name.parse().unwrap()]);
            let ProbeOptions { cipher_suites, direct_tls_without_alpn, startup_stuffing, expiry_days, .. } = options;
            (cipher_suites, direct_tls_without_alpn, startup_stuffing, expiry_days)
        };
        assert_eq!(tests("no-tls13"), (false, false, false, None));
        assert_eq!(tests("weak-cipher-suite"), (true, false, false, None));
        assert_eq!(tests("no-forward-secrecy"), (true, false, false, None));
        assert_eq!(tests("direct-tls-without-alpn"), (false, true, false, None));
        assert_eq!(tests("startup-stuffing"), (false, false, true, None));
        assert_eq!(tests("certificate-expires-soon"), (false, false, false, Some(30)));
    }

    #[test]
    fn findings_have_the_names_of_the_report() {
        for name in ["not-enforced", "verify-full", "no-tls13", "certificate-expires-soon", "plaintext-md5"] {
            assert_eq!(name.parse::<ProbeFinding>().unwrap().name(), name);
        }
        assert!("no-such-weakness".parse::<ProbeFinding>().is_err());
    }
}
