//! A server with its evidence: what Azure declares, what the listeners did, and what follows from it.

use super::{class, severity_word};
use crate::headline::plural;
use crate::{SubscriptionNames, earlier_look, portal_link, safe, waiver_text};
use hostssl_model::{
    Acceptance, AuditReport, Finding, Floor, Outcome, Reading, ServerReport, Severity, Standing, WireListener,
    WireObservation, WorstListener,
};
use hostssl_remediation::FixableControl;
use std::borrow::Cow;

/// What is shown of one server.
pub(super) struct ServerEvidence<'a> {
    pub(super) report: &'a ServerReport,
    pub(super) name: Cow<'a, str>,
    pub(super) group: Cow<'a, str>,
    pub(super) subscription: Cow<'a, str>,
    pub(super) standing: Standing,
    pub(super) class: &'static str,
    /// What the status does not say: that a control fails, or could not be checked. A class, and words.
    pub(super) beside: Option<(&'static str, String)>,
    pub(super) severity: &'static str,
    pub(super) switch: String,
    pub(super) floor: String,
    pub(super) wire: String,
    /// What failed, then what is unknown.
    pub(super) findings: Vec<FindingLine<'a>>,
    /// The ids of the controls that passed.
    pub(super) passed: String,
    pub(super) settings: Vec<SettingLine<'a>>,
    pub(super) listeners: Vec<ListenerLine<'a>>,
    /// The command that plans the fix; nothing for names that a shell would read otherwise.
    pub(super) fix: Option<String>,
    /// Its page in the Azure portal, where that is known.
    pub(super) portal: Option<String>,
    pub(super) facts: Vec<(&'static str, Cow<'a, str>)>,
}

/// A finding in a row.
pub(super) struct FindingLine<'a> {
    pub(super) control: &'static str,
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    pub(super) severity: &'static str,
    pub(super) observed: Cow<'a, str>,
    pub(super) expected: Cow<'a, str>,
    pub(super) waiver: Option<String>,
}

/// A setting as Azure declares it.
pub(super) struct SettingLine<'a> {
    pub(super) name: &'static str,
    pub(super) value: Cow<'a, str>,
    pub(super) beside: &'static str,
}

/// What one listener did.
pub(super) struct ListenerLine<'a> {
    pub(super) port: u16,
    pub(super) address: Cow<'a, str>,
    pub(super) observed_at: Cow<'a, str>,
    pub(super) class: &'static str,
    pub(super) words: &'static str,
    pub(super) why: Cow<'a, str>,
    pub(super) versions: String,
    pub(super) certificate: Option<String>,
}

impl<'a> ServerEvidence<'a> {
    /// Of a server of an audit.
    pub(super) fn of(report: &'a ServerReport, audit: &AuditReport, names: &'a SubscriptionNames) -> Self {
        let (server, started_at) = (&report.server, &*audit.run.started_at);
        let subscription = audit.subscriptions.iter().find(|one| one.id == server.subscription());
        let tenant = subscription.map(|one| &*one.tenant);
        let standing = Standing::of(report);
        let fails = || report.findings.iter().filter(|one| one.outcome == Outcome::Fail);
        let unknown = report.findings.iter().filter(|one| one.outcome == Outcome::Unknown);
        let passed = report.findings.iter().filter(|one| one.outcome == Outcome::Pass);
        let passed: Vec<&str> = passed.map(|one| one.control.as_str()).collect();
        let id = server.subscription();
        let waits = |value: &str, waits| if waits { format!("{value} after restart") } else { value.to_owned() };
        let mut facts = vec![
            ("Resource", safe(server.id.as_str())),
            ("Host", safe(server.fqdn.as_deref().unwrap_or("not returned"))),
            ("Kind", server.kind.offering().title.into()),
            ("Region", safe(&server.location)),
            ("State", safe(server.state.as_ref().map_or("not returned", |state| state.as_str()))),
        ];
        if let Some(open) = server.network.public_access {
            facts.push(("Public access", if open { "on" } else { "off" }.into()));
        }
        if let Some(subnet) = server.network.subnet() {
            facts.push(("Subnet", safe(subnet)));
        }
        if !server.tags.is_empty() {
            let tags: Vec<String> = server.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            facts.push(("Tags", safe(&tags.join(", ")).into_owned().into()));
        }
        Self {
            name: safe(server.name()),
            group: safe(server.id.resource_group()),
            subscription: safe(names.of(id.as_str())).into_owned().into(),
            standing,
            class: class(standing),
            beside: beside(standing, report),
            severity: severity_word(fails().map(|one| one.severity).max()),
            switch: waits(report.ssl_enforcement.as_str(), report.switch_waits()),
            floor: waits(floor(report.minimal_tls_version), report.floor_waits()),
            wire: wire(report, started_at),
            findings: fails().chain(unknown).map(FindingLine::from).collect(),
            passed: passed.join(", "),
            settings: report.readings.iter().map(|(name, reading)| setting(name.as_str(), reading)).collect(),
            listeners: report.wire.iter().map(ListenerLine::from).collect(),
            fix: fix(report),
            portal: portal_link(&audit.run.cloud, tenant, server.id.as_str()),
            facts,
            report,
        }
    }
}

