//! Operations of the Activity Log as members of JSON formats: frozen.

use hostssl_audit as audit;
use hostssl_model as model;
#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::Serialize;

/// Who made a change: operations, or why it is not known.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct WhoV1<'a> {
    /// What can have made the change between the audits, the newest first; empty where it is not known.
    operations: Vec<OperationV1<'a>>,
    /// Why it is not known; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_known: Option<NotKnownV1<'a>>,
}

/// An operation that the Activity Log has.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationV1<'a> {
    /// When it began, RFC 3339.
    at: &'a str,
    /// The operation, as Azure's roles name it.
    operation: &'a str,
    /// The setting, the action, or the part of the server; null where it was the server itself.
    what: Option<&'a str>,
    /// `succeeded`, `failed`, or `unknown` where the log has no end of it.
    end: &'static str,
    /// Who asked for it: a user principal name, the name of a managed identity or the id of an application; null where the event
    /// names no one.
    by: Option<&'a str>,
    /// `person`, `application`, `managed-identity` or `unknown`.
    by_kind: &'static str,
    /// Their object id in Microsoft Entra ID.
    object_id: Option<&'a str>,
    /// What a person used, where that is known.
    tool: Option<&'static str>,
}

/// Why it is not known who made a change.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotKnownV1<'a> {
    /// `not-in-log`, `too-old`, `not-logged`, or why the log could not be read: a stable word of audits.
    reason: &'static str,
    /// The permission that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_permission: Option<&'a str>,
    /// What Azure or the network said.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> From<&'a audit::Who> for WhoV1<'a> {
    fn from(who: &'a audit::Who) -> Self {
        match who {
            audit::Who::Known(found) => {
                Self { operations: found.iter().map(OperationV1::from).collect(), not_known: None }
            }
            audit::Who::NotKnown(why) => {
                let word = |reason| NotKnownV1 { reason, missing_permission: None, detail: None };
                let why = match why {
                    audit::WhoUnknown::Unread(unchecked) => NotKnownV1::from(unchecked),
                    audit::WhoUnknown::NotInLog => word("not-in-log"),
                    audit::WhoUnknown::TooOld => word("too-old"),
                    audit::WhoUnknown::NotLogged => word("not-logged"),
                };
                Self { operations: Vec::new(), not_known: Some(why) }
            }
        }
    }
}

impl<'a> From<&'a model::Unchecked> for NotKnownV1<'a> {
    fn from(unchecked: &'a model::Unchecked) -> Self {
        Self {
            reason: unchecked.reason.as_str(),
            missing_permission: unchecked.missing_permission.as_deref(),
            detail: Some(&unchecked.detail),
        }
    }
}

impl<'a> From<&'a model::Activity> for OperationV1<'a> {
    fn from(activity: &'a model::Activity) -> Self {
        let caller = &activity.caller;
        Self {
            at: &activity.at,
            operation: &activity.operation,
            what: match &activity.act {
                model::Act::Setting(name) | model::Act::Action(name) | model::Act::Part(name) => Some(name),
                model::Act::Write | model::Act::Delete => None,
            },
            end: activity.end.as_str(),
            by: Some(&*caller.name).filter(|name| !name.is_empty()),
            by_kind: caller.kind.as_str(),
            object_id: caller.object_id.as_deref(),
            tool: caller.tool,
        }
    }
}
