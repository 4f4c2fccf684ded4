//! What a probe showed, as metrics: for the textfile collector of the Prometheus node exporter.

use crate::metrics::{MetricFamily, write_families};
use crate::safe;
use hostssl_probe::report::{EndpointReport, Support, WireVerdict};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};

/// Endpoints of a probe. Several addresses of one name are one endpoint, and the worst of them speaks for it: series by
/// address would come and go.
#[derive(Debug, Default)]
pub struct ProbeMetrics(BTreeMap<String, Measured>);

/// What is known of one endpoint.
#[derive(Debug)]
struct Measured {
    verdict: WireVerdict,
    verify_full: Option<bool>,
    expires_at: Option<i64>,
    findings: u64,
    versions: Vec<(&'static str, bool)>,
}

impl ProbeMetrics {
    /// Takes one endpoint.
    pub fn add(&mut self, report: &EndpointReport) {
        let new = Measured::from(report);
        // Names that read alike are one series: two of the same labels make a file that no collector takes.
        match self.0.entry(safe(&report.target).into_owned()) {
            Entry::Occupied(mut known) => known.get_mut().merge(new),
            Entry::Vacant(place) => drop(place.insert(new)),
        }
    }

    /// Writes the metrics of a probe that ended at this second since 1970-01-01T00:00:00Z, having done all that it was asked
    /// for or not.
    ///
    /// # Errors
    ///
    /// Whatever the writer returns.
    pub fn write(&self, out: &mut dyn Write, finished: i64, complete: bool) -> io::Result<()> {
        let mut enforced = MetricFamily::new(
            "hostssl_probe_tls_enforced",
            "Whether every plaintext startup was refused; no sample where the probe could not tell.",
        );
        let mut verdicts = MetricFamily::new("hostssl_probe_verdict", "The verdict on an endpoint, as a label.");
        let mut findings = MetricFamily::new(
            "hostssl_probe_findings",
            "Findings on an endpoint that decide the exit code of hostssl probe.",
        );
        let mut verify = MetricFamily::new(
            "hostssl_probe_certificate_verify_full",
            "Whether sslmode=verify-full accepts the certificate; no sample where that could not be judged.",
        );
        let mut expiry = MetricFamily::new(
            "hostssl_probe_certificate_expiry_timestamp_seconds",
            "The last second of the certificate's validity, since 1970.",
        );
        let mut versions = MetricFamily::new(
            "hostssl_probe_tls_version_accepted",
            "Whether a protocol version is accepted; no sample where the probe could not tell.",
        );
        for (endpoint, one) in &self.0 {
            let label = ("endpoint", endpoint.as_str());
            if let Some(is_enforced) = is_enforced(one.verdict) {
                enforced.add(&[label], is_enforced.into());
            }
            verdicts.add(&[label, ("verdict", one.verdict.as_str())], 1);
            // Zero is not good news where servers could not be probed.
            if one.findings > 0 || is_enforced(one.verdict).is_some() {
                findings.add(&[label], i64::try_from(one.findings).unwrap_or(i64::MAX));
            }
            one.verify_full.iter().for_each(|passes| verify.add(&[label], (*passes).into()));
            one.expires_at.iter().for_each(|second| expiry.add(&[label], *second));
            for (version, accepted) in &one.versions {
                versions.add(&[label, ("version", version)], (*accepted).into());
            }
        }
        let ended = [
            MetricFamily::new("hostssl_probe_complete", "Whether the probe did all that it was asked for.")
                .with(&[], i64::from(complete)),
            MetricFamily::new("hostssl_probe_finished_timestamp_seconds", "When the probe ended, since 1970.")
                .with(&[], finished),
        ];
        write_families(out, &[enforced, verdicts, findings, verify, expiry, versions])?;
        write_families(out, &ended)
    }
}

/// Whether plaintext is refused; nothing where the probe could not tell.
fn is_enforced(verdict: WireVerdict) -> Option<bool> {
    match verdict {
        WireVerdict::Enforced => Some(true),
        WireVerdict::Optional | WireVerdict::PlaintextOnly | WireVerdict::BrokenTls => Some(false),
        WireVerdict::Inconclusive | WireVerdict::NotPostgresql | WireVerdict::Unreachable => None,
    }
}

impl From<&EndpointReport> for Measured {
    fn from(report: &EndpointReport) -> Self {
        let certificate = report.certificate.as_ref();
        let versions = report.tls.iter().flat_map(|tls| &tls.versions).filter_map(|one| match one.support {
            Support::Accepted => Some((one.version.name(), true)),
            Support::Refused => Some((one.version.name(), false)),
            Support::Unknown => None,
        });
        Self {
            verdict: report.verdict,
            verify_full: certificate.and_then(|certificate| certificate.verify_full.ok),
            expires_at: certificate.and_then(|certificate| certificate.expires_at),
            findings: report.failures.as_ref().map_or(0, Vec::len) as u64,
            versions: versions.collect(),
        }
    }
}

impl Measured {
    /// The worst of both. One that could not be probed leaves unknown what another proves.
    fn merge(&mut self, other: Self) {
        let worse = |verdict| match is_enforced(verdict) {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        };
        if worse(other.verdict) > worse(self.verdict) {
            self.verdict = other.verdict;
        }
        self.verify_full = match (self.verify_full, other.verify_full) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        self.expires_at = [self.expires_at, other.expires_at].into_iter().flatten().min();
        self.findings = self.findings.max(other.findings);
        for (version, accepted) in other.versions {
            match self.versions.iter_mut().find(|(known, _)| *known == version) {
                Some((_, known)) => *known |= accepted,
                None => self.versions.push((version, accepted)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(verdict: WireVerdict, verify_full: Option<bool>, expires_at: Option<i64>) -> Measured {
        Measured { verdict, verify_full, expires_at, findings: 0, versions: vec![("TLSv1", false)] }
    }

    #[test]
    fn the_worst_address_speaks_for_its_name() {
        let mut one = measured(WireVerdict::Enforced, Some(true), Some(20));
        one.merge(measured(WireVerdict::Unreachable, None, None));
        assert_eq!((is_enforced(one.verdict), one.verify_full, one.expires_at), (None, None, Some(20)));
        one.merge(Measured {
            versions: vec![("TLSv1", true)],
            ..measured(WireVerdict::Optional, Some(false), Some(10))
        });
        one.merge(measured(WireVerdict::Enforced, Some(true), Some(30)));
        assert_eq!((is_enforced(one.verdict), one.verify_full, one.expires_at), (Some(false), Some(false), Some(10)));
        assert_eq!(one.versions, [("TLSv1", true)]);
    }

    #[test]
    fn what_could_not_be_told_has_no_sample() {
        let mut metrics = ProbeMetrics::default();
        metrics.0.insert("db:5432".to_owned(), measured(WireVerdict::Unreachable, None, None));
        let mut out = Vec::new();
        metrics.write(&mut out, 5, false).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains("hostssl_probe_tls_enforced") && !text.contains("verify_full"), "{text}");
        assert!(text.contains("hostssl_probe_verdict{endpoint=\"db:5432\",verdict=\"unreachable\"} 1"), "{text}");
        assert!(
            text.ends_with("hostssl_probe_finished_timestamp_seconds 5\n") && text.contains("_complete 0\n"),
            "{text}"
        );
    }
}