/// What the worst listener does: by the audit, and by an earlier look that counts beside it.
fn wire(report: &ServerReport, started_at: &str) -> String {
    let seen = WorstListener::of(&report.wire).map(|worst| worst.words().to_owned());
    let told: Vec<String> = seen.into_iter().chain(earlier_look::words(report, started_at)).collect();
    if told.is_empty() { "not probed".to_owned() } else { told.join("; ") }
}

/// A server can be proven to enforce TLS and fail another control; its status alone would look as if all were well.
fn beside(standing: Standing, report: &ServerReport) -> Option<(&'static str, String)> {
    if matches!(standing, Standing::AcceptsPlaintext | Standing::NotEnforced | Standing::Unknown) {
        return None;
    }
    let count = |chosen: &dyn Fn(&Finding) -> bool| report.findings.iter().filter(|one| chosen(one)).count() as u64;
    let failed = count(&Finding::fails_unwaived);
    let waived = count(&|one| one.accepted().is_some());
    let unknown = count(&|one| one.outcome == Outcome::Unknown);
    match (failed, waived, unknown) {
        (1.., ..) => Some(("no", format!("{} failed", plural(failed, "control")))),
        (0, _, 1..) => Some(("unknown", format!("{} unknown", plural(unknown, "control")))),
        (0, 1.., 0) => Some(("half", format!("{} waived", plural(waived, "failure")))),
        (0, 0, 0) => None,
    }
}

fn floor(floor: Option<Floor>) -> &'static str {
    match floor {
        None => "not read",
        Some(Floor::None) => "any version",
        Some(Floor::At(version)) => version.words(),
    }
}

fn fix(report: &ServerReport) -> Option<String> {
    let fixable = |one: &Finding| one.outcome == Outcome::Fail && FixableControl::of(one.control).is_some();
    let name = report.server.name();
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (is_plain && report.findings.iter().any(fixable)).then(|| format!("hostssl plan --server {name}"))
}

impl<'a> From<&'a Finding> for FindingLine<'a> {
    fn from(finding: &'a Finding) -> Self {
        let (class, word) = match (finding.outcome, finding.accepted()) {
            (Outcome::Fail, Some(_)) => ("half", "waived"),
            (Outcome::Fail, None) => ("no", "fail"),
            _ => ("unknown", "unknown"),
        };
        let observed = match &finding.unchecked {
            Some(unchecked) => format!("{}: {}", unchecked.reason, safe(&unchecked.detail)).into(),
            None => safe(finding.observed.as_deref().unwrap_or_default()),
        };
        let missing = finding.unchecked.as_ref().and_then(|unchecked| unchecked.missing_permission.as_deref());
        let expected = match missing {
            Some(permission) => format!("needs {}", safe(permission)).into(),
            None => safe(finding.expected.as_deref().unwrap_or_default()),
        };
        Self {
            control: finding.control.as_str(),
            class,
            word,
            severity: severity_word(failed_severity(finding)),
            observed,
            expected,
            waiver: finding.waiver.as_deref().map(waiver_text::beside),
        }
    }
}

