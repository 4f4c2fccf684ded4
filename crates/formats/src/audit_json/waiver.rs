//! Waivers in the JSON of an audit, and alone.

use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// The waiver for a failure.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Waiver<'a> {
    state: WaiverState,
    /// Who is responsible for the server.
    owner: &'a str,
    /// Why the failure is accepted.
    reason: &'a str,
    /// Who has accepted it.
    approvers: &'a [String],
    /// The last day on which it is valid, as it is written; empty without one.
    expires: &'a str,
    /// What protects the data in the meantime.
    #[serde(skip_serializing_if = "Option::is_none")]
    compensating_control: Option<&'a str>,
    /// Where it was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
    /// The line of the file on which it begins.
    line: u32,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum WaiverState {
    /// It is in effect: the failure does not count towards the exit code.
    InEffect,
    /// It has expired, or its expiry date is missing or malformed.
    Expired,
    /// It lasts longer than the profile allows.
    TooLong,
    /// Only the owner has approved it.
    OwnerOnly,
}

/// The file of waivers that the audit was given.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Waivers<'a> {
    /// Its name, as it was given.
    file: &'a str,
    entries: Vec<WaiverEntry<'a>>,
}

/// A waiver in the file, and the number of failures that it covers.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaiverEntry<'a> {
    /// The id of the control.
    control: &'static str,
    /// The id of a server, a resource group or a subscription.
    scope: &'a str,
    waiver: Waiver<'a>,
    /// The number of failures that it covers.
    failures: u64,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unused: Option<UnusedWaiver>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum UnusedWaiver {
    /// The audit has no server in its scope.
    NoServer,
    /// The audit did not check its control.
    NotJudged,
    /// Nothing in its scope fails that control.
    NothingFails,
    /// Another waiver covers the same failures.
    Covered,
}

impl<'a> From<&'a model::Waiver> for Waiver<'a> {
    fn from(waiver: &'a model::Waiver) -> Self {
        Self {
            state: match waiver.state {
                model::WaiverState::InEffect => WaiverState::InEffect,
                model::WaiverState::Expired => WaiverState::Expired,
                model::WaiverState::TooLong => WaiverState::TooLong,
                model::WaiverState::OwnerOnly => WaiverState::OwnerOnly,
            },
            owner: &waiver.owner,
            reason: &waiver.reason,
            approvers: &waiver.approvers,
            expires: &waiver.expires,
            compensating_control: waiver.compensating_control.as_deref(),
            ticket: waiver.ticket.as_deref(),
            line: waiver.line,
        }
    }
}

impl<'a> From<&'a model::WaiverFile> for Waivers<'a> {
    fn from(file: &'a model::WaiverFile) -> Self {
        let entry = |one: &'a model::WaiverUse| WaiverEntry {
            control: one.waiver.control.as_str(),
            scope: &one.waiver.scope,
            waiver: Waiver::from(&*one.waiver),
            failures: one.failures,
            unused: one.unused.map(|why| match why {
                model::UnusedWaiver::NoServer => UnusedWaiver::NoServer,
                model::UnusedWaiver::NotJudged => UnusedWaiver::NotJudged,
                model::UnusedWaiver::NothingFails => UnusedWaiver::NothingFails,
                model::UnusedWaiver::Covered => UnusedWaiver::Covered,
            }),
        };
        Self { file: &file.name, entries: file.waivers.iter().map(entry).collect() }
    }
}
