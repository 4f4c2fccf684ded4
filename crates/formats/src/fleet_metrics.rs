//! What is known of all servers, as metrics. Labels are bounded: they name statuses, controls and reasons, and no server.

use crate::metrics::{MetricFamily, write_families};
use hostssl_model::{Standing, Standings};
use std::io::{self, Write};

/// The newest audit with what else is known, in numbers. Moments are in seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Default)]
pub struct FleetMetrics {
    /// The version of the program.
    pub version: String,
    /// Nothing before the first audit.
    pub audit: Option<FleetFigures>,
    /// When the newest audit that saw everything ended.
    pub last_complete: Option<i64>,
}

/// The figures of an audit.
#[derive(Debug, Default)]
pub struct FleetFigures {
    /// When it ended.
    pub finished: Option<i64>,
    /// Whether it saw everything.
    pub complete: bool,
    /// Servers by status, by the newest evidence of each kind.
    pub standings: Standings,
    /// Controls with the servers that pass, fail and are unknown.
    pub controls: Vec<(String, [u64; 3])>,
    /// Reasons why something could not be checked, with the number of servers and of other places.
    pub gaps: Vec<(String, [u64; 2])>,
    /// How old the evidence is that the servers count by.
    pub ages: FleetAges,
    /// When certificates expire, the first of each server, in order.
    pub expiries: Vec<i64>,
}

/// How old the evidence is that servers count by: the oldest and the newest, in seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Default)]
pub struct FleetAges {
    /// When the audits began that listed the servers last.
    pub audited: Option<[i64; 2]>,
    /// When the servers were probed, by the oldest look of each that still counts.
    pub probed: Option<[i64; 2]>,
    /// Servers that were probed.
    pub probed_servers: u64,
}

/// Writes the metrics.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(out: &mut dyn Write, metrics: &FleetMetrics) -> io::Result<()> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let build = MetricFamily::new("hostssl_build_info", "The version of hostssl, as a label.")
        .with(&[("version", &metrics.version)], 1);
    let complete = MetricFamily::new(
        "hostssl_complete_audit_finished_timestamp_seconds",
        "When the newest audit that could check everything ended, since 1970.",
    )
    .with(&[], metrics.last_complete);
    write_families(out, &[build, complete])?;
    let Some(audit) = &metrics.audit else { return Ok(()) };
    let mut servers = MetricFamily::new("hostssl_servers", "Servers by status; each counts once.");
    for standing in Standing::ALL {
        servers.add(&[("status", standing.as_str())], number(audit.standings.count(standing)));
    }
    let mut controls = MetricFamily::new("hostssl_control_servers", "Servers by control and outcome.");
    for (control, counts) in &audit.controls {
        for (outcome, count) in ["pass", "fail", "unknown"].iter().zip(counts) {
            controls.add(&[("control", control), ("outcome", outcome)], number(*count));
        }
    }
    let mut gaps =
        MetricFamily::new("hostssl_coverage_gaps", "Servers, and other places, that could not be checked, by reason.");
    for (reason, counts) in &audit.gaps {
        for (what, count) in ["server", "place"].iter().zip(counts) {
            gaps.add(&[("reason", reason), ("of", what)], number(*count));
        }
    }
    let [mut audited, mut probed] = [
        MetricFamily::new(
            "hostssl_servers_audit_timestamp_seconds",
            "When the audits began that servers count by, the oldest and the newest, since 1970.",
        ),
        MetricFamily::new(
            "hostssl_servers_probe_timestamp_seconds",
            "When the probes were made that servers count by, the oldest and the newest, since 1970.",
        ),
    ];
    for (family, at) in [(&mut audited, audit.ages.audited), (&mut probed, audit.ages.probed)] {
        for (age, second) in ["oldest", "newest"].iter().zip(at.into_iter().flatten()) {
            family.add(&[("age", age)], second);
        }
    }
    let probed_servers = MetricFamily::new("hostssl_probed_servers", "Servers that were probed.")
        .with(&[], number(audit.ages.probed_servers));
    let certificates = MetricFamily::new("hostssl_certificates", "Servers whose certificate is known.")
        .with(&[], number(audit.expiries.len() as u64));
    let first = MetricFamily::new(
        "hostssl_certificate_first_expiry_timestamp_seconds",
        "The last second of the certificate that expires first, since 1970.",
    )
    .with(&[], audit.expiries.first().copied());
    let ended = [
        MetricFamily::new("hostssl_audit_finished_timestamp_seconds", "When the newest audit ended, since 1970.")
            .with(&[], audit.finished),
        MetricFamily::new(
            "hostssl_audit_complete",
            "Whether the newest audits of all servers that count could check everything.",
        )
        .with(&[], i64::from(audit.complete)),
    ];
    write_families(out, &[servers, controls, gaps, audited, probed_servers, probed, certificates, first])?;
    write_families(out, &ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_samples_and_none_where_nothing_was_probed() {
        let written = |probed| {
            let ages = FleetAges { audited: Some([3, 9]), probed, probed_servers: 0 };
            let audit = Some(FleetFigures { ages, ..FleetFigures::default() });
            let mut out = Vec::new();
            write(&mut out, &FleetMetrics { audit, ..FleetMetrics::default() }).unwrap();
            String::from_utf8(out).unwrap()
        };
        let (with, without) = (written(Some([5, 7])), written(None));
        for (age, second) in [("oldest", 5), ("newest", 7)] {
            let line = format!("hostssl_servers_probe_timestamp_seconds{{age=\"{age}\"}} {second}\n");
            assert!(with.contains(&line) && !without.contains("servers_probe_timestamp"), "{with}");
        }
        assert!(without.contains("hostssl_servers_audit_timestamp_seconds{age=\"oldest\"} 3\n"), "{without}");
    }
}
