//! SARIF 2.1.0 (OASIS) as every report of this program has it: the parts that an audit and a check of a file share.

use crate::{safe, waiver_text};
use hostssl_model::{Severity, Waiver};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes one run as a log.
///
/// # Errors
///
/// Whatever the writer returns.
pub(crate) fn write(out: &mut dyn Write, run: impl Serialize) -> io::Result<()> {
    crate::write_json(out, &Log { schema: SCHEMA, version: "2.1.0", runs: [run] })?;
    writeln!(out)
}

#[derive(Serialize)]
struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [R; 1],
}

#[derive(Serialize)]
pub(crate) struct Tool<'a> {
    pub(crate) driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Driver<'a> {
    pub(crate) name: &'static str,
    pub(crate) semantic_version: &'a str,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    pub(crate) name: String,
    pub(crate) short_description: Text<'static>,
    pub(crate) full_description: Text<'static>,
    pub(crate) help: Help,
    pub(crate) default_configuration: Configuration,
    pub(crate) properties: RuleProperties,
}

impl Rule {
    /// A rule with the tags that every rule has, and more.
    pub(crate) fn new(
        id: &'static str,
        title: &'static str,
        severity: Severity,
        documentation: &'static str,
        more_tags: impl IntoIterator<Item = String>,
    ) -> Self {
        let tags = ["security", "postgresql", "encryption-in-transit"].map(str::to_owned);
        Self {
            id,
            name: pascal(id),
            short_description: Text { text: title.into() },
            full_description: Text { text: format!("Passes when {title}.").into() },
            help: Help { text: documentation, markdown: documentation },
            default_configuration: Configuration { level: Level::from(severity) },
            properties: RuleProperties {
                tags: tags.into_iter().chain(more_tags).collect(),
                security_severity: band(severity),
                precision: "very-high",
            },
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Text<'a> {
    pub(crate) text: Cow<'a, str>,
}

#[derive(Serialize)]
pub(crate) struct Help {
    pub(crate) text: &'static str,
    pub(crate) markdown: &'static str,
}

#[derive(Serialize)]
pub(crate) struct Configuration {
    pub(crate) level: Level,
}

#[derive(Serialize)]
pub(crate) struct RuleProperties {
    pub(crate) tags: Vec<String>,
    #[serde(rename = "security-severity")]
    pub(crate) security_severity: &'static str,
    pub(crate) precision: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AutomationDetails<'a> {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) guid: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invocation<'a> {
    pub(crate) execution_successful: bool,
    pub(crate) exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_time_utc: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end_time_utc: Option<&'a str>,
    pub(crate) tool_execution_notifications: Vec<Notification<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification<'a> {
    pub(crate) level: Level,
    pub(crate) descriptor: Descriptor<'a>,
    pub(crate) message: Text<'a>,
    pub(crate) locations: [LogicalOnly; 1],
}

#[derive(Serialize)]
pub(crate) struct Descriptor<'a> {
    pub(crate) id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogicalOnly {
    pub(crate) logical_locations: [LogicalLocation; 1],
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Fail,
    Open,
}

#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    None,
    Note,
    Warning,
    Error,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Location {
    pub(crate) physical_location: PhysicalLocation,
    pub(crate) logical_locations: [LogicalLocation; 1],
}

impl Location {
    /// Code scanning shows nothing without a file and a line: the path stands for both.
    pub(crate) fn new(path: &str, place: LogicalLocation) -> Self {
        let physical_location = PhysicalLocation {
            artifact_location: ArtifactLocation { uri: relative_uri(path) },
            region: Region { start_line: 1 },
        };
        Self { physical_location, logical_locations: [place] }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhysicalLocation {
    pub(crate) artifact_location: ArtifactLocation,
    pub(crate) region: Region,
}

#[derive(Serialize)]
pub(crate) struct ArtifactLocation {
    pub(crate) uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Region {
    pub(crate) start_line: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

impl LogicalLocation {
    /// A resource, by its name and its whole name.
    pub(crate) fn resource(name: String, fully_qualified_name: String) -> Self {
        Self { name, fully_qualified_name, kind: "resource" }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fingerprints {
    #[serde(rename = "hostsslFinding/v1")]
    pub(crate) finding: String,
    // The name that code scanning compares; without it, it would compute one from a file that does not exist.
    pub(crate) primary_location_line_hash: String,
}

/// `require-secure-transport` as `RequireSecureTransport`, which the standard asks of a rule's name.
fn pascal(id: &str) -> String {
    let upper = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    id.split('-').map(upper).collect()
}

/// Code scanning wants a number and shows a word: below 4.0 low, below 7.0 medium, below 9.0 high. These are not scores of
/// anything; each only lands in the band of its word.
fn band(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "3.0",
        Severity::Medium => "6.0",
        Severity::High => "8.0",
    }
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Low => Self::Note,
            Severity::Medium => Self::Warning,
            Severity::High => Self::Error,
        }
    }
}

pub(crate) fn last_segment(id: &str) -> String {
    id.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or(id).to_owned()
}

/// A resource id as a relative URI (RFC 3986): everything but unreserved characters and slashes is percent-encoded.
pub(crate) fn relative_uri(id: &str) -> String {
    let mut uri = String::with_capacity(id.len());
    for byte in id.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_id_is_a_relative_uri() {
        assert_eq!(relative_uri("/subscriptions/s/a b/ü%"), "subscriptions/s/a%20b/%C3%BC%25");
    }

    #[test]
    fn rules_are_named_as_the_standard_asks() {
        assert_eq!(pascal("require-secure-transport"), "RequireSecureTransport");
    }
}

/// A waiver. One that does not hold was asked for, and suppresses nothing: the standard calls that rejected (3.35.3).
#[derive(Serialize)]
pub(crate) struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

impl From<&Waiver> for Suppression {
    fn from(waiver: &Waiver) -> Self {
        let status = if waiver.is_in_effect() { "accepted" } else { "rejected" };
        let (beside, approvers) = (waiver_text::beside(waiver), waiver.approvers.join(", "));
        // It stands in a file of its own, and not beside the setting.
        Self { kind: "external", status, justification: format!("{beside} (approved by {})", safe(&approvers)) }
    }
}
