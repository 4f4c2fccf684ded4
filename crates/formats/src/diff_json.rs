//! What changed between two audits as JSON, version 1: frozen.

use crate::activity_json::WhoV1;
use crate::audit_json::waiver::Waiver;
use crate::json_text::{write_json, write_json_line};
use hostssl_audit as audit;
use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The name and version of the format.
pub const SCHEMA: &str = "hostssl/diff/v1";

/// Two audits, compared.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct DiffV1<'a> {
    /// Name and version of this format.
    schema: &'static str,
    /// The earlier audit.
    before: AuditV1<'a>,
    /// The later audit.
    after: AuditV1<'a>,
    /// True where the later audit says that it began before the earlier one: a clock was set back, or those of two machines
    /// differ. Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    times_go_back: bool,
    /// Set where the audits have nothing in common: what only one of them listed is then not in the scope of the other. Absent
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    apart: Option<ApartV1>,
    summary: SummaryV1,
    /// Controls that only one of the two audits checked, or that their profiles judge differently.
    not_compared: Vec<&'static str>,
    /// The servers that only one of the two audits was asked for: they are no changes. Absent if none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_in_scope: Vec<NotInScopeV1<'a>>,
    /// The changes: what needs a person first.
    changes: Vec<ChangeV1<'a>>,
    /// How many more changes there are that are left out of a message that would be too long; absent if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<u64>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ApartV1 {
    /// They are of different clouds: nothing is compared.
    Clouds,
    /// They asked no tenant in common.
    Tenants,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct AuditV1<'a> {
    /// The id of the run.
    run: &'a str,
    /// The cloud that was asked.
    cloud: &'a str,
    /// RFC 3339.
    finished_at: &'a str,
    /// The rules, as `name@version`.
    profile: &'a str,
    /// The only controls of the profile that were checked; absent if all were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    controls: Vec<&'a str>,
    /// Whether everything in its scope was checked.
    complete: bool,
    /// Servers in all.
    servers: u64,
}

/// A server that one of the audits listed and the other was not asked for.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct NotInScopeV1<'a> {
    /// The resource id of the server, in Azure's spelling.
    server: &'a str,
    name: &'a str,
    /// The audit that listed it.
    listed_by: ListedByV1,
    /// Whether a control failed there.
    fails: bool,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum ListedByV1 {
    /// The earlier one.
    Before,
    /// The later one.
    After,
}

/// The number of changes by kind.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct SummaryV1 {
    new: usize,
    not_visible: usize,
    changed: usize,
    fixed: usize,
    visible: usize,
    gone: usize,
    added: usize,
    /// Findings that both audits have, with the same outcome and value.
    unchanged: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct ChangeV1<'a> {
    difference: DifferenceV1,
    /// The resource id of the server, in Azure's spelling.
    server: &'a str,
    name: &'a str,
    /// The id of the control; null when the change is about the server as a whole.
    control: Option<&'static str>,
    severity: Option<SeverityV1>,
    /// That of the finding, as audits have it.
    fingerprint: Option<String>,
    /// What the earlier audit found; null where it found nothing.
    before: Option<FindingV1<'a>>,
    /// What the later audit found; null where it found nothing.
    after: Option<FindingV1<'a>>,
    /// Why the later audit says nothing of the server; only for `not-visible` without a control.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<WhyV1>,
    /// Who made the change, by the Activity Log; absent where that was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<WhoV1<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum DifferenceV1 {
    /// Fails now, and did not fail before.
    New,
    /// Could not be checked now, and was before; or is of a server that was not listed before.
    NotVisible,
    /// Fails as before, but for another value.
    Changed,
    /// Failed before, and passes now.
    Fixed,
    /// Could not be checked before, and passes now, or fails as it did when it was last checked.
    Visible,
    /// The server existed before and no longer does.
    Gone,
    /// The server was not there before, and all of it passes.
    Added,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum WhyV1 {
    /// Of earlier versions: such servers are in `notInScope`.
    #[expect(dead_code, reason = "a word of the format, which earlier versions wrote")]
    OutOfScope,
    SubscriptionNotSeen,
    Gap,
    /// A zone saw its listeners for the earlier audit and not for the later one.
    Zone,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum SeverityV1 {
    Low,
    Medium,
    High,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
struct FindingV1<'a> {
    /// `pass`, `fail`, `unknown` or `not-applicable`.
    outcome: &'static str,
    observed: Option<&'a str>,
    /// Why it is unknown: a stable word. Only when the outcome is unknown.
    reason: Option<&'static str>,
    /// The waiver for a failure, whether or not it is in effect, where the command was given a file of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<Waiver<'a>>,
}

/// The JSON Schema of the format.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    crate::schema::of::<DiffV1<'_>>(SCHEMA)
}

/// Writes the comparison, indented.
///
/// # Errors
///
/// Whatever the writer returns.
pub fn write(
    out: &mut dyn Write,
    before: &model::AuditReport,
    after: &model::AuditReport,
    diff: &audit::Diff<'_>,
) -> io::Result<()> {
    write_json(out, &DiffV1::new(before, after, diff))?;
    writeln!(out)
}

/// The comparison as one JSON value, for queries and other formats.
///
/// # Errors
///
/// None that a comparison can cause.
pub fn value(
    before: &model::AuditReport,
    after: &model::AuditReport,
    diff: &audit::Diff<'_>,
) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(DiffV1::new(before, after, diff))
}

