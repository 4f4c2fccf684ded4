//! What the Activity Log holds: writes, and the events of each.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::iso;
use crate::json::{put, quoted};
use crate::random::Guid;

/// The claims that name a person and an object, as the documentation of the event schema has them.
const UPN: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn";
const OBJECT: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";
/// The application id of the Azure portal.
const PORTAL: &str = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c";

/// Writes that are kept; the oldest are dropped first.
const MAX_WRITES: usize = 20_000;

/// What the Activity Log of every subscription holds.
#[derive(Debug, Default)]
pub(crate) struct ActivityLog(Mutex<Vec<LoggedWrite>>);

impl ActivityLog {
    pub(crate) fn add(&self, write: LoggedWrite) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_WRITES {
            all.remove(0);
        }
        all.push(write);
    }

    /// Forgets what was written since the scenario began; its past stays.
    pub(crate) fn restore(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|write| write.is_past);
    }

    pub(crate) fn all(&self) -> Vec<LoggedWrite> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Actor {
    /// A person in the portal, by their user principal name.
    Person(String),
    /// A service principal.
    Application {
        /// The application's id.
        app: String,
        /// The object id.
        object: String,
    },
    /// The managed identity of a policy assignment, by the resource id of the assignment.
    Policy(String),
}

/// One write, with how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoggedWrite {
    /// When it was asked for, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// The id of what was written.
    pub(crate) resource: String,
    /// Its operation, as roles name it.
    pub(crate) operation: String,
    /// The HTTP status of its end.
    pub(crate) status: u16,
    pub(crate) actor: Actor,
    /// `x-ms-request-id` of the answer.
    pub(crate) request: String,
    /// `x-ms-correlation-request-id` of the answer.
    pub(crate) correlation: String,
    /// Whether it is of the past of a scenario, which a reset does not forget.
    #[serde(default)]
    pub(crate) is_past: bool,
}

impl LoggedWrite {
    /// Writes the event of its beginning or of its end.
    pub(crate) fn render(&self, out: &mut String, tenant: &str, ended: bool) {
        let parts: Vec<&str> = self.resource.split('/').collect();
        let part = |index: usize| parts.get(index).copied().unwrap_or_default();
        let succeeded = (200..300).contains(&self.status);
        let (status, sub_status, event) = match (ended, succeeded) {
            (false, _) => ("Started", String::new(), "BeginRequest"),
            (true, true) => ("Succeeded", "OK".to_owned(), "EndRequest"),
            (true, false) => ("Failed", format!("HTTP {}", self.status), "EndRequest"),
        };
        let at = Timestamp::from_millisecond(self.at_ms + if ended { 400 } else { 0 }).unwrap_or(Timestamp::MIN);
        let (caller, claims) = self.actor.caller_and_claims(tenant);
        let salt = if ended { 0xe4d0 } else { 0xe4d1 };
        put!(
            out,
            r#"{{"authorization":{{"action":{operation},"scope":{resource}}},"caller":{},"channels":"Operation","claims":{claims},"correlationId":{correlation},"description":"","eventDataId":"{}","eventName":{{"value":"{event}","localizedValue":"{event}"}},"category":{{"value":"Administrative","localizedValue":"Administrative"}},"httpRequest":{{"clientIpAddress":"192.0.2.10","method":"{}"}},"level":"{}","resourceGroupName":{},"resourceProviderName":{{"value":{provider},"localizedValue":{provider}}},"resourceId":{resource},"operationId":{correlation},"operationName":{{"value":{operation},"localizedValue":{operation}}},"properties":{{"statusCode":"{}","serviceRequestId":{},"eventCategory":"Administrative"}},"status":{{"value":"{status}","localizedValue":"{status}"}},"subStatus":{{"value":"{sub_status}","localizedValue":"{sub_status}"}},"eventTimestamp":"{time}","submissionTimestamp":"{time}","subscriptionId":{},"tenantId":{}}}"#,
            quoted(&caller),
            Guid::numbered(salt, u64::try_from(self.at_ms).unwrap_or_default()),
            if matches!(self.actor, Actor::Person(_)) { "PUT" } else { "PATCH" },
            if succeeded || !ended { "Informational" } else { "Error" },
            quoted(part(4)),
            self.status,
            quoted(&self.request),
            quoted(part(2)),
            quoted(tenant),
            operation = quoted(&self.operation),
            resource = quoted(&self.resource),
            correlation = quoted(&self.correlation),
            provider = quoted(part(6)),
            time = iso(at),
        );
    }
}

impl Actor {
    /// What an event has of them.
    fn caller_and_claims(&self, tenant: &str) -> (String, String) {
        let issued = format!(r#""aud":"https://management.core.windows.net/","tid":{}"#, quoted(tenant));
        let object = |of: &str| Guid::numbered(0x0b1e, of.bytes().map(u64::from).sum()).to_string();
        match self {
            Self::Person(upn) => {
                let name = upn.split(['@', '.']).next().unwrap_or_default();
                let claims = format!(
                    r#"{{{issued},"appid":"{PORTAL}","name":{},"{UPN}":{},"{OBJECT}":"{}"}}"#,
                    quoted(name),
                    quoted(upn),
                    object(upn)
                );
                (upn.clone(), claims)
            }
            Self::Application { app, object } => {
                let claims = format!(
                    r#"{{{issued},"appid":{},"appidacr":"2","idtyp":"app","{OBJECT}":{}}}"#,
                    quoted(app),
                    quoted(object)
                );
                (object.clone(), claims)
            }
            Self::Policy(assignment) => {
                let object = object(assignment);
                let claims = format!(
                    r#"{{{issued},"appid":"{}","idtyp":"app","xms_mirid":{},"{OBJECT}":"{object}"}}"#,
                    Guid::numbered(0x0b1f, assignment.bytes().map(u64::from).sum()),
                    quoted(assignment)
                );
                (object, claims)
            }
        }
    }
}

/// A write of the past: by whom, and when.
pub(crate) fn past_write(at: Timestamp, resource: String, operation: String, actor: Actor, number: u64) -> LoggedWrite {
    LoggedWrite {
        at_ms: at.as_millisecond(),
        resource,
        operation,
        status: 200,
        actor,
        request: Guid::numbered(0x9a57, number).to_string(),
        correlation: Guid::numbered(0x9a58, number).to_string(),
        is_past: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_whatever_is_in_its_names() {
        for actor in [
            Actor::Person("o\"neil@contoso.example".to_owned()),
            Actor::Application { app: "a".to_owned(), object: "o".to_owned() },
            Actor::Policy("/subscriptions/s/providers/Microsoft.Authorization/policyAssignments/tls".to_owned()),
        ] {
            let write = LoggedWrite {
                at_ms: 1_700_000_000_000,
                resource: "/subscriptions/s/resourceGroups/g/providers/P/t/n\"".to_owned(),
                operation: "P/t/write".to_owned(),
                status: 409,
                actor,
                request: "r".to_owned(),
                correlation: "c".to_owned(),
                is_past: false,
            };
            let mut out = String::new();
            write.render(&mut out, "t", true);
            let event: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(event["status"]["value"], "Failed");
            assert_eq!(event["eventTimestamp"], "2023-11-14T22:13:20.400Z");
        }
    }
}