fn failed_severity(finding: &Finding) -> Option<Severity> {
    (finding.outcome == Outcome::Fail).then_some(finding.severity)
}

fn setting<'a>(name: &'static str, reading: &'a Reading<hostssl_model::Parameter>) -> SettingLine<'a> {
    match reading {
        Reading::Known(parameter) => {
            let value = if parameter.value().is_empty() { "(not set)" } else { parameter.value() };
            let beside = if parameter.pending_restart { "waits for a restart" } else { parameter.origin.as_str() };
            SettingLine { name, value: safe(value), beside }
        }
        Reading::Unknown(unchecked) => {
            SettingLine { name, value: safe(&unchecked.detail), beside: unchecked.reason.as_str() }
        }
    }
}

impl<'a> From<&'a WireObservation> for ListenerLine<'a> {
    fn from(look: &'a WireObservation) -> Self {
        let worst = WorstListener::from(&look.listener);
        let class = match worst {
            WorstListener::Enforced => "yes",
            WorstListener::Unseen | WorstListener::Inconclusive => "unknown",
            WorstListener::BrokenTls | WorstListener::Optional | WorstListener::PlaintextOnly => "no",
        };
        let (why, versions, certificate) = match &look.listener {
            Reading::Known(listener) => (safe(&listener.why), versions(listener), certificate(listener)),
            Reading::Unknown(unchecked) => {
                (format!("{}: {}", unchecked.reason, safe(&unchecked.detail)).into(), String::new(), None)
            }
        };
        Self {
            port: look.port,
            address: match &look.vantage {
                Some(vantage) => {
                    let address = look.address.as_deref().unwrap_or("no address");
                    safe(&format!("{address}, from zone {}", vantage.zone)).into_owned().into()
                }
                None => safe(look.address.as_deref().unwrap_or("no address")),
            },
            observed_at: safe(&look.observed_at),
            class,
            words: worst.words(),
            why,
            versions,
            certificate,
        }
    }
}

fn versions(listener: &WireListener) -> String {
    let words = listener.versions.iter().map(|(version, acceptance)| {
        let word = match acceptance {
            Acceptance::Accepted => "accepted",
            Acceptance::Refused => "refused",
            Acceptance::Unknown => "not conclusive",
        };
        format!("{version} {word}")
    });
    words.collect::<Vec<_>>().join(", ")
}

fn certificate(listener: &WireListener) -> Option<String> {
    let certificate = listener.certificate.as_ref()?;
    let verdict = match certificate.verify_full {
        Some(true) => "verify-full passes",
        Some(false) => "verify-full fails",
        None => "verify-full could not be judged",
    };
    let parts = [
        Some(verdict.to_owned()),
        certificate.reason.as_deref().map(str::to_owned),
        certificate.not_after.as_deref().map(|last| format!("valid until {last}")),
        certificate.root.as_deref().map(|root| format!("root {root}")),
    ];
    Some(safe(&parts.into_iter().flatten().collect::<Vec<_>>().join("; ")).into_owned())
}

/// A certificate in the list of those that expire.
pub(super) struct CertificateLine {
    /// The number of its server in the file.
    pub(super) server: usize,
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) not_after: String,
    /// At the time of the audit.
    pub(super) days_left: i64,
}

/// Every certificate whose last day is known, those that expire first before the others.
pub(super) fn certificates(servers: &[&ServerReport]) -> Vec<CertificateLine> {
    let looks =
        servers.iter().enumerate().flat_map(|(number, one)| one.wire.iter().map(move |look| (number, *one, look)));
    let mut lines: Vec<CertificateLine> = looks
        .filter_map(|(server, one, look)| {
            let Reading::Known(listener) = &look.listener else { return None };
            let certificate = listener.certificate.as_ref()?;
            Some(CertificateLine {
                server,
                name: safe(one.server.name()).into_owned(),
                port: look.port,
                not_after: safe(certificate.not_after.as_deref()?).into_owned(),
                days_left: certificate.days_left?,
            })
        })
        .collect();
    lines.sort_by_key(|one| one.days_left);
    lines
}