/// The comparison as one line of at most so many bytes where that is possible, with as many changes as fit and at least one, what
/// needs a person first; and how many are left out. The counts are those of all of them.
///
/// # Errors
///
/// None that a comparison can cause.
pub fn message(
    before: &model::AuditReport,
    after: &model::AuditReport,
    diff: &audit::Diff<'_>,
    most: usize,
) -> io::Result<(String, u64)> {
    let mut whole = DiffV1::new(before, after, diff);
    let all = whole.changes.len();
    let mut text = line(&whole)?;
    while text.len() > most && whole.changes.len() > 1 {
        // By the length of an average change, and at least one fewer.
        let fit = whole.changes.len().saturating_mul(most) / text.len().max(1);
        whole.changes.truncate(fit.clamp(1, whole.changes.len() - 1));
        whole.omitted = Some((all - whole.changes.len()) as u64);
        text = line(&whole)?;
    }
    Ok((text, whole.omitted.unwrap_or_default()))
}

fn line(whole: &DiffV1<'_>) -> io::Result<String> {
    let mut line = Vec::new();
    write_json_line(&mut line, whole)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

impl<'a> DiffV1<'a> {
    fn new(before: &'a model::AuditReport, after: &'a model::AuditReport, diff: &'a audit::Diff<'a>) -> Self {
        let count = |difference| diff.count(difference);
        Self {
            schema: SCHEMA,
            before: AuditV1::from(before),
            after: AuditV1::from(after),
            times_go_back: diff.times_go_back,
            apart: diff.apart.map(|apart| match apart {
                model::Apart::Clouds => ApartV1::Clouds,
                model::Apart::Tenants => ApartV1::Tenants,
            }),
            summary: SummaryV1 {
                new: count(audit::Difference::New),
                not_visible: count(audit::Difference::NotVisible),
                changed: count(audit::Difference::Changed),
                fixed: count(audit::Difference::Fixed),
                visible: count(audit::Difference::Visible),
                gone: count(audit::Difference::Gone),
                added: count(audit::Difference::Added),
                unchanged: diff.unchanged,
            },
            not_compared: diff.not_compared.iter().map(|id| id.as_str()).collect(),
            not_in_scope: diff.not_in_scope.iter().map(NotInScopeV1::from).collect(),
            changes: diff.changes.iter().map(ChangeV1::from).collect(),
            omitted: None,
        }
    }
}

impl<'a> From<&'a model::AuditReport> for AuditV1<'a> {
    fn from(report: &'a model::AuditReport) -> Self {
        Self {
            run: &report.run.id,
            cloud: &report.run.cloud,
            finished_at: &report.run.finished_at,
            profile: &report.run.profile,
            controls: report.run.asked.only.iter().map(model::Word::as_str).collect(),
            complete: report.run.complete,
            servers: report.summary.servers,
        }
    }
}

impl<'a> From<&'a audit::Change<'a>> for ChangeV1<'a> {
    fn from(change: &'a audit::Change<'a>) -> Self {
        let finding = change.after.or(change.before);
        Self {
            difference: match change.difference {
                audit::Difference::New => DifferenceV1::New,
                audit::Difference::NotVisible => DifferenceV1::NotVisible,
                audit::Difference::Changed => DifferenceV1::Changed,
                audit::Difference::Fixed => DifferenceV1::Fixed,
                audit::Difference::Visible => DifferenceV1::Visible,
                audit::Difference::Gone => DifferenceV1::Gone,
                audit::Difference::Added => DifferenceV1::Added,
            },
            server: change.server.id.as_str(),
            name: change.server.name(),
            control: finding.map(|finding| finding.control.as_str()),
            severity: finding.map(|finding| match finding.severity {
                model::Severity::Low => SeverityV1::Low,
                model::Severity::Medium => SeverityV1::Medium,
                model::Severity::High => SeverityV1::High,
            }),
            fingerprint: finding.map(|finding| finding.fingerprint(&change.server.id)),
            before: change.before.map(FindingV1::from),
            after: change.after.map(FindingV1::from),
            why: change.why.map(|why| match why {
                audit::NotLooked::SubscriptionNotSeen => WhyV1::SubscriptionNotSeen,
                audit::NotLooked::Zone(_) => WhyV1::Zone,
                audit::NotLooked::Gap(_) | audit::NotLooked::Words(_) => WhyV1::Gap,
            }),
            who: change.who.as_ref().map(WhoV1::from),
        }
    }
}

impl<'a> From<&audit::NotInScope<'a>> for NotInScopeV1<'a> {
    fn from(one: &audit::NotInScope<'a>) -> Self {
        let server: &'a model::ServerReport = one.server;
        Self {
            server: server.server.id.as_str(),
            name: server.server.name(),
            listed_by: match one.listed {
                audit::ListedBy::Before => ListedByV1::Before,
                audit::ListedBy::After => ListedByV1::After,
            },
            fails: server.findings.iter().any(|finding| finding.outcome == model::Outcome::Fail),
        }
    }
}

impl<'a> From<&'a model::Finding> for FindingV1<'a> {
    fn from(finding: &'a model::Finding) -> Self {
        Self {
            outcome: finding.outcome.as_str(),
            observed: finding.observed.as_deref(),
            reason: finding.unchecked.as_ref().map(|unchecked| unchecked.reason.as_str()),
            waiver: finding.waiver.as_deref().map(Waiver::from),
        }
    }
}
