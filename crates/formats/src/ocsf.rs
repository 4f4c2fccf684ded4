//! The Open Cybersecurity Schema Framework (OCSF 1.5.0), as far as Compliance Findings (class 2003) need it.

use crate::json_text::write_json_line;
use hostssl_audit::{Control, Mapping};
use hostssl_model::{Outcome, Severity};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes events as one array, an event a line. They are made one by one: the whole is never in memory twice.
///
/// # Errors
///
/// Whatever the writer returns.
pub(crate) fn write_events<'a>(out: &mut dyn Write, events: impl Iterator<Item = Event<'a>>) -> io::Result<()> {
    let mut lead = "[\n";
    for event in events {
        out.write_all(lead.as_bytes())?;
        write_json_line(out, &event)?;
        lead = ",\n";
    }
    writeln!(out, "{}", if lead == "[\n" { "[]" } else { "\n]" })
}

/// What kind of event it is.
#[derive(Serialize)]
pub(crate) struct EventClass {
    pub(crate) activity_id: u8,
    pub(crate) activity_name: &'static str,
    pub(crate) category_uid: u8,
    pub(crate) category_name: &'static str,
    pub(crate) class_uid: u16,
    pub(crate) class_name: &'static str,
    pub(crate) type_uid: u32,
    pub(crate) type_name: &'static str,
}

pub(crate) const COMPLIANCE_FINDING: EventClass = EventClass {
    activity_id: 1,
    activity_name: "Create",
    category_uid: 2,
    category_name: "Findings",
    class_uid: 2003,
    class_name: "Compliance Finding",
    // The class and the activity in one number.
    type_uid: 200_301,
    type_name: "Compliance Finding: Create",
};

#[derive(Serialize)]
pub(crate) struct Event<'a> {
    #[serde(flatten)]
    pub(crate) class: EventClass,
    pub(crate) time: i64,
    pub(crate) severity_id: u8,
    pub(crate) severity: &'static str,
    pub(crate) status_id: u8,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status_detail: Option<String>,
    pub(crate) message: String,
    pub(crate) metadata: Metadata<'a>,
    pub(crate) cloud: Cloud<'a>,
    pub(crate) compliance: Compliance,
    pub(crate) finding_info: FindingInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remediation: Option<Text>,
    pub(crate) resources: [Resource<'a>; 1],
    pub(crate) unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
pub(crate) struct Metadata<'a> {
    pub(crate) version: &'static str,
    pub(crate) profiles: [&'static str; 1],
    pub(crate) product: Product<'a>,
    pub(crate) event_code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_uid: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct Product<'a> {
    pub(crate) name: &'static str,
    pub(crate) vendor_name: &'static str,
    pub(crate) version: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Cloud<'a> {
    pub(crate) provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<Account<'a>>,
}

#[derive(Serialize)]
pub(crate) struct Account<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) uid: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) type_id: u8,
}

#[derive(Serialize)]
pub(crate) struct Compliance {
    pub(crate) control: &'static str,
    pub(crate) desc: &'static str,
    pub(crate) standards: Vec<String>,
    pub(crate) requirements: Vec<&'static str>,
    pub(crate) status_id: u8,
    pub(crate) status: &'static str,
}

#[derive(Serialize)]
pub(crate) struct FindingInfo {
    pub(crate) uid: String,
    pub(crate) title: &'static str,
    pub(crate) desc: String,
}

#[derive(Serialize)]
pub(crate) struct Text {
    pub(crate) desc: String,
}

#[derive(Serialize)]
pub(crate) struct Resource<'a> {
    pub(crate) uid: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<Group<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cloud_partition: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct Group<'a> {
    pub(crate) name: Cow<'a, str>,
}

/// What the schema has no place for, in the words of hostssl's own JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unmapped<'a> {
    pub(crate) profile: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confidence: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) observed: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing_permission: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effect: Option<&'static str>,
}

impl<'a> Metadata<'a> {
    pub(crate) const fn new(event_code: &'static str, tool_version: &'a str, run: Option<&'a str>) -> Self {
        let product = Product { name: "hostssl", vendor_name: "hostssl", version: tool_version };
        Self { version: "1.5.0", profiles: ["cloud"], product, event_code, correlation_uid: run }
    }
}

impl<'a> Account<'a> {
    pub(crate) fn subscription(name: Cow<'a, str>, uid: String) -> Self {
        Self { name, uid, kind: "Azure subscription", type_id: 99 }
    }
}

impl Compliance {
    /// The outcome of a control, with the standards that it answers.
    pub(crate) fn of_control(control: &'static Control, outcome: Outcome) -> Self {
        let standard = |mapping: &Mapping| format!("{} {}", mapping.standard, mapping.version).trim().to_owned();
        Self {
            standards: control.mappings.iter().map(standard).collect(),
            requirements: control.mappings.iter().flat_map(|mapping| mapping.requirements.iter().copied()).collect(),
            ..Self::of_rule(control.id.as_str(), control.title, outcome)
        }
    }

    /// The outcome of a rule that no standard has.
    pub(crate) const fn of_rule(control: &'static str, desc: &'static str, outcome: Outcome) -> Self {
        let (status_id, status) = match outcome {
            Outcome::Pass => (1, "Pass"),
            // "The compliance check did not yield a result due to missing information."
            Outcome::Unknown => (2, "Warning"),
            Outcome::Fail => (3, "Fail"),
            Outcome::NotApplicable => (99, "Not applicable"),
        };
        Self { control, desc, standards: Vec::new(), requirements: Vec::new(), status_id, status }
    }

    /// That a part of what was asked for could not be looked at.
    pub(crate) const fn of_gap(desc: &'static str) -> Self {
        Self::of_rule("coverage", desc, Outcome::Unknown)
    }
}

/// How severe an event is. What does not count only informs.
pub(crate) const fn severity(severity: Severity, outcome: Outcome) -> (u8, &'static str) {
    match (outcome, severity) {
        (Outcome::Pass | Outcome::NotApplicable, _) => (1, "Informational"),
        (_, Severity::Low) => (2, "Low"),
        (_, Severity::Medium) => (3, "Medium"),
        (_, Severity::High) => (4, "High"),
    }
}

/// Whether someone has accepted what the event says.
pub(crate) const fn status(is_accepted: bool) -> (u8, &'static str) {
    if is_accepted { (3, "Suppressed") } else { (1, "New") }
}
