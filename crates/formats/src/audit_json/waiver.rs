//! Waivers in the JSON of an audit, and alone.

use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// A waiver that is laid over a failure.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Waiver<'a> {
    state: WaiverState,
    /// Who answers for the server.
    owner: &'a str,
    /// Why the failure is accepted.
    reason: &'a str,
    /// Who has accepted it.
    approvers: &'a [String],
    /// The last day on which it holds, as it is written; empty without one.
    expires: &'a str,
    /// What protects the data meanwhile.
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
    /// It holds, and the failure does not decide the exit code.
    InEffect,
    /// Its last day is over, or cannot be read.
    Expired,
    /// Its last day is further away than the profile allows.
    TooLong,
    /// Nobody but the owner has approved it.
    OwnerOnly,
}

/// The file of waivers that the audit was given.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct Waivers<'a> {
    /// Its name, as it was given.
    file: &'a str,
    entries: Vec<WaiverEntry<'a>>,
}

/// A waiver of the file, and what it was good for.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(super) struct WaiverEntry<'a> {
    /// The id of the control.
    control: &'static str,
    /// The id of a server, a resource group or a subscription.
    scope: &'a str,
    waiver: Waiver<'a>,
    /// The failures that it is laid over.
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
    /// The audit did not judge by its control.
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
